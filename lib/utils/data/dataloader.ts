import { type Args, bind, required } from '../../args';
import type { Generator as RandomGenerator } from '../../random';
import { default_collate, default_convert } from './collate';
import { type DatasetLike, IterableDataset, item_of } from './dataset';
import { BatchSampler, draw_seed, RandomSampler, SequentialSampler } from './sampler';

type AnyDataset<T> = DatasetLike<T> | IterableDataset<T>;

interface DataLoaderOptions<T, Batch> {
  dataset?: AnyDataset<T>;
  batch_size?: number | null;
  shuffle?: boolean | null;
  sampler?: Iterable<number> | null;
  batch_sampler?: Iterable<number[]> | null;
  num_workers?: number;
  collate_fn?: ((items: T[]) => Batch | Promise<Batch>) | null;
  pin_memory?: boolean;
  drop_last?: boolean;
  generator?: RandomGenerator | null;
  prefetch_factor?: number | null;
}

/** The batch that `default_collate` makes of items of type `T`: tensors of tensors and numbers, member by member. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a batch holds depends on the items' values
export type DefaultBatch = any;

/**
 * Batches of a dataset, for `for (const batch of loader)` and `for await (const batch of loader)`. The two give the same
 * batches; the asynchronous one leaves the event loop room between batches and waits for items and batches that are
 * promises.
 *
 * There are no worker processes. With `num_workers` > 0 the asynchronous iterator begins up to
 * `num_workers * prefetch_factor` batches ahead, so that asynchronous loading overlaps with training; the order of the
 * batches stays the same.
 */
export class DataLoader<T = unknown, Batch = DefaultBatch> {
  readonly dataset: AnyDataset<T>;
  readonly batch_size: number | null;
  readonly drop_last: boolean;
  readonly num_workers: number;
  readonly prefetch_factor: number | null;
  readonly pin_memory: boolean;
  readonly sampler: Iterable<number> | null;
  readonly batch_sampler: Iterable<number[]> | null;
  readonly generator: RandomGenerator | null;
  readonly collate_fn: (items: T[]) => Batch | Promise<Batch>;

  constructor(
    ...args: Args<
      [dataset: AnyDataset<T>],
      [
        batch_size: number | null,
        shuffle: boolean | null,
        sampler: Iterable<number> | null,
        batch_sampler: Iterable<number[]> | null,
        num_workers: number,
        collate_fn: ((items: T[]) => Batch | Promise<Batch>) | null,
        pin_memory: boolean,
        drop_last: boolean,
      ],
      DataLoaderOptions<T, Batch>
    >
  ) {
    const p = bind(
      'DataLoader.__init__',
      {
        dataset: required<AnyDataset<T>>(),
        batch_size: 1,
        shuffle: null as boolean | null,
        sampler: null as Iterable<number> | null,
        batch_sampler: null as Iterable<number[]> | null,
        num_workers: 0,
        collate_fn: null as ((items: T[]) => Batch | Promise<Batch>) | null,
        pin_memory: false,
        drop_last: false,
        generator: null as RandomGenerator | null,
        prefetch_factor: null as number | null,
      },
      args,
    );
    check_workers(p.num_workers, p.prefetch_factor);
    const iterable = p.dataset instanceof IterableDataset;
    if (iterable) check_iterable(p);
    if (p.sampler !== null && p.shuffle === true)
      throw new Error('sampler option is mutually exclusive with shuffle');
    if (p.batch_sampler !== null) {
      if (p.batch_size !== 1 || p.shuffle === true || p.sampler !== null || p.drop_last) {
        throw new Error(
          'batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last',
        );
      }
    } else if (p.batch_size === null && p.drop_last) {
      throw new Error(
        'batch_size=None option disables auto-batching and is mutually exclusive with drop_last',
      );
    }
    this.dataset = p.dataset;
    this.batch_size = p.batch_sampler === null ? p.batch_size : null;
    this.drop_last = p.drop_last;
    this.num_workers = p.num_workers;
    this.prefetch_factor = p.prefetch_factor ?? (p.num_workers > 0 ? 2 : null);
    this.pin_memory = p.pin_memory;
    this.generator = p.generator;
    this.sampler = p.sampler ?? default_sampler(p.dataset, p.shuffle === true, p.generator);
    this.batch_sampler =
      p.batch_sampler ??
      (p.batch_size === null || this.sampler === null
        ? null
        : new BatchSampler(this.sampler, p.batch_size, p.drop_last));
    const batched = this.batch_sampler !== null || (iterable && p.batch_size !== null);
    this.collate_fn =
      p.collate_fn ?? ((batched ? default_collate : default_convert) as unknown as (items: T[]) => Batch);
  }

  /** The number of batches. */
  get length(): number {
    if (this.dataset instanceof IterableDataset) {
      const items = (this.dataset as { length?: number }).length;
      if (items === undefined)
        throw new TypeError(`object of type '${this.dataset.constructor.name}' has no len()`);
      if (this.batch_size === null) return items;
      return this.drop_last ? Math.floor(items / this.batch_size) : Math.ceil(items / this.batch_size);
    }
    const indices = (this.batch_sampler ?? this.sampler) as { length?: number };
    if (indices.length === undefined) throw new TypeError('the sampler has no length');
    return indices.length;
  }

  [Symbol.iterator](): Iterator<Batch> {
    draw_seed(this.generator); // PyTorch draws the seed of its workers here, whether there are any or not
    return this.#batches();
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    draw_seed(this.generator);
    return this.num_workers > 0 ? this.#prefetched() : this.#awaited();
  }

  *#batches(): Generator<Batch> {
    for (const items of this.#item_lists()) {
      const promised = Array.isArray(items) ? items.some(is_promise) : is_promise(items);
      if (promised)
        throw new TypeError('the dataset gives promises: iterate with `for await (const batch of loader)`');
      const batch = this.collate_fn(items as T[]);
      if (is_promise(batch)) {
        throw new TypeError('collate_fn gives promises: iterate with `for await (const batch of loader)`');
      }
      yield batch;
    }
  }

  async *#awaited(): AsyncGenerator<Batch> {
    for await (const items of this.#async_item_lists()) {
      await new Promise(setImmediate);
      yield await this.#load(items);
    }
  }

  async *#prefetched(): AsyncGenerator<Batch> {
    const ahead = this.num_workers * (this.prefetch_factor as number);
    const pending: Promise<Batch>[] = [];
    for await (const items of this.#async_item_lists()) {
      const batch = this.#load(items);
      batch.catch(() => undefined); // an error is reported where the batch is awaited, in order
      pending.push(batch);
      if (pending.length > ahead) yield await (pending.shift() as Promise<Batch>);
    }
    for (const batch of pending) yield await batch;
  }

  async #load(items: unknown): Promise<Batch> {
    const settled: unknown =
      Array.isArray(items) && this.#is_batched ? await Promise.all(items) : await items;
    return this.collate_fn(settled as T[]);
  }

  get #is_batched(): boolean {
    return (
      this.batch_sampler !== null || (this.dataset instanceof IterableDataset && this.batch_size !== null)
    );
  }

  /** The lists of items that make up the batches; single items where nothing is batched. */
  *#item_lists(): Generator<unknown> {
    const dataset = this.dataset;
    if (dataset instanceof IterableDataset) {
      yield* this.#grouped(dataset);
    } else if (this.batch_sampler !== null) {
      for (const indices of this.batch_sampler) yield indices.map((i) => item_of(dataset, i));
    } else {
      for (const index of this.sampler as Iterable<number>) yield item_of(dataset, index);
    }
  }

  *#grouped(items: Iterable<unknown>): Generator<unknown> {
    const group = new Grouping(this.batch_size, this.drop_last);
    for (const item of items) yield* group.add(item);
    yield* group.end();
  }

  async *#async_item_lists(): AsyncGenerator<unknown> {
    const dataset = this.dataset;
    if (!(dataset instanceof IterableDataset)) {
      // Items may be promises, which an async generator would wait for one by one: they travel inside a list.
      for (const items of this.#item_lists()) yield this.#is_batched ? items : await items;
      return;
    }
    const group = new Grouping(this.batch_size, this.drop_last);
    for await (const item of dataset) yield* group.add(item);
    yield* group.end();
  }
}

/** Gathers single items into lists of `size`, or passes them on where `size` is null. */
class Grouping {
  #items: unknown[] = [];

  constructor(
    readonly size: number | null,
    readonly drop_last: boolean,
  ) {}

  *add(item: unknown): Generator<unknown> {
    if (this.size === null) {
      yield item;
      return;
    }
    if (this.#items.push(item) < this.size) return;
    yield this.#items;
    this.#items = [];
  }

  *end(): Generator<unknown> {
    if (this.#items.length > 0 && !this.drop_last) yield this.#items;
  }
}

function is_promise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === 'function';
}

function default_sampler<T>(
  dataset: AnyDataset<T>,
  shuffle: boolean,
  generator: RandomGenerator | null,
): Iterable<number> | null {
  if (dataset instanceof IterableDataset) return null;
  return shuffle ? new RandomSampler(dataset, { generator }) : new SequentialSampler(dataset);
}

function check_workers(num_workers: number, prefetch_factor: number | null): void {
  if (num_workers < 0) {
    throw new Error(
      'num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.',
    );
  }
  if (num_workers === 0 && prefetch_factor !== null) {
    throw new Error(
      'prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable multiprocessing, ' +
        'otherwise set prefetch_factor to None.',
    );
  }
  if (prefetch_factor !== null && prefetch_factor < 0) {
    throw new Error('prefetch_factor option should be non-negative');
  }
}

function check_iterable(p: { shuffle: boolean | null; sampler: unknown; batch_sampler: unknown }): void {
  const reject = (option: string): never => {
    throw new Error(`DataLoader with IterableDataset: expected unspecified ${option}`);
  };
  if (p.shuffle === true) reject('shuffle option, but got shuffle=True');
  if (p.sampler !== null) reject('sampler option');
  if (p.batch_sampler !== null) reject('batch_sampler option');
}
