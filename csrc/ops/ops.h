// Declarations of the operators that other C++ code composes, by family. Names are PyTorch's; an overload on
// numbers ends in
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

// ---- unary.cc, trigonometric.cc, special.cc, rounding.cc, activation.cc: element by element ----
// clang-format off
#define SC_UNARY_OPERATORS(M) \
  M(abs) M(sign) M(square) M(reciprocal) M(sqrt) M(rsqrt) M(exp) M(exp2) M(expm1) M(log) M(log2) M(log10) \
  M(log1p) M(sin) M(cos) M(tan) M(asin) M(acos) M(atan) M(sinh) M(cosh) M(tanh) M(asinh) M(acosh) \
  M(atanh) M(erf) M(erfc) M(erfinv) M(floor) M(ceil) M(round) M(trunc) M(frac) M(sigmoid) M(relu) \
  M(logical_not) M(bitwise_not) M(isnan) M(isinf) M(isfinite)
// clang-format on
#define SC_DECLARE(name) Tensor name(const Tensor& self);
SC_UNARY_OPERATORS(SC_DECLARE)
#undef SC_DECLARE
#undef SC_UNARY_OPERATORS
Tensor softplus(const Tensor& self, const Scalar& beta = 1, const Scalar& threshold = 20);

// ---- power.cc, division.cc, binary.cc, comparison.cc, logical.cc, ternary.cc ----
Tensor pow(const Tensor& self, const Tensor& exponent);
Tensor pow_scalar(const Tensor& self, const Scalar& exponent);
Tensor div_mode(const Tensor& self, const Tensor& other, const std::optional<std::string>& rounding_mode);
Tensor xlogy(const Tensor& self, const Tensor& other);
Tensor maximum(const Tensor& self, const Tensor& other);
Tensor minimum(const Tensor& self, const Tensor& other);
Tensor eq(const Tensor& self, const Tensor& other);
Tensor ne(const Tensor& self, const Tensor& other);
Tensor lt(const Tensor& self, const Tensor& other);
Tensor le(const Tensor& self, const Tensor& other);
Tensor gt(const Tensor& self, const Tensor& other);
Tensor ge(const Tensor& self, const Tensor& other);
Tensor logical_and(const Tensor& self, const Tensor& other);
Tensor logical_or(const Tensor& self, const Tensor& other);
Tensor logical_xor(const Tensor& self, const Tensor& other);
Tensor where(const Tensor& condition, const Tensor& self, const Tensor& other);
Tensor where_scalar(const Tensor& condition, const Tensor& self, const Scalar& other);
Tensor xlogy(const Tensor& self, const Tensor& other);
Tensor addcmul(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value = 1);
Tensor addcdiv(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value = 1);

// ---- reduce.cc ----
Tensor sum(const Tensor& self, const std::optional<DType>& dtype = {});
Tensor sum_dim(const Tensor& self, const std::optional<IntList>& dim, bool keepdim,
               const std::optional<DType>& dtype = {});
Tensor sum_to_size(const Tensor& self, const Dims& size);
Tensor mean(const Tensor& self, const std::optional<DType>& dtype = {});
Tensor mean_dim(const Tensor& self, const std::optional<IntList>& dim, bool keepdim = false,
                const std::optional<DType>& dtype = {});
Tensor amax(const Tensor& self, const IntList& dim = {}, bool keepdim = false);
Tensor amin(const Tensor& self, const IntList& dim = {}, bool keepdim = false);
// Gives `values`, picked from `self` at `indices` along `dim`, their derivative.
std::tuple<Tensor, Tensor> picked(const char* node, const Tensor& values, const Tensor& indices,
                                  const Tensor& self, int64_t dim, bool keepdim);

// ---- scan.cc ----
Tensor cumsum(const Tensor& self, int64_t dim, const std::optional<DType>& dtype = {});
Tensor cumprod(const Tensor& self, int64_t dim, const std::optional<DType>& dtype = {});
Tensor cumprod_backward(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim);

// ---- softmax.cc ----
Tensor softmax(const Tensor& self, int64_t dim, const std::optional<DType>& dtype = {});
Tensor log_softmax(const Tensor& self, int64_t dim, const std::optional<DType>& dtype = {});

// ---- norm.cc ----
Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum, double eps);

// ---- copy.cc ----
Tensor copy_(const Tensor& self, const Tensor& src, bool non_blocking = false);

// ---- conversion.cc ----
Tensor clone(const Tensor& self, const std::optional<MemoryFormat>& memory_format = {});
Tensor contiguous(const Tensor& self, MemoryFormat memory_format = MemoryFormat::kContiguous);
Tensor to_dtype(const Tensor& self, DType dtype);
Tensor to_device(const Tensor& self, Device device);

// ---- creation.cc ----
Tensor zeros_raw(const Dims& size, DType dtype, Device device = {});
Tensor ones_like_raw(const Tensor& self);
Tensor zeros_like_raw(const Tensor& self);
// A value that the dtype cannot hold is an error ("value cannot be converted to type int without overflow"),
// not a wrapped number.
void check_fits(const Scalar& v, DType t);

// ---- view.cc ----
Tensor expand(const Tensor& self, const Dims& size);
Tensor view(const Tensor& self, const Dims& size);
Tensor reshape(const Tensor& self, const Dims& shape);

// ---- shape.cc ----
Tensor permute(const Tensor& self, const Dims& dims);
Tensor transpose(const Tensor& self, int64_t dim0, int64_t dim1);
Tensor t(const Tensor& self);
Tensor movedim(const Tensor& self, const Dims& source, const Dims& destination);
Tensor alias(const Tensor& self);
Tensor squeeze(const Tensor& self);
Tensor squeeze_dim(const Tensor& self, int64_t dim);
Tensor unsqueeze(const Tensor& self, int64_t dim);
Tensor flatten(const Tensor& self, int64_t start_dim = 0, int64_t end_dim = -1);
Tensor unflatten(const Tensor& self, int64_t dim, const Dims& sizes);
Tensor atleast_1d(const Tensor& self);
Tensor atleast_2d(const Tensor& self);
Tensor atleast_3d(const Tensor& self);

// ---- window.cc ----
Tensor select(const Tensor& self, int64_t dim, int64_t index);
Tensor slice(const Tensor& self, int64_t dim, const std::optional<int64_t>& start,
             const std::optional<int64_t>& end, int64_t step = 1);
Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length);
Tensor diagonal(const Tensor& self, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step);
Tensor as_strided(const Tensor& self, const Dims& size, const Dims& stride,
                  const std::optional<int64_t>& storage_offset = {});

// ---- split.cc, join.cc, flip.cc, triangle.cc ----
TensorList split(const Tensor& self, int64_t split_size, int64_t dim = 0);
TensorList split_with_sizes(const Tensor& self, const IntList& split_sizes, int64_t dim = 0);
TensorList chunk(const Tensor& self, int64_t chunks, int64_t dim = 0);
TensorList unbind(const Tensor& self, int64_t dim = 0);
Tensor cat(const TensorList& tensors, int64_t dim = 0);
Tensor stack(const TensorList& tensors, int64_t dim = 0);
Tensor repeat(const Tensor& self, const Dims& repeats);
Tensor flip(const Tensor& self, const Dims& dims);
Tensor roll(const Tensor& self, const IntList& shifts, const IntList& dims = {});
Tensor tril(const Tensor& self, int64_t diagonal = 0);
Tensor triu(const Tensor& self, int64_t diagonal = 0);
Tensor diag_embed(const Tensor& self, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);

// ---- range.cc, random.cc ----
// start + i * step for i < n, without the checks of the public arange.
Tensor range_raw(int64_t n, const Scalar& start, const Scalar& step, DType dtype, Device device = {});
// Fills `self` in place from `generator` (null: the device's default one). No autograd, no version.
void uniform_raw(const Tensor& self, double from, double to, Generator* generator = nullptr);
void normal_raw(const Tensor& self, double mean, double std, Generator* generator = nullptr);
void bernoulli_raw(const Tensor& self, double p, Generator* generator = nullptr);

// ---- index.cc, index_dim.cc, scatter.cc, masked.cc: reading and writing at positions ----
Tensor index(const Tensor& self, const OptTensorList& indices);
Tensor index_put(const Tensor& self, const OptTensorList& indices, const Tensor& values,
                 bool accumulate = false);
Tensor index_select(const Tensor& self, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha = 1);
Tensor index_fill(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value);
Tensor take(const Tensor& self, const Tensor& index);
Tensor put(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate = false);
Tensor gather(const Tensor& self, int64_t dim, const Tensor& index, bool sparse_grad = false);
Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter_value(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value);
Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                      const std::string& reduce, bool include_self = true);
Tensor masked_fill(const Tensor& self, const Tensor& mask, const Scalar& value);
Tensor masked_select(const Tensor& self, const Tensor& mask);
Tensor masked_scatter(const Tensor& self, const Tensor& mask, const Tensor& source);
Tensor logical_not_raw(const Tensor& mask);

// ---- sort.cc, embedding.cc ----
std::tuple<Tensor, Tensor> sort(const Tensor& self, int64_t dim = -1, bool descending = false);
std::tuple<Tensor, Tensor> topk(const Tensor& self, int64_t k, int64_t dim = -1, bool largest = true,
                                bool sorted = true);

// ---- dropout.cc ----
Tensor dropout(const Tensor& input, double p, bool training, bool inplace = false);

// ---- strided.cc: any strided window on memory, and its adjoint ----
// flat [extent] -> the elements at offset + strides, contiguous.
Tensor gather_strided(const Tensor& flat, const Dims& sizes, const Dims& strides, int64_t offset);
// The adjoint: zeros [extent] with `g` added at those places.
Tensor scatter_strided(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset,
                       int64_t extent);
Tensor as_strided_backward(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset,
                           const Dims& base_sizes, const Dims& base_strides, int64_t base_offset);
// The part of a base's gradient that belongs to a view, and the base's gradient with that part replaced
// (undefined: zero).
Tensor as_strided_of_gradient(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset,
                              const Dims& base_sizes, const Dims& base_strides, int64_t base_offset);
Tensor as_strided_replace(const Tensor& g, const Tensor& part, const Dims& sizes, const Dims& strides,
                          int64_t offset, const Dims& base_sizes, const Dims& base_strides,
                          int64_t base_offset);

// ---- matmul.cc ----
Tensor mm(const Tensor& self, const Tensor& mat2);
Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta = 1,
             const Scalar& alpha = 1);
Tensor bmm(const Tensor& self, const Tensor& mat2);
Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta = 1,
               const Scalar& alpha = 1);
Tensor mv(const Tensor& self, const Tensor& vec);
Tensor dot(const Tensor& self, const Tensor& tensor);
Tensor outer(const Tensor& self, const Tensor& vec2);
Tensor matmul(const Tensor& self, const Tensor& other);
Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias);
Tensor tensordot_dims(const Tensor& self, const Tensor& other, const IntList& dims_self,
                      const IntList& dims_other);

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
