// In-place operators and views: who may be written, and whose history changes.
#include "../ops/ops.h"
#include "differentiable.h"
#include "view.h"

namespace sconce {

InPlaceScope::InPlaceScope(const Tensor& t) : self(t), previous(thread_state().in_place) {
  thread_state().in_place = this;
}
InPlaceScope::~InPlaceScope() { thread_state().in_place = previous; }

bool overlaps_itself(const Tensor& t) {
  for (int i = 0; i < t.dim(); ++i)
    if (t.strides()[i] == 0 && t.sizes()[i] > 1) return true;
  return false;
}

static std::string stem(const std::string& name) { return name.substr(0, name.find("Backward")); }

void check_in_place(const Tensor& self) {
  const ThreadState& state = thread_state();
  if (__builtin_expect(state.pack_hook != nullptr, 0)) state.pack_hook->before_write(self);
  SC_CHECK(!self.impl()->is_inference || state.inference_mode,
           "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to "
           "get a normal tensor before doing "
           "inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.");
  if (state.grad_enabled) {
    if (self.is_view()) {
      const ViewKind kind = self.impl()->view_kind;
      // Writing what needs no gradient into what needs none is always fine.
      if (kind != ViewKind::kDefault && self.requires_grad()) {
        const Ref<Node> fn = self.grad_fn();
        const std::string what = fn ? str("Output ", self.output_nr(), " of ", stem(fn->name()),
                                          " is a view and is being modified inplace. ")
                                    : std::string();
        if (kind == ViewKind::kMultiOutput)
          throw_error(
              ErrorKind::kRuntime,
              what +
                  "This view is the output of a function that returns multiple views. Such functions do not "
                  "allow the output views to be modified inplace. You should replace the inplace operation "
                  "by an out-of-place one.");
        if (kind == ViewKind::kNoGrad)
          throw_error(ErrorKind::kRuntime,
                      "A view was created in no_grad mode and is being modified inplace with grad mode "
                      "enabled. Given that this use case is "
                      "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both "
                      "the view and the inplace either "
                      "both inside the no_grad block (if you don't want the inplace to be tracked) or both "
                      "outside (if you want the inplace "
                      "to be tracked).");
        if (kind == ViewKind::kCustomFunction)
          throw_error(ErrorKind::kRuntime, what +
                                               "This view was created inside a custom Function (or because "
                                               "an input was returned as-is) and "
                                               "the autograd logic to handle view+inplace would override the "
                                               "custom backward associated with "
                                               "the custom Function, leading to incorrect gradients. This "
                                               "behavior is forbidden. You can fix "
                                               "this by cloning the output of the custom Function.");
      }
      const Tensor base = self.base();
      SC_CHECK(!(base.requires_grad() && base.is_leaf()),
               "a view of a leaf Variable that requires grad is being used in an in-place operation.");
    }
    SC_CHECK(!(self.requires_grad() && self.is_leaf()),
             "a leaf Variable that requires grad is being used in an in-place operation.");
  }
  SC_CHECK(!overlaps_itself(self),
           "unsupported operation: more than one element of the written-to tensor refers to a single memory "
           "location. Please clone() the "
           "tensor before performing the operation.");
}

Tensor in_place(const Tensor& self, Formula<Tensor()>&& compute, bool direct) {
  check_in_place(self);
  InPlaceScope scope(self);
  scope.direct = direct;
  Tensor y = compute();
  if (y.is_same(self)) {  // a kernel wrote straight into self
    self.bump_version();
    return self;
  }
  SC_CHECK(y.sizes() == self.sizes(), "output with shape ", self.sizes(),
           " doesn't match the broadcast shape ", y.sizes());
  SC_CHECK(can_cast(y.dtype(), self.dtype()), "result type ", scalar_type_name(y.dtype()),
           " can't be cast to the desired output type ", scalar_type_name(self.dtype()));
  // Formulas that saved the old self get a copy of its bytes; the scope's own reference is the second one.
  for (Ref<TensorImpl>& old : scope.kept) {
    if (old->refcount() == 1) continue;
    Tensor t(old);
    Tensor copy = empty_like(t);
    copy_into(copy, t);
    old->storage = copy.storage();
    old->set_geometry(copy.sizes(), copy.strides(), copy.storage_offset());
    const uint32_t v = old->version ? old->version->value : 0;
    old->version = make_ref<VersionCounter>();
    old->version->value = v;
  }
  if (thread_state().dual_levels) write_tangents(self, y);
  copy_into(self, y);
  self.bump_version();
  // Formulas that saved the result now mean self.
  for (Ref<TensorImpl>& out : scope.kept_outputs) {
    if (out->refcount() == 1 || out->dtype != self.dtype()) continue;
    Tensor seen = alias_of(self, self.sizes(), self.strides(), self.storage_offset());
    if (out->storage == y.storage() && out->sizes == self.sizes()) {
      out->storage = seen.storage();
      out->set_geometry(seen.sizes(), seen.strides(), seen.storage_offset());
    }
  }
  if (grad_enabled()) {
    if (y.requires_grad()) {
      Ref<Node> fn = y.grad_fn();
      const uint32_t nr = y.output_nr();
      rebase_history(self, fn, nr);
    } else if (self.requires_grad()) {
      // The result does not depend on the old value: history ends here, the tensor still asks for gradients
      // downstream.
      rebase_history(self, Ref<Node>(), 0);
    }
  }
  return self;
}

Tensor reshape_in_place(const Tensor& self, Formula<Tensor()>&& compute) {
  check_in_place(self);
  const Tensor y = compute();
  const Ref<Node> fn =
      y.grad_fn();  // before the version moves on, which would make the view look at its base again
  if (thread_state().dual_levels) share_tangents(self, y);
  self.impl()->set_geometry(y.sizes(), y.strides(), y.storage_offset());
  self.bump_version();
  if (self.is_view()) self.impl()->view_version = self.version();
  if (fn) set_history(self, fn, y.output_nr());
  return self;
}

// ---- views ----
Tensor make_view(const Tensor& base, const Dims& sizes, const Dims& strides, int64_t offset, ViewKind kind) {
  Tensor v = alias_of(base, sizes, strides, offset);
  const ThreadState& state = thread_state();
  if (state.inference_mode) return v;
  const Tensor root = base.is_view() ? base.base() : base;
  v.impl()->base = root.ref();
  if (!state.grad_enabled)
    kind = ViewKind::kNoGrad;
  else if (base.is_view() && base.impl()->view_kind != ViewKind::kDefault && kind == ViewKind::kDefault)
    kind = base.impl()->view_kind;
  v.impl()->view_kind = kind;
  v.impl()->view_version = v.version();
  if (state.dual_levels) link_tangents(v, base);
  return v;
}

static Ref<Node> as_strided_node(const Tensor& base, const Tensor& view) {
  const Dims &sizes = view.sizes(), &strides = view.strides();
  const int64_t offset = view.storage_offset();
  Ref<FormulaNode> node(new FormulaNode("AsStridedBackward0"));
  node->add_output(view);
  node->edges.push_back(gradient_edge(base));
  FormulaNode::Slot slot;
  slot.formula = [sizes, strides, offset, base_sizes = base.sizes(), base_strides = base.strides(),
                  base_offset = base.storage_offset()](const Tensor& g) {
    return ops::as_strided_backward(g, sizes, strides, offset, base_sizes, base_strides, base_offset);
  };
  node->slots.push_back(std::move(slot));
  return Ref<Node>(node.get());
}

void refresh_view_history(const Tensor& view) {
  TensorImpl* v = view.impl();
  const uint32_t now = view.version();
  if (now == v->view_version) return;
  const Tensor base = view.base();
  if (!base.requires_grad()) return;
  if (v->view_kind == ViewKind::kNoGrad) return;
  v->view_version = now;
  if (base.is_leaf()) return;
  set_history(view, as_strided_node(base, view), 0);
}

namespace {
// The base's history after one of its views was written: the gradient of the written part goes through `fn`,
// the rest on to the base's former history.
class CopySlices final : public Node {
 public:
  CopySlices(const Tensor& base, const Tensor& view, Ref<Node> fn, uint32_t fn_nr)
      : Node("torch::autograd::CopySlices"),
        fn_(std::move(fn)),
        fn_nr_(fn_nr),
        sizes_(view.sizes()),
        strides_(view.strides()),
        offset_(view.storage_offset()),
        base_sizes_(base.sizes()),
        base_strides_(base.strides()),
        base_offset_(base.storage_offset()) {
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
    TensorList out(edges.size());
    const Tensor slice = ops::as_strided_of_gradient(grads[0], sizes_, strides_, offset_, base_sizes_,
                                                     base_strides_, base_offset_);
    TensorList into(fn_ ? fn_->outputs.size() : 0);
    TensorList from_fn;
    if (fn_) {
      const size_t shift = through_first_ ? 0 : 1;
      std::vector<bool> fn_needed(fn_->edges.size(), false);
      for (size_t i = 0; i < fn_->edges.size(); ++i) fn_needed[i] = fn_->edges[i].node && needed[i + shift];
      into[fn_nr_] = slice.dtype() == fn_->outputs[fn_nr_].dtype
                         ? slice
                         : ops::to_dtype(slice, fn_->outputs[fn_nr_].dtype);
      from_fn = fn_->apply(std::move(into), fn_needed);
      for (size_t i = through_first_ ? 1 : 0; i < from_fn.size(); ++i) out[i + shift] = from_fn[i];
    }
    if (needed[0]) {
      Tensor replaced = from_fn.empty() || !through_first_ ? Tensor() : from_fn[0];
      if (replaced && replaced.sizes() != sizes_) replaced = ops::sum_to_size(replaced, sizes_);
      out[0] = ops::as_strided_replace(grads[0], replaced, sizes_, strides_, offset_, base_sizes_,
                                       base_strides_, base_offset_);
    }
    return out;
  }
  void release_saved() override {
    if (fn_) fn_->release_saved();
  }

 private:
  Ref<Node> fn_;
  uint32_t fn_nr_;
  bool through_first_ = true;
  Dims sizes_, strides_;
  int64_t offset_;
  Dims base_sizes_, base_strides_;
  int64_t base_offset_;
};
}  // namespace

void rebase_history(const Tensor& self, const Ref<Node>& fn, uint32_t output_nr) {
  if (self.is_view() && self.impl()->view_kind != ViewKind::kNoGrad) {
    const Tensor base = self.base();
    Ref<Node> node(new CopySlices(base, self, fn, output_nr));
    set_history(base, node, 0);
    self.impl()->view_version = self.version();
    set_history(self, as_strided_node(base, self), 0);
    return;
  }
  if (fn) {
    set_history(self, fn, output_nr);
  } else {
    AutogradMeta& m = self.autograd_meta();
    Ref<FormulaNode> stop(new FormulaNode("FillBackward0"));
    stop->add_output(self);
    stop->edges.emplace_back();
    stop->slots.emplace_back();
    m.output_nr = 0;
    set_history(self, Ref<Node>(stop.get()), 0);
  }
}

}  // namespace sconce
