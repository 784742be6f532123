// Sequences: arange, linspace, logspace, eye.
#include <cmath>
#include <cstdio>

#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

static void run_range(const Iter& it, const Scalar& start, const Scalar& step, Device device) {
  const auto kernel = backend_of(device).elementwise.range;
  check_kernel(kernel ? kernel(it.c(), start.to_c(), step.to_c()) : SC_UNSUPPORTED, device, "arange");
}

Tensor range_raw(int64_t n, const Scalar& start, const Scalar& step, DType dtype, Device device) {
  Tensor y = empty({n}, dtype, device);
  if (n == 0) return y;
  Iter it(dtype);
  it.out(y).build();
  run_range(it, start, step, device);
  return y;
}

static std::string plain(double v) {  // as PyTorch's messages print it
  char text[32];
  snprintf(text, sizeof text, "%g", v);
  return text;
}

static Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step,
                     const std::optional<DType>& dtype, const std::optional<Device>& device) {
  const bool whole = !start.is_floating() && !end.is_floating() && !step.is_floating();
  const DType t = dtype.value_or(whole ? DType::kInt64 : default_dtype());
  const double from = start.to_double(), to = end.to_double(), by = step.to_double();
  SC_CHECK(by != 0, "step must be nonzero");
  SC_CHECK(std::isfinite(from) && std::isfinite(to), "unsupported range: ", plain(from), " -> ", plain(to));
  SC_CHECK((by > 0 && to >= from) || (by < 0 && to <= from),
           "upper bound and lower bound inconsistent with step sign");
  double count;
  if (whole) {
    // In integers, where doubles would round.
    const int64_t a = start.to_int(), b = end.to_int(), s = step.to_int();
    const __int128 span = static_cast<__int128>(b) - a;
    const __int128 n = (span + s - (s > 0 ? 1 : -1)) / s;
    count = static_cast<double>(n);
  } else {
    count = std::ceil((to - from) / by);
  }
  SC_CHECK(count >= 0 && count < 9.2e18, "invalid size, possible overflow?");
  if (is_floating(t)) return range_raw(static_cast<int64_t>(count), from, by, t, device.value_or(Device()));
  return range_raw(static_cast<int64_t>(count), start.to_int(), step.to_int(), t, device.value_or(Device()));
}
static Tensor arange_end(const Scalar& end, const std::optional<DType>& dtype,
                         const std::optional<Device>& device) {
  return arange(0, end, 1, dtype, device);
}
OP("arange(Scalar end, *, ScalarType? dtype=None, Device? device=None) -> Tensor", arange_end,
   kFunction | kNoGrad,
   R"(The numbers from `start` (0) up to but not including `end`, in steps of `step` (1). int64 when all of them are integers.

Throws when the sign of the step does not lead from `start` to `end`.

See https://docs.pytorch.org/docs/stable/generated/torch.arange.html

@example
torch.arange(4) // tensor([0, 1, 2, 3])
torch.arange(1, 2, 0.5) // tensor([1.0000, 1.5000])
)");
OP("arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Device? "
   "device=None) -> Tensor",
   arange, kFunction | kNoGrad, "");

// Both halves start from their own end, so that the last element is `end` itself.
static Tensor spaced(double start, double end, int64_t steps, DType t, Device device) {
  Tensor y = empty({steps}, t, device);
  if (steps == 0) return y;
  if (steps == 1) {
    fill_into(y, start);
    return y;
  }
  // float32 takes its step in float32, as PyTorch does.
  const double step = t == DType::kFloat32
                          ? static_cast<double>((static_cast<float>(end) - static_cast<float>(start)) /
                                                static_cast<float>(steps - 1))
                          : (end - start) / static_cast<double>(steps - 1);
  const int64_t half = steps / 2;
  auto fill = [&](int64_t at, int64_t n, double from) {
    Iter it(t);
    it.out(alias_of(y, {n}, {1}, at)).build();
    run_range(it, from, step, device);
  };
  fill(0, half, start);
  fill(half, steps - half, end - step * static_cast<double>(steps - half - 1));
  fill_into(alias_of(y, {1}, {1}, steps - 1), end);
  return y;
}
static Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps,
                       const std::optional<DType>& dtype, const std::optional<Device>& device) {
  SC_CHECK(steps >= 0, "number of steps must be non-negative");
  const DType t = dtype.value_or(default_dtype());
  // Integers are truncated from the exact positions.
  const Tensor y = spaced(start.to_double(), end.to_double(), steps, is_floating(t) ? t : DType::kFloat64,
                          device.value_or(Device()));
  return cast_raw(y, t);
}
OP("linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Device? device=None) -> Tensor",
   linspace, kFunction | kNoGrad,
   R"(`steps` numbers, evenly spaced from `start` to `end`, both included.

See https://docs.pytorch.org/docs/stable/generated/torch.linspace.html

@example
torch.linspace(0, 1, 5) // tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
)");
static Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base,
                       const std::optional<DType>& dtype, const std::optional<Device>& device) {
  SC_CHECK(steps >= 0, "number of steps must be non-negative");
  const Tensor powers =
      spaced(start.to_double(), end.to_double(), steps, DType::kFloat64, device.value_or(Device()));
  return cast_raw(binary_as(SC_POW, Scalar(base), powers, DType::kFloat64, DType::kFloat64),
                  dtype.value_or(default_dtype()));
}
OP("logspace(Scalar start, Scalar end, int steps, float base=10.0, *, ScalarType? dtype=None, Device? "
   "device=None) -> Tensor",
   logspace, kFunction | kNoGrad,
   R"(`steps` numbers from `base ** start` to `base ** end`, evenly spaced in their logarithm.

See https://docs.pytorch.org/docs/stable/generated/torch.logspace.html

@example
torch.logspace(0, 2, 3) // tensor([  1.,  10., 100.])
)");

static Tensor eye(int64_t n, const std::optional<int64_t>& m, const std::optional<DType>& dtype,
                  const std::optional<Device>& device) {
  const int64_t columns = m.value_or(n);
  SC_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
  SC_CHECK(columns >= 0, "m must be greater or equal to 0, got ", columns);
  Tensor y = zeros_raw({n, columns}, dtype.value_or(default_dtype()), device.value_or(Device()));
  fill_into(alias_of(y, {std::min(n, columns)}, {columns + 1}, 0), 1);
  return y;
}
OP("eye(int n, int? m=None, *, ScalarType? dtype=None, Device? device=None) -> Tensor", eye,
   kFunction | kNoGrad,
   R"(A matrix of `n` rows and `m` (or `n`) columns with ones on the diagonal and zero elsewhere.

See https://docs.pytorch.org/docs/stable/generated/torch.eye.html

@example
torch.eye(2) // tensor([[1., 0.],
//         [0., 1.]])
)");

}  // namespace sconce::ops
