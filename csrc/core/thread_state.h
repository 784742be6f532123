// What an operator call looks up about its thread: grad mode and friends, in one thread-local block.
#pragma once
#include <cstdint>

#include "dtype.h"

namespace sconce {

class DifferentiableBuilder;
class InPlaceScope;
class Node;
class PackHook;
struct ForwardLevels;
class BackwardPass;
class Tracer;
struct NodeLink;

struct ThreadState {
  bool grad_enabled = true;
  bool inference_mode = false;
  bool anomaly_mode = false;
  bool anomaly_check_nan = true;
  DType default_dtype = DType::kFloat32;
  // Every saved() adds kOneSaved and the tensor's bytes: tells the builder which formulas hold how much.
  static constexpr uint64_t kOneSaved = uint64_t{1} << 48;
  uint64_t saved_count = 0;
  const DifferentiableBuilder* builder = nullptr;
  InPlaceScope* in_place = nullptr;
  Node* running_node = nullptr;  // the node whose formula is being evaluated
  uint64_t next_sequence_nr = 0;
  NodeLink* nodes = nullptr;            // all nodes that this thread made
  BackwardPass* pass = nullptr;         // the innermost that is running
  Tracer* tracer = nullptr;             // of anomaly mode
  const PackHook* pack_hook = nullptr;  // asked only where a tensor is saved; see saved_tensor.h
  uint64_t dual_levels = 0;             // the visible levels of forward mode, a bit each: Note [Tangents]
  uint64_t hidden_levels = 0;           // those above the level whose tangent is being computed, and itself
  ForwardLevels* dual_registry = nullptr;
  // Whether operators keep their formulas: for a graph, or for tangents.
  bool recording() const { return grad_enabled || dual_levels; }
};

// Initial-exec TLS: one load from the thread pointer instead of a call, on the path of every operator.
extern __thread ThreadState t_state __attribute__((tls_model("initial-exec")));
inline ThreadState& thread_state() { return t_state; }

struct GradModeGuard {
  explicit GradModeGuard(bool enabled) : saved_(thread_state().grad_enabled) {
    thread_state().grad_enabled = enabled;
  }
  ~GradModeGuard() { thread_state().grad_enabled = saved_; }
  GradModeGuard(const GradModeGuard&) = delete;

 private:
  bool saved_;
};
// For an operator that composes others and states the derivative of the whole: they record nothing, and push
// no tangents.
struct NoGradGuard : GradModeGuard {
  NoGradGuard() : GradModeGuard(false), levels_(thread_state().dual_levels) {
    thread_state().dual_levels = 0;
  }
  ~NoGradGuard() { thread_state().dual_levels = levels_; }

 private:
  uint64_t levels_;
};

}  // namespace sconce
