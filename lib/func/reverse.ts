// Reverse-mode transforms: grad, grad_and_value, vjp, jacrev.
import { bind, is_plain_object } from '../args';
import { disable_saved_tensors_hooks } from '../autograd/saved_tensors';
import { enable_grad, is_grad_enabled } from '../autograd/modes';
import * as ops from '../ops';
import { Tensor } from '../tensor';
import { enter_transform } from './levels';
import { flatten, pprint_spec, same_structure, type_name, unflatten, type Spec } from './tree';
import type { Argnums, Aux, Fn, Jacobian, Main, Sliced } from './types';
import { Variables } from './variables';

/** The positions that `argnums` names, checked. */
export function positions(argnums: unknown, count: number): number[] {
  const wrapped = (n: unknown): number => {
    if (typeof n !== 'number' || !Number.isInteger(n))
      throw new Error(`argnum must be int, got: ${type_name(n)}`);
    if (n >= 0 && n < count) return n;
    if (n < 0 && n >= -count) return n + count;
    throw new Error(`Got argnum=${n}, but only ${count} positional inputs`);
  };
  if (!Array.isArray(argnums)) {
    if (typeof argnums !== 'number' || !Number.isInteger(argnums)) {
      throw new Error(`argnums must be int or Tuple[int, ...], got: ${type_name(argnums)}`);
    }
    return [wrapped(argnums)];
  }
  const list = argnums.map(wrapped);
  if (list.length === 0) throw new Error('argnums must be non-empty');
  if (new Set(list).size !== list.length) {
    throw new Error(
      `argnums elements must be unique, got (${list.join(', ')}${list.length === 1 ? ',' : ''})`,
    );
  }
  return list;
}

/** The `[output, aux]` of a function with `has_aux`. */
export function split_aux(result: unknown, where: string): [output: unknown, aux: unknown] {
  if (!Array.isArray(result) || result.length !== 2) {
    throw new Error(`${where}: output of function f should be a tuple: (output, aux) if has_aux is True`);
  }
  return result as [unknown, unknown];
}

/** The tensors of a result that must hold nothing else. */
export function tensors_only(leaves: readonly unknown[], where: string): Tensor[] {
  if (leaves.length === 0 || (leaves.length === 1 && (leaves[0] === null || leaves[0] === undefined))) {
    throw new Error(
      `${where}: Expected f to be a function that has non-empty output (got output = [${leaves.map(() => 'None').join(', ')}])`,
    );
  }
  for (const leaf of leaves) {
    if (!(leaf instanceof Tensor)) {
      throw new Error(
        `${where}: expected f(*primals) to return only tensors, got unsupported type ${type_name(leaf)}`,
      );
    }
  }
  return leaves as Tensor[];
}

/** Runs a differentiating transform: recording, with gradients whatever the caller's mode, and without the caller's saved-tensor hooks. */
const transform = <T>(fn: (variables: Variables) => T): T => {
  const variables = new Variables();
  return enter_transform(() =>
    disable_saved_tensors_hooks(NO_SAVED_TENSOR_HOOKS, () => enable_grad(() => fn(variables))),
  );
};
const NO_SAVED_TENSOR_HOOKS =
  "torch.func.{grad, vjp, jacrev, hessian} don't yet support saved tensor hooks. Please open an issue with your use case.";

interface GradSettings {
  argnums: Argnums;
  has_aux: boolean;
}

/** `[gradients, value, aux]` of a function with a scalar result. */
function differentiate(
  func: Fn,
  { argnums, has_aux }: GradSettings,
  args: unknown[],
): { gradients: unknown; value: unknown; aux: unknown } {
  const where = 'grad_and_value(f)(*args)';
  return transform((variables) => {
    const at = positions(argnums, args.length);
    const inputs = args.slice();
    for (const i of at) inputs[i] = variables.make(args[i]);
    let output: unknown = func(...inputs);
    let aux: unknown = null;
    if (has_aux) [output, aux] = split_aux(output, where);
    if (!(output instanceof Tensor)) {
      throw new Error(`${where}: Expected f(*args) to return a Tensor, got ${type_name(output)}`);
    }
    if (output.dim() !== 0) {
      throw new Error(
        `${where}: Expected f(*args) to return a scalar Tensor, got tensor with ${output.dim()} dims. ` +
          'Maybe you wanted to use the vjp or jacrev APIs instead?',
      );
    }
    const wanted = Array.isArray(argnums) ? at.map((i) => inputs[i]) : inputs[at[0]];
    const { leaves, spec } = flatten(wanted);
    const connected = variables.reach_outside([output]);
    const found = variables.gradients([output], leaves as Tensor[], [], has_aux || connected, connected);
    return {
      gradients: unflatten(variables.release(found), spec),
      value: variables.release(output),
      aux: has_aux ? variables.release(aux) : null,
    };
  });
}

/**
 * A function that computes the gradient of `func`, which returns a scalar tensor, by its arguments at `argnums` (the first one by default).
 *
 * The gradient has the structure of the argument: a tensor, or nested arrays, objects and Maps of tensors; with an array of `argnums`,
 * an array of them. With `has_aux`, `func` returns `[output, aux]` and the new function `[gradient, aux]`. Nests to any order, and composes
 * with `vmap`; the gradient is itself differentiable where an enclosing transform, or a tensor that needs a gradient, asks for it.
 *
 * Throws PyTorch's errors: a result that is no scalar tensor, an argument that is no floating-point tensor, `argnums` out of range.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.grad.html
 *
 * @example
 * ```ts
 * const df = torch.func.grad((x: Tensor) => x.sin());
 * df(torch.tensor(0)); // tensor(1.)
 * torch.func.grad(df)(torch.tensor(0)); // tensor(-0.)
 * ```
 */
export function grad<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums?: N,
  has_aux?: false | { has_aux?: false },
): (...args: Parameters<F>) => Sliced<F, N>;
export function grad<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums: N,
  has_aux: true | { has_aux: true },
): (...args: Parameters<F>) => [gradient: Sliced<F, N>, aux: Aux<F>];
export function grad<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options: { argnums?: N; has_aux: true },
): (...args: Parameters<F>) => [gradient: Sliced<F, N>, aux: Aux<F>];
export function grad<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options?: { argnums?: N; has_aux?: false },
): (...args: Parameters<F>) => Sliced<F, N>;
export function grad(func: Fn, ...rest: unknown[]): Fn {
  const settings = bind<GradSettings>('grad', { argnums: 0, has_aux: false }, rest);
  return (...args: unknown[]) => {
    const { gradients, aux } = differentiate(func, settings, args);
    return settings.has_aux ? [gradients, aux] : gradients;
  };
}

/**
 * A function that computes `[gradient, value]` of `func`: {@link grad} together with what `func` returns. With `has_aux`,
 * `[gradient, [value, aux]]`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.grad_and_value.html
 *
 * @example
 * ```ts
 * const [g, loss] = torch.func.grad_and_value((w: Tensor) => w.square().sum())(torch.ones(3));
 * ```
 */
export function grad_and_value<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums?: N,
  has_aux?: false | { has_aux?: false },
): (...args: Parameters<F>) => [gradient: Sliced<F, N>, value: ReturnType<F>];
export function grad_and_value<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums: N,
  has_aux: true | { has_aux: true },
): (...args: Parameters<F>) => [gradient: Sliced<F, N>, result: [value: Main<F>, aux: Aux<F>]];
export function grad_and_value<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options: { argnums?: N; has_aux: true },
): (...args: Parameters<F>) => [gradient: Sliced<F, N>, result: [value: Main<F>, aux: Aux<F>]];
export function grad_and_value<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options?: { argnums?: N; has_aux?: false },
): (...args: Parameters<F>) => [gradient: Sliced<F, N>, value: ReturnType<F>];
export function grad_and_value(func: Fn, ...rest: unknown[]): Fn {
  const settings = bind<GradSettings>('grad_and_value', { argnums: 0, has_aux: false }, rest);
  return (...args: unknown[]) => {
    const { gradients, value, aux } = differentiate(func, settings, args);
    return [gradients, settings.has_aux ? [value, aux] : value];
  };
}

interface Pulled {
  output: unknown;
  spec: Spec;
  aux: unknown;
  /** The gradients of the inputs, in flat order, for flat weights of the outputs. */
  pull: (weights: readonly Tensor[]) => Tensor[];
}

/** `func` at `args`, and its products with vectors of the outputs' shapes. */
function pulled(func: Fn, args: unknown[], at: readonly number[], has_aux: boolean): Pulled {
  const where = 'vjp(f, *primals)';
  return transform((variables) => {
    const inputs = args.slice();
    for (const i of at) inputs[i] = variables.make(args[i]);
    let output: unknown = func(...inputs);
    let aux: unknown = null;
    if (has_aux) [output, aux] = split_aux(output, where);
    const { leaves, spec } = flatten(output);
    const outputs = tensors_only(leaves, where);
    for (const t of outputs) {
      if (t.is_floating_point()) continue;
      throw new Error(
        `vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype torch.${t.dtype}`,
      );
    }
    const wanted = at.flatMap((i) => flatten(inputs[i]).leaves) as Tensor[];
    const connected = variables.reach_outside(outputs);
    return {
      output: variables.release(output),
      spec,
      aux: has_aux ? variables.release(aux) : null,
      pull: (weights) => {
        const record = is_grad_enabled() && (connected || weights.some((w) => w.requires_grad));
        return variables.release(variables.gradients(outputs, wanted, weights, true, record));
      },
    };
  });
}

/**
 * `[output, vjp_fn]`: what `func` returns for `primals`, and a function from weights of the output's structure to the vector-Jacobian
 * products, one per primal, in an array. With `has_aux`, `func` returns `[output, aux]` and `vjp` `[output, vjp_fn, aux]`.
 *
 * `vjp_fn` can be called as often as wanted, also under `vmap`. Throws when weights and outputs differ in structure or shape, or an output is
 * no floating-point tensor.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.vjp.html
 *
 * @example
 * ```ts
 * const [y, pull] = torch.func.vjp((x: Tensor) => x.sin(), torch.zeros(3));
 * const [g] = pull(torch.ones(3)); // cos(0) * 1
 * ```
 */
export function vjp<F extends Fn>(
  func: F,
  ...primals: Parameters<F>
): [output: ReturnType<F>, vjp_fn: (cotangents: ReturnType<F>) => Parameters<F>];
export function vjp<F extends Fn>(
  func: F,
  ...rest: [...Parameters<F>, { has_aux: true }]
): [output: Main<F>, vjp_fn: (cotangents: Main<F>) => Parameters<F>, aux: Aux<F>];
export function vjp(func: Fn, ...rest: unknown[]): unknown[] {
  const last = rest[rest.length - 1];
  const named = is_plain_object(last) && Object.keys(last).join() === 'has_aux';
  const primals = named ? rest.slice(0, -1) : rest;
  const has_aux = named && Boolean(last.has_aux);
  if (typeof func !== 'function')
    throw new TypeError(`'${type_name(func).slice(8, -2)}' object is not callable`);
  const { output, spec, aux, pull } = pulled(func, primals, [...primals.keys()], has_aux);
  const structure = flatten(primals).spec;
  const vjp_fn = (cotangents: unknown): unknown => {
    const given = flatten(cotangents);
    if (!same_structure(given.spec, spec)) {
      throw new Error(
        'Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. ' +
          `cotangents: ${pprint_spec(given.spec)}, primal output: ${pprint_spec(spec)}`,
      );
    }
    for (const t of given.leaves) {
      if (!(t instanceof Tensor)) {
        throw new TypeError(`gradients can be either Tensors or None, but got ${type_name(t).slice(8, -2)}`);
      }
    }
    return unflatten(pull(given.leaves as Tensor[]), structure);
  };
  return has_aux ? [output, vjp_fn, aux] : [output, vjp_fn];
}

interface JacobianSettings extends GradSettings {
  chunk_size: number | null;
}

/** The options of {@link jacrev}. */
export interface JacrevOptions<N extends Argnums, A extends boolean> {
  argnums?: N;
  has_aux?: A;
  /** How many rows PyTorch computes at a time. Here rows are computed one by one, so that it changes nothing. */
  chunk_size?: number | null;
}

/**
 * A function that computes the Jacobian of `func` by its arguments at `argnums`, in reverse: one backward pass per element of the outputs.
 *
 * The Jacobian of a tensor by a tensor has the shape `output.shape + input.shape`; where outputs or arguments are nested, it is nested as the
 * outputs are, and in these as the arguments. With `has_aux`, `func` returns `[output, aux]` and the new function `[jacobian, aux]`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.jacrev.html
 *
 * @example
 * ```ts
 * torch.func.jacrev((x: Tensor) => x.square())(torch.tensor([1, 2])); // [[2, 0], [0, 4]]
 * ```
 */
export function jacrev<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums: N | undefined,
  options: JacrevOptions<N, true> & { has_aux: true },
): (...args: Parameters<F>) => [jacobian: Jacobian<Main<F>, Sliced<F, N>>, aux: Aux<F>];
export function jacrev<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options: JacrevOptions<N, true> & { has_aux: true },
): (...args: Parameters<F>) => [jacobian: Jacobian<Main<F>, Sliced<F, N>>, aux: Aux<F>];
export function jacrev<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums?: N,
  options?: JacrevOptions<N, false>,
): (...args: Parameters<F>) => Jacobian<ReturnType<F>, Sliced<F, N>>;
export function jacrev<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options?: JacrevOptions<N, false>,
): (...args: Parameters<F>) => Jacobian<ReturnType<F>, Sliced<F, N>>;
export function jacrev(func: Fn, ...rest: unknown[]): Fn {
  const settings = bind<JacobianSettings>('jacrev', { argnums: 0, has_aux: false, chunk_size: null }, rest);
  const { argnums, has_aux, chunk_size } = settings;
  if (chunk_size !== null && !(chunk_size > 0)) {
    throw new Error('jacrev: `chunk_size` should be greater than 0.');
  }
  return (...args: unknown[]) => {
    const at = positions(argnums, args.length);
    const { output, spec, aux, pull } = pulled(func, args, at, has_aux);
    const wanted = Array.isArray(argnums) ? at.map((i) => args[i]) : args[at[0]];
    const inputs = flatten(wanted);
    const outputs = flatten(output).leaves as Tensor[];
    const blocks = outputs.map((_, k) => {
      const rows = basis(outputs, k).map(pull);
      const shape = outputs[k].shape;
      const columns = (inputs.leaves as Tensor[]).map((x, i) =>
        rows.length === 0
          ? x.new_zeros([...shape, ...x.shape])
          : ops.stack(rows.map((row) => row[i])).reshape([...shape, ...x.shape]),
      );
      return unflatten(columns, inputs.spec);
    });
    const jacobian = unflatten(blocks, spec);
    return has_aux ? [jacobian, aux] : jacobian;
  };
}

/** Weights of all outputs for each element of the `k`th: one there, zeros elsewhere. */
function basis(outputs: readonly Tensor[], k: number): Tensor[][] {
  const zeros = outputs.map((t) => ops.zeros(t.shape, { dtype: t.dtype, device: t.device }));
  const { shape, dtype, device } = outputs[k];
  const n = outputs[k].numel();
  const units = ops.eye(n, { dtype, device });
  return Array.from({ length: n }, (_, i) =>
    outputs.map((_, j) => (j === k ? units.select(0, i).reshape(shape) : zeros[j])),
  );
}
