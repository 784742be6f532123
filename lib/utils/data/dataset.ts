import { type Args, bind } from '../../args';
import * as ops from '../../ops';
import type { Generator as RandomGenerator } from '../../random';
import type { Tensor } from '../../tensor';

/**
 * A map-style dataset: `dataset.get(i)` stands for Python's `dataset[i]`, `dataset.length` for `len(dataset)`. Anything with
 * these two, and any array, can be given wherever a dataset is expected.
 */
export abstract class Dataset<T = unknown> {
  abstract get(index: number): T;
  abstract get length(): number;

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.length; i++) yield this.get(i);
  }
}

export interface MapDataset<T> {
  get(index: number): T;
  readonly length: number;
}

export type DatasetLike<T> = MapDataset<T> | readonly T[];

/** @internal */
export function item_of<T>(dataset: DatasetLike<T>, index: number): T {
  return Array.isArray(dataset) ? (dataset as readonly T[])[index] : (dataset as MapDataset<T>).get(index);
}

/** A dataset that is only iterated over. Subclasses define the iterator, or an async one. */
export abstract class IterableDataset<T = unknown> {
  [Symbol.iterator](): Iterator<T> {
    throw new Error(`${this.constructor.name} has no synchronous iterator`);
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    const items = this[Symbol.iterator]();
    return { next: () => Promise.resolve(items.next()) };
  }
}

/** The rows of tensors with the same first size: item `i` is `[tensors[0][i], tensors[1][i], ...]`. */
export class TensorDataset extends Dataset<Tensor[]> {
  readonly tensors: readonly Tensor[];

  constructor(...tensors: Tensor[]) {
    super();
    if (tensors.length === 0) throw new RangeError('tuple index out of range');
    if (tensors.some((tensor) => tensor.shape[0] !== tensors[0]?.shape[0])) {
      throw new Error('Size mismatch between tensors');
    }
    this.tensors = tensors;
  }

  override get(index: number): Tensor[] {
    return this.tensors.map((tensor) => tensor.index(index));
  }

  override get length(): number {
    return this.tensors[0].shape[0];
  }
}

/** The items of `dataset` at `indices`. */
export class Subset<T> extends Dataset<T> {
  constructor(
    readonly dataset: DatasetLike<T>,
    readonly indices: readonly number[],
  ) {
    super();
  }

  override get(index: number): T {
    const at = index < 0 ? index + this.indices.length : index;
    const source = this.indices[at];
    if (source === undefined) throw new RangeError('list index out of range');
    return item_of(this.dataset, source);
  }

  override get length(): number {
    return this.indices.length;
  }
}

/** Datasets one after another. */
export class ConcatDataset<T> extends Dataset<T> {
  readonly datasets: readonly DatasetLike<T>[];
  /** How many items the datasets up to each hold together. */
  readonly cumulative_sizes: readonly number[];

  constructor(datasets: Iterable<DatasetLike<T>>) {
    super();
    this.datasets = [...datasets];
    if (this.datasets.length === 0) throw new Error('datasets should not be an empty iterable');
    if (this.datasets.some((dataset) => (dataset as unknown) instanceof IterableDataset)) {
      throw new Error('ConcatDataset does not support IterableDataset');
    }
    let sum = 0;
    this.cumulative_sizes = this.datasets.map((dataset) => (sum += dataset.length));
  }

  override get(index: number): T {
    if (index < -this.length) throw new Error('absolute value of index should not exceed dataset length');
    if (index >= this.length) throw new RangeError('list index out of range');
    const at = index < 0 ? index + this.length : index;
    const which = this.cumulative_sizes.findIndex((size) => at < size);
    const before = which === 0 ? 0 : this.cumulative_sizes[which - 1];
    return item_of(this.datasets[which], at - before);
  }

  override get length(): number {
    return this.cumulative_sizes.at(-1) as number;
  }
}

/** Splits at random into parts of the given lengths, or fractions of the whole that sum to 1. */
export function random_split<T>(
  dataset: DatasetLike<T>,
  lengths: readonly number[],
  ...rest: Args<[], [generator: RandomGenerator | null], { generator?: RandomGenerator | null }>
): Subset<T>[] {
  const { generator } = bind('random_split', { generator: null as RandomGenerator | null }, rest);
  const parts = split_lengths(lengths, dataset.length);
  if (parts.reduce((sum, part) => sum + part, 0) !== dataset.length) {
    throw new Error('Sum of input lengths does not equal the length of the input dataset!');
  }
  const indices = ops.randperm(dataset.length, { generator }).tolist() as number[];
  let offset = 0;
  return parts.map((part) => new Subset(dataset, indices.slice(offset, (offset += part))));
}

function split_lengths(lengths: readonly number[], total: number): readonly number[] {
  const sum = lengths.reduce((a, b) => a + b, 0);
  const fractions = sum <= 1 && Math.abs(sum - 1) <= 1e-9;
  if (!fractions) return lengths;
  const parts = lengths.map((fraction, i) => {
    if (fraction < 0 || fraction > 1) throw new Error(`Fraction at index ${i} is not between 0 and 1`);
    return Math.floor(total * fraction);
  });
  const rest = total - parts.reduce((a, b) => a + b, 0);
  for (let i = 0; i < rest; i++) parts[i % parts.length] = parts[i % parts.length] + 1;
  parts.forEach((part, i) => {
    if (part === 0) {
      process.emitWarning(`Length of split at index ${i} is 0. This might result in an empty dataset.`);
    }
  });
  return parts;
}
