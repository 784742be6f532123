// Scaled dot-product attention: a fused kernel, and the composition that it stands for.
#include <cmath>
#include <limits>

#include "ops.h"

namespace sconce::ops {
namespace {
constexpr double kMinusInf = -std::numeric_limits<double>::infinity();

Tensor transposed(const Tensor& x) { return transpose(x, -2, -1); }

// softmax over the last dimension, zero where every score is -inf
Tensor probabilities(const Tensor& scores) {
  const IntList last{-1};
  if (scores.numel() == 0) return scores;
  Tensor top;
  {
    NoGradGuard guard;
    const Tensor highest = amax(scores.detach(), last, true);
    top = where_scalar(isinf(highest), zeros_like_raw(highest), 0);
    top = where(isinf(highest), top, highest);
  }
  const Tensor e = exp(scores - top);
  const Tensor total = sum_dim(e, last, true);
  Tensor empty_row;
  {
    NoGradGuard guard;
    empty_row = logical_not(total.detach());
  }
  return e / where_scalar(logical_not(empty_row), total, 1);
}

// `mask` is added to the scores.
Tensor weights(const Tensor& q, const Tensor& k, const Tensor& mask, double scale) {
  Tensor scores = matmul(q, transposed(k)) * Scalar(scale);
  if (mask) scores = scores + mask;
  return probabilities(scores);
}

struct Setting {
  bool causal;
  double scale;
};

Tensor causal_mask(int64_t queries, int64_t keys,
                   const Tensor& like) {  // 0 on and below the diagonal, -inf above
  NoGradGuard guard;
  Tensor m = empty({queries, keys}, like.dtype(), like.device());
  fill_into(m, Scalar(kMinusInf));
  return triu(m, 1);
}

bool rows_are_contiguous(const Tensor& t) { return t.strides()[3] == 1 || t.sizes()[3] <= 1; }
Tensor usable(const Tensor& t) { return rows_are_contiguous(t) ? t : contiguous_raw(t); }
void strides_of(const Tensor& t, int64_t* s) {
  for (int i = 0; i < 3; ++i) s[i] = t.strides()[i];
}

ScAttention arguments(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                      const Setting& o) {
  ScAttention a{};
  a.dtype = static_cast<int32_t>(q.dtype());
  a.causal = o.causal;
  a.scale = o.scale;
  a.batch = q.sizes()[0];
  a.heads = q.sizes()[1];
  a.queries = q.sizes()[2];
  a.keys = k.sizes()[2];
  a.depth = q.sizes()[3];
  a.value_depth = v.sizes()[3];
  a.q = q.data();
  a.k = k.data();
  a.v = v.data();
  strides_of(q, a.q_strides);
  strides_of(k, a.k_strides);
  strides_of(v, a.v_strides);
  if (mask) {
    a.mask = mask.data();
    for (int i = 0; i < 4; ++i) a.mask_strides[i] = mask.strides()[i];
  }
  return a;
}

// Gradients of q, k and v in differentiable operators: what second derivatives are taken of.
TensorList composed_backward(const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v,
                             const Tensor& mask, double scale) {
  const Tensor p = weights(q, k, mask, scale);
  const Tensor dp = matmul(g, transposed(v));
  const Tensor ds = p * (dp - sum_dim(dp * p, IntList{-1}, true)) * Scalar(scale);
  return {matmul(ds, k), matmul(transposed(ds), q), matmul(transposed(p), g)};
}

// [N, H, L, E], [N, H, S, E], [N, H, S, Ev] -> [N, H, L, Ev], laid out as [N, L, H, Ev]
Tensor fused(const Tensor& q0, const Tensor& k0, const Tensor& v0, const Tensor& mask, const Setting& o) {
  const Tensor q = usable(q0), k = usable(k0), v = usable(v0);
  const ScAttentionKernels& kernels = backend_of(q.device()).attention;
  const int64_t n = q.sizes()[0], h = q.sizes()[1], l = q.sizes()[2], e = v.sizes()[3];
  Tensor y = empty_strided({n, h, l, e}, {l * h * e, e, h * e, 1}, q.dtype(), q.device());
  const Tensor lse = empty({n, h, l}, q.dtype(), q.device());
  ScAttention a = arguments(q, k, v, mask, o);
  a.y = y.data();
  strides_of(y, a.y_strides);
  a.logsumexp = lse.data();
  check_kernel(kernels.forward(&a), q.device(), "scaled_dot_product_attention");
  differentiable("ScaledDotProductFlashAttentionForCpuBackward0", y)
      .wrt_all({q0, k0, v0},
               [q = saved(q0), k = saved(k0), v = saved(v0), mask, lse, o](
                   const TensorList& grads, const std::vector<bool>&) -> TensorList {
                 const Tensor& g = grads[0];
                 if (recording()) {
                   Tensor bias = mask;
                   if (o.causal) bias = causal_mask(q().sizes()[2], k().sizes()[2], q());
                   return composed_backward(g, q(), k(), v(), bias, o.scale);
                 }
                 const Tensor q1 = usable(q()), k1 = usable(k()), v1 = usable(v()), dy = usable(g);
                 Tensor dq = empty(q1.sizes(), q1.dtype(), q1.device()),
                        dk = empty(k1.sizes(), k1.dtype(), k1.device()),
                        dv = empty(v1.sizes(), v1.dtype(), v1.device());
                 ScAttention b = arguments(q1, k1, v1, mask, o);
                 b.dy = dy.data();
                 strides_of(dy, b.dy_strides);
                 b.logsumexp = lse.data();
                 b.dq = dq.data();
                 b.dk = dk.data();
                 b.dv = dv.data();
                 check_kernel(backend_of(q1.device()).attention.backward(&b), q1.device(),
                              "scaled_dot_product_attention_backward");
                 return {dq, dk, dv};
               })
      .finish();
  return y;
}

// PyTorch fuses the same cases, and composes the others.
bool fits_kernel(const Tensor& q, const Tensor& k, const Tensor& v) {
  const ScAttentionKernels& kernels = backend_of(q.device()).attention;
  if (!kernels.forward || !kernels.backward || q.dim() != 4 || k.dim() != 4 || v.dim() != 4) return false;
  if (q.dtype() != DType::kFloat32 && q.dtype() != DType::kFloat64) return false;
  const Dims &a = q.sizes(), &b = k.sizes(), &c = v.sizes();
  return q.device() == k.device() && q.device() == v.device() && a[0] == b[0] && a[0] == c[0] &&
         a[1] == b[1] && a[1] == c[1] && a[3] == b[3] && a[3] == c[3] && b[2] == c[2] && b[2] > 0 &&
         a[3] > 0 && q.numel() > 0 && v.numel() > 0;
}

const char* dtype_in_words(DType t) {
  static constexpr const char* kNames[kNumDTypes] = {"float",         "double", "c10::Half", "c10::BFloat16",
                                                     "long int",      "int",    "short int", "signed char",
                                                     "unsigned char", "bool"};
  return kNames[static_cast<int>(t)];
}

// Every key head serves several query heads.
Tensor repeated_heads(const Tensor& x, int64_t heads) {
  const int64_t have = x.size(-3);
  if (have == heads) return x;
  SC_CHECK(have > 0 && heads % have == 0,
           "Number of heads in key and value must divide the number of heads in query.");
  Dims wide = x.sizes(), out = x.sizes();
  wide.insert(x.dim() - 2, heads / have);
  out[x.dim() - 3] = heads;
  return reshape(expand(unsqueeze(x, -3), wide), out);
}
}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    const std::optional<double>& scale, bool enable_gqa) {
  SC_CHECK(query.dtype() == key.dtype() && query.dtype() == value.dtype(),
           "Expected query, key, and value to have the same dtype, but got query.dtype: ",
           dtype_in_words(query.dtype()), " key.dtype: ", dtype_in_words(key.dtype()),
           " and value.dtype: ", dtype_in_words(value.dtype()), " instead.");
  SC_CHECK(query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2,
           "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
           query.dim(), " key.dim: ", key.dim(), " and value.dim: ", value.dim(), " instead.");
  SC_CHECK(!attn_mask || !is_causal,
           "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True");
  SC_CHECK(!attn_mask || attn_mask.dtype() == DType::kBool || attn_mask.dtype() == query.dtype() ||
               attn_mask.dtype() == DType::kFloat32,
           "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ",
           attn_mask ? dtype_in_words(attn_mask.dtype()) : "",
           " and  query.dtype: ", dtype_in_words(query.dtype()), " instead.");
  SC_CHECK(query.is_floating_point(), "expected scalar type Float but found ",
           scalar_type_name(query.dtype()));
  if (is_reduced_floating(query.dtype())) {  // scores and sums in float
    const auto wide = [](const Tensor& t) {
      return t && is_reduced_floating(t.dtype()) ? to_dtype(t, DType::kFloat32) : t;
    };
    return to_dtype(scaled_dot_product_attention(wide(query), wide(key), wide(value), wide(attn_mask),
                                                 dropout_p, is_causal, scale, enable_gqa),
                    query.dtype());
  }
  const Tensor k = enable_gqa ? repeated_heads(key, query.size(-3)) : key,
               v = enable_gqa ? repeated_heads(value, query.size(-3)) : value;
  const Setting o{is_causal, scale ? *scale : 1 / std::sqrt(static_cast<double>(query.size(-1)))};
  Tensor mask = attn_mask;
  if (mask && mask.dtype() == DType::kBool) {  // false: not attended to
    NoGradGuard guard;
    Tensor added = empty(mask.sizes(), query.dtype(), query.device());
    fill_into(added, Scalar(kMinusInf));
    mask = masked_fill(added, mask, Scalar(0.0));
  } else if (mask) {
    mask = to_dtype(mask, query.dtype());
  }
  const bool differentiable_mask = mask && mask.tracked() && recording();
  bool same_scores = true;  // the mask does not widen them
  if (mask) {
    Dims shape = query.sizes();
    shape[query.dim() - 1] = k.size(-2);
    same_scores = broadcast_shapes(shape, mask.sizes()) == shape;
  }
  if (dropout_p == 0 && !differentiable_mask && same_scores && fits_kernel(query, k, v)) {
    Tensor m = mask;
    if (m) m = expand(m.detach(), {query.sizes()[0], query.sizes()[1], query.sizes()[2], k.sizes()[2]});
    return fused(query, k, v, m, o);
  }
  if (is_causal) mask = causal_mask(query.size(-2), k.size(-2), query);
  Tensor p = weights(query, k, mask, o.scale);
  if (dropout_p > 0) p = dropout(p, dropout_p, true);
  return matmul(p, v);
}
OP("scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
   "dropout_p=0.0, bool is_causal=False, *, float? "
   "scale=None, bool enable_gqa=False) -> Tensor",
   scaled_dot_product_attention, kNN,
   R"(Attention: `softmax(query @ key.T * scale + mask) @ value`; `[..., L, E]`, `[..., S, E]` and `[..., S, V]` give `[..., L, V]`.

`attn_mask` is added to the scores, or, when bool, false removes a key; with `is_causal` query `i` sees keys `0..i`. `scale` defaults to `1 / sqrt(E)`.
A query that sees no key gives zeros. `dropout_p` drops weights whenever it is not 0. `enable_gqa` repeats the heads of key and value.
Throws when dtypes or shapes do not fit, or when a mask is given together with `is_causal`.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html

@example
const [q, v] = [torch.zeros(1, 1, 2, 4), torch.tensor([[[[1], [3]]]])];
torch.nn.functional.scaled_dot_product_attention(q, q, v) // tensor([[[[2.],
//           [2.]]]])
torch.nn.functional.scaled_dot_product_attention(q, q, v, { is_causal: true }) // tensor([[[[1.],
//           [2.]]]])
)");

}  // namespace sconce::ops
