// The plug-in's door: one exported function that returns the backend, or says why there is none.
#include <string>

#include "kernels.cuh"
#include "memory.cuh"

namespace sconce {
namespace cuda {
namespace {

__global__ void probe_kernel() {}

// The first use of the runtime: finds a driver that is too old, no device, or a device this build has no code
// for.
const char* probe() {
  int count = 0;
  cudaError_t e = cudaGetDeviceCount(&count);
  cudaFuncAttributes attributes;
  if (e == cudaSuccess && count > 0) e = cudaFuncGetAttributes(&attributes, probe_kernel);
  return e == cudaSuccess ? nullptr : cudaGetErrorString(e);
}

}  // namespace
}  // namespace cuda
}  // namespace sconce

extern "C" __attribute__((visibility("default"))) const ScBackend* sconce_backend_init(const ScHost* host,
                                                                                       const char** why) {
  using namespace sconce::cuda;
  static std::string reason;
  if (host->abi != SC_BACKEND_ABI) {
    reason =
        "the plug-in has ABI " + std::to_string(SC_BACKEND_ABI) + ", its host " + std::to_string(host->abi);
    *why = reason.c_str();
    return nullptr;
  }
  if ((*why = probe()) != nullptr) return nullptr;
  static ScBackend backend = [] {
    ScBackend b{};
    b.abi = SC_BACKEND_ABI;
    b.name = "cuda";
    b.last_error = last_error;
    b.memory = memory_kernels();
    add_kernels(&b);
    return b;
  }();
  return &backend;
}
