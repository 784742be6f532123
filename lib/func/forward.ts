// Forward-mode transforms: jvp, jacfwd, hessian, linearize.
import { bind } from '../args';
import { enable_grad } from '../autograd/modes';
import { guard } from '../errors';
import { native } from '../native';
import * as ops from '../ops';
import { repr_size } from '../pyformat';
import { Tensor } from '../tensor';
import { at_level, BatchedTensor } from './batched';
import { level_of } from './call';
import { below, enter_transform, type Randomness, type VmapLevel } from './levels';
import { jacrev, positions, split_aux, tensors_only } from './reverse';
import { describe_spec, flatten, same_structure, tree_map, type_name, unflatten } from './tree';
import type { Argnums, Aux, Fn, Jacobian, Main, Sliced } from './types';
import { Variables } from './variables';
import { vmap } from './vmap';

const WHERE = 'jvp(f, primals, tangents)';

const leading = (t: Tensor, level: VmapLevel): Tensor => {
  const b = at_level(t, level);
  // A primal is laid out as its tangent is: samples that share memory could not have tangents of their own.
  if (b === null)
    return t
      .unsqueeze(0)
      .expand([level.size, ...t.shape])
      .contiguous();
  return b.value.movedim(b.bdim, 0);
};

/** `primal` carrying `tangent`: batched as soon as one of them is. */
function make_dual(primal: Tensor, tangent: Tensor, dual_level: number): Tensor {
  const level = level_of([primal, tangent]);
  if (level === null) return guard(() => new Tensor(native.make_dual(primal._h, tangent._h, dual_level)));
  return below(
    level,
    () => new BatchedTensor(make_dual(leading(primal, level), leading(tangent, level), dual_level), 0, level),
  );
}

function unpack_dual(t: Tensor, dual_level: number): [primal: Tensor, tangent: Tensor | null] {
  if (t instanceof BatchedTensor) {
    const [primal, tangent] = unpack_dual(t.value, dual_level);
    const wrap = (value: Tensor): Tensor => new BatchedTensor(value, t.bdim, t.level);
    return [wrap(primal), tangent === null ? null : wrap(tangent)];
  }
  const [primal, tangent] = guard(() => native.unpack_dual(t._h, dual_level));
  return [new Tensor(primal), tangent === null ? null : new Tensor(tangent)];
}

const sizes = (t: Tensor): string => `[${t.shape.join(', ')}]`;

/** Tensors that can carry each other's place as primal and tangent. */
function check_pair(primal: Tensor, tangent: Tensor): void {
  for (const [what, t] of [
    ['primal', primal],
    ['tangent', tangent],
  ] as const) {
    if (!t.is_floating_point()) {
      throw new Error(`Expected ${what} to be floating point or complex, but got: torch.${t.dtype}`);
    }
  }
  if (sizes(primal) !== sizes(tangent)) {
    throw new Error(
      'Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. ' +
        `Tensor is of size ${sizes(primal)} while the given forward gradient is of size ${sizes(tangent)}.`,
    );
  }
}

const all_tensors = (leaves: readonly unknown[], what: string): Tensor[] => {
  if (leaves.length === 0) throw new Error(`${WHERE}: Expected ${what} to contain at least one Tensor.`);
  for (const leaf of leaves) {
    if (!(leaf instanceof Tensor)) {
      throw new Error(`${WHERE}: Expected ${what} to only contain Tensors, got ${type_name(leaf)}`);
    }
  }
  return leaves as Tensor[];
};

interface Pushed {
  output: unknown;
  tangent: unknown;
  aux: unknown;
}

/** `func` at `args`, and its product with `tangents`, which belong to the arguments at `at`. */
function pushed(
  func: Fn,
  args: readonly unknown[],
  at: readonly number[],
  tangents: unknown,
  { strict, has_aux }: { strict: boolean; has_aux: boolean },
): Pushed {
  const primals = flatten(at.map((i) => args[i]));
  const given = flatten(tangents);
  if (!same_structure(primals.spec, given.spec)) {
    throw new Error(
      `${WHERE}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple of 3 tensors, ` +
        `tangents also must be. Got primals with structure ${describe_spec(primals.spec)} and tangents with structure ${describe_spec(given.spec)}`,
    );
  }
  const points = all_tensors(primals.leaves, 'primals');
  const directions = all_tensors(given.leaves, 'tangents');
  points.forEach((p, i) => check_pair(p, directions[i]));
  return enter_transform(() => {
    const dual_level = native.enter_dual_level();
    try {
      const duals = unflatten(
        points.map((p, i) => make_dual(p, directions[i], dual_level)),
        primals.spec,
      ) as unknown[];
      const inputs = args.slice();
      at.forEach((i, k) => (inputs[i] = duals[k]));
      let result: unknown = func(...inputs);
      let aux: unknown = null;
      if (has_aux) [result, aux] = split_aux(result, WHERE);
      const { leaves, spec } = flatten(result);
      const unpacked = tensors_only(leaves, WHERE).map((t) => {
        const [primal, tangent] = unpack_dual(t, dual_level);
        if (tangent === null && strict) {
          throw new Error(
            'jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed with strict=True.',
          );
        }
        return [primal, tangent ?? ops.zeros_like(primal)];
      });
      const released = tree_map((leaf) => {
        if (!has_aux) return leaf;
        if (!(leaf instanceof Tensor))
          throw new Error(`Expected tensors, got unsupported type ${type_name(leaf)}`);
        return unpack_dual(leaf, dual_level)[0];
      }, aux);
      return {
        output: unflatten(
          unpacked.map(([primal]) => primal),
          spec,
        ),
        tangent: unflatten(
          unpacked.map(([, tangent]) => tangent),
          spec,
        ),
        aux: released,
      };
    } finally {
      native.exit_dual_level(dual_level);
    }
  });
}

interface JvpOptions {
  /** Throw when an output does not depend on the primals, instead of giving zeros. */
  strict?: boolean;
  has_aux?: boolean;
}

/**
 * `[output, tangent]`: what `func` returns for the array `primals`, and its Jacobian times `tangents`, in forward mode. With `has_aux`,
 * `func` returns `[output, aux]` and `jvp` `[output, tangent, aux]`.
 *
 * `tangents` has the structure and shapes of `primals`. Nests, also with `grad` and `vmap`. Throws PyTorch's errors: primals that are no array,
 * structures or shapes that differ, results other than tensors.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.jvp.html
 *
 * @example
 * ```ts
 * const [y, dy] = torch.func.jvp((x: Tensor) => x.sin(), [torch.zeros(3)], [torch.ones(3)]); // dy: cos(0) * 1
 * ```
 */
export function jvp<F extends Fn>(
  func: F,
  primals: Readonly<Parameters<F>>,
  tangents: Readonly<Parameters<F>>,
  options: JvpOptions & { has_aux: true },
): [output: Main<F>, tangent: Main<F>, aux: Aux<F>];
export function jvp<F extends Fn>(
  func: F,
  primals: Readonly<Parameters<F>>,
  tangents: Readonly<Parameters<F>>,
  options?: JvpOptions,
): [output: ReturnType<F>, tangent: ReturnType<F>];
export function jvp(func: Fn, primals: unknown, tangents: unknown, options: JvpOptions = {}): unknown[] {
  const { strict, has_aux } = bind('jvp', { strict: false, has_aux: false }, [options]);
  if (!Array.isArray(primals)) {
    throw new Error(`${WHERE}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).`);
  }
  const { output, tangent, aux } = pushed(func, primals, [...primals.keys()], tangents, { strict, has_aux });
  return has_aux ? [output, tangent, aux] : [output, tangent];
}

/** For each tensor, the directions along every element of all of them: `[total, ...shape]`. */
export function standard_basis(tensors: readonly Tensor[]): Tensor[] {
  const numels = tensors.map((t) => t.numel());
  const total = numels.reduce((a, b) => a + b, 0);
  let first = 0;
  return tensors.map((t, i) => {
    const chunk = ops.zeros([total, numels[i]], { dtype: t.dtype, device: t.device });
    chunk.narrow(0, first, numels[i]).copy_(ops.eye(numels[i], { dtype: t.dtype, device: t.device }));
    first += numels[i];
    return chunk.reshape([total, ...t.shape]);
  });
}

/** Columns along the first dimension, as a Jacobian by each of the tensors that `standard_basis` was given. */
export function split_columns(columns: Tensor, inputs: readonly Tensor[]): Tensor[] {
  const last = columns.movedim(0, -1);
  const shape = last.shape.slice(0, -1);
  const numels = inputs.map((t) => t.numel());
  return last.split(numels, -1).map((part, i) => part.reshape([...shape, ...inputs[i].shape]));
}

interface JacfwdSettings {
  argnums: Argnums;
  has_aux: boolean;
  randomness: Randomness;
}

/** The options of {@link jacfwd}. */
export interface JacfwdOptions<N extends Argnums, A extends boolean> {
  argnums?: N;
  has_aux?: A;
  /** What random numbers in `func` do across the columns; see `vmap`. */
  randomness?: Randomness;
}

/**
 * A function that computes the Jacobian of `func` by its arguments at `argnums`, forwards: all columns at once, under `vmap`. The better choice
 * over {@link jacrev} where there are more outputs than inputs.
 *
 * Shapes, nesting and `has_aux` as in {@link jacrev}. See https://docs.pytorch.org/docs/stable/generated/torch.func.jacfwd.html
 *
 * @example
 * ```ts
 * torch.func.jacfwd((x: Tensor) => x.square())(torch.tensor([1, 2])); // [[2, 0], [0, 4]]
 * ```
 */
export function jacfwd<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums: N | undefined,
  has_aux: true,
  options?: { randomness?: Randomness },
): (...args: Parameters<F>) => [jacobian: Jacobian<Main<F>, Sliced<F, N>>, aux: Aux<F>];
export function jacfwd<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options: JacfwdOptions<N, true> & { has_aux: true },
): (...args: Parameters<F>) => [jacobian: Jacobian<Main<F>, Sliced<F, N>>, aux: Aux<F>];
export function jacfwd<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums?: N,
  has_aux?: false,
  options?: { randomness?: Randomness },
): (...args: Parameters<F>) => Jacobian<ReturnType<F>, Sliced<F, N>>;
export function jacfwd<F extends Fn, const N extends Argnums = 0>(
  func: F,
  options?: JacfwdOptions<N, false>,
): (...args: Parameters<F>) => Jacobian<ReturnType<F>, Sliced<F, N>>;
export function jacfwd(func: Fn, ...rest: unknown[]): Fn {
  const settings = bind<JacfwdSettings>('jacfwd', { argnums: 0, has_aux: false, randomness: 'error' }, rest);
  const { argnums, has_aux, randomness } = settings;
  return (...args: unknown[]) => {
    const at = positions(argnums, args.length);
    const wanted = Array.isArray(argnums) ? at.map((i) => args[i]) : args[at[0]];
    const inputs = flatten(wanted);
    const points = all_tensors(inputs.leaves, 'primals');
    const structure = flatten(at.map((i) => args[i])).spec;
    const push = (...directions: Tensor[]): unknown => {
      const { tangent, aux } = pushed(func, args, at, unflatten(directions, structure), {
        strict: false,
        has_aux,
      });
      return has_aux ? [tangent, aux] : tangent;
    };
    const result: unknown = vmap(push, { randomness })(...standard_basis(points));
    const [columns, aux] = has_aux ? (result as [unknown, unknown]) : [result, null];
    const jacobian = tree_map((leaf) => {
      return unflatten(split_columns(leaf as Tensor, points), inputs.spec);
    }, columns);
    return has_aux ? [jacobian, tree_map((leaf) => (leaf as Tensor).select(0, 0), aux)] : jacobian;
  };
}

/**
 * A function that computes the Hessian of `func`, which returns a scalar tensor, by its arguments at `argnums`: `jacfwd(jacrev(func))`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.hessian.html
 *
 * @example
 * ```ts
 * torch.func.hessian((x: Tensor) => x.pow(3).sum())(torch.tensor([1, 2])); // [[6, 0], [0, 12]]
 * ```
 */
export function hessian<F extends Fn, const N extends Argnums = 0>(
  func: F,
  argnums?: N | { argnums?: N },
): (...args: Parameters<F>) => Jacobian<Jacobian<ReturnType<F>, Sliced<F, N>>, Sliced<F, N>>;
export function hessian(func: Fn, ...rest: unknown[]): Fn {
  const { argnums } = bind<{ argnums: Argnums }>('hessian', { argnums: 0 }, rest);
  return jacfwd(jacrev(func, { argnums }) as Fn, { argnums }) as Fn;
}

/**
 * `[output, jvp_fn]`: what `func` returns for `primals`, and its derivative there as a function of tangents. `func` runs once; each call of
 * `jvp_fn` only goes through what it recorded, which pays when there are many tangents.
 *
 * Throws when tangents differ from the primals in structure, shape, dtype or device.
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.linearize.html
 *
 * @example
 * ```ts
 * const [y, push] = torch.func.linearize((x: Tensor) => x.pow(3), torch.tensor([2]));
 * push(torch.tensor([1])); // tensor([12.])
 * ```
 */
export function linearize<F extends Fn>(
  func: F,
  ...primals: Parameters<F>
): [output: ReturnType<F>, jvp_fn: (...tangents: Parameters<F>) => ReturnType<F>] {
  const points = flatten(primals);
  const variables = new Variables();
  const recorded = enter_transform(() =>
    enable_grad(() => {
      const inputs = variables.make(points.leaves) as Tensor[];
      const { leaves, spec } = flatten(func(...(unflatten(inputs, points.spec) as Parameters<F>)));
      const outputs = leaves.filter((t): t is Tensor => t instanceof Tensor);
      // The products with vectors are linear in them: their derivative by the vectors is the product from the other side.
      const weights = outputs.map((t) =>
        variables.make(ops.zeros_like(t.is_floating_point() ? t : t.float())),
      );
      const products = variables.gradients(outputs, inputs, weights, true, true);
      const output = unflatten(
        leaves.map((t) => (t instanceof Tensor ? variables.release(t) : t)),
        spec,
      );
      return { output, leaves, spec, weights, products };
    }),
  );
  const push = (...tangents: unknown[]): unknown => {
    const given = flatten(tangents);
    if (!same_structure(given.spec, points.spec)) {
      throw new Error(
        `Expected the tangents ${describe_spec(given.spec)} to have the same argspec as the primals ${describe_spec(points.spec)}`,
      );
    }
    const directions = given.leaves as Tensor[];
    directions.forEach((t, i) => check_like(t, points.leaves[i] as Tensor, i));
    const { leaves, spec, weights, products } = recorded;
    const found = variables.gradients(products, weights, directions, true, false);
    let next = 0;
    return unflatten(
      leaves.map((t) => (t instanceof Tensor ? found[next++] : t)),
      spec,
    );
  };
  return [recorded.output as ReturnType<F>, push as (...tangents: Parameters<F>) => ReturnType<F>];
}

function check_like(t: Tensor, primal: Tensor, i: number): void {
  const differ = (what: string, a: string, b: string): Error =>
    new Error(
      `tangent:${i} with ${what} ${a} in flattened pytree doesn't match the ${what} ${b} of the corresponding primal.`,
    );
  if (sizes(t) !== sizes(primal)) throw differ('shape', repr_size(t.shape), repr_size(primal.shape));
  if (String(t.device) !== String(primal.device))
    throw differ('device', String(t.device), String(primal.device));
  if (t.dtype !== primal.dtype) throw differ('dtype', `torch.${t.dtype}`, `torch.${primal.dtype}`);
}
