// Scans along one dimension.
#include <algorithm>
#include <type_traits>

#include "../core/device.h"
#include "../core/float16.h"
#include "../core/parallel.h"

namespace sconce {
namespace {
constexpr int64_t kLanes =
    64;  // neighbouring lines walked together, so that memory is read along its fastest dimension

// What carries from one element to the next: wider than the elements, so that long sums keep their digits.
template <class T>
using Carry = std::conditional_t<
    std::is_integral_v<T>, int64_t,
    std::conditional_t<std::is_same_v<T, double> || std::is_same_v<T, float>, double, float>>;
// The type that elements compare in.
template <class T>
using Plain = std::conditional_t<std::is_arithmetic_v<T>, T, float>;

template <class T, class V>
T narrow(V v) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<T>(v);
  else
    return T(static_cast<float>(v));
}

// Calls f(offset of the first element, how many lines) for bundles of neighbouring lines.
template <class F>
void for_lines(const ScScan* s, const F& f) {
  const int64_t bundles = (s->inner + kLanes - 1) / kLanes,
                work = std::max<int64_t>(1, s->n * std::min(s->inner, kLanes));
  parallel_for(0, s->outer * bundles, std::max<int64_t>(1, 16384 / work), [&](int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      const int64_t first = t % bundles * kLanes;
      f(t / bundles * s->n * s->inner + first, std::min(kLanes, s->inner - first));
    }
  });
}

template <class T, class Step>
void accumulate(const ScScan* s, Carry<T> start, const Step& step) {
  const auto* x = static_cast<const T*>(s->in);
  auto* y = static_cast<T*>(s->out);
  for_lines(s, [&](int64_t at, int64_t lines) {
    Carry<T> carry[kLanes];
    std::fill(carry, carry + lines, start);
    for (int64_t k = 0; k < s->n; ++k) {
      const int64_t row = at + (s->reverse ? s->n - 1 - k : k) * s->inner;
      for (int64_t j = 0; j < lines; ++j) {
        carry[j] = step(carry[j], static_cast<Carry<T>>(x[row + j]));
        y[row + j] = narrow<T>(carry[j]);
      }
    }
  });
}

template <class T, class Beats>
void extreme(const ScScan* s, const Beats& beats) {
  using P = Plain<T>;
  const auto* x = static_cast<const T*>(s->in);
  auto* y = static_cast<T*>(s->out);
  for_lines(s, [&](int64_t at, int64_t lines) {
    for (int64_t j = 0; j < lines; ++j) {
      P best{};
      int64_t where = 0;
      for (int64_t k = 0; k < s->n; ++k) {
        const int64_t i = at + k * s->inner + j;
        const P v = static_cast<P>(x[i]);
        if (k == 0 || v != v || (best == best && beats(v, best))) {
          best = v;
          where = k;
        }
        y[i] = narrow<T>(best);
        s->out2[i] = where;
      }
    }
  });
}

template <class T>
void linear(const ScScan* s, bool reverse) {
  const auto* x = static_cast<const T*>(s->in);
  const auto* a = static_cast<const T*>(s->factor);
  auto* y = static_cast<T*>(s->out);
  for_lines(s, [&](int64_t at, int64_t lines) {
    Carry<T> carry[kLanes] = {};
    for (int64_t k = 0; k < s->n; ++k) {
      const int64_t row = at + (reverse ? s->n - 1 - k : k) * s->inner,
                    factor = reverse ? row + s->inner : row;
      for (int64_t j = 0; j < lines; ++j) {
        const Carry<T> f = k == 0 ? 0 : static_cast<Carry<T>>(a[factor + j]) * carry[j];
        carry[j] = static_cast<Carry<T>>(x[row + j]) + f;
        y[row + j] = narrow<T>(carry[j]);
      }
    }
  });
}

template <class T>
int32_t scan_typed(int32_t op, const ScScan* s) {
  using C = Carry<T>;
  switch (op) {
    case SC_SCAN_SUM:
      accumulate<T>(s, C(0), [](C a, C x) { return a + x; });
      return SC_OK;
    case SC_SCAN_PROD:
      accumulate<T>(s, C(1), [](C a, C x) { return a * x; });
      return SC_OK;
    case SC_SCAN_MAX:
      extreme<T>(s, [](auto v, auto best) { return v >= best; });
      return SC_OK;
    case SC_SCAN_MIN:
      extreme<T>(s, [](auto v, auto best) { return v <= best; });
      return SC_OK;
  }
  if constexpr (!std::is_integral_v<T>) {
    switch (op) {
      case SC_SCAN_LINEAR:
      case SC_SCAN_LINEAR_REVERSE:
        linear<T>(s, op == SC_SCAN_LINEAR_REVERSE);
        return SC_OK;
    }
  }
  return SC_UNSUPPORTED;
}

int32_t scan(int32_t op, const ScScan* s) {
  switch (s->dtype) {
    case SC_FLOAT32:
      return scan_typed<float>(op, s);
    case SC_FLOAT64:
      return scan_typed<double>(op, s);
    case SC_FLOAT16:
      return scan_typed<half_t>(op, s);
    case SC_BFLOAT16:
      return scan_typed<bfloat16_t>(op, s);
    case SC_INT64:
      return scan_typed<int64_t>(op, s);
    case SC_INT32:
      return scan_typed<int32_t>(op, s);
    case SC_INT16:
      return scan_typed<int16_t>(op, s);
    case SC_INT8:
      return scan_typed<int8_t>(op, s);
    case SC_UINT8:
      return scan_typed<uint8_t>(op, s);
    case SC_BOOL:
      return scan_typed<bool>(op, s);
  }
  return SC_UNSUPPORTED;
}
SC_CPU_KERNEL(scan.scan, scan);

}  // namespace
}  // namespace sconce
