// Row loops of the binary operations, from the functors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/elementwise_binary.cc"
#include <hwy/foreach_target.h>  // compiles what follows once per vector target
//
#include <hwy/highway.h>

#include "../functors/binary.h"
#include "elementwise_row.h"

HWY_BEFORE_NAMESPACE();
namespace sconce::cpu::HWY_NAMESPACE {

template <int op, class T>
void binary_loop(char* const* data, const int64_t* step, int64_t n, const double* p) {
  using F = fn::Binary<op>;
  T q[4];
  for (int i = 0; i < 4; ++i) q[i] = fn::from_parameter<T>(p[i]);
  auto* y = reinterpret_cast<decltype(F::run(T(), T(), q))*>(data[0]);
  auto* a = reinterpret_cast<const T*>(data[1]);
  auto* b = reinterpret_cast<const T*>(data[2]);
  if (step[1] && step[2]) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::run(a[i], b[i], q);
  } else if (step[1]) {
    const T v = *b;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::run(a[i], v, q);
  } else {
    const T v = *a;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::run(v, b[i], q);
  }
}

template <int op, class T>
constexpr Row binary_entry() {
  if constexpr (fn::Binary<op>::kTypes & fn::type_set<T>())
    return binary_loop<op, T>;
  else
    return nullptr;
}
template <class T, int... op>
constexpr RowTable<sizeof...(op)> binary_table(std::integer_sequence<int, op...>) {
  return {binary_entry<op, T>()...};
}

Row generic_binary_row(int32_t op, int32_t dtype) {
  using Ops = std::make_integer_sequence<int, SC_BINARY_COUNT>;
  switch (dtype) {
#define SC_CASE(code, T)                                  \
  case code: {                                            \
    static constexpr auto table = binary_table<T>(Ops()); \
    return table[static_cast<size_t>(op)];                \
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
#if defined(__GLIBC__) && defined(__x86_64__)
// The newer of glibc's two versions of hypot differs by not setting errno, but would be the only thing to
// demand 2.35.
__asm__(".symver hypot, hypot@GLIBC_2.2.5\n\t.symver hypotf, hypotf@GLIBC_2.2.5");
#endif
namespace sconce::cpu {
HWY_EXPORT(generic_binary_row);

static bool costly(int32_t op) {
  return (op >= SC_DIV_TRUNC && op <= SC_POW) || (op >= SC_ATAN2 && op <= SC_LOGADDEXP2) || op == SC_GCD ||
         op == SC_LCM || (op >= SC_GELU_BWD && op <= SC_SOFTPLUS_BWD) || op == SC_ELU_BWD ||
         op == SC_POW_SCALAR_BWD;
}

RowLoop binary_row(int32_t op, int32_t dtype) {
  Row row = dtype == SC_FLOAT32 ? simd_binary_row(op) : nullptr;
  const int64_t grain = costly(op) ? kCostlyGrain : kCheapGrain;
  return {row ? row : HWY_DYNAMIC_DISPATCH(generic_binary_row)(op, dtype), 0b110, grain};
}
}  // namespace sconce::cpu
#endif
