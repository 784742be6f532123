/** torch.testing.assert_close: PyTorch's reports, character for character (recorded by scripts/record_testing.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch from '../../lib';
import { assert_close, AssertionError, type AssertCloseOptions } from '../../lib/testing';

const recorded = (
  JSON.parse(readFileSync(join(__dirname, '..', 'fixtures', 'testing.json'), 'utf8')) as {
    reports: Record<string, { type: string; message: string } | null>;
  }
).reports;

const t = torch.tensor;
const [f64, i64] = [{ dtype: torch.float64 }, { dtype: torch.int64 }] as const;
const [nan, inf] = [NaN, Infinity];

const cases: Record<string, [actual: unknown, expected: unknown, options?: AssertCloseOptions]> = {
  equal: [t([1, 2]), t([1, 2])],
  one_element: [t([1, 2, 3, 4]), t([1, 2.5, 3, 4])],
  two_dimensions: [
    t([
      [1, 2],
      [3, 4],
    ]),
    t([
      [1, 2],
      [3.5, 4.25],
    ]),
  ],
  three_dimensions: [torch.zeros(2, 3, 4), torch.arange(24).reshape(2, 3, 4).float()],
  small: [t([1e-3, 1e-8]), t([1.1e-3, 2e-8])],
  within: [t([1, 2]), t([1, 2.000001])],
  float64: [t([1, 2], f64), t([1, 2.000001], f64)],
  float16: [t([1, 2], { dtype: 'float16' }), t([1, 2.01], { dtype: 'float16' })],
  bfloat16: [t([1, 2], { dtype: 'bfloat16' }), t([1, 2.1], { dtype: 'bfloat16' })],
  integers: [t([1, 2, 3], i64), t([1, 5, 3], i64)],
  integers_allowed: [t([1, 2, 3], i64), t([1, 5, 3], i64), { rtol: 0, atol: 3 }],
  uint8: [t([0, 255], { dtype: 'uint8' }), t([255, 255], { dtype: 'uint8' })],
  bool: [t([true, false]), t([true, true])],
  zero_expected: [t([1, 0]), t([0, 0])],
  nan: [t([1, nan]), t([1, nan])],
  equal_nan: [t([1, nan]), t([1, nan]), { equal_nan: true }],
  infinite: [t([inf, -inf]), t([inf, inf])],
  tolerances: [t([1, 2]), t([1, 2.5]), { rtol: 0.1, atol: 0.01 }],
  exact: [t([1, 2]), t([1, 2.0000002]), { rtol: 0, atol: 0 }],
  one_tolerance: [t([1]), t([1]), { rtol: 0.1 }],
  other_tolerance: [t([1]), t([1]), { atol: 0.1 }],
  shape: [t([1, 2]), t([1])],
  dtype: [t([1]), t([1], f64)],
  dtype_unchecked: [t([1, 2]), t([1, 2.5], f64), { check_dtype: false }],
  dtype_unchecked_integer: [t([1, 2], i64), t([1, 2.5]), { check_dtype: false }],
  stride: [torch.ones(2, 3), torch.ones(3, 2).t(), { check_stride: true }],
  stride_unchecked: [torch.ones(2, 3), torch.ones(3, 2).t()],
  empty: [torch.ones(0), torch.ones(0)],
  zero_dim: [t(1), t(2)],
  zero_dim_small: [t(0.1), t(0.2)],
  zero_dim_integer: [t(1, i64), t(3, i64)],
  zero_dim_bool: [t(true), t(false)],
  zero_dim_nan: [t(nan), t(nan)],
  zero_dim_zero: [t(1), t(0)],
  numbers: [1.25, 1.5],
  numbers_close: [0.1 + 0.2, 0.3],
  numbers_exact: [1.25, 1.5, { rtol: 0, atol: 0 }],
  numbers_nan: [nan, nan],
  numbers_equal_nan: [nan, nan, { equal_nan: true }],
  numbers_infinite: [inf, 1.5],
  ints: [3, 4],
  ints_allowed: [3, 4, { rtol: 0, atol: 1 }],
  ints_zero: [3, 0],
  big_ints: [2n ** 60n, 2n ** 60n + 1n],
  booleans: [true, false],
  booleans_equal: [true, true],
  none: [null, undefined],
  none_number: [null, 1],
  number_none: [1.5, null],
  message: [t([1]), t([2]), { msg: 'Argh, the tensors are not close!' }],
  message_function: [t([1]), t([2]), { msg: (msg) => `Header\n\n${msg}\n\nFooter` }],
  sequence: [
    [t([1]), t([2])],
    [t([1]), t([3])],
  ],
  sequence_length: [[1, 2], [1]],
  nested_length: [{ a: [1, 2] }, { a: [1] }, { msg: 'not used' }],
  mapping: [
    { b: 1.5, a: t([1]) },
    new Map<string, unknown>([
      ['a', t([1])],
      ['b', 2.5],
    ]),
  ],
  mapping_keys: [
    { a: 1, c: 2, d: 3 },
    { a: 1, b: 2 },
  ],
  nested: [{ w: [1, { x: t([[1, 2]]) }] }, { w: [1, { x: t([[1, 3]]) }] }],
  nested_message_function: [[1.5], [2.5], { msg: (msg) => `<${msg}>` }],
  parameter: [new torch.nn.Parameter(t([1])), t([1])],
  parameter_strict: [new torch.nn.Parameter(t([1])), t([1]), { allow_subclasses: false }],
  // One number in an array is an int here, unlike Python's 1.0; the classes are what counts.
  unlike: [t([1]), [1]],
  strings: ['a', 'b'],
  string_tensor: [t([1]), 'a'],
  requires_grad: [t([1], { requires_grad: true }), t([2])],
};

const kinds: Record<string, new (message?: string) => Error> = {
  AssertionError,
  TypeError,
  ValueError: Error,
};

describe('assert_close reports as PyTorch does', () => {
  test.each(Object.keys(cases))('%s', (name) => {
    const [actual, expected, options] = cases[name];
    let thrown: Error | null = null;
    try {
      assert_close(actual, expected, options);
    } catch (error) {
      thrown = error as Error;
    }
    expect(thrown && thrown.message).toBe(recorded[name] && recorded[name].message);
    if (recorded[name]) expect(thrown).toBeInstanceOf(kinds[recorded[name].type]);
  });

  test('every recorded report is asked for', () => {
    expect(Object.keys(recorded).filter((name) => !(name in cases))).toEqual([]);
  });
});

describe('assert_close of JavaScript’s own values', () => {
  test('typed arrays of one kind are compared as tensors', () => {
    assert_close(new Float64Array([1, 2]), new Float64Array([1, 2 + 1e-9]));
    expect(() => assert_close(new Float64Array([1, 2]), new Float64Array([1, 3]))).toThrow(
      'Tensor-likes are not close!\n\nMismatched elements: 1 / 2 (50.0%)\n',
    );
    expect(() => assert_close(new Float64Array([1]), new Float32Array([1]))).toThrow(
      "No comparison pair was able to handle inputs of type <class 'Float64Array'> and <class 'Float32Array'>.",
    );
  });

  test('an integer and a fraction are two floats, within their tolerances', () => {
    assert_close(2.00000001, 2);
    expect(() => assert_close(2.5, 2)).toThrow(
      'Expected 2 but got 2.5.\nAbsolute difference: 0.5 (up to 1e-07',
    );
  });

  test('a bigint equals the number of its value, and is never a float', () => {
    assert_close(3n, 3);
    expect(() => assert_close(3n, 3.5)).toThrow("do not match: <class 'int'> != <class 'float'>.");
    assert_close(3n, 3.5, { check_dtype: false, rtol: 0, atol: 0.5 });
  });

  test('tensors on two devices', () => {
    const x = t([1, 2]);
    expect(() => assert_close(x.to('fake'), x)).toThrow(
      "The values for attribute 'device' do not match: fake:0 != cpu.",
    );
    assert_close(x.to('fake'), x, { check_device: false });
  });

  test('an unknown option is named', () => {
    expect(() => assert_close(1, 1, { rtoll: 1 } as AssertCloseOptions)).toThrow(
      "assert_close() got an unexpected keyword argument 'rtoll'. Did you mean 'rtol'?",
    );
  });

  test('the error is what test runners take for a failed assertion', () => {
    expect.assertions(1);
    try {
      assert_close(1, 2);
    } catch (error) {
      expect(error).toMatchObject({ name: 'AssertionError', code: 'ERR_ASSERTION' });
    }
  });
});
