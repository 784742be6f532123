// The inputs of a function that is differentiated in reverse, and what its results owe to them.
//
// A transform such as `grad` gives its function variables of its own. What the function computes has a graph that ends in them; it is kept
// beyond the transform only where it also leads to tensors outside that need gradients: an enclosing `grad`'s variables, or a leaf that the
// function uses or was given.
import { is_grad_enabled } from '../autograd/modes';
import { gradients } from '../autograd/gradient';
import { native, type NodeHandle } from '../native';
import * as ops from '../ops';
import { Tensor } from '../tensor';
import { at_level, BatchedTensor } from './batched';
import { below, visible_levels, type VmapLevel } from './levels';
import { tree_map, type_name } from './tree';

/**
 * `t` batched at all these levels (outermost first). A sample's derivative by a tensor that all samples share is that by its own copy of it.
 */
function expanded(t: Tensor, levels: readonly VmapLevel[]): Tensor {
  if (levels.length === 0) return t;
  const level = levels[levels.length - 1];
  const outer = levels.slice(0, -1);
  const b = at_level(t, level);
  if (b !== null) return new BatchedTensor(expanded(b.value, outer), b.bdim, level);
  const value = expanded(t, outer);
  return below(
    level,
    () => new BatchedTensor(value.unsqueeze(0).expand([level.size, ...value.shape]), 0, level),
  );
}

/** `fn` of the tensor that holds the values. */
const on_values = (t: Tensor, fn: (t: Tensor) => Tensor): Tensor =>
  t instanceof BatchedTensor ? new BatchedTensor(on_values(t.value, fn), t.bdim, t.level) : fn(t);
const values_of = (t: Tensor): Tensor => (t instanceof BatchedTensor ? values_of(t.value) : t);

/** The variables of one transform. */
export class Variables {
  /** Whether results may be part of a graph outside. */
  readonly #connected = is_grad_enabled();
  readonly #leaves = new Set<number>();

  /** A value with every tensor in it made a variable. Throws for what is no floating-point tensor. */
  make<T>(value: T): T {
    return tree_map((leaf) => {
      if (!(leaf instanceof Tensor)) {
        throw new Error(`Thing passed to transform API must be Tensor, got ${type_name(leaf)}`);
      }
      return on_values(expanded(leaf, visible_levels()), (t) => this.#variable(t));
    }, value) as T;
  }

  #variable(t: Tensor): Tensor {
    if (!t.is_floating_point()) throw new Error('only Tensors of floating point dtype can require gradients');
    if (this.#connected && t.requires_grad) return ops._alias(t);
    // A detached tensor would lose the tangents that an enclosing `jvp` gave it.
    if (native.carries_tangent(t._h)) return t.add(this.#leaf(ops.zeros_like(t)));
    return this.#leaf(t.detach());
  }

  #leaf(t: Tensor): Tensor {
    native.set_requires_grad(t._h, true);
    this.#leaves.add(native.impl_id(t._h));
    return t;
  }

  /** Whether any of these has to do with a tensor outside that needs a gradient. */
  reach_outside(tensors: readonly Tensor[]): boolean {
    if (!this.#connected) return false;
    const seen = new Set<number>();
    const open: NodeHandle[] = [];
    const visit = (n: NodeHandle | null): void => {
      if (n === null || seen.has(native.node_id(n))) return;
      seen.add(native.node_id(n));
      open.push(n);
    };
    for (const t of tensors) {
      const value = values_of(t);
      if (!value.requires_grad) continue;
      const node = native.grad_fn(value._h);
      if (node !== null) visit(node);
      else if (!this.#leaves.has(native.impl_id(value._h))) return true;
    }
    for (let n = open.pop(); n !== undefined; n = open.pop()) {
      const variable = native.node_variable(n);
      if (variable !== null && !this.#leaves.has(native.impl_id(variable))) return true;
      for (const [next] of native.node_next(n)) visit(next);
    }
    return false;
  }

  /** A result as the caller of the transform gets it: without the part of its graph that is the transform's own. */
  release<T>(value: T): T {
    return tree_map((leaf) => {
      if (!(leaf instanceof Tensor))
        throw new Error(`Expected tensors, got unsupported type ${type_name(leaf)}`);
      return leaf.requires_grad && !this.reach_outside([leaf]) ? leaf.detach() : leaf;
    }, value) as T;
  }

  /** The gradients of `outputs`, zeros where they do not depend on an input. */
  gradients(
    outputs: readonly Tensor[],
    inputs: readonly Tensor[],
    weights: readonly (Tensor | null)[],
    retain_graph: boolean,
    create_graph: boolean,
  ): Tensor[] {
    const used = outputs.flatMap((t, i) => (t.requires_grad ? [i] : []));
    const found =
      used.length === 0
        ? inputs.map(() => null)
        : gradients(
            used.map((i) => outputs[i]),
            inputs,
            used.map((i) => weights[i] ?? null),
            { retain_graph, create_graph, allow_unused: true },
          );
    return found.map((g, i) => g ?? ops.zeros_like(inputs[i]));
  }
}
