import { all_dtypes, call, dtype, kwcall, row, t, type Arg, type DType, type Row, type Sample } from './spec';

const once: { dtypes: DType[] } = { dtypes: ['float32'] };
const f32 = { dtype: 'float32' } as const;
const source = t([2, 3], { grad: false });

/** A call without tensors, and the same for each dtype asked for by name. */
const each_dtype = (...args: Arg[]): Sample[] => [
  call(...args),
  ...all_dtypes.map((name) => kwcall(args, { dtype: dtype(name) })),
];
const floats = (...args: Arg[]): Sample[] =>
  (['float32', 'float64', 'float16', 'bfloat16'] as const).map((name) =>
    kwcall(args, { dtype: dtype(name) }),
  );
const like = (...rest: Arg[]): Sample[] => [
  call(source, ...rest),
  { ...kwcall([source, ...rest], { dtype: dtype('float64') }), ...once },
];
const made_new = (...args: Arg[]): Sample[] => [
  call(source, ...args),
  { ...kwcall([source, ...args], { dtype: dtype('int32') }), ...once },
];
const negative_size = { ...once, errors: [call([2, -1])] };

export const creation: Row[] = [
  row('empty', [...each_dtype([2, 3]), call([0])], { ...negative_size, undefined_values: true }),
  row('zeros', [...each_dtype([2, 3]), call(2, 3), call([]), call([0, 2])], negative_size),
  row('ones', [...each_dtype([2, 3]), call(2, 3), call([]), call([0, 2])], negative_size),
  // A whole number as fill value is a float here: the literal's one difference.
  row('full', [call([2, 3], 0.5), call([2], true), ...each_dtype([2, 3], 2).slice(1)], once),
  row('eye', [...each_dtype(3), call(2, 3), call(3, 2), call(0)], { ...once, errors: [call(-1)] }),
  row(
    'arange',
    [
      ...each_dtype(5).slice(0, -1),
      call(1, 5),
      call(1, 8, 3),
      call(5, 1, -2),
      call(0, 1, 0.25),
      call(2.5),
      call(0),
      call(1, 1),
    ],
    { ...once, errors: [call(1, 5, 0), call(1, 5, -1), call(5, 1)] },
  ),
  row(
    'linspace',
    [...each_dtype(0, 8, 5).slice(0, -1), call(3, 10, 4), call(-1, 1, 1), call(0, 1, 0), call(1, -1, 5)],
    {
      ...once,
      errors: [call(0, 1, -1)],
    },
  ),
  row('zeros_like', like()),
  row('ones_like', like()),
  row('full_like', like(2)),
  row('empty_like', like(), { undefined_values: true }),
  row('new_zeros', made_new([2, 2])),
  row('new_ones', made_new([2, 2])),
  row('new_full', made_new([2, 2], 3)),
  row('new_empty', made_new([2, 2]), { undefined_values: true }),
];

const drawn: Row[] = [
  row('rand', [...floats([2, 3]), call(2, 3), call([40]), call([0])], {
    ...once,
    errors: [kwcall([[2]], { dtype: dtype('int64') })],
  }),
  row('randn', [...floats([2, 3]), call(2, 3), call([40]), call([0])], {
    ...once,
    errors: [kwcall([[2]], { dtype: dtype('int64') })],
  }),
  row(
    'randint',
    [
      call(10, [2, 3]),
      call(-5, 5, [20]),
      ...all_dtypes.map((name) => kwcall([0, 2, [4]], { dtype: dtype(name) })),
    ],
    {
      ...once,
      errors: [call(5, 5, [2]), call(5, 1, [2])],
    },
  ),
  row('randperm', [call(10), call(1), call(0), kwcall([6], { dtype: dtype('int32') })], {
    ...once,
    errors: [call(-1)],
  }),
  row('rand_like', like()),
  row('randn_like', like()),
  row('randint_like', like(10)),
  row(
    'bernoulli',
    [
      { ...call(t([2, 3], { lo: 0.05, hi: 0.95 })), gradcheck: false }, // its derivative is zero, its differences are not
      { ...call(t([20], { lo: 0.05, hi: 0.95, grad: false })), dtypes: ['float32', 'float64'] },
    ],
    {
      in_place: false, // takes the probability as an argument
      errors: [
        {
          ...call(t([2], { ...f32, data: [0.5, 1.5] })),
          message: 'Expected p_in >= 0 && p_in <= 1 to be true, but got false.', // without the request to report it
        },
      ],
    },
  ),
  row('normal_', [call(source), call(source, 1, 0.5), call(t([40], { grad: false }))], {
    errors: [call(t([2], f32), 0, -1)],
  }),
  row('uniform_', [call(source), call(source, -1, 1), call(t([40], { grad: false }))], {
    errors: [call(t([2], f32), 1, 0)],
  }),
  row('bernoulli_', [call(source, 0.5), call(t([40], { grad: false }), 0.25)], {
    errors: [call(t([2], f32), 1.5)],
  }),
  row('random_', [call(t([40], { grad: false }), 10), call(t([8], { grad: false }), 2, 5)], {
    errors: [call(t([2], f32), 5, 2)],
  }),
];

export const random = drawn.map((drawing) => ({ ...drawing, strided: false }));

export const convert: Row[] = [
  row('to', [
    ...all_dtypes.map((name) => call(t([2, 3]), dtype(name))),
    kwcall([t([2])], { dtype: dtype('float64') }),
    call(t([2]), 'cpu'),
    call(t([2]), t([1], { dtype: 'float64', grad: false })),
    // Towards zero, as the conversion of one number does.
    { ...call(t([4], { data: [1.7, -1.7, 2.5, -0.5] }), dtype('int32')), dtypes: ['float32', 'float64'] },
  ]),
  ...['float', 'double', 'half', 'bfloat16', 'long', 'int', 'short', 'char', 'byte', 'bool'].map((name) =>
    row(name, [call(t([2, 3])), call(t([]))], { python: `lambda x: x.${name}()` }),
  ),
  row('type_as', [call(t([2, 3]), t([1], { dtype: 'float64', grad: false }))]),
  row('clone', [call(t([2, 3])), call(t([])), call(t([0]))]),
  row('contiguous', [call(t([2, 3])), call(t([]))]),
  // The table's tensors are views, which detach_ refuses; test/autograd/views.test.ts has it.
  row('detach', [call(t([2, 3]))], { in_place: false }),
  row('item', [call(t([])), call(t([1, 1]))], { errors: [call(t([2], f32)), call(t([0], f32))] }),
  row('tolist', [call(t([2, 3])), call(t([])), call(t([0])), call(t([2, 0]))]),
  row('fill_', [call(source, 2), call(source, t([], { grad: false }))], {
    errors: [call(t([2], f32), t([2], f32))],
  }),
  row('zero_', [call(source)]),
  ...[
    row('resize_', [call(source, 2, 2), call(source, [3]), call(source, [3, 2]), call(source, 2, 3)], {
      errors: [call(source, [-1])],
    }),
    row('resize_as_', [call(source, source), call(source, t([2, 2], { grad: false }))]),
    row('set_', [call(source, source), call(source, source, 1, [2, 2], [2, 1]), call(source)], {
      errors: [call(source, source, -1, [2], [1])],
    }),
    // They speak of the memory: another layout is another question.
  ].map((by_memory) => ({ ...by_memory, strided: false })),
  row(
    'copy_',
    [call(source, t([3], { grad: false })), call(source, t([2, 3], { dtype: 'float64', grad: false }))],
    {
      errors: [call(t([2], f32), t([3], f32))],
    },
  ),
];
