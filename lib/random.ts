// torch.Generator, manual_seed and the state of the random stream.
import { rethrow } from './errors';
import { native, type GeneratorHandle } from './native';
import { Tensor } from './tensor';

/** A random stream of its own. Same seed, same numbers as PyTorch's CPU generator. */
export class Generator {
  /** @internal null stands for the default stream */
  readonly handle: GeneratorHandle;
  readonly device = 'cpu';
  constructor() {
    this.handle = native.new_generator();
  }
  manual_seed(seed: number | bigint): this {
    native.manual_seed(toSeed(seed), this.handle);
    return this;
  }
  /** The seed this generator was last given. */
  initial_seed(): number | bigint {
    return plain(native.initial_seed(this.handle));
  }
  /** Seeds from the operating system and returns the seed. */
  seed(): number | bigint {
    return plain(native.seed(this.handle));
  }
  get_state(): Tensor {
    return new Tensor(native.get_rng_state(this.handle));
  }
  set_state(state: Tensor): void {
    try {
      native.set_rng_state(state._h, this.handle);
    } catch (e) {
      rethrow(e);
    }
  }
}

const plain = (v: bigint): number | bigint => (v <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(v) : v);

/** A negative seed counts from 2^64 down, as in PyTorch. */
function toSeed(seed: number | bigint): bigint {
  if (typeof seed === 'number' && !Number.isInteger(seed))
    throw new TypeError(`manual_seed expected an integer, but got ${seed}`);
  const v = BigInt(seed);
  if (v < -(1n << 63n) || v >= 1n << 64n) {
    throw new Error('Overflow when unpacking long long');
  }
  return BigInt.asIntN(64, v);
}

/** Seeds the default stream: the same numbers as PyTorch's on CPU from then on. Returns nothing but the stream's state. */
export function manual_seed(seed: number | bigint): void {
  native.manual_seed(toSeed(seed), null);
}
/** Seeds the default stream from the operating system and returns the seed. */
export const seed = (): number | bigint => plain(native.seed(null));
/** The seed that the default stream was last given. */
export const initial_seed = (): number | bigint => plain(native.initial_seed(null));
/** The default stream's state: a uint8 tensor of PyTorch's own 5056 bytes. */
export const get_rng_state = (): Tensor => new Tensor(native.get_rng_state(null));
/** Sets the default stream's state. Throws when the tensor is no such state. */
export function set_rng_state(state: Tensor): void {
  try {
    native.set_rng_state(state._h, null);
  } catch (e) {
    rethrow(e);
  }
}
