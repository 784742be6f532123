// Random tensors for tests: torch.testing.make_tensor.
import { bind } from '../args';
import { dtypeCode, dtypeName, type DType } from '../dtype';
import { empty, randint } from '../generated/ops';
import { repr } from '../pyformat';
import { Slice } from '../slice';
import type { Tensor } from '../tensor';
import type { DeviceLike, MemoryFormat } from '../types';

/** What {@link make_tensor} takes by name. */
export interface MakeTensorOptions {
  /** The dtype of the result. */
  dtype: DType;
  /** The device of the result. */
  device: DeviceLike;
  /** The least value, inclusive; by default -9, for bool and uint8 0. Clamped to what the dtype can hold. */
  low?: number | null;
  /** The greatest value, exclusive; by default 9, for integers 10, for bool 2. Clamped to what the dtype can hold. */
  high?: number | null;
  /** Whether the result is a leaf that collects a gradient. */
  requires_grad?: boolean;
  /** Whether the result has gaps between its elements; ignored for fewer than two of them. Not together with `memory_format`. */
  noncontiguous?: boolean;
  /** Whether zeros are replaced: by one in bool and integer tensors, by the smallest normal number in floating ones. */
  exclude_zero?: boolean;
  /** The memory format of the result. */
  memory_format?: MemoryFormat | null;
}

interface Range {
  lowest: number;
  highest: number;
  /** The bounds as Python prints them, where a double cannot hold them. */
  text?: string;
}
/** What a dtype can hold: of integers the upper end is exclusive, as `randint` takes it. */
const RANGES: Record<DType, Range> = {
  float64: { lowest: -Number.MAX_VALUE, highest: Number.MAX_VALUE },
  float32: { lowest: -3.4028234663852886e38, highest: 3.4028234663852886e38 },
  float16: { lowest: -65504, highest: 65504, text: '[-65504.0, 65504.0)' },
  bfloat16: { lowest: -3.3895313892515355e38, highest: 3.3895313892515355e38 },
  int64: { lowest: -(2 ** 63), highest: 2 ** 63, text: '[-9223372036854775808, 9223372036854775807)' },
  int32: { lowest: -(2 ** 31), highest: 2 ** 31 },
  int16: { lowest: -(2 ** 15), highest: 2 ** 15 },
  int8: { lowest: -128, highest: 128 },
  uint8: { lowest: 0, highest: 256 },
  bool: { lowest: 0, highest: 2 },
};
/** The smallest normal numbers. */
const TINY: Partial<Record<DType, number>> = {
  float64: 2 ** -1022,
  float32: 2 ** -126,
  float16: 2 ** -14,
  bfloat16: 2 ** -126,
};

function bounds(low: number | null, high: number | null, dtype: DType): [number, number] {
  const floating = dtype in TINY;
  const from = low ?? (dtype === 'bool' ? 0 : -9);
  const to = high ?? (floating ? 9 : dtype === 'bool' ? 2 : 10);
  const { lowest, highest, text = `[${repr(lowest)}, ${repr(highest)})` } = RANGES[dtype];
  if (Number.isNaN(from) || Number.isNaN(to)) {
    throw new Error(`\`low\` and \`high\` cannot be NaN, but got low=${repr(from)} and high=${repr(to)}`);
  }
  if (from === to && floating) {
    process.emitWarning(
      'Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated since 2.1 and will be removed ' +
        'in 2.3. Use `torch.full(...)` instead.',
    );
  } else if (from >= to) {
    throw new Error(`\`low\` must be less than \`high\`, but got ${repr(from)} >= ${repr(to)}`);
  } else if (to < lowest || from >= highest) {
    throw new Error(
      `The value interval specified by \`low\` and \`high\` is [${repr(from)}, ${repr(to)}), but torch.${dtype} only supports ${text}`,
    );
  }
  const [a, b] = [from, to].map((v) => Math.min(Math.max(v, lowest), highest));
  return floating ? [a, b] : [Math.ceil(a), Math.ceil(b)];
}

/** The end of `randint`'s range: its largest is 2^63 - 1, which no double is. */
const integer = (v: number): number =>
  (v >= 2 ** 63 ? 2n ** 63n - 1n : Number.isSafeInteger(v) ? v : BigInt(v)) as number;

function uniform(t: Tensor, low: number, high: number): Tensor {
  // Wider than the dtype's greatest number, the range itself would overflow.
  return high - low >= RANGES[t.dtype].highest
    ? t.uniform_(low / 2, high / 2).mul_(2)
    : t.uniform_(low, high);
}

/**
 * A tensor of random values, uniform in `[low, high)`, from the default stream: PyTorch's own numbers after the same seed.
 *
 * The shape is given as numbers or as one array. `low` and `high` are clamped to what the dtype can hold.
 * Throws when `dtype` or `device` is missing, `low` is not below `high`, either is NaN, neither can be held, an integer tensor shall
 * require a gradient, or both `noncontiguous` and `memory_format` are given.
 *
 * See https://docs.pytorch.org/docs/stable/testing.html#torch.testing.make_tensor
 *
 * @example
 * ```ts
 * const x = make_tensor(2, 3, { dtype: torch.float64, device: 'cpu', low: -1, high: 1, requires_grad: true });
 * ```
 */
export function make_tensor(
  ...args:
    [...shape: number[], options: MakeTensorOptions] | [shape: readonly number[], options: MakeTensorOptions]
): Tensor {
  const last: unknown = args.at(-1);
  const named = typeof last === 'number' || Array.isArray(last) ? [] : [last];
  const sizes = (named.length === 0 ? args : args.slice(0, -1)) as (number | readonly number[])[];
  const o = bind(
    'make_tensor',
    {
      dtype: null,
      device: null as DeviceLike | null,
      low: null as number | null,
      high: null as number | null,
      requires_grad: false,
      noncontiguous: false,
      exclude_zero: false,
      memory_format: null as MemoryFormat | null,
    },
    named,
  );
  const missing = (['dtype', 'device'] as const)
    .filter((name) => o[name] === null)
    .map((name) => `'${name}'`);
  if (missing.length > 0) {
    throw new TypeError(
      `make_tensor() missing ${missing.length} required keyword-only argument${missing.length === 1 ? '' : 's'}: ${missing.join(' and ')}`,
    );
  }
  const dtype = dtypeName(dtypeCode(o.dtype));
  const floating = dtype in TINY;
  const shape = [...(Array.isArray(sizes[0]) ? (sizes[0] as number[]) : (sizes as number[]))];
  if (o.noncontiguous && o.memory_format !== null) {
    throw new Error(
      'The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got noncontiguous=True and ' +
        `memory_format=torch.${o.memory_format}`,
    );
  }
  if (o.requires_grad && !floating) {
    throw new Error(
      `\`requires_grad=True\` is not supported for boolean and integral dtypes, but got dtype=torch.${dtype}`,
    );
  }
  const gaps = o.noncontiguous && shape.reduce((n, size) => n * size, 1) > 1;
  // Twice as long, so that what lies in the gaps differs from what lies between them.
  const drawn = gaps ? [...shape.slice(0, -1), 2 * shape[shape.length - 1]] : shape;
  const [low, high] = bounds(o.low, o.high, dtype);
  const options = { dtype, device: o.device };
  let result = floating
    ? uniform(empty(drawn, options), low, high)
    : randint(integer(low), integer(high), drawn, options);
  // From the second element on, so that mistakes with the offset show too.
  if (gaps) result = result.index(['...', Slice(1, null, 2)]);
  else if (o.memory_format !== null) result = result.clone({ memory_format: o.memory_format });
  if (o.exclude_zero) result.masked_fill_(result.eq(0), TINY[dtype] ?? 1);
  return floating ? result.requires_grad_(o.requires_grad) : result;
}
