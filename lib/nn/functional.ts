/** `torch.nn.functional`: the operators that the registry places there, and what they are made into. */

import { type Args, bind, is_plain_object } from '../args';
import * as ops from '../ops';
import type { DType } from '../dtype';
import type { Tensor } from '../tensor';

export * from '../generated/functional';

interface MaxPoolOptions {
  stride?: number | number[];
  padding?: number | number[];
  dilation?: number | number[];
  ceil_mode?: boolean;
}

type MaxPoolArgs = Args<
  [],
  [stride: number | number[], padding: number | number[], dilation: number | number[], ceil_mode: boolean],
  MaxPoolOptions & { return_indices?: false }
>;

interface MaxPool {
  (input: Tensor, kernel_size: number | number[], ...rest: MaxPoolArgs): Tensor;
  (
    input: Tensor,
    kernel_size: number | number[],
    options: MaxPoolOptions & { return_indices: true },
  ): [values: Tensor, indices: Tensor];
}

/** The operator's rows for the values alone and with their indices, as the one function that PyTorch has. */
function max_pool(callee: string, values: unknown, with_indices: unknown): MaxPool {
  type Operator = (...args: unknown[]) => unknown;
  const pool = (...args: unknown[]): unknown => {
    const options = args.at(-1);
    if (!is_plain_object(options) || !('return_indices' in options)) return (values as Operator)(...args);
    const { return_indices, ...rest } = options;
    bind(callee, { return_indices: false }, [{ return_indices }]);
    return ((return_indices === true ? with_indices : values) as Operator)(...args.slice(0, -1), rest);
  };
  return pool as MaxPool;
}

/** Maxima over windows of `[N, C, L]` or `[C, L]`; with `return_indices`, `[values, indices]`. */
export const max_pool1d = max_pool('max_pool1d', ops.max_pool1d, ops.max_pool1d_with_indices);

/** Maxima over windows of `[N, C, H, W]` or `[C, H, W]`; with `return_indices`, `[values, indices]`. */
export const max_pool2d = max_pool('max_pool2d', ops.max_pool2d, ops.max_pool2d_with_indices);

/**
 * Averages the last two dimensions down to `output_size`; null keeps that size of the input.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html
 */
export function adaptive_avg_pool2d(
  input: Tensor,
  output_size: number | null | readonly (number | null)[],
): Tensor {
  if (typeof output_size === 'number') return ops.adaptive_avg_pool2d(input, output_size);
  const [height, width] = output_size ?? [null, null];
  return ops.adaptive_avg_pool2d(input, [
    height ?? input.shape[input.dim() - 2],
    width ?? input.shape[input.dim() - 1],
  ]);
}

/** The dimension that PyTorch takes, with a warning, where none is given. */
function implicit_dim(name: string, dim: number | null | undefined, input: Tensor): number {
  if (typeof dim === 'number') return dim;
  process.emitWarning(
    `Implicit dimension choice for ${name} has been deprecated. Change the call to include dim=X as an argument.`,
  );
  return [0, 1, 3].includes(input.dim()) ? 0 : 1;
}

interface SoftmaxOptions {
  dim?: number | null;
  dtype?: DType | null;
}
interface Softmax {
  (input: Tensor, dim?: number | null, options?: SoftmaxOptions): Tensor;
  (input: Tensor, options?: SoftmaxOptions): Tensor;
}
type AlongDim = (input: Tensor, dim: number, options?: { dtype?: DType | null }) => Tensor;

function along_dim(name: string, op: AlongDim): Softmax {
  return (input, ...rest) => {
    const { dim, dtype } = bind<SoftmaxOptions>(name, { dim: null, dtype: null }, rest);
    return op(input, implicit_dim(name, dim, input), { dtype });
  };
}

/** `exp(x) / sum(exp(x))` along `dim`; see `torch.softmax`. */
export const softmax = along_dim('softmax', ops.softmax);

/** The logarithm of `softmax`, computed stably; see `torch.log_softmax`. */
export const log_softmax = along_dim('log_softmax', ops.log_softmax);

/** `softmax` of `-input`. */
export const softmin = along_dim('softmin', ops.softmin);
