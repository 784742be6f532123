// Floating-point operations by PyTorch's formulas, of the operators that it counts.
import type { Shape } from './events';

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Of `[..., n, m] @ [..., m, p]`: each element of the result takes m multiplications and m additions. */
const of_product = (left: readonly number[], result_numel: number): number =>
  2 * result_numel * (left.at(-1) ?? 0);

/**
 * How many operations a call took; 0 where PyTorch does not count. `linear` and `matmul` are counted here, for they run as
 * one operator, where PyTorch counts the `addmm` or `mm` inside.
 */
export function flops_of(name: string, shapes: readonly Shape[], result_numel: number): number {
  const [first = [], second = []] = shapes as number[][];
  switch (name) {
    case 'aten::mm':
    case 'aten::bmm':
    case 'aten::matmul':
    case 'aten::linear':
      return of_product(first, result_numel);
    case 'aten::addmm':
    case 'aten::baddbmm':
      return of_product(second, result_numel);
    case 'aten::conv2d':
      return second.length > 0 ? (2 * result_numel * product(second)) / second[0] : 0;
    case 'aten::add':
    case 'aten::mul':
      return product(first);
    default:
      return 0;
  }
}
