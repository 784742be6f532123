// Variances, norms, logsumexp and medians.
#include <cmath>
#include <limits>

#include "ops.h"
#include "pointwise.h"
#include "reduction.h"

namespace sconce::ops {

namespace {
Dims dims_of(const Tensor& self, const std::optional<IntList>& dim) {
  if (!dim) return reduce_dims(self, nullptr);
  const Dims given(*dim);
  return reduce_dims(self, &given);
}
IntList list_of(const Dims& dims) { return dims.vec(); }
int64_t count_of(const Tensor& self, const Dims& dims) {
  int64_t n = 1;
  if (self.dim() > 0)
    for (int64_t d : dims) n *= self.sizes()[static_cast<int>(d)];
  return n;
}
}  // namespace

// ---- variances ----
namespace {
struct Spread {
  Dims dims;
  bool keepdim;
  double correction;
};
Spread spread_of(const char* what, const Tensor& self, const std::optional<IntList>& dim, double correction,
                 bool keepdim) {
  SC_CHECK(is_floating(self.dtype()), what, " only support floating point and complex dtypes");
  return {dims_of(self, dim), keepdim, correction};
}
// 2 / (n - correction) * g * (x - mean(x))
Tensor var_backward(const Tensor& g, const Tensor& x, const Spread& s) {
  const Tensor centred = x - mean_dim(x, list_of(s.dims), true);
  return restore_dims(g, s.dims, x.dim(), s.keepdim) * centred *
         Scalar(2 / (static_cast<double>(count_of(x, s.dims)) - s.correction));
}
// A deviation of zero has no slope; PyTorch takes 0.
Tensor var_grad_of_std(const Tensor& g, const Tensor& std) {
  return masked_fill(g / (std * Scalar(2)), compare(SC_EQ, std, Scalar(0)), 0);
}

Tensor var_of(const Tensor& self, const Spread& s) {
  Tensor y = reduce(SC_RED_VAR, self, s.dims, s.keepdim, self.dtype(), s.correction);
  return differentiable("VarBackward0", y).wrt(self, [s, self = saved(self)](const Tensor& g) {
    return var_backward(g, self(), s);
  });
}
Tensor std_of(const Tensor& self, const Spread& s) {
  Tensor y = reduce(SC_RED_STD, self, s.dims, s.keepdim, self.dtype(), s.correction);
  return differentiable("StdBackward0", y).wrt(self, [s, self = saved(self), y = saved(y)](const Tensor& g) {
    return var_backward(var_grad_of_std(g, y()), self(), s);
  });
}
std::tuple<Tensor, Tensor> with_mean(const char* node, ScReduceOp op, const Tensor& self, const Spread& s) {
  Tensor mean;
  const Tensor y = reduce(op, self, s.dims, s.keepdim, self.dtype(), s.correction, &mean);
  const TensorList ys{y, mean};
  differentiable(node, ys)
      .wrt_all({self},
               [s, root = op == SC_RED_STD, self = saved(self), y = saved(y)](const TensorList& g,
                                                                              const std::vector<bool>&) {
                 const Tensor x = self();
                 Tensor d;
                 if (g[0]) d = var_backward(root ? var_grad_of_std(g[0], y()) : g[0], x, s);
                 if (g[1]) {
                   const Tensor share =
                       div_scalar(restore_dims(g[1], s.dims, x.dim(), s.keepdim), count_of(x, s.dims));
                   const Tensor m = expand(share, x.sizes());
                   d = d ? d + m : m;
                 }
                 return TensorList{d};
               })
      .finish();
  return {y, mean};
}
constexpr const char* kVarStd = "std and var";
double correction_of(const std::optional<Scalar>& c) { return c ? c->to_double() : 1; }
}  // namespace

static Tensor var(const Tensor& self, bool unbiased) {
  return var_of(self, spread_of(kVarStd, self, {}, unbiased, false));
}
static Tensor var_dim(const Tensor& self, const std::optional<IntList>& dim, bool unbiased, bool keepdim) {
  return var_of(self, spread_of(kVarStd, self, dim, unbiased, keepdim));
}
static Tensor var_correction(const Tensor& self, const std::optional<IntList>& dim,
                             const std::optional<Scalar>& correction, bool keepdim) {
  return var_of(self, spread_of(kVarStd, self, dim, correction_of(correction), keepdim));
}
OP("var(Tensor self, bool unbiased=True) -> Tensor", var, kFunction | kMethod,
   R"(The variance of all elements, or along `dim`: `sum((x - mean) ** 2) / (n - correction)`, where `correction` is 1 unless given (`unbiased: false` means 0).

`keepdim` keeps the reduced dimensions as size 1. Throws for integers, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.var.html

@example
torch.tensor([1, 2, 3]).var() // tensor(1.)
torch.tensor([[1, 3], [2, 6]]).var(1, { correction: 0 }) // tensor([1., 4.])
)");
OP("var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", var_dim,
   kFunction | kMethod, "");
OP("var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
   var_correction, kFunction | kMethod, "");

static Tensor std_(const Tensor& self, bool unbiased) {
  return std_of(self, spread_of(kVarStd, self, {}, unbiased, false));
}
static Tensor std_dim(const Tensor& self, const std::optional<IntList>& dim, bool unbiased, bool keepdim) {
  return std_of(self, spread_of(kVarStd, self, dim, unbiased, keepdim));
}
static Tensor std_correction(const Tensor& self, const std::optional<IntList>& dim,
                             const std::optional<Scalar>& correction, bool keepdim) {
  return std_of(self, spread_of(kVarStd, self, dim, correction_of(correction), keepdim));
}
OP("std(Tensor self, bool unbiased=True) -> Tensor", std_, kFunction | kMethod,
   R"(The standard deviation of all elements, or along `dim`: the square root of `var`, with the same `correction`.

`keepdim` keeps the reduced dimensions as size 1. Throws for integers, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.std.html

@example
torch.tensor([1, 3, 5]).std() // tensor(2.)
torch.tensor([[1, 3], [2, 6]]).std(1, { correction: 0 }) // tensor([1., 2.])
)");
OP("std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", std_dim,
   kFunction | kMethod, "");
OP("std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
   std_correction, kFunction | kMethod, "");

static std::tuple<Tensor, Tensor> var_mean_of(const Tensor& self, const std::optional<IntList>& dim,
                                              double correction, bool keepdim) {
  return with_mean("VarMeanBackward0", SC_RED_VAR, self,
                   spread_of("var_mean", self, dim, correction, keepdim));
}
static std::tuple<Tensor, Tensor> var_mean(const Tensor& self, bool unbiased) {
  return var_mean_of(self, {}, unbiased, false);
}
static std::tuple<Tensor, Tensor> var_mean_dim(const Tensor& self, const std::optional<IntList>& dim,
                                               bool unbiased, bool keepdim) {
  return var_mean_of(self, dim, unbiased, keepdim);
}
static std::tuple<Tensor, Tensor> var_mean_correction(const Tensor& self, const std::optional<IntList>& dim,
                                                      const std::optional<Scalar>& correction, bool keepdim) {
  return var_mean_of(self, dim, correction_of(correction), keepdim);
}
OP("var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", var_mean, kFunction,
   R"(The variance and the mean in one pass: `[var, mean]`, with the arguments of `var`.

Throws for integers, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.var_mean.html

@example
torch.var_mean(torch.tensor([1, 2, 3]))[1] // tensor(2.)
)");
OP("var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
   var_mean_dim, kFunction, "");
OP("var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
   "(Tensor, Tensor)",
   var_mean_correction, kFunction, "");

static std::tuple<Tensor, Tensor> std_mean_of(const Tensor& self, const std::optional<IntList>& dim,
                                              double correction, bool keepdim) {
  return with_mean("StdMeanBackward0", SC_RED_STD, self,
                   spread_of("std_mean", self, dim, correction, keepdim));
}
static std::tuple<Tensor, Tensor> std_mean(const Tensor& self, bool unbiased) {
  return std_mean_of(self, {}, unbiased, false);
}
static std::tuple<Tensor, Tensor> std_mean_dim(const Tensor& self, const std::optional<IntList>& dim,
                                               bool unbiased, bool keepdim) {
  return std_mean_of(self, dim, unbiased, keepdim);
}
static std::tuple<Tensor, Tensor> std_mean_correction(const Tensor& self, const std::optional<IntList>& dim,
                                                      const std::optional<Scalar>& correction, bool keepdim) {
  return std_mean_of(self, dim, correction_of(correction), keepdim);
}
OP("std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", std_mean, kFunction,
   R"(The standard deviation and the mean in one pass: `[std, mean]`, with the arguments of `std`.

Throws for integers, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.std_mean.html

@example
torch.std_mean(torch.tensor([1, 3, 5]))[0] // tensor(2.)
)");
OP("std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
   std_mean_dim, kFunction, "");
OP("std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
   "(Tensor, Tensor)",
   std_mean_correction, kFunction, "");

// ---- norms ----
// x |x|^(p-2) g / norm^(p-1), with the corners that each p has.
static Tensor norm_backward(const Tensor& g, const Tensor& x, const Tensor& norm, double p,
                            const Dims& dims) {
  const auto zero_where = [](const Tensor& t, const Tensor& by) {
    return masked_fill(t, compare(SC_EQ, by, Scalar(0)), 0);
  };
  if (p == 0) return {};  // a count is flat everywhere
  if (p == 1) return sign(x) * g;
  if (p == 2) return g * zero_where(x / norm, norm);
  if (std::isinf(p)) {  // shared among the elements that have the norm
    const Tensor a = abs(x).detach(), at = norm.detach();
    const Tensor both_nan = logical_and(compare(SC_NE, a, a), compare(SC_NE, at, at));
    const Tensor mask = logical_or(compare(SC_EQ, a, at), both_nan);
    return sign(x) * mask * (g / reduce(SC_RED_SUM, mask, dims, true, DType::kInt64));
  }
  if (p < 1) return sign(x) * zero_where(pow_scalar(abs(x), p - 1), x) * g * pow_scalar(norm, 1 - p);
  const Tensor scale = zero_where(g / pow_scalar(norm, p - 1), norm);
  if (p < 2) return sign(x) * pow_scalar(abs(x), p - 1) * scale;
  return x * pow_scalar(abs(x), p - 2) * scale;
}

static Tensor norm(const Tensor& self, const std::optional<Scalar>& order, const std::optional<IntList>& dim,
                   bool keepdim, const std::optional<DType>& dtype) {
  const double p = order ? order->to_double() : 2;
  SC_CHECK(is_floating(self.dtype()),
           "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
           scalar_type_name(self.dtype()));
  const DType t = dtype.value_or(self.dtype());
  SC_CHECK(is_floating(t), "linalg.vector_norm: dtype should be floating point or complex. Got ",
           scalar_type_name(t));
  const Dims dims = dims_of(self, dim);
  SC_CHECK(!(p < 0 || std::isinf(p)) || count_of(self, dims) > 0, "linalg.vector_norm cannot compute the ",
           Scalar(p).to_double(), " norm on ",
           dim ? "the dimension 0 because this dimension is empty and the" : "an empty tensor because the",
           " operation does not have an identity");
  Tensor y = reduce(SC_RED_NORM, cast_raw(self, t), dims, keepdim, t, p);
  return differentiable("LinalgVectorNormBackward0", y)
      .wrt(self, [p, t, dims, keepdim, self = saved(self), y = saved(y)](const Tensor& g) {
        const Tensor x = to_dtype(self(), t);
        return norm_backward(restore_dims(g, dims, x.dim(), keepdim), x,
                             restore_dims(y(), dims, x.dim(), keepdim), p, dims);
      });
}
OP("norm.ScalarOpt_dim_dtype(Tensor self, Scalar? p=2, int[1]? dim=None, bool keepdim=False, ScalarType? "
   "dtype=None) -> Tensor",
   norm, kFunction | kMethod,
   R"(The p-norm `sum(|x| ** p) ** (1 / p)` of all elements, or along `dim`. Infinite orders are the largest and smallest magnitude, 0 counts what is not zero, 'fro' is 2.

`dtype` converts first. Throws for integers, for an order that has no value for no elements, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.norm.html

@example
torch.tensor([3, 4]).norm() // tensor(5.)
torch.tensor([[3, -4], [1, 1]]).norm(1, 1) // tensor([7., 2.])
)");
static Tensor norm_named(const Tensor& self, const std::string& p, const std::optional<IntList>& dim,
                         bool keepdim, const std::optional<DType>& dtype) {
  SC_CHECK(p == "fro", "linalg.matrix_norm: Order ", p, " not supported.");
  return norm(self, Scalar(2), dim, keepdim, dtype);
}
OP("norm.named(Tensor self, str p, int[1]? dim=None, bool keepdim=False, ScalarType? dtype=None) -> Tensor",
   norm_named, kFunction | kMethod, "");

// ---- logsumexp ----
static Tensor logsumexp(const Tensor& self0, const IntList& dim, bool keepdim) {
  const Tensor self = is_floating(self0.dtype()) ? self0 : to_dtype(self0, default_dtype());
  const Dims dims = dims_of(self, dim);
  Tensor y;
  {
    NoGradGuard no_grad;
    if (self.numel() == 0) {
      y = log(reduce(SC_RED_SUM, self, dims, true, self.dtype()));
    } else {
      // The largest element goes before the exponentials, unless it is infinite.
      const Tensor high = reduce(SC_RED_MAX, self, dims, true, self.dtype());
      const Tensor shift = masked_fill(high, compare(SC_EQ, abs(high), Scalar(HUGE_VAL)), 0);
      y = log(reduce(SC_RED_SUM, exp(self - shift), dims, true, self.dtype())) + shift;
    }
    if (!keepdim) y = reshape(y, reduced_shape(self.sizes(), self.dim() ? dims : Dims(), false));
    y = y.detach();
  }
  return differentiable("LogsumexpBackward0", y)
      .wrt(self, [dims, keepdim, self = saved(self), y = saved(y)](const Tensor& g) {
        const Tensor x = self();
        return restore_dims(g, dims, x.dim(), keepdim) * exp(x - restore_dims(y(), dims, x.dim(), keepdim));
      });
}
OP("logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", logsumexp, kFunction | kMethod,
   R"(The logarithm of the sum of exponentials along `dim`: `log(sum(exp(x)))`, computed without overflow.

`keepdim` keeps the reduced dimensions as size 1. Throws when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html

@example
torch.tensor([0, 0]).logsumexp(0) // tensor(0.6931)
)");

// ---- medians ----
// The lower median along `dim` and where it stands; the first NaN if there is one.
static std::tuple<Tensor, Tensor> median_at(const Tensor& self, int64_t dim) {
  NoGradGuard no_grad;
  const auto [sorted, order] = sort(self.detach(), dim, false);
  const int64_t n = self.size(dim);
  const Tensor numbers = reduce(SC_RED_SUM, compare(SC_EQ, sorted, sorted), {dim}, true, DType::kInt64);
  const Tensor has_nan = compare(SC_NE, numbers, Scalar(n));
  const Tensor place = where_scalar(has_nan, numbers, (n - 1) / 2);  // NaN sorts last
  return {squeeze_dim(gather(sorted, dim, place), dim), squeeze_dim(gather(order, dim, place), dim)};
}
static void check_median_dtype(const Tensor& self) {
  SC_CHECK(self.dtype() != DType::kBool, "\"median_cpu\" not implemented for 'Bool'");
}
static std::tuple<Tensor, Tensor> median_dim(const Tensor& self, int64_t dim0, bool keepdim) {
  const int64_t dim = wrap_dim(dim0, self.dim());
  SC_CHECK_INDEX(self.dim() == 0 || self.size(dim) > 0, "median(): Expected reduction dim ", dim,
                 " to have non-zero size.");
  check_median_dtype(self);
  auto [values, indices] = median_at(self.dim() ? self : reshape(self.detach(), {1}), dim);
  if (keepdim && self.dim() > 0) {
    NoGradGuard no_grad;
    values = unsqueeze(values, dim);
    indices = unsqueeze(indices, dim);
  }
  return picked("MedianBackward1", values.detach(), indices.detach(), self, dim, keepdim);
}
static Tensor median(const Tensor& self) {
  check_median_dtype(self);
  Tensor y;
  if (self.numel() == 0) {
    y = empty({}, self.dtype(), self.device());
    fill_into(y, is_floating(self.dtype()) ? Scalar(NAN) : Scalar(std::numeric_limits<int64_t>::min()));
  } else {
    y = std::get<0>(median_at(reshape(self.detach(), {-1}), 0)).detach();
  }
  return differentiable("MedianBackward0", y).wrt(self, [self = saved(self), y = saved(y)](const Tensor& g) {
    return share_evenly(g, self(), y(), reduce_dims(self(), nullptr), false, true);
  });
}
OP("median(Tensor self) -> Tensor", median, kFunction | kMethod,
   R"(The median of all elements; along `dim` the medians and their positions, `[values, indices]`. Of an even number the lower one; NaN if there is one.

`keepdim` keeps the reduced dimension as size 1. Throws for bool, for an empty dimension and for one out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.median.html

@example
torch.tensor([3, 1, 2]).median() // tensor(2.)
torch.tensor([[3, 1, 2], [4, 6, 5]]).median(1).values // tensor([2., 5.])
)");
OP("median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", median_dim,
   kFunction | kMethod, "");

}  // namespace sconce::ops
