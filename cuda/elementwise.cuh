// What the element-wise kernels share: the operands of an iterator as a kernel argument, and the functor that
// applies one operation of csrc/functors to them.
#pragma once
#include <type_traits>
#include <utility>

#include "functors/common.h"
#include "launch.cuh"

namespace sconce {
namespace cuda {

// The type an operation computes in: 16-bit floats are widened.
template <class T>
struct Compute {
  using type = T;
};
template <>
struct Compute<half_t> {
  using type = float;
};
template <>
struct Compute<bfloat16_t> {
  using type = float;
};
template <class T>
using compute_t = typename Compute<T>::type;

// Elements of a compute type C in memory. The three floating types that compute in float share their kernels
// and are told apart as they are read and written: the branch is the same for every thread, and it halves the
// code.
template <class C>
struct Elements {
  void* data;
  SC_HD Elements(void* p, int32_t) : data(p) {}
  SC_HD C load(int64_t i) const { return static_cast<const C*>(data)[i]; }
  SC_HD void store(int64_t i, C v) const { static_cast<C*>(data)[i] = v; }
};
template <>
struct Elements<float> {
  void* data;
  int32_t dtype;
  SC_HD Elements(void* p, int32_t t) : data(p), dtype(t) {}
  SC_HD float load(int64_t i) const {
    if (dtype == SC_FLOAT32) return static_cast<const float*>(data)[i];
    if (dtype == SC_FLOAT16) return static_cast<const half_t*>(data)[i];
    return static_cast<const bfloat16_t*>(data)[i];
  }
  SC_HD void store(int64_t i, float v) const {
    if (dtype == SC_FLOAT32)
      static_cast<float*>(data)[i] = v;
    else if (dtype == SC_FLOAT16)
      static_cast<half_t*>(data)[i] = v;
    else
      static_cast<bfloat16_t*>(data)[i] = v;
  }
};
template <>
struct Elements<half_t>;  // compute in float
template <>
struct Elements<bfloat16_t>;

// Integers and booleans of any width, read and written as int64: for kernels in which their arithmetic is the
// same.
struct WideIntegers {
  void* data;
  int32_t dtype;
  SC_HD WideIntegers(void* p, int32_t t) : data(p), dtype(t) {}
  SC_HD int64_t load(int64_t i) const {
    switch (dtype) {
      case SC_INT64:
        return static_cast<const int64_t*>(data)[i];
      case SC_INT32:
        return static_cast<const int32_t*>(data)[i];
      case SC_INT16:
        return static_cast<const int16_t*>(data)[i];
      case SC_INT8:
        return static_cast<const int8_t*>(data)[i];
      default:
        return static_cast<const uint8_t*>(data)[i];
    }
  }
  SC_HD void store(int64_t i, int64_t v) const {
    switch (dtype) {
      case SC_INT64:
        static_cast<int64_t*>(data)[i] = v;
        break;
      case SC_INT32:
        static_cast<int32_t*>(data)[i] = static_cast<int32_t>(v);
        break;
      case SC_INT16:
        static_cast<int16_t*>(data)[i] = static_cast<int16_t>(v);
        break;
      case SC_INT8:
        static_cast<int8_t*>(data)[i] = static_cast<int8_t>(v);
        break;
      default:
        static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(v);
        break;
    }
  }
};
// Any dtype through one of three types: float, double, int64.
template <class W>
using Wide = std::conditional_t<std::is_same_v<W, int64_t>, WideIntegers, Elements<W>>;

// f(TypeTag<W>) for a dtype's wide type.
template <class F>
int32_t for_wide(int32_t dtype, const F& f) {
  if (dtype == SC_FLOAT64) return f(TypeTag<double>());
  return dtype <= SC_BFLOAT16 ? f(TypeTag<float>()) : f(TypeTag<int64_t>());
}
template <class F>
int32_t for_wide_floats(int32_t dtype, const F& f) {
  if (dtype == SC_FLOAT64) return f(TypeTag<double>());
  return dtype <= SC_BFLOAT16 ? f(TypeTag<float>()) : static_cast<int32_t>(SC_UNSUPPORTED);
}

// f(TypeTag<C>) for the type that a dtype computes in.
template <class F>
int32_t for_compute(int32_t dtype, const F& f) {
  if (dtype == SC_FLOAT16 || dtype == SC_BFLOAT16) dtype = SC_FLOAT32;
  switch (dtype) {
    case SC_FLOAT32:
      return f(TypeTag<float>());
    case SC_FLOAT64:
      return f(TypeTag<double>());
    case SC_INT64:
      return f(TypeTag<int64_t>());
    case SC_INT32:
      return f(TypeTag<int32_t>());
    case SC_INT16:
      return f(TypeTag<int16_t>());
    case SC_INT8:
      return f(TypeTag<int8_t>());
    case SC_UINT8:
      return f(TypeTag<uint8_t>());
    case SC_BOOL:
      return f(TypeTag<bool>());
    default:
      return SC_UNSUPPORTED;
  }
}

// An input: memory, or a number passed by value.
template <class C>
struct Source {
  Elements<C> elements;
  C scalar;
  bool by_value;
  Source(const ScIter* it, int k)
      : elements(it->data[k], it->dtype[k]), scalar(), by_value(it->scalar_mask >> k & 1) {
    if (by_value) scalar = Elements<C>(const_cast<unsigned char*>(it->scalar[k].bytes), it->dtype[k]).load(0);
  }
  SC_HD C at(int64_t offset) const { return by_value ? scalar : elements.load(offset); }
};

// The index space of an iterator with kOperands operands; one flat loop is the common case.
template <int kOperands>
struct IterSpace {
  bool flat;
  int64_t step[kOperands];
  Strided<kOperands> dims;
  explicit IterSpace(const ScIter* it) {
    const int64_t* rows[kOperands];
    for (int k = 0; k < kOperands; ++k) {
      rows[k] = it->strides[k];
      step[k] = it->strides[k][0];
    }
    flat = it->ndim == 1;
    dims = strided<kOperands>(it->ndim, it->shape, rows);
  }
  SC_HD void at(int64_t i, int64_t* offsets) const {
    if (flat) {
      for (int k = 0; k < kOperands; ++k) offsets[k] = i * step[k];
    } else {
      dims.at(i, offsets);
    }
  }
};

template <class C>
struct Parameters {
  C v[4];
  explicit Parameters(const double* p) {
    for (int k = 0; k < 4; ++k) v[k] = p ? fn::from_parameter<C>(p[k]) : C();
  }
};

// Op::run on inputs that compute in C. A bool result is stored as such, any other in the output's dtype.
template <class C, class R>
using result_t = std::conditional_t<std::is_same_v<R, bool>, bool, C>;

template <class Op, class C>
struct Apply1 {
  using Out = result_t<C, decltype(Op::run(C(), static_cast<const C*>(nullptr)))>;
  IterSpace<2> space;
  Elements<Out> out;
  Source<C> a;
  Parameters<C> p;
  Apply1(const ScIter* it, const double* params)
      : space(it), out(it->data[0], it->dtype[0]), a(it, 1), p(params) {}
  SC_HD void operator()(int64_t i) const {
    int64_t at[2];
    space.at(i, at);
    out.store(at[0], static_cast<Out>(Op::run(a.at(at[1]), p.v)));
  }
};
template <class Op, class C>
struct Apply2 {
  using Out = result_t<C, decltype(Op::run(C(), C(), static_cast<const C*>(nullptr)))>;
  IterSpace<3> space;
  Elements<Out> out;
  Source<C> a, b;
  Parameters<C> p;
  Apply2(const ScIter* it, const double* params)
      : space(it), out(it->data[0], it->dtype[0]), a(it, 1), b(it, 2), p(params) {}
  SC_HD void operator()(int64_t i) const {
    int64_t at[3];
    space.at(i, at);
    out.store(at[0], static_cast<Out>(Op::run(a.at(at[1]), b.at(at[2]), p.v)));
  }
};
template <class Op, class C>
struct Apply3 {
  IterSpace<4> space;
  Elements<C> out;
  Source<C> a, b, c;
  Parameters<C> p;
  Apply3(const ScIter* it, const double* params)
      : space(it), out(it->data[0], it->dtype[0]), a(it, 1), b(it, 2), c(it, 3), p(params) {}
  SC_HD void operator()(int64_t i) const {
    int64_t at[4];
    space.at(i, at);
    out.store(at[0], Op::run(a.at(at[1]), b.at(at[2]), c.at(at[3]), p.v));
  }
};

// One operation over the dtypes that it accepts.
template <template <class, class> class Apply, class Op>
int32_t apply(const ScIter* it, const double* p) {
  return for_compute(it->dtype[1], [&](auto tag) -> int32_t {
    using C = typename decltype(tag)::type;
    if constexpr ((Op::kTypes & fn::type_set<C>()) == 0) {
      return SC_UNSUPPORTED;
    } else {
      return launch(it->numel, Apply<Op, C>(it, p));
    }
  });
}

// The entry for every operation code, as a table.
using PointwiseFn = int32_t (*)(const ScIter*, const double*);

ScElementwiseKernels elementwise_kernels();
int32_t unary(int32_t op, const ScIter* it, const double* p);
int32_t binary(int32_t op, const ScIter* it, const double* p);
int32_t ternary(int32_t op, const ScIter* it, const double* p);

}  // namespace cuda
}  // namespace sconce
