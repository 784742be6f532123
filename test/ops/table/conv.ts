import { call, float_dtypes, kwcall, row, t, type Row } from './spec';

const f32 = { dtype: 'float32' } as const;

// Sums of many products in another order: float16 and bfloat16 differ by a few roundings.
const summed = { loosen: 4 };

export const conv: Row[] = [
  row(
    'conv1d',
    [
      call(t([1, 2, 5]), t([3, 2, 3])),
      call(t([2, 2, 5]), t([3, 2, 3]), t([3]), 2, 1),
      call(t([1, 2, 6]), t([2, 2, 2]), null, 1, 0, 2),
      call(t([1, 4, 4]), t([4, 2, 2]), t([4]), 1, 0, 1, 2),
      kwcall([t([1, 2, 5]), t([3, 2, 3])], { padding: 'same' }),
      call(t([2, 5]), t([3, 2, 3])),
    ],
    {
      python: 'F.conv1d',
      ...summed,
      errors: [call(t([1, 3, 5], f32), t([3, 2, 3], f32)), call(t([1, 2, 2], f32), t([3, 2, 3], f32))],
    },
  ),
  row(
    'conv2d',
    [
      call(t([1, 2, 4, 4]), t([3, 2, 3, 3])),
      call(t([2, 2, 5, 4]), t([2, 2, 3, 2]), t([2]), [2, 1], [1, 0]),
      call(t([1, 1, 5, 5]), t([2, 1, 2, 2]), null, 1, 0, 2),
      call(t([1, 4, 3, 3]), t([4, 2, 2, 2]), t([4]), 1, 1, 1, 2),
      call(t([1, 2, 3, 3]), t([2, 1, 2, 2]), null, 1, 0, 1, 2),
      kwcall([t([1, 1, 4, 4]), t([1, 1, 3, 3])], { padding: 'same' }),
      kwcall([t([1, 1, 4, 4]), t([1, 1, 3, 3])], { padding: 'valid' }),
      call(t([2, 4, 4]), t([3, 2, 3, 3])),
      { ...call(t([0, 2, 4, 4]), t([3, 2, 3, 3])), dtypes: float_dtypes },
      call(t([1, 2, 3, 3]), t([2, 2, 1, 1]), t([2])),
    ],
    {
      python: 'F.conv2d',
      ...summed,
      errors: [
        call(t([1, 3, 4, 4], f32), t([3, 2, 3, 3], f32)),
        call(t([1, 2, 2, 2], f32), t([3, 2, 3, 3], f32)),
        call(t([2, 2], f32), t([3, 2, 3, 3], f32)),
        call(t([1, 2, 4, 4], f32), t([3, 2, 3, 3], f32), t([2], f32)),
        call(t([1, 2, 4, 4], f32), t([3, 2, 3, 3], f32), null, 0),
        call(t([1, 2, 4, 4], f32), t([3, 2, 3, 3], f32), null, 1, -1),
        kwcall([t([1, 1, 4, 4], f32), t([1, 1, 3, 3], f32)], { padding: 'same', stride: 2 }),
      ],
    },
  ),
  row(
    'conv_transpose1d',
    [call(t([1, 2, 4]), t([2, 3, 3])), call(t([2, 2, 3]), t([2, 2, 2]), t([2]), 2, 1, 1)],
    {
      python: 'F.conv_transpose1d',
      ...summed,
    },
  ),
  row(
    'conv_transpose2d',
    [
      call(t([1, 2, 3, 3]), t([2, 3, 2, 2])),
      call(t([1, 2, 3, 3]), t([2, 2, 3, 3]), t([2]), 2, 1),
      call(t([1, 2, 2, 2]), t([2, 1, 3, 3]), null, 2, 1, 1),
      call(t([1, 4, 2, 2]), t([4, 1, 2, 2]), null, 1, 0, 0, 2),
      call(t([1, 1, 2, 2]), t([1, 1, 2, 2]), null, 1, 0, 0, 1, 2),
    ],
    {
      python: 'F.conv_transpose2d',
      ...summed,
      errors: [
        call(t([1, 3, 3, 3], f32), t([2, 3, 2, 2], f32)),
        call(t([1, 2, 3, 3], f32), t([2, 3, 2, 2], f32), null, 1, 0, 1),
      ],
    },
  ),
];

export const pool: Row[] = [
  row('max_pool1d_with_indices', [call(t([1, 2, 6]), 2), call(t([2, 5]), 3, 2, 1)], {
    python: 'F.max_pool1d_with_indices',
    composed: true,
  }),
  row('max_pool2d_with_indices', [call(t([1, 2, 4, 4]), 2), call(t([1, 1, 5, 5]), 3, 2, 1)], {
    python: 'F.max_pool2d_with_indices',
  }),
  row('max_pool1d', [call(t([1, 2, 6]), 2), call(t([2, 5]), 3, 2, 1)], { python: 'F.max_pool1d' }),
  row('avg_pool1d', [call(t([1, 2, 6]), 2), call(t([2, 5]), 3, 2, 1)], { python: 'F.avg_pool1d' }),
  row('adaptive_avg_pool1d', [call(t([1, 2, 6]), 2), call(t([2, 5]), 3)], {
    python: 'F.adaptive_avg_pool1d',
  }),
  row(
    'max_pool2d',
    [
      call(t([1, 2, 4, 4]), 2),
      call(t([1, 1, 5, 5]), 3, 2, 1),
      call(t([1, 1, 5, 4]), [2, 3], [2, 1]),
      call(t([1, 1, 5, 5]), 2, 1, 0, 2),
      kwcall([t([1, 1, 5, 5]), 2], { ceil_mode: true }),
      call(t([1, 4, 4]), 2),
    ],
    {
      python: 'F.max_pool2d',
      errors: [
        call(t([4, 4], f32), 2),
        call(t([1, 1, 4, 4], f32), 2, 2, 2),
        call(t([1, 1, 2, 2], f32), 3),
        call(t([1, 1, 4, 4], f32), 0),
      ],
    },
  ),
  row(
    'avg_pool2d',
    [
      call(t([1, 2, 4, 4]), 2),
      call(t([1, 1, 5, 5]), 3, 2, 1),
      call(t([1, 1, 5, 4]), [2, 3], [2, 1]),
      kwcall([t([1, 1, 5, 5]), 2], { ceil_mode: true }),
      kwcall([t([1, 1, 5, 5]), 3, 2, 1], { count_include_pad: false }),
      kwcall([t([1, 1, 4, 4]), 2], { divisor_override: 3 }),
      call(t([1, 4, 4]), 2),
    ],
    {
      python: 'F.avg_pool2d',
      composed: true, // without a batch
      errors: [call(t([4, 4], f32), 2), call(t([1, 1, 4, 4], f32), 2, 2, 2), call(t([1, 1, 2, 2], f32), 3)],
    },
  ),
  row(
    'adaptive_avg_pool2d',
    [
      call(t([1, 2, 4, 4]), 2),
      call(t([1, 1, 5, 7]), [2, 3]),
      call(t([1, 2, 3, 3]), 1),
      call(t([1, 5, 5]), [null, 2]),
    ],
    {
      python: 'F.adaptive_avg_pool2d',
      composed: true, // without a batch
      errors: [call(t([4, 4], f32), 2)],
    },
  ),
];
