/**
 * Runs the examples in documentation.
 *
 * Each line `expression // text` is checked against the expression's own text; comment lines right below continue it.
 * Lines without a comment only run. All lines of one example share their variables.
 */
import { inspect } from 'node:util';

export interface ExampleResult {
  source: string;
  expected: string;
  actual: string;
}

/** The code under `@example` in one doc string, or null where there is none. */
export function example_of(doc: string): string | null {
  const at = doc.indexOf('@example');
  if (at < 0) return null;
  return doc
    .slice(at + '@example'.length)
    .split('\n')
    .filter((line) => !line.startsWith('```'))
    .join('\n')
    .trim();
}

/** What `console.log` shows, with tensors in PyTorch's text and lists on one line. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (typeof value === 'string') return value;
  if (
    typeof value === 'object' &&
    value !== null &&
    Object.hasOwn(Object.getPrototypeOf(value) as object, 'toString')
  ) {
    return (value as { toString(): string }).toString();
  }
  return inspect(value, { breakLength: Infinity });
}

interface Step {
  source: string;
  expected: string | null;
}

function steps_of(code: string): Step[] {
  const steps: Step[] = [];
  for (const line of code.split('\n')) {
    const last = steps[steps.length - 1];
    const continued = /^\s*\/\/ ?(.*)$/.exec(line);
    if (continued !== null && last !== undefined && last.expected !== null) {
      last.expected += `\n${continued[1]}`;
      continue;
    }
    const parts = /^(.*?);?\s*\/\/ (.*)$/.exec(line);
    if (parts !== null) steps.push({ source: parts[1], expected: parts[2] });
    else if (line.trim() !== '') steps.push({ source: line, expected: null });
  }
  return steps;
}

/** Runs one example with `torch` in scope; the lines that have an expected text come back with what they gave. */
export function run_example(code: string, torch: unknown): ExampleResult[] {
  const results: ExampleResult[] = [];
  const body = steps_of(code).map(({ source, expected }, i) => {
    if (expected === null) return source;
    // `const y = f(x) // text` shows what y became.
    const declared = /^\s*(?:const|let)\s+(\w+)\s*=/.exec(source);
    return declared ? `${source};\ncheck(${i}, ${declared[1]});` : `check(${i}, ${source});`;
  });
  const steps = steps_of(code);
  const check = (i: number, value: unknown): void => {
    const { source, expected } = steps[i];
    results.push({ source, expected: expected as string, actual: shown(value) });
  };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code is our own documentation
  const run = new Function('torch', 'check', `'use strict';\n${body.join('\n')}`) as (
    ...args: unknown[]
  ) => void;
  run(torch, check);
  return results;
}
