// Gradients against central differences: torch.autograd.gradcheck and gradgradcheck.
import { bind } from '../../args';
import { rand } from '../../generated/ops';
import { repr_float } from '../../pyformat';
import { Generator } from '../../random';
import type { Tensor } from '../../tensor';
import { make_tensor } from '../../testing/make_tensor';
import { grad } from '../gradient';
import { check_multiplied, check_undefined_backward } from './checks';
import {
  analytical_jacobian,
  analytical_vjp,
  as_tuple,
  checked_inputs,
  differentiable_outputs,
  floating_outputs,
  is_tensor,
  numerical_jacobian,
  numerical_jvp,
  type Func,
} from './jacobian';
import { GradcheckError, mismatch, slow_report, worst_element, type Place } from './report';

export { GradcheckError };
export type { Func as GradcheckFunc };

/** What {@link gradcheck} takes by name. */
export interface GradcheckOptions {
  /** The step of the central differences. */
  eps?: number;
  /** Absolute tolerance. */
  atol?: number;
  /** Relative tolerance. */
  rtol?: number;
  /** Whether a failure is thrown (the default) or returned as false. */
  raise_exception?: boolean;
  /** How far two runs of the same backward may be apart. */
  nondet_tol?: number;
  /** Whether to check that outputs which send no gradient count as ones that send zeros. */
  check_undefined_grad?: boolean;
  /** Whether to check that gradients have the dtypes of their inputs. */
  check_grad_dtypes?: boolean;
  /** Whether to check backward at all. */
  check_backward_ad?: boolean;
  /** Whether to compare one random projection of the Jacobians instead of every element: a few calls instead of one per element. */
  fast_mode?: boolean;
  /** Of sparse tensors, of which there are none: whether unspecified elements are ignored. */
  masked?: boolean | null;
}
type Settings = Required<GradcheckOptions>;

const DEFAULTS: Settings = {
  eps: 1e-6,
  atol: 1e-5,
  rtol: 1e-3,
  raise_exception: true,
  nondet_tol: 0,
  check_undefined_grad: true,
  check_grad_dtypes: false,
  check_backward_ad: true,
  fast_mode: false,
  masked: null,
};

export type GradcheckInputs = Tensor | readonly unknown[];

/** Whether two elements of the tensor lie at the same place in memory. */
function overlaps(x: Tensor): boolean {
  const dims = x.stride().map((stride, d) => ({ stride, size: x.shape[d] }));
  // From the innermost outwards, a step longer than everything inside cannot meet it.
  let reach = 1;
  const apart = dims
    .filter(({ size }) => size > 1)
    .sort((a, b) => a.stride - b.stride)
    .every(({ stride, size }) => {
      const clear = stride >= reach;
      reach += stride * (size - 1);
      return clear;
    });
  if (apart) return false;
  let offsets = [0];
  for (const { stride, size } of dims) {
    offsets = offsets.flatMap((at) => Array.from({ length: size }, (_, k) => at + k * stride));
  }
  return new Set(offsets).size < offsets.length;
}

function check_inputs(inputs: readonly unknown[], eps: number): void {
  inputs.forEach((x, i) => {
    if (!is_tensor(x) || !x.requires_grad) return;
    if (x.dtype !== 'float64') {
      throw new Error(
        `Input #${i} requires gradient and is not a double precision floating point or complex. ` +
          'This check will likely fail if all the inputs are not of double precision floating point or complex. ' +
          `It is ${x.dtype}, whose rounding errors drown a difference over a step of eps=${repr_float(eps)}: pass x.double(), and let func ` +
          'compute in float64.',
      );
    }
    const alike = (what: string): Error =>
      new Error(
        `The ${i}th input has ${what}. gradcheck only supports inputs that are non-overlapping to be able to compute the ` +
          'numerical gradients correctly. You should call .contiguous on the input before passing it to gradcheck.',
      );
    if (x.stride().some((stride, d) => stride === 0 && x.shape[d] > 1))
      throw alike('a dimension with stride 0');
    if (overlaps(x)) throw alike('elements that share their memory');
  });
  if (checked_inputs(inputs).length === 0) {
    throw new Error(
      'gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.',
    );
  }
}

/** One run of the check: the function with its inputs and outputs. */
interface Run {
  func: Func;
  inputs: readonly unknown[];
  /** The inputs that are checked. */
  wanted: Tensor[];
  /** Every floating result of the function. */
  floating: Tensor[];
  /** Those of them that require a gradient. */
  outputs: Tensor[];
  settings: Settings;
}

const place_of = (run: Run, output_index: number, input_index: number): Place => ({
  output: run.outputs[output_index],
  output_index,
  input: run.wanted[input_index],
  input_index,
  argument: run.inputs.indexOf(run.wanted[input_index]),
  forward: false,
});

/** Results without a gradient have to be constant. */
const NOT_ZERO = 'Numerical gradient for function expected to be zero';

function slow_backward(run: Run): void {
  const { func, inputs, wanted, floating, outputs, settings } = run;
  const differentiable = floating.map((o) => outputs.includes(o));
  // numerical[i][o]: of every input, of those outputs that are compared (of all where none can be).
  const numerical = wanted.map((x) =>
    numerical_jacobian(func, inputs, x, floating, settings.eps).filter(
      (_, o) => outputs.length === 0 || differentiable[o],
    ),
  );
  if (outputs.length === 0) {
    if (numerical.flat().some((n) => n.ne(0).any().item())) throw new GradcheckError(NOT_ZERO);
    return;
  }
  outputs.forEach((output, o) => {
    const analytical = analytical_jacobian(output, wanted, settings);
    analytical.forEach((a, i) => {
      const n = numerical[i][o].to(a.dtype);
      if (a.allclose(n, settings.rtol, settings.atol)) return;
      const place = place_of(run, o, i);
      throw new GradcheckError(mismatch(a, n, place) + worst_element(a, n, place, settings));
    });
  });
}

/** A direction of length one without negative parts, from a stream of its own. */
function direction(like: Tensor, generator: Generator): Tensor {
  const v = rand([like.numel()], { generator }).to(like.dtype).to(like.device);
  return v.div_(v.norm());
}

function fast_backward(run: Run): void {
  const { func, inputs, wanted, floating, outputs, settings } = run;
  const generator = new Generator();
  const u = wanted.map((x) => direction(x, generator));
  const v = outputs.map((o) => direction(o, generator));
  const jvps = wanted.map((x, i) => numerical_jvp(func, inputs, x, u[i], settings.eps));
  if (outputs.length === 0) {
    if (jvps.flat().some((jvp) => jvp.numel() > 0 && jvp.abs().max().item() > settings.nondet_tol)) {
      throw new GradcheckError(NOT_ZERO);
    }
    return;
  }
  const vjps = outputs.map((o, k) => analytical_vjp(o, wanted, v[k], settings));
  wanted.forEach((_, i) => {
    outputs.forEach((output, o) => {
      const n = v[o].mul(jvps[i][floating.indexOf(output)]).sum();
      const a = vjps[o][i].dot(u[i]);
      // Every element may be off by atol: projected, that is atol * sum(u) * sum(v).
      const atol = settings.atol * u[i].sum().item() * v[o].sum().item();
      if (a.allclose(n.to(a.dtype), settings.rtol, atol)) return;
      throw new GradcheckError(fast_report(run, a, n, o, i));
    });
  });
}

/** The two numbers that differ, and the whole Jacobians behind them. */
function fast_report(run: Run, a: Tensor, n: Tensor, o: number, i: number): string {
  const { func, inputs, wanted, floating, outputs, settings } = run;
  const place = place_of(run, o, i);
  const numerical = numerical_jacobian(func, inputs, wanted[i], floating, settings.eps)[
    floating.indexOf(outputs[o])
  ];
  const analytical = analytical_jacobian(outputs[o], wanted, {
    nondet_tol: Infinity,
    check_grad_dtypes: false,
  })[i];
  const whole = slow_report(analytical, numerical, settings);
  return mismatch(a, n, place) + whole + worst_element(analytical, numerical, place, settings);
}

function check(func: Func, inputs: readonly unknown[], settings: Settings): void {
  check_inputs(inputs, settings.eps);
  const result = func(...inputs);
  const outputs = differentiable_outputs(result);
  const run: Run = {
    func,
    inputs,
    wanted: checked_inputs(inputs),
    floating: floating_outputs(result),
    outputs,
    settings,
  };
  (settings.fast_mode ? fast_backward : slow_backward)(run);
  if (outputs.length === 0) return;
  check_multiplied(outputs, inputs, settings.masked);
  if (settings.check_undefined_grad) check_undefined_backward(func, inputs);
}

/**
 * Compares the gradients of `func(...inputs)` with central differences, for every input that requires a gradient.
 *
 * `func` takes the inputs and returns a tensor or an array of them. Inputs are written in place while the differences are taken, and
 * restored, so `func` may as well hold on to them (a module to its parameters). They have to be float64, and no two elements of one may
 * share their memory.
 *
 * Two Jacobians are compared element by element: `|analytic - numeric| <= atol + rtol * |numeric|`. Moreover, backward has to give the same
 * values twice (within `nondet_tol`), zeros for zeros, and zeros where an output sends no gradient (`check_undefined_grad`).
 * `fast_mode` compares one random projection of the Jacobians, at the cost of a few calls of `func`.
 *
 * Returns true. Throws a {@link GradcheckError} (with `raise_exception: false`: returns false) that begins with PyTorch's sentence and
 * names the worst element, both values, the relative error and the operator. Throws an Error when no input requires a gradient, one is not
 * float64 or overlaps itself, or the shapes of the results change on the way.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
 *
 * @example
 * ```ts
 * const x = torch.randn(2, 3, { dtype: torch.float64, requires_grad: true });
 * torch.autograd.gradcheck((x) => x.sin().mul(x), [x]) // true
 * ```
 */
export function gradcheck(func: Func, inputs: GradcheckInputs, options: GradcheckOptions = {}): boolean {
  const settings = bind('gradcheck', DEFAULTS, [options]);
  if (!settings.check_backward_ad) {
    throw new Error('Expected at least one of check_forward_ad or check_backward_ad to be True');
  }
  try {
    check(func, as_tuple(inputs), settings);
    return true;
  } catch (error) {
    if (error instanceof GradcheckError && !settings.raise_exception) return false;
    throw error;
  }
}

/** What {@link gradgradcheck} takes by name. */
export interface GradgradcheckOptions extends Omit<GradcheckOptions, 'check_backward_ad'> {
  /** The weights of the outputs, float64; by default random ones in [-1, 1) that require a gradient. */
  grad_outputs?: Tensor | readonly Tensor[] | null;
  /** Whether the random weights have gaps between their elements. */
  gen_non_contig_grad_outputs?: boolean;
  /** Whether to check backward through backward. */
  check_rev_over_rev?: boolean;
}

/**
 * Compares second derivatives with central differences: {@link gradcheck} of the gradients of `func`, with respect to the inputs and to
 * `grad_outputs`, the weights of its outputs.
 *
 * Without `grad_outputs` they are drawn from the default stream. What the other options mean, what is thrown and what is returned is
 * said at {@link gradcheck}.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradgradcheck.html
 *
 * @example
 * ```ts
 * const x = torch.randn(3, { dtype: torch.float64, requires_grad: true });
 * torch.autograd.gradgradcheck((x) => x.pow(3), [x]) // true
 * ```
 */
export function gradgradcheck(
  func: Func,
  inputs: GradcheckInputs,
  ...args:
    | [options?: GradgradcheckOptions]
    | [
        grad_outputs: Tensor | readonly Tensor[] | null | undefined,
        options?: Omit<GradgradcheckOptions, 'grad_outputs'>,
      ]
): boolean {
  const { check_backward_ad: _, ...defaults } = DEFAULTS;
  const o = bind(
    'gradgradcheck',
    {
      grad_outputs: null as Tensor | readonly Tensor[] | null,
      ...defaults,
      gen_non_contig_grad_outputs: false,
      check_rev_over_rev: true,
    },
    args,
  );
  const { grad_outputs, gen_non_contig_grad_outputs, check_rev_over_rev, ...settings } = o;
  if (!check_rev_over_rev) {
    throw new Error('Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True');
  }
  const given = as_tuple(inputs);
  const weights = grad_outputs
    ? (as_tuple(grad_outputs) as Tensor[])
    : differentiable_outputs(func(...given)).map((out) =>
        make_tensor(out.shape, {
          dtype: out.dtype,
          device: out.device,
          low: -1,
          high: 1,
          requires_grad: true,
          noncontiguous: gen_non_contig_grad_outputs,
        }),
      );
  const restore = (values: unknown[], like: readonly unknown[]): unknown[] =>
    values.map((x, i) => {
      const original = like[i];
      return is_tensor(x) && is_tensor(original) && original.requires_grad ? x.requires_grad_() : x;
    });
  const gradients = (...all: unknown[]): Tensor[] => {
    const args = restore(all.slice(0, given.length), given);
    const seeds = restore(all.slice(given.length), weights);
    const wanted = args.filter((x, i): x is Tensor => is_tensor(x) && checked[i]);
    const grads = grad(differentiable_outputs(func(...args)), wanted, {
      grad_outputs: seeds as Tensor[],
      create_graph: true,
      allow_unused: true,
    }) as (Tensor | null)[];
    return grads.filter((g): g is Tensor => g !== null);
  };
  const checked = given.map((x) => is_tensor(x) && x.requires_grad);
  return gradcheck(gradients, [...given, ...weights], { ...settings, check_backward_ad: check_rev_over_rev });
}
