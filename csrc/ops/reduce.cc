// Sums, products, extremes, truth and counts over all elements or along dimensions.
#include <algorithm>

#include "ops.h"
#include "pointwise.h"
#include "reduction.h"

namespace sconce::ops {

DType accumulated_dtype(const Tensor& self, const std::optional<DType>& dtype) {
  const DType t = dtype ? *dtype : is_integral(self.dtype()) ? DType::kInt64 : self.dtype();
  SC_CHECK(is_floating(t) || !self.requires_grad() || !thread_state().grad_enabled,
           "Autograd not support dtype: ", scalar_type_name(t));
  return t;
}
namespace {
// The input as the kernel wants it for a result of dtype `t`: integers may accumulate without a cast first.
Tensor accumulated_input(const Tensor& self, DType t) {
  return t == DType::kInt64 && is_integral(self.dtype()) ? self : cast_raw(self, t);
}
Dims optional_dims(const Tensor& self, const std::optional<IntList>& dim) {
  if (!dim) return reduce_dims(self, nullptr);
  const Dims given(*dim);
  return reduce_dims(self, &given);
}
Dims one_dim(const Tensor& self, int64_t dim) { return {wrap_dim(dim, self.dim())}; }
Dims every_dim(const Tensor& self) { return reduce_dims(self, nullptr); }
int64_t reduced_count(const Tensor& self, const Dims& dims) {
  int64_t n = 1;
  if (self.dim() > 0)
    for (int64_t d : dims) n *= self.sizes()[static_cast<int>(d)];
  return n;
}
Tensor expand_reduced(const Tensor& g, const Dims& dims, const Dims& sizes, bool keepdim) {
  return expand(restore_dims(g, dims, sizes.size(), keepdim), sizes);
}
void check_dim_not_empty(const char* name, const Tensor& self, int64_t dim) {
  SC_CHECK_INDEX(self.dim() == 0 || self.sizes()[static_cast<int>(dim)] != 0, name,
                 "(): Expected reduction dim ", dim, " to have non-zero size.");
}
void check_not_empty(const char* name, const Tensor& self) {
  SC_CHECK(self.numel() > 0, name,
           "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
           "with the 'dim' argument.");
}
}  // namespace

Tensor sum_dim(const Tensor& self, const std::optional<IntList>& dim, bool keepdim,
               const std::optional<DType>& dtype) {
  const Dims dims = optional_dims(self, dim);
  const DType t = accumulated_dtype(self, dtype);
  Tensor y = reduce(SC_RED_SUM, accumulated_input(self, t), dims, keepdim, t);
  return differentiable("SumBackward1", y)
      .wrt(self, [dims, keepdim,
                  sizes = self.sizes()](const Tensor& g) { return expand_reduced(g, dims, sizes, keepdim); })
      .jvp([&](const TensorList& t) { return sum_dim(t[0], dim, keepdim, dtype); });
}
OP("sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
   sum_dim, kFunction | kMethod, "");

Tensor sum(const Tensor& self, const std::optional<DType>& dtype) {
  const DType t = accumulated_dtype(self, dtype);
  Tensor y = reduce(SC_RED_SUM, accumulated_input(self, t), every_dim(self), false, t);
  return differentiable("SumBackward0", y)
      .wrt(self, [sizes = self.sizes()](const Tensor& g) { return expand(g, sizes); })
      .jvp([&](const TensorList& t) { return sum(t[0], dtype); });
}
OP("sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", sum, kFunction | kMethod,
   R"(Sums all elements, or those along `dim`. Integers and bool give int64 unless `dtype` says otherwise.

`keepdim` keeps the summed dimensions as size 1. Throws when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.sum.html

@example
torch.tensor([[1, 2], [3, 4]]).sum() // tensor(10.)
torch.tensor([[1, 2], [3, 4]]).sum(1, { keepdim: true }) // tensor([[3.],
//         [7.]])
)");

Tensor sum_to_size(const Tensor& self, const Dims& size) {
  if (self.sizes() == size) return self;
  SC_CHECK(is_expandable_to(size, self.sizes()), "size {", size, "} is not expandable to size {",
           self.sizes(), "}.");
  IntList dims;
  const int lead = self.dim() - size.size();
  for (int i = 0; i < self.dim(); ++i)
    if (i < lead || (size[i - lead] == 1 && self.sizes()[i] != 1)) dims.push_back(i);
  Tensor s = dims.empty() ? self : sum_dim(self, dims, true, self.dtype());
  return lead > 0 ? reshape(s, size) : s;
}

static Tensor nansum(const Tensor& self, const std::optional<IntList>& dim, bool keepdim,
                     const std::optional<DType>& dtype) {
  if (is_integral(self.dtype())) return sum_dim(self, dim, keepdim, dtype);
  const Dims dims = optional_dims(self, dim);
  const DType t = accumulated_dtype(self, dtype);
  Tensor y = reduce(is_floating(t) ? SC_RED_NANSUM : SC_RED_SUM, cast_raw(self, t), dims, keepdim, t);
  return differentiable("NansumBackward0", y).wrt(self, [dims, keepdim, self = saved(self)](const Tensor& g) {
    const Tensor x = self();
    return expand_reduced(g, dims, x.sizes(), keepdim) * compare(SC_EQ, x, x);
  });
}
OP("nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", nansum,
   kFunction | kMethod,
   R"(Sums all elements, or those along `dim`, counting NaN as zero.

Integers and bool give int64 unless `dtype` says otherwise. Throws when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.nansum.html

@example
torch.tensor([1, NaN, 2]).nansum() // tensor(3.)
)");

// ---- means ----
static DType mean_dtype(const Tensor& self, const std::optional<DType>& dtype) {
  const DType t = dtype.value_or(self.dtype());
  SC_CHECK(is_floating(t), "mean(): could not infer output dtype. ", dtype ? "Optional" : "Input",
           " dtype must be either a floating point or complex dtype. Got: ", scalar_type_name(t));
  return t;
}

static Tensor mean_over(const char* node, const Tensor& self, const Dims& dims, bool keepdim,
                        const std::optional<DType>& dtype) {
  const DType t = mean_dtype(self, dtype);
  Tensor y = reduce(SC_RED_MEAN, cast_raw(self, t), dims, keepdim, t);
  return differentiable(node, y).wrt(
      // Of no elements the gradient is empty, and what flows back through it is zero, not 0 / 0.
      self, [dims, keepdim, sizes = self.sizes(), n = std::max<int64_t>(reduced_count(self, dims), 1)](
                const Tensor& g) { return expand_reduced(div_scalar(g, n), dims, sizes, keepdim); });
}
Tensor mean_dim(const Tensor& self, const std::optional<IntList>& dim, bool keepdim,
                const std::optional<DType>& dtype) {
  return mean_over("MeanBackward1", self, optional_dims(self, dim), keepdim, dtype);
}
OP("mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", mean_dim,
   kFunction | kMethod, "");

Tensor mean(const Tensor& self, const std::optional<DType>& dtype) {
  return mean_over("MeanBackward0", self, every_dim(self), false, dtype);
}
OP("mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", mean, kFunction | kMethod,
   R"(The mean of all elements, or of those along `dim`; of none it is NaN.

`keepdim` keeps the reduced dimensions as size 1. Throws for integers unless `dtype` is floating, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.mean.html

@example
torch.tensor([[1, 2], [3, 5]]).mean() // tensor(2.7500)
torch.tensor([[1, 2], [3, 5]]).mean(0) // tensor([2.0000, 3.5000])
)");

static Tensor nanmean(const Tensor& self, const std::optional<IntList>& dim, bool keepdim,
                      const std::optional<DType>& dtype) {
  SC_CHECK(is_floating(self.dtype()),
           "nanmean(): expected input to have floating point or complex dtype but got ",
           scalar_type_name(self.dtype()));
  const Tensor count = sum_dim(compare(SC_EQ, self, self), dim, keepdim);
  return div(nansum(self, dim, keepdim, dtype), count);
}
OP("nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", nanmean,
   kFunction | kMethod,
   R"(The mean of all elements that are not NaN, or of those along `dim`.

Throws for integers, and when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.nanmean.html

@example
torch.tensor([1, NaN, 2]).nanmean() // tensor(1.5000)
)");

// ---- products ----
bool has_zero(const Tensor& x) {
  const Tensor none =
      to_device(reduce(SC_RED_ALL, x.detach(), reduce_dims(x, nullptr), false, DType::kBool), Device());
  return !*none.data_as<bool>();
}

// Each derivative is the product of the other elements: all of them divided by this one, or, where there are
// zeros, those before it times those after it.
static Tensor prod_backward(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
  if (x.numel() == 0 || !has_zero(x)) return g * y / x;
  const int64_t n = x.size(dim);
  Tensor last = g;
  if (n > 1) last = cat({narrow(zeros_raw(x.sizes(), x.dtype(), x.device()), dim, 0, n - 1), g}, dim);
  return cumprod_backward(last, x, cumprod(x, dim), dim);
}

static Tensor prod_dim(const Tensor& self, int64_t dim, bool keepdim, const std::optional<DType>& dtype) {
  const Dims dims = one_dim(self, dim);
  const DType t = accumulated_dtype(self, dtype);
  Tensor y = reduce(SC_RED_PROD, accumulated_input(self, t), dims, keepdim, t);
  return differentiable("ProdBackward1", y)
      .wrt(self, [dims, keepdim, t, self = saved(self), y = saved(y)](const Tensor& g) {
        const Tensor x = to_dtype(self(), t);
        if (x.dim() == 0) return g;
        return prod_backward(restore_dims(g, dims, x.dim(), keepdim), x,
                             restore_dims(y(), dims, x.dim(), keepdim), dims[0]);
      });
}
OP("prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", prod_dim,
   kFunction | kMethod, "");

static Tensor prod(const Tensor& self, const std::optional<DType>& dtype) {
  const DType t = accumulated_dtype(self, dtype);
  Tensor y = reduce(SC_RED_PROD, accumulated_input(self, t), every_dim(self), false, t);
  return differentiable("ProdBackward0", y).wrt(self, [t, self = saved(self), y = saved(y)](const Tensor& g) {
    const Tensor x = to_dtype(self(), t);
    return reshape(prod_backward(reshape(g, {1}), reshape(x, {-1}), reshape(y(), {1}), 0), x.sizes());
  });
}
OP("prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", prod, kFunction | kMethod,
   R"(Multiplies all elements, or those along `dim`. Integers and bool give int64 unless `dtype` says otherwise.

`keepdim` keeps the reduced dimension as size 1. Throws when the dimension is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.prod.html

@example
torch.tensor([[1, 2], [3, 4]]).prod() // tensor(24.)
torch.tensor([[1, 2], [3, 4]]).prod(1) // tensor([ 2., 12.])
)");

// ---- extremes ----
// The gradient of an extreme is shared evenly among the elements that equal it. As in PyTorch, a NaN result
// hands it to the NaN elements where all dimensions are reduced, and gives NaN everywhere in amax, amin and
// aminmax.
Tensor share_evenly(const Tensor& g, const Tensor& x, const Tensor& y, const Dims& dims, bool keepdim,
                    bool nan_equals) {
  const Tensor at = restore_dims(y, dims, x.dim(), keepdim).detach();
  Tensor mask = compare(SC_EQ, x, at);
  if (nan_equals) {
    const Tensor both =
        binary_as(SC_LOGICAL_AND, compare(SC_NE, x, x), compare(SC_NE, at, at), DType::kBool, DType::kBool);
    mask = binary_as(SC_LOGICAL_OR, mask, both, DType::kBool, DType::kBool);
  }
  const Tensor count = reduce(SC_RED_SUM, mask, dims, true, DType::kInt64);
  return restore_dims(g, dims, x.dim(), keepdim) * mask / count;
}

static Tensor extreme(const char* node, ScReduceOp op, const Tensor& self, const Dims& dims, bool keepdim,
                      bool nan_equals) {
  Tensor y = reduce(op, self, dims, keepdim, self.dtype());
  return differentiable(node, y).wrt(
      self, [dims, keepdim, nan_equals, self = saved(self), y = saved(y)](const Tensor& g) {
        return share_evenly(g, self(), y(), dims, keepdim, nan_equals);
      });
}

// Where the gradient goes to the one element that was picked.
static Tensor to_picked(const Tensor& g, const Tensor& indices, int64_t dim, bool keepdim,
                        const Dims& sizes) {
  const Tensor zero = zeros_raw(sizes, g.dtype(), g.device());
  if (keepdim || sizes.empty()) return scatter(zero, dim, indices, g);
  return scatter(zero, dim, unsqueeze(indices, dim), unsqueeze(g, dim));
}

std::tuple<Tensor, Tensor> picked(const char* node, const Tensor& values, const Tensor& indices,
                                  const Tensor& self, int64_t dim, bool keepdim) {
  Tensor y = differentiable(node, values)
                 .wrt(self, [dim, keepdim, sizes = self.sizes(), indices = saved(indices)](const Tensor& g) {
                   return to_picked(g, indices(), dim, keepdim, sizes);
                 });
  return {y, indices};
}

static std::tuple<Tensor, Tensor> extreme_dim(const char* node, const char* name, ScReduceOp op,
                                              const Tensor& self, int64_t dim0, bool keepdim) {
  const Dims dims = one_dim(self, dim0);
  check_dim_not_empty(name, self, dims[0]);
  Tensor indices;
  const Tensor values = reduce(op, self, dims, keepdim, self.dtype(), 0, &indices);
  return picked(node, values, indices, self, dims[0], keepdim);
}

static Tensor max(const Tensor& self) {
  check_not_empty("max", self);
  return extreme("MaxBackward1", SC_RED_MAX, self, every_dim(self), false, true);
}
static std::tuple<Tensor, Tensor> max_dim(const Tensor& self, int64_t dim, bool keepdim) {
  return extreme_dim("MaxBackward0", "max", SC_RED_MAX_INDEX, self, dim, keepdim);
}
OP("max(Tensor self) -> Tensor", max, kFunction | kMethod,
   R"(The largest element; along `dim` the largest elements and their positions, `[values, indices]`; or with another tensor `maximum`.

NaN counts as largest. Of equal elements the first is named; the gradient of the overall maximum is shared evenly among them.
`keepdim` keeps the reduced dimension as size 1. Throws for an empty dimension and for one out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.max.html

@example
torch.tensor([[1, 4], [3, 2]]).max() // tensor(4.)
torch.tensor([[1, 4], [3, 2]]).max(1).values // tensor([4., 3.])
torch.tensor([[1, 4], [3, 2]]).max(1).indices // tensor([1, 0])
)");
OP("max.other(Tensor self, Tensor other) -> Tensor", maximum, kFunction | kMethod, "");
OP("max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", max_dim,
   kFunction | kMethod, "");

static Tensor min(const Tensor& self) {
  check_not_empty("min", self);
  return extreme("MinBackward1", SC_RED_MIN, self, every_dim(self), false, true);
}
static std::tuple<Tensor, Tensor> min_dim(const Tensor& self, int64_t dim, bool keepdim) {
  return extreme_dim("MinBackward0", "min", SC_RED_MIN_INDEX, self, dim, keepdim);
}
OP("min(Tensor self) -> Tensor", min, kFunction | kMethod,
   R"(The smallest element; along `dim` the smallest elements and their positions, `[values, indices]`; or with another tensor `minimum`.

NaN counts as smallest. Of equal elements the first is named; the gradient of the overall minimum is shared evenly among them.
`keepdim` keeps the reduced dimension as size 1. Throws for an empty dimension and for one out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.min.html

@example
torch.tensor([[1, 4], [3, 2]]).min() // tensor(1.)
torch.tensor([[1, 4], [3, 2]]).min(0).values // tensor([1., 2.])
)");
OP("min.other(Tensor self, Tensor other) -> Tensor", minimum, kFunction | kMethod, "");
OP("min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", min_dim,
   kFunction | kMethod, "");

static Tensor extreme_dims(const char* node, const char* name, ScReduceOp op, const Tensor& self,
                           const IntList& dim, bool keepdim) {
  const Dims dims = optional_dims(self, dim);
  if (self.numel() == 0) {
    if (dim.empty()) check_not_empty(name, self);
    for (int64_t d : dims) check_dim_not_empty(name, self, d);
  }
  return extreme(node, op, self, dims, keepdim, false);
}
Tensor amax(const Tensor& self, const IntList& dim, bool keepdim) {
  return extreme_dims("AmaxBackward0", "amax", SC_RED_MAX, self, dim, keepdim);
}
OP("amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", amax, kFunction | kMethod,
   R"(The largest elements along `dim` (one or several dimensions; all by default). NaN counts as largest.

Unlike `max` it shares the gradient evenly among equal elements. Throws for an empty dimension, and for one out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.amax.html

@example
torch.tensor([[1, 4], [3, 2]]).amax(0) // tensor([3., 4.])
)");
Tensor amin(const Tensor& self, const IntList& dim, bool keepdim) {
  return extreme_dims("AminBackward0", "amin", SC_RED_MIN, self, dim, keepdim);
}
OP("amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", amin, kFunction | kMethod,
   R"(The smallest elements along `dim` (one or several dimensions; all by default). NaN counts as smallest.

Unlike `min` it shares the gradient evenly among equal elements. Throws for an empty dimension, and for one out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.amin.html

@example
torch.tensor([[1, 4], [3, 2]]).amin(1) // tensor([1., 2.])
)");

static std::tuple<Tensor, Tensor> aminmax(const Tensor& self, const std::optional<int64_t>& dim,
                                          bool keepdim) {
  const Dims dims = dim ? one_dim(self, *dim) : every_dim(self);
  if (dim) {
    SC_CHECK_INDEX(self.dim() == 0 || self.sizes()[static_cast<int>(dims[0])] != 0,
                   "aminmax: Expected reduction dim ", dims[0], " to have non-zero size.");
  } else {
    SC_CHECK(self.numel() > 0,
             "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
  }
  const Tensor low = reduce(SC_RED_MIN, self, dims, keepdim, self.dtype());
  const Tensor high = reduce(SC_RED_MAX, self, dims, keepdim, self.dtype());
  const TensorList ys{low, high};
  differentiable("AminmaxBackward0", ys)
      .wrt_all({self},
               [dims, keepdim, self = saved(self), low = saved(low), high = saved(high)](
                   const TensorList& g, const std::vector<bool>&) {
                 const Tensor x = self();
                 Tensor d;
                 if (g[0]) d = share_evenly(g[0], x, low(), dims, keepdim, false);
                 if (g[1]) {
                   const Tensor h = share_evenly(g[1], x, high(), dims, keepdim, false);
                   d = d ? d + h : h;
                 }
                 return TensorList{d};
               })
      .finish();
  return {low, high};
}
OP("aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)", aminmax,
   kFunction | kMethod,
   R"(The smallest and the largest element, overall or along `dim`: `[min, max]`. NaN wins in both.

Throws for an empty tensor or dimension, and for a dimension out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.aminmax.html

@example
torch.aminmax(torch.tensor([3, 1, 2])).max // tensor(3.)
)");

static Tensor arg_extreme(const char* name, ScReduceOp op, const Tensor& self,
                          const std::optional<int64_t>& dim, bool keepdim) {
  SC_CHECK(self.dtype() != DType::kBool, name, "(): does not support bool input");
  const Dims dims = dim ? one_dim(self, *dim) : every_dim(self);
  if (dim)
    check_dim_not_empty(name, self, dims[0]);
  else
    SC_CHECK_INDEX(self.numel() > 0, name,
                   "(): Expected reduction dim to be specified for input.numel() == 0.");
  return reduce(op, self, dims, keepdim, DType::kInt64);
}
static Tensor argmax(const Tensor& self, const std::optional<int64_t>& dim, bool keepdim) {
  return arg_extreme("argmax", SC_RED_ARGMAX, self, dim, keepdim);
}
OP("argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", argmax, kFunction | kMethod | kNoGrad,
   R"(The position of the largest element, along `dim` or in the flattened tensor, as int64. NaN counts as largest; of equal elements the first is named.

Throws for bool, for an empty dimension and for one out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.argmax.html

@example
torch.tensor([[1, 4], [3, 2]]).argmax() // tensor(1)
torch.tensor([[1, 4], [3, 2]]).argmax(1) // tensor([1, 0])
)");
static Tensor argmin(const Tensor& self, const std::optional<int64_t>& dim, bool keepdim) {
  return arg_extreme("argmin", SC_RED_ARGMIN, self, dim, keepdim);
}
OP("argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", argmin, kFunction | kMethod | kNoGrad,
   R"(The position of the smallest element, along `dim` or in the flattened tensor, as int64. NaN counts as smallest; of equal elements the first is named.

Throws for bool, for an empty dimension and for one out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.argmin.html

@example
torch.tensor([[1, 4], [3, 2]]).argmin(0) // tensor([0, 1])
)");

// ---- truth and counts ----
static Tensor truth(ScReduceOp op, const Tensor& self, const Dims& dims, bool keepdim) {
  return reduce(op, self, dims, keepdim, self.dtype() == DType::kUInt8 ? DType::kUInt8 : DType::kBool);
}
static Tensor truth_dims(ScReduceOp op, const Tensor& self, const std::optional<IntList>& dim, bool keepdim) {
  if (dim && dim->empty())  // no dimension at all: the truth of each element
    return cast_raw(compare(SC_NE, self, Scalar(0)),
                    self.dtype() == DType::kUInt8 ? DType::kUInt8 : DType::kBool);
  return truth(op, self, optional_dims(self, dim), keepdim);
}
static Tensor all(const Tensor& self) { return truth(SC_RED_ALL, self, every_dim(self), false); }
static Tensor all_dim(const Tensor& self, int64_t dim, bool keepdim) {
  return truth(SC_RED_ALL, self, one_dim(self, dim), keepdim);
}
static Tensor all_dims(const Tensor& self, const std::optional<IntList>& dim, bool keepdim) {
  return truth_dims(SC_RED_ALL, self, dim, keepdim);
}
OP("all(Tensor self) -> Tensor", all, kFunction | kMethod | kNoGrad,
   R"(Whether all elements, or all along `dim`, are true: not zero. The result is bool (uint8 for uint8). True for no elements.

Throws when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.all.html

@example
torch.tensor([true, false]).all() // tensor(False)
torch.tensor([[1, 0], [1, 1]]).all(0) // tensor([ True, False])
)");
OP("all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", all_dim, kFunction | kMethod | kNoGrad, "");
OP("all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", all_dims,
   kFunction | kMethod | kNoGrad, "");

static Tensor any(const Tensor& self) { return truth(SC_RED_ANY, self, every_dim(self), false); }
static Tensor any_dim(const Tensor& self, int64_t dim, bool keepdim) {
  return truth(SC_RED_ANY, self, one_dim(self, dim), keepdim);
}
static Tensor any_dims(const Tensor& self, const std::optional<IntList>& dim, bool keepdim) {
  return truth_dims(SC_RED_ANY, self, dim, keepdim);
}
OP("any(Tensor self) -> Tensor", any, kFunction | kMethod | kNoGrad,
   R"(Whether any element, or any along `dim`, is true: not zero. The result is bool (uint8 for uint8). False for no elements.

Throws when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.any.html

@example
torch.tensor([true, false]).any() // tensor(True)
)");
OP("any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", any_dim, kFunction | kMethod | kNoGrad, "");
OP("any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", any_dims,
   kFunction | kMethod | kNoGrad, "");

static Tensor count_nonzero_dims(const Tensor& self, const IntList& dim) {
  return reduce(SC_RED_COUNT_NONZERO, self, optional_dims(self, dim), false, DType::kInt64);
}
static Tensor count_nonzero(const Tensor& self, const std::optional<int64_t>& dim) {
  return count_nonzero_dims(self, dim ? IntList{*dim} : IntList{});
}
OP("count_nonzero(Tensor self, int? dim=None) -> Tensor", count_nonzero, kFunction | kMethod | kNoGrad,
   R"(How many elements, overall or along `dim`, are not zero, as int64. NaN is not zero.

Throws when a dimension is out of range or repeated.

See https://docs.pytorch.org/docs/stable/generated/torch.count_nonzero.html

@example
torch.tensor([[0, 1], [2, 3]]).count_nonzero() // tensor(3)
torch.tensor([[0, 1], [2, 3]]).count_nonzero(0) // tensor([1, 2])
)");
OP("count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor", count_nonzero_dims,
   kFunction | kMethod | kNoGrad, "");

}  // namespace sconce::ops
