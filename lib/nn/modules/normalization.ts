import type { DeviceLike } from '../../types';
import type { DType } from '../../dtype';
import { type Args, bind, required } from '../../args';
import * as ops from '../../ops';
import { float, repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { factory, type FactoryOptions, single, type Size1 } from './sizes';

interface LayerNormOptions extends FactoryOptions {
  normalized_shape?: Size1;
  eps?: number;
  elementwise_affine?: boolean;
  bias?: boolean;
}

/** Normalises over the last dimensions, those of `normalized_shape`. */
export class LayerNorm extends Module {
  readonly normalized_shape: number[];
  eps: number;
  readonly elementwise_affine: boolean;
  weight: Parameter | null; // [...normalized_shape]
  bias: Parameter | null; // [...normalized_shape]

  constructor(
    ...args: Args<
      [normalized_shape: Size1],
      [
        eps: number,
        elementwise_affine: boolean,
        bias: boolean,
        device: DeviceLike | null,
        dtype: DType | null,
      ],
      LayerNormOptions
    >
  ) {
    super();
    const p = bind(
      'LayerNorm.__init__',
      { normalized_shape: required<Size1>(), eps: 1e-5, elementwise_affine: true, bias: true, ...factory },
      args,
    );
    const { device, dtype } = p;
    this.normalized_shape = single(p.normalized_shape);
    this.eps = p.eps;
    this.elementwise_affine = p.elementwise_affine;
    const parameter = (): Parameter => new Parameter(ops.empty(this.normalized_shape, { device, dtype }));
    this.weight = p.elementwise_affine ? parameter() : null;
    this.bias = p.elementwise_affine && p.bias ? parameter() : null;
    this.reset_parameters();
  }

  reset_parameters(): void {
    if (this.weight !== null) init.ones_(this.weight);
    if (this.bias !== null) init.zeros_(this.bias);
  }

  override forward(input: Tensor): Tensor {
    return ops.layer_norm(input, this.normalized_shape, this.weight, this.bias, this.eps);
  }

  override extra_repr(): string {
    return (
      `${repr(this.normalized_shape)}, eps=${repr(float(this.eps))}, elementwise_affine=${repr(this.elementwise_affine)}, ` +
      `bias=${repr(this.bias !== null)}`
    );
  }
}
