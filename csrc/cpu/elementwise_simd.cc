// Hand-vectorised row loops for float, in place of those functors that the compiler cannot vectorise.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/elementwise_simd.cc"
#include <hwy/foreach_target.h>  // compiles what follows once per vector target
//
#include <hwy/highway.h>

#include "../functors/special.h"
#include "elementwise_row.h"
#include "simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sconce::cpu::HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using Fn1 = V (*)(D, V, const float*);
using Fn2 = V (*)(D, V, V, const float*);

// The last, partial vector goes through a buffer: nothing outside of the row is touched, and its elements are
// computed as all others.
template <Fn1 f>
void row1(char* const* data, const int64_t*, int64_t n, const double* p) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  float q[4];
  for (int i = 0; i < 4; ++i) q[i] = static_cast<float>(p[i]);
  auto* y = reinterpret_cast<float*>(data[0]);
  auto* x = reinterpret_cast<const float*>(data[1]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i), q), d, y + i);
  if (i < n) {
    HWY_ALIGN float rest[hn::MaxLanes(D())] = {};
    for (int64_t j = i; j < n; ++j) rest[j - i] = x[j];
    hn::Store(f(d, hn::Load(d, rest), q), d, rest);
    for (int64_t j = i; j < n; ++j) y[j] = rest[j - i];
  }
}

template <Fn2 f>
void row2(char* const* data, const int64_t* step, int64_t n, const double* p) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  float q[4];
  for (int i = 0; i < 4; ++i) q[i] = static_cast<float>(p[i]);
  auto* y = reinterpret_cast<float*>(data[0]);
  auto* a = reinterpret_cast<const float*>(data[1]);
  auto* b = reinterpret_cast<const float*>(data[2]);
  const auto load = [d](const float* x, int64_t s, int64_t i) {
    return s ? hn::LoadU(d, x + i) : hn::Set(d, *x);
  };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, load(a, step[1], i), load(b, step[2], i), q), d, y + i);
  if (i < n) {
    HWY_ALIGN float rest[2][hn::MaxLanes(D())] = {};
    for (int64_t j = i; j < n; ++j) {
      rest[0][j - i] = a[j * step[1]];
      rest[1][j - i] = b[j * step[2]];
    }
    hn::Store(f(d, hn::Load(d, rest[0]), hn::Load(d, rest[1]), q), d, rest[0]);
    for (int64_t j = i; j < n; ++j) y[j] = rest[0][j - i];
  }
}

// ---- unary ----
#define SC_VECTOR(name, ...) \
  HWY_INLINE V name([[maybe_unused]] D d, V x, [[maybe_unused]] const float* p) { __VA_ARGS__ }

HWY_INLINE V constant(D d, double v) { return hn::Set(d, static_cast<float>(v)); }

SC_VECTOR(floor_, return hn::Floor(x);)
SC_VECTOR(ceil_, return hn::Ceil(x);)
SC_VECTOR(trunc_, return hn::Trunc(x);)
SC_VECTOR(sqrt_, return hn::Sqrt(x);)
SC_VECTOR(exp_, return vexp(d, x);)
SC_VECTOR(exp2_, return keep_nan(x, exp2_number(d, x));)
SC_VECTOR(expm1_, return vexpm1(d, x);)
SC_VECTOR(log_, return vlog(d, x);)
SC_VECTOR(log2_, return vlog2(d, x);)
SC_VECTOR(log10_, return vlog10(d, x);)
SC_VECTOR(log1p_, return vlog1p(d, x);)
SC_VECTOR(tanh_, return vtanh(d, x);)
SC_VECTOR(erf_, return verf(d, x);)
SC_VECTOR(sigmoid_, return vsigmoid(d, x);)
SC_VECTOR(silu_, return hn::Div(x, hn::Add(constant(d, 1), vexp(d, hn::Neg(x))));)
SC_VECTOR(gelu_, return hn::Mul(x, normal_cdf(d, x));)

// tanh's argument in the approximate gelu: k (x + c x^3)
HWY_INLINE V gelu_inner(D d, V x, V squared) {
  return hn::Mul(hn::Mul(constant(d, fn::kSqrt2OverPi), x),
                 hn::MulAdd(constant(d, fn::kGeluCubic), squared, constant(d, 1)));
}
SC_VECTOR(gelu_tanh_, const V half = constant(d, 0.5);
          return hn::Mul(x, hn::MulAdd(half, vtanh(d, gelu_inner(d, x, hn::Mul(x, x))), half));)
SC_VECTOR(softplus_, const V beta = hn::Set(d, p[0]), z = hn::Mul(x, beta);
          const V threshold = hn::Set(d, p[1]);
          return hn::IfThenElse(hn::Gt(z, threshold), x, hn::Div(log1p_positive(d, vexp(d, z)), beta));)
SC_VECTOR(elu_, const V below = hn::Mul(vexpm1(d, hn::Mul(x, hn::Set(d, p[2]))), hn::Set(d, p[0] * p[1]));
          return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), below, hn::Mul(x, hn::Set(d, p[1])));)
SC_VECTOR(logsigmoid_, const V tail = log1p_positive(d, vexp(d, hn::Neg(hn::Abs(x))));
          return keep_nan(x, hn::Sub(hn::Min(x, hn::Zero(d)), tail));)
// tanh(log(1 + e^x)) = u / (u + 2) with u = e^x (e^x + 2); 1 to the last bit from 20 on
SC_VECTOR(mish_, const V e = exp_number(d, hn::Min(x, constant(d, 20))),
          u = hn::Mul(e, hn::Add(e, constant(d, 2)));
          return keep_nan(x, hn::Mul(x, hn::Div(u, hn::Add(u, constant(d, 2)))));)

// Highway's sine and cosine hold up to 39000; beyond, and for NaN, the library's.
template <float (*scalar)(float)>
V beyond(D d, V x, V y) {
  const auto fine = hn::Le(hn::Abs(x), constant(d, 39000));
  if (HWY_LIKELY(hn::AllTrue(d, fine))) return y;
  HWY_ALIGN float v[hn::MaxLanes(D())];
  hn::Store(x, d, v);
  for (size_t i = 0; i < hn::Lanes(d); ++i) v[i] = scalar(v[i]);
  return hn::IfThenElse(fine, y, hn::Load(d, v));
}
float library_sin(float x) { return std::sin(x); }
float library_cos(float x) { return std::cos(x); }
SC_VECTOR(sin_, return beyond<library_sin>(d, x, hn::Sin(d, x));)
SC_VECTOR(cos_, return beyond<library_cos>(d, x, hn::Cos(d, x));)
#undef SC_VECTOR

// ---- fused derivatives: g is the gradient ----
#define SC_VECTOR(name, ...) \
  HWY_INLINE V name(D d, V g, V x, [[maybe_unused]] const float* p) { __VA_ARGS__ }

SC_VECTOR(gelu_bwd, const V density = hn::Mul(constant(d, fn::kInvSqrt2Pi),
                                              vexp(d, hn::Mul(constant(d, -0.5), hn::Mul(x, x))));
          return hn::Mul(g, hn::MulAdd(x, density, normal_cdf(d, x)));)
SC_VECTOR(gelu_tanh_bwd, const V one = constant(d, 1), half = constant(d, 0.5), squared = hn::Mul(x, x);
          const V t = vtanh(d, gelu_inner(d, x, squared));
          const V slope = hn::Mul(constant(d, fn::kSqrt2OverPi),
                                  hn::MulAdd(constant(d, 3 * fn::kGeluCubic), squared, one));
          const V inner = hn::Mul(hn::Mul(hn::Mul(half, x), hn::NegMulAdd(t, t, one)), slope);
          return hn::Mul(g, hn::Add(hn::MulAdd(half, t, half), inner));)
SC_VECTOR(silu_bwd, const V one = constant(d, 1), s = vsigmoid(d, x);
          return hn::Mul(g, hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one)));)
SC_VECTOR(softplus_bwd, const V z = hn::Mul(x, hn::Set(d, p[0])); const V threshold = hn::Set(d, p[1]);
          return hn::IfThenElse(hn::Gt(z, threshold), g, hn::Mul(g, vsigmoid(d, z)));)
SC_VECTOR(elu_bwd,
          const V below = hn::Mul(hn::Set(d, p[0] * p[1] * p[2]), vexp(d, hn::Mul(x, hn::Set(d, p[2]))));
          return hn::Mul(g, hn::IfThenElse(hn::Le(x, hn::Zero(d)), below, hn::Set(d, p[1])));)
#undef SC_VECTOR

Row simd_unary(int32_t op) {
  switch (op) {
    case SC_FLOOR:
      return row1<floor_>;
    case SC_CEIL:
      return row1<ceil_>;
    case SC_TRUNC:
      return row1<trunc_>;
    case SC_SQRT:
      return row1<sqrt_>;
    case SC_EXP:
      return row1<exp_>;
    case SC_EXP2:
      return row1<exp2_>;
    case SC_EXPM1:
      return row1<expm1_>;
    case SC_LOG:
      return row1<log_>;
    case SC_LOG2:
      return row1<log2_>;
    case SC_LOG10:
      return row1<log10_>;
    case SC_LOG1P:
      return row1<log1p_>;
    case SC_SIN:
      return row1<sin_>;
    case SC_COS:
      return row1<cos_>;
    case SC_TANH:
      return row1<tanh_>;
    case SC_ERF:
      return row1<erf_>;
    case SC_SIGMOID:
      return row1<sigmoid_>;
    case SC_SILU:
      return row1<silu_>;
    case SC_GELU:
      return row1<gelu_>;
    case SC_GELU_TANH:
      return row1<gelu_tanh_>;
    case SC_SOFTPLUS:
      return row1<softplus_>;
    case SC_ELU:
      return row1<elu_>;
    case SC_LOGSIGMOID:
      return row1<logsigmoid_>;
    case SC_MISH:
      return row1<mish_>;
    default:
      return nullptr;
  }
}
Row simd_binary(int32_t op) {
  switch (op) {
    case SC_GELU_BWD:
      return row2<gelu_bwd>;
    case SC_GELU_TANH_BWD:
      return row2<gelu_tanh_bwd>;
    case SC_SILU_BWD:
      return row2<silu_bwd>;
    case SC_SOFTPLUS_BWD:
      return row2<softplus_bwd>;
    case SC_ELU_BWD:
      return row2<elu_bwd>;
    default:
      return nullptr;
  }
}

}  // namespace sconce::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce::cpu {
HWY_EXPORT(simd_unary);
HWY_EXPORT(simd_binary);
Row simd_unary_row(int32_t op) { return HWY_DYNAMIC_DISPATCH(simd_unary)(op); }
Row simd_binary_row(int32_t op) { return HWY_DYNAMIC_DISPATCH(simd_binary)(op); }
}  // namespace sconce::cpu
#endif
