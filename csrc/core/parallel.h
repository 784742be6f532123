// The thread pool's face: sizing, and a parallel loop. The pool is OpenMP's, shared with oneDNN.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

namespace sconce {

int num_threads();
void set_num_threads(int n);
// To OpenMP the setting is one of each thread: has the calling one, when it is new, use what was set.
void adopt_num_threads();
// Threads this process may really use: the affinity mask and the cgroup's CPU quota, whichever is less.
int available_cpus();

namespace detail {
void parallel_run(int64_t begin, int64_t end, int64_t grain, void (*body)(void*, int64_t, int64_t),
                  void* context);
}

// Calls body(from, to) over pieces of [begin, end), each of at least `grain`; on the calling thread alone
// when small.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, const F& body) {
  if (end - begin <= grain) {
    if (begin < end) body(begin, end);
    return;
  }
  detail::parallel_run(
      begin, end, grain, [](void* f, int64_t a, int64_t b) { (*static_cast<const F*>(f))(a, b); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// The same, in pieces that shrink towards the end and go to whichever thread is free: for work that memory
// bounds, where threads do not start and advance alike.
template <class F>
void parallel_for_guided(int64_t begin, int64_t end, int64_t grain, const F& body) {
  const int64_t threads = num_threads();
  if (end - begin <= grain || threads <= 1) {
    if (begin < end) body(begin, end);
    return;
  }
  std::atomic<int64_t> next{begin};
  parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t from = next.load(); from < end;) {
      const int64_t to = std::min(end, from + std::max(grain, (end - from) / (2 * threads)));
      if (!next.compare_exchange_weak(from, to)) continue;
      body(from, to);
      from = next.load();
    }
  });
}

}  // namespace sconce
