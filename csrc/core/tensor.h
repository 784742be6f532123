// Tensor: a counted handle on a strided view of a storage, with its place in the autograd graph.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "dtype.h"
#include "error.h"
#include "shape.h"
#include "storage.h"

namespace sconce {

class TensorImpl;
class Node;
struct AutogradMeta;

enum class MemoryFormat : int8_t { kContiguous, kPreserve, kChannelsLast };

// How a view came about, which decides whether it may be written in place.
enum class ViewKind : uint8_t { kNone, kDefault, kMultiOutput, kNoGrad, kInference, kCustomFunction };

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> p) : p_(std::move(p)) {}
  TensorImpl* impl() const { return p_.get(); }
  const Ref<TensorImpl>& ref() const { return p_; }
  TensorImpl* release() { return p_.release(); }
  bool defined() const { return static_cast<bool>(p_); }
  explicit operator bool() const { return defined(); }
  bool is_same(const Tensor& o) const { return p_ == o.p_; }
  void reset() { p_.reset(); }

  inline const Dims& sizes() const;
  inline const Dims& strides() const;
  inline int64_t size(int64_t dim) const;  // dim may be negative
  inline int64_t stride(int64_t dim) const;
  inline int dim() const;
  inline int64_t numel() const;
  inline int64_t storage_offset() const;
  inline DType dtype() const;
  inline Device device() const;
  inline void* data() const;  // of the first element
  template <class T>
  T* data_as() const {
    return static_cast<T*>(data());
  }
  inline bool is_floating_point() const;
  bool is_contiguous(MemoryFormat f = MemoryFormat::kContiguous) const;
  bool is_non_overlapping_and_dense() const;
  inline const Ref<Storage>& storage() const;
  inline int64_t itemsize() const;

  // Autograd (csrc/autograd/variable.cc).
  inline bool requires_grad() const;
  inline bool tracked() const;  // requires a gradient, or may carry a tangent
  bool is_leaf() const;
  Tensor& set_requires_grad(bool v);
  Ref<Node> grad_fn() const;  // regenerated for a view whose base was written in place
  uint32_t output_nr() const;
  Tensor grad() const;
  void set_grad(const Tensor& g);
  uint32_t version() const;
  void bump_version() const;
  Tensor detach() const;      // shares memory and version counter
  Tensor data_alias() const;  // `.data`: shares memory, own version counter
  void set_data(const Tensor& other) const;
  bool is_view() const;
  Tensor base() const;                  // undefined unless a view
  AutogradMeta& autograd_meta() const;  // created on demand

 private:
  Ref<TensorImpl> p_;
};

using TensorList = std::vector<Tensor>;
using OptTensorList = std::vector<Tensor>;  // undefined where absent

class TensorImpl : public RefCounted {
 public:
  SC_POOLED
  static constexpr uint32_t kMagic = 0x5C07CE17;
  TensorImpl(Ref<Storage> storage, DType dtype, const Dims& sizes, const Dims& strides, int64_t offset);
  ~TensorImpl();
  static void destroy(TensorImpl* p) { delete p; }

  uint32_t magic = kMagic;
  DType dtype;
  ViewKind view_kind = ViewKind::kNone;
  bool is_inference = false;
  bool contiguous;            // row-major and dense
  uint32_t view_version = 0;  // version of the base at which this view's grad_fn was made
  Ref<Storage> storage;
  Ref<VersionCounter> version;  // created on the first write or share; null means "never written", version 0
  int64_t offset;               // in elements
  int64_t numel;
  Dims sizes, strides;
  Ref<TensorImpl> base;  // of a view
  std::unique_ptr<AutogradMeta> autograd;
  bool requires_grad_flag = false;  // cached: autograd says it needs a gradient
  bool tangent_flag = false;        // may carry a tangent: Note [Tangents]

  void set_geometry(const Dims& sizes, const Dims& strides, int64_t offset);
  VersionCounter& version_counter() {
    if (!version) version = make_ref<VersionCounter>();
    return *version;
  }
};

inline const Dims& Tensor::sizes() const { return p_->sizes; }
inline const Dims& Tensor::strides() const { return p_->strides; }
inline int64_t Tensor::size(int64_t d) const { return p_->sizes[wrap_dim(d, p_->sizes.size(), false)]; }
inline int64_t Tensor::stride(int64_t d) const { return p_->strides[wrap_dim(d, p_->sizes.size(), false)]; }
inline int Tensor::dim() const { return p_->sizes.size(); }
inline int64_t Tensor::numel() const { return p_->numel; }
inline int64_t Tensor::storage_offset() const { return p_->offset; }
inline DType Tensor::dtype() const { return p_->dtype; }
inline Device Tensor::device() const { return p_->storage->device(); }
inline int64_t Tensor::itemsize() const { return item_size(p_->dtype); }
inline void* Tensor::data() const {
  return static_cast<char*>(p_->storage->data()) + p_->offset * item_size(p_->dtype);
}
inline bool Tensor::is_floating_point() const { return is_floating(p_->dtype); }
inline const Ref<Storage>& Tensor::storage() const { return p_->storage; }
// A view of a base that requires a gradient does so too, also when the base came to it later through an
// in-place write.
inline bool Tensor::requires_grad() const {
  return p_ && (p_->requires_grad_flag || (p_->base && p_->base->requires_grad_flag));
}
inline bool Tensor::tracked() const {
  return p_ && (p_->requires_grad_flag || p_->tangent_flag ||
                (p_->base && (p_->base->requires_grad_flag || p_->base->tangent_flag)));
}

// ---- raw construction: no autograd, no view tracking. Operators are in csrc/ops. ----
Tensor empty(const Dims& sizes, DType dtype, Device device = {});
Tensor empty_strided(const Dims& sizes, const Dims& strides, DType dtype, Device device = {});
// Same shape as `like`, and its memory order where that is dense (PyTorch's preserve_format).
Tensor empty_like(const Tensor& like);
Tensor empty_like(const Tensor& like, DType dtype);
// A new tensor on the same storage and version counter.
Tensor alias_of(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset);
// A scalar as a 0-d tensor.
Tensor scalar_tensor(const Scalar& v, DType dtype, Device device = {});
// Copies values (any dtype, strides, device) without autograd; shapes must match or broadcast.
void copy_into(const Tensor& dst, const Tensor& src);
void fill_into(const Tensor& dst, const Scalar& v);
Tensor cast_raw(const Tensor& t, DType dtype);  // same tensor when the dtype already fits
Tensor contiguous_raw(const Tensor& t);         // same tensor when already contiguous
inline ScTensor to_c(const Tensor& t) {
  return {t.data(), static_cast<int32_t>(t.dtype()), t.dim(), t.sizes().data(), t.strides().data()};
}

// ---- type promotion over operands, as torch.result_type ----
struct PromotionState {
  int category = 0;  // highest: 1 bool, 2 integer, 3 float
  DType dimmed = DType::kBool, zero_dim = DType::kBool, number = DType::kBool;
  bool has_dimmed = false, has_zero = false, has_number = false;
  void add(const Tensor& t);
  void add(const Scalar& s);
  DType result() const;
};
DType result_type(const Tensor& a, const Tensor& b);
DType result_type(const Tensor& a, const Scalar& b);

}  // namespace sconce
