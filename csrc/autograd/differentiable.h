// How an operator states its derivative.
//
//   Tensor mul(const Tensor& a, const Tensor& b) {
//     Tensor y = binary(SC_MUL, a, b);
//     return differentiable("MulBackward0", y)
//         .wrt(a, [b = saved(b)](const Tensor& g) { return mul(g, b()); })
//         .wrt(b, [a = saved(a)](const Tensor& g) { return mul(g, a()); });
//   }
//
// A formula is written in differentiable operators, so higher derivatives come for free. It is kept, with
// what it saved, only if its input needs a gradient. It need not sum a broadcast gradient down, cast it, or
// test it for absence: the engine does (csrc/autograd/engine.cc). `saved(y)` of the operator's own output
// makes no cycle.
#pragma once
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "graph.h"
#include "saved_tensor.h"

namespace sconce {

// Move-only callable with room for a typical closure inside.
template <class Sig>
class Formula;
template <class R, class... A>
class Formula<R(A...)> {
 public:
  Formula() = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Formula>>>
  Formula(F&& f) {  // NOLINT: implicit
    using D = std::decay_t<F>;
    if constexpr (sizeof(D) <= kInline && alignof(D) <= alignof(std::max_align_t)) {
      new (buf_) D(std::forward<F>(f));
      call_ = [](void* p, A... a) -> R { return (*static_cast<D*>(p))(std::forward<A>(a)...); };
      manage_ = [](void* from, void* to) {
        auto* d = static_cast<D*>(from);
        if (to) new (to) D(std::move(*d));
        d->~D();
      };
    } else {
      *reinterpret_cast<D**>(buf_) = new D(std::forward<F>(f));
      call_ = [](void* p, A... a) -> R { return (**static_cast<D**>(p))(std::forward<A>(a)...); };
      manage_ = [](void* from, void* to) {
        if (to)
          *static_cast<D**>(to) = *static_cast<D**>(from);
        else
          delete *static_cast<D**>(from);
      };
    }
  }
  Formula(Formula&& o) noexcept { take(o); }
  Formula& operator=(Formula&& o) noexcept {
    if (this != &o) {
      reset();
      take(o);
    }
    return *this;
  }
  ~Formula() { reset(); }
  explicit operator bool() const { return call_ != nullptr; }
  R operator()(A... a) { return call_(buf_, std::forward<A>(a)...); }
  void reset() {
    if (manage_) manage_(buf_, nullptr);
    manage_ = nullptr;
    call_ = nullptr;
  }

 private:
  void take(Formula& o) {
    call_ = o.call_;
    manage_ = o.manage_;
    if (manage_) manage_(o.buf_, buf_);
    o.call_ = nullptr;
    o.manage_ = nullptr;
  }
  static constexpr size_t kInline = 80;
  R (*call_)(void*, A...) = nullptr;
  void (*manage_)(void*, void*) = nullptr;
  alignas(std::max_align_t) unsigned char buf_[kInline];
};

using GradFormula = Formula<Tensor(const Tensor&)>;
// Shared backward: all output gradients in (undefined where none), one gradient per input out; `needed[i]`
// says which are wanted.
using GradsFormula = Formula<TensorList(const TensorList& grads, const std::vector<bool>& needed)>;

class FormulaNode final : public Node {
 public:
  using Node::Node;
  TensorList apply(TensorList&& grads, const std::vector<bool>& needed) override;
  void release_saved() override;
  uint64_t saved_bytes() const override { return held & (ThreadState::kOneSaved - 1); }
  struct Slot {
    GradFormula formula;
    bool holds_saved = false;
    bool released = false;
  };
  SmallVector<Slot, 2> slots;  // one per edge, unless `shared` is set
  std::unique_ptr<GradsFormula> shared;
  bool shared_holds_saved = false, shared_released = false;
  uint64_t held = 0;  // what formulas saved, in units of ThreadState::saved_count
  // What pack hooks keep for this node; see Note [When tensors are packed].
  std::unique_ptr<std::vector<Ref<PackedTensor>>> packed;
};

class DifferentiableBuilder {
 public:
  DifferentiableBuilder(const char* name, const Tensor* outputs, int n, bool elementwise = false);
  ~DifferentiableBuilder() { thread_state().builder = previous_; }
  DifferentiableBuilder(const DifferentiableBuilder&) = delete;

  // States the derivative with respect to `input` (which may be undefined or need no gradient: then the
  // formula is dropped).
  template <class F>
  DifferentiableBuilder& wrt(const Tensor& input, F&& formula) {
    if (active_ && input.tracked())
      add(input, GradFormula(std::forward<F>(formula)));
    else
      skip();
    return *this;
  }
  // One formula for several inputs and any number of outputs.
  template <class F>
  DifferentiableBuilder& wrt_all(const TensorList& inputs, F&& formula) {
    if (active_ && any_tracked(inputs))
      add_shared(inputs, GradsFormula(std::forward<F>(formula)));
    else if (thread_state().pack_hook)
      forget_pending(this);
    return *this;
  }
  operator Tensor() {  // NOLINT: ends the statement
    finish();
    return outputs_[0];
  }
  // Forward mode by a rule of its own, where that is cheaper than what the formulas give: the tangent of the
  // one output from those of the inputs, in the order of wrt (undefined where there is none). Said last; runs
  // before the statement ends.
  template <class F>
  DifferentiableBuilder& jvp(const F& rule) {
    if (push_)
      push_->own_rule = {&rule,
                         [](const void* f, const TensorList& t) { return (*static_cast<const F*>(f))(t); }};
    return *this;
  }
  void finish();  // for several outputs

  bool is_output(const TensorImpl* t) const;
  uint32_t output_number(const TensorImpl* t) const;
  const std::vector<Ref<PackedTensor>>* packed() const { return node_ ? node_->packed.get() : nullptr; }
  // In a dual level: `alias` is what a formula keeps of an output, which will carry the output's tangents.
  void remember_alias(const Ref<TensorImpl>& alias, uint32_t output) const;

 private:
  static bool any_tracked(const TensorList& ts);
  bool records(const Tensor& input) const { return thread_state().grad_enabled && input.requires_grad(); }
  PushForward& push() const;
  void ensure_node();
  void add(const Tensor& input, GradFormula&& f);
  void add_shared(const TensorList& inputs, GradsFormula&& f);
  void skip() {
    if (node_) {
      node_->edges.emplace_back();
      node_->slots.emplace_back();
    } else {
      ++skipped_;
    }
    const ThreadState& state = thread_state();
    saved_before_ = state.saved_count;
    if (__builtin_expect(state.pack_hook != nullptr, 0)) forget_pending(this);
  }
  void pack();  // what the formula just added saved
  const char* name_;
  const Tensor* outputs_;
  int n_;
  int skipped_ = 0;
  bool active_;
  uint64_t saved_before_;
  Ref<FormulaNode> node_;
  mutable std::unique_ptr<PushForward> push_;  // in a dual level
  bool elementwise_;
  bool recorded_ = false;  // an edge leads somewhere
  const DifferentiableBuilder* previous_;
};

// `y` (or several outputs) is the operator's result, without history. Only floating outputs take part.
inline DifferentiableBuilder differentiable(const char* name, const Tensor& y) { return {name, &y, 1}; }
// The same for an element-wise operator: element i of the result depends on element i of the inputs alone, up
// to broadcasting, and every formula is g times something. Forward mode is cheaper then.
inline DifferentiableBuilder elementwise(const char* name, const Tensor& y) { return {name, &y, 1, true}; }
inline DifferentiableBuilder differentiable(const char* name, const TensorList& ys) {
  return {name, ys.data(), static_cast<int>(ys.size())};
}

// ---- in-place operators (in_place.cc) and views (view.cc) ----

// Runs `compute` (an out-of-place operator on `self`) and writes its result into `self`, with all of
// PyTorch's rules: leaf and view checks, version bump, history rebased through the base of a view. `direct`:
// the computation is one element-wise kernel that may write straight into `self` (no gradient is wanted).
enum class Overlap : bool { kRefused, kAllowed };  // may several elements of `self` be one place in memory?
Tensor in_place(const Tensor& self, Formula<Tensor()>&& compute, bool direct = false,
                Overlap overlap = Overlap::kRefused);
// `compute` is a view operator on `self`: gives `self` the view's geometry and history.
Tensor reshape_in_place(const Tensor& self, const Formula<Tensor()>& compute) = delete;
Tensor reshape_in_place(const Tensor& self, Formula<Tensor()>&& compute);
// Whether elements of `t` share memory, as those of an expanded tensor do.
bool overlaps_itself(const Tensor& t);
// Throws PyTorch's text when `self` may not be written in place.
void check_in_place(const Tensor& self, Overlap overlap = Overlap::kRefused);
// Throws PyTorch's text when writing `self` would change `read` under the operator's hands: they share some
// of their memory. `same_allowed`: unless they are the very same elements.
void check_apart(const Tensor& self, const Tensor& read, bool same_allowed);

// While an in-place operator computes: tells element-wise kernels that they may write straight into `self`,
// and keeps the values of `self` that formulas save.
class InPlaceScope {
 public:
  explicit InPlaceScope(const Tensor& self);
  ~InPlaceScope();
  InPlaceScope(const InPlaceScope&) = delete;
  Tensor self;
  std::vector<Ref<TensorImpl>> kept;          // aliases of the old self that formulas saved
  std::vector<Ref<TensorImpl>> kept_outputs;  // aliases of results that formulas saved
  bool direct = false;                        // the first element-wise kernel may write into `self`
  InPlaceScope* previous;
};

// A view of `base` with new geometry: shares storage and version counter, remembers its base. Has no history
// yet: the view operator adds it with differentiable().
Tensor make_view(const Tensor& base, const Dims& sizes, const Dims& strides, int64_t offset,
                 ViewKind kind = ViewKind::kDefault);

}  // namespace sconce
