// A backend library that fails, or serves, in the way that PLUGIN names; the loader's tests open it.
#include "backend.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define PLUGIN_EMPTY 0  // also stands for a driver
#define PLUGIN_REFUSES 1
#define PLUGIN_OTHER_ABI 2
#define PLUGIN_NO_DEVICE 3
#define PLUGIN_SERVES 4

#if PLUGIN == PLUGIN_EMPTY
EXPORT int sconce_test_driver() { return 0; }
#else
EXPORT const ScBackend* sconce_backend_init(const ScHost* host, const char** why) {
#if PLUGIN == PLUGIN_REFUSES
  (void)host;
  *why = "CUDA driver version is insufficient for CUDA runtime version";
  return nullptr;
#else
  static ScBackend backend = *host->cpu;
  backend.name = "plugin";
  (void)why;
#if PLUGIN == PLUGIN_OTHER_ABI
  backend.abi = host->abi + 1;
#elif PLUGIN == PLUGIN_NO_DEVICE
  backend.memory.device_count = [] { return static_cast<int32_t>(0); };
#else
  backend.memory.device_count = [] { return static_cast<int32_t>(3); };
#endif
  return &backend;
#endif
}
#endif
