// Stands for cuBLAS in the host-run tests: the four functions that sconce calls, by their plain definition.
// It checks its arguments as cuBLAS does, so that a layout described wrongly fails here too.
#include <stdint.h>

#include <algorithm>

#include "core/float16.h"

namespace {

template <class T, class C>
int gemm(bool ta, bool tb, int m, int n, int k, C alpha, const void* a, int lda, long long a_batch,
         const void* b, int ldb, long long b_batch, C beta, void* c, int ldc, long long c_batch, int batch) {
  for (int i = 0; i < batch; ++i) {
    const T *pa = static_cast<const T*>(a) + i * a_batch, *pb = static_cast<const T*>(b) + i * b_batch;
    T* pc = static_cast<T*>(c) + i * c_batch;
    for (int col = 0; col < n; ++col) {
      for (int row = 0; row < m; ++row) {
        C sum = 0;
        for (int j = 0; j < k; ++j) {
          const C x = pa[ta ? j + static_cast<int64_t>(row) * lda : row + static_cast<int64_t>(j) * lda];
          const C y = pb[tb ? col + static_cast<int64_t>(j) * ldb : j + static_cast<int64_t>(col) * ldb];
          sum += x * y;
        }
        T& to = pc[row + static_cast<int64_t>(col) * ldc];
        to = static_cast<T>(beta == 0 ? alpha * sum : alpha * sum + beta * static_cast<C>(to));
      }
    }
  }
  return 0;
}

enum { kInvalidValue = 7, kNotSupported = 15 };

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int cublasCreate_v2(void** handle) {
  *handle = new int;
  return 0;
}
EXPORT int cublasDestroy_v2(void* handle) {
  delete static_cast<int*>(handle);
  return 0;
}
EXPORT int cublasSetStream_v2(void*, void*) { return 0; }

EXPORT int cublasGemmStridedBatchedEx(void* handle, int ta, int tb, int m, int n, int k, const void* alpha,
                                      const void* a, int a_type, int lda, long long a_batch, const void* b,
                                      int b_type, int ldb, long long b_batch, const void* beta, void* c,
                                      int c_type, int ldc, long long c_batch, int batch, int compute,
                                      int algorithm) {
  if (!handle || m < 0 || n < 0 || k < 0 || batch < 0 || lda < std::max(1, ta ? k : m) ||
      ldb < std::max(1, tb ? n : k) || ldc < std::max(1, m) || (ta | tb) > 1 || algorithm != -1)
    return kInvalidValue;
  if (a_type != b_type || b_type != c_type || compute != (a_type == 1 ? 70 : 68)) return kNotSupported;
  if (a_type == 1) {
    return gemm<double>(ta != 0, tb != 0, m, n, k, *static_cast<const double*>(alpha), a, lda, a_batch, b,
                        ldb, b_batch, *static_cast<const double*>(beta), c, ldc, c_batch, batch);
  }
  const float x = *static_cast<const float*>(alpha), y = *static_cast<const float*>(beta);
  const auto run = [&](auto tag) {
    return gemm<decltype(tag)>(ta != 0, tb != 0, m, n, k, x, a, lda, a_batch, b, ldb, b_batch, y, c, ldc,
                               c_batch, batch);
  };
  switch (a_type) {
    case 0:
      return run(float());
    case 2:
      return run(sconce::half_t());
    case 14:
      return run(sconce::bfloat16_t());
    default:
      return kNotSupported;
  }
}
