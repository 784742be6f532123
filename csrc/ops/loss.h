// What every loss does with its element-wise values: PyTorch's `reduction`, with the deprecated
// `size_average` and `reduce`.
#pragma once
#include "ops.h"

namespace sconce::ops {

enum class Reduction { kNone, kMean, kSum };

// Throws "foo is not a valid value for reduction".
Reduction parse_reduction(const std::string& text, const std::optional<bool>& size_average = {},
                          const std::optional<bool>& reduce = {});
// Differentiable when `values` is.
Tensor reduced(const Tensor& values, Reduction r);
// What a gradient of the reduced loss is multiplied by: 1 / n for the mean.
Scalar mean_factor(Reduction r, int64_t n);

}  // namespace sconce::ops
