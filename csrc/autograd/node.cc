// Nodes: how they come, are counted and go; and the node at a leaf.
#include "../ops/ops.h"
#include "accumulate.h"
#include "graph.h"

namespace sconce {

// The ring of this thread's nodes begins and ends here.
static NodeLink* make_ring() {
  struct Owner {
    NodeLink* const head = new NodeLink;
    Owner() { *head = {head, head}; }
    ~Owner() {
      if (head->next != head) return;  // nodes that outlive the thread still lean on it
      if (thread_state().nodes == head) thread_state().nodes = nullptr;
      delete head;
    }
  };
  static thread_local const Owner owner;
  return thread_state().nodes = owner.head;
}
static NodeLink* ring() {
  NodeLink* head = thread_state().nodes;
  return __builtin_expect(head != nullptr, 1) ? head : make_ring();
}

Node::Node(const char* name) : sequence_nr(thread_state().next_sequence_nr++), name_(name) {
  NodeLink* head = ring();
  previous = head;
  next = head->next;
  head->next->previous = this;
  head->next = this;
  if (__builtin_expect(thread_state().tracer != nullptr, 0)) remember_origin();
}

void Node::remember_origin() {
  extra().trace = thread_state().tracer->record();
  extra().parent = Ref<Node>(thread_state().running_node);
}

int64_t Node::live_count() {
  int64_t n = 0;
  for (const NodeLink* l = ring()->next; l != ring(); l = l->next) ++n;
  return n;
}

void Node::for_each_live(const std::function<void(Node&)>& f) {
  for (NodeLink* l = ring()->next; l != ring(); l = l->next) f(*static_cast<Node*>(l));
}

void Node::destroy(Node* n) {
  // Deleting a node lets go of the next ones: queue them instead of recursing.
  static thread_local std::vector<Node*> queue;
  static thread_local bool draining = false;
  queue.push_back(n);
  if (draining) return;
  draining = true;
  while (!queue.empty()) {
    Node* last = queue.back();
    queue.pop_back();
    delete last;
  }
  draining = false;
}

uint32_t Node::add_output(const Tensor& t) {
  outputs.push_back({t.sizes(), t.dtype(), t.device()});
  return static_cast<uint32_t>(outputs.size() - 1);
}

// ---- AccumulateGrad ----
AccumulateGrad::AccumulateGrad(const Tensor& v) : Node("torch::autograd::AccumulateGrad"), variable_(v) {
  sequence_nr = UINT64_MAX;  // runs as soon as it is ready, which frees the gradient
  add_output(v);
}
AccumulateGrad::~AccumulateGrad() {
  AutogradMeta& m = variable_.autograd_meta();
  if (m.accumulator == this) m.accumulator = nullptr;
}

const HookList<GradHook>* AccumulateGrad::leaf_hooks() const { return &variable_.autograd_meta().leaf_hooks; }

// Whether a gradient in the memory order of `g` is what PyTorch would keep for `variable`.
static bool fits_layout(const Tensor& g, const Tensor& variable) {
  if (!variable.is_non_overlapping_and_dense()) return g.is_contiguous();
  return g.strides() == variable.strides() || (g.is_contiguous() && variable.is_contiguous());
}

void accumulate_grad(const Tensor& variable, Tensor&& g) {
  Tensor& grad = variable.autograd_meta().current_grad();
  if (!grad) {
    if (!grad_enabled() && fits_layout(g, variable) && g.impl()->refcount() == 1 &&
        g.storage()->refcount() == 1 && !g.is_view()) {
      grad = std::move(g);
    } else if (recording()) {
      grad = ops::clone(g);
    } else {
      Tensor copy = variable.is_non_overlapping_and_dense()
                        ? empty_strided(variable.sizes(), variable.strides(), g.dtype(), g.device())
                        : empty(variable.sizes(), g.dtype(), g.device());
      copy_into(copy, g);
      grad = std::move(copy);
    }
  } else if (!grad_enabled() && !carries_tangent(g) && !carries_tangent(grad)) {
    ops::add_raw_(grad, g);
    grad.bump_version();
  } else {
    grad = ops::add(grad, g);
  }
}

TensorList AccumulateGrad::apply(TensorList&& grads, const std::vector<bool>&) {
  if (!variable_.requires_grad()) return {};  // it stopped asking meanwhile
  if (grads[0]) accumulate_grad(variable_, std::move(grads[0]));
  variable_.autograd_meta().post_accumulate_hooks.each([&](const auto& hook) { hook(variable_); });
  return {};
}

}  // namespace sconce
