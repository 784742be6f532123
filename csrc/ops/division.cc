// Division with rounding, and remainders.
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static DType checked_type(DType t, const char* kernel) {
  SC_CHECK(t != DType::kBool, "\"", kernel, "\" not implemented for 'Bool'");
  return t;
}

struct Rounding {
  ScBinaryOp op;
  const char* kernel;
};
static Rounding rounding(const std::string& mode) {
  SC_CHECK(mode == "trunc" || mode == "floor",
           "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", mode, "'");
  return mode == "trunc" ? Rounding{SC_DIV_TRUNC, "div_trunc_cpu"} : Rounding{SC_DIV_FLOOR, "div_floor_cpu"};
}

Tensor div_mode(const Tensor& self, const Tensor& other, const std::optional<std::string>& rounding_mode) {
  if (!rounding_mode) return div(self, other);
  const Rounding r = rounding(*rounding_mode);
  const DType t = checked_type(result_type(self, other), r.kernel);
  Tensor y = binary_as(r.op, self, other, t, t);
  const auto zero = [](const Tensor& g) { return zeros_like_raw(g); };
  return elementwise("DivBackward2", y).wrt(self, zero).wrt(other, zero);
}
OP("div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor", div_mode,
   kFunction | kMethod | kInPlace, "");

static Tensor div_scalar_mode(const Tensor& self, const Scalar& other,
                              const std::optional<std::string>& rounding_mode) {
  if (!rounding_mode) return div_scalar(self, other);
  const Rounding r = rounding(*rounding_mode);
  const DType t = checked_type(result_type(self, other), r.kernel);
  Tensor y = binary_as(r.op, self, other, t, t);
  return elementwise("DivBackward2", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
OP("div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor", div_scalar_mode,
   kFunction | kMethod | kInPlace, "");

static Tensor div_number(const Scalar& self, const Tensor& other) {
  return mul_scalar(reciprocal(other), self);
}
OP("div.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", div_number, kFunction, "");

#define SC_DIV_ALIAS(name)                                                                                \
  OP(name ".Tensor(Tensor self, Tensor other) -> Tensor", div, kFunction | kMethod | kInPlace | kDirect,  \
     "Another name of `div`.\n\n@example\ntorch.tensor([1, 3])." name "(2) // tensor([0.5000, 1.5000])"); \
  OP(name ".Scalar(Tensor self, Scalar other) -> Tensor", div_scalar,                                     \
     kFunction | kMethod | kInPlace | kDirect, "");
SC_DIV_ALIAS("true_divide")
SC_DIV_ALIAS("divide")
OP("divide.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor", div_mode,
   kFunction | kMethod | kInPlace, "");
OP("divide.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor", div_scalar_mode,
   kFunction | kMethod | kInPlace, "");

// ---- floor_divide: has no derivative in PyTorch either ----

static Tensor floor_divide(const Tensor& self, const Tensor& other) {
  const DType t = checked_type(result_type(self, other), "div_floor_cpu");
  return not_differentiable(binary_as(SC_DIV_FLOOR, self, other, t, t), "floor_divide", {self, other});
}
OP("floor_divide(Tensor self, Tensor other) -> Tensor", floor_divide,
   kFunction | kMethod | kInPlace | kDirect | kNoGrad,
   R"(Divides element by element, rounding down: `floor(self / other)`. Not differentiable.

Shapes broadcast; the dtype follows type promotion. Throws for bool tensors and when integers are divided by zero.

See https://docs.pytorch.org/docs/stable/generated/torch.floor_divide.html

@example
torch.tensor([7, -7]).floor_divide(2) // tensor([ 3., -4.])
)");
static Tensor floor_divide_scalar(const Tensor& self, const Scalar& other) {
  const DType t = checked_type(result_type(self, other), "div_floor_cpu");
  return not_differentiable(binary_as(SC_DIV_FLOOR, self, other, t, t), "floor_divide", {self});
}
OP("floor_divide.Scalar(Tensor self, Scalar other) -> Tensor", floor_divide_scalar,
   kFunction | kMethod | kInPlace | kDirect | kNoGrad, "");

// ---- fmod: the sign of self;  remainder: the sign of other ----

static Tensor fmod(const Tensor& self, const Tensor& other) {
  const DType t = checked_type(result_type(self, other), "fmod_cpu");
  Tensor y = binary_as(SC_FMOD, self, other, t, t);
  return elementwise("FmodBackward1", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return -g * div_mode(self(), other(), "trunc");
      });
}
OP("fmod.Tensor(Tensor self, Tensor other) -> Tensor", fmod, kFunction | kMethod | kInPlace | kDirect,
   R"(Remainder of the division rounded towards zero, with the sign of `self`: `self - other * trunc(self / other)`.

Shapes broadcast; the dtype follows type promotion. Throws for bool tensors and when integers are divided by zero.

See https://docs.pytorch.org/docs/stable/generated/torch.fmod.html

@example
torch.tensor([-3, 5]).fmod(2) // tensor([-1.,  1.])
)");
static Tensor fmod_scalar(const Tensor& self, const Scalar& other) {
  const DType t = checked_type(result_type(self, other), "fmod_cpu");
  Tensor y = binary_as(SC_FMOD, self, other, t, t);
  return elementwise("FmodBackward0", y).wrt(self, [](const Tensor& g) { return g; });
}
OP("fmod.Scalar(Tensor self, Scalar other) -> Tensor", fmod_scalar, kFunction | kMethod | kInPlace | kDirect,
   "");

static Tensor remainder(const Tensor& self, const Tensor& other) {
  const DType t = checked_type(result_type(self, other), "remainder_cpu");
  Tensor y = binary_as(SC_REMAINDER, self, other, t, t);
  return elementwise("RemainderBackward1", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(other, [self = saved(self), other = saved(other)](const Tensor& g) {
        return -g * div_mode(self(), other(), "floor");
      });
}
OP("remainder.Tensor(Tensor self, Tensor other) -> Tensor", remainder,
   kFunction | kMethod | kInPlace | kDirect,
   R"(Remainder of the division rounded down, with the sign of `other`, as Python's `%`: `self - other * floor(self / other)`.

Shapes broadcast; the dtype follows type promotion. Throws for bool tensors and when integers are divided by zero.

See https://docs.pytorch.org/docs/stable/generated/torch.remainder.html

@example
torch.tensor([-3, 5]).remainder(2) // tensor([1., 1.])
)");
static Tensor remainder_scalar(const Tensor& self, const Scalar& other) {
  const DType t = checked_type(result_type(self, other), "remainder_cpu");
  Tensor y = binary_as(SC_REMAINDER, self, other, t, t);
  return elementwise("RemainderBackward0", y).wrt(self, [](const Tensor& g) { return g; });
}
OP("remainder.Scalar(Tensor self, Scalar other) -> Tensor", remainder_scalar,
   kFunction | kMethod | kInPlace | kDirect, "");
static Tensor remainder_of_number(const Scalar& self, const Tensor& other) {
  const DType t = checked_type(result_type(other, self), "remainder_cpu");
  return not_differentiable(binary_as(SC_REMAINDER, self, other, t, t), "remainder", {other});
}
OP("remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", remainder_of_number, kFunction | kNoGrad,
   "");

}  // namespace sconce::ops
