// Shapes, dtypes, iteration and storage.
#include <gtest/gtest.h>

#include <thread>

#include "core/dtype.h"
#include "core/float16.h"
#include "core/iter.h"
#include "core/parallel.h"
#include "core/pool.h"
#include "core/tensor.h"

using namespace sconce;

TEST(Shape, BroadcastsAndNamesTheDimensionThatDoesNot) {
  EXPECT_EQ(broadcast_shapes({2, 1, 3}, {4, 1}), Dims({2, 4, 3}));
  EXPECT_EQ(broadcast_shapes({}, {3}), Dims({3}));
  EXPECT_EQ(broadcast_shapes({0}, {1}), Dims({0}));
  try {
    broadcast_shapes({2, 3}, {2, 4});
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1");
  }
}

TEST(Shape, ViewStridesOnlyWhereMemoryAllows) {
  Dims out;
  EXPECT_TRUE(view_strides({2, 3}, {3, 1}, {6}, &out));
  EXPECT_EQ(out, Dims({1}));
  EXPECT_FALSE(view_strides({3, 2}, {1, 3}, {6}, &out));
  EXPECT_TRUE(view_strides({3, 2}, {1, 3}, {3, 2, 1}, &out));
  EXPECT_TRUE(view_strides({4, 6}, {12, 1}, {2, 2, 3, 2}, &out));
  EXPECT_EQ(out, Dims({24, 12, 2, 1}));
  EXPECT_TRUE(view_strides({0, 3}, {3, 1}, {3, 0}, &out));
}

TEST(Shape, InfersOneDimension) {
  EXPECT_EQ(infer_size({2, -1}, 6), Dims({2, 3}));
  EXPECT_THROW(infer_size({-1, -1}, 6), Error);
  EXPECT_THROW(infer_size({4, -1}, 6), Error);
  EXPECT_THROW(infer_size({0, -1}, 0), Error);
}

TEST(Shape, RefusesTooManyDimensionsAndOverflow) {
  EXPECT_THROW(Dims::filled(kMaxDims + 1, 1), Error);
  EXPECT_THROW(numel_of({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(numel_of({-1}), Error);
}

TEST(DType, PromotesAsPyTorch) {
  EXPECT_EQ(promote_types(DType::kUInt8, DType::kInt8), DType::kInt16);
  EXPECT_EQ(promote_types(DType::kFloat16, DType::kBFloat16), DType::kFloat32);
  EXPECT_EQ(promote_types(DType::kInt64, DType::kFloat16), DType::kFloat16);
  EXPECT_EQ(promote_types(DType::kBool, DType::kUInt8), DType::kUInt8);
  const Tensor vector = empty({2}, DType::kInt32), number = empty({}, DType::kFloat64),
               small = empty({}, DType::kInt64);
  EXPECT_EQ(result_type(vector, number),
            DType::kFloat64);  // a higher category wins even from a 0-d tensor, in its own dtype
  EXPECT_EQ(result_type(vector, small), DType::kInt32);
  EXPECT_EQ(result_type(vector, Scalar(1.5)), DType::kFloat32);
  EXPECT_EQ(result_type(empty({2}, DType::kBool), Scalar(1)), DType::kInt64);
}

TEST(Float16, RoundsToNearestEvenEverywhere) {
  for (uint32_t h = 0; h < 0x10000; ++h) {  // every half survives the way through float
    const float f = half_to_float(static_cast<uint16_t>(h));
    if (f != f) continue;
    EXPECT_EQ(float_to_half(f), h);
    const float b = bfloat16_to_float(static_cast<uint16_t>(h));
    if (b == b) {
      EXPECT_EQ(float_to_bfloat16(b), h);
    }
  }
  EXPECT_EQ(half_to_float(float_to_half(65519.0f)), 65504.0f);
  EXPECT_EQ(half_to_float(float_to_half(65520.0f)), INFINITY);
  EXPECT_EQ(float_to_half(5.9604644775390625e-8f), 1);                 // the smallest subnormal
  EXPECT_EQ(float_to_half(5.9604644775390625e-8f / 2), 0);             // a tie goes to even
  EXPECT_EQ(float_to_bfloat16(1.00390625f), float_to_bfloat16(1.0f));  // likewise
}

TEST(Iter, CoalescesAndOrdersDimensions) {
  const Tensor a = empty({2, 3, 4}, DType::kFloat32);
  Iter flat(DType::kFloat32);
  flat.in(a).in(a).build();
  EXPECT_EQ(flat.c()->ndim, 1);
  EXPECT_EQ(flat.c()->shape[0], 24);
  // Transposed inputs keep their memory order in the result: still one flat loop over memory.
  const Tensor t = alias_of(a, {4, 3, 2}, {1, 4, 12}, 0);
  Iter kept(DType::kFloat32);
  kept.in(t).in(t).build();
  EXPECT_EQ(kept.result().strides(), t.strides());
  EXPECT_EQ(kept.c()->ndim, 1);
  // A broadcast row: two dimensions, stride 0 in the outer one.
  const Tensor row = empty({4}, DType::kFloat32);
  Iter wide(DType::kFloat32);
  wide.in(a).in(row).build();
  EXPECT_EQ(wide.c()->ndim, 2);
  EXPECT_EQ(wide.c()->strides[2][0], 0);
  EXPECT_EQ(wide.c()->strides[2][1], 1);
}

TEST(Storage, ReusesFreedBlocksAndCountsThem) {
  cpu_empty_cache(0);
  ScMemoryStats before, during, after;
  cpu_memory_stats(0, &before);
  void* first;
  {
    const Tensor t = empty({1 << 20}, DType::kFloat32);
    first = t.data();
    cpu_memory_stats(0, &during);
    EXPECT_GE(during.allocated_bytes - before.allocated_bytes, 4 << 20);
  }
  const Tensor again = empty({1 << 20}, DType::kFloat32);
  EXPECT_EQ(again.data(), first);
  cpu_memory_stats(0, &after);
  EXPECT_EQ(after.cache_hits, during.cache_hits + 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
}

#ifdef __SANITIZE_ADDRESS__
TEST(StorageDeathTest, TheSanitizerSeesWhatNoTensorOwns) {
  for (const int64_t n : {10, 1000, 1 << 20}) {
    const Tensor t = empty({n}, DType::kFloat32);
    EXPECT_DEATH(static_cast<volatile float*>(t.data())[n] = 0, "AddressSanitizer");
  }
  volatile float* freed = empty({1000}, DType::kFloat32).data_as<float>();
  EXPECT_DEATH(freed[0] = 0, "AddressSanitizer: use-after-poison");
}
#endif

TEST(Pool, BlocksOfAnEndedThreadAreUsedAgain) {
  void* p = nullptr;
  std::thread([&] {
    p = pool_allocate(200);
    pool_free(p, 200);
  }).join();
  void* q = pool_allocate(200);
  ASSERT_NE(q, nullptr);
  pool_free(q, 200);
}

TEST(Parallel, CoversTheRangeOnceWhateverTheThreads) {
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    std::vector<int> hits(1000, 0);
    const auto hit = [&](int64_t a, int64_t b) {
      for (int64_t i = a; i < b; ++i) ++hits[static_cast<size_t>(i)];
    };
    parallel_for(0, 1000, 7, hit);
    parallel_for_guided(0, 1000, 7, hit);
    for (int h : hits) EXPECT_EQ(h, 2);
  }
  set_num_threads(available_cpus());
}
