// Devices and the backends that serve them.
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "../backend.h"

namespace sconce {

enum class DeviceType : int8_t { kCPU = 0, kCUDA = 1, kFake = 2 };

struct Device {
  DeviceType type = DeviceType::kCPU;
  int8_t index = 0;
  bool is_cpu() const { return type == DeviceType::kCPU; }
  friend bool operator==(Device a, Device b) { return a.type == b.type && a.index == b.index; }
  friend bool operator!=(Device a, Device b) { return !(a == b); }
};

Device parse_device(
    const std::string& text);       // "cpu", "cuda", "cuda:1", "fake"; PyTorch's error for the rest
std::string device_name(Device d);  // "cpu", "cuda:0"

ScBackend& cpu_backend_mutable();  // CPU kernels add themselves here, see SC_CPU_KERNEL
extern const ScBackend* const g_cpu_backend;
// The backend of a device; opens it on first use. Throws the reason why it is not there.
const ScBackend& open_backend(Device d);
inline const ScBackend& backend_of(Device d) { return d.is_cpu() ? *g_cpu_backend : open_backend(d); }
// Null when usable; otherwise the sentence that says why a CUDA device cannot be used.
const char* cuda_unavailable_reason();
int cuda_device_count();
// The CUDA devices that this thread has used, a bit each; and waits for all that was begun on some.
uint64_t used_devices();
void synchronize_devices(uint64_t devices);
// Turns a kernel's status into an exception that names the operator.
void check_kernel(int32_t status, Device d, const char* op);
// Runs a kernel that a backend may lack.
template <class... P, class... A>
void run_kernel(int32_t (*kernel)(P...), Device d, const char* op, A&&... args) {
  check_kernel(kernel ? kernel(std::forward<A>(args)...) : SC_UNSUPPORTED, d, op);
}

// Puts a kernel into the CPU backend from the file that defines it:  SC_CPU_KERNEL(reduce.reduce,
// reduce_kernel);
#define SC_CPU_KERNEL_CAT2(a, b) a##b
#define SC_CPU_KERNEL_CAT(a, b) SC_CPU_KERNEL_CAT2(a, b)
#define SC_CPU_KERNEL(member, fn)                                         \
  static const bool SC_CPU_KERNEL_CAT(sc_registered_, __COUNTER__) = [] { \
    ::sconce::cpu_backend_mutable().member = fn;                          \
    return true;                                                          \
  }()

}  // namespace sconce
