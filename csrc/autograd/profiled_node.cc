#include "profiled_node.h"

namespace sconce {

ProfileRecorder::Token begin_profiled_node(const Node& node, ProfileKind kind, const TensorList* grads) {
  ProfileRecorder& r = *profiler();
  const std::string name = node.name();
  int32_t shapes = -1;
  if (grads && r.records_shapes() && !r.full()) {
    shapes = r.begin_arguments(grads->size());
    for (const Tensor& g : *grads) r.argument(g);
  }
  const auto token = r.begin(
      kind, r.name(kind == ProfileKind::kEvaluate ? "autograd::engine::evaluate_function: " + name : name));
  if (ProfileEvent* e = r.find(token)) {
    e->shapes = shapes;
    if (node.sequence_nr != UINT64_MAX) e->sequence = static_cast<int64_t>(node.sequence_nr);
  }
  return token;
}

}  // namespace sconce
