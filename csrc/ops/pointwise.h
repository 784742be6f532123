// Calls into the element-wise kernels: promotion, broadcasting, output. Used by every element-wise operator.
#pragma once
#include "../core/iter.h"
#include "../core/tensor.h"

namespace sconce::ops {

struct Params {
  double p[4] = {0, 0, 0, 0};
};

// No autograd in any of these. Inputs are cast as needed.
// out dtype = x's dtype, or bool for predicates.
Tensor unary(ScUnaryOp op, const Tensor& x, Params p = {});
// exp and friends: integers become the default dtype first.
Tensor unary_float(ScUnaryOp op, const Tensor& x, Params p = {});
// Operands are promoted to `dtype` (default: their result type); `out` defaults to the same.
Tensor binary(ScBinaryOp op, const Tensor& a, const Tensor& b, Params p = {});
Tensor binary(ScBinaryOp op, const Tensor& a, const Scalar& b, Params p = {});
Tensor binary(ScBinaryOp op, const Scalar& a, const Tensor& b, Params p = {});
Tensor binary_as(ScBinaryOp op, const Tensor& a, const Tensor& b, DType compute, DType out, Params p = {});
Tensor binary_as(ScBinaryOp op, const Tensor& a, const Scalar& b, DType compute, DType out, Params p = {});
Tensor binary_as(ScBinaryOp op, const Scalar& a, const Tensor& b, DType compute, DType out, Params p = {});
// Comparison: promotes the operands, bool out.
Tensor compare(ScBinaryOp op, const Tensor& a, const Tensor& b);
Tensor compare(ScBinaryOp op, const Tensor& a, const Scalar& b);
Tensor ternary(ScTernaryOp op, const Tensor& a, const Tensor& b, const Tensor& c, DType dtype, Params p = {});
// Marks `y` as a function of `inputs` that cannot be differentiated: a backward that reaches it throws.
Tensor not_differentiable(const Tensor& y, const char* name, const TensorList& inputs);
// A 0-d CPU tensor mixed with tensors of another device counts as a number there.
Tensor same_device(const Tensor& t, Device d);
// Integers become the default dtype.
inline DType floating_dtype(DType t) { return is_floating(t) ? t : default_dtype(); }

}  // namespace sconce::ops
