#include "reduction.h"

#include "ops.h"

namespace sconce::ops {

Dims reduce_dims(const Tensor& self, const Dims* dims) {
  if (dims && !dims->empty()) return wrap_dims(*dims, self.dim());
  Dims all;
  for (int i = 0; i < self.dim(); ++i) all.push_back(i);
  return all;
}

static uint32_t mask_of(const Dims& dims) {
  uint32_t m = 0;
  for (int64_t d : dims) m |= 1u << d;
  return m;
}

Dims reduced_shape(const Dims& sizes, const Dims& dims, bool keepdim) {
  const uint32_t mask = mask_of(dims);
  Dims out;
  for (int i = 0; i < sizes.size(); ++i) {
    if (!(mask >> i & 1))
      out.push_back(sizes[i]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

Tensor restore_dims(const Tensor& g, const Dims& dims, int ndim, bool keepdim) {
  if (keepdim || ndim == 0) return g;
  const uint32_t mask = mask_of(dims);
  Dims shape;
  int k = 0;
  for (int i = 0; i < ndim; ++i) shape.push_back(mask >> i & 1 ? 1 : g.sizes()[k++]);
  return reshape(g, shape);
}

namespace {
struct Axis {
  int64_t size, in_stride, out_stride;
};
// Merges neighbouring axes that walk memory as one, ordering them slowest first by input stride unless their
// order means something. A reduced axis has out_stride 0.
int coalesce(Axis* a, int n, bool reorder) {
  for (int i = 1; reorder && i < n; ++i)
    for (int j = i; j > 0 && a[j].in_stride > a[j - 1].in_stride; --j) std::swap(a[j], a[j - 1]);
  int m = 0;
  for (int i = 0; i < n; ++i) {
    if (a[i].size == 1) continue;
    if (m > 0 && a[m - 1].in_stride == a[i].in_stride * a[i].size &&
        a[m - 1].out_stride == a[i].out_stride * a[i].size) {
      a[m - 1] = {a[m - 1].size * a[i].size, a[i].in_stride, a[i].out_stride};
    } else {
      a[m++] = a[i];
    }
  }
  return m;
}
}  // namespace

Tensor reduce(ScReduceOp op, const Tensor& self, const Dims& dims, bool keepdim, DType out_dtype, double p,
              Tensor* out2) {
  const uint32_t mask = self.dim() == 0 ? 0 : mask_of(dims);
  Tensor out =
      empty(reduced_shape(self.sizes(), self.dim() == 0 ? Dims() : dims, keepdim), out_dtype, self.device());
  const bool indexed = op == SC_RED_MAX_INDEX || op == SC_RED_MIN_INDEX;
  if (out2) *out2 = empty(out.sizes(), indexed ? DType::kInt64 : out_dtype, self.device());
  ScReduce r{};
  r.in = self.data();
  r.out = out.data();
  r.out2 = out2 ? out2->data() : nullptr;
  r.in_dtype = static_cast<int32_t>(self.dtype());
  r.out_dtype = static_cast<int32_t>(out_dtype);
  r.p[0] = p;
  Axis kept[kMaxDims], reduced[kMaxDims];
  int nk = 0, nr = 0, out_d = 0;
  r.kept_numel = r.reduced_numel = 1;
  for (int i = 0; i < self.dim(); ++i) {
    const int64_t n = self.sizes()[i], st = self.strides()[i];
    if (mask >> i & 1) {
      reduced[nr++] = {n, st, 0};
      r.reduced_numel *= n;
      if (keepdim) ++out_d;
    } else {
      kept[nk++] = {n, st, out.strides()[out_d++]};
      r.kept_numel *= n;
    }
  }
  if (out.numel() == 0) return out;
  r.nkept = coalesce(kept, nk, true);
  // Indices count in the order of the dimensions, so those must not be reordered; merging in order is still
  // right.
  const bool ordered = op == SC_RED_ARGMAX || op == SC_RED_ARGMIN || indexed;
  r.nreduced = coalesce(reduced, nr, !ordered);
  for (int i = 0; i < r.nkept; ++i) {
    r.kept_shape[i] = kept[i].size;
    r.kept_in_strides[i] = kept[i].in_stride;
    r.kept_out_strides[i] = kept[i].out_stride;
  }
  for (int i = 0; i < r.nreduced; ++i) {
    r.reduced_shape[i] = reduced[i].size;
    r.reduced_in_strides[i] = reduced[i].in_stride;
  }
  run_kernel(backend_of(self.device()).reduce.reduce, self.device(), "reduce", op, &r);
  return out;
}

}  // namespace sconce::ops
