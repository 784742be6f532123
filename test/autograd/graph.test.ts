/** The graph that operators build and how backward walks it. */
import torch, { type Tensor } from '../../lib';

const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });

describe('leaves and nodes', () => {
  test('a leaf has no node, a result names its own', () => {
    const x = leaf(1, 2);
    const y = x.mul(3).exp();
    expect([x.is_leaf, x.grad_fn, y.is_leaf, y.requires_grad]).toEqual([true, null, false, true]);
    expect(y.grad_fn?.name()).toBe('ExpBackward0');
    const [next, input] = y.grad_fn?.next_functions[0] ?? [];
    expect([next?.name(), input]).toEqual(['MulBackward0', 0]);
    expect(next?.next_functions[0]?.[0]?.name()).toBe('torch::autograd::AccumulateGrad');
  });

  test('constants build no graph', () => {
    const y = torch.ones(2).mul(3);
    expect([y.requires_grad, y.is_leaf, y.grad_fn]).toEqual([false, true, null]);
  });

  test('detach and data leave the graph and share memory', () => {
    const x = leaf(1, 2);
    const y = x.mul(2);
    for (const out of [y.detach(), y.data]) {
      expect([out.requires_grad, out.is_leaf]).toEqual([false, true]);
      out.fill_(7);
      expect(y.tolist()).toEqual([7, 7]);
    }
    // data has a version counter of its own, detach shares it.
    const before = y._version;
    y.data.fill_(0);
    expect(y._version).toBe(before);
    y.detach().fill_(0);
    expect(y._version).toBe(before + 1);
  });

  test('a result that several operators use gets the sum', () => {
    const x = leaf(2);
    const y = x.mul(x);
    y.mul(3).add(y).sum().backward();
    expect(x.grad?.tolist()).toEqual([16]);
  });
});

describe('backward', () => {
  test('adds to grad', () => {
    const x = leaf(1, 2);
    x.mul(3).sum().backward();
    x.mul(4).sum().backward();
    expect(x.grad?.tolist()).toEqual([7, 7]);
    x.grad = null;
    x.sum().backward();
    expect(x.grad?.tolist()).toEqual([1, 1]);
  });

  test('takes a gradient for results that are no scalar', () => {
    const x = leaf(1, 2);
    x.mul(3).backward(torch.tensor([1, 10]));
    expect(x.grad?.tolist()).toEqual([3, 30]);
  });

  test('retain_graph keeps the saved tensors', () => {
    const x = leaf(0, 0);
    const y = x.exp().sum();
    y.backward({ retain_graph: true });
    y.backward();
    expect(x.grad?.tolist()).toEqual([2, 2]);
  });

  test('inputs restricts where gradients go', () => {
    const [x, y] = [leaf(1), leaf(2)];
    x.mul(y)
      .sum()
      .backward({ inputs: [x] });
    expect([x.grad?.tolist(), y.grad]).toEqual([[2], null]);
  });

  test('create_graph differentiates the gradient', () => {
    const x = leaf(3);
    const [g] = torch.autograd.grad(x.pow(3).sum(), [x], { create_graph: true });
    const [h] = torch.autograd.grad(g.sum(), [x], { create_graph: true });
    const [k] = torch.autograd.grad(h.sum(), [x]);
    expect([g.item(), h.item(), k.item()]).toEqual([27, 18, 6]);
  });

  test('a gradient is summed down to a broadcast input and keeps its dtype', () => {
    const x = torch.ones([3], { requires_grad: true });
    const s = torch.tensor(2, { requires_grad: true });
    torch.ones([2, 3], { dtype: 'float64' }).mul(x).mul(s).sum().backward();
    expect([x.grad?.tolist(), x.grad?.dtype]).toEqual([[4, 4, 4], 'float32']);
    expect([s.grad?.item(), s.grad?.shape]).toEqual([6, []]);
  });

  test('a chain of 200,000 nodes neither overflows backward nor its own release', () => {
    const x = leaf(1);
    let y = x;
    for (let i = 0; i < 200_000; ++i) y = y.add(1);
    y.sum().backward();
    expect(x.grad?.tolist()).toEqual([1]);
    y = x;
    for (let i = 0; i < 200_000; ++i) y = y.neg();
  });
});

describe('autograd.grad', () => {
  test('leaves grad alone and gives null or zeros for unused inputs', () => {
    const [x, y] = [leaf(1, 2), leaf(3)];
    const out = x.mul(2).sum();
    const options = { allow_unused: true, retain_graph: true };
    expect(
      (torch.autograd.grad(out, [x, y], options) as (Tensor | null)[]).map((g) => g?.tolist() ?? null),
    ).toEqual([[2, 2], null]);
    const filled = torch.autograd.grad(out, [x, y], { materialize_grads: true });
    expect(filled.map((g: Tensor) => g.tolist())).toEqual([[2, 2], [0]]);
    expect([x.grad, y.grad]).toEqual([null, null]);
  });

  test('takes several outputs with grad_outputs', () => {
    const x = leaf(1, 2);
    const [g] = torch.autograd.grad([x.mul(2), x.mul(3)], [x], {
      grad_outputs: [torch.tensor([1, 0]), torch.tensor([0, 1])],
    });
    expect(g.tolist()).toEqual([2, 3]);
  });

  test('reaches results inside the graph', () => {
    const x = leaf(2);
    const y = x.mul(3);
    const [g] = torch.autograd.grad(y.mul(y).sum(), [y]);
    expect(g.tolist()).toEqual([12]);
  });
});

describe('in place', () => {
  test('differentiates through an operator that wrote its input', () => {
    const x = leaf(1, 2);
    const y = x.mul(1);
    y.mul_(3).add_(1);
    y.mul(y).sum().backward();
    expect(y.grad_fn?.name()).toBe('AddBackward0');
    expect(x.grad?.tolist()).toEqual([24, 42]);
  });

  test('writing a view rebases the base', () => {
    const x = leaf(1, 2, 3);
    const y = x.mul(2);
    y.select(0, 0).mul_(5);
    expect(y.grad_fn?.name()).toBe('CopySlices');
    y.sum().backward();
    expect(x.grad?.tolist()).toEqual([10, 2, 2]);
  });

  test('index_put_ into zeros carries gradients', () => {
    const v = leaf(4);
    const n = torch.zeros(2, 2);
    n.index_put_([0, 0], v.select(0, 0));
    n.mul(n).sum().backward();
    expect(v.grad?.tolist()).toEqual([8]);
  });

  test('a view sees what was written through its base', () => {
    const x = leaf(1, 2);
    const y = x.mul(1);
    const v = y.select(0, 1);
    y.mul_(3);
    v.backward();
    expect(x.grad?.tolist()).toEqual([0, 3]);
  });

  test('a leaf can be written without gradients', () => {
    const w = leaf(1, 2);
    torch.no_grad(() => w.sub_(torch.ones(2), { alpha: 0.5 }));
    expect([w.tolist(), w.requires_grad, w.is_leaf]).toEqual([[0.5, 1.5], true, true]);
  });
});

describe('hooks and retained gradients', () => {
  test('retain_grad keeps the gradient of a result', () => {
    const x = leaf(2);
    const y = x.mul(3);
    y.retain_grad();
    expect(y.retains_grad).toBe(true);
    y.mul(y).sum().backward();
    expect([y.grad?.tolist(), x.grad?.tolist()]).toEqual([[12], [36]]);
  });

  test('a hook sees the gradient and may replace it; removed, it does neither', () => {
    const x = leaf(1, 2);
    const seen: unknown[] = [];
    const handle = x.register_hook((g: Tensor) => {
      seen.push(g.tolist());
      return g.mul(10);
    });
    x.sum().backward();
    handle.remove();
    x.sum().backward();
    expect([seen, x.grad?.tolist()]).toEqual([[[1, 1]], [11, 11]]);
  });

  test('an error in a hook comes out of backward', () => {
    const x = leaf(1);
    x.register_hook(() => {
      throw new RangeError('from the hook');
    });
    expect(() => x.sum().backward()).toThrow('from the hook');
  });

  test('backward inside a hook works', () => {
    const x = leaf(2);
    const z = leaf(5);
    x.register_hook(() => {
      // As in PyTorch, a pass that makes no graph runs its hooks without gradients.
      torch.enable_grad(() => z.mul(z).sum().backward());
    });
    x.sum().backward();
    expect([x.grad?.tolist(), z.grad?.tolist()]).toEqual([[1], [10]]);
  });
});
