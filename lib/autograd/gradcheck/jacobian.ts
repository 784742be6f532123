// The two Jacobians that gradcheck compares: by central differences, and by autograd.
import { unravel } from '../../indexing';
import { rand } from '../../generated/ops';
import { repr, repr_float, repr_size } from '../../pyformat';
import type { Generator } from '../../random';
import { Tensor } from '../../tensor';
import { grad } from '../gradient';
import { GradcheckError } from './report';

/** A function under test: it takes the inputs and returns a tensor or several. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any function of tensors
export type Func = (...args: any[]) => unknown;

export const as_tuple = (value: unknown): unknown[] =>
  Array.isArray(value) ? (value as unknown[]).slice() : [value];

export const is_tensor = (value: unknown): value is Tensor => value instanceof Tensor;

/** The inputs whose gradients are checked. */
export const checked_inputs = (inputs: readonly unknown[]): Tensor[] =>
  inputs.filter((x): x is Tensor => is_tensor(x) && x.requires_grad);

/** The results that can have a gradient at all. */
export const floating_outputs = (result: unknown): Tensor[] =>
  as_tuple(result).filter((x): x is Tensor => is_tensor(x) && x.is_floating_point());

export const differentiable_outputs = (result: unknown): Tensor[] =>
  as_tuple(result).filter((x): x is Tensor => is_tensor(x) && x.requires_grad);

/** `(f(x + step) - f(x - step)) / (2 * norm)` of every floating output, flat. `move` puts the entry at x plus so many steps. */
function central_difference(
  func: Func,
  inputs: readonly unknown[],
  move: (steps: number) => void,
  norm: number,
  where: string,
): Tensor[] {
  // Copies: an output may be a view of the entry that is about to move on.
  const evaluate = (): Tensor[] => floating_outputs(func(...inputs)).map((o) => o.detach().clone());
  let below: Tensor[];
  let above: Tensor[];
  try {
    move(-1);
    below = evaluate();
    move(1);
    above = evaluate();
  } finally {
    move(0);
  }
  return below.map((a, i) => {
    const b = above[i];
    const changed = (what: string, ours: string, theirs: string): Error =>
      new Error(
        `Expected \`func\` to return outputs with the same ${what} when inputs are perturbed ${where}, but got: ` +
          `${what}s ${ours} and ${theirs}.`,
      );
    if (a.shape.join() !== b.shape.join()) throw changed('shape', repr_size(a.shape), repr_size(b.shape));
    if (a.dtype !== b.dtype) throw changed('dtype', `torch.${a.dtype}`, `torch.${b.dtype}`);
    return b
      .sub(a)
      .div_(2 * norm)
      .reshape(-1);
  });
}

/**
 * The derivatives of every floating output with respect to `input`, by central differences: `[input.numel(), output.numel()]` each.
 *
 * The input is written in place, so that a function which holds on to it (a module to its parameters) sees the steps as well.
 */
export function numerical_jacobian(
  func: Func,
  inputs: readonly unknown[],
  input: Tensor,
  outputs: Tensor[],
  eps: number,
): Tensor[] {
  const data = input.data;
  const count = data.numel();
  const jacobians = outputs.map((o) => o.new_zeros([count, o.numel()]));
  const [shape, stride, offset] = [data.shape, data.stride(), data.storage_offset()];
  for (let i = 0; i < count; ++i) {
    const index = unravel(i, shape);
    const entry = data.as_strided(
      [],
      [],
      index.reduce((at, k, d) => at + k * stride[d], offset),
    );
    const value = entry.item();
    const move = (steps: number): void => void entry.fill_(value + steps * eps);
    const where = `on index ${repr(index)} by ${repr_float(eps)}`;
    const columns = central_difference(func, inputs, move, eps, where);
    columns.forEach((column, o) => jacobians[o].select(0, i).copy_(column));
  }
  return jacobians;
}

/** The derivatives of every floating output along the direction `u` of one input, by central differences. */
export function numerical_jvp(
  func: Func,
  inputs: readonly unknown[],
  input: Tensor,
  u: Tensor,
  eps: number,
): Tensor[] {
  const data = input.data;
  const origin = data.clone();
  const step = u.reshape(data.shape).mul(eps);
  const move = (steps: number): void => void data.copy_(origin.add(step, { alpha: steps }));
  return central_difference(func, inputs, move, eps, `by ${repr_float(eps)}`);
}

const NONDETERMINISM = `

NOTE: If your op relies on non-deterministic operations i.e., it is listed here:
https://pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
this failure might be expected.

If you are adding a new operator, please file an issue and then use one of the
workarounds. The workaround depends on how your test invokes gradcheck/gradgradcheck.
If the test
- manually invokes gradcheck/gradgradcheck, then call gradcheck/gradgradcheck
  with \`nondet_tol=<tol>\` as a keyword argument.
- is OpInfo-based (e.g., in test_ops_gradients.py), then modify the OpInfo for the test
  to have \`gradcheck_nondet_tol=<tol>\`.
- is a Module test (e.g., in common_nn.py), then modify the corresponding
  module_test entry to have \`gradcheck_nondet_tol=<tol>\`
`;

export interface BackwardSettings {
  nondet_tol: number;
  check_grad_dtypes: boolean;
}

/** Runs `pass` twice: a backward that gives other values the second time cannot be checked against anything. */
function deterministic(pass: () => Tensor[], nondet_tol: number): Tensor[] {
  const first = pass();
  const second = pass();
  const same = first.every((a, i) => a.numel() === 0 || !(a.sub(second[i]).abs().max().item() > nondet_tol));
  if (!same) {
    throw new GradcheckError(
      'Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, ' +
        'although analytical gradient matches numerical gradient.' +
        `The tolerance for nondeterminism was ${repr_float(nondet_tol)}.${NONDETERMINISM}`,
    );
  }
  return first;
}

/** The gradients of `output`, weighted with `weight`, with respect to `inputs`; null where it does not depend on one. */
function vjp(output: Tensor, inputs: Tensor[], weight: Tensor, check_dtypes: boolean): (Tensor | null)[] {
  const grads = grad(output, inputs, {
    grad_outputs: weight,
    retain_graph: true,
    allow_unused: true,
  }) as (Tensor | null)[];
  grads.forEach((g, i) => {
    if (g === null) return;
    if (g.numel() !== inputs[i].numel()) {
      throw new GradcheckError('Analytical gradient has incorrect size');
    }
    if (check_dtypes && g.dtype !== inputs[i].dtype) {
      throw new GradcheckError('Gradient has dtype mismatch');
    }
  });
  return grads;
}

/** The derivatives of `output` with respect to each of `inputs`, by backward: `[input.numel(), output.numel()]` each. */
export function analytical_jacobian(
  output: Tensor,
  inputs: Tensor[],
  { nondet_tol, check_grad_dtypes }: BackwardSettings,
): Tensor[] {
  const count = output.numel();
  const pass = (): Tensor[] => {
    const jacobians = inputs.map((x) => x.new_zeros([x.numel(), count]));
    const weight = output.new_zeros(output.shape);
    const flat = weight.view(-1);
    for (let j = 0; j < count; ++j) {
      const entry = flat.select(0, j);
      entry.fill_(1);
      vjp(output, inputs, weight, check_grad_dtypes).forEach((g, i) => {
        if (g !== null) jacobians[i].select(1, j).copy_(g.reshape(-1));
      });
      entry.fill_(0);
    }
    return jacobians;
  };
  return deterministic(pass, nondet_tol);
}

/** `v^T J` of `output` with respect to each of `inputs`, by backward: flat. */
export function analytical_vjp(
  output: Tensor,
  inputs: Tensor[],
  v: Tensor,
  { nondet_tol, check_grad_dtypes }: BackwardSettings,
): Tensor[] {
  const pass = (): Tensor[] =>
    vjp(output, inputs, v.reshape(output.shape), check_grad_dtypes).map((g, i) =>
      g === null ? inputs[i].new_zeros([inputs[i].numel()]) : g.clone().reshape(-1),
    );
  return deterministic(pass, nondet_tol);
}

/** A direction of length one without negative parts, from a stream of its own. */
export function direction(like: Tensor, generator: Generator): Tensor {
  const v = rand([like.numel()], { generator }).to(like.dtype).to(like.device);
  return v.div_(v.norm());
}
