/** gradcheck and gradgradcheck: PyTorch's answers (recorded by scripts/record_autograd_gradcheck.py), and what a failure says besides. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { autograd, type Tensor } from '../../lib';
import { BATCHED, compare_batched } from '../../lib/autograd/gradcheck/checks';

interface Answer {
  result?: boolean;
  type?: string;
  message?: string;
  warnings: string[];
}
const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd', 'gradcheck.json'), 'utf8'),
) as Record<string, Answer>;

const { gradcheck, gradgradcheck, GradcheckError } = autograd;
const leaf = (data: any): Tensor => torch.tensor(data, { dtype: 'float64', requires_grad: true });

class WrongExp extends autograd.Function {
  static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    ctx.save_for_backward(x);
    return x.exp();
  }
  static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(ctx.saved_tensors[0].exp()).mul(1.5);
  }
}
/** Two results; the second's gradient with respect to the second input has the wrong sign. */
class WrongProduct extends autograd.Function {
  static override forward(ctx: autograd.FunctionCtx, x: Tensor, y: Tensor): Tensor[] {
    ctx.save_for_backward(x, y);
    return [x.add(y), x.mul(y)];
  }
  static override backward(ctx: autograd.FunctionCtx, g: Tensor, h: Tensor): Tensor[] {
    const [x, y] = ctx.saved_tensors;
    return [g.add(h.mul(y)), g.sub(h.mul(x))];
  }
}
abstract class Twice extends autograd.Function {
  static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    ctx.set_materialize_grads(false);
    return x.mul(2);
  }
}
class NoGradient extends Twice {
  static override backward(): null {
    return null;
  }
}
/** A backward that gives other values every time. */
class Unsteady extends autograd.Function {
  static calls = 0;
  static override forward(_ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    return x.mul(2);
  }
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(2).add(1e-9 * ++Unsteady.calls);
  }
}
class NotMultiplied extends Twice {
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(2).add(g.abs().sum().item() > 0 ? 0 : 1);
  }
}
class RefusesUndefined extends Twice {
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor | null): Tensor {
    if (g === null) throw new Error('no gradient');
    return g.mul(2);
  }
}
class InventsUndefined extends Twice {
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor | null): Tensor {
    return g === null ? torch.ones(2, { dtype: 'float64' }) : g.mul(2);
  }
}
/** A right first derivative that itself has none. */
class ConstantBackward extends autograd.Function {
  static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    ctx.save_for_backward(x);
    return x.pow(3);
  }
  static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(3).mul(ctx.saved_tensors[0].detach().pow(2));
  }
}
/** A right backward, and a tangent of half the size. */
class WrongTangent extends autograd.Function {
  static override forward(x: Tensor): Tensor {
    return x.exp();
  }
  static override setup_context(ctx: autograd.FunctionCtx, _: unknown, output: Tensor): void {
    ctx.save_for_backward(output);
    ctx.save_for_forward(output);
  }
  static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(ctx.saved_tensors[0]);
  }
  static override jvp(ctx: autograd.FunctionCtx, t: Tensor): Tensor {
    return t.mul(ctx.saved_tensors[0]).mul(0.5);
  }
}
class NoTangent extends Twice {
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor | null): Tensor | null {
    return g === null ? null : g.mul(2);
  }
}
/** Under vmap it gives twice of what it gives alone. */
class NotPerSample extends autograd.Function {
  static override forward(x: Tensor): Tensor {
    return x.mul(2);
  }
  static override setup_context(): void {}
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(2);
  }
  static override jvp(_ctx: autograd.FunctionCtx, t: Tensor): Tensor {
    return NotPerSample.apply(t) as Tensor;
  }
  static override vmap(_info: unknown, in_dims: (number | null)[], x: Tensor): [Tensor, number | null] {
    return [x.mul(4), in_dims[0]];
  }
}
/** Off by less than a percent in every element, and by much more in a projection, where the elements cancel. */
class SlightlyWrong extends autograd.Function {
  static override forward(_ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    return x.mul(torch.tensor([100, -30.6], { dtype: 'float64' })).sum();
  }
  static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(torch.tensor([100.25, -30.35], { dtype: 'float64' }));
  }
}

const of =
  (F: typeof autograd.Function) =>
  (...args: Tensor[]): any =>
    F.apply(...args);
const exp = (x: Tensor): Tensor => x.exp();
const product = (x: Tensor, y: Tensor): Tensor => x.sin().mul(y);
const two = (x: Tensor, y: Tensor): Tensor[] => [x.sin().mul(y), x.mul(2)];
/** Half of it is hidden from forward mode alone. */
const leaking = (x: Tensor): Tensor => autograd.forward_ad.unpack_dual(x).primal.mul(2).add(x.mul(2));
const pair = (): Tensor[] => [leaf([1, 2]), leaf([0.5, 3])];
const overlapping = (): Tensor => leaf([1]).expand(3);

function growing(): (x: Tensor) => Tensor {
  let calls = 0;
  return (x) => x.repeat(++calls > 2 ? 2 : 1);
}
function changing_dtype(): (x: Tensor) => Tensor {
  let calls = 0;
  return (x) => (++calls > 2 ? x.float() : x.mul(1));
}

const cases: Record<string, () => boolean> = {
  passes: () => gradcheck(product, pair()),
  passes_fast: () => gradcheck(product, pair(), { fast_mode: true }),
  passes_twice: () => gradgradcheck(product, pair()),
  single_input: () => gradcheck(exp, leaf([1, 2])),
  zero_dim: () => gradcheck(exp, leaf(1)),
  empty: () => gradcheck(exp, leaf([])),
  step_function: () => gradcheck((x: Tensor) => x.gt(0).double(), leaf([1, 2])),
  wrong: () => gradcheck(of(WrongExp), leaf([[1, 2], [0.1, 3]])), // prettier-ignore
  wrong_after_others: () =>
    gradcheck((_n: number, _c: Tensor, x: Tensor) => of(WrongExp)(x), [3, torch.ones(2), leaf([1, 2])]),
  wrong_second: () => gradcheck(of(WrongProduct), [leaf([1, 2]), leaf([3, 4])]),
  wrong_product: () => gradcheck((x, y) => of(WrongProduct)(x, y)[1], [leaf([1, 2]), leaf([3, 4])]),
  wrong_not_thrown: () => gradcheck(of(WrongExp), leaf([1]), { raise_exception: false }),
  wrong_within_tolerance: () => gradcheck(of(WrongExp), leaf([1]), { rtol: 0.6 }),
  no_gradient: () => gradcheck(of(NoGradient), leaf([1, 2])),
  detached: () => gradcheck((x: Tensor) => x.detach().mul(2), leaf([1, 2])),
  detached_fast: () => gradcheck((x: Tensor) => x.detach().mul(2), leaf([1, 2]), { fast_mode: true }),
  one_detached: () => gradcheck((x: Tensor) => [x.detach().mul(2), x.mul(3)], leaf([1, 2])),
  unsteady: () => gradcheck(of(Unsteady), leaf([1, 2])),
  unsteady_allowed: () =>
    gradcheck(of(Unsteady), leaf([1, 2]), { nondet_tol: 1e-3, check_undefined_grad: false }),
  unsteady_fast: () => gradcheck(of(Unsteady), leaf([1, 2]), { fast_mode: true }),
  not_multiplied: () => gradcheck(of(NotMultiplied), leaf([1, 2])),
  refuses_undefined: () => gradcheck(of(RefusesUndefined), leaf([1, 2])),
  refuses_undefined_unchecked: () =>
    gradcheck(of(RefusesUndefined), leaf([1, 2]), { check_undefined_grad: false }),
  invents_undefined: () => gradcheck(of(InventsUndefined), leaf([1, 2])),
  no_input: () => gradcheck(exp, torch.ones(2, { dtype: 'float64' })),
  overlapping: () => gradcheck(exp, overlapping()),
  overlapping_second: () => gradcheck((x: Tensor, y: Tensor) => x.mul(y), [leaf([1, 2, 3]), overlapping()]),
  shape_changes: () => gradcheck(growing(), leaf([1, 2])),
  shape_changes_fast: () => gradcheck(growing(), leaf([1, 2]), { fast_mode: true }),
  dtype_changes: () => gradcheck(changing_dtype(), leaf([[1, 2]])),
  nothing_checked: () => gradcheck(exp, leaf([1]), { check_backward_ad: false }),
  second_nothing_checked: () => gradgradcheck(exp, leaf([1]), { check_rev_over_rev: false }),
  second_undefined_unchecked: () =>
    gradgradcheck(exp, leaf([1]), { check_rev_over_rev: false, check_fwd_over_rev: true }),
  second_batched_unchecked: () =>
    gradgradcheck(exp, leaf([1]), {
      check_rev_over_rev: false,
      check_fwd_over_rev: true,
      check_undefined_grad: false,
      check_batched_grad: true,
    }),
  batched_unchecked: () =>
    gradcheck(exp, leaf([1]), { check_backward_ad: false, check_forward_ad: true, check_batched_grad: true }),
  batched_forward_unchecked: () => gradcheck(exp, leaf([1]), { check_batched_forward_grad: true }),
  forward: () => gradcheck(product, pair(), { check_forward_ad: true }),
  forward_alone: () => gradcheck(two, pair(), { check_forward_ad: true, check_backward_ad: false }),
  forward_fast: () => gradcheck(product, pair(), { check_forward_ad: true, fast_mode: true }),
  forward_wrong: () => gradcheck(of(WrongTangent), leaf([1, 2]), { check_forward_ad: true }),
  forward_wrong_unchecked: () => gradcheck(of(WrongTangent), leaf([1, 2])),
  forward_missing: () => gradcheck(of(NoTangent), leaf([1, 2]), { check_forward_ad: true }),
  forward_through_leak: () => gradcheck(leaking, leaf([1, 2]), { check_forward_ad: true }),
  forward_through_leak_fast: () =>
    gradcheck(leaking, leaf([1, 2]), { check_forward_ad: true, fast_mode: true }),
  batched: () => gradcheck(two, pair(), { check_batched_grad: true }),
  batched_forward: () => gradcheck(two, pair(), { check_forward_ad: true, check_batched_forward_grad: true }),
  // Backward under vmap goes sample by sample and cannot be wrong like this: only the comparison is tested.
  batched_wrong: () => {
    const samples = [0, 1].map(() => torch.randn(2, { dtype: 'float64' }));
    const place = (i: number): string => `output 0 and input ${i}`;
    compare_batched((v) => [of(NotPerSample)(v)], samples, BATCHED, place);
    return true;
  },
  batched_forward_wrong: () =>
    gradcheck(of(NotPerSample), leaf([1, 2]), {
      check_forward_ad: true,
      check_batched_forward_grad: true,
      check_undefined_grad: false,
    }),
  second_batched: () => gradgradcheck(product, pair(), { check_batched_grad: true }),
  second_forward: () => gradgradcheck(product, pair(), { check_fwd_over_rev: true }),
  second_wrong: () => gradgradcheck(of(ConstantBackward), leaf([1, 2]), leaf([1, 0.5])),
  second_wrong_random: () => gradgradcheck(of(ConstantBackward), leaf([1, 2])),
  second_wrong_strided: () =>
    gradgradcheck(of(ConstantBackward), leaf([1, 2]), { gen_non_contig_grad_outputs: true }),
  second_not_thrown: () => gradgradcheck(of(ConstantBackward), leaf([1, 2]), { raise_exception: false }),
  wrong_fast: () => gradcheck(of(WrongExp), leaf([[1, 2], [0.1, 3]]), { fast_mode: true }), // prettier-ignore
  slightly_wrong: () => gradcheck(of(SlightlyWrong), leaf([1, 2]), { rtol: 0.01 }),
  slightly_wrong_fast: () => gradcheck(of(SlightlyWrong), leaf([1, 2]), { fast_mode: true, rtol: 0.01 }),
  float32: () => gradcheck(exp, torch.ones(2, { requires_grad: true })),
};
/** Refused here where PyTorch only warns. */
const refused = new Set(['float32']);

function run(check: () => boolean): { result?: boolean; error?: Error } {
  torch.manual_seed(1);
  try {
    return { result: check() };
  } catch (error) {
    return { error: error as Error };
  }
}

describe('gradcheck answers as PyTorch does', () => {
  let warn: jest.SpyInstance;
  beforeEach(() => (warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)));
  afterEach(() => warn.mockRestore());

  test.each(Object.keys(cases).filter((name) => !refused.has(name)))('%s', (name) => {
    const theirs = recorded[name];
    const { result, error } = run(cases[name]);
    expect(result).toBe(theirs.result);
    if (theirs.message !== undefined) {
      // Ours goes on after PyTorch's text, with the worst element or the cause.
      expect(error?.message.slice(0, theirs.message.length)).toBe(theirs.message);
      expect(error instanceof GradcheckError).toBe(theirs.type === 'GradcheckError');
    }
    expect(warn.mock.calls.map(([text]) => text)).toEqual(theirs.warnings);
  });

  test('every recorded answer is asked for', () => {
    expect(Object.keys(recorded).filter((name) => !(name in cases))).toEqual([]);
  });
});

const message_of = (check: () => boolean): string => run(check).error?.message ?? 'did not throw';

describe('a failure names', () => {
  test('the worst element, both values, the relative error and the operator', () => {
    const message = message_of(cases['wrong']);
    expect(message.slice(recorded['wrong'].message?.length)).toMatch(
      new RegExp(
        [
          '^4 of 16 elements differ \\(25\\.0%\\)\\. The worst is element \\(1, 1\\) of output 0 with respect to element \\(1, 1\\) ' +
            'of input 0 \\(argument 0 of the function\\):',
          '  analytic value: 30\\.128305\\d+',
          '  numeric value: 20\\.085536\\d+',
          '  relative error: 0\\.(49999|50000)\\d* \\(up to 0\\.001 allowed\\)',
          '  absolute error: 10\\.042768\\d+ \\(up to 1e-05 allowed\\)',
          '  operator: WrongExpBackward\n$',
        ].join('\n'),
      ),
    );
  });

  test('which argument of the function it is, where others come before', () => {
    expect(message_of(cases['wrong_after_others'])).toContain('of input 0 (argument 2 of the function)');
  });

  test('which output and input, by their own elements', () => {
    const message = message_of(cases['wrong_second']);
    expect(message).toContain(
      '2 of 4 elements differ (50.0%). The worst is element (1,) of output 1 with respect to element (1,) of input 1',
    );
    expect(message).toMatch(/relative error: (2\.0|1\.99999|2\.00000)/);
  });

  test('the last operator, where there are several', () => {
    expect(message_of(() => gradcheck((x: Tensor) => of(WrongExp)(x).sum(0), leaf([1, 2])))).toContain(
      'operator: SumBackward1',
    );
  });

  test('an infinite relative error where the numeric value is zero', () => {
    class Leak extends Twice {
      static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        return g.mul(2).add(g.sum());
      }
    }
    const message = message_of(() => gradcheck(of(Leak), leaf([1, 2])));
    expect(message).toContain('element (1,) of output 0 with respect to element (0,) of input 0');
    expect(message).toMatch(/analytic value: 1\.0\n {2}numeric value: 0\.0\n {2}relative error: inf/);
  });

  test('a NaN before everything else', () => {
    class Nan extends Twice {
      static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        return g.mul(torch.tensor([5, NaN, 5], { dtype: 'float64' }));
      }
    }
    expect(message_of(() => gradcheck(of(Nan), leaf([1, 2, 3])))).toMatch(
      /element \(0,\) of output 0 with respect to element \(1,\) of input 0 .*\n {2}analytic value: nan/,
    );
  });

  test('the same in fast mode, after the two numbers', () => {
    expect(message_of(cases['wrong_fast'])).toMatch(/analytic value: 30\.1283[^]*operator: WrongExpBackward/);
  });

  test('what the backward threw that was given no gradient', () => {
    jest.spyOn(process, 'emitWarning').mockImplementationOnce(() => undefined);
    const { error } = run(cases['refuses_undefined']);
    expect(error?.message).toMatch(/\nError: no gradient$/);
    expect((error?.cause as Error).message).toBe('no gradient');
  });
});

describe('batched gradients', () => {
  test('say what went wrong under vmap', () => {
    class Peeks extends Twice {
      static override generate_vmap_rule = true;
      static override jvp(_ctx: autograd.FunctionCtx, t: Tensor): Tensor {
        return t.mul(2 * (t.sum().item() > 0 ? 1 : 1));
      }
    }
    const { error } = run(() =>
      gradcheck(of(Peeks), leaf([1, 2]), {
        check_backward_ad: false,
        check_forward_ad: true,
        check_undefined_grad: false,
        check_batched_forward_grad: true,
      }),
    );
    expect(error).toBeInstanceOf(GradcheckError);
    expect(error?.message).toMatch(
      /^While computing batched gradients, got: [^]*\n\n\ngradcheck failed while testing batched gradient computation with forward-mode AD\./,
    );
    expect(error?.cause).toBeInstanceOf(Error);
  });
});

describe('inputs', () => {
  test('of float32 are refused with the reason', () => {
    const { error } = run(cases['float32']);
    const [warning] = recorded['float32'].warnings;
    expect(error?.message).toBe(
      `${warning}It is float32, whose rounding errors drown a difference over a step of eps=1e-06: pass x.double(), and let func ` +
        'compute in float64.',
    );
    expect(error).not.toBeInstanceOf(GradcheckError);
  });

  test('of float32 that need no gradient are let be', () => {
    expect(gradcheck((x: Tensor, w: Tensor) => x.mul(w), [leaf([1, 2]), torch.ones(2)])).toBe(true);
  });

  test('that overlap without a zero stride are refused too', () => {
    const x = leaf([1, 2, 3]).as_strided([2, 2], [1, 1]);
    expect(() => gradcheck(exp, x)).toThrow('The 0th input has elements that share their memory.');
    expect(gradcheck(exp, leaf([1, 2, 3, 4, 5, 6]).as_strided([2, 3], [1, 2]))).toBe(true);
    // Steps that interleave without meeting.
    expect(gradcheck(exp, torch.arange(8).double().requires_grad_().as_strided([2, 3], [3, 2]))).toBe(true);
  });

  test.each([false, true])(
    'are as they were afterwards, also when the function throws (fast: %s)',
    (fast_mode) => {
      const x = leaf([1, 2]);
      gradcheck(exp, x, { fast_mode });
      let calls = 0;
      const failing = (y: Tensor): Tensor => {
        if (++calls > 1) throw new Error('enough');
        return y.exp();
      };
      expect(() => gradcheck(failing, x, { fast_mode })).toThrow('enough');
      expect(x.tolist()).toEqual([1, 2]);
      expect(x._version).toBe(0);
      expect(x.grad).toBeNull();
    },
  );

  test('that the function holds on to are seen to move: a module’s parameters', () => {
    const net = new torch.nn.Linear(2, 3).double();
    const x = leaf([[1, 2]]);
    expect(gradcheck(() => net(x).tanh(), [x, ...net.parameters()])).toBe(true);
    expect(gradgradcheck(() => net(x).tanh(), [x, ...net.parameters()])).toBe(true);
  });

  test('need not be leaves, nor contiguous', () => {
    const x = leaf([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
    expect(gradcheck(exp, x.mul(0.1))).toBe(true);
    expect(gradcheck(exp, x.mul(0.1).t())).toBe(true);
    expect(gradcheck((y: Tensor) => y.exp().sum(0), x.mul(0.1).select(1, 1))).toBe(true);
  });

  test('may be empty: the mean of nothing has a second derivative of zero', () => {
    expect(
      gradgradcheck((x: Tensor) => x.mean(), torch.zeros(0, 3, { dtype: 'float64' }).requires_grad_()),
    ).toBe(true);
  });

  test('may be on another device', () => {
    const x = torch.tensor([[1, 2], [3, 4]], { dtype: 'float64' }).to('fake').requires_grad_(); // prettier-ignore
    const f = (t: Tensor): Tensor => t.exp().t();
    expect(f).toPassGradcheck([x], { check_forward_ad: true });
    expect(f).toPassGradgradcheck([x]);
    expect(f).toPassGradcheck([x], { check_forward_ad: true, fast_mode: true });
  });

  test('given twice count twice', () => {
    const x = leaf([1, 2]);
    expect(gradcheck((a: Tensor, b: Tensor) => a.mul(b), [x, x])).toBe(true);
  });
});

describe('options', () => {
  test('that nobody knows are named', () => {
    expect(() => gradcheck(exp, leaf([1]), { epsilon: 1 } as autograd.GradcheckOptions)).toThrow(
      "gradcheck() got an unexpected keyword argument 'epsilon'",
    );
    expect(() => gradgradcheck(exp, leaf([1]), null, { rtoll: 1 } as autograd.GradcheckOptions)).toThrow(
      "gradgradcheck() got an unexpected keyword argument 'rtoll'. Did you mean 'rtol'?",
    );
  });

  test('raise_exception false keeps errors that are no failed checks', () => {
    expect(() => gradcheck(exp, torch.ones(1), { raise_exception: false })).toThrow('at least one input');
    const broken = (): Tensor => {
      throw new Error('broken');
    };
    expect(() => gradcheck(broken, leaf([1]), { raise_exception: false })).toThrow('broken');
  });

  test('fast_mode draws from a stream of its own', () => {
    torch.manual_seed(3);
    gradcheck(exp, leaf([1, 2]), { fast_mode: true });
    const after = torch.rand(1).item();
    torch.manual_seed(3);
    expect(torch.rand(1).item()).toBe(after);
  });

  test('fast_mode calls the function a few times, not once per element', () => {
    const count = (fast_mode: boolean): number => {
      let calls = 0;
      gradcheck(
        (x: Tensor) => (++calls, x.exp()),
        torch.rand(100, { dtype: 'float64', requires_grad: true }),
        {
          fast_mode,
        },
      );
      return calls;
    };
    expect(count(true)).toBeLessThan(6);
    expect(count(false)).toBeGreaterThan(200);
  });

  test('grad_outputs by name or by position', () => {
    const [x, weight] = [leaf([1, 2]), leaf([1, 0.5])];
    expect(gradgradcheck(exp, x, weight)).toBe(true);
    expect(gradgradcheck(exp, x, { grad_outputs: weight })).toBe(true);
    expect(gradgradcheck(product, pair(), [weight], { fast_mode: true })).toBe(true);
  });
});
