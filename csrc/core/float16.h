// Conversions of the 16-bit floating types, IEEE round-to-nearest-even.
#pragma once
#include <cstdint>
#include <cstring>

#ifndef SC_HD
#ifdef __CUDACC__
#define SC_HD __host__ __device__
#else
#define SC_HD
#endif
#endif

namespace sconce {

SC_HD inline float bits_to_float(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
SC_HD inline uint32_t float_to_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}

SC_HD inline float bfloat16_to_float(uint16_t h) { return bits_to_float(static_cast<uint32_t>(h) << 16); }
SC_HD inline uint16_t float_to_bfloat16(float f) {
  const uint32_t u = float_to_bits(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // NaN stays NaN
  return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}

SC_HD inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1f, mantissa = h & 0x3ffu;
  if (exponent == 0x1f) return bits_to_float(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float f = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
    return sign ? -f : f;
  }
  return bits_to_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
}
SC_HD inline uint16_t float_to_half(float f) {
  const uint32_t u = float_to_bits(f), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (a >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds past 65504
  if (a < 0x38800000u) {  // subnormal: add a magic number so that the FPU rounds
    const float r = bits_to_float(a) + 0.5f;
    return static_cast<uint16_t>(sign | (float_to_bits(r) - float_to_bits(0.5f)));
  }
  return static_cast<uint16_t>(sign | ((a + 0xfffu + ((a >> 13) & 1) - 0x38000000u) >> 13));
}

// Storage types that convert as they are read and written, so that kernels are written once for every dtype.
struct half_t {
  uint16_t bits;
  half_t() = default;
  SC_HD half_t(float f) : bits(float_to_half(f)) {}  // NOLINT: implicit
  SC_HD operator float() const { return half_to_float(bits); }
};
struct bfloat16_t {
  uint16_t bits;
  bfloat16_t() = default;
  SC_HD bfloat16_t(float f) : bits(float_to_bfloat16(f)) {}  // NOLINT: implicit
  SC_HD operator float() const { return bfloat16_to_float(bits); }
};

}  // namespace sconce
