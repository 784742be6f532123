// where, lerp, addcmul, addcdiv.
#include "indexing.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

// ---- where ----

static Tensor check_condition(const Tensor& condition) {
  static const char* const names[] = {"Float", "Double", "Half", "BFloat16", "Long",
                                      "Int",   "Short",  "Char", "Byte",     "Bool"};
  SC_CHECK(condition.dtype() == DType::kBool || condition.dtype() == DType::kUInt8,
           "where expected condition to be a boolean tensor, but got a tensor with dtype ",
           names[static_cast<int>(condition.dtype())]);
  return cast_raw(condition, DType::kBool);
}

static Tensor where_as(const Tensor& condition, const Tensor& self, const Tensor& other, DType t) {
  const Tensor mask = check_condition(condition);
  Tensor y = ternary(SC_WHERE, mask, self, other, t);
  return elementwise("WhereBackward0", y)
      .wrt(self, [mask = saved(mask)](const Tensor& g) { return masked_fill(g, logical_not_raw(mask()), 0); })
      .wrt(other, [mask = saved(mask)](const Tensor& g) { return masked_fill(g, mask(), 0); });
}

Tensor where(const Tensor& condition, const Tensor& self, const Tensor& other) {
  return where_as(condition, self, other, result_type(self, other));
}
OP("where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", where, kFunction,
   R"(Chooses element by element: `self` where `condition` is true, else `other`. Either may be a number.

With the condition alone: the indices of its true elements, one int64 tensor per dimension, as `nonzero` with `as_tuple`.
Shapes broadcast; the dtype follows type promotion. Throws unless the condition is bool.

See https://docs.pytorch.org/docs/stable/generated/torch.where.html

@example
torch.where(torch.tensor([true, false]), torch.tensor([1, 2]), 0) // tensor([1., 0.])
)");

static DType number_dtype(const Scalar& s) {
  return s.is_bool() ? DType::kBool : s.is_floating() ? default_dtype() : DType::kInt64;
}

static Tensor where_self_number(const Tensor& condition, const Scalar& self, const Tensor& other) {
  const DType t = result_type(other, self);
  return where_as(condition, scalar_tensor(self, t, other.device()), other, t);
}
OP("where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", where_self_number, kFunction,
   "");
Tensor where_scalar(const Tensor& condition, const Tensor& self, const Scalar& other) {
  const DType t = result_type(self, other);
  return where_as(condition, self, scalar_tensor(other, t, self.device()), t);
}
OP("where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", where_scalar, kFunction, "");
static Tensor where_numbers(const Tensor& condition, const Scalar& self, const Scalar& other) {
  const DType t = promote_types(number_dtype(self), number_dtype(other));
  return where_as(condition, scalar_tensor(self, t, condition.device()),
                  scalar_tensor(other, t, condition.device()), t);
}
OP("where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", where_numbers, kFunction, "");
static TensorList where_true(const Tensor& condition) { return unbind(nonzero_raw(condition), 1); }
OP("where(Tensor condition) -> Tensor[]", where_true, kFunction, "");

// x.where(condition, other): the method has its tensor second.
static Tensor where_method(const Tensor& self, const Tensor& condition, const Tensor& other) {
  return where(condition, self, other);
}
OP("where.method(Tensor self, Tensor condition, Tensor other) -> Tensor", where_method, kMethod, "");
static Tensor where_method_scalar(const Tensor& self, const Tensor& condition, const Scalar& other) {
  return where_scalar(condition, self, other);
}
OP("where.method_Scalar(Tensor self, Tensor condition, Scalar other) -> Tensor", where_method_scalar, kMethod,
   "");

// ---- lerp ----

static void check_lerp(const Tensor& self, const Tensor& other, const char* argument) {
  static const char* const names[] = {"float", "double",    "c10::Half",   "c10::BFloat16", "long int",
                                      "int",   "short int", "signed char", "unsigned char", "bool"};
  SC_CHECK(self.dtype() == other.dtype(), "expected dtype ", names[static_cast<int>(self.dtype())], " for `",
           argument, "` but got dtype ", names[static_cast<int>(other.dtype())]);
}
static void check_lerp_type(const Tensor& self, const char* kernel) {
  SC_CHECK(is_floating(self.dtype()), "\"", kernel, "\" not implemented for '",
           scalar_type_name(self.dtype()), "'");
}

static Tensor lerp(const Tensor& self, const Tensor& end, const Tensor& weight) {
  check_lerp(self, end, "end");
  check_lerp(self, weight, "weight");
  check_lerp_type(self, "lerp_kernel_tensor");
  Tensor y = ternary(SC_LERP, self, end, weight, self.dtype());
  return elementwise("LerpBackward1", y)
      .wrt(self, [weight = saved(weight)](const Tensor& g) { return g * (1 - weight()); })
      .wrt(end, [weight = saved(weight)](const Tensor& g) { return g * weight(); })
      .wrt(weight, [self = saved(self), end = saved(end)](const Tensor& g) { return g * (end() - self()); });
}
OP("lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor", lerp, kFunction | kMethod | kInPlace,
   R"(Interpolates linearly: `self + weight * (end - self)`, where `weight` may be a number.

Shapes broadcast. Throws for integer and bool tensors, and when the dtypes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.lerp.html

@example
torch.tensor([1, 2]).lerp(torch.tensor([3, 6]), 0.5) // tensor([2., 4.])
)");
static Tensor lerp_scalar(const Tensor& self, const Tensor& end, const Scalar& weight) {
  check_lerp(self, end, "end");
  check_lerp_type(self, "lerp_kernel_scalar");
  Tensor y = ternary(SC_LERP, self, end, scalar_tensor(weight, self.dtype(), self.device()), self.dtype());
  return elementwise("LerpBackward0", y)
      .wrt(self, [w = weight.to_double()](const Tensor& g) { return g * (1 - w); })
      .wrt(end, [w = weight.to_double()](const Tensor& g) { return g * w; });
}
OP("lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor", lerp_scalar,
   kFunction | kMethod | kInPlace, "");

// ---- self + value * tensor1 * tensor2, self + value * tensor1 / tensor2 ----

static DType common_type(const Tensor& a, const Tensor& b, const Tensor& c) {
  PromotionState s;
  s.add(a);
  s.add(b);
  s.add(c);
  return s.result();
}

Tensor addcmul(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value) {
  const DType t = common_type(self, tensor1, tensor2);
  SC_CHECK(t != DType::kBool, "\"addcmul_cpu_out\" not implemented for 'Bool'");
  // An integer result takes the value's whole part.
  const Scalar v = is_floating(t) ? value : Scalar(value.to_int());
  Tensor y = ternary(SC_ADDCMUL, self, tensor1, tensor2, t, {{v.to_double()}});
  return elementwise("AddcmulBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(tensor1, [v, tensor2 = saved(tensor2)](const Tensor& g) { return g * (tensor2() * v); })
      .wrt(tensor2, [v, tensor1 = saved(tensor1)](const Tensor& g) { return g * (tensor1() * v); });
}
OP("addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor", addcmul,
   kFunction | kMethod | kInPlace,
   R"(Adds a scaled product: `self + value * tensor1 * tensor2`.

Shapes broadcast; the dtype follows type promotion. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.addcmul.html

@example
torch.tensor([1, 2]).addcmul(torch.tensor([3, 4]), torch.tensor([5, 6]), { value: 0.5 }) // tensor([ 8.5000, 14.0000])
)");

Tensor addcdiv(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value) {
  SC_CHECK(
      !is_integral(tensor1.dtype()) || !is_integral(tensor2.dtype()),
      "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a "
      "true division of tensor1 "
      "and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 "
      "/ "
      "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float "
      "inputs. The future addcdiv "
      "behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.");
  const DType t = common_type(self, tensor1, tensor2);
  Tensor y = ternary(SC_ADDCDIV, self, tensor1, tensor2, t, {{value.to_double()}});
  return elementwise("AddcdivBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(tensor1,
           [value, tensor2 = saved(tensor2)](const Tensor& g) { return g * (value * reciprocal(tensor2())); })
      .wrt(tensor2, [value, tensor1 = saved(tensor1), tensor2 = saved(tensor2)](const Tensor& g) {
        return -g * (tensor1() * value / (tensor2() * tensor2()));
      });
}
OP("addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor", addcdiv,
   kFunction | kMethod | kInPlace,
   R"(Adds a scaled quotient: `self + value * tensor1 / tensor2`.

Shapes broadcast; the dtype follows type promotion. Throws when `tensor1` and `tensor2` are both integer.

See https://docs.pytorch.org/docs/stable/generated/torch.addcdiv.html

@example
torch.tensor([1, 2]).addcdiv(torch.tensor([6, 8]), torch.tensor([3, 2]), { value: 2 }) // tensor([ 5., 10.])
)");

}  // namespace sconce::ops
