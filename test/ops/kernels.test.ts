// Sizes at which another kernel takes over: float32 through the fast kernels against float64 through the portable ones.
import torch, { type Tensor } from '../../lib/index';

const { conv2d, scaled_dot_product_attention } = torch.nn.functional;

type Fn = (...inputs: Tensor[]) => Tensor;

/** Results and gradients of `fn` in float32 and in float64 agree. */
function expect_same(fn: Fn, shapes: number[][], tolerance: number): void {
  torch.manual_seed(1);
  const values = shapes.map((shape) => torch.randn(shape, { dtype: 'float64' }));
  const [narrow, wide] = (['float32', 'float64'] as const).map((dtype) => {
    const inputs = values.map((v) => v.to(dtype).requires_grad_());
    const y = fn(...inputs);
    const weights = torch.linspace(-1, 1, y.numel(), { dtype }).reshape(y.shape);
    return [y.detach(), ...torch.autograd.grad([y.mul(weights).sum()], inputs)].map((t) => t.to('float64'));
  });
  narrow.forEach((t, i) => {
    const scale = wide[i].abs().max().item();
    expect(t.sub(wide[i]).abs().max().item()).toBeLessThan(tolerance * Math.max(1, scale));
  });
}

test.each([
  [3, 4, 5],
  [16, 16, 16],
  [37, 401, 53],
  [64, 1000, 100],
  [130, 70, 600],
  [1, 300, 200],
  [200, 300, 1],
])('mm %i x %i x %i', (m, k, n) => {
  expect_same(
    (a, b) => a.mm(b),
    [
      [m, k],
      [k, n],
    ],
    2e-6,
  );
  // Transposed operands are read where they lie.
  expect_same(
    (a, b) => a.t().mm(b.t()),
    [
      [k, m],
      [n, k],
    ],
    2e-6,
  );
});

test('a batch of products', () => {
  expect_same(
    (a, b) => a.bmm(b.transpose(1, 2)),
    [
      [5, 40, 33],
      [5, 60, 33],
    ],
    2e-6,
  );
});

const channels_last: Fn = (x, w, b) =>
  conv2d(x.contiguous({ memory_format: torch.channels_last }), w, b, { padding: 1 });
const cases: [string, Fn, number[][]][] = [
  ['one channel', (x, w, b) => conv2d(x, w, b, { padding: 2 }), [[4, 1, 12, 12], [6, 1, 5, 5], [6]]],
  // Rows of one to three vectors, and blocks of output channels that do not come out even.
  ['rows of 37', (x, w, b) => conv2d(x, w, b, { padding: [0, 1] }), [[19, 3, 7, 37], [11, 3, 3, 3], [11]]],
  ['rows of 40', (x, w, b) => conv2d(x, w, b, { padding: [2, 0] }), [[3, 4, 6, 40], [5, 4, 2, 5], [5]]],
  ['rows of 16', (x, w, b) => conv2d(x, w, b, { padding: 3 }), [[2, 2, 7, 16], [8, 2, 7, 7], [8]]],
  [
    'rows padded unevenly',
    (x, w) => conv2d(x, w, null, { padding: 'same' }),
    [
      [2, 3, 6, 20],
      [4, 3, 4, 4],
    ],
  ],
  ['strided', (x, w, b) => conv2d(x, w, b, { stride: 2, padding: 1 }), [[2, 16, 9, 9], [32, 16, 3, 3], [32]]],
  [
    'by channel',
    (x, w, b) => conv2d(x, w, b, { padding: 1, groups: 16 }),
    [[2, 16, 7, 7], [16, 1, 3, 3], [16]],
  ],
  ['channels last', channels_last, [[2, 8, 6, 5], [8, 8, 3, 3], [8]]],
  ['padded unevenly', (x, w, b) => conv2d(x, w, b, { padding: 'same' }), [[2, 3, 6, 6], [4, 3, 4, 2], [4]]],
  // So few places and so many weights that the batch becomes one product.
  [
    'deep',
    (x, w, b) => conv2d(x, w, b, { stride: 2, padding: 1 }),
    [[3, 128, 4, 4], [1024, 128, 3, 3], [1024]],
  ],
];
test.each(cases)('conv2d, %s', (_, fn, shapes) => {
  expect_same(fn, shapes, 1e-5);
});

test('attention over several blocks of queries', () => {
  const shape = [2, 3, 150, 16];
  expect_same(
    (q, k, v) => scaled_dot_product_attention(q, k, v, { is_causal: true }),
    [shape, shape, shape],
    1e-5,
  );
  const mask = torch.zeros(150, 70).index_fill(1, torch.tensor([3, 69], { dtype: 'int64' }), -Infinity);
  expect_same(
    (q, k, v) => scaled_dot_product_attention(q, k, v, { attn_mask: mask.to(q.dtype) }),
    [shape, [2, 3, 70, 16], [2, 3, 70, 16]],
    1e-5,
  );
});

test('a matrix product does not depend on the number of threads', () => {
  torch.manual_seed(2);
  const [a, b] = [torch.randn(70, 300, { dtype: 'float64' }), torch.randn(300, 90, { dtype: 'float64' })];
  const threads = torch.get_num_threads();
  const many = a.mm(b);
  torch.set_num_threads(1);
  const one = a.mm(b);
  torch.set_num_threads(threads);
  expect(torch.equal(many, one)).toBe(true);
});

/** Windows of every kind over rows of every length up to three vectors: small integers tie often, and NaN wins. */
test.each([
  [2, 2, 0, 1],
  [3, 2, 1, 1],
  [2, 1, 0, 2],
  [3, 3, 1, 1],
  [5, 4, 2, 1],
  [3, 1, 1, 2],
])('max_pool2d, window %i, stride %i, padding %i, dilation %i', (kernel, stride, padding, dilation) => {
  torch.manual_seed(2);
  for (let width = (kernel - 1) * dilation + 1; width < 70; width += 3) {
    const wide = torch.randint(-3, 3, [2, 3, 9, width], { dtype: 'float64' });
    wide.masked_fill_(torch.rand([2, 3, 9, width]).lt(0.02), NaN);
    const pool = (x: Tensor): Tensor[] => {
      x.requires_grad_();
      const pooled = torch.nn.functional.max_pool2d_with_indices(x, kernel, stride, padding, dilation);
      const [y, indices] = pooled;
      y.nan_to_num().sum().backward();
      return [y.detach().to('float64'), indices, (x.grad as Tensor).to('float64')];
    };
    const expected = pool(wide);
    pool(wide.detach().to('float32')).forEach((t, i) => {
      expect(t.isnan().equal(expected[i].isnan())).toBe(true);
      expect(t.nan_to_num().equal(expected[i].nan_to_num())).toBe(true);
    });
  }
});
