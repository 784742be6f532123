// Elements chosen by a mask: masked_fill, masked_select, masked_scatter, nonzero.
#include "indexing.h"
#include "pointwise.h"

namespace sconce::ops {

Tensor logical_not_raw(const Tensor& mask) { return unary(SC_LOGICAL_NOT, mask); }

static void check_mask(const Tensor& mask) {
  static const char* const names[] = {"float", "double", "c10::Half",   "c10::BFloat16", "long",
                                      "int",   "short",  "signed char", "unsigned char"};
  SC_CHECK(mask.dtype() == DType::kBool, "masked_fill_ only supports boolean masks, but got mask with dtype ",
           names[static_cast<int>(mask.dtype())]);
}

static Tensor filled(const Tensor& self, const Tensor& mask, const Tensor& value) {
  check_mask(mask);
  InPlaceScope* scope = thread_state().in_place;
  if (scope && scope->direct && scope->self.is_same(self) && self.numel() > 0 &&
      value.device() == self.device() && mask.device() == self.device() &&
      value.storage() != self.storage() && mask.storage() != self.storage() &&
      is_expandable_to(mask.sizes(), self.sizes())) {
    scope->direct = false;
    Iter it(self.dtype());
    it.out(self).in(mask).in(cast_raw(value, self.dtype())).in(self).build();
    run_kernel(backend_of(self.device()).elementwise.ternary, self.device(), "masked_fill_", SC_WHERE, it.c(),
               Params().p);
    return self;
  }
  return ternary(SC_WHERE, mask, value, self, self.dtype());
}

Tensor masked_fill(const Tensor& self, const Tensor& mask, const Scalar& value) {
  check_fits(value, self.dtype());
  Tensor y = filled(self, mask, scalar_tensor(value, self.dtype(), self.device()));
  return differentiable("MaskedFillBackward0", y).wrt(self, [mask = saved(mask)](const Tensor& g) {
    return masked_fill(g, mask(), 0);
  });
}
OP("masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor", masked_fill,
   kFunction | kMethod | kInPlace | kDirect,
   R"(`self` with `value`, a number or a 0-d tensor, where the bool tensor `mask` is true. Shapes broadcast.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_fill_.html

@example
torch.tensor([1, 2]).masked_fill(torch.tensor([true, false]), 9) // tensor([9., 2.])
)");
static Tensor masked_fill_tensor(const Tensor& self, const Tensor& mask, const Tensor& value) {
  SC_CHECK(value.dim() == 0, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
           value.dim(), " dimension(s).");
  Tensor y = filled(self, mask, value);
  return differentiable("MaskedFillBackward1", y)
      .wrt(self, [mask = saved(mask)](const Tensor& g) { return masked_fill(g, mask(), 0); })
      .wrt(value,
           [mask = saved(mask)](const Tensor& g) { return sum(masked_fill(g, logical_not_raw(mask()), 0)); });
}
OP("masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor", masked_fill_tensor,
   kFunction | kMethod | kInPlace | kDirect | kReadsFirst, "");

// The flat positions where the mask, expanded to `shape`, is true: [n] int64.
static Tensor positions(const Tensor& mask, const Dims& shape) {
  const Tensor whole = contiguous_raw(expand(mask, shape));
  const Tensor at = nonzero_raw(alias_of(whole, {whole.numel()}, {1}, whole.storage_offset()));
  return alias_of(at, {at.sizes()[0]}, {1}, 0);
}

static RowGeometry flat_rows() {
  RowGeometry g;
  g.row_stride = 1;
  return g;
}

Tensor masked_select(const Tensor& self, const Tensor& mask) {
  SC_CHECK(mask.dtype() == DType::kBool, "masked_select: expected BoolTensor for mask");
  const Dims shape = broadcast_shapes(mask.sizes(), self.sizes());
  Tensor at, table;
  {
    NoGradGuard raw;
    at = positions(mask, shape);
    table = contiguous_raw(expand(self, shape));
  }
  Tensor y = empty({at.numel()}, self.dtype(), self.device());
  take_rows(table, y, at, flat_rows());
  return differentiable("MaskedSelectBackward0", y).wrt(self, [mask = saved(mask), shape](const Tensor& g) {
    return masked_scatter(zeros_raw(shape, g.dtype(), g.device()), expand(mask(), shape), g);
  });
}
OP("masked_select(Tensor self, Tensor mask) -> Tensor", masked_select, kFunction | kMethod,
   R"(The elements of `self` where the bool tensor `mask` is true, as a vector. Shapes broadcast.

See https://docs.pytorch.org/docs/stable/generated/torch.masked_select.html

@example
torch.tensor([1, 2, 3]).masked_select(torch.tensor([true, false, true])) // tensor([1., 3.])
)");

Tensor masked_scatter(const Tensor& self, const Tensor& mask, const Tensor& source) {
  SC_CHECK(mask.dtype() == DType::kBool,
           "masked_scatter_ only supports boolean masks, but got mask with dtype ",
           scalar_type_name(mask.dtype()));
  SC_CHECK(self.dtype() == source.dtype(),
           "masked_scatter: expected self and source to have same dtypes but got",
           scalar_type_name(self.dtype()), " and ", scalar_type_name(source.dtype()));
  const Dims shape = broadcast_shapes(self.sizes(), mask.sizes());
  Tensor at, y;
  {
    NoGradGuard raw;
    at = positions(mask, shape);
    y = fresh_copy(expand(self, shape));
  }
  SC_CHECK(at.numel() <= source.numel(), "Number of elements of source < number of ones in mask");
  put_rows(SC_SCATTER_ASSIGN, y, contiguous_raw(source), at, flat_rows());
  return differentiable("MaskedScatterBackward0", y)
      .wrt(self, [mask = saved(mask)](const Tensor& g) { return masked_fill(g, mask(), 0); })
      .wrt(source, [mask = saved(mask), shape = source.sizes()](const Tensor& g) {
        const Tensor used = masked_select(g, mask());
        const int64_t rest = numel_of(shape) - used.numel();
        return reshape(rest == 0 ? used : cat({used, zeros_raw({rest}, g.dtype(), g.device())}), shape);
      });
}
OP("masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor", masked_scatter,
   kFunction | kMethod | kInPlace | kReadsFirst,
   R"(`self` with the elements of `source`, in order, where the bool tensor `mask` is true.

Throws when `source` has fewer elements than the mask has ones.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_scatter_.html

@example
torch.zeros(3).masked_scatter(torch.tensor([true, false, true]), torch.tensor([1, 2])) // tensor([1., 0., 2.])
)");

}  // namespace sconce::ops

namespace sconce {
// nonzero's result: a matrix of positions, or one vector per dimension.
struct Positions {
  TensorList tensors;
  bool as_tuple;
};
inline void to_result(Result& r, Positions&& p) {
  if (p.as_tuple)
    to_result(r, std::move(p.tensors));
  else
    to_result(r, std::move(p.tensors[0]));
}
}  // namespace sconce

namespace sconce::ops {

static Positions nonzero(const Tensor& self, bool as_tuple) {
  if (!as_tuple) return {{nonzero_raw(self)}, false};
  Tensor x = self.dim() == 0 ? alias_of(self, {1}, {1}, self.storage_offset()) : self;
  const Tensor at = nonzero_raw(x);
  TensorList columns;
  for (int d = 0; d < x.dim(); ++d)
    columns.push_back(contiguous_raw(alias_of(at, {at.sizes()[0]}, {x.dim()}, d)));
  return {columns, true};
}
OP("nonzero(Tensor self, *, bool as_tuple=False) -> Tensor", nonzero, kFunction | kMethod | kNoGrad,
   R"(The positions of all elements that are not zero, one per row, in row-major order; with `as_tuple`, an array of one vector per dimension, ready for `index`.

See https://docs.pytorch.org/docs/stable/generated/torch.nonzero.html

@example
torch.tensor([[0, 1], [2, 0]]).nonzero() // tensor([[0, 1],
//         [1, 0]])
)");
static Tensor argwhere(const Tensor& self) { return nonzero_raw(self); }
OP("argwhere(Tensor self) -> Tensor", argwhere, kFunction | kMethod | kNoGrad,
   R"(The positions of all elements that are not zero, one per row.

See https://docs.pytorch.org/docs/stable/generated/torch.argwhere.html

@example
torch.tensor([0, 5]).argwhere() // tensor([[1]])
)");

}  // namespace sconce::ops
