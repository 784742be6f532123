// A tensor's properties.
#include "env.h"

namespace sconce::binding {
namespace {

template <class F>
napi_value with_tensor(napi_env env, napi_callback_info info, const F& f) {
  return guarded(env, [&]() -> napi_value {
    Args a(env, info);
    return f(unwrap(env, a.v[0]), a);
  });
}

#define SC_PROPERTY(name, expression)                                                  \
  napi_value name(napi_env env, napi_callback_info info) {                             \
    return with_tensor(env, info, [&](const Tensor& t, Args&) { return expression; }); \
  }

SC_PROPERTY(shape, from_dims(env, t.sizes()))
SC_PROPERTY(stride, from_dims(env, t.strides()))
SC_PROPERTY(numel, from_int(env, t.numel()))
SC_PROPERTY(dim, from_int(env, t.dim()))
SC_PROPERTY(dtype, from_int(env, static_cast<int64_t>(t.dtype())))
SC_PROPERTY(device, from_string(env, device_name(t.device())))
SC_PROPERTY(storage_offset, from_int(env, t.storage_offset()))
SC_PROPERTY(data_ptr, from_int(env, static_cast<int64_t>(reinterpret_cast<intptr_t>(t.data()))))
SC_PROPERTY(impl_id, from_int(env, static_cast<int64_t>(reinterpret_cast<intptr_t>(t.impl()))))
SC_PROPERTY(storage_bytes, from_int(env, t.storage()->nbytes()))
SC_PROPERTY(requires_grad, from_bool(env, t.requires_grad()))
SC_PROPERTY(is_leaf, from_bool(env, t.is_leaf()))
SC_PROPERTY(is_inference, from_bool(env, t.impl()->is_inference))
SC_PROPERTY(grad, wrap(env, t.grad()))
SC_PROPERTY(grad_fn, wrap_node(env, t.grad_fn()))
SC_PROPERTY(output_nr, from_int(env, t.output_nr()))
napi_value version(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](const Tensor& t, Args&) {
    SC_CHECK(!t.impl()->is_inference, "Inference tensors do not track version counter.");
    return from_int(env, t.version());
  });
}
SC_PROPERTY(base, wrap(env, t.base()))
SC_PROPERTY(detach, wrap(env, t.detach()))
SC_PROPERTY(data, wrap(env, t.data_alias()))
SC_PROPERTY(retains_grad, from_bool(env, t.impl()->autograd&& t.impl()->autograd->retains_grad))

napi_value is_contiguous(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](const Tensor& t, Args& a) {
    return from_bool(env, t.is_contiguous(a.n > 1 ? static_cast<MemoryFormat>(get_int(env, a.v[1]))
                                                  : MemoryFormat::kContiguous));
  });
}
// set_requires_grad(tensor, value, assigned): an assignment refuses what the method requires_grad_() lets
// pass.
napi_value set_requires_grad(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](Tensor t, Args& a) {
    const bool v = get_bool(env, a.v[1]);
    if (a.n > 2 && get_bool(env, a.v[2])) {
      const AutogradMeta* m = t.impl()->autograd.get();
      SC_CHECK(!v || !m || !m->grad_fn, "you can only change requires_grad flags of leaf variables.");
      SC_CHECK(t.is_floating_point() || !v,
               "only Tensors of floating point and complex dtype can require gradients");
    }
    t.set_requires_grad(v);
    return undefined(env);
  });
}
napi_value set_grad(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](Tensor t, Args& a) {
    t.set_grad(unwrap_optional(env, a.v[1]));
    return undefined(env);
  });
}
napi_value set_data(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](const Tensor& t, Args& a) {
    t.set_data(unwrap(env, a.v[1]));
    return undefined(env);
  });
}
// detach_(): forgets the history in place.
napi_value detach_(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](const Tensor& t, Args&) {
    SC_CHECK(!t.is_view(),
             "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel "
             "(DDP) for training, and "
             "gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
             "detach_() cannot be called on these "
             "gradients. To fix this error, please refer to the Optimizer.zero_grad() function in "
             "torch/optim/optimizer.py as the solution.");
    if (t.impl()->autograd) {
      t.impl()->autograd->grad_fn.reset();
      t.impl()->autograd->output_nr = 0;
      t.impl()->autograd->requires_grad = false;
    }
    t.impl()->requires_grad_flag = false;
    return undefined(env);
  });
}
napi_value retain_grad(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](const Tensor& t, Args&) {
    sconce::retain_grad(t);
    return undefined(env);
  });
}

// dispose(handle): gives the bytes back now when nothing else uses them; the handle stays valid but empty.
napi_value dispose(napi_env env, napi_callback_info info) {
  return with_tensor(env, info, [&](const Tensor& t, Args&) {
    TensorImpl* p = t.impl();
    p->storage = Storage::allocate({}, 0);
    p->set_geometry({0}, {1}, 0);
    p->autograd.reset();
    p->base.reset();
    p->requires_grad_flag = false;
    return undefined(env);
  });
}

}  // namespace

void init_tensor(napi_env env, napi_value exports) {
  SC_DEFINE(shape);
  SC_DEFINE(stride);
  SC_DEFINE(numel);
  SC_DEFINE(dim);
  SC_DEFINE(dtype);
  SC_DEFINE(device);
  SC_DEFINE(storage_offset);
  SC_DEFINE(data_ptr);
  SC_DEFINE(impl_id);
  SC_DEFINE(storage_bytes);
  SC_DEFINE(requires_grad);
  SC_DEFINE(is_leaf);
  SC_DEFINE(is_inference);
  SC_DEFINE(grad);
  SC_DEFINE(grad_fn);
  SC_DEFINE(output_nr);
  SC_DEFINE(version);
  SC_DEFINE(base);
  SC_DEFINE(detach);
  SC_DEFINE(data);
  SC_DEFINE(retains_grad);
  SC_DEFINE(is_contiguous);
  SC_DEFINE(set_requires_grad);
  SC_DEFINE(set_grad);
  SC_DEFINE(set_data);
  SC_DEFINE(detach_);
  SC_DEFINE(retain_grad);
  SC_DEFINE(dispose);
}

}  // namespace sconce::binding
