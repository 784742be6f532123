// The inner loops of reductions, for each vector target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/reduce_blocks.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef SCONCE_REDUCE_BLOCKS_ONCE
#define SCONCE_REDUCE_BLOCKS_ONCE
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "../core/float16.h"
#include "reduce_blocks.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace sconce::reduction {
namespace HWY_NAMESPACE {
namespace {

// ---- folds: a step takes an element in; partial results merge in the lane type C and join in the wide type
// W ----
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;

template <class T>
struct Add {
  using C = T;
  using W = Wide<T>;
  static C start() { return C(0); }
  static C merge(C a, C b) { return a + b; }
  static W join(W a, W b) { return a + b; }
};
template <class C>
struct Sum : Add<C> {
  static C step(C a, C x, double) { return a + x; }
};
template <class C>
struct NanSum : Add<C> {
  static C step(C a, C x, double) { return a + (x == x ? x : C(0)); }
};
template <class C>
struct SumSquares : Add<C> {
  static C step(C a, C x, double) { return a + x * x; }
};
template <class C>
struct SumAbs : Add<C> {
  static C step(C a, C x, double) { return a + (x < 0 ? -x : x); }
};
template <class C>
struct SumPow : Add<C> {
  static C step(C a, C x, double p) { return a + static_cast<C>(std::pow(std::abs(x), static_cast<C>(p))); }
};
template <class T>
struct Prod {
  using C = T;
  using W = Wide<T>;
  static C start() { return C(1); }
  static C step(C a, C x, double) { return a * x; }
  static C merge(C a, C b) { return a * b; }
  static W join(W a, W b) { return a * b; }
};
// NaN wins, and stays.
template <class T>
struct Max {
  using C = T;
  using W = T;
  using Limits = std::numeric_limits<T>;
  static C start() { return Limits::has_infinity ? -Limits::infinity() : Limits::lowest(); }
  static bool beats(C x, C a) { return x > a; }
  static C step(C a, C x, double) { return (x > a) | (x != x) ? x : a; }
  static C merge(C a, C b) { return step(a, b, 0); }
  static W join(W a, W b) { return step(a, b, 0); }
};
template <class T>
struct Min {
  using C = T;
  using W = T;
  using Limits = std::numeric_limits<T>;
  static C start() { return Limits::has_infinity ? Limits::infinity() : Limits::max(); }
  static bool beats(C x, C a) { return x < a; }
  static C step(C a, C x, double) { return (x < a) | (x != x) ? x : a; }
  static C merge(C a, C b) { return step(a, b, 0); }
  static W join(W a, W b) { return step(a, b, 0); }
};
template <class C>
struct MaxAbs : Max<C> {
  static C start() { return C(0); }
  static C step(C a, C x, double) { return Max<C>::step(a, x < 0 ? -x : x, 0); }
};
template <class C>
struct MinAbs : Min<C> {
  static C step(C a, C x, double) { return Min<C>::step(a, x < 0 ? -x : x, 0); }
};

// Running results side by side, so that the loop vectorises and the rounding does not depend on the vector
// width.
template <class F, class C = typename F::C>
C fold(const C* x, int64_t n, double p) {
  constexpr int kLanes = 256 / sizeof(C);
  if (n < kLanes) {
    C a = F::start();
    for (int64_t i = 0; i < n; ++i) a = F::step(a, x[i], p);
    return a;
  }
  C lane[kLanes];
  for (int l = 0; l < kLanes; ++l) lane[l] = F::step(F::start(), x[l], p);
  int64_t i = kLanes;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] = F::step(lane[l], x[i + l], p);
  for (int l = 0; i + l < n; ++l) lane[l] = F::step(lane[l], x[i + l], p);
  for (int w = kLanes / 2; w > 0; w /= 2)
    for (int l = 0; l < w; ++l) lane[l] = F::merge(lane[l], lane[l + w]);
  return lane[0];
}

// ---- how each reduction takes blocks in ----
template <class F>
struct Fold {
  using C = typename F::C;
  using Acc = typename F::W;
  static Acc empty() { return F::start(); }
  static void row(const C* x, int64_t n, int64_t, double p, Acc& a) { a = F::join(a, fold<F>(x, n, p)); }
  static void columns(const C* x, int64_t row_stride, int64_t nrows, int64_t ncols, int64_t, double p,
                      Acc* a) {
    C lane[kTile];
    for (int64_t j = 0; j < ncols; ++j) lane[j] = F::start();
    for (int64_t i = 0; i < nrows; ++i, x += row_stride)
      for (int64_t j = 0; j < ncols; ++j) lane[j] = F::step(lane[j], x[j], p);
    for (int64_t j = 0; j < ncols; ++j) a[j] = F::join(a[j], lane[j]);
  }
  static Acc join(Acc a, Acc b) { return F::join(a, b); }
  template <class V>
  static void value(Acc a, V* v, void*, int64_t) {
    *v = a;
  }
};

struct Count {
  using C = uint8_t;  // 0 or 1
  using Acc = int64_t;
  static Acc empty() { return 0; }
  static void row(const C* x, int64_t n, int64_t, double, Acc& a) {
    int32_t c = 0;
    for (int64_t i = 0; i < n; ++i) c += x[i];
    a += c;
  }
  static void columns(const C* x, int64_t row_stride, int64_t nrows, int64_t ncols, int64_t, double, Acc* a) {
    uint8_t c[kTile] = {};
    static_assert(kRowBlock < 256);
    for (int64_t i = 0; i < nrows; ++i, x += row_stride)
      for (int64_t j = 0; j < ncols; ++j) c[j] = static_cast<uint8_t>(c[j] + x[j]);
    for (int64_t j = 0; j < ncols; ++j) a[j] += c[j];
  }
  static Acc join(Acc a, Acc b) { return a + b; }
  static void value(Acc a, int64_t* v, void*, int64_t) { *v = a; }
};

// Count, mean and sum of squared deviations; partial ones merge by Chan, Golub and LeVeque's formula.
template <class T>
struct Moments {
  using C = T;
  struct Acc {
    int64_t n;
    double mean, m2;
  };
  static Acc empty() { return {0, 0, 0}; }
  static Acc join(const Acc& a, const Acc& b) {
    if (b.n == 0) return a;
    if (a.n == 0) return b;
    const double n = static_cast<double>(a.n + b.n), d = b.mean - a.mean,
                 share = static_cast<double>(b.n) / n;
    return {a.n + b.n, a.mean + d * share, a.m2 + b.m2 + d * d * (static_cast<double>(a.n) * share)};
  }
  // From the sums of deviations and of their squares about a point near the mean.
  static Acc about(C point, double s1, double s2, int64_t n) {
    const double count = static_cast<double>(n);
    const double m2 = s2 - s1 * s1 / count;
    return {n, static_cast<double>(point) + s1 / count, m2 < 0 ? 0 : m2};  // NaN stays
  }
  static void row(const C* x, int64_t n, int64_t, double, Acc& a) {
    const C point = static_cast<C>(static_cast<double>(fold<Sum<C>>(x, n, 0)) / static_cast<double>(n));
    constexpr int kLanes = 128 / sizeof(C);
    C s1[kLanes] = {}, s2[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
      for (int l = 0; l < kLanes; ++l) {
        const C d = x[i + l] - point;
        s1[l] += d;
        s2[l] += d * d;
      }
    for (int l = 0; i + l < n; ++l) {
      const C d = x[i + l] - point;
      s1[l] += d;
      s2[l] += d * d;
    }
    double t1 = 0, t2 = 0;
    for (int l = 0; l < kLanes; ++l) {
      t1 += s1[l];
      t2 += s2[l];
    }
    a = join(a, about(point, t1, t2, n));
  }
  static void columns(const C* x, int64_t row_stride, int64_t nrows, int64_t ncols, int64_t, double, Acc* a) {
    C point[kTile] = {}, s1[kTile] = {}, s2[kTile] = {};
    const C* r = x;
    for (int64_t i = 0; i < nrows; ++i, r += row_stride)
      for (int64_t j = 0; j < ncols; ++j) point[j] += r[j];
    const C scale = C(1) / static_cast<C>(nrows);
    for (int64_t j = 0; j < ncols; ++j) point[j] *= scale;
    r = x;
    for (int64_t i = 0; i < nrows; ++i, r += row_stride)
      for (int64_t j = 0; j < ncols; ++j) {
        const C d = r[j] - point[j];
        s1[j] += d;
        s2[j] += d * d;
      }
    for (int64_t j = 0; j < ncols; ++j) a[j] = join(a[j], about(point[j], s1[j], s2[j], nrows));
  }
  static void value(const Acc& a, double* v, void* second, int64_t i) {
    *v = a.n ? a.m2 : std::numeric_limits<double>::quiet_NaN();
    if (second) static_cast<double*>(second)[i] = a.n ? a.mean : std::numeric_limits<double>::quiet_NaN();
  }
};

// The extreme value and where it first stands; the first NaN wins over everything.
template <class F>
struct Arg {
  using C = typename F::C;
  struct Acc {
    C value;
    int64_t index;  // -1: nothing seen yet
  };
  static Acc empty() { return {F::start(), -1}; }
  static bool better(C x, C a) { return F::beats(x, a) | ((x != x) & (a == a)); }
  static Acc join(const Acc& a, const Acc& b) {
    return b.index >= 0 && (a.index < 0 || better(b.value, a.value)) ? b : a;
  }
  static void row(const C* x, int64_t n, int64_t index, double, Acc& a) {
    const C best = fold<F>(x, n, 0);
    if (a.index >= 0 && !better(best, a.value)) return;
    int64_t i = 0;
    while (!(x[i] == best || (best != best && x[i] != x[i]))) ++i;
    a = {best, index + i};
  }
  static void columns(const C* x, int64_t row_stride, int64_t nrows, int64_t ncols, int64_t index, double,
                      Acc* a) {
    C value[kTile];
    int32_t at[kTile];
    for (int64_t j = 0; j < ncols; ++j) {
      value[j] = x[j];
      at[j] = 0;
    }
    for (int32_t i = 1; i < nrows; ++i) {
      x += row_stride;
      for (int64_t j = 0; j < ncols; ++j) {
        const bool take = better(x[j], value[j]);
        value[j] = take ? x[j] : value[j];
        at[j] = take ? i : at[j];
      }
    }
    for (int64_t j = 0; j < ncols; ++j) a[j] = join(a[j], {value[j], index + at[j]});
  }
  template <class V>
  static void value(const Acc& a, V* v, void* second, int64_t i) {
    *v = a.value;
    if (second) static_cast<int64_t*>(second)[i] = a.index;
  }
};

// ---- tables ----
template <class P>
const Blocks* table() {
  using C = typename P::C;
  using Acc = typename P::Acc;
  static_assert(sizeof(Acc) <= kAccBytes);
  static constexpr Blocks blocks{
      sizeof(Acc),
      [](void* acc, int64_t n) {
        for (int64_t i = 0; i < n; ++i) static_cast<Acc*>(acc)[i] = P::empty();
      },
      [](const void* x, int64_t n, int64_t index, double p, void* acc) {
        P::row(static_cast<const C*>(x), n, index, p, *static_cast<Acc*>(acc));
      },
      [](const void* x, int64_t row_stride, int64_t nrows, int64_t ncols, int64_t index, double p,
         void* acc) {
        P::columns(static_cast<const C*>(x), row_stride, nrows, ncols, index, p, static_cast<Acc*>(acc));
      },
      [](void* a, const void* b, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
          static_cast<Acc*>(a)[i] = P::join(static_cast<Acc*>(a)[i], static_cast<const Acc*>(b)[i]);
      },
      [](const void* acc, int64_t n, void* value, void* second) {
        using V = std::conditional_t<std::is_floating_point_v<C>, double, int64_t>;
        for (int64_t i = 0; i < n; ++i)
          P::value(static_cast<const Acc*>(acc)[i], static_cast<V*>(value) + i, second, i);
      }};
  return &blocks;
}

template <class C>
const Blocks* floating_blocks(BlockOp op) {
  switch (op) {
    case BlockOp::kSum:
      return table<Fold<Sum<C>>>();
    case BlockOp::kNanSum:
      return table<Fold<NanSum<C>>>();
    case BlockOp::kSumSquares:
      return table<Fold<SumSquares<C>>>();
    case BlockOp::kSumAbs:
      return table<Fold<SumAbs<C>>>();
    case BlockOp::kSumPow:
      return table<Fold<SumPow<C>>>();
    case BlockOp::kProd:
      return table<Fold<Prod<C>>>();
    case BlockOp::kMax:
      return table<Fold<Max<C>>>();
    case BlockOp::kMin:
      return table<Fold<Min<C>>>();
    case BlockOp::kMaxAbs:
      return table<Fold<MaxAbs<C>>>();
    case BlockOp::kMinAbs:
      return table<Fold<MinAbs<C>>>();
    case BlockOp::kArgMax:
      return table<Arg<Max<C>>>();
    case BlockOp::kArgMin:
      return table<Arg<Min<C>>>();
    case BlockOp::kMoments:
      return table<Moments<C>>();
    default:
      return nullptr;
  }
}
const Blocks* integer_blocks(BlockOp op) {
  using C = int64_t;
  switch (op) {
    case BlockOp::kSum:
      return table<Fold<Sum<C>>>();
    case BlockOp::kSumSquares:
      return table<Fold<SumSquares<C>>>();
    case BlockOp::kProd:
      return table<Fold<Prod<C>>>();
    case BlockOp::kMax:
      return table<Fold<Max<C>>>();
    case BlockOp::kMin:
      return table<Fold<Min<C>>>();
    case BlockOp::kArgMax:
      return table<Arg<Max<C>>>();
    case BlockOp::kArgMin:
      return table<Arg<Min<C>>>();
    default:
      return nullptr;
  }
}
const Blocks* blocks(BlockOp op, Lane lane) {
  switch (lane) {
    case Lane::kFloat:
      return floating_blocks<float>(op);
    case Lane::kDouble:
      return floating_blocks<double>(op);
    case Lane::kInt:
      return integer_blocks(op);
    case Lane::kTruth:
      return op == BlockOp::kCount ? table<Count>() : nullptr;
  }
  return nullptr;
}

// ---- conversion to lanes ----
template <class T, class C>
void convert_to(const void* from, int64_t n, int64_t stride, void* to) {
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<C*>(to);
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<C>(x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<C>(x[i * stride]);
  }
}
void convert_half(const void* from, int64_t n, int64_t stride, void* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const auto* x = static_cast<const half_t*>(from);
  auto* y = static_cast<float*>(to);
  int64_t i = 0;
  if (stride == 1) {
    const hn::ScalableTag<float> d;
    const hn::Rebind<hwy::float16_t, decltype(d)> dh;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(x + i))), d, y + i);
  }
  for (; i < n; ++i) y[i] = x[i * stride];
}
template <class T>
void convert_truth(const void* from, int64_t n, int64_t stride, void* to) {
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = x[i * stride] != 0;
}
// All bits but the sign.
void convert_half_truth(const void* from, int64_t n, int64_t stride, void* to) {
  const auto* x = static_cast<const uint16_t*>(from);
  auto* y = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = (x[i * stride] & 0x7fff) != 0;
}
Convert convert(int32_t dtype, Lane lane) {
  const bool truth = lane == Lane::kTruth;
  switch (dtype) {
    case SC_FLOAT32:
      return truth ? convert_truth<float> : convert_to<float, float>;
    case SC_FLOAT64:
      return truth ? convert_truth<double> : convert_to<double, double>;
    case SC_FLOAT16:
      return truth ? convert_half_truth : convert_half;
    case SC_BFLOAT16:
      return truth ? convert_half_truth : convert_to<bfloat16_t, float>;
    case SC_INT64:
      return truth ? convert_truth<int64_t> : convert_to<int64_t, int64_t>;
    case SC_INT32:
      return truth ? convert_truth<int32_t> : convert_to<int32_t, int64_t>;
    case SC_INT16:
      return truth ? convert_truth<int16_t> : convert_to<int16_t, int64_t>;
    case SC_INT8:
      return truth ? convert_truth<int8_t> : convert_to<int8_t, int64_t>;
    case SC_UINT8:
      return truth ? convert_truth<uint8_t> : convert_to<uint8_t, int64_t>;
    case SC_BOOL:
      return truth ? convert_truth<uint8_t> : convert_to<uint8_t, int64_t>;
  }
  return nullptr;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sconce::reduction
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce::reduction {
HWY_EXPORT(blocks);
HWY_EXPORT(convert);
const Blocks* blocks_of(BlockOp op, Lane lane) { return HWY_DYNAMIC_DISPATCH(blocks)(op, lane); }
Convert convert_of(int32_t dtype, Lane lane) { return HWY_DYNAMIC_DISPATCH(convert)(dtype, lane); }
}  // namespace sconce::reduction
#endif
