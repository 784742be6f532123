#include "saved_tensor.h"

#include <algorithm>

#include "../ops/ops.h"
#include "differentiable.h"

namespace sconce {

const char* const kFreedText =
    "Trying to backward through the graph a second time (or directly access saved tensors after they have "
    "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
    "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or "
    "if "
    "you need to access saved tensors after calling backward.";

static Tensor whole_alias(const Tensor& t) { return alias_of(t, t.sizes(), t.strides(), t.storage_offset()); }

// ---- packed tensors ----
namespace {
struct Pending {
  const DifferentiableBuilder* builder;
  Ref<PackedTensor> tensor;
};
std::vector<Pending>& pending() {
  static thread_local std::vector<Pending> list;
  return list;
}

// The same tensor saved by several formulas of one node is packed once.
Ref<PackedTensor> known(const DifferentiableBuilder* builder, const Tensor& t) {
  for (const Pending& p : pending())
    if (p.builder == builder && p.tensor->is_of(t)) return p.tensor;
  if (const auto* kept = builder ? builder->packed() : nullptr)
    for (const auto& p : *kept)
      if (p->is_of(t)) return p;
  return {};
}

Ref<PackedTensor> packed_later(const Tensor& t, bool is_output, uint16_t output_nr) {
  const ThreadState& state = thread_state();
  if (Ref<PackedTensor> p = known(state.builder, t)) return p;
  Ref<PackedTensor> p = make_ref<PackedTensor>(t, is_output, output_nr);
  if (state.builder)
    pending().push_back({state.builder, p});
  else
    p->pack(*state.pack_hook);
  return p;
}
}  // namespace

void pack_pending(const DifferentiableBuilder* builder, std::vector<Ref<PackedTensor>>& kept) {
  auto& list = pending();
  std::vector<Ref<PackedTensor>> mine;
  for (const Pending& p : list)
    if (p.builder == builder) mine.push_back(p.tensor);
  forget_pending(builder);  // before the hooks: they run operators of their own, and may throw
  for (const auto& p : mine) {
    if (thread_state().pack_hook) p->pack(*thread_state().pack_hook);
    kept.push_back(p);
  }
}

void forget_pending(const DifferentiableBuilder* builder) {
  auto& list = pending();
  list.erase(std::remove_if(list.begin(), list.end(), [&](const Pending& p) { return p.builder == builder; }),
             list.end());
}

OperatorSuspended::OperatorSuspended()
    : builder_(thread_state().builder), in_place_(thread_state().in_place) {
  thread_state().builder = nullptr;
  thread_state().in_place = nullptr;
}
OperatorSuspended::~OperatorSuspended() {
  thread_state().builder = builder_;
  thread_state().in_place = in_place_;
}

PackedTensor::PackedTensor(const Tensor& t, bool is_output, uint16_t output_nr)
    : original_(t),
      identity_(t.impl()),
      output_nr_(output_nr),
      is_output_(is_output),
      is_leaf_(!is_output && t.is_leaf()),
      requires_grad_(!is_output && t.requires_grad()) {
  if (!requires_grad_) return;
  const Edge e = gradient_edge(t);
  grad_fn_ = e.node;
  output_nr_ = e.input_nr;
}

void PackedTensor::pack(const PackHook& hook) {
  Tensor t = std::move(original_);
  const ThreadState& state = thread_state();
  if (is_output_) {
    t = whole_alias(t);  // the output will own the node that owns this: without history there is no cycle
  } else if (state.in_place && t.is_same(state.in_place->self)) {
    // It is about to be overwritten; who knows what the hook keeps of it.
    Tensor copy = empty_like(t);
    copy_into(copy, t);
    if (requires_grad_) set_history(copy, grad_fn_, output_nr_);
    t = std::move(copy);
  }
  const uint32_t before = t.version();
  NoGradGuard no_grad;
  const OperatorSuspended suspended;
  unpack_ = hook(t);
  SC_CHECK(t.version() == before,
           "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
           "cannot be modified by in-place operations as this can lead to unexpected side-effects. Please "
           "open an issue if you need to perform in-place operations on the input to a pack hook.");
}

Tensor PackedTensor::unpack() {
  if (unpacked_) return unpacked_;
  SC_CHECK(unpack_, kFreedText);
  Tensor t = unpack_();
  // The hook gave the values back; the place in the graph is the one that the original had.
  Ref<Node> fn = is_output_ ? Ref<Node>(thread_state().running_node) : grad_fn_;
  if (fn || t.requires_grad()) {
    t = whole_alias(t);
    if (fn && is_leaf_)
      become_leaf_of(t, fn);
    else if (fn)
      set_history(t, fn, output_nr_);
  }
  if (thread_state().running_node) unpacked_ = t;
  return t;
}

// ---- saved tensors ----
SavedTensor saved(const Tensor& t) {
  ThreadState& state = thread_state();
  if (!t || !state.recording()) return {};
  state.saved_count += ThreadState::kOneSaved + static_cast<uint64_t>(t.numel() * t.itemsize());
  const bool is_output = state.builder && state.builder->is_output(t.impl());
  const auto nr = static_cast<uint16_t>(is_output ? state.builder->output_number(t.impl()) : 0);
  return SavedTensor::keep(t, is_output, nr);
}

SavedTensor saved_by_function(const Tensor& t, int output) {
  return SavedTensor::keep(t, output >= 0, static_cast<uint16_t>(output < 0 ? 0 : output));
}

SavedTensor SavedTensor::keep(const Tensor& t, bool is_output, uint16_t output_nr) {
  SavedTensor s;
  const ThreadState& state = thread_state();
  SC_CHECK(
      !t.impl()->is_inference || state.inference_mode || is_output,
      "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference "
      "mode in computation tracked by autograd. To work around this, you can make a clone to get a normal "
      "tensor and use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.");
  s.output_nr_ = output_nr;
  if (__builtin_expect(state.pack_hook != nullptr, 0) && state.grad_enabled) {
    s.packed_ = packed_later(t, is_output, s.output_nr_);
    return s;
  }
  s.version_ = t.version();
  if (is_output) {
    // The result will own the node that owns this: keep an alias without history, given its history back when
    // read.
    s.is_output_ = true;
    s.impl_ = whole_alias(t).ref();
    if (state.in_place) {  // it is about to become the value of `self`
      s.version_ = state.in_place->self.version() + 1;
      s.impl_->version = make_ref<VersionCounter>();  // shared with `self` once that is written
      s.impl_->version->value = s.version_;
      state.in_place->kept_outputs.push_back(s.impl_);
    }
    if (state.dual_levels && state.builder) state.builder->remember_alias(s.impl_, s.output_nr_);
    return s;
  }
  if (state.in_place && t.is_same(state.in_place->self)) {
    // `self` is about to be overwritten: keep its old identity; in_place() gives the alias its own bytes if
    // it is kept.
    Tensor old = whole_alias(t);
    if (t.requires_grad()) {
      const Edge e = gradient_edge(t);
      set_history(old, e.node, e.input_nr);
    }
    if (state.dual_levels) share_tangents(old, t);
    s.impl_ = old.ref();
    state.in_place->kept.push_back(s.impl_);
    return s;
  }
  if (__builtin_expect(state.hidden_levels != 0, 0))
    s.hidden_from_ = static_cast<uint8_t>(__builtin_ctzll(state.hidden_levels) + 1);
  if (t.is_view() && state.builder) {
    // The view holds its base, whose history may come to hold this through a write: keep what is seen of it.
    const Tensor seen = whole_alias(t);
    if (const Edge e = gradient_edge(t)) {
      if (t.is_leaf())
        become_leaf_of(seen, e.node);
      else
        set_history(seen, e.node, e.input_nr);
    }
    if (state.dual_levels) share_tangents(seen, t);
    seen.impl()->view_kind = ViewKind::kDefault;  // a view once: its error says so
    s.impl_ = seen.ref();
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

void SavedTensor::end_of_use() const {
  if (packed_) packed_->end_of_use();
}

// Takes down what is read meanwhile.
struct SavedReader;
static __thread SavedReader* t_saved_reader __attribute__((tls_model("initial-exec"))) = nullptr;
struct SavedReader {
  TensorList found;
  SavedReader* const before = t_saved_reader;
  SavedReader() { t_saved_reader = this; }
  ~SavedReader() { t_saved_reader = before; }
  SavedReader(const SavedReader&) = delete;
  void read(const Tensor& t) {
    for (const Tensor& f : found)
      if (f.is_same(t)) return;
    found.push_back(t);
  }
};

TensorList saved_tensors_of(Node& node) {
  auto* formulas = dynamic_cast<FormulaNode*>(&node);
  if (!formulas) return {};
  NoGradGuard no_grad;
  TensorList grads;
  for (const OutputMeta& o : node.outputs) grads.push_back(ops::zeros_raw(o.sizes, o.dtype, o.device));
  std::vector<bool> needed;
  for (const Edge& e : node.edges) needed.push_back(static_cast<bool>(e));
  SavedReader reader;
  formulas->apply(std::move(grads), needed);
  return std::move(reader.found);
}

Tensor SavedTensor::operator()() const {
  SavedReader* const reader = t_saved_reader;
  if (packed_) {
    Tensor t = packed_->unpack();
    if (reader) reader->read(t);
    return t;
  }
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
    const bool of_view = impl_->view_kind != ViewKind::kNone && !impl_->base;
    if (producer && of_view)  // whose history the write has changed meanwhile
      text += ", which is output 0 of AsStrided,";
    else if (producer)
      text += str(", which is output ", nr, " of ", producer->operator_name(), ",");
    text += str(" is at version ", now, "; expected version ", version_, " instead.");
    if (const Trace trace = impl_->version->written_at; trace && thread_state().tracer)
      text +=
          str(" Hint: the backtrace further above shows the operation that failed to compute its gradient. "
              "The variable in question was changed here:\n",
              thread_state().tracer->text(trace));
    else if (thread_state().anomaly_mode)
      text +=
          " Hint: the backtrace further above shows the operation that failed to compute its gradient. The "
          "variable in question was changed in there or anywhere later. Good luck!";
    else
      text +=
          " Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
          "torch.autograd.set_detect_anomaly(True, check_nan=False).";
    throw_error(ErrorKind::kRuntime, text);
  }
  Tensor t(impl_);
  if (reader) reader->read(t);
  if (is_output_ && thread_state().running_node) {
    Tensor again = whole_alias(t);
    if (thread_state().running_node->is_recorded())
      set_history(again, Ref<Node>(thread_state().running_node), output_nr_);
    if (t.impl()->tangent_flag) share_tangents(again, t);
    return again;
  }
  return hidden_from_ ? without_tangents_from(hidden_from_ - 1, t) : t;
}

}  // namespace sconce
