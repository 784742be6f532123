import torch, { type Tensor } from '../../lib';
import { test_family } from './driver';

test_family('reduce');

/** Large enough that every way of cutting up the work is taken: chunks of one row, tiles of columns, strided runs. */
const shapes: [number[], number | number[] | undefined][] = [
  [[1_000_003], undefined],
  [[3, 300_001], 1],
  [[300_001, 3], 0],
  [[517, 1031], 0],
  [[517, 1031], 1],
  [
    [16, 33, 1000],
    [0, 2],
  ],
];
const reductions: [string, (x: Tensor, dim: number | number[] | undefined) => Tensor][] = [
  ['sum', (x, dim) => (dim === undefined ? x.sum() : x.sum(dim))],
  ['var', (x, dim) => (dim === undefined ? x.var() : x.var(dim))],
  ['norm', (x, dim) => (dim === undefined ? x.norm() : x.norm(2, dim))],
];

for (const [name, reduce] of reductions) {
  test.each(shapes)(
    `${name} of %j over %j: the same bits for any number of threads, and right`,
    (shape, dim) => {
      torch.manual_seed(3);
      const x = torch.rand(shape);
      const threads = torch.get_num_threads();
      try {
        torch.set_num_threads(1);
        const alone = reduce(x, dim);
        torch.set_num_threads(3);
        expect(torch.equal(reduce(x, dim), alone)).toBe(true);
        const exact = reduce(x.to(torch.float64), dim);
        expect(alone.to(torch.float64).sub(exact).div(exact).abs().max().item()).toBeLessThan(3e-7);
      } finally {
        torch.set_num_threads(threads);
      }
    },
  );
}

test('positions count over the whole input, in rows and in columns', () => {
  const x = torch.zeros(700, 600);
  x.index_put_([433, 599], 2);
  expect(x.argmax().item()).toBe(433 * 600 + 599);
  expect(x.max(0).indices.index(599).item()).toBe(433);
  expect(x.max(1).indices.index(433).item()).toBe(599);
  expect(x.argmin().item()).toBe(0);
});
