// Reading and writing at positions that tensors hold.
//
// Indices are checked in a pass of their own whose answer the host waits for: an index out of range then
// writes nothing and is an ordinary error. Where several assignments meet in one place, any of them may win.
#include <vector>

#include "elementwise.cuh"
#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

constexpr int64_t kNone = INT64_MAX;

struct Earlier {
  int64_t v;
  SC_HD int64_t operator()(int64_t old) const { return v < old ? v : old; }
};

// The first place at which a check found something, kept on the device.
class FirstBad {
 public:
  FirstBad() : cell_(1) {}
  int32_t reset() {
    if (!cell_) return fail("CUDA out of memory");
    return write_to(cell_.get(), &kNone, sizeof kNone);
  }
  int64_t* cell() const { return cell_.get(); }
  int32_t read(int64_t* place) const { return read_back(place, cell_.get(), sizeof *place); }

 private:
  Scratch<int64_t> cell_;
};

// ---- offsets ----

struct Offsets {
  ScIndexOffsets a;
  int64_t* bad;
  SC_HD void operator()(int64_t i) const {
    int64_t sum = 0;
    for (int32_t k = 0; k < a.count; ++k) {
      int64_t at = a.index[k][i];
      if (at < (a.allow_negative ? -a.sizes[k] : 0) || at >= a.sizes[k]) {
        atomic_update(bad, Earlier{k * a.n + i});
        return;
      }
      if (at < 0) at += a.sizes[k];
      sum += at * a.strides[k];
    }
    a.out[i] = sum;
  }
};

int32_t offsets(ScIndexOffsets* a) {
  if (a->n == 0) return SC_OK;
  FirstBad bad;
  SC_CUDA_TRY(bad.reset());
  SC_CUDA_TRY(launch(a->n, Offsets{*a, bad.cell()}));
  int64_t place;
  SC_CUDA_TRY(bad.read(&place));
  if (place == kNone) return SC_OK;
  a->bad_which = static_cast<int32_t>(place / a->n);
  SC_CUDA_TRY(read_back(&a->bad, a->index[a->bad_which] + place % a->n, sizeof a->bad));
  return SC_ERROR;
}

// ---- combining ----

template <class T>
struct Combine {
  int32_t mode;
  T v;
  SC_HD T operator()(T old) const {
    using C = compute_t<T>;
    const C a = old, b = v;
    switch (mode) {
      case SC_SCATTER_ADD:
        return static_cast<T>(fn::add_wrapped(a, b));
      case SC_SCATTER_MUL:
        return static_cast<T>(fn::mul_wrapped(a, b));
      case SC_SCATTER_AMAX:
        return fn::is_nan(a) || a > b ? old : v;
      default:
        return fn::is_nan(a) || a < b ? old : v;
    }
  }
};
template <class T>
SC_HD void combine(T* to, T v, int32_t mode) {
  if (mode == SC_SCATTER_ASSIGN)
    *to = v;
  else if (mode == SC_SCATTER_ADD)
    atomic_add(to, v);
  else
    atomic_update(to, Combine<T>{mode, v});
}
// `bool` adds as a logical or, and multiplies as an and.
template <>
SC_HD void combine<bool>(bool* to, bool v, int32_t mode) {
  const bool raises = mode == SC_SCATTER_ADD || mode == SC_SCATTER_AMAX;
  if (mode == SC_SCATTER_ASSIGN)
    *to = v;
  else if (raises ? v : !v)
    *to = raises;
}

// ---- rows ----

template <class T>
struct Rows {
  T *table, *rows;
  const int64_t* offsets;
  Strided<2> inner;
  int64_t row_numel, row_stride;
  int32_t mode;  // -1: take
  Rows(const ScIndexRows* a, int32_t mode)
      : table(static_cast<T*>(a->table)),
        rows(static_cast<T*>(a->rows)),
        offsets(a->offsets),
        row_numel(1),
        row_stride(a->row_stride),
        mode(mode) {
    const int64_t* strides[] = {a->table_strides, a->row_strides};
    inner = strided<2>(a->inner_ndim, a->inner_sizes, strides);
    for (int d = 0; d < a->inner_ndim; ++d) row_numel *= a->inner_sizes[d];
  }
  SC_HD void operator()(int64_t i) const {
    const int64_t row = i / row_numel;
    int64_t at[2];
    inner.at(i - row * row_numel, at);
    T* place = table + offsets[row] + at[0];
    T* mine = rows + row * row_stride + at[1];
    if (mode < 0)
      *mine = *place;
    else
      combine(place, *mine, mode);
  }
};

int32_t take_rows(const ScIndexRows* a) {
  return for_widths(a->dtype, [&](auto tag) {
    const Rows<typename decltype(tag)::type> kernel(a, -1);
    return launch(a->n * kernel.row_numel, kernel);
  });
}
int32_t put_rows(int32_t mode, const ScIndexRows* a) {
  auto put = [&](auto tag) {
    const Rows<typename decltype(tag)::type> kernel(a, mode);
    return launch(a->n * kernel.row_numel, kernel);
  };
  return mode == SC_SCATTER_ASSIGN ? for_widths(a->dtype, put) : for_all(a->dtype, put);
}

// ---- gather and scatter ----

struct CheckIndex {
  Strided<1> space;
  const int64_t* index;
  int64_t size;
  int64_t* bad;
  SC_HD void operator()(int64_t i) const {
    int64_t at;
    space.at(i, &at);
    if (index[at] < 0 || index[at] >= size) atomic_update(bad, Earlier{at});
  }
};

int64_t numel_of(const ScTensor* t) {
  int64_t n = 1;
  for (int d = 0; d < t->ndim; ++d) n *= t->sizes[d];
  return n;
}

int32_t check_index(const ScTensor* index, int64_t size, int64_t* bad) {
  const int64_t* strides[] = {index->strides};
  const auto* data = static_cast<const int64_t*>(index->data);
  FirstBad first;
  SC_CUDA_TRY(first.reset());
  SC_CUDA_TRY(launch(numel_of(index),
                     CheckIndex{strided<1>(index->ndim, index->sizes, strides), data, size, first.cell()}));
  int64_t place;
  SC_CUDA_TRY(first.read(&place));
  if (place == kNone) return SC_OK;
  SC_CUDA_TRY(read_back(bad, data + place, sizeof *bad));
  return SC_ERROR;
}

// Over the index's shape: `self` at the index along `dim` meets `other` (the output, or the source).
template <class T>
struct AlongDim {
  Strided<3> space;  // self without `dim`, index, other
  T *self, *other;
  const int64_t* index;
  int64_t dim_stride;
  int32_t mode;  // -1: gather
  AlongDim(const ScTensor* s, const ScTensor* idx, const ScTensor* o, int32_t dim, int32_t mode)
      : self(static_cast<T*>(s->data)),
        other(static_cast<T*>(o->data)),
        index(static_cast<const int64_t*>(idx->data)),
        dim_stride(s->ndim ? s->strides[dim] : 0),
        mode(mode) {
    int64_t self_strides[SC_MAX_DIMS] = {};
    for (int d = 0; d < s->ndim; ++d) self_strides[d] = d == dim ? 0 : s->strides[d];
    const int64_t* strides[] = {self_strides, idx->strides, o->strides};
    space = strided<3>(idx->ndim, idx->sizes, strides);
  }
  SC_HD void operator()(int64_t i) const {
    int64_t at[3];
    space.at(i, at);
    T* place = self + at[0] + index[at[1]] * dim_stride;
    if (mode < 0)
      other[at[2]] = *place;
    else
      combine(place, other[at[2]], mode);
  }
};

int32_t gather(const ScTensor* out, const ScTensor* self, const ScTensor* index, int32_t dim, int64_t* bad) {
  const int64_t n = numel_of(index);
  if (n == 0) return SC_OK;
  SC_CUDA_TRY(check_index(index, self->ndim ? self->sizes[dim] : 1, bad));
  return for_widths(out->dtype, [&](auto tag) {
    return launch(n, AlongDim<typename decltype(tag)::type>(self, index, out, dim, -1));
  });
}

int32_t scatter(int32_t mode, const ScTensor* self, const ScTensor* index, const ScTensor* src, int32_t dim,
                int64_t* bad) {
  const int64_t n = numel_of(index);
  if (n == 0) return SC_OK;
  SC_CUDA_TRY(check_index(index, self->ndim ? self->sizes[dim] : 1, bad));
  auto put = [&](auto tag) {
    return launch(n, AlongDim<typename decltype(tag)::type>(self, index, src, dim, mode));
  };
  return mode == SC_SCATTER_ASSIGN ? for_widths(self->dtype, put) : for_all(self->dtype, put);
}

// ---- nonzero: a thread per chunk counts, the host adds the counts up, then each chunk writes its own places
// ----

constexpr int64_t kChunk = 1024;

template <class C>
struct Nonzero {
  Wide<C> self;
  int64_t n;
  int32_t ndim;
  int64_t sizes[SC_MAX_DIMS];
  int64_t* counts;  // per chunk; when writing: the number of places before it
  int64_t* out;     // null: count
  SC_HD void operator()(int64_t chunk) const {
    const int64_t from = chunk * kChunk, to = from + kChunk < n ? from + kChunk : n;
    int64_t found = out ? counts[chunk] : 0;
    for (int64_t i = from; i < to; ++i) {
      if (self.load(i) == C(0)) continue;
      if (out) {
        int64_t rest = i;
        for (int d = ndim - 1; d >= 0; --d) {
          out[found * ndim + d] = rest % sizes[d];
          rest /= sizes[d];
        }
      }
      ++found;
    }
    if (!out) counts[chunk] = found;
  }
};

int32_t nonzero(const ScTensor* self, int64_t* count, int64_t* out) {
  const int64_t n = numel_of(self), chunks = (n + kChunk - 1) / kChunk;
  *count = 0;
  if (n == 0) return SC_OK;
  Scratch<int64_t> counts(chunks);
  if (!counts) return fail("CUDA out of memory");
  return for_wide(self->dtype, [&](auto tag) -> int32_t {
    using C = typename decltype(tag)::type;
    Nonzero<C> kernel{{self->data, self->dtype}, n, self->ndim, {}, counts.get(), nullptr};
    for (int d = 0; d < self->ndim; ++d) kernel.sizes[d] = self->sizes[d];
    SC_CUDA_TRY(launch(chunks, kernel));
    std::vector<int64_t> before(static_cast<size_t>(chunks));
    SC_CUDA_TRY(read_back(before.data(), counts.get(), before.size() * sizeof(int64_t)));
    for (int64_t& c : before) {
      const int64_t here = c;
      c = *count;
      *count += here;
    }
    if (!out) return SC_OK;
    SC_CUDA_TRY(write_to(counts.get(), before.data(), before.size() * sizeof(int64_t)));
    kernel.out = out;
    return launch(chunks, kernel);
  });
}

}  // namespace

ScIndexKernels index_kernels() {
  ScIndexKernels k{};
  k.offsets = offsets;
  k.take_rows = take_rows;
  k.put_rows = put_rows;
  k.gather = gather;
  k.scatter = scatter;
  k.nonzero = nonzero;
  return k;
}

}  // namespace cuda
}  // namespace sconce
