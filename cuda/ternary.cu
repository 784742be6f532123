// Ternary element-wise kernels; where.
#include "functors/ternary.h"

#include "elementwise.cuh"

namespace sconce {
namespace cuda {
namespace {

template <class W>
struct Where {
  IterSpace<4> space;
  Elements<W> out;
  Source<bool> condition;
  Source<W> a, b;
  explicit Where(const ScIter* it)
      : space(it), out(it->data[0], it->dtype[0]), condition(it, 1), a(it, 2), b(it, 3) {}
  SC_HD void operator()(int64_t i) const {
    int64_t at[4];
    space.at(i, at);
    out.store(at[0], condition.at(at[1]) ? a.at(at[2]) : b.at(at[3]));
  }
};

int32_t where(const ScIter* it) {
  return for_widths(it->dtype[0],
                    [&](auto tag) { return launch(it->numel, Where<typename decltype(tag)::type>(it)); });
}

}  // namespace

int32_t ternary(int32_t op, const ScIter* it, const double* p) {
  switch (op) {
    case SC_WHERE:
      return where(it);
    case SC_LERP:
      return apply<Apply3, fn::Ternary<SC_LERP>>(it, p);
    case SC_ADDCMUL:
      return apply<Apply3, fn::Ternary<SC_ADDCMUL>>(it, p);
    case SC_ADDCDIV:
      return apply<Apply3, fn::Ternary<SC_ADDCDIV>>(it, p);
    case SC_CLAMP_TENSOR:
      return apply<Apply3, fn::Ternary<SC_CLAMP_TENSOR>>(it, p);
    default:
      return SC_UNSUPPORTED;
  }
}

}  // namespace cuda
}  // namespace sconce
