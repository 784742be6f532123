import torch, { autograd, type Tensor } from '../../lib';

const leaf = (v: number | number[]): Tensor => torch.tensor(v, { requires_grad: true });

describe('backward', () => {
  test('accumulates into .grad; the accumulated tensor stays the same one', () => {
    const x = leaf([1, 2]);
    x.mul(3).sum().backward();
    const g = x.grad;
    expect(g?.tolist()).toEqual([3, 3]);
    x.mul(x).sum().backward();
    expect(x.grad).toBe(g);
    expect(g?.tolist()).toEqual([5, 7]);
    x.grad = null;
    expect(x.grad).toBeNull();
  });

  test('with a gradient for a vector output', () => {
    const a = leaf([2, 3]);
    const b = leaf([6, 4]);
    const q = a.mul(a).mul(a).mul(3).sub(b.mul(b));
    q.backward(torch.tensor([1, 1]));
    expect(a.grad?.tolist()).toEqual([36, 81]);
    expect(b.grad?.tolist()).toEqual([-12, -8]);
  });

  test('retain_graph allows a second pass', () => {
    const x = leaf([1, 2]);
    const y = x.mul(x).sum();
    y.backward({ retain_graph: true });
    y.backward();
    expect(x.grad?.tolist()).toEqual([4, 8]);
  });

  test('a graph that saved nothing may be run again, as in PyTorch', () => {
    const x = leaf([1, 2]);
    const y = x.add(1).sum();
    y.backward();
    y.backward();
    expect(x.grad?.tolist()).toEqual([2, 2]);
  });

  test('create_graph gives higher derivatives', () => {
    const x = leaf(2);
    const y = x.mul(x).mul(x);
    const [dy] = autograd.grad(y, x, { create_graph: true });
    const [d2y] = autograd.grad(dy, x, { create_graph: true });
    const [d3y] = autograd.grad(d2y, x);
    expect([dy.item(), d2y.item(), d3y.item()]).toEqual([12, 12, 6]);
  });

  test('inputs limits what receives', () => {
    const a = leaf([1]);
    const b = leaf([2]);
    const m = a.mul(b);
    m.mul(3)
      .sum()
      .backward({ inputs: [a] });
    expect(a.grad?.tolist()).toEqual([6]);
    expect(b.grad).toBeNull();
  });

  test('grad: unused inputs', () => {
    const a = leaf([1]);
    const b = leaf([2]);
    const y = a.mul(3).sum();
    expect(() => autograd.grad(y, [a, b])).toThrow('appears to not have been used in the graph');
    expect(autograd.grad(a.mul(3).sum(), [a, b], { allow_unused: true })[1]).toBeNull();
    expect(autograd.grad(a.mul(3).sum(), [a, b], { materialize_grads: true })[1].tolist()).toEqual([0]);
  });

  test('with respect to the result of another graph, however wide that is', () => {
    const x = torch.ones(2, { requires_grad: true });
    const leaves = Array.from({ length: 5000 }, () => torch.ones(1, { requires_grad: true }));
    const elsewhere = torch.cat(leaves);
    for (let i = 0; i < 20; ++i) {
      const [gx, none] = autograd.grad(x.mul(3).sum(), [x, elsewhere], { allow_unused: true });
      expect(gx?.tolist()).toEqual([3, 3]);
      expect(none).toBeNull();
    }
  });

  test('hooks: change the gradient, see it, remove themselves', () => {
    const x = leaf([1, 2]);
    const seen: number[][] = [];
    const m = x.mul(2);
    const h = m.register_hook((g) => {
      seen.push(g.tolist() as number[]);
      return g.mul(10);
    });
    m.sum().backward({ retain_graph: true });
    expect(x.grad?.tolist()).toEqual([20, 20]);
    h.remove();
    m.sum().backward();
    expect(x.grad?.tolist()).toEqual([22, 22]);
    expect(seen).toEqual([[1, 1]]);
    const y = leaf([1]);
    y.register_hook((g) => g.mul(2));
    let after = 0;
    y.register_post_accumulate_grad_hook((t) => {
      after = t.grad?.item() ?? 0;
    });
    y.mul(3).backward();
    expect(after).toBe(6);
  });

  test('retain_grad keeps the gradient of a non-leaf', () => {
    const x = leaf([1, 2]);
    const m = x.mul(2);
    m.retain_grad();
    m.mul(m).sum().backward();
    expect(m.grad?.tolist()).toEqual([4, 8]);
  });

  test('node hooks and next_functions', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2).sum();
    expect(y.grad_fn?.next_functions[0][0]?.name()).toBe('MulBackward0');
    const accumulate = y.grad_fn?.next_functions[0][0]?.next_functions[0][0];
    expect(accumulate?.name()).toBe('torch::autograd::AccumulateGrad');
    expect(accumulate?.variable?.tolist()).toEqual([1, 2]);
    let outputs: (number[] | undefined)[] = [];
    y.grad_fn?.register_hook((gi, go) => {
      outputs = [gi[0]?.tolist() as number[], go[0]?.tolist() as number[]];
    });
    y.backward();
    expect(outputs).toEqual([[1, 1], 1]);
  });

  test('a chain of 300,000 nodes neither runs backward nor is freed recursively', () => {
    const x = leaf([1]);
    let y = x.add(0);
    for (let i = 0; i < 300_000; ++i) y = y.add(0);
    y.backward();
    expect(x.grad?.tolist()).toEqual([1]);
    let z = x.add(0);
    for (let i = 0; i < 300_000; ++i) z = z.add(0);
    z = x; // drops the chain
    expect(z).toBe(x);
  });

  test('a diamond is summed once per path', () => {
    const x = leaf(3);
    const a = x.mul(2);
    const b = a.mul(a);
    const c = a.add(b);
    c.mul(b).backward();
    // a = 6: (a + a^2) a^2 -> derivative (3 a^2 + 4 a^3) * 2
    expect(x.grad?.item()).toBe(2 * (3 * 36 + 4 * 216));
  });
});

describe('in-place writes', () => {
  test('versions count, and detach shares them while data does not', () => {
    const x = torch.zeros(2);
    x.add_(1);
    x.detach().add_(1);
    expect(x._version).toBe(2);
    x.data.add_(1);
    expect(x._version).toBe(2);
    expect(x.tolist()).toEqual([3, 3]);
  });

  test('the formula sees the value that it saved, although the tensor was overwritten', () => {
    const x = leaf([1, 2]);
    const w = leaf([3, 4]);
    const y = x.mul(1);
    y.mul_(w); // dw needs the old y
    y.sum().backward();
    expect(w.grad?.tolist()).toEqual([1, 2]);
    expect(x.grad?.tolist()).toEqual([3, 4]);
  });

  test('index assignment through views differentiates', () => {
    const n = torch.zeros(2, 3);
    const v = leaf(5);
    n.index_put_([0, 0], v.mul(2));
    expect(n.requires_grad).toBe(true);
    n.mul(3).sum().backward();
    expect(v.grad?.item()).toBe(6);
  });

  test("writing into a view changes the base's history, and other views follow", () => {
    const base = torch.zeros(2, 2);
    const [first, second] = [base.select(0, 0), base.select(0, 1)];
    const w = leaf([1, 2]);
    first.add_(w);
    expect(base.grad_fn?.name()).toBe('torch::autograd::CopySlices');
    expect(first.grad_fn?.name()).toBe('AsStridedBackward0');
    expect(second.requires_grad).toBe(true);
    base
      .mul(
        torch.tensor([
          [1, 2],
          [3, 4],
        ]),
      )
      .sum()
      .backward();
    expect(w.grad?.tolist()).toEqual([1, 2]);
  });

  test('gradients stop at what was overwritten', () => {
    const x = leaf([1, 2, 3]);
    const y = x.mul(2);
    y.narrow(0, 0, 1).zero_();
    y.sum().backward();
    expect(x.grad?.tolist()).toEqual([0, 2, 2]);
  });

  test('a failed in-place operation changes nothing', () => {
    const x = torch.ones(2, { dtype: 'int64' });
    expect(() => x.add_(0.5)).toThrow("result type Float can't be cast to the desired output type Long");
    expect(() => x.add_(torch.ones(3, 2, { dtype: 'int64' }))).toThrow(
      "output with shape [2] doesn't match the broadcast shape [3, 2]",
    );
    expect(x.tolist()).toEqual([1, 1]);
    expect(x._version).toBe(0);
  });
});

describe('functional', () => {
  test('jacobian of a vector function', () => {
    const j = autograd.functional.jacobian((x: Tensor) => x.mul(x), torch.tensor([1, 2, 3])) as Tensor;
    expect(j.tolist()).toEqual([
      [2, 0, 0],
      [0, 4, 0],
      [0, 0, 6],
    ]);
  });
  test('hessian, vjp, jvp, vhp', () => {
    const f = (x: Tensor): Tensor => x.mul(x).mul(x).sum();
    const x = torch.tensor([1, 2]);
    expect((autograd.functional.hessian(f, x) as Tensor).tolist()).toEqual([
      [6, 0],
      [0, 12],
    ]);
    const square = (t: Tensor): Tensor => t.mul(t);
    expect((autograd.functional.vjp(square, x, torch.tensor([1, 10]))[1] as Tensor).tolist()).toEqual([
      2, 40,
    ]);
    expect((autograd.functional.jvp(square, x, torch.tensor([1, 10]))[1] as Tensor).tolist()).toEqual([
      2, 40,
    ]);
    expect((autograd.functional.vhp(f, x, torch.tensor([1, 10]))[1] as Tensor).tolist()).toEqual([6, 120]);
  });
});
