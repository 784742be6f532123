import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import torch, { type Tensor } from '../../lib';

export type Values = number[];
export type Shaped = [shape: number[], values: Values];

export interface Digest {
  shape: number[];
  head: number[];
  sum: number;
  abs: number;
}

export interface Fixture {
  repr: Record<string, string>;
  optim_repr: Record<string, string>;
  init: Record<string, { state: [string, number[], Values][]; next: number }>;
  init_functions: Record<string, Values>;
  gains: Record<string, number>;
  forward: Record<
    string,
    {
      inputs: (Shaped | Shaped[] | number[])[];
      outputs: Shaped[];
      input_grad?: Values | null;
      grads?: [string, Values][];
      buffers: [string, Values][];
    }
  >;
  optimizers: Record<string, { losses: number[]; params: Values[]; state_dict: StateLayout }>;
  schedulers: Record<
    string,
    { rates: number[][]; momenta: number[]; state_dict: Record<string, unknown>; group_keys: string[] }
  >;
  errors: Record<string, string>;
  matched: string;
  'not matched': string;
  loaders: Record<string, { batches: number[][][]; length: number; next: number }>;
  split: { fractions: number[][]; lengths: number[][] };
  clip: Record<string, { total: number; grads: Values[] }>;
  resnet18: { repr: string; state: [string, Digest][]; output: Digest; grads: [string, Digest][] };
}

export interface StateLayout {
  state: [number, [string, unknown][]][];
  param_groups: [string, unknown][][];
}

/** What PyTorch did, recorded by scripts/record_nn.py. */
export const fixture = JSON.parse(
  readFileSync(join(__dirname, '../fixtures/nn.json'), 'utf8').replaceAll(/\b(NaN|-?Infinity)\b/g, 'null'),
) as Fixture;

export function values(tensor: Tensor): number[] {
  return tensor.detach().flatten().tolist() as number[];
}

/** Fails unless all numbers agree to `tolerance`, absolutely for small and relatively for large ones. */
export function expect_close(actual: readonly number[], expected: readonly number[], tolerance = 1e-5): void {
  expect(actual).toHaveLength(expected.length);
  const off = actual.findIndex((a, i) => {
    const e = expected[i];
    return !(Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e)));
  });
  if (off >= 0) throw new Error(`element ${off}: ${actual[off]} is not ${expected[off]}`);
}

export function expect_digest(tensor: Tensor, expected: Digest, tolerance: number): void {
  expect(tensor.shape).toEqual(expected.shape);
  const flat = tensor.detach().to('float64').flatten();
  const head = flat.narrow(0, 0, Math.min(4, flat.shape[0])).tolist() as number[];
  expect_close(head, expected.head, tolerance);
  // A sum of many rounding errors: relative to what was summed, not to the sum.
  expect(Math.abs(flat.sum().item() - expected.sum)).toBeLessThanOrEqual(
    tolerance * Math.max(1, expected.abs),
  );
  expect(Math.abs(flat.abs().sum().item() - expected.abs)).toBeLessThanOrEqual(
    tolerance * Math.max(1, expected.abs),
  );
}

/** The message that PyTorch's error has, without its kind. */
export function message(name: string): string {
  const text = fixture.errors[name];
  if (text === undefined) throw new Error(`nothing recorded under '${name}'`);
  return text.slice(text.indexOf(': ') + 2);
}

export function expect_torch_error(name: string, fn: () => unknown): void {
  let caught: unknown;
  try {
    fn();
  } catch (error) {
    caught = error;
  }
  if (!(caught instanceof Error)) throw new Error(`'${name}' threw ${typeof caught}`);
  expect(caught.message).toBe(message(name));
  const kind = fixture.errors[name].split(':')[0];
  if (kind === 'TypeError') expect(caught).toBeInstanceOf(TypeError);
  if (kind === 'IndexError') expect(caught).toBeInstanceOf(RangeError);
}

export function from_shaped([shape, flat]: Shaped): Tensor {
  return torch.tensor(flat).reshape(shape);
}
