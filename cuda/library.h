// NVIDIA's libraries, opened by name at run time when they are there.
#pragma once
#include <dlfcn.h>
#include <stdlib.h>

#include <string>
#include <vector>

namespace sconce {
namespace cuda {

// Tries the names as the loader finds them, then in the toolkit's folders. The environment variable may hold
// a path, or "off". Null when there is none.
inline void* open_library(const char* variable, const std::vector<std::string>& names) {
  if (const char* path = getenv(variable)) {
    if (*path) return std::string(path) == "off" ? nullptr : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  }
  std::vector<std::string> folders = {""};
  for (const char* home : {getenv("CUDA_HOME"), getenv("CUDA_PATH")})
    if (home && *home) folders.push_back(std::string(home) + "/lib64/");
  folders.push_back("/usr/local/cuda/lib64/");
  for (const std::string& folder : folders)
    for (const std::string& name : names)
      if (void* library = dlopen((folder + name).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

template <class F>
bool find_symbol(void* library, const char* name, F** to) {
  *to = reinterpret_cast<F*>(dlsym(library, name));
  return *to != nullptr;
}

}  // namespace cuda
}  // namespace sconce
