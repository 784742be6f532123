// Views: new geometry on the same memory.
#include "ops.h"

namespace sconce::ops {

Tensor view(const Tensor& self, const Dims& size) {
  const Dims shape = infer_size(size, self.numel());
  Dims strides;
  SC_CHECK(view_strides(self.sizes(), self.strides(), shape, &strides),
           "view size is not compatible with input tensor's size and stride (at least one dimension spans "
           "across two contiguous subspaces). "
           "Use .reshape(...) instead.");
  Tensor y = make_view(self, shape, strides, self.storage_offset());
  return differentiable("ViewBackward0", y).wrt(self, [sizes = self.sizes()](const Tensor& g) {
    return reshape(g, sizes);
  });
}
OP("view(Tensor self, int[] size) -> Tensor", view, kMethod,
   R"(The same elements under another shape, sharing memory. One entry may be -1: it is inferred.

Throws when the new shape does not fit the memory layout; `reshape` copies then.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html

@example
torch.tensor([1, 2, 3, 4]).view(2, 2) // tensor([[1., 2.],
//         [3., 4.]])
)");

Tensor reshape(const Tensor& self, const Dims& shape0) {
  const Dims shape = infer_size(shape0, self.numel());
  Dims strides;
  if (view_strides(self.sizes(), self.strides(), shape, &strides)) {
    Tensor y = make_view(self, shape, strides, self.storage_offset());
    return differentiable(self.is_contiguous() ? "ViewBackward0" : "ReshapeAliasBackward0", y)
        .wrt(self, [sizes = self.sizes()](const Tensor& g) { return reshape(g, sizes); });
  }
  // A copy, then a shape of its own: one node, as PyTorch's _unsafe_view.
  const Tensor copy = clone(self, MemoryFormat::kContiguous);
  Tensor y = alias_of(copy, shape, contiguous_strides(shape), copy.storage_offset());
  return differentiable("UnsafeViewBackward0", y).wrt(copy, [sizes = self.sizes()](const Tensor& g) {
    return reshape(g, sizes);
  });
}
OP("reshape(Tensor self, int[] shape) -> Tensor", reshape, kFunction | kMethod,
   R"(The same elements under another shape: a view where the memory layout allows it, otherwise a copy. One entry may be -1.

See https://docs.pytorch.org/docs/stable/generated/torch.reshape.html

@example
torch.tensor([[1, 2], [3, 4]]).reshape(-1) // tensor([1., 2., 3., 4.])
)");

Tensor expand(const Tensor& self, const Dims& size) {
  SC_CHECK(size.size() >= self.dim(), "expand(torch.", scalar_type_name(self.dtype()), "Tensor{",
           self.sizes(), "}, size=", size, "): the number of sizes provided (", size.size(),
           ") must be greater or equal to the number of dimensions in the tensor (", self.dim(), ")");
  Dims sizes = size, strides = Dims::filled(size.size(), 0);
  const int lead = size.size() - self.dim();
  for (int i = size.size() - 1; i >= 0; --i) {
    const int64_t have = i >= lead ? self.sizes()[i - lead] : 1;
    if (sizes[i] == -1) {
      SC_CHECK(i >= lead,
               "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension ", i);
      sizes[i] = have;
    }
    SC_CHECK(have == sizes[i] || have == 1, "The expanded size of the tensor (", sizes[i],
             ") must match the existing size (", have, ") at non-singleton dimension ", i,
             ".  Target sizes: ", size, ".  Tensor sizes: ", self.sizes());
    strides[i] = i >= lead && have == sizes[i] ? self.strides()[i - lead] : 0;
  }
  Tensor y = make_view(self, sizes, strides, self.storage_offset());
  return differentiable("ExpandBackward0", y).wrt(self, [](const Tensor& g) { return g; });
}
OP("expand(Tensor self, int[] size) -> Tensor", expand, kMethod,
   R"(The tensor repeated along dimensions of size 1 without copying memory; -1 keeps a dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html

@example
torch.tensor([[1], [2]]).expand(2, 3) // tensor([[1., 1., 1.],
//         [2., 2., 2.]])
)");

}  // namespace sconce::ops
