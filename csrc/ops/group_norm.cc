// group_norm and instance_norm.
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

// ---- instance_norm ----
static Tensor instance_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                            const Tensor& weight, const Tensor& bias, bool use_input_stats, double momentum,
                            double eps) {
  SC_CHECK(input.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", input.dim());
  const int64_t n = input.size(0), channels = input.size(1);
  if (use_input_stats) {
    int64_t spatial = 1;
    for (int i = 2; i < input.dim(); ++i) spatial *= input.sizes()[i];
    SC_CHECK(spatial != 1, "Expected more than 1 spatial element when training, got input size torch.Size(",
             input.sizes(), ")");
  }
  SC_CHECK(use_input_stats || (running_mean && running_var),
           "Expected running_mean and running_var to be defined when use_input_stats is false");
  // Every image's channels become channels of one image.
  Dims folded = input.sizes();
  folded[0] = 1;
  folded[1] = n * channels;
  const auto repeated = [&](const Tensor& t) { return t ? repeat(t, {n}) : t; };
  const Tensor mean = repeated(running_mean), var = repeated(running_var);
  const Tensor y = batch_norm(view(contiguous(input), folded), mean, var, repeated(weight), repeated(bias),
                              use_input_stats, momentum, eps);
  if (use_input_stats) {
    NoGradGuard no_grad;
    const auto write_back = [&](const Tensor& running, const Tensor& all) {
      if (!running) return;
      copy_into(running, mean_dim(view(all, {n, channels}), IntList{0}));
      running.bump_version();
    };
    write_back(running_mean, mean);
    write_back(running_var, var);
  }
  return view(y, input.sizes());
}
OP("instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, Tensor? weight=None, "
   "Tensor? bias=None, "
   "bool use_input_stats=True, float momentum=0.1, float eps=1e-05) -> Tensor",
   instance_norm, kNN,
   R"(Normalises each channel of each image by itself: `(x - mean) / sqrt(var + eps) * weight + bias` over the spatial dimensions.

Throws when sizes do not match, and for a single spatial element.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html

@example
torch.nn.functional.instance_norm(torch.tensor([[[1, 3]]]), null, null, null, null, true, 0.1, 0) // tensor([[[-1.,  1.]]])
)");

// ---- group_norm: Wu and He, "Group Normalization", 2018 ----
namespace {
struct Groups {
  int64_t n, groups, per_group, spatial;
  Dims shape() const { return {n, groups, per_group, spatial}; }
  Dims weight_shape() const { return {1, groups, per_group, 1}; }
};
DType compute_dtype(const Tensor& x) { return is_reduced_floating(x.dtype()) ? DType::kFloat32 : x.dtype(); }
// (x - mean) / sqrt(var + eps) over each group.
Tensor normalised(const Tensor& x, double eps, Tensor* rstd) {
  const IntList within{2, 3};
  const Tensor centred = x - mean_dim(x, within, true);
  *rstd = rsqrt(mean_dim(centred * centred, within, true) + Scalar(eps));
  return centred * *rstd;
}
}  // namespace

static Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                         double eps) {
  SC_CHECK(input.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", input.dim());
  const int64_t n = input.size(0), channels = input.size(1);
  SC_CHECK(num_groups > 0, "Expected num groups to be greater than 0, got ", num_groups);
  SC_CHECK(channels % num_groups == 0,
           "Expected number of channels in input to be divisible by num_groups, but got input of shape ",
           input.sizes(), " and num_groups=", num_groups);
  SC_CHECK(!weight || (weight.dim() == 1 && weight.numel() == channels),
           "Expected weight to be a vector of size equal to the number of channels in input, but got weight "
           "of shape ",
           weight ? weight.sizes() : Dims(), " and input of shape ", input.sizes());
  SC_CHECK(
      !bias || (bias.dim() == 1 && bias.numel() == channels),
      "Expected bias to be a vector of size equal to the number of channels in input, but got bias of shape ",
      bias ? bias.sizes() : Dims(), " and input of shape ", input.sizes());
  SC_CHECK(is_floating(input.dtype()), "\"GroupNormKernelImpl\" not implemented for '",
           scalar_type_name(input.dtype()), "'");
  const Groups at{n, num_groups, channels / num_groups, input.numel() ? input.numel() / (n * channels) : 0};
  Tensor y;
  {
    NoGradGuard no_grad;
    Tensor rstd;
    const DType t = compute_dtype(input);
    y = normalised(reshape(to_dtype(input, t), at.shape()), eps, &rstd);
    if (weight) y = y * to_dtype(reshape(weight, at.weight_shape()), t);
    if (bias) y = y + to_dtype(reshape(bias, at.weight_shape()), t);
    y = reshape(to_dtype(y, input.dtype()), input.sizes()).detach();
  }
  return differentiable("NativeGroupNormBackward0", y)
      .wrt_all({input, weight, bias}, [at, eps, channels, input = saved(input), weight = saved(weight)](
                                          const TensorList& grads, const std::vector<bool>& needed) {
        const Tensor x = input(), w = weight();
        const DType t = compute_dtype(x);
        const Tensor g = to_dtype(reshape(grads[0], at.shape()), t);
        const IntList within{2, 3}, over{0, 3};
        Tensor rstd;
        const Tensor hat = normalised(reshape(to_dtype(x, t), at.shape()), eps, &rstd);
        TensorList out(3);
        if (needed[0]) {
          const Tensor gw = w ? g * to_dtype(reshape(w, at.weight_shape()), t) : g;
          const Tensor d = rstd * (gw - mean_dim(gw, within, true) - hat * mean_dim(gw * hat, within, true));
          out[0] = reshape(d, x.sizes());
        }
        if (needed[1]) out[1] = reshape(sum_dim(g * hat, over, false), {channels});
        if (needed[2]) out[2] = reshape(sum_dim(g, over, false), {channels});
        return out;
      });
}
OP("group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05) -> "
   "Tensor",
   group_norm, kFunction | kNN,
   R"(Normalises groups of channels: `(x - mean) / sqrt(var + eps) * weight + bias`, with statistics over each group and its spatial dimensions.

The number of channels (dimension 1) must be divisible by `num_groups`; `weight` and `bias` have one element per channel. Throws otherwise, and for integers.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html

@example
torch.nn.functional.group_norm(torch.tensor([[1, 3]]), 1, null, null, 0) // tensor([[-1.,  1.]])
)");

}  // namespace sconce::ops
