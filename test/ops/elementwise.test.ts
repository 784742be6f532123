/** The driver of the element-wise kernels: every layout, length and number of threads gives the same elements. */
import torch, { type Tensor } from '../../lib';
import * as ops from '../../lib/ops';

const dtypes = ['float32', 'float64', 'float16', 'bfloat16', 'int32', 'int8', 'bool'] as const;
const values = (n: number): number[] => Array.from({ length: n }, (_, i) => ((i * 37) % 23) / 4 - 2.5);
const make = (shape: number[], dtype: (typeof dtypes)[number]): Tensor =>
  torch
    .tensor(values(shape.reduce((a, b) => a * b, 1)))
    .to(dtype)
    .reshape(shape);

/** Pairs of operands with gaps, in another order, or broadcast; long and short rows. */
const layouts: [string, (dtype: (typeof dtypes)[number]) => [Tensor, Tensor]][] = [
  ['a row over short rows', (d) => [make([700, 3], d), make([3], d)]],
  ['a row over long rows', (d) => [make([5, 300], d), make([300], d)]],
  ['a column over short rows', (d) => [make([700, 3], d), make([700, 1], d)]],
  ['a column over long rows', (d) => [make([5, 700], d), make([5, 1], d)]],
  ['a column and a row', (d) => [make([60, 1], d), make([1, 70], d)]],
  ['a transposed matrix', (d) => [make([90, 70], d).t(), make([70, 90], d)]],
  ['permuted dimensions', (d) => [make([4, 9, 31], d).permute(2, 0, 1), make([31, 4, 9], d)]],
  [
    'every other element',
    (d) => [
      make([50, 40], d).index([torch.Slice(null, null, 2), torch.Slice(1, null, 3)]),
      make([25, 13], d),
    ],
  ],
  ['one element', (d) => [make([40, 5], d).t(), make([1], d)]],
  ['middle dimensions', (d) => [make([6, 1, 5], d), make([6, 200, 1], d)]],
];

describe.each(layouts)('%s', (_, operands) => {
  test.each(dtypes)('%s', (dtype) => {
    const [a, b] = operands(dtype);
    const [x, y] = torch.broadcast_tensors([a, b]).map((t) => t.contiguous()) as [Tensor, Tensor];
    const same = (ours: Tensor, theirs: Tensor): void => {
      expect(ours.shape).toEqual(theirs.shape);
      expect(ours.contiguous().tolist()).toEqual(theirs.tolist());
    };
    same(a.add(b), x.add(y));
    same(b.mul(a), y.mul(x));
    same(a.lt(b), x.lt(y));
    same(torch.where(a.gt(0), a, b), torch.where(x.gt(0), x, y));
    same(a.exp(), a.contiguous().exp());
    same(a.to('float64'), a.contiguous().to('float64'));
    same(b.to('float16'), b.contiguous().to('float16'));
    // Writing through gaps.
    const into = torch
      .zeros([...x.shape, 2])
      .to(dtype)
      .select(-1, 0);
    same(into.copy_(x).add_(y), x.add(y));
  });
});

test.each(['exp', 'tanh', 'gelu', 'sigmoid', 'log1p', 'sin', 'floor', 'silu'] as const)(
  '%s gives each element the same bits at any place in a row, for any length',
  (name) => {
    const f = ops[name];
    const x = torch.tensor(values(67).map((v) => v / 2.6));
    const whole = f(x).tolist() as number[];
    for (let n = 1; n <= 67; ++n) expect(f(x.narrow(0, 67 - n, n)).tolist()).toEqual(whole.slice(67 - n));
  },
);

test('one thread or several: the same bits', () => {
  const a = torch.linspace(-5, 5, 200_003);
  const b = torch.linspace(0.1, 2, 7).unsqueeze(1);
  const before = torch.get_num_threads();
  const run = (threads: number): unknown[] => {
    torch.set_num_threads(threads);
    return [ops.gelu(a), a.exp(), a.add(b).sum(1), a.half().mul(a.half()), a.to('int32')].map((t) =>
      t.tolist(),
    );
  };
  try {
    expect(run(3)).toEqual(run(1));
  } finally {
    torch.set_num_threads(before);
  }
});

test('integers divide without trapping', () => {
  const least = torch.tensor([-2147483648, 7, -7]).to('int32');
  const minus_one = torch.tensor([-1, -2, 2]).to('int32');
  expect(torch.div(least, minus_one, { rounding_mode: 'trunc' }).tolist()).toEqual([-2147483648, -3, -3]);
  expect(torch.floor_divide(least, minus_one).tolist()).toEqual([-2147483648, -4, -4]);
  expect(torch.remainder(least, minus_one).tolist()).toEqual([0, -1, 1]);
  expect(torch.fmod(least, minus_one).tolist()).toEqual([0, 1, -1]);
  expect(() => torch.remainder(least, 0)).toThrow(/^ZeroDivisionError$/);
});
