// The text of modules.

/** `Name(...)`: one line if there is a single extra line and no child, else one item per line. */
export function wrap_lines(name: string, extra_lines: string[], child_lines: string[]): string {
  const lines = [...extra_lines, ...child_lines];
  if (lines.length === 0) return `${name}()`;
  if (extra_lines.length === 1 && child_lines.length === 0) return `${name}(${extra_lines[0]})`;
  return `${name}(\n  ${lines.join('\n  ')}\n)`;
}

/** Indents all lines but the first. */
export function indent(text: string, spaces: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(spaces)}`);
}
