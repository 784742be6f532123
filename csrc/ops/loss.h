// How losses are reduced.
#pragma once
#include <optional>
#include <string>

#include "../core/tensor.h"

namespace sconce::ops {

enum class Reduction { kNone, kMean, kSum };
// The `reduction` argument, or what its two predecessors meant. Throws for an unknown word.
Reduction parse_reduction(const std::string& text, const std::optional<bool>& size_average = {},
                          const std::optional<bool>& reduce = {});
Tensor reduced_raw(const Tensor& loss, Reduction r);  // no autograd
Tensor reduced(const Tensor& loss, Reduction r);

}  // namespace sconce::ops
