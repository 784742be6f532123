// Order: sort, argsort, topk, kthvalue.
#include "indexing.h"

namespace sconce::ops {

// Values and positions along `dim`; gradients go back to where the values came from.
static std::tuple<Tensor, Tensor> ordered(const char* name, const char* op, const Tensor& self, int d,
                                          bool descending, int64_t k, bool all) {
  const int last = self.dim() - 1;
  const int64_t n = self.dim() == 0 ? 1 : self.sizes()[d];
  if (self.dim() == 0) k = all ? 1 : k;
  // The kernels order rows of a contiguous matrix.
  Dims sizes = self.sizes(), strides = self.strides();
  if (last >= 0) {
    std::swap(sizes[d], sizes[last]);
    std::swap(strides[d], strides[last]);
  }
  const Tensor rows = contiguous_raw(alias_of(self, sizes, strides, self.storage_offset()));
  if (last >= 0) sizes[last] = k;
  Tensor by_row = empty(sizes, self.dtype(), self.device()),
         at_by_row = empty(sizes, DType::kInt64, self.device());
  if (by_row.numel() > 0) {
    ScSort a{};
    a.in = rows.data();
    a.values = by_row.data();
    a.indices = at_by_row.data_as<int64_t>();
    a.dtype = static_cast<int32_t>(self.dtype());
    a.descending = descending;
    a.rows = self.numel() / n;
    a.n = n;
    a.k = k;
    const ScBackend& b = backend_of(self.device());
    const auto kernel = all ? b.sort.sort : b.sort.top_k;
    check_kernel(kernel ? kernel(&a) : SC_UNSUPPORTED, self.device(), op);
  }
  auto back = [&](const Tensor& t) {
    if (d == last || last < 0) return t;
    Dims s = t.sizes(), st = t.strides();
    std::swap(s[d], s[last]);
    std::swap(st[d], st[last]);
    return contiguous_raw(alias_of(t, s, st, 0));
  };
  const TensorList y = {back(by_row), back(at_by_row)};
  differentiable(name, y)
      .wrt(self,
           [d, at = saved(y[1]), shape = self.sizes()](const Tensor& g) {
             return scatter_add(zeros_raw(shape, g.dtype(), g.device()), d, at(), g);
           })
      .finish();
  return {y[0], y[1]};
}

static std::tuple<Tensor, Tensor> sorted(const char* name, const Tensor& self, int64_t dim, bool descending) {
  const int d = wrap_dim(dim, self.dim());
  return ordered(name, "sort", self, d, descending, self.dim() == 0 ? 1 : self.sizes()[d], true);
}
std::tuple<Tensor, Tensor> sort(const Tensor& self, int64_t dim, bool descending) {
  return sorted("SortBackward0", self, dim, descending);
}
OP("sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)", sort,
   kFunction | kMethod,
   R"(The elements in ascending order along `dim`, and the positions they came from. NaN comes last. Equal elements keep their order.

See https://docs.pytorch.org/docs/stable/generated/torch.sort.html

@example
torch.tensor([3, 1, 2]).sort().values // tensor([1., 2., 3.])
torch.tensor([3, 1, 2]).sort({ descending: true }).indices // tensor([0, 2, 1])
)");
static std::tuple<Tensor, Tensor> sort_stable(const Tensor& self, const std::optional<bool>& stable,
                                              int64_t dim, bool descending) {
  (void)stable;  // every sort here is
  return sorted("SortBackward1", self, dim, descending);
}
OP("sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor "
   "indices)",
   sort_stable, kFunction | kMethod, "");

static Tensor argsort(const Tensor& self, int64_t dim, bool descending) {
  NoGradGuard constant;
  return std::get<1>(sort(self, dim, descending));
}
OP("argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor", argsort,
   kFunction | kMethod | kNoGrad,
   R"(The positions that put the elements in ascending order along `dim`.

See https://docs.pytorch.org/docs/stable/generated/torch.argsort.html

@example
torch.tensor([3, 1, 2]).argsort() // tensor([1, 2, 0])
)");
static Tensor argsort_stable(const Tensor& self, bool stable, int64_t dim, bool descending) {
  (void)stable;
  return argsort(self, dim, descending);
}
OP("argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor", argsort_stable,
   kFunction | kMethod | kNoGrad, "");

static Tensor msort(const Tensor& self) { return std::get<0>(sort(self, 0, false)); }
OP("msort(Tensor self) -> Tensor", msort, kFunction | kMethod,
   R"(The elements in ascending order along the first dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.msort.html

@example
torch.tensor([2, 1]).msort() // tensor([1., 2.])
)");

std::tuple<Tensor, Tensor> topk(const Tensor& self, int64_t k, int64_t dim, bool largest, bool sorted) {
  (void)sorted;  // the result is in order in any case
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(k >= 0 && k <= (self.dim() == 0 ? 1 : self.sizes()[d]), "selected index k out of range");
  return ordered("TopkBackward0", "topk", self, d, largest, k, false);
}
OP("topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor "
   "indices)",
   topk, kFunction | kMethod,
   R"(The `k` largest (or smallest) elements along `dim`, in order, and their positions. Throws when there are fewer than `k`.

See https://docs.pytorch.org/docs/stable/generated/torch.topk.html

@example
torch.tensor([3, 1, 2]).topk(2).values // tensor([3., 2.])
torch.tensor([3, 1, 2]).topk(1, { largest: false }).indices // tensor([1])
)");

static std::tuple<Tensor, Tensor> kthvalue(const Tensor& self, int64_t k, int64_t dim, bool keepdim) {
  const int d = wrap_dim(dim, self.dim());
  const int64_t n = self.dim() == 0 ? 1 : self.sizes()[d];
  SC_CHECK(k >= 1 && k <= n, "kthvalue(): selected number k out of range for dimension ", d);
  Tensor values, indices;
  {
    NoGradGuard raw;
    std::tie(values, indices) = ordered("", "kthvalue", self, d, false, k, false);
    if (self.dim() > 0) {
      values = fresh_copy(narrow(values, d, k - 1, 1));
      indices = fresh_copy(narrow(indices, d, k - 1, 1));
    }
  }
  Dims shape = values.sizes();
  if (!keepdim && self.dim() > 0) shape.erase(d);
  const TensorList y = {alias_of(values, shape, contiguous_strides(shape), 0),
                        alias_of(indices, shape, contiguous_strides(shape), 0)};
  differentiable("KthvalueBackward0", y)
      .wrt(self,
           [d, at = saved(indices), shape = self.sizes()](const Tensor& g) {
             return scatter_add(zeros_raw(shape, g.dtype(), g.device()), d, at(), reshape(g, at().sizes()));
           })
      .finish();
  return {y[0], y[1]};
}
OP("kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
   kthvalue, kFunction | kMethod,
   R"(The `k`-th smallest element along `dim`, counted from 1, and its position.

See https://docs.pytorch.org/docs/stable/generated/torch.kthvalue.html

@example
torch.tensor([3, 1, 2]).kthvalue(2).values // tensor(2.)
)");

}  // namespace sconce::ops
