/** Checkpoints, against what PyTorch did (scripts/record_autograd_checkpoint.py), and what they are for: memory. */
import torch, { autograd, nn, type Tensor } from '../../lib';
import { matches_recorded } from './recorded';

const { checkpoint, checkpoint_sequential, set_checkpoint_early_stop } = torch.utils.checkpoint;
const without = { use_reentrant: false };
const reentrant = { use_reentrant: true };
const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const list = (t: Tensor | null | undefined): unknown => t?.tolist() as unknown;

function counted<A extends unknown[], R>(f: (...args: A) => R): ((...args: A) => R) & { calls: number } {
  const g = (...args: A): R => {
    ++g.calls;
    return f(...args);
  };
  g.calls = 0;
  return g;
}
/** The first call runs `first`, the others `later`. */
function changing(first: (x: Tensor) => Tensor, later: (x: Tensor) => Tensor): (x: Tensor) => Tensor {
  let calls = 0;
  return (x) => (calls++ === 0 ? first(x) : later(x));
}
const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
beforeEach(() => emitted.mockClear());
const warned = (): string[] => emitted.mock.calls.map(([text]) => String(text));

matches_recorded('checkpoint', {
  plain() {
    const f = counted((x: Tensor, k: number) => x.mul(k).sin().exp());
    const x = leaf(0.5, 1.5);
    const y = checkpoint(f, x, 3, without);
    const calls = [f.calls];
    y.sum().backward();
    return [[...calls, f.calls], list(x.grad), y.grad_fn?.name()];
  },
  early_stop() {
    let seen = 0;
    const f = (x: Tensor): Tensor => {
      const z = x.exp().sin();
      ++seen;
      return z.mul(2);
    };
    const result: number[] = [];
    for (const stop of [true, false]) {
      set_checkpoint_early_stop(stop, () => checkpoint(f, leaf(1), without)).backward();
      result.push(seen);
    }
    checkpoint(f, leaf(1), { use_reentrant: false, early_stop: false }).backward();
    return [...result, seen];
  },
  retained() {
    const f = counted((x: Tensor) => x.sin().exp());
    const x = leaf(0.5);
    const y = checkpoint(f, x, without);
    y.backward({ retain_graph: true });
    y.backward();
    return [f.calls, list(x.grad)];
  },
  grad_and_create_graph() {
    const f = counted((x: Tensor) => x.sin().pow(3));
    const x = leaf(0.5);
    const y = checkpoint(f, x, without);
    const [g] = autograd.grad(y, x, { create_graph: true });
    const [h] = autograd.grad(g, x, { create_graph: true });
    const [k] = autograd.grad(h, x);
    return [list(g), list(h), list(k), f.calls];
  },
  nested() {
    const inner = counted((x: Tensor) => x.sin().exp());
    const outer = counted((x: Tensor) => checkpoint(inner, x.cos(), without).sin().mul(x));
    const outermost = counted((x: Tensor) => checkpoint(outer, x.mul(2), without).exp());
    const x = leaf(0.3, 0.6);
    checkpoint(outermost, x, without).sum().backward();
    return [list(x.grad), inner.calls, outer.calls, outermost.calls];
  },
  backward_inside() {
    const f = (x: Tensor): Tensor => {
      const y = x.sin();
      const z = y.cos();
      const [g] = autograd.grad(z, y, { retain_graph: true });
      return x.cos().mul(g).mul(z);
    };
    return [true, false].map((early_stop) => {
      const x = leaf(0.5);
      checkpoint(f, x, { use_reentrant: false, early_stop }).backward();
      return list(x.grad);
    });
  },
  random_state() {
    torch.manual_seed(5);
    const x = leaf(...Array<number>(8).fill(1));
    const y = checkpoint((t: Tensor) => nn.functional.dropout(t.mul(2), 0.5).mul(t), x, without);
    const before = torch.get_rng_state();
    y.sum().backward();
    return [list(y), list(x.grad), torch.equal(before, torch.get_rng_state())];
  },
  keyword_arguments() {
    const f = (t: Tensor, { scale = 0 } = {}): Tensor => t.exp().mul(scale);
    const x = leaf(1);
    checkpoint(f, x, { scale: 3, use_reentrant: false }).backward();
    return list(x.grad);
  },
  several_outputs() {
    const [x, w] = [leaf(1, 2), leaf(3, 4)];
    const f = (a: Tensor, b: Tensor): [Tensor, Tensor] => [a.mul(b), a.add(b).exp()];
    const [a, b] = checkpoint(f, x, w, without);
    a.sum().add(b.sum()).backward();
    return [list(x.grad), list(w.grad)];
  },
  without_grad() {
    const f = counted((x: Tensor) => x.sin());
    const y = torch.no_grad(() => checkpoint(f, leaf(1), without));
    return [y.requires_grad, f.calls];
  },
  fewer_the_second_time() {
    const f = changing(
      (x) => x.sin().cos(),
      (x) => x.sin(),
    );
    checkpoint(f, leaf(1), without).backward();
  },
  more_the_second_time() {
    const f = changing(
      (x) => x.sin(),
      (x) => x.sin().cos(),
    );
    checkpoint(f, leaf(1), { use_reentrant: false, early_stop: false }).backward();
  },
  other_shapes_the_second_time() {
    const f = changing(
      (x) => x.sin().sum(),
      (x) => x.repeat(2).double().sin().sum(),
    );
    checkpoint(f, leaf(1, 2), without).backward();
  },
  other_shapes_unchecked() {
    const f = changing(
      (x) => x.exp().sum(),
      (x) => x.narrow(0, 0, 1).exp().sum(),
    );
    const x = leaf(0, 0);
    checkpoint(f, x, { use_reentrant: false, determinism_check: 'none' }).backward();
    return list(x.grad);
  },
  unknown_check: () =>
    checkpoint((x: Tensor) => x, leaf(1), { use_reentrant: false, determinism_check: 'strict' }),
  saved_twice_unpacked() {
    class F extends autograd.Function {
      static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
        ctx.save_for_backward(x);
        return x.mul(2);
      }
      static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        return ctx.saved_tensors.length === 1 ? g.mul(ctx.saved_tensors[0]) : g;
      }
    }
    checkpoint((x: Tensor) => F.apply(x.mul(1)) as Tensor, leaf(1), without).backward();
  },
  input_written() {
    const x = leaf(1).mul(1);
    const y = checkpoint((t: Tensor) => t.exp(), x, without);
    x.add_(1);
    y.backward();
  },
  sequential() {
    torch.manual_seed(0);
    const layers = Array.from({ length: 5 }, () => [new nn.Linear(4, 4), new nn.Tanh()]).flat();
    const net = new nn.Sequential(...layers);
    const x = torch.ones(2, 4);
    const [first, last] = [layers[0] as nn.Linear, layers[8] as nn.Linear];
    return [1, 2, 3, 10].map((segments) => {
      net.zero_grad();
      const y = checkpoint_sequential(net, segments, x, without);
      y.sum().backward();
      return [y.sum().item(), first.weight.grad!.sum().item(), list(last.bias!.grad)];
    });
  },
  reentrant() {
    const f = counted((x: Tensor, k: number) => x.mul(k).sin().exp());
    const x = leaf(0.5, 1.5);
    const y = checkpoint(f, x, 3, reentrant);
    y.sum().backward();
    return [f.calls, list(x.grad), y.grad_fn?.name()];
  },
  reentrant_grad() {
    const x = leaf(0.5);
    autograd.grad(
      checkpoint((t: Tensor) => t.sin(), x, reentrant),
      x,
    );
  },
  reentrant_nothing_to_do: () =>
    checkpoint((x: Tensor) => x.mul(2).detach(), leaf(0.5), reentrant).backward(),
  reentrant_context: () =>
    checkpoint((x: Tensor) => x, leaf(0.5), {
      use_reentrant: true,
      context_fn: () => [torch.no_grad, torch.no_grad],
    }),
  reentrant_without_gradient() {
    const y = checkpoint((x: Tensor) => x.mul(2), torch.ones(1), reentrant);
    return [y.requires_grad, warned()];
  },
  default_is_reentrant() {
    const y = checkpoint((x: Tensor) => x.mul(2), leaf(1));
    checkpoint_sequential([(x: Tensor) => x.mul(2)], 1, leaf(1));
    return [y.grad_fn?.name(), warned()];
  },
});

describe('a multi-layer perceptron of 200 layers', () => {
  const LAYERS = 200;
  torch.manual_seed(0);
  const layers = Array.from({ length: LAYERS }, () => [new nn.Linear(64, 64), new nn.ReLU()]).flat();
  const net = new nn.Sequential(...layers);
  const input = torch.randn(4096, 64);

  function measure(forward: () => Tensor): { peak: number; grads: Tensor[] } {
    net.zero_grad();
    const loss = (): Tensor => forward().square().mean();
    const before = torch.memory_stats().allocated_bytes;
    torch.reset_peak_memory_stats();
    loss().backward();
    const peak = torch.memory_stats().allocated_bytes_peak - before;
    const grads = [...net.parameters()].map((p) => p.grad!);
    net.zero_grad();
    return { peak, grads };
  }

  test('peaks at less than a quarter of the memory, with the same gradients to the last bit', () => {
    const plain = measure(() => net(input));
    const sparing = measure(() => checkpoint_sequential(net, 28, input, without));
    expect(plain.peak).toBeGreaterThan(200 * 2 ** 20);
    expect(sparing.peak).toBeLessThan(plain.peak / 4);
    expect(sparing.grads.every((g, i) => torch.equal(g, plain.grads[i]))).toBe(true);
  });

  test('the same nested and in a loop: nothing stays', () => {
    const halves = (part: nn.Module[]): ((x: Tensor) => Tensor) => {
      if (part.length <= 20)
        return (x) => part.reduce((t, f) => (f as unknown as (x: Tensor) => Tensor)(t), x);
      const at = part.length / 2;
      const [first, second] = [halves(part.slice(0, at)), halves(part.slice(at))];
      return (x) => checkpoint(second, checkpoint(first, x, without), without);
    };
    const forward = halves(layers);
    const plain = measure(() => net(input));
    const nested = measure(() => forward(input));
    expect(nested.grads.every((g, i) => torch.equal(g, plain.grads[i]))).toBe(true);
    expect(nested.peak).toBeLessThan(plain.peak / 4);
    const start = torch.memory_stats().allocated_bytes;
    for (let i = 0; i < 2; ++i) measure(() => forward(input));
    expect(torch.memory_stats().allocated_bytes - start).toBeLessThan(plain.peak / 4);
  });
});

test('modules keep their hooks, and see both runs', () => {
  const layer = new nn.Linear(2, 2);
  const seen: string[] = [];
  layer.register_forward_hook(() => void seen.push('forward'));
  layer.register_full_backward_hook(() => void seen.push('backward'));
  const x = torch.ones(1, 2, { requires_grad: true });
  checkpoint((t: Tensor) => layer(t).tanh(), x, without)
    .sum()
    .backward();
  expect(seen).toEqual(['forward', 'forward', 'backward']);
  const [a, b] = [x.grad!, layer.weight.grad!];
  x.grad = null;
  layer.zero_grad();
  layer(x).tanh().sum().backward();
  expect([list(a), list(b)]).toEqual([list(x.grad), list(layer.weight.grad)]);
});

test('context_fn runs the function and its recomputation', () => {
  const seen: string[] = [];
  const context =
    (name: string) =>
    <T>(fn: () => T): T => {
      seen.push(name);
      return fn();
    };
  const x = leaf(1);
  const y = checkpoint((t: Tensor) => t.exp().exp(), x, {
    use_reentrant: false,
    context_fn: () => [context('forward'), context('again')],
  });
  y.backward();
  expect(seen).toEqual(['forward', 'again']);
});

test('an exception in the function comes out as itself, and leaves nothing behind', () => {
  const error = new RangeError('mine');
  const raise = (_?: Tensor): never => {
    throw error;
  };
  const thrown = (f: () => unknown): unknown => {
    try {
      f();
    } catch (e) {
      return e;
    }
    return undefined;
  };
  expect(thrown(() => checkpoint(raise, leaf(1), without))).toBe(error);
  const y = checkpoint(
    changing((x) => x.exp().exp(), raise),
    leaf(1),
    without,
  );
  expect(thrown(() => y.backward())).toBe(error);
  const x = leaf(1);
  x.exp().backward();
  expect(list(x.grad)).toEqual([expect.closeTo(Math.E)]);
});

test('async functions are refused', () => {
  expect(() => checkpoint(async (x: Tensor) => Promise.resolve(x.exp()), leaf(1), without)).toThrow(
    'fn returned a promise',
  );
});

test('one segment of several tensors that only backward of one output needs', () => {
  const [x, w] = [leaf(1, 2), leaf(3, 4)];
  const f = counted((a: Tensor, b: Tensor): [Tensor, Tensor] => [a.exp(), b.sin()]);
  const [a] = checkpoint(f, x, w, without);
  a.sum().backward();
  expect([f.calls, w.grad]).toEqual([2, null]);
  expect(list(x.grad)).toEqual(list(x.exp().detach()));
});

test('off the event loop: backward_async recomputes each segment once', async () => {
  const f = counted((t: Tensor) => t.sin().exp().tanh());
  const x = leaf(0.5, 0.25);
  await checkpoint(f, x, without).sum().backward_async();
  const [g, calls] = [list(x.grad), f.calls];
  x.grad = null;
  f(x).sum().backward();
  expect([g, calls]).toEqual([list(x.grad), 2]);
});
