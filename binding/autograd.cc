// Backward passes, grad modes, hooks, nodes and custom functions.
#include "../csrc/autograd/differentiable.h"
#include "../csrc/ops/ops.h"
#include "async.h"
#include "env.h"
#include "saved_list.h"

namespace sconce::binding {
namespace {

// An end of a pass is a tensor or an edge, [node, number of its output].
GradientEnds unwrap_ends(napi_env env, napi_value list) {
  uint32_t n;
  check(env, napi_get_array_length(env, list, &n));
  GradientEnds ends;
  ends.reserve(n);
  for (uint32_t i = 0; i < n; ++i) {
    napi_value e;
    check(env, napi_get_element(env, list, i, &e));
    bool is_edge;
    check(env, napi_is_array(env, e, &is_edge));
    if (!is_edge) {
      ends.emplace_back(unwrap(env, e));
      continue;
    }
    napi_value node, nr;
    check(env, napi_get_element(env, e, 0, &node));
    check(env, napi_get_element(env, e, 1, &nr));
    Edge edge{unwrap_node(env, node), static_cast<uint32_t>(get_int(env, nr))};
    SC_CHECK_INDEX(edge.input_nr < edge.node->outputs.size(), "GradientEdge: output_nr ", edge.input_nr,
                   " is out of range for ", edge.node->name(), ", which has ", edge.node->outputs.size(),
                   " outputs");
    ends.emplace_back(std::move(edge));
  }
  return ends;
}

// backward(roots, grads, inputs, retain_graph, create_graph)
napi_value backward(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    BackwardOptions o;
    o.retain_graph = get_bool(env, a.v[3]);
    o.create_graph = get_bool(env, a.v[4]);
    return perform(env, -1,
                   [o, roots = unwrap_ends(env, a.v[0]), grads = unwrap_list(env, a.v[1]),
                    inputs = unwrap_ends(env, a.v[2])] { return backward_pass(roots, grads, inputs, o); });
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
    const GradientEnds inputs = unwrap_ends(env, a.v[2]);
    return perform(env, static_cast<int64_t>(inputs.size()),
                   [o, inputs, roots = unwrap_ends(env, a.v[0]), grads = unwrap_list(env, a.v[1])] {
                     return backward_pass(roots, grads, inputs, o);
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

// The pack hook is a JavaScript function from a tensor to the function that gives it back.
class JsPackHook final : public PackHook {
 public:
  JsPackHook(napi_env env, napi_value fn, std::shared_ptr<SavedList> needs, napi_value before_write)
      : fn_(std::make_shared<JsRef>(env, fn)),
        before_write_(is_nullish(env, before_write) ? nullptr : std::make_shared<JsRef>(env, before_write)),
        needs_(std::move(needs)) {}
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

  void before_write(const Tensor& t) const override {
    if (const auto fn = before_write_)
      in_js(fn->env(), [&] {
        const OperatorSuspended suspended;
        call_js(*fn, {wrap(fn->env(), t)});
      });
  }

 private:
  std::shared_ptr<JsRef> fn_, before_write_;
  std::shared_ptr<SavedList> needs_;  // lives as long as anything that was packed
};

// set_pack_hook(fn or null, saved or null, before_write(tensor) or null): `saved` is what unpacking needs
napi_value set_pack_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    thread_state().pack_hook = nullptr;
    auto& current = env_data().pack_hook;
    current = is_nullish(env, a.v[0])
                  ? nullptr
                  : std::make_shared<JsPackHook>(env, a.v[0], saved_list(env, a.v[1]), a.v[2]);
    thread_state().pack_hook = current.get();
    return undefined(env);
  });
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
}

}  // namespace sconce::binding
