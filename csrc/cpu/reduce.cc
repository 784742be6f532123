// Reductions.
#include "../core/device.h"
#include "../core/float16.h"

namespace sconce {
namespace {
template <class T, class Acc, class Out>
int32_t sum_typed(const ScReduce* r) {
  auto* in = static_cast<const T*>(r->in);
  auto* out = static_cast<Out*>(r->out);
  for (int64_t k = 0; k < r->kept_numel; ++k) {
    int64_t rest = k, at = 0, to = 0;
    for (int d = r->nkept - 1; d >= 0; --d) {
      at += rest % r->kept_shape[d] * r->kept_in_strides[d];
      to += rest % r->kept_shape[d] * r->kept_out_strides[d];
      rest /= r->kept_shape[d];
    }
    Acc acc = 0;
    for (int64_t j = 0; j < r->reduced_numel; ++j) {
      int64_t rj = j, p = at;
      for (int d = r->nreduced - 1; d >= 0; --d) {
        p += rj % r->reduced_shape[d] * r->reduced_in_strides[d];
        rj /= r->reduced_shape[d];
      }
      acc += static_cast<Acc>(in[p]);
    }
    out[to] = static_cast<Out>(acc);
  }
  return SC_OK;
}
int32_t reduce(int32_t op, const ScReduce* r) {
  if (op != SC_RED_SUM) return SC_UNSUPPORTED;
  switch (r->in_dtype) {
    case SC_FLOAT32: return sum_typed<float, float, float>(r);
    case SC_FLOAT64: return sum_typed<double, double, double>(r);
    case SC_INT64: return sum_typed<int64_t, int64_t, int64_t>(r);
  }
  return SC_UNSUPPORTED;
}
SC_CPU_KERNEL(reduce.reduce, reduce);
}  // namespace
}  // namespace sconce
