// Forward-mode differentiation: a tensor may carry tangents, one per dual level, and operators push them on.
//
// Note [Tangents]
// Inside a dual level an operator keeps the formulas of inputs that carry a tangent, as it does for inputs
// that need a gradient. A formula is linear in the gradient `g` it is given: u -> J^T u. Evaluated once on
// zeros that record, and then differentiated with respect to them, it gives J t. So the one formula beside
// each operator serves reverse mode, forward mode and any nesting of both. Element-wise operators have a
// diagonal J and take the formula itself (DifferentiableBuilder::elementwise).
//
// Levels nest: what a level computes may carry tangents of the levels below it, hence a level's tangent is
// computed with only those visible. A level that was left takes its tangents with it.
//
// A view carries no tangent of its own: it sees its base's through the same window, so a write through either
// shows in both. The dual tensor that make_dual() gives is such a base, although it is a view of the primal.
#pragma once
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../core/tensor.h"
#include "../core/thread_state.h"

namespace sconce {

class FormulaNode;

constexpr int kMaxDualLevels = 64;

// Which tensors carry tangents of which level, so that leaving a level can take them away.
struct ForwardLevels {
  uint64_t open = 0;
  std::unordered_set<TensorImpl*> carriers[kMaxDualLevels];
};

// What a tensor knows of forward mode, kept with the rest of its AutogradMeta.
struct Tangents {
  struct Slot {
    int level;
    Tensor tangent;  // undefined: none, whatever the base carries
  };
  std::vector<Slot> slots;
  Ref<TensorImpl> base;  // where a view of a dual tensor looks; otherwise the view's own base
  bool is_base = false;  // a dual tensor: views of it look here
  ForwardLevels* registry = nullptr;
};

// Opens a level above those visible to this thread, and makes it visible.
int enter_dual_level();
// Takes the tangents of a level away.
void exit_dual_level(int level);
// Only these levels are seen while the guard lives: a bit each.
class VisibleLevels {
 public:
  explicit VisibleLevels(uint64_t levels)
      : before_(thread_state().dual_levels), hidden_(thread_state().hidden_levels) {
    thread_state().dual_levels = levels;
    thread_state().hidden_levels = hidden_ | (before_ & ~levels);
  }
  ~VisibleLevels() {
    thread_state().dual_levels = before_;
    thread_state().hidden_levels = hidden_;
  }
  VisibleLevels(const VisibleLevels&) = delete;

 private:
  uint64_t before_, hidden_;
};

// The tangent at one level; undefined where there is none.
Tensor tangent_of(const Tensor& t, int level);
bool carries_tangent(const Tensor& t);  // at any visible level
void set_tangent(const Tensor& t, int level, const Tensor& tangent);
// `to` sees the tangents that `from` carries now at the visible levels, and looks no further.
void share_tangents(const Tensor& to, const Tensor& from);
// A new view remembers where its tangents are.
void link_tangents(const Tensor& view, const Tensor& of);
void forget_tangents(TensorImpl* dead);

// `t` with the tangents below `level` alone: what a formula of that level's tangent saved, for a later pass
// through it would take the others for its own.
Tensor without_tangents_from(int level, const Tensor& t);

// `t` if it requires a gradient, otherwise a stand-in with its values and tangents that does.
Tensor differentiation_variable(const Tensor& t);

// A view of `primal` that carries `tangent`, and what such a tensor is made of.
Tensor make_dual(const Tensor& primal, const Tensor& tangent, int level);
std::pair<Tensor, Tensor> unpack_dual(const Tensor& dual, int level);

struct DualInput {
  size_t slot;  // of the node's formula
  Tensor tensor;
};
// What an operator with dual inputs hands over: gives its outputs their tangents. `saved` are the aliases
// that formulas keep of outputs, by output number.
struct PushForward {
  std::vector<DualInput> inputs;
  std::vector<std::pair<uint32_t, Tensor>> saved_outputs;
  bool elementwise = false;
  // The operator's own rule, DifferentiableBuilder::jvp.
  struct Rule {
    const void* closure = nullptr;
    Tensor (*call)(const void* closure, const TensorList& tangents) = nullptr;
  } own_rule;
  void run(FormulaNode& node, const Tensor* outputs, int n) const;
};

// a + b + ..., without those that are undefined.
Tensor sum_of_defined(const TensorList& terms);

// `self` is about to be overwritten with `y`, or with what has no tangent (undefined).
void write_tangents(const Tensor& self, const Tensor& y);

}  // namespace sconce
