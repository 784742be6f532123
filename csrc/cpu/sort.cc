// Ordering the rows of a contiguous matrix.
#include "../backend/sort.h"

#include <algorithm>
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

// Sorting value and position together keeps the comparisons in cache; the position makes any sort stable.
template <class T>
struct Item {
  T value;
  int64_t index;
};

template <class T, bool Descending>
struct Before {
  bool operator()(const Item<T>& a, const Item<T>& b) const {
    if (Descending ? less(b.value, a.value) : less(a.value, b.value)) return true;
    if (Descending ? less(a.value, b.value) : less(b.value, a.value)) return false;
    return a.index < b.index;
  }
};

template <class T, class Order>
void rows(const ScSort& a, int64_t k, const Order& order) {
  const T* in = static_cast<const T*>(a.in);
  T* values = static_cast<T*>(a.values);
  parallel_for(0, a.rows, std::max<int64_t>(1, 4096 / std::max<int64_t>(a.n, 1)),
               [&](int64_t from, int64_t to) {
                 std::vector<Item<T>> items(static_cast<size_t>(a.n));
                 for (int64_t r = from; r < to; ++r) {
                   for (int64_t i = 0; i < a.n; ++i) items[static_cast<size_t>(i)] = {in[r * a.n + i], i};
                   order(items);
                   for (int64_t i = 0; i < k; ++i) {
                     values[r * k + i] = items[static_cast<size_t>(i)].value;
                     a.indices[r * k + i] = items[static_cast<size_t>(i)].index;
                   }
                 }
               });
}

template <class T, bool Descending>
void order_rows(const ScSort& a, bool whole) {
  using Compare = Before<T, Descending>;
  if (whole) {
    rows<T>(a, a.n, [](auto& items) { std::sort(items.begin(), items.end(), Compare()); });
  } else if (a.k * 64 <= a.n) {  // a heap of the few wanted
    rows<T>(a, a.k, [&](auto& items) {
      std::partial_sort(items.begin(), items.begin() + a.k, items.end(), Compare());
    });
  } else {
    rows<T>(a, a.k, [&](auto& items) {
      if (a.k > 0 && a.k < a.n)
        std::nth_element(items.begin(), items.begin() + (a.k - 1), items.end(), Compare());
      std::sort(items.begin(), items.begin() + a.k, Compare());
    });
  }
}

template <class T>
int32_t run(const ScSort& a, bool whole) {
  if (a.descending)
    order_rows<T, true>(a, whole);
  else
    order_rows<T, false>(a, whole);
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
