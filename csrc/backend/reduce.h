// Reductions over any set of dimensions. Accumulation is in float for 16-bit floats, int64 for integers, and
// splits work by the shape alone, so that the bits do not depend on the number of threads.
#pragma once
#include "common.h"

typedef enum ScReduceOp {
  SC_RED_SUM,
  SC_RED_MEAN,
  SC_RED_PROD,
  SC_RED_MAX,
  SC_RED_MIN /* NaN propagates */,
  SC_RED_ALL,
  SC_RED_ANY /* bool or uint8 out */,
  SC_RED_ARGMAX,
  SC_RED_ARGMIN /* int64 out, flat index over the reduced dimensions; first of equals; NaN wins */,
  SC_RED_MAX_INDEX,
  SC_RED_MIN_INDEX /* out = value, out2 = int64 index */,
  SC_RED_VAR /* p0 = correction; out2 (may be null) = mean */,
  SC_RED_STD,
  SC_RED_NORM /* p0 = p, may be +-inf or 0 */,
  SC_RED_COUNT_NONZERO /* int64 out */,
  SC_RED_NANSUM,
  SC_RED_SUM_SQUARES,
  SC_RED_COUNT
} ScReduceOp;

typedef struct ScReduce {
  const void* in;
  void* out;
  void* out2;  // null unless the operation has a second result; same strides as out
  int32_t in_dtype, out_dtype;
  int32_t nkept, nreduced;  // coalesced; fastest dimension last; either may be 0
  int64_t kept_shape[SC_MAX_DIMS], kept_in_strides[SC_MAX_DIMS], kept_out_strides[SC_MAX_DIMS];
  int64_t reduced_shape[SC_MAX_DIMS], reduced_in_strides[SC_MAX_DIMS];
  int64_t kept_numel, reduced_numel;
  double p[2];
} ScReduce;

typedef struct ScReduceKernels {
  int32_t (*reduce)(int32_t op, const ScReduce* args);
} ScReduceKernels;
