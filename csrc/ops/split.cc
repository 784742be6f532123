// One tensor into several views: split, chunk, unbind.
#include "ops.h"

namespace sconce::ops {

// Empty pieces cost memory too: a count beyond reason is refused, not attempted.
static void check_count(const char* name, int64_t count, int64_t size) {
  constexpr int64_t kMostEmpty = int64_t{1} << 20;
  SC_CHECK(count <= std::max(size, kMostEmpty), name, ": cannot make ", count,
           " tensors of a dimension of size ", size);
}

// The pieces are outputs of one node, so they may not be written in place while gradients are recorded.
static TensorList split_views(const char* name, const Tensor& self, int d,
                              const std::vector<int64_t>& lengths) {
  TensorList pieces;
  pieces.reserve(lengths.size());
  int64_t at = self.storage_offset();
  for (int64_t length : lengths) {
    Dims sizes = self.sizes();
    sizes[d] = length;
    pieces.push_back(make_view(self, sizes, self.strides(), at, ViewKind::kMultiOutput));
    at += length * self.strides()[d];
  }
  differentiable(name, pieces)
      .wrt_all({self},
               [d, lengths, shape = self.sizes(), dtype = self.dtype(), device = self.device()](
                   const TensorList& grads, const std::vector<bool>&) {
                 TensorList parts;
                 for (size_t i = 0; i < lengths.size(); ++i) {
                   Dims sizes = shape;
                   sizes[d] = lengths[i];
                   parts.push_back(grads[i] ? grads[i] : zeros_raw(sizes, dtype, device));
                 }
                 return TensorList{cat(parts, d)};
               })
      .finish();
  return pieces;
}

TensorList split(const Tensor& self, int64_t split_size, int64_t dim) {
  SC_CHECK(self.dim() > 0, "split expects at least a 1-dimensional tensor");
  SC_CHECK(split_size >= 0, "split expects split_size be non-negative, but got split_size=", split_size);
  const int d = wrap_dim(dim, self.dim());
  const int64_t size = self.sizes()[d];
  SC_CHECK(split_size > 0 || size == 0,
           "split_size can only be 0 if dimension size is 0, but got dimension size of ", size);
  const int64_t count = split_size == 0 ? 1 : std::max<int64_t>((size + split_size - 1) / split_size, 1);
  std::vector<int64_t> lengths(static_cast<size_t>(count), split_size);
  lengths.back() = size - split_size * (count - 1);
  return split_views("SplitBackward0", self, d, lengths);
}
OP("split.Tensor(Tensor self, int split_size, int dim=0) -> Tensor[]", split, kFunction | kMethod,
   R"(Views of consecutive parts of dimension `dim`: each `split_size` long, the last one maybe shorter, or of the given lengths.

See https://docs.pytorch.org/docs/stable/generated/torch.split.html

@example
torch.arange(5).split(2)[2] // tensor([4])
torch.arange(5).split([1, 4])[1] // tensor([1, 2, 3, 4])
)");

TensorList split_with_sizes(const Tensor& self, const IntList& split_sizes, int64_t dim) {
  SC_CHECK(self.dim() > 0, "split_with_sizes expects at least a 1-dimensional tensor");
  const int d = wrap_dim(dim, self.dim());
  int64_t total = 0;
  std::string text;  // the list may be longer than a Dims
  for (int64_t n : split_sizes) {
    total += n;
    text += (text.empty() ? "[" : ", ") + std::to_string(n);
  }
  text += text.empty() ? "[]" : "]";
  for (int64_t n : split_sizes)
    SC_CHECK(
        n >= 0,
        "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=", text);
  SC_CHECK(total == self.sizes()[d], "split_with_sizes expects split_sizes to sum exactly to ",
           self.sizes()[d], " (input tensor's size at dimension ", d, "), but got split_sizes=", text);
  return split_views("SplitWithSizesBackward0", self, d, split_sizes);
}
OP("split.sizes(Tensor self, int[] split_size, int dim=0) -> Tensor[]", split_with_sizes, kFunction | kMethod,
   "");
OP("split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]", split_with_sizes,
   kFunction | kMethod,
   R"(Views of consecutive parts of dimension `dim`, of the given lengths. Throws unless they sum to the size of the dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.split.html

@example
torch.arange(5).split_with_sizes([2, 3])[0] // tensor([0, 1])
)");

TensorList chunk(const Tensor& self, int64_t chunks, int64_t dim) {
  SC_CHECK(self.dim() > 0, "chunk expects at least a 1-dimensional tensor");
  SC_CHECK(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  const int64_t size = self.size(dim), split_size = size / chunks + (size % chunks != 0 ? 1 : 0);
  // All chunks of an empty dimension are empty, and as many as were asked for.
  if (split_size == 0) check_count("chunk", chunks, size);
  if (split_size == 0) return split_with_sizes(self, IntList(static_cast<size_t>(chunks), 0), dim);
  return split(self, split_size, dim);
}
OP("chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", chunk, kFunction | kMethod,
   R"(Views of at most `chunks` equal parts of dimension `dim`; the last one may be shorter.

See https://docs.pytorch.org/docs/stable/generated/torch.chunk.html

@example
torch.arange(5).chunk(2)[0] // tensor([0, 1, 2])
)");

TensorList unbind(const Tensor& self, int64_t dim) {
  const int d = wrap_dim(dim, self.dim(), false);
  Dims sizes = self.sizes(), strides = self.strides();
  sizes.erase(d);
  strides.erase(d);
  TensorList slices;
  const int64_t count = self.sizes()[d];
  for (int64_t i = 0; i < count; ++i)
    slices.push_back(make_view(self, sizes, strides, self.storage_offset() + i * self.strides()[d],
                               ViewKind::kMultiOutput));
  if (slices.empty()) return slices;
  differentiable("UnbindBackward0", slices)
      .wrt_all({self},
               [d, sizes, dtype = self.dtype(), device = self.device()](const TensorList& grads,
                                                                        const std::vector<bool>&) {
                 TensorList parts;
                 for (const Tensor& g : grads) parts.push_back(g ? g : zeros_raw(sizes, dtype, device));
                 return TensorList{stack(parts, d)};
               })
      .finish();
  return slices;
}
OP("unbind.int(Tensor self, int dim=0) -> Tensor[]", unbind, kFunction | kMethod,
   R"(All slices along `dim`, without that dimension, as views.

See https://docs.pytorch.org/docs/stable/generated/torch.unbind.html

@example
torch.tensor([[1, 2], [3, 4]]).unbind()[1] // tensor([3., 4.])
)");

// ---- parts as views of their own, each with its own node ----
static TensorList slices_at(const Tensor& self, int64_t dim, const IntList& indices) {
  TensorList parts;
  int64_t start = 0;
  for (int64_t end : indices) {
    parts.push_back(slice(self, dim, start, end, 1));
    start = end;
  }
  parts.push_back(slice(self, dim, start, std::nullopt, 1));
  return parts;
}

TensorList tensor_split_sections(const Tensor& self, int64_t sections, int64_t dim) {
  SC_CHECK(self.dim() > 0,
           "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(sections > 0, "number of sections must be larger than 0, got ", sections);
  check_count("tensor_split", sections, self.sizes()[d]);
  const int64_t size = self.sizes()[d], base = size / sections, longer = size % sections;
  TensorList parts;
  int64_t start = 0;
  for (int64_t i = 0; i < sections; ++i) {
    const int64_t length = base + (i < longer ? 1 : 0);
    parts.push_back(slice(self, d, start, start + length, 1));
    start += length;
  }
  return parts;
}
OP("tensor_split.sections(Tensor self, int sections, int dim=0) -> Tensor[]", tensor_split_sections,
   kFunction | kMethod,
   R"(Views of `sections` parts of dimension `dim` whose lengths differ by at most one, or of the parts between the given indices.

See https://docs.pytorch.org/docs/stable/generated/torch.tensor_split.html

@example
torch.arange(7).tensor_split(3)[0] // tensor([0, 1, 2])
torch.arange(7).tensor_split([1, 6])[1] // tensor([1, 2, 3, 4, 5])
)");
TensorList tensor_split_indices(const Tensor& self, const IntList& indices, int64_t dim) {
  SC_CHECK(self.dim() > 0,
           "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  return slices_at(self, wrap_dim(dim, self.dim()), indices);
}
OP("tensor_split.indices(Tensor self, int[] indices, int dim=0) -> Tensor[]", tensor_split_indices,
   kFunction | kMethod, "");

static TensorList split_evenly(const char* name, const Tensor& self, int64_t sections, int64_t d, int least) {
  SC_CHECK(self.dim() >= least, "torch.", name, " requires a tensor with at least ", least,
           " dimension, but got a tensor with ", self.dim(), " dimensions!");
  SC_CHECK(sections > 0 && self.sizes()[static_cast<int>(d)] % sections == 0, "torch.", name,
           " attempted to split along dimension ", d, ", but the size of the dimension ",
           self.sizes()[static_cast<int>(d)], " is not divisible by the split_size ", sections, "!");
  return tensor_split_sections(self, sections, d);
}
static TensorList split_between(const char* name, const Tensor& self, const IntList& indices, int64_t d,
                                int least) {
  SC_CHECK(self.dim() >= least, "torch.", name, " requires a tensor with at least ", least,
           " dimension, but got a tensor with ", self.dim(), " dimensions!");
  return tensor_split_indices(self, indices, d);
}
static TensorList hsplit(const Tensor& self, int64_t sections) {
  return split_evenly("hsplit", self, sections, self.dim() <= 1 ? 0 : 1, 1);
}
static TensorList hsplit_indices(const Tensor& self, const IntList& indices) {
  return split_between("hsplit", self, indices, self.dim() <= 1 ? 0 : 1, 1);
}
OP("hsplit.int(Tensor self, int sections) -> Tensor[]", hsplit, kFunction | kMethod,
   R"(Views of equal parts of the columns (of a vector: of its elements). Throws when they do not divide evenly.

See https://docs.pytorch.org/docs/stable/generated/torch.hsplit.html

@example
torch.zeros(2, 4).hsplit(2)[0].shape // [2, 2]
)");
OP("hsplit.array(Tensor self, int[] indices) -> Tensor[]", hsplit_indices, kFunction | kMethod, "");
static TensorList vsplit(const Tensor& self, int64_t sections) {
  return split_evenly("vsplit", self, sections, 0, 2);
}
static TensorList vsplit_indices(const Tensor& self, const IntList& indices) {
  return split_between("vsplit", self, indices, 0, 2);
}
OP("vsplit.int(Tensor self, int sections) -> Tensor[]", vsplit, kFunction | kMethod,
   R"(Views of equal parts of the rows. Throws when they do not divide evenly.

See https://docs.pytorch.org/docs/stable/generated/torch.vsplit.html

@example
torch.zeros(4, 2).vsplit(2)[0].shape // [2, 2]
)");
OP("vsplit.array(Tensor self, int[] indices) -> Tensor[]", vsplit_indices, kFunction | kMethod, "");
static TensorList dsplit(const Tensor& self, int64_t sections) {
  return split_evenly("dsplit", self, sections, 2, 3);
}
static TensorList dsplit_indices(const Tensor& self, const IntList& indices) {
  return split_between("dsplit", self, indices, 2, 3);
}
OP("dsplit.int(Tensor self, int sections) -> Tensor[]", dsplit, kFunction | kMethod,
   R"(Views of equal parts of the third dimension. Throws when they do not divide evenly.

See https://docs.pytorch.org/docs/stable/generated/torch.dsplit.html

@example
torch.zeros(1, 1, 4).dsplit(2)[0].shape // [1, 1, 2]
)");
OP("dsplit.array(Tensor self, int[] indices) -> Tensor[]", dsplit_indices, kFunction | kMethod, "");

}  // namespace sconce::ops
