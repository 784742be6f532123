import { type Args, bind, required } from '../../args';
import * as ops from '../../ops';
import { adaptive_avg_pool2d } from '../functional';
import { repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import { Module } from '../module';
import type { Size1, Size2 } from './sizes';

interface MaxPoolOptions<Size> {
  kernel_size?: Size;
  stride?: Size | null;
  padding?: Size;
  dilation?: Size;
  return_indices?: boolean;
  ceil_mode?: boolean;
}

type MaxPoolArgs<Size> = Args<
  [kernel_size: Size],
  [stride: Size | null, padding: Size, dilation: Size, return_indices: boolean, ceil_mode: boolean],
  MaxPoolOptions<Size>
>;

class MaxPoolNd<Size> extends Module {
  readonly kernel_size: Size;
  readonly stride: Size;
  readonly padding: Size;
  readonly dilation: Size;
  readonly return_indices: boolean;
  readonly ceil_mode: boolean;

  constructor(...args: MaxPoolArgs<Size>) {
    super();
    const p = bind(
      `${new.target.name}.__init__`,
      {
        kernel_size: required<Size>(),
        stride: null as Size | null,
        padding: 0 as Size,
        dilation: 1 as Size,
        return_indices: false,
        ceil_mode: false,
      },
      args,
    );
    this.kernel_size = p.kernel_size;
    this.stride = p.stride ?? p.kernel_size;
    this.padding = p.padding;
    this.dilation = p.dilation;
    this.return_indices = p.return_indices;
    this.ceil_mode = p.ceil_mode;
  }

  override extra_repr(): string {
    return (
      `kernel_size=${repr(this.kernel_size)}, stride=${repr(this.stride)}, padding=${repr(this.padding)}, ` +
      `dilation=${repr(this.dilation)}, ceil_mode=${repr(this.ceil_mode)}`
    );
  }
}

/** Maxima over windows of `[N, C, L]`; with `return_indices`, `[values, indices]`. */
export class MaxPool1d extends MaxPoolNd<Size1> {
  override forward(input: Tensor): Tensor {
    const { kernel_size, stride, padding, dilation, ceil_mode } = this;
    const pool = this.return_indices ? ops.max_pool1d_with_indices : ops.max_pool1d;
    return pool(input, kernel_size, { stride, padding, dilation, ceil_mode }) as Tensor;
  }
}

/** Maxima over windows of `[N, C, H, W]`; with `return_indices`, `[values, indices]`. */
export class MaxPool2d extends MaxPoolNd<Size2> {
  override forward(input: Tensor): Tensor {
    const { kernel_size, stride, padding, dilation, ceil_mode } = this;
    const pool = this.return_indices ? ops.max_pool2d_with_indices : ops.max_pool2d;
    return pool(input, kernel_size, { stride, padding, dilation, ceil_mode }) as Tensor;
  }
}

interface AvgPool2dOptions {
  kernel_size?: Size2;
  stride?: Size2 | null;
  padding?: Size2;
  ceil_mode?: boolean;
  count_include_pad?: boolean;
  divisor_override?: number | null;
}

/** Means over windows of `[N, C, H, W]`. */
export class AvgPool2d extends Module {
  readonly kernel_size: Size2;
  readonly stride: Size2;
  readonly padding: Size2;
  readonly ceil_mode: boolean;
  readonly count_include_pad: boolean;
  readonly divisor_override: number | null;

  constructor(
    ...args: Args<
      [kernel_size: Size2],
      [
        stride: Size2 | null,
        padding: Size2,
        ceil_mode: boolean,
        count_include_pad: boolean,
        divisor_override: number | null,
      ],
      AvgPool2dOptions
    >
  ) {
    super();
    const p = bind(
      'AvgPool2d.__init__',
      {
        kernel_size: required<Size2>(),
        stride: null as Size2 | null,
        padding: 0,
        ceil_mode: false,
        count_include_pad: true,
        divisor_override: null as number | null,
      },
      args,
    );
    this.kernel_size = p.kernel_size;
    this.stride = p.stride ?? p.kernel_size;
    this.padding = p.padding;
    this.ceil_mode = p.ceil_mode;
    this.count_include_pad = p.count_include_pad;
    this.divisor_override = p.divisor_override;
  }

  override forward(input: Tensor): Tensor {
    const { kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override } = this;
    return ops.avg_pool2d(input, kernel_size, {
      stride,
      padding,
      ceil_mode,
      count_include_pad,
      divisor_override,
    });
  }

  override extra_repr(): string {
    return `kernel_size=${repr(this.kernel_size)}, stride=${repr(this.stride)}, padding=${repr(this.padding)}`;
  }
}

/** Means over a grid of windows that gives `output_size`, whatever the input's size; null keeps a dimension. */
export class AdaptiveAvgPool2d extends Module {
  readonly output_size: number | null | readonly (number | null)[];

  constructor(
    output_size:
      number | null | readonly (number | null)[] | { output_size: number | null | (number | null)[] },
  ) {
    super();
    type Size = number | null | readonly (number | null)[];
    this.output_size = bind('AdaptiveAvgPool2d.__init__', { output_size: required<Size>() }, [
      output_size,
    ]).output_size;
  }

  override forward(input: Tensor): Tensor {
    return adaptive_avg_pool2d(input, this.output_size);
  }

  override extra_repr(): string {
    return `output_size=${repr(this.output_size)}`;
  }
}
