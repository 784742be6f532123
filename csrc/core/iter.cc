#include "iter.h"

#include <algorithm>
#include <cstring>

#include "float16.h"

namespace sconce {

void store_scalar(void* dst, const Scalar& s, DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      *static_cast<float*>(dst) = static_cast<float>(s.to_double());
      break;
    case DType::kFloat64:
      *static_cast<double*>(dst) = s.to_double();
      break;
    case DType::kFloat16:
      *static_cast<uint16_t*>(dst) = float_to_half(static_cast<float>(s.to_double()));
      break;
    case DType::kBFloat16:
      *static_cast<uint16_t*>(dst) = float_to_bfloat16(static_cast<float>(s.to_double()));
      break;
    case DType::kInt64:
      *static_cast<int64_t*>(dst) = s.to_int();
      break;
    case DType::kInt32:
      *static_cast<int32_t*>(dst) = static_cast<int32_t>(s.to_int());
      break;
    case DType::kInt16:
      *static_cast<int16_t*>(dst) = static_cast<int16_t>(s.to_int());
      break;
    case DType::kInt8:
      *static_cast<int8_t*>(dst) = static_cast<int8_t>(s.to_int());
      break;
    case DType::kUInt8:
      *static_cast<uint8_t*>(dst) = static_cast<uint8_t>(s.to_int());
      break;
    case DType::kBool:
      *static_cast<uint8_t*>(dst) = s.to_bool();
      break;
  }
}

Iter& Iter::in(const Scalar& s, DType dtype) {
  const int k = ++ninputs_;
  inputs_[k - 1] = nullptr;
  it_.scalar[k].i64 = 0;
  store_scalar(it_.scalar[k].bytes, s, dtype);
  it_.dtype[k] = static_cast<int32_t>(dtype);
  return *this;
}

void Iter::allocate_output(const Dims& shape) {
  // Follow the first input that has the full shape and no gaps, so that channels-last and transposed data
  // stay as they are.
  for (int i = 0; i < ninputs_; ++i) {
    const TensorImpl* t = inputs_[i];
    if (!t || t->sizes != shape) continue;
    if (t->contiguous) break;
    const Tensor view{Ref<TensorImpl>(const_cast<TensorImpl*>(t))};
    if (view.is_non_overlapping_and_dense()) {
      out_ = empty_strided(shape, t->strides, out_dtype_, device_);
      return;
    }
  }
  out_ = empty(shape, out_dtype_, device_);
}

Iter& Iter::build() {
  bool have_device = false;
  if (out_) {
    device_ = out_.device();
    have_device = true;
  }
  for (int i = 0; i < ninputs_; ++i) {
    const TensorImpl* t = inputs_[i];
    if (!t) continue;
    if (!have_device) {
      device_ = t->storage->device();
      have_device = true;
    } else {
      SC_CHECK(t->storage->device() == device_,
               "Expected all tensors to be on the same device, but found at least two devices, ",
               device_name(device_), " and ", device_name(t->storage->device()), "!");
    }
  }
  // Common shape.
  const TensorImpl* first = nullptr;
  bool same_shape = true, dense = true;
  for (int i = 0; i < ninputs_; ++i) {
    const TensorImpl* t = inputs_[i];
    if (!t) continue;
    if (!first)
      first = t;
    else if (t->sizes != first->sizes)
      same_shape = false;
    dense = dense && t->contiguous;
  }
  Dims shape;
  if (same_shape) {
    if (first) shape = first->sizes;
  } else {
    shape = first->sizes;
    for (int i = 0; i < ninputs_; ++i)
      if (inputs_[i]) shape = broadcast_shapes(shape, inputs_[i]->sizes);
  }
  if (!out_) {
    allocate_output(shape);
  } else if (first) {
    SC_CHECK(is_expandable_to(shape, out_.sizes()), "output with shape ", out_.sizes(),
             " doesn't match the broadcast shape ", shape);
    if (shape != out_.sizes()) {
      shape = out_.sizes();
      same_shape = false;
    }
  } else {
    shape = out_.sizes();
  }
  it_.noperands = ninputs_ + 1;
  it_.numel = out_.numel();
  it_.scalar_mask = 0;
  it_.data[0] = out_.data();
  it_.dtype[0] = static_cast<int32_t>(out_.dtype());
  for (int i = 0; i < ninputs_; ++i) {
    if (const TensorImpl* t = inputs_[i]) {
      it_.data[i + 1] = static_cast<char*>(t->storage->data()) + t->offset * item_size(t->dtype);
      it_.dtype[i + 1] = static_cast<int32_t>(t->dtype);
    } else {
      it_.scalar_mask |= 1u << (i + 1);
      it_.data[i + 1] = it_.scalar[i + 1].bytes;
    }
  }
  // The common case: one flat loop.
  if (same_shape && dense && out_.is_contiguous()) {
    it_.ndim = 1;
    it_.shape[0] = it_.numel;
    it_.strides[0][0] = 1;
    for (int i = 0; i < ninputs_; ++i) it_.strides[i + 1][0] = inputs_[i] ? 1 : 0;
    return *this;
  }
  // General: strides per dimension with 0 where an operand broadcasts.
  const int n = shape.size();
  int64_t st[SC_MAX_OPERANDS][kMaxDims];
  for (int k = 0; k < it_.noperands; ++k) {
    const TensorImpl* t = k == 0 ? out_.impl() : inputs_[k - 1];
    for (int d = 0; d < n; ++d) {
      const int td = t ? d - (n - t->sizes.size()) : -1;
      st[k][d] = td < 0 || t->sizes[td] == 1 ? 0 : t->strides[td];
    }
  }
  // Order dimensions by the output's strides (slowest first; ties by the inputs), drop those of size 1, merge
  // neighbours.
  int order[kMaxDims];
  int m = 0;
  for (int d = 0; d < n; ++d)
    if (shape[d] != 1) order[m++] = d;
  std::stable_sort(order, order + m, [&](int a, int b) {
    for (int k = 0; k < it_.noperands; ++k) {
      if (st[k][a] != st[k][b] && st[k][a] != 0 && st[k][b] != 0) return st[k][a] > st[k][b];
    }
    return false;
  });
  int out_d = -1;
  for (int i = 0; i < m; ++i) {
    const int d = order[i];
    bool merge = out_d >= 0;
    for (int k = 0; merge && k < it_.noperands; ++k) merge = it_.strides[k][out_d] == st[k][d] * shape[d];
    if (merge) {
      it_.shape[out_d] *= shape[d];
    } else {
      it_.shape[++out_d] = shape[d];
    }
    for (int k = 0; k < it_.noperands; ++k) it_.strides[k][out_d] = st[k][d];
  }
  if (out_d < 0) {
    out_d = 0;
    it_.shape[0] = 1;
    for (int k = 0; k < it_.noperands; ++k) it_.strides[k][0] = 0;
  }
  it_.ndim = out_d + 1;
  return *this;
}

}  // namespace sconce
