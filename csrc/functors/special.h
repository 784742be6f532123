// Scalar functions that the standard library lacks, and constants.
#pragma once
#include "common.h"

namespace sconce::fn {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kInvSqrt2Pi = 0.39894228040143267794;  // of the normal density
constexpr double kInvLn2 = 1.44269504088896340736;
constexpr double kPi = 3.14159265358979323846;
constexpr double kGeluCubic = 0.044715;

template <class T>
SC_HD inline T negate(T x) {
  if constexpr (std::is_integral_v<T>)
    return sub_wrapped(T(0), x);
  else
    return -x;
}
template <class T>
SC_HD inline T absolute(T x) {
  if constexpr (std::is_integral_v<T>)
    return x < T(0) ? sub_wrapped(T(0), x) : x;
  else
    return std::fabs(x);
}
template <class T>
SC_HD inline T bit_not(T x) {
  if constexpr (std::is_same_v<T, bool>)
    return !x;
  else
    return static_cast<T>(~x);
}
template <class T>
SC_HD inline bool sign_bit(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::signbit(x);
  else
    return x < T(0);
}

// Half to even, at `decimals` places; negative ones round to tens, hundreds, ...
template <class T>
SC_HD inline T round_decimals(T x, T decimals) {
  if (decimals == T(0)) return std::rint(x);
  const T scale = static_cast<T>(std::pow(10.0, static_cast<double>(std::fabs(decimals))));
  return decimals > T(0) ? std::rint(x * scale) / scale : std::rint(x / scale) * scale;
}

// The inverse of erf: a logarithmic first guess (Winitzki), made exact by Halley steps on erf in double.
template <class T>
SC_HD inline T erfinv(T y0) {
  const double y = static_cast<double>(y0), a = std::fabs(y);
  if (!(a < 1)) return static_cast<T>(a == 1 ? y * static_cast<double>(INFINITY) : static_cast<double>(NAN));
  const double c = 0.147, l = std::log1p(-y * y), h = 2 / (kPi * c) + l / 2;
  double x = std::sqrt(std::sqrt(h * h - l / c) - h);
  for (int i = 0; i < 3; ++i) {
    // Near 1 the difference is taken of the complements, which keep their digits.
    const double e = a > 0.5 ? (1 - a) - std::erfc(x) : std::erf(x) - a;
    const double u = e / (1.12837916709551257390 * std::exp(-x * x));
    x -= u / (1 + x * u);
  }
  return static_cast<T>(y < 0 ? -x : x);
}

template <class T>
SC_HD inline T log_gamma(T x) {
#ifdef __CUDA_ARCH__
  return lgamma(x);
#else
  int sign;  // lgamma itself writes a global, which threads would race on
  if constexpr (sizeof(T) == 4)
    return lgammaf_r(x, &sign);
  else
    return lgamma_r(x, &sign);
#endif
}

// Reflection for negative x, recurrence up to 10, then the asymptotic series.
template <class T>
SC_HD inline T digamma(T x0) {
  double x = static_cast<double>(x0), shift = 0;
  if (x == 0) return static_cast<T>(std::copysign(static_cast<double>(INFINITY), -x));
  if (x < 0) {
    if (x == std::trunc(x)) return static_cast<T>(NAN);
    shift = -kPi / std::tan(kPi * (x - std::trunc(x)));
    x = 1 - x;
  }
  while (x < 10) {
    shift -= 1 / x;
    x += 1;
  }
  if (is_inf(x)) return static_cast<T>(x);
  const double z = 1 / (x * x);
  const double series =
      z *
      (1.0 / 12 -
       z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
  return static_cast<T>(shift + std::log(x) - 0.5 / x - series);
}

// ---- division ----

// Towards minus infinity, so that floor_divide(a, b) * b + remainder(a, b) is a.
template <class T>
SC_HD inline T floor_divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == T(0)) return T(0);  // the kernel reports it
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return sub_wrapped(T(0), a);  // INT_MIN / -1 traps
    }
    const T q = static_cast<T>(a / b);
    return static_cast<T>(q - ((a % b != 0) && ((a < T(0)) != (b < T(0)))));
  } else {
    if (b == T(0)) return a / b;
    const T mod = std::fmod(a, b);
    T q = (a - mod) / b;
    if (mod != T(0) && ((b < T(0)) != (mod < T(0)))) q -= T(1);
    if (q == T(0)) return std::copysign(T(0), a / b);
    const T whole = std::floor(q);  // (a - mod) / b is a whole number up to rounding
    return q - whole > T(0.5) ? whole + T(1) : whole;
  }
}
template <class T>
SC_HD inline T trunc_divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == T(0)) return T(0);
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return sub_wrapped(T(0), a);
    }
    return static_cast<T>(a / b);
  } else {
    return std::trunc(a / b);
  }
}
// The remainder with the sign of the dividend.
template <class T>
SC_HD inline T mod_trunc(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == T(0)) return T(0);
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return T(0);
    }
    return static_cast<T>(a % b);
  } else {
    return std::fmod(a, b);
  }
}
// The remainder with the sign of the divisor, as Python's %.
template <class T>
SC_HD inline T mod_floor(T a, T b) {
  const T m = mod_trunc(a, b);
  return m != T(0) && ((b < T(0)) != (m < T(0))) ? add_wrapped(m, b) : m;
}

// ---- powers, shifts, divisors ----
template <class T>
SC_HD inline T power(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>) {
      if (b < T(0)) {  // 1 / a^|b|, truncated
        if (a == T(1)) return T(1);
        if (a == T(-1)) return b % 2 ? T(-1) : T(1);
        return T(0);
      }
    }
    T result = T(1), square = a;
    for (auto e = static_cast<uint64_t>(b); e; e >>= 1) {
      if (e & 1) result = mul_wrapped(result, square);
      square = mul_wrapped(square, square);
    }
    return result;
  } else {
    return std::pow(a, b);
  }
}
// A power by one exponent for all elements, which the common ones take cheaply. (2, 1 / 2, -1 / 2 and -1 have
// their own operations.)
template <class T>
SC_HD inline T power_of_number(T x, T exponent) {
  if (exponent == T(3)) return x * x * x;
  if (exponent == T(-2)) return T(1) / (x * x);
  return std::pow(x, exponent);
}
template <class T>
SC_HD inline T power_of_number_derivative(T x, T exponent) {
  if (exponent == T(0)) return T(0);
  if (exponent == T(3)) return T(3) * x * x;
  return exponent * std::pow(x, exponent - T(1));
}
template <class T>
SC_HD inline T shift_left(T a, T b) {
  constexpr int kBits = sizeof(T) * 8;
  if (b < T(0) || b >= T(kBits)) return T(0);
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) << b);
}
template <class T>
SC_HD inline T shift_right(T a, T b) {
  constexpr int kBits = sizeof(T) * 8;
  if (b < T(0) || b >= T(kBits)) return a < T(0) ? T(-1) : T(0);
  return static_cast<T>(a >> b);
}
template <class T>
SC_HD inline T greatest_common_divisor(T a, T b) {
  a = a < T(0) ? sub_wrapped(T(0), a) : a;
  b = b < T(0) ? sub_wrapped(T(0), b) : b;
  while (b != T(0)) {
    const T r = mod_trunc(a, b);
    a = b;
    b = r;
  }
  return a;
}
template <class T>
SC_HD inline T least_common_multiple(T a, T b) {
  const T g = greatest_common_divisor(a, b);
  if (g == T(0)) return T(0);
  const T m = mul_wrapped(static_cast<T>(a / g), b);
  return m < T(0) ? sub_wrapped(T(0), m) : m;
}

// ---- extremes: `maximum` lets a NaN through, `fmax` ignores it ----
template <class T>
SC_HD inline T maximum(T a, T b) {
  return a > b || is_nan(a) ? a : b;
}
template <class T>
SC_HD inline T minimum(T a, T b) {
  return a < b || is_nan(a) ? a : b;
}
template <class T>
SC_HD inline T fmaximum(T a, T b) {
  return a > b || is_nan(b) ? a : b;
}
template <class T>
SC_HD inline T fminimum(T a, T b) {
  return a < b || is_nan(b) ? a : b;
}

// ---- logarithms of two arguments ----
template <class T>
SC_HD inline T xlogy(T a, T b) {
  if (is_nan(b)) return b;
  return a == T(0) ? T(0) : a * std::log(b);
}
template <class T>
SC_HD inline T logaddexp(T a, T b) {
  if (is_inf(a) && a == b) return a;
  return maximum(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}
template <class T>
SC_HD inline T logaddexp2(T a, T b) {
  if (is_inf(a) && a == b) return a;
  return maximum(a, b) + std::log1p(std::exp2(-std::fabs(a - b))) * T(kInvLn2);
}

// ---- derivatives ----
template <class T>
SC_HD inline T gelu_derivative(T x) {
  const T cdf = T(0.5) * (T(1) + std::erf(x * T(kSqrtHalf)));
  return cdf + x * T(kInvSqrt2Pi) * std::exp(T(-0.5) * x * x);
}
template <class T>
SC_HD inline T gelu_tanh_derivative(T x) {
  const T t = std::tanh(T(kSqrt2OverPi) * (x + T(kGeluCubic) * x * x * x));
  const T inner = T(kSqrt2OverPi) * (T(1) + T(3 * kGeluCubic) * x * x);
  return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * inner;
}
template <class T>
SC_HD inline T silu_derivative(T x) {
  const T s = sigmoid(x);
  return s * (T(1) + x * (T(1) - s));
}
template <class T>
SC_HD inline T softplus_derivative(T x, T beta, T threshold) {
  const T z = x * beta;
  return z > threshold ? T(1) : sigmoid(z);
}

// a + w * (b - a), from the nearer end, so that both ends are met exactly.
template <class T>
SC_HD inline T lerp(T a, T b, T w) {
  return std::fabs(w) < T(0.5) ? a + w * (b - a) : b - (b - a) * (T(1) - w);
}

}  // namespace sconce::fn
