// A vector whose first N elements live in the object: graph nodes have few edges and outputs.
#pragma once
#include <cstddef>
#include <new>
#include <utility>

namespace sconce {

template <class T, size_t N>
class SmallVector {
 public:
  SmallVector() = default;
  SmallVector(const SmallVector&) = delete;
  SmallVector& operator=(const SmallVector&) = delete;
  ~SmallVector() {
    for (size_t i = 0; i < size_; ++i) data_[i].~T();
    if (data_ != inline_data()) ::operator delete(data_);
  }
  template <class... A>
  T& emplace_back(A&&... args) {
    if (size_ == capacity_) grow(capacity_ * 2);
    T* p = new (static_cast<void*>(data_ + size_)) T{std::forward<A>(args)...};
    ++size_;
    return *p;
  }
  void push_back(T&& v) { emplace_back(std::move(v)); }
  void push_back(const T& v) { emplace_back(v); }
  void reserve(size_t n) {
    if (n > capacity_) grow(n);
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  T* inline_data() { return reinterpret_cast<T*>(buffer_); }
  void grow(size_t capacity) {
    T* to = static_cast<T*>(::operator new(capacity * sizeof(T)));
    for (size_t i = 0; i < size_; ++i) {
      new (static_cast<void*>(to + i)) T(std::move(data_[i]));
      data_[i].~T();
    }
    if (data_ != inline_data()) ::operator delete(data_);
    data_ = to;
    capacity_ = capacity;
  }
  alignas(T) unsigned char buffer_[N * sizeof(T)];
  T* data_ = inline_data();
  size_t size_ = 0, capacity_ = N;
};

}  // namespace sconce
