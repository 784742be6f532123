// Random fills on the CPU: PyTorch's own stream, so drawn by one thread.
#include "../core/device.h"
#include "../core/float16.h"
#include "../core/random_fill.h"

namespace sconce {
namespace random_fill {
template <>
inline constexpr int kDigits<half_t> = 11;
template <>
inline constexpr int kDigits<bfloat16_t> = 8;
}  // namespace random_fill

namespace {

template <class T>
int32_t fill(int32_t op, const ScRandom& a) {
  Generator& g = *static_cast<Generator*>(a.generator);
  T* out = static_cast<T*>(a.out);
  const int64_t n = a.numel;
  switch (op) {
    case SC_RAND_BERNOULLI:
      random_fill::bernoulli(g, out, n, a.p[0]);
      return SC_OK;
    case SC_RAND_BERNOULLI_EACH:
      switch (a.prob_dtype) {
        case SC_FLOAT32:
          random_fill::bernoulli_each(g, out, static_cast<const float*>(a.prob), n);
          return SC_OK;
        case SC_FLOAT64:
          random_fill::bernoulli_each(g, out, static_cast<const double*>(a.prob), n);
          return SC_OK;
        case SC_FLOAT16:
          random_fill::bernoulli_each(g, out, static_cast<const half_t*>(a.prob), n);
          return SC_OK;
        case SC_BFLOAT16:
          random_fill::bernoulli_each(g, out, static_cast<const bfloat16_t*>(a.prob), n);
          return SC_OK;
        default:
          return SC_UNSUPPORTED;
      }
    case SC_RAND_FROM_TO:
      if (a.range == 0)
        random_fill::random_full_range(g, out, n);
      else
        random_fill::random_from_to(g, out, n, a.range, a.base);
      return SC_OK;
    case SC_RAND_DEFAULT:
      random_fill::random(g, out, n);
      return SC_OK;
    case SC_RAND_PERMUTATION:
      random_fill::randperm(g, out, n);
      return SC_OK;
    default:
      break;
  }
  if constexpr (!std::is_same_v<T, bool>) {
    if (op == SC_RAND_GEOMETRIC) {
      random_fill::geometric(g, out, n, a.p[0]);
      return SC_OK;
    }
  }
  if constexpr (!std::is_integral_v<T>) {
    switch (op) {
      case SC_RAND_UNIFORM:
        random_fill::uniform(g, out, n, a.p[0], a.p[1]);
        return SC_OK;
      case SC_RAND_NORMAL:
        if (a.serial)
          random_fill::normal_serial(g, out, n, a.p[0], a.p[1]);
        else
          random_fill::normal(g, out, n, a.p[0], a.p[1]);
        return SC_OK;
      case SC_RAND_LOG_NORMAL:
        random_fill::log_normal(g, out, n, a.p[0], a.p[1]);
        return SC_OK;
      case SC_RAND_EXPONENTIAL:
        random_fill::exponential(g, out, n, a.p[0]);
        return SC_OK;
      case SC_RAND_CAUCHY:
        random_fill::cauchy(g, out, n, a.p[0], a.p[1]);
        return SC_OK;
      default:
        break;
    }
  }
  return SC_UNSUPPORTED;
}

int32_t fill_kernel(int32_t op, const ScRandom* a) {
  switch (a->dtype) {
    case SC_FLOAT32:
      return fill<float>(op, *a);
    case SC_FLOAT64:
      return fill<double>(op, *a);
    case SC_FLOAT16:
      return fill<half_t>(op, *a);
    case SC_BFLOAT16:
      return fill<bfloat16_t>(op, *a);
    case SC_INT64:
      return fill<int64_t>(op, *a);
    case SC_INT32:
      return fill<int32_t>(op, *a);
    case SC_INT16:
      return fill<int16_t>(op, *a);
    case SC_INT8:
      return fill<int8_t>(op, *a);
    case SC_UINT8:
      return fill<uint8_t>(op, *a);
    case SC_BOOL:
      return fill<bool>(op, *a);
    default:
      return SC_UNSUPPORTED;
  }
}

SC_CPU_KERNEL(random.fill, fill_kernel);

}  // namespace
}  // namespace sconce
