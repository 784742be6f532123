import {
  all_dtypes,
  binary_samples,
  call,
  kwcall,
  promotion_samples,
  row,
  scalar_samples,
  t,
  type Row,
  type Sample,
} from './spec';

const positive = { lo: 0.2, hi: 3.9 };
/** Python takes a number on the left in an operator only. */
const infix = (name: string, operator: string): string =>
  `lambda a, b, **k: torch.${name}(a, b, **k) if isinstance(a, torch.Tensor) else a ${operator} b`;
const mismatch = call(t([2, 3], { dtype: 'float32' }), t([4], { dtype: 'float32' }));

/** Every dtype with every other one, of equal rank and of a lower category of rank. */
const every_pair: Sample[] = all_dtypes.flatMap((a) =>
  all_dtypes.flatMap((b) =>
    (
      [
        [[1], [1]],
        [[1], []],
        [[], [1]],
      ] as const
    ).map(([left, right]) => ({
      args: [t(left, { dtype: a, ...positive }), t(right, { dtype: b, ...positive })],
      dtypes: ['float32' as const],
      gradcheck: false,
    })),
  ),
);
/** `2 - x` is `torch.sub(2, x)` here. */
const reversed_scalars: Sample[] = [call(2, t([2, 3], positive)), call(0.75, t([2], positive))];

export const binary: Row[] = [
  row(
    'add',
    [
      ...binary_samples(),
      ...scalar_samples(),
      ...every_pair,
      ...reversed_scalars,
      kwcall([t([2, 3]), t([3])], { alpha: 2 }),
      kwcall([t([2, 3], { dtype: 'float32' }), t([3], { dtype: 'float32' })], { alpha: 0.5 }),
    ],
    {
      python: infix('add', '+'),
      errors: [
        mismatch,
        kwcall([t([2], { dtype: 'int64' }), t([2], { dtype: 'int64' })], { alpha: 0.5 }),
        kwcall([t([2], { dtype: 'bool' }), t([2], { dtype: 'bool' })], { alpha: 0.5 }),
      ],
    },
  ),
  row(
    'sub',
    [
      ...binary_samples(),
      ...scalar_samples(),
      ...promotion_samples(),
      ...reversed_scalars,
      kwcall([t([2]), t([2])], { alpha: 2 }),
    ],
    {
      python: infix('sub', '-'),
      errors: [mismatch, call(t([2], { dtype: 'bool' }), t([2], { dtype: 'bool' }))],
    },
  ),
  row('rsub', [...binary_samples(), ...scalar_samples(), kwcall([t([2]), 1], { alpha: 3 })]),
  row('mul', [...binary_samples(), ...scalar_samples(), ...promotion_samples(), ...reversed_scalars], {
    python: infix('mul', '*'),
    errors: [mismatch],
  }),
  row(
    'div',
    [
      ...binary_samples({}, positive),
      ...scalar_samples(),
      ...promotion_samples(positive),
      ...reversed_scalars,
      ...['trunc', 'floor'].flatMap((rounding_mode) => [
        kwcall([t([2, 3]), t([3], positive)], { rounding_mode }),
        kwcall([t([2, 3]), t([3], { lo: -3.9, hi: -0.2 })], { rounding_mode }),
        kwcall([t([2, 3]), 2], { rounding_mode }),
      ]),
    ],
    {
      python: infix('div', '/'),
      errors: [
        kwcall([t([2], { dtype: 'float32' }), 2], { rounding_mode: 'up' }),
        kwcall([t([2], { dtype: 'int64' }), t([2], { dtype: 'int64', data: [0, 1] })], {
          rounding_mode: 'floor',
        }),
      ],
    },
  ),
  row(
    'pow',
    [
      ...binary_samples(positive, { lo: 0.1, hi: 2.9 }),
      ...scalar_samples(positive),
      ...promotion_samples(positive),
      call(t([2, 3], positive), -1),
      call(t([2, 3]), 2),
      call(t([2, 3]), 3),
      call(t([2, 3]), 0),
      call(t([2, 3], positive), 0.5),
      call(t([2, 3], positive), -0.5),
      call(2, t([2, 3])),
    ],
    { errors: [call(t([2], { dtype: 'int64' }), -1)] },
  ),
  row('fmod', [...binary_samples({}, positive), call(t([2, 3]), 2), call(t([2, 3]), -0.75)], {
    errors: [call(t([2], { dtype: 'int64' }), t([2], { dtype: 'int64', data: [0, 1] }))],
  }),
  row(
    'remainder',
    [
      ...binary_samples({}, positive),
      call(t([2, 3]), t([3], { lo: -3.9, hi: -0.2 })),
      call(t([2, 3]), 2),
      call(t([2, 3]), -0.75),
      call(7, t([2, 3], positive)),
    ],
    { errors: [call(t([2], { dtype: 'int64' }), t([2], { dtype: 'int64', data: [0, 1] }))] },
  ),
  row('maximum', [...binary_samples(), ...promotion_samples()]),
  row('minimum', [...binary_samples(), ...promotion_samples()]),
  row('true_divide', [...binary_samples({}, positive), ...scalar_samples()]),
  row(
    'floor_divide',
    [...binary_samples({}, positive), call(t([2, 3]), 2), call(t([2, 3]), t([3], { lo: -3.9, hi: -0.2 }))],
    {
      errors: [call(t([2], { dtype: 'int64' }), t([2], { dtype: 'int64', data: [0, 1] }))],
    },
  ),
  row('fmax', binary_samples()),
  row('fmin', binary_samples()),
  row('atan2', binary_samples()),
  row('hypot', binary_samples()),
  row('copysign', [...binary_samples(), call(t([2, 3]), -1)]),
  row('xlogy', [...binary_samples({}, positive), call(t([2, 3]), 2), call(2, t([2, 3], positive))]),
  row('logaddexp', binary_samples()),
  ...['bitwise_and', 'bitwise_or', 'bitwise_xor'].map((name) =>
    row(name, [...binary_samples(), call(t([2, 3]), 3)]),
  ),
  row('subtract', [...binary_samples(), ...scalar_samples()]),
  row('multiply', [...binary_samples(), ...scalar_samples()]),
  row('divide', [
    ...binary_samples({}, positive),
    ...scalar_samples(),
    kwcall([t([2, 3]), 2], { rounding_mode: 'floor' }),
  ]),
  row('arctan2', binary_samples()),
  row('float_power', [
    ...binary_samples(positive, { lo: 0.1, hi: 2.9 }),
    ...scalar_samples(positive),
    call(2, t([2, 3])),
  ]),
  ...['bitwise_left_shift', 'bitwise_right_shift'].map((name) =>
    row(name, [
      call(t([5], { data: [1, 2, 5, 100, 127] }), t([5], { data: [0, 1, 3, 7, 2] })),
      call(t([3], { data: [1, 2, 5] }), t([1], { data: [70] })),
      call(t([2, 3], { lo: 0 }), 2),
      call(3, t([3], { data: [0, 1, 2] })),
    ]),
  ),
  row('logical_and', binary_samples()),
  row('logical_or', binary_samples()),
  row('logical_xor', binary_samples()),
];

/** Few enough values that some are equal. */
const ties: Sample[] = [
  call(t([6], { data: [0, 1, 2, 0, 1, 2] }), t([6], { data: [0, 2, 1, 1, 1, 2] })),
  call(t([3], { data: [0, 1, 2] }), 1),
];
const compared = [...binary_samples(), ...scalar_samples(), ...promotion_samples(), ...ties];

export const compare: Row[] = [
  ...['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'not_equal', 'less', 'less_equal', 'greater', 'greater_equal'].map(
    (name) => row(name, compared, { errors: [mismatch] }),
  ),
  row('isclose', [
    ...binary_samples(),
    call(t([3], { data: [1, 2, 3] }), t([3], { data: [1, 2.00001, 3.1] })),
    kwcall([t([3], { data: [1, 2, 3], dtype: 'float32' }), t([3], { data: [1, 2.5, 4], dtype: 'float32' })], {
      atol: 0.5,
    }),
    kwcall([t([2], { data: [NaN, 1], dtype: 'float32' }), t([2], { data: [NaN, 1], dtype: 'float32' })], {
      equal_nan: true,
    }),
  ]),
  row('allclose', [
    call(t([3], { data: [1, 2, 3] }), t([3], { data: [1, 2, 3] })),
    call(t([3], { data: [1, 2, 3] }), t([3], { data: [1, 2, 4] })),
    kwcall([t([3], { data: [1, 2, 3] }), t([3], { data: [1, 2, 4] })], { rtol: 0.5 }),
  ]),
  row('equal', [
    call(t([3], { data: [1, 2, 3] }), t([3], { data: [1, 2, 3] })),
    call(t([3], { data: [1, 2, 3] }), t([3], { data: [1, 2, 4] })),
    call(t([3], { data: [1, 2, 3] }), t([1, 3], { data: [1, 2, 3] })),
    call(t([0]), t([0])),
  ]),
];
