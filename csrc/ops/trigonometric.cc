// Trigonometric and hyperbolic functions.
#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

Tensor sin(const Tensor& self) {
  Tensor y = unary_float(SC_SIN, self);
  return elementwise("SinBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * cos(self());
  });
}
OP("sin(Tensor self) -> Tensor", sin, kFunction | kMethod | kInPlace | kDirect,
   R"(Sine, element by element, of an angle in radians.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.sin.html

@example
torch.tensor([0, 1]).sin() // tensor([0.0000, 0.8415])
)");

Tensor cos(const Tensor& self) {
  Tensor y = unary_float(SC_COS, self);
  return elementwise("CosBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * -sin(self());
  });
}
OP("cos(Tensor self) -> Tensor", cos, kFunction | kMethod | kInPlace | kDirect,
   R"(Cosine, element by element, of an angle in radians.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.cos.html

@example
torch.tensor([0, 1]).cos() // tensor([1.0000, 0.5403])
)");

Tensor tan(const Tensor& self) {
  Tensor y = unary_float(SC_TAN, self);
  return elementwise("TanBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return g * (y() * y() + 1);
  });
}
OP("tan(Tensor self) -> Tensor", tan, kFunction | kMethod | kInPlace | kDirect,
   R"(Tangent, element by element, of an angle in radians.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.tan.html

@example
torch.tensor([0, 1]).tan() // tensor([0.0000, 1.5574])
)");

Tensor asin(const Tensor& self) {
  Tensor y = unary_float(SC_ASIN, self);
  return elementwise("AsinBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * rsqrt(1 - self() * self());
  });
}
OP("asin(Tensor self) -> Tensor", asin, kFunction | kMethod | kInPlace | kDirect,
   R"(Arcsine, element by element, in radians; NaN outside of [-1, 1].

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.asin.html

@example
torch.tensor([0, 1]).asin() // tensor([0.0000, 1.5708])
)");
OP("arcsin(Tensor self) -> Tensor", asin, kFunction | kMethod | kInPlace | kDirect, R"(Another name of `asin`.

@example
torch.tensor([0, 1]).arcsin() // tensor([0.0000, 1.5708])
)");

Tensor acos(const Tensor& self) {
  Tensor y = unary_float(SC_ACOS, self);
  return elementwise("AcosBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * -rsqrt(1 - self() * self());
  });
}
OP("acos(Tensor self) -> Tensor", acos, kFunction | kMethod | kInPlace | kDirect,
   R"(Arccosine, element by element, in radians; NaN outside of [-1, 1].

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.acos.html

@example
torch.tensor([0, 1]).acos() // tensor([1.5708, 0.0000])
)");
OP("arccos(Tensor self) -> Tensor", acos, kFunction | kMethod | kInPlace | kDirect, R"(Another name of `acos`.

@example
torch.tensor([0, 1]).arccos() // tensor([1.5708, 0.0000])
)");

Tensor atan(const Tensor& self) {
  Tensor y = unary_float(SC_ATAN, self);
  return elementwise("AtanBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g / (self() * self() + 1);
  });
}
OP("atan(Tensor self) -> Tensor", atan, kFunction | kMethod | kInPlace | kDirect,
   R"(Arctangent, element by element, in radians.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.atan.html

@example
torch.tensor([0, 1]).atan() // tensor([0.0000, 0.7854])
)");
OP("arctan(Tensor self) -> Tensor", atan, kFunction | kMethod | kInPlace | kDirect, R"(Another name of `atan`.

@example
torch.tensor([0, 1]).arctan() // tensor([0.0000, 0.7854])
)");

Tensor sinh(const Tensor& self) {
  Tensor y = unary_float(SC_SINH, self);
  return elementwise("SinhBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * cosh(self());
  });
}
OP("sinh(Tensor self) -> Tensor", sinh, kFunction | kMethod | kInPlace | kDirect,
   R"(Hyperbolic sine, element by element.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.sinh.html

@example
torch.tensor([0, 1]).sinh() // tensor([0.0000, 1.1752])
)");

Tensor cosh(const Tensor& self) {
  Tensor y = unary_float(SC_COSH, self);
  return elementwise("CoshBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * sinh(self());
  });
}
OP("cosh(Tensor self) -> Tensor", cosh, kFunction | kMethod | kInPlace | kDirect,
   R"(Hyperbolic cosine, element by element.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.cosh.html

@example
torch.tensor([0, 1]).cosh() // tensor([1.0000, 1.5431])
)");

Tensor tanh(const Tensor& self) {
  Tensor y = unary_float(SC_TANH, self);
  return elementwise("TanhBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return fused_backward(kTanhBackward, g, y());
  });
}
OP("tanh(Tensor self) -> Tensor", tanh, kFunction | kMethod | kInPlace | kDirect,
   R"(Hyperbolic tangent, element by element.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.tanh.html

@example
torch.tensor([0, 1]).tanh() // tensor([0.0000, 0.7616])
)");

Tensor asinh(const Tensor& self) {
  Tensor y = unary_float(SC_ASINH, self);
  return elementwise("AsinhBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * rsqrt(self() * self() + 1);
  });
}
OP("asinh(Tensor self) -> Tensor", asinh, kFunction | kMethod | kInPlace | kDirect,
   R"(Inverse hyperbolic sine, element by element.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.asinh.html

@example
torch.tensor([0, 1]).asinh() // tensor([0.0000, 0.8814])
)");
OP("arcsinh(Tensor self) -> Tensor", asinh, kFunction | kMethod | kInPlace | kDirect,
   R"(Another name of `asinh`.

@example
torch.tensor([0, 1]).arcsinh() // tensor([0.0000, 0.8814])
)");

Tensor acosh(const Tensor& self) {
  Tensor y = unary_float(SC_ACOSH, self);
  return elementwise("AcoshBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * rsqrt(self() * self() - 1);
  });
}
OP("acosh(Tensor self) -> Tensor", acosh, kFunction | kMethod | kInPlace | kDirect,
   R"(Inverse hyperbolic cosine, element by element; NaN below 1.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.acosh.html

@example
torch.tensor([1, 2]).acosh() // tensor([0.0000, 1.3170])
)");
OP("arccosh(Tensor self) -> Tensor", acosh, kFunction | kMethod | kInPlace | kDirect,
   R"(Another name of `acosh`.

@example
torch.tensor([1, 2]).arccosh() // tensor([0.0000, 1.3170])
)");

Tensor atanh(const Tensor& self) {
  Tensor y = unary_float(SC_ATANH, self);
  return elementwise("AtanhBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g / (1 - self() * self());
  });
}
OP("atanh(Tensor self) -> Tensor", atanh, kFunction | kMethod | kInPlace | kDirect,
   R"(Inverse hyperbolic tangent, element by element; NaN outside of [-1, 1].

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.atanh.html

@example
torch.tensor([0, 0.5]).atanh() // tensor([0.0000, 0.5493])
)");
OP("arctanh(Tensor self) -> Tensor", atanh, kFunction | kMethod | kInPlace | kDirect,
   R"(Another name of `atanh`.

@example
torch.tensor([0, 0.5]).arctanh() // tensor([0.0000, 0.5493])
)");

}  // namespace sconce::ops
