// Declarations of the operators that other C++ code composes, by family. Names are PyTorch's; an overload on numbers ends in
// `_scalar`, for registered functions are never overloaded. Documentation is in each operator's registry row.
#pragma once
#include <optional>

#include "../core/tensor.h"
#include "registry.h"

namespace sconce::ops {

// ---- arithmetic.cc ----
Tensor add(const Tensor& self, const Tensor& other, const Scalar& alpha = 1);
Tensor add_scalar(const Tensor& self, const Scalar& other, const Scalar& alpha = 1);
Tensor sub(const Tensor& self, const Tensor& other, const Scalar& alpha = 1);
Tensor sub_scalar(const Tensor& self, const Scalar& other, const Scalar& alpha = 1);
Tensor rsub_scalar(const Tensor& self, const Scalar& other, const Scalar& alpha = 1);
Tensor mul(const Tensor& self, const Tensor& other);
Tensor mul_scalar(const Tensor& self, const Scalar& other);
Tensor div(const Tensor& self, const Tensor& other);
Tensor div_scalar(const Tensor& self, const Scalar& other);
Tensor neg(const Tensor& self);
void add_raw_(const Tensor& dst, const Tensor& src);  // dst += src, no autograd, no version

// ---- reduce.cc ----
Tensor sum(const Tensor& self, const std::optional<DType>& dtype = {});
Tensor sum_dim(const Tensor& self, const std::optional<IntList>& dim, bool keepdim, const std::optional<DType>& dtype = {});
Tensor sum_to_size(const Tensor& self, const Dims& size);

// ---- conversion.cc ----
Tensor clone(const Tensor& self, const std::optional<MemoryFormat>& memory_format = {});
Tensor contiguous(const Tensor& self, MemoryFormat memory_format = MemoryFormat::kContiguous);
Tensor to_dtype(const Tensor& self, DType dtype);
Tensor to_device(const Tensor& self, Device device);

// ---- creation.cc ----
Tensor zeros_raw(const Dims& size, DType dtype, Device device = {});
Tensor ones_like_raw(const Tensor& self);
Tensor zeros_like_raw(const Tensor& self);

// ---- view.cc ----
Tensor expand(const Tensor& self, const Dims& size);
Tensor view(const Tensor& self, const Dims& size);
Tensor reshape(const Tensor& self, const Dims& shape);

// ---- strided.cc: any strided window on memory, and its adjoint ----
// flat [extent] -> the elements at offset + strides, contiguous.
Tensor gather_strided(const Tensor& flat, const Dims& sizes, const Dims& strides, int64_t offset);
// The adjoint: zeros [extent] with `g` added at those places.
Tensor scatter_strided(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset, int64_t extent);
Tensor as_strided_backward(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset, const Dims& base_sizes,
                           const Dims& base_strides, int64_t base_offset);
// The part of a base's gradient that belongs to a view, and the base's gradient with that part replaced (undefined: zero).
Tensor as_strided_of_gradient(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset, const Dims& base_sizes,
                              const Dims& base_strides, int64_t base_offset);
Tensor as_strided_replace(const Tensor& g, const Tensor& part, const Dims& sizes, const Dims& strides, int64_t offset,
                          const Dims& base_sizes, const Dims& base_strides, int64_t base_offset);

}  // namespace sconce::ops

namespace sconce {
// Differentiable arithmetic for formulas.
inline Tensor operator+(const Tensor& a, const Tensor& b) { return ops::add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return ops::sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return ops::mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return ops::div(a, b); }
inline Tensor operator-(const Tensor& a) { return ops::neg(a); }
inline Tensor operator+(const Tensor& a, const Scalar& b) { return ops::add_scalar(a, b); }
inline Tensor operator-(const Tensor& a, const Scalar& b) { return ops::sub_scalar(a, b); }
inline Tensor operator*(const Tensor& a, const Scalar& b) { return ops::mul_scalar(a, b); }
inline Tensor operator/(const Tensor& a, const Scalar& b) { return ops::div_scalar(a, b); }
inline Tensor operator+(const Scalar& a, const Tensor& b) { return ops::add_scalar(b, a); }
inline Tensor operator-(const Scalar& a, const Tensor& b) { return ops::rsub_scalar(b, a); }
inline Tensor operator*(const Scalar& a, const Tensor& b) { return ops::mul_scalar(b, a); }
}  // namespace sconce
