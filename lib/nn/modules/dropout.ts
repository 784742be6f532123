import { type Args, bind } from '../../args';
import * as ops from '../../ops';
import { float, repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import { Module } from '../module';

class DropoutNd extends Module {
  p: number;
  inplace: boolean;

  constructor(...args: Args<[], [p: number, inplace: boolean], { p?: number; inplace?: boolean }>) {
    super();
    const { p, inplace } = bind(`${new.target.name}.__init__`, { p: 0.5, inplace: false }, args);
    if (!(p >= 0 && p <= 1)) {
      throw new Error(`dropout probability has to be between 0 and 1, but got ${repr(p)}`);
    }
    this.p = p;
    this.inplace = inplace;
  }

  override extra_repr(): string {
    return `p=${repr(float(this.p))}, inplace=${repr(this.inplace)}`;
  }
}

/** In training, zeroes elements with probability `p` and scales the others by `1 / (1 - p)`. */
export class Dropout extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return ops.dropout(input, this.p, this.training, this.inplace);
  }
}

/** In training, zeroes whole channels `[n, c]` with probability `p` and scales the others by `1 / (1 - p)`. */
export class Dropout2d extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return ops.dropout2d(input, this.p, this.training, this.inplace);
  }
}
