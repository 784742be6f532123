// as_strided as a linear map between flat memory and a window on it; what in-place writes through views need.
#include <algorithm>

#include "ops.h"

namespace sconce::ops {

Tensor gather_strided(const Tensor& flat, const Dims& sizes, const Dims& strides, int64_t offset) {
  const Tensor src = contiguous_raw(flat);
  Tensor y = empty(sizes, flat.dtype(), flat.device());
  copy_into(y, alias_of(src, sizes, strides, src.storage_offset() + offset));
  return differentiable("AsStridedCopyBackward0", y)
      .wrt(flat, [sizes, strides, offset, n = flat.numel()](const Tensor& g) {
        return scatter_strided(g, sizes, strides, offset, n);
      });
}

static bool overlaps(const Dims& sizes, const Dims& strides) {
  int64_t order[kMaxDims];
  int m = 0;
  for (int i = 0; i < sizes.size(); ++i)
    if (sizes[i] > 1) order[m++] = i;
  std::sort(order, order + m, [&](int64_t a, int64_t b) {
    return strides[static_cast<int>(a)] < strides[static_cast<int>(b)];
  });
  int64_t reach = 0;  // the farthest element of the faster dimensions
  for (int k = 0; k < m; ++k) {
    const int d = static_cast<int>(order[k]);
    if (strides[d] <= reach) return true;
    reach += strides[d] * (sizes[d] - 1);
  }
  return false;
}

Tensor scatter_strided(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset,
                       int64_t extent) {
  Tensor y = zeros_raw({extent}, g.dtype(), g.device());
  if (g.numel()) {
    if (!overlaps(sizes, strides)) {
      copy_into(alias_of(y, sizes, strides, offset), g);
    } else {
      // Places that coincide must be added one after another: peel the overlapping dimensions into a loop.
      Dims inner_sizes, inner_strides;
      std::vector<int> loops;
      for (int i = 0; i < sizes.size(); ++i) {
        Dims s = inner_sizes, t = inner_strides;
        s.push_back(sizes[i]);
        t.push_back(strides[i]);
        if (overlaps(s, t)) {
          loops.push_back(i);
        } else {
          inner_sizes = s;
          inner_strides = t;
        }
      }
      const Tensor src = contiguous_raw(g);
      const Dims src_strides = contiguous_strides(sizes);
      Dims inner_src;
      for (int i = 0; i < sizes.size(); ++i)
        if (std::find(loops.begin(), loops.end(), i) == loops.end()) inner_src.push_back(src_strides[i]);
      int64_t steps = 1;
      for (int i : loops) steps *= sizes[i];
      for (int64_t step = 0; step < steps; ++step) {
        int64_t rest = step, at = offset, from = src.storage_offset();
        for (int i : loops) {
          at += rest % sizes[i] * strides[i];
          from += rest % sizes[i] * src_strides[i];
          rest /= sizes[i];
        }
        add_raw_(alias_of(y, inner_sizes, inner_strides, at), alias_of(src, inner_sizes, inner_src, from));
      }
    }
  }
  return differentiable("AsStridedScatterBackward0", y).wrt(g, [sizes, strides, offset](const Tensor& gg) {
    return gather_strided(gg, sizes, strides, offset);
  });
}

static int64_t reach_of(const Dims& sizes, const Dims& strides) {
  int64_t n = 1;
  for (int i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    n += (sizes[i] - 1) * strides[i];
  }
  return n;
}

namespace {
// Both windows measured from the lower of the two offsets.
struct Windows {
  int64_t view_at, base_at, extent;
  Windows(const Dims& sizes, const Dims& strides, int64_t offset, const Dims& base_sizes,
          const Dims& base_strides, int64_t base_offset) {
    const int64_t low = std::min(offset, base_offset);
    view_at = offset - low;
    base_at = base_offset - low;
    extent = std::max(view_at + reach_of(sizes, strides), base_at + reach_of(base_sizes, base_strides));
  }
};
}  // namespace

Tensor as_strided_backward(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset,
                           const Dims& base_sizes, const Dims& base_strides, int64_t base_offset) {
  const Windows w(sizes, strides, offset, base_sizes, base_strides, base_offset);
  const Tensor flat = scatter_strided(g, sizes, strides, w.view_at, w.extent);
  if (w.base_at == 0 && base_strides == contiguous_strides(base_sizes) && numel_of(base_sizes) == w.extent)
    return reshape(flat, base_sizes);
  return gather_strided(flat, base_sizes, base_strides, w.base_at);
}

Tensor as_strided_of_gradient(const Tensor& g, const Dims& sizes, const Dims& strides, int64_t offset,
                              const Dims& base_sizes, const Dims& base_strides, int64_t base_offset) {
  const Windows w(sizes, strides, offset, base_sizes, base_strides, base_offset);
  return gather_strided(scatter_strided(g, base_sizes, base_strides, w.base_at, w.extent), sizes, strides,
                        w.view_at);
}

Tensor as_strided_replace(const Tensor& g, const Tensor& part, const Dims& sizes, const Dims& strides,
                          int64_t offset, const Dims& base_sizes, const Dims& base_strides,
                          int64_t base_offset) {
  const Windows w(sizes, strides, offset, base_sizes, base_strides, base_offset);
  const Tensor flat = scatter_strided(g, base_sizes, base_strides, w.base_at, w.extent);
  Tensor change = gather_strided(flat, sizes, strides, w.view_at);
  change = part ? part - change : -change;
  return gather_strided(flat + scatter_strided(change, sizes, strides, w.view_at, w.extent), base_sizes,
                        base_strides, w.base_at);
}

}  // namespace sconce::ops
