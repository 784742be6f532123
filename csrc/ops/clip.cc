// Gradient clipping over all parameters: one native call each.
#include <cmath>

#include "../core/device.h"
#include "ops.h"
#include "pointwise.h"
#include "reduction.h"

namespace sconce::ops {
namespace {

// The norm of all tensors as of one vector: a 0-d tensor on the first one's device.
Tensor total_norm(const TensorList& grads, double norm_type) {
  const Device device = grads[0].device();
  DType dtype = grads[0].dtype();
  for (const Tensor& g : grads) dtype = promote_types(dtype, g.dtype());
  const Tensor norms = empty({static_cast<int64_t>(grads.size())}, dtype, device);
  for (size_t i = 0; i < grads.size(); ++i) {
    const Tensor norm =
        reduce(SC_RED_NORM, grads[i], reduce_dims(grads[i], nullptr), false, grads[i].dtype(), norm_type);
    copy_into(alias_of(norms, Dims(), Dims(), static_cast<int64_t>(i)), norm);
  }
  return reduce(SC_RED_NORM, norms, reduce_dims(norms, nullptr), false, dtype, norm_type);
}

double value_of(const Tensor& scalar) {
  const Tensor host = cast_raw(to_device(scalar, Device()), DType::kFloat64);
  return *host.data_as<double>();
}

// tensor *= factor, in place, without autograd.
void scale_(const Tensor& tensor, const Tensor& factor) {
  Iter it(tensor.dtype());
  it.out(tensor).in(tensor).in(cast_raw(to_device(factor, tensor.device()), tensor.dtype())).build();
  const Params p;
  check_kernel(backend_of(tensor.device()).elementwise.binary(SC_MUL, it.c(), p.p), tensor.device(),
               "_clip_grad_norm_");
  tensor.bump_version();
}

Tensor clip_grad_norm_(const TensorList& self, double max_norm, double norm_type, bool error_if_nonfinite) {
  if (self.empty()) return zeros_raw(Dims(), default_dtype());
  const Tensor total = total_norm(self, norm_type);
  SC_CHECK(!error_if_nonfinite || std::isfinite(value_of(total)), "The total norm of order ", norm_type,
           " for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this error "
           "and scale the "
           "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`");
  const Tensor divisor = binary(SC_ADD, total, Scalar(1e-6), Params{{1}});
  const Tensor factor = unary(SC_CLAMP, binary(SC_DIV, Scalar(max_norm), divisor), Params{{-HUGE_VAL, 1}});
  // Where looking costs no synchronisation, gradients that are short enough are not even touched.
  if (factor.device().is_cpu() && value_of(factor) == 1) return total;
  for (const Tensor& g : self) scale_(g, factor);
  return total;
}

void clip_grad_value_(const TensorList& self, double clip_value) {
  const Params limits{{-clip_value, clip_value}};
  for (const Tensor& g : self) {
    Iter it(g.dtype());
    it.out(g).in(g).build();
    check_kernel(backend_of(g.device()).elementwise.unary(SC_CLAMP, it.c(), limits.p), g.device(),
                 "_clip_grad_value_");
    g.bump_version();
  }
}

OP("_clip_grad_norm_(Tensor[] self, float max_norm, float norm_type, bool error_if_nonfinite) -> Tensor",
   clip_grad_norm_, kInternal | kNoGrad | kWritesSelf,
   "Scales gradients such that their common norm is at most `max_norm`.");
OP("_clip_grad_value_(Tensor[] self, float clip_value) -> ()", clip_grad_value_,
   kInternal | kNoGrad | kWritesSelf, "Clamps gradients to [-clip_value, clip_value].");

}  // namespace
}  // namespace sconce::ops
