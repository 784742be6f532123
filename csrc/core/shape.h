// Sizes and strides.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "../backend/common.h"

namespace sconce {

constexpr int kMaxDims = SC_MAX_DIMS;

[[noreturn]] void throw_too_many_dims(int64_t n);

// A short list of int64 held inline: sizes, strides and dimension lists never allocate.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> v) { assign(v.begin(), static_cast<int64_t>(v.size())); }
  Dims(const std::vector<int64_t>& v) {
    assign(v.data(), static_cast<int64_t>(v.size()));
  }  // NOLINT: implicit
  Dims(const int64_t* p, int64_t n) { assign(p, n); }
  Dims(const Dims& o) { assign(o.v_, o.n_); }
  Dims& operator=(const Dims& o) {
    assign(o.v_, o.n_);
    return *this;
  }
  static Dims filled(int64_t n, int64_t value) {
    Dims d;
    d.resize(n, value);
    return d;
  }
  int size() const { return n_; }
  bool empty() const { return n_ == 0; }
  int64_t& operator[](int i) { return v_[i]; }
  int64_t operator[](int i) const { return v_[i]; }
  int64_t back() const { return v_[n_ - 1]; }
  int64_t* begin() { return v_; }
  int64_t* end() { return v_ + n_; }
  const int64_t* begin() const { return v_; }
  const int64_t* end() const { return v_ + n_; }
  const int64_t* data() const { return v_; }
  void push_back(int64_t x) {
    if (n_ == kMaxDims) throw_too_many_dims(n_ + 1);
    v_[n_++] = x;
  }
  void insert(int at, int64_t x) {
    push_back(x);
    for (int i = n_ - 1; i > at; --i) v_[i] = v_[i - 1];
    v_[at] = x;
  }
  void erase(int at) {
    for (int i = at; i + 1 < n_; ++i) v_[i] = v_[i + 1];
    --n_;
  }
  void resize(int64_t n, int64_t value = 0) {
    if (n > kMaxDims) throw_too_many_dims(n);
    for (int64_t i = n_; i < n; ++i) v_[i] = value;
    n_ = static_cast<int>(n);
  }
  void clear() { n_ = 0; }
  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.n_ != b.n_) return false;
    for (int i = 0; i < a.n_; ++i)
      if (a.v_[i] != b.v_[i]) return false;
    return true;
  }
  friend bool operator!=(const Dims& a, const Dims& b) { return !(a == b); }
  std::vector<int64_t> vec() const { return {begin(), end()}; }

 private:
  void assign(const int64_t* p, int64_t n) {
    if (n > kMaxDims) throw_too_many_dims(n);
    n_ = static_cast<int>(n);
    for (int64_t i = 0; i < n; ++i) v_[i] = p[i];
  }
  int n_ = 0;
  int64_t v_[kMaxDims];
};

int64_t numel_of(const Dims& sizes);  // throws on overflow and on negative sizes
Dims contiguous_strides(const Dims& sizes);
Dims channels_last_strides(const Dims& sizes);  // [N, C, H, W] stored as N, H, W, C
// The broadcast shape of two shapes; throws PyTorch's "The size of tensor a (2) must match the size of tensor
// b (3) at non-singleton dimension 0".
Dims broadcast_shapes(const Dims& a, const Dims& b);
bool is_expandable_to(const Dims& from, const Dims& to);
// Maps -ndim..ndim-1 to 0..ndim-1; throws PyTorch's "Dimension out of range (expected to be in range of [-1,
// 0], but got 2)" (kIndex).
int wrap_dim(int64_t dim, int64_t ndim, bool wrap_scalar = true);
// Wraps every entry, rejects duplicates ("dim 0 appears multiple times in the list of dims").
Dims wrap_dims(const Dims& dims, int64_t ndim);
// Strides of a view of `sizes`/`strides` with shape `to`, or false when it needs a copy.
bool view_strides(const Dims& sizes, const Dims& strides, const Dims& to, Dims* out);
// Replaces a single -1 ("shape '[2, -1]' is invalid for input of size 3" otherwise).
Dims infer_size(const Dims& shape, int64_t numel);

}  // namespace sconce
