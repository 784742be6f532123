/** `torchvision.transforms`, for images that are tensors: `[H, W]` or `[H, W, C]` of uint8 before `ToTensor`. */

import { type Args, bind, required } from '../args';
import { tensor } from '../creation';
import { Module } from '../nn/module';
import { repr } from '../pyformat';
import { Tensor } from '../tensor';

type Transform = (value: never) => unknown;

/** Transforms one after another. */
export class Compose extends Module {
  readonly transforms: readonly Transform[];

  constructor(transforms: readonly Transform[]) {
    super();
    this.transforms = transforms;
  }

  override forward(image: unknown): unknown {
    return this.transforms.reduce(
      (value, transform) => (transform as (value: unknown) => unknown)(value),
      image,
    );
  }

  override toString(): string {
    return `Compose(${this.transforms.map((transform) => `\n    ${text_of(transform)}`).join('')}\n)`;
  }
}

function text_of(transform: Transform): string {
  return transform instanceof Module
    ? transform.toString()
    : `${(transform as { name?: string }).name || 'lambda'}()`;
}

/** An image of uint8, `[H, W]` or `[H, W, C]`, as float32 `[C, H, W]` in [0, 1]. */
export class ToTensor extends Module {
  override forward(image: Tensor): Tensor {
    if (!(image instanceof Tensor)) throw new TypeError(`pic should be a Tensor. Got ${typeof image}`);
    const dims = image.dim();
    if (dims !== 2 && dims !== 3) throw new Error(`pic should be 2/3 dimensional. Got ${dims} dimensions.`);
    const channels_first = dims === 2 ? image.unsqueeze(0) : image.permute([2, 0, 1]).contiguous();
    return channels_first.dtype === 'uint8' ? channels_first.to('float32').div_(255) : channels_first;
  }
}

/** `(image - mean) / std` for each channel of `[..., C, H, W]`. */
export class Normalize extends Module {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly inplace: boolean;
  #cached: { kind: string; tensors: [mean: Tensor, std: Tensor] } | null = null;

  constructor(
    ...args: Args<
      [mean: readonly number[], std: readonly number[]],
      [inplace: boolean],
      { mean?: readonly number[]; std?: readonly number[]; inplace?: boolean }
    >
  ) {
    super();
    const { mean, std, inplace } = bind(
      'Normalize.__init__',
      { mean: required<readonly number[]>(), std: required<readonly number[]>(), inplace: false },
      args,
    );
    if (std.includes(0)) throw new Error('std evaluated to zero, leading to division by zero.');
    this.mean = mean;
    this.std = std;
    this.inplace = inplace;
  }

  override forward(image: Tensor): Tensor {
    if (!image.is_floating_point()) {
      throw new TypeError(`Input tensor should be a float tensor. Got torch.${image.dtype}.`);
    }
    if (image.dim() < 3) {
      throw new Error(
        'Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = ' +
          `torch.Size([${image.shape.join(', ')}])`,
      );
    }
    const [mean, std] = this.#statistics(image);
    return (this.inplace ? image.sub_(mean) : image.sub(mean)).div_(std);
  }

  /** Mean and standard deviation as `[C, 1, 1]`, made anew only for another dtype or device. */
  #statistics(image: Tensor): [mean: Tensor, std: Tensor] {
    const kind = `${image.dtype} ${String(image.device)}`;
    if (this.#cached?.kind !== kind) {
      const options = { dtype: image.dtype, device: image.device };
      const per_channel = (values: readonly number[]): Tensor =>
        tensor([...values], options).view([-1, 1, 1]);
      this.#cached = { kind, tensors: [per_channel(this.mean), per_channel(this.std)] };
    }
    return this.#cached.tensors;
  }

  override toString(): string {
    return `Normalize(mean=${repr(this.mean)}, std=${repr(this.std)})`;
  }
}

/** Any function as a transform. */
export class Lambda extends Module {
  readonly #lambd: (value: unknown) => unknown;

  constructor(lambd: (value: never) => unknown) {
    super();
    if (typeof lambd !== 'function') {
      throw new TypeError(`Argument lambd should be callable, got ${repr(typeof lambd)}`);
    }
    this.#lambd = lambd as (value: unknown) => unknown;
  }

  override forward(image: unknown): unknown {
    return this.#lambd(image);
  }
}
