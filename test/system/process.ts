import { spawnSync } from 'node:child_process';
import path from 'node:path';

export const root = path.join(__dirname, '..', '..');

interface Options {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end; the output is text. */
export function run(command: string, args: string[], { cwd = root, env = process.env }: Options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  return { status, signal, stdout, stderr };
}

/** Runs a command that must succeed; returns what it printed. */
export function output(command: string, args: string[], options?: Options): string {
  const { status, signal, stdout, stderr } = run(command, args, options);
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${status ?? signal}\n${stdout}\n${stderr}`);
  }
  return stdout;
}
