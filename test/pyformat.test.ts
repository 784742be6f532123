import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  float,
  format_exponent,
  format_fixed,
  list,
  repr,
  repr_float,
  repr_size,
  repr_string,
  repr_tuple,
} from '../lib/pyformat';

interface FloatRow {
  bits: string;
  repr: string;
  fixed: string[];
  exponent: string[];
}

const fixture = JSON.parse(readFileSync(join(__dirname, 'fixtures', 'printing.json'), 'utf8')) as {
  floats: FloatRow[];
  strings: [string, string][];
};
const value_of = (bits: string): number => Buffer.from(bits, 'hex').readDoubleBE(0);
const precisions = [0, 1, 2, 4, 8];

describe('Python text of floats', () => {
  test('repr', () => {
    expect(fixture.floats.map((row) => repr_float(value_of(row.bits)))).toEqual(
      fixture.floats.map((row) => row.repr),
    );
  });

  test('fixed point', () => {
    const ours = fixture.floats.map((row) => precisions.map((p) => format_fixed(value_of(row.bits), p)));
    expect(ours).toEqual(fixture.floats.map((row) => row.fixed));
  });

  test('exponent', () => {
    const ours = fixture.floats.map((row) => precisions.map((p) => format_exponent(value_of(row.bits), p)));
    expect(ours).toEqual(fixture.floats.map((row) => row.exponent));
  });
});

test('Python text of strings', () => {
  expect(fixture.strings.map(([text]) => repr_string(text))).toEqual(fixture.strings.map(([, text]) => text));
});

test('repr of plain values', () => {
  const cases: [unknown, string][] = [
    [null, 'None'],
    [undefined, 'None'],
    [true, 'True'],
    [false, 'False'],
    [3, '3'],
    [1e-5, '1e-05'],
    [0.001, '0.001'],
    [-0, '-0.0'],
    [1e300, '1e+300'],
    [2n ** 60n, '1152921504606846976'],
    [float(1), '1.0'],
    ['zeros', "'zeros'"],
    [[0.9, 0.999], '(0.9, 0.999)'],
    [[3], '(3,)'],
    [[], '()'],
    [list([1, [2, 3]]), '[1, (2, 3)]'],
    [{ lr: 0.1, betas: [1, 2] }, "{'lr': 0.1, 'betas': (1, 2)}"],
    [new Map([[1, 'a']]), "{1: 'a'}"],
  ];
  expect(cases.map(([value]) => repr(value))).toEqual(cases.map(([, text]) => text));
  expect(repr_tuple([3, 3])).toBe('(3, 3)');
  expect(repr_size([2, 3])).toBe('torch.Size([2, 3])');
  expect(repr_size([])).toBe('torch.Size([])');
});
