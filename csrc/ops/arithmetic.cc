// add, sub, rsub, mul, div, neg.
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static void check_alpha(const Scalar& alpha, DType t) {
  SC_CHECK(!alpha.is_bool() || t == DType::kBool, "Boolean alpha only supported for Boolean results.");
  SC_CHECK(is_floating(t) || !alpha.is_floating(),
           "For integral input tensors, argument alpha must not be a floating point number.");
}

// out = self + alpha * other
Tensor add(const Tensor& self, const Tensor& other, const Scalar& alpha) {
  const DType t = result_type(self, other);
  check_alpha(alpha, t);
  Tensor y = binary_as(SC_ADD, self, other, t, t, {{alpha.to_double()}});
  return elementwise("AddBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(other, [alpha](const Tensor& g) { return alpha.equals(1) ? g : g * alpha; });
}
OP("add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", add,
   kFunction | kMethod | kInPlace | kDirect,
   R"(Adds `other`, scaled by `alpha`, element by element: `self + alpha * other`.

Shapes broadcast; the dtype follows type promotion. Throws when the shapes do not broadcast, or for a fractional `alpha` on integer tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.add.html

@example
torch.tensor([1, 2]).add(torch.tensor([10, 20])) // tensor([11., 22.])
torch.add(torch.tensor([1, 2]), torch.tensor([10, 20]), { alpha: 2 }) // tensor([21., 42.])
)");

Tensor add_scalar(const Tensor& self, const Scalar& other, const Scalar& alpha) {
  const DType t = result_type(self, other);
  check_alpha(alpha, t);
  Tensor y = binary_as(SC_ADD, self, other, t, t, {{alpha.to_double()}});
  return elementwise("AddBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(Tensor(), [](const Tensor& g) { return g; });
}
OP("add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", add_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");

// Python writes `2 + x`; there is no operator to overload here, so the functions take the number in front.
static Tensor add_to_number(const Scalar& self, const Tensor& other) { return add_scalar(other, self); }
OP("add.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", add_to_number, kFunction, "");

Tensor sub(const Tensor& self, const Tensor& other, const Scalar& alpha) {
  const DType t = result_type(self, other);
  check_alpha(alpha, t);
  SC_CHECK(self.dtype() != DType::kBool || other.dtype() != DType::kBool,
           "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
           "`logical_xor()` operator instead.");
  SC_CHECK(self.dtype() != DType::kBool && other.dtype() != DType::kBool,
           "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert "
           "a mask, use the `~` or "
           "`logical_not()` operator instead.");
  Tensor y = binary_as(SC_SUB, self, other, t, t, {{alpha.to_double()}});
  return elementwise("SubBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(other, [alpha](const Tensor& g) { return alpha.equals(1) ? -g : g * -alpha; });
}
OP("sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", sub,
   kFunction | kMethod | kInPlace | kDirect,
   R"(Subtracts `other`, scaled by `alpha`, element by element: `self - alpha * other`.

Shapes broadcast; the dtype follows type promotion. Throws for bool tensors, as PyTorch does.

See https://docs.pytorch.org/docs/stable/generated/torch.sub.html

@example
torch.tensor([3, 2]).sub(torch.tensor([1, 2])) // tensor([2., 0.])
)");

Tensor sub_scalar(const Tensor& self, const Scalar& other, const Scalar& alpha) {
  const DType t = result_type(self, other);
  check_alpha(alpha, t);
  SC_CHECK(self.dtype() != DType::kBool && !other.is_bool(),
           "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert "
           "a mask, use the `~` or "
           "`logical_not()` operator instead.");
  Tensor y = binary_as(SC_SUB, self, other, t, t, {{alpha.to_double()}});
  return elementwise("SubBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(Tensor(), [](const Tensor& g) { return g; });
}
OP("sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", sub_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");

static Tensor rsub(const Tensor& self, const Tensor& other, const Scalar& alpha) {
  const DType t = result_type(self, other);
  check_alpha(alpha, t);
  SC_CHECK(self.dtype() != DType::kBool && other.dtype() != DType::kBool,
           "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert "
           "a mask, use the `~` or "
           "`logical_not()` operator instead.");
  Tensor y = binary_as(SC_SUB, other, self, t, t, {{alpha.to_double()}});
  return elementwise("RsubBackward0", y)
      .wrt(self, [alpha](const Tensor& g) { return alpha.equals(1) ? -g : g * -alpha; })
      .wrt(other, [](const Tensor& g) { return g; });
}
OP("rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", rsub, kFunction | kMethod,
   R"(Subtraction the other way round: `other - alpha * self`.

@example
torch.tensor([1, 2]).rsub(10) // tensor([9., 8.])
)");

Tensor rsub_scalar(const Tensor& self, const Scalar& other, const Scalar& alpha) {
  const DType t = result_type(self, other);
  check_alpha(alpha, t);
  SC_CHECK(self.dtype() != DType::kBool,
           "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert "
           "a mask, use the `~` or "
           "`logical_not()` operator instead.");
  Tensor y = binary_as(SC_SUB, other, self, t, t, {{alpha.to_double()}});
  return elementwise("RsubBackward1", y).wrt(self, [alpha](const Tensor& g) { return g * -alpha; });
}
OP("rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", rsub_scalar, kFunction | kMethod, "");

static Tensor sub_from_number(const Scalar& self, const Tensor& other) { return rsub_scalar(other, self); }
OP("sub.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", sub_from_number, kFunction, "");

Tensor mul(const Tensor& self, const Tensor& other) {
  Tensor y = binary(SC_MUL, self, other);
  return elementwise("MulBackward0", y)
      .wrt(self, [other = saved(other)](const Tensor& g) { return g * other(); })
      .wrt(other, [self = saved(self)](const Tensor& g) { return g * self(); });
}
OP("mul.Tensor(Tensor self, Tensor other) -> Tensor", mul, kFunction | kMethod | kInPlace | kDirect,
   R"(Multiplies element by element. Shapes broadcast; the dtype follows type promotion.

See https://docs.pytorch.org/docs/stable/generated/torch.mul.html

@example
torch.tensor([1, 2, 3]).mul(torch.tensor([2, 2, 2])) // tensor([2., 4., 6.])
)");

Tensor mul_scalar(const Tensor& self, const Scalar& other) {
  Tensor y = binary(SC_MUL, self, other);
  return elementwise("MulBackward0", y)
      .wrt(self, [other](const Tensor& g) { return g * other; })
      .wrt(Tensor(), [](const Tensor& g) { return g; });
}
OP("mul.Scalar(Tensor self, Scalar other) -> Tensor", mul_scalar, kFunction | kMethod | kInPlace | kDirect,
   "");

static Tensor mul_number(const Scalar& self, const Tensor& other) { return mul_scalar(other, self); }
OP("mul.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", mul_number, kFunction, "");

Tensor div(const Tensor& self, const Tensor& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_DIV, self, other, t, t);
  return elementwise("DivBackward0", y)
      .wrt(self, [other = saved(other)](const Tensor& g) { return g / other(); })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return -g * ((self() / other()) / other());
      });
}
OP("div.Tensor(Tensor self, Tensor other) -> Tensor", div, kFunction | kMethod | kInPlace | kDirect,
   R"(Divides element by element: `self / other`. Integers give the default floating dtype. Shapes broadcast.

`rounding_mode`: `null` (true division), `'trunc'` (towards zero) or `'floor'`; with a mode integers stay integers.

See https://docs.pytorch.org/docs/stable/generated/torch.div.html

@example
torch.tensor([1, 3]).div(torch.tensor([2, 2])) // tensor([0.5000, 1.5000])
)");

Tensor div_scalar(const Tensor& self, const Scalar& other) {
  const DType t = floating_dtype(result_type(self, other));
  Tensor y = binary_as(SC_DIV, self, other, t, t);
  return elementwise("DivBackward0", y)
      .wrt(self, [other](const Tensor& g) { return g / other; })
      .wrt(Tensor(), [](const Tensor& g) { return g; });
}
OP("div.Scalar(Tensor self, Scalar other) -> Tensor", div_scalar, kFunction | kMethod | kInPlace | kDirect,
   "");

static Tensor div_number(const Scalar& self, const Tensor& other) {
  return mul_scalar(reciprocal(other), self);
}
OP("div.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", div_number, kFunction, "");

Tensor neg(const Tensor& self) {
  SC_CHECK(self.dtype() != DType::kBool,
           "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
           "mask, use the `~` or "
           "`logical_not()` operator instead.");
  Tensor y = unary(SC_NEG, self);
  return elementwise("NegBackward0", y).wrt(self, [](const Tensor& g) { return -g; });
}
OP("neg(Tensor self) -> Tensor", neg, kFunction | kMethod | kInPlace | kDirect,
   R"(Negates element by element: `-self`. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.neg.html

@example
torch.tensor([1, -2]).neg() // tensor([-1.,  2.])
)");

// ---- the long names ----
OP("subtract.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", sub,
   kFunction | kMethod | kInPlace | kDirect,
   R"(Another name of `sub`.

@example
torch.tensor([3, 2]).subtract(torch.tensor([1, 2])) // tensor([2., 0.])
)");
OP("subtract.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", sub_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");
OP("multiply.Tensor(Tensor self, Tensor other) -> Tensor", mul, kFunction | kMethod | kInPlace | kDirect,
   R"(Another name of `mul`.

@example
torch.tensor([1, 2]).multiply(3) // tensor([3., 6.])
)");
OP("multiply.Scalar(Tensor self, Scalar other) -> Tensor", mul_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");

void add_raw_(const Tensor& dst, const Tensor& src) {
  const Tensor s = cast_raw(src, dst.dtype());
  Iter it(dst.dtype());
  it.out(dst).in(dst).in(s).build();
  const Params one{{1}};
  if (dst.numel())
    run_kernel(backend_of(dst.device()).elementwise.binary, dst.device(), "add_", SC_ADD, it.c(), one.p);
}

}  // namespace sconce::ops
