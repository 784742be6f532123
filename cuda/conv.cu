// Convolution. With one group: windows unrolled into columns, then matrix products. With several: a thread
// per result.
#include "block.cuh"
#include "kernels.cuh"
#include "matmul.cuh"
#include "planes.cuh"

namespace sconce {
namespace cuda {
namespace {

// ---- one thread per result: any number of groups ----

template <class C>
struct DirectForward {
  ScConv a;
  Wide<C> x, w, y, bias;
  explicit DirectForward(const ScConv& c)
      : a(c), x(c.x, c.dtype), w(c.w, c.dtype), y(c.y, c.dtype), bias(c.bias, c.dtype) {}
  int64_t results() const { return a.batch * a.out_channels * a.out[0] * a.out[1]; }
  SC_HD void operator()(int64_t i) const {
    const Place p = place_of(i, a.out_channels, a.out[0], a.out[1], a.y_strides[1] == 1);
    const int64_t per_group = a.in_channels / a.groups, group = p.c / (a.out_channels / a.groups);
    C sum = a.bias ? bias.load(p.c) : C(0);
    for (int64_t ic = 0; ic < per_group; ++ic) {
      for (int64_t kh = 0; kh < a.kernel[0]; ++kh) {
        const int64_t ih = p.h * a.stride[0] + kh * a.dilation[0] - a.padding[0];
        if (ih < 0 || ih >= a.in[0]) continue;
        for (int64_t kw = 0; kw < a.kernel[1]; ++kw) {
          const int64_t iw = p.w * a.stride[1] + kw * a.dilation[1] - a.padding[1];
          if (iw < 0 || iw >= a.in[1]) continue;
          sum += x.load(offset_of(a.x_strides, p.n, group * per_group + ic, ih, iw)) *
                 w.load(offset_of(a.w_strides, p.c, ic, kh, kw));
        }
      }
    }
    y.store(offset_of(a.y_strides, p.n, p.c, p.h, p.w), sum);
  }
};

template <class C>
struct DirectBackwardData {
  ScConv a;
  Wide<C> x, w, y;
  explicit DirectBackwardData(const ScConv& c) : a(c), x(c.x, c.dtype), w(c.w, c.dtype), y(c.y, c.dtype) {}
  int64_t results() const { return a.batch * a.in_channels * a.in[0] * a.in[1]; }
  SC_HD void operator()(int64_t i) const {
    const Place p = place_of(i, a.in_channels, a.in[0], a.in[1], a.x_strides[1] == 1);
    const int64_t in_group = a.in_channels / a.groups, out_group = a.out_channels / a.groups,
                  group = p.c / in_group;
    C sum = C(0);
    for (int64_t kh = 0; kh < a.kernel[0]; ++kh) {
      const int64_t oh = source_of(p.h, kh, a.stride[0], a.dilation[0], a.padding[0], a.out[0]);
      if (oh < 0) continue;
      for (int64_t kw = 0; kw < a.kernel[1]; ++kw) {
        const int64_t ow = source_of(p.w, kw, a.stride[1], a.dilation[1], a.padding[1], a.out[1]);
        if (ow < 0) continue;
        for (int64_t k = 0; k < out_group; ++k) {
          const int64_t oc = group * out_group + k;
          sum += y.load(offset_of(a.y_strides, p.n, oc, oh, ow)) *
                 w.load(offset_of(a.w_strides, oc, p.c % in_group, kh, kw));
        }
      }
    }
    x.store(offset_of(a.x_strides, p.n, p.c, p.h, p.w), sum);
  }
};

// A block per weight: its threads share the images and places, a tree adds their parts.
template <class C>
struct Sums {
  C of[kBlockThreads];
};
template <class C>
struct DirectBackwardWeights {
  static constexpr int kThreads = kBlockThreads;
  using Shared = Sums<C>;
  using Thread = NoLocals;
  ScConv a;
  Wide<C> x, w, y;
  explicit DirectBackwardWeights(const ScConv& c) : a(c), x(c.x, c.dtype), w(c.w, c.dtype), y(c.y, c.dtype) {}
  int64_t results() const { return a.out_channels * (a.in_channels / a.groups) * a.kernel[0] * a.kernel[1]; }
  SC_HD int phases() const { return kBlockHalvings + 2; }
  SC_HD void run(int phase, int64_t block, int thread, Thread&, Shared& s) const {
    const int64_t per_group = a.in_channels / a.groups;
    const Place p =
        place_of(block, per_group, a.kernel[0], a.kernel[1], false);  // n: out channel, c: in channel
    if (phase == 0) {
      const int64_t group = p.n / (a.out_channels / a.groups), channel = group * per_group + p.c;
      const int64_t places = a.out[0] * a.out[1];
      C sum = C(0);
      for (int64_t i = thread; i < a.batch * places; i += kThreads) {
        const int64_t n = i / places, oh = i % places / a.out[1], ow = i % a.out[1];
        const int64_t ih = oh * a.stride[0] + p.h * a.dilation[0] - a.padding[0];
        const int64_t iw = ow * a.stride[1] + p.w * a.dilation[1] - a.padding[1];
        if (ih < 0 || ih >= a.in[0] || iw < 0 || iw >= a.in[1]) continue;
        sum += y.load(offset_of(a.y_strides, n, p.n, oh, ow)) *
               x.load(offset_of(a.x_strides, n, channel, ih, iw));
      }
      s.of[thread] = sum;
    } else if (phase <= kBlockHalvings) {
      halve_sum(phase - 1, thread, s.of);
    } else if (thread == 0) {
      w.store(offset_of(a.w_strides, p.n, p.c, p.h, p.w), s.of[0]);
    }
  }
};

template <class C>
struct BiasGradient {
  static constexpr int kThreads = kBlockThreads;
  using Shared = Sums<C>;
  using Thread = NoLocals;
  ScConv a;
  Wide<C> y, bias;
  explicit BiasGradient(const ScConv& c) : a(c), y(c.y, c.dtype), bias(c.bias, c.dtype) {}
  SC_HD int phases() const { return kBlockHalvings + 2; }
  SC_HD void run(int phase, int64_t channel, int thread, Thread&, Shared& s) const {
    if (phase == 0) {
      const int64_t places = a.out[0] * a.out[1];
      C sum = C(0);
      for (int64_t i = thread; i < a.batch * places; i += kThreads) {
        const int64_t at = i % places;
        sum += y.load(offset_of(a.y_strides, i / places, channel, at / a.out[1], at % a.out[1]));
      }
      s.of[thread] = sum;
    } else if (phase <= kBlockHalvings) {
      halve_sum(phase - 1, thread, s.of);
    } else if (thread == 0) {
      bias.store(channel, s.of[0]);
    }
  }
};

// ---- columns and matrix products: one group ----

// columns[n][(c, kh, kw)][(oh, ow)] of the images `first` and on.
template <class C>
struct Unroll {
  ScConv a;
  Wide<C> x, columns;
  int64_t first, rows, places;
  SC_HD void operator()(int64_t i) const {
    const int64_t place = i % places, row = i / places % rows, n = i / places / rows;
    const int64_t kw = row % a.kernel[1], kh = row / a.kernel[1] % a.kernel[0],
                  c = row / a.kernel[1] / a.kernel[0];
    const int64_t ih = place / a.out[1] * a.stride[0] + kh * a.dilation[0] - a.padding[0];
    const int64_t iw = place % a.out[1] * a.stride[1] + kw * a.dilation[1] - a.padding[1];
    const bool inside = ih >= 0 && ih < a.in[0] && iw >= 0 && iw < a.in[1];
    columns.store(i, inside ? x.load(offset_of(a.x_strides, first + n, c, ih, iw)) : C(0));
  }
};

// Each input element gathers the columns that it went into.
template <class C>
struct Roll {
  ScConv a;
  Wide<C> x, columns;
  int64_t first, rows, places;
  SC_HD void operator()(int64_t i) const {
    const Place p = place_of(i, a.in_channels, a.in[0], a.in[1], a.x_strides[1] == 1);
    C sum = C(0);
    for (int64_t kh = 0; kh < a.kernel[0]; ++kh) {
      const int64_t oh = source_of(p.h, kh, a.stride[0], a.dilation[0], a.padding[0], a.out[0]);
      if (oh < 0) continue;
      for (int64_t kw = 0; kw < a.kernel[1]; ++kw) {
        const int64_t ow = source_of(p.w, kw, a.stride[1], a.dilation[1], a.padding[1], a.out[1]);
        if (ow < 0) continue;
        const int64_t row = (p.c * a.kernel[0] + kh) * a.kernel[1] + kw;
        sum += columns.load((p.n * rows + row) * places + oh * a.out[1] + ow);
      }
    }
    x.store(offset_of(a.x_strides, first + p.n, p.c, p.h, p.w), sum);
  }
};

// packed[(oc)][(ic, kh, kw)], whatever the weights' memory order.
template <class C>
struct PackWeights {
  ScConv a;
  Wide<C> w, packed;
  int64_t rows;
  SC_HD void operator()(int64_t i) const {
    const Place p = place_of(i, a.in_channels, a.kernel[0], a.kernel[1], false);
    packed.store(i, w.load(offset_of(a.w_strides, p.n, p.c, p.h, p.w)));
  }
};

// w (+)= the sum of the images' products.
template <class C>
struct SumProducts {
  ScConv a;
  Wide<C> products, w;
  int64_t images, size;
  bool add;
  SC_HD void operator()(int64_t i) const {
    const Place p = place_of(i, a.in_channels, a.kernel[0], a.kernel[1], false);
    const int64_t at = offset_of(a.w_strides, p.n, p.c, p.h, p.w);
    C sum = add ? w.load(at) : C(0);
    for (int64_t n = 0; n < images; ++n) sum += products.load(n * size + i);
    w.store(at, sum);
  }
};

template <class C>
struct AddChannelBias {
  ScConv a;
  Wide<C> y, bias;
  SC_HD void operator()(int64_t i) const {
    const Place p = place_of(i, a.out_channels, a.out[0], a.out[1], a.y_strides[1] == 1);
    const int64_t at = offset_of(a.y_strides, p.n, p.c, p.h, p.w);
    y.store(at, y.load(at) + bias.load(p.c));
  }
};

// The sizes of the unrolled problem, and how many images go at a time so that the columns stay within bounds.
struct Columns {
  int64_t rows, places, images;
  int64_t bytes;
  explicit Columns(const ScConv& a)
      : rows(a.in_channels * a.kernel[0] * a.kernel[1]),
        places(a.out[0] * a.out[1]),
        bytes(item_bytes(a.dtype)) {
    constexpr int64_t kBytes = int64_t{64} << 20;
    const int64_t largest = rows * (places > a.out_channels ? places : a.out_channels) * bytes;
    images = largest > 0 ? kBytes / largest : a.batch;
    if (images < 1) images = 1;
    if (images > a.batch) images = a.batch;
  }
};
void* at_image(void* p, int64_t image, int64_t stride, int64_t bytes) {
  return static_cast<char*>(p) + image * stride * bytes;
}

template <class C>
int32_t forward_columns(const ScConv& a) {
  const Columns k(a);
  Scratch<char> columns(k.images * k.rows * k.places * k.bytes), weights(a.out_channels * k.rows * k.bytes);
  if (!columns || !weights) return fail("CUDA out of memory");
  const Wide<C> x(a.x, a.dtype), cols(columns.get(), a.dtype), packed(weights.get(), a.dtype);
  SC_CUDA_TRY(launch(a.out_channels * k.rows, PackWeights<C>{a, {a.w, a.dtype}, packed, k.rows}));
  for (int64_t first = 0; first < a.batch; first += k.images) {
    const int64_t images = a.batch - first < k.images ? a.batch - first : k.images;
    SC_CUDA_TRY(launch(images * k.rows * k.places, Unroll<C>{a, x, cols, first, k.rows, k.places}));
    ScMatmul m{};
    m.dtype = a.dtype;
    m.batch = images;
    m.m = a.out_channels;
    m.n = k.places;
    m.k = k.rows;
    m.a = weights.get();
    m.a_row = k.rows;
    m.a_col = 1;
    m.b = columns.get();
    m.b_batch = k.rows * k.places;
    m.b_row = k.places;
    m.b_col = 1;
    m.c = at_image(a.y, first, a.y_strides[0], k.bytes);
    m.c_batch = a.y_strides[0];
    m.c_row = a.y_strides[1];
    m.c_col = a.y_strides[3];
    m.alpha = 1;
    SC_CUDA_TRY(matmul(&m));
  }
  if (!a.bias) return SC_OK;
  return launch(a.batch * a.out_channels * k.places, AddChannelBias<C>{a, {a.y, a.dtype}, {a.bias, a.dtype}});
}

template <class C>
int32_t backward_data_columns(const ScConv& a) {
  const Columns k(a);
  Scratch<char> columns(k.images * k.rows * k.places * k.bytes), weights(a.out_channels * k.rows * k.bytes);
  if (!columns || !weights) return fail("CUDA out of memory");
  const Wide<C> packed(weights.get(), a.dtype);
  SC_CUDA_TRY(launch(a.out_channels * k.rows, PackWeights<C>{a, {a.w, a.dtype}, packed, k.rows}));
  for (int64_t first = 0; first < a.batch; first += k.images) {
    const int64_t images = a.batch - first < k.images ? a.batch - first : k.images;
    ScMatmul m{};
    m.dtype = a.dtype;
    m.batch = images;
    m.m = k.rows;
    m.n = k.places;
    m.k = a.out_channels;
    m.a = weights.get();
    m.a_row = 1;
    m.a_col = k.rows;
    m.b = at_image(a.y, first, a.y_strides[0], k.bytes);
    m.b_batch = a.y_strides[0];
    m.b_row = a.y_strides[1];
    m.b_col = a.y_strides[3];
    m.c = columns.get();
    m.c_batch = k.rows * k.places;
    m.c_row = k.places;
    m.c_col = 1;
    m.alpha = 1;
    SC_CUDA_TRY(matmul(&m));
    SC_CUDA_TRY(launch(images * a.in_channels * a.in[0] * a.in[1],
                       Roll<C>{a, {a.x, a.dtype}, {columns.get(), a.dtype}, first, k.rows, k.places}));
  }
  return SC_OK;
}

template <class C>
int32_t backward_weights_columns(const ScConv& a) {
  const Columns k(a);
  const int64_t size = a.out_channels * k.rows;
  Scratch<char> columns(k.images * k.rows * k.places * k.bytes), products(k.images * size * k.bytes);
  if (!columns || !products) return fail("CUDA out of memory");
  const Wide<C> x(a.x, a.dtype), cols(columns.get(), a.dtype), parts(products.get(), a.dtype);
  for (int64_t first = 0; first < a.batch; first += k.images) {
    const int64_t images = a.batch - first < k.images ? a.batch - first : k.images;
    SC_CUDA_TRY(launch(images * k.rows * k.places, Unroll<C>{a, x, cols, first, k.rows, k.places}));
    ScMatmul m{};
    m.dtype = a.dtype;
    m.batch = images;
    m.m = a.out_channels;
    m.n = k.rows;
    m.k = k.places;
    m.a = at_image(a.y, first, a.y_strides[0], k.bytes);
    m.a_batch = a.y_strides[0];
    m.a_row = a.y_strides[1];
    m.a_col = a.y_strides[3];
    m.b = columns.get();
    m.b_batch = k.rows * k.places;
    m.b_row = 1;
    m.b_col = k.places;
    m.c = products.get();
    m.c_batch = size;
    m.c_row = k.rows;
    m.c_col = 1;
    m.alpha = 1;
    SC_CUDA_TRY(matmul(&m));
    SC_CUDA_TRY(launch(size, SumProducts<C>{a, parts, {a.w, a.dtype}, images, size, first > 0}));
  }
  return SC_OK;
}

// ---- the entries ----

bool by_columns(const ScConv* a) { return a->groups == 1 && a->batch > 0 && a->out[0] * a->out[1] > 0; }

int32_t forward(const ScConv* a) {
  return for_wide(a->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    if (by_columns(a)) return forward_columns<C>(*a);
    const DirectForward<C> kernel(*a);
    return launch(kernel.results(), kernel);
  });
}
int32_t backward_data(const ScConv* a) {
  return for_wide(a->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    if (by_columns(a)) return backward_data_columns<C>(*a);
    const DirectBackwardData<C> kernel(*a);
    return launch(kernel.results(), kernel);
  });
}
int32_t backward_weights(const ScConv* a) {
  return for_wide(a->dtype, [&](auto tag) -> int32_t {
    using C = typename decltype(tag)::type;
    if (a->bias) SC_CUDA_TRY(launch_blocks(a->out_channels, BiasGradient<C>(*a)));
    if (by_columns(a)) return backward_weights_columns<C>(*a);
    const DirectBackwardWeights<C> kernel(*a);
    return launch_blocks(kernel.results(), kernel);
  });
}

}  // namespace

ScConvKernels conv_kernels() {
  ScConvKernels k{};
  k.forward = forward;
  k.backward_data = backward_data;
  k.backward_weights = backward_weights;
  return k;
}

}  // namespace cuda
}  // namespace sconce
