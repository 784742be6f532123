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
    },
  ]),
  row('trunc', unary_samples()),
  row('frac', unary_samples()),
  row('isnan', unary_samples()),
  row('isinf', unary_samples()),
  row('isfinite', unary_samples()),
  row('logical_not', unary_samples()),
  row('bitwise_not', unary_samples()),
];

export const activation: Row[] = [
  row('relu', unary_samples()),
  row('gelu', [...unary_samples(), kwcall([t([2, 3])], { approximate: 'tanh' })], {
    python: 'F.gelu',
    errors: [{ ...kwcall([t([2], { dtype: 'float32' })], { approximate: 'sinh' }) }],
  }),
  row('silu', unary_samples(), { python: 'F.silu' }),
  row('softplus', [...unary_samples(), call(t([2, 3]), 2, 3), call(t([4], { lo: 5, hi: 30 }), 1, 20)], {
    python: 'F.softplus',
  }),
  row('leaky_relu', [...unary_samples(), call(t([2, 3]), 0.25)], { python: 'F.leaky_relu' }),
  row('elu', [...unary_samples(), call(t([2, 3]), 0.5)], { python: 'F.elu' }),
];
