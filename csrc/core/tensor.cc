#include "tensor.h"

#include <algorithm>
#include <cstring>

#include "../autograd/forward.h"
#include "../autograd/graph.h"
#include "iter.h"

namespace sconce {

static bool compute_contiguous(const Dims& sizes, const Dims& strides) {
  int64_t expected = 1;
  for (int i = sizes.size() - 1; i >= 0; --i) {
    if (sizes[i] == 0) return true;
    if (sizes[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

TensorImpl::TensorImpl(Ref<Storage> s, DType t, const Dims& sz, const Dims& st, int64_t off)
    : dtype(t),
      contiguous(compute_contiguous(sz, st)),
      storage(std::move(s)),
      offset(off),
      numel(1),
      sizes(sz),
      strides(st) {
  for (int64_t n : sz) numel *= n;
}

TensorImpl::~TensorImpl() {
  magic = 0;
  if (tangent_flag) forget_tangents(this);
}

void TensorImpl::set_geometry(const Dims& sz, const Dims& st, int64_t off) {
  sizes = sz;
  strides = st;
  offset = off;
  numel = numel_of(sz);
  contiguous = compute_contiguous(sz, st);
}

bool Tensor::is_contiguous(MemoryFormat f) const {
  if (f == MemoryFormat::kChannelsLast) {
    if (dim() != 4) return false;
    if (numel() == 0) return true;
    int64_t expected = 1;
    for (int d : {1, 3, 2, 0}) {
      if (sizes()[d] == 1) continue;
      if (strides()[d] != expected) return false;
      expected *= sizes()[d];
    }
    return true;
  }
  return p_->contiguous;
}

bool Tensor::is_non_overlapping_and_dense() const {
  if (p_->contiguous) return true;
  const int n = dim();
  int order[kMaxDims];
  int m = 0;
  for (int i = 0; i < n; ++i)
    if (sizes()[i] != 1) order[m++] = i;
  std::sort(order, order + m, [&](int a, int b) { return strides()[a] < strides()[b]; });
  int64_t expected = 1;
  for (int i = 0; i < m; ++i) {
    if (strides()[order[i]] != expected) return false;
    expected *= sizes()[order[i]];
  }
  return true;
}

Tensor empty_strided(const Dims& sizes, const Dims& strides, DType dtype, Device device) {
  const int64_t n = numel_of(sizes);
  int64_t extent = n == 0 ? 0 : 1;
  if (n > 0)
    for (int i = 0; i < sizes.size(); ++i) extent += (sizes[i] - 1) * strides[i];
  int64_t bytes;
  SC_CHECK(!__builtin_mul_overflow(extent, item_size(dtype), &bytes),
           "Storage size calculation overflowed with sizes=", sizes);
  Ref<TensorImpl> p(new TensorImpl(Storage::allocate(device, bytes), dtype, sizes, strides, 0));
  p->is_inference = thread_state().inference_mode;
  return Tensor(std::move(p));
}

Tensor empty(const Dims& sizes, DType dtype, Device device) {
  return empty_strided(sizes, contiguous_strides(sizes), dtype, device);
}

Tensor empty_like(const Tensor& like) { return empty_like(like, like.dtype()); }
Tensor empty_like(const Tensor& like, DType dtype) {
  if (like.is_non_overlapping_and_dense())
    return empty_strided(like.sizes(), like.strides(), dtype, like.device());
  return empty(like.sizes(), dtype, like.device());
}

Tensor alias_of(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset) {
  t.impl()->version_counter();
  Ref<TensorImpl> p(new TensorImpl(t.storage(), t.dtype(), sizes, strides, offset));
  p->version = t.impl()->version;
  p->is_inference = t.impl()->is_inference;
  return Tensor(std::move(p));
}

Tensor scalar_tensor(const Scalar& v, DType dtype, Device device) {
  Tensor t = empty({}, dtype, device);
  if (device.is_cpu())
    store_scalar(t.data(), v, dtype);
  else
    fill_into(t, v);
  return t;
}

// Moves bytes between devices; both sides contiguous and of one dtype.
static void transfer(const Tensor& dst, const Tensor& src) {
  const Device d = dst.device(), s = src.device();
  const int direction = s.is_cpu() ? SC_HOST_TO_DEVICE : d.is_cpu() ? SC_DEVICE_TO_HOST : SC_DEVICE_TO_DEVICE;
  const Device owner = s.is_cpu() ? d : s;
  check_kernel(backend_of(owner).memory.transfer(direction, d.index, dst.data(), s.index, src.data(),
                                                 static_cast<size_t>(src.numel() * src.itemsize())),
               owner, "copy_");
}

void copy_into(const Tensor& dst, const Tensor& src) {
  if (dst.numel() == 0) return;
  if (dst.device() != src.device()) {
    Tensor from = contiguous_raw(src.dtype() == dst.dtype() ? src : cast_raw(src, dst.dtype()));
    if (from.sizes() != dst.sizes()) {
      Tensor moved = empty(from.sizes(), dst.dtype(), dst.device());
      transfer(moved, from);
      copy_into(dst, moved);
    } else if (dst.is_contiguous()) {
      transfer(dst, from);
    } else {
      Tensor moved = empty(dst.sizes(), dst.dtype(), dst.device());
      transfer(moved, from);
      copy_into(dst, moved);
    }
    return;
  }
  if (dst.device().is_cpu() && dst.dtype() == src.dtype() && dst.is_contiguous() && src.is_contiguous() &&
      dst.sizes() == src.sizes() && dst.numel() * dst.itemsize() <= 4096) {
    memmove(dst.data(), src.data(), static_cast<size_t>(dst.numel() * dst.itemsize()));
    return;
  }
  Iter it(dst.dtype());
  it.out(dst).in(src).build();
  const ScBackend& b = backend_of(dst.device());
  check_kernel(b.elementwise.copy(it.c()), dst.device(), "copy_");
}

void fill_into(const Tensor& dst, const Scalar& v) {
  if (dst.numel() == 0) return;
  Iter it(dst.dtype());
  it.out(dst).build();
  const ScScalar c = v.to_c();
  check_kernel(backend_of(dst.device()).elementwise.fill(it.c(), &c), dst.device(), "fill_");
}

Tensor cast_raw(const Tensor& t, DType dtype) {
  if (t.dtype() == dtype) return t;
  Tensor out = empty_like(t, dtype);
  copy_into(out, t);
  return out;
}

Tensor contiguous_raw(const Tensor& t) {
  if (t.is_contiguous()) return t;
  Tensor out = empty(t.sizes(), t.dtype(), t.device());
  copy_into(out, t);
  return out;
}

}  // namespace sconce
