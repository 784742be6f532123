// What the operators that draw random numbers share.
#pragma once
#include "../autograd/view.h"
#include "ops.h"

namespace sconce::ops {

// Fills `self` in the order of its memory; `name` is the operator for messages.
void fill_random(ScRandomOp op, const char* name, const Tensor& self, Generator* generator, ScRandom a);
void fill_random(ScRandomOp op, const char* name, const Tensor& self, Generator* generator, double p0,
                 double p1 = 0);

// Standard exponential numbers in the memory order of `like`.
Tensor exponential_like(const Tensor& like, Generator* generator);

// The largest number of a floating dtype.
double largest(DType t);

// For the `_like` forms: in the shape of `self`, and in its dtype and on its device unless given.
Tensor empty_as(const Tensor& self, const std::optional<DType>& dtype, const std::optional<Device>& device);

// The public in-place form: the old value of `self` no longer counts, hence a gradient of zero.
template <class Fill>
Tensor overwrite(const char* name, const Tensor& self, const Fill& draw) {
  check_in_place(self);
  draw();
  self.bump_version();
  if (thread_state().dual_levels) write_tangents(self, Tensor());
  if (grad_enabled() && self.requires_grad()) {
    Tensor y = alias_of(self, self.sizes(), self.strides(), self.storage_offset());
    differentiable(name, y).wrt(self, [](const Tensor& g) { return zeros_like_raw(g); }).finish();
    rebase_history(self, y.grad_fn(), y.output_nr());
  }
  return self;
}

}  // namespace sconce::ops
