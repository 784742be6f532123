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

template <class F>
struct HookList {
  std::vector<std::pair<uint64_t, F>> items;
  uint64_t add(F f);
  bool remove(uint64_t id);
};

class Node : public RefCounted {
 public:
  SC_POOLED
  explicit Node(const char* name);
  virtual ~Node() = default;
  // Nodes are freed through a queue, so that a chain of a million does not overflow the stack.
  static void destroy(Node* n);

  // grads: one per forward output (undefined where none arrived). Returns one per edge; undefined stands for
  // zero. `needed[i]` tells whether edge i's gradient is wanted.
  virtual TensorList apply(TensorList&& grads, const std::vector<bool>& needed) = 0;
  virtual void release_saved() {}
  // Whether it is run also when no gradient arrived at all: a custom backward may have something to say.
  virtual bool runs_without_grads() const { return false; }
  virtual Tensor variable() const { return {}; }  // of AccumulateGrad

  bool is_recorded() const {  // leads anywhere
    for (const Edge& e : edges)
      if (e.node) return true;
    return false;
  }
  uint32_t add_output(const Tensor& t);  // records its geometry, returns its number
  virtual std::string name() const { return name_; }

  uint64_t sequence_nr;
  SmallVector<Edge, 3> edges;
  SmallVector<OutputMeta, 1> outputs;
  // Hooks on this node's outputs (tensor.register_hook, retain_grad), by output number.
  struct Hooks {
    std::vector<HookList<GradHook>> on_output;
    std::vector<std::function<void(const Tensor&)>> retain;  // by output number
    HookList<NodePreHook> pre;
    HookList<NodePostHook> post;
  };
  Hooks& hooks() {
    if (!hooks_) hooks_ = std::make_unique<Hooks>();
    return *hooks_;
  }
  const Hooks* hooks_if_any() const { return hooks_.get(); }
  static int64_t live_count();  // of this process, for tests

 private:
  const char* name_;  // a literal; a node with a made-up name overrides name()
  std::unique_ptr<Hooks> hooks_;
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
  std::shared_ptr<Tensor>
      retained;                   // where retain_grad() of a non-leaf receives; moved into `grad` when read
  HookList<GradHook> leaf_hooks;  // of a leaf, kept here because its accumulator comes and goes
  HookList<std::function<void(const Tensor&)>> post_accumulate_hooks;
  std::unique_ptr<Tangents> tangents;  // forward mode
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
// roots.backward(grads): fills .grad of leaves (or of `inputs` alone), or returns the gradients of `inputs`.
TensorList run_backward(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                        const BackwardOptions& o);

// ---- hooks on tensors; the id removes it again ----
uint64_t register_hook(const Tensor& t, GradHook hook);
void remove_hook(const Tensor& t, uint64_t id);
void retain_grad(const Tensor& t);

}  // namespace sconce
