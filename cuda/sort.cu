// Stable sorts of rows, by merging: runs of kRun are sorted by one thread each, then neighbouring runs are
// merged pass by pass. In a pass every element finds its place alone: its position in its own run, plus the
// number of elements of the other run that come before it.
#include "sort.cuh"

#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

constexpr int64_t kRun = 16;

// Ascending with NaN last; descending with NaN first.
template <class C>
SC_HD bool before(C a, C b, bool descending) {
  if (descending) return a > b || (fn::is_nan(a) && !fn::is_nan(b));
  return a < b || (fn::is_nan(b) && !fn::is_nan(a));
}

template <class C>
struct SortRuns {
  Wide<C> in;
  C* values;
  int64_t* indices;
  int64_t n, runs;  // runs per row
  bool descending;
  SC_HD void operator()(int64_t i) const {
    const int64_t row = i / runs, from = i % runs * kRun, to = from + kRun < n ? from + kRun : n;
    C* v = values + row * n;
    int64_t* index = indices + row * n;
    for (int64_t k = from; k < to; ++k) {
      const C x = in.load(row * n + k);
      int64_t at = k;
      for (; at > from && before(x, v[at - 1], descending); --at) {
        v[at] = v[at - 1];
        index[at] = index[at - 1];
      }
      v[at] = x;
      index[at] = k;
    }
  }
};

template <class C>
struct MergeRuns {
  const C* from_values;
  const int64_t* from_indices;
  C* to_values;
  int64_t* to_indices;
  int64_t n, width;
  bool descending;
  SC_HD void operator()(int64_t i) const {
    const int64_t row = i / n, at = i % n, pair = at / (2 * width) * (2 * width), middle = pair + width;
    const C* v = from_values + row * n;
    const C x = v[at];
    const bool left = at < middle;
    int64_t low = left ? middle : pair;
    int64_t high = left ? pair + 2 * width : middle;
    if (low > n) low = n;
    if (high > n) high = n;
    const int64_t start = low;
    // Equal elements of the left run come before those of the right.
    while (low < high) {
      const int64_t mid = low + (high - low) / 2;
      const bool passes = left ? before(v[mid], x, descending) : !before(x, v[mid], descending);
      if (passes)
        low = mid + 1;
      else
        high = mid;
    }
    const int64_t to = row * n + pair + (at - (left ? pair : middle)) + (low - start);
    to_values[to] = x;
    to_indices[to] = from_indices[i];
  }
};

template <class C>
struct WriteSorted {
  const C* from_values;
  const int64_t* from_indices;
  Wide<C> values;
  int64_t* indices;
  int64_t n, k;
  SC_HD void operator()(int64_t i) const {
    const int64_t at = i / k * n + i % k;
    if (values.data) values.store(i, from_values[at]);
    indices[i] = from_indices[at];
  }
};

template <class C>
int32_t sort_rows(const ScSort* a, int64_t k) {
  const int64_t total = a->rows * a->n;
  if (total == 0 || k == 0) return SC_OK;
  Scratch<C> values(2 * total);
  Scratch<int64_t> indices(2 * total);
  if (!values || !indices) return fail("CUDA out of memory");
  C *from_values = values.get(), *to_values = from_values + total;
  int64_t *from_indices = indices.get(), *to_indices = from_indices + total;
  const bool descending = a->descending != 0;
  const int64_t runs = (a->n + kRun - 1) / kRun;
  const Wide<C> in(const_cast<void*>(a->in), a->dtype);
  SC_CUDA_TRY(launch(a->rows * runs, SortRuns<C>{in, from_values, from_indices, a->n, runs, descending}));
  for (int64_t width = kRun; width < a->n; width *= 2) {
    SC_CUDA_TRY(launch(
        total, MergeRuns<C>{from_values, from_indices, to_values, to_indices, a->n, width, descending}));
    std::swap(from_values, to_values);
    std::swap(from_indices, to_indices);
  }
  return launch(a->rows * k,
                WriteSorted<C>{from_values, from_indices, {a->values, a->dtype}, a->indices, a->n, k});
}

int32_t top_k(const ScSort* a) {
  return for_wide(a->dtype, [&](auto tag) { return sort_rows<typename decltype(tag)::type>(a, a->k); });
}

}  // namespace

// Values may be null: then only the order is wanted.
int32_t sort(const ScSort* a) {
  return for_wide(a->dtype, [&](auto tag) { return sort_rows<typename decltype(tag)::type>(a, a->n); });
}

ScSortKernels sort_kernels() {
  ScSortKernels k{};
  k.sort = sort;
  k.top_k = top_k;
  return k;
}

}  // namespace cuda
}  // namespace sconce
