// abs, sign, square, reciprocal, roots, exponentials and logarithms.
#include <cmath>

#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

Tensor abs(const Tensor& self) {
  SC_CHECK(self.dtype() != DType::kBool, "\"abs_cpu\" not implemented for 'Bool'");
  Tensor y = unary(SC_ABS, self);
  return elementwise("AbsBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * sign(self());
  });
}
OP("abs(Tensor self) -> Tensor", abs, kFunction | kMethod | kInPlace | kDirect,
   R"(Absolute value, element by element: `|x|`.

Same shape and dtype. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.abs.html

@example
torch.tensor([-1, 2.5]).abs() // tensor([1.0000, 2.5000])
)");
OP("absolute(Tensor self) -> Tensor", abs, kFunction | kMethod | kInPlace | kDirect, R"(Another name of `abs`.

@example
torch.tensor([-1, 2.5]).absolute() // tensor([1.0000, 2.5000])
)");

Tensor sign(const Tensor& self) {
  Tensor y = unary(SC_SIGN, self);
  return elementwise("SignBackward0", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("sign(Tensor self) -> Tensor", sign, kFunction | kMethod | kInPlace | kDirect,
   R"(Sign, element by element: -1, 0 or 1.

Same shape and dtype. The gradient is zero.

See https://docs.pytorch.org/docs/stable/generated/torch.sign.html

@example
torch.tensor([-1, 0, 2.5]).sign() // tensor([-1.,  0.,  1.])
)");

Tensor square(const Tensor& self) {
  Tensor y = unary(SC_SQUARE, self.dtype() == DType::kBool ? cast_raw(self, DType::kInt64) : self);
  return elementwise("PowBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * (self() * 2);
  });
}
OP("square(Tensor self) -> Tensor", square, kFunction | kMethod | kInPlace | kDirect,
   R"(Square, element by element: `x * x`.

Same shape and dtype; bool gives int64.

See https://docs.pytorch.org/docs/stable/generated/torch.square.html

@example
torch.tensor([-3, 0.5]).square() // tensor([9.0000, 0.2500])
)");

Tensor reciprocal(const Tensor& self) {
  Tensor y = unary_float(SC_RECIPROCAL, self);
  return elementwise("ReciprocalBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return -g * y() * y();
  });
}
OP("reciprocal(Tensor self) -> Tensor", reciprocal, kFunction | kMethod | kInPlace | kDirect,
   R"(Reciprocal, element by element: `1 / x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.reciprocal.html

@example
torch.tensor([2, -4]).reciprocal() // tensor([ 0.5000, -0.2500])
)");

Tensor sqrt(const Tensor& self) {
  Tensor y = unary_float(SC_SQRT, self);
  return elementwise("SqrtBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return fused_backward(kSqrtBackward, g, y());
  });
}
OP("sqrt(Tensor self) -> Tensor", sqrt, kFunction | kMethod | kInPlace | kDirect,
   R"(Square root, element by element: `sqrt(x)`; NaN for negative `x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.sqrt.html

@example
torch.tensor([4, 2]).sqrt() // tensor([2.0000, 1.4142])
)");

Tensor rsqrt(const Tensor& self) {
  Tensor y = unary_float(SC_RSQRT, self);
  return elementwise("RsqrtBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return fused_backward(kRsqrtBackward, g, y());
  });
}
OP("rsqrt(Tensor self) -> Tensor", rsqrt, kFunction | kMethod | kInPlace | kDirect,
   R"(Reciprocal square root, element by element: `1 / sqrt(x)`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.rsqrt.html

@example
torch.tensor([4, 2]).rsqrt() // tensor([0.5000, 0.7071])
)");

Tensor exp(const Tensor& self) {
  Tensor y = unary_float(SC_EXP, self);
  return elementwise("ExpBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) { return g * y(); });
}
OP("exp(Tensor self) -> Tensor", exp, kFunction | kMethod | kInPlace | kDirect,
   R"(Exponential, element by element: `e^x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.exp.html

@example
torch.tensor([0, 1]).exp() // tensor([1.0000, 2.7183])
)");

Tensor exp2(const Tensor& self) {
  Tensor y = unary_float(SC_EXP2, self);
  return elementwise("Exp2Backward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return g * y() * M_LN2;
  });
}
OP("exp2(Tensor self) -> Tensor", exp2, kFunction | kMethod | kInPlace | kDirect,
   R"(Power of two, element by element: `2^x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.exp2.html

@example
torch.tensor([3, 0.5]).exp2() // tensor([8.0000, 1.4142])
)");

Tensor expm1(const Tensor& self) {
  Tensor y = unary_float(SC_EXPM1, self);
  return elementwise("Expm1Backward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return g * (y() + 1);
  });
}
OP("expm1(Tensor self) -> Tensor", expm1, kFunction | kMethod | kInPlace | kDirect,
   R"(Exponential minus one, element by element: `e^x - 1`, accurate for small `x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.expm1.html

@example
torch.tensor([0, 1]).expm1() // tensor([0.0000, 1.7183])
)");

Tensor log(const Tensor& self) {
  Tensor y = unary_float(SC_LOG, self);
  return elementwise("LogBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g / self();
  });
}
OP("log(Tensor self) -> Tensor", log, kFunction | kMethod | kInPlace | kDirect,
   R"(Natural logarithm, element by element: `ln x`; NaN for negative `x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.log.html

@example
torch.tensor([1, 2]).log() // tensor([0.0000, 0.6931])
)");

Tensor log2(const Tensor& self) {
  Tensor y = unary_float(SC_LOG2, self);
  return elementwise("Log2Backward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g / (self() * M_LN2);
  });
}
OP("log2(Tensor self) -> Tensor", log2, kFunction | kMethod | kInPlace | kDirect,
   R"(Logarithm to base 2, element by element.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.log2.html

@example
torch.tensor([1, 8]).log2() // tensor([0., 3.])
)");

Tensor log10(const Tensor& self) {
  Tensor y = unary_float(SC_LOG10, self);
  return elementwise("Log10Backward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g / (self() * M_LN10);
  });
}
OP("log10(Tensor self) -> Tensor", log10, kFunction | kMethod | kInPlace | kDirect,
   R"(Logarithm to base 10, element by element.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.log10.html

@example
torch.tensor([1, 100]).log10() // tensor([0., 2.])
)");

Tensor log1p(const Tensor& self) {
  Tensor y = unary_float(SC_LOG1P, self);
  return elementwise("Log1PBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g / (self() + 1);
  });
}
OP("log1p(Tensor self) -> Tensor", log1p, kFunction | kMethod | kInPlace | kDirect,
   R"(Logarithm of one plus the element: `ln(1 + x)`, accurate for small `x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.log1p.html

@example
torch.tensor([0, 1]).log1p() // tensor([0.0000, 0.6931])
)");

Tensor positive(const Tensor& self) {
  SC_CHECK(self.dtype() != DType::kBool, "The `+` operator, on a bool tensor is not supported.");
  return self;
}
OP("positive(Tensor self) -> Tensor", positive, kFunction | kMethod,
   R"(The tensor itself. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.positive.html

@example
torch.tensor([1, -2]).positive() // tensor([ 1., -2.])
)");

OP("negative(Tensor self) -> Tensor", neg, kFunction | kMethod | kInPlace | kDirect, R"(Another name of `neg`.

@example
torch.tensor([1, -2]).negative() // tensor([-1.,  2.])
)");

}  // namespace sconce::ops
