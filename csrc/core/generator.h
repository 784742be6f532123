#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace sconce {

// The 32-bit Mersenne Twister (Matsumoto and Nishimura, 1998), seeded from the low 32 bits of a 64-bit seed.
class Mt19937 {
 public:
  static constexpr int kStateSize = 624;

  explicit Mt19937(uint64_t seed = 5489);

  uint32_t operator()() {
    if (--left_ == 0) refill();
    uint32_t y = state_[next_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }

 private:
  friend class Generator;
  void refill();

  uint64_t seed_;
  int left_ = 1;  // draws until the state is regenerated; the value 1 forces it on the first draw
  uint32_t next_ = 0;
  std::array<uint32_t, kStateSize> state_;
};

// One random stream: the engine and the second halves of the normal pairs that were drawn but not yet used.
// Its state is byte for byte what Python's `torch.get_rng_state()` returns, so either side resumes the
// other's stream.
//
// A draw is not locked by itself: whoever fills a buffer holds `mutex()` for the whole fill, so that a fill
// is one contiguous stretch of the stream.
class Generator {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721;
  static constexpr size_t kStateBytes = 5056;
  using State = std::array<uint8_t, kStateBytes>;

  explicit Generator(uint64_t seed = kDefaultSeed) : engine_(seed) {}

  uint32_t random() { return engine_(); }
  // The first draw is the high half.
  uint64_t random64() {
    uint64_t high = engine_();
    return high << 32 | engine_();
  }

  void manual_seed(uint64_t seed);
  uint64_t initial_seed() const { return engine_.seed_; }
  // Seeds from the operating system's entropy and returns the seed.
  uint64_t seed();

  State get_state() const;
  // Throws std::invalid_argument, having changed nothing, unless the bytes are a state that get_state could
  // return.
  void set_state(const uint8_t* bytes, size_t size);

  std::mutex& mutex() { return mutex_; }

  // For devices, whose generators count instead of stepping: the seed is the key, and a fill of n numbers
  // takes the next n counters. Returns the first of them.
  uint64_t take_counters(uint64_t n) {
    const uint64_t first = counter_;
    counter_ += n;
    return first;
  }

  std::optional<double> next_double_normal_sample;
  std::optional<float> next_float_normal_sample;

 private:
  Mt19937 engine_;
  uint64_t counter_ = 0;
  std::mutex mutex_;
};

// The stream behind every random operator that is not given a generator. Seeded with kDefaultSeed.
Generator& default_cpu_generator();
// Its counterpart on device number `index` of a kind of device (DeviceType), made on first use with the seed
// that the last manual_seed_all set.
Generator& default_device_generator(int type, int index);
// torch.manual_seed: the CPU's stream and those of all devices.
void manual_seed_all(uint64_t seed);

}  // namespace sconce
