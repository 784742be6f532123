// Random fills. Each number has a counter of its own, from which a keyed generator makes 128 bits: what a
// fill gives depends on seed and offset alone, not on the grid. The stream is not the CPU's, nor that of
// PyTorch's CUDA build.
#include "elementwise.cuh"
#include "kernels.cuh"
#include "sort.cuh"

namespace sconce {
namespace cuda {
namespace {

// Philox4x32 with 10 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// 2011).
struct Bits {
  uint32_t w[4];
  SC_HD uint64_t first() const { return static_cast<uint64_t>(w[0]) << 32 | w[1]; }
  SC_HD uint64_t second() const { return static_cast<uint64_t>(w[2]) << 32 | w[3]; }
};
SC_HD Bits philox(uint64_t key, uint64_t counter) {
  Bits b{{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0}};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * b.w[0], p1 = uint64_t{0xCD9E8D57} * b.w[2];
    b = {{static_cast<uint32_t>(p1 >> 32) ^ b.w[1] ^ k0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ b.w[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return b;
}

// In [0, 1), with `digits` bits, so that rounding to the result's type cannot reach 1.
SC_HD double unit(uint64_t bits, int digits) {
  return static_cast<double>(bits >> (64 - digits)) / static_cast<double>(uint64_t{1} << digits);
}

struct Random {
  ScRandom a;
  int32_t op;
  int digits;        // of the result's type
  uint64_t modulus;  // of random_(): numbers below it; 0 stands for 2^64
  Random(int32_t op, const ScRandom& r) : a(r), op(op), digits(0), modulus(0) {
    switch (r.dtype) {
      case SC_FLOAT32:
        digits = 24;
        break;
      case SC_FLOAT64:
        digits = 53;
        break;
      case SC_FLOAT16:
        digits = 11;
        break;
      case SC_BFLOAT16:
        digits = 8;
        break;
      case SC_INT64:
        modulus = uint64_t{1} << 63;
        break;
      case SC_INT32:
        modulus = uint64_t{1} << 31;
        break;
      case SC_INT16:
        modulus = uint64_t{1} << 15;
        break;
      case SC_INT8:
        modulus = uint64_t{1} << 7;
        break;
      case SC_UINT8:
        modulus = uint64_t{1} << 8;
        break;
      default:
        modulus = 2;
        break;
    }
    if (digits) modulus = (uint64_t{1} << digits) + 1;
  }
  SC_HD double normal(const Bits& b) const {  // Box-Muller; the logarithm's argument is in (0, 1]
    const double radius = std::sqrt(-2 * std::log(1 - unit(b.first(), 53)));
    return a.p[0] + a.p[1] * radius * std::cos(2 * 3.14159265358979323846 * unit(b.second(), 53));
  }
  SC_HD double real(int64_t i) const {
    const Bits b = philox(a.seed, a.offset + static_cast<uint64_t>(i));
    switch (op) {
      case SC_RAND_UNIFORM:
        return a.p[0] + (a.p[1] - a.p[0]) * unit(b.first(), digits);
      case SC_RAND_NORMAL:
        return normal(b);
      case SC_RAND_LOG_NORMAL:
        return std::exp(normal(b));
      case SC_RAND_EXPONENTIAL:
        return -std::log1p(-unit(b.first(), 53)) / a.p[0];
      case SC_RAND_CAUCHY:
        return a.p[0] + a.p[1] * std::tan(3.14159265358979323846 * (unit(b.first(), 53) - 0.5));
      default:
        return 0;
    }
  }
  SC_HD int64_t whole(int64_t i) const {
    const Bits b = philox(a.seed, a.offset + static_cast<uint64_t>(i));
    switch (op) {
      case SC_RAND_BERNOULLI:
        return unit(b.first(), 53) < a.p[0];
      case SC_RAND_BERNOULLI_EACH:
        return unit(b.first(), 53) < probability(i);
      case SC_RAND_GEOMETRIC: {
        const double v = std::ceil(std::log1p(-unit(b.first(), 53)) / std::log1p(-a.p[0]));
        return v < 1 ? 1 : static_cast<int64_t>(v);
      }
      case SC_RAND_FROM_TO:
        return static_cast<int64_t>((a.range ? b.first() % a.range : b.first()) +
                                    static_cast<uint64_t>(a.base));
      case SC_RAND_DEFAULT:
        return static_cast<int64_t>(b.first() % modulus);
      default:
        return 0;
    }
  }
  SC_HD double probability(int64_t i) const {
    void* p = const_cast<void*>(a.prob);
    return a.prob_dtype == SC_FLOAT64 ? Elements<double>(p, SC_FLOAT64).load(i)
                                      : Elements<float>(p, a.prob_dtype).load(i);
  }
};

template <class C>
struct FillReal {
  Random random;
  SC_HD void operator()(int64_t i) const {
    Elements<C>(random.a.out, random.a.dtype).store(i, static_cast<C>(random.real(i)));
  }
};
template <class C>
struct FillWhole {
  Random random;
  SC_HD void operator()(int64_t i) const {
    Wide<C>(random.a.out, random.a.dtype).store(i, static_cast<C>(random.whole(i)));
  }
};
struct FillKeys {
  uint64_t seed, offset;
  int64_t* keys;
  SC_HD void operator()(int64_t i) const {
    keys[i] = static_cast<int64_t>(philox(seed, offset + static_cast<uint64_t>(i)).first());
  }
};
template <class C>
struct StoreIndices {
  Wide<C> out;
  const int64_t* from;
  SC_HD void operator()(int64_t i) const { out.store(i, static_cast<C>(from[i])); }
};

// The order of random keys.
int32_t permutation(const ScRandom* a) {
  const int64_t n = a->numel;
  Scratch<int64_t> keys(n), order(n);
  if (!keys || !order) return fail("CUDA out of memory");
  SC_CUDA_TRY(launch(n, FillKeys{a->seed, a->offset, keys.get()}));
  ScSort s{};
  s.in = keys.get();
  s.indices = order.get();
  s.dtype = SC_INT64;
  s.rows = 1;
  s.n = s.k = n;
  SC_CUDA_TRY(sort(&s));
  return for_wide(a->dtype, [&](auto tag) {
    return launch(n, StoreIndices<typename decltype(tag)::type>{{a->out, a->dtype}, order.get()});
  });
}

int32_t fill(int32_t op, const ScRandom* a) {
  switch (op) {
    case SC_RAND_UNIFORM:
    case SC_RAND_NORMAL:
    case SC_RAND_LOG_NORMAL:
    case SC_RAND_EXPONENTIAL:
    case SC_RAND_CAUCHY:
      return for_wide_floats(a->dtype, [&](auto tag) {
        return launch(a->numel, FillReal<typename decltype(tag)::type>{Random(op, *a)});
      });
    case SC_RAND_BERNOULLI:
    case SC_RAND_BERNOULLI_EACH:
    case SC_RAND_GEOMETRIC:
    case SC_RAND_FROM_TO:
    case SC_RAND_DEFAULT:
      return for_wide(a->dtype, [&](auto tag) {
        return launch(a->numel, FillWhole<typename decltype(tag)::type>{Random(op, *a)});
      });
    case SC_RAND_PERMUTATION:
      return permutation(a);
    default:
      return SC_UNSUPPORTED;
  }
}

}  // namespace

ScRandomKernels random_kernels() {
  ScRandomKernels k{};
  k.fill = fill;
  return k;
}

}  // namespace cuda
}  // namespace sconce
