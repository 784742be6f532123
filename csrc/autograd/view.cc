// Views: how they come about, and how histories follow writes through them.
#include "view.h"

#include "../ops/ops.h"
#include "differentiable.h"

namespace sconce {

Tensor make_view(const Tensor& base, const Dims& sizes, const Dims& strides, int64_t offset, ViewKind kind) {
  Tensor v = alias_of(base, sizes, strides, offset);
  if (base.impl()->is_inference) return v;  // nothing tracks it
  const ThreadState& state = thread_state();
  v.impl()->base = base.is_view() ? base.impl()->base : base.ref();
  if (state.inference_mode)
    kind = ViewKind::kInference;
  else if (!state.grad_enabled)
    kind = ViewKind::kNoGrad;
  else if (kind == ViewKind::kDefault && base.is_view())
    kind = base.impl()->view_kind;
  v.impl()->view_kind = kind;
  v.impl()->view_version = v.version();
  if (state.dual_levels) link_tangents(v, base);
  return v;
}

void check_view(const Tensor& view, bool indirect) {
  const ViewKind kind = view.impl()->view_kind;
  if (kind == ViewKind::kDefault) return;
  const char* const touched = indirect ? "its base or another view of its base has been" : "is being";
  const AutogradMeta* m = view.impl()->autograd.get();
  const Node* fn = m ? m->grad_fn.get() : nullptr;
  std::string output;
  if (fn) output = str("Output ", m->output_nr, " of ", fn->operator_name());
  std::string text;
  if (kind == ViewKind::kNoGrad || kind == ViewKind::kInference || !fn) {
    const bool inference = kind == ViewKind::kInference;
    text = str(fn ? output + " is a view of a view which was created in " : "A view was created in ",
               inference ? "inference" : "no_grad", " mode and ", touched, " modified inplace ",
               inference ? "in normal mode." : "with grad mode enabled.");
  } else {
    text = str(output, " is a view and ", touched, " modified inplace.");
  }
  if (kind == ViewKind::kMultiOutput) {
    text +=
        " This view is the output of a function that returns multiple views. Such functions do not allow "
        "the output views to be "
        "modified inplace. You should replace the inplace operation by an out-of-place one.";
  } else if (kind == ViewKind::kCustomFunction) {
    text +=
        " This view was created inside a custom Function (or because an input was returned as-is) and "
        "the autograd logic to handle "
        "view+inplace would override the custom backward associated with the custom Function, leading to "
        "incorrect gradients. This "
        "behavior is forbidden. You can fix this by cloning the output of the custom Function.";
  } else {
    const char* const block = kind == ViewKind::kInference ? "inference_mode" : "no_grad";
    text +=
        str(" Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your "
            "code by "
            "moving both the view and the inplace either both inside the ",
            block,
            " block (if you don't want the inplace to be tracked) or both outside (if you want the inplace "
            "to be tracked).");
  }
  throw_error(ErrorKind::kRuntime, text);
}

namespace {

// A window on strided memory.
struct Window {
  Dims sizes, strides;
  int64_t offset;
  explicit Window(const Tensor& t) : sizes(t.sizes()), strides(t.strides()), offset(t.storage_offset()) {}
  // One past the last element, 0 when there is none.
  int64_t end() const {
    int64_t last = offset;
    for (int i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == 0) return 0;
      last += (sizes[i] - 1) * strides[i];
    }
    return last + 1;
  }
};

Ref<Node> as_strided_node(const Tensor& base, const Tensor& view) {
  Ref<FormulaNode> node(new FormulaNode("AsStridedBackward0"));
  node->add_output(view);
  node->edges.push_back(gradient_edge(base));
  FormulaNode::Slot slot;
  slot.formula = [seen = Window(view), whole = Window(base)](const Tensor& g) {
    return ops::as_strided_backward(g, seen.sizes, seen.strides, seen.offset, whole.sizes, whole.strides,
                                    whole.offset);
  };
  node->slots.push_back(std::move(slot));
  return Ref<Node>(node.get());
}

// The base's history after one of its views was written: the gradient of the written part goes through `fn`,
// the rest on to the base's former history.
class CopySlices final : public Node {
 public:
  CopySlices(const Tensor& base, const Tensor& view, Ref<Node> fn, uint32_t fn_nr)
      : Node("torch::autograd::CopySlices"),
        fn_(std::move(fn)),
        fn_nr_(fn_nr),
        part_(view),
        whole_(base),
        writable_(base.is_non_overlapping_and_dense() && part_.offset >= whole_.offset &&
                  part_.end() <= whole_.end()) {
    add_output(base);
    edges.push_back(gradient_edge(base));
    if (!fn_ || fn_->edges.empty()) return;
    // fn's edges follow, but for a first one that led to the old view: the base's own edge stands for it. A
    // composition may reach the old view by other ways; those lead into the base's old history by themselves.
    const AutogradMeta* old = view.impl()->autograd.get();
    const Node* first = fn_->edges[0].node.get();
    through_first_ = !first || (old && old->grad_fn.get() == first);
    for (size_t i = through_first_ ? 1 : 0; i < fn_->edges.size(); ++i) edges.push_back(fn_->edges[i]);
  }

  TensorList apply(TensorList&& grads, const std::vector<bool>& needed) override {
    return writable_ && !grad_enabled() ? write(std::move(grads[0]), needed) : replace(grads[0], needed);
  }
  void release_saved() override {
    if (fn_) fn_->release_saved();
  }

 private:
  // The written part of the gradient `g` is replaced inside `g` itself when nobody else holds it: a loop that
  // fills a buffer slice by slice costs in its backward pass what the slices cost, not the buffer each time.
  TensorList write(Tensor&& g, const std::vector<bool>& needed) {
    Tensor whole = std::move(g);
    const bool own = whole.impl()->refcount() == 1 && whole.storage()->refcount() == 1 &&
                     whole.sizes() == whole_.sizes && whole.strides() == whole_.strides;
    if (!own) {
      Tensor copy = empty_strided(whole_.sizes, whole_.strides, whole.dtype(), whole.device());
      copy_into(copy, whole);
      whole = std::move(copy);
    }
    const Tensor part =
        alias_of(whole, part_.sizes, part_.strides, whole.storage_offset() + part_.offset - whole_.offset);
    TensorList out(edges.size());
    Tensor below = through_fn(ops::clone(part), needed, out);
    if (!needed[0]) return out;
    if (below)
      copy_into(part, below);
    else
      fill_into(part, 0);
    out[0] = std::move(whole);
    return out;
  }
  // The same in differentiable operators, and for geometries that cannot be written one by one.
  TensorList replace(const Tensor& g, const std::vector<bool>& needed) {
    TensorList out(edges.size());
    const Tensor part = ops::as_strided_of_gradient(g, part_.sizes, part_.strides, part_.offset, whole_.sizes,
                                                    whole_.strides, whole_.offset);
    const Tensor below = through_fn(part, needed, out);
    if (needed[0])
      out[0] = ops::as_strided_replace(g, below, part_.sizes, part_.strides, part_.offset, whole_.sizes,
                                       whole_.strides, whole_.offset);
    return out;
  }
  // Runs fn on the gradient of the written view; fills in what goes to its other inputs, returns what goes to
  // the view as it was, undefined for zero.
  Tensor through_fn(const Tensor& part, const std::vector<bool>& needed, TensorList& out) {
    if (!fn_) return {};
    const size_t shift = through_first_ ? 0 : 1;
    std::vector<bool> fn_needed(fn_->edges.size(), false);
    for (size_t i = 0; i < fn_->edges.size(); ++i) fn_needed[i] = fn_->edges[i].node && needed[i + shift];
    TensorList into(fn_->outputs.size());
    into[fn_nr_] = ops::to_dtype(part, fn_->outputs[fn_nr_].dtype);
    TensorList from_fn = fn_->apply(std::move(into), fn_needed);
    for (size_t i = through_first_ ? 1 : 0; i < from_fn.size(); ++i) out[i + shift] = std::move(from_fn[i]);
    if (!through_first_ || from_fn.empty() || !from_fn[0]) return {};
    return from_fn[0].sizes() == part_.sizes ? from_fn[0] : ops::sum_to_size(from_fn[0], part_.sizes);
  }

  Ref<Node> fn_;
  uint32_t fn_nr_;
  bool through_first_ = true;
  Window part_, whole_;
  bool writable_;
};

}  // namespace

void refresh_view_history(const Tensor& view) {
  TensorImpl* v = view.impl();
  const Tensor base = view.base();
  if (!base.requires_grad() && !(v->autograd && v->autograd->grad_fn)) return;
  const uint32_t now = view.version();
  if (now == v->view_version) return;
  check_view(view, true);
  set_history(view, as_strided_node(base, view), 0);
  v->view_version = now;
}

void rebase_history(const Tensor& self, const Ref<Node>& fn, uint32_t output_nr) {
  if (self.is_view()) {
    const Tensor base = self.base();
    set_history(base, Ref<Node>(new CopySlices(base, self, fn, output_nr)), 0);
    set_history(self, as_strided_node(base, self), 0);
    self.impl()->view_version = self.version();
    return;
  }
  if (fn) {
    set_history(self, fn, output_nr);
    return;
  }
  // The result does not depend on the old value: history ends here, the tensor still asks for gradients.
  Ref<FormulaNode> stop(new FormulaNode("FillBackward0"));
  stop->add_output(self);
  stop->edges.emplace_back();
  stop->slots.emplace_back();
  set_history(self, Ref<Node>(stop.get()), 0);
}

}  // namespace sconce
