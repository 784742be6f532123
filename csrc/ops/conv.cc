// Convolutions and transposed convolutions over one or two spatial dimensions.
//
// Three maps, each linear in both its operands, make up everything: y = forward(x, w), x = data(y, w), w =
// weights(x, y). Each is an adjoint of the others, so each one's derivative is written with the other two and
// no formula repeats.
#include <memory>

#include "ops.h"

namespace sconce::ops {
namespace {

struct Geometry {
  Dims x, w, y;                    // shapes of the convolution (for a transposed one, x is its result)
  Dims stride, padding, dilation;  // padding before; what y's shape implies beyond the end is zero as well
  int64_t groups = 1;
  bool channels_last = false;
};
using Shared = std::shared_ptr<const Geometry>;

bool is_channels_last(const Tensor& t) {
  return t.dim() == 4 && !t.is_contiguous() && t.is_contiguous(MemoryFormat::kChannelsLast);
}

Tensor empty_in(const Dims& sizes, bool channels_last, const Tensor& like) {
  return channels_last && sizes.size() == 4
             ? empty_strided(sizes, channels_last_strides(sizes), like.dtype(), like.device())
             : empty(sizes, like.dtype(), like.device());
}

// Dense, in one of the two orders that kernels know; without history.
Tensor dense(const Tensor& t, bool channels_last) {
  if (t.is_contiguous() || is_channels_last(t)) return t;
  Tensor out = empty_in(t.sizes(), channels_last, t);
  copy_into(out, t);
  return out;
}

void four(const Tensor& t, int64_t* strides) {  // one spatial dimension: height 1
  const Dims& s = t.strides();
  const bool flat = t.dim() == 3;
  strides[0] = s[0];
  strides[1] = s[1];
  strides[2] = flat ? t.sizes()[2] : s[2];
  strides[3] = flat ? s[2] : s[3];
}

enum class Entry { kForward, kData, kWeights };

void run(Entry entry, const Geometry& g, const Tensor& x, const Tensor& w, const Tensor& y,
         const Tensor& bias) {
  ScConv c{};
  c.dtype = static_cast<int32_t>(x.dtype());
  c.batch = g.x[0];
  c.groups = g.groups;
  c.in_channels = g.x[1];
  c.out_channels = g.y[1];
  const int spatial = g.x.size() - 2;
  for (int i = 0; i < 2; ++i) {
    const int d = i - (2 - spatial);  // -1 for the height of a flat convolution
    c.in[i] = d < 0 ? 1 : g.x[d + 2];
    c.out[i] = d < 0 ? 1 : g.y[d + 2];
    c.kernel[i] = d < 0 ? 1 : g.w[d + 2];
    c.stride[i] = d < 0 ? 1 : g.stride[d];
    c.padding[i] = d < 0 ? 0 : g.padding[d];
    c.dilation[i] = d < 0 ? 1 : g.dilation[d];
  }
  four(x, c.x_strides);
  four(w, c.w_strides);
  four(y, c.y_strides);
  c.x = x.data();
  c.w = w.data();
  c.y = y.data();
  if (bias) c.bias = bias.data();
  const ScConvKernels& k = backend_of(x.device()).conv;
  int32_t (*kernel)(const ScConv*) = entry == Entry::kForward ? k.forward
                                     : entry == Entry::kData  ? k.backward_data
                                                              : k.backward_weights;
  check_kernel(kernel ? kernel(&c) : static_cast<int32_t>(SC_UNSUPPORTED), x.device(), "convolution");
}

// Half precision is computed in float: sums over windows and images would lose too much.
bool widened(const Tensor& t) { return is_reduced_floating(t.dtype()); }
Tensor wide(const Tensor& t) { return t && widened(t) ? cast_raw(t, DType::kFloat32) : t; }

Tensor forward_raw(const Shared& g, const Tensor& x0, const Tensor& w0, const Tensor& b0) {
  if (widened(x0)) return cast_raw(forward_raw(g, wide(x0), wide(w0), wide(b0)), x0.dtype());
  const Tensor x = dense(x0, g->channels_last), w = dense(w0, false), b = b0 ? contiguous_raw(b0) : b0;
  Tensor y = empty_in(g->y, g->channels_last, x);
  if (y.numel() == 0) return y;
  if (x.numel() == 0 || w.numel() == 0) {
    fill_into(y, 0);
    if (b) add_raw_(y, alias_of(b, {b.numel(), 1, 1}, {1, 1, 1}, b.storage_offset()));
    return y;
  }
  run(Entry::kForward, *g, x, w, y, b);
  return y;
}

Tensor data_raw(const Shared& g, const Tensor& y0, const Tensor& w0) {
  if (widened(y0)) return cast_raw(data_raw(g, wide(y0), wide(w0)), y0.dtype());
  const Tensor y = dense(y0, g->channels_last), w = dense(w0, false);
  Tensor x = empty_in(g->x, g->channels_last, y);
  if (x.numel() == 0) return x;
  if (y.numel() == 0 || w.numel() == 0)
    fill_into(x, 0);
  else
    run(Entry::kData, *g, x, w, y, {});
  return x;
}

std::tuple<Tensor, Tensor> weights_raw(const Shared& g, const Tensor& x0, const Tensor& y0, bool with_bias,
                                       bool w_channels_last) {
  if (widened(x0)) {
    auto [w, b] = weights_raw(g, wide(x0), wide(y0), with_bias, w_channels_last);
    return {cast_raw(w, x0.dtype()), b ? cast_raw(b, x0.dtype()) : b};
  }
  const Tensor x = dense(x0, g->channels_last), y = dense(y0, g->channels_last);
  Tensor w = empty_in(g->w, w_channels_last, x),
         b = with_bias ? empty({g->y[1]}, x.dtype(), x.device()) : Tensor();
  if (x.numel() == 0 || y.numel() == 0 || w.numel() == 0) {
    fill_into(w, 0);
    if (b) {
      Dims rest;
      for (int i = 0; i < y.dim(); ++i)
        if (i != 1) rest.push_back(i);
      NoGradGuard guard;
      copy_into(b, sum_dim(y, rest.vec(), false));
    }
    return {w, b};
  }
  run(Entry::kWeights, *g, x, w, y, b);
  return {w, b};
}

Tensor forward(const Shared& g, const Tensor& x, const Tensor& w);
Tensor data(const Shared& g, const Tensor& y, const Tensor& w);
// The second result is the sum of y over everything but its channels, when asked for.
std::tuple<Tensor, Tensor> weights(const Shared& g, const Tensor& x, const Tensor& y, bool with_bias,
                                   bool w_channels_last);

constexpr const char* kSecond = "ConvolutionBackwardBackward0";

Tensor forward(const Shared& g, const Tensor& x, const Tensor& w) {
  Tensor y = forward_raw(g, x, w, {});
  return differentiable(kSecond, y)
      .wrt(x, [g, w = saved(w)](const Tensor& d) { return data(g, d, w()); })
      .wrt(w, [g, x = saved(x), cl = is_channels_last(w)](const Tensor& d) {
        return std::get<0>(weights(g, x(), d, false, cl));
      });
}

Tensor data(const Shared& g, const Tensor& y, const Tensor& w) {
  Tensor x = data_raw(g, y, w);
  return differentiable(kSecond, x)
      .wrt(y, [g, w = saved(w)](const Tensor& d) { return forward(g, d, w()); })
      .wrt(w, [g, y = saved(y), cl = is_channels_last(w)](const Tensor& d) {
        return std::get<0>(weights(g, d, y(), false, cl));
      });
}

Tensor per_channel(const Tensor& b, const Dims& like) {  // [C] -> [N, C, ...]
  Dims shape = Dims::filled(like.size() - 1, 1);
  shape[0] = b.sizes()[0];
  return expand(reshape(b, shape), like);
}

std::tuple<Tensor, Tensor> weights(const Shared& g, const Tensor& x, const Tensor& y, bool with_bias,
                                   bool w_channels_last) {
  auto [w, b] = weights_raw(g, x, y, with_bias, w_channels_last);
  TensorList out{w};
  if (b) out.push_back(b);
  differentiable(kSecond, out)
      .wrt_all({x, y},
               [g, x = saved(x), y = saved(y)](const TensorList& d,
                                               const std::vector<bool>& needed) -> TensorList {
                 TensorList r(2);
                 if (needed[0] && d[0]) r[0] = data(g, y(), d[0]);
                 if (needed[1]) {
                   if (d[0]) r[1] = forward(g, x(), d[0]);
                   if (d.size() > 1 && d[1]) {
                     const Tensor spread = per_channel(d[1], g->y);
                     r[1] = r[1] ? r[1] + spread : spread;
                   }
                 }
                 return r;
               })
      .finish();
  return {out[0], b ? out[1] : b};
}

// ---- the operators ----

// A number or a list of one fills every spatial dimension.
Dims spatial(const IntList& v, int n, const char* name) {
  if (v.size() == 1) return Dims::filled(n, v[0]);
  SC_CHECK(static_cast<int>(v.size()) == n, "expected ", name, " to be a single integer value or a list of ",
           n, " values to match the convolution dimensions, but got ", name, "=", Dims(v));
  return Dims(v);
}

bool any_below(const Dims& d, int64_t low) {
  for (int64_t v : d)
    if (v < low) return true;
  return false;
}

std::string by_x(const Dims& d) {  // "(2 x 3)"
  std::string s = "(";
  for (int i = 0; i < d.size(); ++i) s += str(i ? " x " : "", d[i]);
  return s + ")";
}

const char* dtype_in_words(DType t) {
  static constexpr const char* kNames[kNumDTypes] = {"float",         "double", "c10::Half", "c10::BFloat16",
                                                     "long int",      "int",    "short int", "signed char",
                                                     "unsigned char", "bool"};
  return kNames[static_cast<int>(t)];
}

struct Options {
  IntList stride, padding, dilation, output_padding;
  int64_t groups = 1;
  bool transposed = false;
  bool same = false;  // padding='same'
};

Tensor convolution(const char* name, int n, const Tensor& input0, const Tensor& weight, const Tensor& bias,
                   const Options& o) {
  SC_CHECK(input0.dim() == n + 1 || input0.dim() == n + 2, "Expected ", n + 1, "D (unbatched) or ", n + 2,
           "D (batched) input to ", name, ", but got input of size: ", input0.sizes());
  if (input0.dim() == n + 1)
    return squeeze_dim(convolution(name, n, unsqueeze(input0, 0), weight, bias, o), 0);
  const Tensor& input = input0;
  SC_CHECK(!bias || bias.dtype() == input.dtype(), "Input type (", dtype_in_words(input.dtype()),
           ") and bias type (", bias ? dtype_in_words(bias.dtype()) : "", ") should be the same");
  SC_CHECK(o.groups > 0, "non-positive groups is not supported");
  const int nw = weight.dim() - 2;
  SC_CHECK(nw > 0, "weight should have at least three dimensions");
  const Dims stride = spatial(o.stride, nw, "stride"), dilation = spatial(o.dilation, nw, "dilation");
  const Dims output_padding =
      o.transposed ? spatial(o.output_padding, nw, "output_padding") : Dims::filled(nw, 0);
  Dims padding = o.same ? Dims::filled(nw, 0) : spatial(o.padding, nw, "padding");
  SC_CHECK(!any_below(padding, 0), "negative padding is not supported");
  SC_CHECK(!any_below(output_padding, 0), "negative output_padding is not supported");
  SC_CHECK(!any_below(stride, 1), "non-positive stride is not supported");
  SC_CHECK(!any_below(dilation, 1), "dilation should be greater than zero, but got ", dilation);
  const Dims& wsize = weight.sizes();
  SC_CHECK(nw == n, "Expected ", weight.dim(), "-dimensional input for ", weight.dim(),
           "-dimensional weight ", wsize, ", but got ", input.dim(), "-dimensional input of size ",
           input.sizes(), " instead");
  SC_CHECK(wsize[0] >= o.groups, "Given groups=", o.groups, ", expected weight to be at least ", o.groups,
           " at dimension 0, but got weight of size ", wsize, " instead");
  SC_CHECK(wsize[0] % o.groups == 0, "Given groups=", o.groups, ", expected weight to be divisible by ",
           o.groups, " at dimension 0, but got weight of size [", wsize, "] instead");
  const int64_t channels = input.sizes()[1];
  const int64_t out_channels = o.transposed ? wsize[1] * o.groups : wsize[0];
  if (o.transposed)
    SC_CHECK(channels == wsize[0], "Given transposed=1, weight of size ", wsize, ", expected input",
             input.sizes(), " to have ", wsize[0], " channels, but got ", channels, " channels instead");
  else
    SC_CHECK(channels == wsize[1] * o.groups, "Given groups=", o.groups, ", weight of size ", wsize,
             ", expected input", input.sizes(), " to have ", wsize[1] * o.groups, " channels, but got ",
             channels, " channels instead");
  SC_CHECK(!bias || (bias.dim() == 1 && bias.numel() == out_channels), "Given ",
           o.transposed ? "transposed=1, " : "", "weight of size ", wsize,
           ", expected bias to be 1-dimensional with ", out_channels, " elements, but got bias of size ",
           bias ? bias.sizes() : Dims(), " instead");
  SC_CHECK(input.dtype() == weight.dtype(), "expected scalar type ", scalar_type_name(input.dtype()),
           " but found ", scalar_type_name(weight.dtype()));
  SC_CHECK(input.dtype() != DType::kBool, "\"slow_conv2d_cpu\" not implemented for 'Bool'");
  SC_CHECK(input.device() == weight.device() && (!bias || bias.device() == input.device()),
           "Expected all tensors to be on the same device, but found at least two devices, ",
           device_name(input.device()), " and ",
           device_name(weight.device() == input.device() ? bias.device() : weight.device()), "!");

  auto g = std::make_shared<Geometry>();
  g->w = wsize;
  g->stride = stride;
  g->dilation = dilation;
  g->groups = o.groups;
  g->channels_last = is_channels_last(input) || is_channels_last(weight);
  Dims result{input.sizes()[0], out_channels}, padded, kernel;
  for (int i = 0; i < n; ++i) {
    const int64_t in = input.sizes()[i + 2], k = wsize[i + 2], reach = dilation[i] * (k - 1) + 1;
    SC_CHECK(k > 0, "kernel size should be greater than zero, but got kernel_",
             n == 1 || i == 1 ? "width" : "height", ": ", k);
    padded.push_back(in + 2 * padding[i]);
    kernel.push_back(reach);
    if (o.transposed) {
      result.push_back((in - 1) * stride[i] - 2 * padding[i] + reach + output_padding[i]);
    } else if (o.same) {
      padding[i] = (reach - 1) / 2;
      result.push_back(in);
      padded[i] = in + reach - 1;
    } else {
      result.push_back(padded[i] < reach ? 0 : (padded[i] - reach) / stride[i] + 1);
    }
  }
  g->padding = padding;
  if (o.transposed) {
    bool smaller = true, fits = true;
    for (int i = 0; i < n; ++i) {
      smaller = smaller && (output_padding[i] < stride[i] || output_padding[i] < dilation[i]);
      fits = fits && result[i + 2] > 0;
    }
    const Dims p = n == 1 ? Dims{0, output_padding[0]} : output_padding,
               s = n == 1 ? Dims{1, stride[0]} : stride, d = n == 1 ? Dims{1, dilation[0]} : dilation;
    SC_CHECK(smaller,
             "output padding must be smaller than either stride or dilation, but got output_padding_height: ",
             p[0], " output_padding_width: ", p[1], " stride_height: ", s[0], " stride_width: ", s[1],
             " dilation_height: ", d[0], " dilation_width: ", d[1]);
    SC_CHECK(fits, "Given input size per channel: ", by_x(Dims(input.sizes().data() + 2, n)),
             ". Calculated output size per channel: ", by_x(Dims(result.data() + 2, n)),
             ". Output size is too small");
    g->x = result;
    g->y = input.sizes();
  } else {
    for (int i = 0; i < n; ++i)
      SC_CHECK(padded[i] >= kernel[i] && input.sizes()[i + 2] > 0,
               "Calculated padded input size per channel: ", by_x(padded), ". Kernel size: ", by_x(kernel),
               ". Kernel size can't be greater than actual input size");
    g->x = input.sizes();
    g->y = result;
  }
  const Shared geometry = std::move(g);

  Tensor y;
  if (o.transposed) {
    y = data_raw(geometry, input, weight);
    if (bias && y.numel()) add_raw_(y, per_channel(bias.detach(), y.sizes()));
  } else {
    y = forward_raw(geometry, input, weight, bias);
  }
  // A transposed convolution's operands change places.
  differentiable("ConvolutionBackward0", y)
      .wrt_all({input, weight, bias},
               [geometry, transposed = o.transposed, x = saved(input), w = saved(weight),
                w_cl = is_channels_last(weight)](const TensorList& grads,
                                                 const std::vector<bool>& needed) -> TensorList {
                 const Tensor& d = grads[0];
                 const bool bias_needed = needed.size() > 2 && needed[2];
                 TensorList r(needed.size());
                 if (needed[0]) r[0] = transposed ? forward(geometry, d, w()) : data(geometry, d, w());
                 if (needed[1]) {
                   auto [gw, gb] = transposed ? weights(geometry, d, x(), false, w_cl)
                                              : weights(geometry, x(), d, bias_needed, w_cl);
                   r[1] = gw;
                   if (bias_needed && gb) r[2] = gb;
                 }
                 if (bias_needed && !r[2]) {
                   IntList rest{0};
                   for (int i = 2; i < d.dim(); ++i) rest.push_back(i);
                   r[2] = sum_dim(d, rest, false);
                 }
                 return r;
               })
      .jvp([&](const TensorList& t) {
        const auto convolve = [&](const Tensor& x, const Tensor& w) {
          return o.transposed ? data(geometry, x, w) : forward(geometry, x, w);
        };
        return sum_of_defined({t[0] ? convolve(t[0], weight) : t[0], t[1] ? convolve(input, t[1]) : t[1],
                               t[2] ? expand(per_channel(t[2], y.sizes()), y.sizes()) : t[2]});
      })
      .finish();
  return y;
}

Options with_padding(const IntList& stride, const std::string& padding, const IntList& dilation,
                     int64_t groups) {
  SC_CHECK(padding == "same" || padding == "valid", "Invalid padding string: '", padding, "'");
  Options o{stride, {0}, dilation, {0}, groups};
  o.same = padding == "same";
  if (o.same)
    for (int64_t s : stride) SC_CHECK(s == 1, "padding='same' is not supported for strided convolutions");
  return o;
}
}  // namespace

Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, const IntList& stride,
              const IntList& padding, const IntList& dilation, int64_t groups) {
  return convolution("conv1d", 1, input, weight, bias, {stride, padding, dilation, {0}, groups});
}
OP("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] "
   "dilation=1, int groups=1) -> Tensor",
   conv1d, kFunction | kNN,
   R"(Convolution over one dimension: `[N, C, L]` and `[O, C / groups, K]` give `[N, O, L']`; without `N` it works too.

`padding` is a number or `'same'` (stride 1 only) or `'valid'`. Throws when channels, bias or kernel size do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html

@example
torch.conv1d(torch.tensor([[[1, 2, 3]]]), torch.tensor([[[1, 1]]])) // tensor([[[3., 5.]]])
)");
static Tensor conv1d_padding(const Tensor& input, const Tensor& weight, const Tensor& bias,
                             const IntList& stride, const std::string& padding, const IntList& dilation,
                             int64_t groups) {
  return convolution("conv1d", 1, input, weight, bias, with_padding(stride, padding, dilation, groups));
}
OP("conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding=\"valid\", "
   "int[1] dilation=1, int groups=1) -> Tensor",
   conv1d_padding, kFunction | kNN, "");

Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, const IntList& stride,
              const IntList& padding, const IntList& dilation, int64_t groups) {
  return convolution("conv2d", 2, input, weight, bias, {stride, padding, dilation, {0}, groups});
}
OP("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] "
   "dilation=1, int groups=1) -> Tensor",
   conv2d, kFunction | kNN,
   R"(Convolution over two dimensions: `[N, C, H, W]` and `[O, C / groups, KH, KW]` give `[N, O, H', W']`, where `H' = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1`, rounded down; without `N` it works too.

`padding` is a number, two, or `'same'` (stride 1 only) or `'valid'`. A channels-last operand gives a channels-last result.
Throws when channels, bias or kernel size do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html

@example
torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2)) // tensor([[[[4., 4.],
//           [4., 4.]]]])
)");
static Tensor conv2d_padding(const Tensor& input, const Tensor& weight, const Tensor& bias,
                             const IntList& stride, const std::string& padding, const IntList& dilation,
                             int64_t groups) {
  return convolution("conv2d", 2, input, weight, bias, with_padding(stride, padding, dilation, groups));
}
OP("conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding=\"valid\", "
   "int[2] dilation=1, int groups=1) -> Tensor",
   conv2d_padding, kFunction | kNN, "");

static Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                               const IntList& stride, const IntList& padding, const IntList& output_padding,
                               int64_t groups, const IntList& dilation) {
  return convolution("conv_transpose1d", 1, input, weight, bias,
                     {stride, padding, dilation, output_padding, groups, true});
}
OP("conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, "
   "int[1] output_padding=0, int groups=1, "
   "int[1] dilation=1) -> Tensor",
   conv_transpose1d, kFunction | kNN,
   R"(The adjoint of `conv1d` in its input: `[N, C, L]` and `[C, O / groups, K]` give `[N, O, (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1]`.

Throws when channels, bias or paddings do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose1d.html

@example
torch.conv_transpose1d(torch.tensor([[[1, 2]]]), torch.tensor([[[1, 1]]])) // tensor([[[1., 3., 2.]]])
)");

static Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                               const IntList& stride, const IntList& padding, const IntList& output_padding,
                               int64_t groups, const IntList& dilation) {
  return convolution("conv_transpose2d", 2, input, weight, bias,
                     {stride, padding, dilation, output_padding, groups, true});
}
OP("conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] "
   "padding=0, int[2] output_padding=0, int groups=1, "
   "int[2] dilation=1) -> Tensor",
   conv_transpose2d, kFunction | kNN,
   R"(The adjoint of `conv2d` in its input, which enlarges images: `[N, C, H, W]` and `[C, O / groups, KH, KW]` give `[N, O, H', W']` with `H' = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1`.

Throws when channels, bias or paddings do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html

@example
torch.conv_transpose2d(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 2, 2)) // tensor([[[[1., 1.],
//           [1., 1.]]]])
)");

}  // namespace sconce::ops
