#include "differentiable.h"

namespace sconce {

// ---- FormulaNode ----
TensorList FormulaNode::apply(TensorList&& grads, const std::vector<bool>& needed) {
  struct Running {
    Node* before = thread_state().running_node;
    explicit Running(Node* n) { thread_state().running_node = n; }
    ~Running() { thread_state().running_node = before; }
  } running(this);
  struct Unpacked {
    const FormulaNode* node;
    ~Unpacked() {
      if (!node->packed) return;
      for (const auto& p : *node->packed) p->end_of_use();
    }
  } unpacked{this};
  if (shared || shared_released) {
    SC_CHECK(!shared_released, kFreedText);
    return (*shared)(grads, needed);
  }
  TensorList out(edges.size());
  for (size_t i = 0; i < edges.size(); ++i) {
    if (!needed[i]) continue;
    SC_CHECK(!slots[i].released, kFreedText);
    out[i] = slots[i].formula(grads[0]);
  }
  return out;
}

void FormulaNode::release_saved() {
  packed.reset();
  held = 0;
  if (shared && shared_holds_saved) {
    shared.reset();
    shared_released = true;
  }
  for (Slot& s : slots)
    if (s.holds_saved) {
      s.formula.reset();
      s.released = true;
    }
}

// ---- builder ----
DifferentiableBuilder::DifferentiableBuilder(const char* name, const Tensor* outputs, int n, bool elementwise)
    : name_(name),
      outputs_(outputs),
      n_(n),
      active_(thread_state().recording()),
      saved_before_(thread_state().saved_count),
      elementwise_(elementwise),
      previous_(thread_state().builder) {
  thread_state().builder = this;
}

bool DifferentiableBuilder::is_output(const TensorImpl* t) const {
  for (int i = 0; i < n_; ++i)
    if (outputs_[i].impl() == t) return true;
  return false;
}
uint32_t DifferentiableBuilder::output_number(const TensorImpl* t) const {
  for (int i = 0; i < n_; ++i)
    if (outputs_[i].impl() == t) return static_cast<uint32_t>(i);
  return 0;
}

bool DifferentiableBuilder::any_tracked(const TensorList& ts) {
  for (const Tensor& t : ts)
    if (t.tracked()) return true;
  return false;
}

PushForward& DifferentiableBuilder::push() const {
  if (!push_) push_ = std::make_unique<PushForward>();
  return *push_;
}
void DifferentiableBuilder::remember_alias(const Ref<TensorImpl>& alias, uint32_t output) const {
  push().saved_outputs.emplace_back(output, Tensor(alias));
}

void DifferentiableBuilder::ensure_node() {
  if (node_) return;
  node_ = Ref<FormulaNode>(new FormulaNode(name_));
  for (int i = 0; i < skipped_; ++i) {
    node_->edges.emplace_back();
    node_->slots.emplace_back();
  }
  node_->outputs.reserve(static_cast<size_t>(n_));
  for (int i = 0; i < n_; ++i) node_->add_output(outputs_[i]);
}

// A view of `input`, which sees the tangents of its base by itself.
static bool is_window(const Tensor& y, const Tensor& input) {
  return y.is_view() && input && y.storage() == input.storage();
}

void DifferentiableBuilder::add(const Tensor& input, GradFormula&& f) {
  const bool dual = thread_state().dual_levels && !is_window(outputs_[0], input) && carries_tangent(input);
  const bool record = records(input);
  if (!is_floating(outputs_[0].dtype()) || !(dual || record)) return skip();
  ensure_node();
  if (dual) push().inputs.push_back({node_->edges.size(), input});
  recorded_ = recorded_ || record;
  node_->edges.push_back(record ? gradient_edge(input) : Edge{});
  FormulaNode::Slot& slot = node_->slots.emplace_back();
  slot.formula = std::move(f);
  const uint64_t held = thread_state().saved_count - saved_before_;
  slot.holds_saved = held != 0;
  node_->held += held;
  saved_before_ = thread_state().saved_count;
  if (__builtin_expect(thread_state().pack_hook != nullptr, 0)) pack();
}

void DifferentiableBuilder::add_shared(const TensorList& inputs, GradsFormula&& f) {
  const bool dual = thread_state().dual_levels;
  const auto carries = [&](const Tensor& t) {
    return dual && !is_window(outputs_[0], t) && carries_tangent(t);
  };
  bool any = false;
  for (const Tensor& t : inputs) any = any || records(t) || carries(t);
  if (!any) {
    if (thread_state().pack_hook) forget_pending(this);
    return;
  }
  ensure_node();
  for (const Tensor& t : inputs) {
    const bool record = records(t);
    if (carries(t)) push().inputs.push_back({node_->edges.size(), t});
    recorded_ = recorded_ || record;
    node_->edges.push_back(record ? gradient_edge(t) : Edge{});
  }
  node_->shared = std::make_unique<GradsFormula>(std::move(f));
  node_->held = thread_state().saved_count - saved_before_;
  node_->shared_holds_saved = node_->held != 0;
  if (__builtin_expect(thread_state().pack_hook != nullptr, 0)) pack();
}

void DifferentiableBuilder::pack() {
  if (!node_->packed) node_->packed = std::make_unique<std::vector<Ref<PackedTensor>>>();
  pack_pending(this, *node_->packed);
}

void DifferentiableBuilder::finish() {
  if (!node_) return;
  if (push_ && !push_->inputs.empty()) {
    push_->elementwise = elementwise_;
    push_->run(*node_, outputs_, n_);
    // What only forward mode needed is done with.
    for (size_t i = 0; i < node_->slots.size(); ++i)
      if (!node_->edges[i].node) node_->slots[i].formula.reset();
  }
  if (!recorded_) return;
  for (int i = 0; i < n_; ++i)
    if (outputs_[i].is_floating_point())
      set_history(outputs_[i], Ref<Node>(node_.get()), static_cast<uint32_t>(i));
}

}  // namespace sconce
