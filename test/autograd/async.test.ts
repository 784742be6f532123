/** Native work off the event loop: the same results in the same order, hooks where they belong, and ways to stop. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import torch, { autograd, nn, optim, type Tensor } from '../../lib';

const bits = (t: Tensor | null): number[] =>
  Array.from((t as Tensor).detach().to_typed_array() as Float32Array);

/** A network with two leaves per layer, and its loss; the same one at every call. */
function network(layers = 6, width = 32): { leaves: Tensor[]; loss: () => Tensor } {
  torch.manual_seed(1);
  const weights = Array.from({ length: layers }, () => torch.randn(width, width).mul(0.2).requires_grad_());
  const biases = Array.from({ length: layers }, () => torch.randn(width).requires_grad_());
  const x = torch.randn(16, width);
  const loss = (): Tensor =>
    weights
      .reduce((h, w, i) => h.matmul(w).add(biases[i]).tanh(), x)
      .pow(2)
      .mean();
  return { leaves: [...weights, ...biases], loss };
}

/** An operator that takes a while, some tens of milliseconds. */
const slow = (): Promise<Tensor> => {
  const a = torch.randn(900, 900);
  return torch.run_async(torch.matmul, a, a);
};

describe('backward_async', () => {
  test('gives the gradients of backward, bit for bit', async () => {
    const [a, b] = [network(), network()];
    a.loss().backward();
    await b.loss().backward_async();
    expect(b.leaves.map((t) => bits(t.grad))).toEqual(a.leaves.map((t) => bits(t.grad)));
  });

  test('takes the arguments of backward', async () => {
    const x = torch.tensor([1.5, 2], { requires_grad: true });
    const z = torch.ones(2, { requires_grad: true });
    const y = x.mul(z).pow(3);
    await y.backward_async(torch.tensor([1, 10]), { retain_graph: true, inputs: x });
    expect([bits(x.grad), z.grad]).toEqual([[6.75, 120], null]);
    await y.sum().backward_async({ create_graph: true, inputs: [x, z] });
    expect((x.grad as Tensor).requires_grad).toBe(true);
    await x.sum().backward_async(null, false, false, null, { signal: new AbortController().signal });
  });

  test('of a graph that was itself recorded off the event loop', async () => {
    const second = async (run: (t: Tensor) => Promise<void>): Promise<number[][]> => {
      const { leaves, loss } = network(4);
      const value = loss();
      const grads = await autograd.grad_async(value, leaves, { create_graph: true });
      await run(grads.map((g) => g.pow(2).sum()).reduce((s, g) => s.add(g)));
      return leaves.map((t) => bits(t.grad));
    };
    const here = await second((t) => Promise.resolve(t.backward()));
    expect(await second((t) => t.backward_async())).toEqual(here);
    const { leaves, loss } = network(4);
    const grads = autograd.grad(loss(), leaves, { create_graph: true });
    grads
      .map((g) => g.pow(2).sum())
      .reduce((s, g) => s.add(g))
      .backward();
    expect(leaves.map((t) => bits(t.grad))).toEqual(here);
  });

  test('rejects with what backward throws, and names the line that asked for it', async () => {
    const two = torch.ones(2, { requires_grad: true });
    await expect(two.mul(2).backward_async()).rejects.toThrow(
      'grad can be implicitly created only for scalar outputs',
    );
    await expect(torch.ones([]).backward_async()).rejects.toThrow(
      'element 0 of tensors does not require grad and does not have a grad_fn',
    );
    const y = two.pow(2).sum();
    await y.backward_async();
    const again = (await y.backward_async().catch((e: unknown) => e)) as Error;
    expect(again).toBeInstanceOf(Error);
    expect(again.message).toContain('Trying to backward through the graph a second time');
    expect(again.stack).toContain('async.test.ts');
    await expect(y.backward_async({ retain: true } as never)).rejects.toThrow(
      new TypeError("Tensor.backward() got an unexpected keyword argument 'retain'"),
    );
    await expect(y.backward_async({ signal: 1 } as never)).rejects.toThrow(TypeError);
  });

  test('the whole of autograd.backward and autograd.grad', async () => {
    const [x, z] = [torch.ones(2, { requires_grad: true }), torch.ones(1, { requires_grad: true })];
    await autograd.backward_async([x.mul(2), x.sum()], [torch.ones(2), null]);
    expect(bits(x.grad)).toEqual([3, 3]);
    const [g] = await autograd.grad_async(x.pow(2), x, torch.tensor([1, 3]));
    expect(bits(g)).toEqual([2, 6]);
    await expect(autograd.grad_async(x.sum(), [x, z])).rejects.toThrow(
      'The differentiated Tensor at index 1 appears to not have been used in the graph.',
    );
    expect((await autograd.grad_async(x.sum(), [x, z], { allow_unused: true }))[1]).toBeNull();
    expect(bits((await autograd.grad_async(x.sum(), [x, z], { materialize_grads: true }))[1])).toEqual([0]);
  });
});

describe('the queue', () => {
  test('runs work in the order in which it was asked for', async () => {
    const { leaves, loss } = network();
    const sgd = new optim.SGD(leaves, { lr: 0.1, momentum: 0.9 });
    const twin = network();
    const sync = new optim.SGD(twin.leaves, { lr: 0.1, momentum: 0.9 });
    const order: string[] = [];
    const work: Promise<unknown>[] = [];
    for (let i = 0; i < 3; ++i) {
      const value = loss(); // of the weights as they are now: all three passes see the same ones
      work.push(value.backward_async().then(() => order.push(`backward ${i}`)));
      twin.loss().backward();
    }
    work.push(sgd.step_async().then(() => order.push('step')));
    work.push(torch.run_async(torch.mul, leaves[0], 2).then(() => order.push('mul')));
    await Promise.all(work);
    expect(order).toEqual(['backward 0', 'backward 1', 'backward 2', 'step', 'mul']);
    sync.step();
    expect(leaves.map(bits)).toEqual(twin.leaves.map(bits));
  });

  test('goes on after a failure', async () => {
    const bad = torch.run_async(torch.matmul, torch.ones(2, 3), torch.ones(2, 3));
    const good = torch.run_async(torch.add, torch.ones(2), 1);
    await expect(bad).rejects.toThrow('mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)');
    expect(bits(await good)).toEqual([2, 2]);
  });

  test('the tensors may be used meanwhile', async () => {
    const [a, b] = [network(40), network(40)];
    a.loss().backward();
    const pending = b.loss().backward_async();
    let ended = false;
    void pending.then(() => (ended = true));
    let uses = 0;
    while (!ended) {
      for (const t of b.leaves) uses += t.detach().add(1).numel() + (t.grad?.numel() ?? 0);
      await setImmediate();
    }
    expect(uses).toBeGreaterThan(0);
    expect(b.leaves.map((t) => bits(t.grad))).toEqual(a.leaves.map((t) => bits(t.grad)));
  });

  test('a synchronous pass through the same leaves meanwhile adds to them', async () => {
    const { leaves, loss } = network(20);
    const pending = loss().backward_async();
    loss().backward();
    await pending;
    const twin = network(20);
    twin.loss().mul(2).backward();
    leaves.forEach((t, i) => {
      const difference = (t.grad as Tensor).sub(twin.leaves[i].grad as Tensor);
      expect(difference.abs().max().item()).toBeLessThan(1e-5);
    });
  });

  test('writing what the pass needs is noticed', async () => {
    const w = torch.ones(4, { requires_grad: true });
    const h = w.mul(2);
    const loss = h.exp().mul(h).sum();
    const pending = loss.backward_async();
    h.detach().add_(1); // before the work began
    await expect(pending).rejects.toThrow('has been modified by an inplace operation');
  });
});

describe('grad modes', () => {
  test('work runs in the mode in which it was asked for', async () => {
    const x = torch.ones(2, { requires_grad: true });
    const inside = torch.no_grad(() => [slow(), torch.run_async(torch.mul, x, 2)] as const);
    const outside = torch.run_async(torch.mul, x, 2);
    expect((await inside[1]).requires_grad).toBe(false);
    expect((await outside).requires_grad).toBe(true);
  });

  test('of async functions, interleaved', async () => {
    const x = torch.ones(2, { requires_grad: true });
    const evaluate = torch.no_grad(async () => {
      const flags: boolean[] = [];
      for (let i = 0; i < 5; ++i) flags.push((await torch.run_async(torch.mul, x, 2)).requires_grad);
      return flags;
    });
    const train = (async () => {
      const flags: boolean[] = [];
      for (let i = 0; i < 5; ++i) flags.push((await torch.run_async(torch.mul, x, 2)).requires_grad);
      return flags;
    })();
    expect(await evaluate).toEqual(Array(5).fill(false));
    expect(await train).toEqual(Array(5).fill(true));
    expect(torch.is_grad_enabled()).toBe(true);
  });

  test('modes may change on the event loop while work runs', async () => {
    const pending = network(40).loss().backward_async();
    let ended = false;
    void pending.then(() => (ended = true));
    while (!ended) {
      torch.no_grad(() => expect(torch.is_grad_enabled()).toBe(false));
      await setImmediate();
    }
    await pending;
  });
});

describe('hooks and custom functions', () => {
  test('run on the event loop, in the asynchronous context and mode of the pass', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const note = (what: string) => (): void => {
      seen.push(what, context.getStore(), torch.is_grad_enabled());
    };
    const w = torch.ones(2, { requires_grad: true });
    const h = w.mul(3);
    w.register_hook(note('leaf'));
    w.register_post_accumulate_grad_hook(note('post'));
    h.register_hook((g) => {
      note('hook')();
      return g.mul(2);
    });
    h.grad_fn?.register_prehook(note('prehook'));
    h.grad_fn?.register_hook(note('node'));
    await context.run('mine', () => h.sum().backward_async());
    expect(seen).toEqual(['hook', 'prehook', 'node', 'leaf', 'post'].flatMap((s) => [s, 'mine', false]));
    expect(bits(w.grad)).toEqual([6, 6]);
  });

  class Cube extends autograd.Function {
    static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
      const y = x.pow(3);
      ctx.save_for_backward(x, y);
      return y;
    }
    static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
      const [x, y] = ctx.saved_tensors;
      expect(y.grad_fn?.name()).toBe('CubeBackward');
      return g.mul(y).mul(3).div(x);
    }
  }

  test('a custom function, once and twice', async () => {
    const x = torch.tensor([1, 2], { requires_grad: true });
    const [g] = await autograd.grad_async((Cube.apply(x) as Tensor).sum(), x, { create_graph: true });
    expect(bits(g)).toEqual([3, 12]);
    await g.sum().backward_async();
    expect(bits(x.grad)).toEqual([6, 12]);
  });

  test('what a hook throws is what the promise rejects with, and later work is not harmed', async () => {
    const mine = new RangeError('mine');
    for (const thrown of [mine, 7, null, { any: 'thing' }]) {
      const w = torch.ones(2, { requires_grad: true });
      const h = w.mul(2);
      h.register_hook(() => {
        throw thrown; // eslint-disable-line @typescript-eslint/only-throw-error -- users may
      });
      const outcome = await h
        .sum()
        .backward_async()
        .then(
          () => 'resolved',
          (e: unknown) => [e],
        );
      expect(outcome).toEqual([thrown]);
      expect((outcome as unknown[])[0]).toBe(thrown);
      expect(w.grad).toBeNull();
    }
    await network().loss().backward_async();
  });

  test('a hook may compute, run a backward pass of its own, and ask for more work', async () => {
    const w = torch.ones(2, { requires_grad: true });
    const v = torch.ones(2, { requires_grad: true });
    let later: Promise<Tensor> | undefined;
    const h = w.mul(2);
    h.register_hook((g) => {
      torch.enable_grad(() => v.pow(2).sum()).backward();
      later = torch.run_async(torch.add, g, 1);
    });
    await h.sum().backward_async();
    expect(bits(v.grad)).toEqual([2, 2]);
    expect(bits(await later!)).toEqual([2, 2]);
  });

  test('checkpoints compute their activations again', async () => {
    const { checkpoint } = torch.utils.checkpoint;
    const run = async (backward: (t: Tensor) => Promise<void> | void): Promise<number[]> => {
      torch.manual_seed(2);
      const w = torch.randn(8, 8).requires_grad_();
      const layer = (x: Tensor): Tensor => nn.functional.dropout(x.matmul(w).tanh(), 0.5, true);
      let h = torch.randn(4, 8);
      for (let i = 0; i < 3; ++i) h = checkpoint(layer, h, { use_reentrant: false });
      await backward(h.sum());
      return bits(w.grad);
    };
    expect(await run((t) => t.backward_async())).toEqual(await run((t) => t.backward()));
  });

  test('saved tensor hooks', async () => {
    const seen: string[] = [];
    const x = torch.tensor([3], { requires_grad: true });
    const y = autograd.graph.saved_tensors_hooks(
      (t: Tensor) => {
        seen.push('pack');
        return t.mul(2);
      },
      (t: Tensor) => {
        seen.push('unpack');
        return t.div(2);
      },
      () => x.mul(x),
    );
    await y.sum().backward_async();
    expect(bits(x.grad)).toEqual([6]);
    expect(new Set(seen)).toEqual(new Set(['pack', 'unpack']));
  });
});

describe('run_async', () => {
  test('operators of every kind of result', async () => {
    const x = torch.tensor(
      [
        [3, 1],
        [2, 5],
      ],
      { dtype: torch.float64 },
    );
    expect((await torch.run_async(torch.matmul, x, x)).tolist()).toEqual(x.matmul(x).tolist());
    const best = await torch.run_async<ReturnType<typeof torch.sort>>(torch.max, x, 1);
    expect([best.values.tolist(), best[1].tolist()]).toEqual([
      [3, 5],
      [0, 1],
    ]);
    const rows = await torch.run_async<Tensor[]>(torch.split, x, 1);
    expect(rows.map((r) => r.tolist())).toEqual([[[3, 1]], [[2, 5]]]);
    expect(await torch.run_async<boolean>(torch.equal, x, x)).toBe(true);
    const sum = await torch.run_async(torch.sum, x, { dim: 0, keepdim: true });
    expect(sum.tolist()).toEqual([[5, 6]]);
    expect(sum.dtype).toBe('float64');
  });

  test('functions of one call, in-place ones too', async () => {
    const x = torch.ones(2);
    expect(await torch.run_async(() => x.add_(1))).toBe(x);
    expect(bits(x)).toEqual([2, 2]);
    expect(await torch.run_async(() => x.fill_(7))).toBe(x);
    const w = torch.ones(3, 2);
    expect(bits(await torch.run_async(nn.functional.linear, x, w))).toEqual([14, 14, 14]);
    const p = torch.zeros(4, { requires_grad: true });
    p.mul(torch.tensor([3, 0, 4, 0]))
      .sum()
      .backward();
    expect((await torch.run_async(nn.utils.clip_grad_norm_, [p], 1)).item()).toBe(5);
    expect(bits(p.grad)[0]).toBeCloseTo(0.6, 5);
  });

  test('draws the numbers that a synchronous call draws', async () => {
    torch.manual_seed(3);
    const there = await torch.run_async(torch.randn, 3, 4);
    torch.manual_seed(3);
    expect(bits(there)).toEqual(bits(torch.randn(3, 4)));
  });

  test('refuses what is not one native operation, before anything is computed', async () => {
    const x = torch.ones(2);
    const message = /^run_async\(fn, \.\.\.args\): fn must be one native operation/;
    const refused = async (f: unknown): Promise<void> => {
      const e = (await torch.run_async(f as never).catch((reason: unknown) => reason)) as Error;
      expect(e).toBeInstanceOf(TypeError);
      expect(e.message).toMatch(message);
    };
    await refused(() => x.add_(1).mul(2));
    await refused(() => x.add_(1) && x.add_(1));
    await refused(() => 5);
    await refused(() => ({ out: x.exp() }));
    await refused(() => Promise.resolve(x.exp()));
    await refused(undefined);
    expect(bits(x)).toEqual([1, 1]);
  });

  test('rejects with what the operator throws', async () => {
    const x = torch.ones(2);
    await expect(torch.run_async(torch.add, x, torch.ones(3))).rejects.toThrow(
      'The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0',
    );
    await expect(torch.run_async(torch.sum, x, 4)).rejects.toThrow(RangeError);
    await expect(torch.run_async(torch.sum, x, { dims: 0 })).rejects.toThrow(TypeError);
    await expect(
      torch.run_async(() => {
        throw new RangeError('mine');
      }),
    ).rejects.toThrow(new RangeError('mine'));
  });
});

describe('AbortSignal', () => {
  test('an aborted signal rejects at once and changes nothing', async () => {
    const { leaves, loss } = network();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const before = leaves.map(bits);
    await expect(loss().backward_async({ signal })).rejects.toBe(reason);
    await expect(torch.run_async(torch.add, leaves[0], 1, { signal })).rejects.toBe(reason);
    expect(leaves.map((t) => t.grad)).toEqual(leaves.map(() => null));
    loss().backward();
    await expect(new optim.SGD(leaves, { lr: 1 }).step_async({ signal })).rejects.toBe(reason);
    expect(leaves.map(bits)).toEqual(before);
  });

  test('work that waits leaves the queue at once', async () => {
    const first = slow();
    const controller = new AbortController();
    const x = torch.ones(1);
    const second = torch.run_async(() => x.add_(1), { signal: controller.signal });
    const third = torch.run_async(() => x.mul_(5));
    controller.abort();
    await expect(second).rejects.toBe(controller.signal.reason);
    await Promise.all([first, third]);
    expect(bits(x)).toEqual([5]);
  });

  test('a pass stops between two nodes', async () => {
    const controller = new AbortController();
    const w = torch.ones(2, { requires_grad: true });
    let h = w.tanh();
    let seen = 0;
    for (let i = 0; i < 50; ++i) {
      h = h.tanh();
      h.register_hook(() => {
        if (++seen === 20) controller.abort('stop');
      });
    }
    await expect(h.sum().backward_async({ signal: controller.signal })).rejects.toBe('stop');
    expect([seen, w.grad]).toEqual([20, null]);
    await expect(h.sum().backward_async()).rejects.toThrow('second time');
  });

  test('an abort by a timer, in the middle of a long pass', async () => {
    const { leaves, loss } = network(300, 128);
    const value = loss();
    const began = performance.now();
    await value.backward_async({ retain_graph: true });
    const whole = performance.now() - began;
    for (const t of leaves) t.grad = null;
    const controller = new AbortController();
    const pending = value.backward_async({ signal: controller.signal });
    void setTimeout(whole / 5).then(() => controller.abort('late'));
    await expect(pending).rejects.toBe('late');
    const reached = leaves.filter((t) => t.grad !== null).length;
    expect(reached).toBeLessThan(leaves.length);
  });

  test('after the end it changes nothing', async () => {
    const controller = new AbortController();
    const c = await torch.run_async(torch.add, torch.ones(1), 1, { signal: controller.signal });
    controller.abort();
    expect(bits(c)).toEqual([2]);
  });
});

describe('step_async', () => {
  const optimizers: [string, (p: Tensor[]) => optim.Optimizer][] = [
    ['SGD', (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true })],
    ['Adam', (p) => new optim.Adam(p, { amsgrad: true })],
    ['AdamW', (p) => new optim.AdamW(p)],
    ['RMSprop', (p) => new optim.RMSprop(p, { centered: true, momentum: 0.5 })],
  ];
  test.each(optimizers)('%s takes the steps of step', async (_name, make) => {
    const [a, b] = [network(3), network(3)];
    const [here, there] = [make(a.leaves), make(b.leaves)];
    const warmup = new optim.lr_scheduler.StepLR(here, { step_size: 2, gamma: 0.5 });
    const decay = new optim.lr_scheduler.StepLR(there, { step_size: 2, gamma: 0.5 });
    for (let i = 0; i < 5; ++i) {
      here.zero_grad();
      a.loss().backward();
      here.step();
      warmup.step();
      there.zero_grad();
      await b.loss().backward_async();
      await there.step_async();
      decay.step();
    }
    expect(b.leaves.map(bits)).toEqual(a.leaves.map(bits));
  });

  test('groups, hooks and a closure', async () => {
    const [p, q] = [torch.ones(1, { requires_grad: true }), torch.ones(1, { requires_grad: true })];
    const sgd = new optim.SGD([{ params: [p] }, { params: [q], lr: 2 }], { lr: 1 });
    const seen: string[] = [];
    sgd.register_step_pre_hook(() => seen.push('pre'));
    sgd.register_step_post_hook(() => seen.push(`post ${p.item()}`));
    const loss = await torch.no_grad(async () =>
      sgd.step_async(async () => {
        seen.push('closure');
        const value = p.add(q).sum();
        await value.backward_async();
        return value;
      }),
    );
    expect(loss.item()).toBe(2);
    expect([p.item(), q.item()]).toEqual([0, -1]);
    expect(seen).toEqual(['pre', 'closure', 'post 0']);
  });

  test('rejects with what step throws', async () => {
    const p = torch.ones(2, { requires_grad: true });
    p.sum().backward();
    const sgd = new optim.SGD([p], { lr: 1 });
    sgd.register_step_pre_hook(() => {
      throw new RangeError('mine');
    });
    await expect(sgd.step_async()).rejects.toThrow(new RangeError('mine'));
    expect(bits(p)).toEqual([1, 1]);
  });
});
