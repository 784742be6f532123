// The kernel seam: everything that touches tensor bytes goes through one struct of function pointers.
//
// Plain C, versioned, so that a device backend can live in its own shared library (cuda/) that is opened at
// run time. The CPU backend (csrc/cpu) is linked in; the fake device used by tests wraps the CPU one.
// Each kernel family has its own header under backend/ with its argument structs and operation codes; this
// file joins them. A null entry means that the backend has no such kernel: the operator then either falls
// back to a composition of other kernels or throws "not implemented for DEVICE".
//
// Every kernel returns 0 on success; otherwise 1 ("unsupported here": the caller falls back) or 2 (an error,
// whose text last_error() returns). Kernels never throw across the seam, keep no pointer to their arguments
// and may be asynchronous on a device.
#pragma once

#include "backend/attention.h"
#include "backend/conv.h"
#include "backend/elementwise.h"
#include "backend/index.h"
#include "backend/matmul.h"
#include "backend/memory.h"
#include "backend/norm.h"
#include "backend/optim.h"
#include "backend/pool.h"
#include "backend/random.h"
#include "backend/reduce.h"
#include "backend/rnn.h"
#include "backend/scan.h"
#include "backend/softmax.h"
#include "backend/sort.h"

// Raised when a struct of arguments changes; a family that grows changes the size of ScBackend, which counts
// too.
#define SC_BACKEND_VERSION 3
#define SC_BACKEND_ABI ((int32_t)(SC_BACKEND_VERSION * 100000 + sizeof(ScBackend)))

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ScBackend {
  int32_t abi;
  const char* name;  // "cpu", "cuda", "fake"
  const char* (*last_error)(void);
  ScMemoryKernels memory;
  ScElementwiseKernels elementwise;
  ScReduceKernels reduce;
  ScScanKernels scan;
  ScSoftmaxKernels softmax;
  ScMatmulKernels matmul;
  ScConvKernels conv;
  ScPoolKernels pool;
  ScNormKernels norm;
  ScIndexKernels index;
  ScSortKernels sort;
  ScRandomKernels random;
  ScAttentionKernels attention;
  ScRnnKernels rnn;
  ScOptimKernels optim;
} ScBackend;

// What a device backend may ask of its host.
typedef struct ScHost {
  int32_t abi;
  const ScBackend* cpu;
} ScHost;

// The one function that a backend library exports, as "sconce_backend_init". Returns null and fills *why when
// it cannot serve.
typedef const ScBackend* (*ScBackendInit)(const ScHost* host, const char** why);

#ifdef __cplusplus
}
#endif
