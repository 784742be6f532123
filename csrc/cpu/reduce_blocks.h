// What the walks over a reduction's index space (reduce.cc) and the loops over its blocks (reduce_blocks.cc)
// tell each other.
#pragma once
#include <cstdint>

#include "../backend/reduce.h"

namespace sconce::reduction {

constexpr int64_t kBlock = 4096;   // elements of a row joined in their own type before going to the wide one
constexpr int64_t kTile = 256;     // columns walked together
constexpr int64_t kRowBlock = 64;  // rows of a tile joined in their own type
constexpr int64_t kAccBytes = 24;  // the largest accumulator

// The types that blocks are computed in; others are converted first (16-bit floats to float, integers to
// int64).
enum class Lane : int8_t { kFloat, kDouble, kInt, kTruth };

enum class BlockOp : int8_t {
  kSum,
  kNanSum,
  kSumSquares,
  kSumAbs,
  kSumPow,
  kProd,
  kMax,
  kMin,
  kMaxAbs,
  kMinAbs,
  kArgMax,
  kArgMin,
  kMoments,
  kCount
};

// One reduction in one lane type. An accumulator is opaque to the walks.
struct Blocks {
  int64_t acc_size;
  void (*clear)(void* acc, int64_t n);
  // Takes in `n` adjacent elements, the first of which stands at `index` in the reduced index space.
  void (*row)(const void* x, int64_t n, int64_t index, double p, void* acc);
  // Takes in `nrows` rows, each at `index` + its number, of `ncols` columns with an accumulator each.
  void (*columns)(const void* x, int64_t row_stride, int64_t nrows, int64_t ncols, int64_t index, double p,
                  void* acc);
  void (*join)(void* a, const void* b, int64_t n);
  // Results as double (kFloat, kDouble) or int64; `second`, which may be null, is the int64 index or the
  // double mean.
  void (*values)(const void* acc, int64_t n, void* value, void* second);
};
// Null where the combination does not exist.
const Blocks* blocks_of(BlockOp op, Lane lane);
// Elements of a dtype, `stride` apart, to a dense array of a lane type.
using Convert = void (*)(const void* x, int64_t n, int64_t stride, void* out);
Convert convert_of(int32_t dtype, Lane lane);

}  // namespace sconce::reduction
