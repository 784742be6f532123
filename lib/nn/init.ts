/** `torch.nn.init`: fills tensors in place, without recording it, drawing PyTorch's random stream. */

import { type Args, bind } from '../args';
import { tensor as tensor_of } from '../creation';
import { no_grad } from '../autograd';
import type { Generator } from '../random';
import * as ops from '../ops';
import { repr } from '../pyformat';
import type { Tensor } from '../tensor';

type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'conv_transpose1d'
  | 'conv_transpose2d'
  | 'conv_transpose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leaky_relu'
  | 'selu';
type FanMode = 'fan_in' | 'fan_out';

const no_generator = { generator: null as Generator | null };

/** The factor by which `nonlinearity` shrinks its input's standard deviation, to be made up for by the weights. */
export function calculate_gain(nonlinearity: Nonlinearity, param: number | null = null): number {
  switch (nonlinearity) {
    case 'sigmoid':
    case 'linear':
    case 'conv1d':
    case 'conv2d':
    case 'conv3d':
    case 'conv_transpose1d':
    case 'conv_transpose2d':
    case 'conv_transpose3d':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.sqrt(2);
    case 'leaky_relu': {
      const slope = param ?? 0.01;
      if (typeof slope !== 'number') throw new Error(`negative_slope ${repr(slope)} not a valid number`);
      return Math.sqrt(2 / (1 + slope ** 2));
    }
    case 'selu':
      return 3 / 4;
    default:
      throw new Error(`Unsupported nonlinearity ${String(nonlinearity)}`);
  }
}

/** @internal */
export function _calculate_fan_in_and_fan_out(tensor: Tensor): [fan_in: number, fan_out: number] {
  if (tensor.dim() < 2) {
    throw new Error('Fan in and fan out can not be computed for tensor with fewer than 2 dimensions');
  }
  const [out, inputs, ...field] = tensor.shape as [number, number, ...number[]];
  const receptive_field = field.reduce((product, size) => product * size, 1);
  return [inputs * receptive_field, out * receptive_field];
}

function correct_fan(tensor: Tensor, mode: FanMode): number {
  const lower = mode.toLowerCase();
  if (lower !== 'fan_in' && lower !== 'fan_out') {
    throw new Error(`Mode ${lower} not supported, please use one of ['fan_in', 'fan_out']`);
  }
  const [fan_in, fan_out] = _calculate_fan_in_and_fan_out(tensor);
  return lower === 'fan_in' ? fan_in : fan_out;
}

export function uniform_(
  tensor: Tensor,
  ...rest: Args<[], [a: number, b: number], { a?: number; b?: number; generator?: Generator | null }>
): Tensor {
  const { a, b, generator } = bind('uniform_', { a: 0, b: 1, ...no_generator }, rest);
  return no_grad(() => tensor.uniform_(a, b, { generator }));
}

export function normal_(
  tensor: Tensor,
  ...rest: Args<
    [],
    [mean: number, std: number],
    { mean?: number; std?: number; generator?: Generator | null }
  >
): Tensor {
  const { mean, std, generator } = bind('normal_', { mean: 0, std: 1, ...no_generator }, rest);
  return no_grad(() => tensor.normal_(mean, std, { generator }));
}

export function constant_(tensor: Tensor, val: number): Tensor {
  return no_grad(() => tensor.fill_(val));
}

export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

export function zeros_(tensor: Tensor): Tensor {
  return no_grad(() => tensor.zero_());
}

export function eye_(tensor: Tensor): Tensor {
  if (tensor.dim() !== 2) throw new Error('Only tensors with 2 dimensions are supported');
  const [rows, columns] = tensor.shape as [number, number];
  no_grad(() => tensor.copy_(ops.eye(rows, columns)));
  return tensor;
}

/** Preserves as many input channels as it can through a convolution: ones in the kernels' middles. */
export function dirac_(tensor: Tensor, ...rest: Args<[], [groups: number], { groups?: number }>): Tensor {
  const { groups } = bind('dirac_', { groups: 1 }, rest);
  if (tensor.dim() < 3 || tensor.dim() > 5)
    throw new Error('Only tensors with 3, 4, or 5 dimensions are supported');
  const [out, inputs, ...field] = tensor.shape as [number, number, ...number[]];
  if (out % groups !== 0) throw new Error('dim 0 must be divisible by groups');
  const middle = field.map((size) => Math.floor(size / 2));
  no_grad(() => {
    tensor.zero_();
    for (let g = 0; g < groups; g++) {
      for (let d = 0; d < Math.min(out / groups, inputs); d++) {
        const at = [(g * out) / groups + d, d, ...middle];
        at.reduce((view, index) => view.select(0, index), tensor).fill_(1);
      }
    }
  });
  return tensor;
}

interface GainOptions {
  gain?: number;
  generator?: Generator | null;
}

export function xavier_uniform_(tensor: Tensor, ...rest: Args<[], [gain: number], GainOptions>): Tensor {
  const { gain, generator } = bind('xavier_uniform_', { gain: 1, ...no_generator }, rest);
  const [fan_in, fan_out] = _calculate_fan_in_and_fan_out(tensor);
  const bound = Math.sqrt(3) * (gain * Math.sqrt(2 / (fan_in + fan_out)));
  return uniform_(tensor, -bound, bound, { generator });
}

export function xavier_normal_(tensor: Tensor, ...rest: Args<[], [gain: number], GainOptions>): Tensor {
  const { gain, generator } = bind('xavier_normal_', { gain: 1, ...no_generator }, rest);
  const [fan_in, fan_out] = _calculate_fan_in_and_fan_out(tensor);
  return normal_(tensor, 0, gain * Math.sqrt(2 / (fan_in + fan_out)), { generator });
}

type KaimingArgs = Args<
  [],
  [a: number, mode: FanMode, nonlinearity: Nonlinearity],
  { a?: number; mode?: FanMode; nonlinearity?: Nonlinearity; generator?: Generator | null }
>;

const kaiming: { a: number; mode: FanMode; nonlinearity: Nonlinearity } = {
  a: 0,
  mode: 'fan_in',
  nonlinearity: 'leaky_relu',
};

/** The standard deviation that keeps the variance through a layer; null where there is nothing to fill. */
function kaiming_std(
  callee: string,
  tensor: Tensor,
  rest: KaimingArgs,
): { std: number | null; generator: Generator | null } {
  const { a, mode, nonlinearity, generator } = bind(callee, { ...kaiming, ...no_generator }, rest);
  if (tensor.shape.includes(0)) {
    process.emitWarning('Initializing zero-element tensors is a no-op');
    return { std: null, generator };
  }
  return { std: calculate_gain(nonlinearity, a) / Math.sqrt(correct_fan(tensor, mode)), generator };
}

export function kaiming_uniform_(tensor: Tensor, ...rest: KaimingArgs): Tensor {
  const { std, generator } = kaiming_std('kaiming_uniform_', tensor, rest);
  if (std === null) return tensor;
  const bound = Math.sqrt(3) * std;
  return uniform_(tensor, -bound, bound, { generator });
}

export function kaiming_normal_(tensor: Tensor, ...rest: KaimingArgs): Tensor {
  const { std, generator } = kaiming_std('kaiming_normal_', tensor, rest);
  return std === null ? tensor : normal_(tensor, 0, std, { generator });
}

interface TruncNormalOptions {
  mean?: number;
  std?: number;
  a?: number;
  b?: number;
  generator?: Generator | null;
}

/** Normal values, drawn again where they fall outside `[a, b]`. */
export function trunc_normal_(
  tensor: Tensor,
  ...rest: Args<[], [mean: number, std: number, a: number, b: number], TruncNormalOptions>
): Tensor {
  const { mean, std, a, b, generator } = bind(
    'trunc_normal_',
    { mean: 0, std: 1, a: -2, b: 2, ...no_generator },
    rest,
  );
  if (mean < a - 2 * std || mean > b + 2 * std) {
    process.emitWarning(
      'mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.',
    );
  }
  const bounds = tensor_of([(a - mean) / (std * Math.SQRT2), (b - mean) / (std * Math.SQRT2)], {
    dtype: 'float64',
  });
  const [below_a, below_b] = ops.erf(bounds).tolist() as [number, number];
  const accepted = (below_b - below_a) / 2;
  no_grad(() => {
    if (accepted > 0.3) redraw_outside(tensor, mean, std, a, b, generator);
    else reject_from_uniform(tensor, mean, std, a, b, generator);
  });
  return tensor;
}

function redraw_outside(
  tensor: Tensor,
  mean: number,
  std: number,
  a: number,
  b: number,
  generator: Generator | null,
): void {
  // The bounds as the tensor's dtype holds them, so that the comparison agrees with the values.
  const [low, high] = tensor_of([a, b], { dtype: tensor.dtype }).tolist() as [number, number];
  tensor.normal_(mean, std, { generator });
  for (;;) {
    const outside = tensor.lt(low).logical_or(tensor.gt(high));
    if (!outside.any().item()) return;
    tensor.copy_(ops.where(outside, ops.empty_like(tensor).normal_(mean, std, { generator }), tensor));
  }
}

/** For a window far out in the tail: uniform candidates, accepted as often as the density says. */
function reject_from_uniform(
  tensor: Tensor,
  mean: number,
  std: number,
  a: number,
  b: number,
  generator: Generator | null,
): void {
  const mode = Math.max(a, Math.min(mean, b));
  const log_peak = -0.5 * ((mode - mean) / std) ** 2;
  const rejected = (candidates: Tensor): Tensor => {
    const log_density = candidates.sub(mean).div_(std).pow_(2).mul_(-0.5).sub_(log_peak);
    return ops.empty_like(tensor).uniform_(0, 1, { generator }).log_().gt(log_density);
  };
  tensor.uniform_(a, b, { generator });
  let pending = rejected(tensor);
  while (pending.any().item()) {
    const candidates = ops.empty_like(tensor).uniform_(a, b, { generator });
    tensor.copy_(ops.where(pending, candidates, tensor));
    pending = pending.logical_and(rejected(candidates));
  }
}

/** Normal values, with a share `sparsity` of zeros in each column. */
export function sparse_(
  tensor: Tensor,
  sparsity: number,
  ...rest: Args<[], [std: number], { std?: number; generator?: Generator | null }>
): Tensor {
  const { std, generator } = bind('sparse_', { std: 0.01, ...no_generator }, rest);
  if (tensor.dim() !== 2) throw new Error('Only tensors with 2 dimensions are supported');
  const [rows, columns] = tensor.shape as [number, number];
  const zeros = Math.ceil(sparsity * rows);
  no_grad(() => {
    tensor.normal_(0, std, { generator });
    for (let column = 0; column < columns; column++) {
      const indices = ops.randperm(rows).narrow(0, 0, zeros);
      tensor.select(1, column).index_fill_(0, indices, 0);
    }
  });
  return tensor;
}

/** @internal How linear and convolutional layers start: the weight first, then the bias. */
export function reset_weight_and_bias(weight: Tensor, bias: Tensor | null): void {
  kaiming_uniform_(weight, { a: Math.sqrt(5) });
  if (bias === null) return;
  const [fan_in] = _calculate_fan_in_and_fan_out(weight);
  const bound = fan_in > 0 ? 1 / Math.sqrt(fan_in) : 0;
  uniform_(bias, -bound, bound);
}
