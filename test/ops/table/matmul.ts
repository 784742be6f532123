import { all_dtypes, call, kwcall, row, t, type Row } from './spec';

const f32 = { dtype: 'float32' } as const;
const f64 = { dtype: 'float64' } as const;

const products: Row[] = [
  row(
    'mm',
    [
      call(t([2, 3]), t([3, 4])),
      call(t([0, 3]), t([3, 2])),
      call(t([2, 0]), t([0, 3])),
      call(t([9, 17]), t([17, 5])),
    ],
    {
      errors: [
        call(t([64, 10], f32), t([100, 10], f32)),
        call(t([2], f32), t([2, 2], f32)),
        call(t([2, 2], f32), t([2, 2], f64)),
      ],
    },
  ),
  row(
    'bmm',
    [call(t([2, 2, 3]), t([2, 3, 4])), call(t([0, 2, 3]), t([0, 3, 4])), call(t([2, 2, 0]), t([2, 0, 2]))],
    {
      errors: [call(t([2, 2, 3], f32), t([2, 2, 3], f32)), call(t([2, 3], f32), t([2, 3, 2], f32))],
    },
  ),
  row('mv', [call(t([2, 3]), t([3])), call(t([2, 0]), t([0]))], {
    errors: [call(t([2, 3], f32), t([2], f32))],
  }),
  row('dot', [call(t([3]), t([3])), call(t([0]), t([0])), call(t([37]), t([37]))], {
    errors: [
      call(t([3], f32), t([2], f32)),
      call(t([2, 2], f32), t([2], f32)),
      call(t([2], f32), t([2], f64)),
    ],
  }),
  row(
    'matmul',
    [
      call(t([3]), t([3])),
      call(t([2, 3]), t([3])),
      call(t([3]), t([3, 2])),
      call(t([2, 3]), t([3, 4])),
      call(t([2, 2, 3]), t([3, 2])),
      call(t([2, 2, 3]), t([3])),
      call(t([3]), t([2, 3, 2])),
      call(t([2, 1, 2, 3]), t([2, 3, 2])),
      call(t([2, 3]), t([2, 3, 2])),
      call(t([0, 3]), t([3, 2])),
      call(t([2, 0]), t([0, 2])),
    ],
    {
      composed: true,
      errors: [
        call(t([64, 10], f32), t([100, 10], f32)),
        call(t([], f32), t([2], f32)),
        call(t([3], f32), t([2], f32)),
        call(t([2, 3], f32), t([2], f32)),
        call(t([2, 2, 3], f32), t([3, 3, 2], f32)),
        call(t([2, 2], f32), t([2, 2], f64)),
      ],
    },
  ),
  row(
    'addmm',
    [
      call(t([2, 4]), t([2, 3]), t([3, 4])),
      call(t([4]), t([2, 3]), t([3, 4])),
      call(t([]), t([2, 3]), t([3, 2])),
      kwcall([t([2, 4]), t([2, 3]), t([3, 4])], { beta: 2, alpha: 3 }),
      kwcall([t([2, 2], f32), t([2, 3], f32), t([3, 2], f32)], { beta: 0.5, alpha: 0.25 }),
      // With beta = 0 what stands in the input does not matter, not even nan.
      {
        ...kwcall([t([2], { data: [NaN, 1], grad: false }), t([2, 3]), t([3, 2])], { beta: 0 }),
        dtypes: ['float32', 'float64'],
      },
    ],
    {
      errors: [
        call(t([2, 2], f32), t([64, 10], f32), t([100, 10], f32)),
        call(t([3], f32), t([2, 3], f32), t([3, 2], f32)),
      ],
    },
  ),
  row(
    'baddbmm',
    [
      call(t([2, 2, 4]), t([2, 2, 3]), t([2, 3, 4])),
      call(t([4]), t([2, 2, 3]), t([2, 3, 4])),
      kwcall([t([2, 2, 2]), t([2, 2, 3]), t([2, 3, 2])], { beta: 2, alpha: 3 }),
    ],
    { errors: [call(t([2, 2, 2], f32), t([2, 2, 3], f32), t([2, 2, 3], f32))] },
  ),
  row('addmv', [call(t([2]), t([2, 3]), t([3])), kwcall([t([2]), t([2, 3]), t([3])], { beta: 2, alpha: 3 })]),
  row('inner', [call(t([3]), t([3])), call(t([2, 3]), t([4, 3])), call(t([2, 3]), t([]))]),
  row('vdot', [call(t([3]), t([3]))]),
  row('tensordot', [call(t([2, 3]), t([3, 2]), 1), call(t([2, 3, 4]), t([4, 3, 2]), [1, 2], [1, 0])], {
    python: 'lambda a, b, *d: torch.tensordot(a, b, d[0] if len(d) == 1 else d)',
    composed: true,
  }),
  row(
    'addbmm',
    [
      call(t([3, 4]), t([2, 3, 2]), t([2, 2, 4])),
      kwcall([t([3, 4]), t([2, 3, 2]), t([2, 2, 4])], { beta: 2, alpha: 3 }),
    ],
    // PyTorch rounds after each product of the batch.
    { composed: true, loosen: 4 },
  ),
  row('addr', [call(t([2, 3]), t([2]), t([3])), kwcall([t([2, 3]), t([2]), t([3])], { beta: 2, alpha: 3 })], {
    composed: true,
  }),
  row('ger', [call(t([2]), t([3]))], { composed: true }),
  row('outer', [call(t([2]), t([3])), call(t([0]), t([3]))], { errors: [call(t([2, 2], f32), t([3], f32))] }),
  row(
    'einsum',
    [
      call('ij,jk->ik', [t([2, 3]), t([3, 2])]),
      call('ij->ji', [t([2, 3])]),
      call('ii->i', [t([3, 3])]),
      call('ii', [t([3, 3])]),
      call('i,j->ij', [t([2]), t([3])]),
      call('bij,bjk', [t([2, 2, 3]), t([2, 3, 2])]),
      call('...ij,...jk->...ik', [t([2, 1, 2, 3]), t([2, 3, 2])]),
      call('ijk->', [t([2, 2, 2])]),
      call('ij,ij->', [t([2, 3]), t([2, 3])]),
      call('ij,jk,kl->il', [t([2, 2]), t([2, 3]), t([3, 2])]),
    ],
    {
      composed: true,
      errors: [
        call('ij,jk->ik', [t([2, 3], f32), t([2, 2], f32)]),
        call('ij->ijk', [t([2, 3], f32)]),
        call('ijk->i', [t([2, 3], f32)]),
      ],
    },
  ),
  row(
    'linear',
    [
      call(t([2, 3]), t([4, 3]), t([4])),
      call(t([2, 3]), t([4, 3])),
      call(t([3]), t([4, 3]), t([4])),
      call(t([2, 2, 3]), t([4, 3]), t([4])),
      call(t([0, 3]), t([2, 3]), t([2])),
    ],
    { python: 'F.linear', errors: [call(t([2, 4], f32), t([4, 3], f32), t([4], f32))] },
  ),
];

/** Of bool PyTorch takes empty products only. */
export const matmul = products.map((product) => ({
  ...product,
  dtypes: all_dtypes.filter((dtype) => dtype !== 'bool'),
}));
