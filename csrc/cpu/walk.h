// Row-major walks over strided index spaces, for kernels whose operands do not share one coalesced shape
// (ScIter does that better where they do).
#pragma once
#include <cstdint>

#include "../backend/common.h"

namespace sconce::cpu {

// Keeps K element offsets while the coordinates advance.
template <int K>
class Walk {
 public:
  void add_dim(int64_t size, const int64_t (&strides)[K]) {
    size_[ndim_] = size;
    for (int k = 0; k < K; ++k) stride_[ndim_][k] = strides[k];
    ++ndim_;
  }
  int64_t count() const {
    int64_t n = 1;
    for (int d = 0; d < ndim_; ++d) n *= size_[d];
    return n;
  }
  void seek(int64_t linear) {
    for (int k = 0; k < K; ++k) offset[k] = 0;
    for (int d = ndim_ - 1; d >= 0; --d) {
      at_[d] = linear % size_[d];
      linear /= size_[d];
      for (int k = 0; k < K; ++k) offset[k] += at_[d] * stride_[d][k];
    }
  }
  void next() {
    for (int d = ndim_ - 1; d >= 0; --d) {
      for (int k = 0; k < K; ++k) offset[k] += stride_[d][k];
      if (++at_[d] < size_[d]) return;
      for (int k = 0; k < K; ++k) offset[k] -= size_[d] * stride_[d][k];
      at_[d] = 0;
    }
  }
  int64_t offset[K] = {};

 private:
  int ndim_ = 0;
  int64_t size_[SC_MAX_DIMS], at_[SC_MAX_DIMS] = {}, stride_[SC_MAX_DIMS][K];
};

}  // namespace sconce::cpu
