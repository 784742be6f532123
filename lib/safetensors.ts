/**
 * The safetensors file format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
 * `import { save_file, load_file } from 'sconce/safetensors'`.
 */
import { readFileSync } from 'node:fs';
import { dtypeCode, DTYPES, type DType } from './dtype';
import { guard } from './errors';
import { write_atomically } from './files';
import { native } from './native';
import { Tensor } from './tensor';

/** The file's name of each dtype, and the bytes that one element takes. */
const FORMATS: Record<DType, { name: string; bytes: number }> = {
  float64: { name: 'F64', bytes: 8 },
  float32: { name: 'F32', bytes: 4 },
  float16: { name: 'F16', bytes: 2 },
  bfloat16: { name: 'BF16', bytes: 2 },
  int64: { name: 'I64', bytes: 8 },
  int32: { name: 'I32', bytes: 4 },
  int16: { name: 'I16', bytes: 2 },
  int8: { name: 'I8', bytes: 1 },
  uint8: { name: 'U8', bytes: 1 },
  bool: { name: 'BOOL', bytes: 1 },
};
const DTYPE_OF = new Map(DTYPES.map((dtype) => [FORMATS[dtype].name, dtype]));
/** The order in which Python's library lays tensors out: by falling alignment, then by name. */
const LAYOUT = ['U64', 'I64', 'F64', 'F32', 'U32', 'I32', 'BF16', 'F16', 'U16', 'I16', 'I8', 'U8', 'BOOL'];
const MAX_HEADER_BYTES = 100_000_000;

interface Entry {
  dtype: DType;
  shape: number[];
  data_offsets: [number, number];
}

function headerError(reason: string, cause?: unknown): Error {
  return new Error(`Error while deserializing header: ${reason}`, { cause });
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parseEntry(name: string, value: unknown): Entry {
  const { dtype: format, shape, data_offsets } = (value ?? {}) as { [key in keyof Entry]?: unknown };
  const dtype = DTYPE_OF.get(format as string);
  if (dtype === undefined)
    throw headerError(`tensor \`${name}\` has the unknown dtype ${JSON.stringify(format)}`);
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw headerError(`tensor \`${name}\` has the invalid shape ${JSON.stringify(shape)}`);
  }
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isSize)) {
    throw headerError(`invalid offset for tensor \`${name}\``);
  }
  return { dtype, shape: shape, data_offsets: data_offsets as [number, number] };
}

/** Checks that the tensors fill the data exactly, without gap or overlap, as the format demands. */
function checkLayout(entries: [string, Entry][], dataBytes: number): void {
  let position = 0;
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [begin, end] = data_offsets;
    if (begin !== position || end < begin) throw headerError(`invalid offset for tensor \`${name}\``);
    const size = shape.reduce((product, n) => product * n, FORMATS[dtype].bytes);
    if (!Number.isSafeInteger(size)) {
      throw headerError('overflow computing buffer size from shape and/or element type');
    }
    if (size !== end - begin) throw headerError('invalid shape, data type, or offset for tensor');
    position = end;
  }
  if (position !== dataBytes) throw headerError('incomplete metadata, file not fully covered');
}

function parse(file: Buffer): { entries: [string, Entry][]; data: Buffer } {
  if (file.length < 8) throw headerError('header too small');
  const headerBytes = Number(file.readBigUInt64LE(0));
  if (headerBytes > MAX_HEADER_BYTES) throw headerError('header too large');
  if (headerBytes > file.length - 8) throw headerError('invalid header length');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, 8 + headerBytes)));
  } catch (error) {
    throw headerError(`invalid JSON in header: ${(error as Error).message}`, error);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw headerError('invalid start character in header, must start with `{`');
  }
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]): [string, Entry] => [name, parseEntry(name, value)]);
  entries.sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  );
  const data = file.subarray(8 + headerBytes);
  checkLayout(entries, data.length);
  return { entries, data };
}

/** The tensor's elements in order, as the bytes that the file holds. */
function bytesOf(tensor: Tensor): Uint8Array {
  const bytes = new Uint8Array(tensor.numel() * FORMATS[tensor.dtype].bytes);
  guard(() => native.raw_bytes_into(tensor._h, bytes));
  return bytes;
}

/**
 * Saves tensors by name in the safetensors format, readable by Python's library. The write is atomic.
 *
 * ```ts
 * save_file(net.state_dict(), 'net.safetensors');
 * ```
 *
 * @param metadata text to keep in the header, by name.
 */
export function save_file(
  tensors: Record<string, Tensor>,
  filename: string,
  metadata?: Record<string, string> | null,
): void {
  const items = Object.entries(tensors).map(([name, tensor]) => {
    if (!(tensor instanceof Tensor)) {
      throw new TypeError(
        `save_file: Key \`${name}\` is invalid, expected torch.Tensor but received ${typeof tensor}`,
      );
    }
    if (name === '__metadata__') throw new TypeError('save_file: __metadata__ is not a name for a tensor');
    return { name, tensor, format: FORMATS[tensor.dtype].name };
  });
  const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  items.sort((a, b) => LAYOUT.indexOf(a.format) - LAYOUT.indexOf(b.format) || byName(a.name, b.name));

  const header: [string, unknown][] = metadata ? [['__metadata__', metadata]] : [];
  const parts: Uint8Array[] = [];
  let position = 0;
  for (const { name, tensor, format } of items) {
    const bytes = bytesOf(tensor);
    const data_offsets = [position, position + bytes.length];
    header.push([name, { dtype: format, shape: tensor.shape, data_offsets }]);
    parts.push(bytes);
    position += bytes.length;
  }
  // Names that look like integers would be reordered in an object: the text is put together by hand.
  const text = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const unpadded = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil(unpadded.length / 8) * 8, ' ');
  unpadded.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  write_atomically(filename, [length, padded, ...parts]);
}

/**
 * Loads every tensor of a safetensors file, in the order in which the file holds them.
 *
 * ```ts
 * net.load_state_dict(load_file('net.safetensors'));
 * ```
 *
 * Throws an `Error` where the file is truncated or not of this format.
 */
export function load_file(filename: string, device = 'cpu'): Record<string, Tensor> {
  const { entries, data } = parse(readFileSync(filename));
  const tensors: Record<string, Tensor> = {};
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const bytes = data.subarray(...data_offsets);
    const tensor = guard(() => new Tensor(native.from_bytes(bytes, dtypeCode(dtype), shape)));
    // Unlike an assignment, this also keeps a tensor named `__proto__`.
    Object.defineProperty(tensors, name, {
      value: device === 'cpu' ? tensor : tensor.to(device),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return tensors;
}
