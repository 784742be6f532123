// Custom functions (autograd.Function) under `vmap`.
import { Function, FunctionCtx, vmapped } from '../autograd/function';
import { interception } from '../interception';
import { Tensor } from '../tensor';
import { at_level, BatchedTensor } from './batched';
import { level_of } from './call';
import { below, within, type VmapLevel } from './levels';
import { broadcast, flatten, type_name, unflatten } from './tree';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a user's function takes and returns what it likes
type Any = any;
type Dim = number | null;
type Maybe = Tensor | null | undefined;

const DETAILS = 'For more details, please see https://pytorch.org/docs/main/notes/extending.func.html';

const wrap = (value: unknown, dim: Dim, level: VmapLevel): unknown =>
  value instanceof Tensor && dim !== null ? new BatchedTensor(value, dim, level) : value;
const value_of = (v: unknown, level: VmapLevel): unknown => at_level(v, level)?.value ?? v;
const dim_of = (v: unknown, level: VmapLevel): Dim => at_level(v, level)?.bdim ?? null;

/** A gradient, or a tangent, laid out as what it belongs to: `dim` of null stands for all samples together. */
function fitted(g: unknown, dim: Dim, level: VmapLevel): unknown {
  if (!(g instanceof Tensor)) return g;
  const b = at_level(g, level);
  if (dim === null) return b === null ? g : b.value.sum(b.bdim);
  if (b !== null) return b.value.movedim(b.bdim, dim);
  return g.unsqueeze(dim).expand([...g.shape.slice(0, dim), level.size, ...g.shape.slice(dim)]);
}

/**
 * The function of all samples, made of the function of one: its forward, backward and jvp run on batched tensors. The context that the user's
 * methods share holds batched tensors; what it saves goes through the outer function's context as plain ones.
 */
function vmapified(fn: typeof Function, in_dims: readonly Dim[], level: VmapLevel): typeof Function {
  const separate = fn.setup_context !== Function.setup_context;
  const inner = new FunctionCtx();
  let saved_dims: Dim[] = [];
  let out_dims: Dim[] = [];

  const Generated = class extends Function {
    static override generate_vmap_rule = true;

    static override forward(ctx: FunctionCtx, ...operands: Any[]): Any {
      inner.needs_input_grad = ctx.needs_input_grad;
      const output: unknown = within(level, () => {
        const args = operands.map((a, i) => wrap(a, in_dims[i], level));
        if (!separate) return fn.forward(inner, ...args) as unknown;
        const result: unknown = fn.forward(...args);
        fn.setup_context(inner, args, result);
        return result;
      });
      const plain = (list: readonly Maybe[]): Tensor[] => list.map((t) => value_of(t, level) as Tensor);
      saved_dims = inner.to_save.map((t) => dim_of(t, level));
      ctx.save_for_backward(...plain(inner.to_save));
      if (inner.saved_for_forward !== null) ctx.save_for_forward(...plain(inner.saved_for_forward));
      ctx.mark_dirty(...plain(inner.dirty_tensors));
      ctx.mark_non_differentiable(...plain(inner.non_differentiable));
      ctx.set_materialize_grads(inner.materialize_grads);
      Object.defineProperty(inner, 'saved_tensors', {
        configurable: true,
        get: () =>
          ctx._in_jvp
            ? (inner.saved_for_forward ?? inner.to_save)
            : ctx.saved_tensors.map((t, i) => wrap(t, saved_dims[i], level)),
      });
      const list: unknown[] = Array.isArray(output) ? output : [output];
      out_dims = list.map((t) => dim_of(t, level));
      const values = list.map((t) => value_of(t, level));
      return Array.isArray(output) ? values : values[0];
    }

    static override backward(_ctx: FunctionCtx, ...grads: Any[]): Any {
      return within(level, () => {
        const given = grads.map((g, i) => wrap(g, out_dims[i], level));
        const found: unknown = fn.backward(inner, ...given);
        const list: unknown[] = Array.isArray(found) ? found : [found];
        return list.map((g, i) => fitted(g, in_dims[i] ?? null, level));
      });
    }

    static override jvp(_ctx: FunctionCtx, ...tangents: Any[]): Any {
      return within(level, () => {
        const given = tangents.map((t, i) => wrap(t, in_dims[i], level));
        const found: unknown = fn.jvp(inner, ...given);
        if (!Array.isArray(found)) return fitted(found, out_dims[0], level);
        return found.map((t, i) => fitted(t, out_dims[i], level));
      });
    }
  };
  Object.defineProperty(Generated, 'name', { value: `Vmapped${fn.name}` });
  // What `forward` finds out about its outputs is known only once it ran.
  return Object.assign(Generated, { out_dims: () => out_dims });
}

/** The function's own `vmap`, or the rule made of it. */
function apply(fn: typeof Function, args: readonly unknown[], level: VmapLevel): unknown {
  const own = fn.vmap !== Function.vmap;
  if (fn.generate_vmap_rule && own) {
    throw new Error(
      `You tried to vmap over ${fn.name}, but it has both generate_vmap_rule=True and an overridden vmap staticmethod. ` +
        `Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid ambiguity. ${DETAILS}`,
    );
  }
  if (!fn.generate_vmap_rule && !own) {
    if (fn.setup_context === Function.setup_context) {
      throw new Error(
        'In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the ' +
          `setup_context staticmethod. ${DETAILS}`,
      );
    }
    throw new Error(
      `You tried to vmap over ${fn.name}, but it does not have vmap support. Please override and implement the vmap staticmethod or set ` +
        `generate_vmap_rule=True. ${DETAILS}`,
    );
  }
  const values = args.map((a) => value_of(a, level));
  const in_dims = args.map((a) => dim_of(a, level));
  if (fn.generate_vmap_rule) {
    const generated = vmapified(fn, in_dims, level);
    const result: unknown = generated.apply(...values);
    const out_dims = (generated as unknown as { out_dims(): Dim[] }).out_dims();
    if (!Array.isArray(result)) return wrap(result, out_dims[0], level);
    return result.map((t, i) => wrap(t, out_dims[i], level));
  }
  const result: unknown = fn.vmap(
    { batch_size: level.size, randomness: level.randomness },
    in_dims,
    ...values,
  );
  const expected =
    'Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible with the output. ';
  if (!Array.isArray(result)) throw new Error(`${expected}Got a ${type_name(result)} instead`);
  if (result.length !== 2) throw new Error(`${expected}Got ${result.length} returns instead`);
  const { leaves, spec } = flatten(result[0]);
  const dims = broadcast(result[1], spec);
  if (dims === null) throw new Error(`${expected}Got out_dims of another structure`);
  return unflatten(
    leaves.map((leaf, i) => wrap(leaf, dims[i] as Dim, level)),
    spec,
  );
}

vmapped.apply = (fn, args) => {
  if (interception.vmaps === 0) return null;
  const level = level_of(args);
  return level === null ? null : { result: below(level, () => apply(fn, args, level)) };
};
