// Data types: their names, codes at the native layer, and typed arrays.
export const DTYPES = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
] as const;
/** A data type, by PyTorch's name without the `torch.` prefix. */
export type DType = (typeof DTYPES)[number];

const ALIASES: Record<string, DType> = {
  float: 'float32',
  double: 'float64',
  half: 'float16',
  long: 'int64',
  int: 'int32',
  short: 'int16',
};
const CODES = new Map<string, number>(DTYPES.map((name, code) => [name, code]));
for (const [alias, name] of Object.entries(ALIASES)) CODES.set(alias, CODES.get(name)!);

/** Names of PyTorch's legacy tensor types, `torch.FloatTensor`, as `Tensor.type()` knows them. */
export const TENSOR_TYPES: Record<DType, string> = {
  float32: 'FloatTensor',
  float64: 'DoubleTensor',
  float16: 'HalfTensor',
  bfloat16: 'BFloat16Tensor',
  int64: 'LongTensor',
  int32: 'IntTensor',
  int16: 'ShortTensor',
  int8: 'CharTensor',
  uint8: 'ByteTensor',
  bool: 'BoolTensor',
};
/** The dtypes that the legacy constructors stand for. */
export const CONSTRUCTOR_DTYPES = new WeakMap<object, () => DType>();

/** What `Tensor.type(v)` converts to: a dtype, a legacy type's name or its constructor. */
export function dtypeOfType(v: unknown): DType {
  if (typeof v === 'function') {
    const dtype = CONSTRUCTOR_DTYPES.get(v);
    if (dtype !== undefined) return dtype();
  } else if (isDType(v)) {
    return dtypeName(dtypeCode(v));
  } else if (typeof v === 'string') {
    const found = DTYPES.find((dtype) => v === `torch.${TENSOR_TYPES[dtype]}`);
    if (found === undefined) throw new Error(`invalid type: '${v}'`);
    return found;
  }
  throw new TypeError('dtype must be a type, str, or dtype object');
}

/** The native code of a dtype name; `torch.float32` is accepted as `'float32'`. Throws a TypeError for anything else. */
export function dtypeCode(name: unknown): number {
  const code =
    typeof name === 'string' ? CODES.get(name.startsWith('torch.') ? name.slice(6) : name) : undefined;
  if (code === undefined)
    throw new TypeError(`dtype must be one of ${DTYPES.join(', ')}, but got ${String(name)}`);
  return code;
}
export const dtypeName = (code: number): DType => DTYPES[code];
export const isDType = (v: unknown): v is DType =>
  typeof v === 'string' && CODES.has(v.startsWith('torch.') ? v.slice(6) : v);

export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray;

/** A zeroed typed array that holds `n` elements of the dtype as `to_typed_array` gives them. */
export function arrayFor(dtype: DType, n: number): TypedArray {
  switch (dtype) {
    case 'float64':
      return new Float64Array(n);
    case 'int64':
      return new BigInt64Array(n);
    case 'int32':
      return new Int32Array(n);
    case 'int16':
      return new Int16Array(n);
    case 'int8':
      return new Int8Array(n);
    case 'uint8':
    case 'bool':
      return new Uint8Array(n);
    default:
      return new Float32Array(n); // float32, float16, bfloat16
  }
}

/** The dtype whose storage a typed array is. By tag rather than `instanceof`, which fails across realms. */
export function dtypeOfArray(a: ArrayBufferView): DType {
  const tag = Object.prototype.toString.call(a).slice(8, -1);
  const name = (
    {
      Float32Array: 'float32',
      Float64Array: 'float64',
      BigInt64Array: 'int64',
      Int32Array: 'int32',
      Int16Array: 'int16',
      Int8Array: 'int8',
      Uint8Array: 'uint8',
      Uint8ClampedArray: 'uint8',
    } as Record<string, DType>
  )[tag];
  if (!name) throw new TypeError(`can't convert an array of type ${tag} to a tensor`);
  return name;
}
