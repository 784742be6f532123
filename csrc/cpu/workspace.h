// Memory for the duration of a kernel, from the caching allocator.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sconce {

class Workspace {
 public:
  Workspace() = default;
  ~Workspace() { release(); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* get(size_t bytes);  // null for none; what was got before is gone; throws std::bad_alloc

 private:
  void release();
  void* p_ = nullptr;
  size_t bytes_ = 0;
};

template <class T>
class WorkspaceOf {
 public:
  explicit WorkspaceOf(int64_t n) : p_(static_cast<T*>(memory_.get(static_cast<size_t>(n) * sizeof(T)))) {}
  T* get() const { return p_; }

 private:
  Workspace memory_;
  T* p_;
};

}  // namespace sconce
