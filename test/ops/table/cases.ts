/** The rows with every call made concrete: one case per sample and dtype. */
import { createHash } from 'node:crypto';
import { concrete_call, type ConcreteCall } from './concrete';
import { all_dtypes, type DType, type Row } from './spec';

export interface Case {
  sample: number;
  dtype: DType;
  gradcheck: boolean;
  call: ConcreteCall;
}

export interface ConcreteRow {
  /** Of everything that PyTorch is asked: tells a fixture that is out of date. */
  hash: string;
  python: string | null;
  undefined_values: boolean;
  cases: Case[];
  errors: ConcreteCall[];
}

export function concrete_row(row: Row): ConcreteRow {
  const cases = row.samples.flatMap((sample, i) =>
    (sample.dtypes ?? row.dtypes ?? all_dtypes).map((dtype) => ({
      sample: i,
      dtype,
      gradcheck: sample.gradcheck ?? true,
      call: concrete_call(sample, dtype),
    })),
  );
  const errors = (row.errors ?? []).map((bad) => concrete_call(bad, 'float32'));
  const python = row.python ?? null;
  const asked = cases.map(({ dtype, call }) => ({ dtype, call }));
  const hash = createHash('sha256')
    .update(JSON.stringify([python, asked, errors]))
    .digest('hex')
    .slice(0, 12);
  return { hash, python, undefined_values: row.undefined_values ?? false, cases, errors };
}
