// Several tensors, or several copies of one, into one: cat, stack, repeat.
#include <numeric>

#include "ops.h"

namespace sconce::ops {

static Dims with(Dims sizes, int d, int64_t n) {
  sizes[d] = n;
  return sizes;
}

Tensor cat(const TensorList& tensors, int64_t dim) {
  SC_CHECK(!tensors.empty(), "torch.cat(): expected a non-empty list of Tensors");
  auto skipped = [](const Tensor& x) {
    return x.dim() == 1 && x.sizes()[0] == 0;
  };  // empty vectors join anything
  const Tensor* model = nullptr;
  PromotionState promotion;
  bool channels_last = true;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    SC_CHECK(x.dim() > 0, "zero-dimensional tensor (at position ", static_cast<int64_t>(i),
             ") cannot be concatenated");
    promotion.add(x);
    if (skipped(x)) continue;
    if (!model) model = &x;
    channels_last = channels_last && !x.is_contiguous() && x.is_contiguous(MemoryFormat::kChannelsLast);
  }
  const DType dtype = promotion.result();
  if (!model) {
    model = &tensors[0];
    channels_last = false;
  }
  const int d = wrap_dim(dim, model->dim());
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    SC_CHECK(x.device() == model->device(),
             "Expected all tensors to be on the same device, but found at least two devices, ",
             device_name(model->device()), " and ", device_name(x.device()), "!");
    if (skipped(x)) {
      lengths.push_back(0);
      continue;
    }
    SC_CHECK(x.dim() == model->dim(), "Tensors must have same number of dimensions: got ", model->dim(),
             " and ", x.dim());
    for (int k = 0; k < x.dim(); ++k)
      SC_CHECK(k == d || x.sizes()[k] == model->sizes()[k],
               "Sizes of tensors must match except in dimension ", d, ". Expected size ", model->sizes()[k],
               " but got size ", x.sizes()[k], " for tensor number ", static_cast<int64_t>(i),
               " in the list.");
    lengths.push_back(x.sizes()[d]);
  }
  const Dims shape = with(model->sizes(), d, std::accumulate(lengths.begin(), lengths.end(), int64_t{0}));
  Tensor y = channels_last ? empty_strided(shape, channels_last_strides(shape), dtype, model->device())
                           : empty(shape, dtype, model->device());
  int64_t at = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (lengths[i] == 0) continue;
    copy_into(alias_of(y, tensors[i].sizes(), y.strides(), at * y.strides()[d]), tensors[i]);
    at += lengths[i];
  }
  std::vector<bool> vanished;  // empty vectors among matrices, which have no part in the result
  for (const Tensor& x : tensors) vanished.push_back(skipped(x) && model->dim() != 1);
  return differentiable("CatBackward0", y)
      .wrt_all(tensors,
               [d, lengths, vanished](const TensorList& grads, const std::vector<bool>& needed) {
                 TensorList out(lengths.size());
                 int64_t start = 0;
                 for (size_t i = 0; i < lengths.size(); ++i) {
                   if (needed[i]) {
                     out[i] = vanished[i] ? zeros_raw({0}, grads[0].dtype(), grads[0].device())
                                          : narrow(grads[0], d, start, lengths[i]);
                   }
                   start += lengths[i];
                 }
                 return out;
               })
      .jvp([&](const TensorList& t) {
        TensorList parts;
        for (size_t i = 0; i < t.size(); ++i) parts.push_back(t[i] ? t[i] : zeros_like_raw(tensors[i]));
        return cat(parts, d);
      });
}
OP("cat(Tensor[] tensors, int dim=0) -> Tensor", cat, kFunction,
   R"(The tensors one after another along `dim`. All other sizes must agree; the dtype follows type promotion.

See https://docs.pytorch.org/docs/stable/generated/torch.cat.html

@example
torch.cat([torch.tensor([1, 2]), torch.tensor([3])]) // tensor([1., 2., 3.])
torch.cat([torch.zeros(2, 1), torch.ones(2, 2)], 1) // tensor([[0., 1., 1.],
//         [0., 1., 1.]])
)");
OP("concat(Tensor[] tensors, int dim=0) -> Tensor", cat, kFunction,
   R"(Another name of `cat`.

See https://docs.pytorch.org/docs/stable/generated/torch.concat.html

@example
torch.concat([torch.tensor([1]), torch.tensor([2])]) // tensor([1., 2.])
)");
OP("concatenate(Tensor[] tensors, int dim=0) -> Tensor", cat, kFunction,
   R"(Another name of `cat`.

See https://docs.pytorch.org/docs/stable/generated/torch.concatenate.html

@example
torch.concatenate([torch.tensor([1]), torch.tensor([2])]) // tensor([1., 2.])
)");

Tensor stack(const TensorList& tensors, int64_t dim) {
  SC_CHECK(!tensors.empty(), "stack expects a non-empty TensorList");
  const Dims& each = tensors[0].sizes();
  const int d = wrap_dim(dim, each.size() + 1);
  PromotionState promotion;
  for (size_t i = 0; i < tensors.size(); ++i) {
    SC_CHECK(tensors[i].sizes() == each, "stack expects each tensor to be equal size, but got ", each,
             " at entry 0 and ", tensors[i].sizes(), " at entry ", static_cast<int64_t>(i));
    SC_CHECK(tensors[i].device() == tensors[0].device(),
             "Expected all tensors to be on the same device, but found at least two devices, ",
             device_name(tensors[0].device()), " and ", device_name(tensors[i].device()), "!");
    promotion.add(tensors[i]);
  }
  Dims shape = each;
  shape.insert(d, static_cast<int64_t>(tensors.size()));
  Tensor y = empty(shape, promotion.result(), tensors[0].device());
  Dims strides = y.strides();
  const int64_t step = strides[d];
  strides.erase(d);
  for (size_t i = 0; i < tensors.size(); ++i)
    copy_into(alias_of(y, each, strides, static_cast<int64_t>(i) * step), tensors[i]);
  return differentiable("StackBackward0", y)
      .wrt_all(tensors, [d](const TensorList& grads, const std::vector<bool>& needed) {
        TensorList out(needed.size());
        for (size_t i = 0; i < out.size(); ++i)
          if (needed[i]) out[i] = select(grads[0], d, static_cast<int64_t>(i));
        return out;
      });
}
OP("stack(Tensor[] tensors, int dim=0) -> Tensor", stack, kFunction,
   R"(The tensors, all of one shape, along a new dimension `dim`.

See https://docs.pytorch.org/docs/stable/generated/torch.stack.html

@example
torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], 1) // tensor([[1., 3.],
//         [2., 4.]])
)");

static TensorList each(const TensorList& tensors, Tensor (*f)(const Tensor&)) {
  TensorList out;
  for (const Tensor& x : tensors) out.push_back(f(x));
  return out;
}
static Tensor hstack(const TensorList& tensors) {
  SC_CHECK(!tensors.empty(), "hstack expects a non-empty TensorList");
  const TensorList rows = each(tensors, atleast_1d);
  return cat(rows, rows[0].dim() == 1 ? 0 : 1);
}
OP("hstack(Tensor[] tensors) -> Tensor", hstack, kFunction,
   R"(The tensors side by side: vectors end to end, others along the second dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.hstack.html

@example
torch.hstack([torch.tensor([1, 2]), torch.tensor([3])]) // tensor([1., 2., 3.])
)");
static Tensor vstack(const TensorList& tensors) {
  SC_CHECK(!tensors.empty(), "vstack expects a non-empty TensorList");
  return cat(each(tensors, atleast_2d), 0);
}
OP("vstack(Tensor[] tensors) -> Tensor", vstack, kFunction,
   R"(The tensors one below the other; a vector is one row.

See https://docs.pytorch.org/docs/stable/generated/torch.vstack.html

@example
torch.vstack([torch.tensor([1, 2]), torch.tensor([3, 4])]) // tensor([[1., 2.],
//         [3., 4.]])
)");
OP("row_stack(Tensor[] tensors) -> Tensor", vstack, kFunction,
   R"(Another name of `vstack`.

See https://docs.pytorch.org/docs/stable/generated/torch.row_stack.html

@example
torch.row_stack([torch.tensor([1]), torch.tensor([2])]) // tensor([[1.],
//         [2.]])
)");
static Tensor dstack(const TensorList& tensors) {
  SC_CHECK(!tensors.empty(), "dstack expects a non-empty TensorList");
  return cat(each(tensors, atleast_3d), 2);
}
OP("dstack(Tensor[] tensors) -> Tensor", dstack, kFunction,
   R"(The tensors along the third dimension.

See https://docs.pytorch.org/docs/stable/generated/torch.dstack.html

@example
torch.dstack([torch.tensor([1, 2]), torch.tensor([3, 4])]) // tensor([[[1., 3.],
//          [2., 4.]]])
)");
static Tensor column_stack(const TensorList& tensors) {
  SC_CHECK(!tensors.empty(), "column_stack expects a non-empty TensorList");
  TensorList columns;
  for (const Tensor& x : tensors) columns.push_back(x.dim() <= 1 ? reshape(x, {x.numel(), 1}) : x);
  return cat(columns, 1);
}
OP("column_stack(Tensor[] tensors) -> Tensor", column_stack, kFunction,
   R"(The tensors side by side; a vector is one column.

See https://docs.pytorch.org/docs/stable/generated/torch.column_stack.html

@example
torch.column_stack([torch.tensor([1, 2]), torch.tensor([3, 4])]) // tensor([[1., 3.],
//         [2., 4.]])
)");

Tensor repeat(const Tensor& self, const Dims& repeats) {
  SC_CHECK(repeats.size() >= self.dim(),
           "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor");
  const int lead = repeats.size() - self.dim();
  // [s0, s1] read as [1, s0, 1, s1] against a result of [r0, s0, r1, s1].
  Dims padded, out_sizes, in_sizes, in_strides, tiled;
  for (int i = 0; i < repeats.size(); ++i) {
    SC_CHECK(repeats[i] >= 0, "Trying to create tensor with negative dimension ", repeats[i], ": ", repeats);
    padded.push_back(i < lead ? 1 : self.sizes()[i - lead]);
    out_sizes.push_back(padded[i] * repeats[i]);
  }
  Tensor y = empty(out_sizes, self.dtype(), self.device());
  if (y.numel() > 0) {
    const Dims& st = y.strides();
    Dims view_sizes, view_strides;
    for (int i = 0; i < repeats.size(); ++i) {
      for (bool outer : {true, false}) {
        const int64_t n = outer ? repeats[i] : padded[i];
        if (n == 1) continue;  // keeps the number of dimensions low
        view_sizes.push_back(n);
        view_strides.push_back(outer ? st[i] * padded[i] : st[i]);
        in_strides.push_back(outer || i < lead ? 0 : self.strides()[i - lead]);
      }
    }
    copy_into(alias_of(y, view_sizes, view_strides, 0),
              alias_of(self, view_sizes, in_strides, self.storage_offset()));
  }
  return differentiable("RepeatBackward0", y)
      .wrt(self, [repeats, padded, shape = self.sizes()](const Tensor& g) {
        if (g.numel() == 0) return zeros_raw(shape, g.dtype(), g.device());
        Tensor sum = g;
        for (int i = repeats.size() - 1; i >= 0; --i) {
          if (repeats[i] == 1) continue;
          sum = sum_dim(unflatten(sum, i, {repeats[i], padded[i]}), IntList{i}, false);
        }
        return reshape(sum, shape);
      });
}
OP("repeat(Tensor self, int[] repeats) -> Tensor", repeat, kMethod,
   R"(Copies of the tensor side by side: `repeats[i]` of them along dimension `i`. More entries than dimensions add dimensions in front.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.repeat.html

@example
torch.tensor([1, 2]).repeat(2, 2) // tensor([[1., 2., 1., 2.],
//         [1., 2., 1., 2.]])
)");
static Tensor tile(const Tensor& self, const Dims& dims) {
  Dims repeats = dims;
  while (repeats.size() < self.dim()) repeats.insert(0, 1);
  return repeat(self, repeats);
}
OP("tile(Tensor self, int[] dims) -> Tensor", tile, kFunction | kMethod,
   R"(As `repeat`; missing entries of `dims` count as 1, in front.

See https://docs.pytorch.org/docs/stable/generated/torch.tile.html

@example
torch.tensor([1, 2]).tile(2) // tensor([1., 2., 1., 2.])
)");

Tensor block_diag(const TensorList& tensors) {
  int64_t rows = 0, columns = 0;
  TensorList blocks;
  PromotionState promotion;
  for (size_t i = 0; i < tensors.size(); ++i) {
    SC_CHECK(tensors[i].dim() <= 2, "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input ",
             static_cast<int64_t>(i), " has ", tensors[i].dim(), " dimensions");
    blocks.push_back(atleast_2d(tensors[i]));
    promotion.add(blocks.back());
    rows += blocks.back().sizes()[0];
    columns += blocks.back().sizes()[1];
  }
  if (blocks.empty()) return empty({1, 0}, default_dtype());
  std::vector<Dims> places;
  Tensor y = zeros_raw({rows, columns}, promotion.result(), blocks[0].device());
  int64_t row = 0, column = 0;
  for (const Tensor& b : blocks) {
    copy_into(alias_of(y, b.sizes(), y.strides(), row * columns + column), b);
    places.push_back({row, column, b.sizes()[0], b.sizes()[1]});
    row += b.sizes()[0];
    column += b.sizes()[1];
  }
  return differentiable("BlockDiagBackward0", y)
      .wrt_all(blocks, [places](const TensorList& grads, const std::vector<bool>& needed) {
        TensorList out(places.size());
        for (size_t i = 0; i < places.size(); ++i)
          if (needed[i])
            out[i] = narrow(narrow(grads[0], 0, places[i][0], places[i][2]), 1, places[i][1], places[i][3]);
        return out;
      });
}
OP("block_diag(Tensor[] tensors) -> Tensor", block_diag, kFunction,
   R"(The matrices along the diagonal of a larger matrix that is zero elsewhere. Vectors count as one row.

See https://docs.pytorch.org/docs/stable/generated/torch.block_diag.html

@example
torch.block_diag([torch.tensor([[1]]), torch.tensor([[2, 3]])]) // tensor([[1., 0., 0.],
//         [0., 2., 3.]])
)");

static TensorList meshgrid(const TensorList& tensors, const std::optional<std::string>& indexing) {
  SC_CHECK(!tensors.empty(), "meshgrid expects a non-empty TensorList");
  const std::string order = indexing.value_or("ij");
  SC_CHECK(order == "ij" || order == "xy",
           "torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: ", order);
  // With 'xy' the first axis runs along the columns: its dimension is the second one.
  const bool swap = order == "xy" && tensors.size() >= 2;
  auto place = [swap](size_t i) { return static_cast<int>(swap && i < 2 ? 1 - i : i); };
  Dims shape = Dims::filled(static_cast<int64_t>(tensors.size()), 1);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    SC_CHECK(x.dim() <= 1,
             "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: a tensor of shape ",
             x.sizes());
    SC_CHECK(x.dtype() == tensors[0].dtype(), "torch.meshgrid expects all tensors to have the same dtype");
    SC_CHECK(x.device() == tensors[0].device(), "torch.meshgrid expects all tensors to have the same device");
    shape[place(i)] = x.numel();
  }
  TensorList grids;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Dims line = Dims::filled(shape.size(), 1);
    line[place(i)] = tensors[i].numel();
    grids.push_back(expand(view(tensors[i], line), shape));
  }
  return grids;
}
OP("meshgrid(Tensor[] tensors, *, str? indexing=None) -> Tensor[]", meshgrid, kFunction,
   R"(The coordinate grids of the given axes, one per axis, as expanded views. With `indexing: 'xy'` the first two axes are swapped.

See https://docs.pytorch.org/docs/stable/generated/torch.meshgrid.html

@example
torch.meshgrid([torch.tensor([1, 2]), torch.tensor([3, 4])])[0] // tensor([[1., 1.],
//         [2., 2.]])
)");

static Tensor cartesian_prod(const TensorList& tensors) {
  for (const Tensor& x : tensors) SC_CHECK(x.dim() == 1, "Expect a 1D vector, but got shape ", x.sizes());
  if (tensors.size() == 1) return tensors[0];
  TensorList grids = meshgrid(tensors, std::nullopt);
  for (Tensor& grid : grids) grid = flatten(grid);
  return stack(grids, 1);
}
OP("cartesian_prod(Tensor[] tensors) -> Tensor", cartesian_prod, kFunction,
   R"(All combinations of one element from each vector, one combination per row.

See https://docs.pytorch.org/docs/stable/generated/torch.cartesian_prod.html

@example
torch.cartesian_prod([torch.tensor([1, 2]), torch.tensor([3])]) // tensor([[1., 3.],
//         [2., 3.]])
)");

}  // namespace sconce::ops
