// Normalisation: statistics over rows or channels and the affine maps that apply them. float32 and float64.
#pragma once
#include "common.h"

// A tensor as [outer, channels, inner], or, channels_last, as [outer * inner, channels].
typedef struct ScChannels {
  int32_t dtype;
  int32_t channels_last;
  int64_t outer, channels, inner;
} ScChannels;

typedef struct ScRows {
  int32_t dtype;
  int64_t rows, n;  // x is [rows, n], contiguous
} ScRows;

typedef struct ScNormKernels {
  // mean and biased variance per channel
  int32_t (*channel_stats)(const ScChannels* s, const void* x, void* mean, void* var);
  // y = x * a[c] + b[c]
  int32_t (*channel_affine)(const ScChannels* s, const void* x, const void* a, const void* b, void* y);
  // sums[c] = sum(dy), dots[c] = sum(dy * (x - mean[c]))
  int32_t (*channel_grad_sums)(const ScChannels* s, const void* dy, const void* x, const void* mean,
                               void* sums, void* dots);
  // dx = dy * a[c] + x * b[c] + d[c]
  int32_t (*channel_affine2)(const ScChannels* s, const void* dy, const void* x, const void* a, const void* b,
                             const void* d, void* dx);
  // y = (x - mean) * rstd * weight + bias, per row; weight and bias may be null; mean and rstd [rows] are
  // results
  int32_t (*layer_norm)(const ScRows* s, const void* x, const void* weight, const void* bias, double eps,
                        void* y, void* mean, void* rstd);
  // dx, and dweight, dbias [n]; any of the three may be null
  int32_t (*layer_norm_backward)(const ScRows* s, const void* dy, const void* x, const void* mean,
                                 const void* rstd, const void* weight, void* dx, void* dweight, void* dbias);
} ScNormKernels;
