// Writing files.
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/** Writes under another name beside the file, then renames: a reader sees the old file or the new one. */
export function write_atomically(filename: string, parts: Iterable<Uint8Array>): void {
  const temporary = `${filename}.${randomBytes(6).toString('hex')}.tmp`;
  const fd = openSync(temporary, 'wx');
  try {
    try {
      for (const part of parts) {
        for (let done = 0; done < part.length;) done += writeSync(fd, part, done);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, filename);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
