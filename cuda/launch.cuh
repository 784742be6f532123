// How kernels are written and launched.
//
// Note [Host-run kernels]
// A kernel is a functor whose body knows no CUDA: it is called with an index (launch), or with a block, a
// thread and a phase (launch_blocks; all threads of a block finish a phase before any begins the next). nvcc
// turns a launch into a grid, a plain C++ compiler into loops. So the same bodies, index arithmetic and
// launch decisions run in the C++ tests on machines without a GPU, against the CPU backend.
#pragma once
#include <stdint.h>

#include "core/float16.h"
#include "runtime.cuh"

#ifndef __CUDACC__
#include <vector>
#endif

// Loops over small fixed counts, whose arrays must live in registers; and loops whose unrolling only makes
// code.
#ifdef __CUDACC__
#define SC_UNROLL _Pragma("unroll")
#define SC_NO_UNROLL _Pragma("unroll 1")
#else
#define SC_UNROLL
#define SC_NO_UNROLL
#endif

namespace sconce {
namespace cuda {

#ifdef __CUDACC__

template <class F>
__global__ void __launch_bounds__(256) index_kernel(const F f, int64_t n) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}
template <class K>
__global__ void __launch_bounds__(K::kThreads) block_kernel(const K k, int64_t blocks) {
  __shared__ typename K::Shared shared;
  for (int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    typename K::Thread local;
    const int phases = k.phases();
    for (int phase = 0; phase < phases; ++phase) {
      k.run(phase, block, static_cast<int>(threadIdx.x), local, shared);
      __syncthreads();
    }
  }
}

template <class F>
int32_t launch(int64_t n, const F& f) {
  static_assert(sizeof(F) <= 4000, "kernel arguments are limited to 4 KiB");
  if (n <= 0) return SC_OK;
  const int64_t blocks = (n + 255) / 256;
  index_kernel<<<static_cast<unsigned>(blocks < (1 << 20) ? blocks : (1 << 20)), 256, 0, current_stream()>>>(
      f, n);
  return check(cudaGetLastError());
}
template <class K>
int32_t launch_blocks(int64_t blocks, const K& k) {
  static_assert(sizeof(K) <= 4000, "kernel arguments are limited to 4 KiB");
  if (blocks <= 0) return SC_OK;
  block_kernel<<<static_cast<unsigned>(blocks < (1 << 20) ? blocks : (1 << 20)), K::kThreads, 0,
                 current_stream()>>>(k, blocks);
  return check(cudaGetLastError());
}

#else

template <class F>
int32_t launch(int64_t n, const F& f) {
  for (int64_t i = 0; i < n; ++i) f(i);
  return SC_OK;
}
template <class K>
int32_t launch_blocks(int64_t blocks, const K& k) {
  std::vector<typename K::Thread> locals(K::kThreads);
  typename K::Shared shared;
  for (int64_t block = 0; block < blocks; ++block) {
    const int phases = k.phases();
    for (int phase = 0; phase < phases; ++phase)
      for (int thread = 0; thread < K::kThreads; ++thread)
        k.run(phase, block, thread, locals[thread], shared);
  }
  return SC_OK;
}

#endif

#define SC_CUDA_TRY(call)                     \
  do {                                        \
    const int32_t sc_status = (call);         \
    if (sc_status != SC_OK) return sc_status; \
  } while (0)

// ---- dtypes ----
// SC_CUDA_DTYPES(M, code) expands M(dtype code, C++ type) in a switch.
#define SC_CUDA_FLOATS(M) \
  M(SC_FLOAT32, float) M(SC_FLOAT64, double) M(SC_FLOAT16, half_t) M(SC_BFLOAT16, bfloat16_t)
#define SC_CUDA_INTS(M) \
  M(SC_INT64, int64_t) M(SC_INT32, int32_t) M(SC_INT16, int16_t) M(SC_INT8, int8_t) M(SC_UINT8, uint8_t)
#define SC_CUDA_ALL(M) SC_CUDA_FLOATS(M) SC_CUDA_INTS(M) M(SC_BOOL, bool)

template <class T>
struct TypeTag {
  using type = T;
};
// f(TypeTag<T>) for the dtype's type; SC_UNSUPPORTED when the group does not have it.
#define SC_CUDA_CASE(code, T) \
  case code:                  \
    return f(TypeTag<T>());
template <class F>
int32_t for_floats(int32_t dtype, const F& f) {
  switch (dtype) { SC_CUDA_FLOATS(SC_CUDA_CASE) }
  return SC_UNSUPPORTED;
}
template <class F>
int32_t for_numbers(int32_t dtype, const F& f) {
  switch (dtype) { SC_CUDA_FLOATS(SC_CUDA_CASE) SC_CUDA_INTS(SC_CUDA_CASE) }
  return SC_UNSUPPORTED;
}
template <class F>
int32_t for_all(int32_t dtype, const F& f) {
  switch (dtype) { SC_CUDA_ALL(SC_CUDA_CASE) }
  return SC_UNSUPPORTED;
}
#undef SC_CUDA_CASE

inline int64_t item_bytes(int32_t dtype) {
  constexpr int64_t kBytes[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
  return kBytes[dtype];
}
// f(TypeTag<U>) for an unsigned type as wide as the dtype: kernels that only move elements.
template <class F>
int32_t for_widths(int32_t dtype, const F& f) {
  switch (item_bytes(dtype)) {
    case 1:
      return f(TypeTag<uint8_t>());
    case 2:
      return f(TypeTag<uint16_t>());
    case 4:
      return f(TypeTag<uint32_t>());
    default:
      return f(TypeTag<uint64_t>());
  }
}

// What sums are kept in: float for 16-bit floats, int64 for integers.
template <class T>
struct Accumulate {
  using type = int64_t;
};
template <>
struct Accumulate<float> {
  using type = float;
};
template <>
struct Accumulate<double> {
  using type = double;
};
template <>
struct Accumulate<half_t> {
  using type = float;
};
template <>
struct Accumulate<bfloat16_t> {
  using type = float;
};
template <class T>
using acc_t = typename Accumulate<T>::type;

// ---- strided index spaces ----
// Offsets of several operands at a flat index, fastest dimension last. Division is in 32 bits where the space
// allows.
template <int kOperands>
struct Strided {
  int ndim;
  bool small;
  int64_t shape[SC_MAX_DIMS];
  int64_t strides[kOperands][SC_MAX_DIMS];

  SC_HD void at(int64_t i, int64_t* offsets) const {
    for (int k = 0; k < kOperands; ++k) offsets[k] = 0;
    if (small) {
      uint32_t rest = static_cast<uint32_t>(i);
      SC_NO_UNROLL
      for (int d = ndim - 1; d > 0; --d) {
        const uint32_t n = static_cast<uint32_t>(shape[d]), q = rest / n;
        const int64_t r = rest - q * n;
        for (int k = 0; k < kOperands; ++k) offsets[k] += r * strides[k][d];
        rest = q;
      }
      for (int k = 0; k < kOperands; ++k) offsets[k] += static_cast<int64_t>(rest) * strides[k][0];
    } else {
      SC_NO_UNROLL
      for (int d = ndim - 1; d > 0; --d) {
        const int64_t q = i / shape[d], r = i - q * shape[d];
        for (int k = 0; k < kOperands; ++k) offsets[k] += r * strides[k][d];
        i = q;
      }
      for (int k = 0; k < kOperands; ++k) offsets[k] += i * strides[k][0];
    }
  }
};
// Of operands 0 .. kOperands - 1. An index space without dimensions is one of a single place.
template <int kOperands>
Strided<kOperands> strided(int ndim, const int64_t* shape, const int64_t* const* strides) {
  Strided<kOperands> s;
  s.ndim = ndim > 0 ? ndim : 1;
  int64_t numel = 1;
  s.shape[0] = 1;
  for (int k = 0; k < kOperands; ++k) s.strides[k][0] = 0;
  for (int d = 0; d < ndim; ++d) {
    s.shape[d] = shape[d];
    numel *= shape[d];
    for (int k = 0; k < kOperands; ++k) s.strides[k][d] = strides[k][d];
  }
  s.small = numel < (int64_t{1} << 31);
  return s;
}

// ---- atomics ----
// *p = op(*p), indivisibly, for any number type: through compare-and-swap on the aligned word that holds it.
template <class T, class Op>
SC_HD void atomic_update(T* p, const Op& op) {
#ifndef __CUDA_ARCH__
  *p = op(*p);
#else
  if constexpr (sizeof(T) == 8) {
    auto* word = reinterpret_cast<unsigned long long*>(p);
    unsigned long long seen = *word, assumed;
    do {
      assumed = seen;
      T v;
      memcpy(&v, &assumed, sizeof v);
      v = op(v);
      unsigned long long next;
      memcpy(&next, &v, sizeof v);
      seen = atomicCAS(word, assumed, next);
    } while (seen != assumed);
  } else {
    auto* word = reinterpret_cast<unsigned*>(reinterpret_cast<uintptr_t>(p) & ~uintptr_t{3});
    const unsigned shift = static_cast<unsigned>(reinterpret_cast<uintptr_t>(p) & 3) * 8;
    constexpr unsigned kMask = sizeof(T) == 4 ? ~0u : (1u << (sizeof(T) % 4 * 8)) - 1;
    unsigned seen = *word, assumed;
    do {
      assumed = seen;
      const unsigned part = (assumed >> shift) & kMask;
      T v;
      memcpy(&v, &part, sizeof v);
      v = op(v);
      unsigned bits = 0;
      memcpy(&bits, &v, sizeof v);
      seen = atomicCAS(word, assumed, (assumed & ~(kMask << shift)) | (bits << shift));
    } while (seen != assumed);
  }
#endif
}

template <class T>
struct AddTo {
  T v;
  SC_HD T operator()(T old) const { return static_cast<T>(old + v); }
};
template <class T>
SC_HD void atomic_add(T* p, T v) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, int32_t>) {
    atomicAdd(p, v);
    return;
  } else
#endif
    atomic_update(p, AddTo<T>{v});
}

}  // namespace cuda
}  // namespace sconce
