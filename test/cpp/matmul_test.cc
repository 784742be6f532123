// Large matrix products, which have a kernel of their own (Note [Large products] in matmul_large.cc), against
// sums in double precision; and memory that runs out.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "core/device.h"
#include "core/parallel.h"
#include "cpu/workspace.h"

using namespace sconce;

namespace {
std::vector<float> numbers(size_t n, uint32_t seed) {
  std::vector<float> v(n);
  for (float& x : v) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(seed >> 8) / static_cast<float>(1 << 24) - 0.5F;
  }
  return v;
}

// C = A B + beta C + bias on rows that are `gap` longer than the matrices.
struct Example {
  int64_t m, n, k, gap = 0;
  double beta = 0;
  bool bias = false;
  int64_t batch = 1;

  std::vector<float> a = numbers(static_cast<size_t>(batch * m * (k + gap)), 1);
  std::vector<float> b = numbers(static_cast<size_t>(batch * k * (n + gap)), 2);
  std::vector<float> before = numbers(static_cast<size_t>(batch * m * (n + gap)), 3);
  std::vector<float> row = numbers(static_cast<size_t>(n), 4);

  std::vector<float> product() const {
    std::vector<float> c = before;
    ScMatmul q{};
    q.dtype = SC_FLOAT32;
    q.batch = batch;
    q.m = m;
    q.n = n;
    q.k = k;
    q.a = a.data();
    q.b = b.data();
    q.c = c.data();
    q.bias = bias ? row.data() : nullptr;
    q.a_batch = m * (k + gap);
    q.b_batch = k * (n + gap);
    q.c_batch = m * (n + gap);
    q.a_row = k + gap;
    q.b_row = q.c_row = n + gap;
    q.a_col = q.b_col = q.c_col = 1;
    q.alpha = 1;
    q.beta = beta;
    EXPECT_EQ(g_cpu_backend->matmul.matmul(&q), SC_OK);
    return c;
  }

  void check() const {
    const std::vector<float> c = product();
    int64_t wrong = 0;
    for (int64_t g = 0; g < batch; ++g)
      for (int64_t i = 0; i < m; ++i) {
        std::vector<double> sums(static_cast<size_t>(n));
        for (int64_t x = 0; x < k; ++x) {
          const double v = a[static_cast<size_t>((g * m + i) * (k + gap) + x)];
          const float* from = b.data() + (g * k + x) * (n + gap);
          for (int64_t j = 0; j < n; ++j) sums[static_cast<size_t>(j)] += v * static_cast<double>(from[j]);
        }
        for (int64_t j = 0; j < n + gap; ++j) {
          const auto at = static_cast<size_t>((g * m + i) * (n + gap) + j);
          if (j >= n) {  // between the rows
            wrong += c[at] != before[at];
            continue;
          }
          const auto column = static_cast<size_t>(j);
          const double want = sums[column] + beta * before[at] + (bias ? row[column] : 0.0F);
          wrong += !(std::abs(c[at] - want) <= 2e-5 * std::sqrt(static_cast<double>(k)));
        }
      }
    EXPECT_EQ(wrong, 0) << m << " x " << n << " x " << k;
  }
};
}  // namespace

TEST(LargeProducts, AreRight) {
  Example{512, 1024, 512}.check();
  Example{1027, 784, 352}.check();     // a row too many, panels of 64 and of 16 columns
  Example{258, 1072, 1008}.check();    // three blocks of k
  Example{371, 1600, 464, 3}.check();  // rows that begin anywhere
}
TEST(LargeProducts, AddWhatTheyShould) {
  Example{512, 1024, 512, 0, 1}.check();
  Example{512, 1024, 800, 5, 0, true}.check();
}
TEST(LargeProducts, InABatch) { Example{300, 1024, 912, 0, 0, false, 3}.check(); }
TEST(LargeProducts, OfOddSizes) { Example{511, 1021, 519}.check(); }
TEST(LargeProducts, DoNotDependOnTheNumberOfThreads) {
  const Example e{640, 1040, 528};
  const int threads = num_threads();
  set_num_threads(1);
  const std::vector<float> one = e.product();
  for (const int n : {2, 3, 4}) {
    set_num_threads(n);
    const std::vector<float> many = e.product();
    EXPECT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)), 0) << n << " threads";
  }
  set_num_threads(threads);
}

TEST(Workspace, ThrowsWhenThereIsNoMemory) {
  Workspace w;
  EXPECT_THROW(w.get(size_t{1} << 62), std::bad_alloc);
  EXPECT_NE(w.get(64), nullptr);  // as good as new
  EXPECT_EQ(w.get(0), nullptr);
}
TEST(Parallel, PassesAnExceptionToTheCaller) {
  set_num_threads(2);
  EXPECT_THROW(parallel_for(0, 2, 1,
                            [](int64_t from, int64_t) {
                              if (from == 1) throw std::bad_alloc();
                            }),
               std::bad_alloc);
  set_num_threads(available_cpus());
}
