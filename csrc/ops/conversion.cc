// clone, contiguous, dtype and device conversion.
#include "ops.h"

namespace sconce::ops {

static Tensor empty_in(const Tensor& self, MemoryFormat f) {
  switch (f) {
    case MemoryFormat::kContiguous:
      return empty(self.sizes(), self.dtype(), self.device());
    case MemoryFormat::kChannelsLast:
      SC_CHECK(self.dim() == 4, "required rank 4 tensor to use channels_last format");
      return empty_strided(self.sizes(), channels_last_strides(self.sizes()), self.dtype(), self.device());
    default:
      return empty_like(self);
  }
}

Tensor clone(const Tensor& self, const std::optional<MemoryFormat>& memory_format) {
  Tensor y = empty_in(self, memory_format.value_or(MemoryFormat::kPreserve));
  copy_into(y, self);
  return elementwise("CloneBackward0", y).wrt(self, [](const Tensor& g) { return g; });
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

// ---- dtype and device ----

static Tensor converted(const Tensor& self, DType dtype, Device device, bool copy,
                        const std::optional<MemoryFormat>& memory_format) {
  const MemoryFormat format = memory_format.value_or(MemoryFormat::kPreserve);
  const bool reordered = format != MemoryFormat::kPreserve && !self.is_contiguous(format);
  if (!copy && !reordered && self.dtype() == dtype && self.device() == device) return self;
  Dims strides = contiguous_strides(self.sizes());
  if (format == MemoryFormat::kChannelsLast) {
    SC_CHECK(self.dim() == 4, "required rank 4 tensor to use channels_last format");
    strides = channels_last_strides(self.sizes());
  } else if (format == MemoryFormat::kPreserve && self.is_non_overlapping_and_dense()) {
    strides = self.strides();
  }
  Tensor y = empty_strided(self.sizes(), strides, dtype, device);
  copy_into(y, self);
  return differentiable("ToCopyBackward0", y)
      .wrt(self, [dtype = self.dtype(), device = self.device()](const Tensor& g) {
        return converted(g, dtype, device, false, {});
      });
}

Tensor to_dtype(const Tensor& self, DType dtype) { return converted(self, dtype, self.device(), false, {}); }
Tensor to_device(const Tensor& self, Device device) {
  return converted(self, self.dtype(), device, false, {});
}

static Tensor to_type(const Tensor& self, DType dtype, bool, bool copy,
                      const std::optional<MemoryFormat>& memory_format) {
  return converted(self, dtype, self.device(), copy, memory_format);
}
OP("to.dtype(Tensor self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? "
   "memory_format=None) -> Tensor",
   to_type, kMethod,
   R"(The tensor with another dtype, on another device, or like another tensor; itself when there is nothing to change.

`copy` makes a copy in any case; `memory_format` orders the result's memory. Differentiable. Floats become integers by truncation.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html

@example
torch.tensor([1.7, -1.7]).to('int32') // tensor([ 1, -1], dtype=torch.int32)
torch.tensor([1, 2]).to({ dtype: 'float64', device: 'cpu' }) // tensor([1., 2.], dtype=torch.float64)
)");
static Tensor to_like(const Tensor& self, const Tensor& other, bool, bool copy,
                      const std::optional<MemoryFormat>& memory_format) {
  return converted(self, other.dtype(), other.device(), copy, memory_format);
}
OP("to.other(Tensor self, Tensor other, bool non_blocking=False, bool copy=False, MemoryFormat? "
   "memory_format=None) -> Tensor",
   to_like, kMethod, "");
static Tensor to_place(const Tensor& self, const std::optional<Device>& device,
                       const std::optional<DType>& dtype, bool, bool copy,
                       const std::optional<MemoryFormat>& memory_format) {
  return converted(self, dtype.value_or(self.dtype()), device.value_or(self.device()), copy, memory_format);
}
OP("to.device(Tensor self, Device? device=None, ScalarType? dtype=None, bool non_blocking=False, bool "
   "copy=False, "
   "MemoryFormat? memory_format=None) -> Tensor",
   to_place, kMethod, "");

static Tensor type_as(const Tensor& self, const Tensor& other) { return to_dtype(self, other.dtype()); }
OP("type_as(Tensor self, Tensor other) -> Tensor", type_as, kMethod,
   R"(The tensor with `other`'s dtype; itself when it has that already.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type_as.html

@example
torch.tensor([1, 2]).type_as(torch.zeros(1, { dtype: 'int64' })) // tensor([1, 2])
)");
// x.float(), x.long() and so on.
#define SC_CONVERSION(name, dtype, dtype_text, example)                                           \
  static Tensor to_##name(const Tensor& self, const std::optional<MemoryFormat>& memory_format) { \
    return converted(self, dtype, self.device(), false, memory_format);                           \
  }                                                                                               \
  OP(#name "(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", to_##name,             \
     kMethod | (is_floating(dtype) ? 0U : kNoGrad),                                               \
     "The tensor as " dtype_text ": `to('" dtype_text                                             \
     "')`.\n\n"                                                                                   \
     "See https://docs.pytorch.org/docs/stable/generated/torch.Tensor." #name                     \
     ".html\n\n"                                                                                  \
     "@example\ntorch.tensor([0.5, 2])." #name "() // " example)

SC_CONVERSION(float, DType::kFloat32, "float32", "tensor([0.5000, 2.0000])");
SC_CONVERSION(double, DType::kFloat64, "float64", "tensor([0.5000, 2.0000], dtype=torch.float64)");
SC_CONVERSION(half, DType::kFloat16, "float16", "tensor([0.5000, 2.0000], dtype=torch.float16)");
SC_CONVERSION(bfloat16, DType::kBFloat16, "bfloat16", "tensor([0.5000, 2.0000], dtype=torch.bfloat16)");
SC_CONVERSION(long, DType::kInt64, "int64", "tensor([0, 2])");
SC_CONVERSION(int, DType::kInt32, "int32", "tensor([0, 2], dtype=torch.int32)");
SC_CONVERSION(short, DType::kInt16, "int16", "tensor([0, 2], dtype=torch.int16)");
SC_CONVERSION(char, DType::kInt8, "int8", "tensor([0, 2], dtype=torch.int8)");
SC_CONVERSION(byte, DType::kUInt8, "uint8", "tensor([0, 2], dtype=torch.uint8)");
SC_CONVERSION(bool, DType::kBool, "bool", "tensor([True, True])");
#undef SC_CONVERSION

}  // namespace sconce::ops
