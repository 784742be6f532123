// The device runtime that kernels' launchers use: the thread's stream, errors, scratch memory, small reads
// back. Under a plain C++ compiler (see Note [Host-run kernels]) the "device" is the host.
#pragma once
#include <stdint.h>
#include <string.h>

#include "backend.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include <stdlib.h>
#endif

namespace sconce {
namespace cuda {

// Remembers an error text for last_error() of the calling thread, and returns SC_ERROR.
int32_t fail(const char* text);

#ifdef __CUDACC__
cudaStream_t current_stream();
int current_device();
int32_t check(cudaError_t e);
void* device_allocate(size_t bytes);  // on the current device and stream; null when out of memory
void device_release(void* p);
int32_t read_back(void* host, const void* device, size_t bytes);  // waits for the stream
int32_t write_to(void* device, const void* host, size_t bytes);   // returns when `host` may be reused
int32_t clear_bytes(void* device, size_t bytes);
#else
inline void* device_allocate(size_t bytes) { return malloc(bytes ? bytes : 1); }
inline void device_release(void* p) { free(p); }
inline int32_t read_back(void* host, const void* device, size_t bytes) {
  memcpy(host, device, bytes);
  return SC_OK;
}
inline int32_t write_to(void* device, const void* host, size_t bytes) {
  memcpy(device, host, bytes);
  return SC_OK;
}
inline int32_t clear_bytes(void* device, size_t bytes) {
  memset(device, 0, bytes);
  return SC_OK;
}
#endif

// Device memory for the duration of a call. The stream orders its reuse, so it may go before the kernels have
// run.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t n) : p_(static_cast<T*>(device_allocate(static_cast<size_t>(n) * sizeof(T)))) {}
  ~Scratch() {
    if (p_) device_release(p_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  T* p_;
};

}  // namespace cuda
}  // namespace sconce
