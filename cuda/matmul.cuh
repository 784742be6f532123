// Matrix products, for other families too.
#pragma once
#include "elementwise.cuh"

namespace sconce {
namespace cuda {

// Through cuBLAS. SC_UNSUPPORTED: not there, or not a layout it takes. Leaves the bias to the caller.
int32_t blas_matmul(const ScMatmul* args);
int32_t matmul(const ScMatmul* args);

}  // namespace cuda
}  // namespace sconce
