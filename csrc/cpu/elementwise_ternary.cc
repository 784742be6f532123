// Row loops of the ternary operations.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/elementwise_ternary.cc"
#include <hwy/foreach_target.h>  // compiles what follows once per vector target
//
#include <hwy/highway.h>

#include "../functors/ternary.h"
#include "elementwise_row.h"

HWY_BEFORE_NAMESPACE();
namespace sconce::cpu::HWY_NAMESPACE {

template <int op, class T>
void ternary_loop(char* const* data, const int64_t*, int64_t n, const double* p) {
  auto* y = reinterpret_cast<T*>(data[0]);
  auto* b = reinterpret_cast<const T*>(data[2]);
  auto* c = reinterpret_cast<const T*>(data[3]);
  if constexpr (op == SC_WHERE) {
    auto* a = reinterpret_cast<const uint8_t*>(data[1]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = a[i] ? b[i] : c[i];
  } else {
    T q[4];
    for (int i = 0; i < 4; ++i) q[i] = fn::from_parameter<T>(p[i]);
    auto* a = reinterpret_cast<const T*>(data[1]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = fn::Ternary<op>::run(a[i], b[i], c[i], q);
  }
}

template <int op, class T>
constexpr Row ternary_entry() {
  if constexpr (op == SC_WHERE)
    return ternary_loop<op, T>;
  else if constexpr (fn::Ternary<op>::kTypes & fn::type_set<T>())
    return ternary_loop<op, T>;
  else
    return nullptr;
}
template <class T, int... op>
constexpr RowTable<sizeof...(op)> ternary_table(std::integer_sequence<int, op...>) {
  return {ternary_entry<op, T>()...};
}

Row generic_ternary_row(int32_t op, int32_t dtype) {
  using Ops = std::make_integer_sequence<int, SC_TERNARY_COUNT>;
  switch (dtype) {
#define SC_CASE(code, T)                                   \
  case code: {                                             \
    static constexpr auto table = ternary_table<T>(Ops()); \
    return table[static_cast<size_t>(op)];                 \
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
HWY_EXPORT(generic_ternary_row);

RowLoop ternary_row(int32_t op, int32_t dtype) {
  return {HWY_DYNAMIC_DISPATCH(generic_ternary_row)(op, dtype), 0, kCheapGrain};
}
}  // namespace sconce::cpu
#endif
