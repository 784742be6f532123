// PyTorch's legacy constructors, with and without `new`: torch.Tensor([2]), torch.FloatTensor(2, 3), torch.autograd.Variable(t).
import { tensor } from './creation';
import { CONSTRUCTOR_DTYPES, dtypeCode, dtypeName, type DType } from './dtype';
import { native, type Handle } from './native';
import { Tensor as TensorClass } from './tensor';
import type { TensorData } from './types';

function construct(dtype: DType, args: unknown[]): TensorClass {
  if (args.length === 1 && (Array.isArray(args[0]) || ArrayBuffer.isView(args[0]))) {
    return tensor(args[0] as TensorData, { dtype });
  }
  if (args.length === 1 && args[0] instanceof TensorClass) return args[0].detach();
  if (!args.every((n) => typeof n === 'number' && Number.isInteger(n))) {
    throw new TypeError(
      `new(): expected sizes or an array of data, but got (${args.map((a) => typeof a).join(', ')})`,
    );
  }
  const sizes = args.length === 0 ? [0] : (args as number[]);
  return new TensorClass(native.op('empty')!(sizes, dtypeCode(dtype)) as Handle);
}

/** A constructor that may be called with sizes or data, with or without `new`. */
export interface LegacyConstructor {
  (data: TensorData | TensorClass): TensorClass;
  (...sizes: number[]): TensorClass;
  new (data: TensorData | TensorClass): TensorClass;
  new (...sizes: number[]): TensorClass;
  readonly prototype: TensorClass;
}

/** `x instanceof` works as for the class itself; `accepts` narrows it by dtype. */
function legacy(dtype: () => DType, accepts?: DType): LegacyConstructor {
  // A class cannot be called, not even through a proxy, so the target is a plain function that stands for it.
  const target = function () {} as unknown as typeof TensorClass;
  Object.defineProperty(target, 'prototype', { value: TensorClass.prototype });
  const constructor = new Proxy(target, {
    apply: (_target, _this, args: unknown[]) => construct(dtype(), args),
    construct: (_target, args: unknown[], newTarget) =>
      // A subclass hands a native handle on to the class.
      isHandle(args[0])
        ? (Reflect.construct(TensorClass, args, newTarget) as TensorClass)
        : construct(dtype(), args),
    get: (_target, key) =>
      key === Symbol.hasInstance
        ? (v: unknown) => v instanceof TensorClass && (accepts === undefined || v.dtype === accepts)
        : (Reflect.get(key === 'prototype' ? target : TensorClass, key) as unknown),
  }) as unknown as LegacyConstructor;
  CONSTRUCTOR_DTYPES.set(constructor, dtype);
  return constructor;
}

const isHandle = (v: unknown): boolean =>
  typeof v === 'object' && v !== null && Object.getPrototypeOf(v) === null && !ArrayBuffer.isView(v);

/** PyTorch's legacy constructor, and the class for `instanceof`: `torch.Tensor([1, 2])` holds data, `torch.Tensor(2, 3)` is uninitialised. */
export const Tensor = legacy(() => dtypeName(native.get_default_dtype()));
export type Tensor = TensorClass;
export const FloatTensor = legacy(() => 'float32', 'float32');
export const DoubleTensor = legacy(() => 'float64', 'float64');
export const HalfTensor = legacy(() => 'float16', 'float16');
export const BFloat16Tensor = legacy(() => 'bfloat16', 'bfloat16');
export const LongTensor = legacy(() => 'int64', 'int64');
export const IntTensor = legacy(() => 'int32', 'int32');
export const ShortTensor = legacy(() => 'int16', 'int16');
export const CharTensor = legacy(() => 'int8', 'int8');
export const ByteTensor = legacy(() => 'uint8', 'uint8');
export const BoolTensor = legacy(() => 'bool', 'bool');

/** PyTorch's legacy `autograd.Variable(tensor, requires_grad)`: the tensor's memory as a leaf. */
export interface VariableConstructor {
  (data: TensorClass | TensorData, requires_grad?: boolean | { requires_grad?: boolean }): TensorClass;
  new (data: TensorClass | TensorData, requires_grad?: boolean | { requires_grad?: boolean }): TensorClass;
}
export const Variable = function (
  data: TensorClass | TensorData,
  requires_grad: boolean | { requires_grad?: boolean } = false,
): TensorClass {
  const wanted = typeof requires_grad === 'boolean' ? requires_grad : (requires_grad.requires_grad ?? false);
  const t = data instanceof TensorClass ? data.detach() : tensor(data);
  return wanted ? t.requires_grad_() : t;
} as unknown as VariableConstructor;
