// Reductions: the walks over the index space, around the block loops of reduce_blocks.cc.
//
// Work is cut into blocks, tiles and chunks by the shape alone, so that the bits do not depend on the number
// of threads. `walk_rows` serves a reduced dimension that is the fastest one in memory, `walk_columns` a kept
// one.
#include <algorithm>
#include <cmath>
#include <memory>

#include "../core/device.h"
#include "../core/dtype.h"
#include "../core/float16.h"
#include "../core/parallel.h"
#include "reduce_blocks.h"

namespace sconce {
namespace {
using namespace reduction;

constexpr int64_t kChunk = 65536;  // least work worth a task of its own
constexpr int64_t kMaxChunks = 64;
constexpr int64_t kBufferBytes = 16384;

int64_t lane_size(Lane lane) { return lane == Lane::kTruth ? 1 : lane == Lane::kFloat ? 4 : 8; }

struct Job {
  const ScReduce* r;
  int32_t op;
  Lane lane;
  const Blocks* blocks;
  Convert convert;
  bool direct;  // the input already holds lanes
  double p;
  int64_t in_size;

  const char* in(int64_t offset) const { return static_cast<const char*>(r->in) + offset * in_size; }
  void store(const void* acc, int64_t n, int64_t offset, int64_t stride) const;
};

// ---- results ----
template <class T, class V>
void store_strided(const V* v, int64_t n, void* out, int64_t offset, int64_t stride) {
  T* y = static_cast<T*>(out) + offset;
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<T, half_t> || std::is_same_v<T, bfloat16_t>)
      y[i * stride] = T(static_cast<float>(v[i]));
    else
      y[i * stride] = static_cast<T>(v[i]);
  }
}
template <class V>
void store_as(int32_t dtype, const V* v, int64_t n, void* out, int64_t offset, int64_t stride) {
  switch (dtype) {
    case SC_FLOAT32:
      return store_strided<float>(v, n, out, offset, stride);
    case SC_FLOAT64:
      return store_strided<double>(v, n, out, offset, stride);
    case SC_FLOAT16:
      return store_strided<half_t>(v, n, out, offset, stride);
    case SC_BFLOAT16:
      return store_strided<bfloat16_t>(v, n, out, offset, stride);
    case SC_INT64:
      return store_strided<int64_t>(v, n, out, offset, stride);
    case SC_INT32:
      return store_strided<int32_t>(v, n, out, offset, stride);
    case SC_INT16:
      return store_strided<int16_t>(v, n, out, offset, stride);
    case SC_INT8:
      return store_strided<int8_t>(v, n, out, offset, stride);
    case SC_UINT8:
      return store_strided<uint8_t>(v, n, out, offset, stride);
    default:
      return store_strided<bool>(v, n, out, offset, stride);
  }
}

// Turns accumulated values into results, in place.
void finish(int32_t op, double* v, int64_t n, int64_t reduced, double p) {
  const double count = static_cast<double>(reduced), divisor = std::max(0.0, count - p);
  switch (op) {
    case SC_RED_MEAN:
      for (int64_t i = 0; i < n; ++i) v[i] /= count;
      break;
    case SC_RED_VAR:
      for (int64_t i = 0; i < n; ++i) v[i] /= divisor;
      break;
    case SC_RED_STD:
      for (int64_t i = 0; i < n; ++i) v[i] = std::sqrt(v[i] / divisor);
      break;
    case SC_RED_NORM:
      if (p == 2) {
        for (int64_t i = 0; i < n; ++i) v[i] = std::sqrt(v[i]);
      } else if (p != 1 && p != 0 && !std::isinf(p)) {
        for (int64_t i = 0; i < n; ++i) v[i] = std::pow(v[i], 1 / p);
      }
      break;
  }
}

void Job::store(const void* acc, int64_t n, int64_t offset, int64_t stride) const {
  union {
    double f[kTile];
    int64_t i[kTile];
  } value, second;
  const bool index_only = op == SC_RED_ARGMAX || op == SC_RED_ARGMIN;
  blocks->values(acc, n, value.f, index_only || r->out2 ? second.f : nullptr);
  if (index_only) return store_as(SC_INT64, second.i, n, r->out, offset, stride);
  if (lane == Lane::kFloat || lane == Lane::kDouble) {
    finish(op, value.f, n, r->reduced_numel, p);
    store_as(r->out_dtype, value.f, n, r->out, offset, stride);
  } else {
    if (op == SC_RED_ALL)
      for (int64_t i = 0; i < n; ++i) value.i[i] = value.i[i] == r->reduced_numel;
    if (op == SC_RED_ANY)
      for (int64_t i = 0; i < n; ++i) value.i[i] = value.i[i] != 0;
    store_as(r->out_dtype, value.i, n, r->out, offset, stride);
  }
  if (!r->out2) return;
  if (op == SC_RED_VAR || op == SC_RED_STD)
    store_as(r->out_dtype, second.f, n, r->out2, offset, stride);
  else
    store_as(SC_INT64, second.i, n, r->out2, offset, stride);
}

// ---- walks ----
struct Offsets {
  int64_t in = 0, out = 0;
};
Offsets kept_offsets(const ScReduce* r, int ndims, int64_t k) {
  Offsets o;
  for (int d = ndims - 1; d >= 0; --d) {
    const int64_t i = k % r->kept_shape[d];
    o.in += i * r->kept_in_strides[d];
    o.out += i * r->kept_out_strides[d];
    k /= r->kept_shape[d];
  }
  return o;
}

// Calls f(offset, length, index) for the runs along the fastest reduced dimension that make up positions
// [begin, end).
template <class F>
void for_runs(const ScReduce* r, int64_t begin, int64_t end, const F& f) {
  const int last = r->nreduced - 1;
  if (last < 0) {
    if (begin < end) f(0, 1, 0);
    return;
  }
  const int64_t inner = r->reduced_shape[last], stride = r->reduced_in_strides[last];
  while (begin < end) {
    int64_t k = begin / inner, offset = 0;
    const int64_t at = begin - k * inner, n = std::min(inner - at, end - begin);
    for (int d = last - 1; d >= 0; --d) {
      offset += k % r->reduced_shape[d] * r->reduced_in_strides[d];
      k /= r->reduced_shape[d];
    }
    f(offset + at * stride, n, begin);
    begin += n;
  }
}

// How many pieces the reduced index space is cut into when the kept one has few tasks to offer.
int64_t chunk_count(int64_t tasks, int64_t total, int64_t reduced) {
  if (total < 2 * kChunk || tasks >= 16) return 1;
  return std::max<int64_t>(1, std::min({kMaxChunks / tasks, total / kChunk, reduced}));
}
// Chunks end on block borders, so that blocks stay whole.
int64_t chunk_length(int64_t n, int64_t chunks, int64_t block) {
  return ((n + chunks - 1) / chunks + block - 1) / block * block;
}

void reduce_row(const Job& job, int64_t base, int64_t begin, int64_t end, void* acc) {
  const ScReduce* r = job.r;
  const int64_t stride = r->nreduced ? r->reduced_in_strides[r->nreduced - 1] : 1;
  const bool direct = job.direct && stride == 1;
  alignas(64) char buffer[kBufferBytes];
  const int64_t block = direct ? kBlock : kBufferBytes / 8;
  job.blocks->clear(acc, 1);
  for_runs(r, begin, end, [&](int64_t at, int64_t length, int64_t index) {
    for (int64_t i = 0; i < length; i += block) {
      const int64_t m = std::min(block, length - i);
      const char* x = job.in(base + at + i * stride);
      if (!direct) job.convert(x, m, stride, buffer);
      job.blocks->row(direct ? x : buffer, m, index + i, job.p, acc);
    }
  });
}

void walk_rows(const Job& job) {
  const ScReduce* r = job.r;
  const int64_t n = r->reduced_numel, size = job.blocks->acc_size;
  const int last = r->nkept - 1;
  const int64_t inner = r->nkept ? r->kept_shape[last] : 1,
                in_stride = r->nkept ? r->kept_in_strides[last] : 0;
  const int64_t out_stride = r->nkept ? r->kept_out_strides[last] : 0;
  const int64_t chunks = chunk_count(r->kept_numel, r->kept_numel * n, n);
  if (chunks == 1) {
    parallel_for(0, r->kept_numel, std::max<int64_t>(1, kChunk / 2 / std::max<int64_t>(n, 1)),
                 [&](int64_t from, int64_t to) {
                   alignas(16) char acc[kTile * kAccBytes];
                   while (from < to) {  // runs along the fastest kept dimension
                     const Offsets o = kept_offsets(r, r->nkept, from);
                     const int64_t m = std::min({kTile, to - from, inner - from % inner});
                     for (int64_t i = 0; i < m; ++i)
                       reduce_row(job, o.in + i * in_stride, 0, n, acc + i * size);
                     job.store(acc, m, o.out, out_stride);
                     from += m;
                   }
                 });
    return;
  }
  const int64_t step = chunk_length(n, chunks, kBlock);
  std::unique_ptr<char[]> parts(new char[static_cast<size_t>(r->kept_numel * chunks * size)]);
  parallel_for(0, r->kept_numel * chunks, 1, [&](int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      const int64_t c = t % chunks;
      reduce_row(job, kept_offsets(r, r->nkept, t / chunks).in, std::min(n, c * step),
                 std::min(n, (c + 1) * step), &parts[t * size]);
    }
  });
  for (int64_t k = 0; k < r->kept_numel; ++k) {
    char* acc = &parts[k * chunks * size];
    for (int64_t c = 1; c < chunks; ++c) job.blocks->join(acc, acc + c * size, 1);
    job.store(acc, 1, kept_offsets(r, r->nkept, k).out, 0);
  }
}

void reduce_tile(const Job& job, int64_t base, int64_t ncols, int64_t begin, int64_t end, void* acc) {
  const ScReduce* r = job.r;
  const int64_t col_stride = r->kept_in_strides[r->nkept - 1],
                row_stride = r->nreduced ? r->reduced_in_strides[r->nreduced - 1] : 0;
  const bool direct = job.direct && col_stride == 1;
  alignas(64) char buffer[kBufferBytes];
  const int64_t size = lane_size(job.lane),
                row_block = direct ? kRowBlock : std::min(kRowBlock, kBufferBytes / (ncols * size));
  job.blocks->clear(acc, ncols);
  for_runs(r, begin, end, [&](int64_t at, int64_t length, int64_t index) {
    for (int64_t i = 0; i < length; i += row_block) {
      const int64_t m = std::min(row_block, length - i);
      const char* x = job.in(base + at + i * row_stride);
      if (!direct)
        for (int64_t k = 0; k < m; ++k)
          job.convert(x + k * row_stride * job.in_size, ncols, col_stride, buffer + k * ncols * size);
      job.blocks->columns(direct ? x : buffer, direct ? row_stride : ncols, m, ncols, index + i, job.p, acc);
    }
  });
}

void walk_columns(const Job& job) {
  const ScReduce* r = job.r;
  const int last = r->nkept - 1;
  const int64_t width = r->kept_shape[last], in_stride = r->kept_in_strides[last],
                out_stride = r->kept_out_strides[last];
  const int64_t tiles = (width + kTile - 1) / kTile, n = r->reduced_numel, size = job.blocks->acc_size;
  const int64_t tasks = r->kept_numel / width * tiles;
  struct Tile {
    Offsets at;
    int64_t ncols;
  };
  const auto tile_of = [&](int64_t task) {
    const int64_t column = task % tiles * kTile;
    Tile t{kept_offsets(r, last, task / tiles), std::min(kTile, width - column)};
    t.at.in += column * in_stride;
    t.at.out += column * out_stride;
    return t;
  };
  const int64_t chunks = chunk_count(tasks, r->kept_numel * n, n);
  if (chunks == 1) {
    const int64_t work = std::max<int64_t>(1, std::min(width, kTile) * n);
    parallel_for(0, tasks, std::max<int64_t>(1, kChunk / 2 / work), [&](int64_t from, int64_t to) {
      alignas(16) char acc[kTile * kAccBytes];
      for (int64_t i = from; i < to; ++i) {
        const Tile t = tile_of(i);
        reduce_tile(job, t.at.in, t.ncols, 0, n, acc);
        job.store(acc, t.ncols, t.at.out, out_stride);
      }
    });
    return;
  }
  const int64_t step = chunk_length(n, chunks, kRowBlock);
  std::unique_ptr<char[]> parts(new char[static_cast<size_t>(tasks * chunks * kTile * size)]);
  parallel_for(0, tasks * chunks, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const Tile t = tile_of(i / chunks);
      const int64_t c = i % chunks;
      reduce_tile(job, t.at.in, t.ncols, std::min(n, c * step), std::min(n, (c + 1) * step),
                  &parts[i * kTile * size]);
    }
  });
  for (int64_t i = 0; i < tasks; ++i) {
    const Tile t = tile_of(i);
    char* acc = &parts[i * chunks * kTile * size];
    for (int64_t c = 1; c < chunks; ++c) job.blocks->join(acc, acc + c * kTile * size, t.ncols);
    job.store(acc, t.ncols, t.at.out, out_stride);
  }
}

BlockOp block_op(int32_t op, double p) {
  switch (op) {
    case SC_RED_NANSUM:
      return BlockOp::kNanSum;
    case SC_RED_SUM_SQUARES:
      return BlockOp::kSumSquares;
    case SC_RED_PROD:
      return BlockOp::kProd;
    case SC_RED_MAX:
      return BlockOp::kMax;
    case SC_RED_MIN:
      return BlockOp::kMin;
    case SC_RED_ARGMAX:
    case SC_RED_MAX_INDEX:
      return BlockOp::kArgMax;
    case SC_RED_ARGMIN:
    case SC_RED_MIN_INDEX:
      return BlockOp::kArgMin;
    case SC_RED_VAR:
    case SC_RED_STD:
      return BlockOp::kMoments;
    case SC_RED_ALL:
    case SC_RED_ANY:
    case SC_RED_COUNT_NONZERO:
      return BlockOp::kCount;
    case SC_RED_NORM:
      if (p == 2) return BlockOp::kSumSquares;
      if (p == 1) return BlockOp::kSumAbs;
      if (p == 0) return BlockOp::kCount;
      if (std::isinf(p)) return p > 0 ? BlockOp::kMaxAbs : BlockOp::kMinAbs;
      return BlockOp::kSumPow;
    default:
      return BlockOp::kSum;
  }
}

int32_t reduce(int32_t op, const ScReduce* r) {
  Job job{};
  job.r = r;
  job.op = op;
  job.p = r->p[0];
  const BlockOp block = block_op(op, job.p);
  const bool integral = r->in_dtype >= SC_INT64;
  if (integral && (op == SC_RED_MEAN || op == SC_RED_NORM)) return SC_UNSUPPORTED;
  job.lane = block == BlockOp::kCount    ? Lane::kTruth
             : integral                  ? Lane::kInt
             : r->in_dtype == SC_FLOAT64 ? Lane::kDouble
                                         : Lane::kFloat;
  job.blocks = blocks_of(block, job.lane);
  if (!job.blocks) return SC_UNSUPPORTED;
  job.convert = convert_of(r->in_dtype, job.lane);
  job.direct = job.lane == Lane::kTruth
                   ? r->in_dtype == SC_BOOL
                   : r->in_dtype == SC_FLOAT32 || r->in_dtype == SC_FLOAT64 || r->in_dtype == SC_INT64;
  job.in_size = item_size(static_cast<DType>(r->in_dtype));
  const bool kept_is_fastest =
      r->nkept > 0 &&
      (r->nreduced == 0 || r->kept_in_strides[r->nkept - 1] < r->reduced_in_strides[r->nreduced - 1]);
  if (kept_is_fastest)
    walk_columns(job);
  else
    walk_rows(job);
  return SC_OK;
}
SC_CPU_KERNEL(reduce.reduce, reduce);

}  // namespace
}  // namespace sconce
