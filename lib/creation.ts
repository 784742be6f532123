// Tensors from JavaScript values: torch.tensor, as_tensor, from_typed_array.
import { arrayFor, dtypeCode, dtypeName, dtypeOfArray, type DType, type TypedArray } from './dtype';
import { unknownKey } from './dispatch';
import { guard, rethrow } from './errors';
import { native } from './native';
import { Tensor } from './tensor';
import type { DeviceLike, TensorData } from './types';

export interface TensorOptions {
  dtype?: DType | null;
  device?: DeviceLike | null;
  requires_grad?: boolean;
}

const isTyped = (v: unknown): v is TypedArray => ArrayBuffer.isView(v) && !(v instanceof DataView);
type Leaf = number | bigint | boolean;

/** Shape of nested data; throws where rows differ in length, as PyTorch does. */
function shapeOf(data: unknown): number[] {
  const shape: number[] = [];
  let d = data;
  while (Array.isArray(d) || isTyped(d)) {
    shape.push(d.length);
    if (d.length === 0) break;
    d = d[0];
  }
  return shape;
}

function flatten(data: unknown, shape: number[], dim: number, out: unknown[]): void {
  if (dim === shape.length) {
    if (Array.isArray(data) || isTyped(data))
      throw new Error(`expected a number at dim ${dim}, but got an array`);
    out.push(data);
    return;
  }
  if (!Array.isArray(data) && !isTyped(data)) {
    throw new TypeError(`expected an array of length ${shape[dim]} at dim ${dim}, but got ${typeof data}`);
  }
  if (data.length !== shape[dim]) {
    throw new Error(`expected sequence of length ${shape[dim]} at dim ${dim} (got ${data.length})`);
  }
  for (const v of data) flatten(v, shape, dim + 1, out);
}

/** The dtype PyTorch would infer, but that numbers without a fraction count as floats: JavaScript cannot tell 2 from 2.0. */
function inferDtype(flat: unknown[]): DType {
  let kind: 'bool' | 'int64' | 'float' = 'bool';
  if (flat.length === 0) kind = 'float';
  for (const v of flat) {
    if (typeof v === 'number') kind = 'float';
    else if (typeof v === 'bigint') kind = kind === 'float' ? 'float' : 'int64';
    else if (v instanceof Tensor) {
      if (v.is_floating_point()) kind = 'float';
      else if (v.dtype !== 'bool' && kind === 'bool') kind = 'int64';
    } else if (typeof v !== 'boolean')
      throw new TypeError(`must be real number, not ${v === null ? 'null' : typeof v}`);
  }
  return kind === 'float' ? dtypeName(native.get_default_dtype()) : kind;
}

function fill(array: TypedArray, flat: unknown[], dtype: DType): void {
  for (let i = 0; i < flat.length; ++i) {
    let v = flat[i] as Leaf | Tensor;
    if (v instanceof Tensor) v = v.item();
    if (dtype === 'int64') {
      (array as BigInt64Array)[i] = typeof v === 'bigint' ? v : BigInt(Math.trunc(Number(v)));
    } else if (dtype === 'bool') {
      (array as Uint8Array)[i] = v ? 1 : 0;
    } else {
      const n = Number(v);
      (array as Float32Array)[i] = n;
    }
  }
}

const RANGES: Partial<Record<DType, [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-2147483648, 2147483647],
};

function checkRange(flat: unknown[], dtype: DType): void {
  const r = RANGES[dtype];
  if (!r) {
    if (dtype === 'int64' && flat.some((v) => typeof v === 'number' && !Number.isFinite(v))) {
      throw new Error('cannot convert float infinity or NaN to integer');
    }
    return;
  }
  for (const v of flat) {
    const n = Number(v);
    if (n < r[0] || n > r[1] || Number.isNaN(n)) {
      throw new Error(
        `value cannot be converted to type ${dtype === 'uint8' ? 'uint8_t' : `${dtype}_t`} without overflow`,
      );
    }
  }
}

function fromFlat(flat: unknown[], shape: number[], dtype: DType): Tensor {
  checkRange(flat, dtype);
  const half = dtype === 'float16' || dtype === 'bfloat16';
  const array = arrayFor(dtype, flat.length);
  fill(array, flat, half ? 'float32' : dtype);
  const t = new Tensor(native.from_bytes(array, dtypeCode(half ? 'float32' : dtype), shape));
  return half ? t.to(dtype) : t;
}

function check(name: string, o: object, valid: string[]): void {
  for (const k of Object.keys(o)) if (!valid.includes(k)) throw new TypeError(unknownKey(name, k, valid));
}

/**
 * A new tensor with a copy of `data`: a number, boolean, bigint, nested arrays of them, or a typed array.
 *
 * The dtype is `dtype` when given; else that of a typed array; int64 for bigints, bool for booleans, and the default dtype for numbers. Here
 * JavaScript differs from Python, which tells `2` from `2.0`: `torch.tensor([1, 2])` is float32.
 * Throws when rows differ in length, or a value does not fit the dtype. `requires_grad` makes it a leaf that collects a gradient.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
 *
 * @example
 * ```ts
 * torch.tensor([[1, 2], [3, 4.5]])
 * torch.tensor([1, 2], { dtype: 'int64' })
 * ```
 */
export function tensor(
  data: TensorData | Tensor,
  options: TensorOptions & { pin_memory?: boolean } = {},
): Tensor {
  check('tensor', options, ['dtype', 'device', 'requires_grad', 'pin_memory']);
  let t: Tensor;
  try {
    if (data instanceof Tensor) {
      t = data.detach().clone();
      if (options.dtype) t = t.to(options.dtype);
    } else if (isTyped(data)) {
      const own = dtypeOfArray(data);
      t = new Tensor(native.from_bytes(data, dtypeCode(own), [data.length]));
      if (options.dtype) t = t.to(options.dtype);
    } else {
      const shape = shapeOf(data);
      const flat: unknown[] = [];
      flatten(data, shape, 0, flat);
      t = fromFlat(flat, shape, options.dtype ? dtypeName(dtypeCode(options.dtype)) : inferDtype(flat));
    }
    if (options.device) t = t.to(String(options.device));
    if (options.requires_grad) {
      if (!t.is_floating_point())
        throw new Error('Only Tensors of floating point and complex dtype can require gradients');
      guard(() => native.set_requires_grad(t._h, true));
    }
    return t;
  } catch (e) {
    return rethrow(e);
  }
}

/** Like `tensor`, but gives back a tensor that already fits, history included. */
export function as_tensor(
  data: TensorData | Tensor,
  options: Omit<TensorOptions, 'requires_grad'> = {},
): Tensor {
  if (!(data instanceof Tensor)) return tensor(data, options);
  let t = data;
  if (options.dtype) t = t.to(options.dtype);
  if (options.device) t = t.to(String(options.device));
  return t;
}

/**
 * A tensor on the memory of a typed array: writes to either show in both (`torch.from_numpy`).
 * `shape` defaults to one dimension. Throws when it does not fit the array.
 */
export function from_typed_array(array: TypedArray, shape: number[] = [array.length]): Tensor {
  try {
    return new Tensor(native.share_bytes(array, dtypeCode(dtypeOfArray(array)), shape));
  } catch (e) {
    return rethrow(e);
  }
}

export const is_tensor = (v: unknown): v is Tensor => v instanceof Tensor;
