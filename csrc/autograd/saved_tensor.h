// Tensors kept for the backward pass.
#pragma once
#include <functional>
#include <vector>

#include "graph.h"

namespace sconce {

class DifferentiableBuilder;
class PackedTensor;

// A tensor kept for the backward pass, with the version it had. Calling it gives the tensor back, or throws
// when it was written in place since or was freed by an earlier backward.
class SavedTensor {
 public:
  SavedTensor() = default;
  Tensor operator()() const;
  bool has_value() const { return impl_ || packed_; }
  void end_of_use() const;  // of what a hook unpacked: the next use unpacks anew

 private:
  friend SavedTensor saved(const Tensor& t);
  friend SavedTensor saved_by_function(const Tensor& t, int output);
  static SavedTensor keep(const Tensor& t, bool is_output, uint16_t output_nr);
  Ref<TensorImpl> impl_;
  Ref<PackedTensor> packed_;  // instead of impl_ while there are hooks
  uint32_t version_ = 0;
  uint16_t output_nr_ = 0;
  uint8_t hidden_from_ = 0;  // 1 + the level whose tangent was being computed; 0: none was
  bool is_output_ = false;
};
SavedTensor saved(const Tensor& t);
std::vector<SavedTensor> saved(const TensorList& ts);
// For a custom function, whose node exists already: `output` says which of its outputs `t` is, or -1.
SavedTensor saved_by_function(const Tensor& t, int output);

// ---- hooks on saving ----

using Unpack = std::function<Tensor()>;  // gives back what was packed
// What `torch.autograd.graph.saved_tensors_hooks` installs: takes a tensor that is being saved.
class PackHook {
 public:
  virtual ~PackHook() = default;
  virtual Unpack operator()(const Tensor& t) const = 0;
  virtual void before_write(const Tensor&) const {}  // the tensor is about to be written in place
};

// A saved tensor in the keeping of a pack hook. Several formulas of a node that save the same tensor share
// one.
//
// Note [When tensors are packed]
// An operator states all its formulas and calls saved() for each, but a formula is kept only if its input
// needs a gradient. A hook must see only what is really kept; so saved() makes a PackedTensor that waits, and
// the builder packs those of a formula it keeps and forgets the others.
class PackedTensor final : public RefCounted {
 public:
  SC_POOLED
  PackedTensor(const Tensor& t, bool is_output, uint16_t output_nr);
  static void destroy(PackedTensor* p) { delete p; }
  bool is_of(const Tensor& t) const { return identity_ == t.impl(); }
  void pack(const PackHook& hook);
  Tensor unpack();
  void end_of_use() { unpacked_.reset(); }  // the node has run: the next pass unpacks anew

 private:
  Tensor original_;             // until it is packed
  const TensorImpl* identity_;  // of the original, compared only while the operator that saves it runs
  Unpack unpack_;
  Tensor unpacked_;  // while the node runs: every formula sees the result of one unpacking
  Ref<Node> grad_fn_;
  uint32_t output_nr_;
  bool is_output_, is_leaf_, requires_grad_;
};

// Packs what `builder`'s current formula saved, into the keeping of its node; or forgets it.
void pack_pending(const DifferentiableBuilder* builder, std::vector<Ref<PackedTensor>>& kept);
void forget_pending(const DifferentiableBuilder* builder);

// While JavaScript runs in the midst of an operator: what that operator is doing is no business of others.
class OperatorSuspended {
 public:
  OperatorSuspended();
  ~OperatorSuspended();
  OperatorSuspended(const OperatorSuspended&) = delete;

 private:
  const DifferentiableBuilder* builder_;
  InPlaceScope* in_place_;
};

// The tensors that an operator's node keeps for its backward, each once: found by running its formulas on
// zeros, for formulas are closures. Empty for other nodes. Throws as a backward would when they are freed or
// were modified.
TensorList saved_tensors_of(Node& node);

extern const char* const kFreedText;  // PyTorch's words for a second pass through a freed graph

}  // namespace sconce
