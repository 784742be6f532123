/** torch.testing.make_tensor: PyTorch's own random values (recorded by scripts/record_testing.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch from '../../lib';
import { make_tensor } from '../../lib/testing';

interface Made {
  values: number[];
  shape: number[];
  stride: number[];
  offset: number;
  requires_grad: boolean;
}
const recorded = (
  JSON.parse(readFileSync(join(__dirname, '..', 'fixtures', 'testing.json'), 'utf8')) as {
    made: Record<string, Made | { type: string; message: string }>;
  }
).made;

const f64 = { dtype: torch.float64, device: 'cpu' } as const;
const i64 = { dtype: torch.int64, device: 'cpu' } as const;
const of = (dtype: string, more = {}) => ({ dtype, device: 'cpu', ...more }) as typeof f64;

const cases: Record<string, Parameters<typeof make_tensor>> = {
  float32: [2, 3, of('float32')],
  float64: [[2, 3], f64],
  float16: [4, of('float16')],
  bfloat16: [4, of('bfloat16')],
  int64: [5, i64],
  int8: [5, of('int8')],
  uint8: [5, of('uint8')],
  bool: [5, of('bool')],
  zero_dim: [[], f64],
  range: [5, { ...f64, low: -1, high: 1 }],
  integer_range: [5, { ...i64, low: 2.5, high: 4.5 }],
  wide: [3, of('float32', { low: -3e38, high: 3e38 })],
  clamped: [3, of('uint8', { low: -300, high: 300 })],
  requires_grad: [2, { ...f64, requires_grad: true }],
  noncontiguous: [2, 3, { ...f64, noncontiguous: true }],
  noncontiguous_single: [1, { ...f64, noncontiguous: true }],
  exclude_zero: [20, { ...i64, low: -1, high: 2, exclude_zero: true }],
  exclude_zero_bool: [5, of('bool', { exclude_zero: true })],
  channels_last: [1, 2, 2, 2, { ...f64, memory_format: torch.channels_last }],
  nan_low: [2, { ...f64, low: NaN, high: 1 }],
  low_above_high: [2, { ...f64, low: 2, high: 1 }],
  equal_integers: [2, { ...i64, low: 2, high: 2 }],
  beyond_int8: [2, of('int8', { low: 200, high: 300 })],
  beyond_bool: [2, of('bool', { low: 2, high: 3 })],
  beyond_int64: [2, { ...i64, low: 1e19, high: 2e19 }],
  beyond_float16: [2, of('float16', { low: 1e6, high: 2e6 })],
  beyond_float32: [2, of('float32', { low: 1e39, high: 2e39 })],
  integer_gradient: [2, { ...i64, requires_grad: true }],
  both_layouts: [1, 1, 2, 2, { ...f64, noncontiguous: true, memory_format: torch.channels_last }],
};

describe('make_tensor', () => {
  test.each(Object.keys(cases))('%s', (name) => {
    const theirs = recorded[name];
    torch.manual_seed(1);
    if ('message' in theirs) {
      expect(() => make_tensor(...cases[name])).toThrow(new Error(theirs.message));
      return;
    }
    const x = make_tensor(...cases[name]);
    expect({
      values: x.detach().double().reshape(-1).tolist(),
      shape: x.shape,
      stride: x.stride(),
      offset: x.storage_offset(),
      requires_grad: x.requires_grad,
    }).toEqual(theirs);
    expect(x.is_leaf).toBe(true);
  });

  test('every recorded tensor is asked for', () => {
    expect(Object.keys(recorded).filter((name) => !(name in cases))).toEqual([]);
  });

  test('dtype and device have to be given', () => {
    const make = make_tensor as (...args: unknown[]) => unknown;
    expect(() => make(2)).toThrow(
      new TypeError("make_tensor() missing 2 required keyword-only arguments: 'dtype' and 'device'"),
    );
    expect(() => make([2], { dtype: 'float32' })).toThrow(
      new TypeError("make_tensor() missing 1 required keyword-only argument: 'device'"),
    );
    expect(() => make([2], { ...f64, hi: 1 })).toThrow("unexpected keyword argument 'hi'");
  });

  test('one value for both ends is deprecated', () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    expect(make_tensor(2, { ...f64, low: 2, high: 2 }).tolist()).toEqual([2, 2]);
    expect(warn).toHaveBeenCalledWith(
      expect.stringContaining('Passing `low==high` to `torch.testing.make_tensor`'),
    );
    warn.mockRestore();
  });
});
