// torch.autograd.backward and torch.autograd.grad.
import { rethrow } from '../errors';
import { native } from '../native';
import { Tensor } from '../tensor';

type Many = Tensor | readonly Tensor[];
const listOf = (t: Many): Tensor[] => (t instanceof Tensor ? [t] : [...t]);

export interface GradOptions {
  grad_outputs?: Tensor | readonly (Tensor | null)[] | null;
  retain_graph?: boolean | null;
  create_graph?: boolean;
  allow_unused?: boolean | null;
  materialize_grads?: boolean;
}

/**
 * The gradients of `outputs` with respect to `inputs`, one per input, without touching `.grad`.
 *
 * `grad_outputs` weighs the outputs (needed unless they are single elements). An input that was not used throws unless `allow_unused` (then
 * null) or `materialize_grads` (then zeros). See https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
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
    if (!['grad_outputs', 'retain_graph', 'create_graph', 'allow_unused', 'materialize_grads'].includes(k)) {
      throw new TypeError(`grad() got an unexpected keyword argument '${k}'`);
    }
  }
  const out = listOf(outputs);
  const ins = listOf(inputs);
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
  try {
    const grads = native.grad_of(
      out.map((t) => t._h),
      out.map((_, i) => w[i]?._h ?? null),
      ins.map((t) => t._h),
      o.retain_graph ?? create,
      create,
      materialize || (o.allow_unused ?? false),
    );
    return grads.map((h, i) => {
      if (h !== null) return new Tensor(h);
      return (materialize ? ins[i].detach().mul(0) : null) as Tensor;
    });
  } catch (e) {
    return rethrow(e);
  }
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
  if (o.inputs && inputs.length === 0) throw new Error("'inputs' argument to backward() cannot be empty.");
  try {
    native.backward(
      out.map((t) => t._h),
      out.map((_, i) => w[i]?._h ?? null),
      inputs.map((t) => t._h),
      o.retain_graph ?? create,
      create,
    );
  } catch (e) {
    rethrow(e);
  }
}
