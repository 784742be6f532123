// What the files of row loops share.
#pragma once
#include <array>
#include <utility>

#include "elementwise.h"

// Index of a compute dtype in a table of row loops; -1 for the 16-bit floating types.
#define SC_COMPUTE_DTYPES(M) \
  M(SC_FLOAT32, float)       \
  M(SC_FLOAT64, double)      \
  M(SC_INT64, int64_t)       \
  M(SC_INT32, int32_t) M(SC_INT16, int16_t) M(SC_INT8, int8_t) M(SC_UINT8, uint8_t) M(SC_BOOL, bool)

namespace sconce::cpu {

template <int n>
using RowTable = std::array<Row, n>;

// An operation whose every element costs a call of the mathematical library is worth a thread sooner.
constexpr int64_t kCheapGrain = 32768, kCostlyGrain = 4096;

// Row loops for float that are vectorised by hand (elementwise_simd.cc); null where there is none.
Row simd_unary_row(int32_t op);
Row simd_binary_row(int32_t op);

}  // namespace sconce::cpu
