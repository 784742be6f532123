/* eslint-disable @typescript-eslint/await-thenable -- awaiting what is no promise is what is tested */
/** Modes under concurrency: async functions interleaved on one event loop, each with its own modes. */
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import torch, { nn, optim } from '../../lib';
import { scopes_applied } from '../../lib/autograd/scopes';
import { native } from '../../lib/native';

const x = torch.ones(2, { requires_grad: true });
const tracks = (): boolean => x.mul(2).requires_grad;

interface Expected {
  grad: boolean;
  inference: boolean;
  dtype: string;
}
const OUTSIDE: Expected = { grad: true, inference: false, dtype: 'float32' };
const now = (): Expected => ({
  grad: tracks(),
  inference: torch.ones(1).is_inference(),
  dtype: torch.zeros(1).dtype,
});

/** mulberry32: the same schedule in every run. */
function generator(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Random nested work. Every function knows the modes that it must see, at each of its steps. */
class Work {
  steps = 0;
  readonly wrong: string[] = [];
  readonly random: () => number;
  constructor(seed: number) {
    this.random = generator(seed);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)];
  }
  check(e: Expected, where: string): void {
    ++this.steps;
    const seen = now();
    if (seen.grad !== e.grad || seen.inference !== e.inference || seen.dtype !== e.dtype) {
      this.wrong.push(`${where}: expected ${JSON.stringify(e)}, saw ${JSON.stringify(seen)}`);
    }
  }
  async pause(): Promise<void> {
    const how = this.pick(['timer', 'immediate', 'value', 'promise', 'tick', 'thenable']);
    if (how === 'timer') await sleep(Math.floor(this.random() * 3));
    else if (how === 'immediate') await immediate();
    else if (how === 'value') await 1;
    else if (how === 'promise') await Promise.resolve().then(() => 2);
    else if (how === 'tick') await new Promise<void>((done) => process.nextTick(done));
    else await { then: (done: (v: number) => void) => done(3) };
  }

  /** One of the modes, as [name, function form, scope form, what is then expected]. */
  mode(e: Expected): {
    run<T>(fn: () => T): T;
    open(): torch.autograd.ModeScope;
    then: Expected;
  } {
    const name = this.pick(['no_grad', 'enable_grad', 'inference', 'set', 'dtype']);
    if (name === 'no_grad') return { run: torch.no_grad, open: torch.no_grad, then: { ...e, grad: false } };
    if (name === 'enable_grad') {
      // (In inference mode a graph may be recorded, but of x only: what the check looks at.)
      return { run: torch.enable_grad, open: torch.enable_grad, then: { ...e, grad: true } };
    }
    if (name === 'inference') {
      const on = this.random() < 0.5;
      return {
        run: (fn) => torch.inference_mode(on, fn),
        open: () => torch.inference_mode(on),
        then: { ...e, grad: !on, inference: on },
      };
    }
    if (name === 'set') {
      const on = this.random() < 0.5;
      return {
        run: (fn) => torch.set_grad_enabled(on, fn),
        open: () => torch.set_grad_enabled(on),
        then: { ...e, grad: on },
      };
    }
    const dtype = this.pick(['float32', 'float64'] as const);
    return {
      run: (fn) => torch.set_default_dtype(dtype, fn),
      open: () => torch.set_default_dtype(dtype),
      then: { ...e, dtype },
    };
  }

  async usingAll(e: Expected, depth: number): Promise<void> {
    const mode = this.mode(e);
    using _ = mode.open();
    this.check(mode.then, 'using, at once');
    if (this.random() < 0.7) await this.pause();
    this.check(mode.then, 'using, after a pause');
    {
      const inner = this.mode(mode.then);
      using _inner = inner.open();
      this.check(inner.then, 'inner using');
      await this.task(inner.then, depth - 1);
      this.check(inner.then, 'inner using, after a task');
    }
    this.check(mode.then, 'after the inner using');
    await this.pause();
    this.check(mode.then, 'after the inner using and a pause');
  }

  async task(e: Expected, depth: number): Promise<void> {
    this.check(e, 'start of a task');
    for (let i = 0; i < 3; ++i) {
      if (this.random() < 0.6) await this.pause();
      this.check(e, 'between');
      if (depth <= 0) continue;
      const mode = this.mode(e);
      const what = this.pick([
        'run',
        'arrow',
        'sync',
        'using',
        'both',
        'throw',
        'generator',
        'for good',
        'late',
      ]);
      if (what === 'run') {
        await mode.run(async () => this.task(mode.then, depth - 1));
      } else if (what === 'arrow') {
        await mode.run(() => this.task(mode.then, depth - 1));
      } else if (what === 'sync') {
        mode.run(() => this.check(mode.then, 'sync'));
      } else if (what === 'using') {
        const pending = this.usingAll(e, depth - 1);
        this.check(e, 'caller of an async function with using');
        await pending;
      } else if (what === 'both') {
        const pending = [
          mode.run(() => this.task(mode.then, depth - 1)),
          this.usingAll(e, depth - 1),
          this.task(e, depth - 1),
        ];
        this.check(e, 'caller of three');
        await Promise.all(pending);
      } else if (what === 'throw') {
        await expect(
          mode.run(async () => {
            await this.task(mode.then, depth - 1);
            throw new RangeError('mine');
          }),
        ).rejects.toThrow('mine');
      } else if (what === 'generator') {
        for await (const _ of mode.run(this.values(mode.then, depth - 1))) this.check(e, 'consumer');
      } else if (what === 'for good') {
        const pending = (async () => {
          const m = this.mode(e);
          m.open(); // never left: for what follows in this function
          await this.pause();
          this.check(m.then, 'for good');
          await this.task(m.then, depth - 1);
          this.check(m.then, 'for good, later');
        })();
        this.check(e, 'caller of a function that switches for good');
        await pending;
      } else {
        // What was started in a scope goes on after its end, in the modes around it.
        let late: Promise<void> | undefined;
        mode.run(() => {
          late = (async () => {
            this.check(mode.then, 'started in a scope');
            await sleep(1);
            this.check(e, 'going on after its end');
          })();
        });
        await late;
      }
      this.check(e, `after ${what}`);
    }
  }

  values(e: Expected, depth: number): () => AsyncGenerator<number> {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- generator functions have their own `this`
    const work = this;
    return async function* () {
      for (let i = 0; i < 3; ++i) {
        work.check(e, 'generator');
        if (work.random() < 0.5) await work.pause();
        work.check(e, 'generator, after a pause');
        if (i === 1) await work.task(e, depth);
        yield i;
      }
    };
  }
}

describe('modes of interleaved async functions', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('random work, seed %i', async (seed) => {
    const work = new Work(seed);
    await Promise.all(Array.from({ length: 24 }, () => work.task(OUTSIDE, 2)));
    expect(work.wrong.slice(0, 5)).toEqual([]);
    expect(work.steps).toBeGreaterThan(1000);
    expect(now()).toEqual(OUTSIDE);
  });

  test('a server evaluates while it trains', async () => {
    torch.manual_seed(0);
    const net = new nn.Linear(4, 1);
    const sgd = new optim.SGD(net.parameters(), { lr: 0.05 });
    const inputs = torch.randn(32, 4);
    const targets = inputs.sum(1, true);
    let training = true;
    const losses: number[] = [];
    async function train(): Promise<void> {
      for (let step = 0; step < 60; ++step) {
        sgd.zero_grad();
        const loss = nn.functional.mse_loss(net(inputs), targets);
        await sleep(1); // the graph waits while requests are served
        loss.backward();
        sgd.step();
        losses.push(loss.item());
      }
      training = false;
    }
    const graphs: boolean[] = [];
    const server = createServer(
      (request, response) =>
        void (async () => {
          using _ = request.url === '/inference' ? torch.inference_mode() : torch.no_grad();
          const y = net(inputs);
          graphs.push(y.requires_grad);
          await sleep(1);
          const again = net(inputs);
          graphs.push(again.requires_grad);
          response.end(String(again.mean().item()));
        })(),
    );
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const ask = (path: string): Promise<string> =>
      new Promise((done, fail) => {
        get({ port, path, agent: false }, (r) => {
          let text = '';
          r.on('data', (part: Buffer) => (text += part.toString()));
          r.on('end', () => done(text));
        }).on('error', fail);
      });
    const trained = train();
    let served = 0;
    while (training) {
      const answers = await Promise.all(['/', '/inference', '/'].map(ask));
      served += answers.filter((a) => Number.isFinite(Number(a))).length;
    }
    await trained;
    await new Promise((done) => server.close(done));
    expect(served).toBeGreaterThan(20);
    expect(graphs).toHaveLength(2 * served);
    expect(graphs.some(Boolean)).toBe(false);
    expect(losses.at(-1)).toBeLessThan(losses[0] / 10);
    expect(tracks()).toBe(true);
  });
});

describe('using in an async function', () => {
  test('holds for its continuations; its caller goes on as before', async () => {
    const seen: Record<string, boolean> = {};
    async function evaluate(): Promise<string> {
      using _ = torch.no_grad();
      seen.start = tracks();
      await sleep(2);
      seen.later = tracks();
      await null;
      seen.last = tracks();
      return 'done';
    }
    const pending = evaluate();
    seen.caller = tracks();
    const other = (async () => {
      seen.other = tracks();
      await sleep(1);
      seen.otherLater = tracks();
    })();
    await sleep(0);
    seen.callerLater = tracks();
    expect(await pending).toBe('done');
    await other;
    seen.after = tracks();
    expect(seen).toEqual({
      start: false,
      caller: true,
      other: true,
      callerLater: true,
      otherLater: true,
      later: false,
      last: false,
      after: true,
    });
  });

  test('Promise.all of evaluation and training', async () => {
    const evaluate = async (): Promise<boolean[]> => {
      using _ = torch.no_grad();
      const first = tracks();
      await null;
      return [first, tracks()];
    };
    const train = async (): Promise<boolean[]> => {
      const first = tracks();
      await null;
      return [first, tracks()];
    };
    expect(await Promise.all([evaluate(), train(), evaluate(), train()])).toEqual([
      [false, false],
      [true, true],
      [false, false],
      [true, true],
    ]);
  });

  test('promises made or chained in the scope are no end of it', async () => {
    const seen: boolean[] = [];
    const note = (): number => seen.push(tracks());
    async function f(): Promise<void> {
      using _ = torch.no_grad();
      const p = Promise.resolve(1);
      p.then(note, note);
      note();
      p.finally(() => undefined).catch(() => undefined);
      note();
      void Promise.all([p, Promise.reject(new Error('x')).catch(() => 0)]);
      note();
      void (async () => {
        note();
        await p;
        note();
      })();
      note();
      [1].forEach(() => void Promise.race([p]).then(note));
      note();
      await p;
      note();
      await sleep(1);
    }
    await f();
    expect(seen).toHaveLength(10);
    expect(seen.some(Boolean)).toBe(false);
  });

  test('a scope of the caller stays when a callee waits', async () => {
    const seen: boolean[] = [];
    const callee = async (): Promise<void> => {
      seen.push(tracks());
      await sleep(1);
      seen.push(tracks());
    };
    const caller = async (): Promise<void> => {
      using _ = torch.no_grad();
      const pending = callee();
      seen.push(tracks());
      await pending;
      seen.push(tracks());
    };
    await caller();
    expect(seen).toEqual([false, false, false, false]);
    expect(tracks()).toBe(true);
  });

  test('an exception leaves it', async () => {
    const f = async (): Promise<void> => {
      using _ = torch.no_grad();
      await sleep(1);
      throw new Error('inside');
    };
    await expect(f()).rejects.toThrow('inside');
    expect(tracks()).toBe(true);
  });

  test('a scope opened deep in recursion', async () => {
    const deep = async (n: number): Promise<boolean[]> => {
      if (n > 0) {
        const pending = deep(n - 1);
        const mine = tracks();
        return [mine, ...(await pending), tracks()];
      }
      using _ = torch.no_grad();
      await null;
      return [tracks()];
    };
    expect(await deep(20)).toEqual([...Array(20).fill(true), false, ...Array(20).fill(true)]);
  });

  test('handed to a callback of Array.prototype.map', async () => {
    const modes = await Promise.all(
      [false, true, false, true].map(async (on) => {
        using _ = torch.set_grad_enabled(on);
        await sleep(1);
        return tracks();
      }),
    );
    expect(modes).toEqual([false, true, false, true]);
    expect(tracks()).toBe(true);
  });

  test('Error.prepareStackTrace and stackTraceLimit stay as they were', async () => {
    const before = [Error.prepareStackTrace, Error.stackTraceLimit];
    await (async () => {
      using _ = torch.no_grad();
      await null;
    })();
    expect([Error.prepareStackTrace, Error.stackTraceLimit]).toEqual(before);
  });
});

test('set_grad_enabled without a function holds in the async function that called it', async () => {
  const f = async (): Promise<boolean> => {
    torch.set_grad_enabled(false);
    await sleep(1);
    return tracks();
  };
  const pending = f();
  expect(tracks()).toBe(true);
  expect(await pending).toBe(false);
  expect(tracks()).toBe(true);
});

test('setters in a loop do not pile up', async () => {
  const f = async (): Promise<number> => {
    for (let i = 0; i < 50; ++i) {
      torch.set_grad_enabled(i % 2 === 0);
      await null;
      expect(tracks()).toBe(i % 2 === 0);
      torch.set_default_dtype(i % 2 === 0 ? 'float64' : 'float32');
      await null;
      expect([tracks(), torch.zeros(1).dtype]).toEqual([i % 2 === 0, i % 2 === 0 ? 'float64' : 'float32']);
    }
    const spy = jest.spyOn(native, 'set_grad_enabled');
    await null;
    const calls = spy.mock.calls.length;
    spy.mockRestore();
    return calls;
  };
  expect(await f()).toBeLessThan(110);
  const g = async (): Promise<number> => {
    for (let i = 0; i < 50; ++i) {
      torch.set_grad_enabled(i % 2 === 0);
      await null;
    }
    const spy = jest.spyOn(native, 'set_grad_enabled');
    await null;
    const calls = spy.mock.calls.length;
    spy.mockRestore();
    return calls;
  };
  expect(await g()).toBeLessThan(6);
  expect([tracks(), torch.zeros(1).dtype]).toEqual([true, 'float32']);
});

test('nor do they in synchronous code', () => {
  for (let i = 0; i < 2000; ++i) torch.set_grad_enabled(i % 2 === 0);
  expect(tracks()).toBe(false);
  torch.set_grad_enabled(true);
  expect(scopes_applied()).toBeLessThan(40);
});

test('a setter with using gives back what the setter before it had set', async () => {
  const f = async (): Promise<boolean[]> => {
    torch.set_grad_enabled(false);
    await null;
    const seen = [tracks()];
    {
      using _ = torch.set_grad_enabled(true);
      await null;
      seen.push(tracks());
    }
    seen.push(tracks());
    await null;
    return [...seen, tracks()];
  };
  expect(await f()).toEqual([false, true, false, false]);
});

test('a function that returns a promise need not be an async one', async () => {
  const work = async (): Promise<boolean[]> => {
    const first = tracks();
    await sleep(1);
    return [first, tracks()];
  };
  expect(await torch.no_grad(() => work())).toEqual([false, false]);
  // A thenable of another kind is waited for as by `await`, once.
  let calls = 0;
  const lazy = {
    then(done: (v: boolean) => void) {
      ++calls;
      setTimeout(() => done(tracks()), 1);
    },
  };
  expect(await torch.no_grad(() => lazy)).toBe(false);
  expect(calls).toBe(1);
});
