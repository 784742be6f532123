// Other memory under the same tensor: resize_, resize_as_, set_.
#include "../autograd/view.h"
#include "ops.h"

namespace sconce::ops {

// The bytes that a window on memory reaches, counted from the start of the storage.
static int64_t bytes_needed(const Dims& size, const Dims& strides, int64_t offset, int64_t itemsize) {
  if (numel_of(size) == 0) return 0;
  int64_t last = offset, bytes = 0;
  bool fits = true;
  for (int i = 0; i < size.size(); ++i) {
    int64_t reach;
    fits = fits && !__builtin_mul_overflow(size[i] - 1, strides[i], &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  fits = fits && !__builtin_mul_overflow(last + 1, itemsize, &bytes);
  SC_CHECK(fits, "Storage size calculation overflowed with sizes=", size, " and strides=", strides);
  return bytes;
}

static void grow(const Tensor& self, const Dims& size, const Dims& strides, int64_t offset) {
  const int64_t bytes = bytes_needed(size, strides, offset, self.itemsize());
  if (bytes > self.storage()->nbytes()) self.storage()->resize(bytes);
}

static Tensor resize_(const Tensor& self, const Dims& size, const std::optional<MemoryFormat>& format) {
  check_in_place(self.detach(), Overlap::kAllowed);
  SC_CHECK(!self.requires_grad(), "cannot resize variables that require grad");
  int64_t numel = 1;
  for (int64_t n : size)
    SC_CHECK(n >= 0 && !__builtin_mul_overflow(numel, n, &numel), "numel: integer multiplication overflow");
  SC_CHECK(format != MemoryFormat::kPreserve, "Unsupported memory formatPreserve");
  Dims strides = self.sizes() == size ? self.strides() : contiguous_strides(size);
  if (format == MemoryFormat::kChannelsLast) {
    SC_CHECK(size.size() == 4, "required rank 4 tensor to use channels_last format");
    strides = channels_last_strides(size);
  } else if (format == MemoryFormat::kContiguous) {
    strides = contiguous_strides(size);
  }
  grow(self, size, strides, self.storage_offset());
  const bool changed = self.sizes() != size;
  self.impl()->set_geometry(size, strides, self.storage_offset());
  if (changed) self.bump_version();
  return self;
}

OP("resize_(Tensor self, int[] size, *, MemoryFormat? memory_format=None) -> Tensor", resize_,
   kMethod | kWritesSelf | kNoGrad,
   R"(Gives the tensor another shape on the same memory, row by row. More memory is taken when the shape needs it, for all tensors that share it; the new elements are whatever that memory holds.

Throws when the tensor requires a gradient, and when memory that belongs to a typed array would have to grow.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_.html

@example
torch.tensor([[1, 2], [3, 4], [5, 6]]).resize_(2, 2) // tensor([[1., 2.],
//         [3., 4.]])
)");

static Tensor resize_as_(const Tensor& self, const Tensor& the_template,
                         const std::optional<MemoryFormat>& format) {
  SC_CHECK(!self.requires_grad(), "cannot resize variables that require grad");
  if (format != MemoryFormat::kPreserve) return resize_(self, the_template.sizes(), format);
  resize_(self, the_template.sizes(), {});
  if (the_template.is_non_overlapping_and_dense())
    self.impl()->set_geometry(the_template.sizes(), the_template.strides(), self.storage_offset());
  return self;
}
OP("resize_as_(Tensor self, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor", resize_as_,
   kFunction | kMethod | kWritesSelf | kNoGrad,
   R"(`resize_` to the shape of `the_template`. Throws when the tensor requires a gradient.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_as_.html

@example
torch.tensor([1, 2, 3, 4]).resize_as_(torch.zeros(2, 2)) // tensor([[1., 2.],
//         [3., 4.]])
)");

// Puts `self` on `storage`, whatever it was on. What it was computed from has no derivative any more.
static Tensor set_to(const Tensor& self, const Ref<Storage>& storage, const Tensor& source, const Dims& size,
                     const Dims& strides, int64_t offset) {
  check_in_place(self, Overlap::kAllowed);
  const bool tracked = grad_enabled() && (self.requires_grad() || (source && source.requires_grad()));
  Tensor y(Ref<TensorImpl>(new TensorImpl(storage, self.dtype(), size, strides, offset)));
  if (tracked) {
    const auto refuse = [](const Tensor&) -> Tensor {
      throw_error(ErrorKind::kRuntime, "derivative for set_ is not implemented");
    };
    differentiable("NotImplemented", y).wrt(self, refuse).wrt(source, refuse).finish();
  }
  const Ref<Node> fn = y.grad_fn();
  self.impl()->storage = storage;
  self.impl()->set_geometry(size, strides, offset);
  self.bump_version();
  if (fn) rebase_history(self, fn, 0);
  return self;
}
static void check_dtype(const Tensor& self, const Tensor& source) {
  static const char* const names[] = {"float", "double",    "c10::Half",   "c10::BFloat16", "long int",
                                      "int",   "short int", "signed char", "unsigned char", "bool"};
  SC_CHECK(self.dtype() == source.dtype(), "Could not set tensor of type ",
           names[static_cast<int>(source.dtype())], " to a tensor of type ",
           names[static_cast<int>(self.dtype())]);
  SC_CHECK(self.device() == source.device(), "Attempted to set the storage of a tensor on device \"",
           device_name(self.device()), "\" to a storage on different device \"", device_name(source.device()),
           "\".  This is no longer allowed; the devices must match.");
}

static Tensor set_source(const Tensor& self, const Tensor& source) {
  check_dtype(self, source);
  return set_to(self, source.storage(), source, source.sizes(), source.strides(), source.storage_offset());
}
OP("set_.source_Tensor(Tensor self, Tensor source) -> Tensor", set_source, kMethod | kWritesSelf | kNoGrad,
   R"(Puts the tensor on the memory of `source`, with its shape and strides or with the given ones; without arguments, on none. Writes to either show in both, but each counts its own.

Throws when the dtypes or devices differ. A gradient cannot pass.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.set_.html

@example
torch.zeros(1).set_(torch.tensor([1, 2])) // tensor([1., 2.])
)");
static Tensor set_window(const Tensor& self, const Tensor& source, int64_t storage_offset, const Dims& size,
                         const Dims& stride) {
  check_dtype(self, source);
  SC_CHECK(storage_offset >= 0, "Tensor: invalid storage offset ", storage_offset);
  const Dims strides = stride.empty() ? contiguous_strides(size) : stride;
  SC_CHECK(strides.size() == size.size(), "unequal size length (", size.size(), ") and stride length (",
           strides.size(), ")");
  grow(source, size, strides, storage_offset);
  return set_to(self, source.storage(), source, size, strides, storage_offset);
}
OP("set_.source_Tensor_storage_offset(Tensor self, Tensor source, int storage_offset, int[] size, int[] "
   "stride=[]) -> Tensor",
   set_window, kMethod | kWritesSelf | kNoGrad, "");
static Tensor set_nothing(const Tensor& self) {
  return set_to(self, Storage::allocate(self.device(), 0), Tensor(), {0}, {1}, 0);
}
OP("set_(Tensor self) -> Tensor", set_nothing, kMethod | kWritesSelf | kNoGrad, "");

}  // namespace sconce::ops
