import {
  call,
  dtype,
  float_dtypes,
  kwcall,
  row,
  t,
  type Arg,
  type Domain,
  type Row,
  type Sample,
} from './spec';

const f32 = { dtype: 'float32' } as const;
const out_of_range = call(t([2, 3], f32), 2);

/** Over everything, over one dimension from either end, kept, over several, of a scalar, of nothing, of many. */
function over_dims(domain: Domain = {}, options: { many?: boolean; empty?: boolean } = {}): Sample[] {
  const { many = true, empty = true } = options;
  return [
    call(t([2, 3], domain)),
    call(t([2, 3], domain), 0),
    call(t([2, 3], domain), -1),
    call(t([2, 3, 2], domain), 1, true),
    kwcall([t([2, 3], domain)], { dim: 1, keepdim: true }),
    call(t([], domain)),
    call(t([], domain), 0),
    call(t([3, 1], domain), 1),
    { ...call(t([5, 37], domain)), dtypes: float_dtypes, gradcheck: false },
    { ...call(t([5, 37], domain), 1), dtypes: float_dtypes, gradcheck: false },
    { ...call(t([37, 5], domain), 0), dtypes: float_dtypes, gradcheck: false },
    ...(many ? [call(t([2, 3, 2], domain), [0, 2]), call(t([2, 3, 2], domain), [-1, 0], true)] : []),
    ...(empty ? [call(t([0, 3], domain)), call(t([0, 3], domain), 0), call(t([2, 0], domain), 1)] : []),
  ];
}

const infinities: Sample[] = [
  [Infinity, 1, 2],
  [-Infinity, 1, 2],
  [Infinity, -Infinity, 1],
  [NaN, 1, 2],
  [1, NaN, Infinity],
].map((data) => ({ ...call(t([3], { data }), 0), dtypes: ['float32', 'float64'], gradcheck: false }));

const ties: Sample[] = [
  { ...call(t([2, 3], { data: [1, 3, 3, 2, 2, 0] })), gradcheck: false },
  { ...call(t([2, 3], { data: [1, 3, 3, 2, 2, 0] }), 1), gradcheck: false },
];
const truth: Sample[] = [
  call(t([2, 3], { data: [0, 0, 0, 1, 0, 1] }), 1),
  call(t([3], { data: [0, 0, 0] })),
  call(t([3], { data: [1, 2, 3] })),
];
const with_dtype = (...args: Arg[]): Sample[] => [
  { ...kwcall(args, { dtype: dtype('float64') }) },
  { ...kwcall(args, { dtype: dtype('int32') }), dtypes: ['float32', 'int64', 'bool'] },
];
const no_identity = { errors: [out_of_range, call(t([0, 3], f32), 0)] };

export const reduce: Row[] = [
  row('sum', [...over_dims(), ...infinities, ...with_dtype(t([2, 3]))], {
    errors: [out_of_range, call(t([2, 3, 2], f32), [0, 0])],
  }),
  row('mean', [...over_dims(), ...infinities, ...with_dtype(t([2, 3]))], {
    errors: [out_of_range, call(t([2], { dtype: 'int64' }))],
  }),
  row(
    'prod',
    [
      // Near one, so that no order of multiplication overflows float16 on the way.
      ...over_dims({ lo: 0.8, hi: 1.2 }, { many: false }),
      ...infinities,
      call(t([2, 3], { data: [1, 0, 2, 3, 2, 1] }), 1),
      call(t([3], { data: [0, 0, 2] })),
      call(t([4], { data: [3, 0, 2, 5] })),
    ],
    // Products of many bfloat16 factors round at each step in an order that neither side promises.
    { errors: [out_of_range], loosen: 8 },
  ),
  row(
    'max',
    [...over_dims({}, { many: false, empty: false }), ...ties, ...infinities, call(t([2, 3]), t([3]))],
    no_identity,
  ),
  row(
    'min',
    [...over_dims({}, { many: false, empty: false }), ...ties, ...infinities, call(t([2, 3]), t([3]))],
    no_identity,
  ),
  row('amax', [...over_dims({}, { empty: false }), ...ties, ...infinities, call(t([2, 0]), 0)], no_identity),
  row('amin', [...over_dims({}, { empty: false }), ...ties, ...infinities, call(t([2, 0]), 0)], no_identity),
  row('argmax', [...over_dims({}, { many: false, empty: false }), ...ties, ...infinities], no_identity),
  row('argmin', [...over_dims({}, { many: false, empty: false }), ...ties, ...infinities], no_identity),
  row('all', [...over_dims(), ...truth], { errors: [out_of_range] }),
  row('any', [...over_dims(), ...truth], { errors: [out_of_range] }),
  ...['var', 'std'].map((name) =>
    row(
      name,
      [
        call(t([2, 3])),
        call(t([2, 3]), 0),
        call(t([2, 3]), [0, 1]),
        call(t([2, 3, 2]), [0, 2]),
        kwcall([t([2, 3])], { dim: 1, correction: 0 }),
        kwcall([t([2, 4])], { dim: 1, correction: 2, keepdim: true }),
        kwcall([t([2, 3])], { unbiased: false }),
        { ...call(t([5, 37]), 1), dtypes: float_dtypes, gradcheck: false },
        { ...call(t([0])), gradcheck: false },
        { ...call(t([1])), gradcheck: false },
        ...infinities,
      ],
      { errors: [out_of_range] },
    ),
  ),
  row(
    'norm',
    [
      call(t([2, 3])),
      call(t([2, 3]), 2, 1),
      call(t([2, 3]), 1, 0),
      call(t([2, 3]), 3, [0, 1], true),
      call(t([2, 3]), Infinity, 1),
      call(t([2, 3]), -Infinity, 1),
      call(t([2, 3]), 0, 1),
      call(t([2, 3]), 0.5),
      call(t([2, 3]), 'fro'),
      call(t([])),
      { ...call(t([3], { data: [0, 0, 0] })), gradcheck: false },
      { ...call(t([5, 37]), 2, 1), dtypes: float_dtypes, gradcheck: false },
    ],
    { errors: [call(t([2, 3], f32), 2, 2)] },
  ),
  row('nansum', [...over_dims(), ...infinities, ...with_dtype(t([2, 3]))]),
  row('nanmean', [...over_dims(), ...infinities]),
  row(
    'aminmax',
    [
      call(t([2, 3])),
      kwcall([t([2, 3])], { dim: 1 }),
      kwcall([t([2, 3])], { dim: 0, keepdim: true }),
      ...infinities.map(({ args, ...rest }) => ({ ...rest, args: args.slice(0, 1) })),
    ],
    {
      errors: [call(t([0], f32))],
    },
  ),
  ...['var_mean', 'std_mean'].map((name) =>
    row(name, [
      call(t([2, 3])),
      call(t([2, 3]), 1),
      kwcall([t([2, 3])], { dim: 0, correction: 0, keepdim: true }),
      kwcall([t([2, 3])], { unbiased: false }),
    ]),
  ),
  row('median', [
    call(t([5])),
    call(t([2, 4])),
    call(t([2, 4]), 1),
    call(t([3, 4]), 0, true),
    ...infinities.slice(0, 1),
  ]),
  row('logsumexp', [
    call(t([2, 3]), 1),
    call(t([2, 3]), [0, 1]),
    call(t([2, 3]), 0, true),
    call(t([2, 2], { data: [1000, 1001, -1000, -1001], dtype: 'float32' }), 1),
    ...infinities,
    { ...call(t([2], { data: [-Infinity, -Infinity] }), 0), dtypes: float_dtypes, gradcheck: false },
    { ...call(t([5, 37]), 1), dtypes: float_dtypes, gradcheck: false },
    { ...call(t([2, 0]), 1), gradcheck: false },
  ]),
  row('count_nonzero', [
    ...truth,
    call(t([2, 3])),
    call(t([2, 3]), 0),
    call(t([2, 3]), [0, 1]),
    call(t([0])),
  ]),
];

export const scan: Row[] = [
  row(
    'cumprod',
    [
      call(t([2, 3]), 0),
      call(t([2, 3]), 1),
      call(t([2, 3], { data: [1, 0, 2, 3, 4, 5] }), 1),
      call(t([]), 0),
      call(t([0]), 0),
      ...infinities,
    ],
    {
      errors: [out_of_range],
    },
  ),
  row('cummax', [call(t([2, 3]), 0), call(t([2, 3]), 1), call(t([]), 0), call(t([0]), 0), ...infinities], {
    errors: [out_of_range],
  }),
  row('cummin', [call(t([2, 3]), 0), call(t([2, 3]), 1), call(t([]), 0), call(t([0]), 0), ...infinities], {
    errors: [out_of_range],
  }),
  row(
    'cumsum',
    [
      call(t([2, 3]), 0),
      call(t([2, 3]), 1),
      call(t([2, 3, 2]), -2),
      call(t([]), 0),
      call(t([0]), 0),
      ...infinities,
      ...with_dtype(t([2, 3]), 1),
      { ...call(t([3, 37]), 1), dtypes: ['float32', 'float64', 'int64'], gradcheck: false },
    ],
    { errors: [out_of_range] },
  ),
];
