// Gradients against central differences: torch.autograd.gradcheck and gradgradcheck.
import { bind } from '../../args';
import type { Tensor } from '../../tensor';
import { make_tensor } from '../../testing/make_tensor';
import { grad } from '../gradient';
import { check_batched, check_multiplied, check_undefined_backward } from './checks';
import { compare_fast, compare_slow } from './compare';
import { check_batched_forward, check_undefined_forward } from './forward';
import { check_inputs } from './inputs';
import {
  as_tuple,
  checked_inputs,
  differentiable_outputs,
  floating_outputs,
  is_tensor,
  type Func,
} from './jacobian';
import { GradcheckError } from './report';

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
  /** Whether to check that a batch of gradients, computed at once by `vmap`, is what they are one by one. */
  check_batched_grad?: boolean;
  /** The same with forward mode. */
  check_batched_forward_grad?: boolean;
  /** Whether to check forward mode (`torch.autograd.forward_ad`). */
  check_forward_ad?: boolean;
  /** Whether to check backward. */
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
  check_batched_grad: false,
  check_batched_forward_grad: false,
  check_forward_ad: false,
  check_backward_ad: true,
  fast_mode: false,
  masked: null,
};

export type GradcheckInputs = Tensor | readonly unknown[];

function check(func: Func, inputs: readonly unknown[], settings: Settings): void {
  check_inputs(inputs, settings.eps);
  const result = func(...inputs);
  const outputs = differentiable_outputs(result);
  const floating = floating_outputs(result);
  const run = { func, inputs, wanted: checked_inputs(inputs), floating, outputs, settings };
  const compare = settings.fast_mode ? compare_fast : compare_slow;
  if (settings.check_backward_ad) compare(run, false);
  if (settings.check_forward_ad) {
    compare(run, true);
    if (settings.check_undefined_grad) check_undefined_forward(func, inputs);
  }
  if (settings.check_batched_forward_grad) check_batched_forward(func, inputs);
  if (!settings.check_backward_ad || outputs.length === 0) return;
  if (settings.check_batched_grad) outputs.forEach((o, i) => check_batched(o, inputs, i));
  check_multiplied(outputs, inputs, settings.masked);
  if (settings.check_undefined_grad) check_undefined_backward(func, inputs);
}

function needs<S extends object>(settings: S, option: keyof S & string, other: keyof S & string): void {
  if (settings[option] && !settings[other]) {
    throw new Error(`Setting ${option}=True requires ${other} to be True`);
  }
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
 * `check_forward_ad` compares forward mode's Jacobians too, `check_batched_grad` whole batches of gradients with single ones.
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
  if (!settings.check_forward_ad && !settings.check_backward_ad) {
    throw new Error('Expected at least one of check_forward_ad or check_backward_ad to be True');
  }
  needs(settings, 'check_batched_grad', 'check_backward_ad');
  needs(settings, 'check_batched_forward_grad', 'check_forward_ad');
  try {
    check(func, as_tuple(inputs), settings);
    return true;
  } catch (error) {
    if (error instanceof GradcheckError && !settings.raise_exception) return false;
    throw error;
  }
}

/** What {@link gradgradcheck} takes by name. */
export interface GradgradcheckOptions extends Omit<
  GradcheckOptions,
  'check_backward_ad' | 'check_forward_ad' | 'check_batched_forward_grad'
> {
  /** The weights of the outputs, float64; by default random ones in [-1, 1) that require a gradient. */
  grad_outputs?: Tensor | readonly Tensor[] | null;
  /** Whether the random weights have gaps between their elements. */
  gen_non_contig_grad_outputs?: boolean;
  /** Whether to check forward mode through backward. */
  check_fwd_over_rev?: boolean;
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
  const {
    check_backward_ad: _,
    check_forward_ad: __,
    check_batched_forward_grad: ___,
    ...defaults
  } = DEFAULTS;
  const o = bind(
    'gradgradcheck',
    {
      grad_outputs: null as Tensor | readonly Tensor[] | null,
      ...defaults,
      gen_non_contig_grad_outputs: false,
      check_fwd_over_rev: false,
      check_rev_over_rev: true,
    },
    args,
  );
  const { grad_outputs, gen_non_contig_grad_outputs, check_fwd_over_rev, check_rev_over_rev, ...settings } =
    o;
  if (!check_fwd_over_rev && !check_rev_over_rev) {
    throw new Error('Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True');
  }
  needs(o, 'check_undefined_grad', 'check_rev_over_rev');
  needs(o, 'check_batched_grad', 'check_rev_over_rev');
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
  return gradcheck(gradients, [...given, ...weights], {
    ...settings,
    check_forward_ad: check_fwd_over_rev,
    check_backward_ad: check_rev_over_rev,
  });
}
