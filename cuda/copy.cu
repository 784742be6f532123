// Copies with casts and strides, fills and ranges.
#include "elementwise.cuh"

namespace sconce {
namespace cuda {
namespace {

template <class To, class From>
SC_HD To cast(From v) {
  if constexpr (std::is_same_v<To, bool>) return v != From(0);
  // Narrow integers go through int64, so that numbers out of range wrap as they do on the CPU.
  else if constexpr (std::is_integral_v<To> && !std::is_integral_v<From>)
    return static_cast<To>(static_cast<int64_t>(v));
  else
    return static_cast<To>(v);
}

template <class To, class From>
struct Copy {
  IterSpace<2> space;
  Elements<To> to;
  Source<From> from;
  explicit Copy(const ScIter* it) : space(it), to(it->data[0], it->dtype[0]), from(it, 1) {}
  SC_HD void operator()(int64_t i) const {
    int64_t at[2];
    space.at(i, at);
    to.store(at[0], cast<To>(from.at(at[1])));
  }
};
template <class C>
struct Fill {
  IterSpace<1> space;
  Elements<C> to;
  C value;
  SC_HD void operator()(int64_t i) const {
    int64_t at[1];
    space.at(i, at);
    to.store(at[0], value);
  }
};
template <class C, class Number>
struct Range {
  Elements<C> to;
  Number start, step;
  SC_HD void operator()(int64_t i) const { to.store(i, cast<C>(start + static_cast<Number>(i) * step)); }
};

int32_t copy(const ScIter* it) {
  if (it->dtype[0] == it->dtype[1])
    return for_widths(it->dtype[0], [&](auto tag) {
      return launch(it->numel, Copy<typename decltype(tag)::type, typename decltype(tag)::type>(it));
    });
  return for_compute(it->dtype[0], [&](auto to) {
    return for_compute(it->dtype[1], [&](auto from) {
      return launch(it->numel, Copy<typename decltype(to)::type, typename decltype(from)::type>(it));
    });
  });
}

int32_t fill(const ScIter* it, const ScScalar* v) {
  return for_compute(it->dtype[0], [&](auto tag) {
    using C = typename decltype(tag)::type;
    const C value = v->is_float ? cast<C>(v->v.f) : cast<C>(v->v.i);
    return launch(it->numel, Fill<C>{IterSpace<1>(it), {it->data[0], it->dtype[0]}, value});
  });
}

int32_t range(const ScIter* it, ScScalar start, ScScalar step) {
  return for_compute(it->dtype[0], [&](auto tag) {
    using C = typename decltype(tag)::type;
    const Elements<C> to(it->data[0], it->dtype[0]);
    if (!start.is_float && !step.is_float && std::is_integral_v<C>)
      return launch(it->numel, Range<C, int64_t>{to, start.v.i, step.v.i});
    const double from = start.is_float ? start.v.f : static_cast<double>(start.v.i);
    const double by = step.is_float ? step.v.f : static_cast<double>(step.v.i);
    return launch(it->numel, Range<C, double>{to, from, by});
  });
}

}  // namespace

ScElementwiseKernels elementwise_kernels() {
  ScElementwiseKernels k{};
  k.unary = unary;
  k.binary = binary;
  k.ternary = ternary;
  k.copy = copy;
  k.fill = fill;
  k.range = range;
  return k;
}

}  // namespace cuda
}  // namespace sconce
