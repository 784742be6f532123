// Ordering the rows of a contiguous matrix. NaN counts as greater than every number. All sorts are stable.
#pragma once
#include "common.h"

typedef struct ScSort {
  const void* in;  // [rows, n]
  void* values;    // [rows, n], of top_k [rows, k]
  int64_t* indices;
  int32_t dtype;
  int32_t descending;  // of top_k: the k largest
  int64_t rows, n, k;
} ScSort;

typedef struct ScSortKernels {
  int32_t (*sort)(const ScSort* args);
  int32_t (*top_k)(const ScSort* args);  // in order
} ScSortKernels;
