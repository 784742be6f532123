// Dropout, as an ordinary product with random factors.
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

// What dropout multiplies by: 0 with probability p, else 1 / (1 - p). `like` gives shape, dtype and device.
static Tensor dropout_factors(const Tensor& like, double p) {
  Tensor kept = empty_like(like);
  bernoulli_raw(kept, 1 - p);
  return binary(SC_DIV, kept, Scalar(1 - p));
}

static Tensor apply_factors(const Tensor& input, const Tensor& factors, bool inplace) {
  if (!inplace) return mul(input, factors);
  return in_place(input, [&] { return mul(input, factors); });
}

static void check_probability(double p) {
  SC_CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
}

Tensor dropout(const Tensor& input, double p, bool training, bool inplace) {
  check_probability(p);
  if (p == 0 || !training || input.numel() == 0) return input;
  const Tensor factors =
      p == 1 ? zeros_raw(Dims(), input.dtype(), input.device()) : dropout_factors(input, p);
  return apply_factors(input, factors, inplace);
}
OP("dropout(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor", dropout,
   kFunction | kNN | kRandom,
   R"(Zeroes each element with probability `p` and scales the others by `1 / (1 - p)`; gives `input` itself unless `training`.

The result has `input`'s shape and dtype. With `inplace`, `input` is overwritten. Throws when `p` is not in [0, 1].

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html

@example
torch.nn.functional.dropout(torch.tensor([1, 2]), 1) // tensor([0., 0.])
torch.nn.functional.dropout(torch.tensor([1, 2]), { training: false }) // tensor([1., 2.])
)");

static Tensor channel_dropout(const Tensor& input, double p, bool training, bool inplace) {
  check_probability(p);
  if (p == 0 || !training || input.numel() == 0) return input;
  if (p == 1) return apply_factors(input, zeros_raw(Dims(), input.dtype(), input.device()), inplace);
  SC_CHECK(input.dim() >= 2, "Feature dropout requires at least 2 dimensions in the input");
  Dims channels{input.size(0), input.size(1)};
  for (int d = 2; d < input.dim(); ++d) channels.push_back(1);
  return apply_factors(input, dropout_factors(empty(channels, input.dtype(), input.device()), p), inplace);
}
OP("dropout2d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor", channel_dropout,
   kNN | kRandom,
   R"(Dropout of whole channels: zeroes `input[n, c]` with probability `p` and scales the others by `1 / (1 - p)`.

`input` is `[N, C, ...]`. Throws when `p` is not in [0, 1] or `input` has fewer than two dimensions.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout2d.html

@example
torch.nn.functional.dropout2d(torch.ones(1, 2, 1, 1), 1).flatten() // tensor([0., 0.])
)");

}  // namespace sconce::ops
