// Softmax and its logarithm: along rows where the dimension is the fastest in memory, otherwise along bundles
// of neighbouring columns.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/softmax.cc"
#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#ifndef SCONCE_CPU_SOFTMAX_ONCE
#define SCONCE_CPU_SOFTMAX_ONCE
#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>

#include "../core/device.h"
#include "../core/float16.h"
#include "../core/parallel.h"
#include "stream.h"
#endif

#include "simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kColumns = 64;
constexpr int64_t kGrain = 8192;  // elements worth a thread

using cpu::HWY_NAMESPACE::vexp;

// ---- loops over a dense row ----
template <class C>
C row_max(const C* x, int64_t n) {
  const hn::ScalableTag<C> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  C m = x[0];
  if (n >= lanes) {
    auto m0 = hn::LoadU(d, x), m1 = m0, m2 = m0, m3 = m0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      m0 = hn::Max(m0, hn::LoadU(d, x + i));
      m1 = hn::Max(m1, hn::LoadU(d, x + i + lanes));
      m2 = hn::Max(m2, hn::LoadU(d, x + i + 2 * lanes));
      m3 = hn::Max(m3, hn::LoadU(d, x + i + 3 * lanes));
    }
    for (; i + lanes <= n; i += lanes) m0 = hn::Max(m0, hn::LoadU(d, x + i));
    m = hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(m0, m1), hn::Max(m2, m3))));
  }
  for (; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

// The sum of exp(x - m); the terms themselves go to `out` unless that is null.
template <class C>
C row_exp(const C* x, C m, C* out, int64_t n) {
  const hn::ScalableTag<C> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto vm = hn::Set(d, m);
  auto s0 = hn::Zero(d), s1 = s0;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    hwy::Prefetch(x + n + i);  // of the next row, while this one is computed
    hwy::Prefetch(x + n + i + lanes);
    const auto a = vexp(d, hn::Sub(hn::LoadU(d, x + i), vm)),
               b = vexp(d, hn::Sub(hn::LoadU(d, x + i + lanes), vm));
    s0 = hn::Add(s0, a);
    s1 = hn::Add(s1, b);
    if (out) {
      hn::StoreU(a, d, out + i);
      hn::StoreU(b, d, out + i + lanes);
    }
  }
  for (; i < n; i += lanes) {
    const auto count = static_cast<size_t>(std::min(lanes, n - i));
    const auto live = hn::FirstN(d, count);
    const auto e = hn::IfThenElseZero(live, vexp(d, hn::Sub(hn::MaskedLoad(live, d, x + i), vm)));
    s0 = hn::Add(s0, e);
    if (out) hn::BlendedStore(e, live, d, out + i);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
}

template <class C>
C row_dot(const C* x, const C* y, int64_t n) {
  const hn::ScalableTag<C> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    s0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, x + i + lanes), hn::LoadU(d, y + i + lanes), s1);
  }
  C s = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < n; ++i) s += x[i] * y[i];
  return s;
}

template <class C>
C row_sum(const C* x, int64_t n) {
  const hn::ScalableTag<C> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, x + i));
    s1 = hn::Add(s1, hn::LoadU(d, x + i + lanes));
  }
  C s = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < n; ++i) s += x[i];
  return s;
}

// out = exp(x)
template <class C>
void exp_array(const C* x, C* out, int64_t n) {
  const hn::ScalableTag<C> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < n; i += lanes) {
    const auto live = hn::FirstN(d, static_cast<size_t>(std::min(lanes, n - i)));
    hn::BlendedStore(vexp(d, hn::MaskedLoad(live, d, x + i)), live, d, out + i);
  }
}

// `stream`: y begins where a line of the cache begins, and so does its end; Note [Streamed results]. Between
// the passes the terms then wait in `terms`, else in y itself.
template <class C>
void forward_row(bool log, bool stream, const C* x, C* terms, C* y, int64_t n) {
  const hn::ScalableTag<C> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const C m = row_max(x, n);
  const C sum = row_exp<C>(x, m, log ? nullptr : terms, n);
  const C shift = std::log(sum), scale = 1 / sum;
  const C* from = log ? x : terms;
  const auto vs = hn::Set(d, log ? m : scale), vl = hn::Set(d, shift);
  const auto result = [&](int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, from + i);
    return log ? hn::Sub(hn::Sub(v, vs), vl) : hn::Mul(v, vs);
  };
  int64_t i = 0;
  if (stream)
    for (; i + lanes <= n; i += lanes) hn::Stream(result(i), d, y + i);
  else
    for (; i + lanes <= n; i += lanes) hn::StoreU(result(i), d, y + i);
  for (; i < n; ++i) y[i] = log ? from[i] - m - shift : from[i] * scale;
}

template <class C>
void backward_row(bool log, const C* y, const C* g, C* out, int64_t n) {
  if (log) {
    const C s = row_sum(g, n);
    const hn::ScalableTag<C> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const auto vs = hn::Set(d, s);
    for (int64_t i = 0; i < n; i += lanes) {
      const auto live = hn::FirstN(d, static_cast<size_t>(std::min(lanes, n - i)));
      const auto e = vexp(d, hn::MaskedLoad(live, d, y + i));
      hn::BlendedStore(hn::NegMulAdd(e, vs, hn::MaskedLoad(live, d, g + i)), live, d, out + i);
    }
  } else {
    const C s = row_dot(y, g, n);
    for (int64_t i = 0; i < n; ++i) out[i] = y[i] * (g[i] - s);
  }
}

// ---- loops over [n, width] bundles of columns; `stride` elements from row to row ----
template <class C>
void forward_columns(bool log, const C* x, C* y, int64_t n, int64_t stride, int64_t width) {
  C m[kColumns], s[kColumns] = {}, e[kColumns];
  for (int64_t j = 0; j < width; ++j) m[j] = x[j];
  for (int64_t k = 1; k < n; ++k)
    for (int64_t j = 0; j < width; ++j) m[j] = x[k * stride + j] > m[j] ? x[k * stride + j] : m[j];
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t j = 0; j < width; ++j) e[j] = x[k * stride + j] - m[j];
    C* to = log ? e : y + k * stride;
    exp_array(e, to, width);
    for (int64_t j = 0; j < width; ++j) s[j] += to[j];
  }
  if (log) {
    for (int64_t j = 0; j < width; ++j) s[j] = std::log(s[j]);
    for (int64_t k = 0; k < n; ++k)
      for (int64_t j = 0; j < width; ++j) y[k * stride + j] = x[k * stride + j] - m[j] - s[j];
  } else {
    for (int64_t j = 0; j < width; ++j) s[j] = 1 / s[j];
    for (int64_t k = 0; k < n; ++k)
      for (int64_t j = 0; j < width; ++j) y[k * stride + j] *= s[j];
  }
}

template <class C>
void backward_columns(bool log, const C* y, const C* g, C* out, int64_t n, int64_t stride, int64_t width) {
  C s[kColumns] = {}, e[kColumns];
  for (int64_t k = 0; k < n; ++k)
    for (int64_t j = 0; j < width; ++j)
      s[j] += log ? g[k * stride + j] : g[k * stride + j] * y[k * stride + j];
  for (int64_t k = 0; k < n; ++k) {
    const int64_t row = k * stride;
    if (log) {
      exp_array(y + row, e, width);
      for (int64_t j = 0; j < width; ++j) out[row + j] = g[row + j] - e[j] * s[j];
    } else {
      for (int64_t j = 0; j < width; ++j) out[row + j] = y[row + j] * (g[row + j] - s[j]);
    }
  }
}

// ---- all of it, for one storage type ----
template <class T, class C>
void widen(const T* x, C* out, int64_t n, int64_t stride, int64_t width) {
  for (int64_t k = 0; k < n; ++k)
    for (int64_t j = 0; j < width; ++j) out[k * width + j] = static_cast<C>(x[k * stride + j]);
}

template <class T>
int32_t run(bool log, const ScSoftmax* a) {
  using C = std::conditional_t<std::is_floating_point_v<T>, T, float>;
  const auto* in = static_cast<const T*>(a->in);
  const auto* grad = static_cast<const T*>(a->grad);
  auto* out = static_cast<T*>(a->out);
  const bool rows = a->inner == 1;
  const int64_t n = a->n, bundles = (a->inner + kColumns - 1) / kColumns,
                work = std::max<int64_t>(1, n * std::min(a->inner, kColumns));
  const int64_t bytes = n * static_cast<int64_t>(sizeof(C));
  const bool streamed = std::is_same_v<T, C> && rows && !grad && bytes <= cpu::kStreamBlock &&
                        bytes % 64 == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0 &&
                        cpu::is_streamed(a->outer * bytes);
  parallel_for(0, a->outer * bundles, std::max<int64_t>(1, kGrain / work), [&](int64_t from, int64_t to) {
    std::unique_ptr<C[]> wide;  // 16-bit floats: x (or y), g and the result as floats
    if constexpr (!std::is_same_v<T, C>) wide.reset(new C[static_cast<size_t>(2 * work)]);
    alignas(64) C row[cpu::kStreamBlock / sizeof(C)];
    for (int64_t t = from; t < to; ++t) {
      const int64_t first = t % bundles * kColumns, width = std::min(kColumns, a->inner - first);
      const int64_t at = t / bundles * n * a->inner + first;
      const C *x, *g = nullptr;
      C* y;
      int64_t stride = a->inner;
      if constexpr (std::is_same_v<T, C>) {
        x = in + at;
        y = out + at;
        if (grad) g = grad + at;
      } else {
        stride = width;
        widen(in + at, wide.get(), n, a->inner, width);
        x = y = wide.get();
        if (grad) {
          widen(grad + at, wide.get() + work, n, a->inner, width);
          g = wide.get() + work;
        }
      }
      if (rows && g)
        backward_row(log, x, g, y, n);
      else if (rows)
        forward_row(log, streamed, x, streamed ? row : y, y, n);
      else if (g)
        backward_columns(log, x, g, y, n, stride, width);
      else
        forward_columns(log, x, y, n, stride, width);
      if constexpr (!std::is_same_v<T, C>) {
        for (int64_t k = 0; k < n; ++k)
          for (int64_t j = 0; j < width; ++j) out[at + k * a->inner + j] = T(y[k * width + j]);
      }
    }
    if (streamed) cpu::stream_fence();
  });
  return SC_OK;
}

int32_t softmax(int32_t op, const ScSoftmax* a) {
  const bool log = op == SC_LOG_SOFTMAX;
  switch (a->dtype) {
    case SC_FLOAT32:
      return run<float>(log, a);
    case SC_FLOAT64:
      return run<double>(log, a);
    case SC_FLOAT16:
      return run<half_t>(log, a);
    case SC_BFLOAT16:
      return run<bfloat16_t>(log, a);
  }
  return SC_UNSUPPORTED;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
namespace {
HWY_EXPORT(softmax);
int32_t forward(int32_t op, const ScSoftmax* a) { return HWY_DYNAMIC_DISPATCH(softmax)(op, a); }
int32_t backward(int32_t op, const ScSoftmax* a) { return HWY_DYNAMIC_DISPATCH(softmax)(op, a); }
SC_CPU_KERNEL(softmax.forward, forward);
SC_CPU_KERNEL(softmax.backward, backward);
}  // namespace
}  // namespace sconce
#endif
