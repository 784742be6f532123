// Places in [N, C, H, W] tensors of any strides, for convolution and pooling.
#pragma once
#include "elementwise.cuh"

namespace sconce {
namespace cuda {

struct Place {
  int64_t n, c, h, w;
};
// Neighbouring threads take neighbouring elements of the memory order: channels fastest, or width.
SC_HD inline Place place_of(int64_t i, int64_t channels, int64_t height, int64_t width,
                            bool channels_fastest) {
  Place p;
  if (channels_fastest) {
    p.c = i % channels;
    i /= channels;
  }
  p.w = i % width;
  i /= width;
  p.h = i % height;
  i /= height;
  if (channels_fastest) {
    p.n = i;
  } else {
    p.c = i % channels;
    p.n = i / channels;
  }
  return p;
}
SC_HD inline int64_t offset_of(const int64_t* strides, int64_t n, int64_t c, int64_t h, int64_t w) {
  return n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3];
}

// The output position whose window has input position `at` under its given tap, or -1.
SC_HD inline int64_t source_of(int64_t at, int64_t tap, int64_t stride, int64_t dilation, int64_t padding,
                               int64_t out) {
  const int64_t t = at + padding - tap * dilation;
  if (t < 0 || t % stride != 0) return -1;
  return t / stride < out ? t / stride : -1;
}

}  // namespace cuda
}  // namespace sconce
