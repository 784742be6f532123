// Overwriting: copy_, fill, zero_.
#include "ops.h"

namespace sconce::ops {

static Tensor copy(const Tensor& self, const Tensor& src, bool non_blocking) {
  (void)non_blocking;  // a hint; a transfer here has always ended when copy_ returns
  const Dims shape = broadcast_shapes(self.sizes(), src.sizes());
  SC_CHECK(shape == self.sizes(), "output with shape ", self.sizes(), " doesn't match the broadcast shape ",
           shape);
  Tensor y = empty_like(self);
  copy_into(y, src);
  return differentiable("CopyBackwards", y)
      .wrt(self, [](const Tensor& g) { return zeros_like_raw(g); })
      .wrt(src, [device = src.device()](const Tensor& g) { return to_device(g, device); });
}
// Whether an overwriting operator may write straight into `self`: nothing is recorded.
static bool unrecorded(const Tensor& self, const Tensor& other) {
  return !recording() || (!self.tracked() && !other.tracked());
}

Tensor copy_(const Tensor& self, const Tensor& src, bool non_blocking) {
  if (unrecorded(self, src) && self.storage() != src.storage() &&
      is_expandable_to(src.sizes(), self.sizes())) {
    check_in_place(self);
    check_apart(self, src, true);
    copy_into(self, src);
    self.bump_version();
    return self;
  }
  return in_place(self, [&] {
    check_apart(self, src, true);
    return copy(self, src, non_blocking);
  });
}
OP("copy_(Tensor self, Tensor src, bool non_blocking=False) -> Tensor", copy_, kMethod | kWritesSelf,
   R"(Writes the values of `src` into the tensor, from any dtype and device. `src` broadcasts.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.copy_.html

@example
torch.zeros(2).copy_(torch.tensor([1, 2])) // tensor([1., 2.])
)");

static Tensor filled(const char* name, const Tensor& self, const Scalar& value) {
  check_fits(value, self.dtype());
  Tensor y = empty_like(self);
  fill_into(y, value);
  return differentiable(name, y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
static Tensor fill(const Tensor& self, const Scalar& value) { return filled("FillBackward0", self, value); }
OP("fill.Scalar(Tensor self, Scalar value) -> Tensor", fill, kFunction,
   R"(A tensor like `self` with every element `value`, a number or a 0-d tensor.

See https://docs.pytorch.org/docs/stable/generated/torch.fill.html

@example
torch.fill(torch.zeros(2), 7) // tensor([7., 7.])
)");
static Tensor filled(const char* name, const Tensor& self, const Tensor& value) {
  SC_CHECK(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.dim(),
           " dimensions.");
  Tensor y = empty_like(self);
  copy_into(y, value);
  return differentiable(name, y)
      .wrt(self, [](const Tensor& g) { return zeros_like_raw(g); })
      .wrt(value, [](const Tensor& g) { return sum(g); });
}
static Tensor fill_tensor(const Tensor& self, const Tensor& value) {
  return filled("FillBackward1", self, value);
}
OP("fill.Tensor(Tensor self, Tensor value) -> Tensor", fill_tensor, kFunction, "");

static Tensor fill_(const Tensor& self, const Scalar& value) {
  check_fits(value, self.dtype());
  if (unrecorded(self, Tensor())) {
    check_in_place(self, Overlap::kAllowed);
    fill_into(self, value);
    self.bump_version();
    return self;
  }
  return in_place(self, [&] { return filled("FillBackward2", self, value); }, false, Overlap::kAllowed);
}
OP("fill_.Scalar(Tensor self, Scalar value) -> Tensor", fill_, kFunction | kMethod | kWritesSelf,
   R"(Sets every element to `value`, a number or a 0-d tensor.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.fill_.html

@example
torch.zeros(2).fill_(7) // tensor([7., 7.])
)");
static Tensor fill_tensor_(const Tensor& self, const Tensor& value) {
  return in_place(self, [&] { return filled("FillBackward3", self, value); }, false, Overlap::kAllowed);
}
OP("fill_.Tensor(Tensor self, Tensor value) -> Tensor", fill_tensor_, kFunction | kMethod | kWritesSelf, "");

static Tensor zero(const Tensor& self) {
  Tensor y = empty_like(self);
  fill_into(y, 0);
  return differentiable("ZeroBackward0", y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); });
}
static Tensor zero_(const Tensor& self) {
  if (unrecorded(self, Tensor())) {
    check_in_place(self, Overlap::kAllowed);
    fill_into(self, 0);
    self.bump_version();
    return self;
  }
  return in_place(self, [&] { return zero(self); }, false, Overlap::kAllowed);
}
OP("zero_(Tensor self) -> Tensor", zero_, kFunction | kMethod | kWritesSelf,
   R"(Sets every element to zero.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.zero_.html

@example
torch.ones(2).zero_() // tensor([0., 0.])
)");

}  // namespace sconce::ops
