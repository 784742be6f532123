// float32 products through oneDNN: its sgemm, and for large ones its matmul primitive, which reads B packed.
#include <dnnl.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "core/parallel.h"
#include "onednn.h"
#include "primitive.h"

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

// ---- products with a packed B ----
struct Packing {
  dnnl::matmul product;
  dnnl::reorder pack;
  dnnl::memory::desc a, b, packed, c, bias, scratchpad;
};

// Prepared once per thread for everything that shapes it. Null where oneDNN declines.
const Packing* packing(const ScMatmul& q, bool accumulate) {
  using Key = std::array<int64_t, 11>;
  static thread_local std::map<Key, std::unique_ptr<Packing>> known;
  constexpr size_t kLimit = 256;
  const Key key{q.m,     q.n,     q.k,        q.a_row,           q.a_col,      q.b_row,
                q.b_col, q.c_row, accumulate, q.bias != nullptr, num_threads()};
  auto it = known.find(key);
  if (it != known.end()) return it->second.get();
  if (known.size() >= kLimit) known.clear();
  const auto f32 = dnnl::memory::data_type::f32;
  std::unique_ptr<Packing> p;
  try {
    p = std::make_unique<Packing>();
    p->a = {{q.m, q.k}, f32, dnnl::memory::dims{q.a_row, q.a_col}};
    p->b = {{q.k, q.n}, f32, dnnl::memory::dims{q.b_row, q.b_col}};
    p->c = {{q.m, q.n}, f32, dnnl::memory::dims{q.c_row, 1}};
    dnnl::primitive_attr attr = attributes();
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0F);
      attr.set_post_ops(sum);
    }
    const dnnl::memory::desc any({q.k, q.n}, f32, dnnl::memory::format_tag::any);
    if (q.bias) p->bias = {{1, q.n}, f32, dnnl::memory::format_tag::ab};
    const dnnl::matmul::desc d =
        q.bias ? dnnl::matmul::desc(p->a, any, p->bias, p->c) : dnnl::matmul::desc(p->a, any, p->c);
    const dnnl::matmul::primitive_desc pd(d, attr, engine());
    p->packed = pd.weights_desc();
    p->scratchpad = pd.scratchpad_desc();
    p->product = dnnl::matmul(pd);
    p->pack = dnnl::reorder({engine(), p->b, engine(), p->packed});
  } catch (const dnnl::error&) {
    p = nullptr;
  }
  return (known[key] = std::move(p)).get();
}

const Packing* packing_for(const ScMatmul& q) {
  if (q.dtype != SC_FLOAT32 || q.batch != 1 || q.alpha != 1 || (q.beta != 0 && q.beta != 1) || q.c_col != 1 ||
      q.k == 0)
    return nullptr;
  return packing(q, q.beta == 1);
}

void pack(const Packing& p, const ScMatmul& q, void* to) {
  dnnl::memory b(p.b, engine(), const_cast<void*>(q.b)), packed(p.packed, engine(), to);
  const_cast<dnnl::reorder&>(p.pack).execute(stream(), b, packed);
}

int32_t run_packed(const Packing& p, const ScMatmul& q, const void* packed) {
  Workspace w;
  const auto memory = [](const dnnl::memory::desc& d, const void* data) {
    return dnnl::memory(d, engine(), const_cast<void*>(data));
  };
  std::unordered_map<int, dnnl::memory> arguments{
      {DNNL_ARG_SRC, memory(p.a, q.a)},
      {DNNL_ARG_WEIGHTS, memory(p.packed, packed)},
      {DNNL_ARG_DST, memory(p.c, q.c)},
      {DNNL_ARG_SCRATCHPAD, memory(p.scratchpad, w.get(p.scratchpad.get_size()))}};
  if (q.bias) arguments.emplace(DNNL_ARG_BIAS, memory(p.bias, q.bias));
  p.product.execute(stream(), arguments);
  return SC_OK;
}

// When packing B for one product pays: where A is transposed, which sgemm reads slowly; and with a bias,
// which sgemm does not know, where B is small beside A.
bool pays(const ScMatmul& q) {
  const int64_t work = q.m * q.n * q.k;
  return q.bias ? q.m >= 512 && work >= int64_t{1} << 20 : q.a_col != 1 && work >= int64_t{1} << 28;
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

int64_t matmul_packed_bytes(const ScMatmul* q) {
  const Packing* p = packing_for(*q);
  return p ? static_cast<int64_t>(p->packed.get_size()) : 0;
}

int32_t matmul_pack(const ScMatmul* q, void* packed) {
  const Packing* p = packing_for(*q);
  if (!p) return SC_UNSUPPORTED;
  pack(*p, *q, packed);
  return SC_OK;
}

int32_t matmul(const ScMatmul* args) {
  ScMatmul q = *args;
  if (q.packed || pays(q)) {
    if (const Packing* p = packing_for(q)) {
      if (q.packed) return run_packed(*p, q, q.packed);
      Workspace w;
      void* packed = w.get(p->packed.get_size());
      pack(*p, q, packed);
      return run_packed(*p, q, packed);
    }
    if (q.packed) return SC_ERROR;
  }
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
