// Scalar maths of the binary operations, one row each.
#pragma once
#include "special.h"

namespace sconce::fn {

template <int op>
struct Binary;

// SC_BINARY(operation, accepted types, expression in a, b, p and the element type T)
#define SC_BINARY(op, types, ...)                                                                    \
  template <>                                                                                        \
  struct Binary<op> {                                                                                \
    static constexpr int kTypes = types;                                                             \
    template <class T>                                                                               \
    SC_HD static auto run([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] const T* p) { \
      return __VA_ARGS__;                                                                            \
    }                                                                                                \
  };

SC_BINARY(SC_ADD, kAll, add_wrapped(a, mul_wrapped(p[0], b)))
SC_BINARY(SC_SUB, kAll, sub_wrapped(a, mul_wrapped(p[0], b)))
SC_BINARY(SC_MUL, kAll, mul_wrapped(a, b))
SC_BINARY(SC_DIV, kFloats, a / b)
SC_BINARY(SC_DIV_TRUNC, kNumbers, trunc_divide(a, b))
SC_BINARY(SC_DIV_FLOOR, kNumbers, floor_divide(a, b))
SC_BINARY(SC_FMOD, kNumbers, mod_trunc(a, b))
SC_BINARY(SC_REMAINDER, kNumbers, mod_floor(a, b))

SC_BINARY(SC_POW, kNumbers, power(a, b))
SC_BINARY(SC_MAXIMUM, kAll, maximum(a, b))
SC_BINARY(SC_MINIMUM, kAll, minimum(a, b))
SC_BINARY(SC_FMAX, kAll, fmaximum(a, b))
SC_BINARY(SC_FMIN, kAll, fminimum(a, b))
SC_BINARY(SC_ATAN2, kFloats, std::atan2(a, b))
SC_BINARY(SC_HYPOT, kFloats, std::hypot(a, b))
SC_BINARY(SC_COPYSIGN, kFloats, std::copysign(a, b))
SC_BINARY(SC_NEXTAFTER, kFloats, std::nextafter(a, b))
SC_BINARY(SC_XLOGY, kFloats, xlogy(a, b))
SC_BINARY(SC_LOGADDEXP, kFloats, logaddexp(a, b))
SC_BINARY(SC_LOGADDEXP2, kFloats, logaddexp2(a, b))

SC_BINARY(SC_BITWISE_AND, kDiscrete, static_cast<T>(a& b))
SC_BINARY(SC_BITWISE_OR, kDiscrete, static_cast<T>(a | b))
SC_BINARY(SC_BITWISE_XOR, kDiscrete, static_cast<T>(a ^ b))
SC_BINARY(SC_SHIFT_LEFT, kInts, shift_left(a, b))
SC_BINARY(SC_SHIFT_RIGHT, kInts, shift_right(a, b))
SC_BINARY(SC_GCD, kInts, greatest_common_divisor(a, b))
SC_BINARY(SC_LCM, kInts, least_common_multiple(a, b))

SC_BINARY(SC_EQ, kAll, a == b)
SC_BINARY(SC_NE, kAll, a != b)
SC_BINARY(SC_LT, kAll, a < b)
SC_BINARY(SC_LE, kAll, a <= b)
SC_BINARY(SC_GT, kAll, a > b)
SC_BINARY(SC_GE, kAll, a >= b)
SC_BINARY(SC_LOGICAL_AND, kAll, a != T(0) && b != T(0))
SC_BINARY(SC_LOGICAL_OR, kAll, a != T(0) || b != T(0))
SC_BINARY(SC_LOGICAL_XOR, kAll, (a != T(0)) != (b != T(0)))

SC_BINARY(SC_SQUARED_DIFFERENCE, kNumbers, mul_wrapped(sub_wrapped(a, b), sub_wrapped(a, b)))
SC_BINARY(SC_ABS_DIFFERENCE, kNumbers, a > b ? sub_wrapped(a, b) : sub_wrapped(b, a))
SC_BINARY(SC_SMOOTH_L1, kFloats,
          std::fabs(a - b) < p[0] ? T(0.5) * (a - b) * (a - b) / p[0] : std::fabs(a - b) - T(0.5) * p[0])
SC_BINARY(SC_HUBER, kFloats,
          std::fabs(a - b) <= p[0] ? T(0.5) * (a - b) * (a - b) : p[0] * (std::fabs(a - b) - T(0.5) * p[0]))

// Fused derivatives: a is the gradient.
SC_BINARY(SC_TANH_BWD, kFloats, a*(T(1) - b * b))
SC_BINARY(SC_SIGMOID_BWD, kFloats, a*(T(1) - b) * b)
SC_BINARY(SC_RELU_BWD, kFloats, b <= T(0) ? T(0) : a)
SC_BINARY(SC_GELU_BWD, kFloats, a* gelu_derivative(b))
SC_BINARY(SC_GELU_TANH_BWD, kFloats, a* gelu_tanh_derivative(b))
SC_BINARY(SC_SILU_BWD, kFloats, a* silu_derivative(b))
SC_BINARY(SC_SOFTPLUS_BWD, kFloats, a* softplus_derivative(b, p[0], p[1]))
SC_BINARY(SC_LEAKY_RELU_BWD, kFloats, b > T(0) ? a : a * p[0])
SC_BINARY(SC_ELU_BWD, kFloats, b <= T(0) ? a * (p[0] * p[1] * p[2]) * std::exp(b * p[2]) : a * p[1])
SC_BINARY(SC_CLAMP_BWD, kFloats, b >= p[0] && b <= p[1] ? a : T(0))
SC_BINARY(SC_HARDTANH_BWD, kFloats, b > p[0] && b < p[1] ? a : T(0))
SC_BINARY(SC_RSQRT_BWD, kFloats, T(-0.5) * a * b * b * b)
SC_BINARY(SC_SQRT_BWD, kFloats, a / (T(2) * b))
SC_BINARY(SC_POW_SCALAR_BWD, kFloats, a* power_of_number_derivative(b, p[0]))

#undef SC_BINARY

}  // namespace sconce::fn
