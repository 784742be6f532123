// How the element-wise CPU kernels are put together.
//
// The operations are row loops: plain loops over operands that are contiguous, or one value for the whole
// row. The driver (elementwise.cc) brings every iteration space into that shape: it splits the space over
// threads, walks the outer dimensions, copies operands with gaps into small blocks, and converts float16 and
// bfloat16 to float and back on the way. So a row loop exists for the types {float, double, int64 ... bool}
// only and knows nothing of strides.
#pragma once
#include "../backend/elementwise.h"

namespace sconce::cpu {

// data[0] is the output; step[k] is 1 (contiguous) or 0 (one value).
using Row = void (*)(char* const* data, const int64_t* step, int64_t n, const double* p);

// What a row loop can take beside contiguous operands: bit k set when operand k may have step 0. A binary
// loop takes one such operand at a time.
struct RowLoop {
  Row run = nullptr;
  uint32_t constants = 0;
  int64_t grain = 32768;  // elements that are worth a thread
};

// The type a row loop computes in: float for the 16-bit floating types, else the type itself.
inline int32_t compute_dtype(int32_t dtype) {
  return dtype == SC_FLOAT16 || dtype == SC_BFLOAT16 ? SC_FLOAT32 : dtype;
}

int32_t run_rows(const ScIter* it, const RowLoop& loop, const double* p);
// Makes the backend's last_error() return `text` (a literal) and gives SC_ERROR.
int32_t fail(const char* text);

// Row loops by operation and compute dtype; run is null where the operation does not take the type.
RowLoop unary_row(int32_t op, int32_t dtype);
RowLoop binary_row(int32_t op, int32_t dtype);
RowLoop ternary_row(int32_t op, int32_t dtype);

// Conversions between the 16-bit floating types and float, over contiguous arrays.
void half_to_float_row(const uint16_t* x, float* y, int64_t n);
void float_to_half_row(const float* x, uint16_t* y, int64_t n);
void bfloat16_to_float_row(const uint16_t* x, float* y, int64_t n);
void float_to_bfloat16_row(const float* x, uint16_t* y, int64_t n);

}  // namespace sconce::cpu
