// Vector mathematics for float, by Highway: one to three units in the last place, with the library's results
// at infinities, zeros and NaN. Included once per vector target, inside foreach_target (hence the toggled
// guard).
//
// Polynomials are minimax fits of our own; the logarithms and sines are Highway's, completed at the edges of
// their range.
#if defined(SCONCE_CPU_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SCONCE_CPU_SIMD_MATH_INL_H_
#undef SCONCE_CPU_SIMD_MATH_INL_H_
#else
#define SCONCE_CPU_SIMD_MATH_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace sconce::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// c[0] + c[1] x + ... by Horner's rule, highest coefficient last.
template <class D, class V, int n>
HWY_INLINE V polynomial(D d, V x, const float (&c)[n]) {
  V y = hn::Set(d, c[n - 1]);
  for (int i = n - 2; i >= 0; --i) y = hn::MulAdd(y, x, hn::Set(d, c[i]));
  return y;
}

// `y` where x is a number, else x itself.
template <class V>
HWY_INLINE V keep_nan(V x, V y) {
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// 2^n for whole n in [-127, 127].
template <class D, class VI>
HWY_INLINE HWY_MAYBE_UNUSED auto power_of_two(D d, VI n) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
}

// 2^n e^r for whole n in [-152, 129] and |r| <= ln(2) / 2.
template <class D, class V>
HWY_INLINE V exp_scaled(D d, V n, V r) {
  // e^r = 1 + r + r^2 q(r)
  static constexpr float c[] = {
      0.5F, 0.166666671633720F, 0.0416664853692F, 0.00833336077630F, 0.00139304355252F, 0.000198527617609F};
  const V y = hn::Add(hn::MulAdd(hn::Mul(r, r), polynomial(d, r, c), r), hn::Set(d, 1.0F));
#if HWY_TARGET <= HWY_AVX3
  return V{_mm512_scalef_ps(y.raw, n.raw)};
#else
  // Scaled in two steps, so that results below the normal range and infinity come out.
  const hn::RebindToSigned<D> di;
  const auto whole = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(whole);
  return hn::Mul(hn::Mul(y, power_of_two(d, half)), power_of_two(d, hn::Sub(whole, half)));
#endif
}

// e^x for x in [-105, 89.5].
template <class D, class V>
HWY_INLINE V exp_in_range(D d, V x) {
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504F)));
  const V r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125F), x);  // ln 2 in two parts
  return exp_scaled(d, n, hn::NegMulAdd(n, hn::Set(d, 1.428606765330187e-6F), r));
}
// e^x and 2^x, wrong for NaN only.
template <class D, class V>
HWY_INLINE V exp_number(D d, V x) {
  return exp_in_range(d, hn::Min(hn::Max(x, hn::Set(d, -105.0F)), hn::Set(d, 89.5F)));
}
template <class D, class V>
HWY_INLINE V exp2_number(D d, V x) {
  x = hn::Min(hn::Max(x, hn::Set(d, -152.0F)), hn::Set(d, 129.0F));
  const V n = hn::Round(x);
  return exp_scaled(d, n, hn::Mul(hn::Sub(x, n), hn::Set(d, 0.693147181F)));
}

// Of double too, by Highway's own, which gives 0 for NaN.
template <class D, class V>
HWY_INLINE V vexp(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4)
    return keep_nan(x, exp_number(d, x));
  else
    return keep_nan(x, hn::Exp(d, x));
}

template <class D, class V>
HWY_INLINE V vexpm1(D d, V x) {
  // Near 0 a polynomial; elsewhere the subtraction loses nothing that matters.
  static constexpr float c[] = {0.5F,          0.16666667F,    0.041666666F, 0.0083333333F,
                                0.0013888889F, 0.00019841270F, 2.4801587e-5F};
  const V near = hn::MulAdd(hn::Mul(x, x), polynomial(d, x, c), x);
  const V far = hn::Sub(exp_number(d, x), hn::Set(d, 1.0F));
  return keep_nan(x, hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.5F)), near, far));
}

// What Highway's logarithms leave out: 0, negative numbers, infinity, NaN.
template <class D, class V>
HWY_INLINE V log_edges(D d, V x, V y) {
  const V infinity = hn::Set(d, INFINITY);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
  y = hn::IfThenElse(hn::Eq(x, infinity), infinity, y);
  return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), y, hn::Set(d, NAN));
}
template <class D, class V>
HWY_INLINE V vlog(D d, V x) {
  return log_edges(d, x, hn::Log(d, x));
}
template <class D, class V>
HWY_INLINE V vlog2(D d, V x) {
  return log_edges(d, x, hn::Log2(d, x));
}
template <class D, class V>
HWY_INLINE V vlog10(D d, V x) {
  return log_edges(d, x, hn::Log10(d, x));
}
template <class D, class V>
HWY_INLINE V vlog1p(D d, V x) {
  const V one = hn::Set(d, 1.0F), y = log_edges(d, hn::Add(x, one), hn::Log1p(d, x));
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);
}
// log(1 + e) for e = exp(something) >= 0; finite e or NaN.
template <class D, class V>
HWY_INLINE V log1p_positive(D d, V e) {
  return keep_nan(e, hn::IfThenElse(hn::Eq(e, hn::Zero(d)), e, hn::Log1p(d, e)));
}

template <class D, class V>
HWY_INLINE V vsigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  return hn::Div(one, hn::Add(one, vexp(d, hn::Neg(x))));
}

// 1 / x for x in [1, 2^100], where a division costs more than a guess and one Newton step.
template <class D, class V>
HWY_INLINE V reciprocal(D d, V x) {
#if HWY_TARGET <= HWY_AVX2
  const V y = hn::ApproximateReciprocal(x);
  return hn::MulAdd(y, hn::NegMulAdd(x, y, hn::Set(d, 1.0F)), y);
#else
  return hn::Div(hn::Set(d, 1.0F), x);
#endif
}

template <class D, class V>
HWY_INLINE V vtanh(D d, V x) {
  const V a = hn::Abs(x), one = hn::Set(d, 1.0F), two = hn::Set(d, 2.0F), s = hn::Mul(x, x);
  static constexpr float c[] = {-0.333333283662796F, 0.1333262175321579F, -0.053828127682209F,
                                0.020889826118946F, -0.005942961201F};
  const V near = hn::MulAdd(hn::Mul(s, x), polynomial(d, s, c), x);
  const V far = hn::NegMulAdd(
      two, reciprocal(d, hn::Add(exp_number(d, hn::Min(hn::Add(a, a), hn::Set(d, 40.0F))), one)), one);
  return keep_nan(x, hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.65F)), near, hn::CopySign(far, x)));
}

// erfc(t) for t >= 1: the exponential of a polynomial; 0 from 6.5 on, where it is below 4e-20.
template <class D, class V>
HWY_INLINE V erfc_tail(D d, V t) {
  static constexpr float c[] = {0.0004941227962262928F,  -1.131055474281311F,     -0.6301562786102295F,
                                -0.11199531704187393F,   0.027790648862719536F,   -0.005395103711634874F,
                                0.0007894795271568F,     -8.334548329003155e-05F, 5.951143066340592e-06F,
                                -2.559130223289685e-07F, 4.983914170253456e-09F};
  const V limit = hn::Set(d, 6.5F);
  return hn::IfThenElseZero(hn::Lt(t, limit), exp_number(d, polynomial(d, hn::Min(t, limit), c)));
}
// erf(x) / x for |x| <= 1, given x^2.
template <class D, class V>
HWY_INLINE V erf_over_x(D d, V s) {
  static constexpr float c[] = {1.1283791065216064F,    -0.3761262595653534F,  0.11283600330352783F,
                                -0.026854444295167923F, 0.005189535208046436F, -0.0008020841050893068F,
                                7.889119297033176e-05F};
  return polynomial(d, s, c);
}
template <class D, class V>
HWY_INLINE V verf(D d, V x) {
  const V a = hn::Abs(x), one = hn::Set(d, 1.0F);
  const V near = hn::Mul(x, erf_over_x(d, hn::Mul(x, x)));
  const V far = hn::CopySign(hn::Sub(one, erfc_tail(d, a)), x);
  return keep_nan(x, hn::IfThenElse(hn::Lt(a, one), near, far));
}
// The normal distribution's cumulative function, accurate in the lower tail too: erfc(t) = exp(q(t)) for all
// t >= 0, so one polynomial does. NaN is left to the caller, who multiplies by x.
template <class D, class V>
HWY_INLINE V normal_cdf(D d, V x) {
  static constexpr float c[] = {-1.1283825635910034F,    -0.6365758180618286F,     -0.10296526551246643F,
                                0.019531074911355972F,   -0.00023451766173820943F, -0.001464810804463923F,
                                0.0006099814781919122F,  -0.00014314976579044014F, 2.1641852072207257e-05F,
                                -2.084086645481875e-06F, 1.1651071218921061e-07F,  -2.8797686457693317e-09F};
  const V t = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678F)), limit = hn::Set(d, 6.5F), one = hn::Set(d, 1.0F);
  const V at = hn::Min(t, limit);
  const V tail = hn::Mul(hn::Set(d, 0.5F), exp_in_range(d, hn::Mul(at, polynomial(d, at, c))));
  const V low = hn::IfThenElseZero(hn::Lt(t, limit), tail);  // below 4e-20 from there on
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), low, hn::Sub(one, low));
}

}  // namespace sconce::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
