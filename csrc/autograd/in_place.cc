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

// Who may not be written while gradients are recorded.
static void check_tracked(const Tensor& self) {
  if (self.is_view()) {
    check_view(self, false);
    SC_CHECK(!(self.requires_grad() && self.base().is_leaf()),
             "a view of a leaf Variable that requires grad is being used in an in-place operation.");
  }
  SC_CHECK(!(self.requires_grad() && self.is_leaf()),
           "a leaf Variable that requires grad is being used in an in-place operation.");
}

void check_in_place(const Tensor& self, Overlap overlap) {
  const ThreadState& state = thread_state();
  if (__builtin_expect(state.pack_hook != nullptr, 0)) state.pack_hook->before_write(self);
  SC_CHECK(!self.impl()->is_inference || state.inference_mode,
           "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to "
           "get a normal tensor before doing "
           "inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.");
  // Writing what needs no gradient into what needs none is always fine.
  if (state.grad_enabled && self.requires_grad()) check_tracked(self);
  SC_CHECK(overlap == Overlap::kAllowed || !overlaps_itself(self),
           "unsupported operation: more than one element of the written-to tensor refers to a single memory "
           "location. Please clone() the "
           "tensor before performing the operation.");
}

// The bytes from the first element of a dense tensor to its last.
static std::pair<int64_t, int64_t> span_of(const Tensor& t) {
  const int64_t begin = t.storage_offset() * t.itemsize();
  return {begin, begin + t.numel() * t.itemsize()};
}

void check_apart(const Tensor& self, const Tensor& read, bool same_allowed) {
  if (!read || read.storage() != self.storage() || self.numel() == 0 || read.numel() == 0) return;
  bool apart;
  if (read.is_same(self)) {
    apart = same_allowed;
  } else if (!self.is_non_overlapping_and_dense() || !read.is_non_overlapping_and_dense()) {
    return;  // too hard to tell
  } else {
    const auto [begin, end] = span_of(self);
    const auto [other_begin, other_end] = span_of(read);
    const bool same = begin == other_begin && end == other_end && self.strides() == read.strides();
    apart = same ? same_allowed : end <= other_begin || other_end <= begin;
  }
  SC_CHECK(apart,
           "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
           "single memory location. Please "
           "clone() the tensor before performing the operation.");
}

Tensor in_place(const Tensor& self, Formula<Tensor()>&& compute, bool direct, Overlap overlap) {
  check_in_place(self, overlap);
  InPlaceScope scope(self);
  scope.direct = direct;
  Tensor y = compute();
  if (y.is_same(self)) {  // a kernel wrote straight into self
    self.bump_version();
    return self;
  }
  const bool tracked = grad_enabled() && (y.requires_grad() || self.requires_grad());
  if (tracked && !self.requires_grad()) check_tracked(self);
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
  // Formulas that saved the result now mean self, and notice when it is written again.
  for (Ref<TensorImpl>& out : scope.kept_outputs) {
    if (out->refcount() == 1) continue;
    if (out->storage == y.storage() && out->sizes == self.sizes() && out->dtype == self.dtype()) {
      out->storage = self.storage();
      out->set_geometry(self.sizes(), self.strides(), self.storage_offset());
      self.impl()->version_counter();
      out->version = self.impl()->version;
    } else {
      out->version = make_ref<VersionCounter>();
      out->version->value = self.version();
    }
  }
  if (!tracked) return self;
  // Where the result does not depend on the old value, history ends here.
  const Ref<Node> fn = y.grad_fn();
  rebase_history(self, fn, fn ? y.output_nr() : 0);
  return self;
}

// PyTorch numbers the in-place forms after the others.
static const char* in_place_name(const std::string& name) {
  static const char* const names[][2] = {
      {"TBackward0", "TBackward1"},
      {"TransposeBackward0", "TransposeBackward1"},
      {"UnsqueezeBackward0", "UnsqueezeBackward1"},
      {"SqueezeBackward0", "SqueezeBackward3"},
      {"SqueezeBackward1", "SqueezeBackward4"},
      {"SqueezeBackward2", "SqueezeBackward5"},
      {"AsStridedBackward0", "AsStridedBackward1"},
  };
  for (const auto& [from, to] : names)
    if (name == from) return to;
  return nullptr;
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
  if (!fn) return self;
  if (const char* name = in_place_name(fn->name())) fn->rename(name);
  set_history(self, fn, y.output_nr());
  return self;
}

}  // namespace sconce
