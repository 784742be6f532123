// Which inputs gradcheck takes, and why not others.
import { repr_float } from '../../pyformat';
import type { Tensor } from '../../tensor';
import { checked_inputs, is_tensor } from './jacobian';

/** Whether two elements of the tensor lie at the same place in memory. */
function overlaps(x: Tensor): boolean {
  const dims = x.stride().map((stride, d) => ({ stride, size: x.shape[d] }));
  // From the innermost outwards, a step longer than everything inside cannot meet it.
  let reach = 1;
  const apart = dims
    .filter(({ size }) => size > 1)
    .sort((a, b) => a.stride - b.stride)
    .every(({ stride, size }) => {
      const clear = stride >= reach;
      reach += stride * (size - 1);
      return clear;
    });
  if (apart) return false;
  let offsets = [0];
  for (const { stride, size } of dims) {
    offsets = offsets.flatMap((at) => Array.from({ length: size }, (_, k) => at + k * stride));
  }
  return new Set(offsets).size < offsets.length;
}

/** Throws for inputs whose numerical gradients would be wrong, and where there is nothing to check. */
export function check_inputs(inputs: readonly unknown[], eps: number): void {
  inputs.forEach((x, i) => {
    if (!is_tensor(x) || !x.requires_grad) return;
    if (x.dtype !== 'float64') {
      throw new Error(
        `Input #${i} requires gradient and is not a double precision floating point or complex. ` +
          'This check will likely fail if all the inputs are not of double precision floating point or complex. ' +
          `It is ${x.dtype}, whose rounding errors drown a difference over a step of eps=${repr_float(eps)}: pass x.double(), and let func ` +
          'compute in float64.',
      );
    }
    const alike = (what: string): Error =>
      new Error(
        `The ${i}th input has ${what}. gradcheck only supports inputs that are non-overlapping to be able to compute the ` +
          'numerical gradients correctly. You should call .contiguous on the input before passing it to gradcheck.',
      );
    if (x.stride().some((stride, d) => stride === 0 && x.shape[d] > 1))
      throw alike('a dimension with stride 0');
    if (overlaps(x)) throw alike('elements that share their memory');
  });
  if (checked_inputs(inputs).length === 0) {
    throw new Error(
      'gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.',
    );
  }
}
