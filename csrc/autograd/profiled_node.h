// The ranges of a backward pass, see Note [Profiler] in core/profiler.h.
#pragma once
#include "../core/profiler.h"
#include "graph.h"

namespace sconce {

ProfileRecorder::Token begin_profiled_node(const Node& node, ProfileKind kind, const TensorList* grads);

// While the engine works for a node (kEvaluate), or the node for itself (kNode, which notes the gradients'
// shapes).
inline ProfileRecorder::Token profiled_node(const Node& node, ProfileKind kind,
                                            const TensorList* grads = nullptr) {
  return profiling() ? begin_profiled_node(node, kind, grads) : ProfileRecorder::Token{};
}

}  // namespace sconce
