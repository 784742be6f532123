// Edges of the graph: where the gradient of a tensor flows.
import { guard } from '../errors';
import { native, type EndHandle } from '../native';
import { Tensor } from '../tensor';
import { wrapNode, type GradFn } from './node';

/**
 * Where the gradient of a tensor flows: to output `output_nr` of `node`. It stands for the tensor in `grad()` and `backward()` without
 * keeping its values.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.GradientEdge.html
 */
export class GradientEdge {
  constructor(
    readonly node: GradFn,
    readonly output_nr: number,
    /** Of PyTorch's shape; a node here keeps its graph alive by itself. */
    readonly ownership_token: GradFn | null = null,
  ) {}
  /** Node and number, to be taken apart as PyTorch's named tuple is. */
  *[Symbol.iterator](): Generator<GradFn | number | null> {
    yield this.node;
    yield this.output_nr;
    yield this.ownership_token;
  }
  toString(): string {
    return `GradientEdge(node=${this.node.toString()}, output_nr=${this.output_nr}, ownership_token=${String(this.ownership_token ?? 'None')})`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** A tensor, or the edge that stands for it. */
export type TensorOrEdge = Tensor | GradientEdge;

/** What the native layer takes for one end of a backward pass. */
export const end_handle = (end: TensorOrEdge): EndHandle =>
  end instanceof GradientEdge ? [end.node._n, end.output_nr] : end._h;

/**
 * The edge along which the gradient of `tensor` flows: `grad(loss, get_gradient_edge(x))` is `grad(loss, x)`.
 *
 * Throws when the tensor requires no gradient. See
 * https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.get_gradient_edge.html
 *
 * @example
 * const x = torch.tensor([2], { requires_grad: true });
 * const y = x.mul(x);
 * const edge = torch.autograd.graph.get_gradient_edge(x);
 * torch.autograd.grad(y, edge)[0].tolist(); // [4]
 */
export function get_gradient_edge(tensor: Tensor): GradientEdge {
  const edge = guard(() => native.tensor_edge(tensor._h));
  const node = edge === null ? null : wrapNode(edge[0]);
  if (edge === null || node === null) {
    throw new Error(
      'It is not possible to get the gradient edge for a Tensor that does not require gradients',
    );
  }
  return new GradientEdge(node, edge[1]);
}

/** The node that a gradient of `end` reaches first. */
export const node_of = (end: TensorOrEdge): GradFn =>
  end instanceof GradientEdge ? end.node : get_gradient_edge(end).node;

/**
 * Tells autograd that `tensor` (or each of several) was written in place by something that it does not see, such as a typed array on
 * the same memory. Does nothing to inference tensors.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.increment_version.html
 *
 * @example
 * const x = torch.zeros(2);
 * torch.autograd.graph.increment_version(x);
 * x._version; // 1
 */
export function increment_version(tensor: Tensor | Iterable<Tensor>): void {
  for (const t of tensor instanceof Tensor ? [tensor] : tensor) guard(() => native.increment_version(t._h));
}
