/** Anomaly mode: which forward call is to blame, where it was made, and for how long the mode holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import torch, { autograd, type Tensor } from '../../lib';
import { matches_recorded } from './recorded';

const { detect_anomaly, set_detect_anomaly } = autograd;
const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const state = (): boolean[] => [torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()];

let printed: jest.SpyInstance;
beforeEach(() => {
  printed = jest.spyOn(console, 'warn').mockImplementation();
  jest.spyOn(process, 'emitWarning').mockImplementation();
});
afterEach(() => jest.restoreAllMocks());

const warnings = (): string[] => printed.mock.calls.map(([line]) => String(line));
/** The error's message, and what was printed, with the frames put aside. */
function failing(f: () => void): [string | null, string[]] {
  let message: string | null = null;
  try {
    f();
  } catch (error) {
    message = (error as Error).message;
  }
  const told = warnings().map((w) => w.replace('UserWarning: ', '').replace(/(\s+at .*)+$/, '\n<stack>'));
  return [message, told];
}
const nan = (): void => leaf(0).sqrt().mul(0).sum().backward();

matches_recorded('anomaly', {
  nan: () => failing(() => detect_anomaly(nan)),
  nan_not_checked: () => failing(() => detect_anomaly({ check_nan: false }, nan)),
  forward_outside() {
    const y = leaf(0).sqrt().mul(0).sum();
    return failing(() => detect_anomaly(() => y.backward()));
  },
  backward_outside() {
    const y = detect_anomaly(() => leaf(0).sqrt().mul(0).sum());
    return failing(() => y.backward());
  },
  induced() {
    class Steep extends autograd.Function {
      static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
        ctx.save_for_backward(x);
        return x.mul(1);
      }
      static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        return g.mul(ctx.saved_tensors[0].sqrt());
      }
    }
    return failing(() =>
      detect_anomaly(() => {
        const x = leaf(0);
        const [g] = autograd.grad((Steep.apply(x) as Tensor).sum(), x, { create_graph: true });
        autograd.grad(g.mul(0).sum(), x);
      }),
    );
  },
  custom() {
    class MyFunc extends autograd.Function {
      static override forward(_ctx: autograd.FunctionCtx, x: Tensor): Tensor {
        return x.clone();
      }
      static override backward(): Tensor {
        throw new Error('from mine');
      }
    }
    return failing(() => detect_anomaly(() => (MyFunc.apply(leaf(1)) as Tensor).sum().backward()));
  },
  modified_in_place() {
    const [message, told] = failing(() =>
      detect_anomaly(() => {
        const y = leaf(1, 2).exp();
        y.add_(1);
        y.sum().backward();
      }),
    );
    return [message?.split(' Hint: ')[0], told];
  },
  switches() {
    const seen = [state()];
    const note = (): void => void seen.push(state());
    detect_anomaly(() => {
      note();
      detect_anomaly(false, note);
      note();
      set_detect_anomaly(false, true, note);
    });
    set_detect_anomaly(true, false);
    note();
    set_detect_anomaly(false);
    note();
    return seen;
  },
});

describe('the stack', () => {
  test('is that of the call in the program, without frames of the package', () => {
    const make_the_culprit = (x: Tensor): Tensor => x.sqrt();
    failing(() => detect_anomaly(() => make_the_culprit(leaf(0)).mul(0).sum().backward()));
    const [, first] = warnings()[0].split('\n');
    expect(first).toMatch(/^\s+at make_the_culprit \(.*anomaly\.test\.ts:\d+:\d+\)$/);
    expect(warnings()[0]).not.toMatch(/[/\\]lib[/\\]/);
  });

  test('of a write in place is in the error', () => {
    const spoil = (y: Tensor): void => void y.add_(1);
    const [message] = failing(() =>
      detect_anomaly(() => {
        const y = leaf(1, 2).exp();
        spoil(y);
        y.sum().backward();
      }),
    );
    const [text, first] = message?.split('\n') ?? [];
    expect(text).toMatch(/The variable in question was changed here:$/);
    expect(first).toMatch(/^\s+at spoil \(.*anomaly\.test\.ts:\d+:\d+\)$/);
  });

  test('belongs to the metadata of a node', () => {
    const here = detect_anomaly(() => leaf(1).exp());
    const { traceback_ } = here.grad_fn!.metadata as { traceback_: string[] };
    expect(traceback_[0]).toMatch(/anomaly\.test\.ts/);
    expect(leaf(1).exp().grad_fn?.metadata).toEqual({});
  });

  test('of the node that led to it is in the metadata, too', () => {
    detect_anomaly(() => {
      const x = leaf(2);
      const y = x.pow(3);
      const [g] = autograd.grad(y, x, { create_graph: true });
      expect(g.grad_fn?.metadata.parent_).toBe(y.grad_fn);
    });
  });
});

describe('the mode', () => {
  test('lasts as long as a scope', () => {
    {
      using _ = detect_anomaly();
      expect(state()).toEqual([true, true]);
    }
    expect(state()).toEqual([false, true]);
    expect(() =>
      detect_anomaly(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(state()).toEqual([false, true]);
  });

  test('stays with an async function', async () => {
    const done = detect_anomaly({ check_nan: false }, async () => {
      await sleep(1);
      return state();
    });
    expect(state()).toEqual([false, true]);
    expect(await done).toEqual([true, false]);
    expect(state()).toEqual([false, true]);
  });

  test('refuses what is no boolean', () => {
    expect(() => set_detect_anomaly(1 as unknown as boolean)).toThrow(
      new TypeError("set_detect_anomaly(): argument 'mode' must be bool, not int"),
    );
    expect(() => detect_anomaly({ nan: true } as object)).toThrow(TypeError);
  });
});

test('an error in a hook is reported and comes out as itself', () => {
  const error = new RangeError('mine');
  detect_anomaly(() => {
    const y = leaf(1).exp();
    y.register_hook(() => {
      throw error;
    });
    expect(() => y.backward()).toThrow(error);
  });
  expect(warnings()).toHaveLength(1);
  expect(warnings()[0]).toMatch('Error detected in ExpBackward0.');
});
