// Extremes of two tensors, and functions of two arguments.
#include <cmath>

#include "../functors/special.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static void check_floating(DType t, const char* kernel) {
  SC_CHECK(is_floating(t), "\"", kernel, "\" not implemented for '", scalar_type_name(t), "'");
}

// ---- extremes ----

// The part of the gradient that goes to `self`: none where it loses, half where the two are equal.
static Tensor share(const Tensor& g, ScBinaryOp loses, const Tensor& self, const Tensor& other) {
  const Tensor part =
      masked_fill(scalar_tensor(1.0, g.dtype(), g.device()), compare(SC_EQ, self, other), 0.5);
  return g * masked_fill(part, compare(loses, self, other), 0);
}

Tensor maximum(const Tensor& self, const Tensor& other) {
  Tensor y = binary(SC_MAXIMUM, self, other);
  return elementwise("MaximumBackward0", y)
      .wrt(self, [self = saved(self),
                  other = saved(other)](const Tensor& g) { return share(g, SC_LT, self(), other()); })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return share(g, SC_LT, other(), self());
      });
}
OP("maximum(Tensor self, Tensor other) -> Tensor", maximum, kFunction | kMethod,
   R"(The greater of two elements. NaN where either is; equal elements share the gradient.

Shapes broadcast; the dtype follows type promotion.

See https://docs.pytorch.org/docs/stable/generated/torch.maximum.html

@example
torch.maximum(torch.tensor([1, 4]), torch.tensor([3, 2])) // tensor([3., 4.])
)");
OP("max.other(Tensor self, Tensor other) -> Tensor", maximum, kFunction | kMethod, "");

Tensor minimum(const Tensor& self, const Tensor& other) {
  Tensor y = binary(SC_MINIMUM, self, other);
  return elementwise("MinimumBackward0", y)
      .wrt(self, [self = saved(self),
                  other = saved(other)](const Tensor& g) { return share(g, SC_GT, self(), other()); })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return share(g, SC_GT, other(), self());
      });
}
OP("minimum(Tensor self, Tensor other) -> Tensor", minimum, kFunction | kMethod,
   R"(The lesser of two elements. NaN where either is; equal elements share the gradient.

Shapes broadcast; the dtype follows type promotion.

See https://docs.pytorch.org/docs/stable/generated/torch.minimum.html

@example
torch.minimum(torch.tensor([1, 4]), torch.tensor([3, 2])) // tensor([1., 2.])
)");
OP("min.other(Tensor self, Tensor other) -> Tensor", minimum, kFunction | kMethod, "");

// fmax and fmin take `self` where it wins or `other` is NaN, and `other` elsewhere.
static Tensor takes_self(ScBinaryOp wins, const Tensor& self, const Tensor& other) {
  return binary(SC_LOGICAL_OR, compare(wins, self, other), unary(SC_ISNAN, other));
}
static Tensor fextreme(const char* node, ScBinaryOp op, ScBinaryOp wins, const Tensor& self,
                       const Tensor& other) {
  Tensor y = binary(op, self, other);
  return differentiable(node, y)
      .wrt(self,
           [wins, self = saved(self), other = saved(other)](const Tensor& g) {
             return masked_fill(g, logical_not_raw(takes_self(wins, self(), other())), 0);
           })
      .wrt(other, [wins, self = saved(self), other = saved(other)](const Tensor& g) {
        return masked_fill(g, takes_self(wins, self(), other()), 0);
      });
}
static Tensor fmax(const Tensor& self, const Tensor& other) {
  return fextreme("FmaxBackward0", SC_FMAX, SC_GE, self, other);
}
OP("fmax(Tensor self, Tensor other) -> Tensor", fmax, kFunction | kMethod,
   R"(The greater of two elements, or the one that is not NaN.

Shapes broadcast; the dtype follows type promotion.

See https://docs.pytorch.org/docs/stable/generated/torch.fmax.html

@example
torch.fmax(torch.tensor([1, NaN]), torch.tensor([3, 2])) // tensor([3., 2.])
)");
static Tensor fmin(const Tensor& self, const Tensor& other) {
  return fextreme("FminBackward0", SC_FMIN, SC_LE, self, other);
}
OP("fmin(Tensor self, Tensor other) -> Tensor", fmin, kFunction | kMethod,
   R"(The lesser of two elements, or the one that is not NaN.

Shapes broadcast; the dtype follows type promotion.

See https://docs.pytorch.org/docs/stable/generated/torch.fmin.html

@example
torch.fmin(torch.tensor([1, NaN]), torch.tensor([3, 2])) // tensor([1., 2.])
)");

// ---- geometry ----

// 1 / (self^2 + other^2), 0 at the origin.
static Tensor inverse_square_distance(const Tensor& self, const Tensor& other) {
  const Tensor r = reciprocal(self * self + other * other);
  return masked_fill(r, unary(SC_ISINF, r), 0);
}
static Tensor atan2(const Tensor& self, const Tensor& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_ATAN2, self, other, t, t);
  return elementwise("Atan2Backward0", y)
      .wrt(self, [self = saved(self), other = saved(other)](
                     const Tensor& g) { return g * other() * inverse_square_distance(self(), other()); })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return g * -self() * inverse_square_distance(self(), other());
      });
}
OP("atan2(Tensor self, Tensor other) -> Tensor", atan2, kFunction | kMethod | kInPlace | kDirect,
   R"(Angle in radians, in the right quadrant, of the vector `(other, self)`: arctangent of `self / other`.

Shapes broadcast; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.atan2.html

@example
torch.atan2(torch.tensor([1, -1]), torch.tensor([1, -1])) // tensor([ 0.7854, -2.3562])
)");
OP("arctan2(Tensor self, Tensor other) -> Tensor", atan2, kFunction | kMethod | kInPlace | kDirect,
   R"(Another name of `atan2`.

@example
torch.arctan2(torch.tensor([1]), torch.tensor([1])) // tensor([0.7854])
)");

static Tensor hypot(const Tensor& self, const Tensor& other) {
  const DType t = result_type(self, other);
  check_floating(t, "hypot_cpu");
  Tensor y = binary_as(SC_HYPOT, self, other, t, t);
  return elementwise("HypotBackward0", y)
      .wrt(self, [self = saved(self), y = saved(y)](const Tensor& g) { return g * (self() / y()); })
      .wrt(other, [other = saved(other), y = saved(y)](const Tensor& g) { return g * (other() / y()); });
}
OP("hypot(Tensor self, Tensor other) -> Tensor", hypot, kFunction | kMethod | kInPlace | kDirect,
   R"(Length of the hypotenuse: `sqrt(self^2 + other^2)`, without overflow on the way.

Shapes broadcast; the dtype follows type promotion. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.hypot.html

@example
torch.hypot(torch.tensor([3]), torch.tensor([4])) // tensor([5.])
)");

// self's gradient is the sign that was flipped or not: result / self, 0 where self is.
static Tensor copysign_slope(const Tensor& y, const Tensor& self) {
  return masked_fill(y / self, compare(SC_EQ, self, 0), 0);
}

static Tensor copysign(const Tensor& self, const Tensor& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_COPYSIGN, self, other, t, t);
  return elementwise("CopysignBackward0", y)
      .wrt(self,
           [self = saved(self), y = saved(y)](const Tensor& g) { return g * copysign_slope(y(), self()); })
      .wrt(other, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("copysign.Tensor(Tensor self, Tensor other) -> Tensor", copysign, kFunction | kMethod | kInPlace | kDirect,
   R"(The size of `self` with the sign of `other`, element by element.

Shapes broadcast; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.copysign.html

@example
torch.tensor([1, -2]).copysign(-1) // tensor([-1., -2.])
)");
static Tensor copysign_scalar(const Tensor& self, const Scalar& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_COPYSIGN, self, other, t, t);
  return elementwise("CopysignBackward1", y).wrt(self, [self = saved(self), y = saved(y)](const Tensor& g) {
    return g * copysign_slope(y(), self());
  });
}
OP("copysign.Scalar(Tensor self, Scalar other) -> Tensor", copysign_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");

// ---- logarithms of two arguments ----

// log(other), but 0 where self is 0 and other not positive, as the function itself is there.
static Tensor xlogy_slope(const Tensor& self, const Tensor& other) {
  return masked_fill(log(other), binary(SC_LOGICAL_AND, compare(SC_EQ, self, 0), compare(SC_LE, other, 0)),
                     0);
}
Tensor xlogy(const Tensor& self, const Tensor& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_XLOGY, self, other, t, t);
  return elementwise("XlogyBackward0", y)
      .wrt(self, [self = saved(self),
                  other = saved(other)](const Tensor& g) { return g * xlogy_slope(self(), other()); })
      .wrt(other,
           [self = saved(self), other = saved(other)](const Tensor& g) { return g * self() / other(); });
}
OP("xlogy.Tensor(Tensor self, Tensor other) -> Tensor", xlogy, kFunction | kMethod | kInPlace | kDirect,
   R"(`self * log(other)`, and 0 where `self` is 0, whatever the logarithm.

Either may be a number. Shapes broadcast; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/special.html#torch.special.xlogy

@example
torch.tensor([0, 2]).xlogy(torch.tensor([0, 3])) // tensor([0.0000, 2.1972])
)");
static Tensor xlogy_scalar(const Tensor& self, const Scalar& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_XLOGY, self, other, t, t);
  return elementwise("XlogyBackward2", y)
      .wrt(self, [self = saved(self), other = other.to_double()](const Tensor& g) {
        if (other > 0) return g * std::log(other);
        return g * masked_fill(scalar_tensor(std::log(other), g.dtype(), g.device()),
                               compare(SC_EQ, self(), 0), 0);
      });
}
OP("xlogy.Scalar_Other(Tensor self, Scalar other) -> Tensor", xlogy_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");
static Tensor xlogy_of_number(const Scalar& self, const Tensor& other) {
  const DType t = floating_dtype(result_type(other, self));
  Tensor y = binary_as(SC_XLOGY, self, other, t, t);
  return elementwise("XlogyBackward1", y).wrt(other, [self, other = saved(other)](const Tensor& g) {
    return g * self / other();
  });
}
OP("xlogy.Scalar_Self(Scalar self, Tensor other) -> Tensor", xlogy_of_number, kFunction, "");

static Tensor logaddexp(const Tensor& self, const Tensor& other) {
  const DType t = result_type(self, other);
  check_floating(t, "logaddexp_cpu");
  Tensor y = binary_as(SC_LOGADDEXP, self, other, t, t);
  return elementwise("LogaddexpBackward0", y)
      .wrt(self, [self = saved(self),
                  other = saved(other)](const Tensor& g) { return g / (exp(other() - self()) + 1); })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return g / (exp(self() - other()) + 1);
      });
}
OP("logaddexp(Tensor self, Tensor other) -> Tensor", logaddexp, kFunction | kMethod,
   R"(`log(exp(self) + exp(other))`, without overflow.

Shapes broadcast; the dtype follows type promotion. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.logaddexp.html

@example
torch.logaddexp(torch.tensor([0, 1000]), torch.tensor([0, 1000])) // tensor([6.9315e-01, 1.0007e+03])
)");

}  // namespace sconce::ops
