// The caller's stack, as far as it is the user's own code.
import { dirname, sep } from 'node:path';

/** One frame: `train.ts(12): step`. Paths are relative to the working directory where they lie in it. */
export type Frame = string;

const LIBRARY = dirname(__dirname) + sep;
const PACKAGES = `${sep}node_modules${sep}`;

/** Frames of Node, of this library and of packages say nothing about the user's program. */
const is_foreign = (file: string): boolean =>
  file.startsWith(LIBRARY) ||
  file.includes(PACKAGES) ||
  file.startsWith('node:') ||
  file === 'native' ||
  file === '<anonymous>';

const FRAME = /^\s*at (?:(.*) \()?(.*?):(\d+):\d+\)?$/;

function parse(stack: string): Frame[] {
  const frames: Frame[] = [];
  const here = process.cwd() + sep;
  for (const line of stack.split('\n')) {
    const found = FRAME.exec(line);
    if (found === null) continue;
    let file = found[2].replace(/^file:\/\//, '');
    if (is_foreign(file)) continue;
    if (file.startsWith(here)) file = file.slice(here.length);
    frames.push(`${file}(${found[3]}): ${found[1]?.replace(/ \[as .*\]$/, '') ?? '<module>'}`);
  }
  return frames;
}

/** At most this many frames are looked at, the library's own among them. */
const DEPTH = 64;

/**
 * Remembers the stacks that it has seen: reading one as text, which is what source maps need, costs far more than
 * looking at where its frames are.
 */
export class StackTable {
  readonly stacks: Frame[][] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of the stack from which this is called; `stacks[number]` has its frames, innermost first. */
  readonly capture = (): number => {
    // Kept aside, and put back, but never called here.
    // eslint-disable-next-line @typescript-eslint/unbound-method
    const { prepareStackTrace, stackTraceLimit } = Error;
    Error.stackTraceLimit = DEPTH;
    try {
      const holder: { stack?: string } = {};
      Error.prepareStackTrace = (_, sites) =>
        sites.map((s) => `${s.getFileName()}:${s.getLineNumber()}:${s.getColumnNumber()}`).join('\n');
      Error.captureStackTrace(holder, this.capture);
      const key = holder.stack ?? '';
      const known = this.#numbers.get(key);
      if (known !== undefined) return known;
      Error.prepareStackTrace = prepareStackTrace; // the user's own, which may know of source maps
      this.stacks.push(parse(new Error().stack ?? ''));
      this.#numbers.set(key, this.stacks.length - 1);
      return this.stacks.length - 1;
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}
