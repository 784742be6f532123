// Pooling over two spatial dimensions (one: height 1), and its gradients.
#pragma once
#include "common.h"

typedef struct ScPool {
  int32_t dtype;     // of x and y
  int32_t adaptive;  // averages: window i covers [floor(i in / out), ceil((i + 1) in / out)); kernel and
                     // stride are unused
  int32_t count_include_pad;  // averages: divide by the window clipped to the padded input, else to the input
  int64_t divisor;            // averages: divide by this unless 0
  int64_t batch, channels;
  int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];  // height, width
  int64_t x_strides[4], y_strides[4];                                    // [N, C, H, W]
  void *x, *y;       // written or read, as each entry says
  int64_t* indices;  // of y's shape and strides: h * in[1] + w of each maximum within its plane
} ScPool;

typedef struct ScPoolKernels {
  int32_t (*max_forward)(const ScPool* args);       // y and indices from x; NaN wins
  int32_t (*max_backward)(const ScPool* args);      // x = y added up at the indices, zero elsewhere
  int32_t (*average_forward)(const ScPool* args);   // y from x
  int32_t (*average_backward)(const ScPool* args);  // x from y
} ScPoolKernels;
