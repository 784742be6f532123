// Triangles and diagonals of matrices: tril, triu, diag, diag_embed; and copies with a window replaced.
#include "indexing.h"
#include "pointwise.h"

namespace sconce::ops {

// [rows, columns], true on and below (upper: above) the given diagonal.
static Tensor triangle_mask(int64_t rows, int64_t columns, int64_t diagonal, bool upper, Device device) {
  Tensor last = range_raw(rows, diagonal, 1, DType::kInt64, device);  // the diagonal's column in each row
  Tensor column = range_raw(columns, 0, 1, DType::kInt64, device);
  last = alias_of(last, {rows, 1}, {1, 1}, 0);
  return compare(upper ? SC_GE : SC_LE, column, last);
}

static Tensor triangle(const char* name, const Tensor& self, int64_t diagonal, bool upper) {
  const int n = self.dim();
  const Tensor mask = triangle_mask(self.sizes()[n - 2], self.sizes()[n - 1], diagonal, upper, self.device());
  Tensor y = ternary(SC_WHERE, mask, self, scalar_tensor(0, self.dtype(), self.device()), self.dtype());
  return differentiable(name, y).wrt(
      self, [diagonal, upper](const Tensor& g) { return upper ? triu(g, diagonal) : tril(g, diagonal); });
}
Tensor tril(const Tensor& self, int64_t diagonal) {
  SC_CHECK(self.dim() >= 2, "tril: input tensor must have at least 2 dimensions");
  return triangle("TrilBackward0", self, diagonal, false);
}
OP("tril(Tensor self, int diagonal=0) -> Tensor", tril, kFunction | kMethod | kInPlace,
   R"(The lower triangle of the matrices in the last two dimensions, zero above `diagonal` (0 is the main one, positive lies above).

See https://docs.pytorch.org/docs/stable/generated/torch.tril.html

@example
torch.ones(2, 2).tril() // tensor([[1., 0.],
//         [1., 1.]])
)");
Tensor triu(const Tensor& self, int64_t diagonal) {
  SC_CHECK(self.dim() >= 2, "triu: input tensor must have at least 2 dimensions");
  return triangle("TriuBackward0", self, diagonal, true);
}
OP("triu(Tensor self, int diagonal=0) -> Tensor", triu, kFunction | kMethod | kInPlace,
   R"(The upper triangle of the matrices in the last two dimensions, zero below `diagonal` (0 is the main one, positive lies above).

See https://docs.pytorch.org/docs/stable/generated/torch.triu.html

@example
torch.ones(2, 2).triu(1) // tensor([[0., 1.],
//         [0., 0.]])
)");

static Tensor triangle_indices(int64_t row, int64_t col, int64_t offset, bool upper,
                               const std::optional<DType>& dtype, const std::optional<Device>& device) {
  SC_CHECK(row >= 0, "row must be non-negative, got", row);
  SC_CHECK(col >= 0, "col must be non-negative, got", col);
  const Tensor at = nonzero_raw(triangle_mask(row, col, offset, upper, device.value_or(Device())));
  Tensor y = empty({2, at.sizes()[0]}, dtype.value_or(DType::kInt64), at.device());
  copy_into(y, alias_of(at, y.sizes(), {1, 2}, 0));
  return y;
}
static Tensor tril_indices(int64_t row, int64_t col, int64_t offset, const std::optional<DType>& dtype,
                           const std::optional<Device>& device) {
  return triangle_indices(row, col, offset, false, dtype, device);
}
OP("tril_indices(int row, int col, int offset=0, *, ScalarType? dtype=None, Device? device=None) -> Tensor",
   tril_indices, kFunction | kNoGrad,
   R"(Row and column numbers of the lower triangle of a `row` by `col` matrix, as a tensor of two rows.

See https://docs.pytorch.org/docs/stable/generated/torch.tril_indices.html

@example
torch.tril_indices(2, 2) // tensor([[0, 1, 1],
//         [0, 0, 1]])
)");
static Tensor triu_indices(int64_t row, int64_t col, int64_t offset, const std::optional<DType>& dtype,
                           const std::optional<Device>& device) {
  return triangle_indices(row, col, offset, true, dtype, device);
}
OP("triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=None, Device? device=None) -> Tensor",
   triu_indices, kFunction | kNoGrad,
   R"(Row and column numbers of the upper triangle of a `row` by `col` matrix, as a tensor of two rows.

See https://docs.pytorch.org/docs/stable/generated/torch.triu_indices.html

@example
torch.triu_indices(2, 2) // tensor([[0, 0, 1],
//         [0, 1, 1]])
)");

Tensor diag_embed(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) {
  const int n = self.dim() + 1;
  const int a = wrap_dim(dim1, n), b = wrap_dim(dim2, n);
  SC_CHECK(a != b, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  SC_CHECK(self.dim() > 0, "diag_embed() cannot be applied to a 0-dim tensor.");
  const int64_t side = self.sizes().back() + std::abs(offset);
  Dims shape = self.sizes();
  shape.erase(self.dim() - 1);
  shape.insert(std::min(a, b), side);
  shape.insert(std::max(a, b), side);
  Tensor y = zeros_raw(shape, self.dtype(), self.device());
  {
    NoGradGuard raw;
    copy_into(diagonal(y, offset, a, b), self);
  }
  y = alias_of(y, y.sizes(), y.strides(), 0);
  return differentiable("DiagEmbedBackward0", y).wrt(self, [offset, a, b](const Tensor& g) {
    return diagonal(g, offset, a, b);
  });
}
OP("diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", diag_embed,
   kFunction | kMethod,
   R"(Matrices over the dimensions `dim1` and `dim2` of the result, with the last dimension of `self` on their diagonals and zero elsewhere.

See https://docs.pytorch.org/docs/stable/generated/torch.diag_embed.html

@example
torch.tensor([1, 2]).diag_embed() // tensor([[1., 0.],
//         [0., 2.]])
)");
static Tensor diagonal_scatter(const Tensor& self, const Tensor& src, int64_t offset, int64_t dim1,
                               int64_t dim2);
static Tensor diag(const Tensor& self, int64_t offset) {
  SC_CHECK(self.dim() == 1 || self.dim() == 2, "diag(): Supports 1D or 2D tensors. Got ", self.dim(), "D");
  if (self.dim() == 1) return diag_embed(self, offset);
  Tensor y;
  {
    NoGradGuard raw;
    y = fresh_copy(diagonal(self, offset));
  }
  return differentiable("DiagonalBackward0_copy", y)
      .wrt(self, [offset, shape = self.sizes()](const Tensor& g) {
        return diagonal_scatter(zeros_raw(shape, g.dtype(), g.device()), g, offset, 0, 1);
      });
}
OP("diag(Tensor self, int diagonal=0) -> Tensor", diag, kFunction | kMethod,
   R"(The diagonal of a matrix, or the matrix with a vector on its diagonal.

See https://docs.pytorch.org/docs/stable/generated/torch.diag.html

@example
torch.tensor([[1, 2], [3, 4]]).diag() // tensor([1., 4.])
)");
static Tensor diagflat(const Tensor& self, int64_t offset) { return diag_embed(reshape(self, {-1}), offset); }
OP("diagflat(Tensor self, int offset=0) -> Tensor", diagflat, kFunction | kMethod,
   R"(The matrix with the flattened tensor on its diagonal.

See https://docs.pytorch.org/docs/stable/generated/torch.diagflat.html

@example
torch.tensor([[1], [2]]).diagflat() // tensor([[1., 0.],
//         [0., 2.]])
)");

// ---- copies with a window replaced ----
// `view` is the view operator that names the window.
template <class View>
static Tensor replaced(const char* name, const Tensor& self, const Tensor& src, const View& view) {
  Tensor y = fresh_copy(self);
  {
    NoGradGuard raw;
    const Tensor part = view(y);
    SC_CHECK(part.sizes() == src.sizes(),
             "expected src to have a size equal to the slice of self. src size = ", src.sizes(),
             ", slice size = ", part.sizes());
    copy_into(part, src);
  }
  y = alias_of(y, y.sizes(), y.strides(), 0);
  return differentiable(name, y)
      .wrt(self,
           [name, view](const Tensor& g) {
             const Tensor hole = zeros_raw(view(g.detach()).sizes(), g.dtype(), g.device());
             return replaced(name, g, hole, view);
           })
      .wrt(src, [view](const Tensor& g) { return view(g); });
}
static Tensor select_scatter(const Tensor& self, const Tensor& src, int64_t dim, int64_t index) {
  return replaced("SelectScatterBackward0", self, src,
                  [dim, index](const Tensor& t) { return select(t, dim, index); });
}
OP("select_scatter(Tensor self, Tensor src, int dim, int index) -> Tensor", select_scatter,
   kFunction | kMethod,
   R"(A copy of `self` with the slice `select(dim, index)` replaced by `src`.

See https://docs.pytorch.org/docs/stable/generated/torch.select_scatter.html

@example
torch.zeros(2, 2).select_scatter(torch.ones(2), 0, 1) // tensor([[0., 0.],
//         [1., 1.]])
)");
static Tensor slice_scatter(const Tensor& self, const Tensor& src, int64_t dim,
                            const std::optional<int64_t>& start, const std::optional<int64_t>& end,
                            int64_t step) {
  return replaced("SliceScatterBackward0", self, src,
                  [dim, start, end, step](const Tensor& t) { return slice(t, dim, start, end, step); });
}
OP("slice_scatter(Tensor self, Tensor src, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor",
   slice_scatter, kFunction | kMethod,
   R"(A copy of `self` with the part from `start` to `end` of dimension `dim`, in steps, replaced by `src`.

See https://docs.pytorch.org/docs/stable/generated/torch.slice_scatter.html

@example
torch.zeros(4).slice_scatter(torch.ones(2), 0, 1, 3) // tensor([0., 1., 1., 0.])
)");
static Tensor diagonal_scatter(const Tensor& self, const Tensor& src, int64_t offset, int64_t dim1,
                               int64_t dim2) {
  return replaced("DiagonalScatterBackward0", self, src,
                  [offset, dim1, dim2](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
}
OP("diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
   diagonal_scatter, kFunction | kMethod,
   R"(A copy of `self` with the diagonal over `dim1` and `dim2` replaced by `src`.

See https://docs.pytorch.org/docs/stable/generated/torch.diagonal_scatter.html

@example
torch.zeros(2, 2).diagonal_scatter(torch.ones(2)) // tensor([[1., 0.],
//         [0., 1.]])
)");

}  // namespace sconce::ops
