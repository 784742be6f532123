// Reading and writing at positions that tensors hold. Index tensors are int64.
//
// An index out of range makes a kernel return SC_ERROR before anything is written, with the index in its
// `bad` argument: the operator knows the text.
#pragma once
#include "common.h"

typedef enum ScScatterMode {
  SC_SCATTER_ASSIGN,  // of equal positions the last one wins
  SC_SCATTER_ADD,
  SC_SCATTER_MUL,
  SC_SCATTER_AMAX,
  SC_SCATTER_AMIN,
  SC_SCATTER_COUNT
} ScScatterMode;

// Turns index tensors into element offsets: out[i] = sum over k of wrap(index[k][i]) * strides[k].
typedef struct ScIndexOffsets {
  int64_t* out;
  int64_t n;
  int32_t count;                      // of index tensors
  int32_t allow_negative;             // else a negative index is out of range
  const int64_t* index[SC_MAX_DIMS];  // each [n], contiguous
  int64_t sizes[SC_MAX_DIMS], strides[SC_MAX_DIMS];
  int64_t bad;        // after SC_ERROR: an index out of range,
  int32_t bad_which;  // and the number of its tensor
} ScIndexOffsets;

// rows[i, inner...] and table[offsets[i] + inner...]
typedef struct ScIndexRows {
  void* table;
  void* rows;
  int32_t dtype;
  int32_t inner_ndim;
  const int64_t* offsets;  // [n], in elements
  int64_t n;
  int64_t row_stride;  // of rows, along i
  int64_t inner_sizes[SC_MAX_DIMS], table_strides[SC_MAX_DIMS], row_strides[SC_MAX_DIMS];
} ScIndexRows;

typedef struct ScIndexKernels {
  int32_t (*offsets)(ScIndexOffsets* args);
  int32_t (*take_rows)(const ScIndexRows* args);               // rows = table
  int32_t (*put_rows)(int32_t mode, const ScIndexRows* args);  // table = rows, or combined with it
  // out[i][j][k] = self[index[i][j][k]][j][k] for dim 0; out has index's shape
  int32_t (*gather)(const ScTensor* out, const ScTensor* self, const ScTensor* index, int32_t dim,
                    int64_t* bad);
  // self[index[i][j][k]][j][k] = src[i][j][k] for dim 0; src is at least as large as index
  int32_t (*scatter)(int32_t mode, const ScTensor* self, const ScTensor* index, const ScTensor* src,
                     int32_t dim, int64_t* bad);
  // Positions of the numbers that are not zero, in row-major order. `self` is contiguous. Always sets *count;
  // writes out [count, ndim] unless it is null.
  int32_t (*nonzero)(const ScTensor* self, int64_t* count, int64_t* out);
} ScIndexKernels;
