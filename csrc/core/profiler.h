// What a profiled thread writes down: ranges with a start and an end, and changes of its memory.
//
// Note [Profiler] A thread that is being profiled has a recorder; whoever has something to record tests that
// one pointer. Ranges are written in the order of their starts, and which range encloses which is found from
// their times afterwards (lib/profiler/trace.ts), so that a range left open by an exception or across an
// `await` does no harm. Nothing here is locked: threads that share a recorder take turns.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tensor.h"

namespace sconce {

// The numbers are known to lib/profiler/events.ts.
enum class ProfileKind : uint8_t {
  kOperator = 0,
  kEvaluate = 1,  // the engine's whole work for a node
  kNode = 2,      // the node's own formula
  kRange = 3,     // a range of the user or of lib/
  kMemory = 4,    // an instant
};

struct ProfileEvent {
  int64_t start = 0;
  int64_t end = -1;  // ns after the recorder's start; -1 while open. Of memory: bytes in use that it counted
  int64_t sequence =
      -1;               // of a node: its number; of an operator: the number of the first node it made, or -1
  int64_t extent = 0;   // of an operator: how many nodes it made. Of memory: bytes, negative when freed
  uint32_t name = 0;    // into names()
  int32_t shapes = -1;  // into shapes(): how many arguments, the elements of the result, then the arguments
  int32_t stack = -1;   // a number that the owner of the recorder understands
  int32_t thread = 0;   // the system's number of the thread
  ProfileKind kind = ProfileKind::kRange;
  bool on_cpu = true;     // of memory
  bool is_async = false;  // of a range: others may have run meanwhile
};

class ProfileRecorder {
 public:
  // A run that is left on for ever stops recording here, at some 70 MB.
  static constexpr size_t kMaxEvents = 1'000'000;
  static constexpr int64_t kDropped = -1;

  ProfileRecorder(bool record_shapes, bool memory);

  // An open range; ends are matched by token, so that another profile's ranges are left alone.
  struct Token {
    uint32_t session = 0;
    int64_t index = kDropped;
  };
  Token begin(ProfileKind kind, uint32_t name);
  // Ends a range of the recorder that is active by then, if that is the one it was begun with.
  static void end(Token token);

  ProfileEvent* find(Token token);
  bool full() const { return events_.size() >= kMaxEvents; }
  // The arguments of the range that is about to begin, one after the other: a tensor, a list of them, or
  // something else. Returns what goes into its `shapes`.
  enum Argument : int64_t { kOther = -1, kScalar = -2, kScalarList = -3, kTensorList = -4 };
  int32_t begin_arguments(size_t count);
  void argument(const Tensor& t);
  void argument(const TensorList& list);
  void argument(Argument a) { shapes_.push_back(a); }
  void set_result(Token token, int64_t numel);

  uint32_t name(const std::string& text);
  // The name that goes with an address for good; `make` is called when it is new.
  template <class F>
  uint32_t name_of(const void* key, const F& make) {
    auto [it, added] = name_by_key_.try_emplace(key, 0);
    if (added) it->second = name(make());
    return it->second;
  }

  void allocated(const Storage* s, int64_t bytes, Device device);
  void freed(const Storage* s, int64_t bytes, Device device);

  void close();  // ends what is open
  int64_t now() const { return clock() - start_; }
  static int64_t clock() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  int64_t start() const { return start_; }
  uint32_t session() const { return session_; }
  int64_t dropped() const { return dropped_; }
  const std::vector<ProfileEvent>& events() const { return events_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<int64_t>& shapes() const { return shapes_; }
  bool records_shapes() const { return record_shapes_; }

 private:
  void add_memory(int64_t bytes, Device device);
  const bool record_shapes_, memory_;
  const uint32_t session_;
  const int64_t start_;
  int64_t dropped_ = 0;
  int64_t in_use_[2] = {0, 0};  // on the CPU, elsewhere
  std::vector<ProfileEvent> events_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, uint32_t> name_by_text_;
  std::unordered_map<const void*, uint32_t> name_by_key_;
  std::vector<int64_t> shapes_;
  std::unordered_set<const Storage*> live_;  // allocated while recording
};

// The recorder of this thread; null while it is not profiled, which is what everybody tests first. No part of
// the thread's state: that goes with a job to another thread, which may outlive the recorder.
extern __thread ProfileRecorder* t_profiler __attribute__((tls_model("initial-exec")));
inline ProfileRecorder* profiler() { return t_profiler; }
inline bool profiling() { return __builtin_expect(t_profiler != nullptr, 0); }

// A range as long as a C++ scope.
class ProfileScope {
 public:
  ProfileScope() = default;
  explicit ProfileScope(ProfileRecorder::Token token) : token_(token) {}
  ~ProfileScope() {
    if (__builtin_expect(token_.session != 0, 0)) ProfileRecorder::end(token_);
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  ProfileRecorder::Token token_;
};

}  // namespace sconce
