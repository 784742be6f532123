import { type Args, bind, required } from '../../args';
import { repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import { Module } from '../module';

/** Makes one dimension of those from `start_dim` to `end_dim`. */
export class Flatten extends Module {
  readonly start_dim: number;
  readonly end_dim: number;

  constructor(
    ...args: Args<[], [start_dim: number, end_dim: number], { start_dim?: number; end_dim?: number }>
  ) {
    super();
    const { start_dim, end_dim } = bind('Flatten.__init__', { start_dim: 1, end_dim: -1 }, args);
    this.start_dim = start_dim;
    this.end_dim = end_dim;
  }

  override forward(input: Tensor): Tensor {
    return input.flatten(this.start_dim, this.end_dim);
  }

  override extra_repr(): string {
    return `start_dim=${this.start_dim}, end_dim=${this.end_dim}`;
  }
}

/** Makes dimensions of the sizes `unflattened_size` of the dimension `dim`. */
export class Unflatten extends Module {
  readonly dim: number;
  readonly unflattened_size: number[];

  constructor(
    ...args: Args<
      [dim: number, unflattened_size: number[]],
      [],
      { dim?: number; unflattened_size?: number[] }
    >
  ) {
    super();
    const { dim, unflattened_size } = bind(
      'Unflatten.__init__',
      { dim: required<number>(), unflattened_size: required<number[]>() },
      args,
    );
    unflattened_size.forEach((size, i) => {
      if (!Number.isInteger(size)) {
        throw new TypeError(
          `unflattened_size must be tuple of ints, but found element of type ${typeof size} at pos ${i}`,
        );
      }
    });
    this.dim = dim;
    this.unflattened_size = unflattened_size;
  }

  override forward(input: Tensor): Tensor {
    return input.unflatten(this.dim, this.unflattened_size);
  }

  override extra_repr(): string {
    return `dim=${this.dim}, unflattened_size=${repr(this.unflattened_size)}`;
  }
}
