import type { DeviceLike } from '../types';
import type { DType } from '../dtype';
import { bind, is_plain_object } from '../args';
import { Tensor } from '../tensor';

interface ToOptions {
  device?: DeviceLike | null;
  dtype?: DType | null;
  non_blocking?: boolean;
  memory_format?: string | null;
}

/** What `to` takes: a device, a dtype, both in this order, a tensor to be like, or all by name. */
export type ToArguments =
  | [device: string, dtype?: string | ToOptions, non_blocking?: boolean | ToOptions]
  | [other: Tensor, options?: ToOptions]
  | [options: ToOptions];

const FLOATING = new Set(['float16', 'bfloat16', 'float32', 'float64', 'complex64', 'complex128']);
const OTHER = new Set(['int8', 'int16', 'int32', 'int64', 'uint8', 'bool']);

/** The arguments of `Module.to`, sorted out. */
export function parse_to(args: readonly unknown[]): {
  device: DeviceLike | null;
  dtype: DType | null;
  non_blocking: boolean;
  memory_format: string | null;
} {
  const nothing = { device: null as DeviceLike | null, dtype: null as DType | null, non_blocking: false };
  let positional = args.filter((arg) => !is_plain_object(arg));
  const options = args.filter(is_plain_object);
  const [first] = positional;
  if (first instanceof Tensor) positional = [String(first.device), first.dtype, ...positional.slice(1)];
  else if (typeof first === 'string' && (FLOATING.has(first) || OTHER.has(first)))
    positional.unshift(undefined);
  else if (first !== undefined && first !== null) positional[0] = String(first);
  const parsed = bind('to', { ...nothing, memory_format: null as string | null }, [
    ...positional,
    ...options,
  ]);
  if (parsed.dtype !== null && !FLOATING.has(parsed.dtype)) {
    throw new TypeError(
      `nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.${parsed.dtype}`,
    );
  }
  return parsed;
}
