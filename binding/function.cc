// Custom functions (autograd.Function): nodes whose backward is JavaScript, and what they save.
#include "../csrc/autograd/differentiable.h"
#include "../csrc/autograd/view.h"
#include "env.h"

namespace sconce::binding {
namespace {

// What a node saved. The context, which is JavaScript's, reads it, but the node alone keeps it: a chain of
// dropped nodes goes at once and not one link per garbage collection.
struct SavedList {
  Node* node;  // null once it is gone
  std::vector<SavedTensor> tensors;
  bool freed = false;
  explicit SavedList(Node* n) : node(n) {}
};

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
    saved_->tensors.clear();
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
  void release_saved() override {
    saved_->tensors.clear();
    saved_->freed = true;
  }

 private:
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

// save_tensors(node, tensors or null, for each the number of the output it is, or -1) -> saved.
// unpack_saved(saved) -> the tensors, with their history.
napi_value save_tensors(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Ref<Node> node = unwrap_node(env, a.v[0]);
    const TensorList tensors = unwrap_list(env, a.v[1]);
    const std::vector<int64_t> outputs = get_ints(env, a.v[2]);
    auto saved = std::make_unique<std::shared_ptr<SavedList>>(static_cast<JsNode*>(node.get())->saved());
    for (size_t i = 0; i < tensors.size(); ++i)
      (*saved)->tensors.push_back(tensors[i] ? saved_by_function(tensors[i], static_cast<int>(outputs[i]))
                                             : SavedTensor());
    napi_value v;
    check(env, napi_create_external(
                   env, saved.get(),
                   [](napi_env, void* data, void*) {
                     drop_in_turn([](void* s) { delete static_cast<std::shared_ptr<SavedList>*>(s); }, data);
                   },
                   nullptr, &v));
    saved.release();  // NOLINT: the finalizer's now
    return v;
  });
}
napi_value unpack_saved(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    void* p = nullptr;
    check(env, napi_get_value_external(env, a.v[0], &p));
    const std::shared_ptr<SavedList> saved = *static_cast<std::shared_ptr<SavedList>*>(p);
    SC_CHECK(!saved->freed && saved->node, kFreedText);
    const Running running(saved->node);
    TensorList out;
    for (const SavedTensor& s : saved->tensors) {
      out.push_back(s());
      s.end_of_use();
    }
    return wrap_list(env, std::move(out));
  });
}

}  // namespace

void init_function(napi_env env, napi_value exports) {
  SC_DEFINE(custom_node);
  SC_DEFINE(custom_output);
  SC_DEFINE(mark_in_place);
  SC_DEFINE(save_tensors);
  SC_DEFINE(unpack_saved);
}

}  // namespace sconce::binding
