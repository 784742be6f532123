// gather and scatter: one index for every element, along one dimension.
#include <array>
#include <cmath>

#include "indexing.h"
#include "pointwise.h"

namespace sconce::ops {

namespace {

// A tensor's geometry with a 0-d tensor as a vector of one element.
struct Operand {
  std::array<int64_t, 1> one{{1}};
  ScTensor c;
  explicit Operand(const Tensor& t) : c(to_c(t)) {
    if (c.ndim == 0) {
      c.ndim = 1;
      c.sizes = one.data();
      c.strides = one.data();
    }
  }
};

Dims at_least_1d(const Tensor& t) { return t.dim() == 0 ? Dims{1} : t.sizes(); }

void check_rank(const Tensor& self, const Tensor& index, const char* whom) {
  SC_CHECK(at_least_1d(self).size() == at_least_1d(index).size(),
           "Index tensor must have the same number of dimensions as ", whom, " tensor");
}

[[noreturn]] void out_of_bounds(int64_t index, int dim, const Tensor& self) {
  throw_error(ErrorKind::kRuntime, str("index ", index, " is out of bounds for dimension ", dim,
                                       " with size ", at_least_1d(self)[dim]));
}

// Writes `src` (a number where it has no dimensions of its own) into y.
void scatter_into(ScScatterMode mode, const Tensor& y, int d, const Tensor& index, const Tensor& src) {
  if (index.numel() == 0) return;
  const Tensor at = index_tensor(index, y.device(), "scatter(): Expected dtype int32/int64 for index");
  Operand table(y), where(at), source(src);
  const Dims zeros = Dims::filled(where.c.ndim, 0), shape = at_least_1d(at);
  if (src.dim() == 0) {
    source.c.ndim = where.c.ndim;
    source.c.sizes = shape.data();
    source.c.strides = zeros.data();
  }
  int64_t bad = 0;
  const ScBackend& b = backend_of(y.device());
  const int32_t status =
      b.index.scatter ? b.index.scatter(mode, &table.c, &where.c, &source.c, d, &bad) : SC_UNSUPPORTED;
  if (status == SC_ERROR) out_of_bounds(bad, d, y);
  check_kernel(status, y.device(), "scatter");
}

int check_scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor* src) {
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(index.dtype() == DType::kInt64 || index.dtype() == DType::kInt32,
           "scatter(): Expected dtype int32/int64 for index");
  SC_CHECK(!src || src->dtype() == self.dtype(), "scatter(): Expected self.dtype to be equal to src.dtype");
  if (index.numel() == 0) return d;
  check_rank(self, index, "self");
  const Dims s = at_least_1d(self), i = at_least_1d(index);
  bool fits = true;
  for (int k = 0; k < s.size(); ++k) fits = fits && (k == d || i[k] <= s[k]);
  if (!src) {
    SC_CHECK(fits, "Expected index ", index.sizes(), " to be no larger than self ", self.sizes(),
             " apart from dimension ", d);
    return d;
  }
  SC_CHECK(at_least_1d(*src).size() == i.size(),
           "Index tensor must have the same number of dimensions as src tensor");
  const Dims r = at_least_1d(*src);
  for (int k = 0; k < r.size(); ++k) fits = fits && i[k] <= r[k];
  SC_CHECK(fits, "Expected index ", index.sizes(), " to be no larger than self ", self.sizes(),
           " apart from dimension ", d, " and to be no larger size than src ", src->sizes());
  return d;
}

}  // namespace

Tensor gather(const Tensor& self, int64_t dim, const Tensor& index, bool sparse_grad) {
  (void)sparse_grad;  // only chooses the layout of the gradient, which is always dense here
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(index.dtype() == DType::kInt64 || index.dtype() == DType::kInt32,
           "gather(): Expected dtype int32/int64 for index");
  Tensor y = empty(index.sizes(), self.dtype(), self.device());
  if (index.numel() > 0) {
    check_rank(self, index, "input");
    const Dims s = at_least_1d(self), i = at_least_1d(index);
    for (int k = 0; k < s.size(); ++k)
      SC_CHECK(k == d || i[k] <= s[k], "Size does not match at dimension ", k, " expected index ",
               index.sizes(), " to be no larger than self ", self.sizes(), " apart from dimension ", d);
    const Tensor at = index_tensor(index, self.device(), "gather(): Expected dtype int32/int64 for index");
    const Operand out(y), table(self), where(at);
    int64_t bad = 0;
    const ScBackend& b = backend_of(self.device());
    const int32_t status =
        b.index.gather ? b.index.gather(&out.c, &table.c, &where.c, d, &bad) : SC_UNSUPPORTED;
    if (status == SC_ERROR) out_of_bounds(bad, d, self);
    check_kernel(status, self.device(), "gather");
  }
  return differentiable("GatherBackward0", y)
      .wrt(self, [d, index = saved(index), shape = self.sizes()](const Tensor& g) {
        return scatter_add(zeros_raw(shape, g.dtype(), g.device()), d, index(), g);
      });
}
OP("gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor", gather,
   kFunction | kMethod,
   R"(Picks one element per entry of `index` along `dim`: `out[i][j] = self[index[i][j]][j]` for `dim` 0. The result has the shape of `index`.

Throws when an index is out of range or when `index` is larger than `self` in another dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.gather.html

@example
torch.tensor([[1, 2], [3, 4]]).gather(1, torch.tensor([[0], [1]]).long()) // tensor([[1.],
//         [4.]])
)");

static Tensor take_along_dim(const Tensor& self, const Tensor& indices, const std::optional<int64_t>& dim) {
  SC_CHECK(indices.dtype() == DType::kInt64,
           "torch.take_along_dim(): dtype of indices should be Long but got ",
           scalar_type_name(indices.dtype()));
  if (!dim) return gather(reshape(self, {-1}), 0, reshape(indices, {-1}), false);
  SC_CHECK(self.dim() == indices.dim(),
           "torch.take_along_dim(): input and indices should have the same number of dimensions, but got ",
           self.dim(), " dimensions for input, and ", indices.dim(), " dimensions for indices");
  const int d = wrap_dim(*dim, self.dim());
  Dims a = self.sizes(), b = indices.sizes();
  a[d] = b[d] = 1;
  const Dims joint = broadcast_shapes(a, b);
  Dims self_shape = joint, index_shape = joint;
  self_shape[d] = self.sizes()[d];
  index_shape[d] = indices.sizes()[d];
  return gather(expand(self, self_shape), d, expand(indices, index_shape), false);
}
OP("take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor", take_along_dim,
   kFunction | kMethod,
   R"(As `gather`, with `self` and `indices` broadcast against each other; without `dim`, on the flattened tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.take_along_dim.html

@example
torch.tensor([[3, 1], [2, 4]]).take_along_dim(torch.tensor([[0]]).long(), 1) // tensor([[3.],
//         [2.]])
)");

Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  const int d = check_scatter(self, dim, index, &src);
  Tensor y = writable(self, {index, src});
  scatter_into(SC_SCATTER_ASSIGN, y, d, index, src);
  return differentiable("ScatterBackward0", y)
      .wrt(self, [d, index = saved(index)](const Tensor& g) { return scatter_value(g, d, index(), 0); })
      .wrt(src, [d, index = saved(index)](const Tensor& g) { return gather(g, d, index(), false); });
}
OP("scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", scatter,
   kFunction | kMethod | kInPlace | kDirect | kReadsApart,
   R"(`self` with the elements of `src` written along `dim`: `out[index[i][j]][j] = src[i][j]` for `dim` 0. `src` may be a number.

With `reduce: 'add'` or `'multiply'` they are combined with what is there. Throws when an index is out of range. Gradients need `src` and `index` of one shape.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_.html

@example
torch.zeros(3).scatter(0, torch.tensor([2, 0]).long(), torch.tensor([5, 6])) // tensor([6., 0., 5.])
torch.zeros(3).scatter(0, torch.tensor([1]).long(), 9) // tensor([0., 9., 0.])
)");

Tensor scatter_value(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
  const int d = check_scatter(self, dim, index, nullptr);
  Tensor y = writable(self, {index});
  scatter_into(SC_SCATTER_ASSIGN, y, d, index, scalar_tensor(value, self.dtype(), self.device()));
  return differentiable("ScatterBackward1", y).wrt(self, [d, index = saved(index)](const Tensor& g) {
    return scatter_value(g, d, index(), 0);
  });
}
OP("scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", scatter_value,
   kFunction | kMethod | kInPlace | kDirect | kReadsApart, "");

Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  const int d = check_scatter(self, dim, index, &src);
  Tensor y = writable(self, {index, src});
  scatter_into(SC_SCATTER_ADD, y, d, index, src);
  return differentiable("ScatterAddBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(src, [d, index = saved(index)](const Tensor& g) { return gather(g, d, index(), false); });
}
OP("scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", scatter_add,
   kFunction | kMethod | kInPlace | kDirect | kReadsApart,
   R"(`self` with the elements of `src` added along `dim`: `out[index[i][j]][j] += src[i][j]` for `dim` 0. Equal positions add up.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_add_.html

@example
torch.zeros(2).scatter_add(0, torch.tensor([1, 1]).long(), torch.tensor([5, 6])) // tensor([ 0., 11.])
)");

// ---- with a reduction ----
static ScScatterMode add_or_multiply(const std::string& reduce) {
  SC_CHECK(reduce == "add" || reduce == "multiply", "reduce argument must be either add or multiply.");
  return reduce == "add" ? SC_SCATTER_ADD : SC_SCATTER_MUL;
}
// PyTorch has no derivative of these two overloads either, and says so only when a gradient is asked for.
static Tensor without_derivative(const Tensor& y, const Tensor& self, const Tensor& src) {
  auto refuse = [](const Tensor&) -> Tensor {
    throw_error(ErrorKind::kRuntime, "derivative for aten::scatter is not implemented");
  };
  return differentiable("torch::autograd::NotImplemented", y).wrt(self, refuse).wrt(src, refuse);
}
static Tensor scatter_with(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                           const std::string& reduce) {
  const int d = check_scatter(self, dim, index, &src);
  Tensor y = fresh_copy(self);
  scatter_into(add_or_multiply(reduce), y, d, index, src);
  return without_derivative(y, self, src);
}
OP("scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor", scatter_with,
   kFunction | kMethod | kInPlace | kReadsApart, "");
static Tensor scatter_value_with(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value,
                                 const std::string& reduce) {
  const int d = check_scatter(self, dim, index, nullptr);
  Tensor y = fresh_copy(self);
  scatter_into(add_or_multiply(reduce), y, d, index, scalar_tensor(value, self.dtype(), self.device()));
  return without_derivative(y, self, Tensor());
}
OP("scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
   scatter_value_with, kFunction | kMethod | kInPlace | kReadsApart, "");

// How many values meet at each place.
static Tensor meeting_count(const Tensor& self, int d, const Tensor& index, bool include_self) {
  Tensor n = zeros_raw(self.sizes(), self.dtype(), self.device());
  if (include_self) fill_into(n, 1);
  scatter_into(SC_SCATTER_ADD, n, d, index, scalar_tensor(1, self.dtype(), self.device()));
  return binary(SC_MAXIMUM, n, Scalar(1));
}

static Tensor reduced_into(const char* name, const Tensor& self, int64_t dim, const Tensor& index,
                           const Tensor& src, const std::string& reduce, bool include_self) {
  enum { kSum, kProd, kMean, kAmax, kAmin } kind = kSum;
  if (reduce == "sum")
    kind = kSum;
  else if (reduce == "prod")
    kind = kProd;
  else if (reduce == "mean")
    kind = kMean;
  else if (reduce == "amax")
    kind = kAmax;
  else if (reduce == "amin")
    kind = kAmin;
  else
    throw_error(ErrorKind::kRuntime,
                str("reduce argument must be either sum, prod, mean, amax or amin, got ", reduce));
  const int d = check_scatter(self, dim, index, &src);
  const ScScatterMode mode = kind == kProd   ? SC_SCATTER_MUL
                             : kind == kAmax ? SC_SCATTER_AMAX
                             : kind == kAmin ? SC_SCATTER_AMIN
                                             : SC_SCATTER_ADD;
  Tensor y = fresh_copy(self);
  if (!include_self) {  // what is written to starts from the neutral element
    const double inf = HUGE_VAL;
    Scalar start = kind == kProd ? Scalar(1) : Scalar(0);
    if (kind == kAmax || kind == kAmin) {
      // For integers the first value written is neutral itself.
      if (is_floating(self.dtype()))
        start = kind == kAmax ? Scalar(-inf) : Scalar(inf);
      else
        scatter_into(SC_SCATTER_ASSIGN, y, d, index, src);
    }
    if (is_floating(self.dtype()) || (kind != kAmax && kind != kAmin))
      scatter_into(SC_SCATTER_ASSIGN, y, d, index, scalar_tensor(start, self.dtype(), self.device()));
  }
  scatter_into(mode, y, d, index, src);
  if (kind == kMean) {
    const Tensor n = meeting_count(self, d, index, include_self);
    y = binary(is_floating(self.dtype()) ? SC_DIV : SC_DIV_FLOOR, y, n);
  }
  // The gradient of `self` vanishes where it was left out.
  auto of_self = [d, include_self](const Tensor& g, const Tensor& at) {
    return include_self ? g : scatter_value(g, d, at, 0);
  };
  switch (kind) {
    case kSum:
      return differentiable(name, y)
          .wrt(self, [of_self, index = saved(index)](const Tensor& g) { return of_self(g, index()); })
          .wrt(src, [d, index = saved(index)](const Tensor& g) { return gather(g, d, index(), false); });
    case kMean:
      return differentiable(name, y)
          .wrt(self, [of_self, index = saved(index), n = meeting_count(self, d, index, include_self)](
                         const Tensor& g) { return of_self(g / n, index()); })
          .wrt(src, [d, index = saved(index), n = meeting_count(self, d, index, include_self)](
                        const Tensor& g) { return gather(g / n, d, index(), false); });
    case kAmax:
    case kAmin: {
      // Values equal to the extreme share its gradient.
      auto shares = [d, include_self](const Tensor& self_, const Tensor& at, const Tensor& src_,
                                      const Tensor& y_) {
        NoGradGuard constant;
        const Tensor mine = to_dtype(compare(SC_EQ, self_, y_), y_.dtype());
        const Tensor its = to_dtype(compare(SC_EQ, src_, gather(y_, d, at, false)), y_.dtype());
        const Tensor start = include_self ? mine : scatter_value(mine, d, at, 0);
        Tensor n = scatter_add(start, d, at, its);
        return std::array<Tensor, 3>{mine, its, binary(SC_MAXIMUM, n, Scalar(1))};
      };
      return differentiable(name, y)
          .wrt(self,
               [of_self, shares, self = saved(self), index = saved(index), src = saved(src),
                y = saved(y)](const Tensor& g) {
                 const auto [mine, its, n] = shares(self(), index(), src(), y());
                 return of_self(g * (mine / n), index());
               })
          .wrt(src, [d, shares, self = saved(self), index = saved(index), src = saved(src),
                     y = saved(y)](const Tensor& g) {
            const auto [mine, its, n] = shares(self(), index(), src(), y());
            return gather(g / n, d, index(), false) * its;
          });
    }
    case kProd:
      break;
  }
  return differentiable(name, y)
      .wrt(self,
           [d, include_self, self = saved(self), index = saved(index), src = saved(src)](const Tensor& g) {
             // The product of everything else at each place: with `self` itself replaced by 1.
             const Tensor ones = ones_like_raw(self());
             const Tensor others = scatter_reduce(ones, d, index(), src(), "prod", true);
             return include_self ? g * others : scatter_value(g, d, index(), 0);
           })
      .wrt(src,
           [d, include_self, self = saved(self), index = saved(index), src = saved(src)](const Tensor& g) {
             // Division by the value itself, but a single zero among the factors is left out of the product
             // instead.
             const Tensor zero = compare(SC_EQ, src(), Scalar(0));
             const Tensor count = zeros_raw(self().sizes(), g.dtype(), g.device());
             const Tensor zeros =
                 gather(scatter_add(count, d, index(), cast_raw(zero, g.dtype())), d, index(), false);
             const Tensor single = compare(SC_LOGICAL_AND, zero, compare(SC_EQ, zeros, Scalar(1)));
             const Tensor without =
                 scatter_reduce(self(), d, index(), masked_fill(src(), single, 1), "prod", include_self);
             const Tensor whole = scatter_reduce(self(), d, index(), src(), "prod", include_self);
             const Tensor by_division = gather(g * whole, d, index(), false) / masked_fill(src(), zero, 1);
             return masked_fill(by_division, single, 0) +
                    masked_fill(gather(g * without, d, index(), false), logical_not_raw(single), 0);
           });
}
Tensor scatter_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                      const std::string& reduce, bool include_self) {
  return reduced_into("ScatterReduceBackward0", self, dim, index, src, reduce, include_self);
}
OP("scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool "
   "include_self=True) -> Tensor",
   scatter_reduce, kFunction | kMethod | kInPlace | kReadsApart,
   R"(As `scatter`, with values that meet at one place combined by `reduce`: `'sum'`, `'prod'`, `'mean'`, `'amax'` or `'amin'`.

Without `include_self` the old values of the places written to do not take part.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_reduce_.html

@example
torch.tensor([1, 2]).scatter_reduce(0, torch.tensor([0, 0]).long(), torch.tensor([5, 3]), 'amax') // tensor([5., 2.])
)");

static Tensor index_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                           const std::string& reduce, bool include_self) {
  SC_CHECK(reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
           "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ", reduce, ".");
  SC_CHECK(index.dim() <= 1, "index_reduce(): Index is supposed to be a vector, but got dim: ", index.dim(),
           " with type: ", scalar_type_name(index.dtype()), " and size: ", index.sizes());
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(source.dim() > d && index.numel() == source.sizes()[d], "index_reduce(): Number of indices (",
           index.numel(), ") should be equal to source.size(dim): (",
           source.dim() > d ? source.sizes()[d] : 1, "), for dim: ", d);
  Dims line = Dims::filled(source.dim(), 1);
  line[d] = index.numel();
  return reduced_into("IndexReduceBackward0", self, d, expand(view(contiguous(index), line), source.sizes()),
                      source, reduce, include_self);
}
OP("index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) "
   "-> Tensor",
   index_reduce, kFunction | kMethod | kInPlace,
   R"(As `index_add`, with slices that meet combined by `reduce`: `'prod'`, `'mean'`, `'amax'` or `'amin'`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_reduce_.html

@example
torch.ones(2).index_reduce(0, torch.tensor([0, 0]).long(), torch.tensor([2, 3]), 'prod') // tensor([6., 1.])
)");

}  // namespace sconce::ops
