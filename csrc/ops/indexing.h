// What the indexing operators share: index tensors, element offsets, rows at those offsets. No autograd in
// any of it.
#pragma once
#include <functional>

#include "ops.h"

namespace sconce::ops {

// Contiguous int64 on device `d`; throws `message` unless the dtype is int32 or int64.
Tensor index_tensor(const Tensor& index, Device d, const char* message);

// Called with the number of the index tensor and the index that is out of range; throws.
using OutOfRange = std::function<void(int which, int64_t index)>;

// offsets[i] = sum over k of indices[k][i] * strides[k], a flat int64 tensor. Index tensors come from
// index_tensor and have equally many elements.
Tensor element_offsets(const TensorList& indices, const Dims& sizes, const Dims& strides, bool allow_negative,
                       const OutOfRange& out_of_range);

// rows[i, inner...] and table[offsets[i], inner...]: the inner dimensions, strided in both.
struct RowGeometry {
  int64_t row_stride = 0;
  Dims inner_sizes, table_strides, row_strides;
  void inner(int64_t size, int64_t table_stride, int64_t row_stride_) {
    inner_sizes.push_back(size);
    table_strides.push_back(table_stride);
    row_strides.push_back(row_stride_);
  }
};
void take_rows(const Tensor& table, const Tensor& rows, const Tensor& offsets, const RowGeometry& g);
void put_rows(ScScatterMode mode, const Tensor& table, const Tensor& rows, const Tensor& offsets,
              const RowGeometry& g);

// A contiguous copy that a kernel may then write into.
inline Tensor fresh_copy(const Tensor& t) {
  Tensor y = empty(t.sizes(), t.dtype(), t.device());
  copy_into(y, t);
  return y;
}

// Where an operator that changes a part of `self` writes: into `self` itself in its in-place form, if nothing
// is recorded and nothing it reads lies in the same memory; otherwise into a copy. To be asked for before any
// other kernel runs, after all checks but those of the kernel itself.
inline Tensor writable(const Tensor& self, const TensorList& sources) {
  InPlaceScope* scope = thread_state().in_place;
  if (scope && scope->direct && scope->self.is_same(self)) {
    scope->direct = false;
    bool apart = true;
    for (const Tensor& t : sources) apart = apart && !(t && t.storage() == self.storage());
    if (apart) return self;
  }
  return fresh_copy(self);
}

// Row-major positions of what is not zero, [n, ndim] int64.
Tensor nonzero_raw(const Tensor& self);

}  // namespace sconce::ops
