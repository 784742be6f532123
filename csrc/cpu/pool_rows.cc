#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "csrc/cpu/pool_rows.cc"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway wants it.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "pool_rows.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<D>;

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// One input row, padded with -inf on both sides and split by the stride: the columns that a tap of the window
// meets at neighbouring outputs become neighbours, so each tap is a plain vector load.
class SplitRow {
 public:
  SplitRow(const ScPool& p, int64_t outputs)
      : stride_(p.stride[1]),
        padding_(p.padding[1]),
        length_(round_up((p.kernel[1] - 1) * p.dilation[1] / stride_ + 1 + outputs + 2, 16)),
        phases_(static_cast<size_t>(stride_ * length_), -std::numeric_limits<float>::infinity()) {
    for (int64_t k = 0; k < p.kernel[1]; ++k) taps_.push_back(column(k * p.dilation[1]));
  }

  void load(const float* row, int64_t n) {
    // What no window reaches is left out.
    n = std::min(n, length_ * stride_ - padding_);
    if (stride_ == 1) {
      std::memcpy(column(padding_), row, static_cast<size_t>(n) * sizeof(float));
    } else if (stride_ == 2) {
      float *even = column(padding_), *odd = column(padding_ + 1);
      int64_t i = split(hn::ScalableTag<float>(), row, 0, n, even, odd);
      i = split(hn::CappedTag<float, 4>(), row, i, n, even, odd);
      for (; i < n; ++i) {
        float* to = i % 2 ? odd : even;  // (a ? b : c)[i / 2] is what g++ 12 compiles wrongly under UBSan
        to[i / 2] = row[i];
      }
    } else {
      for (int64_t first = 0; first < stride_; ++first) {
        float* to = column(padding_ + first);
        for (int64_t i = first; i < n; i += stride_) *to++ = row[i];
      }
    }
  }
  // Of tap k, at output 0; those of the other outputs follow.
  const float* tap(int64_t k) const { return taps_[static_cast<size_t>(k)]; }

 private:
  // Where column i of the padded row is kept.
  float* column(int64_t i) { return phases_.data() + i % stride_ * length_ + i / stride_; }

  template <class Tag>
  static HWY_INLINE int64_t split(Tag d, const float* row, int64_t i, int64_t n, float* even, float* odd) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      hn::Vec<Tag> a, b;
      hn::LoadInterleaved2(d, row + i, a, b);
      hn::StoreU(a, d, even + i / 2);
      hn::StoreU(b, d, odd + i / 2);
    }
    return i;
  }

  int64_t stride_, padding_, length_;
  std::vector<float> phases_;
  std::vector<const float*> taps_;
};

#if HWY_TARGET == HWY_SCALAR
bool pairs(const ScPool&) { return false; }
int32_t max_pair_planes(const ScPool&) { return SC_UNSUPPORTED; }
#else
// The commonest pooling, windows of 2 x 2 side by side: everything stays in registers. The last vector of a
// row overlaps the one before it.
template <class Tag>
HWY_INLINE void max_pairs(Tag d, const ScPool& p, const float* x, float* y, int64_t* index) {
  const hn::RebindToSigned<Tag> di;
  const hn::Repartition<int64_t, Tag> wide;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto half = static_cast<int64_t>(hn::Lanes(wide));
  const auto one = hn::Set(di, 1);
  const auto better = [](auto v, auto b) HWY_ATTR { return hn::Or(hn::Gt(v, b), hn::IsNaN(v)); };
  for (int64_t oh = 0; oh < p.out[0]; ++oh) {
    const float* row = x + 2 * oh * p.in[1];
    for (int64_t i = 0; i < p.out[1]; i += lanes) {
      const int64_t at = std::min(i, p.out[1] - lanes);
      hn::Vec<Tag> a, b, e, f;
      hn::LoadInterleaved2(d, row + 2 * at, a, b);
      hn::LoadInterleaved2(d, row + p.in[1] + 2 * at, e, f);
      const auto first =
          hn::Add(hn::Iota(di, static_cast<int32_t>(2 * oh * p.in[1] + 2 * at)), hn::Iota(di, 0));
      const auto second = hn::Add(first, hn::Set(di, static_cast<int32_t>(p.in[1])));
      auto m = better(b, a);
      auto top = hn::IfThenElse(m, b, a);
      auto where = hn::IfThenElse(hn::RebindMask(di, m), hn::Add(first, one), first);
      m = better(e, top);
      top = hn::IfThenElse(m, e, top);
      where = hn::IfThenElse(hn::RebindMask(di, m), second, where);
      m = better(f, top);
      top = hn::IfThenElse(m, f, top);
      where = hn::IfThenElse(hn::RebindMask(di, m), hn::Add(second, one), where);
      hn::StoreU(top, d, y + oh * p.out[1] + at);
      int64_t* to = index + oh * p.out[1] + at;
      hn::StoreU(hn::PromoteTo(wide, hn::LowerHalf(where)), wide, to);
      hn::StoreU(hn::PromoteTo(wide, hn::UpperHalf(hn::Half<decltype(di)>(), where)), wide, to + half);
    }
  }
}

bool pairs(const ScPool& p) {
  const auto both = [](const int64_t* v, int64_t is) { return v[0] == is && v[1] == is; };
  return both(p.kernel, 2) && both(p.stride, 2) && both(p.padding, 0) && both(p.dilation, 1) &&
         p.out[1] >= 4 && 2 * p.out[0] <= p.in[0] && 2 * p.out[1] <= p.in[1];
}

int32_t max_pair_planes(const ScPool& p) {
  const D all;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 4> four;
  const int64_t grain = std::max<int64_t>(1, 8192 / (p.in[0] * p.in[1]));
  parallel_for(0, p.batch * p.channels, grain, [&](int64_t from, int64_t to) {
    for (int64_t plane = from; plane < to; ++plane) {
      const int64_t n = plane / p.channels, c = plane % p.channels;
      const float* x = static_cast<const float*>(p.x) + n * p.x_strides[0] + c * p.x_strides[1];
      const int64_t y0 = n * p.y_strides[0] + c * p.y_strides[1];
      float* y = static_cast<float*>(p.y) + y0;
      if (p.out[1] >= static_cast<int64_t>(hn::Lanes(all)))
        max_pairs(all, p, x, y, p.indices + y0);
      else if (p.out[1] >= static_cast<int64_t>(hn::Lanes(eight)))
        max_pairs(eight, p, x, y, p.indices + y0);
      else
        max_pairs(four, p, x, y, p.indices + y0);
    }
  });
  return SC_OK;
}
#endif

int32_t max_forward(const ScPool& p) {
  if (pairs(p)) return max_pair_planes(p);
  const int64_t width = p.out[1];
  const DI di;
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = round_up(width, lanes);
  const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, p.in[0] * p.in[1]));
  parallel_for(0, p.batch * p.channels, grain, [&](int64_t from, int64_t to) {
    SplitRow row(p, padded);
    std::vector<float> best(static_cast<size_t>(padded));
    std::vector<int32_t> where(static_cast<size_t>(padded)), first(static_cast<size_t>(padded));
    for (int64_t i = 0; i < width; ++i) {
      int64_t w = i * p.stride[1] - p.padding[1];
      while (w < 0) w += p.dilation[1];
      first[static_cast<size_t>(i)] = static_cast<int32_t>(w);
    }
    for (int64_t plane = from; plane < to; ++plane) {
      const int64_t n = plane / p.channels, c = plane % p.channels;
      const float* x = static_cast<const float*>(p.x) + n * p.x_strides[0] + c * p.x_strides[1];
      const int64_t y0 = n * p.y_strides[0] + c * p.y_strides[1];
      for (int64_t oh = 0; oh < p.out[0]; ++oh) {
        int64_t h = oh * p.stride[0] - p.padding[0];
        const int64_t end = std::min(p.in[0], h + (p.kernel[0] - 1) * p.dilation[0] + 1);
        while (h < 0) h += p.dilation[0];
        for (int64_t i = 0; i < padded; i += lanes) {
          hn::StoreU(hn::Set(d, -std::numeric_limits<float>::infinity()), d, best.data() + i);
          const auto f = hn::LoadU(di, first.data() + i);
          hn::StoreU(hn::Add(f, hn::Set(di, static_cast<int32_t>(h * p.in[1]))), di, where.data() + i);
        }
        for (; h < end; h += p.dilation[0]) {
          row.load(x + h * p.x_strides[2], p.in[1]);
          for (int64_t i = 0; i < padded; i += lanes) {
            auto b = hn::LoadU(d, best.data() + i);
            auto at = hn::LoadU(di, where.data() + i);
            // [i, i + lanes) * stride: the column that tap 0 meets
            const auto column = hn::Mul(hn::Iota(di, static_cast<int32_t>(i)),
                                        hn::Set(di, static_cast<int32_t>(p.stride[1])));
            for (int64_t k = 0; k < p.kernel[1]; ++k) {
              const int64_t offset = k * p.dilation[1];
              const auto v = hn::LoadU(d, row.tap(k) + i);
              const auto better = hn::Or(hn::Gt(v, b), hn::IsNaN(v));
              b = hn::IfThenElse(better, v, b);
              const auto here =
                  hn::Add(column, hn::Set(di, static_cast<int32_t>(h * p.in[1] - p.padding[1] + offset)));
              at = hn::IfThenElse(hn::RebindMask(di, better), here, at);
            }
            hn::StoreU(b, d, best.data() + i);
            hn::StoreU(at, di, where.data() + i);
          }
        }
        const int64_t to_y = y0 + oh * p.y_strides[2];
        std::memcpy(static_cast<float*>(p.y) + to_y, best.data(), static_cast<size_t>(width) * sizeof(float));
        for (int64_t i = 0; i < width; ++i) p.indices[to_y + i] = where[static_cast<size_t>(i)];
      }
    }
  });
  return SC_OK;
}
}  // namespace HWY_NAMESPACE
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
HWY_EXPORT(max_forward);

bool max_rows_serves(const ScPool& p) {
  const int64_t limit = std::numeric_limits<int32_t>::max() / 2;
  return p.dtype == SC_FLOAT32 && p.x_strides[3] == 1 && p.x_strides[2] == p.in[1] && p.y_strides[3] == 1 &&
         p.y_strides[2] == p.out[1] && p.in[0] * p.in[1] < limit && p.out[1] > 0 && p.kernel[1] <= 64 &&
         p.stride[1] <= 64;
}

int32_t max_rows_forward(const ScPool& p) { return HWY_DYNAMIC_DISPATCH(max_forward)(p); }

void max_rows_backward(const ScPool& p) {
  const int64_t in = p.in[0] * p.in[1], out = p.out[0] * p.out[1];
  parallel_for(0, p.batch * p.channels, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, in)),
               [&](int64_t from, int64_t to) {
                 for (int64_t plane = from; plane < to; ++plane) {
                   const int64_t n = plane / p.channels, c = plane % p.channels;
                   float* x = static_cast<float*>(p.x) + n * p.x_strides[0] + c * p.x_strides[1];
                   const int64_t y0 = n * p.y_strides[0] + c * p.y_strides[1];
                   const float* y = static_cast<const float*>(p.y) + y0;
                   const int64_t* index = p.indices + y0;
                   std::memset(x, 0, static_cast<size_t>(in) * sizeof(float));
                   for (int64_t i = 0; i < out; ++i) x[index[i]] += y[i];
                 }
               });
}
}  // namespace sconce
#endif
