// Convolution of float32 images that have few channels, vectorised along the rows.
#pragma once
#include "backend.h"

namespace sconce {
// Both answer SC_UNSUPPORTED for what other kernels do better.
int32_t conv_rows_forward(const ScConv& c);
int32_t conv_rows_backward_weights(const ScConv& c);
}  // namespace sconce
