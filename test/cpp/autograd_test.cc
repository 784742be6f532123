// The graph and the engine, without JavaScript.
#include <gtest/gtest.h>

#include "ops/ops.h"

using namespace sconce;

static Tensor vec(std::initializer_list<double> v, bool grad = false) {
  Tensor t = empty({static_cast<int64_t>(v.size())}, DType::kFloat64);
  int64_t i = 0;
  for (double x : v) t.data_as<double>()[i++] = x;
  if (grad) t.set_requires_grad(true);
  return t;
}
static double at(const Tensor& t, int64_t i) { return contiguous_raw(t).data_as<double>()[i]; }

TEST(Engine, SumsTheGradientOfABroadcastInput) {
  const Tensor a = vec({1, 2, 3}, true);
  Tensor k = vec({2});
  k.set_requires_grad(true);
  run_backward({ops::sum(a * k)}, {}, {}, {});
  EXPECT_EQ(k.grad().sizes(), Dims({1}));
  EXPECT_EQ(at(k.grad(), 0), 6);
  EXPECT_EQ(at(a.grad(), 2), 2);
}

TEST(Engine, FreesTheGraphAndItsNodes) {
  const int64_t before = Node::live_count();
  {
    const Tensor a = vec({1, 2}, true);
    Tensor y = a;
    for (int i = 0; i < 100; ++i) y = y * y + a;
    EXPECT_GT(Node::live_count(), before + 100);
    run_backward({ops::sum(y)}, {}, {}, {});
  }
  EXPECT_EQ(Node::live_count(), before);
}

TEST(Engine, SavingTheResultMakesNoCycle) {
  const int64_t before = Node::live_count();
  {
    const Tensor a = vec({1, 2}, true);
    Tensor y = a * 2;
    Tensor z =
        differentiable("TwiceBackward0", y).wrt(a, [y = saved(y)](const Tensor& g) { return g * y(); });
    EXPECT_TRUE(z.requires_grad());
  }
  EXPECT_EQ(Node::live_count(), before);
}

TEST(Engine, NamesTheOperatorWhoseGradientHasAnImpossibleShape) {
  const Tensor a = vec({1, 2}, true);
  Tensor y = vec({1, 2, 3});
  const Tensor z = differentiable("OddBackward0", y).wrt(a, [](const Tensor& g) { return g; });
  try {
    run_backward({ops::sum(z)}, {}, {}, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "Function OddBackward0 returned an invalid gradient at index 0 - got [3] but expected shape "
                 "compatible with [2]");
  }
}

TEST(InPlace, AWriteThroughAViewReachesTheBase) {
  const Tensor base = vec({1, 2, 3, 4});
  const Tensor w = vec({10, 20}, true);
  const Tensor v = make_view(base, {2}, {1}, 1);
  in_place(v, [&] { return ops::mul(v, w); });
  EXPECT_EQ(base.version(), 1u);
  EXPECT_EQ(base.grad_fn()->name(), "torch::autograd::CopySlices");
  run_backward({ops::sum(base)}, {}, {}, {});
  EXPECT_EQ(at(w.grad(), 0), 2);
  EXPECT_EQ(at(w.grad(), 1), 3);
}

TEST(InPlace, KeepsTheHistoryOfTheOldValue) {
  const Tensor a = vec({1, 2}, true);
  const Tensor y = a * 3;
  in_place(y, [&] { return ops::mul_scalar(y, 2); });
  run_backward({ops::sum(y)}, {}, {}, {});
  EXPECT_EQ(at(a.grad(), 0), 6);
}
