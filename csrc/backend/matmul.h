// Batched matrix product: C[b] = alpha * A[b] B[b] + beta * C[b], then optionally + bias (broadcast over
// rows).
#pragma once
#include "common.h"

typedef struct ScMatmul {
  int32_t dtype;  // of a, b, c and bias
  int64_t batch, m, n, k;
  const void *a, *b;
  void* c;
  const void* bias;               // [n] or null
  int64_t a_batch, a_row, a_col;  // element strides of A [batch, m, k]; a_batch may be 0
  int64_t b_batch, b_row, b_col;  // B [batch, k, n]
  int64_t c_batch, c_row, c_col;  // C [batch, m, n]
  double alpha, beta;             // beta 0 ignores what C holds, NaN included
  const void* packed;             // B as pack() left it for the same sizes and strides, or null
} ScMatmul;

typedef struct ScMatmulKernels {
  int32_t (*matmul)(const ScMatmul* args);
  // For one B that serves many products. Both null where the backend has no use for it.
  int64_t (*packed_bytes)(const ScMatmul* args);  // 0: not for these sizes
  int32_t (*pack)(const ScMatmul* args, void* packed);
} ScMatmulKernels;
