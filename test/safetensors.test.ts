import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import torch, { type Tensor } from '../lib';
import { load_file, save_file } from '../lib/safetensors';
import fixture from './fixtures/safetensors.json';

const folder = mkdtempSync(path.join(tmpdir(), 'sconce-safetensors-'));
const file = path.join(folder, 'x.safetensors');
afterAll(() => rmSync(folder, { recursive: true }));

function write(base64: string): Buffer {
  const content = Buffer.from(base64, 'base64');
  writeFileSync(file, content);
  return content;
}

const DTYPES = 'float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool'.split(' ');

test("loads every dtype of a file that Python's library wrote", () => {
  write(fixture.mixed);
  const tensors = load_file(file);
  for (const dtype of DTYPES) {
    const expected = torch
      .tensor([
        [0, 1, 2],
        [3, 4, 100.5],
      ])
      .to(dtype);
    const loaded = tensors[`t_${dtype}`];
    expect(loaded.dtype).toBe(dtype);
    expect(loaded.tolist()).toEqual(expected.tolist());
  }
  expect(tensors.scalar.shape).toEqual([]);
  expect(tensors.scalar.item()).toBe(1.5);
  expect(tensors.empty.shape).toEqual([0, 3]);
  expect(tensors[10].tolist()).toEqual([1]);
});

test.each(['mixed', 'none'] as const)("writes, byte for byte, what Python's library writes (%s)", (name) => {
  const content = write(fixture[name]);
  const tensors = load_file(file);
  save_file(tensors, file, name === 'mixed' ? { format: 'pt' } : null);
  expect(readFileSync(file).equals(content)).toBe(true);
});

test('views are written with the elements they show', () => {
  const x = torch.arange(6).view(2, 3);
  save_file({ t: x.t(), row: x.index(1) }, file);
  const { t, row } = load_file(file);
  expect(t.tolist()).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  expect(row.tolist()).toEqual([3, 4, 5]);
});

test('a state dict goes through a file into another network', () => {
  const make = () => new torch.nn.Sequential(new torch.nn.Linear(3, 2), new torch.nn.BatchNorm1d(2));
  const [from, to] = [make(), make()];
  save_file(from.state_dict(), file);
  expect(String(to.load_state_dict(load_file(file)))).toBe('<All keys matched successfully>');
  const loaded = to.state_dict();
  expect(loaded['1.num_batches_tracked'].dtype).toBe('int64');
  for (const [name, tensor] of Object.entries(from.state_dict())) {
    expect(loaded[name].tolist()).toEqual(tensor.tolist());
  }
});

// Where the reason is the JSON parser's own, only what comes before it is compared.
test.each(Object.entries(fixture.refused))(
  'refuses a file as Python does: %s',
  (_, { file: content, message }) => {
    write(content);
    const common = /^Error while deserializing header: (?!invalid (JSON|UTF-8))/.test(message)
      ? message
      : 'Error while deserializing header: ';
    expect(() => load_file(file)).toThrow(common);
  },
);

test.each(['[]', 'null', '3', '{"a":null}', '{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}'])(
  'refuses the header %s',
  (header) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(file, Buffer.concat([length, Buffer.from(header)]));
    expect(() => load_file(file)).toThrow('Error while deserializing header: ');
  },
);

test('a value that is no tensor is refused, and the old file stays', () => {
  save_file({ a: torch.ones(2) }, file);
  expect(() => save_file({ a: 1 as unknown as Tensor }, file)).toThrow(TypeError);
  expect(load_file(file).a.tolist()).toEqual([1, 1]);
});

test('no temporary file stays behind, whether saving works or not', () => {
  save_file({ a: torch.ones(2) }, file);
  expect(() => save_file({ a: torch.ones(2) }, folder)).toThrow();
  expect(readdirSync(folder)).toEqual([path.basename(file)]);
  expect(
    readdirSync(path.dirname(folder)).filter((name) => name.startsWith(`${path.basename(folder)}.`)),
  ).toEqual([]);
});
