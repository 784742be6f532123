// sum and its adjoints.
#include "ops.h"
#include "reduction.h"

namespace sconce::ops {

Tensor sum_dim(const Tensor& self, const std::optional<IntList>& dim, bool keepdim, const std::optional<DType>& dtype) {
  Dims given;
  if (dim) given = Dims(*dim);
  const Dims dims = reduce_dims(self, &given);
  const DType t = dtype ? *dtype : is_integral(self.dtype()) ? DType::kInt64 : self.dtype();
  Tensor y = reduce(SC_RED_SUM, is_floating(t) && !is_floating(self.dtype()) ? cast_raw(self, t) : self, dims, keepdim, t);
  return differentiable("SumBackward1", y).wrt(self, [dims, keepdim, sizes = self.sizes()](const Tensor& g) {
    return expand(restore_dims(g, dims, sizes.size(), keepdim), sizes);
  });
}
OP("sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", sum_dim, kFunction | kMethod, "");

Tensor sum(const Tensor& self, const std::optional<DType>& dtype) {
  const DType t = dtype ? *dtype : is_integral(self.dtype()) ? DType::kInt64 : self.dtype();
  Tensor y = reduce(SC_RED_SUM, is_floating(t) && !is_floating(self.dtype()) ? cast_raw(self, t) : self, reduce_dims(self, nullptr), false, t);
  return differentiable("SumBackward0", y).wrt(self, [sizes = self.sizes()](const Tensor& g) { return expand(g, sizes); });
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
  SC_CHECK(is_expandable_to(size, self.sizes()), "size {", size, "} is not expandable to size {", self.sizes(), "}.");
  IntList dims;
  const int lead = self.dim() - size.size();
  for (int i = 0; i < self.dim(); ++i)
    if (i < lead || (size[i - lead] == 1 && self.sizes()[i] != 1)) dims.push_back(i);
  Tensor s = dims.empty() ? self : sum_dim(self, dims, true, self.dtype());
  return lead > 0 ? reshape(s, size) : s;
}

}  // namespace sconce::ops
