// Scaled dot-product attention, fused: the scores of a block of queries live only while that block is worked
// on.
#pragma once
#include "common.h"

typedef struct ScAttention {
  int32_t dtype;   // of all tensors: float32 or float64
  int32_t causal;  // query i sees keys 0..i
  int64_t batch, heads;
  int64_t queries, keys, depth, value_depth;
  double scale;
  // Element strides of [batch, heads, rows]; columns are contiguous.
  const void *q, *k, *v;
  int64_t q_strides[3], k_strides[3], v_strides[3];
  const void* mask;         // added to the scores, of this dtype, or null; any strides, 0 where it broadcasts
  int64_t mask_strides[4];  // [batch, heads, queries, keys]
  void* y;                  // [batch, heads, queries, value_depth], strided as y_strides says
  int64_t y_strides[3];
  void* logsumexp;  // [batch, heads, queries], contiguous: of the scores; written forward, read backward
  // Backward: gradients of y, and of q, k, v (contiguous [batch, heads, rows, columns]).
  const void* dy;
  int64_t dy_strides[3];
  void *dq, *dk, *dv;
} ScAttention;

typedef struct ScAttentionKernels {
  int32_t (*forward)(const ScAttention* args);
  int32_t (*backward)(const ScAttention* args);
} ScAttentionKernels;
