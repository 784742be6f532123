// Comparisons element by element, and of whole tensors.
#include "ops.h"
#include "pointwise.h"
#include "reduction.h"

namespace sconce::ops {

constexpr uint32_t kForms = kFunction | kMethod | kInPlace | kNoGrad;

// SC_COMPARISON(name, long name, kernel operation, what it says, example)
#define SC_COMPARISON(name, long_name, op, text, example)                                                   \
  Tensor name(const Tensor& self, const Tensor& other) { return compare(op, self, other); }                 \
  static Tensor name##_scalar(const Tensor& self, const Scalar& other) { return compare(op, self, other); } \
  OP(#name ".Tensor(Tensor self, Tensor other) -> Tensor", name, kForms,                                    \
     text                                                                                                   \
     "\n\n"                                                                                                 \
     "Shapes broadcast; the dtype is bool (the in-place form keeps its own). Not differentiable.\n\n"       \
     "See https://docs.pytorch.org/docs/stable/generated/torch." #name                                      \
     ".html\n\n"                                                                                            \
     "@example\ntorch.tensor([1, 2, 3])." #name "(2) // " example);                                         \
  OP(#name ".Scalar(Tensor self, Scalar other) -> Tensor", name##_scalar, kForms, "");                      \
  OP(#long_name ".Tensor(Tensor self, Tensor other) -> Tensor", name, kForms,                               \
     "Another name of `" #name "`.\n\n@example\ntorch.tensor([1, 2, 3])." #long_name "(2) // " example);    \
  OP(#long_name ".Scalar(Tensor self, Scalar other) -> Tensor", name##_scalar, kForms, "")

SC_COMPARISON(ne, not_equal, SC_NE, "Where the elements differ: `self != other`.",
              "tensor([ True, False,  True])");
SC_COMPARISON(lt, less, SC_LT, "Where `self < other`.", "tensor([ True, False, False])");
SC_COMPARISON(le, less_equal, SC_LE, "Where `self <= other`.", "tensor([ True,  True, False])");
SC_COMPARISON(gt, greater, SC_GT, "Where `self > other`.", "tensor([False, False,  True])");
SC_COMPARISON(ge, greater_equal, SC_GE, "Where `self >= other`.", "tensor([False,  True,  True])");
#undef SC_COMPARISON

Tensor eq(const Tensor& self, const Tensor& other) { return compare(SC_EQ, self, other); }
OP("eq.Tensor(Tensor self, Tensor other) -> Tensor", eq, kForms,
   R"(Where the elements are equal: `self == other`.

Shapes broadcast; the dtype is bool (the in-place form keeps its own). Not differentiable.

See https://docs.pytorch.org/docs/stable/generated/torch.eq.html

@example
torch.tensor([1, 2, 3]).eq(2) // tensor([False,  True, False])
)");
static Tensor eq_scalar(const Tensor& self, const Scalar& other) { return compare(SC_EQ, self, other); }
OP("eq.Scalar(Tensor self, Scalar other) -> Tensor", eq_scalar, kForms, "");

// ---- approximate equality ----

static Tensor isclose(const Tensor& self, const Tensor& other, double rtol, double atol, bool equal_nan) {
  SC_CHECK(self.dtype() == other.dtype(), scalar_type_name(self.dtype()), " did not match ",
           scalar_type_name(other.dtype()));
  SC_CHECK(rtol >= 0, "rtol must be greater than or equal to zero, but got ", rtol);
  SC_CHECK(atol >= 0, "atol must be greater than or equal to zero, but got ", atol);
  const bool floating = is_floating(self.dtype());
  Tensor close = compare(SC_EQ, self, other);
  if (equal_nan && floating)
    close =
        binary(SC_LOGICAL_OR, close, binary(SC_LOGICAL_AND, unary(SC_ISNAN, self), unary(SC_ISNAN, other)));
  if (rtol == 0 && atol == 0) return close;
  const DType t = floating ? self.dtype() : default_dtype();
  const Tensor a = cast_raw(self, t), b = cast_raw(other, t);
  const Tensor allowed = binary(SC_ADD, unary(SC_ABS, binary(SC_MUL, b, rtol)), atol, {{1}});
  const Tensor error = binary(SC_ABS_DIFFERENCE, a, b);
  // An infinite error is within no tolerance, infinite though that be.
  const Tensor near = binary(SC_LOGICAL_AND, unary(SC_ISFINITE, error), compare(SC_LE, error, allowed));
  return binary(SC_LOGICAL_OR, close, near);
}
OP("isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
   isclose, kFunction | kMethod | kNoGrad,
   R"(Where the elements are close: `|self - other| <= atol + rtol * |other|`. With `equal_nan`, two NaN are.

Shapes broadcast; the dtype is bool. Throws when the dtypes differ or a tolerance is negative. Not differentiable.

See https://docs.pytorch.org/docs/stable/generated/torch.isclose.html

@example
torch.isclose(torch.tensor([1, 2]), torch.tensor([1, 2.1])) // tensor([ True, False])
)");

static bool every(const Tensor& mask) {
  const Tensor all = reduce(SC_RED_ALL, mask, reduce_dims(mask, nullptr), false, DType::kBool);
  Tensor here = empty({}, DType::kBool);
  copy_into(here, all);
  return *here.data_as<bool>();
}

static bool allclose(const Tensor& self, const Tensor& other, double rtol, double atol, bool equal_nan) {
  return every(isclose(self, other, rtol, atol, equal_nan));
}
OP("allclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> bool",
   allclose, kFunction | kMethod | kNoGrad,
   R"(Whether all elements are close, as `isclose` says.

Throws as `isclose` does. Not differentiable.

See https://docs.pytorch.org/docs/stable/generated/torch.allclose.html

@example
torch.allclose(torch.tensor([1, 2]), torch.tensor([1, 2.0000001])) // true
)");

static bool equal(const Tensor& self, const Tensor& other) {
  SC_CHECK(self.device() == other.device(),
           "Cannot compare two tensors on different devices. Got: ", device_name(self.device()), " and ",
           device_name(other.device()));
  return self.sizes() == other.sizes() && every(compare(SC_EQ, self, other));
}
OP("equal(Tensor self, Tensor other) -> bool", equal, kFunction | kMethod | kNoGrad,
   R"(Whether two tensors have the same shape and equal elements.

Throws when they are on different devices. Not differentiable.

See https://docs.pytorch.org/docs/stable/generated/torch.equal.html

@example
torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2])) // true
)");

}  // namespace sconce::ops
