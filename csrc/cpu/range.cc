// start + i * step over a contiguous output.
#include "../backend/elementwise.h"
#include "../core/device.h"
#include "../core/float16.h"
#include "../core/parallel.h"

namespace sconce::cpu {
namespace {

double floating(const ScScalar& s) { return s.is_float ? s.v.f : static_cast<double>(s.v.i); }
int64_t integer(const ScScalar& s) { return s.is_float ? static_cast<int64_t>(s.v.f) : s.v.i; }

template <class T>
int32_t fill(const ScIter& it, const ScScalar& start, const ScScalar& step) {
  T* out = static_cast<T*>(it.data[0]);
  parallel_for(0, it.numel, 32768, [&](int64_t from, int64_t to) {
    if constexpr (std::is_integral_v<T>) {
      // Unsigned, because a range of the narrower types may wrap on its way.
      const auto a = static_cast<uint64_t>(integer(start)), b = static_cast<uint64_t>(integer(step));
      for (int64_t i = from; i < to; ++i) out[i] = static_cast<T>(a + static_cast<uint64_t>(i) * b);
    } else {
      using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const double a = floating(start), b = floating(step);
      for (int64_t i = from; i < to; ++i)
        out[i] = static_cast<T>(static_cast<Wide>(a + static_cast<double>(i) * b));
    }
  });
  return SC_OK;
}

int32_t range_kernel(const ScIter* it, ScScalar start, ScScalar step) {
  if (it->ndim != 1 || (it->numel > 1 && it->strides[0][0] != 1)) return SC_UNSUPPORTED;
  switch (it->dtype[0]) {
    case SC_FLOAT32:
      return fill<float>(*it, start, step);
    case SC_FLOAT64:
      return fill<double>(*it, start, step);
    case SC_FLOAT16:
      return fill<half_t>(*it, start, step);
    case SC_BFLOAT16:
      return fill<bfloat16_t>(*it, start, step);
    case SC_INT64:
      return fill<int64_t>(*it, start, step);
    case SC_INT32:
      return fill<int32_t>(*it, start, step);
    case SC_INT16:
      return fill<int16_t>(*it, start, step);
    case SC_INT8:
      return fill<int8_t>(*it, start, step);
    case SC_UINT8:
      return fill<uint8_t>(*it, start, step);
    case SC_BOOL:
      return fill<bool>(*it, start, step);
    default:
      return SC_UNSUPPORTED;
  }
}

SC_CPU_KERNEL(elementwise.range, range_kernel);

}  // namespace
}  // namespace sconce::cpu
