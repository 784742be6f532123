// Sorting, for other families too.
#pragma once
#include "elementwise.cuh"

namespace sconce {
namespace cuda {

int32_t sort(const ScSort* args);

}  // namespace cuda
}  // namespace sconce
