// Matrix products through cuBLAS. Its functions are declared here by hand: neither its headers nor the
// library need to be there when sconce is built.
#include <algorithm>
#include <utility>

#include "library.h"
#include "matmul.cuh"

#if defined(__CUDACC__) && __has_include(<cublas_v2.h>)
#include <cublas_v2.h>
static_assert(CUBLAS_OP_N == 0 && CUBLAS_OP_T == 1 && CUBLAS_GEMM_DEFAULT == -1);
static_assert(CUBLAS_COMPUTE_32F == 68 && CUBLAS_COMPUTE_64F == 70);
static_assert(CUDA_R_32F == 0 && CUDA_R_64F == 1 && CUDA_R_16F == 2 && CUDA_R_16BF == 14);
#endif

namespace sconce {
namespace cuda {
namespace {

using Handle = void*;
using Stream = void*;
enum { kPlain = 0, kTransposed = 1, kDefaultAlgorithm = -1, kCompute32 = 68, kCompute64 = 70 };

struct Blas {
  int (*create)(Handle*);
  int (*destroy)(Handle);
  int (*set_stream)(Handle, Stream);
  int (*gemm)(Handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* a,
              int a_type, int lda, long long a_batch, const void* b, int b_type, int ldb, long long b_batch,
              const void* beta, void* c, int c_type, int ldc, long long c_batch, int batch, int compute,
              int algorithm);
  bool complete = false;
};

const Blas& blas() {
  static const Blas b = [] {
    Blas l;
    void* library = open_library("SCONCE_CUBLAS", {"libcublas.so.13", "libcublas.so.12", "libcublas.so"});
    l.complete = library && find_symbol(library, "cublasCreate_v2", &l.create) &&
                 find_symbol(library, "cublasDestroy_v2", &l.destroy) &&
                 find_symbol(library, "cublasSetStream_v2", &l.set_stream) &&
                 find_symbol(library, "cublasGemmStridedBatchedEx", &l.gemm);
    return l;
  }();
  return b;
}

// One handle per thread and device: each works on its thread's own stream.
struct Handles {
  std::vector<Handle> of;
  ~Handles() {
    for (Handle h : of)
      if (h) blas().destroy(h);
  }
};
Handle handle() {
  static thread_local Handles handles;
#ifdef __CUDACC__
  const size_t device = static_cast<size_t>(current_device());
#else
  const size_t device = 0;
#endif
  if (handles.of.size() <= device) handles.of.resize(device + 1, nullptr);
  Handle& h = handles.of[device];
  if (!h) {
    if (blas().create(&h) != 0) {
      h = nullptr;
      return nullptr;
    }
#ifdef __CUDACC__
    blas().set_stream(h, current_stream());
#endif
  }
  return h;
}

// A matrix as cuBLAS sees it: columns of `rows` numbers, `ld` apart, perhaps to be transposed.
struct Operand {
  int transposed, ld;
};
// The stored rows of ours are the columns of cuBLAS, so a matrix with adjacent columns reads as its
// transpose, plainly.
bool describe(int64_t rows, int64_t cols, int64_t row, int64_t col, Operand* o) {
  if (col == 1 && (rows == 1 || row >= std::max<int64_t>(cols, 1)) && row < INT32_MAX) {
    *o = {kPlain, static_cast<int>(rows == 1 ? std::max<int64_t>(cols, 1) : row)};
    return true;
  }
  if (row == 1 && (cols == 1 || col >= std::max<int64_t>(rows, 1)) && col < INT32_MAX) {
    *o = {kTransposed, static_cast<int>(cols == 1 ? std::max<int64_t>(rows, 1) : col)};
    return true;
  }
  return false;
}

}  // namespace

int32_t blas_matmul(const ScMatmul* args) {
  if (!blas().complete || args->k == 0) return SC_UNSUPPORTED;
  ScMatmul p = *args;
  if (p.c_col != 1) {  // C^T = B^T A^T
    std::swap(p.m, p.n);
    std::swap(p.a, p.b);
    std::swap(p.a_batch, p.b_batch);
    std::swap(p.a_row, p.b_col);
    std::swap(p.a_col, p.b_row);
    std::swap(p.c_row, p.c_col);
  }
  int type, compute;
  switch (p.dtype) {
    case SC_FLOAT32:
      type = 0, compute = kCompute32;
      break;
    case SC_FLOAT64:
      type = 1, compute = kCompute64;
      break;
    case SC_FLOAT16:
      type = 2, compute = kCompute32;
      break;
    case SC_BFLOAT16:
      type = 14, compute = kCompute32;
      break;
    default:
      return SC_UNSUPPORTED;
  }
  Operand a, b, c;
  if (!describe(p.m, p.k, p.a_row, p.a_col, &a) || !describe(p.k, p.n, p.b_row, p.b_col, &b) ||
      !describe(p.m, p.n, p.c_row, p.c_col, &c) || c.transposed)
    return SC_UNSUPPORTED;
  if (std::max({p.m, p.n, p.k, p.batch}) >= INT32_MAX) return SC_UNSUPPORTED;
  const Handle h = handle();
  if (!h) return SC_UNSUPPORTED;
  const float alpha32 = static_cast<float>(p.alpha), beta32 = static_cast<float>(p.beta);
  const bool wide = compute == kCompute64;
  const int status = blas().gemm(h, b.transposed, a.transposed, static_cast<int>(p.n), static_cast<int>(p.m),
                                 static_cast<int>(p.k), wide ? static_cast<const void*>(&p.alpha) : &alpha32,
                                 p.b, type, b.ld, p.b_batch, p.a, type, a.ld, p.a_batch,
                                 wide ? static_cast<const void*>(&p.beta) : &beta32, p.c, type, c.ld,
                                 p.c_batch, static_cast<int>(p.batch), compute, kDefaultAlgorithm);
  return status == 0 ? static_cast<int32_t>(SC_OK) : fail("cuBLAS: a matrix product failed");
}

}  // namespace cuda
}  // namespace sconce
