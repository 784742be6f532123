// LSTM step kernels, vectorised over the hidden dimension.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "csrc/cpu/rnn.cc"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway wants it.
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "core/device.h"
#include "core/parallel.h"
#include "cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) return cpu::HWY_NAMESPACE::vsigmoid(d, x);
  const V one = hn::Set(d, 1);
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Neg(x))));
}

// tanh(x) = 1 - 2 / (exp(2x) + 1), whose error near 0 is absolute; small arguments take the odd series
// instead.
template <class D, class V>
HWY_INLINE V tanh_of(D d, V x) {
  using T = hn::TFromD<D>;
  if constexpr (sizeof(T) == 4) return cpu::HWY_NAMESPACE::vtanh(d, x);
  const V one = hn::Set(d, T(1)), two = hn::Set(d, T(2));
  const V ax = hn::Min(hn::Abs(x), hn::Set(d, T(20)));
  const V big = hn::Sub(one, hn::Div(two, hn::Add(hn::Exp(d, hn::Mul(two, ax)), one)));
  const V x2 = hn::Mul(ax, ax);
  // x - x^3/3 + 2x^5/15 - 17x^7/315 + 62x^9/2835 below 0.1: the next term is under 1e-13 relative.
  V p = hn::Set(d, T(-1382.0 / 155925));
  p = hn::MulAdd(p, x2, hn::Set(d, T(62.0 / 2835)));
  p = hn::MulAdd(p, x2, hn::Set(d, T(-17.0 / 315)));
  p = hn::MulAdd(p, x2, hn::Set(d, T(2.0 / 15)));
  p = hn::MulAdd(p, x2, hn::Set(d, T(-1.0 / 3)));
  p = hn::MulAdd(p, x2, one);
  const V small = hn::Mul(ax, p);
  const V y = hn::IfThenElse(hn::Lt(ax, hn::Set(d, T(0.1))), small, big);
  // NaN must come out as NaN: Min above drops it.
  return hn::IfThenElse(hn::IsNaN(x), x, hn::CopySign(y, x));
}

template <class T>
void forward_rows(const ScLstmStep& s, int64_t from, int64_t to) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t n = s.hidden;
  for (int64_t b = from; b < to; ++b) {
    T* g = static_cast<T*>(s.gates) + b * 4 * n;
    const T* cp = static_cast<const T*>(s.c_prev) + b * n;
    T* c = static_cast<T*>(s.c) + b * n;
    T* h = static_cast<T*>(s.h) + b * n;
    const T* bias = static_cast<const T*>(s.bias);
    const auto sum = [&](int64_t at) HWY_ATTR {
      const auto v = hn::LoadU(d, g + at);
      return bias ? hn::Add(v, hn::LoadU(d, bias + at)) : v;
    };
    int64_t j = 0;
    for (; j + lanes <= n; j += lanes) {
      const auto i = sigmoid(d, sum(j));
      const auto f = sigmoid(d, sum(n + j));
      const auto k = tanh_of(d, sum(2 * n + j));
      const auto o = sigmoid(d, sum(3 * n + j));
      const auto cell = hn::MulAdd(f, hn::LoadU(d, cp + j), hn::Mul(i, k));
      hn::StoreU(i, d, g + j);
      hn::StoreU(f, d, g + n + j);
      hn::StoreU(k, d, g + 2 * n + j);
      hn::StoreU(o, d, g + 3 * n + j);
      hn::StoreU(cell, d, c + j);
      hn::StoreU(hn::Mul(o, tanh_of(d, cell)), d, h + j);
    }
    for (; j < n; ++j) {
      if (bias)
        for (int64_t gate = j; gate < 4 * n; gate += n) g[gate] += bias[gate];
      const T i = 1 / (1 + std::exp(-g[j])), f = 1 / (1 + std::exp(-g[n + j])), k = std::tanh(g[2 * n + j]),
              o = 1 / (1 + std::exp(-g[3 * n + j]));
      const T cell = f * cp[j] + i * k;
      g[j] = i;
      g[n + j] = f;
      g[2 * n + j] = k;
      g[3 * n + j] = o;
      c[j] = cell;
      h[j] = o * std::tanh(cell);
    }
  }
}

template <class T>
void backward_rows(const ScLstmStep& s, int64_t from, int64_t to) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t n = s.hidden;
  const auto one = hn::Set(d, T(1));
  for (int64_t b = from; b < to; ++b) {
    const T* g = static_cast<const T*>(s.gates) + b * 4 * n;
    T* dg = static_cast<T*>(s.d_gates) + b * 4 * n;
    const T* cp = static_cast<const T*>(s.c_prev) + b * n;
    const T* c = static_cast<const T*>(s.c) + b * n;
    const T* dh = s.dh ? static_cast<const T*>(s.dh) + b * n : nullptr;
    const T* dn = s.dh_next ? static_cast<const T*>(s.dh_next) + b * n : nullptr;
    T* dc = static_cast<T*>(s.dc) + b * n;
    int64_t j = 0;
    for (; j + lanes <= n; j += lanes) {
      const auto i = hn::LoadU(d, g + j), f = hn::LoadU(d, g + n + j), k = hn::LoadU(d, g + 2 * n + j),
                 o = hn::LoadU(d, g + 3 * n + j);
      auto grad = dh ? hn::LoadU(d, dh + j) : hn::Zero(d);
      if (dn) grad = hn::Add(grad, hn::LoadU(d, dn + j));
      const auto tc = tanh_of(d, hn::LoadU(d, c + j));
      const auto cell = hn::MulAdd(hn::Mul(grad, o), hn::NegMulAdd(tc, tc, one), hn::LoadU(d, dc + j));
      hn::StoreU(hn::Mul(hn::Mul(cell, k), hn::Mul(i, hn::Sub(one, i))), d, dg + j);
      hn::StoreU(hn::Mul(hn::Mul(cell, hn::LoadU(d, cp + j)), hn::Mul(f, hn::Sub(one, f))), d, dg + n + j);
      hn::StoreU(hn::Mul(hn::Mul(cell, i), hn::NegMulAdd(k, k, one)), d, dg + 2 * n + j);
      hn::StoreU(hn::Mul(hn::Mul(grad, tc), hn::Mul(o, hn::Sub(one, o))), d, dg + 3 * n + j);
      hn::StoreU(hn::Mul(cell, f), d, dc + j);
    }
    for (; j < n; ++j) {
      const T i = g[j], f = g[n + j], k = g[2 * n + j], o = g[3 * n + j];
      const T grad = (dh ? dh[j] : T(0)) + (dn ? dn[j] : T(0)), tc = std::tanh(c[j]);
      const T cell = grad * o * (1 - tc * tc) + dc[j];
      dg[j] = cell * k * i * (1 - i);
      dg[n + j] = cell * cp[j] * f * (1 - f);
      dg[2 * n + j] = cell * i * (1 - k * k);
      dg[3 * n + j] = grad * tc * o * (1 - o);
      dc[j] = cell * f;
    }
  }
}

int32_t lstm_forward_rows(const ScLstmStep* s, int64_t from, int64_t to) {
  if (s->dtype == SC_FLOAT32)
    forward_rows<float>(*s, from, to);
  else if (s->dtype == SC_FLOAT64)
    forward_rows<double>(*s, from, to);
  else
    return SC_UNSUPPORTED;
  return SC_OK;
}
int32_t lstm_backward_rows(const ScLstmStep* s, int64_t from, int64_t to) {
  if (s->dtype == SC_FLOAT32)
    backward_rows<float>(*s, from, to);
  else if (s->dtype == SC_FLOAT64)
    backward_rows<double>(*s, from, to);
  else
    return SC_UNSUPPORTED;
  return SC_OK;
}

}  // namespace HWY_NAMESPACE
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
HWY_EXPORT(lstm_forward_rows);
HWY_EXPORT(lstm_backward_rows);
namespace {
constexpr int64_t kGrain = 2048;  // hidden units worth a second thread

template <class Rows>
int32_t over_rows(const ScLstmStep* s, const Rows& rows) {
  if (s->dtype != SC_FLOAT32 && s->dtype != SC_FLOAT64) return SC_UNSUPPORTED;
  parallel_for(0, s->batch, std::max<int64_t>(1, kGrain / std::max<int64_t>(s->hidden, 1)), rows);
  return SC_OK;
}
int32_t lstm_forward(const ScLstmStep* s) {
  return over_rows(s,
                   [s](int64_t from, int64_t to) { HWY_DYNAMIC_DISPATCH(lstm_forward_rows)(s, from, to); });
}
int32_t lstm_backward(const ScLstmStep* s) {
  return over_rows(s,
                   [s](int64_t from, int64_t to) { HWY_DYNAMIC_DISPATCH(lstm_backward_rows)(s, from, to); });
}
SC_CPU_KERNEL(rnn.lstm_forward, lstm_forward);
SC_CPU_KERNEL(rnn.lstm_backward, lstm_backward);
}  // namespace
}  // namespace sconce
#endif
