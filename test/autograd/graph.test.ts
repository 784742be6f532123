/** The graph that operators build: leaves, nodes, where gradients go; engine.test.ts walks it. */
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

  test('a leaf can be written without gradients', () => {
    const w = leaf(1, 2);
    torch.no_grad(() => w.sub_(torch.ones(2), { alpha: 0.5 }));
    expect([w.tolist(), w.requires_grad, w.is_leaf]).toEqual([[0.5, 1.5], true, true]);
  });
});

describe('gradients', () => {
  test('are summed down to a broadcast input and keep its dtype', () => {
    const x = torch.ones([3], { requires_grad: true });
    const s = torch.tensor(2, { requires_grad: true });
    torch.ones([2, 3], { dtype: 'float64' }).mul(x).mul(s).sum().backward();
    expect([x.grad?.tolist(), x.grad?.dtype]).toEqual([[4, 4, 4], 'float32']);
    expect([s.grad?.item(), s.grad?.shape]).toEqual([6, []]);
  });

  test('of several outputs are weighted by grad_outputs', () => {
    const x = leaf(1, 2);
    const [g] = torch.autograd.grad([x.mul(2), x.mul(3)], [x], {
      grad_outputs: [torch.tensor([1, 0]), torch.tensor([0, 1])],
    });
    expect(g.tolist()).toEqual([2, 3]);
  });

  test('can be asked for results inside the graph', () => {
    const x = leaf(2);
    const y = x.mul(3);
    const [g] = torch.autograd.grad(y.mul(y).sum(), [y]);
    expect(g.tolist()).toEqual([12]);
    expect(x.grad).toBeNull();
  });

  test('that are not used are zeros where asked for', () => {
    const [x, y] = [leaf(1, 2), leaf(3)];
    const filled = torch.autograd.grad(x.mul(2).sum(), [x, y], { materialize_grads: true });
    expect(filled.map((g: Tensor) => g.tolist())).toEqual([[2, 2], [0]]);
  });
});

describe('hooks', () => {
  test('an error in a hook comes out of backward', () => {
    const x = leaf(1);
    x.register_hook(() => {
      throw new RangeError('from the hook');
    });
    expect(() => x.sum().backward()).toThrow('from the hook');
  });

  test('a hook may run backward itself', () => {
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
