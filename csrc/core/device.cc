#include "device.h"

#include <dlfcn.h>

#include <mutex>

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
  if (type == "cpu") d.type = DeviceType::kCPU;
  else if (type == "cuda") d.type = DeviceType::kCUDA;
  else if (type == "fake") d.type = DeviceType::kFake;
  else
    throw_error(ErrorKind::kRuntime,
                str("Expected one of cpu, cuda device type at start of device string: ", type));
  if (colon != std::string::npos) {
    const std::string number = text.substr(colon + 1);
    SC_CHECK(!number.empty() && number.size() < 3 && number.find_first_not_of("0123456789") == std::string::npos &&
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

namespace {
struct CudaState {
  const ScBackend* backend = nullptr;
  std::string reason;
  int count = 0;
};

// Opens libsconce_cuda.so from the folder this library was loaded from. Every way to fail leaves a sentence.
CudaState open_cuda() {
  CudaState s;
  if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL)) {
    s.reason = str("no NVIDIA driver: ", dlerror());
    return s;
  }
  Dl_info info;
  std::string folder = ".";
  if (dladdr(reinterpret_cast<void*>(&parse_device), &info) && info.dli_fname) {
    const std::string path = info.dli_fname;
    folder = path.substr(0, path.rfind('/'));
  }
  void* lib = dlopen((folder + "/libsconce_cuda.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    s.reason = str("CUDA plug-in not loaded: ", dlerror());
    return s;
  }
  auto init = reinterpret_cast<ScBackendInit>(dlsym(lib, "sconce_backend_init"));
  if (!init) {
    s.reason = "CUDA plug-in not usable: it exports no sconce_backend_init";
    return s;
  }
  static const ScHost host = {SC_BACKEND_ABI, g_cpu_backend};
  const char* why = nullptr;
  const ScBackend* b = init(&host, &why);
  if (!b) {
    s.reason = str("no usable CUDA device: ", why ? why : "unknown reason");
    return s;
  }
  if (b->abi != SC_BACKEND_ABI) {
    s.reason = str("CUDA plug-in not usable: it has ABI ", b->abi, ", this build needs ", SC_BACKEND_ABI);
    return s;
  }
  s.count = b->memory.device_count();
  if (s.count <= 0) {
    s.reason = "no usable CUDA device: the driver reports none";
    return s;
  }
  s.backend = b;
  return s;
}

const CudaState& cuda() {
  static const CudaState* state = new CudaState(open_cuda());
  return *state;
}
}  // namespace

const char* cuda_unavailable_reason() { return cuda().backend ? nullptr : cuda().reason.c_str(); }
int cuda_device_count() { return cuda().backend ? cuda().count : 0; }

const ScBackend& open_backend(Device d) {
  if (d.is_cpu()) return *g_cpu_backend;
  if (d.type == DeviceType::kFake) return fake_backend();
  const CudaState& s = cuda();
  SC_CHECK(s.backend, "CUDA is not available: ", s.reason);
  SC_CHECK(d.index < s.count, "CUDA error: invalid device ordinal (device ", static_cast<int>(d.index), ", but there are ", s.count, ")");
  return *s.backend;
}

void check_kernel(int32_t status, Device d, const char* op) {
  if (__builtin_expect(status == SC_OK, 1)) return;
  if (status == SC_UNSUPPORTED)
    throw_error(ErrorKind::kRuntime, str("\"", op, "\" not implemented for this input on ", device_name(d)));
  throw_error(ErrorKind::kRuntime, str(op, ": ", backend_of(d).last_error()));
}

}  // namespace sconce
