#include "pointwise.h"

#include "../autograd/differentiable.h"

namespace sconce::ops {

// In an in-place operator whose kernel may write straight into `self` (registry.cc decides), hands `self` out
// as the output once.
static Tensor direct_output(DType out, const Dims& shape) {
  InPlaceScope* scope = thread_state().in_place;
  if (!scope || !scope->direct) return {};
  if (scope->self.dtype() != out || scope->self.sizes() != shape) return {};
  scope->direct = false;
  return scope->self;
}

Tensor same_device(const Tensor& t, Device d) {
  if (t.device() == d || t.dim() != 0 || !t.device().is_cpu()) return t;
  Tensor moved = empty({}, t.dtype(), d);
  copy_into(moved, t);
  return moved;
}

Tensor unary(ScUnaryOp op, const Tensor& x, Params p) {
  const bool predicate = op == SC_LOGICAL_NOT || (op >= SC_ISNAN && op <= SC_SIGNBIT);
  const DType out = predicate ? DType::kBool : x.dtype();
  Iter it(out);
  if (Tensor self = direct_output(out, x.sizes())) it.out(self);
  it.in(x).build();
  if (it.result().numel())
    run_kernel(backend_of(it.device()).elementwise.unary, it.device(), "unary", op, it.c(), p.p);
  return it.result();
}

Tensor unary_float(ScUnaryOp op, const Tensor& x, Params p) {
  return unary(op, cast_raw(x, floating_dtype(x.dtype())), p);
}

static Tensor run_binary(ScBinaryOp op, Iter& it, const Params& p) {
  it.build();
  if (it.result().numel())
    run_kernel(backend_of(it.device()).elementwise.binary, it.device(), "binary", op, it.c(), p.p);
  return it.result();
}

Tensor binary_as(ScBinaryOp op, const Tensor& a0, const Tensor& b0, DType compute, DType out, Params p) {
  Tensor a = a0, b = b0;
  if (a.device() != b.device()) {
    a = same_device(a0, b0.device());
    b = same_device(b0, a0.device());
  }
  // A number-like operand goes by value: no broadcasting, no cast kernel.
  if (b.dim() == 0 && a.dim() > 0 && b.dtype() != compute) b = cast_raw(b, compute);
  a = cast_raw(a, compute);
  b = cast_raw(b, compute);
  Iter it(out);
  if (thread_state().in_place && thread_state().in_place->direct) {
    // Where an operand lies in the memory of `self` without being `self`, the result must not be written yet.
    const Tensor& self = thread_state().in_place->self;
    bool apart = true;
    for (const Tensor* t : {&a, &b})
      apart = apart && (t->storage() != self.storage() || t->is_same(self) ||
                        (t->strides() == self.strides() && t->storage_offset() == self.storage_offset() &&
                         t->sizes() == self.sizes()));
    if (!apart) thread_state().in_place->direct = false;
    if (Tensor o = direct_output(out, broadcast_shapes(a.sizes(), b.sizes()))) it.out(o);
  }
  it.in(a).in(b);
  return run_binary(op, it, p);
}

Tensor binary_as(ScBinaryOp op, const Tensor& a, const Scalar& b, DType compute, DType out, Params p) {
  const Tensor x = cast_raw(a, compute);
  Iter it(out);
  if (Tensor self = direct_output(out, x.sizes())) it.out(self);
  it.in(x).in(b, compute);
  return run_binary(op, it, p);
}

Tensor binary_as(ScBinaryOp op, const Scalar& a, const Tensor& b, DType compute, DType out, Params p) {
  const Tensor x = cast_raw(b, compute);
  Iter it(out);
  if (Tensor self = direct_output(out, x.sizes())) it.out(self);
  it.in(a, compute).in(x);
  return run_binary(op, it, p);
}

Tensor binary(ScBinaryOp op, const Tensor& a, const Tensor& b, Params p) {
  const DType t = result_type(a, b);
  return binary_as(op, a, b, t, t, p);
}
Tensor binary(ScBinaryOp op, const Tensor& a, const Scalar& b, Params p) {
  const DType t = result_type(a, b);
  return binary_as(op, a, b, t, t, p);
}
Tensor binary(ScBinaryOp op, const Scalar& a, const Tensor& b, Params p) {
  const DType t = result_type(b, a);
  return binary_as(op, a, b, t, t, p);
}

Tensor compare(ScBinaryOp op, const Tensor& a, const Tensor& b) {
  return binary_as(op, a, b, result_type(a, b), DType::kBool);
}
Tensor compare(ScBinaryOp op, const Tensor& a, const Scalar& b) {
  return binary_as(op, a, b, result_type(a, b), DType::kBool);
}

Tensor ternary(ScTernaryOp op, const Tensor& a0, const Tensor& b0, const Tensor& c0, DType dtype, Params p) {
  Device d = a0.device();
  for (const Tensor* t : {&b0, &c0})
    if (t->dim() > 0 || d.is_cpu()) d = t->device().is_cpu() ? d : t->device();
  const Tensor a = same_device(op == SC_WHERE ? cast_raw(a0, DType::kBool) : cast_raw(a0, dtype), d);
  const Tensor b = same_device(cast_raw(b0, dtype), d), c = same_device(cast_raw(c0, dtype), d);
  Iter it(dtype);
  it.in(a).in(b).in(c).build();
  if (it.result().numel())
    run_kernel(backend_of(it.device()).elementwise.ternary, it.device(), "ternary", op, it.c(), p.p);
  return it.result();
}

Tensor not_differentiable(const Tensor& y, const char* name, const TensorList& inputs) {
  return differentiable("torch::autograd::NotImplemented", y)
      .wrt_all(inputs, [name](const TensorList&, const std::vector<bool>&) -> TensorList {
        throw_error(ErrorKind::kRuntime, str("derivative for aten::", name, " is not implemented"));
      });
}

}  // namespace sconce::ops
