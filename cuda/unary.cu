// Unary element-wise kernels.
#include "functors/unary.h"

#include "elementwise.cuh"

namespace sconce {
namespace cuda {
namespace {
template <int... op>
int32_t dispatch(std::integer_sequence<int, op...>, int32_t wanted, const ScIter* it, const double* p) {
  static constexpr PointwiseFn kTable[] = {&apply<Apply1, fn::Unary<op>>...};
  return kTable[wanted](it, p);
}
}  // namespace

int32_t unary(int32_t op, const ScIter* it, const double* p) {
  if (op < 0 || op >= SC_UNARY_COUNT) return SC_UNSUPPORTED;
  return dispatch(std::make_integer_sequence<int, SC_UNARY_COUNT>(), op, it, p);
}

}  // namespace cuda
}  // namespace sconce
