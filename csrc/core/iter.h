// Builds the index space of element-wise kernels: broadcasting, output allocation, dimension order and
// coalescing.
#pragma once
#include "tensor.h"

namespace sconce {

// Operand order: output first. Inputs must already have the dtypes the kernel wants.
// `out` may be undefined: it is then allocated with `out_dtype`, in the memory order of the inputs.
class Iter {
 public:
  explicit Iter(DType out_dtype) : out_dtype_(out_dtype) {}
  Iter& out(const Tensor& t) {
    out_ = t;
    return *this;
  }
  Iter& in(const Tensor& t) {
    inputs_[ninputs_++] = t.impl();
    return *this;
  }
  // A number as an operand, converted to `dtype`.
  Iter& in(const Scalar& s, DType dtype);
  // Computes everything; afterwards `result()` and `c()` are valid.
  Iter& build();
  const Tensor& result() const { return out_; }
  const ScIter* c() const { return &it_; }
  Device device() const { return device_; }

 private:
  void allocate_output(const Dims& shape);
  DType out_dtype_;
  Tensor out_;
  TensorImpl* inputs_[SC_MAX_OPERANDS] = {};  // null: scalar
  int ninputs_ = 0;
  Device device_;
  ScIter it_;
};

// Write a number into an iterator's scalar slot in its dtype.
void store_scalar(void* dst, const Scalar& s, DType dtype);

}  // namespace sconce
