import type { DeviceLike } from '../../types';
import type { DType } from '../../dtype';
import { type Args, bind, required } from '../../args';
import * as ops from '../../ops';
import { repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { factory, type FactoryOptions } from './sizes';

interface LinearOptions extends FactoryOptions {
  in_features?: number;
  out_features?: number;
  bias?: boolean;
}

/** `y = x W^T + b`: shapes `[*, in_features]` to `[*, out_features]`. */
export class Linear extends Module {
  readonly in_features: number;
  readonly out_features: number;
  weight: Parameter; // [out_features, in_features]
  bias: Parameter | null; // [out_features]

  constructor(
    ...args: Args<
      [in_features: number, out_features: number],
      [bias: boolean, device: DeviceLike | null, dtype: DType | null],
      LinearOptions
    >
  ) {
    super();
    const { in_features, out_features, bias, device, dtype } = bind(
      'Linear.__init__',
      { in_features: required<number>(), out_features: required<number>(), bias: true, ...factory },
      args,
    );
    this.in_features = in_features;
    this.out_features = out_features;
    this.weight = new Parameter(ops.empty([out_features, in_features], { device, dtype }));
    this.bias = bias ? new Parameter(ops.empty([out_features], { device, dtype })) : null;
    this.reset_parameters();
  }

  reset_parameters(): void {
    init.reset_weight_and_bias(this.weight, this.bias);
  }

  override forward(input: Tensor): Tensor {
    return ops.linear(input, this.weight, this.bias);
  }

  override extra_repr(): string {
    return `in_features=${this.in_features}, out_features=${this.out_features}, bias=${repr(this.bias !== null)}`;
  }
}

/** Returns its input. Takes, and ignores, any arguments. */
export class Identity extends Module {
  constructor(..._args: unknown[]) {
    super();
  }

  override forward(input: Tensor): Tensor {
    return input;
  }
}
