// clamp and its halves, nan_to_num.
#include <cmath>
#include <limits>

#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static void check_not_bool(DType t, const char* kernel) {
  SC_CHECK(t != DType::kBool, "\"", kernel, "\" not implemented for 'Bool'");
}

// g where the mask is true, else 0.
static Tensor only_where(const Tensor& g, const Tensor& mask) {
  return masked_fill(g, logical_not_raw(mask), 0);
}

static Tensor clamp(const Tensor& self, const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  SC_CHECK(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
  PromotionState promotion;
  promotion.add(self);
  if (min) promotion.add(*min);
  if (max) promotion.add(*max);
  const DType t = promotion.result();
  check_not_bool(t, "clamp_cpu");
  const double lo = min ? min->to_double() : -HUGE_VAL, hi = max ? max->to_double() : HUGE_VAL;
  Tensor y;
  if (std::isnan(lo) || std::isnan(hi)) {
    y = empty_like(self, t);
    fill_into(y, NAN);
  } else if (is_floating(t)) {
    y = unary(SC_CLAMP, cast_raw(self, t), {{lo, hi}});
  } else {  // exact for all of int64, which a double is not
    if (min) y = binary_as(SC_MAXIMUM, self, *min, t, t);
    if (max) y = binary_as(SC_MINIMUM, min ? y : self, *max, t, t);
  }
  return elementwise("ClampBackward1", y).wrt(self, [self = saved(self), lo, hi](const Tensor& g) {
    return fused_backward(kClampBackward, g, self(), {{lo, hi}});
  });
}
OP("clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", clamp, kFunction | kMethod | kInPlace,
   R"(Limits every element to `[min, max]`, either of which may be absent, a number or a tensor: `min(max(x, min), max)`.

Shapes broadcast; the dtype follows type promotion. NaN stays NaN. Throws for bool tensors and when both limits are absent.

See https://docs.pytorch.org/docs/stable/generated/torch.clamp.html

@example
torch.tensor([-2, 0.5, 2]).clamp(-1, 1) // tensor([-1.0000,  0.5000,  1.0000])
torch.tensor([-2, 0.5, 2]).clamp({ min: 0 }) // tensor([0.0000, 0.5000, 2.0000])
)");

// The limit's part of the gradient is where it is the result.
static Tensor clamp_tensor(const Tensor& self, const Tensor& min, const Tensor& max) {
  SC_CHECK(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
  PromotionState promotion;
  promotion.add(self);
  if (min) promotion.add(min);
  if (max) promotion.add(max);
  const DType t = promotion.result();
  if (min && max) check_not_bool(t, "clamp_cpu");
  Tensor y = min && max ? ternary(SC_CLAMP_TENSOR, self, min, max, t)
             : min      ? binary_as(SC_MAXIMUM, self, min, t, t)
                        : binary_as(SC_MINIMUM, self, max, t, t);
  return elementwise("ClampBackward0", y)
      .wrt(self,
           [self = saved(self), min = min ? saved(min) : SavedTensor(),
            max = max ? saved(max) : SavedTensor()](const Tensor& g) {
             Tensor r = g;
             if (min.has_value()) r = only_where(r, compare(SC_GE, self(), min()));
             if (max.has_value()) r = only_where(r, compare(SC_LE, self(), max()));
             return r;
           })
      .wrt(min,
           [self = saved(self), min = saved(min ? min : self),
            max = max ? saved(max) : SavedTensor()](const Tensor& g) {
             const Tensor r = only_where(g, compare(SC_LT, self(), min()));
             return max.has_value() ? only_where(r, compare(SC_LT, min(), max())) : r;
           })
      .wrt(max, [self = saved(self), min = min ? saved(min) : SavedTensor(),
                 max = saved(max ? max : self)](const Tensor& g) {
        const Tensor above = compare(SC_GT, self(), max());
        return only_where(
            g, min.has_value() ? binary(SC_LOGICAL_OR, above, compare(SC_LT, max(), min())) : above);
      });
}
OP("clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", clamp_tensor,
   kFunction | kMethod | kInPlace, "");
OP("clip(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", clamp, kFunction | kMethod | kInPlace,
   R"(Another name of `clamp`.

@example
torch.tensor([-2, 0.5, 2]).clip(-1, 1) // tensor([-1.0000,  0.5000,  1.0000])
)");
OP("clip.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", clamp_tensor,
   kFunction | kMethod | kInPlace, "");

// clamp_min and clamp_max: one limit. Where the element meets the limit exactly, the gradient goes to the
// element.
static Tensor one_limit(const char* node, ScBinaryOp op, ScBinaryOp keeps, const Tensor& self,
                        const Tensor& limit) {
  const DType t = result_type(self, limit);
  Tensor y = binary_as(op, self, limit, t, t);
  return differentiable(node, y)
      .wrt(self, [keeps, self = saved(self), limit = saved(limit)](
                     const Tensor& g) { return only_where(g, compare(keeps, self(), limit())); })
      .wrt(limit, [keeps, self = saved(self), limit = saved(limit)](const Tensor& g) {
        return only_where(g, compare(keeps == SC_GE ? SC_LT : SC_GT, self(), limit()));
      });
}
static Tensor one_number(const char* node, ScBinaryOp op, ScBinaryOp keeps, const Tensor& self,
                         const Scalar& limit) {
  const DType t = result_type(self, limit);
  Tensor y = binary_as(op, self, limit, t, t);
  return differentiable(node, y).wrt(self, [keeps, self = saved(self), limit](const Tensor& g) {
    return only_where(g, compare(keeps, self(), limit));
  });
}

static Tensor clamp_min(const Tensor& self, const Scalar& min) {
  return one_number("ClampMinBackward0", SC_MAXIMUM, SC_GE, self, min);
}
OP("clamp_min(Tensor self, Scalar min) -> Tensor", clamp_min, kFunction | kMethod | kInPlace | kDirect,
   R"(Raises every element to at least `min`, a number or a tensor: `max(x, min)`.

Shapes broadcast; the dtype follows type promotion. NaN stays NaN.

See https://docs.pytorch.org/docs/stable/generated/torch.clamp.html

@example
torch.tensor([-2, 2]).clamp_min(0) // tensor([0., 2.])
)");
static Tensor clamp_min_tensor(const Tensor& self, const Tensor& min) {
  return one_limit("ClampMinBackward1", SC_MAXIMUM, SC_GE, self, min);
}
OP("clamp_min.Tensor(Tensor self, Tensor min) -> Tensor", clamp_min_tensor,
   kFunction | kMethod | kInPlace | kDirect, "");
static Tensor clamp_max(const Tensor& self, const Scalar& max) {
  return one_number("ClampMaxBackward0", SC_MINIMUM, SC_LE, self, max);
}
OP("clamp_max(Tensor self, Scalar max) -> Tensor", clamp_max, kFunction | kMethod | kInPlace | kDirect,
   R"(Lowers every element to at most `max`, a number or a tensor: `min(x, max)`.

Shapes broadcast; the dtype follows type promotion. NaN stays NaN.

See https://docs.pytorch.org/docs/stable/generated/torch.clamp.html

@example
torch.tensor([-2, 2]).clamp_max(0) // tensor([-2.,  0.])
)");
static Tensor clamp_max_tensor(const Tensor& self, const Tensor& max) {
  return one_limit("ClampMaxBackward1", SC_MINIMUM, SC_LE, self, max);
}
OP("clamp_max.Tensor(Tensor self, Tensor max) -> Tensor", clamp_max_tensor,
   kFunction | kMethod | kInPlace | kDirect, "");

static double greatest(DType t) {
  switch (t) {
    case DType::kFloat64:
      return std::numeric_limits<double>::max();
    case DType::kFloat16:
      return 65504;
    case DType::kBFloat16:
      return 3.3895313892515355e38;
    default:
      return std::numeric_limits<float>::max();
  }
}
static Tensor nan_to_num(const Tensor& self, const std::optional<double>& nan,
                         const std::optional<double>& posinf, const std::optional<double>& neginf) {
  Tensor y;
  if (is_floating(self.dtype())) {
    const double most = greatest(self.dtype());
    const auto number = [&](double v) { return scalar_tensor(v, self.dtype(), self.device()); };
    y = ternary(SC_WHERE, unary(SC_ISNAN, self), number(nan.value_or(0)), self, self.dtype());
    y = ternary(SC_WHERE, unary(SC_ISPOSINF, self), number(posinf.value_or(most)), y, self.dtype());
    y = ternary(SC_WHERE, unary(SC_ISNEGINF, self), number(neginf.value_or(-most)), y, self.dtype());
  } else {
    y = empty_like(self);
    copy_into(y, self);
  }
  return elementwise("NanToNumBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return only_where(g, unary(SC_ISFINITE, self()));
  });
}
OP("nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor", nan_to_num,
   kFunction | kMethod | kInPlace,
   R"(Replaces NaN by `nan` (0), infinity by `posinf` and minus infinity by `neginf` (the dtype's greatest and least number).

Same shape and dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.nan_to_num.html

@example
torch.tensor([NaN, 1, Infinity]).nan_to_num(0, 5) // tensor([0., 1., 5.])
)");

}  // namespace sconce::ops
