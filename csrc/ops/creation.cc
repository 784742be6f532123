// Tensors from nothing.
#include <cmath>

#include "ops.h"

namespace sconce::ops {

Tensor zeros_raw(const Dims& size, DType dtype, Device device) {
  Tensor t = empty(size, dtype, device);
  fill_into(t, 0);
  return t;
}
Tensor ones_like_raw(const Tensor& self) {
  Tensor t = empty_like(self);
  fill_into(t, 1);
  return t;
}
Tensor zeros_like_raw(const Tensor& self) {
  Tensor t = empty_like(self);
  fill_into(t, 0);
  return t;
}

static Tensor made(const IntList& size, DType dtype, Device device) {
  return empty(Dims(size), dtype, device);
}
static Tensor filled(Tensor t, const Scalar& v) {
  fill_into(t, v);
  return t;
}
void check_fits(const Scalar& v, DType t) {
  static const char* const names[] = {"float", "double",  "c10::Half", "c10::BFloat16", "int64_t",
                                      "int",   "int16_t", "int8_t",    "uint8_t",       "bool"};
  double low = 0, high = 0;
  switch (t) {
    case DType::kInt64:
      low = -0x1p63;
      high = 0x1p63 - 1024;
      break;
    case DType::kInt32:
      low = -0x1p31;
      high = 0x1p31 - 1;
      break;
    case DType::kInt16:
      low = -32768;
      high = 32767;
      break;
    case DType::kInt8:
      low = -128;
      high = 127;
      break;
    case DType::kUInt8:
      low = -255;
      high = 255;
      break;  // PyTorch lets negative numbers wrap
    case DType::kFloat16:
      low = -65504;
      high = 65504;
      break;
    case DType::kFloat32:
      low = -0x1.fffffep127;
      high = 0x1.fffffep127;
      break;
    default:
      return;
  }
  const double x = v.to_double();
  if (is_floating(t) && !std::isfinite(x)) return;
  if (t == DType::kInt64 && !v.is_floating()) return;
  SC_CHECK(x >= low && x <= high, "value cannot be converted to type ", names[static_cast<int>(t)],
           " without overflow");
}

static Tensor empty_op(const IntList& size, const std::optional<DType>& dtype,
                       const std::optional<Device>& device,
                       const std::optional<MemoryFormat>& memory_format) {
  const DType t = dtype.value_or(default_dtype());
  if (memory_format.value_or(MemoryFormat::kContiguous) != MemoryFormat::kChannelsLast)
    return made(size, t, device.value_or(Device()));
  const Dims sizes(size);
  SC_CHECK(sizes.size() == 4, "required rank 4 tensor to use channels_last format");
  return empty_strided(sizes, channels_last_strides(sizes), t, device.value_or(Device()));
}
OP("empty(int[] size, *, ScalarType? dtype=None, Device? device=None, MemoryFormat? memory_format=None) -> "
   "Tensor",
   empty_op, kFunction | kRandom | kNoGrad,
   R"(A tensor whose values are whatever its memory holds.

See https://docs.pytorch.org/docs/stable/generated/torch.empty.html

@example
torch.empty(2, 3).shape // [2, 3]
)");
static Tensor empty_strided_op(const IntList& size, const IntList& stride, const std::optional<DType>& dtype,
                               const std::optional<Device>& device) {
  SC_CHECK(size.size() == stride.size(), "dimensionality of sizes (", static_cast<int64_t>(size.size()),
           ") must match dimensionality of strides (", static_cast<int64_t>(stride.size()), ")");
  for (int64_t s : stride)
    SC_CHECK(s >= 0,
             "as_strided: Negative strides are not supported at the moment, got strides: ", Dims(stride));
  return empty_strided(Dims(size), Dims(stride), dtype.value_or(default_dtype()), device.value_or(Device()));
}
OP("empty_strided(int[] size, int[] stride, *, ScalarType? dtype=None, Device? device=None) -> Tensor",
   empty_strided_op, kFunction | kRandom | kNoGrad,
   R"(A tensor of the given shape and strides whose values are whatever its memory holds.

See https://docs.pytorch.org/docs/stable/generated/torch.empty_strided.html

@example
torch.empty_strided([2, 3], [1, 2]).stride() // [1, 2]
)");

static Tensor zeros(const IntList& size, const std::optional<DType>& dtype,
                    const std::optional<Device>& device) {
  for (int64_t n : size) SC_CHECK(n >= 0, "zeros: Dimension size must be non-negative.");
  return filled(made(size, dtype.value_or(default_dtype()), device.value_or(Device())), 0);
}
OP("zeros(int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", zeros, kFunction | kNoGrad,
   R"(A tensor of zeros. `size` is an array or separate numbers; the dtype defaults to the default dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.zeros.html

@example
torch.zeros(2, 3) // tensor([[0., 0., 0.],
//         [0., 0., 0.]])
)");

static Tensor ones(const IntList& size, const std::optional<DType>& dtype,
                   const std::optional<Device>& device) {
  return filled(made(size, dtype.value_or(default_dtype()), device.value_or(Device())), 1);
}
OP("ones(int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", ones, kFunction | kNoGrad,
   R"(A tensor of ones. `size` is an array or separate numbers; the dtype defaults to the default dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.ones.html

@example
torch.ones([2]) // tensor([1., 1.])
)");

// Whole numbers count as floats here, for JavaScript cannot tell 2 from 2.0.
static DType literal_dtype(const Scalar& v) { return v.is_bool() ? DType::kBool : default_dtype(); }
static Tensor full(const IntList& size, const Scalar& fill_value, const std::optional<DType>& dtype,
                   const std::optional<Device>& device) {
  const DType t = dtype.value_or(literal_dtype(fill_value));
  check_fits(fill_value, t);
  return filled(made(size, t, device.value_or(Device())), fill_value);
}
OP("full(int[] size, Scalar fill_value, *, ScalarType? dtype=None, Device? device=None) -> Tensor", full,
   kFunction | kNoGrad,
   R"(A tensor filled with `fill_value`.

The dtype is `dtype` when given, bool for a boolean, else the default dtype: here JavaScript differs from Python, for it cannot tell `2` from `2.0`.

See https://docs.pytorch.org/docs/stable/generated/torch.full.html

@example
torch.full([2], 0.5) // tensor([0.5000, 0.5000])
)");
static Tensor scalar_tensor_op(const Scalar& s, const std::optional<DType>& dtype,
                               const std::optional<Device>& device) {
  const DType t = dtype.value_or(default_dtype());
  check_fits(s, t);
  return scalar_tensor(s, t, device.value_or(Device()));
}
OP("scalar_tensor(Scalar s, *, ScalarType? dtype=None, Device? device=None) -> Tensor", scalar_tensor_op,
   kFunction | kNoGrad,
   R"(A number as a tensor without dimensions, of the default dtype unless `dtype` is given.

See https://docs.pytorch.org/docs/stable/tensors.html

@example
torch.scalar_tensor(3) // tensor(3.)
)");

// ---- in the likeness of another tensor ----
static Tensor empty_like_op(const Tensor& self, const std::optional<DType>& dtype,
                            const std::optional<Device>& device,
                            const std::optional<MemoryFormat>& memory_format) {
  const DType t = dtype.value_or(self.dtype());
  const Device d = device.value_or(self.device());
  switch (memory_format.value_or(MemoryFormat::kPreserve)) {
    case MemoryFormat::kContiguous:
      return empty(self.sizes(), t, d);
    case MemoryFormat::kChannelsLast:
      SC_CHECK(self.dim() == 4, "required rank 4 tensor to use channels_last format");
      return empty_strided(self.sizes(), channels_last_strides(self.sizes()), t, d);
    default:
      return self.is_non_overlapping_and_dense() ? empty_strided(self.sizes(), self.strides(), t, d)
                                                 : empty(self.sizes(), t, d);
  }
}
OP("empty_like(Tensor self, *, ScalarType? dtype=None, Device? device=None, MemoryFormat? "
   "memory_format=None) -> Tensor",
   empty_like_op, kFunction | kRandom | kNoGrad,
   R"(As `empty`, in the shape, dtype, device and memory order of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.empty_like.html

@example
torch.empty_like(torch.zeros(2, 3)).shape // [2, 3]
)");
static Tensor zeros_like(const Tensor& self, const std::optional<DType>& dtype,
                         const std::optional<Device>& device,
                         const std::optional<MemoryFormat>& memory_format) {
  return filled(empty_like_op(self, dtype, device, memory_format), 0);
}
OP("zeros_like(Tensor self, *, ScalarType? dtype=None, Device? device=None, MemoryFormat? "
   "memory_format=None) -> Tensor",
   zeros_like, kFunction | kNoGrad,
   R"(As `zeros`, in the shape, dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.zeros_like.html

@example
torch.zeros_like(torch.ones(2)) // tensor([0., 0.])
)");
static Tensor ones_like(const Tensor& self, const std::optional<DType>& dtype,
                        const std::optional<Device>& device,
                        const std::optional<MemoryFormat>& memory_format) {
  return filled(empty_like_op(self, dtype, device, memory_format), 1);
}
OP("ones_like(Tensor self, *, ScalarType? dtype=None, Device? device=None, MemoryFormat? memory_format=None) "
   "-> Tensor",
   ones_like, kFunction | kNoGrad,
   R"(As `ones`, in the shape, dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.ones_like.html

@example
torch.ones_like(torch.zeros(2)) // tensor([1., 1.])
)");
static Tensor full_like(const Tensor& self, const Scalar& fill_value, const std::optional<DType>& dtype,
                        const std::optional<Device>& device,
                        const std::optional<MemoryFormat>& memory_format) {
  check_fits(fill_value, dtype.value_or(self.dtype()));
  return filled(empty_like_op(self, dtype, device, memory_format), fill_value);
}
OP("full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None, Device? device=None, MemoryFormat? "
   "memory_format=None) -> Tensor",
   full_like, kFunction | kNoGrad,
   R"(As `full`, in the shape, dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.full_like.html

@example
torch.full_like(torch.zeros(2), 7) // tensor([7., 7.])
)");

static Tensor new_empty(const Tensor& self, const IntList& size, const std::optional<DType>& dtype,
                        const std::optional<Device>& device) {
  return made(size, dtype.value_or(self.dtype()), device.value_or(self.device()));
}
OP("new_empty(Tensor self, int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", new_empty,
   kMethod | kRandom | kNoGrad,
   R"(As `empty`, in the dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.new_empty.html

@example
torch.zeros(1).new_empty([2, 3]).shape // [2, 3]
)");
static Tensor new_zeros(const Tensor& self, const IntList& size, const std::optional<DType>& dtype,
                        const std::optional<Device>& device) {
  return filled(new_empty(self, size, dtype, device), 0);
}
OP("new_zeros(Tensor self, int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", new_zeros,
   kMethod | kNoGrad,
   R"(As `zeros`, in the dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.new_zeros.html

@example
torch.ones(1).new_zeros(2) // tensor([0., 0.])
)");
static Tensor new_ones(const Tensor& self, const IntList& size, const std::optional<DType>& dtype,
                       const std::optional<Device>& device) {
  return filled(new_empty(self, size, dtype, device), 1);
}
OP("new_ones(Tensor self, int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", new_ones,
   kMethod | kNoGrad,
   R"(As `ones`, in the dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.new_ones.html

@example
torch.zeros(1).new_ones(2) // tensor([1., 1.])
)");
static Tensor new_full(const Tensor& self, const IntList& size, const Scalar& fill_value,
                       const std::optional<DType>& dtype, const std::optional<Device>& device) {
  check_fits(fill_value, dtype.value_or(self.dtype()));
  return filled(new_empty(self, size, dtype, device), fill_value);
}
OP("new_full(Tensor self, int[] size, Scalar fill_value, *, ScalarType? dtype=None, Device? device=None) -> "
   "Tensor",
   new_full, kMethod | kNoGrad,
   R"(As `full`, in the dtype and device of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.new_full.html

@example
torch.zeros(1).new_full([2], 7) // tensor([7., 7.])
)");

}  // namespace sconce::ops
