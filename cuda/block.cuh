// What kernels that run a block per row share: the sum or maximum of the threads' values, one halving per
// phase.
#pragma once
#include "elementwise.cuh"

namespace sconce {
namespace cuda {

constexpr int kBlockThreads = 256;
constexpr int kBlockHalvings = 8;
struct NoLocals {};

template <class C>
SC_HD void halve_sum(int phase, int thread, C* values) {
  const int half = kBlockThreads >> (phase + 1);
  if (thread < half) values[thread] += values[thread + half];
}
template <class C>
SC_HD void halve_max(int phase, int thread, C* values) {
  const int half = kBlockThreads >> (phase + 1);
  if (thread < half && values[thread + half] > values[thread]) values[thread] = values[thread + half];
}

}  // namespace cuda
}  // namespace sconce
