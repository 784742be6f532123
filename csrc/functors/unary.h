// Scalar maths of the unary operations, one row each.
#pragma once
#include "special.h"

namespace sconce::fn {

template <int op>
struct Unary;

// SC_UNARY(operation, accepted types, expression in x, p and the element type T)
#define SC_UNARY(op, types, ...)                              \
  template <>                                                 \
  struct Unary<op> {                                          \
    static constexpr int kTypes = types;                      \
    template <class T>                                        \
    SC_HD static auto run(T x, [[maybe_unused]] const T* p) { \
      return __VA_ARGS__;                                     \
    }                                                         \
  };

SC_UNARY(SC_ABS, kNumbers, absolute(x))
SC_UNARY(SC_NEG, kNumbers, negate(x))
SC_UNARY(SC_SIGN, kAll, static_cast<T>((x > T(0)) - (x < T(0))))
SC_UNARY(SC_SQUARE, kNumbers, mul_wrapped(x, x))
SC_UNARY(SC_RECIPROCAL, kFloats, T(1) / x)
SC_UNARY(SC_SQRT, kFloats, std::sqrt(x))
SC_UNARY(SC_RSQRT, kFloats, T(1) / std::sqrt(x))

SC_UNARY(SC_EXP, kFloats, std::exp(x))
SC_UNARY(SC_EXP2, kFloats, std::exp2(x))
SC_UNARY(SC_EXPM1, kFloats, std::expm1(x))
SC_UNARY(SC_LOG, kFloats, std::log(x))
SC_UNARY(SC_LOG2, kFloats, std::log2(x))
SC_UNARY(SC_LOG10, kFloats, std::log10(x))
SC_UNARY(SC_LOG1P, kFloats, std::log1p(x))

SC_UNARY(SC_SIN, kFloats, std::sin(x))
SC_UNARY(SC_COS, kFloats, std::cos(x))
SC_UNARY(SC_TAN, kFloats, std::tan(x))
SC_UNARY(SC_ASIN, kFloats, std::asin(x))
SC_UNARY(SC_ACOS, kFloats, std::acos(x))
SC_UNARY(SC_ATAN, kFloats, std::atan(x))
SC_UNARY(SC_SINH, kFloats, std::sinh(x))
SC_UNARY(SC_COSH, kFloats, std::cosh(x))
SC_UNARY(SC_TANH, kFloats, std::tanh(x))
SC_UNARY(SC_ASINH, kFloats, std::asinh(x))
SC_UNARY(SC_ACOSH, kFloats, std::acosh(x))
SC_UNARY(SC_ATANH, kFloats, std::atanh(x))

SC_UNARY(SC_ERF, kFloats, std::erf(x))
SC_UNARY(SC_ERFC, kFloats, std::erfc(x))
SC_UNARY(SC_ERFINV, kFloats, erfinv(x))
SC_UNARY(SC_LGAMMA, kFloats, log_gamma(x))
SC_UNARY(SC_DIGAMMA, kFloats, digamma(x))

SC_UNARY(SC_FLOOR, kFloats, std::floor(x))
SC_UNARY(SC_CEIL, kFloats, std::ceil(x))
SC_UNARY(SC_ROUND, kFloats, round_decimals(x, p[0]))
SC_UNARY(SC_TRUNC, kFloats, std::trunc(x))
SC_UNARY(SC_FRAC, kFloats, x - std::trunc(x))

SC_UNARY(SC_SIGMOID, kFloats, sigmoid(x))
SC_UNARY(SC_RELU, kNumbers, at_least(x, T(0)))
SC_UNARY(SC_GELU, kFloats, T(0.5) * x * (T(1) + std::erf(x * T(kSqrtHalf))))
SC_UNARY(SC_GELU_TANH, kFloats,
         T(0.5) * x * (T(1) + std::tanh(T(kSqrt2OverPi) * (x + T(kGeluCubic) * x * x * x))))
SC_UNARY(SC_SILU, kFloats, x / (T(1) + std::exp(-x)))
SC_UNARY(SC_SOFTPLUS, kFloats, x* p[0] > p[1] ? x : std::log1p(std::exp(x * p[0])) / p[0])
SC_UNARY(SC_LEAKY_RELU, kFloats, x > T(0) ? x : x * p[0])
SC_UNARY(SC_ELU, kFloats, x < T(0) ? std::expm1(x * p[2]) * (p[0] * p[1]) : x * p[1])
SC_UNARY(SC_LOGSIGMOID, kFloats, at_most(x, T(0)) - std::log1p(std::exp(-std::fabs(x))))
SC_UNARY(SC_MISH, kFloats, x* std::tanh(std::log1p(std::exp(x))))
SC_UNARY(SC_HARDSIGMOID, kFloats, at_most(at_least(x + T(3), T(0)), T(6)) / T(6))
SC_UNARY(SC_HARDSWISH, kFloats, x* at_most(at_least(x + T(3), T(0)), T(6)) / T(6))
SC_UNARY(SC_RELU6, kNumbers, at_most(at_least(x, T(0)), T(6)))
SC_UNARY(SC_CLAMP, kNumbers, at_most(at_least(x, p[0]), p[1]))

SC_UNARY(SC_LOGICAL_NOT, kAll, x == T(0))
SC_UNARY(SC_BITWISE_NOT, kDiscrete, bit_not(x))
SC_UNARY(SC_ISNAN, kAll, is_nan(x))
SC_UNARY(SC_ISINF, kAll, is_inf(x))
SC_UNARY(SC_ISFINITE, kAll, !is_nan(x) && !is_inf(x))
SC_UNARY(SC_ISPOSINF, kAll, is_inf(x) && x > T(0))
SC_UNARY(SC_ISNEGINF, kAll, is_inf(x) && x < T(0))
SC_UNARY(SC_SIGNBIT, kAll, sign_bit(x))
SC_UNARY(SC_POW_SCALAR, kFloats, power_of_number(x, p[0]))

#undef SC_UNARY

}  // namespace sconce::fn
