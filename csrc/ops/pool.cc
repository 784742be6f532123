// Pooling: maxima and averages over windows of one or two spatial dimensions.
#include <memory>

#include "ops.h"

namespace sconce::ops {
namespace {

struct Geometry {
  Dims x, y;  // [N, C, H, W]
  Dims kernel{1, 1}, stride{1, 1}, padding{0, 0}, dilation{1, 1};
  bool channels_last = false, adaptive = false, count_include_pad = true;
  int64_t divisor = 0;
};
using Shared = std::shared_ptr<const Geometry>;

bool is_channels_last(const Tensor& t) {
  return t.dim() == 4 && !t.is_contiguous() && t.is_contiguous(MemoryFormat::kChannelsLast);
}
Tensor empty_in(const Dims& sizes, bool channels_last, DType dtype, Device device) {
  return channels_last ? empty_strided(sizes, channels_last_strides(sizes), dtype, device)
                       : empty(sizes, dtype, device);
}
// In the order that the geometry asks for, so that x, y and indices walk alike.
Tensor ordered(const Tensor& t, bool channels_last) {
  if (t.is_contiguous(channels_last ? MemoryFormat::kChannelsLast : MemoryFormat::kContiguous)) return t;
  Tensor out = empty_in(t.sizes(), channels_last, t.dtype(), t.device());
  copy_into(out, t);
  return out;
}

using Kernel = int32_t (*)(const ScPool*);
void run(Kernel ScPoolKernels::* entry, const char* name, const Geometry& g, const Tensor& x, const Tensor& y,
         const Tensor& indices) {
  if (x.numel() == 0) return;
  if (y.numel() == 0) {
    if (entry == &ScPoolKernels::max_backward || entry == &ScPoolKernels::average_backward) fill_into(x, 0);
    return;
  }
  ScPool p{};
  p.dtype = static_cast<int32_t>(x.dtype());
  p.adaptive = g.adaptive;
  p.count_include_pad = g.count_include_pad;
  p.divisor = g.divisor;
  p.batch = g.x[0];
  p.channels = g.x[1];
  // Strides of a dimension of size 1 are written as the order has them.
  const Dims xs = g.channels_last ? channels_last_strides(g.x) : contiguous_strides(g.x);
  const Dims ys = g.channels_last ? channels_last_strides(g.y) : contiguous_strides(g.y);
  for (int i = 0; i < 4; ++i) {
    p.x_strides[i] = xs[i];
    p.y_strides[i] = ys[i];
  }
  for (int i = 0; i < 2; ++i) {
    p.in[i] = g.x[i + 2];
    p.out[i] = g.y[i + 2];
    p.kernel[i] = g.kernel[i];
    p.stride[i] = g.stride[i];
    p.padding[i] = g.padding[i];
    p.dilation[i] = g.dilation[i];
  }
  p.x = x.data();
  p.y = y.data();
  p.indices = indices ? static_cast<int64_t*>(indices.data()) : nullptr;
  const Kernel kernel = backend_of(x.device()).pool.*entry;
  check_kernel(kernel ? kernel(&p) : static_cast<int32_t>(SC_UNSUPPORTED), x.device(), name);
}

// ---- averages: a linear map and its adjoint ----
Tensor average_adjoint(const Shared& g, const char* node, const Tensor& y);
Tensor average(const Shared& g, const char* node, const Tensor& x) {
  Tensor y = empty_in(g->y, g->channels_last, x.dtype(), x.device());
  run(&ScPoolKernels::average_forward, "avg_pool2d", *g, ordered(x, g->channels_last), y, {});
  return differentiable(node, y).wrt(x, [g, node](const Tensor& d) { return average_adjoint(g, node, d); });
}
Tensor average_adjoint(const Shared& g, const char* node, const Tensor& y) {
  Tensor x = empty_in(g->x, g->channels_last, y.dtype(), y.device());
  run(&ScPoolKernels::average_backward, "avg_pool2d_backward", *g, x, ordered(y, g->channels_last), {});
  return differentiable(node, x).wrt(y, [g, node](const Tensor& d) { return average(g, node, d); });
}

// ---- maxima: given the indices, linear too ----
Tensor planes(const Tensor& t) {
  return reshape(t, {t.sizes()[0], t.sizes()[1], t.sizes()[2] * t.sizes()[3]});
}
Tensor max_adjoint(const Shared& g, const Tensor& y, const Tensor& indices) {
  Tensor x = empty_in(g->x, g->channels_last, y.dtype(), y.device());
  run(&ScPoolKernels::max_backward, "max_pool2d_backward", *g, x, ordered(y, g->channels_last), indices);
  return differentiable("MaxPool2DWithIndicesBackwardBackward0", x).wrt(y, [g, indices](const Tensor& d) {
    return reshape(gather(planes(d), 2, planes(indices)), g->y);
  });
}

Dims pair(const IntList& v, const char* text) {
  SC_CHECK(v.size() == 1 || v.size() == 2, text);
  return v.size() == 1 ? Dims{v[0], v[0]} : Dims(v);
}

void check_not_bool(const Tensor& t, const char* name) {
  SC_CHECK(t.dtype() != DType::kBool, "\"", name, "\" not implemented for 'Bool'");
}

int64_t pooled(int64_t in, int64_t kernel, int64_t padding, int64_t stride, int64_t dilation,
               bool ceil_mode) {
  const int64_t span = in + 2 * padding - dilation * (kernel - 1) - 1;
  if (span + (ceil_mode ? stride - 1 : 0) < 0) return span < 0 ? (ceil_mode && span > -stride ? 1 : 0) : 1;
  int64_t out = (span + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  // The last window starts inside the input or its leading padding.
  if (ceil_mode && (out - 1) * stride >= in + padding) --out;
  return out;
}

struct Options {
  IntList kernel, stride, padding, dilation;
  bool ceil_mode;
};

// Checks everything and completes the geometry of a [N, C, H, W] input.
std::shared_ptr<Geometry> prepare(const Tensor& x, const Tensor& given, const Options& o, const char* name,
                                  bool dilation_worded) {
  auto g = std::make_shared<Geometry>();
  const std::string n = name;
  g->kernel =
      pair(o.kernel, (n + ": kernel_size must either be a single int, or a tuple of two ints").c_str());
  SC_CHECK(o.stride.size() <= 2, n, ": stride must either be omitted, a single int, or a tuple of two ints");
  g->stride = o.stride.empty() ? g->kernel : pair(o.stride, "");
  g->padding = pair(o.padding, (n + ": padding must either be a single int, or a tuple of two ints").c_str());
  if (dilation_worded)
    g->dilation =
        pair(o.dilation, (n + ": dilation must be either a single int, or a tuple of two ints").c_str());
  SC_CHECK(g->stride[0] != 0 && g->stride[1] != 0, "stride should not be zero");
  SC_CHECK(g->stride[0] > 0 && g->stride[1] > 0,
           "stride should be greater than zero, but got dH: ", g->stride[0], " dW: ", g->stride[1]);
  SC_CHECK(g->dilation[0] > 0 && g->dilation[1] > 0,
           "dilation should be greater than zero, but got dilationH: ", g->dilation[0],
           " dilationW: ", g->dilation[1]);
  for (int i = 0; i < 2; ++i) {
    SC_CHECK(g->padding[i] >= 0, "pad must be non-negative, but got pad: ", g->padding[i]);
    SC_CHECK(g->kernel[i] > 0, "kernel size should be greater than zero, but got kH: ", g->kernel[0],
             " kW: ", g->kernel[1]);
    SC_CHECK(g->padding[i] <= ((g->kernel[i] - 1) * g->dilation[i] + 1) / 2,
             "pad should be at most half of effective kernel size, but got pad=", g->padding[i],
             ", kernel_size=", g->kernel[i], " and dilation=", g->dilation[i]);
  }
  const Dims& s = x.sizes();
  SC_CHECK(s[1] > 0 && s[2] > 0 && s[3] > 0,
           "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:",
           given.sizes());
  g->x = s;
  g->y = {s[0], s[1], 0, 0};
  for (int i = 0; i < 2; ++i)
    g->y[i + 2] = pooled(s[i + 2], g->kernel[i], g->padding[i], g->stride[i], g->dilation[i], o.ceil_mode);
  SC_CHECK(g->y[2] > 0 && g->y[3] > 0, "Given input size: (", s[1], "x", s[2], "x", s[3],
           "). Calculated output size: (", s[1], "x", g->y[2], "x", g->y[3], "). Output size is too small");
  g->channels_last = is_channels_last(x);
  return g;
}

// [N, C, H, W] of a [C, H, W] or [N, C, H, W] input, without history.
Tensor batched(const Tensor& x) {
  if (x.dim() == 4) return x;
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.insert(0, 1);
  strides.insert(0, x.numel());
  return alias_of(x, sizes, strides, x.storage_offset());
}
Tensor unbatched(const Tensor& y, bool drop) {
  if (!drop) return y;
  Dims sizes = y.sizes(), strides = y.strides();
  sizes.erase(0);
  strides.erase(0);
  return alias_of(y, sizes, strides, y.storage_offset());
}
}  // namespace

std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& self, const IntList& kernel_size,
                                                   const IntList& stride, const IntList& padding,
                                                   const IntList& dilation, bool ceil_mode) {
  SC_CHECK(self.dim() == 3 || self.dim() == 4, "non-empty 3D or 4D (batch mode) tensor expected for input");
  const Tensor x = batched(self);
  const Shared g = prepare(x, self, {kernel_size, stride, padding, dilation, ceil_mode}, "max_pool2d", true);
  check_not_bool(self, "max_pool2d");
  Tensor y4 = empty_in(g->y, g->channels_last, x.dtype(), x.device());
  Tensor index4 = empty_in(g->y, g->channels_last, DType::kInt64, x.device());
  run(&ScPoolKernels::max_forward, "max_pool2d", *g, ordered(x, g->channels_last), y4, index4);
  const bool drop = self.dim() == 3;
  Tensor y = unbatched(y4, drop);
  differentiable("MaxPool2DWithIndicesBackward0", y)
      .wrt(self,
           [g, index4, drop](const Tensor& d) {
             return drop ? squeeze_dim(max_adjoint(g, unsqueeze(d, 0), index4), 0)
                         : max_adjoint(g, d, index4);
           })
      .finish();
  return {y, unbatched(index4, drop)};
}
OP("max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] "
   "dilation=1, bool ceil_mode=False) -> (Tensor, "
   "Tensor)",
   max_pool2d_with_indices, kNN,
   R"(`max_pool2d`, and the place of each maximum: `h * W + w` within its plane, as int64.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html

@example
torch.nn.functional.max_pool2d_with_indices(torch.tensor([[[1, 2], [4, 3]]]), 2)[1] // tensor([[[2]]])
)");

static Tensor max_pool2d(const Tensor& self, const IntList& kernel_size, const IntList& stride,
                         const IntList& padding, const IntList& dilation, bool ceil_mode) {
  return std::get<0>(max_pool2d_with_indices(self, kernel_size, stride, padding, dilation, ceil_mode));
}
OP("max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool "
   "ceil_mode=False) -> Tensor",
   max_pool2d, kFunction | kNN,
   R"(The maxima of windows of `[N, C, H, W]` (or `[C, H, W]`): `H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down, or up with `ceil_mode`.

`stride` defaults to the kernel size. NaN counts as the greatest. Throws when the kernel, its padding or the sizes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html

@example
torch.max_pool2d(torch.tensor([[[1, 2], [4, 3]]]), 2) // tensor([[[4.]]])
)");

static int64_t one_of(const IntList& v, const char* name, const char* what) {
  SC_CHECK(v.size() == 1, name, "() ", what,
           " must be an int, list of ints or tuple of ints of size 1 but got size ", v.size());
  return v[0];
}

static std::tuple<Tensor, Tensor> max_pool1d_with_indices(const Tensor& self, const IntList& kernel_size,
                                                          const IntList& stride, const IntList& padding,
                                                          const IntList& dilation, bool ceil_mode) {
  const Dims& s = self.sizes();
  SC_CHECK(
      (self.dim() == 2 || self.dim() == 3) && s[self.dim() - 1] > 0 && s[self.dim() - 2] > 0,
      "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:",
      s);
  const int64_t k = one_of(kernel_size, "max_pool1d", "kernel_size"),
                st = stride.empty() ? k : one_of(stride, "max_pool1d", "stride"),
                pad = one_of(padding, "max_pool1d", "padding"),
                dil = one_of(dilation, "max_pool1d", "dilation");
  SC_CHECK(k > 0, "max_pool1d() kernel_size must be greater than zero, but got ", k);
  SC_CHECK(st > 0, "max_pool1d() stride must be greater than zero, but got ", st);
  SC_CHECK(pad >= 0, "max_pool1d() padding must be non-negative, but got ", pad);
  SC_CHECK(pad <= k / 2, "max_pool1d() padding should be at most half of kernel size, but got padding=", pad,
           " and kernel_size=", k);
  SC_CHECK(dil > 0, "max_pool1d() dilation must be greater than zero, but got ", dil);
  const int64_t out = pooled(s[self.dim() - 1], k, pad, st, dil, ceil_mode);
  SC_CHECK(out > 0, "max_pool1d() Invalid computed output size: ", out);
  auto [y, i] = max_pool2d_with_indices(unsqueeze(self, -2), {1, k}, {1, st}, {0, pad}, {1, dil}, ceil_mode);
  return {squeeze_dim(y, -2), squeeze_dim(i, -2)};
}
OP("max_pool1d_with_indices(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] "
   "dilation=1, bool ceil_mode=False) -> (Tensor, "
   "Tensor)",
   max_pool1d_with_indices, kFunction | kNN,
   R"(`max_pool1d`, and the place of each maximum along the last dimension, as int64.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool1d.html

@example
torch.max_pool1d_with_indices(torch.tensor([[1, 3, 2, 0]]), 2)[1] // tensor([[1, 2]])
)");
static Tensor max_pool1d(const Tensor& self, const IntList& kernel_size, const IntList& stride,
                         const IntList& padding, const IntList& dilation, bool ceil_mode) {
  return std::get<0>(max_pool1d_with_indices(self, kernel_size, stride, padding, dilation, ceil_mode));
}
OP("max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, bool "
   "ceil_mode=False) -> Tensor",
   max_pool1d, kFunction | kNN,
   R"(The maxima of windows along the last dimension of `[N, C, L]` or `[C, L]`. `stride` defaults to the kernel size.

Throws when the kernel, its padding or the sizes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool1d.html

@example
torch.max_pool1d(torch.tensor([[1, 3, 2, 0]]), 2) // tensor([[3., 2.]])
)");

static Tensor avg_pool2d(const Tensor& self, const IntList& kernel_size, const IntList& stride,
                         const IntList& padding, bool ceil_mode, bool count_include_pad,
                         const std::optional<int64_t>& divisor_override) {
  if (self.dim() == 3) {
    return squeeze_dim(avg_pool2d(unsqueeze(self, 0), kernel_size, stride, padding, ceil_mode,
                                  count_include_pad, divisor_override),
                       0);
  }
  SC_CHECK_INDEX(self.dim() > 2, "Dimension out of range (expected to be in range of [",
                 -std::max(self.dim(), 1), ", ", std::max(self.dim(), 1) - 1, "], but got -3)");
  SC_CHECK(self.dim() == 4,
           "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:",
           self.sizes());
  SC_CHECK(!divisor_override || *divisor_override != 0, "divisor must be not zero");
  auto g = prepare(self, self, {kernel_size, stride, padding, {1}, ceil_mode}, "avg_pool2d", false);
  check_not_bool(self, "avg_pool2d");
  g->count_include_pad = count_include_pad;
  g->divisor = divisor_override.value_or(0);
  return average(g, "AvgPool2DBackward0", self);
}
OP("avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, "
   "bool count_include_pad=True, int? "
   "divisor_override=None) -> Tensor",
   avg_pool2d, kNN,
   R"(The averages of windows of `[N, C, H, W]` or `[C, H, W]`. `stride` defaults to the kernel size.

With `count_include_pad` the zeros of the padding count; `divisor_override` replaces the number that a sum is divided by.
Throws when the kernel, its padding or the sizes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html

@example
torch.nn.functional.avg_pool2d(torch.tensor([[[1, 2], [4, 3]]]), 2) // tensor([[[2.5000]]])
)");

static void check_flat(const Tensor& self, const char* name) {
  SC_CHECK(self.dim() == 2 || self.dim() == 3, "Expected 2 to 3 dimensions, but got ", self.dim(),
           "-dimensional tensor for argument #1 'self' (while checking arguments for ", name, ")");
}

static Tensor avg_pool1d(const Tensor& self, const IntList& kernel_size, const IntList& stride,
                         const IntList& padding, bool ceil_mode, bool count_include_pad) {
  check_flat(self, "avg_pool1d");
  const auto flat = [](const IntList& v, const char* what, int64_t lead) -> IntList {
    SC_CHECK(v.size() == 1, "avg_pool1d() argument '", what, "' should contain one int (got ", v.size(), ")");
    return {lead, v[0]};
  };
  return squeeze_dim(avg_pool2d(unsqueeze(self, -2), flat(kernel_size, "kernel_size", 1),
                                stride.empty() ? IntList{} : flat(stride, "stride", 1),
                                flat(padding, "padding", 0), ceil_mode, count_include_pad, {}),
                     -2);
}
OP("avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, bool ceil_mode=False, "
   "bool count_include_pad=True) -> Tensor",
   avg_pool1d, kFunction | kNN,
   R"(The averages of windows along the last dimension of `[N, C, L]` or `[C, L]`. `stride` defaults to the kernel size.

Throws when the kernel, its padding or the sizes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool1d.html

@example
torch.avg_pool1d(torch.tensor([[1, 3, 2, 0]]), 2) // tensor([[2., 1.]])
)");

static Tensor adaptive_avg_pool2d(const Tensor& self, const IntList& output_size) {
  SC_CHECK(output_size.size() == 2 || output_size.size() == 1, "adaptive_avg_pool2d: output_size must be 2");
  const Dims out{output_size[0], output_size.back()};
  SC_CHECK(out[0] >= 0 && out[1] >= 0,
           "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received {",
           out[0], ", ", out[1], "}");
  SC_CHECK(self.dim() == 3 || self.dim() == 4, "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got ",
           self.sizes());
  for (int i = self.dim() - 2; i < self.dim(); ++i)
    SC_CHECK(self.sizes()[i] != 0,
             "adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but "
             "input has sizes ",
             self.sizes(), " with dimension ", i, " being empty");
  if (self.dim() == 3) return squeeze_dim(adaptive_avg_pool2d(unsqueeze(self, 0), output_size), 0);
  SC_CHECK(self.is_floating_point(), "\"adaptive_avg_pool2d\" not implemented for '",
           scalar_type_name(self.dtype()), "'");
  if (out[0] == 1 && out[1] == 1) return mean_dim(self, IntList{-1, -2}, true);
  auto g = std::make_shared<Geometry>();
  g->x = self.sizes();
  g->y = {self.sizes()[0], self.sizes()[1], out[0], out[1]};
  g->adaptive = true;
  g->channels_last = is_channels_last(self);
  return average(g, "AdaptiveAvgPool2DBackward0", self);
}
OP("adaptive_avg_pool2d(Tensor self, int[2] output_size) -> Tensor", adaptive_avg_pool2d, kNN,
   R"(Averages over `output_size` windows that cover `[N, C, H, W]` or `[C, H, W]` evenly: window `i` is `[floor(i H / H'), ceil((i + 1) H / H'))`.

Throws for a negative output size or an empty input.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html

@example
torch.nn.functional.adaptive_avg_pool2d(torch.tensor([[[1, 2], [4, 3]]]), 1) // tensor([[[2.5000]]])
)");

static Tensor adaptive_avg_pool1d(const Tensor& self, const IntList& output_size) {
  check_flat(self, "adaptive_avg_pool1d");
  SC_CHECK(output_size.size() == 1,
           "adaptive_avg_pool1d() argument 'output_size' should contain one int (got ", output_size.size(),
           ")");
  return squeeze_dim(adaptive_avg_pool2d(unsqueeze(self, -2), {1, output_size[0]}), -2);
}
OP("adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor", adaptive_avg_pool1d, kFunction | kNN,
   R"(Averages over `output_size` windows that cover the last dimension of `[N, C, L]` or `[C, L]` evenly.

Throws for a negative output size.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool1d.html

@example
torch.adaptive_avg_pool1d(torch.tensor([[1, 3, 2, 0]]), 2) // tensor([[2., 1.]])
)");

}  // namespace sconce::ops
