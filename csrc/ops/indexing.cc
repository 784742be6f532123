#include "indexing.h"

namespace sconce::ops {

Tensor index_tensor(const Tensor& index, Device d, const char* message) {
  SC_CHECK(index.dtype() == DType::kInt64 || index.dtype() == DType::kInt32, message);
  Tensor t = contiguous_raw(cast_raw(index, DType::kInt64));
  if (t.device() == d) return t;
  SC_CHECK(t.device().is_cpu(),
           "indices should be either on cpu or on the same device as the indexed tensor (", device_name(d),
           ")");
  Tensor moved = empty(t.sizes(), t.dtype(), d);
  copy_into(moved, t);
  return moved;
}

Tensor element_offsets(const TensorList& indices, const Dims& sizes, const Dims& strides, bool allow_negative,
                       const OutOfRange& out_of_range) {
  const Device device = indices[0].device();
  ScIndexOffsets a{};
  a.n = indices[0].numel();
  a.count = static_cast<int32_t>(indices.size());
  a.allow_negative = allow_negative;
  for (int k = 0; k < a.count; ++k) {
    a.index[k] = indices[static_cast<size_t>(k)].data_as<const int64_t>();
    a.sizes[k] = sizes[k];
    a.strides[k] = strides[k];
  }
  Tensor offsets = empty({a.n}, DType::kInt64, device);
  a.out = offsets.data_as<int64_t>();
  if (a.n == 0) return offsets;
  const ScBackend& b = backend_of(device);
  const int32_t status = b.index.offsets ? b.index.offsets(&a) : SC_UNSUPPORTED;
  if (status == SC_ERROR) out_of_range(a.bad_which, a.bad);
  check_kernel(status, device, "index");
  return offsets;
}

static ScIndexRows rows_args(const Tensor& table, const Tensor& rows, const Tensor& offsets,
                             const RowGeometry& g) {
  ScIndexRows a{};
  a.table = table.data();
  a.rows = rows.data();
  a.dtype = static_cast<int32_t>(table.dtype());
  a.inner_ndim = g.inner_sizes.size();
  a.offsets = offsets.data_as<const int64_t>();
  a.n = offsets.numel();
  a.row_stride = g.row_stride;
  for (int i = 0; i < a.inner_ndim; ++i) {
    a.inner_sizes[i] = g.inner_sizes[i];
    a.table_strides[i] = g.table_strides[i];
    a.row_strides[i] = g.row_strides[i];
  }
  return a;
}

void take_rows(const Tensor& table, const Tensor& rows, const Tensor& offsets, const RowGeometry& g) {
  if (rows.numel() == 0) return;
  const ScIndexRows a = rows_args(table, rows, offsets, g);
  const ScBackend& b = backend_of(table.device());
  check_kernel(b.index.take_rows ? b.index.take_rows(&a) : SC_UNSUPPORTED, table.device(), "index");
}

void put_rows(ScScatterMode mode, const Tensor& table, const Tensor& rows, const Tensor& offsets,
              const RowGeometry& g) {
  if (offsets.numel() == 0) return;
  const ScIndexRows a = rows_args(table, rows, offsets, g);
  const ScBackend& b = backend_of(table.device());
  check_kernel(b.index.put_rows ? b.index.put_rows(mode, &a) : SC_UNSUPPORTED, table.device(), "index_put");
}

Tensor nonzero_raw(const Tensor& self) {
  const Tensor x = contiguous_raw(self);
  const ScBackend& b = backend_of(x.device());
  const ScTensor in = to_c(x);
  int64_t count = 0;
  if (x.numel() > 0)
    check_kernel(b.index.nonzero ? b.index.nonzero(&in, &count, nullptr) : SC_UNSUPPORTED, x.device(),
                 "nonzero");
  Tensor out = empty({count, x.dim()}, DType::kInt64, x.device());
  if (out.numel() > 0)
    check_kernel(b.index.nonzero(&in, &count, out.data_as<int64_t>()), x.device(), "nonzero");
  return out;
}

}  // namespace sconce::ops
