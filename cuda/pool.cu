// Pooling. Gradients are gathered: each input element looks at the windows that cover it, so nothing is added
// twice at once.
#include "kernels.cuh"
#include "planes.cuh"

namespace sconce {
namespace cuda {
namespace {

template <class C>
struct MaxForward {
  ScPool p;
  Wide<C> x, y;
  explicit MaxForward(const ScPool& a) : p(a), x(a.x, a.dtype), y(a.y, a.dtype) {}
  int64_t results() const { return p.batch * p.channels * p.out[0] * p.out[1]; }
  SC_HD void operator()(int64_t i) const {
    const Place o = place_of(i, p.channels, p.out[0], p.out[1], p.y_strides[1] == 1);
    C best = C(0);
    int64_t where = -1;
    for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
      const int64_t h = o.h * p.stride[0] - p.padding[0] + kh * p.dilation[0];
      if (h < 0 || h >= p.in[0]) continue;
      for (int64_t kw = 0; kw < p.kernel[1]; ++kw) {
        const int64_t w = o.w * p.stride[1] - p.padding[1] + kw * p.dilation[1];
        if (w < 0 || w >= p.in[1]) continue;
        const C v = x.load(offset_of(p.x_strides, o.n, o.c, h, w));
        if (where < 0 || v > best || fn::is_nan(v)) {
          best = v;
          where = h * p.in[1] + w;
        }
      }
    }
    const int64_t at = offset_of(p.y_strides, o.n, o.c, o.h, o.w);
    y.store(at, best);
    p.indices[at] = where;
  }
};

template <class C>
struct MaxBackward {
  ScPool p;
  Wide<C> x, y;
  explicit MaxBackward(const ScPool& a) : p(a), x(a.x, a.dtype), y(a.y, a.dtype) {}
  int64_t results() const { return p.batch * p.channels * p.in[0] * p.in[1]; }
  SC_HD void operator()(int64_t i) const {
    const Place e = place_of(i, p.channels, p.in[0], p.in[1], p.x_strides[1] == 1);
    const int64_t me = e.h * p.in[1] + e.w;
    C sum = C(0);
    for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
      const int64_t oh = source_of(e.h, kh, p.stride[0], p.dilation[0], p.padding[0], p.out[0]);
      if (oh < 0) continue;
      for (int64_t kw = 0; kw < p.kernel[1]; ++kw) {
        const int64_t ow = source_of(e.w, kw, p.stride[1], p.dilation[1], p.padding[1], p.out[1]);
        if (ow < 0) continue;
        const int64_t at = offset_of(p.y_strides, e.n, e.c, oh, ow);
        if (p.indices[at] == me) sum += y.load(at);
      }
    }
    x.store(offset_of(p.x_strides, e.n, e.c, e.h, e.w), sum);
  }
};

// The inputs from `from` up to `to` that the average at `o` covers, along one dimension; `padded` counts
// padding too.
struct Span {
  int64_t from, to, padded;
};
SC_HD Span span_of(const ScPool& p, int d, int64_t o) {
  if (p.adaptive) {
    const int64_t from = o * p.in[d] / p.out[d], to = ((o + 1) * p.in[d] + p.out[d] - 1) / p.out[d];
    return {from, to, to - from};
  }
  int64_t from = o * p.stride[d] - p.padding[d], to = from + p.kernel[d];
  if (to > p.in[d] + p.padding[d]) to = p.in[d] + p.padding[d];
  const int64_t padded = to - from;
  if (from < 0) from = 0;
  if (to > p.in[d]) to = p.in[d];
  return {from, to, padded};
}
SC_HD int64_t divisor_of(const ScPool& p, const Span& h, const Span& w) {
  if (p.adaptive || (!p.divisor && !p.count_include_pad)) return (h.to - h.from) * (w.to - w.from);
  return p.divisor ? p.divisor : h.padded * w.padded;
}

template <class C>
struct AverageForward {
  ScPool p;
  Wide<C> x, y;
  explicit AverageForward(const ScPool& a) : p(a), x(a.x, a.dtype), y(a.y, a.dtype) {}
  int64_t results() const { return p.batch * p.channels * p.out[0] * p.out[1]; }
  SC_HD void operator()(int64_t i) const {
    const Place o = place_of(i, p.channels, p.out[0], p.out[1], p.y_strides[1] == 1);
    const Span h = span_of(p, 0, o.h), w = span_of(p, 1, o.w);
    C sum = C(0);
    for (int64_t a = h.from; a < h.to; ++a)
      for (int64_t b = w.from; b < w.to; ++b) sum += x.load(offset_of(p.x_strides, o.n, o.c, a, b));
    const bool any = h.from < h.to && w.from < w.to;
    y.store(offset_of(p.y_strides, o.n, o.c, o.h, o.w),
            any ? sum / static_cast<C>(divisor_of(p, h, w)) : C(0));
  }
};

// The first and last window that may cover input `at`.
SC_HD void windows_of(const ScPool& p, int d, int64_t at, int64_t* first, int64_t* last) {
  if (p.adaptive) {
    *first = at * p.out[d] / p.in[d];
    *last = ((at + 1) * p.out[d] + p.in[d] - 1) / p.in[d] - 1;
  } else {
    const int64_t t = at + p.padding[d];
    *first = t < p.kernel[d] ? 0 : (t - p.kernel[d]) / p.stride[d] + 1;
    *last = t / p.stride[d];
  }
  if (*last >= p.out[d]) *last = p.out[d] - 1;
}

template <class C>
struct AverageBackward {
  ScPool p;
  Wide<C> x, y;
  explicit AverageBackward(const ScPool& a) : p(a), x(a.x, a.dtype), y(a.y, a.dtype) {}
  int64_t results() const { return p.batch * p.channels * p.in[0] * p.in[1]; }
  SC_HD void operator()(int64_t i) const {
    const Place e = place_of(i, p.channels, p.in[0], p.in[1], p.x_strides[1] == 1);
    int64_t h_first, h_last, w_first, w_last;
    windows_of(p, 0, e.h, &h_first, &h_last);
    windows_of(p, 1, e.w, &w_first, &w_last);
    C sum = C(0);
    for (int64_t oh = h_first; oh <= h_last; ++oh) {
      const Span h = span_of(p, 0, oh);
      if (e.h < h.from || e.h >= h.to) continue;
      for (int64_t ow = w_first; ow <= w_last; ++ow) {
        const Span w = span_of(p, 1, ow);
        if (e.w < w.from || e.w >= w.to) continue;
        sum += y.load(offset_of(p.y_strides, e.n, e.c, oh, ow)) / static_cast<C>(divisor_of(p, h, w));
      }
    }
    x.store(offset_of(p.x_strides, e.n, e.c, e.h, e.w), sum);
  }
};

template <template <class> class Kernel>
int32_t run(const ScPool* a) {
  return for_wide(a->dtype, [&](auto tag) {
    const Kernel<typename decltype(tag)::type> kernel(*a);
    return launch(kernel.results(), kernel);
  });
}
int32_t max_forward(const ScPool* a) { return run<MaxForward>(a); }
int32_t max_backward(const ScPool* a) { return run<MaxBackward>(a); }
int32_t average_forward(const ScPool* a) { return run<AverageForward>(a); }
int32_t average_backward(const ScPool* a) { return run<AverageBackward>(a); }

}  // namespace

ScPoolKernels pool_kernels() {
  ScPoolKernels k{};
  k.max_forward = max_forward;
  k.max_backward = max_backward;
  k.average_forward = average_forward;
  k.average_backward = average_backward;
  return k;
}

}  // namespace cuda
}  // namespace sconce
