// Intrusive reference counting.
//
// Note [Threads and reference counts]
// A tensor, and the graph behind it, belongs to one JavaScript thread: nothing hands tensors to another one,
// but for that thread's own background thread, with which it takes turns (Note [The turn] in background.h).
// Counts are therefore plain integers. Kernels run on many threads but see only raw pointers. What threads do
// share (the caching allocator, the thread pool, CUDA) is locked by itself.
#pragma once
#include <cstdint>
#include <utility>

namespace sconce {

template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT: implicit
  explicit Ref(T* p) : p_(p) {
    if (p_) ++p_->refcount_;
  }
  static Ref adopt(T* p) {  // takes over one count
    Ref r;
    r.p_ = p;
    return r;
  }
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) ++p_->refcount_;
  }
  Ref(Ref&& o) noexcept : p_(o.p_) { o.p_ = nullptr; }
  Ref& operator=(const Ref& o) {
    Ref(o).swap(*this);
    return *this;
  }
  Ref& operator=(Ref&& o) noexcept {
    Ref(std::move(o)).swap(*this);
    return *this;
  }
  ~Ref() { reset_slot(); }
  void reset() { Ref().swap(*this); }
  void swap(Ref& o) noexcept { std::swap(p_, o.p_); }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  T* release() { return std::exchange(p_, nullptr); }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }
  friend bool operator!=(const Ref& a, const Ref& b) { return a.p_ != b.p_; }

 private:
  void reset_slot() {
    if (p_ && --p_->refcount_ == 0) T::destroy(p_);
  }
  T* p_ = nullptr;
};

// Base of what Ref counts; T::destroy(T*) runs at zero.
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  uint32_t refcount() const { return refcount_; }

 protected:
  ~RefCounted() = default;

 private:
  template <class U>
  friend class Ref;
  uint32_t refcount_ = 0;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace sconce
