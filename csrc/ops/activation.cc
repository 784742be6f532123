// Activation functions.
#include <cmath>

#include "../functors/special.h"
#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static void check_floating(const Tensor& self, const char* kernel) {
  SC_CHECK(is_floating(self.dtype()), "\"", kernel, "\" not implemented for '",
           scalar_type_name(self.dtype()), "'");
}

// The `inplace` argument of torch.nn.functional: the same function, written into its input.
template <class F>
static Tensor maybe_in_place(const Tensor& self, bool inplace, const F& f) {
  if (!inplace) return f();
  return in_place(self, [&f] { return f(); });
}

// y = f(self) by one kernel, dy/dself by a fused one that looks at self.
static Tensor activate(const char* node, ScUnaryOp op, const FusedBackward& backward, const Tensor& self,
                       const Params& p = {}) {
  Tensor y = unary(op, self, p);
  return differentiable(node, y).wrt(self, [&backward, self = saved(self), p](const Tensor& g) {
    return fused_backward(backward, g, self(), p);
  });
}

Tensor sigmoid(const Tensor& self) {
  Tensor y = unary_float(SC_SIGMOID, self);
  return elementwise("SigmoidBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return fused_backward(kSigmoidBackward, g, y());
  });
}
OP("sigmoid(Tensor self) -> Tensor", sigmoid, kFunction | kMethod | kInPlace | kDirect | kNN,
   R"(Logistic function, element by element: `1 / (1 + exp(-x))`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html

@example
torch.tensor([0, 1]).sigmoid() // tensor([0.5000, 0.7311])
)");

Tensor relu(const Tensor& self) {
  SC_CHECK(self.dtype() != DType::kBool, "Boolean inputs not supported for relu");
  Tensor y = unary(SC_RELU, self);
  return elementwise("ReluBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return fused_backward(kReluBackward, g, y());
  });
}
OP("relu(Tensor self) -> Tensor", relu, kFunction | kMethod | kInPlace | kDirect,
   R"(Rectifier, element by element: `max(x, 0)`. Under `torch.nn.functional`, `inplace` writes the result into the input.

Same shape and dtype. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html

@example
torch.tensor([-1, 2]).relu() // tensor([0., 2.])
)");

static Tensor relu_inplace(const Tensor& self, bool inplace) {
  return maybe_in_place(self, inplace, [&] { return relu(self); });
}
OP("relu.inplace(Tensor self, bool inplace=False) -> Tensor", relu_inplace, kNN, "");

static Tensor gelu(const Tensor& self, const std::string& approximate) {
  SC_CHECK(approximate == "none" || approximate == "tanh",
           "approximate argument must be either none or tanh.");
  check_floating(self, "GeluKernelImpl");
  if (approximate == "tanh") return activate("GeluBackward0", SC_GELU_TANH, kGeluTanhBackward, self);
  return activate("GeluBackward0", SC_GELU, kGeluBackward, self);
}
OP("gelu(Tensor self, *, str approximate='none') -> Tensor", gelu, kNN,
   R"(Gaussian error linear unit, element by element: `x * cdf(x)` of the normal distribution (https://arxiv.org/abs/1606.08415).

`approximate: 'tanh'` uses `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`. Same shape and dtype. Throws for integer and
bool tensors and for another `approximate`.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html

@example
torch.nn.functional.gelu(torch.tensor([-1, 1])) // tensor([-0.1587,  0.8413])
)");

static Tensor silu(const Tensor& self, bool inplace) {
  check_floating(self, "silu_cpu");
  return maybe_in_place(self, inplace,
                        [&] { return activate("SiluBackward0", SC_SILU, kSiluBackward, self); });
}
OP("silu(Tensor self, bool inplace=False) -> Tensor", silu, kNN,
   R"(Sigmoid linear unit, element by element: `x * sigmoid(x)`. `inplace` writes the result into the input.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.silu.html

@example
torch.nn.functional.silu(torch.tensor([-1, 1])) // tensor([-0.2689,  0.7311])
)");

static Tensor mish(const Tensor& self, bool inplace) {
  check_floating(self, "mish_cpu");
  return maybe_in_place(self, inplace, [&]() -> Tensor {
    Tensor y = unary(SC_MISH, self);
    return elementwise("MishBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
      // y = x t with t = tanh(softplus(x)):  dy/dx = t + x (1 - t^2) sigmoid(x)
      const Tensor x = self(), t = tanh(softplus(x));
      return g * (t + x * sigmoid(x) * (1 - t * t));
    });
  });
}
OP("mish(Tensor self, bool inplace=False) -> Tensor", mish, kNN,
   R"(Mish, element by element: `x * tanh(softplus(x))` (https://arxiv.org/abs/1908.08681). `inplace` writes the result into the input.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mish.html

@example
torch.nn.functional.mish(torch.tensor([-1, 1])) // tensor([-0.3034,  0.8651])
)");

Tensor softplus(const Tensor& self, const Scalar& beta, const Scalar& threshold) {
  check_floating(self, "softplus_cpu");
  return activate("SoftplusBackward0", SC_SOFTPLUS, kSoftplusBackward, self,
                  {{beta.to_double(), threshold.to_double()}});
}
OP("softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor", softplus, kNN,
   R"(Smooth rectifier, element by element: `log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x > threshold`.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html

@example
torch.nn.functional.softplus(torch.tensor([0, 1])) // tensor([0.6931, 1.3133])
)");

static Tensor leaky_relu(const Tensor& self, const Scalar& negative_slope, bool inplace) {
  check_floating(self, "leaky_relu_cpu");
  SC_CHECK(!inplace || !grad_enabled() || !self.requires_grad() || negative_slope.to_double() >= 0,
           "In-place leakyReLu backward calculation is triggered with a negative slope which is not "
           "supported. This is caused by calling "
           "in-place forward function with a negative slope, please call out-of-place version instead. File "
           "an issue at "
           "https://github.com/pytorch/pytorch if you do require supporting in-place leakRelu backward "
           "calculation with negative slope");
  return maybe_in_place(self, inplace, [&] {
    return activate("LeakyReluBackward0", SC_LEAKY_RELU, kLeakyReluBackward, self,
                    {{negative_slope.to_double()}});
  });
}
OP("leaky_relu(Tensor self, Scalar negative_slope=0.01, bool inplace=False) -> Tensor", leaky_relu, kNN,
   R"(Leaky rectifier, element by element: `x` where positive, else `negative_slope * x`. `inplace` writes the result into the input.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.leaky_relu.html

@example
torch.nn.functional.leaky_relu(torch.tensor([-1, 1])) // tensor([-0.0100,  1.0000])
)");

static Tensor elu_like(const char* node, const Tensor& self, double alpha, double scale, double input_scale,
                       bool inplace) {
  check_floating(self, "elu_cpu");
  return maybe_in_place(self, inplace, [&] {
    return activate(node, SC_ELU, kEluBackward, self, {{alpha, scale, input_scale}});
  });
}

static Tensor elu(const Tensor& self, const Scalar& alpha, bool inplace) {
  return elu_like("EluBackward0", self, alpha.to_double(), 1, 1, inplace);
}
OP("elu(Tensor self, Scalar alpha=1.0, bool inplace=False) -> Tensor", elu, kNN,
   R"(Exponential linear unit, element by element: `x` where positive, else `alpha * (exp(x) - 1)` (https://arxiv.org/abs/1511.07289).

`inplace` writes the result into the input. Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.elu.html

@example
torch.nn.functional.elu(torch.tensor([-1, 1])) // tensor([-0.6321,  1.0000])
)");

static Tensor selu(const Tensor& self, bool inplace) {
  return elu_like("EluBackward0", self, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946,
                  1, inplace);
}
OP("selu(Tensor self, bool inplace=False) -> Tensor", selu, kFunction | kNN,
   R"(Scaled exponential linear unit, element by element: `scale * elu(x, alpha)` with the constants of https://arxiv.org/abs/1706.02515.

`inplace` writes the result into the input. Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.selu.html

@example
torch.nn.functional.selu(torch.tensor([-1, 1])) // tensor([-1.1113,  1.0507])
)");

static Tensor celu(const Tensor& self, const Scalar& alpha, bool inplace) {
  SC_CHECK(alpha.to_double() != 0, "ZeroDivisionError: alpha cannot be 0 for CELU");
  return elu_like("CeluBackward0", self, alpha.to_double(), 1, 1 / alpha.to_double(), inplace);
}
OP("celu(Tensor self, Scalar alpha=1.0, bool inplace=False) -> Tensor", celu, kFunction | kNN,
   R"(Continuously differentiable ELU, element by element: `x` where positive, else `alpha * (exp(x / alpha) - 1)` (https://arxiv.org/abs/1704.07483).

`inplace` writes the result into the input. Same shape and dtype. Throws for integer and bool tensors, and for `alpha` 0.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.celu.html

@example
torch.nn.functional.celu(torch.tensor([-1, 1]), 2) // tensor([-0.7869,  1.0000])
)");

static Tensor hardtanh(const Tensor& self, const Scalar& min_val, const Scalar& max_val, bool inplace) {
  SC_CHECK(self.dtype() != DType::kBool, "Bool inputs not supported for hardtanh");
  const double lo = min_val.to_double(), hi = max_val.to_double();
  SC_CHECK(lo <= hi, "min_val cannot be greater than max_val");
  SC_CHECK(self.dtype() != DType::kUInt8 || (lo >= 0 && hi >= 0),
           "cannot do hardtanh on an unsigned type with negative limits");
  return maybe_in_place(self, inplace, [&] {
    return activate("HardtanhBackward0", SC_CLAMP, kHardtanhBackward, self, {{lo, hi}});
  });
}
OP("hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1, bool inplace=False) -> Tensor", hardtanh, kNN,
   R"(Limits every element to `[min_val, max_val]`. `inplace` writes the result into the input.

Same shape and dtype. Throws for bool tensors, and when `min_val` is above `max_val`.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardtanh.html

@example
torch.nn.functional.hardtanh(torch.tensor([-2, 0.5, 2])) // tensor([-1.0000,  0.5000,  1.0000])
)");

static Tensor relu6(const Tensor& self, bool inplace) { return hardtanh(self, 0, 6, inplace); }
OP("relu6(Tensor self, bool inplace=False) -> Tensor", relu6, kNN,
   R"(Rectifier with a ceiling, element by element: `min(max(x, 0), 6)`. `inplace` writes the result into the input.

Same shape and dtype. Throws for bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu6.html

@example
torch.nn.functional.relu6(torch.tensor([-1, 3, 9])) // tensor([0., 3., 6.])
)");

// 0 or 1, as self's dtype: where self is strictly between the limits.
static Tensor strictly_between(const Tensor& self, double lo, double hi) {
  return cast_raw(binary(SC_LOGICAL_AND, compare(SC_GT, self, lo), compare(SC_LT, self, hi)), self.dtype());
}

static Tensor hardsigmoid(const Tensor& self, bool inplace) {
  check_floating(self, "hardsigmoid_cpu");
  return maybe_in_place(self, inplace, [&]() -> Tensor {
    Tensor y = unary(SC_HARDSIGMOID, self);
    return elementwise("HardsigmoidBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
      return g * strictly_between(self(), -3, 3) *
             (1.0F / 6);  // PyTorch's constant is a float for every dtype
    });
  });
}
OP("hardsigmoid(Tensor self, bool inplace=False) -> Tensor", hardsigmoid, kNN,
   R"(Piecewise linear sigmoid, element by element: `min(max(x + 3, 0), 6) / 6`. `inplace` writes the result into the input.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardsigmoid.html

@example
torch.nn.functional.hardsigmoid(torch.tensor([-4, 0, 1])) // tensor([0.0000, 0.5000, 0.6667])
)");

static Tensor hardswish(const Tensor& self, bool inplace) {
  check_floating(self, "hardswish_cpu");
  return maybe_in_place(self, inplace, [&]() -> Tensor {
    Tensor y = unary(SC_HARDSWISH, self);
    return elementwise("HardswishBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
      // 0 up to -3, x / 3 + 1 / 2 between, 1 from 3 on
      const Tensor x = self();
      const Tensor slope = masked_fill(x * (1.0 / 3) + 0.5, logical_not_raw(compare(SC_LT, x, 3)), 1);
      return g * masked_fill(slope, compare(SC_LE, x, -3), 0);
    });
  });
}
OP("hardswish(Tensor self, bool inplace=False) -> Tensor", hardswish, kNN,
   R"(Piecewise swish, element by element: `x * min(max(x + 3, 0), 6) / 6` (https://arxiv.org/abs/1905.02244).

`inplace` writes the result into the input. Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardswish.html

@example
torch.nn.functional.hardswish(torch.tensor([-4, 1, 4])) // tensor([-0.0000, 0.6667, 4.0000])
)");

static Tensor logsigmoid(const Tensor& self) {
  check_floating(self, "log_sigmoid_cpu");
  Tensor y = unary(SC_LOGSIGMOID, self);
  return elementwise("LogSigmoidBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * sigmoid(-self());
  });
}
OP("logsigmoid(Tensor self) -> Tensor", logsigmoid, kNN,
   R"(Logarithm of the sigmoid, element by element: `-log(1 + exp(-x))`, without overflow.

Same shape and dtype. Throws for integer and bool tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.logsigmoid.html

@example
torch.nn.functional.logsigmoid(torch.tensor([0, -100])) // tensor([  -0.6931, -100.0000])
)");

}  // namespace sconce::ops
