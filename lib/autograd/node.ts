// Nodes of the graph as JavaScript sees them.
import { dtypeName, type DType } from '../dtype';
import { Device } from '../device';
import { hook_name, removable, type RemovableHandle } from '../removable';
import { native, type Handle, type NodeHandle } from '../native';
import { type_name } from '../type_name';
import type { Tensor } from '../tensor';
import { user_frames } from './stack';

export type Grads = (Tensor | null)[];
/** May return gradients that replace `grad_inputs`. */
export type NodeHook = (grad_inputs: Grads, grad_outputs: Grads) => Grads | null | undefined | void;
/** May return gradients that replace `grad_outputs`. */
export type NodePreHook = (grad_outputs: Grads) => Grads | null | undefined | void;

/** What a node knows of one of its forward outputs. */
export interface InputMetadata {
  readonly shape: number[];
  readonly dtype: DType;
  readonly device: Device;
  readonly is_nested_tensor: boolean;
}

/**
 * A node of the autograd graph: a tensor's `grad_fn`, also `torch.autograd.graph.Node`.
 *
 * While it is in use, one node is one object: `===` compares nodes.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#autograd-graph
 */
export class GradFn {
  /** @internal */
  constructor(readonly _n: NodeHandle) {}
  /** PyTorch's name, such as `MulBackward0`. */
  name(): string {
    return native.node_name(this._n);
  }
  /** The nodes that receive this one's gradients, each with the number of the output it was; null where no gradient is needed. */
  get next_functions(): [GradFn | null, number][] {
    return native.node_next(this._n).map(([n, i]) => [wrapNode(n), i]);
  }
  /** Of an AccumulateGrad node: the leaf. */
  get variable(): Tensor | undefined {
    const h = native.node_variable(this._n);
    return h === null ? undefined : makeTensor(h);
  }
  /**
   * An object of your own that belongs to the node. A node made in anomaly mode has there `traceback_`, the lines of the stack of
   * the forward call that made it, and `parent_`, the node in whose backward that was.
   */
  get metadata(): Record<string, unknown> {
    return native.node_metadata(this._n, origin_of(this._n));
  }
  /** Shape, dtype and device of what the node's forward returned, which is what its gradients come in. */
  get _input_metadata(): InputMetadata[] {
    return native.node_outputs(this._n).map(([shape, dtype, device]) => ({
      shape,
      dtype: dtypeName(dtype),
      device: Device.of(device),
      is_nested_tensor: false,
    }));
  }
  /** Nodes made later have higher numbers, and run earlier in backward. A bigint for the node of a leaf, which comes first of all. */
  _sequence_nr(): number | bigint {
    return native.node_sequence_nr(this._n);
  }
  /**
   * Calls `hook(grad_inputs, grad_outputs)` after this node ran in backward. An array that it returns replaces `grad_inputs`; it must
   * have as many gradients, of the same shapes, dtypes and devices, or null.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.Node.register_hook.html
   *
   * @example
   * const a = torch.zeros(3, { requires_grad: true });
   * const b = a.clone();
   * b.grad_fn.register_hook((grad_inputs, grad_outputs) => [grad_outputs[0].mul(2)]);
   * b.sum().backward();
   * a.grad.tolist(); // [2, 2, 2]
   */
  register_hook(hook: NodeHook): RemovableHandle {
    const lowered = (gi: (Handle | null)[], go: (Handle | null)[]): (Handle | null)[] | null =>
      lower(hook(gi.map(lift), go.map(lift)));
    return removable(native.node_register_hook(this._n, lowered, hook_name(hook)));
  }
  /**
   * Calls `hook(grad_outputs)` before this node runs in backward. An array that it returns replaces `grad_outputs`, under the rules of
   * {@link register_hook}.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.Node.register_prehook.html
   *
   * @example
   * const a = torch.zeros(3, { requires_grad: true });
   * const b = a.clone();
   * b.grad_fn.register_prehook(([grad]) => [grad.mul(2)]);
   * b.sum().backward();
   * a.grad.tolist(); // [2, 2, 2]
   */
  register_prehook(hook: NodePreHook): RemovableHandle {
    const lowered = (go: (Handle | null)[]): (Handle | null)[] | null => lower(hook(go.map(lift)));
    return removable(native.node_register_prehook(this._n, lowered, hook_name(hook)));
  }
  /** @internal The name without the namespace that PyTorch's own classes carry: what `repr` shows. */
  get _class(): string {
    return this.name().replace(/^.*::/, '');
  }
  toString(): string {
    return `<${this._class} object at 0x${native.node_id(this._n).toString(16)}>`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

const lift = (h: Handle | null): Tensor | null => (h === null ? null : makeTensor(h));

/** What a hook gave back, for the native layer, which checks the gradients themselves. */
export function lower_grad(g: unknown): Handle | null {
  if (g === null || g === undefined) return null;
  if (!isTensor(g)) throw new TypeError(`expected Variable, but hook returned '${type_name(g)}'`);
  return g._h;
}
function lower(r: unknown): (Handle | null)[] | null {
  if (r === null || r === undefined) return null;
  if (!Array.isArray(r)) throw new TypeError(`expected tuple, but hook returned '${type_name(r)}'`);
  return r.map(lower_grad);
}

// The Tensor class imports this file; it hands itself in.
let makeTensor: (h: Handle) => Tensor;
let isTensor: (v: unknown) => v is Tensor;
export function setTensorFactory(f: (h: Handle) => Tensor, is: (v: unknown) => v is Tensor): void {
  makeTensor = f;
  isTensor = is;
}

const nodes = new Map<number, WeakRef<GradFn>>();
let sweep_at = 4096;
/** One object per node while it is in use, so that `===` compares nodes. */
export function wrapNode(n: NodeHandle | null): GradFn | null {
  if (n === null) return null;
  const id = native.node_id(n);
  const known = nodes.get(id)?.deref();
  if (known) return known;
  const g = new GradFn(n);
  nodes.set(id, new WeakRef(g));
  if (nodes.size > sweep_at) {
    for (const [k, r] of nodes) if (!r.deref()) nodes.delete(k);
    sweep_at = Math.max(4096, 2 * nodes.size); // however many are in use
  }
  return g;
}

/** What anomaly mode knows of a node, in the form of its metadata. */
function origin_of(n: NodeHandle): Record<string, unknown> {
  const [trace, parent] = native.node_trace(n);
  if (trace === null) return {};
  const origin: Record<string, unknown> = { traceback_: user_frames(trace as Error) };
  if (parent !== null) origin.parent_ = wrapNode(parent);
  return origin;
}
