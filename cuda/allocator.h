// The device's caching allocator. Allocating from the driver stalls the device, so freed blocks are kept and
// handed out again to the stream that used them: work on one stream runs in order, which makes reuse safe
// without waiting.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/memory.h"

namespace sconce {
namespace cuda {

// `Driver` has allocate(bytes) (null when there is no room), release(p) and wait() (for all work on the
// device).
template <class Driver, class Stream>
class CachingAllocator {
 public:
  explicit CachingAllocator(Driver driver) : driver_(std::move(driver)) {}

  void* allocate(size_t bytes, Stream stream) {
    const size_t size = size_class(bytes);
    std::lock_guard<std::mutex> lock(mutex_);
    void* p = nullptr;
    auto it = free_.find({stream, size});
    if (it != free_.end() && !it->second.empty()) {
      p = it->second.back();
      it->second.pop_back();
      ++stats_.cache_hits;
    } else {
      p = driver_.allocate(size);
      if (!p) {  // give back all that is cached, then try once more
        trim();
        p = driver_.allocate(size);
        if (!p) return nullptr;
      }
      stats_.reserved_bytes += static_cast<int64_t>(size);
      stats_.reserved_bytes_peak = std::max(stats_.reserved_bytes_peak, stats_.reserved_bytes);
    }
    live_[p] = {stream, size};
    ++stats_.allocations;
    stats_.allocated_bytes += static_cast<int64_t>(size);
    stats_.allocated_bytes_peak = std::max(stats_.allocated_bytes_peak, stats_.allocated_bytes);
    return p;
  }

  // False: not a block of this allocator.
  bool release(void* p) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = live_.find(p);
    if (it == live_.end()) return false;
    ++stats_.frees;
    stats_.allocated_bytes -= static_cast<int64_t>(it->second.second);
    free_[it->second].push_back(p);
    live_.erase(it);
    return true;
  }

  void empty_cache() {
    std::lock_guard<std::mutex> lock(mutex_);
    trim();
  }
  void stats(ScMemoryStats* out) {
    std::lock_guard<std::mutex> lock(mutex_);
    *out = stats_;
  }
  void reset_peak() {
    std::lock_guard<std::mutex> lock(mutex_);
    stats_.allocated_bytes_peak = stats_.allocated_bytes;
    stats_.reserved_bytes_peak = stats_.reserved_bytes;
  }

  // Multiples of 512 bytes, then eight classes per power of two: at most 12.5 % unused.
  static size_t size_class(size_t bytes) {
    constexpr size_t kSmallest = 512;
    if (bytes <= 4096) return std::max(kSmallest, (bytes + kSmallest - 1) / kSmallest * kSmallest);
    size_t power = 4096;
    while (power * 2 < bytes) power *= 2;
    const size_t step = power / 8;
    return (bytes + step - 1) / step * step;
  }

 private:
  using Key = std::pair<Stream, size_t>;

  void trim() {
    bool waited = false;
    for (auto& [key, blocks] : free_) {
      for (void* p : blocks) {
        if (!waited) driver_.wait();  // kernels may still be using them
        waited = true;
        driver_.release(p);
        stats_.reserved_bytes -= static_cast<int64_t>(key.second);
      }
    }
    free_.clear();
  }

  Driver driver_;
  std::mutex mutex_;
  std::map<Key, std::vector<void*>> free_;
  std::unordered_map<void*, Key> live_;
  ScMemoryStats stats_{};
};

}  // namespace cuda
}  // namespace sconce
