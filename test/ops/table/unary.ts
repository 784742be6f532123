import { call, float_dtypes, kwcall, row, t, unary_samples, type Row } from './spec';

const positive = { lo: 0.1, hi: 3.9 };

export const unary: Row[] = [
  row('abs', unary_samples()),
  row('neg', unary_samples(), { errors: [call(t([2], { dtype: 'bool' }))] }),
  row('sign', unary_samples()),
  row('exp', unary_samples()),
  row('expm1', unary_samples()),
  row('log', unary_samples(positive)),
  row('log2', unary_samples(positive)),
  row('log10', unary_samples(positive)),
  row('log1p', unary_samples({ lo: -0.9, hi: 3.9 })),
  row('sqrt', unary_samples(positive)),
  row('rsqrt', unary_samples(positive)),
  row('reciprocal', unary_samples(positive)),
  row('square', unary_samples()),
  row('sin', unary_samples()),
  row('cos', unary_samples()),
  row('tan', unary_samples({ lo: -1.3, hi: 1.3 })),
  row('tanh', unary_samples()),
  row('sigmoid', unary_samples()),
  row('erf', unary_samples()),
  row('floor', unary_samples()),
  row('ceil', unary_samples()),
  row('round', [
    ...unary_samples(),
    // Halves go to the even neighbour.
    { ...call(t([6], { data: [0.5, 1.5, 2.5, -0.5, -1.5, -2.5] })), dtypes: float_dtypes, gradcheck: false },
    {
      ...kwcall([t([4], { data: [1.2345, -1.2355, 12.5, 0.125] })], { decimals: 2 }),
      dtypes: ['float32', 'float64'],
      gradcheck: false,
    },
  ]),
  row('trunc', unary_samples()),
  row('frac', unary_samples()),
  row('isnan', unary_samples()),
  row('isinf', unary_samples()),
  row('isfinite', unary_samples()),
  row('exp2', unary_samples()),
  row('asin', unary_samples({ lo: -0.9, hi: 0.9 })),
  row('acos', unary_samples({ lo: -0.9, hi: 0.9 })),
  row('atan', unary_samples()),
  row('sinh', unary_samples()),
  row('cosh', unary_samples()),
  row('asinh', unary_samples()),
  row('acosh', unary_samples({ lo: 1.2, hi: 3.9 })),
  row('atanh', unary_samples({ lo: -0.9, hi: 0.9 })),
  row('erfc', unary_samples({ lo: -1.9, hi: 1.9 })),
  row('erfinv', unary_samples({ lo: -0.9, hi: 0.9 })),
  row('fix', unary_samples()),
  row('positive', unary_samples(), { errors: [call(t([2], { dtype: 'bool' }))] }),
  row('signbit', unary_samples()),
  row('isposinf', unary_samples()),
  row('isneginf', unary_samples()),
  row('nan_to_num', [
    ...unary_samples(),
    { ...call(t([4], { data: [NaN, Infinity, -Infinity, 1] }), 2, 3, -3), dtypes: float_dtypes },
  ]),
  row('logical_not', unary_samples()),
  row('bitwise_not', unary_samples()),
  // Other names.
  ...['absolute', 'negative', 'arctan', 'arcsinh'].map((name) => row(name, unary_samples())),
  ...['arcsin', 'arccos', 'arctanh'].map((name) => row(name, unary_samples({ lo: -0.9, hi: 0.9 }))),
  row('arccosh', unary_samples({ lo: 1.2, hi: 3.9 })),
];

/** Without infinities: what PyTorch gives there depends on how many elements there are. */
const gelu_samples = [
  ...unary_samples().slice(0, -1),
  { ...call(t([5], { data: [NaN, 0, -0, 1, -1] })), dtypes: float_dtypes, gradcheck: false },
];

export const activation: Row[] = [
  row('relu', unary_samples()),
  row('gelu', [...gelu_samples, kwcall([t([2, 3])], { approximate: 'tanh' })], {
    python: 'F.gelu',
    errors: [{ ...kwcall([t([2], { dtype: 'float32' })], { approximate: 'sinh' }) }],
  }),
  row('silu', unary_samples(), { python: 'F.silu' }),
  row('softplus', [...unary_samples(), call(t([2, 3]), 2, 3), call(t([4], { lo: 5, hi: 30 }), 1, 20)], {
    python: 'F.softplus',
  }),
  row('leaky_relu', [...unary_samples(), call(t([2, 3]), 0.25)], { python: 'F.leaky_relu' }),
  row('relu6', unary_samples({ lo: -3.9, hi: 8 }), { python: 'F.relu6' }),
  row('selu', unary_samples()),
  row('celu', [...unary_samples(), call(t([2, 3]), 0.5)]),
  row('mish', unary_samples(), { python: 'F.mish' }),
  row('hardtanh', [...unary_samples(), call(t([2, 3]), -2, 0.5)], { python: 'F.hardtanh' }),
  // PyTorch's sixth is a float32's.
  row('hardsigmoid', unary_samples(), { python: 'F.hardsigmoid', loosen: 1e4 }),
  row('hardswish', unary_samples(), { python: 'F.hardswish' }),
  row('logsigmoid', unary_samples(), { python: 'F.logsigmoid' }),
  row('elu', [...unary_samples(), call(t([2, 3]), 0.5)], { python: 'F.elu' }),
];
