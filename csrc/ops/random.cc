// Random numbers. docs/random.md says which draws each operator takes.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <mutex>

#include "../core/generator.h"
#include "indexing.h"
#include "pointwise.h"
#include "random.h"

namespace sconce::ops {

// ---- filling ----
namespace {

// A tensor is filled in the order of its memory, largest stride first. Where it has no gaps that is its
// buffer as it lies; otherwise a buffer of its own, copied afterwards.
struct Target {
  Tensor self, buffer;
  Dims order;  // dimensions by descending stride

  explicit Target(const Tensor& t) : self(t), buffer(t) {
    for (int d = 0; d < t.dim(); ++d) order.push_back(d);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return t.strides()[static_cast<int>(a)] > t.strides()[static_cast<int>(b)];
    });
    if (!t.is_non_overlapping_and_dense()) buffer = empty(permuted(t.sizes()), t.dtype(), t.device());
  }
  Dims permuted(const Dims& dims) const {
    Dims out;
    for (int64_t d : order) out.push_back(dims[static_cast<int>(d)]);
    return out;
  }
  void finish() const {
    if (buffer.is_same(self)) return;
    copy_into(alias_of(self, permuted(self.sizes()), permuted(self.strides()), self.storage_offset()),
              buffer);
  }
};

// A number as PyTorch's messages print it: six digits, none more than needed.
std::string plain(double v) {
  char text[32];
  snprintf(text, sizeof text, "%g", v);
  return text;
}

void check_floating(const Tensor& self, const char* what) {
  SC_CHECK(is_floating(self.dtype()), "\"", what, "\" not implemented for '", scalar_type_name(self.dtype()),
           "'");
}

}  // namespace

void fill_random(ScRandomOp op, const char* name, const Tensor& self, Generator* generator, ScRandom a) {
  if (self.numel() == 0) return;
  const Device device = self.device();
  const Target target(self);
  a.out = target.buffer.data();
  a.dtype = static_cast<int32_t>(self.dtype());
  a.serial = !self.is_contiguous();
  a.numel = self.numel();
  Generator& g = generator         ? *generator
                 : device.is_cpu() ? default_cpu_generator()
                                   : default_device_generator(static_cast<int>(device.type), device.index);
  {
    std::lock_guard<std::mutex> lock(g.mutex());
    a.generator = &g;
    if (!device.is_cpu()) {
      a.seed = g.initial_seed();
      a.offset = g.take_counters(static_cast<uint64_t>(a.numel));
    }
    const ScBackend& b = backend_of(device);
    check_kernel(b.random.fill ? b.random.fill(op, &a) : SC_UNSUPPORTED, device, name);
  }
  target.finish();
}

void fill_random(ScRandomOp op, const char* name, const Tensor& self, Generator* generator, double p0,
                 double p1) {
  ScRandom a{};
  a.p[0] = p0;
  a.p[1] = p1;
  fill_random(op, name, self, generator, a);
}

double largest(DType t) {
  switch (t) {
    case DType::kFloat16:
      return 65504;
    case DType::kBFloat16:
      return 0x1.fep127;
    case DType::kFloat32:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

Tensor empty_as(const Tensor& self, const std::optional<DType>& dtype, const std::optional<Device>& device) {
  const DType t = dtype.value_or(self.dtype());
  if (!device || *device == self.device()) return empty_like(self, t);
  return empty(self.sizes(), t, *device);
}

void uniform_raw(const Tensor& self, double from, double to, Generator* generator) {
  check_floating(self, "check_uniform_bounds");
  static const char* const c_names[] = {"float", "double", "c10::Half", "c10::BFloat16"};
  const double limit = largest(self.dtype());
  const char* t = c_names[static_cast<int>(self.dtype())];
  SC_CHECK(from >= -limit && from <= limit, "from is out of bounds for ", t);
  SC_CHECK(to >= -limit && to <= limit, "to is out of bounds for ", t);
  SC_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", plain(from),
           " > to=", plain(to));
  SC_CHECK(to - from <= limit, "uniform_ expects to-from <= std::numeric_limits<",
           scalar_type_name(self.dtype()), ">::max(), but found to=", to, " and from=", from,
           " which result in to-from to exceed the limit");
  fill_random(SC_RAND_UNIFORM, "uniform_", self, generator, from, to);
}
void normal_raw(const Tensor& self, double mean, double std, Generator* generator) {
  SC_CHECK(std >= 0, "normal expects std >= 0.0, but found std ", plain(std));
  check_floating(self, "normal_kernel_cpu");
  fill_random(SC_RAND_NORMAL, "normal_", self, generator, mean, std);
}
void bernoulli_raw(const Tensor& self, double p, Generator* generator) {
  SC_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", plain(p));
  fill_random(SC_RAND_BERNOULLI, "bernoulli_", self, generator, p);
}

static Tensor uniform_(const Tensor& self, double from, double to, Generator* generator) {
  return overwrite("UniformBackward0", self, [&] { uniform_raw(self, from, to, generator); });
}
OP("uniform_(Tensor self, float from=0.0, float to=1.0, *, Generator? generator=None) -> Tensor", uniform_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with numbers drawn evenly from [`from`, `to`).

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.uniform_.html

@example
torch.manual_seed(0)
torch.empty(2).uniform_() // tensor([0.4963, 0.7682])
)");
static Tensor normal_(const Tensor& self, double mean, double std, Generator* generator) {
  return overwrite("NormalBackward0", self, [&] { normal_raw(self, mean, std, generator); });
}
OP("normal_(Tensor self, float mean=0.0, float std=1.0, *, Generator? generator=None) -> Tensor", normal_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with numbers drawn from the normal distribution of the given mean and standard deviation.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.normal_.html

@example
torch.manual_seed(0)
torch.empty(2).normal_() // tensor([ 1.5410, -0.2934])
)");
static Tensor log_normal_(const Tensor& self, double mean, double std, Generator* generator) {
  SC_CHECK(std > 0, "log_normal_ expects std > 0.0, but found std=", plain(std));
  check_floating(self, "log_normal_cpu");
  return overwrite("LogNormalBackward0", self,
                   [&] { fill_random(SC_RAND_LOG_NORMAL, "log_normal_", self, generator, mean, std); });
}
OP("log_normal_(Tensor self, float mean=1.0, float std=2.0, *, Generator? generator=None) -> Tensor",
   log_normal_, kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with numbers whose logarithm is normally distributed.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.log_normal_.html

@example
torch.empty(2, 3).log_normal_().shape // [2, 3]
)");
static Tensor exponential_(const Tensor& self, double lambd, Generator* generator) {
  SC_CHECK(lambd > 0, "exponential_ expects lambda > 0.0, but found lambda=", plain(lambd));
  SC_CHECK(is_floating(self.dtype()),
           "Exponential distribution is a continuous probability distribution. dtype must be a floating "
           "point but you specified ",
           scalar_type_name(self.dtype()));
  return overwrite("ExponentialBackward0", self,
                   [&] { fill_random(SC_RAND_EXPONENTIAL, "exponential_", self, generator, lambd); });
}
OP("exponential_(Tensor self, float lambd=1.0, *, Generator? generator=None) -> Tensor", exponential_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with numbers drawn from the exponential distribution of rate `lambd`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.exponential_.html

@example
torch.empty(2, 3).exponential_().shape // [2, 3]
)");
Tensor exponential_like(const Tensor& like, Generator* generator) {
  Tensor y = empty_like(like);
  fill_random(SC_RAND_EXPONENTIAL, "exponential_", y, generator, 1.0);
  return y;
}
static Tensor cauchy_(const Tensor& self, double median, double sigma, Generator* generator) {
  SC_CHECK(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", plain(sigma));
  SC_CHECK(is_floating(self.dtype()),
           "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but "
           "you specified ",
           scalar_type_name(self.dtype()));
  return overwrite("CauchyBackward0", self,
                   [&] { fill_random(SC_RAND_CAUCHY, "cauchy_", self, generator, median, sigma); });
}
OP("cauchy_(Tensor self, float median=0.0, float sigma=1.0, *, Generator? generator=None) -> Tensor", cauchy_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with numbers drawn from a Cauchy distribution.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cauchy_.html

@example
torch.empty(2, 3).cauchy_().shape // [2, 3]
)");
static Tensor geometric_(const Tensor& self, double p, Generator* generator) {
  SC_CHECK(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", plain(p));
  return overwrite("GeometricBackward0", self,
                   [&] { fill_random(SC_RAND_GEOMETRIC, "geometric_", self, generator, p); });
}
OP("geometric_(Tensor self, float p, *, Generator? generator=None) -> Tensor", geometric_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with the number of trials until the first success of probability `p`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.geometric_.html

@example
torch.empty(2, 3).geometric_(0.5).shape // [2, 3]
)");

// ---- bernoulli ----
static void bernoulli_each(const Tensor& self, const Tensor& p, Generator* generator) {
  SC_CHECK(is_floating(p.dtype()), "expected probabilities tensor to have floating type, got ",
           scalar_type_name(p.dtype()));
  const Target target(self);
  NoGradGuard raw;
  // In the order in which the numbers are drawn.
  const Tensor each = contiguous_raw(permute(expand(p, self.sizes()), target.order));
  const Tensor inside =
      compare(SC_LOGICAL_AND, compare(SC_GE, each, Scalar(0)), compare(SC_LE, each, Scalar(1)));
  SC_CHECK(nonzero_raw(inside).sizes()[0] == inside.numel(),
           "Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
  ScRandom a{};
  a.prob = each.data();
  a.prob_dtype = static_cast<int32_t>(each.dtype());
  fill_random(SC_RAND_BERNOULLI_EACH, "bernoulli_", self, generator, a);
}
static Tensor bernoulli(const Tensor& self, Generator* generator) {
  SC_CHECK(is_floating(self.dtype()), "\"bernoulli_tensor_cpu_p_\" not implemented for '",
           scalar_type_name(self.dtype()), "'");
  Tensor y = empty(self.sizes(), self.dtype(), self.device());
  bernoulli_each(y, self, generator);
  return differentiable("BernoulliBackward0", y).wrt(self, [](const Tensor& g) {
    return zeros_raw(g.sizes(), g.dtype(), g.device());
  });
}
OP("bernoulli(Tensor self, *, Generator? generator=None) -> Tensor", bernoulli, kFunction | kMethod | kRandom,
   R"(Zeros and ones, each one with the probability that `self` gives there.

See https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html

@example
torch.bernoulli(torch.tensor([0, 1, 1])) // tensor([0., 1., 1.])
)");
static Tensor bernoulli_p(const Tensor& self, double p, Generator* generator) {
  Tensor y = empty_like(self);
  bernoulli_raw(y, p, generator);
  return differentiable("BernoulliBackward1", y).wrt(self, [](const Tensor& g) {
    return zeros_raw(g.sizes(), g.dtype(), g.device());
  });
}
OP("bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor", bernoulli_p,
   kFunction | kMethod | kRandom, "");
static Tensor bernoulli_(const Tensor& self, double p, Generator* generator) {
  return overwrite("BernoulliBackward2", self, [&] { bernoulli_raw(self, p, generator); });
}
OP("bernoulli_.float(Tensor self, float p=0.5, *, Generator? generator=None) -> Tensor", bernoulli_,
   kMethod | kWritesSelf | kRandom | kNoGrad,
   R"(Fills the tensor with zeros and ones; ones have probability `p`, a number or a tensor that broadcasts.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.bernoulli_.html

@example
torch.empty(3).bernoulli_(1) // tensor([1., 1., 1.])
)");
static Tensor bernoulli_tensor_(const Tensor& self, const Tensor& p, Generator* generator) {
  return overwrite("BernoulliBackward1", self, [&] { bernoulli_each(self, p, generator); });
}
OP("bernoulli_.Tensor(Tensor self, Tensor p, *, Generator? generator=None) -> Tensor", bernoulli_tensor_,
   kMethod | kWritesSelf | kRandom | kNoGrad, "");

// ---- rand, randn ----
static Tensor rand(const Dims& size, Generator* generator, const std::optional<DType>& dtype,
                   const std::optional<Device>& device) {
  Tensor y = empty(size, dtype.value_or(default_dtype()), device.value_or(Device()));
  uniform_raw(y, 0, 1, generator);
  return y;
}
OP("rand(int[] size, *, Generator? generator=None, ScalarType? dtype=None, Device? device=None) -> Tensor",
   rand, kFunction | kRandom | kNoGrad,
   R"(Numbers drawn evenly from [0, 1).

See https://docs.pytorch.org/docs/stable/generated/torch.rand.html

@example
torch.manual_seed(0)
torch.rand(3) // tensor([0.4963, 0.7682, 0.0885])
)");
static Tensor rand_like(const Tensor& self, const std::optional<DType>& dtype,
                        const std::optional<Device>& device) {
  Tensor y = empty_as(self, dtype, device);
  uniform_raw(y, 0, 1);
  return y;
}
OP("rand_like(Tensor self, *, ScalarType? dtype=None, Device? device=None) -> Tensor", rand_like,
   kFunction | kRandom | kNoGrad,
   R"(As `rand`, in the shape and dtype of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.rand_like.html

@example
torch.rand_like(torch.zeros(2, 3)).shape // [2, 3]
)");
static Tensor randn(const Dims& size, Generator* generator, const std::optional<DType>& dtype,
                    const std::optional<Device>& device) {
  Tensor y = empty(size, dtype.value_or(default_dtype()), device.value_or(Device()));
  normal_raw(y, 0, 1, generator);
  return y;
}
OP("randn(int[] size, *, Generator? generator=None, ScalarType? dtype=None, Device? device=None) -> Tensor",
   randn, kFunction | kRandom | kNoGrad,
   R"(Numbers drawn from the standard normal distribution.

See https://docs.pytorch.org/docs/stable/generated/torch.randn.html

@example
torch.manual_seed(0)
torch.randn(3) // tensor([ 1.5410, -0.2934, -2.1788])
)");
static Tensor randn_like(const Tensor& self, const std::optional<DType>& dtype,
                         const std::optional<Device>& device) {
  Tensor y = empty_as(self, dtype, device);
  normal_raw(y, 0, 1);
  return y;
}
OP("randn_like(Tensor self, *, ScalarType? dtype=None, Device? device=None) -> Tensor", randn_like,
   kFunction | kRandom | kNoGrad,
   R"(As `randn`, in the shape and dtype of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.randn_like.html

@example
torch.randn_like(torch.zeros(2, 3)).shape // [2, 3]
)");

// ---- normal with parameters per element ----
static Tensor normal_around(const Dims& shape, const Tensor& like, Generator* generator) {
  Tensor y = empty(shape, like.dtype(), like.device());
  normal_raw(y, 0, 1, generator);
  return y;
}
static Tensor normal(const Tensor& mean, const Tensor& std, Generator* generator) {
  Tensor y = normal_around(broadcast_shapes(mean.sizes(), std.sizes()), mean, generator);
  NoGradGuard raw;
  return add(mul(y, std), mean);
}
OP("normal.Tensor_Tensor(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor", normal,
   kFunction | kRandom | kNoGrad,
   R"(Normally distributed numbers with the mean and the standard deviation of each element given: tensors, numbers, or numbers and a size.

See https://docs.pytorch.org/docs/stable/generated/torch.normal.html

@example
torch.normal(torch.tensor([1, 2]), torch.zeros(2)) // tensor([1., 2.])
torch.normal(0, 1, [2, 3]).shape // [2, 3]
)");
static Tensor normal_tensor_float(const Tensor& mean, double std, Generator* generator) {
  SC_CHECK(std >= 0, "normal expects std >= 0.0, but found std ", plain(std));
  Tensor y = normal_around(mean.sizes(), mean, generator);
  NoGradGuard raw;
  return add(mul_scalar(y, std), mean);
}
OP("normal.Tensor_float(Tensor mean, float std=1.0, *, Generator? generator=None) -> Tensor",
   normal_tensor_float, kFunction | kRandom | kNoGrad, "");
static Tensor normal_float_tensor(double mean, const Tensor& std, Generator* generator) {
  Tensor y = normal_around(std.sizes(), std, generator);
  NoGradGuard raw;
  return add_scalar(mul(y, std), mean);
}
OP("normal.float_Tensor(float mean, Tensor std, *, Generator? generator=None) -> Tensor", normal_float_tensor,
   kFunction | kRandom | kNoGrad, "");
static Tensor normal_size(double mean, double std, const Dims& size, Generator* generator,
                          const std::optional<DType>& dtype, const std::optional<Device>& device) {
  Tensor y = empty(size, dtype.value_or(default_dtype()), device.value_or(Device()));
  normal_raw(y, mean, std, generator);
  return y;
}
OP("normal.float_float(float mean, float std, int[] size, *, Generator? generator=None, ScalarType? "
   "dtype=None, Device? device=None) -> Tensor",
   normal_size, kFunction | kRandom | kNoGrad, "");

}  // namespace sconce::ops
