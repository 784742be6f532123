// Tensors that JavaScript saved for backward.
#pragma once
#include <memory>
#include <vector>

#include "../csrc/autograd/saved_tensor.h"
#include "env.h"

namespace sconce::binding {

// What a node saved, or a checkpoint its inputs. JavaScript reads it, but what is native alone keeps it: a
// chain of dropped nodes goes at once and not one link per garbage collection.
struct SavedList {
  Node* node;  // null once it is gone, and for what belongs to no node
  std::vector<SavedTensor> tensors;
  bool freed = false;
  explicit SavedList(Node* n) : node(n) {}
};

// The list of a handle; null for null, and when nothing native keeps it any more.
std::shared_ptr<SavedList> saved_list(napi_env env, napi_value handle);

}  // namespace sconce::binding
