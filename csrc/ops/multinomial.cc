// Sampling positions in proportion to weights.
#include <cmath>
#include <mutex>

#include "../core/generator.h"
#include "indexing.h"
#include "pointwise.h"
#include "random.h"

namespace sconce::ops {

static const char* const kBadWeights = "probability tensor contains either `inf`, `nan` or element < 0";
static const char* const kNoWeight = "invalid multinomial distribution (sum of probabilities <= 0)";

// With replacement: one double per sample, looked up in the cumulated weights. T is the precision they are
// cumulated in.
template <class T>
static void sample_rows(const Tensor& weights, const Tensor& out, Generator& g) {
  const int64_t n = weights.sizes().back(), rows = weights.numel() / n, samples = out.sizes().back();
  const T* w = weights.data_as<const T>();
  auto* y = out.data_as<int64_t>();
  std::vector<std::vector<T>> cumulated(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {  // everything is checked before the first draw
    std::vector<T>& c = cumulated[static_cast<size_t>(r)];
    T total = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T v = w[r * n + i];
      SC_CHECK(v >= 0, "invalid multinomial distribution (encountering probability entry < 0)");
      SC_CHECK(std::isfinite(v),
               "invalid multinomial distribution (encountering probability entry = infinity or NaN)");
      total += v;
      c.push_back(total);
    }
    SC_CHECK(total > 0, kNoWeight);
    for (T& v : c) v /= total;
  }
  std::lock_guard<std::mutex> lock(g.mutex());
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<T>& c = cumulated[static_cast<size_t>(r)];
    for (int64_t s = 0; s < samples; ++s) {
      const double u = static_cast<double>(g.random64() & ((1ull << 53) - 1)) * 0x1p-53;
      int64_t left = 0, right = n - 1;  // the last one takes what rounding left over
      while (left < right) {
        const int64_t middle = left + (right - left) / 2;
        if (static_cast<double>(c[static_cast<size_t>(middle)]) < u)
          left = middle + 1;
        else
          right = middle;
      }
      y[r * samples + s] = left;
    }
  }
}

static Tensor multinomial(const Tensor& self, int64_t num_samples, bool replacement, Generator* generator) {
  SC_CHECK(is_floating(self.dtype()), "multinomial only supports floating-point dtypes for input, got: ",
           scalar_type_name(self.dtype()));
  SC_CHECK(self.dim() == 1 || self.dim() == 2, "prob_dist must be 1 or 2 dim");
  SC_CHECK(num_samples > 0, "cannot sample n_sample <= 0 samples");
  const int64_t n = self.sizes().back();
  SC_CHECK(replacement || num_samples <= n,
           "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  SC_CHECK(n <= int64_t{1} << 24, "number of categories cannot exceed 2^24");
  Dims shape = self.sizes();
  shape[shape.size() - 1] = num_samples;
  NoGradGuard constant;
  if (replacement && num_samples > 1) {
    Tensor y = empty(shape, DType::kInt64);
    if (y.numel() == 0) return to_device(y, self.device());
    const Tensor weights = contiguous_raw(to_device(self.detach(), Device()));
    Generator& g = generator ? *generator : default_cpu_generator();
    if (self.dtype() == DType::kFloat64)
      sample_rows<double>(weights, y, g);
    else
      sample_rows<float>(cast_raw(weights, DType::kFloat32), y, g);
    return to_device(y, self.device());
  }
  // The largest of weight / exponential number wins, the second largest comes second, and so on.
  const Tensor host = contiguous_raw(cast_raw(to_device(self.detach(), Device()), DType::kFloat64));
  const double* w = host.data_as<const double>();
  for (int64_t r = 0; r < host.numel() / n; ++r) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
      SC_CHECK(w[r * n + i] >= 0 && std::isfinite(w[r * n + i]), kBadWeights);
      total += w[r * n + i];
    }
    SC_CHECK(total > 0, kNoWeight);
  }
  const Tensor scores = binary(SC_DIV, self.detach(), exponential_like(self, generator));
  return std::get<1>(topk(scores, num_samples));
}
OP("multinomial(Tensor self, int num_samples, bool replacement=False, *, Generator? generator=None) -> "
   "Tensor",
   multinomial, kFunction | kMethod | kRandom | kNoGrad,
   R"(Draws `num_samples` positions from each row of weights, in proportion to them.

Throws for negative or infinite weights, when all are zero, and without `replacement` when there are fewer positions than samples.

See https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html

@example
torch.multinomial(torch.tensor([0, 5, 0]), 1) // tensor([1])
)");

}  // namespace sconce::ops
