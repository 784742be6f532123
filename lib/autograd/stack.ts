// Stacks as users like to read them.
import { dirname, sep } from 'node:path';

const OWN_FILES = dirname(__dirname) + sep;

/** The lines of a stack without those of this package and of Node.js. */
export function user_frames(trace: Error): string[] {
  const frames = (trace.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return frames.filter((line) => !line.includes(OWN_FILES) && !/\(?node:internal\//.test(line));
}
