// torch.vmap.
import { bind } from '../args';
import * as ops from '../ops';
import { get_rng_state, set_rng_state } from '../random';
import { repr } from '../pyformat';
import { Tensor } from '../tensor';
import { at_level, BatchedTensor } from './batched';
import './rules';
import { enter_vmap, type Randomness, type VmapLevel } from './levels';
import { broadcast, describe_spec, flatten, type_name, unflatten, type Spec } from './tree';

/** Where a value has its batch dimension: for all of it, or nested as the value is. `null` for what is not batched. */
export type Dims = number | null | readonly Dims[] | { readonly [key: string]: Dims };

export interface VmapOptions {
  /** Per argument the dimension to map over, or null for what every call gets whole. */
  in_dims?: Dims;
  /** Where the results have the mapped dimension; null for a result that is the same for all. */
  out_dims?: Dims;
  /** What random numbers do: throw (`'error'`), differ per sample, or be the same for all. */
  randomness?: Randomness;
  /** How many samples to compute at a time; null for all. */
  chunk_size?: number | null;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any function of tensors
type Fn = (...args: any[]) => any;
/** What a vmapped function takes: its own arguments, a number of them batched. */
type Mapped<F extends Fn> = (...args: Parameters<F>) => ReturnType<F>;

const name_of = (fn: Fn): string => {
  const name: unknown = (fn as { name?: unknown }).name;
  return typeof name === 'string' && name !== '' ? name : '<lambda>';
};

const text_of = (dims: unknown): string => (typeof dims === 'string' ? dims : repr(dims ?? null));

/**
 * Maps `func` over a dimension of its arguments: `vmap(f)(xs)` is all `f(x)` stacked, computed at once by operators on whole batches.
 *
 * `func` sees tensors of one sample's shape. It may take and return nested arrays, objects and Maps of tensors. Nests, and composes with
 * `grad`, `jacrev`, ...: `vmap(grad(loss), { in_dims: [null, 0, 0] })(params, xs, ys)` are per-sample gradients. Operators without a
 * batching rule go through the samples one by one.
 *
 * Throws PyTorch's errors: structures that do not match, dimensions that do not exist or differ in size, random numbers without `randomness`,
 * `.item()`, results of data-dependent shape, samples written into a tensor that all share.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.vmap.html
 *
 * @example
 * ```ts
 * const dots = torch.vmap(torch.dot);
 * dots(torch.ones(8, 3), torch.ones(8, 3)); // eight dot products
 * ```
 */
export function vmap<F extends Fn>(func: F, options?: VmapOptions): Mapped<F>;
export function vmap<F extends Fn>(
  func: F,
  in_dims?: Dims,
  out_dims?: Dims,
  randomness?: Randomness,
  options?: Pick<VmapOptions, 'chunk_size'>,
): Mapped<F>;
export function vmap<F extends Fn>(func: F, ...rest: unknown[]): Mapped<F> {
  const { in_dims, out_dims, randomness, chunk_size } = bind<Settings>(
    'vmap',
    { in_dims: 0, out_dims: 0, randomness: 'error', chunk_size: null },
    rest,
  );
  if (!['error', 'different', 'same'].includes(randomness)) {
    throw new Error(
      `Only allowed values for randomness are 'error', 'different', or 'same'. Got ${String(randomness)}`,
    );
  }
  if (chunk_size !== null && !(chunk_size > 0)) {
    throw new Error(`vmap: chunk_size should be None or greater than 0. (got ${chunk_size})`);
  }
  const name = name_of(func);
  const mapped = (...args: unknown[]): unknown => {
    check_out_dims(out_dims, name);
    const inputs = batched_inputs(in_dims, args, name);
    if (chunk_size === null) return run(func, name, inputs, out_dims, randomness);
    return in_chunks(func, name, inputs, out_dims, randomness, chunk_size);
  };
  return mapped as Mapped<F>;
}

interface Settings {
  in_dims: Dims;
  out_dims: Dims;
  randomness: Randomness;
  chunk_size: number | null;
}
function check_out_dims(out_dims: Dims, name: string): void {
  for (const d of flatten(out_dims).leaves) {
    if (d === null || (typeof d === 'number' && Number.isInteger(d))) continue;
    throw new Error(
      `vmap(${name}, ..., out_dims=${text_of(out_dims)}): \`out_dims\` must be an int, None or a python collection of ints ` +
        'representing where in the outputs the vmapped dimension should appear.',
    );
  }
}

interface Inputs {
  size: number;
  dims: (number | null)[];
  leaves: unknown[];
  spec: Spec;
}

function batched_inputs(in_dims: Dims, args: unknown[], name: string): Inputs {
  const where = `vmap(${name}, in_dims=${text_of(in_dims)}, ...)(<inputs>)`;
  const is_int = typeof in_dims === 'number' && Number.isInteger(in_dims);
  if (!is_int && !Array.isArray(in_dims)) {
    throw new Error(
      `${where}: expected \`in_dims\` to be int or a (potentially nested) tuple matching the structure of inputs, got: ${type_name(in_dims)}.`,
    );
  }
  if (args.length === 0) {
    throw new Error(
      `vmap(${name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a function with no ` +
        'inputs. The latter is unsupported.',
    );
  }
  const { leaves, spec } = flatten(args);
  const given = broadcast(in_dims, spec);
  if (given === null) {
    throw new Error(
      `${where}: in_dims is not compatible with the structure of \`inputs\`. in_dims has structure ` +
        `${describe_spec(flatten(in_dims).spec)} but inputs has structure ${describe_spec(spec)}.`,
    );
  }
  const dims = given.map((d, i) => batch_dim(d, leaves[i], where));
  const sizes = dims.flatMap((d, i) => (d === null ? [] : [(leaves[i] as Tensor).shape[d]]));
  if (sizes.length === 0) throw new Error('vmap: Expected at least one Tensor to vmap over');
  if (sizes.some((s) => s !== sizes[0])) {
    throw new Error(
      `vmap: Expected all tensors to have the same size in the mapped dimension, got sizes [${sizes.join(', ')}] for the mapped dimension`,
    );
  }
  return { size: sizes[0], dims, leaves, spec };
}

function batch_dim(dim: unknown, value: unknown, where: string): number | null {
  if (dim === null || dim === undefined) return null;
  if (typeof dim !== 'number' || !Number.isInteger(dim)) {
    throw new Error(
      `${where}: Got in_dim=${text_of(dim)} for an input but in_dim must be either an integer dimension or None.`,
    );
  }
  if (!(value instanceof Tensor)) {
    throw new Error(
      `${where}: Got in_dim=${dim} for an input but the input is of type ${type_name(value)}. We cannot vmap over non-Tensor arguments, ` +
        'please use None as the respective in_dim',
    );
  }
  const rank = value.dim();
  if (dim < -rank || dim >= rank) {
    throw new Error(
      `${where}: Got in_dim=${dim} for some input, but that input is a Tensor of dimensionality ${rank} so expected in_dim to satisfy ` +
        `-${rank} <= in_dim < ${rank}.`,
    );
  }
  return dim < 0 ? dim + rank : dim;
}

function run(fn: Fn, name: string, inputs: Inputs, out_dims: Dims, randomness: Randomness): unknown {
  return enter_vmap(inputs.size, randomness, (level) => {
    const args = inputs.leaves.map((leaf, i) => {
      const dim = inputs.dims[i];
      return dim === null ? leaf : new BatchedTensor(leaf as Tensor, dim, level);
    });
    const outputs: unknown = fn(...(unflatten(args, inputs.spec) as unknown[]));
    const { leaves, spec } = flatten(outputs);
    const dims = output_dims(out_dims, outputs, spec, name);
    return unflatten(
      leaves.map((leaf, i) => unbatched(leaf, dims[i], level, name)),
      spec,
    );
  });
}

function output_dims(out_dims: Dims, outputs: unknown, spec: Spec, name: string): unknown[] {
  let dims: unknown[] | null;
  if (outputs instanceof Tensor) {
    const alone = Array.isArray(out_dims)
      ? out_dims.length === 1
        ? (out_dims as unknown[])
        : null
      : [out_dims];
    dims = alone?.every((d) => d === null || typeof d === 'number') ? alone : null;
  } else dims = broadcast(out_dims, spec);
  if (dims === null) {
    throw new Error(
      `vmap(${name}, ..., out_dims=${text_of(out_dims)})(<inputs>): out_dims is not compatible with the structure of \`outputs\`. ` +
        `out_dims has structure ${describe_spec(flatten(out_dims).spec)} but outputs has structure ${describe_spec(spec)}.`,
    );
  }
  return dims;
}

function unbatched(output: unknown, dim: unknown, level: VmapLevel, name: string): unknown {
  if (dim === null || dim === undefined) {
    if (output instanceof BatchedTensor) {
      throw new Error(`vmap(${name}, ...): \`${name}\` can not return a BatchedTensor when out_dim is None`);
    }
    return output;
  }
  if (!(output instanceof Tensor)) {
    throw new Error(
      `vmap(${name}, ...): \`${name}\` must only return Tensors, got type ${type_name(output)}. ` +
        'Did you mean to set out_dims= to None for output?',
    );
  }
  return unwrap(output, level, dim as number);
}

/** All samples of `t` along dimension `dim`; a tensor that is the same for all is repeated, as a view. */
export function unwrap(t: Tensor, level: VmapLevel, dim: number): Tensor {
  const rank = t.dim() + 1;
  if (dim < -rank || dim >= rank) {
    throw new RangeError(
      `Dimension out of range (expected to be in range of [${-rank}, ${rank - 1}], but got ${dim})`,
    );
  }
  const to = dim < 0 ? dim + rank : dim;
  const b = at_level(t, level);
  if (b !== null) return b.bdim === to ? b.value : b.value.movedim(b.bdim, to);
  const shape = t.shape;
  return t.unsqueeze(to).expand([...shape.slice(0, to), level.size, ...shape.slice(to)]);
}

function in_chunks(
  fn: Fn,
  name: string,
  inputs: Inputs,
  out_dims: Dims,
  randomness: Randomness,
  chunk_size: number,
): unknown {
  const state = randomness === 'same' ? get_rng_state() : null;
  const chunks: { leaves: unknown[]; spec: Spec }[] = [];
  for (let at = 0; at === 0 || at < inputs.size; at += chunk_size) {
    const size = Math.min(chunk_size, inputs.size - at);
    if (state !== null) set_rng_state(state);
    const leaves = inputs.leaves.map((leaf, i) => {
      const dim = inputs.dims[i];
      return dim === null ? leaf : (leaf as Tensor).narrow(dim, at, size);
    });
    chunks.push(flatten(run(fn, name, { ...inputs, size, leaves }, out_dims, randomness)));
  }
  const { spec, leaves } = chunks[0];
  const dims = broadcast(out_dims, spec) as (number | null)[];
  const joined = leaves.map((leaf, i) => {
    const dim = dims[i];
    return dim === null
      ? leaf
      : ops.cat(
          chunks.map((chunk) => chunk.leaves[i] as Tensor),
          dim,
        );
  });
  return unflatten(joined, spec);
}
