#include "dtype.h"

#include "error.h"
#include "tensor.h"
#include "thread_state.h"

namespace sconce {

__thread ThreadState t_state __attribute__((tls_model("initial-exec")));

const char* dtype_name(DType t) {
  static const char* const names[] = {"float32", "float64", "float16", "bfloat16", "int64",
                                      "int32",   "int16",   "int8",    "uint8",    "bool"};
  return names[static_cast<int>(t)];
}

const char* scalar_type_name(DType t) {
  static const char* const names[] = {"Float", "Double", "Half", "BFloat16", "Long",
                                      "Int",   "Short",  "Char", "Byte",     "Bool"};
  return names[static_cast<int>(t)];
}

int64_t Scalar::to_int() const {
  if (kind_ != kFloat) return i_;
  if (std::isnan(f_)) return INT64_MIN;
  if (f_ >= 9223372036854775808.0 || f_ < -9223372036854775808.0) return INT64_MIN;
  return static_cast<int64_t>(f_);
}

DType promote_types(DType a, DType b) {
  if (a == b) return a;
  if (a == DType::kBool) return b;
  if (b == DType::kBool) return a;
  const bool fa = is_floating(a), fb = is_floating(b);
  if (fa != fb) return fa ? a : b;
  if (fa) {
    if (a == DType::kFloat64 || b == DType::kFloat64) return DType::kFloat64;
    return DType::kFloat32;  // any two different ones of float32, float16, bfloat16
  }
  if (a == DType::kUInt8 || b == DType::kUInt8) {  // unsigned with signed: the next wider signed type
    const DType other = a == DType::kUInt8 ? b : a;
    return other == DType::kInt8 ? DType::kInt16 : other;
  }
  return static_cast<int>(a) < static_cast<int>(b) ? a : b;  // enum order: int64, int32, int16, int8
}

DType default_dtype() { return thread_state().default_dtype; }
void set_default_dtype(DType t) {
  SC_CHECK_TYPE(is_floating(t), "only floating-point types are supported as the default type");
  thread_state().default_dtype = t;
}

static int category(DType t) { return is_floating(t) ? 3 : t == DType::kBool ? 1 : 2; }

bool can_cast(DType from, DType to) {
  return category(from) <= category(to) || (category(from) == 2 && category(to) == 3);
}

void PromotionState::add(const Tensor& t) {
  const DType d = t.dtype();
  if (t.dim() > 0) {
    dimmed = has_dimmed ? promote_types(dimmed, d) : d;
    has_dimmed = true;
  } else {
    zero_dim = has_zero ? promote_types(zero_dim, d) : d;
    has_zero = true;
  }
}

void PromotionState::add(const Scalar& s) {
  const DType d = s.is_floating() ? default_dtype() : s.is_bool() ? DType::kBool : DType::kInt64;
  number = has_number ? promote_types(number, d) : d;
  has_number = true;
}

// A lower-priority operand changes the result only when its category is higher.
static DType combine(bool has_a, DType a, bool has_b, DType b) {
  if (!has_a) return b;
  if (!has_b) return a;
  return category(b) > category(a) ? promote_types(a, b) : a;
}

DType PromotionState::result() const {
  const DType low = combine(has_zero, zero_dim, has_number, number);
  return combine(has_dimmed, dimmed, has_zero || has_number, low);
}

DType result_type(const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return a.dtype();
  PromotionState s;
  s.add(a);
  s.add(b);
  return s.result();
}

DType result_type(const Tensor& a, const Scalar& b) {
  const DType d = a.dtype();
  if (is_floating(d) || b.is_bool()) return d;
  if (!b.is_floating()) return d == DType::kBool ? DType::kInt64 : d;
  return default_dtype();
}

}  // namespace sconce
