// What `torch` holds.
import { setTensorFactory } from './autograd/node';
import { Tensor as TensorClass } from './tensor';

setTensorFactory(
  (h) => new TensorClass(h),
  (v) => v instanceof TensorClass,
);

export * from './generated/ops';
export * from './creation';
export {
  BFloat16Tensor,
  BoolTensor,
  ByteTensor,
  CharTensor,
  DoubleTensor,
  FloatTensor,
  HalfTensor,
  IntTensor,
  LongTensor,
  ShortTensor,
  Tensor,
} from './legacy';
export { run_async, type AsyncOptions } from './async';
export * from './random';
export * from './system';
export { device, Device } from './device';
export { Slice } from './slice';
export { set_printoptions } from './printing';
export type { DType } from './dtype';
export type { DeviceLike, MemoryFormat, NestedArray, Scalar, TensorData } from './types';
export * as autograd from './autograd';
export * as cuda from './cuda';
export * as func from './func';
export { vmap } from './func';
export * as nn from './nn';
export * as optim from './optim';
export * as testing from './testing';
export * as profiler from './profiler';
export * as utils from './utils';
export {
  is_anomaly_check_nan_enabled,
  is_anomaly_enabled,
  set_anomaly_enabled,
} from './autograd/anomaly_mode';
export {
  enable_grad,
  inference_mode,
  is_inference_mode_enabled,
  no_grad,
  set_default_dtype,
  set_grad_enabled,
} from './autograd/modes';

export const float32 = 'float32' as const;
export const float64 = 'float64' as const;
export const float16 = 'float16' as const;
export const bfloat16 = 'bfloat16' as const;
export const int64 = 'int64' as const;
export const int32 = 'int32' as const;
export const int16 = 'int16' as const;
export const int8 = 'int8' as const;
export const uint8 = 'uint8' as const;
export const bool = 'bool' as const;
export const float = float32;
export const double = float64;
export const half = float16;
export const long = int64;
export const int = int32;
export const short = int16;
export const contiguous_format = 'contiguous_format' as const;
export const preserve_format = 'preserve_format' as const;
export const channels_last = 'channels_last' as const;
