#include "../../csrc/core/generator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "../../csrc/core/random_fill.h"

namespace sconce {
namespace {

TEST(Generator, DrawsTheMersenneTwistersOwnSequence) {
  Generator generator(5489);  // the seed of the published reference output and of std::mt19937
  EXPECT_EQ(generator.random(), 3499211612u);
  EXPECT_EQ(generator.random(), 581869302u);
  for (int i = 2; i < 9999; ++i) generator.random();
  EXPECT_EQ(generator.random(), 4123659995u);  // the 10000th, as the C++ standard requires
}

TEST(Generator, TheFirstOfTwoDrawsIsTheHighHalf) {
  Generator generator(5489);
  EXPECT_EQ(generator.random64(), (uint64_t{3499211612u} << 32) | 581869302u);
}

TEST(Generator, SeedsWithTheLowHalfAndRemembersAll) {
  Generator low(7), high((uint64_t{1} << 40) + 7);
  EXPECT_EQ(low.random(), high.random());
  EXPECT_EQ(high.initial_seed(), (uint64_t{1} << 40) + 7);
  EXPECT_EQ(default_cpu_generator().initial_seed(), Generator::kDefaultSeed);
}

TEST(Generator, SeedsFromEntropy) {
  Generator generator;
  uint64_t first = generator.seed();
  EXPECT_EQ(generator.initial_seed(), first);
  EXPECT_NE(generator.seed(), first);
}

TEST(Generator, StateResumesTheStreamIncludingTheKeptNormal) {
  Generator generator(3);
  double pair[3];
  random_fill::normal_serial(generator, pair, 3, 0, 1);  // leaves the second half of a pair
  Generator::State state = generator.get_state();
  double expected[20];
  random_fill::normal_serial(generator, expected, 20, 0, 1);
  Generator other(99);
  other.set_state(state.data(), state.size());
  EXPECT_EQ(other.initial_seed(), 3u);
  EXPECT_EQ(other.get_state(), state);
  double resumed[20];
  random_fill::normal_serial(other, resumed, 20, 0, 1);
  EXPECT_EQ(std::memcmp(expected, resumed, sizeof expected), 0);
}

TEST(Generator, StateLayout) {
  Generator generator(0x0102030405060708);
  generator.random();
  generator.next_double_normal_sample = 0.5;
  Generator::State state = generator.get_state();
  uint64_t word;
  int32_t left;
  double kept;
  std::memcpy(&word, state.data(), 8);
  EXPECT_EQ(word, 0x0102030405060708u);
  std::memcpy(&left, state.data() + 8, 4);
  EXPECT_EQ(left, 624);
  std::memcpy(&word, state.data() + 16, 8);
  EXPECT_EQ(word, 1u);
  std::memcpy(&kept, state.data() + 24 + 8 * 624 + 8, 8);
  EXPECT_EQ(kept, 0.5);
}

TEST(Generator, RefusesABadStateAndKeepsItsOwn) {
  Generator generator(1);
  Generator::State before = generator.get_state();
  Generator::State state = before;
  auto message = [&](size_t size) -> std::string {
    try {
      generator.set_state(state.data(), size);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message(10),
            "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 10");
  int32_t left = 0;
  std::memcpy(state.data() + 8, &left, 4);
  EXPECT_EQ(message(state.size()), "Invalid mt19937 state");
  state = before;
  left = 624;
  uint64_t next = 600;  // 623 more draws from here would run off the state vector
  std::memcpy(state.data() + 8, &left, 4);
  std::memcpy(state.data() + 16, &next, 8);
  EXPECT_EQ(message(state.size()), "Invalid mt19937 state");
  state.fill(0);
  EXPECT_EQ(message(state.size()), "Invalid mt19937 state");
  EXPECT_EQ(generator.get_state(), before);
}

// Values of PyTorch 2.13 on CPU. test/random.test.ts compares many more through the public API.
TEST(RandomFill, DrawsPyTorchsValues) {
  Generator generator(0);
  float uniform[3];
  random_fill::uniform(generator, uniform, 3, 0, 1);
  EXPECT_EQ(uniform[0], 0.49625658988952637f);
  EXPECT_EQ(uniform[1], 0.7682217955589294f);
  EXPECT_EQ(uniform[2], 0.08847743272781372f);
  generator.manual_seed(0);
  std::vector<float> normal(17);
  random_fill::normal(generator, normal.data(), 17, 0, 1);
  EXPECT_FLOAT_EQ(normal[0], -1.1258398294448853f);
  EXPECT_FLOAT_EQ(normal[16], 0.9318265914916992f);
  generator.manual_seed(0);
  int64_t permutation[5];
  random_fill::randperm(generator, permutation, 5);
  EXPECT_EQ(std::vector<int64_t>(permutation, permutation + 5), (std::vector<int64_t>{4, 0, 1, 3, 2}));
}

TEST(RandomFill, NeverReturnsTheExcludedBound) {
  Generator generator(0);
  std::vector<float> x(200000);
  random_fill::uniform(generator, x.data(), x.size(), 1000,
                       1001);  // the grid of floats is coarser than 2^-24 here
  for (float value : x) ASSERT_TRUE(value >= 1000 && value < 1001) << value;
}

TEST(RandomFill, IsOneStretchWhateverTheChunks) {
  Generator one(5), two(5);
  std::vector<double> whole(1500), parts(1500);
  random_fill::uniform(one, whole.data(), 1500, -2, 3);
  random_fill::uniform(two, parts.data(), 7, -2, 3);
  random_fill::uniform(two, parts.data() + 7, 1493, -2, 3);
  EXPECT_EQ(whole, parts);
  EXPECT_EQ(one.get_state(), two.get_state());
}

}  // namespace
}  // namespace sconce
