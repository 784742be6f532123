// Scans. A thread walks a line, or a chunk of it where there are few long lines: the chunks' shares are first
// joined in order, then each chunk is walked again from what came before it.
#include "elementwise.cuh"
#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

// What carries from one element to the next, wider than the elements, so that long sums keep their digits.
template <class C>
using carry_t = std::conditional_t<std::is_same_v<C, int64_t>, int64_t, double>;

template <class V, bool kProduct>
struct Accumulation {
  struct State {
    V v;
  };
  SC_HD static State start() { return {V(kProduct ? 1 : 0)}; }
  SC_HD static void take(State& a, V x, V, int64_t) { join(a, {x}); }
  SC_HD static void join(State& a, const State& b) {
    a.v = kProduct ? fn::mul_wrapped(a.v, b.v) : fn::add_wrapped(a.v, b.v);
  }
};
// The running extreme and where it is: NaN wins, and the last of equals.
template <class V, bool kGreatest>
struct Running {
  struct State {
    V v;
    int64_t at;  // -1: nothing yet
  };
  SC_HD static State start() { return {V(0), -1}; }
  SC_HD static void take(State& a, V x, V, int64_t k) { join(a, {x, k}); }
  SC_HD static void join(State& a, const State& b) {
    if (b.at < 0) return;
    const bool wins =
        a.at < 0 || fn::is_nan(b.v) || (!fn::is_nan(a.v) && (kGreatest ? b.v >= a.v : b.v <= a.v));
    if (wins) a = b;
  }
};
// y = x + factor * (y before): the map from what came before a stretch to its end is linear too.
template <class V>
struct Linear {
  struct State {
    V factor, v;
  };
  SC_HD static State start() { return {V(1), V(0)}; }
  SC_HD static void take(State& a, V x, V f, int64_t) {
    a.v = x + f * a.v;
    a.factor *= f;
  }
  SC_HD static void join(State& a, const State& b) {
    a.v = b.v + b.factor * a.v;
    a.factor *= b.factor;
  }
};

template <class S, class C>
struct Lines {
  using V = carry_t<C>;
  using State = typename S::State;
  Wide<C> in, factor, out;
  int64_t* out2;
  int64_t n, inner;
  bool reverse, linear;
  int64_t chunks, length;  // per line
  State* shares;           // [chunks, lines]; null: one chunk
  bool writing;
  int64_t lines;

  SC_HD void operator()(int64_t i) const {
    const int64_t line = i % lines, chunk = i / lines;
    const int64_t base = line / inner * n * inner + line % inner;
    const int64_t to = (chunk + 1) * length < n ? (chunk + 1) * length : n;
    State s = writing && shares ? shares[i] : S::start();
    for (int64_t k = chunk * length; k < to; ++k) {
      const int64_t place = reverse ? n - 1 - k : k, at = base + place * inner;
      V f = V(0);
      if (linear && k > 0) f = static_cast<V>(factor.load(reverse ? at + inner : at));
      S::take(s, static_cast<V>(in.load(at)), f, place);
      if (!writing) continue;
      out.store(at, static_cast<C>(s.v));
      if constexpr (HasPlace<State>::value) out2[at] = s.at;
    }
    if (!writing) shares[i] = s;
  }
  template <class Q, class = void>
  struct HasPlace : std::false_type {};
  template <class Q>
  struct HasPlace<Q, std::void_t<decltype(std::declval<Q>().at)>> : std::true_type {};
};

// Each chunk's share becomes what comes before it.
template <class S>
struct JoinShares {
  typename S::State* shares;
  int64_t chunks, lines;
  SC_HD void operator()(int64_t line) const {
    typename S::State s = S::start();
    for (int64_t k = 0; k < chunks; ++k) {
      const typename S::State here = shares[k * lines + line];
      shares[k * lines + line] = s;
      S::join(s, here);
    }
  }
};

template <class S, class C>
int32_t run(const ScScan* a, bool reverse, bool linear) {
  const int64_t lines = a->outer * a->inner;
  if (lines == 0 || a->n == 0) return SC_OK;
  constexpr int64_t kLength = 256;
  const int64_t chunks = lines < 8192 && a->n >= 4 * kLength ? (a->n + kLength - 1) / kLength : 1;
  Lines<S, C> kernel{{const_cast<void*>(a->in), a->dtype},
                     {const_cast<void*>(a->factor), a->dtype},
                     {a->out, a->dtype},
                     a->out2,
                     a->n,
                     a->inner,
                     reverse,
                     linear,
                     chunks,
                     chunks > 1 ? kLength : a->n,
                     nullptr,
                     true,
                     lines};
  if (chunks == 1) return launch(lines, kernel);
  Scratch<typename S::State> shares(lines * chunks);
  if (!shares) return fail("CUDA out of memory");
  kernel.shares = shares.get();
  kernel.writing = false;
  SC_CUDA_TRY(launch(lines * chunks, kernel));
  SC_CUDA_TRY(launch(lines, JoinShares<S>{shares.get(), chunks, lines}));
  kernel.writing = true;
  return launch(lines * chunks, kernel);
}

int32_t scan(int32_t op, const ScScan* a) {
  if (op == SC_SCAN_LINEAR || op == SC_SCAN_LINEAR_REVERSE)
    return for_wide_floats(a->dtype, [&](auto tag) {
      return run<Linear<double>, typename decltype(tag)::type>(a, op == SC_SCAN_LINEAR_REVERSE, true);
    });
  return for_wide(a->dtype, [&](auto tag) -> int32_t {
    using C = typename decltype(tag)::type;
    using V = carry_t<C>;
    switch (op) {
      case SC_SCAN_SUM:
        return run<Accumulation<V, false>, C>(a, a->reverse != 0, false);
      case SC_SCAN_PROD:
        return run<Accumulation<V, true>, C>(a, a->reverse != 0, false);
      case SC_SCAN_MAX:
        return run<Running<V, true>, C>(a, false, false);
      case SC_SCAN_MIN:
        return run<Running<V, false>, C>(a, false, false);
      default:
        return SC_UNSUPPORTED;
    }
  });
}

}  // namespace

ScScanKernels scan_kernels() {
  ScScanKernels k{};
  k.scan = scan;
  return k;
}

}  // namespace cuda
}  // namespace sconce
