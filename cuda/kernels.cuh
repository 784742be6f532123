// The kernel families of this backend. A family that is not here stays null: the operator layer then falls
// back to other kernels or says that it is not implemented.
#pragma once
#include "backend.h"

namespace sconce {
namespace cuda {

ScElementwiseKernels elementwise_kernels();
ScReduceKernels reduce_kernels();
ScMatmulKernels matmul_kernels();
ScConvKernels conv_kernels();
ScPoolKernels pool_kernels();
ScNormKernels norm_kernels();
ScSoftmaxKernels softmax_kernels();
ScScanKernels scan_kernels();
ScRnnKernels rnn_kernels();
ScIndexKernels index_kernels();
ScSortKernels sort_kernels();
ScRandomKernels random_kernels();
ScOptimKernels optim_kernels();

inline void add_kernels(ScBackend* b) {
  b->elementwise = elementwise_kernels();
  b->reduce = reduce_kernels();
  b->matmul = matmul_kernels();
  b->conv = conv_kernels();
  b->pool = pool_kernels();
  b->softmax = softmax_kernels();
  b->norm = norm_kernels();
  b->scan = scan_kernels();
  b->rnn = rnn_kernels();
  b->index = index_kernels();
  b->sort = sort_kernels();
  b->random = random_kernels();
  b->optim = optim_kernels();
}

}  // namespace cuda
}  // namespace sconce
