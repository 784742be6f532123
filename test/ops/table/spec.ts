/**
 * What a row of the operator table is made of.
 *
 * A row names an operator and gives sample calls; everything else (dtypes, layouts, forms, gradients) the driver derives.
 * The same rows, made concrete, go to PyTorch through scripts/record_ops.py, which stores what PyTorch answers.
 */
export const all_dtypes = [
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
export type DType = (typeof all_dtypes)[number];
export const float_dtypes: DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

/** A tensor argument. Without `dtype` it takes each dtype of the sweep in turn. */
export class TensorSpec {
  constructor(
    readonly shape: readonly number[],
    readonly options: TensorOptions,
  ) {}
}

export interface TensorOptions {
  dtype?: DType;
  /** The elements; drawn between `lo` and `hi` where left out. */
  data?: readonly (number | boolean)[];
  lo?: number;
  hi?: number;
  /** False: no gradient is asked for this argument. */
  grad?: boolean;
}

/** Arguments that JavaScript and Python spell differently. */
export class DTypeArg {
  constructor(readonly dtype: DType) {}
}
export class SliceArg {
  constructor(readonly parts: readonly (number | null)[]) {}
}

export type Arg = TensorSpec | DTypeArg | SliceArg | number | string | boolean | null | readonly Arg[];

export interface Call {
  args: Arg[];
  kwargs?: Record<string, Arg>;
}

export interface Sample extends Call {
  /** The dtypes that the call is made for; the row's where left out. */
  dtypes?: readonly DType[];
  /** False: compared with PyTorch's gradient only, not with finite differences, which fail at kinks and infinities. */
  gradcheck?: boolean;
}

export interface BadCall extends Call {
  /** Our message, where PyTorch's speaks of Python. */
  message?: string;
}

export interface Row {
  name: string;
  samples: Sample[];
  dtypes?: readonly DType[];
  /** PyTorch's spelling as a Python expression, where the name alone does not find it. */
  python?: string;
  errors?: BadCall[];
  /** Factor on every tolerance; each use says why. */
  loosen?: number;
  /** False: the result depends on how the inputs lie in memory, as random numbers are drawn in its order. */
  strided?: boolean;
  /** Made of other operators, here or in PyTorch: the name of the last one in the graph is no part of the contract. */
  composed?: boolean;
  /** False: the operator of this name with an underscore is another one. */
  in_place?: boolean;
  /** Only shapes and dtypes are compared: the values are not defined (`empty`). */
  undefined_values?: boolean;
}

export const t = (shape: readonly number[], options: TensorOptions = {}): TensorSpec =>
  new TensorSpec(shape, options);
export const ints = (data: readonly number[], shape: readonly number[] = [data.length]): TensorSpec =>
  t(shape, { data, dtype: 'int64' });
export const bools = (data: readonly number[], shape: readonly number[] = [data.length]): TensorSpec =>
  t(shape, { data: data.map(Boolean), dtype: 'bool' });
export const dtype = (name: DType): DTypeArg => new DTypeArg(name);
export const slice = (...parts: (number | null)[]): SliceArg => new SliceArg(parts);
export const call = (...args: Arg[]): Sample => ({ args });
export const kwcall = (args: Arg[], kwargs: Record<string, Arg>): Sample => ({ args, kwargs });
export const row = (name: string, samples: Sample[], extra: Omit<Row, 'name' | 'samples'> = {}): Row => ({
  name,
  samples,
  ...extra,
});

/** Where element-wise functions tend to go wrong; finite differences cannot follow, PyTorch's gradient can. */
export const special_values = [Infinity, -Infinity, NaN, 0, -0, 1, -1, 0.5];

export interface Domain {
  lo?: number;
  hi?: number;
}

/** Longer than any vector register holds, and no multiple of its length: body and tail of a vectorised loop. */
export const long = 37;

/** The samples every element-wise function of one tensor gets. */
export function unary_samples(domain: Domain = {}, ...rest: Arg[]): Sample[] {
  return [
    call(t([2, 3], domain), ...rest),
    call(t([], domain), ...rest),
    call(t([2, 0], domain), ...rest),
    { ...call(t([long], domain), ...rest), dtypes: float_dtypes, gradcheck: false },
    {
      ...call(t([special_values.length], { data: special_values }), ...rest),
      dtypes: float_dtypes,
      gradcheck: false,
    },
  ];
}

/** The samples every element-wise function of two tensors gets; `rest` follows them. */
export function binary_samples(a: Domain = {}, b: Domain = a): Sample[] {
  const left = special_values.flatMap((x) => special_values.map(() => x));
  const right = special_values.flatMap(() => special_values);
  return [
    call(t([2, 3], a), t([2, 3], b)),
    call(t([2, 1], a), t([3], b)),
    call(t([], a), t([2], b)),
    call(t([2], a), t([], b)),
    call(t([0], a), t([1], b)),
    { ...call(t([long], a), t([long], b)), dtypes: float_dtypes, gradcheck: false },
    {
      ...call(t([left.length], { data: left }), t([right.length], { data: right })),
      dtypes: ['float32'],
      gradcheck: false,
    },
  ];
}

export const scalar_samples = (domain: Domain = {}): Sample[] => [
  call(t([2, 3], domain), 2),
  call(t([2, 3], domain), 0.75),
  call(t([], domain), 3),
];

/** A few pairs for type promotion: by category, by size within it, and with a 0-d tensor, which yields. */
export const promotion_samples = (domain: Domain = {}): Sample[] =>
  (
    [
      ['int32', [2], 'float32', [2]],
      ['float32', [2], 'float64', [2]],
      ['float16', [2], 'bfloat16', [2]],
      ['bool', [2], 'int8', [2]],
      ['uint8', [2], 'int8', [2]],
      ['int64', [2], 'float16', []],
      ['float32', [2], 'float64', []],
      ['float64', [], 'float32', [2]],
      ['int8', [2], 'int64', []],
    ] as const
  ).map(([da, sa, db, sb]) => ({
    args: [t(sa, { ...domain, dtype: da }), t(sb, { ...domain, dtype: db })],
    dtypes: ['float32'],
  }));
