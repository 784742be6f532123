// Types shared by the public surface.
import type { GeneratorHandle } from './native';

/** A number as PyTorch's Scalar: integers count as ints in type promotion, other numbers as floats. */
export type Scalar = number | bigint | boolean;
/** `'cpu'`, `'cuda'`, `'cuda:1'`, or `torch.device(...)`. */
export type DeviceLike =
  string | { readonly type: string; readonly index: number | null; toString(): string };
export type MemoryFormat = 'contiguous_format' | 'preserve_format' | 'channels_last';
export type GeneratorLike = { readonly handle: GeneratorHandle };
/** Nested arrays of numbers. */
export type NestedArray = (number | bigint | boolean | NestedArray)[];
export type TensorData = number | bigint | boolean | NestedArray | ArrayBufferView;
