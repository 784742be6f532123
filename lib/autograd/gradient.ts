// torch.autograd.backward and torch.autograd.grad.
import { guard, rethrow } from '../errors';
import { interception } from '../interception';
import { stack, zeros_like } from '../ops';
import { repr_size } from '../pyformat';
import { native } from '../native';
import { Tensor } from '../tensor';
import { end_handle, GradientEdge, type TensorOrEdge } from './edge';

type Many = TensorOrEdge | readonly TensorOrEdge[];
const listOf = (t: Many): TensorOrEdge[] => (t instanceof Tensor || t instanceof GradientEdge ? [t] : [...t]);

export interface GradOptions {
  grad_outputs?: Tensor | readonly (Tensor | null)[] | null;
  retain_graph?: boolean | null;
  create_graph?: boolean;
  allow_unused?: boolean | null;
  /** The first dimension of each of `grad_outputs` counts vectors: as many products at once, stacked. */
  is_grads_batched?: boolean;
  materialize_grads?: boolean;
}

type Grads = (Tensor | null)[];
/** How a backward pass runs: see `grad`. */
export interface PassOptions {
  retain_graph: boolean;
  create_graph: boolean;
  allow_unused: boolean;
}

/** One backward pass for the gradients of `inputs`; null for what does not depend on an input. */
export function gradients(
  outputs: readonly TensorOrEdge[],
  inputs: readonly TensorOrEdge[],
  weights: readonly (Tensor | null)[],
  options: PassOptions,
): Grads {
  if (interception.vmaps > 0) {
    // Edges know nothing of samples.
    return interception.hooks.gradients(outputs as Tensor[], inputs as Tensor[], weights, options);
  }
  return native_gradients(outputs, inputs, weights, options);
}

/** The same for tensors none of which is batched. */
export function native_gradients(
  outputs: readonly TensorOrEdge[],
  inputs: readonly TensorOrEdge[],
  weights: readonly (Tensor | null)[],
  options: PassOptions,
): Grads {
  const handles = guard(() =>
    native.grad_of(
      outputs.map(end_handle),
      outputs.map((_, i) => weights[i]?._h ?? null),
      inputs.map(end_handle),
      options.retain_graph,
      options.create_graph,
      options.allow_unused,
    ),
  );
  return handles.map((h) => (h === null ? null : new Tensor(h)));
}

/** As many passes as the first dimension of the weights counts; their gradients stacked. */
export function batched_gradients(
  outputs: readonly TensorOrEdge[],
  inputs: readonly TensorOrEdge[],
  weights: readonly Tensor[],
  options: PassOptions,
): Grads {
  const size = weights[0].shape[0];
  const rows: Grads[] = [];
  for (let i = 0; i < size; ++i) {
    const row = weights.map((w) => w.select(0, i));
    const retain_graph = options.retain_graph || i < size - 1;
    rows.push(gradients(outputs, inputs, row, { ...options, retain_graph }));
  }
  return inputs.map((_, k) => (rows[0][k] === null ? null : stack(rows.map((row) => row[k] as Tensor))));
}

const shape_of = (end: TensorOrEdge): number[] =>
  end instanceof GradientEdge ? end.node._input_metadata[end.output_nr].shape : end.shape;

/** The weights with a dimension of vectors in front, checked as PyTorch checks them. */
function batched_weights(outputs: readonly TensorOrEdge[], weights: Grads): Tensor[] {
  weights.forEach((w, i) => {
    if (w === null) return;
    if (w.dim() === 0) {
      throw new RangeError(
        'invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number',
      );
    }
    if (w.shape[0] === 0) throw new RangeError('index 0 is out of bounds for dimension 0 with size 0');
    const [, ...shape] = w.shape;
    if (shape.join() !== shape_of(outputs[i]).join()) {
      // PyTorch's text leaves out a dimension too many.
      throw new Error(
        'If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The sizes of the ' +
          'remaining dimensions are expected to match the shape of corresponding output, but a mismatch was detected: ' +
          `grad_output[${i}] has a shape of ${repr_size(shape.slice(1))} and output[${i}] has a shape of ${repr_size(shape_of(outputs[i]))}. ` +
          'If you only want some tensors in `grad_output` to be considered batched, consider using vmap.',
      );
    }
  });
  if (weights.length !== outputs.length || weights.includes(null)) {
    throw new Error(
      'vmap(vjp, in_dims=0, ...)(<inputs>): Got in_dim=0 for some input, but that input is a Tensor of dimensionality 0 so expected ' +
        'in_dim to satisfy 0 <= in_dim < 0.',
    );
  }
  const list = weights as Tensor[];
  const sizes = list.map((w) => w.shape[0]);
  if (sizes.some((n) => n !== sizes[0])) {
    throw new Error(
      `vmap: Expected all tensors to have the same size in the mapped dimension, got sizes [${sizes.join(', ')}] for the mapped dimension`,
    );
  }
  return list;
}

/**
 * The gradients of `outputs` with respect to `inputs`, one per input, without touching `.grad`.
 *
 * A GradientEdge may stand for a tensor on either side.
 *
 * `grad_outputs` weighs the outputs (needed unless they are single elements). An input that was not used throws unless `allow_unused` (then
 * null) or `materialize_grads` (then zeros); `is_grads_batched` does as many products at once as the
 * first dimension of `grad_outputs` counts. See https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
 */
export function grad(
  outputs: Many,
  inputs: Many,
  grad_outputs?: GradOptions['grad_outputs'] | GradOptions,
  options: GradOptions = {},
): Tensor[] {
  let weights = grad_outputs;
  let o = options;
  if (weights !== null && weights !== undefined && !(weights instanceof Tensor) && !Array.isArray(weights)) {
    o = weights as GradOptions;
    weights = o.grad_outputs;
  }
  for (const k of Object.keys(o)) {
    if (
      ![
        'grad_outputs',
        'retain_graph',
        'create_graph',
        'allow_unused',
        'is_grads_batched',
        'materialize_grads',
      ].includes(k)
    ) {
      throw new TypeError(`grad() got an unexpected keyword argument '${k}'`);
    }
  }
  const out = listOf(outputs);
  const ins = listOf(inputs);
  if (ins.length === 0) throw new Error('`inputs` argument to `grad()` cannot be empty.');
  const w =
    weights === null || weights === undefined
      ? []
      : weights instanceof Tensor
        ? [weights]
        : (weights as (Tensor | null)[]);
  if (w.length > 0 && w.length !== out.length) {
    throw new Error(`got ${out.length} tensors and ${w.length} gradients`);
  }
  const materialize = o.materialize_grads ?? false;
  if (materialize && o.allow_unused === false) {
    throw new Error(
      'Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.',
    );
  }
  const create = o.create_graph ?? false;
  const pass = {
    retain_graph: o.retain_graph ?? create,
    create_graph: create,
    allow_unused: materialize || (o.allow_unused ?? false),
  };
  const found = o.is_grads_batched
    ? batched_gradients(out, ins, batched_weights(out, w), pass)
    : gradients(out, ins, w, pass);
  return found.map((g, i) => {
    if (g !== null || !materialize) return g as Tensor;
    const input = ins[i];
    if (input instanceof GradientEdge) {
      throw new Error('materialize_grads cannot be used when the given input is a GradientEdge');
    }
    return zeros_like(input);
  });
}

export interface BackwardAllOptions {
  grad_tensors?: Tensor | readonly (Tensor | null)[] | null;
  retain_graph?: boolean | null;
  create_graph?: boolean;
  inputs?: Many | null;
}

/** Sums the gradients of several tensors into the leaves' `.grad`. See https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html */
export function backward(
  tensors: Many,
  grad_tensors?: BackwardAllOptions['grad_tensors'] | BackwardAllOptions,
  options: BackwardAllOptions = {},
): void {
  let weights = grad_tensors;
  let o = options;
  if (weights !== null && weights !== undefined && !(weights instanceof Tensor) && !Array.isArray(weights)) {
    o = weights as BackwardAllOptions;
    weights = o.grad_tensors;
  }
  const out = listOf(tensors);
  const w =
    weights === null || weights === undefined
      ? []
      : weights instanceof Tensor
        ? [weights]
        : (weights as (Tensor | null)[]);
  if (w.length > 0 && w.length !== out.length)
    throw new Error(`got ${out.length} tensors and ${w.length} gradients`);
  const create = o.create_graph ?? false;
  const inputs = o.inputs ? listOf(o.inputs) : [];
  if (o.inputs && inputs.length === 0) throw new Error('`inputs` argument to `backward()` cannot be empty.');
  try {
    native.backward(
      out.map(end_handle),
      out.map((_, i) => w[i]?._h ?? null),
      inputs.map(end_handle),
      o.retain_graph ?? create,
      create,
    );
  } catch (e) {
    rethrow(e);
  }
}
