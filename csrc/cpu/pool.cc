// Pooling.
#include <algorithm>
#include <limits>

#include "core/device.h"
#include "core/float16.h"
#include "core/parallel.h"
#include "pool_rows.h"

namespace sconce {
namespace {
template <class T>
struct Wide {
  using type = T;
};
template <>
struct Wide<half_t> {
  using type = float;
};
template <>
struct Wide<bfloat16_t> {
  using type = float;
};

template <class T>
bool is_nan(T v) {
  return v != v;
}
template <class T>
T lowest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::lowest();
}

constexpr int64_t kGrain = 16384;  // input elements worth a thread of their own

// Planes are independent. In channels-last order the planes of one image are taken together, a few channels
// at a time, so that the inner loop runs along memory.
template <class F>
void for_planes(const ScPool& p, const F& body) {
  const bool last = p.x_strides[1] == 1 && p.channels > 1;
  constexpr int64_t kChannels = 64;
  const int64_t group = last ? std::min(kChannels, p.channels) : 1;
  const int64_t groups = (p.channels + group - 1) / group, size = p.in[0] * p.in[1] * group;
  parallel_for(0, p.batch * groups, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, size)),
               [&](int64_t from, int64_t to) {
                 for (int64_t i = from; i < to; ++i) {
                   const int64_t n = i / groups, c = i % groups * group;
                   body(n * p.x_strides[0] + c * p.x_strides[1], n * p.y_strides[0] + c * p.y_strides[1],
                        std::min(group, p.channels - c));
                 }
               });
}

template <class T>
int32_t max_forward(const ScPool& p) {
  using A = typename Wide<T>::type;
  if (max_rows_serves(p)) return max_rows_forward(p);
  for_planes(p, [&](int64_t x0, int64_t y0, int64_t channels) {
    const T* x = static_cast<const T*>(p.x) + x0;
    T* y = static_cast<T*>(p.y) + y0;
    int64_t* index = p.indices + y0;
    for (int64_t oh = 0; oh < p.out[0]; ++oh) {
      int64_t h0 = oh * p.stride[0] - p.padding[0];
      const int64_t h1 = std::min(p.in[0], h0 + (p.kernel[0] - 1) * p.dilation[0] + 1);
      while (h0 < 0) h0 += p.dilation[0];
      for (int64_t ow = 0; ow < p.out[1]; ++ow) {
        int64_t w0 = ow * p.stride[1] - p.padding[1];
        const int64_t w1 = std::min(p.in[1], w0 + (p.kernel[1] - 1) * p.dilation[1] + 1);
        while (w0 < 0) w0 += p.dilation[1];
        const int64_t at = oh * p.y_strides[2] + ow * p.y_strides[3];
        if (channels == 1) {
          A best = lowest<A>();
          int64_t where = h0 * p.in[1] + w0;
          for (int64_t h = h0; h < h1; h += p.dilation[0])
            for (int64_t w = w0; w < w1; w += p.dilation[1]) {
              const A v = static_cast<A>(x[h * p.x_strides[2] + w * p.x_strides[3]]);
              if (v > best || is_nan(v)) {
                best = v;
                where = h * p.in[1] + w;
              }
            }
          y[at] = static_cast<T>(best);
          index[at] = where;
          continue;
        }
        A best[64];
        int64_t where[64];
        std::fill(best, best + channels, lowest<A>());
        std::fill(where, where + channels, h0 * p.in[1] + w0);
        for (int64_t h = h0; h < h1; h += p.dilation[0])
          for (int64_t w = w0; w < w1; w += p.dilation[1]) {
            const T* row = x + h * p.x_strides[2] + w * p.x_strides[3];
            for (int64_t c = 0; c < channels; ++c) {
              const A v = static_cast<A>(row[c]);
              const bool better = v > best[c] || is_nan(v);
              best[c] = better ? v : best[c];
              where[c] = better ? h * p.in[1] + w : where[c];
            }
          }
        for (int64_t c = 0; c < channels; ++c) {
          y[at + c] = static_cast<T>(best[c]);
          index[at + c] = where[c];
        }
      }
    }
  });
  return SC_OK;
}

template <class T>
void clear(const ScPool& p, T* x, int64_t channels) {
  for (int64_t h = 0; h < p.in[0]; ++h)
    for (int64_t w = 0; w < p.in[1]; ++w) {
      T* to = x + h * p.x_strides[2] + w * p.x_strides[3];
      std::fill(to, to + channels, T(0));
    }
}

template <class T>
int32_t max_backward(const ScPool& p) {
  if (max_rows_serves(p)) {
    max_rows_backward(p);
    return SC_OK;
  }
  for_planes(p, [&](int64_t x0, int64_t y0, int64_t channels) {
    T* x = static_cast<T*>(p.x) + x0;
    const T* y = static_cast<const T*>(p.y) + y0;
    const int64_t* index = p.indices + y0;
    clear(p, x, channels);
    const bool packed = p.x_strides[2] == p.in[1] * p.x_strides[3];
    for (int64_t oh = 0; oh < p.out[0]; ++oh)
      for (int64_t ow = 0; ow < p.out[1]; ++ow) {
        const int64_t at = oh * p.y_strides[2] + ow * p.y_strides[3];
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t i = index[at + c];
          T& to = x[c + (packed ? i * p.x_strides[3]
                                : i / p.in[1] * p.x_strides[2] + i % p.in[1] * p.x_strides[3])];
          to = static_cast<T>(to + y[at + c]);
        }
      }
  });
  return SC_OK;
}

// The part of the input that one average covers, and what it is divided by.
struct Window {
  int64_t h0, h1, w0, w1, count;
  Window(const ScPool& p, int64_t oh, int64_t ow) {
    if (p.adaptive) {
      h0 = oh * p.in[0] / p.out[0];
      h1 = ((oh + 1) * p.in[0] + p.out[0] - 1) / p.out[0];
      w0 = ow * p.in[1] / p.out[1];
      w1 = ((ow + 1) * p.in[1] + p.out[1] - 1) / p.out[1];
      count = (h1 - h0) * (w1 - w0);
      return;
    }
    h0 = oh * p.stride[0] - p.padding[0];
    w0 = ow * p.stride[1] - p.padding[1];
    h1 = std::min(h0 + p.kernel[0], p.in[0] + p.padding[0]);
    w1 = std::min(w0 + p.kernel[1], p.in[1] + p.padding[1]);
    const int64_t padded = (h1 - h0) * (w1 - w0);
    h0 = std::max<int64_t>(h0, 0);
    w0 = std::max<int64_t>(w0, 0);
    h1 = std::min(h1, p.in[0]);
    w1 = std::min(w1, p.in[1]);
    count = p.divisor ? p.divisor : p.count_include_pad ? padded : (h1 - h0) * (w1 - w0);
  }
};

template <class T>
int32_t average_forward(const ScPool& p) {
  using A = typename Wide<T>::type;
  for_planes(p, [&](int64_t x0, int64_t y0, int64_t channels) {
    const T* x = static_cast<const T*>(p.x) + x0;
    T* y = static_cast<T*>(p.y) + y0;
    for (int64_t oh = 0; oh < p.out[0]; ++oh)
      for (int64_t ow = 0; ow < p.out[1]; ++ow) {
        const Window v(p, oh, ow);
        const int64_t at = oh * p.y_strides[2] + ow * p.y_strides[3];
        A sum[64];
        std::fill(sum, sum + channels, A(0));
        for (int64_t h = v.h0; h < v.h1; ++h)
          for (int64_t w = v.w0; w < v.w1; ++w) {
            const T* row = x + h * p.x_strides[2] + w * p.x_strides[3];
            for (int64_t c = 0; c < channels; ++c) sum[c] += static_cast<A>(row[c]);
          }
        for (int64_t c = 0; c < channels; ++c)
          y[at + c] = v.h0 < v.h1 && v.w0 < v.w1 ? static_cast<T>(sum[c] / static_cast<A>(v.count)) : T(0);
      }
  });
  return SC_OK;
}

template <class T>
int32_t average_backward(const ScPool& p) {
  using A = typename Wide<T>::type;
  for_planes(p, [&](int64_t x0, int64_t y0, int64_t channels) {
    T* x = static_cast<T*>(p.x) + x0;
    const T* y = static_cast<const T*>(p.y) + y0;
    clear(p, x, channels);
    for (int64_t oh = 0; oh < p.out[0]; ++oh)
      for (int64_t ow = 0; ow < p.out[1]; ++ow) {
        const Window v(p, oh, ow);
        const T* from = y + oh * p.y_strides[2] + ow * p.y_strides[3];
        for (int64_t h = v.h0; h < v.h1; ++h)
          for (int64_t w = v.w0; w < v.w1; ++w) {
            T* to = x + h * p.x_strides[2] + w * p.x_strides[3];
            for (int64_t c = 0; c < channels; ++c)
              to[c] =
                  static_cast<T>(static_cast<A>(to[c]) + static_cast<A>(from[c]) / static_cast<A>(v.count));
          }
      }
  });
  return SC_OK;
}

#define SC_POOL_KERNEL(name, fn)   \
  int32_t name(const ScPool* p) {  \
    switch (p->dtype) {            \
      case SC_FLOAT32:             \
        return fn<float>(*p);      \
      case SC_FLOAT64:             \
        return fn<double>(*p);     \
      case SC_FLOAT16:             \
        return fn<half_t>(*p);     \
      case SC_BFLOAT16:            \
        return fn<bfloat16_t>(*p); \
      case SC_INT64:               \
        return fn<int64_t>(*p);    \
      case SC_INT32:               \
        return fn<int32_t>(*p);    \
      case SC_INT16:               \
        return fn<int16_t>(*p);    \
      case SC_INT8:                \
        return fn<int8_t>(*p);     \
      case SC_UINT8:               \
        return fn<uint8_t>(*p);    \
    }                              \
    return SC_UNSUPPORTED;         \
  }                                \
  SC_CPU_KERNEL(pool.fn, name)
SC_POOL_KERNEL(run_max_forward, max_forward);
SC_POOL_KERNEL(run_max_backward, max_backward);
SC_POOL_KERNEL(run_average_forward, average_forward);
SC_POOL_KERNEL(run_average_backward, average_backward);
}  // namespace
}  // namespace sconce
