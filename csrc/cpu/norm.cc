// Normalisation kernels. Sums are split by the shape alone, so the bits do not depend on the number of
// threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "csrc/cpu/norm.cc"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway wants it.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/device.h"
#include "core/parallel.h"
#include "cpu/stream.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// sum(x - shift) and sum((x - shift)^2) over n neighbours; the shift keeps the second from cancelling.
template <class T>
HWY_INLINE void shifted_sums(const T* x, int64_t n, T shift, T* s1, T* s2) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto k = hn::Set(d, shift);
  auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  int64_t i = 0;
  const auto take = [&](int64_t at, auto& a, auto& b) HWY_ATTR {
    const auto v = hn::Sub(hn::LoadU(d, x + at), k);
    a = hn::Add(a, v);
    b = hn::MulAdd(v, v, b);
  };
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    take(i, a0, b0);
    take(i + lanes, a1, b1);
    take(i + 2 * lanes, a2, b2);
    take(i + 3 * lanes, a3, b3);
  }
  for (; i + lanes <= n; i += lanes) take(i, a0, b0);
  a0 = hn::Add(hn::Add(a0, a1), hn::Add(a2, a3));
  b0 = hn::Add(hn::Add(b0, b1), hn::Add(b2, b3));
  T p = hn::GetLane(hn::SumOfLanes(d, a0)), q = hn::GetLane(hn::SumOfLanes(d, b0));
  for (; i < n; ++i) {
    const T u = x[i] - shift;
    p += u;
    q += u * u;
  }
  *s1 += p;
  *s2 += q;
}

// sum(dy) and sum(dy * (x - shift))
template <class T>
HWY_INLINE void grad_sums(const T* dy, const T* x, int64_t n, T shift, T* s1, T* s2) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto k = hn::Set(d, shift);
  auto a = hn::Zero(d), b = a;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto g = hn::LoadU(d, dy + i);
    a = hn::Add(a, g);
    b = hn::MulAdd(g, hn::Sub(hn::LoadU(d, x + i), k), b);
  }
  T p = hn::GetLane(hn::SumOfLanes(d, a)), q = hn::GetLane(hn::SumOfLanes(d, b));
  for (; i < n; ++i) {
    p += dy[i];
    q += dy[i] * (x[i] - shift);
  }
  *s1 += p;
  *s2 += q;
}

// Rows [from, to) of [rows, c]: p[c] += sum(u), q[c] += sum(u * v) with u, v as the statistics or the
// gradient sums want them.
template <class T, bool kGrad>
void channels_last_sums(const T* dy, const T* x, const T* shift, int64_t from, int64_t to, int64_t c, T* p,
                        T* q) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + lanes <= c; j += lanes) {
    const auto k = hn::LoadU(d, shift + j);
    auto a = hn::Zero(d), b = a;
    for (int64_t r = from; r < to; ++r) {
      const auto v = hn::Sub(hn::LoadU(d, x + r * c + j), k);
      const auto u = kGrad ? hn::LoadU(d, dy + r * c + j) : v;
      a = hn::Add(a, u);
      b = hn::MulAdd(u, v, b);
    }
    hn::StoreU(a, d, p + j);
    hn::StoreU(b, d, q + j);
  }
  for (; j < c; ++j) {
    T a = 0, b = 0;
    for (int64_t r = from; r < to; ++r) {
      const T v = x[r * c + j] - shift[j], u = kGrad ? dy[r * c + j] : v;
      a += u;
      b += u * v;
    }
    p[j] = a;
    q[j] = b;
  }
}

constexpr int64_t kRowChunk =
    256;  // rows summed by one task: fixed, so that results do not depend on the threads

// p[c] and q[c] summed over everything.
template <class T, bool kGrad>
void channel_sums(const ScChannels& s, const T* dy, const T* x, const T* shift, T* p, T* q) {
  const int64_t c = s.channels;
  if (s.channels_last) {
    const int64_t rows = s.outer * s.inner, chunks = std::max<int64_t>(1, (rows + kRowChunk - 1) / kRowChunk);
    std::vector<T> parts(static_cast<size_t>(2 * chunks * c));
    parallel_for(0, chunks, std::max<int64_t>(1, 16384 / (kRowChunk * std::max<int64_t>(c, 1))),
                 [&](int64_t a, int64_t b) {
                   for (int64_t k = a; k < b; ++k)
                     channels_last_sums<T, kGrad>(dy, x, shift, k * kRowChunk,
                                                  std::min(rows, (k + 1) * kRowChunk), c,
                                                  parts.data() + 2 * k * c, parts.data() + (2 * k + 1) * c);
                 });
    std::fill(p, p + c, T(0));
    std::fill(q, q + c, T(0));
    for (int64_t k = 0; k < chunks; ++k)
      for (int64_t j = 0; j < c; ++j) {
        p[j] += parts[static_cast<size_t>(2 * k * c + j)];
        q[j] += parts[static_cast<size_t>((2 * k + 1) * c + j)];
      }
    return;
  }
  parallel_for(0, c, std::max<int64_t>(1, 16384 / std::max<int64_t>(s.outer * s.inner, 1)),
               [&](int64_t a, int64_t b) {
                 for (int64_t j = a; j < b; ++j) {
                   T u = 0, v = 0;
                   for (int64_t o = 0; o < s.outer; ++o) {
                     const int64_t at = (o * c + j) * s.inner;
                     if constexpr (kGrad)
                       grad_sums(dy + at, x + at, s.inner, shift[j], &u, &v);
                     else
                       shifted_sums(x + at, s.inner, shift[j], &u, &v);
                   }
                   p[j] = u;
                   q[j] = v;
                 }
               });
}

template <class T>
void channel_stats_of(const ScChannels& s, const T* x, T* mean, T* var) {
  const int64_t c = s.channels, m = s.outer * s.inner;
  std::vector<T> shift(static_cast<size_t>(c));
  for (int64_t j = 0; j < c; ++j)
    shift[static_cast<size_t>(j)] = m ? x[s.channels_last ? j : j * s.inner] : T(0);
  channel_sums<T, false>(s, nullptr, x, shift.data(), mean, var);
  for (int64_t j = 0; j < c; ++j) {
    const T k = mean[j] / static_cast<T>(m);
    var[j] = std::max(T(0), var[j] / static_cast<T>(m) - k * k);
    mean[j] = shift[static_cast<size_t>(j)] + k;
  }
}

// y = x * a + b over n neighbours; with dy: y = dy * a + x * b + e
template <class T, bool kGrad>
void affine_row(const T* dy, const T* x, int64_t n, T a, T b, T e, T* y) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto va = hn::Set(d, a), vb = hn::Set(d, b), ve = hn::Set(d, e);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(kGrad ? hn::MulAdd(hn::LoadU(d, dy + i), va, hn::MulAdd(v, vb, ve)) : hn::MulAdd(v, va, vb), d,
               y + i);
  }
  for (; i < n; ++i) y[i] = kGrad ? dy[i] * a + x[i] * b + e : x[i] * a + b;
}

template <class T, bool kGrad>
void channel_affine_of(const ScChannels& s, const T* dy, const T* x, const T* a, const T* b, const T* e,
                       T* y) {
  const int64_t c = s.channels;
  if (s.channels_last) {
    const hn::ScalableTag<T> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    parallel_for(
        0, s.outer * s.inner, std::max<int64_t>(1, 16384 / std::max<int64_t>(c, 1)),
        [&](int64_t from, int64_t to) {
          for (int64_t r = from; r < to; ++r) {
            const int64_t at = r * c;
            int64_t j = 0;
            for (; j + lanes <= c; j += lanes) {
              const auto v = hn::LoadU(d, x + at + j), va = hn::LoadU(d, a + j), vb = hn::LoadU(d, b + j);
              hn::StoreU(
                  kGrad ? hn::MulAdd(hn::LoadU(d, dy + at + j), va, hn::MulAdd(v, vb, hn::LoadU(d, e + j)))
                        : hn::MulAdd(v, va, vb),
                  d, y + at + j);
            }
            for (; j < c; ++j)
              y[at + j] = kGrad ? dy[at + j] * a[j] + x[at + j] * b[j] + e[j] : x[at + j] * a[j] + b[j];
          }
        });
    return;
  }
  parallel_for(0, s.outer * c, std::max<int64_t>(1, 16384 / std::max<int64_t>(s.inner, 1)),
               [&](int64_t from, int64_t to) {
                 for (int64_t k = from; k < to; ++k) {
                   const int64_t j = k % c, at = k * s.inner;
                   affine_row<T, kGrad>(kGrad ? dy + at : nullptr, x + at, s.inner, a[j], b[j],
                                        kGrad ? e[j] : T(0), y + at);
                 }
               });
}

template <class T>
void layer_norm_of(const ScRows& s, const T* x, const T* w, const T* b, double eps, T* y, T* mean, T* rstd) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t n = s.n, bytes = n * static_cast<int64_t>(sizeof(T));
  // Note [Streamed results]; each row begins where a line begins
  const bool streamed =
      cpu::is_streamed(s.rows * bytes) && bytes % 64 == 0 && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  parallel_for_guided(
      0, s.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(n, 1)), [&](int64_t from, int64_t to) {
        for (int64_t r = from; r < to; ++r) {
          const T* row = x + r * n;
          T* out = y + r * n;
          T p = 0, q = 0;
          shifted_sums(row, n, row[0], &p, &q);
          const T k = p / static_cast<T>(n), var = std::max(T(0), q / static_cast<T>(n) - k * k);
          const T m = row[0] + k, inv = T(1) / std::sqrt(var + static_cast<T>(eps));
          mean[r] = m;
          rstd[r] = inv;
          const auto vm = hn::Set(d, m), vi = hn::Set(d, inv);
          const auto normal = [&](int64_t i) HWY_ATTR {
            hwy::Prefetch(row + n + n / 2 + i);  // of the rows to come, while this one is computed
            auto v = hn::Mul(hn::Sub(hn::LoadU(d, row + i), vm), vi);
            if (w && b) return hn::MulAdd(v, hn::LoadU(d, w + i), hn::LoadU(d, b + i));
            if (w) return hn::Mul(v, hn::LoadU(d, w + i));
            return b ? hn::Add(v, hn::LoadU(d, b + i)) : v;
          };
          int64_t i = 0;
          if (streamed)
            for (; i + lanes <= n; i += lanes) hn::Stream(normal(i), d, out + i);
          else
            for (; i + lanes <= n; i += lanes) hn::StoreU(normal(i), d, out + i);
          for (; i < n; ++i) out[i] = (row[i] - m) * inv * (w ? w[i] : T(1)) + (b ? b[i] : T(0));
        }
        if (streamed) cpu::stream_fence();
      });
}

// dx = rstd (g w - mean(g w) - xhat mean(g w xhat))
template <class T>
void layer_norm_dx(const ScRows& s, const T* dy, const T* x, const T* mean, const T* rstd, const T* w,
                   T* dx) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t n = s.n;
  parallel_for(
      0, s.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(n, 1)), [&](int64_t from, int64_t to) {
        for (int64_t r = from; r < to; ++r) {
          const T *g = dy + r * n, *row = x + r * n;
          T* out = dx + r * n;
          const auto vm = hn::Set(d, mean[r]);
          auto a = hn::Zero(d), b = a;
          int64_t i = 0;
          for (; i + lanes <= n; i += lanes) {
            const auto u = w ? hn::Mul(hn::LoadU(d, g + i), hn::LoadU(d, w + i)) : hn::LoadU(d, g + i);
            a = hn::Add(a, u);
            b = hn::MulAdd(u, hn::Sub(hn::LoadU(d, row + i), vm), b);
          }
          T p = hn::GetLane(hn::SumOfLanes(d, a)), q = hn::GetLane(hn::SumOfLanes(d, b));
          for (; i < n; ++i) {
            const T u = g[i] * (w ? w[i] : T(1));
            p += u;
            q += u * (row[i] - mean[r]);
          }
          const T inv = rstd[r], slope = -q * inv * inv * inv / static_cast<T>(n),
                  shift = -p * inv / static_cast<T>(n) - slope * mean[r];
          const auto vi = hn::Set(d, inv), vs = hn::Set(d, slope), vh = hn::Set(d, shift);
          for (i = 0; i + lanes <= n; i += lanes) {
            const auto u = w ? hn::Mul(hn::LoadU(d, g + i), hn::LoadU(d, w + i)) : hn::LoadU(d, g + i);
            hn::StoreU(hn::MulAdd(u, vi, hn::MulAdd(hn::LoadU(d, row + i), vs, vh)), d, out + i);
          }
          for (; i < n; ++i) out[i] = g[i] * (w ? w[i] : T(1)) * inv + row[i] * slope + shift;
        }
      });
}

template <class T>
void layer_norm_dw(const ScRows& s, const T* dy, const T* x, const T* mean, const T* rstd, T* dw, T* db) {
  const int64_t n = s.n, chunks = std::max<int64_t>(1, (s.rows + kRowChunk - 1) / kRowChunk);
  std::vector<T> parts(static_cast<size_t>(2 * chunks * n), T(0));
  parallel_for(
      0, chunks, std::max<int64_t>(1, 8192 / (kRowChunk * std::max<int64_t>(n, 1))),
      [&](int64_t a, int64_t b) {
        const hn::ScalableTag<T> d;
        const auto lanes = static_cast<int64_t>(hn::Lanes(d));
        for (int64_t k = a; k < b; ++k) {
          T *pw = parts.data() + 2 * k * n, *pb = pw + n;
          for (int64_t r = k * kRowChunk; r < std::min(s.rows, (k + 1) * kRowChunk); ++r) {
            const T *g = dy + r * n, *row = x + r * n;
            const auto vm = hn::Set(d, mean[r]), vi = hn::Set(d, rstd[r]);
            int64_t i = 0;
            for (; i + lanes <= n; i += lanes) {
              const auto u = hn::LoadU(d, g + i);
              hn::StoreU(hn::Add(hn::LoadU(d, pb + i), u), d, pb + i);
              hn::StoreU(hn::MulAdd(u, hn::Mul(hn::Sub(hn::LoadU(d, row + i), vm), vi), hn::LoadU(d, pw + i)),
                         d, pw + i);
            }
            for (; i < n; ++i) {
              pb[i] += g[i];
              pw[i] += g[i] * (row[i] - mean[r]) * rstd[r];
            }
          }
        }
      });
  for (int64_t i = 0; i < n; ++i) {
    T u = 0, v = 0;
    for (int64_t k = 0; k < chunks; ++k) {
      u += parts[static_cast<size_t>(2 * k * n + i)];
      v += parts[static_cast<size_t>((2 * k + 1) * n + i)];
    }
    if (dw) dw[i] = u;
    if (db) db[i] = v;
  }
}

// ---- by dtype ----
#define SC_BY_DTYPE(call)       \
  if (s->dtype == SC_FLOAT32) { \
    using T = float;            \
    call;                       \
    return SC_OK;               \
  }                             \
  if (s->dtype == SC_FLOAT64) { \
    using T = double;           \
    call;                       \
    return SC_OK;               \
  }                             \
  return SC_UNSUPPORTED
#define SC_P(p) static_cast<const T*>(p)
#define SC_O(p) static_cast<T*>(p)

int32_t channel_stats(const ScChannels* s, const void* x, void* mean, void* var) {
  SC_BY_DTYPE(channel_stats_of(*s, SC_P(x), SC_O(mean), SC_O(var)));
}
int32_t channel_affine(const ScChannels* s, const void* x, const void* a, const void* b, void* y) {
  SC_BY_DTYPE((channel_affine_of<T, false>(*s, nullptr, SC_P(x), SC_P(a), SC_P(b), nullptr, SC_O(y))));
}
int32_t channel_grad_sums(const ScChannels* s, const void* dy, const void* x, const void* mean, void* sums,
                          void* dots) {
  SC_BY_DTYPE((channel_sums<T, true>(*s, SC_P(dy), SC_P(x), SC_P(mean), SC_O(sums), SC_O(dots))));
}
int32_t channel_affine2(const ScChannels* s, const void* dy, const void* x, const void* a, const void* b,
                        const void* d, void* dx) {
  SC_BY_DTYPE((channel_affine_of<T, true>(*s, SC_P(dy), SC_P(x), SC_P(a), SC_P(b), SC_P(d), SC_O(dx))));
}
int32_t layer_norm(const ScRows* s, const void* x, const void* w, const void* b, double eps, void* y,
                   void* mean, void* rstd) {
  SC_BY_DTYPE(layer_norm_of(*s, SC_P(x), SC_P(w), SC_P(b), eps, SC_O(y), SC_O(mean), SC_O(rstd)));
}
int32_t layer_norm_backward(const ScRows* s, const void* dy, const void* x, const void* mean,
                            const void* rstd, const void* w, void* dx, void* dw, void* db) {
  SC_BY_DTYPE({
    if (dx) layer_norm_dx(*s, SC_P(dy), SC_P(x), SC_P(mean), SC_P(rstd), SC_P(w), SC_O(dx));
    if (dw || db) layer_norm_dw(*s, SC_P(dy), SC_P(x), SC_P(mean), SC_P(rstd), SC_O(dw), SC_O(db));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
HWY_EXPORT(channel_stats);
HWY_EXPORT(channel_affine);
HWY_EXPORT(channel_grad_sums);
HWY_EXPORT(channel_affine2);
HWY_EXPORT(layer_norm);
HWY_EXPORT(layer_norm_backward);
namespace {
// A lambda, since a static-only build of Highway has no table of pointers to register.
#define SC_DISPATCHED(name) [](auto... a) -> int32_t { return HWY_DYNAMIC_DISPATCH(name)(a...); }
SC_CPU_KERNEL(norm.channel_stats, SC_DISPATCHED(channel_stats));
SC_CPU_KERNEL(norm.channel_affine, SC_DISPATCHED(channel_affine));
SC_CPU_KERNEL(norm.channel_grad_sums, SC_DISPATCHED(channel_grad_sums));
SC_CPU_KERNEL(norm.channel_affine2, SC_DISPATCHED(channel_affine2));
SC_CPU_KERNEL(norm.layer_norm, SC_DISPATCHED(layer_norm));
SC_CPU_KERNEL(norm.layer_norm_backward, SC_DISPATCHED(layer_norm_backward));
}  // namespace
}  // namespace sconce
#endif
