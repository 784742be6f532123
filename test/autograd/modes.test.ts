/** Grad modes: per call, nested, across await, and never leaking into other work on the event loop. */
import { setTimeout as sleep } from 'node:timers/promises';
import torch from '../../lib';

const x = torch.ones(2, { requires_grad: true });
const tracks = (): boolean => x.mul(2).requires_grad;

test('no_grad and enable_grad nest and give back what they wrap', () => {
  expect(tracks()).toBe(true);
  const seen = torch.no_grad(() => [tracks(), torch.enable_grad(tracks), tracks()]);
  expect(seen).toEqual([false, true, false]);
  expect(tracks()).toBe(true);
});

test('set_grad_enabled and is_grad_enabled', () => {
  expect(torch.set_grad_enabled(false, () => [torch.is_grad_enabled(), tracks()])).toEqual([false, false]);
  expect(torch.is_grad_enabled()).toBe(true);
});

test('an error restores the mode', () => {
  expect(() =>
    torch.no_grad(() => {
      throw new Error('inside');
    }),
  ).toThrow('inside');
  expect(tracks()).toBe(true);
});

test('using restores at the end of the block', () => {
  {
    using _ = torch.no_grad();
    expect(tracks()).toBe(false);
  }
  expect(tracks()).toBe(true);
});

test('inference_mode makes inference tensors', () => {
  const y = torch.inference_mode(() => x.mul(2));
  expect([y.is_inference(), y.requires_grad]).toEqual([true, false]);
  expect(torch.ones(1).is_inference()).toBe(false);
});

test('holds across await, for its own async call alone', async () => {
  const seen: [string, boolean][] = [];
  const quiet = torch.no_grad(async () => {
    seen.push(['quiet start', tracks()]);
    await sleep(5);
    seen.push(['quiet end', tracks()]);
    return 'done';
  });
  seen.push(['outside', tracks()]);
  const other = (async () => {
    await sleep(2);
    seen.push(['other', tracks()]);
  })();
  expect(await quiet).toBe('done');
  await other;
  expect(Object.fromEntries(seen)).toEqual({
    'quiet start': false,
    outside: true,
    other: true,
    'quiet end': false,
  });
  expect(tracks()).toBe(true);
});

test('two async calls with different modes interleave', async () => {
  const turns = async (): Promise<boolean[]> => {
    const seen: boolean[] = [];
    for (let i = 0; i < 5; ++i) {
      seen.push(tracks());
      await sleep(1);
    }
    return seen;
  };
  const [off, on] = await Promise.all([torch.no_grad(turns), torch.enable_grad(turns)]);
  expect([off, on]).toEqual([Array(5).fill(false), Array(5).fill(true)]);
});

test('inference_mode(false) is normal mode again', () => {
  const seen = torch.no_grad(() => torch.inference_mode(false, tracks));
  expect(seen).toBe(true);
  expect(torch.inference_mode(() => torch.inference_mode(false, () => torch.ones(1).is_inference()))).toBe(
    false,
  );
  expect(torch.inference_mode(() => [torch.is_grad_enabled(), torch.is_inference_mode_enabled()])).toEqual([
    false,
    true,
  ]);
});

describe('the default dtype', () => {
  test('for a function, for a block, for good', () => {
    expect(torch.set_default_dtype('float64', () => torch.zeros(1).dtype)).toBe('float64');
    {
      using _ = torch.set_default_dtype('float64');
      expect(torch.get_default_dtype()).toBe('float64');
    }
    expect(torch.get_default_dtype()).toBe('float32');
    torch.set_default_dtype('float64');
    expect(torch.zeros(1).dtype).toBe('float64');
    torch.set_default_dtype('float32');
  });

  test('must be a floating one', () => {
    const refused = 'only floating-point types are supported as the default type';
    expect(() => torch.set_default_dtype('int32')).toThrow(refused);
    expect(() => torch.set_default_dtype('int32')).toThrow(TypeError);
    expect(() => torch.set_default_dtype('int32', () => 0)).toThrow(TypeError);
    expect(torch.get_default_dtype()).toBe('float32');
  });
});

test('what is left open for good stays so', async () => {
  torch.set_grad_enabled(false);
  await sleep(1);
  expect(tracks()).toBe(false);
  torch.set_grad_enabled(true);
  await sleep(1);
  expect(tracks()).toBe(true);
});

test('scopes left in another order than they were opened', () => {
  const [a, b, c] = [torch.no_grad(), torch.enable_grad(), torch.no_grad()];
  b.exit();
  expect(tracks()).toBe(false);
  a.exit();
  expect(tracks()).toBe(false);
  c.exit();
  c.exit();
  expect(tracks()).toBe(true);
});

test('a scope left open in a function ends with the mode around it', () => {
  torch.no_grad(() => void torch.enable_grad());
  expect(tracks()).toBe(true);
  torch.no_grad(() => {
    torch.enable_grad(() => void torch.set_grad_enabled(false));
    expect(tracks()).toBe(false);
  });
  expect(tracks()).toBe(true);
});

test('wrong arguments', () => {
  expect(() => torch.set_grad_enabled(1 as never)).toThrow(
    new TypeError("set_grad_enabled(): argument 'enabled' (position 1) must be bool, not number"),
  );
  expect(() => torch.no_grad(5 as never)).toThrow(TypeError);
  expect(tracks()).toBe(true);
});

describe('as decorator', () => {
  test('of a function', () => {
    const f = torch.no_grad()(function named(this: unknown, a: number, b: number): unknown[] {
      return [this, a + b, tracks()];
    });
    expect(tracks()).toBe(true);
    const self = { f };
    expect(self.f(1, 2)).toEqual([self, 3, false]);
    expect([f.name, f.length]).toEqual(['named', 2]);
    expect(tracks()).toBe(true);
  });

  test('of methods, with and without parentheses', async () => {
    class Model {
      scale = 2;
      @torch.no_grad()
      evaluate(k: number): [number, boolean] {
        return [this.scale * k, tracks()];
      }
      @torch.no_grad
      async later(): Promise<boolean[]> {
        const first = tracks();
        await sleep(1);
        return [first, tracks()];
      }
      @torch.enable_grad()
      train(): boolean {
        return tracks();
      }
      @torch.set_grad_enabled(false)
      off(): boolean {
        return tracks();
      }
      @torch.inference_mode()
      get inferring(): boolean {
        return torch.is_inference_mode_enabled();
      }
    }
    expect(tracks()).toBe(true);
    const m = new Model();
    expect(m.evaluate(3)).toEqual([6, false]);
    expect(await m.later()).toEqual([false, false]);
    expect(torch.no_grad(() => m.train())).toBe(true);
    expect([m.off(), m.inferring, tracks()]).toEqual([false, true, true]);
  });

  test('as TypeScript’s experimental decorators call it', () => {
    const object = { f: tracks };
    const descriptor = Object.getOwnPropertyDescriptor(object, 'f') as TypedPropertyDescriptor<() => boolean>;
    for (const decorator of [torch.no_grad, torch.no_grad()]) {
      expect(decorator(object, 'f', descriptor).value?.()).toBe(false);
    }
    expect(tracks()).toBe(true);
  });

  test('not of classes', () => {
    expect(() => torch.no_grad()(class {} as never)).toThrow('Cannot decorate classes');
    expect(tracks()).toBe(true);
  });
});

describe('generators', () => {
  function* values(): Generator<boolean, string, number | undefined> {
    for (let i = 0; i < 2; ++i) yield tracks();
    try {
      yield tracks();
    } catch {
      yield tracks();
    } finally {
      finished.push(tracks());
    }
    return 'end';
  }
  const finished: boolean[] = [];

  test('the body runs in the mode, the consumer does not', () => {
    const seen: boolean[] = [];
    for (const inside of torch.no_grad(values)) seen.push(inside, tracks());
    expect(seen).toEqual([false, true, false, true, false, true]);
    expect(finished).toEqual([false]);
  });

  test('throw and return reach it, results and values pass through', () => {
    const g = torch.no_grad()(values)();
    expect([g.next(), g.next(), g.next()].map((r) => r.value)).toEqual([false, false, false]);
    expect(g.throw(new Error('caught'))).toEqual({ value: false, done: false });
    expect(g.next()).toEqual({ value: 'end', done: true });
    const h = torch.no_grad(values);
    h.next();
    h.next();
    h.next();
    expect(h.return('mine')).toEqual({ value: 'mine', done: true });
    expect(finished.every((m) => !m)).toBe(true);
    expect(tracks()).toBe(true);
    const echo = torch.no_grad()(function* (): Generator<number, void, number> {
      let v = 0;
      for (;;) v = yield v + 1;
    })();
    echo.next(0);
    expect(echo.next(5).value).toBe(6);
    expect(() => echo.throw(new RangeError('out'))).toThrow(RangeError);
  });

  test('async generators, asked ahead too', async () => {
    const source = torch.no_grad()(async function* (): AsyncGenerator<boolean[]> {
      for (let i = 0; i < 4; ++i) {
        const first = tracks();
        await sleep(1);
        yield [first, tracks()];
      }
    });
    const seen: boolean[] = [];
    for await (const pair of source()) seen.push(...pair, tracks());
    expect(seen).toEqual(Array(4).fill([false, false, true]).flat());
    const g = source();
    const ahead = [g.next(), g.next(), g.next()];
    expect(tracks()).toBe(true);
    const results = await Promise.all(ahead);
    expect(results.map((r) => r.value as boolean[])).toEqual(Array(3).fill([false, false]));
    await g.return(undefined);
    expect(tracks()).toBe(true);
  });
});
