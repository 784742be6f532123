// Losses between a prediction and a target of the same shape.
#include "loss.h"

#include "ops.h"
#include "pointwise.h"
#include "reduction.h"

namespace sconce::ops {

Reduction parse_reduction(const std::string& text, const std::optional<bool>& size_average,
                          const std::optional<bool>& reduce) {
  if (size_average || reduce) {
    if (!reduce.value_or(true)) return Reduction::kNone;
    return size_average.value_or(true) ? Reduction::kMean : Reduction::kSum;
  }
  if (text == "mean") return Reduction::kMean;
  if (text == "sum") return Reduction::kSum;
  SC_CHECK(text == "none", text, " is not a valid value for reduction");
  return Reduction::kNone;
}

Tensor reduced_raw(const Tensor& loss, Reduction r) {
  if (r == Reduction::kNone) return loss;
  return reduce(r == Reduction::kMean ? SC_RED_MEAN : SC_RED_SUM, loss, reduce_dims(loss, nullptr), false,
                loss.dtype());
}
Tensor reduced(const Tensor& loss, Reduction r) {
  if (r == Reduction::kNone) return loss;
  return r == Reduction::kMean ? mean(loss) : sum(loss);
}

namespace {
using OptBool = std::optional<bool>;

// The gradient of each element's loss.
Tensor spread(const Tensor& g, Reduction r, int64_t n) {
  return r == Reduction::kMean ? div_scalar(g, n) : g;
}

void check_loss_dtype(const char* kernel, DType t) {
  SC_CHECK(is_floating(t), "\"", kernel, "\" not implemented for '", scalar_type_name(t), "'");
}

struct Pair {
  Tensor input, target;
};
Pair matched(const Tensor& input, const Tensor& target) {
  const DType t = result_type(input, target);
  const Dims shape = broadcast_shapes(input.sizes(), target.sizes());
  const auto fit = [&](const Tensor& x) {
    const Tensor y = to_dtype(x, t);
    return y.sizes() == shape ? y : expand(y, shape);
  };
  return {fit(input), fit(target)};
}

// A loss of the difference d = input - target alone; `slope` is its derivative with respect to d.
template <class Slope>
Tensor difference_loss(const char* node, ScBinaryOp op, const Tensor& input0, const Tensor& target0,
                       Reduction r, double p, const Slope& slope) {
  const Pair pair = matched(input0, target0);
  const Tensor &input = pair.input, &target = pair.target;
  Tensor y = reduced_raw(binary(op, input, target, {{p}}), r);
  const int64_t n = input.numel();
  return differentiable(node, y)
      .wrt(input, [r, n, p, slope, x = saved(input),
                   t = saved(target)](const Tensor& g) { return spread(g, r, n) * slope(x() - t(), p); })
      .wrt(target, [r, n, p, slope, x = saved(input), t = saved(target)](const Tensor& g) {
        return spread(g, r, n) * slope(t() - x(), p);
      });
}

void check_weight(const Tensor& input, const Tensor& weight) {
  SC_CHECK(weight.sizes() == input.sizes(), "Weights and input must have the same size.");
}
}  // namespace

// ---- squared, absolute and in between ----
static Tensor mse_loss(const Tensor& input, const Tensor& target, const OptBool& size_average,
                       const OptBool& reduce, const std::string& reduction, const Tensor& weight) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  check_loss_dtype("mse_cpu", result_type(input, target));
  const auto loss = [&](Reduction how) {
    return difference_loss("MseLossBackward0", SC_SQUARED_DIFFERENCE, input, target, how, 0,
                           [](const Tensor& d, double) { return d * 2; });
  };
  if (!weight) return loss(r);
  check_weight(input, weight);
  const Tensor y = loss(Reduction::kNone) * weight;
  return r == Reduction::kMean ? sum(y) / sum(weight) : reduced(y, r);
}
OP("mse_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', "
   "Tensor? weight=None) -> Tensor",
   mse_loss, kNN,
   R"(The squared difference `(input - target) ** 2`, reduced by `reduction`: `'mean'`, `'sum'` or `'none'`.

Shapes broadcast. With `weight` (of the input's shape) the mean is the weighted one. Throws for integers and for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html

@example
torch.nn.functional.mse_loss(torch.tensor([1, 2]), torch.tensor([1, 4])) // tensor(2.)
)");

static Tensor l1_loss(const Tensor& input, const Tensor& target, const OptBool& size_average,
                      const OptBool& reduce, const std::string& reduction, const Tensor& weight) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  if (!weight) return reduced(abs(input - target), r);
  check_weight(input, weight);
  const Tensor y = abs(input - target) * weight;
  return r == Reduction::kMean ? sum(y) / sum(weight) : reduced(y, r);
}
OP("l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', "
   "Tensor? weight=None) -> Tensor",
   l1_loss, kNN,
   R"(The absolute difference `|input - target|`, reduced by `reduction`: `'mean'`, `'sum'` or `'none'`.

Shapes broadcast. With `weight` (of the input's shape) the mean is the weighted one. Throws for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html

@example
torch.nn.functional.l1_loss(torch.tensor([1, 2]), torch.tensor([1, 4])) // tensor(1.)
)");

static Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const OptBool& size_average,
                             const OptBool& reduce, const std::string& reduction, double beta) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  SC_CHECK(beta >= 0, "smooth_l1_loss does not support negative values for beta.");
  if (beta == 0) return l1_loss(input, target, {}, {}, reduction, {});
  check_loss_dtype("smooth_l1_cpu", result_type(input, target));
  return difference_loss(
      "SmoothL1LossBackward0", SC_SMOOTH_L1, input, target, r, beta,
      [](const Tensor& d, double b) { return where(compare(SC_LT, abs(d), Scalar(b)), d / b, sign(d)); });
}
OP("smooth_l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
   "reduction='mean', float beta=1.0) -> Tensor",
   smooth_l1_loss, kNN,
   R"(Of the difference d: `d ** 2 / (2 * beta)` where `|d| < beta`, else `|d| - beta / 2`, reduced by `reduction`: `'mean'`, `'sum'` or `'none'`.

Shapes broadcast. Throws for a negative `beta` and for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.smooth_l1_loss.html

@example
torch.nn.functional.smooth_l1_loss(torch.tensor([0, 0]), torch.tensor([1, 3])) // tensor(1.5000)
)");

static Tensor huber_loss(const Tensor& input, const Tensor& target, const std::string& reduction,
                         double delta, const Tensor& weight) {
  const Reduction r = parse_reduction(reduction);
  SC_CHECK(delta > 0, "huber_loss does not support non-positive values for delta.");
  check_loss_dtype("huber_cpu", result_type(input, target));
  if (weight) check_weight(input, weight);
  const Tensor y = difference_loss(
      "HuberLossBackward0", SC_HUBER, input, target, weight ? Reduction::kNone : r, delta,
      [](const Tensor& d, double b) { return where(compare(SC_LE, abs(d), Scalar(b)), d, sign(d) * b); });
  return weight ? reduced(y * weight, r) : y;
}
OP("huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0, Tensor? weight=None) -> "
   "Tensor",
   huber_loss, kNN,
   R"(Of the difference d: `d ** 2 / 2` where `|d| <= delta`, else `delta * (|d| - delta / 2)`, reduced by `reduction`: `'mean'`, `'sum'` or `'none'`.

Shapes broadcast. Throws for a `delta` that is not positive and for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.huber_loss.html

@example
torch.nn.functional.huber_loss(torch.tensor([0, 0]), torch.tensor([1, 3])) // tensor(1.5000)
)");

// ---- probabilities ----
static Tensor kl_div(const Tensor& input, const Tensor& target, const OptBool& size_average,
                     const OptBool& reduce, const std::string& reduction, bool log_target) {
  const bool batch = reduction == "batchmean" && !size_average && !reduce;
  const Reduction r = batch ? Reduction::kSum : parse_reduction(reduction, size_average, reduce);
  const Tensor y = log_target ? exp(target) * (target - input) : xlogy(target, target) - target * input;
  const Tensor total = reduced(y, r);
  return batch && input.dim() > 0 ? div_scalar(total, input.size(0)) : total;
}
OP("kl_div(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', "
   "bool log_target=False) -> Tensor",
   kl_div, kNN,
   R"(The Kullback-Leibler divergence `target * (log(target) - input)`, where `input` holds logarithms (and `target` too with `log_target`).

`reduction` is `'mean'`, `'batchmean'` (the sum over the first dimension's size), `'sum'` or `'none'`. Shapes broadcast. Throws for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html

@example
torch.nn.functional.kl_div(torch.tensor([0, 0]), torch.tensor([1, 1]), { reduction: 'sum' }) // tensor(0.)
)");

static std::string size_text(const Tensor& t) { return str("torch.Size(", t.sizes(), ")"); }

// -w (t log x + (1 - t) log(1 - x)), each logarithm no less than -100
static Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight0,
                                   const OptBool& size_average, const OptBool& reduce,
                                   const std::string& reduction) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  SC_CHECK(target.sizes() == input.sizes(), "Using a target size (", size_text(target),
           ") that is different to the input size (", size_text(input),
           ") is deprecated. Please ensure they have the same size.");
  check_loss_dtype("binary_cross_entropy", input.dtype());
  SC_CHECK(target.dtype() == input.dtype(), "Found dtype ", scalar_type_name(target.dtype()),
           " but expected ", scalar_type_name(input.dtype()));
  Tensor weight;
  if (weight0) weight = expand(weight0, broadcast_shapes(weight0.sizes(), target.sizes()));
  Tensor y;
  {
    NoGradGuard no_grad;
    if (input.numel() > 0) {
      const Tensor inside = logical_and(compare(SC_GE, input, Scalar(0)), compare(SC_LE, input, Scalar(1)));
      SC_CHECK(!has_zero(inside), "all elements of input should be between 0 and 1");
    }
    const auto floored = [](const Tensor& x) { return unary(SC_CLAMP, x, {{-100, HUGE_VAL}}); };
    y = (target - Scalar(1)) * floored(log1p(neg(input))) - target * floored(log(input));
    if (weight) y = y * weight;
    y = reduced_raw(y, r);
  }
  const int64_t n = input.numel();
  return differentiable("BinaryCrossEntropyBackward0", y)
      .wrt(input,
           [r, n, x = saved(input), t = saved(target), w = saved(weight)](const Tensor& g) {
             const Tensor p = x(), scale = w() ? spread(g, r, n) * w() : spread(g, r, n);
             const Tensor variance = p * (Scalar(1) - p);
             return scale * (p - t()) /
                    where_scalar(compare(SC_GE, variance, Scalar(1e-12)), variance, 1e-12);
           })
      .wrt(target, [r, n, x = saved(input), w = saved(weight)](const Tensor& g) {
        const Tensor p = x(), scale = w() ? spread(g, r, n) * w() : spread(g, r, n);
        return scale * (log1p(neg(p)) - log(p));
      });
}
OP("binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? "
   "reduce=None, "
   "str reduction='mean') -> Tensor",
   binary_cross_entropy, kNN,
   R"(The cross entropy of probabilities: `-(target * log(input) + (1 - target) * log(1 - input))`, times `weight`; logarithms are at least -100.

`reduction` is `'mean'`, `'sum'` or `'none'`. Throws when the shapes or dtypes differ, for an input outside 0..1, and for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html

@example
torch.nn.functional.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1])) // tensor(0.6931)
)");

// log(sigmoid(x)) in differentiable operators; the threshold is beyond what exp(-x) adds to in any dtype.
static Tensor log_of_sigmoid(const Tensor& x) { return neg(softplus(neg(x), 1, 50)); }

// (1 - t) x - (1 + (pos_weight - 1) t) log(sigmoid(x)), times w
static Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                               const Tensor& weight, const OptBool& size_average,
                                               const OptBool& reduce, const std::string& reduction,
                                               const Tensor& pos_weight) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  SC_CHECK(target.sizes() == input.sizes(), "Target size (", size_text(target),
           ") must be the same as input size (", size_text(input), ")");
  Tensor y;
  {
    NoGradGuard no_grad;
    const Tensor ls = unary(SC_LOGSIGMOID, cast_raw(input, floating_dtype(input.dtype())));
    y = (Scalar(1) - target) * input -
        (pos_weight ? (target * (pos_weight - Scalar(1)) + Scalar(1)) * ls : ls);
    if (weight) y = y * weight;
    y = reduced_raw(y, r);
  }
  const int64_t n = input.numel();
  return differentiable("BinaryCrossEntropyWithLogitsBackward0", y)
      .wrt(input,
           [r, n, x = saved(input), t = saved(target), w = saved(weight),
            pw = saved(pos_weight)](const Tensor& g) {
             const Tensor scale = w() ? spread(g, r, n) * w() : spread(g, r, n), p = sigmoid(x()), to = t();
             if (!pw()) return scale * (p - to);
             const Tensor weighted = pw() * to;
             return scale * ((weighted + Scalar(1) - to) * p - weighted);
           })
      .wrt(target, [r, n, x = saved(input), w = saved(weight), pw = saved(pos_weight)](const Tensor& g) {
        const Tensor scale = w() ? spread(g, r, n) * w() : spread(g, r, n);
        if (!pw()) return -(scale * x());
        return scale * (log_of_sigmoid(neg(x())) - pw() * log_of_sigmoid(x()));
      });
}
OP("binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, bool? "
   "size_average=None, bool? reduce=None, "
   "str reduction='mean', Tensor? pos_weight=None) -> Tensor",
   binary_cross_entropy_with_logits, kNN,
   R"(The cross entropy of logits: sigmoid and `binary_cross_entropy` in one, without overflow. `pos_weight` scales the positive terms, `weight` all.

`reduction` is `'mean'`, `'sum'` or `'none'`. Throws when the shapes differ and for an unknown reduction.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html

@example
torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([0]), torch.tensor([1])) // tensor(0.6931)
)");

}  // namespace sconce::ops
