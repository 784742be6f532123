// Logical and bitwise operators, and tests of single elements.
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

// ---- logical ----

#define SC_LOGICAL(name, op, text, example)                                                           \
  Tensor name(const Tensor& self, const Tensor& other) {                                              \
    const DType t = promote_types(self.dtype(), other.dtype());                                       \
    return binary_as(op, self, other, t, DType::kBool);                                               \
  }                                                                                                   \
  OP(#name "(Tensor self, Tensor other) -> Tensor", name, kFunction | kMethod | kInPlace | kNoGrad,   \
     text                                                                                             \
     "\n\n"                                                                                           \
     "Shapes broadcast; the dtype is bool (the in-place form keeps its own). Not differentiable.\n\n" \
     "See https://docs.pytorch.org/docs/stable/generated/torch." #name                                \
     ".html\n\n"                                                                                      \
     "@example\ntorch.tensor([0, 0, 2])." #name "(torch.tensor([0, 1, 1])) // " example)

SC_LOGICAL(logical_and, SC_LOGICAL_AND, "Where both elements are not zero.", "tensor([False, False,  True])");
SC_LOGICAL(logical_or, SC_LOGICAL_OR, "Where either element is not zero.", "tensor([False,  True,  True])");
SC_LOGICAL(logical_xor, SC_LOGICAL_XOR, "Where exactly one of the elements is not zero.",
           "tensor([False,  True, False])");
#undef SC_LOGICAL

Tensor logical_not(const Tensor& self) { return unary(SC_LOGICAL_NOT, self); }
OP("logical_not(Tensor self) -> Tensor", logical_not, kFunction | kMethod | kInPlace | kNoGrad,
   R"(Where the element is zero. The dtype is bool (the in-place form keeps its own). Not differentiable.

See https://docs.pytorch.org/docs/stable/generated/torch.logical_not.html

@example
torch.tensor([0, 2]).logical_not() // tensor([ True, False])
)");

// ---- bitwise ----

static DType discrete(DType t, const char* kernel) {
  SC_CHECK(is_integral(t), "\"", kernel, "\" not implemented for '", scalar_type_name(t), "'");
  return t;
}
static DType integer(DType t, const char* kernel) {
  SC_CHECK(is_integral(t, false), "\"", kernel, "\" not implemented for '", scalar_type_name(t), "'");
  return t;
}

Tensor bitwise_not(const Tensor& self) {
  discrete(self.dtype(), "bitwise_not_cpu");
  return unary(SC_BITWISE_NOT, self);
}
OP("bitwise_not(Tensor self) -> Tensor", bitwise_not, kFunction | kMethod | kInPlace | kDirect | kNoGrad,
   R"(Flips every bit of an integer; of a bool, the value. Throws for floating tensors. Not differentiable.

See https://docs.pytorch.org/docs/stable/generated/torch.bitwise_not.html

@example
torch.tensor([1, -3], { dtype: 'int32' }).bitwise_not() // tensor([-2,  2], dtype=torch.int32)
)");

// The three overloads of a bitwise operator; `check` names the dtypes it takes.
#define SC_BITWISE(name, op, check, kernel, scalar_overload, text, example)                  \
  static Tensor name(const Tensor& self, const Tensor& other) {                              \
    const DType t = check(result_type(self, other), kernel);                                 \
    return binary_as(op, self, other, t, t);                                                 \
  }                                                                                          \
  static Tensor name##_scalar(const Tensor& self, const Scalar& other) {                     \
    const DType t = check(result_type(self, other), kernel);                                 \
    return binary_as(op, self, other, t, t);                                                 \
  }                                                                                          \
  static Tensor name##_of_number(const Scalar& self, const Tensor& other) {                  \
    const DType t = check(result_type(other, self), kernel);                                 \
    return binary_as(op, self, other, t, t);                                                 \
  }                                                                                          \
  OP(#name ".Tensor(Tensor self, Tensor other) -> Tensor", name,                             \
     kFunction | kMethod | kInPlace | kDirect | kNoGrad,                                     \
     text                                                                                    \
     "\n\n"                                                                                  \
     "Shapes broadcast; the dtype follows type promotion. Throws for floating tensors. Not " \
     "differentiable.\n\n"                                                                   \
     "See https://docs.pytorch.org/docs/stable/generated/torch." #name                       \
     ".html\n\n"                                                                             \
     "@example\ntorch.tensor([1, 2, 6], { dtype: 'int32' })." #name "(3) // " example);      \
  OP(#name "." scalar_overload "(Tensor self, Scalar other) -> Tensor", name##_scalar,       \
     kFunction | kMethod | kInPlace | kDirect | kNoGrad, "");                                \
  OP(#name ".Scalar_Tensor(Scalar self, Tensor other) -> Tensor", name##_of_number, kFunction | kNoGrad, "")

SC_BITWISE(bitwise_and, SC_BITWISE_AND, discrete, "bitwise_and_cpu", "Scalar",
           "Bits that are set in both elements; of bools, logical and.",
           "tensor([1, 2, 2], dtype=torch.int32)");
SC_BITWISE(bitwise_or, SC_BITWISE_OR, discrete, "bitwise_or_cpu", "Scalar",
           "Bits that are set in either element; of bools, logical or.",
           "tensor([3, 3, 7], dtype=torch.int32)");
SC_BITWISE(bitwise_xor, SC_BITWISE_XOR, discrete, "bitwise_xor_cpu", "Scalar",
           "Bits that are set in one of the two elements; of bools, logical exclusive or.",
           "tensor([2, 1, 5], dtype=torch.int32)");
SC_BITWISE(bitwise_left_shift, SC_SHIFT_LEFT, integer, "lshift_cpu", "Tensor_Scalar",
           "Shifts the bits left: `self * 2^other`.", "tensor([ 8, 16, 48], dtype=torch.int32)");
SC_BITWISE(bitwise_right_shift, SC_SHIFT_RIGHT, integer, "rshift_cpu", "Tensor_Scalar",
           "Shifts the bits right, keeping the sign: `floor(self / 2^other)`.",
           "tensor([0, 0, 0], dtype=torch.int32)");
#undef SC_BITWISE

// ---- tests of single elements ----

#define SC_TEST(name, op, text, example)                                   \
  Tensor name(const Tensor& self) { return unary(op, self); }              \
  OP(#name "(Tensor self) -> Tensor", name, kFunction | kMethod | kNoGrad, \
     text                                                                  \
     " The dtype is bool. Not differentiable.\n\n"                         \
     "See https://docs.pytorch.org/docs/stable/generated/torch." #name     \
     ".html\n\n"                                                           \
     "@example\ntorch.tensor([1, -Infinity, NaN])." #name "() // " example)

SC_TEST(isnan, SC_ISNAN, "Where the element is not a number.", "tensor([False, False,  True])");
SC_TEST(isinf, SC_ISINF, "Where the element is infinite, of either sign.", "tensor([False,  True, False])");
SC_TEST(isfinite, SC_ISFINITE, "Where the element is neither infinite nor NaN.",
        "tensor([ True, False, False])");
SC_TEST(isposinf, SC_ISPOSINF, "Where the element is positive infinity.", "tensor([False, False, False])");
SC_TEST(isneginf, SC_ISNEGINF, "Where the element is negative infinity.", "tensor([False,  True, False])");
SC_TEST(signbit, SC_SIGNBIT, "Where the sign bit is set: negative elements, and -0.",
        "tensor([False,  True, False])");
#undef SC_TEST

}  // namespace sconce::ops
