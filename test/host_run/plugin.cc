// The CUDA kernels compiled for the host, as a backend library: see Note [Host-run kernels] in
// cuda/launch.cuh.
#include <string>

#include "cuda/kernels.cuh"
#include "cuda/runtime.cuh"

namespace sconce {
namespace cuda {
namespace {
thread_local std::string t_error;
}
int32_t fail(const char* text) {
  t_error = text;
  return SC_ERROR;
}
}  // namespace cuda
}  // namespace sconce

extern "C" __attribute__((visibility("default"))) const ScBackend* sconce_backend_init(const ScHost* host,
                                                                                       const char**) {
  using namespace sconce::cuda;
  static ScBackend backend = [&] {
    ScBackend b{};
    b.abi = SC_BACKEND_ABI;
    b.name = "host run";
    b.last_error = [] { return t_error.c_str(); };
    b.memory = host->cpu->memory;
    add_kernels(&b);
    return b;
  }();
  return &backend;
}
