// What the kernels for matrix products share.
#pragma once
#include <cstdint>

namespace sconce::gemm {

// One product C = alpha A B + beta C + bias, with a bias that may run along rows or columns.
struct Product {
  int64_t m, n, k;
  const void *a, *b, *bias;
  void* c;
  int64_t a_row, a_col, b_row, b_col, c_row, c_col, bias_row, bias_col;
  double alpha, beta;
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// ---- large float32 products (matmul_large.cc) ----

// Whether the kernel below serves the product, and faster than the others would. Says the same for any number
// of threads.
bool is_large(const Product& p);
// Bytes of scratch memory that one thread needs.
int64_t large_bytes();
// The product of rows [m0, m1) and columns [n0, n1).
void large_tile(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1, void* scratch);

}  // namespace sconce::gemm
