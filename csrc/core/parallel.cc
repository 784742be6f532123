#include "parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#ifdef __SANITIZE_THREAD__
#include <thread>
#include <vector>
#endif

#include "error.h"

namespace sconce {

static int cgroup_quota() {  // whole CPUs, rounded up; 0 when unlimited
  double quota = 0, period = 0;
  if (FILE* f = fopen("/sys/fs/cgroup/cpu.max", "r")) {  // cgroup v2: "max 100000" or "200000 100000"
    if (fscanf(f, "%lf %lf", &quota, &period) != 2) quota = 0;
    fclose(f);
  } else {
    if (FILE* q = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
      if (fscanf(q, "%lf", &quota) != 1) quota = 0;
      fclose(q);
    }
    if (FILE* p = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r")) {
      if (fscanf(p, "%lf", &period) != 1) period = 0;
      fclose(p);
    }
  }
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>((quota + period - 1) / period);
}

int available_cpus() {
  static const int n = [] {
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
    const int quota = cgroup_quota();
    if (quota > 0) cpus = std::min(cpus, quota);
    return std::max(cpus, 1);
  }();
  return n;
}

static int initial_threads() {
  if (const char* env = getenv("OMP_NUM_THREADS")) {
    const int n = atoi(env);
    if (n > 0) return n;
  }
  return available_cpus();
}

static std::atomic<int>& thread_setting() {
  static std::atomic<int> n{[] {
    const int v = initial_threads();
    omp_set_num_threads(v);
    return v;
  }()};
  return n;
}

int num_threads() { return thread_setting().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  SC_CHECK(n > 0, "set_num_threads expects a positive integer");
  thread_setting().store(n);
  omp_set_num_threads(n);
}

void adopt_num_threads() {
  if (omp_get_max_threads() != num_threads()) omp_set_num_threads(num_threads());
}

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer cannot see how libgomp's threads wait for each other; these it understands.
static bool in_parallel(bool enter = false) {
  static thread_local bool inside = false;
  return inside = inside || enter;
}
template <class F>
static void run_pieces(int64_t count, const F& piece) {
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < count; ++t) {
    threads.emplace_back([&piece, t, count] {
      in_parallel(true);
      piece(t, count);
    });
  }
  for (std::thread& thread : threads) thread.join();
}
#else
static bool in_parallel() { return omp_in_parallel(); }
template <class F>
static void run_pieces(int64_t count, const F& piece) {
#pragma omp parallel num_threads(static_cast<int>(count))
  piece(omp_get_thread_num(), omp_get_num_threads());
}
#endif

namespace detail {
void parallel_run(int64_t begin, int64_t end, int64_t grain, void (*body)(void*, int64_t, int64_t),
                  void* context) {
  const int64_t n = end - begin;
  const int64_t pieces = std::min<int64_t>(num_threads(), (n + grain - 1) / std::max<int64_t>(grain, 1));
  if (pieces <= 1 || in_parallel()) {
    body(context, begin, end);
    return;
  }
  // An exception may not leave a thread's piece: the first is kept for the caller.
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  run_pieces(pieces, [&](int64_t t, int64_t count) {
    const int64_t step = (n + count - 1) / count;
    const int64_t from = begin + t * step, to = std::min(end, from + step);
    try {
      if (from < to) body(context, from, to);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}
}  // namespace detail
}  // namespace sconce
