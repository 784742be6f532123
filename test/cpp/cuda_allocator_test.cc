// The CUDA backend's caching allocator, on a driver that counts.
#include "cuda/allocator.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sconce {
namespace cuda {
namespace {

struct Ledger {
  size_t room = SIZE_MAX;  // bytes the device still has
  int allocations = 0, releases = 0, waits = 0;
  std::map<void*, size_t> blocks;
};
struct Driver {
  Ledger* ledger;
  void* allocate(size_t bytes) const {
    if (bytes > ledger->room) return nullptr;
    void* p = malloc(1);
    ledger->room -= bytes;
    ledger->blocks[p] = bytes;
    ++ledger->allocations;
    return p;
  }
  void release(void* p) const {
    ledger->room += ledger->blocks[p];
    ledger->blocks.erase(p);
    ++ledger->releases;
    free(p);
  }
  void wait() const { ++ledger->waits; }
};
using Allocator = CachingAllocator<Driver, int>;

TEST(CudaAllocator, SizeClassesWasteLittle) {
  size_t last = 0;
  for (size_t bytes = 0; bytes < 3000000; bytes += 1 + bytes / 7) {
    const size_t size = Allocator::size_class(bytes);
    EXPECT_GE(size, bytes);
    EXPECT_GE(size, last);
    EXPECT_EQ(size % 512, 0u) << bytes;
    EXPECT_EQ(Allocator::size_class(size), size) << bytes;
    if (bytes > 4096) {
      EXPECT_LE(static_cast<double>(size), static_cast<double>(bytes) * 1.125 + 1) << bytes;
    }
    last = size;
  }
}

TEST(CudaAllocator, HandsAFreedBlockToItsOwnStreamAlone) {
  Ledger ledger;
  Allocator a(Driver{&ledger});
  void* p = a.allocate(1000, 1);
  EXPECT_TRUE(a.release(p));
  void* other = a.allocate(1000, 2);
  EXPECT_NE(other, p);
  EXPECT_EQ(a.allocate(1000, 1), p);
  EXPECT_EQ(ledger.allocations, 2);
  EXPECT_EQ(ledger.waits, 0);
  a.release(p);
  a.release(other);
  a.empty_cache();
  EXPECT_EQ(ledger.releases, 2);
}

TEST(CudaAllocator, GivesBackTheCacheWhenTheDeviceIsFull) {
  Ledger ledger;
  ledger.room = 10000;
  Allocator a(Driver{&ledger});
  a.release(a.allocate(8192, 1));
  void* p = a.allocate(4096, 1);  // does not fit beside the cached block
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(ledger.releases, 1);
  EXPECT_EQ(ledger.waits, 1);
  EXPECT_EQ(a.allocate(20000, 1), nullptr);
  ScMemoryStats s{};
  a.stats(&s);
  EXPECT_EQ(s.allocated_bytes, 4096);
  EXPECT_EQ(s.reserved_bytes, 4096);
  a.release(p);
  a.empty_cache();
}

TEST(CudaAllocator, CountsWhatIsOutAndWhatIsKept) {
  Ledger ledger;
  Allocator a(Driver{&ledger});
  void *p = a.allocate(512, 1), *q = a.allocate(512, 1);
  a.release(p);
  ScMemoryStats s{};
  a.stats(&s);
  EXPECT_EQ(s.allocated_bytes, 512);
  EXPECT_EQ(s.allocated_bytes_peak, 1024);
  EXPECT_EQ(s.reserved_bytes, 1024);
  EXPECT_EQ(s.allocations, 2);
  EXPECT_EQ(s.frees, 1);
  a.reset_peak();
  a.stats(&s);
  EXPECT_EQ(s.allocated_bytes_peak, 512);
  a.release(q);
  a.empty_cache();
  a.stats(&s);
  EXPECT_EQ(s.reserved_bytes, 0);
}

TEST(CudaAllocator, RefusesWhatItDidNotGive) {
  Ledger ledger;
  Allocator a(Driver{&ledger});
  int x = 0;
  EXPECT_FALSE(a.release(&x));
  void* p = a.allocate(1, 1);
  EXPECT_TRUE(a.release(p));
  EXPECT_FALSE(a.release(p));
  a.empty_cache();
}

}  // namespace
}  // namespace cuda
}  // namespace sconce
