// Row loops of the unary operations, from the functors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/elementwise_unary.cc"
#include <hwy/foreach_target.h>  // compiles what follows once per vector target
//
#include <hwy/highway.h>

#include "../functors/unary.h"
#include "elementwise_row.h"

HWY_BEFORE_NAMESPACE();
namespace sconce::cpu::HWY_NAMESPACE {

template <int op, class T>
void unary_loop(char* const* data, const int64_t*, int64_t n, const double* p) {
  using F = fn::Unary<op>;
  T q[4];
  for (int i = 0; i < 4; ++i) q[i] = fn::from_parameter<T>(p[i]);
  auto* y = reinterpret_cast<decltype(F::run(T(), q))*>(data[0]);
  auto* x = reinterpret_cast<const T*>(data[1]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F::run(x[i], q);
}

template <int op, class T>
constexpr Row unary_entry() {
  if constexpr (fn::Unary<op>::kTypes & fn::type_set<T>())
    return unary_loop<op, T>;
  else
    return nullptr;
}
template <class T, int... op>
constexpr RowTable<sizeof...(op)> unary_table(std::integer_sequence<int, op...>) {
  return {unary_entry<op, T>()...};
}

Row generic_unary_row(int32_t op, int32_t dtype) {
  using Ops = std::make_integer_sequence<int, SC_UNARY_COUNT>;
  switch (dtype) {
#define SC_CASE(code, T)                                 \
  case code: {                                           \
    static constexpr auto table = unary_table<T>(Ops()); \
    return table[static_cast<size_t>(op)];               \
  }
    SC_COMPUTE_DTYPES(SC_CASE)
#undef SC_CASE
    default:
      return nullptr;
  }
}

}  // namespace sconce::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce::cpu {
HWY_EXPORT(generic_unary_row);

static bool costly(int32_t op) {
  return (op >= SC_EXP && op <= SC_DIGAMMA) || (op >= SC_GELU && op <= SC_SOFTPLUS) || op == SC_SIGMOID ||
         op == SC_ELU || op == SC_LOGSIGMOID || op == SC_MISH || op == SC_POW_SCALAR;
}

RowLoop unary_row(int32_t op, int32_t dtype) {
  Row row = dtype == SC_FLOAT32 ? simd_unary_row(op) : nullptr;
  const int64_t grain = costly(op) ? kCostlyGrain : kCheapGrain;
  return {row ? row : HWY_DYNAMIC_DISPATCH(generic_unary_row)(op, dtype), 0, grain};
}
}  // namespace sconce::cpu
#endif
