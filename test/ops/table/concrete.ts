/** Turns specs into numbers: the same elements for our driver and, exported as JSON, for PyTorch. */
import { DTypeArg, SliceArg, TensorSpec, type Arg, type Call, type DType, type TensorOptions } from './spec';

/** A tensor with its elements written out. Elements that JSON has no number for are strings. */
export interface ConcreteTensor {
  $: 'tensor';
  shape: readonly number[];
  dtype: DType;
  data: (number | string)[];
  grad: boolean;
}
export type Concrete =
  | ConcreteTensor
  | { $: 'dtype'; name: DType }
  | { $: 'slice'; parts: readonly (number | null)[] }
  | { $: 'number'; text: string }
  | number
  | string
  | boolean
  | null
  | Concrete[];
export interface ConcreteCall {
  args: Concrete[];
  kwargs: Record<string, Concrete>;
}

const is_float = (dtype: DType): boolean => dtype.includes('float');

/** A small generator of our own: rows must not change with anything under test. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Odd multiples of 1/64 between `lo` and `hi`: below 4 they are exact in every float dtype, they differ from each other
 * as long as there are enough, and none is an integer or a half, where rounding functions have their kinks.
 */
function draw(count: number, seed: number, { lo = -3.9, hi = 3.9 }: TensorOptions): number[] {
  const first = Math.ceil((lo * 64 - 1) / 2);
  const last = Math.floor((hi * 64 - 1) / 2);
  const grid = Array.from({ length: last - first + 1 }, (_, i) => (2 * (first + i) + 1) / 64);
  const random = generator(seed * 7919 + count + 1);
  for (let i = 0; i < 8; ++i) random();
  return Array.from({ length: count }, (_, i) => {
    const start = i % grid.length;
    const pick = start + Math.floor(random() * (grid.length - start));
    [grid[start], grid[pick]] = [grid[pick], grid[start]];
    return grid[start];
  });
}

function as_dtype(x: number | boolean, dtype: DType, options: TensorOptions): number {
  const value = Number(x);
  if (is_float(dtype) || options.data !== undefined) return value;
  if (dtype === 'bool') return (Math.abs(value * 64) >> 1) & 1;
  const { lo = -3.9, hi = 3.9 } = options;
  let whole = Math.trunc(value * 2) + 0;
  if (whole === 0 && lo > 0) whole = 1;
  if (whole === 0 && hi < 0) whole = -1;
  return dtype === 'uint8' ? Math.abs(whole) : whole;
}

function json_number(x: number): number | string {
  if (Object.is(x, -0)) return '-0.0';
  return Number.isFinite(x) ? x : String(x).replace('Infinity', 'inf').replace('NaN', 'nan');
}

/** The number that `json_number` stored. */
export function number_of(x: number | string): number {
  if (typeof x === 'number') return x;
  return Number(x.replace('inf', 'Infinity').replace('nan', 'NaN'));
}

function concrete(arg: Arg, sweep: DType, next_seed: () => number): Concrete {
  if (arg instanceof TensorSpec) {
    const dtype = arg.options.dtype ?? sweep;
    const count = arg.shape.reduce((n, size) => n * size, 1);
    const elements = arg.options.data ?? draw(count, next_seed(), arg.options);
    if (elements.length !== count)
      throw new Error(`${elements.length} elements for shape [${arg.shape.join()}]`);
    const data = elements.map((x) => json_number(as_dtype(x, dtype, arg.options)));
    return {
      $: 'tensor',
      shape: arg.shape,
      dtype,
      data,
      grad: is_float(dtype) && arg.options.grad !== false,
    };
  }
  if (arg instanceof DTypeArg) return { $: 'dtype', name: arg.dtype };
  if (arg instanceof SliceArg) return { $: 'slice', parts: arg.parts };
  if (typeof arg === 'number' && !Number.isFinite(arg))
    return { $: 'number', text: String(json_number(arg)) };
  if (Array.isArray(arg)) return arg.map((item: Arg) => concrete(item, sweep, next_seed));
  return arg as number | string | boolean | null;
}

export function concrete_call(call: Call, sweep: DType): ConcreteCall {
  let seed = 0;
  const make = (arg: Arg): Concrete => concrete(arg, sweep, () => ++seed);
  const args = call.args.map(make);
  const kwargs = Object.fromEntries(Object.entries(call.kwargs ?? {}).map(([key, arg]) => [key, make(arg)]));
  return { args, kwargs };
}

/** The tensors of a call in order, also those in lists. */
export function tensors_of(call: ConcreteCall): ConcreteTensor[] {
  const found: ConcreteTensor[] = [];
  const visit = (value: Concrete): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null && value.$ === 'tensor') found.push(value);
  };
  call.args.forEach(visit);
  Object.values(call.kwargs).forEach(visit);
  return found;
}
