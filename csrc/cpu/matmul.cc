// Matrix products: a packed, register-blocked kernel for floating dtypes, plain loops for integers and tiny
// sizes. What oneDNN serves goes to it, except for large products (Note [Large products] in matmul_large.cc).
//
// Every element of C is accumulated over k in one fixed order, wherever the work is split, so the result does
// not depend on the number of threads. float16 and bfloat16 are widened while they are packed and accumulate
// in float.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/matmul.cc"
#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/device.h"
#include "core/float16.h"
#include "core/parallel.h"
#include "cpu/matmul.h"
#include "cpu/onednn/onednn.h"
#include "cpu/workspace.h"

#ifndef SCONCE_CPU_MATMUL_SHARED
#define SCONCE_CPU_MATMUL_SHARED
namespace sconce {
namespace gemm {
template <class T>
struct Accumulator {
  using type = T;
};
template <>
struct Accumulator<half_t> {
  using type = float;
};
template <>
struct Accumulator<bfloat16_t> {
  using type = float;
};

// Memory for packed panels, kept per thread: products of one size tend to follow each other.
template <class T>
T* scratch(int slot, int64_t count) {
  struct Buffer {
    void* p = nullptr;
    size_t bytes = 0;
    ~Buffer() { free(p); }
  };
  static thread_local Buffer buffers[3];
  Buffer& buffer = buffers[slot];
  const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
  if (buffer.bytes < bytes) {
    free(buffer.p);
    buffer.bytes = 0;
    buffer.p = aligned_alloc(64, bytes);
    if (!buffer.p) throw std::bad_alloc();
    buffer.bytes = bytes;
  }
  return static_cast<T*>(buffer.p);
}
}  // namespace gemm
}  // namespace sconce
#endif

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace gemm {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
constexpr int kRows = 12;  // 24 accumulators of 32 registers
#else
constexpr int kRows = 6;  // 12 of 16
#endif
constexpr int kVectors = 2;      // per row of the register block
constexpr int64_t kDepth = 256;  // of a packed panel: a panel of either operand stays in the L1 cache
constexpr int64_t kAhead =
    8;  // steps that B is prefetched ahead; A, which is read more slowly, twice as many
constexpr int64_t kRowBlock = 96;      // rows of A packed at a time
constexpr int64_t kColumnBlock = 512;  // columns of B packed at a time: they stay in the L2 cache

template <class A>
using Tag = hn::ScalableTag<A>;

// R x (V vectors) of C: c = alpha * a b + base, where base is what C holds, scaled.
// `a` is packed R values per step of k; `b` has `b_step` values from one step to the next.
template <int R, int V, class A>
HWY_INLINE void block(int64_t k, const A* HWY_RESTRICT a, const A* HWY_RESTRICT b, int64_t b_step, A alpha,
                      A* HWY_RESTRICT c, int64_t c_step, A beta) {
  const Tag<A> d;
  constexpr int64_t L = hn::MaxLanes(d);
  hn::Vec<Tag<A>> acc[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) acc[r][v] = hn::Zero(d);
  for (int64_t i = 0; i < k; ++i) {
    hn::Vec<Tag<A>> bv[V];
    for (int v = 0; v < V; ++v) bv[v] = hn::LoadU(d, b + v * L);
    for (int v = 0; v < V; ++v) hwy::Prefetch(b + kAhead * b_step + v * L);
    hwy::Prefetch(a + 2 * kAhead * R);
    for (int r = 0; r < R; ++r) {
      const auto av = hn::Set(d, a[r]);
      for (int v = 0; v < V; ++v) acc[r][v] = hn::MulAdd(av, bv[v], acc[r][v]);
    }
    a += R;
    b += b_step;
  }
  const auto scale = hn::Set(d, alpha);
  if (beta == A(0)) {
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) hn::StoreU(hn::Mul(acc[r][v], scale), d, c + r * c_step + v * L);
  } else {
    const auto keep = hn::Set(d, beta);
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) {
        A* p = c + r * c_step + v * L;
        hn::StoreU(hn::MulAdd(acc[r][v], scale, hn::Mul(hn::LoadU(d, p), keep)), d, p);
      }
  }
}

template <class A>
using BlockFn = void (*)(int64_t k, const A* a, const A* b, int64_t b_step, A alpha, A* c, int64_t c_step,
                         A beta);
template <int R, int V, class A>
void block_fn(int64_t k, const A* a, const A* b, int64_t b_step, A alpha, A* c, int64_t c_step, A beta) {
  block<R, V, A>(k, a, b, b_step, alpha, c, c_step, beta);
}
template <class A, int V, size_t... R>
const BlockFn<A>* block_table(std::index_sequence<R...>) {
  static constexpr BlockFn<A> table[] = {block_fn<static_cast<int>(R) + 1, V, A>...};
  return table;
}

// Four rows of A, `stride` apart, to every `step` values of `out`.
inline void pack_four(const float* a, int64_t stride, int64_t depth, int64_t step, float* HWY_RESTRICT out) {
  const hn::Full128<float> d;
  int64_t i = 0;
  for (; i + 4 <= depth; i += 4, out += 4 * step) {
    const auto r0 = hn::LoadU(d, a + i), r1 = hn::LoadU(d, a + stride + i),
               r2 = hn::LoadU(d, a + 2 * stride + i), r3 = hn::LoadU(d, a + 3 * stride + i);
    const auto low01 = hn::InterleaveLower(d, r0, r1), high01 = hn::InterleaveUpper(d, r0, r1);
    const auto low23 = hn::InterleaveLower(d, r2, r3), high23 = hn::InterleaveUpper(d, r2, r3);
    hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, out);
    hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, out + step);
    hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, out + 2 * step);
    hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, out + 3 * step);
  }
  for (; i < depth; ++i, out += step)
    for (int64_t r = 0; r < 4; ++r) out[r] = a[r * stride + i];
}

// Rows [i0, i0 + rows) x steps [k0, k0 + depth) of A, `R` rows interleaved.
template <class T, class A>
void pack_rows(const Product& p, int64_t i0, int64_t rows, int64_t k0, int64_t depth, A* HWY_RESTRICT out) {
  const T* a = static_cast<const T*>(p.a) + i0 * p.a_row + k0 * p.a_col;
  if (p.a_col == 1) {
    int64_t first = 0;
    if constexpr (std::is_same_v<T, float>)
      for (; first + 4 <= rows; first += 4) pack_four(a + first * p.a_row, p.a_row, depth, rows, out + first);
    for (int64_t r = first; r < rows; ++r) {
      const T* HWY_RESTRICT from = a + r * p.a_row;
      A* HWY_RESTRICT to = out + r;
      for (int64_t i = 0; i < depth; ++i) to[i * rows] = static_cast<A>(from[i]);
    }
  } else {
    for (int64_t i = 0; i < depth; ++i) {
      const T* HWY_RESTRICT from = a + i * p.a_col;
      for (int64_t r = 0; r < rows; ++r) out[i * rows + r] = static_cast<A>(from[r * p.a_row]);
    }
  }
}

// Steps [k0, k0 + depth) x columns [j0, j0 + columns) of B as panels of `width` columns, zero beyond the last
// one.
template <class T, class A>
void pack_columns(const Product& p, int64_t k0, int64_t depth, int64_t j0, int64_t columns, int64_t width,
                  A* HWY_RESTRICT out) {
  const T* b = static_cast<const T*>(p.b) + k0 * p.b_row + j0 * p.b_col;
  for (int64_t j = 0; j < columns; j += width, out += width * depth) {
    const int64_t w = std::min(width, columns - j);
    const T* panel = b + j * p.b_col;
    if (p.b_col == 1 || w < 8) {
      for (int64_t i = 0; i < depth; ++i) {
        const T* HWY_RESTRICT from = panel + i * p.b_row;
        A* HWY_RESTRICT to = out + i * width;
        if (w == width && p.b_col == 1) {
          if constexpr (std::is_same_v<T, A>) {
            const Tag<A> d;
            for (int64_t x = 0; x < width; x += static_cast<int64_t>(hn::Lanes(d)))
              hn::StoreU(hn::LoadU(d, from + x), d, to + x);
          } else {
            for (int64_t x = 0; x < width; ++x) to[x] = static_cast<A>(from[x]);
          }
        } else {
          for (int64_t x = 0; x < w; ++x) to[x] = static_cast<A>(from[x * p.b_col]);
          for (int64_t x = w; x < width; ++x) to[x] = A(0);
        }
      }
    } else {  // transposed: a few steps of all columns at a time, so that reads and writes both stay within
              // cache lines
      constexpr int64_t kSteps = 16;
      for (int64_t i0 = 0; i0 < depth; i0 += kSteps) {
        const int64_t i1 = std::min(depth, i0 + kSteps);
        for (int64_t x = 0; x < w; ++x) {
          const T* HWY_RESTRICT from = panel + x * p.b_col;
          for (int64_t i = i0; i < i1; ++i) out[i * width + x] = static_cast<A>(from[i * p.b_row]);
        }
        for (int64_t x = w; x < width; ++x)
          for (int64_t i = i0; i < i1; ++i) out[i * width + x] = A(0);
      }
    }
  }
}

template <class T, class A>
A base_of(const Product& p, int64_t i, int64_t j) {
  A v = p.beta == 0
            ? A(0)
            : static_cast<A>(p.beta) * static_cast<A>(static_cast<const T*>(p.c)[i * p.c_row + j * p.c_col]);
  if (p.bias) v += static_cast<A>(static_cast<const T*>(p.bias)[i * p.bias_row + j * p.bias_col]);
  return v;
}

// The product of rows [m0, m1) and columns [n0, n1).
template <class T>
void tile(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  using A = typename Accumulator<T>::type;
  constexpr int64_t L = hn::MaxLanes(Tag<A>());
  constexpr int64_t kWidth = kVectors * L;
  static const BlockFn<A>* const wide = block_table<A, kVectors>(std::make_index_sequence<kRows>());
  static const BlockFn<A>* const narrow = block_table<A, 1>(std::make_index_sequence<kRows>());
  const A alpha = static_cast<A>(p.alpha);

  const int64_t depth_blocks = std::max<int64_t>(1, ceil_div(p.k, kDepth));
  const int64_t depth = ceil_div(p.k, depth_blocks);
  const int64_t row_panels = ceil_div(m1 - m0, kRows);
  const int64_t rows =
      ceil_div(m1 - m0, std::max<int64_t>(row_panels, 1));  // even panels rather than a thin last one
  const int64_t row_block = std::max<int64_t>(1, kRowBlock / rows) * rows;

  // Partial sums of a dtype narrower than its accumulator must not be rounded between blocks of k.
  constexpr bool direct_type = std::is_same_v<T, A>;
  const bool direct = direct_type && p.c_col == 1;
  const int64_t tile_rows = m1 - m0, tile_columns = n1 - n0;
  A* partial = nullptr;
  if (!direct) partial = scratch<A>(2, tile_rows * (ceil_div(tile_columns, kWidth) * kWidth));
  const int64_t partial_step = ceil_div(tile_columns, kWidth) * kWidth;

  for (int64_t j0 = n0; j0 < n1; j0 += kColumnBlock) {
    const int64_t j1 = std::min(n1, j0 + kColumnBlock);
    for (int64_t block_k = 0; block_k < depth_blocks; ++block_k) {
      const int64_t k0 = block_k * depth, steps = std::min(depth, p.k - k0);
      const bool first = block_k == 0, last = block_k + 1 == depth_blocks;
      A* pb = scratch<A>(1, ceil_div(j1 - j0, kWidth) * kWidth * depth);
      // B is read in place where its rows are contiguous and few rows of A would use the packed copy.
      const bool in_place = direct_type && p.b_col == 1 && m1 - m0 <= 2 * kRows;
      const int64_t whole = in_place ? (j1 - j0) / L * L : 0;
      if (whole < j1 - j0) pack_columns<T, A>(p, k0, steps, j0 + whole, j1 - j0 - whole, kWidth, pb);
      for (int64_t i0 = m0; i0 < m1; i0 += row_block) {
        const int64_t i1 = std::min(m1, i0 + row_block);
        A* pa = scratch<A>(0, row_block * depth);
        for (int64_t i = i0; i < i1; i += rows)
          pack_rows<T, A>(p, i, std::min(rows, i1 - i), k0, steps, pa + (i - i0) * steps);
        for (int64_t j = j0; j < j1;) {
          const A* b;
          int64_t b_step, w;
          if (j - j0 < whole) {
            w = std::min(kWidth, whole - (j - j0));
            if (w < kWidth) w = L;
            b = reinterpret_cast<const A*>(static_cast<const T*>(p.b) + k0 * p.b_row + j);
            b_step = p.b_row;
          } else {
            w = std::min(kWidth, j1 - j);
            b = pb + (j - j0 - whole) * steps;
            b_step = kWidth;
          }
          const BlockFn<A>* const table = w <= L ? narrow : wide;
          const int64_t full = w <= L ? L : kWidth;
          for (int64_t i = i0; i < i1; i += rows) {
            const int64_t r = std::min(rows, i1 - i);
            const A* a = pa + (i - i0) * steps;
            if (direct && w == full) {
              A* c = static_cast<A*>(p.c) + i * p.c_row + j;
              A beta = first ? static_cast<A>(p.beta) : A(1);
              if (first && p.bias) {
                for (int64_t y = 0; y < r; ++y)
                  for (int64_t x = 0; x < w; ++x) c[y * p.c_row + x] = base_of<T, A>(p, i + y, j + x);
                beta = A(1);
              }
              table[r - 1](steps, a, b, b_step, alpha, c, p.c_row, beta);
              continue;
            }
            if (direct) {  // a partial vector: through a small buffer
              alignas(64) A buffer[kRows * kWidth];
              T* c = static_cast<T*>(p.c);
              table[r - 1](steps, a, b, b_step, alpha, buffer, kWidth, A(0));
              for (int64_t y = 0; y < r; ++y)
                for (int64_t x = 0; x < w; ++x) {
                  T& to = c[(i + y) * p.c_row + j + x];
                  const A base = first ? base_of<T, A>(p, i + y, j + x) : static_cast<A>(to);
                  to = static_cast<T>(base + buffer[y * kWidth + x]);
                }
              continue;
            }
            A* c = partial + (i - m0) * partial_step + (j - n0);
            table[r - 1](steps, a, b, b_step, alpha, c, partial_step, first ? A(0) : A(1));
            if (!last) continue;
            T* out = static_cast<T*>(p.c);
            for (int64_t y = 0; y < r; ++y)
              for (int64_t x = 0; x < w; ++x)
                out[(i + y) * p.c_row + (j + x) * p.c_col] =
                    static_cast<T>(c[y * partial_step + x] + base_of<T, A>(p, i + y, j + x));
          }
          j += w;
        }
      }
    }
  }
}

// sum of x[i] * y[i]
template <class A>
A dot(const A* HWY_RESTRICT x, const A* HWY_RESTRICT y, int64_t n) {
  const Tag<A> d;
  constexpr int64_t L = hn::MaxLanes(d);
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    s0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, x + i + L), hn::LoadU(d, y + i + L), s1);
    s2 = hn::MulAdd(hn::LoadU(d, x + i + 2 * L), hn::LoadU(d, y + i + 2 * L), s2);
    s3 = hn::MulAdd(hn::LoadU(d, x + i + 3 * L), hn::LoadU(d, y + i + 3 * L), s3);
  }
  for (; i + L <= n; i += L) s0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), s0);
  A s = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; ++i) s += x[i] * y[i];
  return s;
}

// One row of C where the columns of B are contiguous: a dot product each.
template <class A>
void row_of_dots(const Product& p, int64_t n0, int64_t n1) {
  const A* x = static_cast<const A*>(p.a);
  A* row = nullptr;
  if (p.a_col != 1) {
    row = scratch<A>(0, p.k);
    for (int64_t i = 0; i < p.k; ++i) row[i] = x[i * p.a_col];
    x = row;
  }
  for (int64_t j = n0; j < n1; ++j) {
    const A s = dot(x, static_cast<const A*>(p.b) + j * p.b_col, p.k);
    static_cast<A*>(p.c)[j * p.c_col] = static_cast<A>(p.alpha) * s + base_of<A, A>(p, 0, j);
  }
}

void tile_float(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  tile<float>(p, m0, m1, n0, n1);
}
void tile_double(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  tile<double>(p, m0, m1, n0, n1);
}
void tile_half(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  tile<half_t>(p, m0, m1, n0, n1);
}
void tile_bfloat16(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  tile<bfloat16_t>(p, m0, m1, n0, n1);
}
void dots_float(const Product& p, int64_t n0, int64_t n1) { row_of_dots<float>(p, n0, n1); }
void dots_double(const Product& p, int64_t n0, int64_t n1) { row_of_dots<double>(p, n0, n1); }

}  // namespace HWY_NAMESPACE
}  // namespace gemm
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
namespace gemm {
HWY_EXPORT(tile_float);
HWY_EXPORT(tile_double);
HWY_EXPORT(tile_half);
HWY_EXPORT(tile_bfloat16);
HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);

namespace {
// Plain loops, for sizes where preparing anything would cost more than the product, and for integers (which
// wrap around).
template <class T, class A>
void plain(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b),
          *bias = static_cast<const T*>(p.bias);
  T* c = static_cast<T*>(p.c);
  const A alpha = static_cast<A>(p.alpha), beta = static_cast<A>(p.beta);
  for (int64_t i = m0; i < m1; ++i)
    for (int64_t j = n0; j < n1; ++j) {
      A s = 0;
      const T *x = a + i * p.a_row, *y = b + j * p.b_col;
      for (int64_t k = 0; k < p.k; ++k) s += static_cast<A>(x[k * p.a_col]) * static_cast<A>(y[k * p.b_row]);
      s *= alpha;
      T& to = c[i * p.c_row + j * p.c_col];
      if (p.beta != 0) s += beta * static_cast<A>(to);
      if (bias) s += static_cast<A>(bias[i * p.bias_row + j * p.bias_col]);
      to = static_cast<T>(s);
    }
}

using TileFn = void (*)(const Product&, int64_t, int64_t, int64_t, int64_t);
using DotsFn = void (*)(const Product&, int64_t, int64_t);
struct Kernels {
  TileFn tile, plain;
  DotsFn dots;
  bool large = false;  // large_tile() in the place of `tile`
};
Kernels kernels_of(int32_t dtype) {
  switch (dtype) {
    case SC_FLOAT32:
      return {HWY_DYNAMIC_DISPATCH(tile_float), plain<float, float>, HWY_DYNAMIC_DISPATCH(dots_float)};
    case SC_FLOAT64:
      return {HWY_DYNAMIC_DISPATCH(tile_double), plain<double, double>, HWY_DYNAMIC_DISPATCH(dots_double)};
    case SC_FLOAT16:
      return {HWY_DYNAMIC_DISPATCH(tile_half), plain<half_t, float>, nullptr};
    case SC_BFLOAT16:
      return {HWY_DYNAMIC_DISPATCH(tile_bfloat16), plain<bfloat16_t, float>, nullptr};
    // Wrapping arithmetic in the unsigned type of 64 bits gives the low bits of every narrower integer too.
    case SC_INT64:
      return {nullptr, plain<int64_t, uint64_t>, nullptr};
    case SC_INT32:
      return {nullptr, plain<int32_t, uint64_t>, nullptr};
    case SC_INT16:
      return {nullptr, plain<int16_t, uint64_t>, nullptr};
    case SC_INT8:
      return {nullptr, plain<int8_t, uint64_t>, nullptr};
    case SC_UINT8:
      return {nullptr, plain<uint8_t, uint64_t>, nullptr};
  }
  return {};
}

constexpr int64_t kTiny = 2048;        // multiplications below which plain loops win
constexpr int64_t kPerThread = 60000;  // multiplications worth a second thread

// Runs one product on the pieces of a grid of rows x columns; `threads` of 1 stays on the calling thread.
void run_one(const Product& p, const Kernels& f, int64_t threads) {
  if (p.m * p.n * p.k <= kTiny || !f.tile) {
    if (f.tile || threads <= 1) return f.plain(p, 0, p.m, 0, p.n);
    return parallel_for(0, p.m, std::max<int64_t>(1, kPerThread / std::max<int64_t>(1, p.n * p.k)),
                        [&](int64_t from, int64_t to) { f.plain(p, from, to, 0, p.n); });
  }
  const bool dots = f.dots && p.m == 1 && p.b_row == 1;
  if (threads <= 1 && !f.large) return dots ? f.dots(p, 0, p.n) : f.tile(p, 0, p.m, 0, p.n);
  if (dots)
    return parallel_for(0, p.n, std::max<int64_t>(1, kPerThread / p.k),
                        [&](int64_t from, int64_t to) { f.dots(p, from, to); });
  // Each piece packs what it reads: split so that the pieces are as square as the thread count allows, on
  // multiples of the register block.
  constexpr int64_t kAlignRows = 12, kAlignColumns = 64;
  int64_t best_rows = 1;
  double best = 1e300;
  for (int64_t r = 1; r <= threads; ++r) {
    if (threads % r != 0) continue;
    const int64_t rows = ceil_div(ceil_div(p.m, kAlignRows), r) * kAlignRows;
    const int64_t columns = ceil_div(ceil_div(p.n, kAlignColumns), threads / r) * kAlignColumns;
    // time of the largest piece: its multiplications, and packing both its operands (the large kernel: B
    // alone)
    const double cost =
        static_cast<double>(rows) * static_cast<double>(columns) +
        (f.large ? 24.0 * static_cast<double>(columns) : 8.0 * static_cast<double>(rows + columns));
    if (cost < best) {
      best = cost;
      best_rows = r;
    }
  }
  const int64_t best_columns = threads / best_rows;
  const int64_t of_rows = best_rows == 1 ? 1 : f.large ? 6 : 4;
  const int64_t rows = ceil_div(ceil_div(p.m, best_rows), of_rows) * of_rows;
  const int64_t columns = ceil_div(ceil_div(p.n, kAlignColumns), best_columns) * kAlignColumns;
  const WorkspaceOf<char> scratch(f.large ? threads * large_bytes() : 0);
  parallel_for(0, best_rows * best_columns, 1, [&](int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      const int64_t m0 = std::min(p.m, t / best_columns * rows), m1 = std::min(p.m, m0 + rows);
      const int64_t n0 = std::min(p.n, t % best_columns * columns), n1 = std::min(p.n, n0 + columns);
      if (m0 >= m1 || n0 >= n1) continue;
      if (f.large)
        large_tile(p, m0, m1, n0, n1, scratch.get() + t * large_bytes());
      else
        f.tile(p, m0, m1, n0, n1);
    }
  });
}

int32_t matmul(const ScMatmul* q) {
  Product p{q->m,     q->n,     q->k,     q->a,     q->b, q->bias, q->c,     q->a_row, q->a_col,
            q->b_row, q->b_col, q->c_row, q->c_col, 0,    1,       q->alpha, q->beta};
  // C^T = B^T A^T where that makes C's rows contiguous, or its only column a row.
  int64_t a_batch = q->a_batch, b_batch = q->b_batch;
  if ((p.c_row == 1 && p.c_col != 1 && p.m > 1) || (p.n == 1 && p.m > 1)) {
    std::swap(p.m, p.n);
    std::swap(p.a, p.b);
    std::swap(p.a_row, p.b_col);
    std::swap(p.a_col, p.b_row);
    std::swap(p.c_row, p.c_col);
    std::swap(p.bias_row, p.bias_col);
    std::swap(a_batch, b_batch);
  }
  Kernels f = kernels_of(q->dtype);
  f.large = q->dtype == SC_FLOAT32 && !q->packed && is_large(p);
  if (!f.large && q->batch * q->m * q->n > 0) {
    const int32_t status = onednn::matmul(q);
    if (status != SC_UNSUPPORTED) return status;
  }
  if (!f.plain) return SC_UNSUPPORTED;
  if (q->m == 0 || q->n == 0 || q->batch == 0) return SC_OK;
  const int64_t work = p.m * p.n * std::max<int64_t>(p.k, 1);
  const auto item = [&](int64_t b) {
    static constexpr int64_t kSize[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
    const int64_t size = kSize[q->dtype];
    Product one = p;
    one.a = static_cast<const char*>(p.a) + b * a_batch * size;
    one.b = static_cast<const char*>(p.b) + b * b_batch * size;
    one.c = static_cast<char*>(p.c) + b * q->c_batch * size;
    return one;
  };
  const int64_t wanted = std::min<int64_t>(num_threads(), std::max<int64_t>(1, work / kPerThread));
  if (q->batch == 1) {
    run_one(p, f, wanted);
  } else if (!f.large && (q->batch >= num_threads() || wanted <= 1)) {
    parallel_for(0, q->batch, std::max<int64_t>(1, kPerThread / work), [&](int64_t from, int64_t to) {
      for (int64_t b = from; b < to; ++b) run_one(item(b), f, 1);
    });
  } else {
    for (int64_t b = 0; b < q->batch; ++b) run_one(item(b), f, wanted);
  }
  return SC_OK;
}
int64_t packed_bytes(const ScMatmul* q) { return onednn::matmul_packed_bytes(q); }
int32_t pack(const ScMatmul* q, void* packed) { return onednn::matmul_pack(q, packed); }
SC_CPU_KERNEL(matmul.matmul, matmul);
SC_CPU_KERNEL(matmul.packed_bytes, packed_bytes);
SC_CPU_KERNEL(matmul.pack, pack);
}  // namespace
}  // namespace gemm
}  // namespace sconce
#endif
