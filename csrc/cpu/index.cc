// Reading and writing at positions that tensors hold.
#include "../backend/index.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "../core/device.h"
#include "../core/dtype.h"
#include "../core/float16.h"
#include "../core/parallel.h"
#include "walk.h"

namespace sconce::cpu {
namespace {

constexpr int64_t kGrain = 8192;  // numbers per thread at least

// ---- index checks ----
// Threads note the first bad index they meet; the caller reports one of them.
class BadIndex {
 public:
  void note(int64_t index, int32_t which) {
    int32_t none = -1;
    if (which_.compare_exchange_strong(none, which)) value_.store(index);
  }
  bool any() const { return which_.load() >= 0; }
  int32_t which() const { return which_.load(); }
  int64_t value() const { return value_.load(); }

 private:
  std::atomic<int32_t> which_{-1};
  std::atomic<int64_t> value_{0};
};

int32_t offsets_kernel(ScIndexOffsets* a) {
  BadIndex bad;
  parallel_for(0, a->n, kGrain, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) a->out[i] = 0;
    for (int32_t k = 0; k < a->count; ++k) {
      const int64_t size = a->sizes[k], stride = a->strides[k], low = a->allow_negative ? -size : 0;
      const int64_t* index = a->index[k];
      for (int64_t i = from; i < to; ++i) {
        int64_t at = index[i];
        if (at < low || at >= size) {
          bad.note(at, k);
          return;
        }
        if (at < 0) at += size;
        a->out[i] += at * stride;
      }
    }
  });
  if (!bad.any()) return SC_OK;
  a->bad = bad.value();
  a->bad_which = bad.which();
  return SC_ERROR;
}

// ---- combining ----
struct Assign {
  template <class T>
  static T run(T, T b) {
    return b;
  }
};
struct Add {
  template <class T>
  static T run(T a, T b) {
    if constexpr (std::is_same_v<T, bool>)
      return a || b;
    else
      return static_cast<T>(a + b);
  }
};
struct Mul {
  template <class T>
  static T run(T a, T b) {
    if constexpr (std::is_same_v<T, bool>)
      return a && b;
    else
      return static_cast<T>(a * b);
  }
};
template <class T>
bool is_nan(T v) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return v != v;
}
struct Amax {
  template <class T>
  static T run(T a, T b) {
    return is_nan(a) || a > b ? a : b;
  }
};
struct Amin {
  template <class T>
  static T run(T a, T b) {
    return is_nan(a) || a < b ? a : b;
  }
};

// Calls f(Type{}) for the dtype; kernels that only move bytes look at the item size alone.
template <class F>
int32_t by_dtype(int32_t dtype, const F& f) {
  switch (dtype) {
    case SC_FLOAT32:
      return f(float{});
    case SC_FLOAT64:
      return f(double{});
    case SC_FLOAT16:
      return f(half_t{});
    case SC_BFLOAT16:
      return f(bfloat16_t{});
    case SC_INT64:
      return f(int64_t{});
    case SC_INT32:
      return f(int32_t{});
    case SC_INT16:
      return f(int16_t{});
    case SC_INT8:
      return f(int8_t{});
    case SC_UINT8:
      return f(uint8_t{});
    case SC_BOOL:
      return f(bool{});
    default:
      return SC_UNSUPPORTED;
  }
}
template <class F>
int32_t by_size(int32_t dtype, const F& f) {
  switch (kItemSize[dtype]) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}
template <class F>
int32_t by_mode(int32_t mode, const F& f) {
  switch (mode) {
    case SC_SCATTER_ASSIGN:
      return f(Assign{});
    case SC_SCATTER_ADD:
      return f(Add{});
    case SC_SCATTER_MUL:
      return f(Mul{});
    case SC_SCATTER_AMAX:
      return f(Amax{});
    case SC_SCATTER_AMIN:
      return f(Amin{});
    default:
      return SC_UNSUPPORTED;
  }
}

// ---- rows ----
// The inner dimensions, coalesced over both operands; the last one is the run that the loops below go along.
struct Inner {
  int64_t run = 1, table_step = 1, row_step = 1, runs = 1;
  Walk<2> outer;

  explicit Inner(const ScIndexRows& a) {
    int64_t size[SC_MAX_DIMS], table[SC_MAX_DIMS], row[SC_MAX_DIMS];
    int n = 0;
    for (int d = 0; d < a.inner_ndim; ++d) {
      if (a.inner_sizes[d] == 1) continue;
      if (n > 0 && table[n - 1] == a.table_strides[d] * a.inner_sizes[d] &&
          row[n - 1] == a.row_strides[d] * a.inner_sizes[d]) {
        size[n - 1] *= a.inner_sizes[d];
        table[n - 1] = a.table_strides[d];
        row[n - 1] = a.row_strides[d];
        continue;
      }
      size[n] = a.inner_sizes[d];
      table[n] = a.table_strides[d];
      row[n] = a.row_strides[d];
      ++n;
    }
    if (n > 0) {
      run = size[n - 1];
      table_step = table[n - 1];
      row_step = row[n - 1];
    }
    for (int d = 0; d + 1 < n; ++d) outer.add_dim(size[d], {table[d], row[d]});
    runs = outer.count();
  }
};

int32_t take_rows_kernel(const ScIndexRows* a) {
  const Inner inner(*a);
  const int64_t row_numel = inner.run * inner.runs;
  if (row_numel == 0) return SC_OK;
  return by_size(a->dtype, [&](auto zero) -> int32_t {
    using T = decltype(zero);
    const T* table = static_cast<const T*>(a->table);
    T* rows = static_cast<T*>(a->rows);
    const bool dense = inner.table_step == 1 && inner.row_step == 1;
    parallel_for(0, a->n, std::max<int64_t>(1, kGrain / row_numel), [&](int64_t from, int64_t to) {
      Walk<2> walk = inner.outer;
      for (int64_t i = from; i < to; ++i) {
        walk.seek(0);
        for (int64_t r = 0; r < inner.runs; ++r, walk.next()) {
          const T* src = table + a->offsets[i] + walk.offset[0];
          T* dst = rows + i * a->row_stride + walk.offset[1];
          if (dense && inner.run > 4) {
            memcpy(dst, src, static_cast<size_t>(inner.run) * sizeof(T));
          } else {
            for (int64_t j = 0; j < inner.run; ++j) dst[j * inner.row_step] = src[j * inner.table_step];
          }
        }
      }
    });
    return SC_OK;
  });
}

template <class Mode, class T>
void put_rows(const ScIndexRows& a, const Inner& inner) {
  T* table = static_cast<T*>(a.table);
  const T* rows = static_cast<const T*>(a.rows);
  // Rows may meet at one place: threads share out the columns, so that every place sees its rows in order and
  // the result does not depend on the number of threads.
  const bool split_run = inner.run >= inner.runs;
  const int64_t pieces = split_run ? inner.run : inner.runs;
  const int64_t work = a.n * inner.run * inner.runs;
  const int64_t grain = work < kGrain ? pieces : std::max<int64_t>(16, kGrain * pieces / work);
  parallel_for(0, pieces, grain, [&](int64_t from, int64_t to) {
    const int64_t first = split_run ? from : 0, last = split_run ? to : inner.run;
    const int64_t first_run = split_run ? 0 : from, last_run = split_run ? inner.runs : to;
    Walk<2> walk = inner.outer;
    for (int64_t i = 0; i < a.n; ++i) {
      walk.seek(first_run);
      for (int64_t r = first_run; r < last_run; ++r, walk.next()) {
        T* dst = table + a.offsets[i] + walk.offset[0];
        const T* src = rows + i * a.row_stride + walk.offset[1];
        for (int64_t j = first; j < last; ++j) {
          T& place = dst[j * inner.table_step];
          place = Mode::run(place, src[j * inner.row_step]);
        }
      }
    }
  });
}

int32_t put_rows_kernel(int32_t mode, const ScIndexRows* a) {
  const Inner inner(*a);
  if (inner.run * inner.runs == 0 || a->n == 0) return SC_OK;
  if (mode == SC_SCATTER_ASSIGN) {
    return by_size(a->dtype, [&](auto zero) -> int32_t {
      put_rows<Assign, decltype(zero)>(*a, inner);
      return SC_OK;
    });
  }
  return by_mode(mode, [&](auto combine) {
    return by_dtype(a->dtype, [&](auto zero) -> int32_t {
      put_rows<decltype(combine), decltype(zero)>(*a, inner);
      return SC_OK;
    });
  });
}

// ---- gather and scatter along a dimension ----
// Two nested loops run in the memory's order: along `dim` outside and along the last dimension inside (where
// `dim` is the last one, along `dim` alone). The other dimensions are walked. Threads share out the walk and
// blocks of the inner loop, never `dim` itself: places of different lines are different, so that nothing is
// written by two of them.
struct Lines {
  struct Steps {
    int64_t other = 0, self = 0, index = 0;
  };
  Walk<3> walk;  // other (out or src), self, index
  int64_t count, length, width = 1, self_step, self_size;
  Steps along, across;  // `dim`; the inner loop

  Lines(const ScTensor& other, const ScTensor& self, const ScTensor& index, int32_t dim) {
    const int32_t last = index.ndim - 1;
    for (int32_t d = 0; d < index.ndim; ++d)
      if (d != dim && d != last)
        walk.add_dim(index.sizes[d], {other.strides[d], self.strides[d], index.strides[d]});
    count = walk.count();
    length = index.sizes[dim];
    along = {other.strides[dim], 0, index.strides[dim]};
    if (dim != last) {
      width = index.sizes[last];
      across = {other.strides[last], self.strides[last], index.strides[last]};
    }
    self_step = self.strides[dim];
    self_size = self.sizes[dim];
  }
  int64_t numel() const { return count * length * width; }

  // Calls body(other, self, index) with the offsets of each line and the range of the inner loop.
  template <class Body>
  void each(const Body& body) const {
    const int64_t block = std::max<int64_t>(1, std::min(width, std::max<int64_t>(64, kGrain / length)));
    const int64_t blocks = (width + block - 1) / block;
    parallel_for(0, count * blocks, std::max<int64_t>(1, kGrain / (length * block)),
                 [&](int64_t from, int64_t to) {
                   Walk<3> at = walk;
                   for (int64_t unit = from; unit < to; ++unit) {
                     if (unit == from || unit % blocks == 0) at.seek(unit / blocks);
                     const int64_t first = unit % blocks * block;
                     if (!body(at.offset, first, std::min(first + block, width))) return;
                   }
                 });
  }
};

int32_t gather_kernel(const ScTensor* out, const ScTensor* self, const ScTensor* index, int32_t dim,
                      int64_t* bad_index) {
  const Lines l(*out, *self, *index, dim);
  if (l.numel() == 0) return SC_OK;
  const int64_t* indices = static_cast<const int64_t*>(index->data);
  BadIndex bad;
  by_size(out->dtype, [&](auto zero) -> int32_t {
    using T = decltype(zero);
    T* out_data = static_cast<T*>(out->data);
    const T* self_data = static_cast<const T*>(self->data);
    l.each([&](const int64_t* offset, int64_t first, int64_t last) {
      auto line = [&](T* d, const T* s, const int64_t* x, int64_t n, Lines::Steps step) {
        for (int64_t i = 0; i < n; ++i) {
          const int64_t k = x[i * step.index];
          if (static_cast<uint64_t>(k) >= static_cast<uint64_t>(l.self_size)) {
            bad.note(k, 0);
            return false;
          }
          d[i * step.other] = s[k * l.self_step + i * step.self];
        }
        return true;
      };
      T* d = out_data + offset[0];
      const T* s = self_data + offset[1];
      const int64_t* x = indices + offset[2];
      if (l.width == 1) return line(d, s, x, l.length, l.along);
      for (int64_t i = 0; i < l.length; ++i) {
        if (!line(d + i * l.along.other + first * l.across.other, s + first * l.across.self,
                  x + i * l.along.index + first * l.across.index, last - first, l.across))
          return false;
      }
      return true;
    });
    return SC_OK;
  });
  if (!bad.any()) return SC_OK;
  *bad_index = bad.value();
  return SC_ERROR;
}

template <class Mode, class T>
void scatter(const ScTensor& self, const ScTensor& index, const ScTensor& src, const Lines& l) {
  T* self_data = static_cast<T*>(self.data);
  const T* src_data = static_cast<const T*>(src.data);
  const int64_t* indices = static_cast<const int64_t*>(index.data);
  l.each([&](const int64_t* offset, int64_t first, int64_t last) {
    auto line = [&](const T* s, T* d, const int64_t* x, int64_t n, Lines::Steps step) {
      for (int64_t i = 0; i < n; ++i) {
        T& place = d[x[i * step.index] * l.self_step + i * step.self];
        place = Mode::run(place, s[i * step.other]);
      }
    };
    const T* s = src_data + offset[0];
    T* d = self_data + offset[1];
    const int64_t* x = indices + offset[2];
    if (l.width == 1) {
      line(s, d, x, l.length, l.along);
      return true;
    }
    for (int64_t i = 0; i < l.length; ++i)
      line(s + i * l.along.other + first * l.across.other, d + first * l.across.self,
           x + i * l.along.index + first * l.across.index, last - first, l.across);
    return true;
  });
}

int32_t scatter_kernel(int32_t mode, const ScTensor* self, const ScTensor* index, const ScTensor* src,
                       int32_t dim, int64_t* bad_index) {
  const Lines l(*src, *self, *index, dim);
  if (l.numel() == 0) return SC_OK;
  // All indices are checked before anything is written.
  const int64_t* indices = static_cast<const int64_t*>(index->data);
  BadIndex bad;
  l.each([&](const int64_t* offset, int64_t first, int64_t last) {
    for (int64_t i = 0; i < l.length; ++i) {
      const int64_t* x = indices + offset[2] + i * l.along.index;
      for (int64_t j = first; j < last; ++j) {
        const int64_t k = x[j * l.across.index];
        if (static_cast<uint64_t>(k) < static_cast<uint64_t>(l.self_size)) continue;
        bad.note(k, 0);
        return false;
      }
    }
    return true;
  });
  if (bad.any()) {
    *bad_index = bad.value();
    return SC_ERROR;
  }
  return by_mode(mode, [&](auto combine) {
    return by_dtype(self->dtype, [&](auto zero) -> int32_t {
      scatter<decltype(combine), decltype(zero)>(*self, *index, *src, l);
      return SC_OK;
    });
  });
}

// ---- nonzero ----
int32_t nonzero_kernel(const ScTensor* self, int64_t* count, int64_t* out) {
  int64_t numel = 1;
  for (int32_t d = 0; d < self->ndim; ++d) numel *= self->sizes[d];
  return by_dtype(self->dtype, [&](auto zero) -> int32_t {
    using T = decltype(zero);
    const T* data = static_cast<const T*>(self->data);
    if (!out) {
      int64_t found = 0;
      for (int64_t i = 0; i < numel; ++i) found += data[i] != T(0) ? 1 : 0;
      *count = found;
      return SC_OK;
    }
    int64_t found = 0;
    if (self->ndim == 1) {
      // Written at every step and kept where it counts: no branch to mispredict. The last write may be one
      // too far.
      const int64_t total = *count;
      for (int64_t i = 0; found < total; ++i) {
        out[found] = i;
        found += data[i] != T(0) ? 1 : 0;
      }
      return SC_OK;
    }
    const int32_t last = self->ndim - 1;
    const int64_t width = last >= 0 ? self->sizes[last] : 1;
    int64_t at[SC_MAX_DIMS] = {};
    for (int64_t row = 0; row < numel; row += width) {
      for (int64_t j = 0; j < width; ++j) {
        if (data[row + j] == T(0)) continue;
        for (int32_t d = 0; d < last; ++d) *out++ = at[d];
        if (last >= 0) *out++ = j;
        ++found;
      }
      for (int32_t d = last - 1; d >= 0; --d) {
        if (++at[d] < self->sizes[d]) break;
        at[d] = 0;
      }
    }
    *count = found;
    return SC_OK;
  });
}

SC_CPU_KERNEL(index.offsets, offsets_kernel);
SC_CPU_KERNEL(index.take_rows, take_rows_kernel);
SC_CPU_KERNEL(index.put_rows, put_rows_kernel);
SC_CPU_KERNEL(index.gather, gather_kernel);
SC_CPU_KERNEL(index.scatter, scatter_kernel);
SC_CPU_KERNEL(index.nonzero, nonzero_kernel);

}  // namespace
}  // namespace sconce::cpu
