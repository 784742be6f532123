// Softmax and its logarithm along one dimension.
#pragma once
#include "common.h"

typedef enum ScSoftmaxOp {
  SC_SOFTMAX,      // exp(x - max) / sum
  SC_LOG_SOFTMAX,  // x - max - log(sum)
} ScSoftmaxOp;

// Contiguous [outer, n, inner], along the middle; all of one floating dtype. 16-bit floats compute in float.
typedef struct ScSoftmax {
  const void* in;    // backward: the result y of the forward pass
  const void* grad;  // backward: the gradient of y
  void* out;
  int64_t outer, n, inner;
  int32_t dtype;
  int32_t reserved;
} ScSoftmax;

typedef struct ScSoftmaxKernels {
  int32_t (*forward)(int32_t op, const ScSoftmax* args);
  // softmax: y * (g - sum(g * y)); log_softmax: g - exp(y) * sum(g)
  int32_t (*backward)(int32_t op, const ScSoftmax* args);
} ScSoftmaxKernels;
