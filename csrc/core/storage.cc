#include "storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "error.h"
#include "pool.h"
#include "profiler.h"

// What lies behind a block's end, and blocks that wait to be used again, are nobody's to touch.
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(p, bytes) static_cast<void>(0)
#endif

namespace sconce {

std::shared_ptr<MemoryAccount>& current_account() {
  static thread_local std::shared_ptr<MemoryAccount> account;
  return account;
}

// ---- CPU caching allocator ----
// Freed blocks are kept by size class and handed out again: a fresh large block costs a page fault per page,
// which is most of the time of a large element-wise operator. Blocks from 2 MiB up are mapped on huge-page
// boundaries.
namespace {
constexpr size_t kAlign = 64;
constexpr size_t kLarge = size_t{2} << 20;         // mapped, huge pages
constexpr size_t kCacheLimit = size_t{512} << 20;  // bytes kept for reuse at most

size_t size_class(size_t bytes) {
  if (bytes <= 512) return (bytes + kAlign - 1) / kAlign * kAlign;
  // Eight classes per power of two: at most 12.5 % unused.
  const int shift = 63 - __builtin_clzll(bytes - 1) - 3;
  const size_t step = std::max<size_t>(size_t{1} << shift, kAlign);
  return (bytes + step - 1) / step * step;
}

struct Cache {
  std::mutex mutex;
  struct Class {
    std::vector<void*> blocks;
    uint64_t last_use = 0;
  };
  std::map<size_t, Class> free_blocks;
  uint64_t clock = 0;
  size_t cached = 0;
  ScMemoryStats stats{};
};
Cache& cache() {
  static Cache* c = new Cache;  // never destroyed: storages may outlive static destructors
  return *c;
}

void* system_allocate(size_t bytes) {
  if (bytes < kLarge) return aligned_alloc(kAlign, bytes);
  const size_t huge = kLarge, total = (bytes + 4095) / 4096 * 4096;
  // Over-map, then trim to a huge-page boundary.
  char* p = static_cast<char*>(
      mmap(nullptr, total + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (p == MAP_FAILED) return nullptr;
  char* start = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(p) + huge - 1) / huge * huge);
  if (start > p) munmap(p, start - p);
  char* end = p + total + huge;
  if (end > start + total) munmap(start + total, end - (start + total));
  madvise(start, total, MADV_HUGEPAGE);
  return start;
}

void system_free(void* p, size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
  if (bytes < kLarge)
    free(p);
  else
    munmap(p, (bytes + 4095) / 4096 * 4096);
}

// Gives back the sizes that were not asked for the longest; dropping the largest instead would throw out what
// a loop over large tensors is about to use again.
void trim(Cache& c, size_t target) {
  while (c.cached > target) {
    auto oldest = c.free_blocks.end();
    for (auto it = c.free_blocks.begin(); it != c.free_blocks.end(); ++it)
      if (!it->second.blocks.empty() &&
          (oldest == c.free_blocks.end() || it->second.last_use < oldest->second.last_use))
        oldest = it;
    if (oldest == c.free_blocks.end()) return;
    system_free(oldest->second.blocks.back(), oldest->first);
    oldest->second.blocks.pop_back();
    c.cached -= oldest->first;
    c.stats.reserved_bytes -= static_cast<int64_t>(oldest->first);
  }
}
}  // namespace

void* cpu_allocate(int32_t, size_t bytes) {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  void* p = nullptr;
  Cache::Class& of_size = c.free_blocks[size];
  of_size.last_use = ++c.clock;
  if (!of_size.blocks.empty()) {
    p = of_size.blocks.back();
    of_size.blocks.pop_back();
    c.cached -= size;
    ++c.stats.cache_hits;
  } else {
    p = system_allocate(size);
    if (!p) {
      trim(c, 0);
      p = system_allocate(size);
      if (!p) return nullptr;
    }
    c.stats.reserved_bytes += static_cast<int64_t>(size);
    c.stats.reserved_bytes_peak = std::max(c.stats.reserved_bytes_peak, c.stats.reserved_bytes);
  }
  ++c.stats.allocations;
  c.stats.allocated_bytes += static_cast<int64_t>(size);
  c.stats.allocated_bytes_peak = std::max(c.stats.allocated_bytes_peak, c.stats.allocated_bytes);
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(p) + bytes, size - bytes);
  return p;
}

void cpu_deallocate(int32_t, void* p, size_t bytes) {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  ++c.stats.frees;
  c.stats.allocated_bytes -= static_cast<int64_t>(size);
  ASAN_POISON_MEMORY_REGION(p, size);
  c.free_blocks[size].blocks.push_back(p);
  c.cached += size;
  if (c.cached > kCacheLimit) trim(c, kCacheLimit);
}

void cpu_memory_stats(int32_t, ScMemoryStats* out) {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  *out = c.stats;
}

void cpu_reset_peak(int32_t) {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  c.stats.allocated_bytes_peak = c.stats.allocated_bytes;
  c.stats.reserved_bytes_peak = c.stats.reserved_bytes;
}

void cpu_empty_cache(int32_t) {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  trim(c, 0);
}

// ---- storages ----
constexpr int64_t kInlineBytes = 512;  // small results live in the storage's own allocation

Ref<Storage> Storage::allocate(Device device, int64_t nbytes) {
  Storage* s;
  if (device.is_cpu() && nbytes <= kInlineBytes) {
    constexpr size_t header = (sizeof(Storage) + kAlign - 1) / kAlign * kAlign;
    const size_t size = header + static_cast<size_t>(nbytes);
    void* raw = pool_allocate(size);
    s = new (raw) Storage;
    s->inline_ = true;
    s->pooled_ = static_cast<uint32_t>(size);
    s->data_ = static_cast<char*>(raw) + header;
  } else {
    const ScBackend& backend = backend_of(device);
    void* p = backend.memory.allocate(device.index, static_cast<size_t>(nbytes));
    SC_CHECK(p, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", nbytes, " bytes on ",
             device_name(device), ".");
    s = new Storage;
    s->data_ = p;
    s->account_ = current_account();
    if (s->account_) s->account_->bytes.fetch_add(nbytes, std::memory_order_relaxed);
  }
  s->nbytes_ = nbytes;
  s->device_ = device;
  if (profiling()) profiler()->allocated(s, nbytes, device);
  return Ref<Storage>(s);
}

Ref<Storage> Storage::wrap(void* data, int64_t nbytes, void (*release)(void*), void* context) {
  auto* s = new Storage;
  s->data_ = data;
  s->nbytes_ = nbytes;
  s->release_ = release;
  s->context_ = context;
  return Ref<Storage>(s);
}

void Storage::free_bytes() {
  if (profiling()) profiler()->freed(this, nbytes_, device_);
  if (inline_) return;
  if (release_) {
    release_(context_);
    return;
  }
  if (account_) account_->bytes.fetch_sub(nbytes_, std::memory_order_relaxed);
  backend_of(device_).memory.deallocate(device_.index, data_, static_cast<size_t>(nbytes_));
}

void Storage::resize(int64_t nbytes) {
  SC_CHECK(!release_, "Trying to resize storage that is not resizable");
  const ScBackend& backend = backend_of(device_);
  void* p = backend.memory.allocate(device_.index, static_cast<size_t>(nbytes));
  SC_CHECK(p, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", nbytes, " bytes on ",
           device_name(device_), ".");
  const auto kept = static_cast<size_t>(std::min(nbytes, nbytes_));
  if (device_.is_cpu())
    memcpy(p, data_, kept);
  else
    check_kernel(backend.memory.transfer(SC_DEVICE_TO_DEVICE, device_.index, p, device_.index, data_, kept),
                 device_, "resize_");
  free_bytes();
  if (inline_ || !account_) account_ = current_account();
  inline_ = false;
  data_ = p;
  nbytes_ = nbytes;
  if (account_) account_->bytes.fetch_add(nbytes, std::memory_order_relaxed);
  if (profiling()) profiler()->allocated(this, nbytes, device_);
}

void Storage::destroy(Storage* s) {
  s->free_bytes();
  if (const size_t pooled = s->pooled_) {
    s->~Storage();
    pool_free(s, pooled);
  } else {
    delete s;
  }
}

}  // namespace sconce
