import type { DeviceLike } from '../../types';
import type { DType } from '../../dtype';
import { type Args, bind, required } from '../../args';
import { no_grad } from '../../autograd';
import * as ops from '../../ops';
import { float, repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import * as init from '../init';
import { Module } from '../module';
import type { LoadContext } from '../state_dict';
import { Parameter } from '../parameter';
import { factory, type FactoryOptions } from './sizes';

interface BatchNormOptions extends FactoryOptions {
  num_features?: number;
  eps?: number;
  momentum?: number | null;
  affine?: boolean;
  track_running_stats?: boolean;
  bias?: boolean;
}

type BatchNormArgs = Args<
  [num_features: number],
  [
    eps: number,
    momentum: number | null,
    affine: boolean,
    track_running_stats: boolean,
    device: DeviceLike | null,
    dtype: DType | null,
  ],
  BatchNormOptions
>;

export class BatchNorm extends Module {
  /** At version 2 `num_batches_tracked` was added. */
  static override readonly _version: number = 2;

  readonly num_features: number;
  eps: number;
  momentum: number | null;
  readonly affine: boolean;
  readonly track_running_stats: boolean;
  weight: Parameter | null; // [num_features]
  bias: Parameter | null; // [num_features]
  declare running_mean: Tensor | null; // [num_features]
  declare running_var: Tensor | null; // [num_features]
  declare num_batches_tracked: Tensor | null; // []

  constructor(...args: BatchNormArgs) {
    super();
    const p = bind(
      `${new.target.name}.__init__`,
      {
        num_features: required<number>(),
        eps: 1e-5,
        momentum: 0.1,
        affine: true,
        track_running_stats: true,
        ...factory,
        bias: true,
      },
      args,
    );
    const { num_features, device, dtype } = p;
    this.num_features = num_features;
    this.eps = p.eps;
    this.momentum = p.momentum;
    this.affine = p.affine;
    this.track_running_stats = p.track_running_stats;
    this.weight = p.affine ? new Parameter(ops.empty([num_features], { device, dtype })) : null;
    this.bias = p.affine && p.bias ? new Parameter(ops.empty([num_features], { device, dtype })) : null;
    const tracked = p.track_running_stats;
    this.register_buffer('running_mean', tracked ? ops.zeros([num_features], { device, dtype }) : null);
    this.register_buffer('running_var', tracked ? ops.ones([num_features], { device, dtype }) : null);
    this.register_buffer('num_batches_tracked', tracked ? ops.zeros([], { device, dtype: 'int64' }) : null);
    this.reset_parameters();
  }

  reset_running_stats(): void {
    no_grad(() => {
      this.running_mean?.zero_();
      this.running_var?.fill_(1);
      this.num_batches_tracked?.zero_();
    });
  }

  reset_parameters(): void {
    this.reset_running_stats();
    if (this.weight !== null) init.ones_(this.weight);
    if (this.bias !== null) init.zeros_(this.bias);
  }

  protected check_input_dim(_input: Tensor): void {
    throw new Error(`${this._get_name()} does not check its input`);
  }

  override forward(input: Tensor): Tensor {
    this.check_input_dim(input);
    let factor = this.momentum ?? 0;
    if (this.training && this.track_running_stats && this.num_batches_tracked !== null) {
      this.num_batches_tracked.add_(1);
      if (this.momentum === null) factor = 1 / Number(this.num_batches_tracked.item()); // cumulative average
    }
    const batch_statistics = this.training || (this.running_mean === null && this.running_var === null);
    const use_running = !this.training || this.track_running_stats;
    return ops.batch_norm(
      input,
      use_running ? this.running_mean : null,
      use_running ? this.running_var : null,
      {
        weight: this.weight,
        bias: this.bias,
        training: batch_statistics,
        momentum: factor,
        eps: this.eps,
      },
    );
  }

  override extra_repr(): string {
    return (
      `${this.num_features}, eps=${repr(float(this.eps))}, momentum=${this.momentum === null ? 'None' : repr(float(this.momentum))}, ` +
      `affine=${repr(this.affine)}, bias=${repr(this.bias !== null)}, track_running_stats=${repr(this.track_running_stats)}`
    );
  }

  override _load_from_state_dict(context: LoadContext, prefix: string): void {
    const version = context.metadata?.[prefix.slice(0, -1)]?.version;
    const key = `${prefix}num_batches_tracked`;
    if (
      (typeof version !== 'number' || version < 2) &&
      this.track_running_stats &&
      !Object.hasOwn(context.state_dict, key)
    ) {
      context.state_dict[key] = this.num_batches_tracked ?? ops.zeros([], { dtype: 'int64' });
    }
    super._load_from_state_dict(context, prefix);
  }
}

/** Normalises each channel of `[N, C]` or `[N, C, L]` over batch and positions. */
export class BatchNorm1d extends BatchNorm {
  protected override check_input_dim(input: Tensor): void {
    if (input.dim() !== 2 && input.dim() !== 3)
      throw new Error(`expected 2D or 3D input (got ${input.dim()}D input)`);
  }
}

/** Normalises each channel of `[N, C, H, W]` over batch and positions. */
export class BatchNorm2d extends BatchNorm {
  protected override check_input_dim(input: Tensor): void {
    if (input.dim() !== 4) throw new Error(`expected 4D input (got ${input.dim()}D input)`);
  }
}
