// Convolution over one or two spatial dimensions (one: height 1), with its two gradients. A transposed
// convolution is the gradient with respect to x, called forward.
#pragma once
#include "common.h"

typedef struct ScConv {
  int32_t dtype;  // of all tensors
  int64_t batch, groups, in_channels, out_channels;
  int64_t in[2], out[2], kernel[2], stride[2], dilation[2];  // height, width
  int64_t padding[2];                  // at the top and on the left; what `out` implies beyond is zero too
  int64_t x_strides[4], y_strides[4];  // [N, C, H, W], dense: W is C or 1 step apart, H follows W
  int64_t w_strides[4];                // [out_channels, in_channels / groups, KH, KW], dense
  void *x, *w, *y;                     // written or read, as each entry says
  void* bias;                          // [out_channels] or null
} ScConv;

typedef struct ScConvKernels {
  int32_t (*forward)(const ScConv* args);  // y = conv(x, w) + bias
  int32_t (*backward_data)(
      const ScConv* args);  // x = adjoint of conv(., w) at y (+ a bias over x's channels: none)
  int32_t (*backward_weights)(
      const ScConv* args);  // w = adjoint of conv(x, .) at y; bias = sum of y, when asked for
} ScConvKernels;
