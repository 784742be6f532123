// float32 products through oneDNN's sgemm.
#include <dnnl.h>

#include <algorithm>

#include "core/parallel.h"
#include "onednn.h"

namespace sconce::onednn {
namespace {
constexpr int64_t kSmall = 10000;      // multiplications below which its call overhead shows
constexpr int64_t kPerThread = 60000;  // multiplications worth a second thread

// Row-major with or without transposition: one of the strides must be 1.
bool layout(int64_t rows, int64_t columns, int64_t row, int64_t col, char* trans, int64_t* ld) {
  if ((col == 1 || columns == 1) && (row >= columns || rows == 1)) {
    *trans = 'N';
    *ld = rows == 1 ? std::max<int64_t>(columns, 1) : row;
    return true;
  }
  if ((row == 1 || rows == 1) && (col >= rows || columns == 1)) {
    *trans = 'T';
    *ld = columns == 1 ? std::max<int64_t>(rows, 1) : col;
    return true;
  }
  return false;
}

// Row-major C only; `bias` lies in C already.
int32_t product(const ScMatmul& q, const float* a, const float* b, float* c, char ta, int64_t lda, char tb,
                int64_t ldb) {
  const auto beta = static_cast<float>(q.bias ? 1 : q.beta);
  if (q.bias) {
    const auto* bias = static_cast<const float*>(q.bias);
    const auto keep = static_cast<float>(q.beta);
    for (int64_t i = 0; i < q.m; ++i) {
      float* row = c + i * q.c_row;
      if (q.beta == 0)
        std::copy(bias, bias + q.n, row);
      else
        for (int64_t j = 0; j < q.n; ++j) row[j] = keep * row[j] + bias[j];
    }
  }
  return dnnl_sgemm(ta, tb, q.m, q.n, q.k, static_cast<float>(q.alpha), a, lda, b, ldb, beta, c, q.c_row) ==
                 dnnl_success
             ? SC_OK
             : SC_UNSUPPORTED;
}
}  // namespace

int32_t matmul(const ScMatmul* args) {
  ScMatmul q = *args;
  if (q.dtype != SC_FLOAT32 || q.k == 0) return SC_UNSUPPORTED;
  const int64_t work = q.m * q.n * q.k;
  if (work <= kSmall || q.m == 1 || q.n == 1) return SC_UNSUPPORTED;
  if (q.c_col != 1) {  // C^T = B^T A^T
    if (q.c_row != 1 || q.bias) return SC_UNSUPPORTED;
    std::swap(q.m, q.n);
    std::swap(q.a, q.b);
    std::swap(q.a_row, q.b_col);
    std::swap(q.a_col, q.b_row);
    std::swap(q.a_batch, q.b_batch);
    std::swap(q.c_row, q.c_col);
  }
  char ta, tb;
  int64_t lda, ldb;
  if (q.c_row < q.n || !layout(q.m, q.k, q.a_row, q.a_col, &ta, &lda) ||
      !layout(q.k, q.n, q.b_row, q.b_col, &tb, &ldb))
    return SC_UNSUPPORTED;
  const auto *a = static_cast<const float*>(q.a), *b = static_cast<const float*>(q.b);
  auto* c = static_cast<float*>(q.c);
  if (q.batch == 1) return product(q, a, b, c, ta, lda, tb, ldb);
  if (q.batch < num_threads() && work > kPerThread) {
    for (int64_t i = 0; i < q.batch; ++i)
      if (product(q, a + i * q.a_batch, b + i * q.b_batch, c + i * q.c_batch, ta, lda, tb, ldb) != SC_OK)
        return SC_ERROR;
    return SC_OK;
  }
  // Inside a parallel region oneDNN stays on its thread.
  parallel_for(0, q.batch, std::max<int64_t>(1, kPerThread / work), [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i)
      product(q, a + i * q.a_batch, b + i * q.b_batch, c + i * q.c_batch, ta, lda, tb, ldb);
  });
  return SC_OK;
}

}  // namespace sconce::onednn
