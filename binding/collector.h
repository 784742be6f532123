// When the garbage collector is asked to look for dropped tensors.
//
// Note [Young collections]
// To the collector a tensor is a few dozen bytes, whatever its storage holds. Told of the storages' bytes, V8
// answers with full collections, some milliseconds each, and only after tens of megabytes, when the freed
// memory has left every cache. Most results are dropped at once, though, and a collection of the young
// generation, a tenth of a millisecond, finds them. So an operator asks for one, before it allocates its
// result, whenever the environment's storages have grown by a threshold (wrap(), for all else, at twice
// that), and reports to V8 only what is still held after it. The threshold follows what collections cost and
// free: it doubles while they take more than a few percent of the time or find little (activations waiting
// for their backward pass; collecting these early would move them to the old generation, where only a full
// collection finds them), and shrinks while they are cheap and find much. An optimizer's step is a better
// moment than any: a training step's results have just been dropped. Many small tensors are collected early
// for the same reason: with few at a time, what their release touches is still in the caches.
#pragma once
#include <node_api.h>

#include <chrono>
#include <cstdint>

namespace sconce::binding {

class Collector {
 public:
  // `bytes` are held by this environment's storages now. Finalizers may run inside.
  void before_op(napi_env env, int64_t bytes) {
    if (bytes - base_ > threshold_) grown(env, bytes);
  }
  void before_wrap(napi_env env, int64_t bytes) {
    if (bytes - base_ > 2 * threshold_)
      grown(env, bytes);
    else if (++objects_ - base_objects_ > object_threshold_)
      many(env);
  }
  void finalized() { --objects_; }
  void after_step(napi_env env, int64_t bytes);
  // The same where memory matters more than time: at the ends of a checkpointed function.
  void after_checkpoint(napi_env env, int64_t bytes);
  void set_young_collection(napi_env env, napi_value f);
  bool has_young_collection() const { return young_ != nullptr; }

 private:
  using Clock = std::chrono::steady_clock;
  void grown(napi_env env, int64_t bytes);
  bool collect(napi_env env);
  void many(napi_env env);
  void report(napi_env env, int64_t bytes);

  napi_ref young_ = nullptr;  // gc({ type: 'minor' }), or null where V8 does not lend it
  int64_t base_ = 0;          // bytes held after the last collection
  int64_t reported_ = 0;      // bytes V8 has been told of
  int64_t threshold_ = 1 << 20;
  int64_t objects_ = 0,
          base_objects_ = 0;  // tensors that JavaScript holds, now and after the last collection
  static constexpr int64_t kObjects = 16384;
  int64_t object_threshold_ = kObjects;
  bool collecting_ = false;
  Clock::time_point ended_{};
  Clock::duration cost_{};
};

}  // namespace sconce::binding
