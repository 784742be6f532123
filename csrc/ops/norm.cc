// layer_norm and batch_norm. The kernels do first derivatives; when a graph of the gradient is wanted, the
// same formulas run in differentiable operators.
#include "ops.h"

namespace sconce::ops {
namespace {

// 16-bit floats are normalised in float32, as PyTorch's kernels do inside.
DType compute_dtype(const Tensor& x) { return is_reduced_floating(x.dtype()) ? DType::kFloat32 : x.dtype(); }
Tensor ready(const Tensor& t, DType dtype) { return t ? contiguous_raw(cast_raw(t, dtype)) : Tensor(); }
void* pointer(const Tensor& t) { return t ? t.data() : nullptr; }

// ---- layer_norm: Ba, Kiros and Hinton, "Layer Normalization", 2016 ----
ScRows rows_of(const Tensor& x, int normalized_dims) {
  int64_t n = 1;
  for (int i = x.dim() - normalized_dims; i < x.dim(); ++i) n *= x.sizes()[i];
  return {static_cast<int32_t>(x.dtype()), n ? x.numel() / n : 0, n};
}

// Gradients of input, weight, bias in differentiable operators.
TensorList layer_norm_gradients(const Tensor& g, const Tensor& x, const Tensor& weight, double eps,
                                int normalized_dims, const std::vector<bool>& needed) {
  IntList inner, outer;
  for (int i = 0; i < x.dim(); ++i) (i < x.dim() - normalized_dims ? outer : inner).push_back(i);
  const Tensor centred = x - mean_dim(x, inner, true);
  const Tensor rstd = rsqrt(mean_dim(centred * centred, inner, true) + Scalar(eps));
  const Tensor xhat = centred * rstd;
  TensorList out(3);
  if (needed[0]) {
    const Tensor gw = weight ? g * weight : g;
    out[0] = rstd * (gw - mean_dim(gw, inner, true) - xhat * mean_dim(gw * xhat, inner, true));
  }
  // The engine sums these down to [normalized_shape].
  if (needed.size() > 1 && needed[1]) out[1] = g * xhat;
  if (needed.size() > 2 && needed[2]) out[2] = g;
  return out;
}

Tensor layer_norm(const Tensor& input, const IntList& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  const Dims shape(normalized_shape);
  const int m = shape.size();
  SC_CHECK(m >= 1,
           "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
           "but got normalized_shape = ",
           shape);
  for (const auto& [t, name] : {std::pair<const Tensor&, const char*>{weight, "weight"}, {bias, "bias"}})
    SC_CHECK(!t || t.sizes() == shape, "Expected ", name,
             " to be of same shape as normalized_shape, but got ", name, " of shape ", t ? t.sizes() : Dims(),
             " and normalized_shape = ", shape);
  bool fits = input.dim() >= m;
  for (int i = 0; fits && i < m; ++i) fits = input.sizes()[input.dim() - m + i] == shape[i];
  if (!fits) {
    std::string tail;
    for (int64_t n : shape) tail += str(", ", n);
    throw_error(ErrorKind::kRuntime, str("Given normalized_shape=", shape, ", expected input with shape [*",
                                         tail, "], but got input of size", input.sizes()));
  }
  const DType t = compute_dtype(input);
  const Tensor x = ready(input, t), w = ready(weight, t), b = ready(bias, t);
  const ScRows s = rows_of(x, m);
  Tensor y = empty(x.sizes(), t, x.device()), mean = empty({s.rows}, t, x.device()),
         rstd = empty({s.rows}, t, x.device());
  const ScBackend& k = backend_of(x.device());
  SC_CHECK(k.norm.layer_norm, "\"layer_norm\" not implemented for ", device_name(x.device()));
  if (x.numel())
    check_kernel(
        k.norm.layer_norm(&s, x.data(), pointer(w), pointer(b), eps, y.data(), mean.data(), rstd.data()),
        x.device(), "layer_norm");
  y = cast_raw(y, input.dtype());
  return differentiable("NativeLayerNormBackward0", TensorList{y})
      .wrt_all({input, weight, bias},
               [x = saved(input), w = saved(weight), mean, rstd, eps, m, has_bias = bias.defined()](
                   const TensorList& gs, const std::vector<bool>& needed) -> TensorList {
                 const Tensor input = x(), weight = w();
                 if (recording()) return layer_norm_gradients(gs[0], input, weight, eps, m, needed);
                 const DType t = mean.dtype();
                 const Tensor g = ready(gs[0], t), xc = ready(input, t), wc = ready(weight, t);
                 const ScRows s = rows_of(xc, m);
                 Dims shape;
                 for (int i = xc.dim() - m; i < xc.dim(); ++i) shape.push_back(xc.sizes()[i]);
                 TensorList out(3);
                 if (needed[0]) out[0] = empty(xc.sizes(), t, xc.device());
                 if (needed[1]) out[1] = zeros_raw(shape, t, xc.device());
                 if (needed[2] && has_bias) out[2] = zeros_raw(shape, t, xc.device());
                 if (xc.numel())
                   check_kernel(backend_of(xc.device())
                                    .norm.layer_norm_backward(&s, g.data(), xc.data(), mean.data(),
                                                              rstd.data(), pointer(wc), pointer(out[0]),
                                                              pointer(out[1]), pointer(out[2])),
                                xc.device(), "layer_norm_backward");
                 return out;
               });
}

// ---- batch_norm: Ioffe and Szegedy, "Batch Normalization", 2015 ----
struct Layout {
  ScChannels s;
  Tensor x;  // in one of the two memory orders that the kernels take
};
Layout channels_of(const Tensor& input, DType t) {
  Layout l;
  const Tensor x = cast_raw(input, t);
  const bool last = x.dim() == 2 || (!x.is_contiguous() && x.is_contiguous(MemoryFormat::kChannelsLast));
  l.x = last && x.dim() != 2 ? x : contiguous_raw(x);
  const int64_t c = x.sizes()[1], n = x.sizes()[0];
  l.s = {static_cast<int32_t>(t), last ? 1 : 0, n, c, n * c != 0 ? x.numel() / (n * c) : 0};
  return l;
}
// `t` in the memory order of `like`.
Tensor in_order_of(const Tensor& t, const Tensor& like) {
  const Tensor c = cast_raw(t, like.dtype());
  if (c.strides() == like.strides()) return c;
  Tensor out = empty_like(like);
  copy_into(out, c);
  return out;
}

Dims channel_shape(const Tensor& x) {
  Dims d = Dims::filled(x.dim(), 1);
  d[1] = x.sizes()[1];
  return d;
}

TensorList batch_norm_gradients(const Tensor& g, const Tensor& x, const Tensor& weight,
                                const Tensor& running_mean, const Tensor& running_var, bool training,
                                double eps, const std::vector<bool>& needed) {
  IntList dims{0};
  for (int i = 2; i < x.dim(); ++i) dims.push_back(i);
  const Dims shape = channel_shape(x);
  const Tensor centred = x - (training ? mean_dim(x, dims, true) : view(running_mean, shape));
  const Tensor var = training ? mean_dim(centred * centred, dims, true) : view(running_var, shape);
  const Tensor rstd = rsqrt(var + Scalar(eps)), xhat = centred * rstd;
  TensorList out(3);
  if (needed[0]) {
    const Tensor gw = weight ? g * view(weight, shape) : g;
    out[0] = training ? rstd * (gw - mean_dim(gw, dims, true) - xhat * mean_dim(gw * xhat, dims, true))
                      : gw * rstd;
  }
  if (needed[1]) out[1] = sum_dim(g * xhat, dims, false);
  if (needed[2]) out[2] = sum_dim(g, dims, false);
  return out;
}

// running = (1 - momentum) * running + momentum * batch, in place and outside the graph.
void update_running(const Tensor& running, const Tensor& batch, double momentum) {
  NoGradGuard no_grad;
  copy_into(running, running * Scalar(1 - momentum) + to_dtype(batch, running.dtype()) * Scalar(momentum));
  running.bump_version();
}

}  // namespace

Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum, double eps) {
  SC_CHECK(input.dim() >= 2, "batch_norm: expected an input of at least 2 dimensions, but got ",
           input.sizes());
  const int64_t channels = input.sizes()[1], per_channel = channels ? input.numel() / channels : 0;
  if (training)
    SC_CHECK(per_channel != 1,
             "Expected more than 1 value per channel when training, got input size torch.Size(",
             input.sizes(), ")");
  else
    for (const auto& [t, name] :
         {std::pair<const Tensor&, const char*>{running_mean, "running_mean"}, {running_var, "running_var"}})
      SC_CHECK(t, name, " must be defined in evaluation mode");
  for (const auto& [t, name] : {std::pair<const Tensor&, const char*>{running_mean, "running_mean"},
                                {running_var, "running_var"},
                                {weight, "weight"},
                                {bias, "bias"}})
    SC_CHECK(!t || t.numel() == channels, name, " should contain ", channels, " elements not ",
             t ? t.numel() : 0);
  const DType t = compute_dtype(input);
  const Layout l = channels_of(input, t);
  const ScBackend& k = backend_of(input.device());
  SC_CHECK(k.norm.channel_stats, "\"batch_norm\" not implemented for ", device_name(input.device()));
  Tensor mean, rstd, scale, shift;
  {
    NoGradGuard no_grad;
    Tensor var;
    if (training) {
      mean = empty({channels}, t, input.device());
      var = empty({channels}, t, input.device());
      if (input.numel())
        check_kernel(k.norm.channel_stats(&l.s, l.x.data(), mean.data(), var.data()), input.device(),
                     "batch_norm");
      if (running_mean) update_running(running_mean, mean, momentum);
      if (running_var)  // the running variance is the unbiased one
        update_running(running_var,
                       var * Scalar(static_cast<double>(per_channel) / static_cast<double>(per_channel - 1)),
                       momentum);
    } else {
      mean = ready(running_mean, t);
      var = ready(running_var, t);
    }
    rstd = rsqrt(var + Scalar(eps));
    scale = weight ? contiguous_raw(cast_raw(weight, t)) * rstd : rstd;
    shift = bias ? contiguous_raw(cast_raw(bias, t)) - mean * scale : -(mean * scale);
  }
  Tensor y = empty_like(l.x);
  if (input.numel())
    check_kernel(k.norm.channel_affine(&l.s, l.x.data(), contiguous_raw(scale).data(),
                                       contiguous_raw(shift).data(), y.data()),
                 input.device(), "batch_norm");
  y = cast_raw(y, input.dtype());
  return differentiable("NativeBatchNormBackward0", TensorList{y})
      .wrt_all({input, weight, bias},
               [x = saved(input), w = saved(weight), rm = training ? Tensor() : running_mean,
                rv = training ? Tensor() : running_var, mean, rstd, training,
                eps](const TensorList& gs, const std::vector<bool>& needed) -> TensorList {
                 const Tensor input = x(), weight = w();
                 if (recording())
                   return batch_norm_gradients(gs[0], input, weight, rm, rv, training, eps, needed);
                 const DType t = mean.dtype();
                 const Layout l = channels_of(input, t);
                 const Tensor g = in_order_of(gs[0], l.x);
                 const ScBackend& k = backend_of(input.device());
                 Tensor sums = empty(mean.sizes(), t, input.device()),
                        dots = empty(mean.sizes(), t, input.device());
                 TensorList out(3);
                 if (input.numel() == 0) {
                   if (needed[0]) out[0] = zeros_like_raw(l.x);
                   if (needed[1]) out[1] = zeros_like_raw(mean);
                   if (needed[2]) out[2] = zeros_like_raw(mean);
                   return out;
                 }
                 if (training || needed[1] || needed[2])
                   check_kernel(k.norm.channel_grad_sums(&l.s, g.data(), l.x.data(), mean.data(), sums.data(),
                                                         dots.data()),
                                input.device(), "batch_norm_backward");
                 if (needed[1]) out[1] = dots * rstd;
                 if (needed[2]) out[2] = sums;
                 if (!needed[0]) return out;
                 // dx = a (dy - mean(dy) - xhat mean(dy xhat)) = a dy + b x + d
                 const Tensor a = weight ? cast_raw(weight, t) * rstd : rstd;
                 Tensor b, d;
                 if (training) {
                   const Scalar inverse(
                       1.0 / (static_cast<double>(l.x.numel()) / static_cast<double>(mean.numel())));
                   b = -(a * rstd * rstd * dots * inverse);
                   d = -(a * sums * inverse) - b * mean;
                 } else {
                   b = zeros_like_raw(mean);
                   d = b;
                 }
                 out[0] = empty_like(l.x);
                 check_kernel(k.norm.channel_affine2(&l.s, g.data(), l.x.data(), contiguous_raw(a).data(),
                                                     contiguous_raw(b).data(), contiguous_raw(d).data(),
                                                     out[0].data()),
                              input.device(), "batch_norm_backward");
                 return out;
               });
}

OP("layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float "
   "eps=1e-05) -> Tensor",
   layer_norm, kFunction | kNN,
   R"(Normalises over the last dimensions, those of `normalized_shape`: `(x - mean) / sqrt(var + eps) * weight + bias`, the variance being the biased one.

`weight` and `bias` have the shape `normalized_shape`. The result has the input's shape and dtype. Throws when the input does not end in `normalized_shape`.

Ba, Kiros and Hinton, "Layer Normalization", 2016. See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html

@example
torch.nn.functional.layer_norm(torch.tensor([[1, 3], [2, 6]]), [2]) // tensor([[-1.0000,  1.0000],
//         [-1.0000,  1.0000]])
)");
OP("batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, Tensor? "
   "bias=None, bool training=False, float "
   "momentum=0.1, float eps=1e-05) -> Tensor",
   batch_norm, kNN,
   R"(Normalises each channel (dimension 1) over all others: `(x - mean) / sqrt(var + eps) * weight + bias`.

`input` is [N, C] or [N, C, d1, ...]; the other tensors are [C]. With `training`, mean and biased variance are the batch's, and the running ones move
towards them in place by `momentum` (the variance unbiased); otherwise the running ones are used.
Throws for a single value per channel in training, and for tensors of another length.

Ioffe and Szegedy, "Batch Normalization", 2015. See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html

@example
torch.nn.functional.batch_norm(torch.tensor([[1, 2], [3, 6]]), null, null, { training: true }) // tensor([[-1.0000, -1.0000],
//         [ 1.0000,  1.0000]])
)");

}  // namespace sconce::ops
