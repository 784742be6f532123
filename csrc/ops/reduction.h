// Calls into the reduction kernel: which dimensions, which output. Used by every reducing operator.
#pragma once
#include "../core/tensor.h"

namespace sconce::ops {

// Normalises a dim argument: absent or empty means all dimensions. Throws PyTorch's texts.
Dims reduce_dims(const Tensor& self, const Dims* dims);
Dims reduced_shape(const Dims& sizes, const Dims& dims, bool keepdim);
// out (and out2) have the kept shape; no autograd. `p` as in backend/reduce.h.
Tensor reduce(ScReduceOp op, const Tensor& self, const Dims& dims, bool keepdim, DType out_dtype,
              double p = 0, Tensor* out2 = nullptr);
// g, reduced over `dims` without keepdim unless `keepdim`, with those dimensions put back as size 1.
Tensor restore_dims(const Tensor& g, const Dims& dims, int ndim, bool keepdim);
// The dtype of a sum or product: integers accumulate as int64 unless a dtype is asked for.
DType accumulated_dtype(const Tensor& self, const std::optional<DType>& dtype);
// The gradient `g` of a result `y`, picked from `x` by value, shared among the elements that equal it.
Tensor share_evenly(const Tensor& g, const Tensor& x, const Tensor& y, const Dims& dims, bool keepdim,
                    bool nan_equals);
// Whether any element is zero; waits for the device.
bool has_zero(const Tensor& x);

}  // namespace sconce::ops
