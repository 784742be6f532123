// Running sums, products and extremes along a dimension.
#include "ops.h"
#include "reduction.h"

namespace sconce::ops {

namespace {
// No autograd. `factor` is for the linear recurrences alone, `indices` for the extremes.
Tensor run_scan(ScScanOp op, const Tensor& x0, int64_t dim, bool reverse = false, const Tensor& factor0 = {},
                Tensor* indices = nullptr) {
  const Tensor x = contiguous_raw(x0);
  Tensor factor;
  if (factor0) factor = contiguous_raw(factor0);
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  if (indices) *indices = empty(x.sizes(), DType::kInt64, x.device());
  if (x.numel() == 0) return y;
  ScScan s{};
  s.in = x.data();
  s.factor = factor ? factor.data() : nullptr;
  s.out = y.data();
  s.out2 = indices ? indices->data_as<int64_t>() : nullptr;
  s.dtype = static_cast<int32_t>(x.dtype());
  s.reverse = reverse;
  s.outer = s.inner = s.n = 1;
  for (int d = 0; d < x.dim(); ++d) (d < dim ? s.outer : d == dim ? s.n : s.inner) *= x.sizes()[d];
  run_kernel(backend_of(x.device()).scan.scan, x.device(), "scan", op, &s);
  return y;
}
const char* cpp_name(DType t) {
  static const char* const names[] = {"float", "double",    "c10::Half",   "c10::BFloat16", "long int",
                                      "int",   "short int", "signed char", "unsigned char", "bool"};
  return names[static_cast<int>(t)];
}
// Integers accumulate as int64 unless a dtype is asked for; in place everything stays what it is.
DType scanned_dtype(const char* name, const Tensor& self, const std::optional<DType>& dtype) {
  if (const InPlaceScope* scope = thread_state().in_place; scope && scope->self.is_same(self)) {
    SC_CHECK(!dtype || *dtype == self.dtype(), "Bad in-place call: input tensor dtype ",
             cpp_name(self.dtype()), " and output tensor dtype ", cpp_name(*dtype), " should match");
    // A single element is its own running result, of any dtype.
    SC_CHECK(self.dtype() != DType::kBool || self.dim() == 0 || self.numel() == 0, "\"", name,
             "_out_cpu\" not implemented for 'Bool'");
    return self.dtype();
  }
  return accumulated_dtype(self, dtype);
}
// x moved one place along `dim`, towards the end (or the start), with `first` where nothing moved in.
Tensor shifted(const Tensor& x, int64_t dim, bool towards_end, double first) {
  const int64_t n = x.size(dim);
  if (n == 0) return x;
  Dims edge_sizes = x.sizes();
  edge_sizes[static_cast<int>(dim)] = 1;
  const Tensor edge = empty(edge_sizes, x.dtype(), x.device());
  fill_into(edge, first);
  if (towards_end) return cat({edge, narrow(x, dim, 0, n - 1)}, dim);
  return cat({narrow(x, dim, 1, n - 1), edge}, dim);
}
}  // namespace

// ---- sums ----
static Tensor cumsum_from(const char* node, const Tensor& self, int64_t dim, bool reverse) {
  Tensor y = run_scan(SC_SCAN_SUM, self, dim, reverse);
  return differentiable(node, y).wrt(
      self, [dim, reverse](const Tensor& g) { return cumsum_from("CumsumBackward0", g, dim, !reverse); });
}
Tensor cumsum(const Tensor& self, int64_t dim0, const std::optional<DType>& dtype) {
  const int64_t dim = wrap_dim(dim0, self.dim());
  return cumsum_from("CumsumBackward0", to_dtype(self, scanned_dtype("cumsum", self, dtype)), dim, false);
}
OP("cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", cumsum,
   kFunction | kMethod | kInPlace,
   R"(The running sum along `dim`: `y[i] = x[0] + ... + x[i]`. Integers and bool give int64 unless `dtype` says otherwise.

Throws when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.cumsum.html

@example
torch.tensor([1, 2, 3]).cumsum(0) // tensor([1., 3., 6.])
)");

// ---- products ----
// y[k] = g[k] + a[k] y[k-1], or from the end y[k] = g[k] + a[k+1] y[k+1]. The two are each other's adjoints,
// so that they are closed under differentiation.
static Tensor linear_scan(const Tensor& g, const Tensor& a, int64_t dim, bool reverse) {
  Tensor y = run_scan(reverse ? SC_SCAN_LINEAR_REVERSE : SC_SCAN_LINEAR, g, dim, false, a);
  return differentiable("LinearScanBackward0", y)
      .wrt(g, [dim, reverse, a = saved(a)](const Tensor& v) { return linear_scan(v, a(), dim, !reverse); })
      .wrt(a, [dim, reverse, a = saved(a), y = saved(y)](const Tensor& v) {
        const Tensor dg = linear_scan(v, a(), dim, !reverse);
        return reverse ? shifted(dg, dim, true, 0) * y() : dg * shifted(y(), dim, true, 0);
      });
}

// dL/dx[k] = y[k-1] * (sum over i >= k of g[i] x[k+1] ... x[i]), which stands zeros in x.
Tensor cumprod_backward(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
  if (x.dim() == 0 || x.numel() == 0) return g;
  if (!has_zero(x)) return cumsum_from("CumsumBackward0", g * y, dim, true) / x;
  return shifted(y, dim, true, 1) * linear_scan(g, x, dim, true);
}

Tensor cumprod(const Tensor& self0, int64_t dim0, const std::optional<DType>& dtype) {
  const int64_t dim = wrap_dim(dim0, self0.dim());
  const Tensor self = to_dtype(self0, scanned_dtype("cumprod", self0, dtype));
  Tensor y = run_scan(SC_SCAN_PROD, self, dim);
  return differentiable("CumprodBackward0", y)
      .wrt(self, [dim, self = saved(self), y = saved(y)](const Tensor& g) {
        return cumprod_backward(g, self(), y(), dim);
      });
}
OP("cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", cumprod,
   kFunction | kMethod | kInPlace,
   R"(The running product along `dim`: `y[i] = x[0] * ... * x[i]`. Integers and bool give int64 unless `dtype` says otherwise.

Throws when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.cumprod.html

@example
torch.tensor([1, 2, 3]).cumprod(0) // tensor([1., 2., 6.])
)");

// ---- extremes ----
static std::tuple<Tensor, Tensor> running_extreme(const char* node, ScScanOp op, const Tensor& self,
                                                  int64_t dim0) {
  const int64_t dim = wrap_dim(dim0, self.dim());
  Tensor indices;
  Tensor values = run_scan(op, self, dim, false, {}, &indices);
  Tensor y = differentiable(node, values).wrt(self, [dim, indices = saved(indices)](const Tensor& g) {
    const Tensor at = indices();
    return scatter_add(zeros_raw(at.sizes(), g.dtype(), g.device()), dim, at, g);
  });
  return {y, indices};
}
static std::tuple<Tensor, Tensor> cummax(const Tensor& self, int64_t dim) {
  return running_extreme("CummaxBackward0", SC_SCAN_MAX, self, dim);
}
OP("cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)", cummax, kFunction | kMethod,
   R"(The running maximum along `dim` and where it stands: `[values, indices]`. NaN counts as largest; of equal elements the last is named.

Throws when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.cummax.html

@example
torch.tensor([1, 3, 2]).cummax(0).values // tensor([1., 3., 3.])
)");
static std::tuple<Tensor, Tensor> cummin(const Tensor& self, int64_t dim) {
  return running_extreme("CumminBackward0", SC_SCAN_MIN, self, dim);
}
OP("cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)", cummin, kFunction | kMethod,
   R"(The running minimum along `dim` and where it stands: `[values, indices]`. NaN counts as smallest; of equal elements the last is named.

Throws when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.cummin.html

@example
torch.tensor([2, 1, 3]).cummin(0).values // tensor([2., 1., 1.])
)");

}  // namespace sconce::ops
