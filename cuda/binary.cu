// Binary element-wise kernels, comparisons and fused derivatives.
#include "functors/binary.h"

#include "elementwise.cuh"

namespace sconce {
namespace cuda {
namespace {
template <int... op>
int32_t dispatch(std::integer_sequence<int, op...>, int32_t wanted, const ScIter* it, const double* p) {
  static constexpr PointwiseFn kTable[] = {&apply<Apply2, fn::Binary<op>>...};
  return kTable[wanted](it, p);
}
}  // namespace

int32_t binary(int32_t op, const ScIter* it, const double* p) {
  if (op < 0 || op >= SC_BINARY_COUNT) return SC_UNSUPPORTED;
  return dispatch(std::make_integer_sequence<int, SC_BINARY_COUNT>(), op, it, p);
}

}  // namespace cuda
}  // namespace sconce
