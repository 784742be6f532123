// pow and float_power.
#include <cmath>

#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static void check_power(DType t) { SC_CHECK(t != DType::kBool, "\"pow\" not implemented for 'Bool'"); }

// One kernel call: the exponents that have a cheaper way take it.
static Tensor pow_number(const Tensor& self, const Scalar& exponent, DType t) {
  if (!is_floating(t)) return binary_as(SC_POW, self, exponent, t, t);
  const Tensor x = cast_raw(self, t);
  const double e = exponent.to_double();
  if (e == 2) return unary(SC_SQUARE, x);
  if (e == 0.5) return unary(SC_SQRT, x);
  if (e == -0.5) return unary(SC_RSQRT, x);
  if (e == -1) return unary(SC_RECIPROCAL, x);
  return unary(SC_POW_SCALAR, x, {{e}});
}

Tensor pow_scalar(const Tensor& self, const Scalar& exponent) {
  const DType t = result_type(self, exponent);
  check_power(t);
  SC_CHECK(is_floating(t) || exponent.to_double() >= 0,
           "Integers to negative integer powers are not allowed.");
  Tensor y = pow_number(self, exponent, t);
  return elementwise("PowBackward0", y)
      .wrt(self, [e = exponent.to_double(), self = saved(self)](const Tensor& g) {
        if (e == 0) return zeros_like_raw(g);
        if (e == 2) return g * (self() * 2);
        return fused_backward(kPowScalarBackward, g, self(), {{e}});
      });
}

// d/dself self^exponent, without 0 * inf where the exponent is 0.
static Tensor power_slope(const Tensor& self, const Tensor& exponent) {
  return masked_fill(exponent * pow(self, exponent - 1), compare(SC_EQ, exponent, 0), 0);
}

Tensor pow(const Tensor& self, const Tensor& exponent) {
  const DType t = result_type(self, exponent);
  check_power(t);
  Tensor y = binary_as(SC_POW, self, exponent, t, t);
  return elementwise("PowBackward1", y)
      .wrt(self, [self = saved(self), exponent = saved(exponent)](
                     const Tensor& g) { return g * power_slope(self(), exponent()); })
      .wrt(exponent, [self = saved(self), exponent = saved(exponent), y = saved(y)](const Tensor& g) {
        const Tensor flat = binary(SC_LOGICAL_AND, compare(SC_EQ, self(), 0), compare(SC_GE, exponent(), 0));
        return g * masked_fill(y() * log(to_dtype(self(), y().dtype())), flat, 0);
      });
}
OP("pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", pow, kFunction | kMethod | kInPlace | kDirect,
   R"(Raises each element to a power: `self ^ exponent`, where either may be a number.

Shapes broadcast; the dtype follows type promotion, so integers to integers stay integers. Throws for bool tensors, and for integers
to a negative number.

See https://docs.pytorch.org/docs/stable/generated/torch.pow.html

@example
torch.tensor([1, 2, 3]).pow(2) // tensor([1., 4., 9.])
torch.pow(2, torch.tensor([1, 2, 3])) // tensor([2., 4., 8.])
)");
OP("pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", pow_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");

static Tensor pow_base(const Scalar& self, const Tensor& exponent) {
  const DType t = result_type(exponent, self);
  check_power(t);
  Tensor y = binary_as(SC_POW, self, exponent, t, t);
  return elementwise("PowBackward2", y)
      .wrt(exponent, [base = self.to_double(), exponent = saved(exponent), y = saved(y)](const Tensor& g) {
        const Tensor slope = y() * std::log(base);
        return g * (base == 0 ? masked_fill(slope, compare(SC_GE, exponent(), 0), 0) : slope);
      });
}
OP("pow.Scalar(Scalar self, Tensor exponent) -> Tensor", pow_base, kFunction, "");

static Tensor as_double(const Tensor& t) { return to_dtype(t, DType::kFloat64); }

// The in-place form does not round the result to the tensor's own dtype: it refuses.
static void check_float_power(const Tensor& self) {
  const InPlaceScope* scope = thread_state().in_place;
  SC_CHECK(!scope || !scope->self.is_same(self) || self.dtype() == DType::kFloat64,
           "the base given to float_power_ has dtype ", scalar_type_name(self.dtype()),
           " but the operation's result requires dtype Double");
}

static Tensor float_power(const Tensor& self, const Tensor& exponent) {
  check_float_power(self);
  return pow(as_double(self), as_double(exponent));
}
OP("float_power.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", float_power,
   kFunction | kMethod | kInPlace,
   R"(Raises each element to a power in double precision: the result is float64 for any input.

Shapes broadcast. The in-place form throws unless the tensor is float64.

See https://docs.pytorch.org/docs/stable/generated/torch.float_power.html

@example
torch.tensor([1, 4]).float_power(0.5) // tensor([1., 2.], dtype=torch.float64)
)");
static Tensor float_power_scalar(const Tensor& self, const Scalar& exponent) {
  check_float_power(self);
  return pow_scalar(as_double(self), exponent.to_double());
}
OP("float_power.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", float_power_scalar,
   kFunction | kMethod | kInPlace, "");
static Tensor float_power_base(const Scalar& self, const Tensor& exponent) {
  return pow_base(self.to_double(), as_double(exponent));
}
OP("float_power.Scalar(Scalar self, Tensor exponent) -> Tensor", float_power_base, kFunction, "");

}  // namespace sconce::ops
