// Elements in another order: flip, roll, rot90.
#include "ops.h"

namespace sconce::ops {

Tensor flip(const Tensor& self, const Dims& dims) {
  const Dims flipped = wrap_dims(dims, self.dim());
  Tensor y = empty_like(self);
  Dims strides = self.strides();
  int64_t offset = self.storage_offset();
  if (self.dim() > 0) {
    for (int64_t d : flipped) {
      const int k = static_cast<int>(d);
      if (self.sizes()[k] == 0) continue;
      offset += (self.sizes()[k] - 1) * strides[k];
      strides[k] = -strides[k];
    }
  }
  // Negative strides exist only in this alias, for the copy kernel.
  copy_into(y, alias_of(self, self.sizes(), strides, offset));
  return differentiable("FlipBackward0", y).wrt(self, [flipped](const Tensor& g) {
    return flip(g, flipped);
  });
}
OP("flip(Tensor self, int[] dims) -> Tensor", flip, kFunction | kMethod,
   R"(A copy with the order of the elements reversed along `dims`.

See https://docs.pytorch.org/docs/stable/generated/torch.flip.html

@example
torch.tensor([[1, 2], [3, 4]]).flip(0) // tensor([[3., 4.],
//         [1., 2.]])
)");
static Tensor fliplr(const Tensor& self) {
  SC_CHECK(self.dim() >= 2, "Input must be >= 2-d.");
  return flip(self, {1});
}
OP("fliplr(Tensor self) -> Tensor", fliplr, kFunction | kMethod,
   R"(A copy with the columns reversed.

See https://docs.pytorch.org/docs/stable/generated/torch.fliplr.html

@example
torch.tensor([[1, 2], [3, 4]]).fliplr() // tensor([[2., 1.],
//         [4., 3.]])
)");
static Tensor flipud(const Tensor& self) {
  SC_CHECK(self.dim() >= 1, "Input must be >= 1-d.");
  return flip(self, {0});
}
OP("flipud(Tensor self) -> Tensor", flipud, kFunction | kMethod,
   R"(A copy with the rows reversed.

See https://docs.pytorch.org/docs/stable/generated/torch.flipud.html

@example
torch.tensor([1, 2, 3]).flipud() // tensor([3., 2., 1.])
)");

static int64_t positive_mod(int64_t a, int64_t n) { return (a % n + n) % n; }

// One dimension after the other, each with its tail moved to the front.
static Tensor rolled(const Tensor& self, const IntList& shifts, const IntList& dims) {
  Tensor from = self;
  for (size_t i = 0; i < dims.size(); ++i) {
    Tensor y = empty_like(from);
    if (y.numel() == 0 || self.dim() == 0) {
      copy_into(y, from);
      return y;
    }
    const int d = wrap_dim(dims[i], self.dim());
    const int64_t size = self.sizes()[d], cut = positive_mod(-shifts[i], size);
    auto move = [&](int64_t start, int64_t length, int64_t to) {
      if (length == 0) return;
      Dims sizes = self.sizes();
      sizes[d] = length;
      copy_into(alias_of(y, sizes, y.strides(), y.storage_offset() + to * y.strides()[d]),
                alias_of(from, sizes, from.strides(), from.storage_offset() + start * from.strides()[d]));
    };
    move(cut, size - cut, 0);
    move(0, cut, size - cut);
    from = y;
  }
  return from;
}

Tensor roll(const Tensor& self, const IntList& shifts, const IntList& dims) {
  SC_CHECK(!shifts.empty(), "`shifts` required");
  const bool whole = dims.empty() && shifts.size() == 1;
  SC_CHECK(whole || shifts.size() == dims.size(),
           "shifts and dimensions must align. shifts: ", static_cast<int64_t>(shifts.size()),
           ", dims:", static_cast<int64_t>(dims.size()));
  for (int64_t d : dims) wrap_dim(d, self.dim());
  Tensor y;
  if (whole) {
    const Tensor flat = contiguous_raw(self);
    y = rolled(alias_of(flat, {flat.numel()}, {1}, flat.storage_offset()), shifts, {0});
    y = alias_of(y, self.sizes(), contiguous_strides(self.sizes()), 0);
  } else {
    y = rolled(self, shifts, dims);
  }
  return differentiable("RollBackward0", y).wrt(self, [shifts, dims](const Tensor& g) {
    IntList back = shifts;
    for (int64_t& s : back) s = -s;
    return roll(g, back, dims);
  });
}
OP("roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor", roll, kFunction | kMethod,
   R"(A copy shifted cyclically by `shifts` along `dims`; without `dims`, along the flattened tensor.

See https://docs.pytorch.org/docs/stable/generated/torch.roll.html

@example
torch.tensor([1, 2, 3, 4]).roll(1) // tensor([4., 1., 2., 3.])
torch.tensor([[1, 2], [3, 4]]).roll(1, 0) // tensor([[3., 4.],
//         [1., 2.]])
)");

static Tensor rot90(const Tensor& self, int64_t k, const IntList& dims) {
  SC_CHECK(dims.size() == 2,
           "expected total rotation dims == 2, but got dims = ", static_cast<int64_t>(dims.size()));
  SC_CHECK(self.dim() >= 2, "expected total dims >= 2, but got total dims = ", self.dim());
  const int64_t a = dims[0], b = dims[1];
  SC_CHECK(a != b && std::abs(a - b) != self.dim(),
           "expected rotation dims to be different, but got dim0 = ", a, " and dim1 = ", b);
  SC_CHECK(a < self.dim() && a >= -self.dim(), "Rotation dim0 out of range, dim0 = ", a);
  SC_CHECK(b < self.dim() && b >= -self.dim(), "Rotation dim1 out of range, dim1 = ", b);
  Tensor y;
  {
    NoGradGuard raw;
    switch (positive_mod(k, 4)) {
      case 1:
        y = transpose(flip(self, {b}), a, b);
        break;
      case 2:
        y = flip(self, Dims(dims));
        break;
      case 3:
        y = transpose(flip(self, {a}), a, b);
        break;
      default:
        y = clone(self, MemoryFormat::kContiguous);
    }
    y = alias_of(y, y.sizes(), y.strides(),
                 y.storage_offset());  // no view of the flipped copy, which nobody sees
  }
  return differentiable("Rot90Backward0", y).wrt(self, [k, dims](const Tensor& g) {
    return rot90(g, -k, dims);
  });
}
OP("rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", rot90, kFunction | kMethod,
   R"(A copy turned by 90 degrees, `k` times, in the plane of `dims`, from the first towards the second.

See https://docs.pytorch.org/docs/stable/generated/torch.rot90.html

@example
torch.tensor([[1, 2], [3, 4]]).rot90() // tensor([[2., 4.],
//         [1., 3.]])
)");

}  // namespace sconce::ops
