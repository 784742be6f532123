/** x[...] and x[...] = v, spelled `index` and `index_put_`; what the operator table does not show. */
import torch, { type Tensor } from '../lib';

const { Slice } = torch;
const grid = (): Tensor => torch.arange(12, { dtype: 'float32' }).view(3, 4);
const long = (data: number[]): Tensor => torch.tensor(data, { dtype: 'int64' });

describe('index', () => {
  test('numbers, slices and null make views', () => {
    const x = grid();
    for (const part of [
      x.index(0),
      x.index([1, 2]),
      x.index([Slice(1)]),
      x.index('...'),
      x.index([null, 0]),
    ]) {
      expect(part._is_view()).toBe(true);
    }
    x.index([1, Slice(0, 2)]).zero_();
    expect(x.index(1).tolist()).toEqual([0, 0, 6, 7]);
  });

  test('tensors and masks make copies', () => {
    const x = grid();
    x.index([long([0, 2])]).zero_();
    x.index([x.gt(5)]).zero_();
    expect(x.sum().item()).toBe(66);
  });

  test.each<[string, () => Tensor, unknown]>([
    ['x[-1]', () => grid().index(-1), [8, 9, 10, 11]],
    ['x[..., 1]', () => grid().index(['...', 1]), [1, 5, 9]],
    ['x[::2, 1:3]', () => grid().index([Slice(null, null, 2), Slice(1, 3)]), [[1, 2], [9, 10]]], // prettier-ignore
    ['x[-2:]', () => grid().index([Slice(-2)]), [[4, 5, 6, 7], [8, 9, 10, 11]]], // prettier-ignore
    ['x[5:]', () => grid().index([Slice(5)]), []],
    ['x[[0, 2], 1]', () => grid().index([[0, 2], 1]), [1, 9]],
    ['x[[True, False, True]]', () => grid().index([[true, false, true], 0]), [0, 8]],
    ['x[True]', () => grid().index([true, 0, 0]), [0]],
    ['x[tensor(1)]', () => grid().index([torch.tensor(1, { dtype: 'int64' })]), [4, 5, 6, 7]],
    ['x[0n]', () => grid().index([0n, 3]), 3],
    [
      'indices around a slice stand in front',
      () => torch.zeros(2, 3, 4).index([long([0, 1]), Slice(), long([1, 2])]).sum(0), // prettier-ignore
      [0, 0, 0],
    ],
  ])('%s', (_, index, expected) => {
    const out = index();
    expect(out.dim() === 0 ? out.item() : out.tolist()).toEqual(expected);
  });

  test.each<[string, () => unknown, string]>([
    [
      'a position out of range',
      () => grid().index(3),
      'index 3 is out of bounds for dimension 0 with size 3',
    ],
    [
      'a position out of range of a later dimension',
      () => grid().index([Slice(), -5]),
      'index -5 is out of bounds for dimension 1 with size 4',
    ],
    ['too many', () => grid().index([0, 0, 0]), 'too many indices for tensor of dimension 2'],
    [
      'tensors that do not broadcast',
      () => grid().index([long([0, 1]), long([0, 1, 2])]),
      'shape mismatch: indexing tensors could not be broadcast together with shapes [2], [3]',
    ],
    ['a fraction', () => grid().index(0.5), 'only integers'],
    [
      'a float tensor',
      () => grid().index([torch.zeros(1)]),
      'tensors used as indices must be long, int, byte or bool tensors',
    ],
    ['two ellipses', () => grid().index(['...', '...']), 'an index can only have a single ellipsis'],
    ['a number without dimensions', () => torch.tensor(1).index(0), 'invalid index of a 0-dim tensor'],
  ])('%s is a RangeError', (_, index, message) => {
    expect(index).toThrow(RangeError);
    expect(index).toThrow(message);
  });

  test('a step that does not advance', () => {
    expect(() => grid().index([Slice(null, null, 0)])).toThrow('slice step cannot be zero');
    expect(() => grid().index([Slice(null, null, -1)])).toThrow('step must be greater than zero');
  });
});

describe('index_put_', () => {
  test('takes numbers and tensors, which broadcast and are converted', () => {
    const x = torch.zeros(2, 3);
    x.index_put_([0, 0], 5);
    x.index_put_([Slice(), 2], long([7, 8]));
    x.index_put_([1], torch.ones(1, 1, 3).mul(2));
    expect(x.tolist()).toEqual([[5, 0, 7], [2, 2, 2]]); // prettier-ignore
    expect(x.index_put_([x.gt(4)], 0)).toBe(x);
    expect(x.tolist()).toEqual([[0, 0, 0], [2, 2, 2]]); // prettier-ignore
  });

  test('adds where asked, also where positions repeat', () => {
    const x = torch.zeros(3);
    x.index_put_([long([1, 1, 2])], torch.tensor([1, 2, 3]), true);
    expect(x.tolist()).toEqual([0, 3, 3]);
  });

  test('refuses to read what it overwrites', () => {
    const x = torch.arange(4, { dtype: 'float32' });
    expect(() => x.index_put_([long([1, 2, 3])], x.index([Slice(0, 3)]))).toThrow(
      'some elements of the input tensor and the written-to tensor refer to a single memory location',
    );
    expect(x.tolist()).toEqual([0, 1, 2, 3]);
  });

  test('differentiates with respect to both, through views', () => {
    const x = torch.ones(2, 3, { requires_grad: true });
    const v = torch.tensor([10, 20], { requires_grad: true });
    const y = x.mul(2);
    y.index_put_([Slice(), 1], v);
    y.index_put_([0, 0], 7);
    y.mul(torch.tensor([[1, 2, 3], [4, 5, 6]])).sum().backward(); // prettier-ignore
    expect(x.grad!.tolist()).toEqual([[0, 0, 6], [8, 0, 12]]); // prettier-ignore
    expect(v.grad!.tolist()).toEqual([2, 5]);
  });

  test('differentiates a loop that fills a tensor row by row', () => {
    const steps = 50;
    const w = torch.tensor(0.5, { requires_grad: true });
    const out = torch.zeros(steps);
    let h: Tensor = torch.tensor(1);
    for (let t = 0; t < steps; ++t) {
      h = h.mul(w);
      out.index_put_([t], h);
    }
    out.sum().backward(); // the sum of w ** t, whose derivative at 1/2 is the sum of t * w ** (t - 1) = 4
    expect(w.grad!.item()).toBeCloseTo(4, 5);
  });

  test('refuses what PyTorch refuses, and then changes nothing', () => {
    const x = grid();
    const before = x.tolist();
    expect(() => x.index_put_([long([0, 3])], 1)).toThrow(
      'index 3 is out of bounds for dimension 0 with size 3',
    );
    expect(() => x.index_put_([long([0])], torch.zeros(3))).toThrow(
      'shape mismatch: value tensor of shape [3] cannot be broadcast to indexing result of shape [1, 4]',
    );
    expect(() => x.index_put_([long([0])], torch.zeros(4, { dtype: 'float64' }))).toThrow(
      'Index put requires the source and destination dtypes match, got Float for the destination and Double for the source.',
    );
    const leaf = torch.zeros(2, { requires_grad: true });
    expect(() => leaf.index_put_([0], 1)).toThrow('a leaf Variable that requires grad');
    expect(x.tolist()).toEqual(before);
  });
});

describe('in place', () => {
  test('the operators that change a part write where the tensor lies', () => {
    const x = torch.zeros(3, 2).t(); // [2, 3], not contiguous
    const at = x.data_ptr();
    x.index_add_(1, long([0, 2, 0]), torch.ones(2, 3));
    x.scatter_(1, long([1, 1]).view(2, 1), 5);
    x.masked_fill_(x.eq(5), 6);
    x.index_fill_(0, long([1]), 9);
    expect(x.tolist()).toEqual([[2, 6, 1], [9, 9, 9]]); // prettier-ignore
    expect(x.data_ptr()).toBe(at);
    expect(x._version).toBe(4);
  });

  test('index tensors may end in a dimension of size 1', () => {
    const rows = long([0, 1, 2]).view(3, 1);
    const values = torch.arange(9, { dtype: 'float32' }).reshape(3, 1, 3);
    const x = torch.zeros(3, 4, 3).index_put_([rows, long([3])], values);
    expect(x.select(1, 3).tolist()).toEqual([[0, 1, 2], [3, 4, 5], [6, 7, 8]]); // prettier-ignore
    x.index_put_([rows, long([3])], values, true);
    expect(x.select(1, 3).sum().item()).toBe(72);
  });

  test('sources that overlap the target are refused', () => {
    const refused = 'some elements of the input tensor and the written-to tensor refer to a single memory';
    const x = torch.arange(4, { dtype: 'float32' });
    expect(() => x.index_add_(0, long([3, 2, 1, 0]), x)).toThrow(refused);
    expect(() => x.index([Slice(1)]).copy_(x.index([Slice(0, 3)]))).toThrow(refused);
    expect(x.tolist()).toEqual([0, 1, 2, 3]);
  });

  test('interleaved sources are read first', () => {
    const x = torch.arange(4, { dtype: 'float32' });
    const odd = x.index([Slice(1, null, 2)]);
    odd.add_(x.index([3]));
    expect(x.tolist()).toEqual([0, 4, 2, 6]);
  });

  test('squeeze_, t_ and their kin change the shape and keep the history', () => {
    const x = torch.ones(2, 1, { requires_grad: true });
    const y = x.mul(3);
    expect(y.squeeze_(1)).toBe(y);
    expect(y.shape).toEqual([2]);
    expect(y.grad_fn!.name()).toBe('SqueezeBackward4');
    y.unsqueeze_(0).t_().mul(torch.tensor([[1], [2]])).sum().backward(); // prettier-ignore
    expect(x.grad!.tolist()).toEqual([[3], [6]]);
    expect(() => x.squeeze_()).toThrow('a leaf Variable that requires grad');
  });
});
