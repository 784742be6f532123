// Kernels that oneDNN serves. The portable kernel of a family asks here first and does the work itself when
// the answer is SC_UNSUPPORTED, so which of the two runs is decided per call, in one visible place.
// Without oneDNN absent.cc is linked instead, which serves nothing.
#pragma once
#include "backend.h"

namespace sconce::onednn {

int32_t matmul(const ScMatmul* args);
int64_t matmul_packed_bytes(const ScMatmul* args);
int32_t matmul_pack(const ScMatmul* args, void* packed);
int32_t conv_forward(const ScConv* args);
int32_t conv_backward_data(const ScConv* args);
int32_t conv_backward_weights(const ScConv* args);

}  // namespace sconce::onednn
