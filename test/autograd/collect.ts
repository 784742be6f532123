import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
setFlagsFromString('--no-expose-gc');

/** Has the collector free what it can, and lets finalizers run. */
export async function collect(): Promise<void> {
  for (let i = 0; i < 4; ++i) {
    gc();
    await new Promise(setImmediate);
  }
}
