// Data types, scalars and PyTorch's type promotion.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>

#include "../backend/common.h"

namespace sconce {

enum class DType : int8_t {
  kFloat32 = SC_FLOAT32,
  kFloat64 = SC_FLOAT64,
  kFloat16 = SC_FLOAT16,
  kBFloat16 = SC_BFLOAT16,
  kInt64 = SC_INT64,
  kInt32 = SC_INT32,
  kInt16 = SC_INT16,
  kInt8 = SC_INT8,
  kUInt8 = SC_UINT8,
  kBool = SC_BOOL,
};
constexpr int kNumDTypes = 10;

constexpr int64_t kItemSize[kNumDTypes] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
inline int64_t item_size(DType t) { return kItemSize[static_cast<int>(t)]; }
inline bool is_floating(DType t) { return static_cast<int>(t) <= SC_BFLOAT16; }
inline bool is_reduced_floating(DType t) { return t == DType::kFloat16 || t == DType::kBFloat16; }
inline bool is_integral(DType t, bool include_bool = true) {
  return static_cast<int>(t) >= SC_INT64 && (include_bool || t != DType::kBool);
}
const char* dtype_name(DType t);  // "float32"
const char* scalar_type_name(
    DType t);  // PyTorch's C++ name as its error messages print it: "Float", "Double", "Half", "BFloat16",
               // "Long", "Int", "Short", "Char", "Byte", "Bool"

// A number as the caller wrote it: floating, integer or boolean.
class Scalar {
 public:
  Scalar() : kind_(kInt), i_(0) {}
  Scalar(double v) : kind_(kFloat), f_(v) {}       // NOLINT: implicit by design
  Scalar(float v) : kind_(kFloat), f_(v) {}        // NOLINT
  Scalar(int v) : kind_(kInt), i_(v) {}            // NOLINT
  Scalar(int64_t v) : kind_(kInt), i_(v) {}        // NOLINT
  Scalar(bool v) : kind_(kBool), i_(v ? 1 : 0) {}  // NOLINT
  bool is_floating() const { return kind_ == kFloat; }
  bool is_integral(bool include_bool = false) const {
    return kind_ == kInt || (include_bool && kind_ == kBool);
  }
  bool is_bool() const { return kind_ == kBool; }
  double to_double() const { return kind_ == kFloat ? f_ : static_cast<double>(i_); }
  int64_t to_int() const;  // truncates; out of range wraps as PyTorch's conversion does
  bool to_bool() const { return kind_ == kFloat ? f_ != 0 : i_ != 0; }
  ScScalar to_c() const {
    ScScalar s;
    s.is_float = kind_ == kFloat;
    if (s.is_float)
      s.v.f = f_;
    else
      s.v.i = i_;
    return s;
  }
  bool equals(double v) const { return to_double() == v; }
  Scalar operator-() const { return kind_ == kFloat ? Scalar(-f_) : Scalar(-i_); }

 private:
  enum Kind : int8_t { kFloat, kInt, kBool } kind_;
  union {
    double f_;
    int64_t i_;
  };
};

DType promote_types(DType a, DType b);
DType default_dtype();  // per thread; float32 unless set_default_dtype
void set_default_dtype(DType t);
bool can_cast(DType from, DType to);

}  // namespace sconce
