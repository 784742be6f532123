import { bools, call, float_dtypes, kwcall, row, special_values, t, unary_samples, type Row } from './spec';

const positive = { lo: 0.2, hi: 3.9 };
const f32 = { dtype: 'float32' } as const;

export const ternary: Row[] = [
  row(
    'clamp',
    [
      ...unary_samples({}, -1.2, 2),
      call(t([2, 3]), 0.3),
      call(t([2, 3]), null, 1),
      kwcall([t([2, 3])], { max: 0.3 }),
      call(t([2, 3]), t([3]), t([2, 1])),
      call(t([2, 3]), t([3])),
      call(t([2]), 3, 1),
      { ...call(t([3], { data: [1, 2, 3] }), 1, 3), gradcheck: false },
      { ...call(t([3], { data: [NaN, 1, 5] }), 2, 3), dtypes: float_dtypes, gradcheck: false },
    ],
    { errors: [call(t([2], f32))] },
  ),
  row('clamp_min', [call(t([2, 3]), 0.3), call(t([2, 3]), 1), call(t([2, 3]), t([3]))]),
  row('clamp_max', [call(t([2, 3]), 0.3), call(t([2, 3]), 1), call(t([2, 3]), t([3]))]),
  row(
    'where',
    [
      call(bools([1, 0, 1, 0, 1, 1], [2, 3]), t([2, 3]), t([3])),
      call(bools([1, 0, 1]), t([2, 3]), t([])),
      call(bools([1, 0, 1]), t([3]), 2),
      call(bools([1, 0, 1]), 0.5, t([3])),
      call(bools([1, 0]), t([2], f32), t([2], { dtype: 'float64' })),
      call(bools([1, 0]), t([2], f32), t([2], { dtype: 'int64' })),
      call(bools([], [0]), t([0]), t([1])),
      call(t([2, 3], { data: [0, 1, 0, 2, 3, 0] })),
    ],
    { errors: [call(t([2], f32), t([2], f32), t([2], f32)), call(bools([1, 0]), t([3], f32), t([2], f32))] },
  ),
  row(
    'lerp',
    [
      call(t([2, 3]), t([2, 3]), 0.3),
      call(t([2, 3]), t([3]), 0.75),
      call(t([2, 3]), t([2, 3]), t([3], { lo: 0, hi: 1 })),
      call(t([]), t([2]), t([])),
      call(t([0]), t([0]), 0.5),
      {
        ...call(t([special_values.length], { data: special_values }), t([1]), 0.5),
        dtypes: float_dtypes,
        gradcheck: false,
      },
    ],
    { errors: [call(t([2], f32), t([2], { dtype: 'float64' }), 0.5)] },
  ),
  row('clip', [
    call(t([2, 3]), -1, 1),
    call(t([2, 3]), t([3]), t([2, 1])),
    kwcall([t([2, 3])], { max: 0.3 }),
  ]),
  row('addcmul', [
    call(t([2, 3]), t([2, 3]), t([2, 3])),
    call(t([2, 3]), t([3]), t([2, 1])),
    kwcall([t([2]), t([2]), t([2])], { value: 2 }),
    kwcall([t([2], f32), t([2], f32), t([2], f32)], { value: 0.5 }),
    call(t([]), t([2]), t([])),
    call(t([0]), t([0]), t([1])),
  ]),
  row(
    'addcdiv',
    [
      call(t([2, 3]), t([2, 3]), t([2, 3], positive)),
      call(t([2, 3]), t([3]), t([2, 1], positive)),
      kwcall([t([2]), t([2]), t([2], positive)], { value: 2 }),
      call(t([]), t([2]), t([], positive)),
      call(t([0]), t([0]), t([1], positive)),
    ],
    {
      errors: [
        call(
          t([2], { dtype: 'int64' }),
          t([2], { dtype: 'int64' }),
          t([2], { dtype: 'int64', lo: 1, hi: 3 }),
        ),
      ],
    },
  ),
];
