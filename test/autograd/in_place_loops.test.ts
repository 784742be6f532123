/** Long chains of in-place writes: gradients, time, and nothing left behind. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import torch, { type Tensor } from '../../lib';
import { native } from '../../lib/native';

/** out[t] = h, step after step, with nothing of `out` read before the end. */
function recurrence(w: Tensor, steps: number): Tensor {
  const out = torch.zeros(steps, w.shape[0]);
  let h: Tensor = torch.ones(w.shape[0]);
  for (let t = 0; t < steps; ++t) {
    h = h.mul(w);
    out.index_put_([t], h);
  }
  return out;
}

test('1,000 steps written into a buffer have the gradients of the same steps stacked', () => {
  const w = torch.tensor([0.999, 1.001, 0.9], { requires_grad: true });
  recurrence(w, 1000).sum().backward();
  const v = w.detach().requires_grad_();
  const rows: Tensor[] = [];
  let h: Tensor = torch.ones(3);
  for (let t = 0; t < 1000; ++t) rows.push((h = h.mul(v)));
  torch.stack(rows).sum().backward();
  expect(torch.allclose(w.grad!, v.grad!, 1e-4)).toBe(true);
});

test('a step’s backward costs a slice, not the buffer', () => {
  // Of 2,000 steps on a buffer of 32 MB each would otherwise move the whole buffer: minutes, not a moment.
  const w = torch.full([4096], 0.999, { requires_grad: true });
  const out = recurrence(w, 2000);
  const loss = out.sum();
  const before = process.hrtime.bigint();
  loss.backward();
  expect(Number(process.hrtime.bigint() - before) / 1e9).toBeLessThan(10);
  expect(w.grad!.isfinite().all().item()).toBe(true);
});

test('20,000 steps need no deep recursion, neither backward nor when dropped', () => {
  const before = native.live_nodes();
  const w = torch.tensor([0.5], { requires_grad: true });
  const out = recurrence(w, 20_000);
  out.sum().backward();
  const dropped = recurrence(w, 20_000);
  expect(native.live_nodes() - before).toBeGreaterThan(40_000);
  out.dispose();
  dropped.dispose();
  expect(w.grad!.item()).toBeCloseTo(4); // sum of t w^(t-1)
});

test('a written buffer’s gradient is not written where somebody else holds it', () => {
  const x = torch.ones(3, { requires_grad: true });
  const y = x.mul(2);
  const seen: Tensor[] = [];
  y.index_put_([0], 5);
  y.register_hook((g) => void seen.push(g));
  const z = y.mul(torch.tensor([1, 2, 3]));
  z.sum().backward();
  expect(seen[0].tolist()).toEqual([1, 2, 3]);
  expect(x.grad!.tolist()).toEqual([0, 4, 6]);
});

test('double backward through writes into views', () => {
  const x = torch.tensor([1, 2, 3], { dtype: 'float64', requires_grad: true });
  const f = (t: Tensor): Tensor => {
    const y = t.mul(t);
    y.index([torch.Slice(0, 2)]).mul_(t.index([torch.Slice(1, 3)]));
    y.index_put_([2], t.select(0, 0).exp());
    return y;
  };
  expect(torch.autograd.gradcheck(f, [x])).toBe(true);
  expect(torch.autograd.gradgradcheck(f, [x])).toBe(true);
});

describe('dropped without backward, nothing is left of', () => {
  const collected = async (): Promise<number> => {
    for (let i = 0; i < 4; ++i) {
      globalThis.gc?.();
      torch.ones(1); // the native layer drops what died at its next call
      await new Promise((done) => setImmediate(done));
    }
    return native.live_nodes();
  };
  const patterns: Record<string, (w: Tensor) => Tensor> = {
    'writes into views': (w) => {
      const y = w.mul(2);
      y.select(0, 0).mul_(w.sum());
      y.view(-1).sin_();
      return y;
    },
    'a recurrence': (w) => recurrence(w, 5),
    'a recurrence that reads slices and keeps them': (w) => {
      const out = torch.ones(4, 2);
      for (let t = 0; t < 3; ++t) out.index_put_([t + 1], out.index([t]).mul(w).sigmoid());
      return out;
    },
    'a view multiplied by its sibling': (w) => {
      const y = w.mul(2);
      return y.select(0, 0).mul_(y.select(0, 1));
    },
    'in-place operators that keep their result': (w) => w.mul(2).sigmoid_().tanh_().exp_(),
  };
  test.each(Object.keys(patterns))('%s', async (name) => {
    setFlagsFromString('--expose-gc');
    globalThis.gc = runInNewContext('gc') as typeof globalThis.gc;
    const w = torch.ones(2, { requires_grad: true });
    const before = await collected();
    for (let i = 0; i < 200; ++i) patterns[name](w);
    expect((await collected()) - before).toBeLessThan(100); // of the last calls; a cycle would keep one or more of each
  });
});
