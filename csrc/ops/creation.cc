// Tensors from nothing.
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

static Tensor full_of(const IntList& size, const Scalar& v, DType dtype, const std::optional<Device>& device) {
  Tensor t = empty(Dims(size), dtype, device.value_or(Device()));
  fill_into(t, v);
  return t;
}

static Tensor zeros(const IntList& size, const std::optional<DType>& dtype, const std::optional<Device>& device) {
  return full_of(size, 0, dtype.value_or(default_dtype()), device);
}
OP("zeros(int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", zeros, kFunction | kNoGrad,
   R"(A tensor of zeros. `size` is an array or separate numbers; the dtype defaults to the default dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.zeros.html

@example
torch.zeros(2, 3) // tensor([[0., 0., 0.],
//         [0., 0., 0.]])
)");

static Tensor ones(const IntList& size, const std::optional<DType>& dtype, const std::optional<Device>& device) {
  return full_of(size, 1, dtype.value_or(default_dtype()), device);
}
OP("ones(int[] size, *, ScalarType? dtype=None, Device? device=None) -> Tensor", ones, kFunction | kNoGrad,
   R"(A tensor of ones. `size` is an array or separate numbers; the dtype defaults to the default dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.ones.html

@example
torch.ones([2]) // tensor([1., 1.])
)");

}  // namespace sconce::ops
