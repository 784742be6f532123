/** `torch.nn.utils` */

import { type Args, bind } from '../../args';
import { no_grad } from '../../autograd';
import * as ops from '../../ops';
import { Tensor } from '../../tensor';

export * as stateless from './stateless';

function grads_of(parameters: Tensor | Iterable<Tensor>): Tensor[] {
  const params = parameters instanceof Tensor ? [parameters] : [...parameters];
  return params.map((param) => param.grad).filter((grad) => grad !== null);
}

/**
 * Scales the gradients of `parameters` down such that their norm, taken as of one vector, is at most `max_norm`. Returns
 * the norm that they had. `norm_type` may be Infinity.
 */
export function clip_grad_norm_(
  parameters: Tensor | Iterable<Tensor>,
  max_norm: number,
  ...rest: Args<
    [],
    [norm_type: number, error_if_nonfinite: boolean, foreach: boolean | null],
    { norm_type?: number; error_if_nonfinite?: boolean; foreach?: boolean | null }
  >
): Tensor {
  const { norm_type, error_if_nonfinite } = bind(
    'clip_grad_norm_',
    { norm_type: 2, error_if_nonfinite: false, foreach: null as boolean | null },
    rest,
  );
  return ops._clip_grad_norm_(grads_of(parameters), max_norm, norm_type, error_if_nonfinite);
}

/** Clamps every element of the gradients of `parameters` to `[-clip_value, clip_value]`. */
export function clip_grad_value_(
  parameters: Tensor | Iterable<Tensor>,
  clip_value: number,
  ...rest: Args<[], [foreach: boolean | null], { foreach?: boolean | null }>
): void {
  bind('clip_grad_value_', { foreach: null as boolean | null }, rest);
  ops._clip_grad_value_(grads_of(parameters), clip_value);
}

/** All parameters in one vector. */
export function parameters_to_vector(parameters: Iterable<Tensor>): Tensor {
  return ops.cat([...parameters].map((param) => param.reshape([-1])));
}

/** Makes the parameters parts of one vector, in their order. */
export function vector_to_parameters(vec: Tensor, parameters: Iterable<Tensor>): void {
  if (!(vec instanceof Tensor)) throw new TypeError(`expected torch.Tensor, but got: ${typeof vec}`);
  let offset = 0;
  no_grad(() => {
    for (const param of parameters) {
      const count = param.numel();
      param.data = vec.narrow(0, offset, count).view_as(param).data;
      offset += count;
    }
  });
}
