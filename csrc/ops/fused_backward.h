// Derivative kernels that do in one pass what a formula would do in several, and stay differentiable
// themselves.
#pragma once
#include "pointwise.h"

namespace sconce::ops {

// The kernel computes g * f(z). Its derivative with respect to g is the same kernel again; with respect to z
// it is g * f'(z), where `slope` gives f' in differentiable operators (null where f is constant but for
// jumps).
struct FusedBackward {
  ScBinaryOp op;
  const char* name;  // of its own node
  Tensor (*slope)(const Tensor& z, const Params& p);
};
Tensor fused_backward(const FusedBackward& f, const Tensor& g, const Tensor& z, const Params& p = {});

extern const FusedBackward kTanhBackward, kSigmoidBackward, kSqrtBackward, kRsqrtBackward;  // z is the result
extern const FusedBackward kReluBackward;                                                   // result or input
extern const FusedBackward kGeluBackward, kGeluTanhBackward, kSiluBackward,
    kSoftplusBackward;  // z is the input
extern const FusedBackward kLeakyReluBackward, kEluBackward, kHardtanhBackward, kClampBackward,
    kPowScalarBackward;

}  // namespace sconce::ops
