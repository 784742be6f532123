// Nodes of the graph as JavaScript sees them.
import { native, type Handle, type NodeHandle } from '../native';
import type { RemovableHandle, Tensor } from '../tensor';

type Grads = (Tensor | null)[];

/** A node of the autograd graph: a tensor's `grad_fn`. */
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
  /** Calls `hook(grad_inputs, grad_outputs)` after this node ran; what it returns, if anything, replaces `grad_inputs`. */
  register_hook(
    hook: (grad_inputs: Grads, grad_outputs: Grads) => Grads | null | undefined | void,
  ): RemovableHandle {
    const id = native.node_register_hook(this._n, (gi, go) => lower(hook(gi.map(lift), go.map(lift))));
    return { remove: () => native.node_remove_hook(this._n, id) };
  }
  /** Calls `hook(grad_outputs)` before this node runs. */
  register_prehook(hook: (grad_outputs: Grads) => Grads | null | undefined | void): RemovableHandle {
    const id = native.node_register_prehook(this._n, (go) => lower(hook(go.map(lift))));
    return { remove: () => native.node_remove_hook(this._n, id) };
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
const lower = (r: Grads | null | undefined | void): (Handle | null)[] | null =>
  r ? r.map((t) => t?._h ?? null) : null;

// The Tensor class imports this file; it hands itself in.
let makeTensor: (h: Handle) => Tensor;
export function setTensorFactory(f: (h: Handle) => Tensor): void {
  makeTensor = f;
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
