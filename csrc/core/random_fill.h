#pragma once

// Fills of contiguous buffers that draw PyTorch's values in PyTorch's order from a Generator. See
// docs/random.md.
//
// T is float, double, bool, an integer type, or a 16-bit float type that converts to and from float.
// The caller holds generator.mutex().

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "generator.h"

namespace sconce {
namespace random_fill {

// Precision in which a real dtype is drawn: double for double, float for everything smaller.
template <typename T>
using Draw = std::conditional_t<std::is_same_v<T, double>, double, float>;

// Mantissa digits of a dtype; a type without numeric_limits gives its own overload through kDigits<T>.
template <typename T>
inline constexpr int kDigits = std::numeric_limits<T>::digits;

// In [0, 1), on a grid of 2^-24 (float, one 32-bit draw) or 2^-53 (double, two draws).
template <typename D>
inline D unit(Generator& generator) {
  if constexpr (std::is_same_v<D, double>) {
    return static_cast<double>(generator.random64() & ((1ull << 53) - 1)) * 0x1p-53;
  } else {
    return static_cast<float>(generator.random() & ((1u << 24) - 1)) * 0x1p-24f;
  }
}

// A standard normal number by Box-Muller; every second call returns the half kept by the one before.
double normal_sample(Generator& generator);

// In-place on blocks of 16 numbers of [0, 1): the first 8 give radii, the last 8 angles.
void box_muller(float* data, int64_t blocks, float mean, float std);
void box_muller(double* data, int64_t blocks, double mean, double std);
// data[i] = from + data[i] * (to - from), rounded once.
void scale(float* data, int64_t n, float from, float to);
void scale(double* data, int64_t n, double from, double to);

inline constexpr int64_t kChunk = 512;  // numbers kept on the stack; a multiple of 16

template <typename T>
void uniform(Generator& generator, T* out, int64_t n, double from, double to) {
  using D = Draw<T>;
  const T low = static_cast<T>(static_cast<D>(from));
  const T high = static_cast<T>(static_cast<D>(to));
  D buffer[kChunk];
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t count = std::min(kChunk, n - begin);
    for (int64_t i = 0; i < count; ++i) buffer[i] = unit<D>(generator);
    if (from != 0 || to != 1) scale(buffer, count, static_cast<D>(from), static_cast<D>(to));
    // Rounding to T may reach the excluded upper bound.
    for (int64_t i = 0; i < count; ++i) {
      const T value = static_cast<T>(buffer[i]);
      out[begin + i] = static_cast<D>(value) == static_cast<D>(high) ? low : value;
    }
  }
}

// The order for 16 and more contiguous numbers. Below that, and for other layouts, use normal_serial.
template <typename T>
void normal_blocks(Generator& generator, T* out, int64_t n, double mean, double std) {
  using D = Draw<T>;
  const D m = static_cast<D>(mean);
  const D s = static_cast<D>(std);
  if constexpr (std::is_same_v<T, D>) {
    for (int64_t i = 0; i < n; ++i) out[i] = unit<D>(generator);
    box_muller(out, n / 16, m, s);
    if (n % 16 != 0) {  // the last 16 numbers are drawn anew
      T* tail = out + n - 16;
      for (int i = 0; i < 16; ++i) tail[i] = unit<D>(generator);
      box_muller(tail, 1, m, s);
    }
  } else {
    D block[16];
    auto draw = [&](T* to) {
      for (D& x : block) x = unit<D>(generator);
      box_muller(block, 1, m, s);
      for (int i = 0; i < 16; ++i) to[i] = static_cast<T>(block[i]);
    };
    for (int64_t i = 0; i + 16 <= n; i += 16) draw(out + i);
    if (n % 16 != 0) draw(out + n - 16);
  }
}

template <typename T>
void normal_serial(Generator& generator, T* out, int64_t n, double mean, double std) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<T>(static_cast<Draw<T>>(std::fma(normal_sample(generator), std, mean)));
  }
}

template <typename T>
void normal(Generator& generator, T* out, int64_t n, double mean, double std) {
  if (n >= 16) {
    normal_blocks(generator, out, n, mean, std);
  } else {
    normal_serial(generator, out, n, mean, std);
  }
}

template <typename T>
void log_normal(Generator& generator, T* out, int64_t n, double mean, double std) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<T>(static_cast<Draw<T>>(std::exp(std::fma(normal_sample(generator), std, mean))));
  }
}

template <typename T>
void exponential(Generator& generator, T* out, int64_t n, double lambda) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<T>(static_cast<Draw<T>>(-1.0 / lambda * std::log1p(-unit<double>(generator))));
  }
}

template <typename T>
void cauchy(Generator& generator, T* out, int64_t n, double median, double sigma) {
  constexpr double kPi = 3.14159265358979323846;
  for (int64_t i = 0; i < n; ++i) {
    const double angle = std::tan(kPi * (unit<double>(generator) - 0.5));
    out[i] = static_cast<T>(static_cast<Draw<T>>(std::fma(sigma, angle, median)));
  }
}

template <typename T>
void geometric(Generator& generator, T* out, int64_t n, double p) {
  for (int64_t i = 0; i < n; ++i) {
    const double value = std::ceil(std::log(unit<double>(generator)) / std::log1p(-p));
    if constexpr (std::is_integral_v<T>) {
      out[i] = static_cast<T>(static_cast<int64_t>(value));
    } else {
      out[i] = static_cast<T>(static_cast<Draw<T>>(value));
    }
  }
}

// One or zero with the same probability everywhere: two draws each, whatever T is.
template <typename T>
void bernoulli(Generator& generator, T* out, int64_t n, double p) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(unit<double>(generator) < p ? 1.f : 0.f);
}

// One probability per number: two draws each for double probabilities, one for float and smaller ones.
template <typename T, typename P>
void bernoulli_each(Generator& generator, T* out, const P* p, int64_t n) {
  using D = Draw<P>;
  for (int64_t i = 0; i < n; ++i)
    out[i] = static_cast<T>(unit<D>(generator) < static_cast<D>(p[i]) ? 1.f : 0.f);
}

template <typename T>
T from_integer(int64_t value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(value);
  } else {
    return static_cast<T>(static_cast<float>(value));
  }
}

// Integers of [base, base + range). A range that 32 bits cover only unevenly takes 64-bit draws.
template <typename T>
void random_from_to(Generator& generator, T* out, int64_t n, uint64_t range, int64_t base) {
  const bool wide = range >= (1ull << 28);
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t draw = wide ? generator.random64() : generator.random();
    out[i] = from_integer<T>(static_cast<int64_t>(draw % range + static_cast<uint64_t>(base)));
  }
}

// Every value of int64.
template <typename T>
void random_full_range(Generator& generator, T* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = from_integer<T>(static_cast<int64_t>(generator.random64()));
}

// The default of random_(): [0, max] for integers, [0, 2^mantissa digits] for floats, where integers stay
// exact.
template <typename T>
void random(Generator& generator, T* out, int64_t n) {
  constexpr bool kWide = std::is_same_v<T, double> || std::is_same_v<T, int64_t>;
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t draw = kWide ? generator.random64() : generator.random();
    if constexpr (std::is_same_v<T, bool>) {
      out[i] = (draw & 1) != 0;
    } else if constexpr (std::is_integral_v<T>) {
      out[i] = static_cast<T>(draw % (static_cast<uint64_t>(std::numeric_limits<T>::max()) + 1));
    } else {
      out[i] = from_integer<T>(static_cast<int64_t>(draw % ((1ull << kDigits<T>)+1)));
    }
  }
}

// A permutation of 0 .. n - 1.
template <typename T>
void randperm(Generator& generator, T* out, int64_t n) {
  // Up to here the bias of `32-bit draw % k` is below one part in 20.
  constexpr int64_t kMax32 = std::numeric_limits<uint32_t>::max() / 20;
  for (int64_t i = 0; i < n; ++i) out[i] = from_integer<T>(i);
  for (int64_t i = 0; i + 1 < n; ++i) {
    const uint64_t left = static_cast<uint64_t>(n - i);
    const uint64_t draw = n < kMax32 ? generator.random() : generator.random64();
    std::swap(out[i], out[i + static_cast<int64_t>(draw % left)]);
  }
}

}  // namespace random_fill
}  // namespace sconce
