#include "pool.h"

#include <cstdlib>
#include <mutex>
#include <new>

namespace sconce {

#if defined(__SANITIZE_ADDRESS__)
// Sanitizers see single blocks best.
void* pool_allocate(size_t bytes) {
  void* p = nullptr;
  if (posix_memalign(&p, 64, bytes) != 0)
    throw std::bad_alloc();  // not rounded up, as aligned_alloc's must be
  return p;
}
void pool_free(void* p, size_t) { free(p); }
PoolLists* pool_lists() { return nullptr; }
void use_pool_lists(PoolLists*) {}
#else
namespace {
constexpr size_t kUnit = 64;
constexpr size_t kClasses = kPoolLimit / kUnit;
constexpr size_t kChunk = 64 * 1024;

struct Block {
  Block* next;
};

// What threads that ended left behind; the next thread to run dry takes it.
struct Orphans {
  std::mutex mutex;
  Block* free[kClasses] = {};
};
Orphans& orphans() {
  static auto* o = new Orphans;
  return *o;
}
}  // namespace

struct PoolLists {
  Block* free[kClasses] = {};
  ~PoolLists();
};

namespace {
__thread PoolLists* t_lists __attribute__((tls_model("initial-exec")));

PoolLists& lists() {
  if (__builtin_expect(!t_lists, 0)) {
    static thread_local PoolLists own;
    t_lists = &own;
  }
  return *t_lists;
}
}  // namespace

PoolLists* pool_lists() { return &lists(); }
void use_pool_lists(PoolLists* other) { t_lists = other; }

PoolLists::~PoolLists() {
  Orphans& o = orphans();
  std::lock_guard<std::mutex> lock(o.mutex);
  for (size_t c = 0; c < kClasses; ++c) {
    while (Block* b = free[c]) {
      free[c] = b->next;
      b->next = o.free[c];
      o.free[c] = b;
    }
  }
  t_lists = nullptr;
}

namespace {
__attribute__((noinline)) Block* refill(size_t c) {
  {
    Orphans& o = orphans();
    std::lock_guard<std::mutex> lock(o.mutex);
    if (o.free[c]) {
      Block* b = o.free[c];
      o.free[c] = nullptr;
      return b;
    }
  }
  const size_t size = (c + 1) * kUnit;
  char* chunk = static_cast<char*>(aligned_alloc(kUnit, kChunk));
  if (!chunk) throw std::bad_alloc();
  Block* head = nullptr;
  for (size_t n = kChunk / size; n-- > 0;) {
    auto* b = reinterpret_cast<Block*>(chunk + n * size);
    b->next = head;
    head = b;
  }
  return head;
}
}  // namespace

void* pool_allocate(size_t bytes) {
  const size_t c = bytes == 0 ? 0 : (bytes - 1) / kUnit;
  if (__builtin_expect(c >= kClasses, 0)) {
    void* p = aligned_alloc(kUnit, (bytes + kUnit - 1) / kUnit * kUnit);
    if (!p) throw std::bad_alloc();
    return p;
  }
  PoolLists& l = lists();
  Block* b = l.free[c];
  if (__builtin_expect(!b, 0)) b = refill(c);
  l.free[c] = b->next;
  return b;
}

void pool_free(void* p, size_t bytes) {
  const size_t c = bytes == 0 ? 0 : (bytes - 1) / kUnit;
  if (__builtin_expect(c >= kClasses, 0)) {
    free(p);
    return;
  }
  PoolLists& l = lists();
  auto* b = static_cast<Block*>(p);
  b->next = l.free[c];
  l.free[c] = b;
}
#endif

}  // namespace sconce
