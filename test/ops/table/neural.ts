import {
  bools,
  call,
  dtype,
  float_dtypes,
  ints,
  kwcall,
  row,
  t,
  type Row,
  type Sample,
  type TensorSpec,
} from './spec';

const f32 = { dtype: 'float32' } as const;
const f64 = { dtype: 'float64' } as const;
const unit = { lo: 0.05, hi: 0.95 };
const positive = { lo: 0.2, hi: 3.9 };
const fixed = { grad: false };

const over_dim: Sample[] = [
  call(t([2, 3]), 1),
  call(t([2, 3]), 0),
  call(t([2, 3, 2]), -2),
  call(t([]), 0),
  call(t([0, 3]), 1),
  { ...call(t([3, 37]), 1), dtypes: float_dtypes, gradcheck: false },
  {
    ...call(t([2, 2], { data: [1000, 1001, -Infinity, 0] }), 1),
    dtypes: ['float32', 'float64'],
    gradcheck: false,
  },
  {
    ...call(t([1, 2], { data: [-Infinity, -Infinity] }), 1),
    dtypes: ['float32', 'float64'],
    gradcheck: false,
  },
];
const only_floats = { errors: [call(t([2], f32), 1)] };

export const softmax: Row[] = [
  row('softmax', [...over_dim, kwcall([t([2, 3]), 1], { dtype: dtype('float64') })], only_floats),
  row('log_softmax', over_dim, only_floats),
  row('softmin', [call(t([2, 3]), 1), call(t([2, 3]), 0)], { python: 'F.softmin' }),
];

const reductions = ['mean', 'sum', 'none'];
const pairs = (a: object = {}, b: object = {}): Sample[] => [
  ...reductions.map((reduction) => kwcall([t([2, 3], a), t([2, 3], b)], { reduction })),
  call(t([], a), t([], b)),
  { ...call(t([0], a), t([0], b)), gradcheck: false },
];
const unknown_reduction = kwcall([t([2], { ...f32, ...unit }), t([2], { ...f32, ...unit })], {
  reduction: 'max',
});

export const loss: Row[] = [
  row('mse_loss', pairs(), { python: 'F.mse_loss', errors: [unknown_reduction] }),
  row('l1_loss', pairs(), { python: 'F.l1_loss', errors: [unknown_reduction] }),
  row('smooth_l1_loss', [...pairs(), kwcall([t([2, 3]), t([2, 3])], { beta: 0.3 })], {
    python: 'F.smooth_l1_loss',
    errors: [kwcall([t([2], f32), t([2], f32)], { beta: -1 })],
  }),
  row('huber_loss', [...pairs(), kwcall([t([2, 3]), t([2, 3])], { delta: 0.3 })], {
    python: 'F.huber_loss',
    errors: [kwcall([t([2], f32), t([2], f32)], { delta: 0 })],
  }),
  row(
    'kl_div',
    [
      ...pairs({}, unit),
      kwcall([t([2, 3]), t([2, 3], unit)], { reduction: 'batchmean' }),
      kwcall([t([2, 3]), t([2, 3])], { log_target: true }),
    ],
    {
      python: 'F.kl_div',
    },
  ),
  row(
    'binary_cross_entropy',
    [
      ...pairs(unit, unit),
      kwcall([t([2, 3], unit), t([2, 3], { ...unit, ...fixed })], {
        weight: t([3], { ...positive, ...fixed }),
      }),
    ],
    {
      python: 'F.binary_cross_entropy',
      errors: [
        call(t([2], { ...f32, data: [0.5, 1.5] }), t([2], { ...f32, ...unit })),
        call(t([2], { ...f32, ...unit }), t([3], { ...f32, ...unit })),
      ],
    },
  ),
  row(
    'binary_cross_entropy_with_logits',
    [
      ...pairs({}, unit),
      kwcall([t([2, 3]), t([2, 3], { ...unit, ...fixed })], {
        pos_weight: t([3], { ...positive, ...fixed }),
      }),
      {
        ...call(t([4], { data: [100, -100, 1000, -1000] }), t([4], { data: [1, 0, 0, 1], ...fixed })),
        dtypes: ['float32', 'float64'],
        gradcheck: false,
      },
    ],
    { python: 'F.binary_cross_entropy_with_logits', errors: [call(t([2], f32), t([3], f32))] },
  ),
  row(
    'nll_loss',
    [
      ...reductions.map((reduction) => kwcall([t([3, 4]), ints([0, 3, 1])], { reduction })),
      kwcall([t([3, 4]), ints([0, 3, 1])], { weight: t([4], { ...positive, ...fixed }) }),
      kwcall([t([3, 4]), ints([0, -100, 1])], {}),
      kwcall([t([3, 4]), ints([0, 3, 1])], { ignore_index: 1 }),
      call(t([4]), t([], { dtype: 'int64', data: [2] })),
      call(t([2, 3, 2]), ints([0, 1, 2, 0], [2, 2])),
    ],
    {
      python: 'F.nll_loss',
      errors: [call(t([3, 4], f32), ints([0, 1])), call(t([3, 4], f32), ints([0, 4, 1]))],
    },
  ),
  row(
    'cross_entropy',
    [
      ...reductions.map((reduction) => kwcall([t([3, 4]), ints([0, 3, 1])], { reduction })),
      kwcall([t([3, 4]), ints([0, 3, 1])], { weight: t([4], { ...positive, ...fixed }) }),
      kwcall([t([3, 4]), ints([0, -100, 1])], {}),
      kwcall([t([3, 4]), ints([0, 3, 1])], { label_smoothing: 0.25 }),
      kwcall([t([3, 4]), ints([0, 3, 1])], {
        label_smoothing: 0.25,
        weight: t([4], { ...positive, ...fixed }),
        ignore_index: 3,
      }),
      call(t([3, 4]), t([3, 4], unit)),
      call(t([4]), t([], { dtype: 'int64', data: [2] })),
      call(t([2, 3, 2]), ints([0, 1, 2, 0], [2, 2])),
    ],
    {
      python: 'F.cross_entropy',
      errors: [
        call(t([3, 4], f32), ints([0, 1])),
        call(t([3, 4], f32), ints([0, 4, 1])),
        call(t([3, 4], f32), t([3], f32)),
      ],
    },
  ),
];

export const norm: Row[] = [
  row(
    'batch_norm',
    [
      kwcall([t([4, 2]), null, null], { training: true }),
      kwcall([t([4, 2]), null, null, t([2]), t([2])], { training: true, eps: 0.25 }),
      kwcall([t([3, 2, 2, 2]), null, null, t([2]), t([2])], { training: true }),
      kwcall([t([2, 2, 3]), t([2], fixed), t([2], { ...positive, ...fixed }), t([2]), t([2])], {}),
      kwcall([t([4, 2]), t([2], fixed), t([2], { ...positive, ...fixed })], { momentum: 0.5 }),
      kwcall(
        [
          t([2, 2, 3, 3], f32),
          t([2], { ...f32, ...fixed }),
          t([2], { ...f32, ...positive, ...fixed }),
          t([2], f32),
          t([2], f32),
        ],
        { training: true },
      ),
    ],
    {
      python: 'F.batch_norm',
      errors: [
        kwcall([t([1, 2], f32), null, null], { training: true }),
        call(t([4, 2], f32), t([3], f32), t([3], f32)),
      ],
    },
  ),
  row(
    'layer_norm',
    [
      call(t([2, 3]), [3]),
      call(t([2, 3]), [3], t([3]), t([3])),
      call(t([2, 3, 2]), [3, 2], t([3, 2])),
      call(t([2, 3]), [3], null, null, 0.25),
      { ...call(t([3, 37]), [37], t([37]), t([37])), dtypes: float_dtypes, gradcheck: false },
      call(t([0, 3]), [3]),
    ],
    { python: 'F.layer_norm', errors: [call(t([2, 3], f32), [2]), call(t([2, 3], f32), [3], t([2], f32))] },
  ),
];

export const group_norm: Row[] = [
  row('group_norm', [call(t([2, 4]), 2), call(t([2, 4, 3]), 2, t([4]), t([4])), call(t([1, 4, 2, 2]), 1)], {
    python: 'F.group_norm',
    errors: [call(t([2, 3], f32), 2)],
  }),
  row('instance_norm', [call(t([2, 2, 3])), kwcall([t([1, 2, 2, 2])], { weight: t([2]), bias: t([2]) })], {
    python: 'F.instance_norm',
  }),
];

export const attention: Row[] = [
  row(
    'scaled_dot_product_attention',
    [
      call(t([2, 3, 4]), t([2, 3, 4]), t([2, 3, 4])),
      call(t([1, 2, 3, 4]), t([1, 2, 5, 4]), t([1, 2, 5, 2])),
      kwcall([t([2, 3, 4]), t([2, 3, 4]), t([2, 3, 4])], { is_causal: true }),
      kwcall([t([2, 3, 4]), t([2, 3, 4]), t([2, 3, 4])], { scale: 0.25 }),
      kwcall([t([2, 3, 4]), t([2, 3, 4]), t([2, 3, 4])], {
        attn_mask: bools([1, 0, 1, 1, 1, 0, 0, 1, 1], [3, 3]),
      }),
      kwcall([t([2, 3, 4]), t([2, 3, 4]), t([2, 3, 4])], { attn_mask: t([3, 3], fixed) }),
    ],
    {
      python: 'F.scaled_dot_product_attention',
      composed: true,
      errors: [
        call(t([2, 3, 4], f32), t([2, 3, 4], f64), t([2, 3, 4], f32)),
        call(t([4], f32), t([4], f32), t([4], f32)),
      ],
    },
  ),
];

export const dropout: Row[] = [
  row(
    'dropout',
    [
      kwcall([t([2, 3])], { training: false }),
      call(t([2, 3]), 0),
      call(t([2, 3]), 1),
      // Drawn from the generator, so there are no finite differences to take.
      { ...call(t([20]), 0.5), gradcheck: false, dtypes: ['float32', 'float64'] },
      { ...call(t([5, 7]), 0.1), gradcheck: false, dtypes: ['float32', 'float64'] },
    ],
    { python: 'F.dropout', strided: false, errors: [call(t([2], f32), -0.1), call(t([2], f32), 1.5)] },
  ),
  row(
    'dropout2d',
    [
      kwcall([t([2, 3, 2])], { training: false }),
      call(t([2, 3, 2]), 0),
      call(t([2, 3, 2]), 1),
      { ...call(t([4, 5, 2, 2]), 0.5), gradcheck: false, dtypes: ['float32', 'float64'] },
    ],
    { python: 'F.dropout2d', errors: [call(t([2, 3], f32), -0.1)] },
  ),
];

/** Input [T, N, I] (or [N, T, I]), h0 and c0, and per layer and direction w_ih, w_hh, b_ih, b_hh. */
function lstm_call(layers: number, directions: number, biases: boolean, batch_first: boolean): Sample {
  const [I, H, N, T] = [2, 2, 2, 3];
  const weights = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: directions }, () => {
      const width = layer === 0 ? I : H * directions;
      const shapes = [[4 * H, width], [4 * H, H], ...(biases ? [[4 * H], [4 * H]] : [])];
      return shapes.map((shape) => t(shape, { lo: -1, hi: 1 }));
    }),
  ).flat(2);
  const state = (): TensorSpec => t([layers * directions, N, H]);
  const input = t(batch_first ? [N, T, I] : [T, N, I]);
  const args = [input, [state(), state()], weights, biases, layers, 0, true, directions === 2, batch_first];
  return { args, dtypes: ['float32', 'float64', 'bfloat16'] };
}

export const rnn: Row[] = [
  row(
    'lstm',
    [
      lstm_call(1, 1, true, false),
      lstm_call(1, 1, false, true),
      lstm_call(2, 1, true, false),
      lstm_call(1, 2, true, true),
    ],
    { composed: true },
  ),
];
