// The driver of the element-wise kernels: brings any iteration space into contiguous rows.
#include "elementwise.h"

#include <algorithm>
#include <cstring>

#include "../core/device.h"
#include "../core/float16.h"
#include "../core/parallel.h"
#include "stream.h"

namespace sconce::cpu {
namespace {

constexpr int64_t kBlock = 512;  // elements per copied block: all operands of a block stay in the first cache
constexpr int64_t kLongRow = 48;  // shorter rows are gathered into blocks over several of them

thread_local const char* g_last_error = "";
const char* last_error() { return g_last_error; }

// A place in the iteration space.
struct Place {
  int64_t index[SC_MAX_DIMS];
  int64_t flat;
  Place(const ScIter* it, int64_t at) : flat(at) {
    for (int d = it->ndim - 1; d >= 0; --d) {
      index[d] = at % it->shape[d];
      at /= it->shape[d];
    }
  }
  int64_t offset(const ScIter* it, int k) const {
    int64_t o = 0;
    for (int d = 0; d < it->ndim; ++d) o += index[d] * it->strides[k][d];
    return o;
  }
  int64_t left_in_row(const ScIter* it) const { return it->shape[it->ndim - 1] - index[it->ndim - 1]; }
  void advance(const ScIter* it, int64_t n) {
    flat += n;
    int d = it->ndim - 1;
    index[d] += n;
    while (d > 0 && index[d] >= it->shape[d]) {
      index[d - 1] += index[d] / it->shape[d];
      index[d] %= it->shape[d];
      --d;
    }
  }
};

// Copies n elements of operand k, from `at` on, between its memory and a contiguous block.
template <class T, bool gather>
void exchange_typed(const ScIter* it, int k, Place at, int64_t n, T* block) {
  const int last = it->ndim - 1;
  const int64_t inner = it->strides[k][last], row = it->shape[last];
  T* x = static_cast<T*>(it->data[k]) + at.offset(it, k);
  while (n > 0) {
    const int64_t m = std::min(n, row - at.index[last]);
    for (int64_t i = 0; i < m; ++i) {
      if constexpr (gather)
        block[i] = x[i * inner];
      else
        x[i * inner] = block[i];
    }
    block += m;
    n -= m;
    // On to the next row, keeping the pointer in step.
    x += m * inner;
    at.index[last] += m;
    for (int d = last; at.index[d] == it->shape[d]; --d) {
      x -= it->shape[d] * it->strides[k][d];
      at.index[d] = 0;
      if (d == 0) break;  // around to the start: a block may be longer than the space
      x += it->strides[k][d - 1];
      ++at.index[d - 1];
    }
  }
}
template <bool gather>
void exchange(const ScIter* it, int k, const Place& at, int64_t n, int64_t size, char* block) {
  switch (size) {
    case 1:
      return exchange_typed<uint8_t, gather>(it, k, at, n, reinterpret_cast<uint8_t*>(block));
    case 2:
      return exchange_typed<uint16_t, gather>(it, k, at, n, reinterpret_cast<uint16_t*>(block));
    case 4:
      return exchange_typed<uint32_t, gather>(it, k, at, n, reinterpret_cast<uint32_t*>(block));
    default:
      return exchange_typed<uint64_t, gather>(it, k, at, n, reinterpret_cast<uint64_t*>(block));
  }
}
void widen(int32_t dtype, const char* x, char* y, int64_t n) {
  auto* from = reinterpret_cast<const uint16_t*>(x);
  auto* to = reinterpret_cast<float*>(y);
  if (dtype == SC_FLOAT16)
    half_to_float_row(from, to, n);
  else
    bfloat16_to_float_row(from, to, n);
}
void narrow(int32_t dtype, const char* x, char* y, int64_t n) {
  auto* from = reinterpret_cast<const float*>(x);
  auto* to = reinterpret_cast<uint16_t*>(y);
  if (dtype == SC_FLOAT16)
    float_to_half_row(from, to, n);
  else
    float_to_bfloat16_row(from, to, n);
}

constexpr int64_t kSize[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};

// One thread's walk.
class Walker {
 public:
  Walker(const ScIter* it, const RowLoop& loop, const double* p)
      : it_(it), loop_(loop), p_(p), n_(it->noperands) {
    const int last = it->ndim - 1;
    by_rows_ = it->ndim == 1 || it->shape[last] >= kLongRow;
    // Blocks of whole rows, so that an operand which is the same in each row is the same in each block.
    block_size_ = by_rows_ ? kBlock : kBlock / it->shape[last] * it->shape[last];
    uint32_t free_constants = loop.constants;
    for (int k = 0; k < n_; ++k) {
      Operand& o = operand_[k];
      o.size = kSize[it->dtype[k]];
      o.narrow = compute_dtype(it->dtype[k]) != it->dtype[k];
      bool constant = true, flat = true, same_rows = true;
      int64_t expected = 1;
      for (int d = last; d >= 0; --d) {
        constant = constant && it->strides[k][d] == 0;
        same_rows = same_rows && (d == last || it->strides[k][d] == 0);
        flat = flat && it->strides[k][d] == expected;
        expected *= it->shape[d];
      }
      const int64_t inner = it->strides[k][last];
      o.gather = by_rows_ ? inner != 1 : !flat;
      o.step = 1;
      if (k > 0 && (constant || (by_rows_ && inner == 0)) && (free_constants >> k & 1)) {
        free_constants = 0;
        o.step = 0;
        o.gather = false;
      }
      o.once = k > 0 && (by_rows_ ? constant : same_rows);
      o.filled = false;
      blocked_ = blocked_ || ((o.gather || o.narrow) && o.step == 1);
    }
  }
  void run(int64_t from, int64_t to) {
    const int last = it_->ndim - 1;
    Place at(it_, from);
    while (at.flat < to) {
      int64_t n = to - at.flat;
      if (by_rows_ || at.index[last] != 0) n = std::min(n, at.left_in_row(it_));
      if (blocked_) n = std::min(n, block_size_);
      char* data[SC_MAX_OPERANDS];
      int64_t step[SC_MAX_OPERANDS];
      for (int k = 0; k < n_; ++k) {
        step[k] = operand_[k].step;
        data[k] = k == 0 ? output(at) : input(k, at, n);
      }
      loop_.run(data, step, n, p_);
      finish(at, n);
      at.advance(it_, n);
    }
  }

 private:
  struct Operand {
    int64_t size, step;
    bool narrow;  // 16-bit floating: the loop sees float
    bool gather;  // has gaps
    bool once;    // its block is the same each time
    bool filled;  // and has been made
  };
  char* memory(int k, const Place& at) const {
    return static_cast<char*>(it_->data[k]) + at.offset(it_, k) * operand_[k].size;
  }
  char* output(const Place& at) {
    return operand_[0].narrow || operand_[0].gather ? block_[0] : memory(0, at);
  }
  char* input(int k, const Place& at, int64_t n) {
    Operand& o = operand_[k];
    if (!o.gather && !o.narrow) return memory(k, at);
    if (o.step == 0) n = 1;
    // A first piece that starts inside a row is made for itself.
    if (o.once && (by_rows_ || at.index[it_->ndim - 1] == 0)) {
      if (o.filled) return block_[k];
      o.filled = true;
      if (o.step == 1) n = block_size_;
    }
    const char* from = memory(k, at);
    if (o.gather) {
      char* to = o.narrow ? raw_ : block_[k];
      exchange<true>(it_, k, at, n, o.size, to);
      from = to;
    }
    if (o.narrow) widen(it_->dtype[k], from, block_[k], n);
    return block_[k];
  }
  void finish(const Place& at, int64_t n) {
    const Operand& o = operand_[0];
    if (o.narrow) {
      char* to = o.gather ? raw_ : memory(0, at);
      narrow(it_->dtype[0], block_[0], to, n);
      if (o.gather) exchange<false>(it_, 0, at, n, o.size, raw_);
    } else if (o.gather) {
      exchange<false>(it_, 0, at, n, o.size, block_[0]);
    }
  }
  const ScIter* it_;
  const RowLoop& loop_;
  const double* p_;
  const int n_;
  bool by_rows_, blocked_ = false;
  int64_t block_size_;
  Operand operand_[SC_MAX_OPERANDS];
  alignas(64) char block_[4][kBlock * 8];
  alignas(64) char raw_[kBlock * 2];
};

// Rows of contiguous operands, data[0] too large for the caches: Note [Streamed results].
void run_streamed(const RowLoop& loop, char** data, const int64_t* step, const int64_t* bytes, int operands,
                  int64_t n, const double* p) {
  alignas(64) char block[kStreamBlock];
  char* to = data[0];
  data[0] = block;
  int64_t m = (kStreamBlock - static_cast<int64_t>(reinterpret_cast<uintptr_t>(to) % 64)) / bytes[0];
  for (; n > 0; n -= m, m = kStreamBlock / bytes[0]) {
    m = std::min(n, m);
    loop.run(data, step, m, p);
    stream_copy(to, block, m * bytes[0]);
    to += m * bytes[0];
    for (int k = 1; k < operands; ++k) data[k] += m * bytes[k];
  }
  data[0] = to;
  stream_fence();
}

template <class T>
bool has_zero(const ScIter* it, int k) {
  const Place start(it, 0);
  if (it->ndim == 1 && it->strides[k][0] == 0) return *static_cast<const T*>(it->data[k]) == 0;
  Place at = start;
  while (at.flat < it->numel) {
    const int64_t m = at.left_in_row(it), step = it->strides[k][it->ndim - 1];
    const T* x = static_cast<const T*>(it->data[k]) + at.offset(it, k);
    for (int64_t i = 0; i < m; ++i)
      if (x[i * step] == 0) return true;
    at.advance(it, m);
  }
  return false;
}
bool divides_by_zero(int32_t op, const ScIter* it) {
  if (op != SC_DIV_TRUNC && op != SC_DIV_FLOOR && op != SC_FMOD && op != SC_REMAINDER) return false;
  switch (it->dtype[2]) {
    case SC_INT64:
      return has_zero<int64_t>(it, 2);
    case SC_INT32:
      return has_zero<int32_t>(it, 2);
    case SC_INT16:
      return has_zero<int16_t>(it, 2);
    case SC_INT8:
      return has_zero<int8_t>(it, 2);
    case SC_UINT8:
      return has_zero<uint8_t>(it, 2);
    default:
      return false;
  }
}

int32_t unary(int32_t op, const ScIter* it, const double* p) {
  if (op < 0 || op >= SC_UNARY_COUNT) return SC_UNSUPPORTED;
  return run_rows(it, unary_row(op, compute_dtype(it->dtype[1])), p);
}
int32_t binary(int32_t op, const ScIter* it, const double* p) {
  if (op < 0 || op >= SC_BINARY_COUNT) return SC_UNSUPPORTED;
  if (divides_by_zero(op, it)) return fail("ZeroDivisionError");
  return run_rows(it, binary_row(op, compute_dtype(it->dtype[1])), p);
}
int32_t ternary(int32_t op, const ScIter* it, const double* p) {
  if (op < 0 || op >= SC_TERNARY_COUNT) return SC_UNSUPPORTED;
  if (op == SC_WHERE && kSize[it->dtype[0]] == 2) {  // moves bytes: the 16-bit types need no conversion
    ScIter raw = *it;
    for (int k : {0, 2, 3}) raw.dtype[k] = SC_INT16;
    return run_rows(&raw, ternary_row(op, SC_INT16), p);
  }
  return run_rows(it, ternary_row(op, compute_dtype(it->dtype[0])), p);
}

SC_CPU_KERNEL(elementwise.unary, unary);
SC_CPU_KERNEL(elementwise.binary, binary);
SC_CPU_KERNEL(elementwise.ternary, ternary);
SC_CPU_KERNEL(last_error, last_error);
}  // namespace

int32_t fail(const char* text) {
  g_last_error = text;
  return SC_ERROR;
}

int32_t run_rows(const ScIter* it, const RowLoop& loop, const double* p) {
  if (!loop.run) return SC_UNSUPPORTED;
  // The common case, free of all set-up: one row of contiguous operands, at most one of them a value that the
  // loop takes.
  if (it->ndim == 1) {
    bool direct = it->strides[0][0] == 1;
    uint32_t zeros = 0;
    for (int k = 0; k < it->noperands; ++k) {
      const int64_t s = it->strides[k][0];
      direct = direct && (s == 0 || s == 1) && compute_dtype(it->dtype[k]) == it->dtype[k];
      zeros |= static_cast<uint32_t>(s == 0) << k;
    }
    if (direct && (zeros & ~loop.constants) == 0 && (zeros & (zeros - 1)) == 0) {
      char* base[SC_MAX_OPERANDS];
      int64_t step[SC_MAX_OPERANDS], bytes[SC_MAX_OPERANDS];
      for (int k = 0; k < it->noperands; ++k) {
        base[k] = static_cast<char*>(it->data[k]);
        step[k] = it->strides[k][0];
        bytes[k] = step[k] * kSize[it->dtype[k]];
      }
      if (it->numel <= loop.grain) {
        loop.run(base, step, it->numel, p);
        return SC_OK;
      }
      bool streamed = is_streamed(it->numel * kSize[it->dtype[0]]);
      for (int k = 1; k < it->noperands; ++k) streamed = streamed && base[k] != base[0];  // not in place
      parallel_for(0, it->numel, loop.grain, [&](int64_t from, int64_t to) {
        char* data[SC_MAX_OPERANDS];
        for (int k = 0; k < it->noperands; ++k) data[k] = base[k] + from * bytes[k];
        if (streamed)
          run_streamed(loop, data, step, bytes, it->noperands, to - from, p);
        else
          loop.run(data, step, to - from, p);
      });
      return SC_OK;
    }
  }
  parallel_for(0, it->numel, loop.grain,
               [&](int64_t from, int64_t to) { Walker(it, loop, p).run(from, to); });
  return SC_OK;
}

}  // namespace sconce::cpu
