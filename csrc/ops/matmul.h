// The call into the product kernel, used by every operator that multiplies matrices.
#pragma once
#include "../core/tensor.h"

namespace sconce::ops {

// alpha * a b + beta * c for matrices [m, k] [k, n] or batches of them, any strides; shapes and dtypes are
// the caller's to check. `c` broadcasts to the result and is ignored when undefined. No autograd.
Tensor product(const Tensor& a, const Tensor& b, const Tensor& c = {}, const Scalar& beta = 1,
               const Scalar& alpha = 1);

}  // namespace sconce::ops
