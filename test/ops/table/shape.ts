import { call, kwcall, row, t, type Row, type Sample } from './spec';

const f32 = { dtype: 'float32' } as const;
const x = t([2, 3, 4]);
/** Depends on the strides: another layout is another question. */
const by_memory = { strided: false };
const bad = t([2, 3], f32);

export const shape: Row[] = [
  row('view', [call(x, 6, 4), call(x, [2, -1]), call(t([]), 1), call(t([0, 3]), 3, 0), call(t([1]), [])], {
    ...by_memory,
    errors: [call(bad, 4, 2), call(bad, -1, -1), call(bad, 4, -1), call(t([0], f32), 0, -1)],
  }),
  row(
    'reshape',
    [call(x, [6, 4]), call(x, [2, -1]), call(t([]), [1]), call(t([0, 3]), [3, 0]), call(t([1]), [])],
    {
      errors: [call(bad, [4, 2]), call(bad, [-1, -1]), call(bad, [4, -1])],
    },
  ),
  row('flatten', [call(x), call(x, 1), call(x, 0, 1), kwcall([x], { start_dim: -2 }), call(t([]))], {
    errors: [call(bad, 2), call(bad, 1, 0)],
  }),
  row('unflatten', [call(t([2, 6]), 1, [2, 3]), call(t([2, 6]), -1, [3, -1])], {
    errors: [call(t([2, 6], f32), 1, [4, 2]), call(t([2, 6], f32), 1, [])],
  }),
  row(
    'squeeze',
    [
      call(t([1, 3, 1])),
      call(t([1, 3, 1]), 0),
      call(t([1, 3, 1]), 1),
      call(t([1, 3, 1]), [0, 2]),
      call(t([]), 0),
    ],
    {
      errors: [call(bad, 2)],
    },
  ),
  row('unsqueeze', [call(t([2, 3]), 0), call(t([2, 3]), -1), call(t([2, 3]), 1), call(t([]), 0)], {
    errors: [call(bad, 3), call(bad, -4)],
  }),
  row('transpose', [call(x, 0, 2), call(x, -1, 1), call(t([]), 0, -1)], { errors: [call(bad, 0, 2)] }),
  row('permute', [call(x, [2, 0, 1]), call(x, [-1, 0, 1]), call(t([]), [])], {
    errors: [call(bad, [0]), call(bad, [0, 0]), call(bad, [0, 2])],
  }),
  row('t', [call(t([2, 3])), call(t([3])), call(t([]))], { errors: [call(t([2, 2, 2], f32))] }),
  row('T', [call(t([2, 3])), call(t([3]))], { python: 'lambda x: x.T' }),
  row('mT', [call(t([2, 3])), call(x)], { python: 'lambda x: x.mT', errors: [call(t([3], f32))] }),
  row(
    'expand',
    [call(t([3]), 2, 3), call(t([2, 1]), [2, 4]), call(t([2, 1]), -1, 3), call(t([]), 2), call(t([1]), 0)],
    {
      errors: [call(bad, 4, 3), call(bad, 3), call(t([3], f32), -1, 3)],
    },
  ),
  row('expand_as', [call(t([3]), t([2, 3], { grad: false })), call(t([2, 1]), t([2, 4], { grad: false }))]),
  row('broadcast_to', [call(t([3]), [2, 3]), call(t([2, 1]), [2, 4])], { errors: [call(bad, [4, 3])] }),
  row('select', [call(x, 0, 1), call(x, 1, -1), call(x, -1, 0)], {
    errors: [call(bad, 0, 2), call(bad, 2, 0), call(t([], f32), 0, 0)],
  }),
  row('narrow', [call(x, 1, 1, 2), call(x, 2, -3, 2), call(x, 0, 0, 0)], {
    errors: [call(bad, 0, 1, 2), call(bad, 0, 0, -1), call(bad, 1, 4, 0)],
  }),
  row(
    'split',
    [call(t([5, 2]), 2), call(t([5, 2]), [1, 4]), call(t([2, 5]), 2, 1), call(t([2, 5]), [2, 3], -1)],
    {
      errors: [call(t([5], f32), [1, 2]), call(t([5], f32), -1)],
    },
  ),
  row('chunk', [call(t([5, 2]), 3), call(t([2, 6]), 4, 1), call(t([2]), 5)], { errors: [call(bad, 0)] }),
  row('unbind', [call(t([2, 3])), call(x, 1), call(x, -1)], { errors: [call(bad, 2)] }),
  row('movedim', [call(x, 0, 2), call(x, [0, 1], [2, 0]), call(x, -1, 0)], {
    errors: [call(bad, [0, 0], [0, 1]), call(bad, [0], [0, 1])],
  }),
  row(
    'as_strided',
    [call(t([9]), [2, 2], [3, 1]), call(t([9]), [2, 3], [2, 1], 1), call(t([4]), [3, 2], [1, 1])],
    {
      ...by_memory,
      errors: [
        call(t([4], f32), [3, 3], [3, 1]),
        call(t([4], f32), [2], [-1]),
        call(t([4], f32), [2, 2], [1]),
      ],
    },
  ),
  row(
    'diagonal',
    [call(t([3, 3])), call(t([2, 4]), 1), call(t([3, 2]), -1), call(x, 0, 1, 2), call(t([2, 2]), 5)],
    {
      errors: [call(bad, 0, 0, 0), call(t([3], f32))],
    },
  ),
  row('unfold', [call(t([7]), 0, 3, 2), call(t([2, 5]), 1, 2, 1), call(t([2, 5]), -2, 2, 2)], {
    python: 'lambda x, *a: x.unfold(*a)',
    errors: [call(t([3], f32), 0, 4, 1), call(t([3], f32), 0, 2, 0)],
  }),
  row('swapaxes', [call(x, 0, 2), call(x, -1, 1)]),
  row('swapdims', [call(x, 0, 2)]),
  row('moveaxis', [call(x, 0, 2)]),
  row('reshape_as', [call(t([2, 3]), t([3, 2], { grad: false }))]),
  row('ravel', [call(x), call(t([]))]),
  row('view_as', [call(t([2, 3]), t([3, 2], { grad: false }))], by_memory),
  row('repeat', [call(t([2, 3]), 2, 1), call(t([3]), 2, 2), call(t([2]), [0]), call(t([]), 3)], {
    errors: [call(bad, 2)],
  }),
  row('tile', [call(t([2, 3]), [2]), call(t([2]), [2, 2]), call(t([]), [3])]),
  row(
    'pad',
    [
      call(t([2, 3]), [1, 2]),
      call(t([2, 3]), [0, -1, 2, 0]),
      kwcall([t([2, 3]), [1, 0]], { value: 2 }),
      ...['reflect', 'replicate', 'circular'].flatMap((mode): Sample[] => [
        { ...call(t([2, 3]), [2, 1], mode), dtypes: ['float32', 'float64'] },
        { ...call(t([2, 3, 4]), [1, 2, 2, 0], mode), dtypes: ['float32', 'float64'] },
      ]),
    ],
    {
      python: 'F.pad',
      composed: true,
      errors: [
        call(bad, [1, 2, 3]),
        call(bad, [1, 1, 1, 1, 1, 1]),
        call(bad, [-4, 0]),
        call(bad, [3, 0], 'reflect'),
        call(bad, [4, 0], 'circular'),
        call(bad, [1, 1], 'mirror'),
        call(t([3], f32), [1, 1], 'replicate'),
        kwcall([bad, [1, 1], 'reflect'], { value: 2 }),
      ],
    },
  ),
  row('flip', [call(t([2, 3]), [0]), call(t([2, 3]), [0, -1]), call(t([2, 0]), [1])], {
    errors: [call(bad, [0, 0]), call(bad, [2])],
  }),
  row('roll', [
    call(t([5]), 2),
    call(t([2, 3]), 1),
    call(t([2, 3]), -1, 1),
    call(t([2, 3]), [1, 2], [0, 1]),
    call(t([0]), 1),
  ]),
  row('tril', [call(t([3, 3])), call(t([3, 4]), 1), call(t([2, 3, 3]), -1)], { errors: [call(t([3], f32))] }),
  row('triu', [call(t([3, 3])), call(t([3, 4]), 1), call(t([2, 3, 3]), -1)], { errors: [call(t([3], f32))] }),
];

export const join: Row[] = [
  row(
    'cat',
    [
      call([t([2, 3]), t([1, 3])]),
      call([t([2, 3]), t([2, 1])], 1),
      call([t([2, 3]), t([2, 2]), t([2, 1])], -1),
      call([t([0]), t([2, 3])], 1),
      // Central differences need float64 throughout.
      { ...call([t([2], f32), t([2], { dtype: 'float64' })]), gradcheck: false },
      { ...call([t([2], { dtype: 'int64' }), t([2], { dtype: 'float16' })]), gradcheck: false },
      call([t([2])]),
    ],
    {
      errors: [
        call([]),
        call([t([2, 3], f32), t([2, 2], f32)]),
        call([t([2, 3], f32), t([3], f32)]),
        call([t([2], f32)], 1),
        call([t([], f32), t([], f32)]),
      ],
    },
  ),
  row(
    'stack',
    [
      call([t([2, 3]), t([2, 3])]),
      call([t([2, 3]), t([2, 3])], 1),
      call([t([2]), t([2])], -1),
      call([t([]), t([])]),
    ],
    {
      errors: [call([]), call([t([2], f32), t([3], f32)]), call([t([2], f32)], 2)],
    },
  ),
];
