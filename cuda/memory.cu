// Devices, streams, memory and transfers.
#include "memory.cuh"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "allocator.h"

namespace sconce {
namespace cuda {
namespace {

thread_local std::string t_error;
thread_local int t_device = 0;

struct Driver {
  int device;
  void* allocate(size_t bytes) const {
    void* p = nullptr;
    if (cudaMalloc(&p, bytes) == cudaSuccess) return p;
    cudaGetLastError();  // out of memory is no lasting error: forget it
    return nullptr;
  }
  void release(void* p) const { cudaFree(p); }
  void wait() const { cudaDeviceSynchronize(); }
};

struct DeviceState {
  explicit DeviceState(int index) : allocator(Driver{index}) {
    cudaDeviceProp prop;
    name = cudaGetDeviceProperties(&prop, index) == cudaSuccess ? prop.name : "unknown device";
  }
  CachingAllocator<Driver, cudaStream_t> allocator;
  std::string name;
  std::mutex mutex;
  std::vector<cudaStream_t>
      idle_streams;  // of threads that ended; never destroyed, their cached blocks stay usable
};

// Never destroyed: storages may outlive static destructors, and so may the driver's own end.
std::vector<std::unique_ptr<DeviceState>>& devices() {
  static auto* all = [] {
    auto* v = new std::vector<std::unique_ptr<DeviceState>>;
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) count = 0;
    for (int i = 0; i < count; ++i) v->push_back(std::make_unique<DeviceState>(i));
    return v;
  }();
  return *all;
}

// ---- streams: one per thread and device ----

struct ThreadStreams {
  std::vector<cudaStream_t> of;
  ~ThreadStreams() {
    for (size_t i = 0; i < of.size(); ++i) {
      if (!of[i]) continue;
      DeviceState& d = *devices()[i];
      std::lock_guard<std::mutex> lock(d.mutex);
      d.idle_streams.push_back(of[i]);
    }
  }
};

cudaStream_t stream_of(int device) {
  static thread_local ThreadStreams streams;
  if (streams.of.size() <= static_cast<size_t>(device)) streams.of.resize(devices().size(), nullptr);
  cudaStream_t& s = streams.of[device];
  if (!s) {
    DeviceState& d = *devices()[device];
    std::lock_guard<std::mutex> lock(d.mutex);
    if (!d.idle_streams.empty()) {
      s = d.idle_streams.back();
      d.idle_streams.pop_back();
    } else if (cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) != cudaSuccess) {
      s = cudaStreamPerThread;
    }
  }
  return s;
}

// Runs a block with another device current.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) : before_(t_device) {
    if (device != before_) set(device);
  }
  ~DeviceGuard() {
    if (t_device != before_) set(before_);
  }
  DeviceGuard(const DeviceGuard&) = delete;

 private:
  static void set(int device) {
    cudaSetDevice(device);
    t_device = device;
  }
  int before_;
};

// ---- pinned staging: pageable memory is copied through two pinned halves, one filling while the other
// travels ----

class Staging {
 public:
  static constexpr size_t kHalf = size_t{1} << 20;
  ~Staging() {
    for (int i = 0; i < 2; ++i) {
      if (buffer_[i]) cudaFreeHost(buffer_[i]);
      if (done_[i]) cudaEventDestroy(done_[i]);
    }
  }
  cudaError_t to_device(char* dst, const char* src, size_t bytes, cudaStream_t stream) {
    for (int half = 0; bytes > 0; half ^= 1) {
      cudaError_t e = prepare(half);
      if (e != cudaSuccess) return e;
      const size_t n = bytes < kHalf ? bytes : kHalf;
      memcpy(buffer_[half], src, n);
      e = cudaMemcpyAsync(dst, buffer_[half], n, cudaMemcpyHostToDevice, stream);
      if (e == cudaSuccess) e = cudaEventRecord(done_[half], stream);
      if (e != cudaSuccess) return e;
      dst += n;
      src += n;
      bytes -= n;
    }
    return cudaSuccess;
  }
  cudaError_t to_host(char* dst, const char* src, size_t bytes, cudaStream_t stream) {
    size_t pending[2] = {0, 0};
    char* to[2] = {nullptr, nullptr};
    auto drain = [&](int half) {
      if (!pending[half]) return cudaSuccess;
      const cudaError_t e = cudaEventSynchronize(done_[half]);
      if (e == cudaSuccess) memcpy(to[half], buffer_[half], pending[half]);
      pending[half] = 0;
      return e;
    };
    int half = 0;
    for (; bytes > 0; half ^= 1) {
      cudaError_t e = drain(half);
      if (e == cudaSuccess) e = prepare(half);
      if (e != cudaSuccess) return e;
      const size_t n = bytes < kHalf ? bytes : kHalf;
      e = cudaMemcpyAsync(buffer_[half], src, n, cudaMemcpyDeviceToHost, stream);
      if (e == cudaSuccess) e = cudaEventRecord(done_[half], stream);
      if (e != cudaSuccess) return e;
      pending[half] = n;
      to[half] = dst;
      dst += n;
      src += n;
      bytes -= n;
    }
    cudaError_t e = drain(half);
    return e == cudaSuccess ? drain(half ^ 1) : e;
  }

 private:
  cudaError_t prepare(int half) {  // waits until the half's last copy is done
    if (!buffer_[half]) {
      cudaError_t e = cudaMallocHost(&buffer_[half], kHalf);
      if (e == cudaSuccess) e = cudaEventCreateWithFlags(&done_[half], cudaEventDisableTiming);
      return e;
    }
    return cudaEventSynchronize(done_[half]);
  }
  void* buffer_[2] = {nullptr, nullptr};
  cudaEvent_t done_[2] = {nullptr, nullptr};
};

Staging& staging(int device) {
  static thread_local std::vector<std::unique_ptr<Staging>> of;
  if (of.size() <= static_cast<size_t>(device)) of.resize(devices().size());
  if (!of[device]) of[device] = std::make_unique<Staging>();
  return *of[device];
}

// ---- the kernel seam's entries ----

int32_t device_count() { return static_cast<int32_t>(devices().size()); }
const char* device_name(int32_t device) { return devices()[device]->name.c_str(); }

void* allocate(int32_t device, size_t bytes) {
  DeviceGuard guard(device);
  return devices()[device]->allocator.allocate(bytes, stream_of(device));
}
void deallocate(int32_t device, void* p, size_t) {
  DeviceGuard guard(device);
  devices()[device]->allocator.release(p);
}

// The other device's stream must not run ahead of the copy, nor the copy ahead of it.
int32_t copy_between(int dst_device, void* dst, int src_device, const void* src, size_t bytes) {
  const cudaStream_t from = stream_of(src_device), to = stream_of(dst_device);
  cudaEvent_t ready = nullptr, copied = nullptr;
  cudaError_t e;
  {
    DeviceGuard guard(dst_device);
    e = cudaEventCreateWithFlags(&ready, cudaEventDisableTiming);
    if (e == cudaSuccess) e = cudaEventRecord(ready, to);
  }
  {
    DeviceGuard guard(src_device);
    if (e == cudaSuccess) e = cudaStreamWaitEvent(from, ready, 0);
    if (e == cudaSuccess) e = cudaMemcpyPeerAsync(dst, dst_device, src, src_device, bytes, from);
    if (e == cudaSuccess) e = cudaEventCreateWithFlags(&copied, cudaEventDisableTiming);
    if (e == cudaSuccess) e = cudaEventRecord(copied, from);
  }
  {
    DeviceGuard guard(dst_device);
    if (e == cudaSuccess) e = cudaStreamWaitEvent(to, copied, 0);
  }
  if (ready) cudaEventDestroy(ready);
  if (copied) cudaEventDestroy(copied);
  return check(e);
}

int32_t transfer(int32_t direction, int32_t dst_device, void* dst, int32_t src_device, const void* src,
                 size_t bytes) {
  if (bytes == 0) return SC_OK;
  if (direction == SC_DEVICE_TO_DEVICE) {
    if (dst_device != src_device) return copy_between(dst_device, dst, src_device, src, bytes);
    DeviceGuard guard(dst_device);
    return check(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, stream_of(dst_device)));
  }
  const int device = direction == SC_HOST_TO_DEVICE ? dst_device : src_device;
  DeviceGuard guard(device);
  Staging& s = staging(device);
  if (direction == SC_HOST_TO_DEVICE)
    return check(
        s.to_device(static_cast<char*>(dst), static_cast<const char*>(src), bytes, stream_of(device)));
  return check(s.to_host(static_cast<char*>(dst), static_cast<const char*>(src), bytes, stream_of(device)));
}

int32_t synchronize(int32_t device) {
  DeviceGuard guard(device);
  return check(cudaDeviceSynchronize());
}
void stats(int32_t device, ScMemoryStats* out) { devices()[device]->allocator.stats(out); }
void reset_peak(int32_t device) { devices()[device]->allocator.reset_peak(); }
void empty_cache(int32_t device) {
  DeviceGuard guard(device);
  devices()[device]->allocator.empty_cache();
}
int32_t set_device(int32_t device) {
  const int32_t status = check(cudaSetDevice(device));
  if (status == SC_OK) t_device = device;
  return status;
}

}  // namespace

// ---- what launchers use (runtime.cuh) ----

const char* last_error() { return t_error.c_str(); }
int32_t fail(const char* text) {
  t_error = text;
  return SC_ERROR;
}
int32_t check(cudaError_t e) {
  if (e == cudaSuccess) return SC_OK;
  cudaGetLastError();
  t_error = std::string("CUDA error: ") + cudaGetErrorString(e);
  return SC_ERROR;
}
int current_device() { return t_device; }
cudaStream_t current_stream() { return stream_of(t_device); }
void* device_allocate(size_t bytes) {
  return devices()[t_device]->allocator.allocate(bytes, stream_of(t_device));
}
void device_release(void* p) { devices()[t_device]->allocator.release(p); }
int32_t read_back(void* host, const void* device, size_t bytes) {
  return check(staging(t_device).to_host(static_cast<char*>(host), static_cast<const char*>(device), bytes,
                                         current_stream()));
}
int32_t write_to(void* device, const void* host, size_t bytes) {
  return check(staging(t_device).to_device(static_cast<char*>(device), static_cast<const char*>(host), bytes,
                                           current_stream()));
}
int32_t clear_bytes(void* device, size_t bytes) {
  return check(cudaMemsetAsync(device, 0, bytes, current_stream()));
}

ScMemoryKernels memory_kernels() {
  ScMemoryKernels k{};
  k.device_count = device_count;
  k.device_name = device_name;
  k.allocate = allocate;
  k.deallocate = deallocate;
  k.transfer = transfer;
  k.synchronize = synchronize;
  k.stats = stats;
  k.reset_peak = reset_peak;
  k.empty_cache = empty_cache;
  k.set_device = set_device;
  return k;
}

}  // namespace cuda
}  // namespace sconce
