#include "collector.h"

#include <algorithm>

#include "env.h"

namespace sconce::binding {
namespace {
constexpr int64_t kLeast = 16 << 20;  // below this a collection costs more than the caches give back
constexpr int64_t kLeastCheckpoint = 4 << 20;
constexpr int64_t kMost = 128 << 20;         // while collections find much
constexpr int64_t kMostWaiting = 1ll << 30;  // while they find little
constexpr int64_t kReportStep = 1 << 20;
constexpr int kRare = 25;  // a collection may take 1/25 of the time
constexpr int kVeryRare = 100;
}  // namespace

void Collector::report(napi_env env, int64_t bytes) {
  const int64_t delta = bytes - reported_;
  if (delta < kReportStep && delta > -kReportStep) return;
  reported_ = bytes;
  int64_t now;
  napi_adjust_external_memory(env, delta, &now);
}

bool Collector::collect(napi_env env) {
  if (collecting_) return false;
  napi_value f, receiver, result;
  if (napi_get_reference_value(env, young_, &f) != napi_ok || !f) return false;
  if (napi_get_undefined(env, &receiver) != napi_ok) return false;
  collecting_ = true;
  const auto begin = Clock::now();
  const bool done = napi_call_function(env, receiver, f, 0, nullptr, &result) == napi_ok;
  ended_ = Clock::now();
  cost_ = ended_ - begin;
  collecting_ = false;
  return done;  // if not, the environment is ending, and what is pending unwinds by itself
}

void Collector::grown(napi_env env, int64_t bytes) {
  if (collecting_) return;
  const auto last = ended_;
  if (!young_ || !collect(env)) {
    base_ = bytes;
    report(env, bytes);
    return;
  }
  const int64_t left = env_data().account->bytes.load(std::memory_order_relaxed);
  const bool found = bytes - left > threshold_ / 2;
  const auto since = ended_ - last;
  if (!found)
    threshold_ = std::min(threshold_ * 2, kMostWaiting);
  else if (cost_ * kRare > since)
    threshold_ = std::min(threshold_ * 2, std::max(threshold_, kMost));
  else if (cost_ * kVeryRare < since)
    threshold_ = threshold_ / 2;
  threshold_ = std::max(threshold_, kLeast);
  base_ = left;
  report(env, left);
}

void Collector::many(napi_env env) {
  const int64_t before = objects_;
  if (collecting_ || !young_ || !collect(env)) {
    base_objects_ = objects_;
    return;
  }
  const bool found = before - objects_ > object_threshold_ / 2;
  object_threshold_ = found ? kObjects : object_threshold_ * 2;
  base_objects_ = objects_;
}

void Collector::after_step(napi_env env, int64_t bytes) {
  if (bytes - base_ >= kLeast && cost_ * kRare <= Clock::now() - ended_) after_checkpoint(env, bytes);
}

void Collector::after_checkpoint(napi_env env, int64_t bytes) {
  base_ = std::min(base_, bytes);  // much may have been let go since the last collection
  if (!young_ || bytes - base_ < kLeastCheckpoint || !collect(env)) return;
  base_ = env_data().account->bytes.load(std::memory_order_relaxed);
  report(env, base_);
}

void Collector::set_young_collection(napi_env env, napi_value f) {
  if (!young_) check(env, napi_create_reference(env, f, 1, &young_));
}

}  // namespace sconce::binding
