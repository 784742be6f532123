// The graph's sink at a leaf: adds what arrives to the leaf's `.grad`.
#pragma once
#include "graph.h"

namespace sconce {

class AccumulateGrad final : public Node {
 public:
  explicit AccumulateGrad(const Tensor& variable);
  ~AccumulateGrad() override;
  TensorList apply(TensorList&& grads, const std::vector<bool>& needed) override;
  bool runs_without_grads() const override { return true; }
  Tensor variable() const override { return variable_; }
  const HookList<GradHook>* leaf_hooks() const override;

 private:
  Tensor variable_;
};

// variable.grad += g, as PyTorch lays it out: takes `g` over when nobody else holds it.
void accumulate_grad(const Tensor& variable, Tensor&& g);

}  // namespace sconce
