// The memory family's entries and the thread's last error; see memory.cu.
#pragma once
#include "runtime.cuh"

namespace sconce {
namespace cuda {

ScMemoryKernels memory_kernels();
const char* last_error();

}  // namespace cuda
}  // namespace sconce
