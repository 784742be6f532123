/** Walks the registry: no operator without a derivative (or a mark that there is none), documentation, example, row. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import torch from '../../lib';
import { native } from '../../lib/native';
import { example_of, run_example } from './examples';
import { families } from './table/all';

// The flags of csrc/ops/registry.h that matter here.
const no_grad = 32;
const writes_self = 64;
const internal = 128;

interface RegistryRow {
  key: string;
  signature: string;
  flags: number;
  doc: string;
}

const rows = (native.registry() as RegistryRow[]).filter((row) => (row.flags & internal) === 0);
const name_of = (row: RegistryRow): string => (row.key.split('.') as [string])[0];
const names = [...new Set(rows.map(name_of))].sort();
const overloads = (name: string): RegistryRow[] => rows.filter((row) => name_of(row) === name);

interface RecordedRow {
  answers: { grads?: unknown }[];
}
const folder = join(__dirname, '..', 'fixtures', 'ops');
const recorded = Object.assign(
  {},
  ...readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as object),
) as Record<string, RecordedRow>;
const tested = new Set(Object.values(families).flatMap((table) => table.map((row) => row.name)));

test('every operator has a row in the table', () => {
  expect(names.filter((name) => !tested.has(name))).toEqual([]);
});

test('every operator has a derivative that the table checks, or a mark that there is none', () => {
  const without = names.filter((name) => {
    const marked = overloads(name).every((row) => (row.flags & (no_grad | writes_self)) !== 0);
    const checked = recorded[name]?.answers.some((answer) => Array.isArray(answer.grads)) ?? false;
    return !marked && !checked;
  });
  expect(without).toEqual([]);
});

test('no operator is marked as not differentiable where PyTorch’s is', () => {
  const wrong = names.filter(
    (name) =>
      overloads(name).every((row) => (row.flags & no_grad) !== 0) &&
      recorded[name]?.answers.some((answer) => Array.isArray(answer.grads)),
  );
  expect(wrong).toEqual([]);
});

test('every operator is documented, with an example', () => {
  expect(names.filter((name) => overloads(name).every((row) => row.doc.trim() === ''))).toEqual([]);
  expect(names.filter((name) => overloads(name).every((row) => example_of(row.doc) === null))).toEqual([]);
});

describe('the examples do what they say', () => {
  const examples = rows.flatMap((row) => {
    const code = example_of(row.doc);
    return code === null ? [] : [[row.key, code] as const];
  });
  test.each(examples)('%s', (_, code) => {
    const results = run_example(code, torch);
    expect(results.length).toBeGreaterThan(0);
    for (const { source, expected, actual } of results)
      expect(`${source} // ${actual}`).toBe(`${source} // ${expected}`);
  });
});
