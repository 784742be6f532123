/**
 * Runs the snippets of a guide: its ```ts blocks, section by section (a section's blocks share their variables).
 *
 * A line may say what comes of it, and the lines of comment below it go on with that:
 * `expression; // => text` (or `const x = expression; // => text`) what the value prints as, `console.log(...); // prints: text` what was
 * printed since the last such line, `statement; // throws: text` the error's message (one that ends in `...` is its beginning).
 */
import { format } from 'node:util';
import ts from 'typescript';
import { shown } from '../ops/examples';

export interface Section {
  title: string;
  code: string;
}

/** The sections of a guide that have snippets. */
export function sections_of(markdown: string): Section[] {
  return markdown
    .split(/^## /m)
    .map((text) => ({
      title: text.split('\n', 1)[0],
      code: [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, code]) => code).join('\n'),
    }))
    .filter(({ code }) => code !== '');
}

/** One thing that a snippet claims. */
export interface Claim {
  source: string;
  expected: string;
  actual: string;
}

interface Line {
  source: string;
  kind?: '=>' | 'prints:' | 'throws:';
  expected: string;
}

function lines_of(code: string): Line[] {
  const lines: Line[] = [];
  for (const text of code.split('\n')) {
    const last = lines.at(-1);
    const more = /^\s*\/\/ ?(.*)$/.exec(text);
    if (more && last?.kind) {
      last.expected += `\n${more[1]}`;
      continue;
    }
    const claim = /^(.*?);?\s*\/\/ (=>|prints:|throws:) (.*)$/.exec(text);
    if (claim) lines.push({ source: claim[1], kind: claim[2] as Line['kind'], expected: claim[3] });
    else lines.push({ source: text, expected: '' });
  }
  return lines;
}

/** The program that a section is, with a call of `claim` behind every line that claims something. */
function program_of(lines: Line[]): string {
  return lines
    .map(({ source, kind }, i) => {
      if (kind === undefined) return source;
      if (kind === 'prints:') return `${source};\nclaim(${i}, printed());`;
      if (kind === 'throws:') return `claim(${i}, await thrown(async () => { ${source}; }));`;
      const declared = /^\s*(?:const|let)\s+(\w+)[^=]*=/.exec(source);
      return declared
        ? `${source};\nclaim(${i}, show(${declared[1]}));`
        : `claim(${i}, show(${source.trim()}));`;
    })
    .join('\n');
}

/** Runs one section; `names` are in scope, `modules` is what it can import. */
export async function run_section(
  { code }: Section,
  names: Record<string, unknown>,
  modules: Record<string, unknown>,
): Promise<Claim[]> {
  const lines = lines_of(code);
  const { outputText } = ts.transpileModule(program_of(lines), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
    },
  });
  const claims: Claim[] = [];
  const printed: string[] = [];
  const scope: Record<string, unknown> = {
    ...names,
    exports: {},
    require: (name: string) => {
      if (!(name in modules)) throw new Error(`a snippet imports ${name}`);
      return modules[name];
    },
    console: { log: (...args: unknown[]) => void printed.push(format(...args)) },
    printed: () => printed.splice(0).join('\n'),
    show: shown,
    thrown: async (fn: () => Promise<void>) => {
      try {
        await fn();
      } catch (error) {
        return (error as Error).message;
      }
      return 'nothing was thrown';
    },
    claim: (i: number, actual: string) => {
      const { source, kind, expected } = lines[i];
      const beginning = kind === 'throws:' && expected.endsWith('...') ? expected.slice(0, -3) : null;
      const shortened = beginning !== null && actual.startsWith(beginning) ? expected : actual;
      claims.push({ source: source.trim(), expected, actual: shortened });
    },
  };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code is our own documentation
  const run = new Function(...Object.keys(scope), `return (async () => {\n${outputText}\n})()`) as (
    ...args: unknown[]
  ) => Promise<void>;
  await run(...Object.values(scope));
  if (printed.length > 0) claims.push({ source: 'the end', expected: '', actual: printed.join('\n') });
  return claims;
}
