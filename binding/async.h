// Native calls that run off the JavaScript thread.
//
// Note [Captured calls]
// A call that shall run elsewhere is made as any other, so that it is parsed and checked as any other, but
// between capture_begin() and capture_end(). Operators and backward passes then leave a job behind instead of
// running, and give back a placeholder for what they do not have yet; job_start() runs the job later, when
// it is its turn (lib/async.ts keeps the queue), and what the call was really to return reaches `settle`.
// Where one call is captured, no second one is let through: its arguments might be the placeholder, or what
// the first has yet to write.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../csrc/core/background.h"
#include "env.h"

namespace sconce::binding {

struct Job {
  ThreadState state;
  std::shared_ptr<PackHook> pack_hook;  // what that points to
  std::vector<std::function<void()>> work;
  std::function<napi_value(napi_env)> result;
  std::string returns;          // the signature's, of an operator
  std::unique_ptr<JsRef> keep;  // the arguments, which may own more than tensors
  std::unique_ptr<JsRef> enter, settle;
  Job(napi_env env, napi_value args)
      : state(thread_state()), pack_hook(env_data().pack_hook), keep(std::make_unique<JsRef>(env, args)) {}
};

class Async {
 public:
  explicit Async(napi_env env);
  ~Async() = delete;  // lives with its environment's EnvData
  Background background;

  void begin(napi_value placeholder, bool many, napi_value keep);
  std::shared_ptr<Job> end();
  bool captures(const std::string& returns) const { return capture_ && (!capture_->many || returns == "()"); }
  bool sealed() const { return capture_ && !capture_->many && !capture_->job->work.empty(); }
  // Leaves `work` in the job. Returns the placeholder, or as many as `count` says, in an array.
  napi_value capture(std::function<void()> work, std::function<napi_value(napi_env)> result,
                     const std::string& returns, int64_t count = -1);

  void start(std::shared_ptr<Job> job);
  void cancel(const Job* job) {
    if (running_.get() == job) background.cancel();
  }
  void keep_pack_hook();  // after JavaScript ran with the job's modes
  void keep_exception();  // takes the pending one over, for finish()
  void close();

 private:
  struct Capture {
    std::shared_ptr<Job> job;
    JsRef placeholder;
    bool many;
  };
  static void serve(napi_env env, napi_value, void* self, void*);
  static napi_value answer(napi_env env, napi_callback_info info);
  void finish();
  void ask_owner();

  napi_env env_;
  std::unique_ptr<Capture> capture_;
  std::shared_ptr<Job> running_;
  napi_threadsafe_function wake_ = nullptr;
  napi_ref answer_ = nullptr;
  napi_ref thrown_ = nullptr;
  bool answered_ = false;
};

// A call that returns tensors, or nothing: now, or captured. `count` is how many it returns; -1 for nothing.
template <class F>
napi_value perform(napi_env env, int64_t count, F&& work) {
  if (__builtin_expect(t_async != nullptr, 0) && t_async->captures(count < 0 ? "()" : "Tensor[]")) {
    auto out = std::make_shared<TensorList>();
    return t_async->capture(
        [out, run = std::forward<F>(work)] { *out = run(); },
        [out, count](napi_env e) { return count < 0 ? undefined(e) : wrap_list(e, std::move(*out)); }, "",
        count);
  }
  TensorList out = work();
  return count < 0 ? undefined(env) : wrap_list(env, std::move(out));
}

}  // namespace sconce::binding
