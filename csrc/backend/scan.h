// Scans along one dimension: each result depends on the elements up to it.
#pragma once
#include "common.h"

typedef enum ScScanOp {
  SC_SCAN_SUM,
  SC_SCAN_PROD,
  SC_SCAN_MAX,  // out2 = int64 position of the running extreme: NaN wins, the last of equals is named
  SC_SCAN_MIN,
  SC_SCAN_LINEAR,          // y[k] = in[k] + factor[k] * y[k - 1]       (floats)
  SC_SCAN_LINEAR_REVERSE,  // y[k] = in[k] + factor[k + 1] * y[k + 1]
  SC_SCAN_COUNT
} ScScanOp;

// Contiguous [outer, n, inner], scanned along the middle; in, factor and out share one dtype. SUM starts at
// the last element and runs backwards when `reverse` is set.
typedef struct ScScan {
  const void* in;
  const void* factor;  // LINEAR only
  void* out;
  int64_t* out2;  // MAX, MIN
  int32_t dtype;
  int32_t reverse;
  int64_t outer, n, inner;
} ScScan;

typedef struct ScScanKernels {
  int32_t (*scan)(int32_t op, const ScScan* args);
} ScScanKernels;
