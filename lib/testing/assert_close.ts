// Closeness of tensors and of what holds them, with PyTorch's report: torch.testing.assert_close.
import { bind, is_plain_object } from '../args';
import { as_tensor } from '../creation';
import { dtypeCode, dtypeName, type DType } from '../dtype';
import { unravel } from '../indexing';
import { native } from '../native';
import { format_fixed, list, repr, repr_float, repr_size } from '../pyformat';
import { Tensor } from '../tensor';
import type { TensorData } from '../types';

/** What {@link assert_close} throws when its arguments differ. */
export class AssertionError extends Error {
  override name = 'AssertionError';
  /** Node's own mark of a failed assertion: test runners tell it from a crash by it. */
  readonly code = 'ERR_ASSERTION';
}

/** What {@link assert_close} takes by name. */
export interface AssertCloseOptions {
  /** Relative tolerance; by default the dtype's. Only together with `atol`. */
  rtol?: number | null;
  /** Absolute tolerance; by default the dtype's. Only together with `rtol`. */
  atol?: number | null;
  /** Whether two NaN count as equal. */
  equal_nan?: boolean;
  /** Whether tensors have to be on the same device; if not, they are compared on the CPU. */
  check_device?: boolean;
  /** Whether tensors have to be of the same dtype; if not, they are compared in the dtype that holds both. */
  check_dtype?: boolean;
  /** Whether tensors have to be of the same layout; every tensor here is strided. */
  check_layout?: boolean;
  /** Whether tensors have to have the same strides. */
  check_stride?: boolean;
  /** The error's message, or a function that makes it of the generated one. */
  msg?: string | ((message: string) => string) | null;
  /** Whether a Parameter may be compared with a plain Tensor. */
  allow_subclasses?: boolean;
}
type Settings = Required<AssertCloseOptions>;

/** Where in nested arguments something is: `[0]['weight']`. */
type Path = readonly unknown[];

/** A finding that is not yet an error: the user's `msg` may still replace its text. */
class Finding extends Error {
  constructor(
    readonly Kind: new (message: string) => Error,
    readonly text: string,
    readonly path: Path,
  ) {
    super(text);
  }
  to_error(msg: Settings['msg'] = null): Error {
    if (typeof msg === 'string') return new this.Kind(msg);
    const where = this.path.map((item) => repr(list([item]))).join('');
    const text = where === '' ? this.text : `${this.text}\n\nThe failure occurred for item ${where}`;
    return new this.Kind(msg ? msg(text) : text);
  }
}

/** The default tolerances, relative and absolute; none for integers and bool. */
const TOLERANCES: Partial<Record<DType, readonly [rtol: number, atol: number]>> = {
  float16: [0.001, 1e-5],
  bfloat16: [0.016, 1e-5],
  float32: [1.3e-6, 1e-5],
  float64: [1e-7, 1e-7],
};

function tolerances_of(dtypes: DType[], { rtol, atol }: Settings, path: Path): [number, number] {
  if ((rtol === null) !== (atol === null)) {
    const missing = rtol === null ? 'rtol' : 'atol';
    throw new Finding(
      Error,
      `Both 'rtol' and 'atol' must be either specified or omitted, but got no ${missing}.`,
      path,
    );
  }
  if (rtol !== null && atol !== null) return [rtol, atol];
  const found = dtypes.map((dtype) => TOLERANCES[dtype] ?? [0, 0]);
  return [Math.max(...found.map(([r]) => r)), Math.max(...found.map(([, a]) => a))];
}

// ---- the report ----

interface Difference {
  value: string;
  index: number[] | null;
}

function report(
  subject: string,
  extra: string,
  absolute: Difference,
  relative: Difference,
  [rtol, atol]: [number, number],
): string {
  const exact = rtol === 0 && atol === 0;
  const line = (type: string, { value, index }: Difference, tolerance: number): string => {
    const head =
      index === null
        ? `${type[0].toUpperCase()}${type.slice(1)} difference: ${value}`
        : `Greatest ${type} difference: ${value} at index ${repr(index)}`;
    return exact ? head : `${head} (up to ${repr(tolerance)} allowed)`;
  };
  return [
    `${subject} are not ${exact ? 'equal' : 'close'}!`,
    '',
    extra,
    line('absolute', absolute, atol),
    line('relative', relative, rtol),
  ].join('\n');
}

type Plain = number | bigint | boolean;

/** The report on two single values, which print as floats where `floating` says so: JavaScript's numbers do not tell. */
function scalar_report(
  actual: Plain,
  expected: Plain,
  floating: (v: Plain) => boolean,
  tolerances: [number, number],
): string {
  const show = (v: Plain): string => (floating(v) ? repr_float(Number(v)) : repr(v));
  const whole = [actual, expected].every((v) => !floating(v));
  // Exact for integers beyond 2^53.
  const difference = whole ? BigInt(actual) - BigInt(expected) : Number(actual) - Number(expected);
  const absolute = difference < 0 ? -difference : difference;
  const relative = Number(expected) === 0 ? Infinity : Number(absolute) / Math.abs(Number(expected));
  return report(
    'Scalars',
    `Expected ${show(expected)} but got ${show(actual)}.`,
    { value: whole ? String(absolute) : repr_float(Number(absolute)), index: null },
    { value: repr_float(relative), index: null },
    tolerances,
  );
}

function tensor_report(
  actual: Tensor,
  expected: Tensor,
  matches: Tensor,
  tolerances: [number, number],
): string {
  const { shape } = actual;
  const count = actual.numel();
  const mismatched = count - matches.sum().item();
  const floating = actual.is_floating_point();
  const flat = (t: Tensor): Tensor => (floating ? t.flatten() : t.flatten().to('int64'));
  const hide = matches.flatten();
  const absolute = flat(actual).sub(flat(expected)).abs().masked_fill_(hide, 0);
  const relative = absolute.div(flat(expected).abs()).masked_fill_(hide, 0);
  const greatest = (t: Tensor): Difference => {
    const [value, at] = t.max(0) as [Tensor, Tensor];
    const item = value.item();
    return {
      value: value.is_floating_point() ? repr_float(item) : String(item),
      index: unravel(at.item(), shape),
    };
  };
  return report(
    'Tensor-likes',
    `Mismatched elements: ${mismatched} / ${count} (${format_fixed((mismatched / count) * 100, 1)}%)`,
    greatest(absolute),
    greatest(relative),
    tolerances,
  );
}

// ---- the kinds of things that are compared ----

type Check = () => void;

function none_check(actual: unknown, expected: unknown, path: Path): Check | null {
  const none = [actual, expected].map((v) => v === null || v === undefined);
  if (!none.includes(true)) return null;
  return () => {
    if (none.includes(false)) {
      throw new Finding(AssertionError, `None mismatch: ${repr(actual)} is not ${repr(expected)}`, path);
    }
  };
}

function boolean_check(actual: unknown, expected: unknown, path: Path): Check | null {
  if (typeof actual !== 'boolean' || typeof expected !== 'boolean') return null;
  return () => {
    if (actual !== expected) {
      throw new Finding(AssertionError, `Booleans mismatch: ${repr(actual)} is not ${repr(expected)}`, path);
    }
  };
}

/** Whether Python would hold the value as a float, as far as its value tells. */
const is_fractional = (v: Plain): boolean => typeof v === 'number' && !Number.isSafeInteger(v);

function number_check(actual: unknown, expected: unknown, settings: Settings, path: Path): Check | null {
  const is_number = (v: unknown): v is number | bigint => typeof v === 'number' || typeof v === 'bigint';
  if (!is_number(actual) || !is_number(expected)) return null;
  const dtypes = [actual, expected].map((v): DType => (is_fractional(v) ? 'float64' : 'int64'));
  const tolerances = tolerances_of(dtypes, settings, path);
  return () => {
    if (settings.check_dtype && typeof actual !== typeof expected && dtypes.includes('float64')) {
      throw new Finding(
        AssertionError,
        `The (d)types do not match: ${class_of(actual)} != ${class_of(expected)}.`,
        path,
      );
    }
    // A bigint and a number of the same value are the same int.

    if (actual == expected) return;
    if (settings.equal_nan && Number.isNaN(actual) && Number.isNaN(expected)) return;
    const [rtol, atol] = tolerances;
    const difference = Math.abs(Number(actual) - Number(expected));
    const whole = !dtypes.includes('float64') && rtol === 0 && atol === 0;
    if (!whole && Number.isFinite(difference) && difference <= atol + rtol * Math.abs(Number(expected)))
      return;
    throw new Finding(AssertionError, scalar_report(actual, expected, is_fractional, tolerances), path);
  };
}

const is_parameter = (t: unknown): boolean => t instanceof Tensor && t._is_parameter;
const is_array_view = (v: unknown): v is ArrayBufferView & { constructor: unknown } =>
  ArrayBuffer.isView(v) && !(v instanceof DataView);

function tensor_check(actual: unknown, expected: unknown, settings: Settings, path: Path): Check | null {
  const tensors = actual instanceof Tensor && expected instanceof Tensor;
  const arrays =
    is_array_view(actual) && is_array_view(expected) && actual.constructor === expected.constructor;
  if (!tensors && !arrays) return null;
  if (!settings.allow_subclasses && is_parameter(actual) !== is_parameter(expected)) return null;
  const [a, e] = [actual, expected].map((v) => as_tensor(v as Tensor | TensorData).detach());
  const tolerances = tolerances_of([a.dtype, e.dtype], settings, path);
  return () => compare_tensors(a, e, settings, tolerances, path);
}

function compare_tensors(
  actual: Tensor,
  expected: Tensor,
  settings: Settings,
  tolerances: [number, number],
  path: Path,
): void {
  const same = (attribute: string, ours: string, theirs: string): void => {
    if (ours === theirs) return;
    throw new Finding(
      AssertionError,
      `The values for attribute '${attribute}' do not match: ${ours} != ${theirs}.`,
      path,
    );
  };
  same('shape', repr_size(actual.shape), repr_size(expected.shape));
  if (settings.check_stride) same('stride()', repr(actual.stride()), repr(expected.stride()));
  if (settings.check_device) same('device', String(actual.device), String(expected.device));
  if (settings.check_dtype) same('dtype', `torch.${actual.dtype}`, `torch.${expected.dtype}`);

  let [a, e] = [actual, expected];
  if (String(a.device) !== String(e.device)) [a, e] = [a.cpu(), e.cpu()];
  if (a.dtype !== e.dtype) {
    const dtype = dtypeName(native.promote_types(dtypeCode(a.dtype), dtypeCode(e.dtype)));
    [a, e] = [a.to(dtype), e.to(dtype)];
  }
  const [rtol, atol] = tolerances;
  const matches = a.isclose(e, { rtol, atol, equal_nan: settings.equal_nan });
  if (matches.all().item()) return;
  const floating = a.is_floating_point();
  throw new Finding(
    AssertionError,
    a.dim() === 0
      ? scalar_report(a.item(), e.item(), () => floating, tolerances)
      : tensor_report(a, e, matches, tolerances),
    path,
  );
}

/** Python's name of a value's class, as its messages have it. */
function class_of(value: unknown): string {
  const name = ((): string => {
    if (value === null || value === undefined) return 'NoneType';
    if (typeof value === 'boolean') return 'bool';
    if (typeof value === 'string') return 'str';
    if (typeof value === 'number' || typeof value === 'bigint') return is_fractional(value) ? 'float' : 'int';
    if (value instanceof Tensor) return is_parameter(value) ? 'torch.nn.parameter.Parameter' : 'torch.Tensor';
    if (Array.isArray(value)) return 'list';
    if (value instanceof Map || is_plain_object(value)) return 'dict';
    if (typeof value === 'function') return 'function';
    return (value as { constructor?: { name: string } }).constructor?.name ?? typeof value;
  })();
  return `<class '${name}'>`;
}

// ---- nested arguments ----

type Mapping = Map<unknown, unknown>;
const mapping_of = (v: unknown): Mapping | null =>
  v instanceof Map ? (v as Mapping) : is_plain_object(v) ? new Map(Object.entries(v)) : null;

function originate(actual: unknown, expected: unknown, settings: Settings, path: Path): Check[] {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    if (actual.length !== expected.length) {
      throw new Finding(
        AssertionError,
        `The length of the sequences mismatch: ${actual.length} != ${expected.length}`,
        path,
      );
    }
    return actual.flatMap((item, i) => originate(item, expected[i], settings, [...path, i]));
  }
  const [ours, theirs] = [mapping_of(actual), mapping_of(expected)];
  if (ours && theirs) {
    const missing = [...theirs.keys()].filter((key) => !ours.has(key)).sort();
    const additional = [...ours.keys()].filter((key) => !theirs.has(key)).sort();
    if (missing.length > 0 || additional.length > 0) {
      throw new Finding(
        AssertionError,
        `The keys of the mappings do not match:\nMissing keys in the actual mapping: ${repr(list(missing))}\n` +
          `Additional keys in the actual mapping: ${repr(list(additional))}`,
        path,
      );
    }
    return [...ours.keys()]
      .sort()
      .flatMap((key) => originate(ours.get(key), theirs.get(key), settings, [...path, key]));
  }
  const check =
    none_check(actual, expected, path) ??
    boolean_check(actual, expected, path) ??
    number_check(actual, expected, settings, path) ??
    tensor_check(actual, expected, settings, path);
  if (check === null) {
    throw new Finding(
      TypeError,
      `No comparison pair was able to handle inputs of type ${class_of(actual)} and ${class_of(expected)}.`,
      path,
    );
  }
  return [check];
}

/**
 * Throws unless `actual` and `expected` are close: `|actual - expected| <= atol + rtol * |expected|`, element by element.
 *
 * Compares tensors, typed arrays of one kind, numbers, booleans and null, and nested arrays, plain objects and Maps of them. Tensors also
 * have to agree in shape, dtype and device. Infinities are close to themselves only, NaN to nothing without `equal_nan`.
 *
 * The default tolerances are the dtype's, relative and absolute: float64 1e-7 and 1e-7, float32 1.3e-6 and 1e-5, bfloat16 1.6e-2 and 1e-5,
 * float16 1e-3 and 1e-5; anything else has to be equal. Of two dtypes the looser tolerances count. Numbers count as float64; two that are
 * both integers, which Python would hold as ints, have to be equal.
 *
 * Throws an {@link AssertionError} with PyTorch's report, and a TypeError where the two cannot be compared.
 *
 * See https://docs.pytorch.org/docs/stable/testing.html#torch.testing.assert_close
 *
 * @example
 * ```ts
 * assert_close(torch.tensor([1, 2]).exp().log(), torch.tensor([1, 2]));
 * assert_close({ loss: 0.1 + 0.2 }, { loss: 0.3 });
 * assert_close(x, y, { rtol: 0, atol: 1e-3 });
 * ```
 */
export function assert_close(actual: unknown, expected: unknown, options: AssertCloseOptions = {}): void {
  const settings: Settings = bind(
    'assert_close',
    {
      rtol: null,
      atol: null,
      equal_nan: false,
      check_device: true,
      check_dtype: true,
      check_layout: true,
      check_stride: false,
      msg: null,
      allow_subclasses: true,
    },
    [options],
  );
  let checks: Check[];
  try {
    checks = originate(actual, expected, settings, []);
  } catch (error) {
    // What cannot be compared at all is said in so many words, whatever `msg` is.
    throw error instanceof Finding ? error.to_error() : error;
  }
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      throw error instanceof Finding ? error.to_error(settings.msg) : error;
    }
  }
}
