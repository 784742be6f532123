// Scaled dot-product attention, a block of queries at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/device.h"
#include "core/parallel.h"
#include "cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace attention {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using cpu::HWY_NAMESPACE::vexp;

// p[i] = exp(s[i] - shift); returns the sum
template <class T>
T exp_row(T* s, int64_t n, T shift) {
  const hn::ScalableTag<T> d;
  const auto L = static_cast<int64_t>(hn::Lanes(d));
  const auto by = hn::Set(d, shift);
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const auto e = vexp(d, hn::Sub(hn::LoadU(d, s + i), by));
    hn::StoreU(e, d, s + i);
    sum = hn::Add(sum, e);
  }
  if (i < n) {
    const auto live = hn::FirstN(d, static_cast<size_t>(n - i));
    const auto e = hn::IfThenElseZero(live, vexp(d, hn::Sub(hn::MaskedLoad(live, d, s + i), by)));
    hn::BlendedStore(e, live, d, s + i);
    sum = hn::Add(sum, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// The largest score; any number where NaN is among them, which the sum of exponentials then shows.
template <class T>
T row_max(const T* s, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto L = static_cast<int64_t>(hn::Lanes(d));
  auto top = hn::Set(d, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + L <= n; i += L) top = hn::Max(top, hn::LoadU(d, s + i));
  T most = hn::GetLane(hn::MaxOfLanes(d, top));
  for (; i < n; ++i) most = s[i] > most ? s[i] : most;
  return most;
}

// dp[i] = p[i] * (dp[i] - sum(p dp)) * scale
template <class T>
void score_gradient(const T* HWY_RESTRICT p, T* HWY_RESTRICT dp, int64_t n, T scale) {
  const hn::ScalableTag<T> d;
  const auto L = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + L <= n; i += L) sum = hn::MulAdd(hn::LoadU(d, p + i), hn::LoadU(d, dp + i), sum);
  T total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) total += p[i] * dp[i];
  const auto all = hn::Set(d, total), by = hn::Set(d, scale);
  i = 0;
  for (; i + L <= n; i += L)
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, p + i), by), hn::Sub(hn::LoadU(d, dp + i), all)), d, dp + i);
  for (; i < n; ++i) dp[i] = p[i] * scale * (dp[i] - total);
}

template <class T>
void scale_row(T* y, int64_t n, T by) {
  const hn::ScalableTag<T> d;
  const auto L = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + L <= n; i += L) hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::Set(d, by)), d, y + i);
  for (; i < n; ++i) y[i] *= by;
}

float row_max_float(const float* s, int64_t n) { return row_max(s, n); }
double row_max_double(const double* s, int64_t n) { return row_max(s, n); }
void scale_row_float(float* y, int64_t n, float by) { scale_row(y, n, by); }
void scale_row_double(double* y, int64_t n, double by) { scale_row(y, n, by); }
float exp_row_float(float* s, int64_t n, float shift) { return exp_row(s, n, shift); }
double exp_row_double(double* s, int64_t n, double shift) { return exp_row(s, n, shift); }
void score_gradient_float(const float* p, float* dp, int64_t n, float scale) {
  score_gradient(p, dp, n, scale);
}
void score_gradient_double(const double* p, double* dp, int64_t n, double scale) {
  score_gradient(p, dp, n, scale);
}
}  // namespace HWY_NAMESPACE
}  // namespace attention
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
namespace attention {
HWY_EXPORT(row_max_float);
HWY_EXPORT(row_max_double);
HWY_EXPORT(scale_row_float);
HWY_EXPORT(scale_row_double);
HWY_EXPORT(exp_row_float);
HWY_EXPORT(exp_row_double);
HWY_EXPORT(score_gradient_float);
HWY_EXPORT(score_gradient_double);

namespace {
float row_max(const float* s, int64_t n) { return HWY_DYNAMIC_DISPATCH(row_max_float)(s, n); }
double row_max(const double* s, int64_t n) { return HWY_DYNAMIC_DISPATCH(row_max_double)(s, n); }
void scale_row(float* y, int64_t n, float by) { HWY_DYNAMIC_DISPATCH(scale_row_float)(y, n, by); }
void scale_row(double* y, int64_t n, double by) { HWY_DYNAMIC_DISPATCH(scale_row_double)(y, n, by); }
float exp_row(float* s, int64_t n, float shift) { return HWY_DYNAMIC_DISPATCH(exp_row_float)(s, n, shift); }
double exp_row(double* s, int64_t n, double shift) {
  return HWY_DYNAMIC_DISPATCH(exp_row_double)(s, n, shift);
}
void score_gradient(const float* p, float* dp, int64_t n, float scale) {
  HWY_DYNAMIC_DISPATCH(score_gradient_float)(p, dp, n, scale);
}
void score_gradient(const double* p, double* dp, int64_t n, double scale) {
  HWY_DYNAMIC_DISPATCH(score_gradient_double)(p, dp, n, scale);
}

constexpr int64_t kRows = 64;  // queries of one block

template <class T>
struct Head {  // the operands of one batch entry and head
  const T *q, *k, *v, *mask, *dy;
  T *y, *lse, *dq, *dk, *dv;
  Head(const ScAttention& a, int64_t i) {
    const int64_t b = i / a.heads, h = i % a.heads;
    const auto at = [&](const void* p, const int64_t* s) {
      return p ? static_cast<const T*>(p) + b * s[0] + h * s[1] : nullptr;
    };
    q = at(a.q, a.q_strides);
    k = at(a.k, a.k_strides);
    v = at(a.v, a.v_strides);
    mask = at(a.mask, a.mask_strides);
    dy = at(a.dy, a.dy_strides);
    y = const_cast<T*>(at(a.y, a.y_strides));
    lse = static_cast<T*>(a.logsumexp) + i * a.queries;
    dq = static_cast<T*>(a.dq) + (a.dq ? i * a.queries * a.depth : 0);
    dk = static_cast<T*>(a.dk) + (a.dk ? i * a.keys * a.depth : 0);
    dv = static_cast<T*>(a.dv) + (a.dv ? i * a.keys * a.value_depth : 0);
  }
};

// c [m, n] = alpha a b + beta c
struct View {
  const void* p;
  int64_t row, col;
};
void product(int32_t dtype, int64_t m, int64_t n, int64_t k, View a, View b, void* c, int64_t c_row,
             double alpha, double beta) {
  ScMatmul q{};
  q.dtype = dtype;
  q.batch = 1;
  q.m = m;
  q.n = n;
  q.k = k;
  q.a = a.p;
  q.a_row = a.row;
  q.a_col = a.col;
  q.b = b.p;
  q.b_row = b.row;
  q.b_col = b.col;
  q.c = c;
  q.c_row = c_row;
  q.c_col = 1;
  q.alpha = alpha;
  q.beta = beta;
  cpu_backend_mutable().matmul.matmul(&q);
}

// How many of the first `keys` keys query r may see.
int64_t seen(const ScAttention& a, int64_t r, int64_t keys) {
  return a.causal ? std::min(keys, r + 1) : keys;
}

// Scores of queries [r0, r1) against the first `keys` keys: s [r1 - r0, keys]. What a query does not see is
// left to the caller.
template <class T>
void scores(const ScAttention& a, const Head<T>& h, int64_t r0, int64_t r1, int64_t keys, T* s) {
  product(a.dtype, r1 - r0, keys, a.depth, {h.q + r0 * a.q_strides[2], a.q_strides[2], 1},
          {h.k, 1, a.k_strides[2]}, s, keys, a.scale, 0);
  for (int64_t r = r0; r < r1; ++r) {
    T* row = s + (r - r0) * keys;
    if (h.mask) {
      const T* m = h.mask + r * a.mask_strides[2];
      for (int64_t j = 0; j < keys; ++j) row[j] += m[j * a.mask_strides[3]];
    }
  }
}

template <class T>
int32_t forward(const ScAttention& a) {
  parallel_for(0, a.batch * a.heads, 1, [&](int64_t from, int64_t to) {
    std::vector<T> s(static_cast<size_t>(kRows * a.keys));
    for (int64_t i = from; i < to; ++i) {
      const Head<T> h(a, i);
      for (int64_t r0 = 0; r0 < a.queries; r0 += kRows) {
        const int64_t r1 = std::min(a.queries, r0 + kRows), keys = a.causal ? std::min(a.keys, r1) : a.keys;
        scores(a, h, r0, r1, keys, s.data());
        T total[kRows];
        for (int64_t r = r0; r < r1; ++r) {
          T* row = s.data() + (r - r0) * keys;
          const int64_t n = seen(a, r, keys);
          std::fill(row + n, row + keys, T(0));
          const T top = row_max(row, n);
          const bool nothing = top == -std::numeric_limits<T>::infinity() &&
                               std::none_of(row, row + n, [](T v) { return v != v; });
          if (nothing) {  // to attend to: zeros
            std::fill(row, row + keys, T(0));
            total[r - r0] = T(1);
            h.lse[r] = std::numeric_limits<T>::infinity();
            continue;
          }
          total[r - r0] = exp_row(row, n, top);
          h.lse[r] = top + std::log(total[r - r0]);
        }
        T* y = h.y + r0 * a.y_strides[2];
        product(a.dtype, r1 - r0, a.value_depth, keys, {s.data(), keys, 1}, {h.v, a.v_strides[2], 1}, y,
                a.y_strides[2], 1, 0);
        for (int64_t r = r0; r < r1; ++r, y += a.y_strides[2]) {
          scale_row(y, a.value_depth, T(1) / total[r - r0]);
        }
      }
    }
  });
  return SC_OK;
}

template <class T>
int32_t backward(const ScAttention& a) {
  parallel_for(0, a.batch * a.heads, 1, [&](int64_t from, int64_t to) {
    std::vector<T> p(static_cast<size_t>(kRows * a.keys)), ds(static_cast<size_t>(kRows * a.keys));
    for (int64_t i = from; i < to; ++i) {
      const Head<T> h(a, i);
      std::fill(h.dk, h.dk + a.keys * a.depth, T(0));
      std::fill(h.dv, h.dv + a.keys * a.value_depth, T(0));
      for (int64_t r0 = 0; r0 < a.queries; r0 += kRows) {
        const int64_t r1 = std::min(a.queries, r0 + kRows), rows = r1 - r0,
                      keys = a.causal ? std::min(a.keys, r1) : a.keys;
        const View dy{h.dy + r0 * a.dy_strides[2], a.dy_strides[2], 1};
        scores(a, h, r0, r1, keys, p.data());
        for (int64_t r = 0; r < rows; ++r) {
          T* row = p.data() + r * keys;
          const int64_t n = seen(a, r0 + r, keys);
          exp_row(row, n, h.lse[r0 + r]);
          std::fill(row + n, row + keys, T(0));
        }
        product(a.dtype, rows, keys, a.value_depth, dy, {h.v, 1, a.v_strides[2]}, ds.data(), keys, 1, 0);
        product(a.dtype, keys, a.value_depth, rows, {p.data(), 1, keys}, dy, h.dv, a.value_depth, 1, 1);
        for (int64_t r = 0; r < rows; ++r)
          score_gradient(p.data() + r * keys, ds.data() + r * keys, keys, static_cast<T>(a.scale));
        product(a.dtype, rows, a.depth, keys, {ds.data(), keys, 1}, {h.k, a.k_strides[2], 1},
                h.dq + r0 * a.depth, a.depth, 1, 0);
        product(a.dtype, keys, a.depth, rows, {ds.data(), 1, keys},
                {h.q + r0 * a.q_strides[2], a.q_strides[2], 1}, h.dk, a.depth, 1, 1);
      }
    }
  });
  return SC_OK;
}

int32_t run_forward(const ScAttention* a) {
  return a->dtype == SC_FLOAT32   ? forward<float>(*a)
         : a->dtype == SC_FLOAT64 ? forward<double>(*a)
                                  : static_cast<int32_t>(SC_UNSUPPORTED);
}
int32_t run_backward(const ScAttention* a) {
  return a->dtype == SC_FLOAT32   ? backward<float>(*a)
         : a->dtype == SC_FLOAT64 ? backward<double>(*a)
                                  : static_cast<int32_t>(SC_UNSUPPORTED);
}
SC_CPU_KERNEL(attention.forward, run_forward);
SC_CPU_KERNEL(attention.backward, run_backward);
}  // namespace
}  // namespace attention
}  // namespace sconce
#endif
