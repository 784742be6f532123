import { type Args, bind, required } from '../../args';
import { as_tensor } from '../../creation';
import * as ops from '../../ops';
import { repr, repr_tuple } from '../../pyformat';
import { Generator as RandomGenerator } from '../../random';
import { Tensor } from '../../tensor';

interface Sized {
  readonly length: number;
}

/** The order in which a `DataLoader` takes the items: an iterable of indices (a batch sampler: of lists of indices). */
export abstract class Sampler<T = number> {
  abstract [Symbol.iterator](): Iterator<T>;
}

/** 0, 1, 2, ... */
export class SequentialSampler extends Sampler {
  constructor(readonly data_source: Sized) {
    super();
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.data_source.length; i++) yield i;
  }

  get length(): number {
    return this.data_source.length;
  }
}

function require_positive(name: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value <= 0) {
    throw new Error(`${name} should be a positive integer value, but got ${name}=${repr(value)}`);
  }
}

/** All indices in random order, or `num_samples` drawn, with `replacement` or in as many rounds as it takes. */
export class RandomSampler extends Sampler {
  readonly data_source: Sized;
  readonly replacement: boolean;
  readonly generator: RandomGenerator | null;
  readonly #num_samples: number | null;

  constructor(
    ...args: Args<
      [data_source: Sized],
      [replacement: boolean, num_samples: number | null, generator: RandomGenerator | null],
      { replacement?: boolean; num_samples?: number | null; generator?: RandomGenerator | null }
    >
  ) {
    super();
    const p = bind(
      'RandomSampler.__init__',
      {
        data_source: required<Sized>(),
        replacement: false,
        num_samples: null as number | null,
        generator: null as RandomGenerator | null,
      },
      args,
    );
    this.data_source = p.data_source;
    this.replacement = p.replacement;
    this.generator = p.generator;
    this.#num_samples = p.num_samples;
    if (typeof p.replacement !== 'boolean') {
      throw new TypeError(
        `replacement should be a boolean value, but got replacement=${repr(p.replacement)}`,
      );
    }
    require_positive('num_samples', this.num_samples);
  }

  /** The dataset's length, unless given. */
  get num_samples(): number {
    return this.#num_samples ?? this.data_source.length;
  }

  *[Symbol.iterator](): Generator<number> {
    const n = this.data_source.length;
    const generator = this.generator ?? seeded_generator();
    if (this.replacement) {
      for (let left = this.num_samples; left > 0; left -= 32) {
        yield* ops.randint(0, n, [Math.min(left, 32)], { dtype: 'int64', generator }).tolist() as number[];
      }
      return;
    }
    const permutation = (): number[] => ops.randperm(n, { generator }).tolist() as number[];
    for (let round = 0; round < Math.floor(this.num_samples / n); round++) yield* permutation();
    // As in PyTorch, drawn even where nothing is left to give: a generator that goes on from here depends on it.
    yield* permutation().slice(0, this.num_samples % n);
  }

  get length(): number {
    return this.num_samples;
  }
}

/** A generator of its own, seeded by one draw from the default one. */
function seeded_generator(): RandomGenerator {
  const generator = new RandomGenerator();
  generator.manual_seed(draw_seed(null));
  return generator;
}

/** @internal One draw of a non-negative 63-bit integer. */
export function draw_seed(generator: RandomGenerator | null): number | bigint {
  return ops.empty([], { dtype: 'int64' }).random_({ generator }).item();
}

type GeneratorArgs = Args<[], [generator: RandomGenerator | null], { generator?: RandomGenerator | null }>;

/** The given indices in random order. */
export class SubsetRandomSampler extends Sampler {
  readonly indices: readonly number[];
  readonly generator: RandomGenerator | null;

  constructor(indices: readonly number[], ...rest: GeneratorArgs) {
    super();
    this.indices = indices;
    const none = { generator: null as RandomGenerator | null };
    this.generator = bind('SubsetRandomSampler.__init__', none, rest).generator;
  }

  *[Symbol.iterator](): Generator<number> {
    const order = ops.randperm(this.indices.length, { generator: this.generator }).tolist() as number[];
    for (const i of order) yield this.indices[i];
  }

  get length(): number {
    return this.indices.length;
  }
}

/** `num_samples` indices, each as likely as its weight says. */
export class WeightedRandomSampler extends Sampler {
  readonly weights: Tensor; // [N], float64
  readonly num_samples: number;
  readonly replacement: boolean;
  readonly generator: RandomGenerator | null;

  constructor(
    weights: Tensor | readonly number[],
    num_samples: number,
    ...rest: Args<
      [],
      [replacement: boolean, generator: RandomGenerator | null],
      { replacement?: boolean; generator?: RandomGenerator | null }
    >
  ) {
    super();
    const p = bind(
      'WeightedRandomSampler.__init__',
      { replacement: true, generator: null as RandomGenerator | null },
      rest,
    );
    require_positive('num_samples', num_samples);
    if (typeof p.replacement !== 'boolean') {
      throw new Error(`replacement should be a boolean value, but got replacement=${repr(p.replacement)}`);
    }
    this.weights = as_tensor(weights instanceof Tensor ? weights : [...weights], { dtype: 'float64' });
    if (this.weights.dim() !== 1) {
      throw new Error(
        `weights should be a 1d sequence but given weights have shape ${repr_tuple(this.weights.shape)}`,
      );
    }
    this.num_samples = num_samples;
    this.replacement = p.replacement;
    this.generator = p.generator;
  }

  *[Symbol.iterator](): Generator<number> {
    const { weights, num_samples, replacement, generator } = this;
    yield* ops.multinomial(weights, num_samples, replacement, { generator }).tolist() as number[];
  }

  get length(): number {
    return this.num_samples;
  }
}

/** Lists of `batch_size` indices of another sampler; the last may be shorter, or is dropped. */
export class BatchSampler extends Sampler<number[]> {
  constructor(
    readonly sampler: Iterable<number>,
    readonly batch_size: number,
    readonly drop_last: boolean,
  ) {
    super();
    require_positive('batch_size', batch_size);
    if (typeof drop_last !== 'boolean') {
      throw new Error(`drop_last should be a boolean value, but got drop_last=${repr(drop_last)}`);
    }
  }

  *[Symbol.iterator](): Generator<number[]> {
    let batch: number[] = [];
    for (const index of this.sampler) {
      if (batch.push(index) < this.batch_size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0 && !this.drop_last) yield batch;
  }

  get length(): number {
    const length = (this.sampler as Partial<Sized>).length;
    if (length === undefined) throw new TypeError('the sampler has no length');
    return this.drop_last ? Math.floor(length / this.batch_size) : Math.ceil(length / this.batch_size);
  }
}
