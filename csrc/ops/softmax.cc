// softmax, log_softmax, softmin.
#include "ops.h"

namespace sconce::ops {

namespace {
// No autograd. With `grad` the backward kernel, on the result `x`.
Tensor run(ScSoftmaxOp op, const Tensor& x0, int64_t dim, const Tensor& grad0 = {}) {
  const Tensor x = contiguous_raw(x0);
  Tensor grad;
  if (grad0) grad = contiguous_raw(cast_raw(grad0, x.dtype()));
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  if (x.numel() == 0) return y;
  ScSoftmax a{};
  a.in = x.data();
  a.grad = grad ? grad.data() : nullptr;
  a.out = y.data();
  a.dtype = static_cast<int32_t>(x.dtype());
  a.outer = a.n = a.inner = 1;
  for (int d = 0; d < x.dim(); ++d) (d < dim ? a.outer : d == dim ? a.n : a.inner) *= x.sizes()[d];
  const ScSoftmaxKernels& k = backend_of(x.device()).softmax;
  if (grad)
    run_kernel(k.backward, x.device(), "softmax_backward", op, &a);
  else
    run_kernel(k.forward, x.device(), "softmax", op, &a);
  return y;
}

Tensor prepared(const char* name, const Tensor& self, int64_t dim, const std::optional<DType>& dtype) {
  const Tensor x = dtype ? to_dtype(self, *dtype) : self;
  SC_CHECK(is_floating(x.dtype()) || x.numel() == 0, "\"", name, dim >= self.dim() - 1 ? "_lastdim" : "",
           "_kernel_impl\" not implemented for '", scalar_type_name(x.dtype()), "'");
  return x;
}
Tensor sum_along(const Tensor& x, int64_t dim) { return sum_dim(x, IntList{dim}, true); }
}  // namespace

// y (g - sum(g y)), for y = softmax(x)
static Tensor softmax_backward(const Tensor& grad, const Tensor& y, int64_t dim) {
  Tensor d = run(SC_SOFTMAX, y, dim, grad);
  return differentiable("SoftmaxBackwardDataBackward0", d)
      .wrt(grad, [dim, y = saved(y)](const Tensor& v) { return softmax_backward(v, y(), dim); })
      .wrt(y, [dim, grad = saved(grad), y = saved(y)](const Tensor& v) {
        const Tensor g = grad(), p = y();
        return v * (g - sum_along(g * p, dim)) - g * sum_along(v * p, dim);
      });
}
// g - exp(y) sum(g), for y = log_softmax(x)
static Tensor log_softmax_backward(const Tensor& grad, const Tensor& y, int64_t dim) {
  Tensor d = run(SC_LOG_SOFTMAX, y, dim, grad);
  return differentiable("LogSoftmaxBackwardDataBackward0", d)
      .wrt(grad, [dim, y = saved(y)](const Tensor& v) { return v - sum_along(v * exp(y()), dim); })
      .wrt(y, [dim, grad = saved(grad), y = saved(y)](const Tensor& v) {
        return -(exp(y()) * v * sum_along(grad(), dim));
      });
}

Tensor softmax(const Tensor& self, int64_t dim0, const std::optional<DType>& dtype) {
  const int64_t dim = wrap_dim(dim0, self.dim());
  const Tensor x = prepared("softmax", self, dim, dtype);
  Tensor y = run(SC_SOFTMAX, x, dim);
  return differentiable("SoftmaxBackward0", y).wrt(x, [dim, y = saved(y)](const Tensor& g) {
    return softmax_backward(g, y(), dim);
  });
}
OP("softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", softmax, kFunction | kMethod | kNN,
   R"(Exponentials scaled to sum to one along `dim`: `exp(x) / sum(exp(x))`, computed without overflow.

The shape stays; `dtype` converts the input first. Throws for integers, and when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html

@example
torch.tensor([0, 0]).softmax(0) // tensor([0.5000, 0.5000])
)");

Tensor log_softmax(const Tensor& self, int64_t dim0, const std::optional<DType>& dtype) {
  const int64_t dim = wrap_dim(dim0, self.dim());
  const Tensor x = prepared("log_softmax", self, dim, dtype);
  Tensor y = run(SC_LOG_SOFTMAX, x, dim);
  return differentiable("LogSoftmaxBackward0", y).wrt(x, [dim, y = saved(y)](const Tensor& g) {
    return log_softmax_backward(g, y(), dim);
  });
}
OP("log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", log_softmax,
   kFunction | kMethod | kNN,
   R"(The logarithm of softmax along `dim`: `x - log(sum(exp(x)))`, computed without overflow.

The shape stays; `dtype` converts the input first. Throws for integers, and when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html

@example
torch.tensor([0, 0]).log_softmax(0) // tensor([-0.6931, -0.6931])
)");

static Tensor softmin(const Tensor& self, int64_t dim, const std::optional<DType>& dtype) {
  return softmax(neg(self), dim, dtype);
}
OP("softmin(Tensor input, int dim, ScalarType? dtype=None) -> Tensor", softmin, kNN,
   R"(Softmax of the negated input along `dim`: small elements get large shares.

The shape stays; `dtype` converts the input first. Throws for integers, and when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmin.html

@example
torch.nn.functional.softmin(torch.tensor([1, 1]), 0) // tensor([0.5000, 0.5000])
)");

}  // namespace sconce::ops
