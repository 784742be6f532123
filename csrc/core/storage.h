// Storage: the bytes behind one or more tensors, and the CPU's caching allocator.
#pragma once
#include <atomic>
#include <memory>

#include "device.h"
#include "pool.h"
#include "refcount.h"

namespace sconce {

// Bytes held on behalf of one JavaScript environment; the binding reports changes to the garbage collector.
struct MemoryAccount {
  std::atomic<int64_t> bytes{0};
};
// The account that new storages of this thread are charged to; null outside JavaScript.
std::shared_ptr<MemoryAccount>& current_account();

// Counts the in-place writes to memory that autograd must know of. Views and detached aliases share one.
class VersionCounter : public RefCounted {
 public:
  SC_POOLED
  static void destroy(VersionCounter* v) { delete v; }
  uint32_t value = 0;
  std::shared_ptr<void> written_at;  // anomaly mode: a Trace of the last write
};

class Storage : public RefCounted {
 public:
  static Ref<Storage> allocate(Device device, int64_t nbytes);
  // Wraps foreign memory (a typed array); `release` runs when the last tensor lets go.
  static Ref<Storage> wrap(void* data, int64_t nbytes, void (*release)(void*), void* context);
  static void destroy(Storage* s);
  // Makes room for `nbytes`, keeping what is there; all tensors on this storage see the new place. Throws for
  // foreign memory.
  void resize(int64_t nbytes);

  void* data() const { return data_; }
  int64_t nbytes() const { return nbytes_; }
  Device device() const { return device_; }

 private:
  Storage() = default;
  ~Storage() = default;
  void free_bytes();
  uint32_t pooled_ = 0;  // of an object that was made with inline bytes: the size of its allocation
  void* data_ = nullptr;
  int64_t nbytes_ = 0;
  Device device_;
  bool inline_ = false;  // the bytes follow the object itself
  void (*release_)(void*) = nullptr;
  void* context_ = nullptr;
  std::shared_ptr<MemoryAccount> account_;
};

// The CPU's caching allocator (64-byte aligned; large blocks on huge pages where the system has them).
void* cpu_allocate(int32_t device, size_t bytes);
void cpu_deallocate(int32_t device, void* p, size_t bytes);
void cpu_memory_stats(int32_t device, ScMemoryStats* out);
void cpu_reset_peak(int32_t device);
void cpu_empty_cache(int32_t device);

}  // namespace sconce
