// The first layer of an image network reads one to four channels: too few to fill a vector or to pay for a
// change of layout. Here a vector runs along a row instead, and a block of output channels shares each load
// of the image.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "csrc/cpu/conv_rows.cc"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway wants it.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "conv_rows.h"
#include "core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// One image with its zero padding, and room to read past a row's end by two vectors.
class Padded {
 public:
  explicit Padded(const ScConv& c)
      : c_(c),
        height_(c.out[0] + c.kernel[0] - 1),
        width_(c.out[1] + c.kernel[1] - 1 + 2 * static_cast<int64_t>(hn::Lanes(D()))),
        data_(static_cast<size_t>(c.in_channels * height_ * width_)) {}
  void load(int64_t n) {
    for (int64_t ic = 0; ic < c_.in_channels; ++ic) {
      const float* from = static_cast<const float*>(c_.x) + n * c_.x_strides[0] + ic * c_.x_strides[1];
      const int64_t rows = std::min(c_.in[0], height_ - c_.padding[0]);
      const int64_t columns = std::min(c_.in[1], width_ - c_.padding[1]);
      for (int64_t h = 0; h < rows; ++h)
        std::memcpy(row(ic, h + c_.padding[0]) + c_.padding[1], from + h * c_.x_strides[2],
                    static_cast<size_t>(columns) * sizeof(float));
    }
  }
  float* row(int64_t ic, int64_t h) { return data_.data() + (ic * height_ + h) * width_; }

 private:
  const ScConv& c_;
  int64_t height_, width_;
  std::vector<float> data_;
};

// Two vectors of outputs for O channels from `first` on. weights: [in, kh, kw, O].
template <int O>
HWY_INLINE void forward_strip(const ScConv& c, Padded& image, const float* weights, int64_t n, int64_t first,
                              int64_t oh, int64_t ow) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V a[O], b[O];
  for (int o = 0; o < O; ++o)
    a[o] = b[o] = hn::Set(d, c.bias ? static_cast<const float*>(c.bias)[first + o] : 0.0f);
  for (int64_t ic = 0; ic < c.in_channels; ++ic)
    for (int64_t kh = 0; kh < c.kernel[0]; ++kh) {
      const float* x = image.row(ic, oh + kh) + ow;
      for (int64_t kw = 0; kw < c.kernel[1]; ++kw, ++x, weights += O) {
        const V u = hn::LoadU(d, x), v = hn::LoadU(d, x + lanes);
        for (int o = 0; o < O; ++o) {
          const V w = hn::Set(d, weights[o]);
          a[o] = hn::MulAdd(w, u, a[o]);
          b[o] = hn::MulAdd(w, v, b[o]);
        }
      }
    }
  const int64_t left = c.out[1] - ow;
  float* y =
      static_cast<float*>(c.y) + n * c.y_strides[0] + first * c.y_strides[1] + oh * c.y_strides[2] + ow;
  for (int o = 0; o < O; ++o, y += c.y_strides[1]) {
    if (left >= 2 * lanes) {
      hn::StoreU(a[o], d, y);
      hn::StoreU(b[o], d, y + lanes);
    } else {
      hn::BlendedStore(a[o], hn::FirstN(d, static_cast<size_t>(std::min(left, lanes))), d, y);
      if (left > lanes)
        hn::BlendedStore(b[o], hn::FirstN(d, static_cast<size_t>(left - lanes)), d, y + lanes);
    }
  }
}

template <int O>
void forward_block(const ScConv& c, Padded& image, const float* weights, int64_t n, int64_t first) {
  const auto step = 2 * static_cast<int64_t>(hn::Lanes(D()));
  for (int64_t oh = 0; oh < c.out[0]; ++oh)
    for (int64_t ow = 0; ow < c.out[1]; ow += step) forward_strip<O>(c, image, weights, n, first, oh, ow);
}

constexpr int64_t kBlock = 6;  // output channels: 12 sums, two loads and a weight fit 16 registers

void conv_forward(const ScConv& c) {
  const int64_t oc = c.out_channels, taps = c.in_channels * c.kernel[0] * c.kernel[1];
  // [out, in, kh, kw] -> [block, in, kh, kw, channel of the block]
  std::vector<float> weights(static_cast<size_t>(oc * taps));
  for (int64_t o = 0; o < oc; ++o) {
    const int64_t first = o / kBlock * kBlock, block = std::min(kBlock, oc - first);
    for (int64_t t = 0; t < taps; ++t)
      weights[static_cast<size_t>(first * taps + t * block + o - first)] =
          static_cast<const float*>(c.w)[o * taps + t];
  }
  const int64_t work = oc * taps * c.out[0] * c.out[1];
  parallel_for(0, c.batch, std::max<int64_t>(1, 200000 / std::max<int64_t>(1, work)),
               [&](int64_t from, int64_t to) {
                 Padded image(c);
                 for (int64_t n = from; n < to; ++n) {
                   image.load(n);
                   for (int64_t first = 0; first < oc; first += kBlock) {
                     const float* w = weights.data() + first * taps;
                     switch (std::min(kBlock, oc - first)) {
                       case 6:
                         forward_block<6>(c, image, w, n, first);
                         break;
                       case 5:
                         forward_block<5>(c, image, w, n, first);
                         break;
                       case 4:
                         forward_block<4>(c, image, w, n, first);
                         break;
                       case 3:
                         forward_block<3>(c, image, w, n, first);
                         break;
                       case 2:
                         forward_block<2>(c, image, w, n, first);
                         break;
                       default:
                         forward_block<1>(c, image, w, n, first);
                     }
                   }
                 }
               });
}

// ---- the weights' gradient: for each tap, the inner product of dy with the image shifted by the tap ----
constexpr int kPair =
    HWY_MAX_BYTES >= 64 ? 4 : 2;  // output channels at a time, so that K * kPair sums fit the registers

// Adds one image's share to sums, [out, in, kh, kw, lanes]; K: the kernel's width.
template <int K, int O>
HWY_INLINE void weights_block(const ScConv& c, Padded& image, int64_t n, int64_t first, float* sums) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float* dy = static_cast<const float*>(c.y) + n * c.y_strides[0] + first * c.y_strides[1];
  const int64_t taps = c.in_channels * c.kernel[0] * K, whole = c.out[1] / lanes * lanes;
  const auto rest = hn::FirstN(d, static_cast<size_t>(c.out[1] - whole));
  for (int64_t ic = 0; ic < c.in_channels; ++ic)
    for (int64_t kh = 0; kh < c.kernel[0]; ++kh) {
      float* at = sums + (first * taps + (ic * c.kernel[0] + kh) * K) * lanes;
      V acc[O][K];
      for (int o = 0; o < O; ++o)
        for (int k = 0; k < K; ++k) acc[o][k] = hn::LoadU(d, at + (o * taps + k) * lanes);
      for (int64_t oh = 0; oh < c.out[0]; ++oh) {
        const float* x = image.row(ic, oh + kh);
        const float* g = dy + oh * c.y_strides[2];
        const auto tap = [&](int64_t ow, const V(&gs)[O]) HWY_ATTR {
          for (int k = 0; k < K; ++k) {
            const V v = hn::LoadU(d, x + ow + k);
            for (int o = 0; o < O; ++o) acc[o][k] = hn::MulAdd(gs[o], v, acc[o][k]);
          }
        };
        V gs[O];
        for (int64_t ow = 0; ow < whole; ow += lanes) {
          for (int o = 0; o < O; ++o) gs[o] = hn::LoadU(d, g + o * c.y_strides[1] + ow);
          tap(ow, gs);
        }
        if (whole < c.out[1]) {
          for (int o = 0; o < O; ++o) gs[o] = hn::MaskedLoad(rest, d, g + o * c.y_strides[1] + whole);
          tap(whole, gs);
        }
      }
      for (int o = 0; o < O; ++o)
        for (int k = 0; k < K; ++k) hn::StoreU(acc[o][k], d, at + (o * taps + k) * lanes);
    }
}

float sum_of(const float* p, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V s = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) s = hn::Add(s, hn::LoadU(d, p + i));
  float sum = hn::GetLane(hn::SumOfLanes(d, s));
  for (; i < n; ++i) sum += p[i];
  return sum;
}

template <int K>
void weights_of_width(const ScConv& c) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  const int64_t oc = c.out_channels, taps = c.in_channels * c.kernel[0] * K;
  // As many parts for every number of threads: the sums come out the same.
  const int64_t sums = oc * taps * lanes, size = sums + oc;
  constexpr int64_t kRoom = 4 << 20;  // floats for all parts' sums
  const int64_t wanted = std::min(std::min<int64_t>(c.batch, 16), std::max<int64_t>(1, kRoom / size));
  const int64_t images = (c.batch + wanted - 1) / wanted, parts = (c.batch + images - 1) / images;
  std::vector<float> partial(static_cast<size_t>(parts * size));
  parallel_for(0, parts, 1, [&](int64_t from, int64_t to) {
    Padded image(c);
    for (int64_t part = from; part < to; ++part) {
      float* mine = partial.data() + part * size;
      for (int64_t n = part * images; n < std::min(c.batch, (part + 1) * images); ++n) {
        image.load(n);
        int64_t o = 0;
        for (; o + kPair <= oc; o += kPair) weights_block<K, kPair>(c, image, n, o, mine);
        for (; o < oc; ++o) weights_block<K, 1>(c, image, n, o, mine);
        if (c.bias)
          for (o = 0; o < oc; ++o)
            mine[sums + o] += sum_of(static_cast<const float*>(c.y) + n * c.y_strides[0] + o * c.y_strides[1],
                                     c.out[0] * c.out[1]);
      }
    }
  });
  for (int64_t i = 0; i < oc * taps; ++i) {
    V s = hn::Zero(D());
    for (int64_t part = 0; part < parts; ++part)
      s = hn::Add(s, hn::LoadU(D(), partial.data() + part * size + i * lanes));
    static_cast<float*>(c.w)[i] = hn::GetLane(hn::SumOfLanes(D(), s));
  }
  if (!c.bias) return;
  for (int64_t o = 0; o < oc; ++o) {
    float s = 0;
    for (int64_t part = 0; part < parts; ++part) s += partial[static_cast<size_t>(part * size + sums + o)];
    static_cast<float*>(c.bias)[o] = s;
  }
}

int32_t conv_backward_weights(const ScConv& c) {
  switch (c.kernel[1]) {
    case 3:
      weights_of_width<3>(c);
      return SC_OK;
    case 5:
      weights_of_width<5>(c);
      return SC_OK;
    case 7:
      if (HWY_MAX_BYTES < 64) return SC_UNSUPPORTED;
      weights_of_width<7>(c);
      return SC_OK;
    default:
      return SC_UNSUPPORTED;
  }
}
}  // namespace HWY_NAMESPACE
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
HWY_EXPORT(conv_forward);
HWY_EXPORT(conv_backward_weights);
namespace {
bool serves(const ScConv& c) {
  const auto rows = [](const int64_t* strides, const int64_t* size) {
    return strides[3] == 1 && strides[2] == size[1];
  };
  const int64_t inner = c.kernel[0] * c.kernel[1];
  return c.dtype == SC_FLOAT32 && c.groups == 1 && c.in_channels <= 4 && c.stride[0] == 1 &&
         c.stride[1] == 1 && c.dilation[0] == 1 && c.dilation[1] == 1 && c.out[1] >= 8 && c.in[0] > 0 &&
         c.in[1] > 0 && rows(c.x_strides, c.in) && rows(c.y_strides, c.out) && c.w_strides[3] == 1 &&
         c.w_strides[2] == c.kernel[1] && c.w_strides[1] == inner && c.w_strides[0] == c.in_channels * inner;
}
}  // namespace

int32_t conv_rows_forward(const ScConv& c) {
  if (!serves(c)) return SC_UNSUPPORTED;
  HWY_DYNAMIC_DISPATCH(conv_forward)(c);
  return SC_OK;
}
int32_t conv_rows_backward_weights(const ScConv& c) {
  return serves(c) ? HWY_DYNAMIC_DISPATCH(conv_backward_weights)(c) : SC_UNSUPPORTED;
}
}  // namespace sconce
#endif
