// The graph: nodes, edges, and what a tensor keeps of it.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "../core/small_vector.h"
#include "../core/tensor.h"
#include "../core/thread_state.h"
#include "forward.h"

namespace sconce {

struct Edge {
  Ref<Node> node;
  uint32_t input_nr = 0;
  explicit operator bool() const { return static_cast<bool>(node); }
};

// What the engine checks an incoming gradient against: the forward output's geometry.
struct OutputMeta {
  Dims sizes;
  DType dtype = DType::kFloat32;
  Device device;
};

using GradHook = std::function<Tensor(const Tensor&)>;  // returns undefined to keep the gradient
// (grad_inputs, grad_outputs) -> true when grad_inputs was replaced
using NodePostHook = std::function<bool(TensorList& grad_inputs, const TensorList& grad_outputs)>;
using NodePreHook = std::function<bool(TensorList& grad_outputs)>;

// A registered hook, as the handle that removes it sees it.
struct RegisteredHook {
  virtual ~RegisteredHook() = default;
  virtual void remove() = 0;
};
using HookHandle = std::weak_ptr<RegisteredHook>;  // nothing of the graph lives longer for it

// Hooks of one kind, in the order in which they were registered.
template <class F>
class HookList {
 public:
  HookHandle add(F f) {
    for (size_t i = items_.size(); i-- > 0;)
      if (!items_[i]->call) items_.erase(items_.begin() + static_cast<ptrdiff_t>(i));
    items_.push_back(std::make_shared<Item>());
    items_.back()->call = std::move(f);
    return items_.back();
  }
  bool empty() const { return items_.empty(); }
  // Calls use(hook) for each; hooks may register and remove hooks, themselves too.
  template <class Use>
  void each(const Use& use) const {
    if (items_.empty()) return;
    const auto items = items_;
    for (const auto& item : items)
      if (const F hook = item->call) use(hook);
  }

 private:
  struct Item final : RegisteredHook {
    F call;
    void remove() override { call = nullptr; }
  };
  std::vector<std::shared_ptr<Item>> items_;
};

// Anomaly mode: what remembers where in the program a node was made, or a tensor written.
using Trace = std::shared_ptr<void>;
class Tracer {
 public:
  virtual ~Tracer() = default;
  virtual Trace record() = 0;                        // the caller's place in the program
  virtual std::string text(const Trace& trace) = 0;  // as lines
  // Tells the user where `node`, whose backward failed, was made, and what led to it.
  virtual void report(const Node& node) = 0;
};

// Links all nodes of a thread, so that they can be counted and named.
struct NodeLink {
  NodeLink* previous;
  NodeLink* next;
};

class Node : public RefCounted, private NodeLink {
 public:
  SC_POOLED
  explicit Node(const char* name);
  virtual ~Node() {
    previous->next = next;
    next->previous = previous;
  }
  // Nodes are freed through a queue, so that a chain of a million does not overflow the stack.
  static void destroy(Node* n);

  // grads: one per forward output (undefined where none arrived). Returns one per edge; undefined stands for
  // zero. `needed[i]` tells whether edge i's gradient is wanted.
  virtual TensorList apply(TensorList&& grads, const std::vector<bool>& needed) = 0;
  virtual void release_saved() {}
  // Whether it is run also when no gradient arrived at all: a custom backward may have something to say.
  virtual bool runs_without_grads() const { return false; }
  virtual uint64_t saved_bytes() const { return 0; }
  virtual Tensor variable() const { return {}; }  // of AccumulateGrad
  // Of AccumulateGrad: those of the leaf, which stay when accumulators come and go.
  virtual const HookList<GradHook>* leaf_hooks() const { return nullptr; }

  bool is_recorded() const {  // leads anywhere
    for (const Edge& e : edges)
      if (e.node) return true;
    return false;
  }
  uint32_t add_output(const Tensor& t);  // records its geometry, returns its number
  virtual std::string name() const { return name_; }
  void rename(const char* literal) { name_ = literal; }
  std::string operator_name() const;  // as messages have it: name() without "Backward0"

  uint64_t sequence_nr;
  SmallVector<Edge, 3> edges;
  SmallVector<OutputMeta, 1> outputs;
  // What few nodes have.
  struct Extra {
    // Hooks on this node's outputs (tensor.register_hook), and where retain_grad() of an output receives; by
    // output number.
    std::vector<HookList<GradHook>> on_output;
    std::vector<std::weak_ptr<Tensor>> retain;
    HookList<NodePreHook> pre;
    HookList<NodePostHook> post;
    std::shared_ptr<void> metadata;  // a JavaScript object
    Trace trace;                     // anomaly mode: where it was made,
    Ref<Node> parent;                // and the node in whose backward, if any
  };
  Extra& extra() {
    if (!extra_) extra_ = std::make_unique<Extra>();
    return *extra_;
  }
  const Extra* extra_if_any() const { return extra_.get(); }

  static int64_t live_count();  // of this thread, for tests
  static void for_each_live(const std::function<void(Node&)>& f);

 private:
  void remember_origin();
  const char* name_;  // a literal; a node with a made-up name overrides name()
  std::unique_ptr<Extra> extra_;
};

struct AutogradMeta {
  SC_POOLED
  bool requires_grad = false;  // leaf flag
  bool retains_grad = false;
  uint32_t output_nr = 0;
  Ref<Node> grad_fn;
  Node* accumulator = nullptr;     // AccumulateGrad node while alive (it holds the tensor, not the reverse)
  Ref<Node> borrowed_accumulator;  // of another leaf that this one stands for
  Tensor grad;
  // In place of `grad` after retain_grad(): the node, which must not own its output, receives here.
  std::shared_ptr<Tensor> retained;
  HookList<GradHook> leaf_hooks;  // of a leaf, kept here because its accumulator comes and goes
  HookList<std::function<void(const Tensor&)>> post_accumulate_hooks;
  std::unique_ptr<Tangents> tangents;  // forward mode
  Tensor& current_grad() { return retained ? *retained : grad; }
};

// The edge along which a gradient of `t` flows: to its grad_fn, or to its accumulator; empty when it needs
// none.
Edge gradient_edge(const Tensor& t);
// Makes `t` output `output_nr` of `node`.
void set_history(const Tensor& t, const Ref<Node>& node, uint32_t output_nr);
// Makes `t` a leaf whose gradients go where `accumulator`'s leaf gets its own.
void become_leaf_of(const Tensor& t, const Ref<Node>& accumulator);
inline bool grad_enabled() { return thread_state().grad_enabled; }
inline bool recording() { return thread_state().recording(); }
inline bool needs_grad(const Tensor& t) { return t.requires_grad() && grad_enabled(); }

// ---- engine (engine.cc) ----
struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
  bool accumulate = true;  // into .grad; otherwise gradients of `inputs` are returned
  bool allow_unused = false;
};
// An end of a backward pass: a tensor, or just the edge along which its gradient flows.
struct GradientEnd {
  explicit GradientEnd(const Tensor& t) : tensor(t), edge(gradient_edge(t)) {}
  explicit GradientEnd(Edge e) : edge(std::move(e)) {}
  Tensor tensor;
  Edge edge;
};
using GradientEnds = std::vector<GradientEnd>;
// Sends `grads` (ones where undefined) back from `roots`: fills .grad of leaves (or of `inputs` alone), or
// returns the gradients of `inputs`.
TensorList backward_pass(const GradientEnds& roots, const TensorList& grads, const GradientEnds& inputs,
                         const BackwardOptions& o);
TensorList run_backward(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                        const BackwardOptions& o);
// Of the innermost pass that is running in this thread; -1 where none is.
int64_t current_pass_id();
bool pass_is_running(int64_t id);
// Whether the innermost pass runs `node`, or catches a gradient there.
bool current_pass_reaches(const Node& node);

// ---- hooks on tensors (hooks.cc) ----
HookHandle register_hook(const Tensor& t, GradHook hook);
void retain_grad(const Tensor& t);
// `t` is about to get another node: what retain_grad() asked for goes with it.
void move_retained_grad(const AutogradMeta& m, const Ref<Node>& to, uint32_t output_nr);
// Throws PyTorch's text unless the hook `name` may give `result` in place of `original`.
void check_hook_result(const Tensor& original, const Tensor& result, const std::string& name);
void check_hook_results(const TensorList& original, const TensorList& results, const std::string& name);

}  // namespace sconce
