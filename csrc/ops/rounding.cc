// Rounding: floor, ceil, round, trunc, frac.
#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

// Integers are whole already.
static Tensor rounded(ScUnaryOp op, const Tensor& self, const char* kernel) {
  SC_CHECK(self.dtype() != DType::kBool, "\"", kernel, "\" not implemented for 'Bool'");
  if (is_floating(self.dtype())) return unary(op, self);
  Tensor y = empty_like(self);
  copy_into(y, self);
  return y;
}

Tensor floor(const Tensor& self) {
  Tensor y = rounded(SC_FLOOR, self, "floor_vml_cpu");
  return elementwise("FloorBackward0", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("floor(Tensor self) -> Tensor", floor, kFunction | kMethod | kInPlace | kDirect,
   R"(Largest whole number not above the element. Element by element.

Same shape and dtype. The gradient is zero. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.floor.html

@example
torch.tensor([1.5, -1.5]).floor() // tensor([ 1., -2.])
)");

Tensor ceil(const Tensor& self) {
  Tensor y = rounded(SC_CEIL, self, "ceil_vml_cpu");
  return elementwise("CeilBackward0", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("ceil(Tensor self) -> Tensor", ceil, kFunction | kMethod | kInPlace | kDirect,
   R"(Smallest whole number not below the element. Element by element.

Same shape and dtype. The gradient is zero. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.ceil.html

@example
torch.tensor([1.5, -1.5]).ceil() // tensor([ 2., -1.])
)");

Tensor trunc(const Tensor& self) {
  Tensor y = rounded(SC_TRUNC, self, "trunc_vml_cpu");
  return elementwise("TruncBackward0", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("trunc(Tensor self) -> Tensor", trunc, kFunction | kMethod | kInPlace | kDirect,
   R"(Whole part, rounding towards zero. Element by element.

Same shape and dtype. The gradient is zero. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.trunc.html

@example
torch.tensor([1.5, -1.5]).trunc() // tensor([ 1., -1.])
)");

OP("fix(Tensor self) -> Tensor", trunc, kFunction | kMethod | kInPlace | kDirect, R"(Another name of `trunc`.

@example
torch.tensor([1.5, -1.5]).fix() // tensor([ 1., -1.])
)");

Tensor round(const Tensor& self) {
  Tensor y = rounded(SC_ROUND, self, "round_vml_cpu");
  return elementwise("RoundBackward0", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("round(Tensor self) -> Tensor", round, kFunction | kMethod | kInPlace | kDirect,
   R"(Nearest whole number, halves to the even one; with `decimals`, the nearest multiple of `10^-decimals`.

Same shape and dtype. The gradient is zero. Throws for bool tensors, and for integers with `decimals`.

See https://docs.pytorch.org/docs/stable/generated/torch.round.html

@example
torch.tensor([0.5, 1.5, -2.4]).round() // tensor([ 0.,  2., -2.])
torch.tensor([1.2345]).round({ decimals: 2 }) // tensor([1.2300])
)");

static Tensor round_decimals(const Tensor& self, int64_t decimals) {
  SC_CHECK(is_floating(self.dtype()), "\"round_cpu\" not implemented for '", scalar_type_name(self.dtype()),
           "'");
  Tensor y = unary(SC_ROUND, self, {{static_cast<double>(decimals)}});
  return elementwise("RoundBackward1", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("round.decimals(Tensor self, *, int decimals) -> Tensor", round_decimals,
   kFunction | kMethod | kInPlace | kDirect, "");

Tensor frac(const Tensor& self) {
  SC_CHECK(is_floating(self.dtype()), "\"frac_cpu\" not implemented for '", scalar_type_name(self.dtype()),
           "'");
  Tensor y = unary(SC_FRAC, self);
  return elementwise("FracBackward0", y).wrt(self, [](const Tensor& g) { return g; });
}
OP("frac(Tensor self) -> Tensor", frac, kFunction | kMethod | kInPlace | kDirect,
   R"(Fractional part, element by element: `x - trunc(x)`, with the sign of `x`.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.frac.html

@example
torch.tensor([1.5, -2.25]).frac() // tensor([ 0.5000, -0.2500])
)");

}  // namespace sconce::ops
