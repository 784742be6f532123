// Each element or slice several times in a row.
#include <algorithm>

#include "indexing.h"

namespace sconce::ops {

// 0 repeats[0] times, 1 repeats[1] times, and so on.
static Tensor repeat_interleave(const Tensor& repeats, const std::optional<int64_t>& output_size) {
  SC_CHECK(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
  SC_CHECK(repeats.dtype() == DType::kInt64 || repeats.dtype() == DType::kInt32,
           "repeats has to be Long or Int tensor");
  const Tensor host = contiguous_raw(cast_raw(to_device(repeats.detach(), Device()), DType::kInt64));
  const int64_t* times = host.data_as<const int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < host.numel(); ++i) {
    SC_CHECK(times[i] >= 0, "repeats can not be negative");
    SC_CHECK(!__builtin_add_overflow(total, times[i], &total), "numel: integer multiplication overflow");
  }
  SC_CHECK(!output_size || *output_size == total, "allocated size does not match required size");
  Tensor index = empty({total}, DType::kInt64);
  int64_t* out = index.data_as<int64_t>();
  for (int64_t i = 0; i < host.numel(); ++i) out = std::fill_n(out, times[i], i);
  return cast_raw(to_device(index, repeats.device()), repeats.dtype());
}
OP("repeat_interleave.Tensor(Tensor repeats, *, int? output_size=None) -> Tensor", repeat_interleave,
   kFunction | kNoGrad, "");

static Tensor repeat_interleave_tensor(const Tensor& self, const Tensor& repeats,
                                       const std::optional<int64_t>& dim,
                                       const std::optional<int64_t>& output_size) {
  const Tensor x = dim ? self : flatten(self);
  const int d = wrap_dim(dim.value_or(0), x.dim());
  const int64_t size = x.dim() == 0 ? 1 : x.sizes()[d];
  Tensor times = repeats;
  if (repeats.dim() == 0 || (repeats.dim() == 1 && repeats.sizes()[0] == 1)) {
    times = expand(reshape(repeats, {1}), {size});
  } else {
    SC_CHECK(repeats.dim() == 1, "repeats must be 0-dim or 1-dim tensor");
    SC_CHECK(repeats.sizes()[0] == size,
             "repeats must have the same size as input along dim, but got repeats.size(0) = ",
             repeats.sizes()[0], " and input.size(", d, ") = ", size);
  }
  return index_select(x, d, repeat_interleave(times, output_size));
}
OP("repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, int? output_size=None) -> "
   "Tensor",
   repeat_interleave_tensor, kFunction | kMethod,
   R"(Each slice along `dim` as many times in a row as `repeats` says, a number or one number per slice; without `dim`, each element of the flattened tensor.

Of one tensor alone: the positions, each as often as the number there.

See https://docs.pytorch.org/docs/stable/generated/torch.repeat_interleave.html

@example
torch.tensor([1, 2]).repeat_interleave(2) // tensor([1., 1., 2., 2.])
torch.repeat_interleave(torch.tensor([1, 0, 2]).long()) // tensor([0, 2, 2])
)");

static Tensor repeat_interleave_int(const Tensor& self, int64_t repeats, const std::optional<int64_t>& dim,
                                    const std::optional<int64_t>& output_size) {
  const Tensor x = dim ? self : flatten(self);
  const int d = wrap_dim(dim.value_or(0), x.dim());
  SC_CHECK(repeats >= 0, "Repeats must be non-negative");
  const int64_t size = x.dim() == 0 ? 1 : x.sizes()[d];
  int64_t total;
  SC_CHECK(!__builtin_mul_overflow(size, repeats, &total), "numel: integer multiplication overflow");
  SC_CHECK(!output_size || *output_size == total, "repeat_interleave: Invalid output_size, expected ", total,
           " but got ", output_size.value_or(0));
  Tensor wide = unsqueeze(x.dim() == 0 ? unsqueeze(x, 0) : x, d + 1);
  Dims shape = wide.sizes();
  shape[d + 1] = repeats;
  return flatten(clone(expand(wide, shape), MemoryFormat::kContiguous), d, d + 1);
}
OP("repeat_interleave.self_int(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor",
   repeat_interleave_int, kFunction | kMethod, "");

}  // namespace sconce::ops
