// Opens a device backend from its own shared library.
#pragma once
#include <string>

#include "../backend.h"

namespace sconce {

struct LoadedBackend {
  const ScBackend* backend = nullptr;  // null: `reason` says why
  int device_count = 0;
  std::string reason;
};

// `driver` is the library that the system's device driver brings, `plugin` the path of the backend. Every way
// to fail leaves a sentence.
LoadedBackend load_backend(const char* driver, const std::string& plugin);

// The same for a backend that needs no driver: test devices.
LoadedBackend load_backend(const std::string& plugin);

// The folder that this library was loaded from.
std::string library_folder();

}  // namespace sconce
