import { type Args, bind } from '../../args';
import * as ops from '../../ops';
import { float, repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import { Module } from '../module';

/** An activation that can overwrite its input. */
class InplaceActivation extends Module {
  inplace: boolean;

  constructor(...args: Args<[], [inplace: boolean], { inplace?: boolean }>) {
    super();
    this.inplace = bind(`${new.target.name}.__init__`, { inplace: false }, args).inplace;
  }

  override extra_repr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

/** `max(0, x)` */
export class ReLU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return this.inplace ? input.relu_() : ops.relu(input);
  }
}

/** `x * sigmoid(x)` */
export class SiLU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return ops.silu(input, { inplace: this.inplace });
  }
}

/** `min(max(x, min_val), max_val)` */
export class Hardtanh extends Module {
  readonly min_val: number;
  readonly max_val: number;
  inplace: boolean;

  constructor(
    ...args: Args<
      [],
      [min_val: number, max_val: number, inplace: boolean],
      { min_val?: number; max_val?: number; inplace?: boolean }
    >
  ) {
    super();
    const p = bind(`${new.target.name}.__init__`, { min_val: -1, max_val: 1, inplace: false }, args);
    if (p.max_val <= p.min_val) throw new Error('max_val must be larger than min_val');
    this.min_val = p.min_val;
    this.max_val = p.max_val;
    this.inplace = p.inplace;
  }

  override forward(input: Tensor): Tensor {
    return this.inplace
      ? input.clamp_(this.min_val, this.max_val)
      : ops.clamp(input, this.min_val, this.max_val);
  }

  override extra_repr(): string {
    return `min_val=${repr(float(this.min_val))}, max_val=${repr(float(this.max_val))}${this.inplace ? ', inplace=True' : ''}`;
  }
}

/** `min(max(x, 0), 6)` */
export class ReLU6 extends Hardtanh {
  constructor(...args: Args<[], [inplace: boolean], { inplace?: boolean }>) {
    super(0, 6, bind('ReLU6.__init__', { inplace: false }, args).inplace);
  }

  override extra_repr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

/** `x` where positive, else `negative_slope * x` */
export class LeakyReLU extends Module {
  negative_slope: number;
  inplace: boolean;

  constructor(
    ...args: Args<
      [],
      [negative_slope: number, inplace: boolean],
      { negative_slope?: number; inplace?: boolean }
    >
  ) {
    super();
    const p = bind('LeakyReLU.__init__', { negative_slope: 0.01, inplace: false }, args);
    this.negative_slope = p.negative_slope;
    this.inplace = p.inplace;
  }

  override forward(input: Tensor): Tensor {
    return ops.leaky_relu(input, this.negative_slope, this.inplace);
  }

  override extra_repr(): string {
    return `negative_slope=${repr(float(this.negative_slope))}${this.inplace ? ', inplace=True' : ''}`;
  }
}

/** `x` where positive, else `alpha * (exp(x) - 1)` */
export class ELU extends Module {
  alpha: number;
  inplace: boolean;

  constructor(...args: Args<[], [alpha: number, inplace: boolean], { alpha?: number; inplace?: boolean }>) {
    super();
    const p = bind('ELU.__init__', { alpha: 1, inplace: false }, args);
    this.alpha = p.alpha;
    this.inplace = p.inplace;
  }

  override forward(input: Tensor): Tensor {
    return ops.elu(input, { alpha: this.alpha, inplace: this.inplace });
  }

  override extra_repr(): string {
    return `alpha=${repr(float(this.alpha))}${this.inplace ? ', inplace=True' : ''}`;
  }
}

/** `x * Phi(x)`, with the normal distribution function, or its `tanh` approximation. */
export class GELU extends Module {
  approximate: 'none' | 'tanh';

  constructor(...args: Args<[], [approximate: 'none' | 'tanh'], { approximate?: 'none' | 'tanh' }>) {
    super();
    const defaults: { approximate: 'none' | 'tanh' } = { approximate: 'none' };
    this.approximate = bind('GELU.__init__', defaults, args).approximate;
  }

  override forward(input: Tensor): Tensor {
    return ops.gelu(input, { approximate: this.approximate });
  }

  override extra_repr(): string {
    return `approximate=${repr(this.approximate)}`;
  }
}

/** `log(1 + exp(beta * x)) / beta`, linear where `beta * x > threshold`. */
export class Softplus extends Module {
  beta: number;
  threshold: number;

  constructor(...args: Args<[], [beta: number, threshold: number], { beta?: number; threshold?: number }>) {
    super();
    const p = bind('Softplus.__init__', { beta: 1, threshold: 20 }, args);
    this.beta = p.beta;
    this.threshold = p.threshold;
  }

  override forward(input: Tensor): Tensor {
    return ops.softplus(input, this.beta, this.threshold);
  }

  override extra_repr(): string {
    return `beta=${repr(float(this.beta))}, threshold=${repr(float(this.threshold))}`;
  }
}

/** `1 / (1 + exp(-x))` */
export class Sigmoid extends Module {
  override forward(input: Tensor): Tensor {
    return ops.sigmoid(input);
  }
}

/** `log(sigmoid(x))` */
export class LogSigmoid extends Module {
  override forward(input: Tensor): Tensor {
    return ops.softplus(input.neg()).neg();
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  override forward(input: Tensor): Tensor {
    return ops.tanh(input);
  }
}

/** `x - tanh(x)` */
export class Tanhshrink extends Module {
  override forward(input: Tensor): Tensor {
    return input.sub(ops.tanh(input));
  }
}

/** `x / (1 + |x|)` */
export class Softsign extends Module {
  override forward(input: Tensor): Tensor {
    return input.div(input.abs().add(1));
  }
}

class AlongDim extends Module {
  dim: number | null;

  constructor(...args: Args<[], [dim: number | null], { dim?: number | null }>) {
    super();
    this.dim = bind(`${new.target.name}.__init__`, { dim: null as number | null }, args).dim;
  }

  /** PyTorch's choice where none was given: the dimension of the classes for 0, 1 and 3 dimensions is the first. */
  protected dim_of(input: Tensor): number {
    if (this.dim !== null) return this.dim;
    const name = this._get_name().toLowerCase().replace('logsoftmax', 'log_softmax');
    process.emitWarning(
      `Implicit dimension choice for ${name} has been deprecated. Change the call to include dim=X as an argument.`,
    );
    return [0, 1, 3].includes(input.dim()) ? 0 : 1;
  }

  override extra_repr(): string {
    return `dim=${repr(this.dim)}`;
  }
}

/** `exp(x) / sum(exp(x))` along `dim`. */
export class Softmax extends AlongDim {
  override forward(input: Tensor): Tensor {
    return ops.softmax(input, this.dim_of(input));
  }
}

/** `softmax(-x)` along `dim`. */
export class Softmin extends AlongDim {
  override forward(input: Tensor): Tensor {
    return ops.softmax(input.neg(), this.dim_of(input));
  }
}

/** `log(softmax(x))` along `dim`. */
export class LogSoftmax extends AlongDim {
  override forward(input: Tensor): Tensor {
    return ops.log_softmax(input, this.dim_of(input));
  }
}
