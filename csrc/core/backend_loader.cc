#include "backend_loader.h"

#include <dlfcn.h>

#include "device.h"
#include "error.h"

namespace sconce {

std::string library_folder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&library_folder), &info) || !info.dli_fname) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

LoadedBackend load_backend(const char* driver, const std::string& plugin) {
  // The driver first: without it the plug-in could only say that its own libraries cannot be used.
  if (!dlopen(driver, RTLD_NOW | RTLD_GLOBAL)) {
    LoadedBackend loaded;
    loaded.reason = str("no NVIDIA driver: ", dlerror());
    return loaded;
  }
  return load_backend(plugin);
}

LoadedBackend load_backend(const std::string& plugin) {
  LoadedBackend loaded;
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    loaded.reason = str("CUDA plug-in not loaded: ", dlerror());
    return loaded;
  }
  const auto init = reinterpret_cast<ScBackendInit>(dlsym(library, "sconce_backend_init"));
  if (!init) {
    loaded.reason = str("CUDA plug-in not usable: ", plugin, " exports no sconce_backend_init");
    return loaded;
  }
  static const ScHost host = {SC_BACKEND_ABI, g_cpu_backend};
  const char* why = nullptr;
  const ScBackend* backend = init(&host, &why);
  if (!backend) {
    loaded.reason = str("no usable CUDA device: ", why ? why : "unknown reason");
    return loaded;
  }
  if (backend->abi != SC_BACKEND_ABI) {
    loaded.reason =
        str("CUDA plug-in not usable: it has ABI ", backend->abi, ", this build needs ", SC_BACKEND_ABI);
    return loaded;
  }
  const int32_t count = backend->memory.device_count();
  if (count <= 0) {
    loaded.reason = "no usable CUDA device: the driver reports none";
    return loaded;
  }
  loaded.backend = backend;
  loaded.device_count = count;
  return loaded;
}

}  // namespace sconce
