// Linked in place of oneDNN's kernels where there is no oneDNN: everything is left to the portable ones.
#include "onednn.h"

namespace sconce::onednn {

int32_t matmul(const ScMatmul*) { return SC_UNSUPPORTED; }
int64_t matmul_packed_bytes(const ScMatmul*) { return 0; }
int32_t matmul_pack(const ScMatmul*, void*) { return SC_UNSUPPORTED; }
int32_t conv_forward(const ScConv*) { return SC_UNSUPPORTED; }
int32_t conv_backward_data(const ScConv*) { return SC_UNSUPPORTED; }
int32_t conv_backward_weights(const ScConv*) { return SC_UNSUPPORTED; }

}  // namespace sconce::onednn
