// embedding and one_hot.
#include <cmath>

#include "indexing.h"
#include "pointwise.h"

namespace sconce::ops {

// Rows of the weight that `indices` names: index_select with the gradient rules of an embedding.
Tensor embedding_rows(const Tensor& weight, const Tensor& indices, int64_t padding_idx,
                      bool scale_grad_by_freq) {
  SC_CHECK(weight.dim() == 2, "'weight' must be 2-D");
  SC_CHECK(indices.dtype() == DType::kInt64 || indices.dtype() == DType::kInt32,
           "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
           "but got torch.",
           scalar_type_name(indices.dtype()), "Tensor instead (while checking arguments for embedding)");
  const int64_t count = weight.sizes()[0], width = weight.sizes()[1];
  Dims shape = indices.sizes();
  shape.push_back(width);
  Tensor y = empty(shape, weight.dtype(), weight.device());
  const Tensor at =
      index_tensor(indices, weight.device(), "embedding(): Expected dtype int32 or int64 for indices");
  const Tensor offsets = element_offsets({at}, {count}, {weight.strides()[0]}, false, [](int, int64_t) {
    throw_error(ErrorKind::kIndex, "index out of range in self");
  });
  RowGeometry g;
  g.row_stride = width;
  g.inner(width, weight.strides()[1], 1);
  take_rows(weight, y, offsets, g);
  return differentiable("EmbeddingBackward0", y)
      .wrt(weight, [at = saved(at), count, width, padding_idx, scale_grad_by_freq](const Tensor& grad) {
        const Tensor flat = reshape(at(), {-1});
        Tensor rows = reshape(grad, {-1, width});
        if (scale_grad_by_freq) {
          const Tensor ones = zeros_raw({flat.numel()}, grad.dtype(), grad.device());
          fill_into(ones, 1);
          const Tensor times = index_add(zeros_raw({count}, grad.dtype(), grad.device()), 0, flat, ones);
          rows = rows / unsqueeze(index_select(times, 0, flat), 1);
        }
        const Tensor sum = index_add(zeros_raw({count, width}, grad.dtype(), grad.device()), 0, flat, rows);
        if (padding_idx < 0) return sum;
        const Tensor row = scalar_tensor(padding_idx, DType::kInt64, grad.device());
        return index_fill(sum, 0, row, 0);
      });
}

// Scales the rows in use that are longer than max_norm, in place and without a gradient.
static void renormalise(const Tensor& weight, const Tensor& indices, double max_norm, double norm_type) {
  check_in_place(weight.detach());
  SC_CHECK(weight.device().is_cpu(), "embedding_renorm_: max_norm is implemented for CPU tensors only");
  NoGradGuard raw;
  const int64_t count = weight.sizes()[0], width = weight.sizes()[1];
  const Tensor at = index_tensor(indices, weight.device(),
                                 "embedding_renorm_(): Expected dtype int32 or int64 for indices");
  const int64_t* index = at.data_as<const int64_t>();
  std::vector<bool> seen(static_cast<size_t>(count), false);
  for (int64_t i = 0; i < at.numel(); ++i) {
    SC_CHECK_INDEX(index[i] >= 0 && index[i] < count, "index out of range in self");
    if (seen[static_cast<size_t>(index[i])]) continue;
    seen[static_cast<size_t>(index[i])] = true;
    const Tensor row = alias_of(weight, {width}, {weight.strides()[1]},
                                weight.storage_offset() + index[i] * weight.strides()[0]);
    const Tensor wide = contiguous_raw(cast_raw(row, DType::kFloat64));
    const double* v = wide.data_as<const double>();
    double norm = 0;
    for (int64_t k = 0; k < width; ++k) {
      if (std::isinf(norm_type))
        norm = std::max(norm, std::abs(v[k]));
      else
        norm += std::pow(std::abs(v[k]), norm_type);
    }
    if (!std::isinf(norm_type)) norm = std::pow(norm, 1 / norm_type);
    if (norm > max_norm) copy_into(row, binary(SC_MUL, row, Scalar(max_norm / (norm + 1e-7))));
  }
  weight.bump_version();
}

static Tensor embedding(const Tensor& input, const Tensor& weight, const std::optional<int64_t>& padding_idx,
                        const std::optional<double>& max_norm, double norm_type, bool scale_grad_by_freq,
                        bool sparse) {
  SC_CHECK(!sparse, "embedding: sparse gradients are not supported; leave sparse false for a dense gradient");
  SC_CHECK(weight.dim() == 2, "'weight' must be 2-D");
  int64_t padding = -1;
  if (padding_idx) {
    const int64_t count = weight.size(0);
    SC_CHECK(*padding_idx < count && *padding_idx >= -count, "Padding_idx must be within num_embeddings");
    padding = *padding_idx < 0 ? *padding_idx + count : *padding_idx;
  }
  if (max_norm) renormalise(weight, input, *max_norm, norm_type);
  return embedding_rows(weight, input, padding, scale_grad_by_freq);
}
OP("embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, float norm_type=2.0, "
   "bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
   embedding, kNN,
   R"(The rows of `weight` that the integers in `input` name, in a new last dimension.

Row `padding_idx` gets no gradient. With `max_norm`, rows in use that are longer are scaled down in place first. Throws for an index out of range.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html

@example
torch.nn.functional.embedding(torch.tensor([1, 0]).long(), torch.tensor([[1, 2], [3, 4]])) // tensor([[3., 4.],
//         [1., 2.]])
)");

static Tensor one_hot(const Tensor& self, int64_t num_classes) {
  SC_CHECK(self.dtype() == DType::kInt64, "one_hot is only applicable to index tensor of type LongTensor.");
  SC_CHECK(self.numel() > 0 || num_classes > 0, "Can not infer total number of classes from empty tensor.");
  const Tensor host = contiguous_raw(to_device(self, Device()));
  const int64_t* v = host.data_as<const int64_t>();
  int64_t largest = -1;
  for (int64_t i = 0; i < host.numel(); ++i) {
    SC_CHECK(v[i] >= 0, "Class values must be non-negative.");
    largest = std::max(largest, v[i]);
  }
  if (num_classes == -1) num_classes = largest + 1;
  SC_CHECK(num_classes > 0, "num_classes should be positive");
  SC_CHECK(largest < num_classes, "Class values must be smaller than num_classes.");
  Dims shape = self.sizes();
  shape.push_back(num_classes);
  return scatter_value(zeros_raw(shape, DType::kInt64, self.device()), -1, unsqueeze(self, -1), 1);
}
OP("one_hot(Tensor self, int num_classes=-1) -> Tensor", one_hot, kNN | kNoGrad,
   R"(For each class number a vector of zeros with a one at that position, in a new last dimension; int64.

Without `num_classes` there are as many as the largest class number needs. Throws when a class number is negative or too large.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html

@example
torch.nn.functional.one_hot(torch.tensor([0, 2]).long()) // tensor([[1, 0, 0],
//         [0, 0, 1]])
)");

}  // namespace sconce::ops
