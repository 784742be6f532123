// Hooks on tensors, and what a hook may give back.
#include "../ops/ops.h"
#include "graph.h"

namespace sconce {

// The place in a list by output number.
template <class T>
static T& at_output(std::vector<T>& list, uint32_t nr) {
  if (list.size() <= nr) list.resize(nr + 1);
  return list[nr];
}

HookHandle register_hook(const Tensor& t, GradHook hook) {
  SC_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  if (const Ref<Node> fn = t.grad_fn())
    return at_output(fn->extra().on_output, t.output_nr()).add(std::move(hook));
  return t.autograd_meta().leaf_hooks.add(std::move(hook));
}

void retain_grad(const Tensor& t) {
  SC_CHECK(t.requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
  const Ref<Node> fn = t.grad_fn();
  AutogradMeta& m = t.autograd_meta();
  if (!fn || m.retains_grad) return;  // a leaf keeps its gradient anyway
  m.retains_grad = true;
  m.retained = std::make_shared<Tensor>(std::move(m.grad));
  at_output(fn->extra().retain, t.output_nr()) = m.retained;
}

void move_retained_grad(const AutogradMeta& m, const Ref<Node>& to, uint32_t output_nr) {
  if (m.grad_fn) {
    auto& from = m.grad_fn->extra().retain;
    if (m.output_nr < from.size() && from[m.output_nr].lock() == m.retained) from[m.output_nr].reset();
  }
  if (to) at_output(to->extra().retain, output_nr) = m.retained;
}

static std::string type_of(const Tensor& t) {
  return str("torch.", t.device().is_cpu() ? "" : "cuda.", scalar_type_name(t.dtype()), "Tensor");
}

void check_hook_result(const Tensor& original, const Tensor& result, const std::string& name) {
  if (!result) return;
  SC_CHECK(original, "can't replace a None gradient with a non-None value");
  SC_CHECK(original.dtype() == result.dtype() && original.device() == result.device(), "hook '", name,
           "' has changed the type of value (was ", type_of(original), " got ", type_of(result), ")");
  SC_CHECK(original.sizes() == result.sizes(), "hook '", name, "' has changed the size of value");
}

void check_hook_results(const TensorList& original, const TensorList& results, const std::string& name) {
  SC_CHECK(original.size() == results.size(), "hook '", name,
           "' has returned an incorrect number of values (got ", results.size(), ", but expected ",
           original.size(), ")");
  for (size_t i = 0; i < original.size(); ++i) check_hook_result(original[i], results[i], name);
}

}  // namespace sconce
