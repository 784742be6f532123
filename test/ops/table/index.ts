import { bools, call, ints, kwcall, row, slice, t, type Row } from './spec';

const f32 = { dtype: 'float32' } as const;
const x = t([3, 4]);
const bad = t([3, 4], f32);
const as_index = 'lambda x, i: x[tuple(i)]';

export const index: Row[] = [
  row(
    'index',
    [
      call(x, [0]),
      call(x, [-1, 2]),
      call(x, [slice(1, 3)]),
      call(x, [slice(null, null, 2), slice(1, null)]),
      call(x, ['...', 0]),
      call(x, [null, 1]),
      call(x, [slice(), null, 2]),
      call(x, [ints([0, 2])]),
      call(x, [ints([0, -1]), ints([1, 3])]),
      call(x, [slice(), ints([3, 0, 0])]),
      call(x, [ints([0, 1, 2, 0], [2, 2])]),
      call(x, [ints([0, 2], [2, 1]), ints([1, 3])]),
      call(x, [bools([1, 0, 1])]),
      call(x, [bools([1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0], [3, 4])]),
      call(x, [slice(), bools([1, 0, 0, 1])]),
      call(x, [bools([0, 0, 0])]),
      call(t([2, 3, 4]), [ints([0, 1]), slice(), ints([1, 2])]),
      call(t([2, 3, 4]), ['...', ints([0, 3])]),
      call(x, [[0, 2]]),
      call(x, [slice(5, 9)]),
      call(t([0, 3]), [slice(), 1]),
    ],
    {
      python: as_index,
      errors: [
        call(bad, [3]),
        call(bad, [0, -5]),
        call(bad, [0, 0, 0]),
        call(bad, [ints([0, 3])]),
        call(bad, [bools([1, 0])]),
        call(bad, [t([1], f32)]),
        call(bad, [ints([0, 1]), ints([0, 1, 2])]),
        call(bad, [slice(null, null, 0)]),
      ],
    },
  ),
  row(
    'index_put',
    [
      call(x, [ints([0, 2])], t([2, 4])),
      call(x, [ints([0, 2]), ints([1, 1])], t([2])),
      call(x, [ints([0, 2]), ints([1, 1])], t([])),
      call(x, [ints([0, 0])], t([2, 4]), true),
      call(x, [bools([1, 0, 1])], t([4])),
      call(x, [bools([1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0], [3, 4])], t([])),
    ],
    { errors: [call(bad, [ints([0, 2])], t([3], f32)), call(bad, [ints([3])], t([4], f32))] },
  ),
  row(
    'index_select',
    [
      call(x, 0, ints([0, 2, 0])),
      call(x, 1, ints([3])),
      call(x, -1, ints([], [0])),
      call(t([]), 0, ints([0])),
    ],
    {
      errors: [call(bad, 0, ints([3])), call(bad, 0, ints([0, 1, 1, 0], [2, 2])), call(bad, 0, t([1], f32))],
    },
  ),
  row(
    'gather',
    [
      call(x, 1, ints([0, 3, 1, 1, 2, 0], [3, 2])),
      call(x, 0, ints([0, 2, 1, 1], [1, 4])),
      call(x, -1, ints([0], [1, 1])),
      call(t([]), 0, t([], { dtype: 'int64', data: [0] })),
    ],
    {
      errors: [
        call(bad, 1, ints([4], [1, 1])),
        call(bad, 1, ints([0])),
        call(bad, 1, ints([0, 0, 0, 0], [4, 1])),
      ],
    },
  ),
  row(
    'scatter',
    [
      call(x, 1, ints([0, 3, 2, 1, 2, 0], [3, 2]), t([3, 2])),
      call(x, 0, ints([0, 2, 1, 1], [1, 4]), t([2, 4], { grad: false })),
      call(x, 1, ints([0, 3, 2, 1, 2, 0], [3, 2]), 1.5),
      kwcall(
        [
          t([4], { dtype: 'float32', grad: false }),
          0,
          ints([0, 0, 2]),
          t([3], { dtype: 'float32', grad: false }),
        ],
        { reduce: 'add' },
      ),
    ],
    { errors: [call(bad, 1, ints([4], [1, 1]), 0), call(bad, 1, ints([0]), t([1], f32))] },
  ),
  row(
    'scatter_add',
    [
      call(x, 1, ints([0, 0, 2, 1, 2, 2], [3, 2]), t([3, 2])),
      call(x, 0, ints([0, 0, 1, 1], [1, 4]), t([2, 4], { grad: false })),
    ],
    {
      errors: [
        call(bad, 1, ints([4], [1, 1]), t([1, 1], f32)),
        call(bad, 1, ints([0], [1, 1]), t([1, 1], { dtype: 'float64' })),
      ],
    },
  ),
  row(
    'masked_fill',
    [
      call(x, bools([1, 0, 1, 0]), 2),
      call(x, bools([1, 0, 1], [3, 1]), t([])),
      call(t([]), bools([1], []), 0.5),
      call(t([0]), bools([], [0]), 1),
    ],
    {
      errors: [call(bad, t([4], f32), 1), call(bad, bools([1, 0, 1]), 1), call(bad, bools([1]), t([2], f32))],
    },
  ),
  row(
    'masked_select',
    [call(x, bools([1, 0, 1, 0])), call(t([4]), bools([1, 0, 1], [3, 1])), call(x, bools([0]))],
    {
      errors: [call(bad, t([4], f32)), call(bad, bools([1, 0, 1]))],
    },
  ),
  row('take', [call(x, ints([0, 11, -1, 0], [2, 2])), call(x, ints([], [0]))], {
    errors: [call(bad, ints([12])), call(bad, t([1], f32))],
  }),
  row('nonzero', [
    call(t([2, 3], { data: [0, 1, 0, 2, 0, 3] })),
    call(t([3], { data: [0, 0, 0] })),
    call(t([], { data: [1] })),
    call(t([0, 2])),
    kwcall([t([2, 3], { data: [0, 1, 0, 2, 0, 3] })], { as_tuple: true }),
  ]),
  row('index_add', [
    call(x, 0, ints([0, 2, 0]), t([3, 4])),
    call(x, 1, ints([1]), t([3, 1])),
    kwcall([x, 0, ints([1, 1]), t([2, 4])], { alpha: 2 }),
  ]),
  row('index_copy', [call(x, 0, ints([2, 0]), t([2, 4])), call(x, 1, ints([1]), t([3, 1]))]),
  row('index_fill', [call(x, 0, ints([0, 2]), 2), call(x, 1, ints([1]), t([]))]),
  row(
    'embedding',
    [
      call(ints([0, 2, 2, 1], [2, 2]), t([3, 4])),
      call(ints([1]), t([3, 2])),
      call(ints([], [0]), t([3, 2])),
      { ...kwcall([ints([0, 2, 2, 1]), t([3, 2])], { padding_idx: 2 }), gradcheck: false },
    ],
    {
      python: 'F.embedding',
      errors: [
        call(ints([3]), t([3, 2], f32)),
        call(t([1], f32), t([3, 2], f32)),
        call(ints([0]), t([3], f32)),
      ],
    },
  ),
  row('one_hot', [call(ints([0, 2, 1])), call(ints([0, 1], [2, 1]), 4)], {
    python: 'F.one_hot',
    dtypes: ['int64'],
    errors: [call(ints([-1])), call(ints([3]), 2), call(ints([], [0]))],
  }),
];

export const sort: Row[] = [
  row(
    'topk',
    [
      call(t([6]), 3),
      call(t([2, 5]), 2),
      call(t([4, 2]), 2, 0),
      call(t([2, 5]), 2, 1, false),
      call(t([]), 1),
      call(t([3]), 0),
      {
        ...call(t([5], { data: [1, NaN, 3, Infinity, 2] }), 3),
        dtypes: ['float32', 'float64'],
        gradcheck: false,
      },
    ],
    // Which of several equal elements comes first is not defined; among float dtypes the drawn elements differ.
    {
      errors: [call(t([3], f32), 4), call(t([3], f32), -1), call(t([2, 3], f32), 1, 2)],
      dtypes: ['float32', 'float64', 'float16', 'bfloat16'],
    },
  ),
  row('sort', [
    call(t([6])),
    call(t([3, 4]), 0),
    call(t([3, 4]), 1, true),
    { ...kwcall([t([6], { data: [1, 0, 1, 0, 1, 0] })], { stable: true }), gradcheck: false },
    kwcall([t([3, 4])], { stable: true, dim: 0, descending: true }),
    call(t([])),
    call(t([0])),
    {
      ...call(t([5], { data: [1, NaN, 3, -Infinity, 2] })),
      dtypes: ['float32', 'float64'],
      gradcheck: false,
    },
    { ...call(t([3, 67]), 1), dtypes: ['float32', 'float64'], gradcheck: false },
  ]),
  row('argsort', [
    call(t([6])),
    call(t([3, 4]), 0),
    call(t([3, 4]), 1, true),
    kwcall([t([6], { data: [1, 0, 1, 0, 1, 0] })], { stable: true }),
  ]),
];
