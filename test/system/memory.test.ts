import path from 'node:path';
import { output, root } from './process';

const benchmark = path.join(root, 'bench', 'memory.mjs');

function measure(name: string): number {
  const value = Number(output(process.execPath, [benchmark, name]));
  expect(value).not.toBeNaN();
  return value;
}

test('a synchronous training loop of 20,000 steps grows by less than 50 MiB', () => {
  expect(measure('two_layer')).toBeLessThan(50);
});

test('1,500 results of 4 MB each, none disposed of, peak under 300 MB', () => {
  expect(measure('results')).toBeLessThan(300e6 / 2 ** 20);
});

test('import takes less than 100 ms', () => {
  // The first start reads the files from disk; the best of a few is what loading costs.
  const times = Array.from({ length: 5 }, () => measure('import'));
  expect(Math.min(...times)).toBeLessThan(100);
});
