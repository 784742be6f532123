// The graph as JavaScript sees it: nodes, hooks, the running pass, anomaly mode.
#include "../csrc/autograd/statistics.h"
#include "../csrc/ops/ops.h"
#include "env.h"

namespace sconce::binding {
namespace {

// ---- hooks ----
// What registers a hook returns a handle; remove_hook(handle) takes the hook off again.
napi_value wrap_hook(napi_env env, HookHandle handle) {
  napi_value v;
  auto* own = new HookHandle(std::move(handle));  // the finalizer deletes it
  check(env, napi_create_external(
                 env, own, [](napi_env, void* data, void*) { delete static_cast<HookHandle*>(data); },
                 nullptr, &v));
  return v;
}
napi_value remove_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    void* p = nullptr;
    check(env, napi_get_value_external(env, a.v[0], &p));
    if (const auto hook = static_cast<HookHandle*>(p)->lock()) hook->remove();
    return undefined(env);
  });
}

// register_hook(tensor, fn(grad or null) -> grad or nothing, name)
napi_value register_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    const auto hook = [fn, name = get_string(env, a.v[2])](const Tensor& g) -> Tensor {
      return in_js(fn->env(), [&] {
        Tensor r = unwrap_optional(fn->env(), call_js(*fn, {wrap(fn->env(), g)}));
        check_hook_result(g, r, name);
        return r;
      });
    };
    return wrap_hook(env, sconce::register_hook(unwrap(env, a.v[0]), hook));
  });
}

// register_post_accumulate_grad_hook(leaf, fn(leaf))
napi_value register_post_accumulate_grad_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    SC_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
    SC_CHECK(t.is_leaf(), "post accumulate grad hooks cannot be registered on non-leaf tensors");
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    return wrap_hook(env, t.autograd_meta().post_accumulate_hooks.add([fn](const Tensor& v) {
      in_js(fn->env(), [&] { call_js(*fn, {wrap(fn->env(), v)}); });
    }));
  });
}

// node_register_hook(node, fn(grad_inputs, grad_outputs) -> grad_inputs or nothing, name)
napi_value node_register_hook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    const auto hook = [fn, name = get_string(env, a.v[2])](TensorList& in, const TensorList& out) {
      return in_js(fn->env(), [&] {
        napi_env e = fn->env();
        napi_value r = call_js(*fn, {wrap_list(e, TensorList(in)), wrap_list(e, TensorList(out))});
        if (is_nullish(e, r)) return false;
        TensorList given = unwrap_list(e, r);
        check_hook_results(in, given, name);
        in = std::move(given);
        return true;
      });
    };
    return wrap_hook(env, unwrap_node(env, a.v[0])->extra().post.add(hook));
  });
}

// node_register_prehook(node, fn(grad_outputs) -> grad_outputs or nothing, name)
napi_value node_register_prehook(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    auto fn = std::make_shared<JsRef>(env, a.v[1]);
    const auto hook = [fn, name = get_string(env, a.v[2])](TensorList& out) {
      return in_js(fn->env(), [&] {
        napi_env e = fn->env();
        napi_value r = call_js(*fn, {wrap_list(e, TensorList(out))});
        if (is_nullish(e, r)) return false;
        TensorList given = unwrap_list(e, r);
        check_hook_results(out, given, name);
        out = std::move(given);
        return true;
      });
    };
    return wrap_hook(env, unwrap_node(env, a.v[0])->extra().pre.add(hook));
  });
}

// ---- nodes ----
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
napi_value node_sequence_nr(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const uint64_t n = unwrap_node(env, a.v[0])->sequence_nr;
    napi_value v;
    if (n != UINT64_MAX) return from_int(env, static_cast<int64_t>(n));
    check(env, napi_create_bigint_uint64(env, n, &v));
    return v;
  });
}
// node_outputs(node) -> [[shape, dtype, device], ...] of its forward outputs
napi_value node_outputs(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> n = unwrap_node(env, a.v[0]);
    napi_value list;
    check(env, napi_create_array_with_length(env, n->outputs.size(), &list));
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      const OutputMeta& m = n->outputs[i];
      napi_value row;
      check(env, napi_create_array_with_length(env, 3, &row));
      check(env, napi_set_element(env, row, 0, from_dims(env, m.sizes)));
      check(env, napi_set_element(env, row, 1, from_int(env, static_cast<int64_t>(m.dtype))));
      check(env, napi_set_element(env, row, 2, from_string(env, device_name(m.device))));
      check(env, napi_set_element(env, list, static_cast<uint32_t>(i), row));
    }
    return list;
  });
}
// node_metadata(node, object): the object that belongs to the node: the given one, unless it has one already
napi_value node_metadata(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    auto& metadata = unwrap_node(env, a.v[0])->extra().metadata;
    if (!metadata) metadata = std::make_shared<JsRef>(env, a.v[1]);
    return static_cast<JsRef*>(metadata.get())->value();
  });
}
// gradient_edge(tensor) -> [node, output number], or null when it needs no gradient
napi_value tensor_edge(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Edge e = gradient_edge(unwrap(env, a.v[0]));
    napi_value v;
    if (!e) {
      check(env, napi_get_null(env, &v));
      return v;
    }
    check(env, napi_create_array_with_length(env, 2, &v));
    check(env, napi_set_element(env, v, 0, wrap_node(env, e.node)));
    check(env, napi_set_element(env, v, 1, from_int(env, e.input_nr)));
    return v;
  });
}
// version_counter(tensor): which counter it has; tensors that share memory share one.
napi_value version_counter(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_int(env, static_cast<int64_t>(
                             reinterpret_cast<intptr_t>(&unwrap(env, a.v[0]).impl()->version_counter())));
  });
}
napi_value increment_version(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    if (!t.impl()->is_inference) t.bump_version();
    return undefined(env);
  });
}

// ---- the running pass, and what is alive ----
napi_value current_pass(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_int(env, current_pass_id()); });
}
napi_value pass_runs(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_bool(env, pass_is_running(get_int(env, a.v[0])));
  });
}
napi_value pass_reaches(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_bool(env, current_pass_reaches(*unwrap_node(env, a.v[0])));
  });
}
napi_value live_nodes(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_int(env, Node::live_count()); });
}

void set(napi_env env, napi_value object, const char* name, napi_value v) {
  check(env, napi_set_named_property(env, object, name, v));
}
// {nodes, saved_bytes, by_name: {name: {nodes, saved_bytes}}}
napi_value from_count(napi_env env, const NodeCount& c) {
  napi_value v;
  check(env, napi_create_object(env, &v));
  set(env, v, "nodes", from_int(env, c.nodes));
  set(env, v, "saved_bytes", from_int(env, static_cast<int64_t>(c.saved_bytes)));
  return v;
}
napi_value graph_statistics(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    const GraphStatistics s = count_nodes();
    napi_value v = from_count(env, s.all), by_name, largest;
    check(env, napi_create_object(env, &by_name));
    for (const auto& [name, count] : s.by_name) set(env, by_name, name.c_str(), from_count(env, count));
    set(env, v, "by_name", by_name);
    set(env, v, "graphs", from_int(env, s.graphs));
    if (s.last) {
      largest = from_count(env, s.largest);
      set(env, largest, "last", wrap_node(env, s.last));
    } else {
      check(env, napi_get_null(env, &largest));
    }
    set(env, v, "largest", largest);
    return v;
  });
}

// ---- anomaly mode ----
// Its JavaScript side: record() gives an object that knows the caller's stack, text(object) its lines, and
// report([[name, object or null], ...]) prints those of a node and of what led to it.
class JsTracer final : public Tracer {
 public:
  JsTracer(napi_env env, napi_value record, napi_value text, napi_value report)
      : env_(env), record_(env, record), text_(env, text), report_(env, report) {}
  Trace record() override {
    return in_js(env_, [&]() -> Trace { return std::make_shared<JsRef>(env_, call_js(record_, {})); });
  }
  std::string text(const Trace& trace) override {
    return in_js(env_, [&] { return get_string(env_, call_js(text_, {value_of(trace)})); });
  }
  void report(const Node& failed) override {
    in_js(env_, [&] {
      // The exception that made this node fail is pending, if it is JavaScript's.
      napi_value thrown = nullptr;
      bool pending = false;
      napi_is_exception_pending(env_, &pending);
      if (pending) napi_get_and_clear_last_exception(env_, &thrown);
      napi_value rows;
      check(env_, napi_create_array(env_, &rows));
      uint32_t i = 0;
      for (const Node* n = &failed; n;) {
        const Node::Extra* extra = n->extra_if_any();
        napi_value row;
        check(env_, napi_create_array_with_length(env_, 2, &row));
        check(env_, napi_set_element(env_, row, 0, from_string(env_, n->name())));
        check(env_, napi_set_element(env_, row, 1, value_of(extra ? extra->trace : nullptr)));
        check(env_, napi_set_element(env_, rows, i++, row));
        n = extra ? extra->parent.get() : nullptr;
      }
      call_js(report_, {rows});
      if (pending) napi_throw(env_, thrown);
    });
  }

 private:
  napi_value value_of(const Trace& trace) const {
    if (trace) return static_cast<JsRef*>(trace.get())->value();
    napi_value null;
    check(env_, napi_get_null(env_, &null));
    return null;
  }
  napi_env env_;
  JsRef record_, text_, report_;
};

// set_tracer(record, text, report): what anomaly mode uses, once for this thread.
std::unique_ptr<JsTracer>& tracer() {
  static thread_local std::unique_ptr<JsTracer> t;
  return t;
}
napi_value set_tracer(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    tracer() = std::make_unique<JsTracer>(env, a.v[0], a.v[1], a.v[2]);
    return undefined(env);
  });
}
// set_anomaly_mode(enabled, check_nan)
napi_value set_anomaly_mode(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    ThreadState& state = thread_state();
    state.anomaly_mode = get_bool(env, a.v[0]);
    state.anomaly_check_nan = get_bool(env, a.v[1]);
    state.tracer = state.anomaly_mode ? tracer().get() : nullptr;
    return undefined(env);
  });
}
// node_trace(node) -> [object or null, node in whose backward it was made, or null]
napi_value node_trace(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> n = unwrap_node(env, a.v[0]);
    const Node::Extra* extra = n->extra_if_any();
    napi_value row, trace;
    check(env, napi_create_array_with_length(env, 2, &row));
    if (extra && extra->trace)
      trace = static_cast<JsRef*>(extra->trace.get())->value();
    else
      check(env, napi_get_null(env, &trace));
    check(env, napi_set_element(env, row, 0, trace));
    check(env, napi_set_element(env, row, 1, wrap_node(env, extra ? extra->parent : Ref<Node>())));
    return row;
  });
}

}  // namespace

void init_graph(napi_env env, napi_value exports) {
  SC_DEFINE(remove_hook);
  SC_DEFINE(register_hook);
  SC_DEFINE(register_post_accumulate_grad_hook);
  SC_DEFINE(node_register_hook);
  SC_DEFINE(node_register_prehook);
  SC_DEFINE(node_name);
  SC_DEFINE(node_next);
  SC_DEFINE(node_variable);
  SC_DEFINE(node_id);
  SC_DEFINE(node_sequence_nr);
  SC_DEFINE(node_outputs);
  SC_DEFINE(node_metadata);
  SC_DEFINE(node_trace);
  SC_DEFINE(tensor_edge);
  SC_DEFINE(increment_version);
  SC_DEFINE(version_counter);
  SC_DEFINE(current_pass);
  SC_DEFINE(pass_runs);
  SC_DEFINE(pass_reaches);
  SC_DEFINE(live_nodes);
  SC_DEFINE(graph_statistics);
  SC_DEFINE(set_tracer);
  SC_DEFINE(set_anomaly_mode);
}

}  // namespace sconce::binding
