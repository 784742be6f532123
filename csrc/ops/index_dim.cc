// One index vector along one dimension: index_select, index_add, index_copy, index_fill; and take and put on
// the flat tensor.
#include "indexing.h"
#include "pointwise.h"

namespace sconce::ops {

namespace {

// The tensor as at least one-dimensional geometry: index operators treat a 0-d tensor as a vector of one
// element.
struct Shape {
  Dims sizes, strides;
  explicit Shape(const Tensor& t) : sizes(t.sizes()), strides(t.strides()) {
    if (sizes.empty()) {
      sizes.push_back(1);
      strides.push_back(1);
    }
  }
};

RowGeometry along(int dim, const Tensor& table, const Tensor& rows) {
  const Shape t(table), r(rows);
  RowGeometry g;
  g.row_stride = r.strides[dim];
  for (int d = 0; d < t.sizes.size(); ++d)
    if (d != dim) g.inner(t.sizes[d], t.strides[d], r.strides[d]);
  return g;
}

Tensor offsets_along(int dim, const Tensor& table, const Tensor& index, bool allow_negative,
                     const OutOfRange& out_of_range) {
  const Shape t(table);
  return element_offsets({index}, {t.sizes[dim]}, {t.strides[dim]}, allow_negative, out_of_range);
}

OutOfRange index_error(const char* prefix, ErrorKind kind, int dim, const Tensor& self) {
  return [prefix, kind, dim, size = Shape(self).sizes[dim]](int, int64_t index) {
    throw_error(kind,
                str(prefix, "index ", index, " is out of bounds for dimension ", dim, " with size ", size));
  };
}

}  // namespace

Tensor index_select(const Tensor& self, int64_t dim, const Tensor& index) {
  SC_CHECK_INDEX(index.dim() <= 1, "index_select(): Index is supposed to be a vector");
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(self.dim() > 0 || index.numel() == 1,
           "index_select(): Index to scalar can have only 1 value, got ", index.numel(), " value(s)");
  const Tensor at =
      index_tensor(index, self.device(), "index_select(): Expected dtype int32 or int64 for index");
  const Tensor offsets = offsets_along(
      d, self, at, false, [](int, int64_t) { throw_error(ErrorKind::kIndex, "index out of range in self"); });
  Dims shape = self.sizes();
  if (!shape.empty()) shape[d] = at.numel();
  Tensor y = empty(shape, self.dtype(), self.device());
  take_rows(self, y, offsets, along(d, self, y));
  return differentiable("IndexSelectBackward0", y)
      .wrt(self, [d, index = saved(index), shape = self.sizes()](const Tensor& g) {
        return index_add(zeros_raw(shape, g.dtype(), g.device()), d, index(), g, 1);
      });
}
OP("index_select(Tensor self, int dim, Tensor index) -> Tensor", index_select, kFunction | kMethod,
   R"(The slices along `dim` at the positions `index`, a vector of integers. Throws when one is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.index_select.html

@example
torch.tensor([[1, 2], [3, 4]]).index_select(1, torch.tensor([1, 1, 0]).long()) // tensor([[2., 2., 1.],
//         [4., 4., 3.]])
)");

static void check_source(const char* name, int d, const Tensor& self, const Tensor& index,
                         const Tensor& source) {
  SC_CHECK_INDEX(index.dim() <= 1, name, "(): Index is supposed to be a vector, but got dim: ", index.dim());
  SC_CHECK(self.dtype() == source.dtype(), name, "(): self (", scalar_type_name(self.dtype()),
           ") and source (", scalar_type_name(source.dtype()), ") must have the same scalar type");
  const int64_t count = source.dim() == 0 ? 1 : d < source.dim() ? source.sizes()[d] : 1;
  SC_CHECK(index.numel() == count, name, "(): Number of indices (", index.numel(),
           ") should be equal to source.size(dim): (", count, "), for dim: ", d);
  Dims a = self.sizes(), b = source.sizes();
  if (a.size() > d) a.erase(d);
  if (b.size() > d) b.erase(d);
  SC_CHECK(a == b,
           "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
           "self.shape = ",
           self.sizes(), " source.shape = ", source.sizes());
}

Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
  const int d = wrap_dim(dim, self.dim());
  check_source("index_add_", d, self, index, source);
  const Tensor at = index_tensor(index, self.device(), "index_add_(): Expected dtype int32/int64 for index");
  Tensor y = writable(self, {index, source});
  const Tensor rows = alpha.equals(1) ? source : binary_as(SC_MUL, source, alpha, self.dtype(), self.dtype());
  put_rows(SC_SCATTER_ADD, y, rows,
           offsets_along(d, y, at, false, index_error("", ErrorKind::kRuntime, d, y)), along(d, y, rows));
  return differentiable("IndexAddBackward0", y)
      .wrt(self, [](const Tensor& g) { return g; })
      .wrt(source, [d, alpha, index = saved(index), shape = source.sizes()](const Tensor& g) {
        const Tensor picked = reshape(index_select(g, d, index()), shape);
        return alpha.equals(1) ? picked : picked * alpha;
      });
}
OP("index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor", index_add,
   kFunction | kMethod | kInPlace | kDirect | kReadsApart,
   R"(`self` with `alpha` times the slices of `source` added to its slices at the positions `index` along `dim`. Equal positions add up.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_add_.html

@example
torch.zeros(3).index_add(0, torch.tensor([0, 2, 0]).long(), torch.tensor([1, 2, 3])) // tensor([4., 0., 2.])
)");

Tensor index_fill(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(index.dim() <= 1, "Index has to be a vector/scalar");
  SC_CHECK_INDEX(index.dtype() == DType::kInt64 || index.dtype() == DType::kInt32,
                 "index_fill_(): Expected dtype int64 for index.");
  const Tensor at = index_tensor(index, self.device(), "index_fill_(): Expected dtype int64 for index.");
  Tensor y = writable(self, {index});
  const Tensor number = scalar_tensor(value, self.dtype(), self.device());
  const Tensor rows = alias_of(number, Shape(y).sizes, Dims::filled(Shape(y).sizes.size(), 0), 0);
  put_rows(SC_SCATTER_ASSIGN, y, rows,
           offsets_along(d, y, at, true, index_error("", ErrorKind::kIndex, d, y)), along(d, y, rows));
  return differentiable("IndexFillBackward0", y).wrt(self, [d, index = saved(index)](const Tensor& g) {
    return index_fill(g, d, index(), 0);
  });
}
OP("index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", index_fill,
   kFunction | kMethod | kInPlace | kDirect,
   R"(`self` with the slices at the positions `index` along `dim` set to `value`, a number or a 0-d tensor.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_fill_.html

@example
torch.zeros(3).index_fill(0, torch.tensor([1]).long(), 5) // tensor([0., 5., 0.])
)");
static Tensor index_fill_tensor(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
  SC_CHECK(value.dim() == 0, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
           value.dim(), " dimension(s).");
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(index.dim() <= 1, "Index has to be a vector/scalar");
  const Tensor at = index_tensor(index, self.device(), "index_fill_(): Expected dtype int64 for index.");
  Tensor y = writable(self, {index, value});
  Tensor number = empty({}, self.dtype(), self.device());
  copy_into(number, value);
  const Tensor rows = alias_of(number, Shape(y).sizes, Dims::filled(Shape(y).sizes.size(), 0), 0);
  put_rows(SC_SCATTER_ASSIGN, y, rows,
           offsets_along(d, y, at, true, index_error("", ErrorKind::kIndex, d, y)), along(d, y, rows));
  return differentiable("IndexFillBackward1", y)
      .wrt(self, [d, index = saved(index)](const Tensor& g) { return index_fill(g, d, index(), 0); })
      .wrt(value, [d, index = saved(index)](const Tensor& g) { return sum(index_select(g, d, index())); });
}
OP("index_fill.int_Tensor(Tensor self, int dim, Tensor index, Tensor value) -> Tensor", index_fill_tensor,
   kFunction | kMethod | kInPlace | kDirect | kReadsFirst, "");

static Tensor index_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK_INDEX(index.dim() <= 1, "index_copy_(): Index should have dimension 1 or 0 (got ", index.dim(),
                 ")");
  SC_CHECK(self.dtype() == source.dtype(),
           "index_copy_(): self and source expected to have the same dtype, but got (self) ",
           scalar_type_name(self.dtype()), " and (source) ", scalar_type_name(source.dtype()));
  const int64_t count = source.dim() == 0 ? 1 : source.size(d);
  SC_CHECK_INDEX(index.numel() == count, "index_copy_(): Number of indices (", index.numel(),
                 ") should be equal to source.size(dim) (", count, ")");
  Dims a = self.sizes(), b = source.sizes();
  if (a.size() > d) a.erase(d);
  if (b.size() > d) b.erase(d);
  SC_CHECK(a == b,
           "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: ",
           a, " at dimension ", d, " and source slice shape: ", b, " at dimension 0.");
  const Tensor at = index_tensor(index, self.device(), "index_copy_(): Expected a long tensor for index");
  Tensor y = writable(self, {index, source});
  put_rows(SC_SCATTER_ASSIGN, y, source,
           offsets_along(d, y, at, false, index_error("index_copy_(): ", ErrorKind::kIndex, d, y)),
           along(d, y, source));
  return differentiable("IndexCopyBackward0", y)
      .wrt(self, [d, index = saved(index)](const Tensor& g) { return index_fill(g, d, index(), 0); })
      .wrt(source, [d, index = saved(index), shape = source.sizes()](const Tensor& g) {
        return reshape(index_select(g, d, index()), shape);
      });
}
OP("index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor", index_copy,
   kFunction | kMethod | kInPlace | kDirect | kReadsApart,
   R"(`self` with its slices at the positions `index` along `dim` replaced by those of `source`. Of equal positions the last one counts.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_copy_.html

@example
torch.zeros(3).index_copy(0, torch.tensor([2, 0]).long(), torch.tensor([1, 2])) // tensor([2., 0., 1.])
)");

// ---- the flat tensor ----
static Tensor flat_offsets(const Tensor& table, const Tensor& index, const char* message) {
  const Tensor at = index_tensor(index, table.device(), message);
  const int64_t n = table.numel();
  return element_offsets({at}, {n}, {1}, true, [n](int, int64_t i) {
    throw_error(ErrorKind::kIndex,
                str("out of range: tried to access index ", i, " on a tensor of ", n, " elements."));
  });
}

Tensor take(const Tensor& self, const Tensor& index) {
  SC_CHECK(index.dtype() == DType::kInt64, "take(): Expected a long tensor for index, but got ",
           scalar_type_name(index.dtype()));
  SC_CHECK_INDEX(self.numel() > 0 || index.numel() == 0, "take(): tried to take from an empty tensor");
  const Tensor table = contiguous_raw(self);
  Tensor y = empty(index.sizes(), self.dtype(), self.device());
  RowGeometry g;
  g.row_stride = 1;
  take_rows(table, y, flat_offsets(table, index, "take(): Expected a long tensor for index"), g);
  return differentiable("TakeBackward0", y)
      .wrt(self, [index = saved(index), shape = self.sizes()](const Tensor& g) {
        return put(zeros_raw(shape, g.dtype(), g.device()), index(), g, true);
      });
}
OP("take(Tensor self, Tensor index) -> Tensor", take, kFunction | kMethod,
   R"(The elements at the positions `index` of the flattened tensor, in the shape of `index`.

See https://docs.pytorch.org/docs/stable/generated/torch.take.html

@example
torch.tensor([[1, 2], [3, 4]]).take(torch.tensor([0, 3]).long()) // tensor([1., 4.])
)");

Tensor put(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) {
  SC_CHECK(index.dtype() == DType::kInt64, "put_(): Expected a long tensor for index, but got ",
           scalar_type_name(index.dtype()));
  SC_CHECK(self.dtype() == source.dtype(),
           "put_(): self and source expected to have the same dtype, but got self.dtype = ",
           scalar_type_name(self.dtype()), " and source.dtype = ", scalar_type_name(source.dtype()));
  SC_CHECK_INDEX(
      source.numel() == index.numel(),
      "put_(): Expected source and index to have the same number of elements, but got source.numel() = ",
      source.numel(), ", index.numel() = ", index.numel());
  SC_CHECK_INDEX(self.numel() > 0 || index.numel() == 0,
                 "put_(): Tried to put elements into an empty tensor");
  Tensor y = self.is_contiguous() ? writable(self, {index, source}) : fresh_copy(self);
  RowGeometry g;
  g.row_stride = 1;
  put_rows(accumulate ? SC_SCATTER_ADD : SC_SCATTER_ASSIGN, y, contiguous_raw(source),
           flat_offsets(y, index, "put_(): Expected a long tensor for index"), g);
  return differentiable("PutBackward0", y)
      .wrt(self,
           [index = saved(index), accumulate](const Tensor& g_) {
             if (accumulate) return g_;
             return put(g_, index(), zeros_raw(index().sizes(), g_.dtype(), g_.device()), false);
           })
      .wrt(source, [index = saved(index), shape = source.sizes()](const Tensor& g_) {
        return reshape(take(g_, index()), shape);
      });
}
OP("put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor", put,
   kFunction | kMethod | kInPlace | kDirect | kReadsApart,
   R"(`self` with `source` written to (with `accumulate`, added at) the positions `index` of the flattened tensor.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.put_.html

@example
torch.zeros(3).put(torch.tensor([2]).long(), torch.tensor([7])) // tensor([0., 0., 7.])
)");

}  // namespace sconce::ops
