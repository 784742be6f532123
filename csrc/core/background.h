// Native work off its owner's thread: one thread per environment, which runs one job at a time.
//
// Note [The turn]
// Tensors and graphs are made for one thread (Note [Threads and reference counts]), and a job works on the
// very tensors of the thread that started it. So the two take turns: whoever touches a tensor, a node or a
// count holds the turn, and there is one per environment. The job holds it while it computes, and lays it
// down at the points where it would call hooks if there were any: between two nodes of a backward pass, and
// while the owner runs a hook or a custom function for it. The owner takes it for every native call that
// touches tensors, if a job is in flight, and lays it down when the call returns. To the job such a call is
// what a hook would be that made it at that point, and hooks may do anything; no code of operators or of the
// engine needs to know of threads.
//
// What else belongs to the owner goes with the turn: the numbers of new nodes and the lists of small blocks
// (csrc/core/pool.h). Work on a device is finished before the turn is laid down, for streams are per thread.
// An owner that waits goes first, so a native call waits for one node at most; but after kPatience calls in
// a row the job gets a turn, so that it always moves on. Finalizers, which run whenever the collector likes
// and must not wait, leave what they would have dropped to drop_later().
//
// While no job is in flight there is no turn: a native call tests one pointer of its thread.
#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "pool.h"
#include "storage.h"
#include "thread_state.h"

namespace sconce {

struct GraphTask;

// Unwinds a job that was cancelled, or whose owner ends. No std::exception: nothing on the way handles it.
struct Cancelled {};

class Background {
 public:
  // Both are called on the job's thread: `prepare` when it starts, `wake` whenever poll() has something.
  Background(std::function<void()> prepare, std::function<void()> wake);
  ~Background();
  Background(const Background&) = delete;

  // ---- for the owner's thread ----
  // Runs `job` with the modes in `state`. The caller does not hold the turn, and no job is running.
  void start(const ThreadState& state, std::function<void()> job);
  bool running() const { return running_; }  // until finish()
  // take() waits for the turn, give() lays it down; calls may nest.
  void take();
  void give();
  bool held() const { return depth_ > 0; }
  // Calls drop(p) when the owner next has the turn.
  void drop_later(void (*drop)(void*), void* p) { dropped_.emplace_back(drop, p); }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  enum class Event { kNone, kCall, kEnd };
  Event poll();
  // After kCall: runs what the job asked for, with the job's modes; or has the job's call throw Cancelled.
  void answer();
  void refuse();
  // After kEnd: what the job threw, if anything.
  std::exception_ptr finish();
  // Cancels the job and waits for its end; the owner uses no tensor meanwhile, so the turn is not asked for.
  void close();

  // ---- inside a job ----
  static Background* of_job();  // of the calling thread; null where no job runs
  // A point where others may run: lays the turn down if the owner waits. Throws Cancelled.
  void pause();
  // Runs `body` on the owner's thread; what it throws is thrown here.
  void call_owner(std::function<void()> body);

  static constexpr int kPatience = 256;

 private:
  using Lock = std::unique_lock<std::mutex>;
  enum class Holder { kNobody, kOwner, kJob };
  void run();
  void acquire(Lock& lock);  // the job's side
  void release(Lock& lock);
  void drop_now();
  void settle(std::exception_ptr thrown);

  const std::function<void()> prepare_, wake_;
  std::thread thread_;
  bool running_ = false;  // these two are the owner's alone
  int depth_ = 0;
  std::vector<std::pair<void (*)(void*), void*>> dropped_;

  std::atomic<bool> owner_waits_{false}, cancelled_{false};
  std::mutex mutex_;
  std::condition_variable to_owner_, to_job_;
  // Under the mutex:
  Holder holder_ = Holder::kNobody;
  bool job_waits_ = false;
  int passed_over_ = 0;  // turns that the owner took while the job waited
  bool starting_ = false, ended_ = false, closing_ = false;
  std::function<void()> job_;
  ThreadState state_;
  std::exception_ptr error_;
  std::function<void()> call_;  // what the job asks of the owner
  bool calling_ = false;        // and waits for
  std::exception_ptr answer_;
  ThreadState* job_state_ = nullptr;
  GraphTask* job_task_ = nullptr;
  // What goes with the turn:
  uint64_t next_sequence_nr_ = 0;
  PoolLists* lists_ = nullptr;
  std::shared_ptr<MemoryAccount> account_;
  uint64_t devices_ = 0;
};

extern __thread Background* t_background __attribute__((tls_model("initial-exec")));
inline Background* Background::of_job() { return t_background; }

// Called by the engine before each node.
inline void between_nodes() {
  if (__builtin_expect(t_background != nullptr, 0)) t_background->pause();
}

}  // namespace sconce
