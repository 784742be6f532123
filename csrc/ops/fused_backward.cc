#include "fused_backward.h"

#include <cmath>

#include "../functors/special.h"
#include "ops.h"

namespace sconce::ops {

Tensor fused_backward(const FusedBackward& f, const Tensor& g, const Tensor& z, const Params& p) {
  Tensor y = binary(f.op, g, z, p);
  return elementwise(f.name, y)
      .wrt(g, [&f, z = saved(z), p](const Tensor& gg) { return fused_backward(f, gg, z(), p); })
      .wrt(z, [&f, g = saved(g), z = saved(z), p](const Tensor& gg) {
        return f.slope ? gg * g() * f.slope(z(), p) : zeros_like_raw(gg);
      });
}

// z where the mask is true, else 0.
static Tensor only_where(const Tensor& mask, const Tensor& z) {
  return masked_fill(z, logical_not_raw(mask), 0);
}

// f(y) = 1 - y^2
const FusedBackward kTanhBackward{SC_TANH_BWD, "TanhBackwardBackward0",
                                  [](const Tensor& y, const Params&) { return y * -2; }};
// f(y) = y (1 - y)
const FusedBackward kSigmoidBackward{SC_SIGMOID_BWD, "SigmoidBackwardBackward0",
                                     [](const Tensor& y, const Params&) { return 1 - y * 2; }};
// f(y) = 1 / (2 y)
const FusedBackward kSqrtBackward{SC_SQRT_BWD, "SqrtBackwardBackward0",
                                  [](const Tensor& y, const Params&) { return reciprocal(y * y) * -0.5; }};
// f(y) = -y^3 / 2
const FusedBackward kRsqrtBackward{SC_RSQRT_BWD, "RsqrtBackwardBackward0",
                                   [](const Tensor& y, const Params&) { return y * y * -1.5; }};
const FusedBackward kReluBackward{SC_RELU_BWD, "ThresholdBackwardBackward0", nullptr};
const FusedBackward kLeakyReluBackward{SC_LEAKY_RELU_BWD, "LeakyReluBackwardBackward0", nullptr};
const FusedBackward kHardtanhBackward{SC_HARDTANH_BWD, "HardtanhBackwardBackward0", nullptr};
const FusedBackward kClampBackward{SC_CLAMP_BWD, "ClampBackwardBackward0", nullptr};

// f(x) = cdf(x) + x pdf(x), of the normal distribution; f' = pdf (2 - x^2)
const FusedBackward kGeluBackward{SC_GELU_BWD, "GeluBackwardBackward0", [](const Tensor& x, const Params&) {
                                    const Tensor squared = x * x;
                                    return exp(squared * -0.5) * fn::kInvSqrt2Pi * (2 - squared);
                                  }};
// With u = k (x + c x^3) and t = tanh u:  f' = (1 - t^2) (u' + x / 2 (u'' - 2 t u'^2))
const FusedBackward kGeluTanhBackward{
    SC_GELU_TANH_BWD, "GeluBackwardBackward0", [](const Tensor& x, const Params&) {
      const Tensor squared = x * x;
      const Tensor t = tanh(x * (squared * fn::kGeluCubic + 1) * fn::kSqrt2OverPi);
      const Tensor du = (squared * (3 * fn::kGeluCubic) + 1) * fn::kSqrt2OverPi;
      const Tensor ddu = x * (6 * fn::kGeluCubic * fn::kSqrt2OverPi);
      return (1 - t * t) * (du + x * 0.5 * (ddu - t * du * du * 2));
    }};
// f(x) = s (1 + x (1 - s)), s = sigmoid(x);  f' = s (1 - s) (2 + x (1 - 2 s))
const FusedBackward kSiluBackward{SC_SILU_BWD, "SiluBackwardBackward0", [](const Tensor& x, const Params&) {
                                    const Tensor s = sigmoid(x);
                                    return s * (1 - s) * (x * (1 - s * 2) + 2);
                                  }};
// f(x) = sigmoid(beta x), or 1 above the threshold
const FusedBackward kSoftplusBackward{SC_SOFTPLUS_BWD, "SoftplusBackwardBackward0",
                                      [](const Tensor& x, const Params& p) {
                                        const Tensor z = x * p.p[0], s = sigmoid(z);
                                        return only_where(compare(SC_LE, z, p.p[1]), s * (1 - s) * p.p[0]);
                                      }};
// f(x) = alpha scale input_scale exp(input_scale x) below 0
const FusedBackward kEluBackward{SC_ELU_BWD, "EluBackwardBackward0", [](const Tensor& x, const Params& p) {
                                   const double factor = p.p[0] * p.p[1] * p.p[2] * p.p[2];
                                   return only_where(compare(SC_LE, x, 0), exp(x * p.p[2]) * factor);
                                 }};
// f(x) = e x^(e - 1)
const FusedBackward kPowScalarBackward{SC_POW_SCALAR_BWD, "PowBackwardBackward0",
                                       [](const Tensor& x, const Params& p) {
                                         const double factor = p.p[0] * (p.p[0] - 1);
                                         if (factor == 0) return zeros_like_raw(x);  // not 0 * inf at x = 0
                                         return pow_scalar(x, p.p[0] - 2) * factor;
                                       }};

}  // namespace sconce::ops
