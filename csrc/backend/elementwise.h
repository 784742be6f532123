// Element-wise kernels: unary, binary, comparison, ternary, copy/cast, fill, range.
#pragma once
#include "common.h"

// Operands that walk one common index space. Operand 0 is the output. Dimensions are coalesced and ordered
// with the fastest one LAST; ndim is at least 1 (a 0-d tensor is shape {1}). Strides count elements; 0
// broadcasts.
typedef struct ScIter {
  int32_t ndim;
  int32_t noperands;
  int64_t numel;
  int64_t shape[SC_MAX_DIMS];
  int64_t strides[SC_MAX_OPERANDS][SC_MAX_DIMS];
  void* data[SC_MAX_OPERANDS];
  int32_t dtype[SC_MAX_OPERANDS];
  // Bit k set: operand k is the scalar held in scalar[k] (already in dtype[k]; data[k] points at it, strides
  // are 0). A device must read scalar[k] on the host and pass it by value.
  uint32_t scalar_mask;
  union {
    double f64;
    int64_t i64;
    unsigned char bytes[8];
  } scalar[SC_MAX_OPERANDS];
} ScIter;

// Unary: out and in have the same dtype (the test_* group: out is bool). Parameters p[0..3] are noted.
typedef enum ScUnaryOp {
  SC_ABS,
  SC_NEG,
  SC_SIGN,
  SC_SQUARE,
  SC_RECIPROCAL,
  SC_SQRT,
  SC_RSQRT,
  SC_EXP,
  SC_EXP2,
  SC_EXPM1,
  SC_LOG,
  SC_LOG2,
  SC_LOG10,
  SC_LOG1P,
  SC_SIN,
  SC_COS,
  SC_TAN,
  SC_ASIN,
  SC_ACOS,
  SC_ATAN,
  SC_SINH,
  SC_COSH,
  SC_TANH,
  SC_ASINH,
  SC_ACOSH,
  SC_ATANH,
  SC_ERF,
  SC_ERFC,
  SC_ERFINV,
  SC_LGAMMA,
  SC_DIGAMMA,
  SC_FLOOR,
  SC_CEIL,
  SC_ROUND /* half to even; p0 = decimals */,
  SC_TRUNC,
  SC_FRAC,
  SC_SIGMOID,
  SC_RELU,
  SC_GELU,
  SC_GELU_TANH,
  SC_SILU,
  SC_SOFTPLUS /* p0 beta, p1 threshold */,
  SC_LEAKY_RELU /* p0 slope */,
  SC_ELU /* p0 alpha, p1 scale, p2 input_scale */,
  SC_LOGSIGMOID,
  SC_MISH,
  SC_HARDSIGMOID,
  SC_HARDSWISH,
  SC_RELU6,
  SC_CLAMP /* p0 min, p1 max (floating dtypes) */,
  SC_LOGICAL_NOT /* any dtype -> bool */,
  SC_BITWISE_NOT,
  SC_ISNAN /* -> bool */,
  SC_ISINF,
  SC_ISFINITE,
  SC_ISPOSINF,
  SC_ISNEGINF,
  SC_SIGNBIT,
  SC_POW_SCALAR /* p0 = exponent, floating dtypes */,
  SC_UNARY_COUNT
} ScUnaryOp;

// Binary: operands 1 and 2 have the same dtype; so has the output, except comparisons and logical operators
// (bool out). The *_BWD group computes a fused derivative: operand 1 is the gradient, operand 2 what its
// comment says.
typedef enum ScBinaryOp {
  SC_ADD /* a + p0 * b */,
  SC_SUB /* a - p0 * b */,
  SC_MUL,
  SC_DIV,
  SC_DIV_TRUNC,
  SC_DIV_FLOOR,
  SC_FMOD,
  SC_REMAINDER,
  SC_POW,
  SC_MAXIMUM,
  SC_MINIMUM,
  SC_FMAX,
  SC_FMIN,
  SC_ATAN2,
  SC_HYPOT,
  SC_COPYSIGN,
  SC_NEXTAFTER,
  SC_XLOGY,
  SC_LOGADDEXP,
  SC_LOGADDEXP2,
  SC_BITWISE_AND,
  SC_BITWISE_OR,
  SC_BITWISE_XOR,
  SC_SHIFT_LEFT,
  SC_SHIFT_RIGHT,
  SC_GCD,
  SC_LCM,
  SC_EQ,
  SC_NE,
  SC_LT,
  SC_LE,
  SC_GT,
  SC_GE,
  SC_LOGICAL_AND,
  SC_LOGICAL_OR,
  SC_LOGICAL_XOR,
  SC_SQUARED_DIFFERENCE,
  SC_ABS_DIFFERENCE,
  SC_SMOOTH_L1 /* p0 beta */,
  SC_HUBER /* p0 delta */,
  SC_TANH_BWD /* y */,
  SC_SIGMOID_BWD /* y */,
  SC_RELU_BWD /* y (or x) */,
  SC_GELU_BWD /* x */,
  SC_GELU_TANH_BWD /* x */,
  SC_SILU_BWD /* x */,
  SC_SOFTPLUS_BWD /* x; p0 beta, p1 threshold */,
  SC_LEAKY_RELU_BWD /* x; p0 slope */,
  SC_ELU_BWD /* x; p0 alpha, p1 scale, p2 input_scale */,
  SC_CLAMP_BWD /* x; p0 min, p1 max */,
  SC_HARDTANH_BWD /* x; p0 min, p1 max: zero at the limits too */,
  SC_RSQRT_BWD /* y */,
  SC_SQRT_BWD /* y */,
  SC_POW_SCALAR_BWD /* x; p0 exponent */,
  SC_BINARY_COUNT
} ScBinaryOp;

// Ternary: all operands have the output's dtype, except WHERE, whose operand 1 is bool.
typedef enum ScTernaryOp {
  SC_WHERE,
  SC_LERP,
  SC_ADDCMUL /* a + p0 * b * c */,
  SC_ADDCDIV /* a + p0 * b / c */,
  SC_CLAMP_TENSOR /* x, min, max */,
  SC_TERNARY_COUNT
} ScTernaryOp;

typedef struct ScElementwiseKernels {
  int32_t (*unary)(int32_t op, const ScIter* it, const double* p);
  int32_t (*binary)(int32_t op, const ScIter* it, const double* p);
  int32_t (*ternary)(int32_t op, const ScIter* it, const double* p);
  int32_t (*copy)(const ScIter* it);  // operand 0 = cast(operand 1), any dtypes, any strides
  int32_t (*fill)(const ScIter* it, const ScScalar* v);  // operand 0 only
  // out[i] = start + i * step over a contiguous output (computed in double for floats, int64 for integers)
  int32_t (*range)(const ScIter* it, ScScalar start, ScScalar step);
} ScElementwiseKernels;
