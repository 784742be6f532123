#include "fake_device.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "backend_loader.h"
#include "device.h"
#include "error.h"
#include "storage.h"

namespace sconce {
namespace {

// User addresses stay below 2^47, so a tagged one is mapped nowhere. It also stays below 2^53, which keeps
// data_ptr() exact in JavaScript. As a double a tagged word is a number near 3e-308: no argument looks like
// one by chance.
constexpr int kTagShift = 47;
constexpr uint64_t kFirstTag = 43;  // of device 0

int device_of(uint64_t word) {  // -1: no address of this device
  const uint64_t tag = word >> kTagShift;
  return tag >= kFirstTag && tag < kFirstTag + kFakeDevices ? static_cast<int>(tag - kFirstTag) : -1;
}
uint64_t word_of(const void* p) { return reinterpret_cast<uintptr_t>(p); }
template <class T>
T* address(uint64_t word) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(word));  // NOLINT: addresses are what this file is about
}
uint64_t strip(uint64_t word) { return word & ((uint64_t{1} << kTagShift) - 1); }

// Whose kernels run: the CPU's, or those of a library under test.
const ScBackend& kernels() {
  static const ScBackend* const backend = [] {
    const char* path = getenv("SCONCE_FAKE_KERNELS");
    if (!path || !*path) return g_cpu_backend;
    const LoadedBackend loaded = load_backend(path);
    SC_CHECK(loaded.backend, "SCONCE_FAKE_KERNELS: ", loaded.reason);
    return loaded.backend;
  }();
  return *backend;
}

thread_local int t_current = 0;
thread_local std::string t_error;

// Undoes the tags while one kernel runs. Argument structs are copied word by word: whatever field holds a
// tagged address, it is found by its value, so that a family may change its structs without a change here.
class Call {
 public:
  int32_t status() const { return status_; }
  uint64_t untag(uint64_t word) {
    const int device = device_of(word);
    if (device < 0) return word;
    if (device != t_current)
      fail("memory of fake:" + std::to_string(device) +
           " used by a kernel running on fake:" + std::to_string(t_current));
    return strip(word);
  }
  template <class T>
  T* untag_address(T* p) {
    return address<T>(untag(word_of(p)));
  }
  void fail(const std::string& what) {
    t_error = what;
    status_ = SC_ERROR;
  }
  // A host array of device addresses.
  template <class T>
  void untag_list(T* const** list, int64_t count) {
    if (!*list) return;
    std::vector<void*>& copy = lists_.emplace_back();
    for (int64_t i = 0; i < count; ++i)
      copy.push_back(const_cast<void*>(static_cast<const void*>(untag_address((*list)[i]))));
    *list = reinterpret_cast<T* const*>(copy.data());
  }

 private:
  int32_t status_ = SC_OK;
  std::deque<std::vector<void*>> lists_;
};

// ---- one argument, as the CPU kernel wants it ----

template <class T>
struct Given {
  Call& call;
  T value;
};

template <class T, class = void>
struct Argument {                                   // numbers
  Argument(Given<T> given) : value(given.value) {}  // NOLINT: implicit, here and below
  T value;
};

template <class T>
struct Argument<T*, std::enable_if_t<!std::is_class_v<std::remove_cv_t<T>>>> {  // buffers on the device, or
                                                                                // results on the host
  Argument(Given<T*> given) : value(given.call.untag_address(given.value)) {}   // NOLINT
  T* value;
};

template <class S>
void untag_words(Call& call, S* args) {
  static_assert(sizeof(S) % sizeof(uint64_t) == 0);
  auto* bytes = reinterpret_cast<unsigned char*>(args);
  for (size_t at = 0; at < sizeof(S); at += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes + at, sizeof word);
    word = call.untag(word);
    memcpy(bytes + at, &word, sizeof word);
  }
}
// An iterator's scalars may hold any bits, and its operands must be this device's.
void untag_words(Call& call, ScIter* it) {
  for (int k = 0; k < it->noperands; ++k) {
    if (it->scalar_mask >> k & 1) {
      it->data[k] = it->scalar[k].bytes;
    } else {
      if (it->numel > 0 && !is_fake_address(it->data[k]))
        call.fail("host memory used by a kernel running on a fake device");
      it->data[k] = call.untag_address(it->data[k]);
    }
  }
}

// Optimizer steps name their tensors in host arrays.
void untag_words(Call& call, ScParamLists* lists) {
  call.untag_list(&lists->params, lists->count);
  call.untag_list(&lists->grads, lists->count);
}
void untag_words(Call& call, ScSgd* a) {
  untag_words(call, &a->lists);
  call.untag_list(&a->momentum_buffers, a->lists.count);
}
void untag_words(Call& call, ScAdam* a) {
  untag_words(call, &a->lists);
  call.untag_list(&a->exp_avgs, a->lists.count);
  call.untag_list(&a->exp_avg_sqs, a->lists.count);
  call.untag_list(&a->max_exp_avg_sqs, a->lists.count);
}
void untag_words(Call& call, ScRmsprop* a) {
  untag_words(call, &a->lists);
  call.untag_list(&a->square_avgs, a->lists.count);
  call.untag_list(&a->grad_avgs, a->lists.count);
  call.untag_list(&a->momentum_buffers, a->lists.count);
}

template <class T>
struct Argument<T*, std::enable_if_t<std::is_class_v<std::remove_cv_t<T>>>> {  // argument structs
  using Plain = std::remove_cv_t<T>;
  Argument(Given<T*> given) : original(given.value) {  // NOLINT
    if (!original) return;
    copy = *original;
    untag_words(given.call, &copy);
    before = copy;
    value = &copy;
  }
  ~Argument() {
    if constexpr (!std::is_const_v<T>) {  // results travel back, addresses keep their tags
      if (!original) return;
      auto* to = reinterpret_cast<unsigned char*>(original);
      const auto* now = reinterpret_cast<const unsigned char*>(&copy);
      const auto* then = reinterpret_cast<const unsigned char*>(&before);
      for (size_t i = 0; i < sizeof(Plain); ++i)
        if (now[i] != then[i]) to[i] = now[i];
    }
  }
  Argument(const Argument&) = delete;
  T* original;
  Plain copy, before;
  T* value = nullptr;
};

template <size_t At, class R, class... A>
R run(A... args) {
  R (*kernel)(A...);
  memcpy(&kernel, reinterpret_cast<const char*>(&kernels()) + At, sizeof kernel);
  Call call;
  std::tuple<Argument<A>...> host(Given<A>{call, args}...);
  // What is not a status is a size, and 0 says that there is nothing to do.
  if (call.status() != SC_OK) return std::is_same_v<R, int32_t> ? call.status() : 0;
  t_error.clear();
  return std::apply([&](auto&... a) { return kernel(a.value...); }, host);
}
template <size_t At, class R, class... A>
auto wrapped(R (*)(A...)) -> R (*)(A...) {
  return &run<At, R, A...>;
}

// ---- memory ----

struct Stats {
  std::mutex mutex;
  ScMemoryStats of[kFakeDevices] = {};
};
Stats& stats() {
  static Stats* s = new Stats;  // never destroyed: storages may outlive static destructors
  return *s;
}

void* allocate(int32_t device, size_t bytes) {
  void* p = cpu_allocate(0, bytes);
  if (!p) return nullptr;
  Stats& s = stats();
  std::lock_guard<std::mutex> lock(s.mutex);
  ScMemoryStats& m = s.of[device];
  ++m.allocations;
  m.allocated_bytes += static_cast<int64_t>(bytes);
  m.allocated_bytes_peak = std::max(m.allocated_bytes_peak, m.allocated_bytes);
  m.reserved_bytes = m.allocated_bytes;
  m.reserved_bytes_peak = m.allocated_bytes_peak;
  return address<void>(word_of(p) | (kFirstTag + static_cast<uint64_t>(device)) << kTagShift);
}

void deallocate(int32_t device, void* p, size_t bytes) {
  {
    Stats& s = stats();
    std::lock_guard<std::mutex> lock(s.mutex);
    ScMemoryStats& m = s.of[device];
    ++m.frees;
    m.allocated_bytes -= static_cast<int64_t>(bytes);
    m.reserved_bytes = m.allocated_bytes;
  }
  cpu_deallocate(0, address<void>(strip(word_of(p))), bytes);
}

int32_t transfer(int32_t direction, int32_t dst_device, void* dst, int32_t src_device, const void* src,
                 size_t bytes) {
  const int to = direction == SC_DEVICE_TO_HOST ? -1 : dst_device,
            from = direction == SC_HOST_TO_DEVICE ? -1 : src_device;
  if (device_of(word_of(dst)) != to || device_of(word_of(src)) != from) {
    t_error = "transfer between other devices than its arguments say";
    return SC_ERROR;
  }
  memcpy(address<void>(strip(word_of(dst))), address<const void>(strip(word_of(src))), bytes);
  return SC_OK;
}

ScBackend make_backend() {
  ScBackend b{};
  b.abi = SC_BACKEND_ABI;
  b.name = "fake";
  b.last_error = [] { return t_error.empty() ? kernels().last_error() : t_error.c_str(); };
  b.memory.device_count = [] { return static_cast<int32_t>(kFakeDevices); };
  b.memory.device_name = [](int32_t) { return "fake"; };
  b.memory.allocate = allocate;
  b.memory.deallocate = deallocate;
  b.memory.transfer = transfer;
  b.memory.synchronize = [](int32_t) { return static_cast<int32_t>(SC_OK); };
  b.memory.stats = [](int32_t device, ScMemoryStats* out) {
    Stats& s = stats();
    std::lock_guard<std::mutex> lock(s.mutex);
    *out = s.of[device];
  };
  b.memory.reset_peak = [](int32_t device) {
    Stats& s = stats();
    std::lock_guard<std::mutex> lock(s.mutex);
    ScMemoryStats& m = s.of[device];
    m.allocated_bytes_peak = m.reserved_bytes_peak = m.allocated_bytes;
  };
  b.memory.empty_cache = [](int32_t) {};
  b.memory.set_device = [](int32_t device) {
    t_current = device;
    return static_cast<int32_t>(SC_OK);
  };

// A kernel not named here stays null, and test/cpp/device_test.cc names it.
#define SC_FAKE(kernel) \
  if (kernels().kernel) b.kernel = wrapped<offsetof(ScBackend, kernel)>(b.kernel)
  SC_FAKE(elementwise.unary);
  SC_FAKE(elementwise.binary);
  SC_FAKE(elementwise.ternary);
  SC_FAKE(elementwise.copy);
  SC_FAKE(elementwise.fill);
  SC_FAKE(elementwise.range);
  SC_FAKE(reduce.reduce);
  SC_FAKE(scan.scan);
  SC_FAKE(softmax.forward);
  SC_FAKE(softmax.backward);
  SC_FAKE(matmul.matmul);
  SC_FAKE(matmul.packed_bytes);
  SC_FAKE(matmul.pack);
  SC_FAKE(norm.channel_stats);
  SC_FAKE(norm.channel_affine);
  SC_FAKE(norm.channel_grad_sums);
  SC_FAKE(norm.channel_affine2);
  SC_FAKE(norm.layer_norm);
  SC_FAKE(norm.layer_norm_backward);
  SC_FAKE(rnn.lstm_forward);
  SC_FAKE(rnn.lstm_backward);
  SC_FAKE(conv.forward);
  SC_FAKE(conv.backward_data);
  SC_FAKE(conv.backward_weights);
  SC_FAKE(pool.max_forward);
  SC_FAKE(pool.max_backward);
  SC_FAKE(pool.average_forward);
  SC_FAKE(pool.average_backward);
  SC_FAKE(attention.forward);
  SC_FAKE(attention.backward);
  SC_FAKE(index.offsets);
  SC_FAKE(index.take_rows);
  SC_FAKE(index.put_rows);
  SC_FAKE(index.gather);
  SC_FAKE(index.scatter);
  SC_FAKE(index.nonzero);
  SC_FAKE(sort.sort);
  SC_FAKE(sort.top_k);
  SC_FAKE(random.fill);
  SC_FAKE(optim.sgd);
  SC_FAKE(optim.adam);
  SC_FAKE(optim.rmsprop);
#undef SC_FAKE
  return b;
}
}  // namespace

bool is_fake_address(const void* p) { return device_of(word_of(p)) >= 0; }

const ScBackend& fake_backend() {
  static const ScBackend backend = make_backend();
  return backend;
}

}  // namespace sconce
