import { bools, call, ints, kwcall, row, t, type Row } from './spec';

const f32 = { dtype: 'float32' } as const;
const x = t([2, 3, 4]);
const m = t([3, 4]);
const bad = t([2, 3], f32);
/** In PyTorch these take the tensors one by one; both ways are right here. */
const starred = (name: string) => ({ python: `lambda tensors: torch.${name}(*tensors)` });

export const split: Row[] = [
  row('split_with_sizes', [call(t([5, 2]), [1, 4]), call(t([2, 5]), [2, 0, 3], -1)], {
    errors: [call(t([5], f32), [1, 2]), call(t([5], f32), [6, -1])],
  }),
  row(
    'tensor_split',
    [call(t([7]), 3), call(t([7]), [1, 6]), call(t([2, 5]), 2, 1), call(t([2]), 4), call(t([4]), [3, 1])],
    { errors: [call(t([4], f32), 0), call(bad, 2, 2)] },
  ),
  row('hsplit', [call(t([4]), 2), call(t([2, 4]), 2), call(t([2, 4]), [1, 3])], {
    errors: [call(t([5], f32), 2), call(t([], f32), 1)],
  }),
  row('vsplit', [call(t([4, 2]), 2), call(t([4, 2]), [1])], {
    errors: [call(t([3, 2], f32), 2), call(t([4], f32), 2)],
  }),
  row('dsplit', [call(t([1, 2, 4]), 2), call(t([1, 2, 4]), [3])], {
    errors: [call(t([1, 2, 3], f32), 2), call(bad, 2)],
  }),
];

export const stacking: Row[] = [
  ...['concat', 'concatenate'].map((name) => row(name, [call([t([2, 3]), t([2, 1])], 1), call([t([2])])])),
  row('hstack', [call([t([2]), t([3]), t([])]), call([t([2, 3]), t([2, 1])])], { errors: [call([])] }),
  ...['vstack', 'row_stack'].map((name) => row(name, [call([t([3]), t([3])]), call([t([2, 3]), t([1, 3])])])),
  row('dstack', [call([t([3]), t([3])]), call([t([2, 3]), t([2, 3])]), call([x, t([2, 3, 1])])]),
  row('column_stack', [call([t([3]), t([3, 2])]), call([t([]), t([1])])]),
  row('block_diag', [call([t([2, 2]), t([1, 3]), t([2]), t([])])], starred('block_diag')),
  row('cartesian_prod', [call([t([2]), t([3])]), call([t([3])])], starred('cartesian_prod')),
  row('meshgrid', [call([t([2]), t([3])]), kwcall([[t([2]), t([3]), t([2])]], { indexing: 'xy' })], {
    errors: [call([])],
    python: "lambda tensors, indexing='ij': torch.meshgrid(tensors, indexing=indexing)",
  }),
  row(
    'broadcast_tensors',
    [call([t([3, 1]), t([2])]), call([t([]), t([2, 2])])],
    starred('broadcast_tensors'),
  ),
  row(
    'repeat_interleave',
    [
      call(t([3]), 2),
      call(t([2, 3]), 2),
      call(t([2, 3]), 3, 1),
      call(t([2, 3]), ints([1, 2]), 0),
      call(t([2, 3]), ints([2]), -1),
    ],
    { errors: [call(t([2], f32), -1), call(t([2], f32), ints([1, 2, 3])), call(t([2], f32), ints([1, -1]))] },
  ),
  row('atleast_1d', [call(t([])), call(t([2]))]),
  row('atleast_2d', [call(t([])), call(t([2])), call(t([2, 3]))]),
  row('atleast_3d', [call(t([])), call(t([2])), call(t([2, 3])), call(x)]),
];

export const triangle: Row[] = [
  row('diag', [call(t([3])), call(t([2]), -1), call(m), call(m, 2), call(m, -5)], { errors: [call(x)] }),
  row('diag_embed', [call(t([3])), call(t([2, 2]), 1), call(t([2, 2]), -1, 0, 2)], {
    errors: [call(t([2], f32), 0, 1, 1)],
  }),
  row('diagflat', [call(t([2, 2])), call(t([2]), 1)]),
  row('diagonal_scatter', [call(t([3, 3]), t([3])), call(m, t([3]), 1), call(x, t([4, 2]), 0, 0, 1)]),
  row('select_scatter', [call(m, t([4]), 0, 1), call(m, t([3]), 1, -1)]),
  row('slice_scatter', [
    call(m, t([2, 4]), 0, 1),
    call(m, t([3, 2]), 1, 0, 4, 2),
    kwcall([m, t([3, 1])], { dim: 1, start: -1 }),
  ]),
  row('tril_indices', [call(3, 3), call(3, 4, 1), call(4, 2, -1), call(0, 3)], {
    dtypes: ['float32'],
    errors: [call(-1, 2)],
  }),
  row('triu_indices', [call(3, 3), call(3, 4, 1), call(4, 2, -1), call(0, 3)], { dtypes: ['float32'] }),
  row('adjoint', [call(t([2, 3])), call(x), call(t([]))]),
  row('fliplr', [call(m)], { errors: [call(t([2], f32))] }),
  row('flipud', [call(m), call(t([3]))]),
  row('rot90', [call(m), call(m, 2), call(m, -1), call(x, 1, [1, 2])], {
    errors: [call(m, 1, [0]), call(m, 1, [0, 0]), call(t([2], f32))],
  }),
  row('logspace', [call(0, 2, 3), call(0, 3, 4, 2), call(1, 1, 1), call(0, 1, 0)], { dtypes: ['float32'] }),
  row('empty_strided', [call([2, 3], [1, 2])], { dtypes: ['float32'], undefined_values: true }),
  row('scalar_tensor', [call(0.5)], { dtypes: ['float32'] }),
  row('fill', [call(t([2, 3]), 2), call(t([2]), t([], { grad: false }))], {
    errors: [call(t([2], f32), t([2], f32))],
  }),
];

const distinct = { data: [3, 1, 4, 1.5, 5, 9, 2, 6, 5.5, 3.5, 8, 7] };
export const positions: Row[] = [
  row('put', [call(m, ints([0, 11, -2]), t([3])), call(m, ints([1, 1], [2, 1]), t([2]), true)], {
    errors: [call(t([3], f32), ints([3]), t([1], f32)), call(t([3], f32), ints([0]), t([2], f32))],
  }),
  row(
    'take_along_dim',
    [call(m, ints([3, 0, 1], [3, 1]), 1), call(m, ints([0, 11, 4])), call(m, ints([2, 0], [2, 1]), 0)],
    { errors: [call(t([3], f32), ints([0], [1, 1]), 0)] },
  ),
  row('index_reduce', [
    ...['prod', 'mean', 'amax', 'amin'].map((how) => call(m, 0, ints([0, 2, 0]), t([3, 4]), how)),
    ...['prod', 'mean', 'amax'].map((how) =>
      kwcall([m, 1, ints([1, 1]), t([3, 2]), how], { include_self: false }),
    ),
  ]),
  row(
    'scatter_reduce',
    [
      ...['sum', 'prod', 'mean', 'amax', 'amin'].map((how) =>
        call(m, 1, ints([0, 0, 2, 1, 2, 2], [3, 2]), t([3, 2]), how),
      ),
      ...['sum', 'prod', 'mean', 'amax', 'amin'].map((how) =>
        kwcall([m, 0, ints([0, 0, 1, 1], [1, 4]), t([1, 4]), how], { include_self: false }),
      ),
      // A zero among the factors: its own derivative does not vanish.
      call(t([3]), 0, ints([0, 0, 1]), t([3], { data: [0, 2, 3] }), 'prod'),
    ],
    { errors: [call(t([3], f32), 0, ints([0]), t([1], f32), 'median')] },
  ),
  row(
    'masked_scatter',
    [
      call(m, bools([1, 0, 1, 0]), t([6])),
      call(m, bools([1, 0, 1], [3, 1]), t([3, 4])),
      call(t([2]), bools([0]), t([1])),
    ],
    { errors: [call(t([2], f32), bools([1, 1]), t([1], f32)), call(t([2], f32), t([2], f32), t([2], f32))] },
  ),
  row('argwhere', [call(t([2, 3], { data: [0, 1, 0, 2, 0, 3] })), call(t([0]))]),
  row(
    'kthvalue',
    [call(t([12], distinct), 3), call(t([3, 4], distinct), 2, 0), call(t([3, 4], distinct), 1, 1, true)],
    {
      dtypes: ['float32', 'float64', 'float16', 'bfloat16'],
      errors: [call(t([3], f32), 4), call(t([3], f32), 0)],
    },
  ),
  row('msort', [call(t([3, 4], distinct)), call(t([4], { data: [3, 1, 4, 2] }))], {
    dtypes: ['float32', 'float64', 'float16', 'bfloat16'],
  }),
];

const source = t([2, 3], { grad: false });
const weights = { data: [1, 0, 3, 2, 4, 0.5], grad: false };
export const sampling: Row[] = [
  ...['cauchy_', 'exponential_', 'log_normal_'].map((name) =>
    row(name, [call(source), call(t([20], { grad: false }), 0.5)], { dtypes: ['float32', 'float64'] }),
  ),
  row('geometric_', [call(source, 0.5)], { errors: [call(t([2], f32), 1)] }),
  row(
    'multinomial',
    [
      call(t([6], weights), 3),
      call(t([6], weights), 1),
      call(t([2, 3], weights), 2),
      call(t([6], weights), 10, true),
      call(t([2, 3], weights), 4, true),
    ],
    {
      dtypes: ['float32', 'float64'],
      errors: [
        call(t([3], f32), 4),
        call(t([3], f32), 0),
        call(t([2], { ...f32, data: [1, -1] }), 1),
        call(t([2], { ...f32, data: [0, 0] }), 1),
        call(t([1, 1, 1], f32), 1),
      ],
    },
  ),
  row(
    'normal',
    [
      call(t([2, 3], { grad: false }), t([3], { lo: 0.5, hi: 2, grad: false })),
      call(t([20], { grad: false }), 0.5),
      call(1, t([3], { lo: 0.5, hi: 2, grad: false })),
      call(1, 0.5, [2, 3]),
    ],
    { dtypes: ['float32', 'float64'], in_place: false }, // normal_ takes numbers
  ),
].map((drawing) => ({ ...drawing, strided: false }));
