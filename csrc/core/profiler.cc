#include "profiler.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace sconce {

__thread ProfileRecorder* t_profiler = nullptr;

static int32_t this_thread() {
  static thread_local const auto number = static_cast<int32_t>(syscall(SYS_gettid));
  return number;
}

static uint32_t next_session() {
  static std::atomic<uint32_t> sessions{0};
  return ++sessions;
}

ProfileRecorder::ProfileRecorder(bool record_shapes, bool memory)
    : record_shapes_(record_shapes), memory_(memory), session_(next_session()), start_(clock()) {}

ProfileRecorder::Token ProfileRecorder::begin(ProfileKind kind, uint32_t name) {
  if (full()) {
    ++dropped_;
    return {};
  }
  ProfileEvent& e = events_.emplace_back();
  e.kind = kind;
  e.thread = this_thread();
  e.name = name;
  e.start = now();
  return {session_, static_cast<int64_t>(events_.size()) - 1};
}

ProfileEvent* ProfileRecorder::find(Token token) {
  return token.session == session_ && token.index >= 0 && token.index < static_cast<int64_t>(events_.size())
             ? &events_[static_cast<size_t>(token.index)]
             : nullptr;
}

void ProfileRecorder::end(Token token) {
  ProfileRecorder* r = profiler();
  if (!r) return;
  const int64_t now = r->now();
  if (ProfileEvent* e = r->find(token))
    if (e->end < 0 && e->kind != ProfileKind::kMemory) e->end = now;
}

int32_t ProfileRecorder::begin_arguments(size_t count) {
  const auto at = static_cast<int32_t>(shapes_.size());
  shapes_.push_back(static_cast<int64_t>(count));
  shapes_.push_back(0);
  return at;
}

void ProfileRecorder::argument(const Tensor& t) {
  if (!t) return argument(kOther);
  shapes_.push_back(static_cast<int64_t>(t.dtype()));
  shapes_.push_back(t.dim());
  shapes_.insert(shapes_.end(), t.sizes().begin(), t.sizes().end());
}

void ProfileRecorder::argument(const TensorList& list) {
  shapes_.push_back(kTensorList);
  shapes_.push_back(static_cast<int64_t>(list.size()));
  for (const Tensor& t : list) argument(t);
}

void ProfileRecorder::set_result(Token token, int64_t numel) {
  const ProfileEvent* e = find(token);
  if (e && e->shapes >= 0) shapes_[static_cast<size_t>(e->shapes) + 1] = numel;
}

uint32_t ProfileRecorder::name(const std::string& text) {
  auto [it, added] = name_by_text_.try_emplace(text, static_cast<uint32_t>(names_.size()));
  if (added) names_.push_back(text);
  return it->second;
}

void ProfileRecorder::add_memory(int64_t bytes, Device device) {
  int64_t& in_use = in_use_[device.is_cpu() ? 0 : 1];
  in_use += bytes;
  if (full()) {
    ++dropped_;
    return;
  }
  ProfileEvent& e = events_.emplace_back();
  e.kind = ProfileKind::kMemory;
  e.thread = this_thread();
  e.name = name_of(this, [] { return std::string("[memory]"); });
  e.start = now();
  e.end = in_use;
  e.extent = bytes;
  e.on_cpu = device.is_cpu();
}

void ProfileRecorder::allocated(const Storage* s, int64_t bytes, Device device) {
  if (!memory_ || bytes == 0) return;
  live_.insert(s);
  add_memory(bytes, device);
}

// What was there before the recorder is not its business: its sums would fall below zero.
void ProfileRecorder::freed(const Storage* s, int64_t bytes, Device device) {
  if (memory_ && live_.erase(s) > 0) add_memory(-bytes, device);
}

void ProfileRecorder::close() {
  const int64_t end = now();
  for (ProfileEvent& e : events_)
    if (e.kind != ProfileKind::kMemory && e.end < 0) e.end = end;
}

}  // namespace sconce
