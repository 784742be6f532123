// Random integers and permutations. docs/random.md says which draws each operator takes.
#include <algorithm>
#include <cmath>

#include "../core/float16.h"
#include "pointwise.h"
#include "random.h"

namespace sconce::ops {

// ---- random_ and randint ----
namespace {

int mantissa_digits(DType t) {
  switch (t) {
    case DType::kFloat64:
      return 53;
    case DType::kFloat32:
      return 24;
    case DType::kFloat16:
      return 11;
    default:
      return 8;
  }
}
struct IntRange {
  int64_t low, high;
};
IntRange range_of(DType t) {
  switch (t) {
    case DType::kInt32:
      return {INT32_MIN, INT32_MAX};
    case DType::kInt16:
      return {INT16_MIN, INT16_MAX};
    case DType::kInt8:
      return {INT8_MIN, INT8_MAX};
    case DType::kUInt8:
      return {0, UINT8_MAX};
    case DType::kBool:
      return {0, 1};
    default:
      return {INT64_MIN, INT64_MAX};
  }
}
void check_bound(int64_t v, const char* what, DType t) {
  static const char* const c_names[] = {"float", "double", "c10::Half",   "c10::BFloat16", "long",
                                        "int",   "short",  "signed char", "unsigned char", "bool"};
  const bool inside = is_floating(t) ? std::abs(static_cast<double>(v)) <= largest(t)
                                     : v >= range_of(t).low && v <= range_of(t).high;
  SC_CHECK(inside, what, " is out of bounds for ", c_names[static_cast<int>(t)]);
}

// The integer that a floating dtype makes of `v`.
int64_t rounded(int64_t v, DType t) {
  const auto f = static_cast<float>(v);
  switch (t) {
    case DType::kFloat64:
      return static_cast<int64_t>(static_cast<double>(v));
    case DType::kFloat32:
      return static_cast<int64_t>(f);
    case DType::kFloat16:
      return std::abs(f) > 65504 ? v : static_cast<int64_t>(half_to_float(float_to_half(f)));
    default:
      return static_cast<int64_t>(bfloat16_to_float(float_to_bfloat16(f)));
  }
}
// The distance between neighbours of the dtype around `v`.
int64_t spacing(int64_t v, DType t) {
  int log2 = 0;
  while ((v < 0 ? -v : v) >> (log2 + 1)) ++log2;
  return int64_t{1} << std::max(log2 - mantissa_digits(t) + 1, 0);
}
// A float cannot hold every integer: bounds that would round outwards move inwards to ones it can hold.
int64_t inner_from(int64_t from, DType t) {
  const int64_t next = rounded(from + 1, t);
  return next < from ? next + spacing(from + 1, t) : from;
}
int64_t inner_to(int64_t to, DType t) {
  const int64_t last = rounded(to - 1, t);
  return last >= to ? last - spacing(to - 1, t) : to;
}

void random_from_to(const Tensor& self, int64_t from, int64_t to, Generator* generator) {
  const DType t = self.dtype();
  int64_t low = from, high = to;
  SC_CHECK(low < high, "random_ expects 'from' to be less than 'to', but got from=", low, " >= to=", high);
  if (is_floating(t)) {
    low = inner_from(low, t);
    high = inner_to(high, t);
    SC_CHECK(low < high,
             "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got from=",
             low, " >= to=", high);
  }
  check_bound(low, "from", t);
  check_bound(high - 1, "to - 1", t);
  ScRandom a{};
  a.base = low;
  a.range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  fill_random(SC_RAND_FROM_TO, "random_", self, generator, a);
}

}  // namespace

static Tensor random_(const Tensor& self, Generator* generator) {
  return overwrite("RandomBackward2", self,
                   [&] { fill_random(SC_RAND_DEFAULT, "random_", self, generator, 0.0); });
}
OP("random_(Tensor self, *, Generator? generator=None) -> Tensor", random_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with integers drawn evenly from [`from`, `to`); without bounds, from 0 to the largest integer that the dtype holds exactly.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.random_.html

@example
torch.manual_seed(0)
torch.empty(3).random_(10) // tensor([4., 9., 3.])
)");
static Tensor random_to_(const Tensor& self, int64_t to, Generator* generator) {
  return overwrite("RandomBackward1", self, [&] { random_from_to(self, 0, to, generator); });
}
OP("random_.to(Tensor self, int to, *, Generator? generator=None) -> Tensor", random_to_,
   kMethod | kWritesSelf | kRandom | kNoGrad, "");
static Tensor random_from_(const Tensor& self, int64_t from, int64_t to, Generator* generator) {
  return overwrite("RandomBackward0", self, [&] { random_from_to(self, from, to, generator); });
}
OP("random_.from(Tensor self, int from, int to, *, Generator? generator=None) -> Tensor", random_from_,
   kMethod | kWritesSelf | kRandom | kNoGrad, "");

static Tensor randint_low(int64_t low, int64_t high, const Dims& size, Generator* generator,
                          const std::optional<DType>& dtype, const std::optional<Device>& device) {
  Tensor y = empty(size, dtype.value_or(DType::kInt64), device.value_or(Device()));
  random_from_to(y, low, high, generator);
  return y;
}
static Tensor randint(int64_t high, const Dims& size, Generator* generator, const std::optional<DType>& dtype,
                      const std::optional<Device>& device) {
  return randint_low(0, high, size, generator, dtype, device);
}
OP("randint(int high, int[] size, *, Generator? generator=None, ScalarType? dtype=None, Device? device=None) "
   "-> Tensor",
   randint, kFunction | kRandom | kNoGrad,
   R"(Integers drawn evenly from [`low`, `high`), with `low` 0 when left out; int64 unless `dtype` says otherwise.

See https://docs.pytorch.org/docs/stable/generated/torch.randint.html

@example
torch.manual_seed(0)
torch.randint(10, [3]) // tensor([4, 9, 3])
torch.randint(3, 4, [2]) // tensor([3, 3])
)");
OP("randint.low(int low, int high, int[] size, *, Generator? generator=None, ScalarType? dtype=None, Device? "
   "device=None) -> Tensor",
   randint_low, kFunction | kRandom | kNoGrad, "");

static Tensor randint_like_low(const Tensor& self, int64_t low, int64_t high,
                               const std::optional<DType>& dtype, const std::optional<Device>& device) {
  Tensor y = empty_as(self, dtype, device);
  random_from_to(y, low, high, nullptr);
  return y;
}
static Tensor randint_like(const Tensor& self, int64_t high, const std::optional<DType>& dtype,
                           const std::optional<Device>& device) {
  return randint_like_low(self, 0, high, dtype, device);
}
OP("randint_like(Tensor self, int high, *, ScalarType? dtype=None, Device? device=None) -> Tensor",
   randint_like, kFunction | kRandom | kNoGrad,
   R"(As `randint`, in the shape and dtype of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.randint_like.html

@example
torch.randint_like(torch.zeros(2, 3), 5).shape // [2, 3]
)");
OP("randint_like.low_dtype(Tensor self, int low, int high, *, ScalarType? dtype=None, Device? device=None) "
   "-> Tensor",
   randint_like_low, kFunction | kRandom | kNoGrad, "");

// ---- randperm ----
static Tensor randperm(int64_t n, Generator* generator, const std::optional<DType>& dtype,
                       const std::optional<Device>& device) {
  const DType t = dtype.value_or(DType::kInt64);
  SC_CHECK(n >= 0, "Trying to create tensor with negative dimension ", n, ": [", n, "]");
  SC_CHECK(t != DType::kBool, "\"randperm\" not implemented for 'Bool'");
  if (is_floating(t))
    SC_CHECK(n <= int64_t{1} << mantissa_digits(t), "n is too large for result tensor type: '", dtype_name(t),
             "'");
  else
    SC_CHECK(n <= range_of(t).high, "value cannot be converted to type ", dtype_name(t),
             "_t without overflow");
  Tensor y = empty({n}, t, device.value_or(Device()));
  fill_random(SC_RAND_PERMUTATION, "randperm", y, generator, 0.0);
  return y;
}
OP("randperm(int n, *, Generator? generator=None, ScalarType? dtype=None, Device? device=None) -> Tensor",
   randperm, kFunction | kRandom | kNoGrad,
   R"(The integers from 0 to `n - 1` in random order.

See https://docs.pytorch.org/docs/stable/generated/torch.randperm.html

@example
torch.manual_seed(0)
torch.randperm(4) // tensor([0, 1, 3, 2])
)");

}  // namespace sconce::ops
