// Fused optimizer steps. The arithmetic is that of PyTorch's tensor-by-tensor steps, rounding for rounding
// where its kernels use fused multiply-adds, so that loss curves agree for long.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "csrc/cpu/optim.cc"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "../backend/optim.h"
#include "../core/device.h"
#include "../core/float16.h"
#include "../core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace sconce {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One step over `n` elements in vectors, the rest one by one with the same operations.
template <class T, class F>
void for_each_vector(int64_t n, const F& step) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> one;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(d, i);
  for (; i < n; ++i) step(one, i);
}

// The gradient that the step uses: negated for ascent, with the decay that belongs to it.
template <class D, class T>
HWY_INLINE hn::Vec<D> effective_grad(D d, const T* g, hn::Vec<D> p, bool maximize, T weight_decay) {
  hn::Vec<D> grad = hn::LoadU(d, g);
  if (maximize) grad = hn::Neg(grad);
  return weight_decay == 0 ? grad : hn::MulAdd(p, hn::Set(d, weight_decay), grad);
}

// a + w (b - a), from whichever end is nearer.
template <class D, class T>
HWY_INLINE hn::Vec<D> lerp(D d, hn::Vec<D> a, hn::Vec<D> b, T w) {
  const auto difference = hn::Sub(b, a);
  return w < T(0.5) ? hn::MulAdd(hn::Set(d, w), difference, a) : hn::MulAdd(hn::Set(d, w - 1), difference, b);
}

template <class T>
void sgd_typed(const ScSgd& s, T* p, const T* g, T* b, int64_t n) {
  const T lr = static_cast<T>(s.lr), momentum = static_cast<T>(s.momentum),
          keep = static_cast<T>(1 - s.dampening);
  const T weight_decay = static_cast<T>(s.weight_decay);
  for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    auto param = hn::LoadU(d, p + i);
    auto grad = effective_grad(d, g + i, param, s.maximize != 0, weight_decay);
    if (b != nullptr) {
      const auto m = hn::Set(d, momentum);
      const auto buffer =
          s.first_step ? grad : hn::MulAdd(grad, hn::Set(d, keep), hn::Mul(hn::LoadU(d, b + i), m));
      hn::StoreU(buffer, d, b + i);
      grad = s.nesterov ? hn::MulAdd(buffer, m, grad) : buffer;
    }
    hn::StoreU(hn::MulAdd(grad, hn::Set(d, -lr), param), d, p + i);
  });
}

template <class T>
void adam_typed(const ScAdam& s, int64_t k, T* p, const T* g, T* m, T* v, T* vmax, int64_t n) {
  const bool decoupled = s.decoupled_weight_decay != 0 && s.weight_decay != 0;
  const T weight_decay = static_cast<T>(s.decoupled_weight_decay ? 0 : s.weight_decay);
  const T shrink = static_cast<T>(1 - s.lr * s.weight_decay);
  const T step_size = static_cast<T>(s.step_sizes[k]), denominator = static_cast<T>(s.denominators[k]);
  const T w1 = static_cast<T>(1 - s.beta1), beta2 = static_cast<T>(s.beta2), w2 = static_cast<T>(1 - s.beta2);
  const T eps = static_cast<T>(s.eps);
  for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    auto param = hn::LoadU(d, p + i);
    const auto grad = effective_grad(d, g + i, param, s.maximize != 0, weight_decay);
    if (decoupled) param = hn::Mul(param, hn::Set(d, shrink));
    const auto mean = lerp(d, hn::LoadU(d, m + i), grad, w1);
    hn::StoreU(mean, d, m + i);
    const auto decayed = hn::Mul(hn::LoadU(d, v + i), hn::Set(d, beta2));
    auto square = hn::MulAdd(hn::Mul(hn::Set(d, w2), grad), grad, decayed);
    hn::StoreU(square, d, v + i);
    if (vmax != nullptr) {
      square = hn::Max(hn::LoadU(d, vmax + i), square);
      hn::StoreU(square, d, vmax + i);
    }
    const auto root = hn::Add(hn::Div(hn::Sqrt(square), hn::Set(d, denominator)), hn::Set(d, eps));
    hn::StoreU(hn::Add(param, hn::Div(hn::Mul(hn::Set(d, -step_size), mean), root)), d, p + i);
  });
}

template <class T>
void rmsprop_typed(const ScRmsprop& s, T* p, const T* g, T* v, T* ga, T* b, int64_t n) {
  const T lr = static_cast<T>(s.lr), alpha = static_cast<T>(s.alpha), w = static_cast<T>(1 - s.alpha);
  const T eps = static_cast<T>(s.eps), momentum = static_cast<T>(s.momentum),
          weight_decay = static_cast<T>(s.weight_decay);
  for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    const auto param = hn::LoadU(d, p + i);
    const auto grad = effective_grad(d, g + i, param, s.maximize != 0, weight_decay);
    const auto decayed = hn::Mul(hn::LoadU(d, v + i), hn::Set(d, alpha));
    const auto square = hn::MulAdd(hn::Mul(hn::Set(d, w), grad), grad, decayed);
    hn::StoreU(square, d, v + i);
    auto variance = square;
    if (ga != nullptr) {
      const auto mean = lerp(d, hn::LoadU(d, ga + i), grad, w);
      hn::StoreU(mean, d, ga + i);
      variance = hn::NegMulAdd(mean, mean, square);
    }
    const auto root = hn::Add(hn::Sqrt(variance), hn::Set(d, eps));
    if (b != nullptr) {
      const auto buffer = hn::Add(hn::Mul(hn::LoadU(d, b + i), hn::Set(d, momentum)), hn::Div(grad, root));
      hn::StoreU(buffer, d, b + i);
      hn::StoreU(hn::MulAdd(buffer, hn::Set(d, -lr), param), d, p + i);
    } else {
      hn::StoreU(hn::Add(param, hn::Div(hn::Mul(hn::Set(d, -lr), grad), root)), d, p + i);
    }
  });
}

void sgd_f32(const ScSgd& s, float* p, const float* g, float* b, int64_t n) { sgd_typed(s, p, g, b, n); }
void sgd_f64(const ScSgd& s, double* p, const double* g, double* b, int64_t n) { sgd_typed(s, p, g, b, n); }
void adam_f32(const ScAdam& s, int64_t k, float* p, const float* g, float* m, float* v, float* vmax,
              int64_t n) {
  adam_typed(s, k, p, g, m, v, vmax, n);
}
void adam_f64(const ScAdam& s, int64_t k, double* p, const double* g, double* m, double* v, double* vmax,
              int64_t n) {
  adam_typed(s, k, p, g, m, v, vmax, n);
}
void rmsprop_f32(const ScRmsprop& s, float* p, const float* g, float* v, float* ga, float* b, int64_t n) {
  rmsprop_typed(s, p, g, v, ga, b, n);
}
void rmsprop_f64(const ScRmsprop& s, double* p, const double* g, double* v, double* ga, double* b,
                 int64_t n) {
  rmsprop_typed(s, p, g, v, ga, b, n);
}

}  // namespace HWY_NAMESPACE
}  // namespace sconce
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sconce {
HWY_EXPORT(sgd_f32);
HWY_EXPORT(sgd_f64);
HWY_EXPORT(adam_f32);
HWY_EXPORT(adam_f64);
HWY_EXPORT(rmsprop_f32);
HWY_EXPORT(rmsprop_f64);

namespace {
constexpr int64_t kBlock =
    4096;                      // elements per piece of work: fits the first-level caches with all its states
constexpr int64_t kGrain = 8;  // blocks below which it is not worth waking a thread

// Calls body(tensor, from, to) over pieces of all tensors, spread over the threads.
template <class F>
void for_each_block(const ScParamLists& lists, const F& body) {
  std::vector<int64_t> first_block(static_cast<size_t>(lists.count) + 1, 0);
  for (int64_t k = 0; k < lists.count; ++k) {
    const auto at = static_cast<size_t>(k);
    first_block[at + 1] = first_block[at] + (lists.numel[k] + kBlock - 1) / kBlock;
  }
  parallel_for(0, first_block.back(), kGrain, [&](int64_t begin, int64_t end) {
    auto at = std::upper_bound(first_block.begin(), first_block.end(), begin) - 1;
    for (int64_t block = begin; block < end; ++block) {
      while (block >= *(at + 1)) ++at;
      const int64_t k = at - first_block.begin();
      const int64_t from = (block - *at) * kBlock;
      body(k, from, std::min(lists.numel[k], from + kBlock));
    }
  });
}

// A piece of a list of 16-bit floats as floats, written back on request. A null list gives null.
template <class H>
struct Widened {
  Widened(const void* const* list, int64_t k, int64_t from, int64_t n) : n(n) {
    if (list == nullptr) return;
    data = values;
    source = static_cast<const H*>(list[k]) + from;
    for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(source[i]);
  }
  void store() const {
    auto* target = const_cast<H*>(source);
    for (int64_t i = 0; target != nullptr && i < n; ++i) target[i] = H(values[i]);
  }
  const H* source = nullptr;
  int64_t n;
  float* data = nullptr;
  float values[kBlock];
};

template <class T>
T* at(void* const* list, int64_t k, int64_t from) {
  return list == nullptr ? nullptr : static_cast<T*>(list[k]) + from;
}
template <class T>
const T* at(const void* const* list, int64_t k, int64_t from) {
  return static_cast<const T*>(list[k]) + from;
}

template <class H>
void sgd_half(const ScSgd& s, int64_t k, int64_t from, int64_t n) {
  Widened<H> p(s.lists.params, k, from, n), g(s.lists.grads, k, from, n), b(s.momentum_buffers, k, from, n);
  HWY_DYNAMIC_DISPATCH(sgd_f32)(s, p.data, g.data, b.data, n);
  p.store();
  b.store();
}

int32_t sgd(const ScSgd* s) {
  const ScParamLists& l = s->lists;
  for_each_block(l, [&](int64_t k, int64_t from, int64_t to) {
    const int64_t n = to - from;
    if (l.dtype == SC_FLOAT32) {
      HWY_DYNAMIC_DISPATCH(sgd_f32)
      (*s, at<float>(l.params, k, from), at<float>(l.grads, k, from), at<float>(s->momentum_buffers, k, from),
       n);
    } else if (l.dtype == SC_FLOAT64) {
      HWY_DYNAMIC_DISPATCH(sgd_f64)
      (*s, at<double>(l.params, k, from), at<double>(l.grads, k, from),
       at<double>(s->momentum_buffers, k, from), n);
    } else if (l.dtype == SC_FLOAT16) {
      sgd_half<half_t>(*s, k, from, n);
    } else {
      sgd_half<bfloat16_t>(*s, k, from, n);
    }
  });
  return SC_OK;
}

template <class H>
void adam_half(const ScAdam& s, int64_t k, int64_t from, int64_t n) {
  Widened<H> p(s.lists.params, k, from, n), g(s.lists.grads, k, from, n), m(s.exp_avgs, k, from, n);
  Widened<H> v(s.exp_avg_sqs, k, from, n), vmax(s.max_exp_avg_sqs, k, from, n);
  HWY_DYNAMIC_DISPATCH(adam_f32)(s, k, p.data, g.data, m.data, v.data, vmax.data, n);
  p.store();
  m.store();
  v.store();
  vmax.store();
}

int32_t adam(const ScAdam* s) {
  const ScParamLists& l = s->lists;
  for_each_block(l, [&](int64_t k, int64_t from, int64_t to) {
    const int64_t n = to - from;
    if (l.dtype == SC_FLOAT32) {
      HWY_DYNAMIC_DISPATCH(adam_f32)
      (*s, k, at<float>(l.params, k, from), at<float>(l.grads, k, from), at<float>(s->exp_avgs, k, from),
       at<float>(s->exp_avg_sqs, k, from), at<float>(s->max_exp_avg_sqs, k, from), n);
    } else if (l.dtype == SC_FLOAT64) {
      HWY_DYNAMIC_DISPATCH(adam_f64)
      (*s, k, at<double>(l.params, k, from), at<double>(l.grads, k, from), at<double>(s->exp_avgs, k, from),
       at<double>(s->exp_avg_sqs, k, from), at<double>(s->max_exp_avg_sqs, k, from), n);
    } else if (l.dtype == SC_FLOAT16) {
      adam_half<half_t>(*s, k, from, n);
    } else {
      adam_half<bfloat16_t>(*s, k, from, n);
    }
  });
  return SC_OK;
}

template <class H>
void rmsprop_half(const ScRmsprop& s, int64_t k, int64_t from, int64_t n) {
  Widened<H> p(s.lists.params, k, from, n), g(s.lists.grads, k, from, n), v(s.square_avgs, k, from, n);
  Widened<H> ga(s.grad_avgs, k, from, n), b(s.momentum_buffers, k, from, n);
  HWY_DYNAMIC_DISPATCH(rmsprop_f32)(s, p.data, g.data, v.data, ga.data, b.data, n);
  p.store();
  v.store();
  ga.store();
  b.store();
}

int32_t rmsprop(const ScRmsprop* s) {
  const ScParamLists& l = s->lists;
  for_each_block(l, [&](int64_t k, int64_t from, int64_t to) {
    const int64_t n = to - from;
    if (l.dtype == SC_FLOAT32) {
      HWY_DYNAMIC_DISPATCH(rmsprop_f32)
      (*s, at<float>(l.params, k, from), at<float>(l.grads, k, from), at<float>(s->square_avgs, k, from),
       at<float>(s->grad_avgs, k, from), at<float>(s->momentum_buffers, k, from), n);
    } else if (l.dtype == SC_FLOAT64) {
      HWY_DYNAMIC_DISPATCH(rmsprop_f64)
      (*s, at<double>(l.params, k, from), at<double>(l.grads, k, from), at<double>(s->square_avgs, k, from),
       at<double>(s->grad_avgs, k, from), at<double>(s->momentum_buffers, k, from), n);
    } else if (l.dtype == SC_FLOAT16) {
      rmsprop_half<half_t>(*s, k, from, n);
    } else {
      rmsprop_half<bfloat16_t>(*s, k, from, n);
    }
  });
  return SC_OK;
}

SC_CPU_KERNEL(optim.sgd, sgd);
SC_CPU_KERNEL(optim.adam, adam);
SC_CPU_KERNEL(optim.rmsprop, rmsprop);
}  // namespace
}  // namespace sconce
#endif  // HWY_ONCE
