// Jacobians forwards, of functions from tensors to tensors.
import type { Tensor } from '../tensor';
import { jvp, split_columns, standard_basis } from './forward';
import { vmap } from './vmap';

/**
 * The Jacobian of `func`, which takes and returns arrays of tensors, all columns at once: by outputs, and in these by inputs.
 */
export function jacobian_columns(func: (...x: Tensor[]) => Tensor[], inputs: readonly Tensor[]): Tensor[][] {
  const push = (...directions: Tensor[]): Tensor[] => jvp(func, [...inputs], directions)[1];
  return vmap(push)(...standard_basis(inputs)).map((columns) => split_columns(columns, inputs));
}
