// Views on a part of the elements: select, narrow, slice, diagonal, unfold, as_strided.
#include "ops.h"

namespace sconce::ops {

namespace {
struct Geometry {
  Dims sizes, strides;
  int64_t offset = 0;
};
Geometry geometry_of(const Tensor& t) { return {t.sizes(), t.strides(), t.storage_offset()}; }

// `change` maps the geometry of the input to that of the view. The gradient is zero but for the elements in
// view: the same change, applied to a contiguous input, says where they are.
template <class Change>
Tensor window(const char* name, const Tensor& self, const Change& change) {
  Geometry at = geometry_of(self);
  change(at);
  Tensor y = make_view(self, at.sizes, at.strides, at.offset);
  return differentiable(name, y).wrt(self, [change, sizes = self.sizes()](const Tensor& g) {
    Geometry into{sizes, contiguous_strides(sizes), 0};
    change(into);
    return reshape(scatter_strided(g, into.sizes, into.strides, into.offset, numel_of(sizes)), sizes);
  });
}
}  // namespace

Tensor select(const Tensor& self, int64_t dim, int64_t index) {
  SC_CHECK_INDEX(self.dim() > 0, "select() cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, self.dim());
  const int64_t size = self.sizes()[d];
  SC_CHECK_INDEX(index >= -size && index < size, "select(): index ", index,
                 " out of range for tensor of size ", self.sizes(), " at dimension ", d);
  const int64_t i = index < 0 ? index + size : index;
  return window("SelectBackward0", self, [d, i](Geometry& at) {
    at.offset += i * at.strides[d];
    at.sizes.erase(d);
    at.strides.erase(d);
  });
}
OP("select.int(Tensor self, int dim, int index) -> Tensor", select, kFunction | kMethod,
   R"(The slice at position `index` of dimension `dim`, without that dimension. A view. Throws when `index` is out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.select.html

@example
torch.tensor([[1, 2], [3, 4]]).select(1, 0) // tensor([1., 3.])
)");

Tensor slice(const Tensor& self, int64_t dim, const std::optional<int64_t>& start,
             const std::optional<int64_t>& end, int64_t step) {
  SC_CHECK(self.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(step > 0, "slice step must be positive");
  const int64_t size = self.sizes()[d];
  int64_t from = start.value_or(0), to = end.value_or(INT64_MAX);
  if (from < 0) from += size;
  if (to < 0) to += size;
  from = from < 0 ? 0 : from > size ? size : from;
  to = to < from ? from : to > size ? size : to;
  const int64_t length = (to - from + step - 1) / step;
  return window("SliceBackward0", self, [d, from, length, step](Geometry& at) {
    at.offset += from * at.strides[d];
    at.sizes[d] = length;
    at.strides[d] *= step;
  });
}
OP("_slice(Tensor self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor", slice, kInternal,
   "`self[start:end:step]` along `dim`.");

Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length) {
  SC_CHECK(self.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
  SC_CHECK(length >= 0, "narrow(): length must be non-negative.");
  const int64_t size = self.size(dim);
  SC_CHECK_INDEX(start >= -size && start <= size, "start out of range (expected to be in range of [", -size,
                 ", ", size, "], but got ", start, ")");
  const int64_t from = start < 0 ? start + size : start;
  SC_CHECK(from <= size - length, "start (", from, ") + length (", length, ") exceeds dimension size (", size,
           ").");
  return slice(self, dim, from, from + length, 1);
}
OP("narrow(Tensor self, int dim, int start, int length) -> Tensor", narrow, kFunction | kMethod,
   R"(The part of dimension `dim` from `start` on, `length` long. A view. Throws when it exceeds the dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.narrow.html

@example
torch.tensor([1, 2, 3, 4]).narrow(0, 1, 2) // tensor([2., 3.])
)");

Tensor diagonal(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) {
  const int a = wrap_dim(dim1, self.dim()), b = wrap_dim(dim2, self.dim());
  SC_CHECK(a != b, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  return window("DiagonalBackward0", self, [offset, a, b](Geometry& at) {
    const int64_t rows = at.sizes[a] + (offset < 0 ? offset : 0),
                  columns = at.sizes[b] - (offset > 0 ? offset : 0);
    const int64_t length = std::max<int64_t>(std::min(rows, columns), 0);
    if (length > 0) at.offset += offset >= 0 ? offset * at.strides[b] : -offset * at.strides[a];
    const int64_t stride = at.strides[a] + at.strides[b];
    for (int d : {std::max(a, b), std::min(a, b)}) {
      at.sizes.erase(d);
      at.strides.erase(d);
    }
    at.sizes.push_back(length);
    at.strides.push_back(stride);
  });
}
OP("diagonal(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor", diagonal, kFunction | kMethod,
   R"(The diagonal over dimensions `dim1` and `dim2`, as the last dimension of the result; `offset` counts upwards. A view.

See https://docs.pytorch.org/docs/stable/generated/torch.diagonal.html

@example
torch.tensor([[1, 2], [3, 4]]).diagonal() // tensor([1., 4.])
torch.tensor([[1, 2], [3, 4]]).diagonal(1) // tensor([2.])
)");

Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step) {
  const int d = wrap_dim(dimension, self.dim());
  SC_CHECK(size >= 0, "size is ", size, " but must be >= 0");
  SC_CHECK(step > 0, "step is ", step, " but must be > 0");
  const int64_t have = self.dim() == 0 ? 1 : self.sizes()[d];
  SC_CHECK(size <= have, "maximum size for tensor at dimension ", d, " is ", have, " but size is ", size);
  return window("UnfoldBackward0", self, [d, size, step](Geometry& at) {
    if (at.sizes.empty()) {
      at.sizes.push_back(size);
      at.strides.push_back(1);
      return;
    }
    at.sizes.push_back(size);
    at.strides.push_back(at.strides[d]);
    at.sizes[d] = (at.sizes[d] - size) / step + 1;
    at.strides[d] *= step;
  });
}
OP("unfold(Tensor self, int dimension, int size, int step) -> Tensor", unfold, kFunction | kMethod,
   R"(All windows of `size` elements along `dimension`, each `step` after the one before, as a new last dimension. A view; windows may overlap.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.unfold.html

@example
torch.tensor([1, 2, 3, 4]).unfold(0, 2, 1) // tensor([[1., 2.],
//         [2., 3.],
//         [3., 4.]])
)");

static void check_inside(const Tensor& self, const Dims& size, const Dims& stride, int64_t offset) {
  SC_CHECK(size.size() == stride.size(), "mismatch in length of strides and shape");
  for (int64_t s : stride)
    SC_CHECK(s >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ", stride);
  SC_CHECK(offset >= 0, "Tensor: invalid storage offset ", offset);
  int64_t last = offset, need = 0;  // the farthest element; sizes and strides may overflow
  bool fits = true;
  if (numel_of(size) == 0) return;
  for (int i = 0; i < size.size(); ++i) {
    int64_t reach;
    fits = fits && !__builtin_mul_overflow(size[i] - 1, stride[i], &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  fits = fits && !__builtin_mul_overflow(last + 1, self.itemsize(), &need);
  SC_CHECK(fits && need <= self.storage()->nbytes(), "setStorage: sizes ", size, ", strides ", stride,
           ", storage offset ", offset, ", and itemsize ", self.itemsize(), " requiring a storage size of ",
           need, " are out of bounds for storage of size ", self.storage()->nbytes());
}

Tensor as_strided(const Tensor& self, const Dims& size, const Dims& stride,
                  const std::optional<int64_t>& storage_offset) {
  const int64_t offset = storage_offset.value_or(self.storage_offset());
  check_inside(self, size, stride, offset);
  Tensor y = make_view(self, size, stride, offset);
  return differentiable("AsStridedBackward0", y)
      .wrt(self,
           [size, stride, offset, sizes = self.sizes(), strides = self.strides(), at = self.storage_offset()](
               const Tensor& g) { return as_strided_backward(g, size, stride, offset, sizes, strides, at); });
}
OP("as_strided(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor", as_strided,
   kFunction | kMethod | kInPlace | kReshapes,
   R"(A view on the storage of `self` with the given geometry, counted in elements. Throws when it reaches outside the storage.

See https://docs.pytorch.org/docs/stable/generated/torch.as_strided.html

@example
torch.tensor([1, 2, 3, 4]).as_strided([2, 2], [1, 2]) // tensor([[1., 3.],
//         [2., 4.]])
)");

}  // namespace sconce::ops
