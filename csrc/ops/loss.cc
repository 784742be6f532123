// Losses that compare two tensors element by element.
#include "loss.h"

#include "pointwise.h"

namespace sconce::ops {

Reduction parse_reduction(const std::string& text, const std::optional<bool>& size_average,
                          const std::optional<bool>& reduce) {
  if (size_average || reduce) {  // the deprecated pair wins, as in PyTorch
    if (!reduce.value_or(true)) return Reduction::kNone;
    return size_average.value_or(true) ? Reduction::kMean : Reduction::kSum;
  }
  if (text == "none") return Reduction::kNone;
  if (text == "mean") return Reduction::kMean;
  if (text == "sum") return Reduction::kSum;
  throw_error(ErrorKind::kRuntime, str(text, " is not a valid value for reduction"));
}

Tensor reduced(const Tensor& values, Reduction r) {
  return r == Reduction::kNone ? values : r == Reduction::kMean ? mean(values) : sum(values);
}

Scalar mean_factor(Reduction r, int64_t n) {
  return r == Reduction::kMean ? Scalar(1.0 / static_cast<double>(n)) : Scalar(1);
}

namespace {

Tensor reduced_raw(const Tensor& values, Reduction r) {
  NoGradGuard no_grad;
  return reduced(values, r);
}

// sum(weight * values) / sum(weight) for the mean.
Tensor weighted(const Tensor& values, const Tensor& weight, Reduction r) {
  SC_CHECK(values.sizes() == weight.sizes(), "Inputs and weight must have the same size.");
  const Tensor product = values * weight;
  return r == Reduction::kMean ? sum(product) / sum(weight) : reduced(product, r);
}

struct Pair {
  Tensor input, target;
};
// Both in their common dtype and shape.
Pair matched(const Tensor& input, const Tensor& target) {
  const Dims shape = broadcast_shapes(input.sizes(), target.sizes());
  const DType t = result_type(input, target);
  return {expand(to_dtype(input, t), shape), expand(to_dtype(target, t), shape)};
}

// ---- squares ----
Tensor mse(const Tensor& x, const Tensor& t, Reduction r) {
  Tensor y = reduced_raw(binary(SC_SQUARED_DIFFERENCE, x, t), r);
  const Scalar k = mean_factor(r, x.numel()).to_double() * 2;
  return differentiable("MseLossBackward0", y)
      .wrt(x, [x = saved(x), t = saved(t), k](const Tensor& g) { return (x() - t()) * (g * k); })
      .wrt(t, [x = saved(x), t = saved(t), k](const Tensor& g) { return (t() - x()) * (g * k); });
}

Tensor mse_loss(const Tensor& input, const Tensor& target, const std::optional<bool>& size_average,
                const std::optional<bool>& reduce, const std::string& reduction, const Tensor& weight) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  const auto [x, t] = matched(input, target);
  return weight ? weighted(mse(x, t, Reduction::kNone), weight, r) : mse(x, t, r);
}

// ---- absolute differences, and their smooth forms ----
Tensor l1_loss(const Tensor& input, const Tensor& target, const std::optional<bool>& size_average,
               const std::optional<bool>& reduce, const std::string& reduction, const Tensor& weight) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  const auto [x, t] = matched(input, target);
  const Tensor difference = abs(x - t);
  return weight ? weighted(difference, weight, r) : reduced(difference, r);
}

// The derivative of both smooth losses is a clamped difference.
Tensor clamped(const Tensor& d, double bound) {
  Tensor y = unary(SC_CLAMP, d, {{-bound, bound}});
  return differentiable("ClampBackward1", y).wrt(d, [d = saved(d), bound](const Tensor& g) {
    return g * to_dtype(le(abs(d()), scalar_tensor(bound, d().dtype(), d().device())), g.dtype());
  });
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const std::optional<bool>& size_average,
                      const std::optional<bool>& reduce, const std::string& reduction, double beta) {
  SC_CHECK(beta >= 0, "smooth_l1_loss does not support negative values for beta.");
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  const auto [x, t] = matched(input, target);
  if (beta == 0) return reduced(abs(x - t), r);
  Tensor y = reduced_raw(binary(SC_SMOOTH_L1, x, t, {{beta}}), r);
  const Scalar k = mean_factor(r, x.numel()).to_double() / beta;
  return differentiable("SmoothL1LossBackward0", y)
      .wrt(x, [x = saved(x), t = saved(t), k,
               beta](const Tensor& g) { return clamped(x() - t(), beta) * (g * k); })
      .wrt(t, [x = saved(x), t = saved(t), k, beta](const Tensor& g) {
        return clamped(t() - x(), beta) * (g * k);
      });
}

Tensor huber(const Tensor& x, const Tensor& t, double delta, Reduction r) {
  Tensor y = reduced_raw(binary(SC_HUBER, x, t, {{delta}}), r);
  const Scalar k = mean_factor(r, x.numel());
  return differentiable("HuberLossBackward0", y)
      .wrt(x, [x = saved(x), t = saved(t), k,
               delta](const Tensor& g) { return clamped(x() - t(), delta) * (g * k); })
      .wrt(t, [x = saved(x), t = saved(t), k, delta](const Tensor& g) {
        return clamped(t() - x(), delta) * (g * k);
      });
}

Tensor huber_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double delta,
                  const Tensor& weight) {
  SC_CHECK(delta > 0, "huber_loss does not support non-positive values for delta.");
  const Reduction r = parse_reduction(reduction);
  const auto [x, t] = matched(input, target);
  if (!weight) return huber(x, t, delta, r);
  SC_CHECK(x.sizes() == weight.sizes(), "Inputs and weight must have the same size.");
  return reduced(huber(x, t, delta, Reduction::kNone) * weight, r);
}

// ---- probabilities ----
// -w (t log x + (1 - t) log(1 - x)), the logarithms cut at -100 as in PyTorch
Tensor cut_log(const Tensor& x) {
  NoGradGuard no_grad;
  return maximum(log(x), scalar_tensor(-100.0, x.dtype(), x.device()));
}

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            const std::optional<bool>& size_average, const std::optional<bool>& reduce,
                            const std::string& reduction) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  SC_CHECK(input.sizes() == target.sizes(), "Using a target size (torch.Size(", target.sizes(),
           ")) that is different to the input size (torch.Size(", input.sizes(),
           ")) is deprecated. Please ensure they have the same size.");
  SC_CHECK(input.dtype() == target.dtype(), "Found dtype ", scalar_type_name(target.dtype()),
           " but expected ", scalar_type_name(input.dtype()));
  Tensor w = weight ? expand(weight, input.sizes()) : Tensor();
  Tensor y;
  {
    NoGradGuard no_grad;
    if (input.device().is_cpu() && input.numel()) {
      const Tensor ok =
          logical_and(ge(input, scalar_tensor(0, input.dtype())), le(input, scalar_tensor(1, input.dtype())));
      SC_CHECK(*amin(to_dtype(ok, DType::kUInt8)).data_as<uint8_t>() == 1,
               "all elements of input should be between 0 and 1");
    }
    Tensor values =
        (target - Scalar(1)) * maximum(log1p(-input), scalar_tensor(-100.0, input.dtype(), input.device())) -
        target * cut_log(input);
    if (w) values = values * w;
    y = reduced(values, r);
  }
  const Scalar k = mean_factor(r, input.numel());
  return differentiable("BinaryCrossEntropyBackward0", y)
      .wrt(input,
           [x = saved(input), t = saved(target), w = saved(w), k](const Tensor& g) {
             const Tensor p = x();
             Tensor out = (p - t()) /
                          maximum((Scalar(1) - p) * p, scalar_tensor(1e-12, p.dtype(), p.device())) * (g * k);
             return w.has_value() ? out * w() : out;
           })
      .wrt(target, [x = saved(input), w = saved(w), k](const Tensor& g) {
        const Tensor p = x();
        Tensor out = (log1p(-p) - log(p)) * (g * k);
        return w.has_value() ? out * w() : out;
      });
}

// (1 - t) x + (1 + (p - 1) t) (log(1 + exp(-|x|)) + max(-x, 0)) with p = pos_weight
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight,
                                        const std::optional<bool>& size_average,
                                        const std::optional<bool>& reduce, const std::string& reduction,
                                        const Tensor& pos_weight) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  SC_CHECK(input.sizes() == target.sizes(), "Target size (torch.Size(", target.sizes(),
           ")) must be the same as input size (torch.Size(", input.sizes(), "))");
  Tensor y;
  {
    NoGradGuard no_grad;
    const Tensor soft = softplus(-input);  // log(1 + exp(-x)), stable for any x
    Tensor values = (Scalar(1) - target) * input +
                    (pos_weight ? (Scalar(1) + (pos_weight - Scalar(1)) * target) * soft : soft);
    if (weight) values = values * weight;
    y = reduced(values, r);
  }
  const Scalar k = mean_factor(r, input.numel());
  return differentiable("BinaryCrossEntropyWithLogitsBackward0", y)
      .wrt(input,
           [x = saved(input), t = saved(target), w = saved(weight), p = saved(pos_weight),
            k](const Tensor& g) {
             const Tensor s = sigmoid(x());
             Tensor out = s - t();
             if (p.has_value()) {
               const Tensor tp = t() * p();
               out = (tp + Scalar(1) - t()) * s - tp;
             }
             out = out * (g * k);
             return w.has_value() ? out * w() : out;
           })
      .wrt(target, [x = saved(input), w = saved(weight), p = saved(pos_weight), k](const Tensor& g) {
        const Tensor v = x();
        Tensor out = p.has_value() ? (p() - Scalar(1)) * softplus(-v) - v : -v;
        out = out * (g * k);
        return w.has_value() ? out * w() : out;
      });
}

// t (log t - x), or exp(t) (t - x) for a target of logarithms
Tensor kl_div(const Tensor& input, const Tensor& target, const std::optional<bool>& size_average,
              const std::optional<bool>& reduce, const std::string& reduction, bool log_target) {
  const bool batchmean = reduction == "batchmean";
  const Reduction r = batchmean ? Reduction::kSum : parse_reduction(reduction, size_average, reduce);
  const Tensor values = log_target ? exp(target) * (target - input) : xlogy(target, target) - target * input;
  const Tensor y = reduced(values, r);
  return batchmean && input.dim() > 0 ? y / Scalar(input.size(0)) : y;
}

}  // namespace

OP("mse_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', "
   "Tensor? weight=None) -> Tensor",
   mse_loss, kNN,
   R"(Mean squared error: the mean of `(input - target)^2`.

Shapes broadcast. `reduction` is `'mean'`, `'sum'` or `'none'`; `weight` (of the input's shape) makes the mean a weighted one.
`size_average` and `reduce` are PyTorch's deprecated ways to say it. Throws when the shapes do not broadcast or the reduction is unknown.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html

@example
torch.nn.functional.mse_loss(torch.tensor([1, 2]), torch.tensor([1, 4])) // tensor(2.)
)");
OP("l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', "
   "Tensor? weight=None) -> Tensor",
   l1_loss, kNN,
   R"(Mean absolute error: the mean of `|input - target|`. Arguments as for `mse_loss`.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html

@example
torch.nn.functional.l1_loss(torch.tensor([1, 2]), torch.tensor([1, 4])) // tensor(1.)
)");
OP("smooth_l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
   "reduction='mean', float beta=1.0) -> Tensor",
   smooth_l1_loss, kNN,
   R"(With `d = |input - target|`: `d^2 / (2 beta)` below `beta`, `d - beta / 2` above; `beta` 0 is the L1 loss. Throws for a negative `beta`.

Girshick, "Fast R-CNN", 2015. See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.smooth_l1_loss.html

@example
torch.nn.functional.smooth_l1_loss(torch.tensor([0, 0]), torch.tensor([0.5, 2]), { reduction: 'none' }) // tensor([0.1250, 1.5000])
)");
OP("huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0, Tensor? weight=None) -> "
   "Tensor",
   huber_loss, kNN,
   R"(With `d = |input - target|`: `d^2 / 2` below `delta`, `delta (d - delta / 2)` above. Throws unless `delta` is positive.

Huber, "Robust Estimation of a Location Parameter", 1964. See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.huber_loss.html

@example
torch.nn.functional.huber_loss(torch.tensor([0, 0]), torch.tensor([1, 4]), { reduction: 'none', delta: 2 }) // tensor([0.5000, 6.0000])
)");
OP("binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? "
   "reduce=None, str reduction='mean') -> Tensor",
   binary_cross_entropy, kNN,
   R"(`-(target log(input) + (1 - target) log(1 - input))` for probabilities `input`; each logarithm is cut at -100.

`input` and `target` have one shape and dtype; `weight` broadcasts to it. Throws when sizes differ, or an input lies outside [0, 1].

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html

@example
torch.nn.functional.binary_cross_entropy(torch.tensor([0.5, 0.5]), torch.tensor([0, 1])) // tensor(0.6931)
)");
OP("binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, bool? "
   "size_average=None, bool? reduce=None, str "
   "reduction='mean', Tensor? pos_weight=None) -> Tensor",
   binary_cross_entropy_with_logits, kNN,
   R"(Binary cross entropy of `sigmoid(input)`, computed from the logits so that it neither overflows nor loses digits.

`weight` and `pos_weight` (the weight of positive targets) broadcast to the input. Throws when sizes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html

@example
torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([0, 0]), torch.tensor([0, 1])) // tensor(0.6931)
)");
OP("kl_div(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', "
   "bool log_target=False) -> Tensor",
   kl_div, kNN,
   R"(Kullback-Leibler divergence of `target` from `exp(input)`: `target (log(target) - input)`.

`input` holds logarithms of probabilities, and so does `target` with `log_target`. `reduction` may also be `'batchmean'`: the sum over the batch size.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html

@example
torch.nn.functional.kl_div(torch.tensor([0, 0]), torch.tensor([1, 1]), { reduction: 'sum' }) // tensor(0.)
)");

}  // namespace sconce::ops
