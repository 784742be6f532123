// Losses of class scores: nll_loss and cross_entropy.
#include "loss.h"
#include "ops.h"
#include "pointwise.h"
#include "reduction.h"

namespace sconce::ops {

namespace {
using OptBool = std::optional<bool>;

// The targets, checked, with the class dimension put in; where they are to be ignored; and what each weighs.
struct Classes {
  Tensor index;   // int64 [N, 1, d...], 0 where ignored
  Tensor counts;  // bool, false where ignored
  Tensor weight;  // the dtype of the input, 0 where ignored
};

// Throws PyTorch's text for a class out of range. A device reports it in its own way, later.
void check_classes(const Tensor& target, int64_t classes, int64_t ignore_index) {
  if (!target.device().is_cpu()) return;
  const Tensor t = contiguous_raw(target);
  const auto* v = t.data_as<int64_t>();
  for (int64_t i = 0; i < t.numel(); ++i)
    SC_CHECK_INDEX(v[i] == ignore_index || (v[i] >= 0 && v[i] < classes), "Target ", v[i],
                   " is out of bounds.");
}

Classes classes_of(const Tensor& input, const Tensor& target0, const Tensor& weight, int64_t ignore_index,
                   int64_t class_dim) {
  NoGradGuard no_grad;
  SC_CHECK(target0.dtype() == DType::kInt64 || target0.dtype() == DType::kUInt8,
           "expected target dtype to be Long or Byte, but got ", scalar_type_name(target0.dtype()));
  const int64_t n = input.size(class_dim);
  SC_CHECK(!weight || (weight.dim() == 1 && weight.numel() == n),
           "weight tensor should be defined either for all ", n,
           " classes or no classes but got weight tensor of shape: ", weight ? weight.sizes() : Dims());
  const Tensor target = cast_raw(target0, DType::kInt64);
  check_classes(target, n, ignore_index);
  Classes c;
  c.counts = unsqueeze(compare(SC_NE, target, Scalar(ignore_index)), class_dim);
  c.index = unsqueeze(target, class_dim) * c.counts;
  c.weight = cast_raw(c.counts, input.dtype());
  if (weight)
    c.weight =
        reshape(index_select(cast_raw(weight, input.dtype()), 0, reshape(c.index, {-1})), c.index.sizes()) *
        c.weight;
  return c;
}

// -weight[target] * input[target]; the mean is over the weights.
Tensor nll_of(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index,
              Reduction r) {
  SC_CHECK(is_floating(input.dtype()), "\"nll_loss_out_frame\" not implemented for '",
           scalar_type_name(input.dtype()), "'");
  const int64_t class_dim = input.dim() == 1 ? 0 : 1;
  const Classes c = classes_of(input, target, weight, ignore_index, class_dim);
  Tensor y, total;
  {
    NoGradGuard no_grad;
    y = neg(where_scalar(c.counts, gather(input, class_dim, c.index), 0) * c.weight);
    y = squeeze_dim(y, class_dim).detach();
    if (r != Reduction::kNone) y = reduced_raw(y, Reduction::kSum);
    if (r == Reduction::kMean) {
      total = reduced_raw(c.weight, Reduction::kSum);
      y = y / total;
    }
  }
  const char* node = input.dim() > 2 ? "NllLoss2DBackward0" : "NllLossBackward0";
  return differentiable(node, y).wrt(input, [class_dim, sizes = input.sizes(), each = r == Reduction::kNone,
                                             index = c.index, w = c.weight, total](const Tensor& g) {
    Tensor d = total ? g / total : g;
    if (each) d = unsqueeze(d, class_dim);
    return scatter(zeros_raw(sizes, w.dtype(), w.device()), class_dim, index, -(d * w));
  });
}

Tensor nll_checked(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                   Reduction r) {
  SC_CHECK(input.dim() >= 1, "Expected 1 or more dimensions (got 0)");
  if (input.dim() == 1) {
    SC_CHECK(target.dim() == 0 || (target.dim() == 1 && target.numel() == 1),
             "For 1D input, 1D target must have size 1, but got target size: ",
             target.dim() > 0 ? target.size(0) : 0);
    return nll_of(input, target.dim() == 0 ? target : squeeze(target), weight, ignore_index, r);
  }
  SC_CHECK(target.dim() >= 1 && input.size(0) == target.size(0), "Expected input batch_size (", input.size(0),
           ") to match target batch_size (", target.dim() ? target.size(0) : 0, ").");
  if (input.dim() == 2) {
    SC_CHECK(target.dim() == 1, "0D or 1D target tensor expected, multi-target not supported");
  } else {
    Dims expected = input.sizes();
    expected.erase(1);
    if (input.dim() == 4)
      SC_CHECK(target.sizes() == expected, "size mismatch (got input: ", input.sizes(),
               " , target: ", target.sizes());
    else
      SC_CHECK(target.sizes() == expected, "Expected target size ", expected, ", got ", target.sizes());
  }
  return nll_of(input, target, weight, ignore_index, r);
}
}  // namespace

static Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                       const OptBool& size_average, int64_t ignore_index, const OptBool& reduce,
                       const std::string& reduction) {
  return nll_checked(input, target, weight, ignore_index, parse_reduction(reduction, size_average, reduce));
}
OP("nll_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int "
   "ignore_index=-100, bool? reduce=None, "
   "str reduction='mean') -> Tensor",
   nll_loss, kNN,
   R"(The negative log likelihood: `-weight[target] * input[target]` of log probabilities `input` [N, C, ...] and classes `target` [N, ...].

Targets equal to `ignore_index` do not count. `reduction` is `'mean'` (over the weights), `'sum'` or `'none'`.
Throws when the shapes do not match, for a class out of range, and for targets that are not int64 or uint8.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html

@example
torch.nn.functional.nll_loss(torch.tensor([[-1, -2]]), torch.tensor([1], { dtype: 'int64' })) // tensor(2.)
)");

// ---- cross entropy ----
static Tensor smoothed(const Tensor& scores, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                       Reduction r, double smoothing) {
  const int64_t class_dim = scores.dim() == 1 ? 0 : 1, classes = scores.size(class_dim);
  const Tensor nll = nll_checked(scores, target, weight, ignore_index, r);
  const Classes c = classes_of(scores, target, weight, ignore_index, class_dim);
  Tensor weighted = scores;
  if (weight) {
    Dims shape = Dims::filled(scores.dim(), 1);
    shape[static_cast<int>(class_dim)] = classes;
    weighted = scores * reshape(weight, shape);
  }
  Tensor smooth = neg(sum_dim(weighted, IntList{class_dim}, false));
  smooth = where_scalar(squeeze_dim(c.counts, class_dim), smooth, 0);
  if (r != Reduction::kNone) smooth = sum(smooth);
  if (r == Reduction::kMean) smooth = smooth / reduced_raw(c.weight, Reduction::kSum);
  return nll * (1 - smoothing) + smooth * (smoothing / static_cast<double>(classes));
}

static Tensor of_probabilities(const Tensor& scores, const Tensor& target0, const Tensor& weight, Reduction r,
                               double smoothing) {
  const int64_t class_dim = scores.dim() == 1 ? 0 : 1, classes = scores.size(class_dim);
  SC_CHECK(is_floating(target0.dtype()),
           "Expected floating point type for target with class probabilities, got ",
           scalar_type_name(target0.dtype()));
  SC_CHECK(!weight || (weight.dim() == 1 && weight.numel() == classes),
           "cross_entropy: weight tensor should be defined either for all ", classes,
           " classes or no classes but got weight tensor of shape: ", weight ? weight.sizes() : Dims());
  Tensor target = target0;
  if (smoothing > 0) target = target * (1 - smoothing) + Scalar(smoothing / static_cast<double>(classes));
  Tensor y = scores * target;
  if (weight) {
    Dims shape = Dims::filled(scores.dim(), 1);
    shape[static_cast<int>(class_dim)] = classes;
    y = y * reshape(weight, shape);
  }
  if (r == Reduction::kNone) return neg(sum_dim(y, IntList{class_dim}, false));
  const Tensor total = neg(sum(y));
  if (r != Reduction::kMean) return total;
  const int64_t n = scores.numel() / classes;
  Tensor mean = binary(SC_DIV, total, Scalar(n));
  return differentiable("DivBackward1", mean).wrt(total, [n](const Tensor& g) { return div_scalar(g, n); });
}

static Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            const OptBool& size_average, int64_t ignore_index, const OptBool& reduce,
                            const std::string& reduction, double label_smoothing) {
  const Reduction r = parse_reduction(reduction, size_average, reduce);
  SC_CHECK(label_smoothing >= 0 && label_smoothing <= 1,
           "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  SC_CHECK(input.dim() >= 1, "Expected 1 or more dimensions (got 0)");
  const Tensor scores = log_softmax(input, input.dim() == 1 ? 0 : 1);
  if (input.sizes() == target.sizes()) return of_probabilities(scores, target, weight, r, label_smoothing);
  if (label_smoothing > 0) return smoothed(scores, target, weight, ignore_index, r, label_smoothing);
  return nll_checked(scores, target, weight, ignore_index, r);
}
OP("cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int "
   "ignore_index=-100, bool? reduce=None, "
   "str reduction='mean', float label_smoothing=0.0) -> Tensor",
   cross_entropy, kNN,
   R"(The cross entropy `-log(softmax(input)[target])` of scores `input` [N, C, ...] and classes `target` [N, ...], or class probabilities of the input's shape.

`weight` scales the classes, targets equal to `ignore_index` do not count, `label_smoothing` mixes in the uniform distribution.
`reduction` is `'mean'` (over the weights), `'sum'` or `'none'`. Throws when the shapes do not match, for a class out of range, and for wrong dtypes.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html

@example
torch.nn.functional.cross_entropy(torch.tensor([[0, 0]]), torch.tensor([1], { dtype: 'int64' })) // tensor(0.6931)
)");

}  // namespace sconce::ops
