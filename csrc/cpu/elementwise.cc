// Element-wise kernels.
#include "../core/device.h"
#include "../core/float16.h"

namespace sconce {
namespace {
#define SC_ALL(M) M(0, float) M(1, double) M(2, half_t) M(3, bfloat16_t) M(4, int64_t) M(5, int32_t) M(6, int16_t) M(7, int8_t) M(8, uint8_t) M(9, bool)
template <class F>
void walk(const ScIter* it, const F& f) {
  int64_t idx[SC_MAX_DIMS] = {};
  int64_t off[SC_MAX_OPERANDS] = {};
  for (int64_t n = 0; n < it->numel; ++n) {
    f(off);
    for (int d = it->ndim - 1; d >= 0; --d) {
      for (int k = 0; k < it->noperands; ++k) off[k] += it->strides[k][d];
      if (++idx[d] < it->shape[d]) break;
      for (int k = 0; k < it->noperands; ++k) off[k] -= it->strides[k][d] * it->shape[d];
      idx[d] = 0;
    }
  }
}
template <class D, class S>
void copy_typed(const ScIter* it) {
  walk(it, [&](const int64_t* o) { static_cast<D*>(it->data[0])[o[0]] = static_cast<D>(static_cast<S*>(it->data[1])[o[1]]); });
}
template <class D>
int32_t copy_to(const ScIter* it) {
  switch (it->dtype[1]) {
#define M(c, T) case c: if constexpr (sizeof(D) == 2 && sizeof(T) == 2 && !std::is_integral_v<D> && !std::is_integral_v<T>) walk(it, [&](const int64_t* o) { static_cast<D*>(it->data[0])[o[0]] = D(float(static_cast<T*>(it->data[1])[o[1]])); }); else copy_typed<D, T>(it); return SC_OK;
    SC_ALL(M)
#undef M
  }
  return SC_UNSUPPORTED;
}
int32_t copy(const ScIter* it) {
  switch (it->dtype[0]) {
#define M(c, T) case c: return copy_to<T>(it);
    SC_ALL(M)
#undef M
  }
  return SC_UNSUPPORTED;
}
int32_t fill(const ScIter* it, const ScScalar* v) {
  switch (it->dtype[0]) {
#define M(c, T) case c: walk(it, [&](const int64_t* o) { static_cast<T*>(it->data[0])[o[0]] = v->is_float ? static_cast<T>(v->v.f) : static_cast<T>(v->v.i); }); return SC_OK;
    SC_ALL(M)
#undef M
  }
  return SC_UNSUPPORTED;
}
template <class T>
int32_t binary_typed(int32_t op, const ScIter* it, const double* p) {
  auto* y = static_cast<T*>(it->data[0]);
  auto* a = static_cast<T*>(it->data[1]);
  auto* b = static_cast<T*>(it->data[2]);
  const T alpha = static_cast<T>(p[0]);
  switch (op) {
    case SC_ADD: walk(it, [&](const int64_t* o) { y[o[0]] = a[o[1]] + alpha * b[o[2]]; }); return SC_OK;
    case SC_SUB: walk(it, [&](const int64_t* o) { y[o[0]] = a[o[1]] - alpha * b[o[2]]; }); return SC_OK;
    case SC_MUL: walk(it, [&](const int64_t* o) { y[o[0]] = a[o[1]] * b[o[2]]; }); return SC_OK;
    case SC_DIV: walk(it, [&](const int64_t* o) { y[o[0]] = static_cast<T>(a[o[1]] / b[o[2]]); }); return SC_OK;
  }
  return SC_UNSUPPORTED;
}
int32_t binary(int32_t op, const ScIter* it, const double* p) {
  switch (it->dtype[1]) {
#define M(c, T) case c: return binary_typed<T>(op, it, p);
    SC_ALL(M)
#undef M
  }
  return SC_UNSUPPORTED;
}
int32_t unary(int32_t op, const ScIter* it, const double*) {
  switch (it->dtype[1]) {
#define M(c, T) case c: if (op == SC_NEG) { walk(it, [&](const int64_t* o) { static_cast<T*>(it->data[0])[o[0]] = -static_cast<T*>(it->data[1])[o[1]]; }); return SC_OK; } break;
    SC_ALL(M)
#undef M
  }
  return SC_UNSUPPORTED;
}
SC_CPU_KERNEL(elementwise.copy, copy);
SC_CPU_KERNEL(elementwise.fill, fill);
SC_CPU_KERNEL(elementwise.binary, binary);
SC_CPU_KERNEL(elementwise.unary, unary);
}  // namespace
}  // namespace sconce
