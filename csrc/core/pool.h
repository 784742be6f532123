// A pool for the small objects that every operator makes: tensors, storages with their few bytes, graph
// nodes.
//
// The collector frees tensors by the hundred thousand at once; a general allocator then spends longer merging
// those blocks than the operators took. Blocks here go back to a list per size and thread and are never
// merged.
#pragma once
#include <cstddef>

namespace sconce {

constexpr size_t kPoolLimit = 1024;  // larger requests go to the system

void* pool_allocate(size_t bytes);  // 64-byte aligned
void pool_free(void* p, size_t bytes);

// A thread that works in another's stead uses that one's lists (Note [The turn] in background.h): what either
// frees, the other takes again. Null gives it lists of its own.
struct PoolLists;
PoolLists* pool_lists();
void use_pool_lists(PoolLists* lists);

// Gives a class its objects from the pool.
#define SC_POOLED                                                            \
  static void* operator new(size_t n) { return ::sconce::pool_allocate(n); } \
  static void* operator new(size_t, void* p) { return p; }                   \
  static void operator delete(void* p, size_t n) { ::sconce::pool_free(p, n); }

}  // namespace sconce
