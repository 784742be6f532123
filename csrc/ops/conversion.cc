// clone, contiguous, dtype and device conversion.
#include "ops.h"

namespace sconce::ops {

static Tensor empty_in(const Tensor& self, MemoryFormat f) {
  switch (f) {
    case MemoryFormat::kContiguous: return empty(self.sizes(), self.dtype(), self.device());
    case MemoryFormat::kChannelsLast:
      SC_CHECK(self.dim() == 4, "required rank 4 tensor to use channels_last format");
      return empty_strided(self.sizes(), channels_last_strides(self.sizes()), self.dtype(), self.device());
    default: return empty_like(self);
  }
}

Tensor clone(const Tensor& self, const std::optional<MemoryFormat>& memory_format) {
  Tensor y = empty_in(self, memory_format.value_or(MemoryFormat::kPreserve));
  copy_into(y, self);
  return differentiable("CloneBackward0", y).wrt(self, [](const Tensor& g) { return g; });
}
OP("clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", clone, kFunction | kMethod,
   R"(A copy of the tensor, differentiable: gradients flow back to `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.clone.html

@example
torch.tensor([1, 2]).clone() // tensor([1., 2.])
)");

Tensor contiguous(const Tensor& self, MemoryFormat memory_format) {
  if (self.is_contiguous(memory_format)) return self;
  return clone(self, memory_format);
}
OP("contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format) -> Tensor", contiguous, kMethod,
   R"(The tensor itself when its memory already is in the given order, otherwise a copy that is.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.contiguous.html

@example
torch.tensor([[1, 2], [3, 4]]).t().contiguous().stride() // [2, 1]
)");

Tensor to_dtype(const Tensor& self, DType dtype) {
  if (self.dtype() == dtype) return self;
  Tensor y = empty_like(self, dtype);
  copy_into(y, self);
  return differentiable("ToCopyBackward0", y).wrt(self, [from = self.dtype()](const Tensor& g) { return to_dtype(g, from); });
}

Tensor to_device(const Tensor& self, Device device) {
  if (self.device() == device) return self;
  Tensor y = empty(self.sizes(), self.dtype(), device);
  copy_into(y, self);
  return differentiable("ToCopyBackward0", y).wrt(self, [from = self.device()](const Tensor& g) { return to_device(g, from); });
}

}  // namespace sconce::ops
