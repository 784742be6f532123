import { bind } from '../args';
import { type DType, isDType } from '../dtype';
import { Tensor } from '../tensor';
import type { DeviceLike, MemoryFormat } from '../types';

interface ToOptions {
  device?: DeviceLike | null;
  dtype?: DType | null;
  non_blocking?: boolean;
  memory_format?: MemoryFormat | null;
}

/** What `to` takes: a device, a dtype, both in this order, a tensor to be like, or all by name. */
export type ToArguments =
  | [device: DeviceLike | null, dtype?: DType | null | ToOptions, non_blocking?: boolean | ToOptions]
  | [dtype: DType, non_blocking?: boolean | ToOptions]
  | [other: Tensor, options?: ToOptions]
  | [options: ToOptions];

/** The arguments of `Module.to`, sorted out. */
export function parse_to(args: readonly unknown[]): Required<ToOptions> {
  const [first, ...rest] = args;
  let sorted = args;
  if (first instanceof Tensor) sorted = [first.device, first.dtype, ...rest];
  else if (isDType(first)) sorted = [undefined, first, ...rest];
  const none: Required<ToOptions> = { device: null, dtype: null, non_blocking: false, memory_format: null };
  const parsed = bind('to', none, sorted);
  if (parsed.dtype !== null && !/float|double|half/.test(parsed.dtype)) {
    const name = parsed.dtype.replace('torch.', '');
    throw new TypeError(
      `nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.${name}`,
    );
  }
  return parsed;
}
