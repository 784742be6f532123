// Batching rules of the element-wise operators, in and out of place.
import type { DType } from '../../dtype';
import * as ops from '../../ops';
import { promote_types } from '../../system';
import { Tensor } from '../../tensor';
import { Call, incompatible, rule } from '../call';
import type { BatchedTensor } from '../batched';

const CATEGORY = (d: DType): number => (d === 'bool' ? 0 : d.includes('int') ? 1 : 2);

/** The dtype that an operator on one sample's tensors works in: those without dimensions count less, as everywhere. */
function working_dtype(tensors: readonly Tensor[]): DType {
  const promoted = (list: Tensor[]): DType | null =>
    list.reduce<DType | null>((d, t) => (d === null ? t.dtype : promote_types(d, t.dtype)), null);
  const full = promoted(tensors.filter((t) => t.dim() > 0));
  const zero = promoted(tensors.filter((t) => t.dim() === 0));
  if (full === null || zero === null) return (full ?? zero) as DType;
  return CATEGORY(zero) > CATEGORY(full) ? promote_types(zero, full) : full;
}

/** Parameters whose tensors choose elements instead of being computed with. */
const CHOOSERS = new Set(['mask', 'condition']);

/**
 * The tensors as they broadcast with all samples along dimension 0: those of lower rank get dimensions of size 1 behind it. A tensor that is
 * a scalar in each sample would otherwise count as one with a dimension when dtypes are promoted.
 */
export function align(c: Call, tensors: readonly Tensor[], promoted: readonly Tensor[] = tensors): Tensor[] {
  const rank = Math.max(...tensors.map((t) => t.dim()));
  const scalar = promoted.some((t) => t.dim() === 0 && c.batched(t) !== null);
  const mixed = scalar && promoted.some((t) => t.dtype !== promoted[0].dtype);
  const dtype = mixed ? working_dtype(promoted) : null;
  return tensors.map((t) => {
    let x = t;
    if (c.batched(t) !== null) {
      x = c.front(t);
      if (t.dim() < rank) {
        const [size, ...rest] = x.shape;
        x = x.reshape([size, ...new Array<number>(rank - t.dim()).fill(1), ...rest]);
      }
    }
    return dtype !== null && promoted.includes(t) ? x.to(dtype) : x;
  });
}

/** The arguments with their tensors aligned, in the order of the parameters. */
function aligned_args(c: Call): unknown[] {
  const tensors = c.args.filter((a): a is Tensor => a instanceof Tensor);
  const promoted = tensors.filter((t) => !CHOOSERS.has(c.overload.params[c.args.indexOf(t)].name));
  const aligned = align(c, tensors, promoted);
  let next = 0;
  return c.args.map((a) => (a instanceof Tensor ? aligned[next++] : a));
}

/** One tensor: all samples at once, wherever the batch dimension is. */
const one = (c: Call): unknown => {
  const self = c.args.find((a): a is Tensor => a instanceof Tensor) as Tensor;
  const b = c.batched(self) as BatchedTensor;
  return c.wrap(c.redo_args(c.args.map((a) => (a === self ? b.value : a))) as Tensor, b.bdim);
};

export const pointwise = (c: Call): unknown =>
  c.args.filter((a) => a instanceof Tensor).length === 1
    ? one(c)
    : c.wrap(c.redo_args(aligned_args(c)) as Tensor);

/** Writes into all samples of `self` at once. */
export const pointwise_ = (c: Call): unknown => {
  const self = c.batched(c.args[0]);
  if (self === null) throw incompatible(c, 'inplace arithmetic');
  if (c.args.filter((a) => a instanceof Tensor).length === 1) {
    one(c);
    return self;
  }
  const args = aligned_args(c);
  const rank = Math.max(...c.tensors().map((t) => t.dim()));
  // `self` has to stay the tensor that is written to, in its own dtype; a wider one among the others is refused as for one sample.
  if (self.dim() === rank) args[0] = c.front(self);
  c.redo_args(args);
  return self;
};

const NAMES =
  `abs absolute acos acosh add addcdiv addcmul arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh
  bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil celu clamp clamp_max clamp_min clip copysign cos
  cosh div divide elu eq erf erfc erfinv exp exp2 expm1 fix float_power floor floor_divide fmax fmin fmod frac ge gelu greater greater_equal gt
  hardsigmoid hardswish hardtanh hypot isclose isfinite isinf isnan isneginf isposinf le leaky_relu lerp less less_equal log log10 log1p log2
  logaddexp logical_and logical_not logical_or logical_xor logsigmoid lt max.other maximum min.other minimum mish mul multiply nan_to_num ne
  neg negative not_equal positive pow reciprocal relu relu6 remainder round rsqrt rsub selu sigmoid sign signbit silu sin sinh softplus sqrt
  square sub subtract tan tanh true_divide trunc where.self where.method where.ScalarOther where.ScalarSelf where.Scalar where.method_Scalar
  xlogy`.split(/\s+/);
rule(NAMES, pointwise);
rule(
  NAMES.map((name) => `${name}_`),
  pointwise_,
);
rule(['copy_', 'zero_', 'fill_.Scalar'], pointwise_);

// Of one tensor each, whatever else they take.
rule(
  `_alias bfloat16 bool byte char double float half int long short to.device to.dtype clone full_like zeros_like ones_like empty_like
  contiguous`.split(/\s+/),
  (c) => (c.has('memory_format') && c.get('memory_format') !== null ? strided(c) : one(c)),
);
/** A memory format speaks of one sample's dimensions. */
const strided = (c: Call): unknown => {
  const self = c.args[0] as Tensor;
  const format = c.get<string>('memory_format').replace('torch.', '');
  const value = c.front(self);
  if (format !== 'channels_last' || self.dim() !== 4)
    return c.wrap(c.redo_args([value, ...c.args.slice(1)]) as Tensor);
  const [b, n, ...rest] = value.shape;
  const merged = c.redo_args([value.reshape([b * n, ...rest]), ...c.args.slice(1)]) as Tensor;
  return c.wrap(merged.unflatten(0, [b, n]));
};
rule(['type_as', 'to.other'], (c) => {
  const [self, other] = c.args as Tensor[];
  const like = c.batched(other)?.value ?? other;
  const b = c.batched(self);
  return b === null ? c.redo_args([self, like, ...c.args.slice(2)]) : c.wrap(b.value.to(like.dtype), b.bdim);
});

/** A value without dimensions, written where the mask says. */
const masked = (c: Call): Tensor => {
  const [self, mask, value] = c.args as Tensor[];
  if (value.dim() !== 0) {
    throw new Error(
      `masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ${value.dim()} dimension(s).`,
    );
  }
  const [s, m, v] = align(c, [self, mask, value], []);
  return ops.where(m, v.to(self.dtype), s);
};
rule(['masked_fill.Scalar'], pointwise);
rule(['masked_fill.Tensor'], (c) => (c.batched(c.args[2]) === null ? pointwise(c) : c.wrap(masked(c))));
rule(['masked_fill_'], (c) => {
  const self = c.batched(c.args[0]);
  if (self === null) throw incompatible(c, 'inplace arithmetic');
  if (c.batched(c.args[2]) === null) return pointwise_(c);
  c.front(self).copy_(masked(c));
  return self;
});

const fill = (c: Call): Tensor => {
  const [self, value] = c.args as Tensor[];
  if (value.dim() !== 0) {
    throw new Error(
      `fill_ only supports 0-dimension value tensor but got tensor with ${value.dim()} dimensions.`,
    );
  }
  const v = c.full(value).to(self.dtype);
  return v.reshape([c.size, ...self.shape.map(() => 1)]).expand([c.size, ...self.shape]);
};
rule(['fill.Scalar'], one);
rule(['fill.Tensor'], (c) => c.wrap(fill(c).clone()));
rule(['fill_.Tensor'], (c) => {
  const self = c.batched(c.args[0]);
  if (self === null) throw incompatible(c, 'fill_');
  c.front(self).copy_(fill(c));
  return self;
});
