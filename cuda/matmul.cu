// Batched matrix products: cuBLAS where it is there, else a kernel that works in tiles of shared memory.
#include "matmul.cuh"

namespace sconce {
namespace cuda {
namespace {

// A block computes a kTile x kTile tile of C, in steps of kDepth along k; a thread keeps a kEach x kEach part
// of it. Phases: load a pair of tiles, multiply them, and so on, then write.
template <class C>
struct TiledMatmul {
  static constexpr int kThreads = 256, kTile = 64, kDepth = 16, kEach = 4, kSide = kTile / kEach;
  struct Shared {
    C a[kDepth][kTile + 1],
        b[kDepth][kTile + 1];  // a column more, so that a tile's columns fall into different banks
  };
  struct Thread {
    C sum[kEach][kEach];
  };
  Wide<C> a, b, c, bias;
  ScMatmul p;
  int64_t tiles_m, tiles_n;
  C alpha, beta;
  explicit TiledMatmul(const ScMatmul& m)
      : a(const_cast<void*>(m.a), m.dtype),
        b(const_cast<void*>(m.b), m.dtype),
        c(m.c, m.dtype),
        bias(const_cast<void*>(m.bias), m.dtype),
        p(m),
        tiles_m((m.m + kTile - 1) / kTile),
        tiles_n((m.n + kTile - 1) / kTile),
        alpha(static_cast<C>(m.alpha)),
        beta(static_cast<C>(m.beta)) {}
  int64_t blocks() const { return p.batch * tiles_m * tiles_n; }
  SC_HD int steps() const { return static_cast<int>((p.k + kDepth - 1) / kDepth); }
  SC_HD int phases() const { return 2 * steps() + 1; }

  SC_HD void run(int phase, int64_t block, int thread, Thread& t, Shared& s) const {
    const int64_t tile = block % (tiles_m * tiles_n), batch = block / (tiles_m * tiles_n);
    const int64_t row0 = tile / tiles_n * kTile, col0 = tile % tiles_n * kTile;
    const int at_row = thread / kSide, at_col = thread % kSide;
    if (phase == 0) {
      SC_UNROLL
      for (int i = 0; i < kEach; ++i) {
        SC_UNROLL
        for (int j = 0; j < kEach; ++j) t.sum[i][j] = C(0);
      }
    }
    if (phase == 2 * steps()) {
      SC_UNROLL
      for (int i = 0; i < kEach; ++i) {
        SC_UNROLL
        for (int j = 0; j < kEach; ++j) {
          const int64_t row = row0 + at_row + i * kSide, col = col0 + at_col + j * kSide;
          if (row >= p.m || col >= p.n) continue;
          const int64_t at = batch * p.c_batch + row * p.c_row + col * p.c_col;
          C v = fn::mul_wrapped(alpha, t.sum[i][j]);
          if (beta != C(0)) v = fn::add_wrapped(v, fn::mul_wrapped(beta, c.load(at)));
          if (p.bias) v = fn::add_wrapped(v, bias.load(col));
          c.store(at, v);
        }
      }
    } else if (phase % 2 == 0) {
      const int64_t k0 = static_cast<int64_t>(phase / 2) * kDepth;
      for (int i = thread; i < kTile * kDepth; i += kThreads) {
        // Neighbouring threads read along whichever dimension is adjacent in memory.
        const int ar = p.a_col == 1 ? i / kDepth : i % kTile, ak = p.a_col == 1 ? i % kDepth : i / kTile;
        const bool a_in = row0 + ar < p.m && k0 + ak < p.k;
        s.a[ak][ar] = a_in ? a.load(batch * p.a_batch + (row0 + ar) * p.a_row + (k0 + ak) * p.a_col) : C(0);
        const int bc = p.b_col == 1 ? i % kTile : i / kDepth, bk = p.b_col == 1 ? i / kTile : i % kDepth;
        const bool b_in = col0 + bc < p.n && k0 + bk < p.k;
        s.b[bk][bc] = b_in ? b.load(batch * p.b_batch + (k0 + bk) * p.b_row + (col0 + bc) * p.b_col) : C(0);
      }
    } else {
      SC_UNROLL
      for (int k = 0; k < kDepth; ++k) {
        C left[kEach], right[kEach];
        SC_UNROLL
        for (int i = 0; i < kEach; ++i) left[i] = s.a[k][at_row + i * kSide];
        SC_UNROLL
        for (int j = 0; j < kEach; ++j) right[j] = s.b[k][at_col + j * kSide];
        SC_UNROLL
        for (int i = 0; i < kEach; ++i) {
          SC_UNROLL
          for (int j = 0; j < kEach; ++j)
            t.sum[i][j] = fn::add_wrapped(t.sum[i][j], fn::mul_wrapped(left[i], right[j]));
        }
      }
    }
  }
};

template <class C>
struct AddBias {
  Wide<C> c, bias;
  ScMatmul p;
  SC_HD void operator()(int64_t i) const {
    const int64_t col = i % p.n, row = i / p.n % p.m, batch = i / p.n / p.m;
    const int64_t at = batch * p.c_batch + row * p.c_row + col * p.c_col;
    c.store(at, c.load(at) + bias.load(col));
  }
};

}  // namespace

int32_t matmul(const ScMatmul* args) {
  if (args->dtype == SC_BOOL) return SC_UNSUPPORTED;
  const int64_t results = args->batch * args->m * args->n;
  if (results == 0) return SC_OK;
  const int32_t status = blas_matmul(args);
  if (status == SC_OK && args->bias) {
    return for_wide_floats(args->dtype, [&](auto tag) {
      using C = typename decltype(tag)::type;
      return launch(results,
                    AddBias<C>{{args->c, args->dtype}, {const_cast<void*>(args->bias), args->dtype}, *args});
    });
  }
  if (status != SC_UNSUPPORTED) return status;
  return for_wide(args->dtype, [&](auto tag) {
    const TiledMatmul<typename decltype(tag)::type> kernel(*args);
    return launch_blocks(kernel.blocks(), kernel);
  });
}

ScMatmulKernels matmul_kernels() {
  ScMatmulKernels k{};
  k.matmul = matmul;
  return k;
}

}  // namespace cuda
}  // namespace sconce
