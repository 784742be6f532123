#include "generator.h"

#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

namespace sconce {
namespace {

// PyTorch's serialised layout. It predates the 32-bit state vector, hence the 64-bit words.
struct LegacyState {
  uint64_t initial_seed;
  int32_t left;
  int32_t seeded;
  uint64_t next;
  uint64_t state[Mt19937::kStateSize];
  double normal_x;
  double normal_y;
  double normal_rho;
  int32_t normal_is_valid;
};
struct CurrentState {
  LegacyState legacy;
  float next_float_normal_sample;
  bool next_float_normal_sample_is_valid;
};
static_assert(sizeof(LegacyState) == 5048 && sizeof(CurrentState) == Generator::kStateBytes,
              "layout of the RNG state");

}  // namespace

Mt19937::Mt19937(uint64_t seed) : seed_(seed) {
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kStateSize; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

void Mt19937::refill() {
  constexpr int kShift = 397;
  auto twist = [](uint32_t u, uint32_t v) {
    uint32_t mixed = (u & 0x80000000u) | (v & 0x7fffffffu);
    return (mixed >> 1) ^ ((v & 1u) ? 0x9908b0dfu : 0u);
  };
  for (int i = 0; i < kStateSize - kShift; ++i)
    state_[i] = state_[i + kShift] ^ twist(state_[i], state_[i + 1]);
  for (int i = kStateSize - kShift; i < kStateSize - 1; ++i) {
    state_[i] = state_[i + kShift - kStateSize] ^ twist(state_[i], state_[i + 1]);
  }
  state_[kStateSize - 1] = state_[kShift - 1] ^ twist(state_[kStateSize - 1], state_[0]);
  left_ = kStateSize;
  next_ = 0;
}

void Generator::manual_seed(uint64_t seed) {
  engine_ = Mt19937(seed);
  counter_ = 0;
  next_double_normal_sample.reset();
  next_float_normal_sample.reset();
}

uint64_t Generator::seed() {
  std::random_device entropy;
  // 53 bits, so that the seed survives a trip through a double.
  uint64_t value = ((static_cast<uint64_t>(entropy()) << 32) | entropy()) & 0x1fffffffffffffull;
  manual_seed(value);
  return value;
}

Generator::State Generator::get_state() const {
  CurrentState packed{};
  LegacyState& legacy = packed.legacy;
  legacy.initial_seed = engine_.seed_;
  legacy.left = engine_.left_;
  legacy.seeded = 1;
  legacy.next = engine_.next_;
  for (int i = 0; i < Mt19937::kStateSize; ++i) legacy.state[i] = engine_.state_[i];
  if (next_double_normal_sample) {
    legacy.normal_is_valid = 1;
    legacy.normal_y = *next_double_normal_sample;
  }
  if (next_float_normal_sample) {
    packed.next_float_normal_sample_is_valid = true;
    packed.next_float_normal_sample = *next_float_normal_sample;
  }
  State bytes;
  std::memcpy(bytes.data(), &packed, sizeof packed);
  return bytes;
}

void Generator::set_state(const uint8_t* bytes, size_t size) {
  if (size != kStateBytes) {
    throw std::invalid_argument("Expected a CPUGeneratorImplState of size " + std::to_string(kStateBytes) +
                                " but found the input RNG state size to be " + std::to_string(size));
  }
  LegacyState legacy;
  std::memcpy(&legacy, bytes, sizeof legacy);
  constexpr uint64_t kSize = Mt19937::kStateSize;
  if (legacy.seeded != 1 || legacy.left <= 0 || legacy.left > Mt19937::kStateSize || legacy.next > kSize ||
      legacy.next + static_cast<uint64_t>(legacy.left) > kSize + 1) {
    // The last condition is stricter than PyTorch's: such a state would read behind the state vector.
    throw std::invalid_argument("Invalid mt19937 state");
  }
  engine_.seed_ = legacy.initial_seed;
  engine_.left_ = legacy.left;
  engine_.next_ = static_cast<uint32_t>(legacy.next);
  for (int i = 0; i < Mt19937::kStateSize; ++i) engine_.state_[i] = static_cast<uint32_t>(legacy.state[i]);
  next_double_normal_sample.reset();
  next_float_normal_sample.reset();
  if (legacy.normal_is_valid) next_double_normal_sample = legacy.normal_y;
  // By its byte: one that is neither 0 nor 1 must not be loaded as a bool.
  if (bytes[offsetof(CurrentState, next_float_normal_sample_is_valid)] != 0) {
    float value;
    std::memcpy(&value, bytes + offsetof(CurrentState, next_float_normal_sample), sizeof value);
    next_float_normal_sample = value;
  }
}

namespace {
struct DeviceGenerators {
  std::mutex mutex;
  uint64_t seed = Generator::kDefaultSeed;
  std::map<std::pair<int, int>, std::unique_ptr<Generator>> made;
};
DeviceGenerators& device_generators() {
  static auto* generators = new DeviceGenerators;  // outlives whatever draws during process exit
  return *generators;
}
}  // namespace

Generator& default_cpu_generator() {
  static auto* generator = new Generator;
  return *generator;
}

Generator& default_device_generator(int type, int index) {
  DeviceGenerators& all = device_generators();
  std::lock_guard<std::mutex> lock(all.mutex);
  std::unique_ptr<Generator>& g = all.made[{type, index}];
  if (!g) g = std::make_unique<Generator>(all.seed);
  return *g;
}

void manual_seed_all(uint64_t seed) {
  {
    Generator& cpu = default_cpu_generator();
    std::lock_guard<std::mutex> lock(cpu.mutex());
    cpu.manual_seed(seed);
  }
  DeviceGenerators& all = device_generators();
  std::lock_guard<std::mutex> lock(all.mutex);
  all.seed = seed;
  for (auto& entry : all.made) entry.second->manual_seed(seed);
}

}  // namespace sconce
