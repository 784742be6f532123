// Custom functions (autograd.Function): nodes whose backward is JavaScript, and what they save.
#include "../csrc/autograd/differentiable.h"
#include "../csrc/core/graph_task.h"
#include "../csrc/autograd/view.h"
#include "env.h"
#include "saved_list.h"

namespace sconce::binding {
namespace {

struct SavedHandle {
  std::weak_ptr<SavedList> list;
  std::shared_ptr<SavedList> held;  // until something native keeps it
};
SavedHandle& saved_handle(napi_env env, napi_value v) {
  void* p = nullptr;
  check(env, napi_get_value_external(env, v, &p));
  return *static_cast<SavedHandle*>(p);
}

struct Running {  // saved outputs are given the history of the running node
  Node* before = thread_state().running_node;
  explicit Running(Node* n) { thread_state().running_node = n; }
  ~Running() { thread_state().running_node = before; }
  Running(const Running&) = delete;
};

class JsNode final : public Node {
 public:
  JsNode(std::string name, napi_env env, napi_value fn)
      : Node(""), custom_name_(std::move(name)), fn_(env, fn), saved_(std::make_shared<SavedList>(this)) {}
  ~JsNode() override {
    saved_->node = nullptr;
    release_tensors();
  }
  JsNode(const JsNode&) = delete;
  std::string name() const override { return custom_name_; }
  const std::shared_ptr<SavedList>& saved() const { return saved_; }
  TensorList apply(TensorList&& grads, const std::vector<bool>&) override {
    napi_env env = fn_.env();
    const Running running(this);
    return in_js(env, [&] { return unwrap_list(env, call_js(fn_, {wrap_list(env, std::move(grads))})); });
  }
  bool runs_without_grads() const override { return true; }
  void release_saved() override { release_tensors(); }

 private:
  void release_tensors() {
    saved_->tensors.clear();
    saved_->freed = true;
  }
  std::string custom_name_;
  JsRef fn_;
  std::shared_ptr<SavedList> saved_;
};

// custom_node(name, inputs, fn(grads) -> one gradient or null per input) -> node. Made before forward runs:
// an input that forward writes leads to what it was before.
napi_value custom_node(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    Ref<Node> node(new JsNode(get_string(env, a.v[0]), env, a.v[2]));
    for (const Tensor& t : unwrap_list(env, a.v[1])) node->edges.push_back(gradient_edge(t));
    return wrap_node(env, node);
  });
}

enum OutputKind { kConstant, kResult, kOneOfSeveralViews, kWrittenInput };

// custom_output(node, tensor or null, kind): the next output of the node.
napi_value custom_output(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> node = unwrap_node(env, a.v[0]);
    const Tensor t = unwrap_optional(env, a.v[1]);
    const auto kind = static_cast<OutputKind>(get_int(env, a.v[2]));
    if (!t) {
      node->outputs.emplace_back();
      return undefined(env);
    }
    if (kind == kWrittenInput) check_in_place(t);
    const uint32_t nr = node->add_output(t);
    if (kind == kWrittenInput) {
      rebase_history(t, node, nr);
      return undefined(env);
    }
    if (t.is_view())
      t.impl()->view_kind = kind == kOneOfSeveralViews ? ViewKind::kMultiOutput : ViewKind::kCustomFunction;
    if (kind != kConstant) set_history(t, node, nr);
    t.impl()->view_version = t.version();
    return undefined(env);
  });
}

// mark_in_place(tensor): a custom function wrote it.
napi_value mark_in_place(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    unwrap(env, a.v[0]).bump_version();
    return undefined(env);
  });
}

// save_tensors(node or null, tensors or null, for each the number of the output it is, or -1) -> saved.
// unpack_saved(saved) -> the tensors, with their history.
napi_value save_tensors(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> node = is_nullish(env, a.v[0]) ? Ref<Node>() : unwrap_node(env, a.v[0]);
    const TensorList tensors = unwrap_list(env, a.v[1]);
    const std::vector<int64_t> outputs = get_ints(env, a.v[2]);
    auto list = node ? static_cast<JsNode*>(node.get())->saved() : std::make_shared<SavedList>(nullptr);
    for (size_t i = 0; i < tensors.size(); ++i)
      list->tensors.push_back(tensors[i] ? saved_by_function(tensors[i], static_cast<int>(outputs[i]))
                                         : SavedTensor());
    auto saved = std::make_unique<SavedHandle>(SavedHandle{list, node ? nullptr : list});
    napi_value v;
    check(env, napi_create_external(
                   env, saved.get(),
                   [](napi_env, void* data, void*) {
                     drop_in_turn([](void* s) { delete static_cast<SavedHandle*>(s); }, data);
                   },
                   nullptr, &v));
    saved.release();  // NOLINT: the finalizer's now
    return v;
  });
}
// let_go_saved(saved): from now on it lives as long as what pack hooks made that need it.
napi_value let_go_saved(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    saved_handle(env, a.v[0]).held.reset();
    return undefined(env);
  });
}
TensorList unpack(const std::shared_ptr<SavedList>& saved) {
  SC_CHECK(saved && !saved->freed, kFreedText);
  const Running running(saved->node ? saved->node : thread_state().running_node);
  TensorList out;
  for (const SavedTensor& s : saved->tensors) {
    out.push_back(s());
    s.end_of_use();
  }
  return out;
}
napi_value unpack_saved(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return wrap_list(env, unpack(saved_list(env, a.v[0])));
  });
}

// node_saved(node) -> the tensors that it keeps for its backward
napi_value node_saved(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> node = unwrap_node(env, a.v[0]);
    const auto* custom = dynamic_cast<const JsNode*>(node.get());
    return wrap_list(env, custom ? unpack(custom->saved()) : saved_tensors_of(*node));
  });
}

// graph_task() -> the number of the backward pass that is running, or 0; whole_graph() -> whether none that
// is running is limited to some inputs.
napi_value graph_task(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_int(env, static_cast<int64_t>(sconce::graph_task().number)); });
}
napi_value whole_graph(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_bool(env, sconce::graph_task().whole_graph); });
}

}  // namespace

std::shared_ptr<SavedList> saved_list(napi_env env, napi_value handle) {
  if (is_nullish(env, handle)) return nullptr;
  return saved_handle(env, handle).list.lock();
}

void init_function(napi_env env, napi_value exports) {
  SC_DEFINE(custom_node);
  SC_DEFINE(custom_output);
  SC_DEFINE(mark_in_place);
  SC_DEFINE(save_tensors);
  SC_DEFINE(unpack_saved);
  SC_DEFINE(node_saved);
  SC_DEFINE(let_go_saved);
  SC_DEFINE(graph_task);
  SC_DEFINE(whole_graph);
}

}  // namespace sconce::binding
