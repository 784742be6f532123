// Scalar maths of the ternary operations, one row each. (SC_WHERE only moves bytes, see the kernels.)
#pragma once
#include "special.h"

namespace sconce::fn {

template <int op>
struct Ternary;

// SC_TERNARY(operation, accepted types, expression in a, b, c, p and the element type T)
#define SC_TERNARY(op, types, ...)                                   \
  template <>                                                        \
  struct Ternary<op> {                                               \
    static constexpr int kTypes = types;                             \
    template <class T>                                               \
    SC_HD static T run(T a, T b, T c, [[maybe_unused]] const T* p) { \
      return __VA_ARGS__;                                            \
    }                                                                \
  };

SC_TERNARY(SC_LERP, kFloats, lerp(a, b, c))
SC_TERNARY(SC_ADDCMUL, kNumbers, add_wrapped(a, mul_wrapped(mul_wrapped(p[0], b), c)))
SC_TERNARY(SC_ADDCDIV, kFloats, a + p[0] * b / c)
SC_TERNARY(SC_CLAMP_TENSOR, kNumbers, minimum(maximum(a, b), c))

#undef SC_TERNARY

}  // namespace sconce::fn
