import type { DeviceLike } from '../../types';
import type { DType } from '../../dtype';
import { type Args, bind, required } from '../../args';
import * as ops from '../../ops';
import { repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { factory, type FactoryOptions, pair, single, type Size1, type Size2 } from './sizes';

type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';
type Padding<Size> = Size | 'same' | 'valid';

interface ConvOptions<Size> extends FactoryOptions {
  in_channels?: number;
  out_channels?: number;
  kernel_size?: Size;
  stride?: Size;
  padding?: Padding<Size>;
  dilation?: Size;
  groups?: number;
  bias?: boolean;
  padding_mode?: PaddingMode;
}

type ConvArgs<Size> = Args<
  [in_channels: number, out_channels: number, kernel_size: Size],
  [
    stride: Size,
    padding: Padding<Size>,
    dilation: Size,
    groups: number,
    bias: boolean,
    padding_mode: PaddingMode,
    device: DeviceLike | null,
    dtype: DType | null,
  ],
  ConvOptions<Size>
>;

interface ConvTransposeOptions<Size> extends FactoryOptions {
  in_channels?: number;
  out_channels?: number;
  kernel_size?: Size;
  stride?: Size;
  padding?: Size;
  output_padding?: Size;
  groups?: number;
  bias?: boolean;
  dilation?: Size;
  padding_mode?: PaddingMode;
}

type ConvTransposeArgs<Size> = Args<
  [in_channels: number, out_channels: number, kernel_size: Size],
  [
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: number,
    bias: boolean,
    dilation: Size,
    padding_mode: PaddingMode,
    device: DeviceLike | null,
    dtype: DType | null,
  ],
  ConvTransposeOptions<Size>
>;

interface Geometry {
  in_channels: number;
  out_channels: number;
  kernel_size: number[];
  stride: number[];
  padding: number[] | string;
  dilation: number[];
  output_padding: number[];
  groups: number;
  bias: boolean;
  padding_mode: string;
  device: DeviceLike | null;
  dtype: DType | null;
}

const PADDING_MODES = ['zeros', 'reflect', 'replicate', 'circular'];

function check(g: Geometry): void {
  if (g.groups <= 0) throw new Error('groups must be a positive integer');
  if (g.in_channels % g.groups !== 0) throw new Error('in_channels must be divisible by groups');
  if (g.out_channels % g.groups !== 0) throw new Error('out_channels must be divisible by groups');
  if (typeof g.padding === 'string') {
    if (g.padding !== 'same' && g.padding !== 'valid') {
      throw new Error(`Invalid padding string ${repr(g.padding)}, should be one of {'same', 'valid'}`);
    }
    if (g.padding === 'same' && g.stride.some((s) => s !== 1)) {
      throw new Error("padding='same' is not supported for strided convolutions");
    }
  }
  if (!PADDING_MODES.includes(g.padding_mode)) {
    const modes = PADDING_MODES.map((mode) => `'${mode}'`).join(', ');
    throw new Error(`padding_mode must be one of {${modes}}, but got padding_mode='${g.padding_mode}'`);
  }
}

/** What all convolutions share: the settings, the parameters and the text. */
class ConvNd extends Module {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly kernel_size: number[];
  readonly stride: number[];
  readonly padding: number[] | string;
  readonly dilation: number[];
  readonly output_padding: number[];
  readonly groups: number;
  readonly padding_mode: string;
  weight: Parameter; // [out, in / groups, ...kernel]; transposed: [in, out / groups, ...kernel]
  bias: Parameter | null; // [out]

  constructor(g: Geometry, transposed: boolean) {
    super();
    check(g);
    this.in_channels = g.in_channels;
    this.out_channels = g.out_channels;
    this.kernel_size = g.kernel_size;
    this.stride = g.stride;
    this.padding = g.padding;
    this.dilation = g.dilation;
    this.output_padding = g.output_padding;
    this.groups = g.groups;
    this.padding_mode = g.padding_mode;
    const { device, dtype } = g;
    const channels = transposed
      ? [g.in_channels, g.out_channels / g.groups]
      : [g.out_channels, g.in_channels / g.groups];
    this.weight = new Parameter(ops.empty([...channels, ...g.kernel_size], { device, dtype }));
    this.bias = g.bias ? new Parameter(ops.empty([g.out_channels], { device, dtype })) : null;
    this.reset_parameters();
  }

  reset_parameters(): void {
    init.reset_weight_and_bias(this.weight, this.bias);
  }

  /** The amounts by which `F.pad` pads where the convolution itself cannot: last dimension first, both sides. */
  protected explicit_padding(): number[] {
    const amounts = this.kernel_size.map((kernel, i): [number, number] => {
      if (typeof this.padding !== 'string') return [this.padding[i], this.padding[i]];
      if (this.padding === 'valid') return [0, 0];
      const total = this.dilation[i] * (kernel - 1);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    });
    return amounts.reverse().flat();
  }

  override extra_repr(): string {
    const every = (sizes: number[] | string, value: number): boolean =>
      typeof sizes !== 'string' && sizes.every((size) => size === value);
    let text = `${this.in_channels}, ${this.out_channels}, kernel_size=${repr(this.kernel_size)}, stride=${repr(this.stride)}`;
    if (typeof this.padding === 'string') text += `, padding=${this.padding}`;
    else if (!every(this.padding, 0)) text += `, padding=${repr(this.padding)}`;
    if (!every(this.dilation, 1)) text += `, dilation=${repr(this.dilation)}`;
    if (!every(this.output_padding, 0)) text += `, output_padding=${repr(this.output_padding)}`;
    if (this.groups !== 1) text += `, groups=${this.groups}`;
    if (this.bias === null) text += ', bias=False';
    if (this.padding_mode !== 'zeros') text += `, padding_mode=${this.padding_mode}`;
    return text;
  }
}

function conv_geometry<Size>(
  callee: string,
  args: ConvArgs<Size>,
  expand: (size: Size) => number[],
): Geometry {
  const p = bind(
    `${callee}.__init__`,
    {
      in_channels: required<number>(),
      out_channels: required<number>(),
      kernel_size: required<Size>(),
      stride: 1 as Size,
      padding: 0 as Padding<Size>,
      dilation: 1 as Size,
      groups: 1,
      bias: true,
      padding_mode: 'zeros',
      ...factory,
    },
    args,
  );
  return {
    ...p,
    kernel_size: expand(p.kernel_size),
    stride: expand(p.stride),
    padding: typeof p.padding === 'string' ? p.padding : expand(p.padding),
    dilation: expand(p.dilation),
    output_padding: expand(0 as Size),
  };
}

/** Cross-correlation over `[N, C, L]` or `[C, L]`. */
export class Conv1d extends ConvNd {
  constructor(...args: ConvArgs<Size1>) {
    super(conv_geometry('Conv1d', args, single), false);
  }

  override forward(input: Tensor): Tensor {
    const { stride, dilation, groups } = this;
    if (this.padding_mode !== 'zeros') {
      const padded = ops.pad(input, this.explicit_padding(), { mode: this.padding_mode });
      return ops.conv1d(padded, this.weight, this.bias, { stride, dilation, groups });
    }
    return ops.conv1d(input, this.weight, this.bias, {
      stride,
      padding: this.padding as number[], // or a string, which is another overload
      dilation,
      groups,
    });
  }
}

/** Cross-correlation over `[N, C, H, W]` or `[C, H, W]`. */
export class Conv2d extends ConvNd {
  constructor(...args: ConvArgs<Size2>) {
    super(conv_geometry('Conv2d', args, pair), false);
  }

  override forward(input: Tensor): Tensor {
    const { stride, dilation, groups } = this;
    if (this.padding_mode !== 'zeros') {
      const padded = ops.pad(input, this.explicit_padding(), { mode: this.padding_mode });
      return ops.conv2d(padded, this.weight, this.bias, { stride, dilation, groups });
    }
    return ops.conv2d(input, this.weight, this.bias, {
      stride,
      padding: this.padding as number[], // or a string, which is another overload
      dilation,
      groups,
    });
  }
}

class ConvTransposeNd extends ConvNd {
  constructor(g: Geometry) {
    const name = new.target.name;
    if (g.padding_mode !== 'zeros') throw new Error(`Only "zeros" padding mode is supported for ${name}`);
    super(g, true);
  }

  /** The `output_padding` that makes the result `output_size`, which strides leave open. */
  protected output_padding_for(input: Tensor, output_size: readonly number[] | null): number[] {
    if (output_size === null) return this.output_padding;
    const spatial = this.kernel_size.length;
    const leading = input.dim() === spatial + 2 ? 2 : 1;
    const wanted = output_size.length === leading + spatial ? output_size.slice(leading) : [...output_size];
    if (wanted.length !== spatial) {
      throw new Error(
        `ConvTranspose${spatial}D: for ${input.dim()}D input, output_size must have ${spatial} or ${leading + spatial} ` +
          `elements (got ${output_size.length})`,
      );
    }
    const padding = this.padding as number[];
    const smallest = this.kernel_size.map(
      (kernel, i) =>
        (input.shape[i + leading] - 1) * this.stride[i] -
        2 * padding[i] +
        this.dilation[i] * (kernel - 1) +
        1,
    );
    const largest = smallest.map((size, i) => size + this.stride[i] - 1);
    if (wanted.some((size, i) => size < smallest[i] || size > largest[i])) {
      const list = (sizes: readonly number[]): string => `[${sizes.join(', ')}]`;
      throw new Error(
        `requested an output size of ${list(wanted)}, but valid sizes range from ${list(smallest)} to ${list(largest)} ` +
          `(for an input of torch.Size(${list(input.shape.slice(2))}))`,
      );
    }
    return wanted.map((size, i) => size - smallest[i]);
  }
}

function conv_transpose_geometry<Size>(
  callee: string,
  args: ConvTransposeArgs<Size>,
  expand: (size: Size) => number[],
): Geometry {
  const p = bind(
    `${callee}.__init__`,
    {
      in_channels: required<number>(),
      out_channels: required<number>(),
      kernel_size: required<Size>(),
      stride: 1 as Size,
      padding: 0 as Size,
      output_padding: 0 as Size,
      groups: 1,
      bias: true,
      dilation: 1 as Size,
      padding_mode: 'zeros',
      ...factory,
    },
    args,
  );
  return {
    ...p,
    kernel_size: expand(p.kernel_size),
    stride: expand(p.stride),
    padding: expand(p.padding),
    dilation: expand(p.dilation),
    output_padding: expand(p.output_padding),
  };
}

/** The gradient of `Conv2d` with respect to its input, as a layer: `[N, C, H, W]` or `[C, H, W]`. */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(...args: ConvTransposeArgs<Size2>) {
    super(conv_transpose_geometry('ConvTranspose2d', args, pair));
  }

  override forward(input: Tensor, output_size: readonly number[] | null = null): Tensor {
    const { stride, padding, groups, dilation } = this;
    const output_padding = this.output_padding_for(input, output_size);
    return ops.conv_transpose2d(input, this.weight, this.bias, {
      stride,
      padding: padding as number[],
      output_padding,
      groups,
      dilation,
    });
  }
}
