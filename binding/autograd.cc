// Backward passes, grad modes, hooks, nodes and custom functions.
#include "../csrc/autograd/differentiable.h"
#include "../csrc/ops/ops.h"
#include "async.h"
#include "env.h"
#include "saved_list.h"

namespace sconce::binding {
namespace {

// backward(roots, grads, inputs, retain_graph, create_graph)
napi_value backward(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    BackwardOptions o;
    o.retain_graph = get_bool(env, a.v[3]);
    o.create_graph = get_bool(env, a.v[4]);
    return perform(env, -1,
                   [o, roots = unwrap_list(env, a.v[0]), grads = unwrap_list(env, a.v[1]),
                    inputs = unwrap_list(env, a.v[2])] { return run_backward(roots, grads, inputs, o); });
  });
}

// grad_of(outputs, grad_outputs, inputs, retain_graph, create_graph, allow_unused) -> one gradient or null
// per input
napi_value grad_of(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    BackwardOptions o;
    o.accumulate = false;
    o.retain_graph = get_bool(env, a.v[3]);
    o.create_graph = get_bool(env, a.v[4]);
    o.allow_unused = get_bool(env, a.v[5]);
    const TensorList inputs = unwrap_list(env, a.v[2]);
    return perform(env, static_cast<int64_t>(inputs.size()),
                   [o, inputs, roots = unwrap_list(env, a.v[0]), grads = unwrap_list(env, a.v[1])] {
                     return run_backward(roots, grads, inputs, o);
                   });
  });
}

// Modes: each setter returns the value before. They are the thread's own, so they need no turn.
napi_value set_grad_enabled(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    const bool before = thread_state().grad_enabled;
    thread_state().grad_enabled = get_bool(env, a.v[0]);
    return from_bool(env, before);
  });
}
napi_value is_grad_enabled(napi_env env, napi_callback_info) {
  return guarded_aside(env, [&] { return from_bool(env, thread_state().grad_enabled); });
}
napi_value set_inference_mode(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    const bool before = thread_state().inference_mode;
    thread_state().inference_mode = get_bool(env, a.v[0]);
    return from_bool(env, before);
  });
}
napi_value is_inference_mode_enabled(napi_env env, napi_callback_info) {
  return guarded_aside(env, [&] { return from_bool(env, thread_state().inference_mode); });
}

napi_value set_anomaly_mode(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    thread_state().anomaly_mode = get_bool(env, a.v[0]);
    thread_state().anomaly_check_nan = get_bool(env, a.v[1]);
    return undefined(env);
  });
}

// The pack hook is a JavaScript function from a tensor to the function that gives it back.
class JsPackHook final : public PackHook {
 public:
  JsPackHook(napi_env env, napi_value fn, std::shared_ptr<SavedList> needs)
      : fn_(std::make_shared<JsRef>(env, fn)), needs_(std::move(needs)) {}
  Unpack operator()(const Tensor& t) const override {
    const auto fn = fn_;  // the hook may put another in its place
    return in_js(fn->env(), [&]() -> Unpack {
      napi_env env = fn->env();
      auto unpack = std::make_shared<JsRef>(env, call_js(*fn, {wrap(env, t)}));
      return [unpack, needs = needs_] {
        return in_js(unpack->env(), [&] { return unwrap(unpack->env(), call_js(*unpack, {})); });
      };
    });
  }

 private:
  std::shared_ptr<JsRef> fn_;
  std::shared_ptr<SavedList> needs_;  // lives as long as anything that was packed
};

// set_pack_hook(fn or null, saved or null): `saved` is what unpacking needs
napi_value set_pack_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    thread_state().pack_hook = nullptr;
    auto& current = env_data().pack_hook;
    current = is_nullish(env, a.v[0]) ? nullptr
                                      : std::make_shared<JsPackHook>(env, a.v[0], saved_list(env, a.v[1]));
    thread_state().pack_hook = current.get();
    return undefined(env);
  });
}

// register_hook(tensor, fn(grad) -> grad or nothing) -> id
napi_value register_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    const uint64_t id = sconce::register_hook(t, [fn](const Tensor& g) -> Tensor {
      return in_js(fn->env(), [&] { return unwrap_optional(fn->env(), call_js(*fn, {wrap(fn->env(), g)})); });
    });
    return from_int(env, static_cast<int64_t>(id));
  });
}
napi_value remove_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    sconce::remove_hook(unwrap(env, a.v[0]), static_cast<uint64_t>(get_int(env, a.v[1])));
    return undefined(env);
  });
}
napi_value register_post_accumulate_grad_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    SC_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
    SC_CHECK(t.is_leaf(), "post accumulate grad hooks cannot be registered on non-leaf tensors");
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    const uint64_t id = t.autograd_meta().post_accumulate_hooks.add(
        [fn](const Tensor& v) { in_js(fn->env(), [&] { call_js(*fn, {wrap(fn->env(), v)}); }); });
    return from_int(env, static_cast<int64_t>(id));
  });
}

napi_value node_name(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_string(env, unwrap_node(env, a.v[0])->name());
  });
}
// node_next(node) -> [[node or null, input number], ...]
napi_value node_next(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> n = unwrap_node(env, a.v[0]);
    napi_value list;
    check(env, napi_create_array_with_length(env, n->edges.size(), &list));
    for (size_t i = 0; i < n->edges.size(); ++i) {
      napi_value pair;
      check(env, napi_create_array_with_length(env, 2, &pair));
      check(env, napi_set_element(env, pair, 0, wrap_node(env, n->edges[i].node)));
      check(env, napi_set_element(env, pair, 1, from_int(env, n->edges[i].input_nr)));
      check(env, napi_set_element(env, list, static_cast<uint32_t>(i), pair));
    }
    return list;
  });
}
napi_value node_variable(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return wrap(env, unwrap_node(env, a.v[0])->variable());
  });
}
napi_value node_id(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_int(env, static_cast<int64_t>(reinterpret_cast<intptr_t>(unwrap_node(env, a.v[0]).get())));
  });
}
// node_register_hook(node, fn(grad_inputs, grad_outputs) -> grad_inputs or nothing) -> id;
// node_register_prehook(node, fn(grad_outputs))
napi_value node_register_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> n = unwrap_node(env, a.v[0]);
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    return from_int(
        env, static_cast<int64_t>(n->hooks().post.add([fn](TensorList& in, const TensorList& out) {
          return in_js(fn->env(), [&] {
            napi_value r =
                call_js(*fn, {wrap_list(fn->env(), TensorList(in)), wrap_list(fn->env(), TensorList(out))});
            if (is_nullish(fn->env(), r)) return false;
            in = unwrap_list(fn->env(), r);
            return true;
          });
        })));
  });
}
napi_value node_register_prehook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> n = unwrap_node(env, a.v[0]);
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    return from_int(env, static_cast<int64_t>(n->hooks().pre.add([fn](TensorList& out) {
                      return in_js(fn->env(), [&] {
                        napi_value r = call_js(*fn, {wrap_list(fn->env(), TensorList(out))});
                        if (is_nullish(fn->env(), r)) return false;
                        out = unwrap_list(fn->env(), r);
                        return true;
                      });
                    })));
  });
}
napi_value node_remove_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> n = unwrap_node(env, a.v[0]);
    const auto id = static_cast<uint64_t>(get_int(env, a.v[1]));
    n->hooks().post.remove(id);
    n->hooks().pre.remove(id);
    return undefined(env);
  });
}

napi_value live_nodes(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_int(env, Node::live_count()); });
}

}  // namespace

void init_autograd(napi_env env, napi_value exports) {
  SC_DEFINE(backward);
  SC_DEFINE(grad_of);
  SC_DEFINE(set_grad_enabled);
  SC_DEFINE(is_grad_enabled);
  SC_DEFINE(set_inference_mode);
  SC_DEFINE(is_inference_mode_enabled);
  SC_DEFINE(set_pack_hook);
  SC_DEFINE(set_anomaly_mode);
  SC_DEFINE(register_hook);
  SC_DEFINE(remove_hook);
  SC_DEFINE(register_post_accumulate_grad_hook);
  SC_DEFINE(node_name);
  SC_DEFINE(node_next);
  SC_DEFINE(node_variable);
  SC_DEFINE(node_id);
  SC_DEFINE(node_register_hook);
  SC_DEFINE(node_register_prehook);
  SC_DEFINE(node_remove_hook);
  SC_DEFINE(live_nodes);
}

}  // namespace sconce::binding
