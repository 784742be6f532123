#include "random_fill.h"

#include <cstring>

namespace sconce {
namespace random_fill {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Note [Fused multiply-add]
// PyTorch's x86 builds contract `a * b + c` into one rounding, so the same bits need std::fma here. Where the
// processor has the instruction, the inner loops are compiled once more with it; the portable build of the
// same loops calls the C library and gives the same numbers.
#if defined(__x86_64__) && defined(__GNUC__)
#define SCONCE_FMA_CLONES 1
#define SCONCE_INLINE __attribute__((always_inline)) inline
bool has_fma() {
  static const bool value = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
  return value;
}
#else
#define SCONCE_INLINE inline
#endif

template <typename D>
SCONCE_INLINE void scale_loop(D* data, int64_t n, D from, D range) {
  for (int64_t i = 0; i < n; ++i) data[i] = std::fma(data[i], range, from);
}

// Single-precision log, sine and cosine after Moshier's Cephes library (minimax polynomials, log on
// [sqrt(1/2), sqrt(2)), sine and cosine on [0, pi/4]). The C library's are as good, but then the last bit
// would differ from PyTorch's stream; these are also branch-free, hence vectorised by the compiler.
SCONCE_INLINE float log_f(float x) {  // x normal and positive
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  float exponent = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126);
  bits = (bits & 0x007fffffu) | 0x3f000000u;
  float m;  // in [1/2, 1)
  std::memcpy(&m, &bits, sizeof m);
  const bool small = m < 0.707106781186547524f;
  exponent = small ? exponent - 1.f : exponent;
  const float r = small ? (m - 1.f) + m : m - 1.f;
  const float r2 = r * r;
  float y = 7.0376836292e-2f;
  y = std::fma(y, r, -1.1514610310e-1f);
  y = std::fma(y, r, 1.1676998740e-1f);
  y = std::fma(y, r, -1.2420140846e-1f);
  y = std::fma(y, r, 1.4249322787e-1f);
  y = std::fma(y, r, -1.6668057665e-1f);
  y = std::fma(y, r, 2.0000714765e-1f);
  y = std::fma(y, r, -2.4999993993e-1f);
  y = std::fma(y, r, 3.3333331174e-1f);
  y = y * r;
  y = std::fma(y, r2, exponent * -2.12194440e-4f);
  y = std::fma(r2, -0.5f, y);
  return std::fma(exponent, 0.693359375f, r + y);
}

SCONCE_INLINE void sin_cos_f(float x, float* sine, float* cosine) {  // x in [0, 2 pi]
  const int32_t octant = (static_cast<int32_t>(x * 1.27323954473516f) + 1) & ~1;
  const float k = static_cast<float>(octant);
  float r = std::fma(k, -0.78515625f, x);  // x - k pi/4, pi/4 in three parts
  r = std::fma(k, -2.4187564849853515625e-4f, r);
  r = std::fma(k, -3.77489497744594108e-8f, r);
  const float r2 = r * r;
  float c = 2.443315711809948e-5f;
  c = std::fma(c, r2, -1.388731625493765e-3f);
  c = std::fma(c, r2, 4.166664568298827e-2f);
  c = c * r2;
  c = std::fma(c, r2, r2 * -0.5f) + 1.f;
  float s = -1.9515295891e-4f;
  s = std::fma(s, r2, 8.3321608736e-3f);
  s = std::fma(s, r2, -1.6666654611e-1f);
  s = s * r2;
  s = std::fma(s, r, r);
  const bool swap = (octant & 2) != 0;
  const float sine_magnitude = swap ? c : s;
  const float cosine_magnitude = swap ? s : c;
  *sine = (octant & 4) != 0 ? -sine_magnitude : sine_magnitude;
  *cosine = ((octant + 2) & 4) != 0 ? -cosine_magnitude : cosine_magnitude;
}

SCONCE_INLINE void box_muller_loop(float* data, int64_t blocks, float mean, float std) {
  for (int64_t b = 0; b < blocks; ++b, data += 16) {
    for (int i = 0; i < 8; ++i) {
      const float radius = std::sqrt(-2.f * log_f(1.f - data[i]));
      float sine, cosine;
      sin_cos_f(static_cast<float>(2 * kPi) * data[i + 8], &sine, &cosine);
      data[i] = std::fma(radius * cosine, std, mean);
      data[i + 8] = std::fma(radius * sine, std, mean);
    }
  }
}

#ifdef SCONCE_FMA_CLONES
__attribute__((target("avx2,fma"))) void scale_fma(float* data, int64_t n, float from, float range) {
  scale_loop(data, n, from, range);
}
__attribute__((target("avx2,fma"))) void scale_fma(double* data, int64_t n, double from, double range) {
  scale_loop(data, n, from, range);
}
__attribute__((target("avx2,fma"))) void box_muller_fma(float* data, int64_t blocks, float mean, float std) {
  box_muller_loop(data, blocks, mean, std);
}
#endif

template <typename D>
void scale_any(D* data, int64_t n, D from, D to) {
#ifdef SCONCE_FMA_CLONES
  if (has_fma()) return scale_fma(data, n, from, to - from);
#endif
  scale_loop(data, n, from, to - from);
}

}  // namespace

double normal_sample(Generator& generator) {
  if (generator.next_double_normal_sample) {
    const double kept = *generator.next_double_normal_sample;
    generator.next_double_normal_sample.reset();
    return kept;
  }
  const double u1 = unit<double>(generator);
  const double u2 = unit<double>(generator);
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double theta = 2.0 * kPi * u1;
  generator.next_double_normal_sample = radius * std::sin(theta);
  return radius * std::cos(theta);
}

void scale(float* data, int64_t n, float from, float to) { scale_any(data, n, from, to); }
void scale(double* data, int64_t n, double from, double to) { scale_any(data, n, from, to); }

void box_muller(float* data, int64_t blocks, float mean, float std) {
#ifdef SCONCE_FMA_CLONES
  if (has_fma()) return box_muller_fma(data, blocks, mean, std);
#endif
  box_muller_loop(data, blocks, mean, std);
}

void box_muller(double* data, int64_t blocks, double mean, double std) {
  for (int64_t b = 0; b < blocks; ++b, data += 16) {
    for (int i = 0; i < 8; ++i) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - data[i]));
      const double theta = 2.0 * kPi * data[i + 8];
      data[i] = std::fma(radius * std::cos(theta), std, mean);
      data[i + 8] = std::fma(radius * std::sin(theta), std, mean);
    }
  }
}

}  // namespace random_fill
}  // namespace sconce
