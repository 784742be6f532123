#include "background.h"

#include "device.h"
#include "error.h"
#include "graph_task.h"
#include "parallel.h"

namespace sconce {

__thread Background* t_background = nullptr;

Background::Background(std::function<void()> prepare, std::function<void()> wake)
    : prepare_(std::move(prepare)), wake_(std::move(wake)) {}
Background::~Background() { close(); }

// ---- the owner's side ----
void Background::start(const ThreadState& state, std::function<void()> job) {
  {
    const Lock lock(mutex_);
    state_ = state;
    job_ = std::move(job);
    next_sequence_nr_ = thread_state().next_sequence_nr;
    lists_ = pool_lists();
    account_ = current_account();
    devices_ = used_devices();
    cancelled_ = false;
    starting_ = true;
    job_waits_ = true;
    passed_over_ = 0;
  }
  running_ = true;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  to_job_.notify_one();
}

void Background::take() {
  if (depth_++ > 0) return;
  {
    Lock lock(mutex_);
    owner_waits_.store(true, std::memory_order_relaxed);
    to_owner_.wait(
        lock, [this] { return holder_ == Holder::kNobody && !(job_waits_ && passed_over_ >= kPatience); });
    owner_waits_.store(false, std::memory_order_relaxed);
    if (job_waits_) ++passed_over_;
    holder_ = Holder::kOwner;
    thread_state().next_sequence_nr = next_sequence_nr_;
  }
  drop_now();
}

void Background::give() {
  if (--depth_ > 0) return;
  try {
    synchronize_devices(used_devices());
  } catch (const Error&) {
    // It stays with the device: whoever uses that next reports it.
  }
  bool wanted;
  {
    const Lock lock(mutex_);
    next_sequence_nr_ = thread_state().next_sequence_nr;
    holder_ = Holder::kNobody;
    wanted = job_waits_;
  }
  if (wanted) to_job_.notify_one();
}

void Background::drop_now() {
  while (!dropped_.empty()) {
    const auto list = std::exchange(dropped_, {});
    for (const auto& [drop, p] : list) drop(p);
  }
}

Background::Event Background::poll() {
  const Lock lock(mutex_);
  if (call_) return Event::kCall;
  return ended_ ? Event::kEnd : Event::kNone;
}

void Background::answer() {
  std::function<void()> body;
  {
    const Lock lock(mutex_);
    body = std::exchange(call_, nullptr);
  }
  take();
  // The job waits, so its state is nobody else's; only the numbering is the owner's, who has the turn.
  ThreadState& mine = thread_state();
  const auto exchange = [&] {
    std::swap(mine, *job_state_);
    std::swap(graph_task(), *job_task_);
    std::swap(mine.next_sequence_nr, job_state_->next_sequence_nr);
  };
  exchange();
  std::exception_ptr thrown;
  try {
    body();
  } catch (...) {
    thrown = std::current_exception();
  }
  body = nullptr;
  exchange();
  give();
  settle(thrown);
}

void Background::refuse() {
  {
    const Lock lock(mutex_);
    call_ = nullptr;
  }
  settle(std::make_exception_ptr(Cancelled{}));
}

void Background::settle(std::exception_ptr thrown) {
  {
    const Lock lock(mutex_);
    answer_ = std::move(thrown);
    calling_ = false;
    job_waits_ = true;
  }
  to_job_.notify_one();
}

std::exception_ptr Background::finish() {
  take();
  give();
  const Lock lock(mutex_);
  ended_ = false;
  running_ = false;
  return std::exchange(error_, nullptr);
}

void Background::close() {
  if (!thread_.joinable()) return;
  {
    const Lock lock(mutex_);
    closing_ = true;
    cancelled_ = true;
  }
  to_job_.notify_one();
  thread_.join();
  job_ = nullptr;  // of a job that had not begun
  call_ = nullptr;
  running_ = false;
  holder_ = Holder::kNobody;
  thread_state().next_sequence_nr = std::max(thread_state().next_sequence_nr, next_sequence_nr_);
  drop_now();
}

// ---- the job's side ----
void Background::acquire(Lock& lock) {
  job_waits_ = true;
  to_job_.wait(lock, [this] {
    const bool mine = holder_ == Holder::kNobody &&
                      (!owner_waits_.load(std::memory_order_relaxed) || passed_over_ >= kPatience);
    return mine || closing_;
  });
  job_waits_ = false;
  passed_over_ = 0;
  holder_ = Holder::kJob;
  thread_state().next_sequence_nr = next_sequence_nr_;
  use_pool_lists(lists_);
}

void Background::release(Lock& lock) {
  next_sequence_nr_ = thread_state().next_sequence_nr;
  use_pool_lists(nullptr);
  holder_ = Holder::kNobody;
  lock.unlock();
  to_owner_.notify_one();
  lock.lock();
}

void Background::pause() {
  if (cancelled_.load(std::memory_order_relaxed)) throw Cancelled{};
  if (!owner_waits_.load(std::memory_order_relaxed)) return;
  synchronize_devices(used_devices());
  Lock lock(mutex_);
  if (closing_) throw Cancelled{};
  job_waits_ = true;  // now, and not when this thread comes to acquire(): kPatience counts from here
  release(lock);
  acquire(lock);
}

void Background::call_owner(std::function<void()> body) {
  synchronize_devices(used_devices());
  Lock lock(mutex_);
  if (closing_) throw Cancelled{};
  call_ = std::move(body);
  calling_ = true;
  job_state_ = &thread_state();
  job_task_ = &graph_task();
  release(lock);
  lock.unlock();
  wake_();
  lock.lock();
  to_job_.wait(lock, [this] { return !calling_ || closing_; });
  acquire(lock);
  if (calling_) {  // the owner ends
    calling_ = false;
    call_ = nullptr;
    throw Cancelled{};
  }
  if (answer_) std::rethrow_exception(std::exchange(answer_, nullptr));
}

void Background::run() {
  t_background = this;
  prepare_();
  Lock lock(mutex_);
  for (;;) {
    to_job_.wait(lock, [this] { return starting_ || closing_; });
    if (closing_) return;
    starting_ = false;
    current_account() = account_;
    acquire(lock);
    thread_state() = state_;
    thread_state().next_sequence_nr = next_sequence_nr_;
    std::function<void()> job = std::exchange(job_, nullptr);
    lock.unlock();
    adopt_num_threads();
    std::exception_ptr thrown;
    try {
      pause();
      synchronize_devices(devices_);
      job();
      synchronize_devices(used_devices());
    } catch (...) {
      thrown = std::current_exception();
    }
    job = nullptr;  // while it has the turn: it holds tensors
    lock.lock();
    error_ = std::move(thrown);
    ended_ = true;
    release(lock);
    lock.unlock();
    wake_();
    lock.lock();
  }
}

}  // namespace sconce
