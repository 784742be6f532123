// Views that rename, merge or drop dimensions: transpose, permute, squeeze, flatten and friends.
#include "ops.h"

namespace sconce::ops {

static Tensor permuted(const char* name, const Tensor& self, const Dims& order) {
  Dims sizes, strides, inverse = Dims::filled(order.size(), 0);
  for (int i = 0; i < order.size(); ++i) {
    const int d = static_cast<int>(order[i]);
    sizes.push_back(self.sizes()[d]);
    strides.push_back(self.strides()[d]);
    inverse[d] = i;
  }
  Tensor y = make_view(self, sizes, strides, self.storage_offset());
  return differentiable(name, y).wrt(self, [inverse](const Tensor& g) { return permute(g, inverse); });
}

Tensor permute(const Tensor& self, const Dims& dims) {
  SC_CHECK(dims.size() == self.dim(),
           "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
           "desired ordering of "
           "dimensions i.e. input.dim() = ",
           self.dim(), " is not equal to len(dims) = ", dims.size());
  Dims order;
  uint32_t seen = 0;
  for (int64_t d : dims) {
    const int w = wrap_dim(d, self.dim());
    SC_CHECK(!(seen & (1u << w)), "permute(): duplicate dims are not allowed.");
    seen |= 1u << w;
    order.push_back(w);
  }
  return permuted("PermuteBackward0", self, order);
}
OP("permute(Tensor self, int[] dims) -> Tensor", permute, kFunction | kMethod,
   R"(The same memory with its dimensions in the order `dims`: dimension `i` of the result is dimension `dims[i]` of `self`.

Throws unless `dims` names every dimension once.

See https://docs.pytorch.org/docs/stable/generated/torch.permute.html

@example
torch.zeros(2, 3, 4).permute(2, 0, 1).shape // [4, 2, 3]
)");

Tensor transpose(const Tensor& self, int64_t dim0, int64_t dim1) {
  const int a = wrap_dim(dim0, self.dim()), b = wrap_dim(dim1, self.dim());
  Dims sizes = self.sizes(), strides = self.strides();
  if (a != b) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  Tensor y = make_view(self, sizes, strides, self.storage_offset());
  return differentiable("TransposeBackward0", y).wrt(self, [a, b](const Tensor& g) {
    return transpose(g, a, b);
  });
}
OP("transpose(Tensor self, int dim0, int dim1) -> Tensor", transpose,
   kFunction | kMethod | kInPlace | kReshapes,
   R"(The same memory with dimensions `dim0` and `dim1` swapped.

See https://docs.pytorch.org/docs/stable/generated/torch.transpose.html

@example
torch.tensor([[1, 2, 3], [4, 5, 6]]).transpose(0, 1) // tensor([[1., 4.],
//         [2., 5.],
//         [3., 6.]])
)");
OP("swapaxes(Tensor self, int axis0, int axis1) -> Tensor", transpose,
   kFunction | kMethod | kInPlace | kReshapes,
   R"(Another name of `transpose`.

See https://docs.pytorch.org/docs/stable/generated/torch.swapaxes.html

@example
torch.zeros(2, 3).swapaxes(0, 1).shape // [3, 2]
)");
OP("swapdims(Tensor self, int dim0, int dim1) -> Tensor", transpose,
   kFunction | kMethod | kInPlace | kReshapes,
   R"(Another name of `transpose`.

See https://docs.pytorch.org/docs/stable/generated/torch.swapdims.html

@example
torch.zeros(2, 3).swapdims(0, 1).shape // [3, 2]
)");

Tensor t(const Tensor& self) {
  SC_CHECK(self.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", self.dim(), "D");
  Dims order;
  for (int d = self.dim() - 1; d >= 0; --d) order.push_back(d);
  return permuted("TBackward0", self, order);
}
OP("t(Tensor self) -> Tensor", t, kFunction | kMethod | kInPlace | kReshapes,
   R"(The transpose of a matrix; a tensor with fewer dimensions as it is. Throws for more than 2 dimensions.

See https://docs.pytorch.org/docs/stable/generated/torch.t.html

@example
torch.tensor([[1, 2], [3, 4]]).t() // tensor([[1., 3.],
//         [2., 4.]])
)");

static Tensor adjoint(const Tensor& self) {
  SC_CHECK(self.dim() != 1,
           "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.");
  return self.dim() == 0 ? self : transpose(self, -2, -1);
}
OP("adjoint(Tensor self) -> Tensor", adjoint, kFunction | kMethod,
   R"(The last two dimensions swapped (real tensors have nothing to conjugate). Throws for 1-D tensors.

See https://docs.pytorch.org/docs/stable/generated/torch.adjoint.html

@example
torch.zeros(4, 2, 3).adjoint().shape // [4, 3, 2]
)");

Tensor movedim(const Tensor& self, const Dims& source, const Dims& destination) {
  SC_CHECK(source.size() == destination.size(), "movedim: Invalid source or destination dims: source (",
           source, " dims) should contain the same number of dims as destination (", destination, " dims)");
  const int n = self.dim();
  auto wrapped = [n](const Dims& dims, const char* what) {
    Dims out;
    uint32_t seen = 0;
    for (int64_t d : dims) out.push_back(wrap_dim(d, n));
    for (int64_t d : out) {
      SC_CHECK(!(seen & (1u << d)), "movedim: repeated dim in `", what, "` (", dims, ")");
      seen |= 1u << d;
    }
    return out;
  };
  const Dims from = wrapped(source, "source"), to = wrapped(destination, "destination");
  if (n == 0) return alias(self);
  Dims order = Dims::filled(n, -1);
  uint32_t moved = 0;
  for (int i = 0; i < from.size(); ++i) {
    order[static_cast<int>(to[i])] = from[i];
    moved |= 1u << from[i];
  }
  int next = 0;
  for (int i = 0; i < n; ++i) {
    if (order[i] >= 0) continue;
    while (moved & (1u << next)) ++next;
    order[i] = next++;
  }
  return permuted("PermuteBackward0", self, order);
}
OP("movedim.intlist(Tensor self, int[] source, int[] destination) -> Tensor", movedim, kFunction | kMethod,
   R"(Moves the dimensions `source` to the positions `destination`; the others keep their order.

See https://docs.pytorch.org/docs/stable/generated/torch.movedim.html

@example
torch.zeros(2, 3, 4).movedim(0, 2).shape // [3, 4, 2]
torch.zeros(2, 3, 4).movedim([0, 1], [1, 0]).shape // [3, 2, 4]
)");
static Tensor movedim_int(const Tensor& self, int64_t source, int64_t destination) {
  return movedim(self, Dims{source}, Dims{destination});
}
OP("movedim.int(Tensor self, int source, int destination) -> Tensor", movedim_int, kFunction | kMethod, "");
OP("moveaxis.intlist(Tensor self, int[] source, int[] destination) -> Tensor", movedim, kFunction | kMethod,
   R"(Another name of `movedim`.

See https://docs.pytorch.org/docs/stable/generated/torch.moveaxis.html

@example
torch.zeros(2, 3, 4).moveaxis(0, -1).shape // [3, 4, 2]
)");
OP("moveaxis.int(Tensor self, int source, int destination) -> Tensor", movedim_int, kFunction | kMethod, "");

// The same tensor as a view of itself.
Tensor alias(const Tensor& self) {
  Tensor y = make_view(self, self.sizes(), self.strides(), self.storage_offset());
  return differentiable("AliasBackward0", y).wrt(self, [](const Tensor& g) { return g; });
}
OP("_alias(Tensor self) -> Tensor", alias, kInternal, "A view of the whole tensor.");

static Tensor squeezed(const char* name, const Tensor& self, uint32_t drop) {
  Dims sizes, strides;
  for (int d = 0; d < self.dim(); ++d) {
    if ((drop >> d & 1) && self.sizes()[d] == 1) continue;
    sizes.push_back(self.sizes()[d]);
    strides.push_back(self.strides()[d]);
  }
  Tensor y = make_view(self, sizes, strides, self.storage_offset());
  return differentiable(name, y).wrt(self,
                                     [shape = self.sizes()](const Tensor& g) { return reshape(g, shape); });
}
Tensor squeeze(const Tensor& self) { return squeezed("SqueezeBackward0", self, ~0u); }
OP("squeeze(Tensor self) -> Tensor", squeeze, kFunction | kMethod | kInPlace | kReshapes,
   R"(Drops all dimensions of size 1, or those of them that `dim` names. A view.

See https://docs.pytorch.org/docs/stable/generated/torch.squeeze.html

@example
torch.zeros(2, 1, 3, 1).squeeze().shape // [2, 3]
torch.zeros(2, 1, 3, 1).squeeze(1).shape // [2, 3, 1]
)");
Tensor squeeze_dim(const Tensor& self, int64_t dim) {
  return squeezed("SqueezeBackward1", self, 1u << wrap_dim(dim, self.dim()));
}
OP("squeeze.dim(Tensor self, int dim) -> Tensor", squeeze_dim, kFunction | kMethod | kInPlace | kReshapes,
   "");
static Tensor squeeze_dims(const Tensor& self, const Dims& dim) {
  uint32_t drop = 0;
  for (int64_t d : wrap_dims(dim, self.dim())) drop |= 1u << d;
  return squeezed("SqueezeBackward2", self, drop);
}
OP("squeeze.dims(Tensor self, int[] dim) -> Tensor", squeeze_dims, kFunction | kMethod | kInPlace | kReshapes,
   "");

Tensor unsqueeze(const Tensor& self, int64_t dim) {
  const int d = wrap_dim(dim, self.dim() + 1);
  Dims sizes = self.sizes(), strides = self.strides();
  const int64_t stride = d < self.dim() ? sizes[d] * strides[d] : 1;
  sizes.insert(d, 1);
  strides.insert(d, stride);
  Tensor y = make_view(self, sizes, strides, self.storage_offset());
  return differentiable("UnsqueezeBackward0", y).wrt(self, [d](const Tensor& g) {
    return squeeze_dim(g, d);
  });
}
OP("unsqueeze(Tensor self, int dim) -> Tensor", unsqueeze, kFunction | kMethod | kInPlace | kReshapes,
   R"(Puts a dimension of size 1 at position `dim`, counted in the result. A view.

See https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html

@example
torch.zeros(2, 3).unsqueeze(1).shape // [2, 1, 3]
torch.zeros(2, 3).unsqueeze(-1).shape // [2, 3, 1]
)");

Tensor flatten(const Tensor& self, int64_t start_dim, int64_t end_dim) {
  const int start = wrap_dim(start_dim, self.dim()), end = wrap_dim(end_dim, self.dim());
  SC_CHECK(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim");
  if (self.dim() == 0) return reshape(self, {1});
  if (start == end) return self;
  Dims shape;
  int64_t merged = 1;
  for (int d = 0; d < self.dim(); ++d) {
    if (d >= start && d <= end) merged *= self.sizes()[d];
    if (d == end)
      shape.push_back(merged);
    else if (d < start || d > end)
      shape.push_back(self.sizes()[d]);
  }
  return reshape(self, shape);
}
OP("flatten(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor", flatten, kFunction | kMethod,
   R"(Merges the dimensions from `start_dim` to `end_dim` into one: a view where the memory layout allows it, otherwise a copy.

See https://docs.pytorch.org/docs/stable/generated/torch.flatten.html

@example
torch.zeros(2, 3, 4).flatten().shape // [24]
torch.zeros(2, 3, 4).flatten(1).shape // [2, 12]
)");
static Tensor ravel(const Tensor& self) { return reshape(contiguous(self), {-1}); }
OP("ravel(Tensor self) -> Tensor", ravel, kFunction | kMethod,
   R"(All elements in one dimension, in row-major order.

See https://docs.pytorch.org/docs/stable/generated/torch.ravel.html

@example
torch.tensor([[1, 2], [3, 4]]).ravel() // tensor([1., 2., 3., 4.])
)");

Tensor unflatten(const Tensor& self, int64_t dim, const Dims& sizes) {
  const int d = wrap_dim(dim, self.dim());
  SC_CHECK(!sizes.empty(), "unflatten: sizes must be non-empty");
  const int64_t have = self.sizes()[d];
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1) {
      SC_CHECK(unknown < 0, "only one dimension can be inferred");
      unknown = i;
    } else {
      known *= sizes[i];
    }
  }
  SC_CHECK(unknown < 0 ? known == have : known > 0 && have % known == 0, "unflatten: Provided sizes ", sizes,
           " don't multiply up to the size of dim ", d, " (", have, ") in the input tensor");
  Dims shape;
  for (int i = 0; i < d; ++i) shape.push_back(self.sizes()[i]);
  for (int i = 0; i < sizes.size(); ++i) shape.push_back(i == unknown ? have / known : sizes[i]);
  for (int i = d + 1; i < self.dim(); ++i) shape.push_back(self.sizes()[i]);
  return view(self, shape);
}
OP("unflatten(Tensor self, int dim, int[] sizes) -> Tensor", unflatten, kFunction | kMethod,
   R"(Splits dimension `dim` into dimensions of the given sizes; one of them may be -1. A view.

See https://docs.pytorch.org/docs/stable/generated/torch.unflatten.html

@example
torch.zeros(2, 12).unflatten(1, [3, -1]).shape // [2, 3, 4]
)");

static Tensor view_as(const Tensor& self, const Tensor& other) { return view(self, other.sizes()); }
OP("view_as(Tensor self, Tensor other) -> Tensor", view_as, kMethod,
   R"(A view of `self` with the shape of `other`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view_as.html

@example
torch.zeros(6).view_as(torch.zeros(2, 3)).shape // [2, 3]
)");
static Tensor reshape_as(const Tensor& self, const Tensor& other) { return reshape(self, other.sizes()); }
OP("reshape_as(Tensor self, Tensor other) -> Tensor", reshape_as, kMethod,
   R"(`self` reshaped to the shape of `other`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.reshape_as.html

@example
torch.zeros(6).reshape_as(torch.zeros(2, 3)).shape // [2, 3]
)");
static Tensor expand_as(const Tensor& self, const Tensor& other) { return expand(self, other.sizes()); }
OP("expand_as(Tensor self, Tensor other) -> Tensor", expand_as, kMethod,
   R"(`self` expanded to the shape of `other`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand_as.html

@example
torch.tensor([1, 2]).expand_as(torch.zeros(2, 2)) // tensor([[1., 2.],
//         [1., 2.]])
)");
OP("broadcast_to(Tensor self, int[] size) -> Tensor", expand, kFunction | kMethod,
   R"(`self` broadcast to the shape `size`, without copying memory.

See https://docs.pytorch.org/docs/stable/generated/torch.broadcast_to.html

@example
torch.tensor([1, 2]).broadcast_to([2, 2]) // tensor([[1., 2.],
//         [1., 2.]])
)");

static TensorList broadcast_tensors(const TensorList& tensors) {
  Dims shape;
  for (const Tensor& x : tensors) shape = broadcast_shapes(shape, x.sizes());
  TensorList out;
  for (const Tensor& x : tensors) out.push_back(x.sizes() == shape ? x : expand(x, shape));
  return out;
}
OP("broadcast_tensors(Tensor[] tensors) -> Tensor[]", broadcast_tensors, kFunction,
   R"(All tensors, expanded to their common shape.

See https://docs.pytorch.org/docs/stable/generated/torch.broadcast_tensors.html

@example
torch.broadcast_tensors([torch.zeros(3, 1), torch.zeros(2)])[1].shape // [3, 2]
)");

static Tensor atleast(const Tensor& self, int n) {
  const int dims = self.dim();
  if (n == 1 && dims == 0) return reshape(self, {1});
  if (n == 2 && dims == 0) return reshape(self, {1, 1});
  if (n == 2 && dims == 1) return unsqueeze(self, 0);
  if (n == 3 && dims == 0) return reshape(self, {1, 1, 1});
  if (n == 3 && dims == 1) return unsqueeze(unsqueeze(self, 0), -1);
  if (n == 3 && dims == 2) return unsqueeze(self, -1);
  return self;
}
Tensor atleast_1d(const Tensor& self) { return atleast(self, 1); }
Tensor atleast_2d(const Tensor& self) { return atleast(self, 2); }
Tensor atleast_3d(const Tensor& self) { return atleast(self, 3); }
OP("atleast_1d(Tensor self) -> Tensor", atleast_1d, kFunction,
   R"(A 0-d tensor as a vector of one element; others as they are.

See https://docs.pytorch.org/docs/stable/generated/torch.atleast_1d.html

@example
torch.atleast_1d(torch.tensor(3)) // tensor([3.])
)");
OP("atleast_2d(Tensor self) -> Tensor", atleast_2d, kFunction,
   R"(A tensor with fewer than 2 dimensions as a matrix of one row; others as they are.

See https://docs.pytorch.org/docs/stable/generated/torch.atleast_2d.html

@example
torch.atleast_2d(torch.tensor([1, 2])) // tensor([[1., 2.]])
)");
OP("atleast_3d(Tensor self) -> Tensor", atleast_3d, kFunction,
   R"(A tensor with fewer than 3 dimensions with dimensions of size 1 added; others as they are.

See https://docs.pytorch.org/docs/stable/generated/torch.atleast_3d.html

@example
torch.atleast_3d(torch.zeros(2, 3)).shape // [2, 3, 1]
)");

}  // namespace sconce::ops
