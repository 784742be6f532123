/** Deep and wide graphs, and what is left of graphs when nobody uses them any more. */
import torch, { autograd, type Tensor } from '../../lib';
import { native } from '../../lib/native';
import { collect } from './collect';

const { statistics } = autograd.graph;
const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });

function chain(x: Tensor, length: number): Tensor {
  const one = torch.ones(1);
  let y = x;
  for (let i = 0; i < length; ++i) y = y.add(one);
  return y;
}

/** The nodes that are alive after everything that can be freed was. */
async function settled(): Promise<number> {
  await collect();
  return native.live_nodes();
}

test('a million additions go backward and are freed in a second and a half', async () => {
  const before = await settled();
  const x = leaf(1);
  const last = chain(x, 1_000_000);
  await collect(); // the tensors between are not what is timed
  const start = performance.now();
  last.backward();
  last.dispose();
  const took = performance.now() - start;
  expect(x.grad?.tolist()).toEqual([1]);
  expect(native.live_nodes()).toBeLessThanOrEqual(before);
  // (Instrumented by AddressSanitizer, everything takes twice as long and more.)
  expect(took).toBeLessThan(process.env['LD_PRELOAD']?.includes('asan') ? 10_000 : 1500);
}, 60_000);

test('a million nodes that never went backward are freed, too', async () => {
  const before = await settled();
  chain(leaf(1), 1_000_000).dispose();
  expect(await settled()).toBeLessThanOrEqual(before);
}, 60_000);

test('ten thousand consumers of one node', () => {
  const x = leaf(2);
  const y = x.mul(3);
  const parts = Array.from({ length: 10_000 }, () => y.mul(2));
  torch.stack(parts).sum().backward({ retain_graph: true });
  expect(x.grad?.tolist()).toEqual([60_000]);
  autograd.backward(parts);
  expect(x.grad?.tolist()).toEqual([120_000]);
});

test('a ladder with two ways at every rung is walked once', () => {
  const x = leaf(1);
  let y = x;
  for (let i = 0; i < 100; ++i) y = y.mul(0.5).add(y.mul(0.5));
  y.backward();
  expect(x.grad?.item()).toBeCloseTo(1);
});

test('the gradients of ten thousand leaves', () => {
  const leaves = Array.from({ length: 10_000 }, (_, i) => leaf(i));
  const grads = autograd.grad(torch.cat(leaves).square().sum(), leaves);
  expect(grads.map((g) => g.item())).toEqual(leaves.map((_, i) => 2 * i));
});

test('graphs that are built and dropped leave nothing', async () => {
  const w = torch.randn(8, 8, { requires_grad: true });
  const step = (backward: boolean): void => {
    const h = w.matmul(w).tanh();
    h.register_hook((g) => g);
    const loss = h.sum();
    if (backward) loss.backward();
  };
  for (let i = 0; i < 10; ++i) step(true);
  const before = await settled();
  for (let i = 0; i < 1000; ++i) step(i % 2 === 0);
  expect(await settled()).toBe(before);
});

describe('statistics', () => {
  test('count nodes and bytes by name, and forget what was released', async () => {
    await settled();
    const before = statistics();
    const x = torch.ones(100, { requires_grad: true });
    const y = x.exp().sum();
    const during = statistics();
    const added = (name: string): unknown => [
      during.by_name[name].nodes - (before.by_name[name]?.nodes ?? 0),
      during.by_name[name].saved_bytes - (before.by_name[name]?.saved_bytes ?? 0),
    ];
    expect(added('ExpBackward0')).toEqual([1, 400]);
    expect(added('SumBackward0')).toEqual([1, 0]);
    expect(added('torch::autograd::AccumulateGrad')).toEqual([1, 0]);
    expect(during.nodes - before.nodes).toBe(3);
    expect(during.saved_bytes - before.saved_bytes).toBe(400);
    expect(during.graphs - before.graphs).toBe(1);
    y.backward();
    expect(statistics().saved_bytes).toBe(before.saved_bytes);
  });

  test('show a graph that is kept alive by summing losses', async () => {
    const w = torch.ones(3, { requires_grad: true });
    const run = (sum: (total: Tensor, loss: Tensor) => Tensor): Tensor => {
      let total = torch.zeros([]);
      for (let i = 0; i < 500; ++i) total = sum(total, w.mul(w).sum());
      return total;
    };
    await settled();
    const right = run((total, loss) => total.add(loss.detach()));
    await settled();
    expect(statistics().largest?.nodes ?? 0).toBeLessThan(100);
    const wrong = run((total, loss) => total.add(loss));
    await settled();
    const { largest, graphs, by_name } = statistics();
    expect(largest?.nodes).toBe(1500); // each a product, a sum, an addition
    expect(largest?.saved_bytes).toBe(500 * 2 * 12);
    expect(largest?.last).toBe(wrong.grad_fn);
    expect(by_name.MulBackward0.nodes).toBeGreaterThanOrEqual(500);
    expect(graphs).toBeGreaterThanOrEqual(1);
    expect(right.grad_fn).toBeNull();
  });
});
