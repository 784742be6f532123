// The backward pass that a thread is in.
#pragma once
#include <atomic>
#include <cstdint>

namespace sconce {

struct GraphTask {
  uint64_t number = 0;      // 0: none is running
  bool whole_graph = true;  // no running pass is limited to some inputs
};
inline GraphTask& graph_task() {
  static thread_local GraphTask task;
  return task;
}

class GraphTaskGuard {
 public:
  explicit GraphTaskGuard(bool whole_graph) : before_(graph_task()) {
    static std::atomic<uint64_t> last{0};
    graph_task() = {++last, before_.whole_graph && whole_graph};
  }
  ~GraphTaskGuard() { graph_task() = before_; }
  GraphTaskGuard(const GraphTaskGuard&) = delete;

 private:
  GraphTask before_;
};

}  // namespace sconce
