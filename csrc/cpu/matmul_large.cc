// Large float32 products, for processors with AVX-512.
//
// Note [Large products]
// Multiply-adds do not run at the processor's peak beside anything else: there, each load of a scalar costs a
// fifth of a multiply-add, each load of a vector two fifths, and moves and prefetches no less. oneDNN's sgemm
// takes 26 % more than its multiply-adds alone. Hence:
// - A block of 6 rows x 4 vectors of C stays in registers: ten loads for 24 multiply-adds. Its loop is in
//   assembly and unrolled by two steps, which fit the buffer that feeds short loops. g++ adds seven moves to
//   it; with one step the loop's own instructions weigh more. Each costs 3 % of the whole product.
// - B is packed into panels of 64 columns, kDepth x kColumns at a time, so that the L2 cache holds this block
//   and the next. A is read where it lies.
// - Nothing waits for memory but the first block of B. While six rows of A meet all panels, the next rows and
//   the next block's share are prefetched, a line of each in sixteen steps; then that share is packed.
// - C is read and written once per kDepth steps, prefetched for writing.
// 1024 cubed takes two cores 5.9 ms where oneDNN's sgemm takes 6.15, and the multiply-adds alone 4.85.
#include "matmul.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/matmul_large.cc"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway wants it.
#include <hwy/highway.h>

#include <algorithm>
#include <utility>

#ifndef SCONCE_CPU_MATMUL_LARGE_SHARED
#define SCONCE_CPU_MATMUL_LARGE_SHARED
namespace sconce::gemm {
constexpr int64_t kDepth = 384;    // steps of k in a block
constexpr int64_t kColumns = 512;  // columns of B in a block
constexpr int kRows = 6;           // of a register block
constexpr int kVectors = 4;        // in each of them
constexpr int64_t kChunk = 16;     // steps, a line of floats: a block is whole chunks
}  // namespace sconce::gemm
#endif

HWY_BEFORE_NAMESPACE();
namespace sconce::gemm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
using Tag = hn::ScalableTag<float>;
constexpr int64_t kLanes = 16;
constexpr int64_t kWidth = kVectors * kLanes;

// What to prefetch for later work: a line of each per chunk.
struct Ahead {
  const float *a, *b;
};

// R x (V vectors) of C: c = a b + base, with V vectors of `b` per step. `base` may be null, and may be C.
template <int R, int V>
void block(int64_t steps, const float* HWY_RESTRICT a, int64_t a_step, const float* HWY_RESTRICT b,
           const float* base, int64_t base_step, float* c, int64_t c_step, Ahead /*ahead*/) {
  const Tag d;
  hn::Vec<Tag> sums[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sums[r][v] = hn::Zero(d);
  for (int64_t i = 0; i < steps; ++i, b += V * kLanes) {
    hn::Vec<Tag> bv[V];
    for (int v = 0; v < V; ++v) bv[v] = hn::Load(d, b + v * kLanes);
    for (int r = 0; r < R; ++r) {
      const auto av = hn::Set(d, a[r * a_step + i]);
      for (int v = 0; v < V; ++v) sums[r][v] = hn::MulAdd(av, bv[v], sums[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      if (base) sums[r][v] = hn::Add(sums[r][v], hn::LoadU(d, base + r * base_step + v * kLanes));
      hn::StoreU(sums[r][v], d, c + r * c_step + v * kLanes);
    }
}

// The full block. Registers 0 to 23 hold the sums, 24 to 27 a step of B, the others values of A in turns.
// clang-format off
#define SC_EACH_ROW(f)                                                                                      \
  f("0", "1", "2", "3") f("4", "5", "6", "7") f("8", "9", "10", "11")                                       \
  f("12", "13", "14", "15") f("16", "17", "18", "19") f("20", "21", "22", "23")
#define SC_ZERO(x) "vpxorq %%zmm" x ", %%zmm" x ", %%zmm" x "\n"
#define SC_ZERO_ROW(x0, x1, x2, x3) SC_ZERO(x0) SC_ZERO(x1) SC_ZERO(x2) SC_ZERO(x3)
#define SC_TOUCH_ROW(x0, x1, x2, x3)                                                                        \
  "prefetchw (%[t])\n prefetchw 64(%[t])\n prefetchw 128(%[t])\n prefetchw 192(%[t])\n add %[c_step], %[t]\n"
#define SC_ADD(at, x) "vaddps " at "(%[base]), %%zmm" x ", %%zmm" x "\n"
#define SC_ADD_ROW(x0, x1, x2, x3)                                                                          \
  SC_ADD("0", x0) SC_ADD("64", x1) SC_ADD("128", x2) SC_ADD("192", x3) "add %[base_step], %[base]\n"
#define SC_STORE(x, at) "vmovups %%zmm" x ", " at "(%[c])\n"
#define SC_STORE_ROW(x0, x1, x2, x3)                                                                        \
  SC_STORE(x0, "0") SC_STORE(x1, "64") SC_STORE(x2, "128") SC_STORE(x3, "192") "add %[c_step], %[c]\n"
#define SC_FMA(b, x, a) "vfmadd231ps %%zmm" b ", %%zmm" a ", %%zmm" x "\n"
#define SC_ROW(at, a, x0, x1, x2, x3)                                                                       \
  "vbroadcastss " at ", %%zmm" a "\n" SC_FMA("24", x0, a) SC_FMA("25", x1, a) SC_FMA("26", x2, a) SC_FMA("27", x3, a)
#define SC_STEP(step)                                                                                       \
  "vmovaps 256*" step "(%[b]), %%zmm24\n vmovaps 256*" step "+64(%[b]), %%zmm25\n"                          \
  "vmovaps 256*" step "+128(%[b]), %%zmm26\n vmovaps 256*" step "+192(%[b]), %%zmm27\n"                     \
  SC_ROW("4*" step "(%[a])", "28", "0", "1", "2", "3")                                                      \
  SC_ROW("4*" step "(%[a], %[a_step])", "29", "4", "5", "6", "7")                                           \
  SC_ROW("4*" step "(%[a], %[a_step], 2)", "30", "8", "9", "10", "11")                                      \
  SC_ROW("4*" step "(%[a3])", "31", "12", "13", "14", "15")                                                 \
  SC_ROW("4*" step "(%[a3], %[a_step])", "28", "16", "17", "18", "19")                                      \
  SC_ROW("4*" step "(%[a3], %[a_step], 2)", "29", "20", "21", "22", "23")

template <>
void block<kRows, kVectors>(int64_t steps, const float* HWY_RESTRICT a, int64_t a_step,
                            const float* HWY_RESTRICT b, const float* base, int64_t base_step, float* c,
                            int64_t c_step, Ahead ahead) {
  static_assert(kRows == 6 && kVectors == 4 && kChunk == 16);
  const float* a3 = a + 3 * a_step;
  int64_t t;
  asm volatile(
      SC_EACH_ROW(SC_ZERO_ROW)
      "1:\n"  // a chunk
      "prefetcht1 (%[ahead_a])\n prefetcht1 (%[ahead_b])\n add $64, %[ahead_a]\n add $64, %[ahead_b]\n"
      "cmp $64, %[steps]\n jne 2f\n mov %[c], %[t]\n"
      SC_EACH_ROW(SC_TOUCH_ROW)  // four chunks before C is written
      "2: mov $8, %[t]\n"
      "3:\n"
      SC_STEP("0") SC_STEP("1")
      "add $8, %[a]\n add $8, %[a3]\n add $512, %[b]\n dec %[t]\n jnz 3b\n"
      "sub $16, %[steps]\n jnz 1b\n"
      "test %[base], %[base]\n jz 4f\n"
      SC_EACH_ROW(SC_ADD_ROW)
      "4:\n"
      SC_EACH_ROW(SC_STORE_ROW)
      : [steps] "+r"(steps), [a] "+r"(a), [a3] "+r"(a3), [b] "+r"(b), [base] "+r"(base), [c] "+r"(c),
        [ahead_a] "+r"(ahead.a), [ahead_b] "+r"(ahead.b), [t] "=&r"(t)
      : [a_step] "r"(a_step * 4), [base_step] "r"(base_step * 4), [c_step] "r"(c_step * 4)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
        "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}
// clang-format on

using BlockFn = void (*)(int64_t, const float*, int64_t, const float*, const float*, int64_t, float*, int64_t,
                         Ahead);
template <size_t... I>
BlockFn block_of(int64_t rows, int64_t vectors, std::index_sequence<I...> /*each*/) {
  static constexpr BlockFn table[] = {block<I / kVectors + 1, I % kVectors + 1>...};
  return table[(rows - 1) * kVectors + vectors - 1];
}

int64_t round_up(int64_t n, int64_t to) { return ceil_div(n, to) * to; }

// A block of B. Packed, it is panels of kWidth columns; the last may be narrower.
struct Block {
  const Product* p;
  int64_t k0, steps, j0, columns;

  const float* step(int64_t k) const { return static_cast<const float*>(p->b) + (k0 + k) * p->b_row + j0; }

  void pack(int64_t k, float* HWY_RESTRICT packed) const {
    constexpr int64_t kStepsAhead = 4;  // for the first block, which nobody prefetched: into the L2 cache
    const Tag d;
    const float* HWY_RESTRICT from = step(k);
    for (int64_t j = 0; j < columns; j += kWidth) {
      const int64_t width = std::min(kWidth, columns - j);
      float* HWY_RESTRICT to = packed + j * steps + k * width;
      for (int64_t x = 0; x < width; x += kLanes) {
        __builtin_prefetch(from + kStepsAhead * p->b_row + j + x, 0, 2);
        hn::Store(hn::LoadU(d, from + j + x), d, to + x);
      }
    }
  }
};

void tile(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1, void* scratch) {
  const int64_t columns = round_up(ceil_div(n1 - n0, ceil_div(n1 - n0, kColumns)), kWidth);
  const int64_t depth = round_up(ceil_div(p.k, ceil_div(p.k, kDepth)), kChunk);
  const int64_t depth_blocks = ceil_div(p.k, depth), blocks = depth_blocks * ceil_div(n1 - n0, columns);
  const auto block_at = [&](int64_t i) {
    const int64_t k0 = i % depth_blocks * depth, j0 = n0 + i / depth_blocks * columns;
    return Block{&p, k0, std::min(depth, p.k - k0), j0, std::min(columns, n1 - j0)};
  };
  const auto* a = static_cast<const float*>(p.a);
  auto* c = static_cast<float*>(p.c);
  auto* packed = static_cast<float*>(scratch);
  float* next_packed = packed + kDepth * kColumns;

  Block now = block_at(0);
  for (int64_t k = 0; k < now.steps; ++k) now.pack(k, packed);
  for (int64_t x = 0; x < blocks; ++x) {
    const bool more = x + 1 < blocks;
    const Block next = block_at(more ? x + 1 : x);
    const int64_t to_pack = more ? next.steps : 0;
    const int64_t share = ceil_div(to_pack, ceil_div(m1 - m0, kRows));
    const float* base = now.k0 > 0 || p.beta != 0 ? c : static_cast<const float*>(p.bias);
    const int64_t base_step = base == c ? p.c_row : p.bias_row;
    int64_t done = 0;
    for (int64_t i = m0; i < m1; i += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, m1 - i);
      const float* of_a = a + i * p.a_row + now.k0;
      const bool last = i + rows == m1;
      const float* rows_ahead = last ? a + m0 * p.a_row + next.k0 : a + (i + rows) * p.a_row + now.k0;
      const int64_t count_ahead = last ? kRows : std::min<int64_t>(kRows, m1 - i - rows);
      const int64_t until = std::min(to_pack, done + share);
      for (int64_t j = 0; j < now.columns; j += kWidth) {
        const int64_t q = j / kWidth, width = std::min(kWidth, now.columns - j);
        const Ahead ahead{q < count_ahead ? rows_ahead + q * p.a_row : of_a,
                          done + q < until ? next.step(done + q) : of_a};
        const float* from = base ? base + i * base_step + now.j0 + j : nullptr;
        float* to = c + i * p.c_row + now.j0 + j;
        const BlockFn f = block_of(rows, width / kLanes, std::make_index_sequence<kRows * kVectors>());
        f(now.steps, of_a, p.a_row, packed + j * now.steps, from, base_step, to, p.c_row, ahead);
      }
      for (; done < until; ++done) next.pack(done, next_packed);
    }
    now = next;
    std::swap(packed, next_packed);
  }
}
bool is_served() { return true; }

#else
void tile(const Product& /*p*/, int64_t /*m0*/, int64_t /*m1*/, int64_t /*n0*/, int64_t /*n1*/,
          void* /*scratch*/) {}
bool is_served() { return false; }
#endif

}  // namespace sconce::gemm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce::gemm {
HWY_EXPORT(tile);
HWY_EXPORT(is_served);

bool is_large(const Product& p) {
  // Where the kernel was measured to be ahead of oneDNN's, by 3 to 5 %: with fewer columns packing weighs
  // more, and rows that do not end with a line lose what there is to win.
  constexpr int64_t kLeastColumns = 768, kLeastOthers = 256, kLeastWork = int64_t{1} << 28;
  if (p.n < kLeastColumns || p.m < kLeastOthers || p.k < kLeastOthers || p.m * p.n * p.k < kLeastWork)
    return false;
  if (p.n % kChunk != 0 || p.k % kChunk != 0) return false;
  if (p.a_col != 1 || p.b_col != 1 || p.c_col != 1 || p.alpha != 1) return false;
  if (p.bias ? p.beta != 0 || p.bias_col != 1 : p.beta != 0 && p.beta != 1) return false;
  static const bool served = HWY_DYNAMIC_DISPATCH(is_served)();
  return served;
}
int64_t large_bytes() { return 2 * kDepth * kColumns * static_cast<int64_t>(sizeof(float)); }
void large_tile(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1, void* scratch) {
  HWY_DYNAMIC_DISPATCH(tile)(p, m0, m1, n0, n1, scratch);
}
}  // namespace sconce::gemm
#endif
