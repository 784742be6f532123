// Copy with conversion, and fill.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/elementwise_copy.cc"
#include <hwy/foreach_target.h>  // compiles what follows once per vector target
//
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "../core/device.h"
#include "../core/parallel.h"
#include "../functors/common.h"
#include "elementwise_row.h"

HWY_BEFORE_NAMESPACE();
namespace sconce::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// float16 <-> float and bfloat16 <-> float.
template <class Narrow>
void widen_row(const uint16_t* x, float* y, int64_t n) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<Narrow, decltype(d)> dn;
  const hn::Rebind<uint16_t, decltype(d)> du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::PromoteTo(d, hn::BitCast(dn, hn::LoadU(du, x + i))), d, y + i);
  for (; i < n; ++i)
    y[i] = std::is_same_v<Narrow, hwy::bfloat16_t> ? bfloat16_to_float(x[i]) : half_to_float(x[i]);
}
void half_to_float_loop(const uint16_t* x, float* y, int64_t n) { widen_row<hwy::float16_t>(x, y, n); }
void bfloat16_to_float_loop(const uint16_t* x, float* y, int64_t n) { widen_row<hwy::bfloat16_t>(x, y, n); }
void float_to_half_loop(const float* x, uint16_t* y, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET <= HWY_AVX2  // has an instruction for it, which rounds to nearest even
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> dn;
  const hn::Rebind<uint16_t, decltype(d)> du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::BitCast(du, hn::DemoteTo(dn, hn::LoadU(d, x + i))), du, y + i);
#endif
#pragma GCC ivdep
  for (; i < n; ++i) y[i] = float_to_half(x[i]);
}
void float_to_bfloat16_loop(const float* x, uint16_t* y, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = float_to_bfloat16(x[i]);
}

template <class D, class S>
inline D convert(S x) {
  if constexpr (std::is_same_v<D, bool>)
    return x != S(0);
  else if constexpr (std::is_floating_point_v<S> && std::is_same_v<D, uint8_t>)
    return static_cast<D>(static_cast<int32_t>(x));
  else
    return static_cast<D>(x);
}
template <class D, class S>
void convert_loop(char* const* data, const int64_t*, int64_t n, const double*) {
  auto* y = reinterpret_cast<D*>(data[0]);
  auto* x = reinterpret_cast<const S*>(data[1]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = convert<D>(x[i]);
}
template <class D>
Row convert_from(int32_t from) {
  switch (from) {
#define SC_CASE(code, S) \
  case code:             \
    return convert_loop<D, S>;
    SC_COMPUTE_DTYPES(SC_CASE)
#undef SC_CASE
    default:
      return nullptr;
  }
}
Row convert_row(int32_t to, int32_t from) {
  switch (to) {
#define SC_CASE(code, D) \
  case code:             \
    return convert_from<D>(from);
    SC_COMPUTE_DTYPES(SC_CASE)
#undef SC_CASE
    default:
      return nullptr;
  }
}

}  // namespace sconce::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce::cpu {
HWY_EXPORT(half_to_float_loop);
HWY_EXPORT(bfloat16_to_float_loop);
HWY_EXPORT(float_to_half_loop);
HWY_EXPORT(float_to_bfloat16_loop);
HWY_EXPORT(convert_row);

void half_to_float_row(const uint16_t* x, float* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(half_to_float_loop)(x, y, n);
}
void bfloat16_to_float_row(const uint16_t* x, float* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(bfloat16_to_float_loop)(x, y, n);
}
void float_to_half_row(const float* x, uint16_t* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(float_to_half_loop)(x, y, n);
}
void float_to_bfloat16_row(const float* x, uint16_t* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(float_to_bfloat16_loop)(x, y, n);
}

namespace {
constexpr int64_t kSize[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};

// The integer type with an element's size: copies without conversion only move bytes.
int32_t bytes_dtype(int32_t dtype) {
  switch (kSize[dtype]) {
    case 1:
      return SC_UINT8;
    case 2:
      return SC_INT16;
    case 4:
      return SC_INT32;
    default:
      return SC_INT64;
  }
}

// The source is contiguous along a dimension which is not the output's fastest (a transposed matrix): walks
// square tiles, so that each cache line of either side is fetched once.
template <class T>
void copy_tiles(const ScIter* it, int cross) {
  constexpr int64_t kTile = 16;
  const int last = it->ndim - 1;
  const int64_t rows = it->shape[cross], cols = it->shape[last];
  const int64_t y_row = it->strides[0][cross], x_col = it->strides[1][last];
  const int64_t row_tiles = (rows + kTile - 1) / kTile;
  int64_t planes = 1;
  for (int d = 0; d < last; ++d)
    if (d != cross) planes *= it->shape[d];
  parallel_for(0, planes * row_tiles, std::max<int64_t>(1, 16384 / (kTile * cols)),
               [&](int64_t from, int64_t to) {
                 for (int64_t piece = from; piece < to; ++piece) {
                   int64_t rest = piece / row_tiles, y_at = 0, x_at = 0;
                   for (int d = last - 1; d >= 0; --d) {
                     if (d == cross) continue;
                     const int64_t i = rest % it->shape[d];
                     rest /= it->shape[d];
                     y_at += i * it->strides[0][d];
                     x_at += i * it->strides[1][d];
                   }
                   const int64_t r0 = piece % row_tiles * kTile, r1 = std::min(rows, r0 + kTile);
                   T* y = static_cast<T*>(it->data[0]) + y_at;
                   const T* x = static_cast<const T*>(it->data[1]) + x_at;
                   for (int64_t c0 = 0; c0 < cols; c0 += kTile) {
                     const int64_t c1 = std::min(cols, c0 + kTile);
                     for (int64_t r = r0; r < r1; ++r)
                       for (int64_t c = c0; c < c1; ++c) y[r * y_row + c] = x[r + c * x_col];
                   }
                 }
               });
}
bool copy_transposed(const ScIter* it) {
  const int last = it->ndim - 1;
  if (last < 1 || it->strides[0][last] != 1 || it->strides[1][last] == 1 || it->shape[last] < 4) return false;
  int cross = -1;
  for (int d = 0; d < last; ++d)
    if (it->strides[1][d] == 1 && it->shape[d] >= 4) cross = d;
  if (cross < 0) return false;
  switch (kSize[it->dtype[0]]) {
    case 1:
      copy_tiles<uint8_t>(it, cross);
      break;
    case 2:
      copy_tiles<uint16_t>(it, cross);
      break;
    case 4:
      copy_tiles<uint32_t>(it, cross);
      break;
    default:
      copy_tiles<uint64_t>(it, cross);
  }
  return true;
}

int32_t copy(const ScIter* it) {
  if (it->dtype[0] != it->dtype[1])
    return run_rows(
        it, {HWY_DYNAMIC_DISPATCH(convert_row)(compute_dtype(it->dtype[0]), compute_dtype(it->dtype[1]))},
        nullptr);
  if (it->ndim == 1 && it->strides[0][0] == 1 && it->strides[1][0] == 1) {
    const int64_t size = kSize[it->dtype[0]];
    parallel_for(0, it->numel * size, 262144, [&](int64_t from, int64_t to) {
      memmove(static_cast<char*>(it->data[0]) + from, static_cast<const char*>(it->data[1]) + from,
              static_cast<size_t>(to - from));
    });
    return SC_OK;
  }
  if (copy_transposed(it)) return SC_OK;
  ScIter raw = *it;
  raw.dtype[0] = raw.dtype[1] = bytes_dtype(it->dtype[0]);
  return run_rows(&raw, {HWY_DYNAMIC_DISPATCH(convert_row)(raw.dtype[0], raw.dtype[0])}, nullptr);
}

template <class T>
void fill_row(char* const* data, const int64_t*, int64_t n, const double* value) {
  T v;
  memcpy(&v, value, sizeof v);
  std::fill_n(reinterpret_cast<T*>(data[0]), n, v);
}

// The number in the dtype's own bytes.
template <class T>
double as_bytes(T v) {
  double d = 0;
  memcpy(&d, &v, sizeof v);
  return d;
}
double element(int32_t dtype, const ScScalar& v) {
  switch (dtype) {
    case SC_FLOAT32:
      return as_bytes(static_cast<float>(v.is_float ? v.v.f : static_cast<double>(v.v.i)));
    case SC_FLOAT64:
      return v.is_float ? v.v.f : static_cast<double>(v.v.i);
    case SC_FLOAT16:
      return as_bytes(half_t(v.is_float ? static_cast<float>(v.v.f) : static_cast<float>(v.v.i)));
    case SC_BFLOAT16:
      return as_bytes(bfloat16_t(v.is_float ? static_cast<float>(v.v.f) : static_cast<float>(v.v.i)));
    case SC_BOOL:
      return as_bytes(v.is_float ? v.v.f != 0 : v.v.i != 0);
    default:
      return as_bytes(v.is_float ? static_cast<int64_t>(v.v.f)
                                 : v.v.i);  // little-endian: the low bytes are the value
  }
}
int32_t fill(const ScIter* it, const ScScalar* v) {
  const double value = element(it->dtype[0], *v);
  ScIter raw = *it;
  raw.dtype[0] = bytes_dtype(it->dtype[0]);
  switch (kSize[it->dtype[0]]) {
    case 1:
      return run_rows(&raw, {fill_row<uint8_t>, 0, 262144}, &value);
    case 2:
      return run_rows(&raw, {fill_row<uint16_t>, 0, 131072}, &value);
    case 4:
      return run_rows(&raw, {fill_row<uint32_t>, 0, 65536}, &value);
    default:
      return run_rows(&raw, {fill_row<uint64_t>}, &value);
  }
}

SC_CPU_KERNEL(elementwise.copy, copy);
SC_CPU_KERNEL(elementwise.fill, fill);
}  // namespace
}  // namespace sconce::cpu
#endif
