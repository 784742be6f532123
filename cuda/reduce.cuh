// What a reduction keeps while it runs, by operation: start, take in an element, join another's share,
// finish.
//
// An element comes with its index over the reduced dimensions; joining is in the order of the threads, which
// the shape alone fixes, so that results do not vary from run to run.
#pragma once
#include <cmath>

#include "elementwise.cuh"

namespace sconce {
namespace cuda {

// C is one of the wide types: float, double, int64.
template <class C>
struct SumOf {
  using State = C;
  SC_HD static State start() { return 0; }
  SC_HD static void join(State& a, const State& b) { a = fn::add_wrapped(a, b); }
};

template <int op, class C>
struct Reducer;

template <class C>
struct Reducer<SC_RED_SUM, C> : SumOf<C> {
  using State = C;
  SC_HD static void take(State& a, C x, int64_t, double) { a = fn::add_wrapped(a, x); }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};
template <class C>
struct Reducer<SC_RED_MEAN, C> : SumOf<C> {
  using State = C;
  SC_HD static void take(State& a, C x, int64_t, double) { a = fn::add_wrapped(a, x); }
  SC_HD static State finish(const State& a, int64_t n, double) { return a / static_cast<State>(n); }
};
template <class C>
struct Reducer<SC_RED_NANSUM, C> : SumOf<C> {
  using State = C;
  SC_HD static void take(State& a, C x, int64_t, double) {
    if (!fn::is_nan(x)) a += x;
  }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};
template <class C>
struct Reducer<SC_RED_SUM_SQUARES, C> : SumOf<C> {
  using State = C;
  SC_HD static void take(State& a, C x, int64_t, double) { a = fn::add_wrapped(a, fn::mul_wrapped(x, x)); }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};
template <class C>
struct Reducer<SC_RED_COUNT_NONZERO, C> {
  using State = int64_t;
  SC_HD static State start() { return 0; }
  SC_HD static void take(State& a, C x, int64_t, double) { a += x != C(0); }
  SC_HD static void join(State& a, const State& b) { a += b; }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};
template <class C>
struct Reducer<SC_RED_PROD, C> {
  using State = C;
  SC_HD static State start() { return 1; }
  SC_HD static void take(State& a, C x, int64_t, double) { a = fn::mul_wrapped(a, x); }
  SC_HD static void join(State& a, const State& b) { a = fn::mul_wrapped(a, b); }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};
template <class C>
struct Reducer<SC_RED_ALL, C> {
  using State = int64_t;
  SC_HD static State start() { return 1; }
  SC_HD static void take(State& a, C x, int64_t, double) { a = a && x != C(0); }
  SC_HD static void join(State& a, const State& b) { a = a && b; }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};
template <class C>
struct Reducer<SC_RED_ANY, C> {
  using State = int64_t;
  SC_HD static State start() { return 0; }
  SC_HD static void take(State& a, C x, int64_t, double) { a = a || x != C(0); }
  SC_HD static void join(State& a, const State& b) { a = a || b; }
  SC_HD static State finish(const State& a, int64_t, double) { return a; }
};

// The greatest (or least) element and the index of its first occurrence; NaN beats every number.
template <class C, bool kGreatest>
struct Extreme {
  struct State {
    C value;
    int64_t index;  // -1: nothing seen
  };
  SC_HD static State start() { return {C(), -1}; }
  SC_HD static bool beats(const State& b, const State& a) {
    if (b.index < 0) return false;
    if (a.index < 0) return true;
    const bool bn = fn::is_nan(b.value), an = fn::is_nan(a.value);
    if (bn != an) return bn;
    if (!bn && b.value != a.value) return kGreatest ? b.value > a.value : b.value < a.value;
    return b.index < a.index;
  }
  SC_HD static void join(State& a, const State& b) {
    if (beats(b, a)) a = b;
  }
  SC_HD static void take(State& a, C x, int64_t i, double) { join(a, State{x, i}); }
};
template <class C, bool kGreatest>
struct ExtremeValue : Extreme<C, kGreatest> {
  using State = typename Extreme<C, kGreatest>::State;
  SC_HD static C finish(const State& a, int64_t, double) { return a.value; }
  SC_HD static int64_t second(const State& a, int64_t) { return a.index; }
};
template <class C, bool kGreatest>
struct ExtremeIndex : Extreme<C, kGreatest> {
  using State = typename Extreme<C, kGreatest>::State;
  SC_HD static int64_t finish(const State& a, int64_t, double) { return a.index; }
};
template <class C>
struct Reducer<SC_RED_MAX, C> : ExtremeValue<C, true> {};
template <class C>
struct Reducer<SC_RED_MIN, C> : ExtremeValue<C, false> {};
template <class C>
struct Reducer<SC_RED_MAX_INDEX, C> : ExtremeValue<C, true> {};
template <class C>
struct Reducer<SC_RED_MIN_INDEX, C> : ExtremeValue<C, false> {};
template <class C>
struct Reducer<SC_RED_ARGMAX, C> : ExtremeIndex<C, true> {};
template <class C>
struct Reducer<SC_RED_ARGMIN, C> : ExtremeIndex<C, false> {};

// Mean and squared deviations, updated element by element (Welford) and joined by Chan's formula.
template <class C>
struct Reducer<SC_RED_VAR, C> {
  struct State {
    C mean, m2;
    int64_t n;
  };
  SC_HD static State start() { return {0, 0, 0}; }
  SC_HD static void take(State& a, C x, int64_t, double) {
    ++a.n;
    const C d = x - a.mean;
    a.mean += d / static_cast<C>(a.n);
    a.m2 += d * (x - a.mean);
  }
  SC_HD static void join(State& a, const State& b) {
    if (b.n == 0) return;
    if (a.n == 0) {
      a = b;
      return;
    }
    const int64_t n = a.n + b.n;
    const C d = b.mean - a.mean, part = static_cast<C>(b.n) / static_cast<C>(n);
    a.mean += d * part;
    a.m2 += b.m2 + d * d * static_cast<C>(a.n) * part;
    a.n = n;
  }
  SC_HD static C finish(const State& a, int64_t n, double correction) {
    const double divisor = static_cast<double>(n) - correction;
    return a.m2 / static_cast<C>(divisor > 0 ? divisor : 0);
  }
  SC_HD static C second(const State& a, int64_t n) { return n ? a.mean : static_cast<C>(NAN); }
};
template <class C>
struct Reducer<SC_RED_STD, C> : Reducer<SC_RED_VAR, C> {
  using Base = Reducer<SC_RED_VAR, C>;
  SC_HD static C finish(const typename Base::State& a, int64_t n, double correction) {
    return std::sqrt(Base::finish(a, n, correction));
  }
};

// (sum |x|^p)^(1/p); the number of non-zeros for p = 0, extremes of |x| for p = +-inf.
template <class C>
struct Reducer<SC_RED_NORM, C> {
  struct State {
    C v;
    bool seen;
    double p;
  };
  SC_HD static State start() { return {0, false, 0}; }
  SC_HD static void put(State& a, C v, double p) {
    if (!a.seen)
      a.v = v;
    else if (p == INFINITY)
      a.v = fn::is_nan(a.v) || a.v > v ? a.v : v;
    else if (p == -INFINITY)
      a.v = fn::is_nan(a.v) || a.v < v ? a.v : v;
    else
      a.v += v;
    a.seen = true;
    a.p = p;
  }
  SC_HD static void take(State& a, C x, int64_t, double p) {
    const C m = std::fabs(x);
    if (p == 2)
      put(a, m * m, p);
    else if (p == 0)
      put(a, static_cast<C>(x != C(0)), p);
    else if (p == 1 || p == INFINITY || p == -INFINITY)
      put(a, m, p);
    else
      put(a, std::pow(m, static_cast<C>(p)), p);
  }
  SC_HD static void join(State& a, const State& b) {
    if (b.seen) put(a, b.v, b.p);
  }
  SC_HD static C finish(const State& a, int64_t, double p) {
    if (p == 2) return std::sqrt(a.v);
    if (p == 0 || p == 1 || p == INFINITY || p == -INFINITY) return a.v;
    return std::pow(a.v, static_cast<C>(1 / p));
  }
};

}  // namespace cuda
}  // namespace sconce
