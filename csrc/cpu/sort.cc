// Ordering the rows of a contiguous matrix.
#include "../backend/sort.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "../core/device.h"
#include "../core/float16.h"
#include "../core/parallel.h"

namespace sconce::cpu {
namespace {

template <class T>
bool less(T a, T b) {  // NaN last
  if constexpr (std::is_integral_v<T>)
    return a < b;
  else
    return a < b || (b != b && a == a);
}

// Orders `items`, of which the first k are wanted.
template <class Items, class Compare>
void order(Items& items, int64_t k, const Compare& before) {
  const int64_t n = static_cast<int64_t>(items.size());
  if (k == n) {
    std::sort(items.begin(), items.end(), before);
  } else if (k * 64 <= n) {  // a heap of the few wanted
    std::partial_sort(items.begin(), items.begin() + k, items.end(), before);
  } else if (k > 0) {
    std::nth_element(items.begin(), items.begin() + (k - 1), items.end(), before);
    std::sort(items.begin(), items.begin() + k, before);
  }
}

// make(value, position) -> item, position(item) -> where it came from.
template <class Item, class T, class Make, class Position, class Compare>
void order_rows(const ScSort& a, int64_t k, const Make& make, const Position& position,
                const Compare& before) {
  const T* in = static_cast<const T*>(a.in);
  T* values = static_cast<T*>(a.values);
  parallel_for(0, a.rows, std::max<int64_t>(1, 4096 / std::max<int64_t>(a.n, 1)),
               [&](int64_t from, int64_t to) {
                 std::vector<Item> items(static_cast<size_t>(a.n));
                 for (int64_t r = from; r < to; ++r) {
                   const T* row = in + r * a.n;
                   for (int64_t i = 0; i < a.n; ++i) items[static_cast<size_t>(i)] = make(row[i], i);
                   order(items, k, before);
                   for (int64_t i = 0; i < k; ++i) {
                     const int64_t at = position(items[static_cast<size_t>(i)]);
                     values[r * k + i] = row[at];
                     a.indices[r * k + i] = at;
                   }
                 }
               });
}

// An unsigned number that orders as the value does: NaN last, both zeros equal.
template <class T>
uint32_t ordered_bits(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<uint32_t>(static_cast<int32_t>(value)) ^ 0x80000000u;
  } else {
    const float f = static_cast<float>(value);
    if (f != f) return 0xffffffffu;
    const uint32_t bits = float_to_bits(f == 0 ? 0.f : f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  }
}

template <class T>
struct Item {
  T value;
  int64_t index;
};

// The position decides among equals, which makes any sort a stable one.
template <class T, bool Descending>
void sort_rows(const ScSort& a, int64_t k) {
  if constexpr (sizeof(T) <= 4) {
    // Value and position in one word: comparisons without branches.
    if (a.n < (int64_t{1} << 32)) {
      auto make = [](T value, int64_t i) {
        const uint32_t bits = Descending ? ~ordered_bits(value) : ordered_bits(value);
        return static_cast<uint64_t>(bits) << 32 | static_cast<uint64_t>(i);
      };
      auto position = [](uint64_t item) { return static_cast<int64_t>(item & 0xffffffffu); };
      return order_rows<uint64_t, T>(a, k, make, position, std::less<uint64_t>());
    }
  }
  auto make = [](T value, int64_t i) { return Item<T>{value, i}; };
  auto position = [](const Item<T>& item) { return item.index; };
  auto before = [](const Item<T>& x, const Item<T>& y) {
    if (Descending ? less(y.value, x.value) : less(x.value, y.value)) return true;
    if (Descending ? less(x.value, y.value) : less(y.value, x.value)) return false;
    return x.index < y.index;
  };
  order_rows<Item<T>, T>(a, k, make, position, before);
}

template <class T>
int32_t run(const ScSort& a, bool whole) {
  const int64_t k = whole ? a.n : a.k;
  if (a.descending)
    sort_rows<T, true>(a, k);
  else
    sort_rows<T, false>(a, k);
  return SC_OK;
}

int32_t dispatch(const ScSort& a, bool whole) {
  switch (a.dtype) {
    case SC_FLOAT32:
      return run<float>(a, whole);
    case SC_FLOAT64:
      return run<double>(a, whole);
    case SC_FLOAT16:
      return run<half_t>(a, whole);
    case SC_BFLOAT16:
      return run<bfloat16_t>(a, whole);
    case SC_INT64:
      return run<int64_t>(a, whole);
    case SC_INT32:
      return run<int32_t>(a, whole);
    case SC_INT16:
      return run<int16_t>(a, whole);
    case SC_INT8:
      return run<int8_t>(a, whole);
    case SC_UINT8:
      return run<uint8_t>(a, whole);
    case SC_BOOL:
      return run<bool>(a, whole);
    default:
      return SC_UNSUPPORTED;
  }
}

int32_t sort_kernel(const ScSort* a) { return dispatch(*a, true); }
int32_t top_k_kernel(const ScSort* a) { return dispatch(*a, false); }

SC_CPU_KERNEL(sort.sort, sort_kernel);
SC_CPU_KERNEL(sort.top_k, top_k_kernel);

}  // namespace
}  // namespace sconce::cpu
