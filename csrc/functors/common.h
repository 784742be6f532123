// What all element-wise functors share: the types they accept, and helpers that both host and device compile.
//
// A functor is a class template specialised on an operation code of backend/elementwise.h, with
//   kTypes        the categories of element type it accepts,
//   run(x, p)     the value, where p[0..3] are the operation's parameters converted to the element type.
// float16 and bfloat16 are never seen here: kernels convert them to float and back.
#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "../backend/elementwise.h"
#include "../core/float16.h"  // SC_HD

namespace sconce::fn {

enum TypeSet : int {
  kFloats = 1,
  kInts = 2,
  kBools = 4,
  kNumbers = kFloats | kInts,
  kAll = kNumbers | kBools,
  kDiscrete = kInts | kBools
};

template <class T>
constexpr int type_set() {
  return std::is_same_v<T, bool> ? kBools : std::is_integral_v<T> ? kInts : kFloats;
}

// A parameter as an element. Integers go through int64, so that a negative one wraps instead of saturating.
template <class T>
SC_HD inline T from_parameter(double v) {
  if constexpr (std::is_same_v<T, bool>)
    return v != 0;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<int64_t>(v));
  else
    return static_cast<T>(v);
}

// Integer arithmetic that wraps, as PyTorch's does: signed overflow is undefined in C++, unsigned is not.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
SC_HD inline T add_wrapped(T a, T b) {
  if constexpr (std::is_same_v<T, bool>)
    return a || b;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  else
    return a + b;
}
template <class T>
SC_HD inline T sub_wrapped(T a, T b) {
  if constexpr (std::is_same_v<T, bool>)
    return a != b;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  else
    return a - b;
}
template <class T>
SC_HD inline T mul_wrapped(T a, T b) {
  if constexpr (std::is_same_v<T, bool>)
    return a && b;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  else
    return a * b;
}

template <class T>
SC_HD inline bool is_nan(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return x != x;
  else
    return false;
}
template <class T>
SC_HD inline bool is_inf(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fabs(x) == static_cast<T>(INFINITY);
  else
    return false;
}

// Limits that let a NaN in `x` through.
template <class T>
SC_HD inline T at_least(T x, T lo) {
  return x < lo ? lo : x;
}
template <class T>
SC_HD inline T at_most(T x, T hi) {
  return x > hi ? hi : x;
}

template <class T>
SC_HD inline T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

}  // namespace sconce::fn
