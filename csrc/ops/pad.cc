// Padding: constant by a copy into a larger tensor, the other modes by choosing elements along each
// dimension.
#include <algorithm>
#include <utility>
#include <vector>

#include "ops.h"

namespace sconce::ops {
namespace {

// `pad` names the last dimension first, a pair for each: before and after. Negative amounts cut off.
Tensor constant_pad(const Tensor& self, const IntList& pad, const Scalar& value) {
  Tensor kept = self.detach();
  Dims shape = self.sizes(), inner = self.sizes();
  Dims starts;
  for (int d = 0; d < self.dim(); ++d) starts.push_back(0);
  const int pairs = static_cast<int>(pad.size()) / 2;
  for (int i = 0; i < pairs; ++i) {
    const int d = self.dim() - 1 - i;
    const int64_t before = pad[2 * static_cast<size_t>(i)], after = pad[2 * static_cast<size_t>(i) + 1];
    const int64_t cut = std::max<int64_t>(-before, 0) + std::max<int64_t>(-after, 0);
    SC_CHECK(self.size(d) >= cut, "narrow(): length must be non-negative.");
    shape[d] = self.size(d) + before + after;
    inner[d] = self.size(d) - cut;
    if (cut > 0) kept = narrow(kept, d, std::max<int64_t>(-before, 0), inner[d]);
    starts[d] = std::max<int64_t>(before, 0);
  }
  const Tensor y = empty(shape, self.dtype(), self.device());
  fill_into(y, value);
  int64_t offset = 0;
  for (int d = 0; d < self.dim(); ++d) offset += starts[d] * y.stride(d);
  copy_into(alias_of(y, inner, y.strides(), offset), kept);
  return differentiable("ConstantPadNdBackward0", y).wrt(self, [pad](const Tensor& g) {
    IntList back = pad;
    for (int64_t& amount : back) amount = -amount;
    return constant_pad(g, back, 0);
  });
}

enum class PadMode { kReflect, kReplicate, kCircular };

// Which elements of a dimension of size `n` make the padded one.
Tensor source_indices(PadMode mode, int64_t n, int64_t before, int64_t after, Device device) {
  const Tensor indices = empty({n + before + after}, DType::kInt64);
  auto* out = indices.data_as<int64_t>();
  for (int64_t i = -before; i < n + after; ++i) {
    int64_t from = i;
    if (mode == PadMode::kReflect) from = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    if (mode == PadMode::kReplicate) from = std::min(std::max<int64_t>(i, 0), n - 1);
    if (mode == PadMode::kCircular) from = ((i % n) + n) % n;
    *out++ = from;
  }
  return to_device(indices, device);
}

Tensor mirrored_pad(const Tensor& self, const IntList& pad, PadMode mode) {
  const int pairs = static_cast<int>(pad.size()) / 2;
  SC_CHECK(pairs >= 1 && pairs <= 3 && (self.dim() == pairs + 1 || self.dim() == pairs + 2), "Padding size ",
           pad.size(), " is not supported for ", self.dim(),
           "D input tensor.\nSupported combinations for non-constant padding:\n"
           "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
           "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
           "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)");
  Tensor y = self.detach();
  std::vector<std::pair<int, Tensor>> sources;  // by dimension, in the order of application
  for (int i = 0; i < pairs; ++i) {
    const int d = self.dim() - 1 - i;
    const int64_t n = self.size(d), before = pad[2 * static_cast<size_t>(i)],
                  after = pad[2 * static_cast<size_t>(i) + 1];
    SC_CHECK(n > 0, "pad: dimension ", d, " of input ", self.sizes(),
             " is empty, so there is nothing to pad it with");
    SC_CHECK(
        mode != PadMode::kReflect || (before < n && after < n),
        "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding (",
        before, ", ", after, ") at dimension ", d, " of input ", self.sizes());
    SC_CHECK(mode != PadMode::kCircular || (before <= n && after <= n),
             "Padding value causes wrapping around more than once.");
    SC_CHECK(n + before + after >= 0, "narrow(): length must be non-negative.");
    if (before == 0 && after == 0) continue;
    sources.emplace_back(d, source_indices(mode, n, before, after, self.device()));
    y = index_select(y, d, sources.back().second);
  }
  // PyTorch makes the circular mode of copies into views.
  static const char* const kNodes[3][3] = {
      {"ReflectionPad1DBackward0", "ReflectionPad2DBackward0", "ReflectionPad3DBackward0"},
      {"ReplicationPad1DBackward0", "ReplicationPad2DBackward0", "ReplicationPad3DBackward0"},
      {"CopySlices", "CopySlices", "CopySlices"}};
  return differentiable(kNodes[static_cast<int>(mode)][pairs - 1], y)
      .wrt(self, [sources, sizes = self.sizes()](const Tensor& g) {
        Tensor back = g;
        for (auto it = sources.rbegin(); it != sources.rend(); ++it) {
          const auto& [d, from] = *it;
          Dims shape = back.sizes();
          shape[d] = sizes[d];
          back = index_add(zeros_raw(shape, back.dtype(), back.device()), d, from, back);
        }
        return back;
      });
}

Tensor pad(const Tensor& self, const IntList& pad, const std::string& mode,
           const std::optional<double>& value) {
  SC_CHECK(pad.size() % 2 == 0, "Padding length must be divisible by 2");
  SC_CHECK(
      static_cast<int>(pad.size()) <= 2 * self.dim(),
      "Padding length should be less than or equal to two times the input dimension but got padding length ",
      pad.size(), " and input of dimension ", self.dim());
  if (mode == "constant") return constant_pad(self, pad, value.value_or(0.0));
  SC_CHECK(!value || *value == 0, "Padding mode \"", mode, "\" doesn't take in value argument");
  if (mode == "reflect") return mirrored_pad(self, pad, PadMode::kReflect);
  if (mode == "replicate") return mirrored_pad(self, pad, PadMode::kReplicate);
  SC_CHECK(mode == "circular", "Unrecognised padding mode ", mode);
  return mirrored_pad(self, pad, PadMode::kCircular);
}

OP("pad(Tensor self, int[] pad, str mode='constant', float? value=None) -> Tensor", pad, kNN,
   R"(Pads the last dimensions: `pad` holds, for the last dimension first, how many elements come before and after.

`mode` is `'constant'` (with `value`, 0 by default; negative amounts cut off), `'reflect'`, `'replicate'` or `'circular'`; the
last three pad all dimensions but the first one or two. Throws when the amounts do not fit the shape.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html

@example
torch.nn.functional.pad(torch.tensor([1, 2]), [1, 2], { value: 9 }) // tensor([9., 1., 2., 9., 9.])
torch.nn.functional.pad(torch.tensor([[1, 2, 3]]), [2, 1], 'reflect') // tensor([[3., 2., 1., 2., 3., 2.]])
)");

}  // namespace
}  // namespace sconce::ops
