#include "device.h"

#include "backend_loader.h"
#include "error.h"
#include "fake_device.h"
#include "storage.h"

namespace sconce {

ScBackend& cpu_backend_mutable() {
  static ScBackend backend = [] {
    ScBackend b{};
    b.abi = SC_BACKEND_ABI;
    b.name = "cpu";
    b.last_error = [] { return ""; };
    b.memory.device_count = [] { return 1; };
    b.memory.device_name = [](int32_t) { return "cpu"; };
    b.memory.allocate = cpu_allocate;
    b.memory.deallocate = cpu_deallocate;
    b.memory.transfer = [](int32_t, int32_t, void* dst, int32_t, const void* src, size_t n) {
      __builtin_memcpy(dst, src, n);
      return static_cast<int32_t>(SC_OK);
    };
    b.memory.synchronize = [](int32_t) { return static_cast<int32_t>(SC_OK); };
    b.memory.stats = cpu_memory_stats;
    b.memory.reset_peak = cpu_reset_peak;
    b.memory.empty_cache = cpu_empty_cache;
    b.memory.set_device = [](int32_t) { return static_cast<int32_t>(SC_OK); };
    return b;
  }();
  return backend;
}
const ScBackend* const g_cpu_backend = &cpu_backend_mutable();

Device parse_device(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string type = text.substr(0, colon);
  Device d;
  if (type == "cpu")
    d.type = DeviceType::kCPU;
  else if (type == "cuda")
    d.type = DeviceType::kCUDA;
  else if (type == "fake")
    d.type = DeviceType::kFake;
  else
    throw_error(ErrorKind::kRuntime,
                str("Expected one of cpu, cuda device type at start of device string: ", type));
  if (colon != std::string::npos) {
    const std::string number = text.substr(colon + 1);
    SC_CHECK(!number.empty() && number.size() < 3 &&
                 number.find_first_not_of("0123456789") == std::string::npos &&
                 (number.size() == 1 || number[0] != '0'),
             "Invalid device string: '", text, "'");
    d.index = static_cast<int8_t>(std::stoi(number));
  }
  return d;
}

std::string device_name(Device d) {
  if (d.is_cpu()) return "cpu";
  return str(d.type == DeviceType::kCUDA ? "cuda:" : "fake:", static_cast<int>(d.index));
}

static const LoadedBackend& cuda() {
  static const LoadedBackend* loaded =
      new LoadedBackend(load_backend("libcuda.so.1", library_folder() + "/libsconce_cuda.so"));
  return *loaded;
}

const char* cuda_unavailable_reason() { return cuda().backend ? nullptr : cuda().reason.c_str(); }
int cuda_device_count() { return cuda().device_count; }

static thread_local uint64_t t_used = 0;
uint64_t used_devices() { return t_used; }

const ScBackend& open_backend(Device d) {
  if (d.is_cpu()) return *g_cpu_backend;
  const ScBackend* backend;
  int count;
  if (d.type == DeviceType::kFake) {
    backend = &fake_backend();
    count = kFakeDevices;
  } else {
    SC_CHECK(cuda().backend, "CUDA is not available: ", cuda().reason);
    backend = cuda().backend;
    count = cuda().device_count;
  }
  SC_CHECK(d.index < count, "CUDA error: invalid device ordinal (", device_name(d), ", but there ",
           count == 1 ? "is " : "are ", count, ")");
  // Kernels run on the thread's current device, and whoever asks for a backend is about to call one.
  static thread_local Device current = {DeviceType::kCPU, -1};
  if (current != d) {
    if (d.type == DeviceType::kCUDA) t_used |= uint64_t{1} << d.index;
    SC_CHECK(backend->memory.set_device(d.index) == SC_OK, device_name(d), ": ", backend->last_error());
    current = d;
  }
  return *backend;
}

void synchronize_devices(uint64_t devices) {
  for (uint64_t left = devices; left != 0; left &= left - 1) {
    const Device d = {DeviceType::kCUDA, static_cast<int8_t>(__builtin_ctzll(left))};
    check_kernel(backend_of(d).memory.synchronize(d.index), d, "synchronize");
  }
}

void check_kernel(int32_t status, Device d, const char* op) {
  if (__builtin_expect(status == SC_OK, 1)) return;
  if (status == SC_UNSUPPORTED)
    throw_error(ErrorKind::kRuntime, str("\"", op, "\" not implemented for this input on ", device_name(d)));
  // The CPU kernels' texts (which the fake device shares) are PyTorch's own; others say what a library
  // reported.
  const std::string text = backend_of(d).last_error();
  throw_error(ErrorKind::kRuntime, d.type == DeviceType::kCUDA ? str(op, ": ", text) : text);
}

}  // namespace sconce
