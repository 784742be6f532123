#include "differentiable.h"

#include <cstring>

namespace sconce {

// ---- saved tensors ----
SavedTensor saved(const Tensor& t) {
  SavedTensor s;
  ThreadState& state = thread_state();
  if (!t || !state.grad_enabled) return s;
  ++state.saved_count;
  s.was_defined_ = true;
  SC_CHECK(!t.impl()->is_inference || state.inference_mode ||
               (state.builder && state.builder->is_output(t.impl())),
           "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference "
           "mode in computation tracked by "
           "autograd. To work around this, you can make a clone to get a normal tensor and use it in "
           "autograd, or use `torch.no_grad()` "
           "instead of `torch.inference_mode()`.");
  s.version_ = t.version();
  if (state.builder && state.builder->is_output(t.impl())) {
    // The result will own the node that owns this: keep an alias without history, given its history back when
    // read.
    s.is_output_ = true;
    s.output_nr_ = static_cast<uint16_t>(state.builder->output_number(t.impl()));
    s.impl_ = alias_of(t, t.sizes(), t.strides(), t.storage_offset()).ref();
    if (state.in_place) state.in_place->kept_outputs.push_back(s.impl_);
    return s;
  }
  if (state.in_place && t.is_same(state.in_place->self)) {
    // `self` is about to be overwritten: keep its old identity; in_place() gives the alias its own bytes if
    // it is kept.
    Tensor old = alias_of(t, t.sizes(), t.strides(), t.storage_offset());
    if (t.requires_grad()) {
      const Edge e = gradient_edge(t);
      set_history(old, e.node, e.input_nr);
    }
    s.impl_ = old.ref();
    state.in_place->kept.push_back(s.impl_);
    return s;
  }
  s.impl_ = t.ref();
  return s;
}

std::vector<SavedTensor> saved(const TensorList& ts) {
  std::vector<SavedTensor> out;
  out.reserve(ts.size());
  for (const Tensor& t : ts) out.push_back(saved(t));
  return out;
}

static std::string stem(const std::string& name) { return name.substr(0, name.find("Backward")); }

Tensor SavedTensor::operator()() const {
  if (!impl_) return {};
  const uint32_t now = impl_->version ? impl_->version->value : 0;
  if (now != version_) {
    Tensor t(impl_);
    Node* producer = is_output_ ? thread_state().running_node : nullptr;
    Ref<Node> fn;
    uint32_t nr = output_nr_;
    if (!producer && impl_->autograd && impl_->autograd->grad_fn) {
      fn = impl_->autograd->grad_fn;
      producer = fn.get();
      nr = impl_->autograd->output_nr;
    }
    std::string text =
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        "[torch.";
    if (!t.device().is_cpu()) text += "cuda.";
    text += str(scalar_type_name(t.dtype()), "Tensor ", t.sizes(), "]");
    if (producer) text += str(", which is output ", nr, " of ", stem(producer->name()), ",");
    text += str(" is at version ", now, "; expected version ", version_,
                " instead. Hint: enable anomaly detection to find the operation that failed to compute its "
                "gradient, with "
                "torch.autograd.set_detect_anomaly(True, check_nan=False).");
    throw_error(ErrorKind::kRuntime, text);
  }
  Tensor t(impl_);
  if (is_output_ && thread_state().running_node) {
    Tensor again = alias_of(t, t.sizes(), t.strides(), t.storage_offset());
    set_history(again, Ref<Node>(thread_state().running_node), output_nr_);
    return again;
  }
  return t;
}

// ---- FormulaNode ----
static const char* const kFreed =
    "Trying to backward through the graph a second time (or directly access saved tensors after they have "
    "already been freed). Saved "
    "intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to "
    "backward through the graph a second time or if you need to access saved tensors after calling backward.";

TensorList FormulaNode::apply(TensorList&& grads, const std::vector<bool>& needed) {
  struct Running {
    Node* before = thread_state().running_node;
    explicit Running(Node* n) { thread_state().running_node = n; }
    ~Running() { thread_state().running_node = before; }
  } running(this);
  if (shared || shared_released) {
    SC_CHECK(!shared_released, kFreed);
    return (*shared)(grads, needed);
  }
  TensorList out(edges.size());
  for (size_t i = 0; i < edges.size(); ++i) {
    if (!needed[i] || !edges[i].node) continue;
    SC_CHECK(!slots[i].released, kFreed);
    out[i] = slots[i].formula(grads[0]);
  }
  return out;
}

void FormulaNode::release_saved() {
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
DifferentiableBuilder::DifferentiableBuilder(const char* name, const Tensor* outputs, int n)
    : name_(name),
      outputs_(outputs),
      n_(n),
      active_(thread_state().grad_enabled),
      saved_before_(thread_state().saved_count),
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

bool DifferentiableBuilder::any_requires_grad(const TensorList& ts) {
  for (const Tensor& t : ts)
    if (t.requires_grad()) return true;
  return false;
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

void DifferentiableBuilder::add(const Tensor& input, GradFormula&& f) {
  if (!is_floating(outputs_[0].dtype())) return skip();
  ensure_node();
  node_->edges.push_back(gradient_edge(input));
  FormulaNode::Slot& slot = node_->slots.emplace_back();
  slot.formula = std::move(f);
  slot.holds_saved = thread_state().saved_count != saved_before_;
  saved_before_ = thread_state().saved_count;
}

void DifferentiableBuilder::add_shared(const TensorList& inputs, GradsFormula&& f) {
  ensure_node();
  for (const Tensor& t : inputs) node_->edges.push_back(gradient_edge(t));
  node_->shared = std::make_unique<GradsFormula>(std::move(f));
  node_->shared_holds_saved = thread_state().saved_count != saved_before_;
}

void DifferentiableBuilder::finish() {
  if (!node_) return;
  for (int i = 0; i < n_; ++i)
    if (outputs_[i].is_floating_point())
      set_history(outputs_[i], Ref<Node>(node_.get()), static_cast<uint32_t>(i));
}

}  // namespace sconce
