// Fused optimizer steps: the tensors of a step travel in groups as kernel arguments, one launch per group.
#include "elementwise.cuh"
#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

constexpr int kGroup = 40;  // tensors per launch: what fits beside the rest into 4 KiB of arguments
constexpr int kLists = 5;   // params, grads and up to three states

// The k-th tensors of all lists, their elements numbered through from the first tensor to the last.
struct Group {
  int32_t dtype, count;
  int64_t end[kGroup];  // elements up to and with tensor k
  void* data[kLists][kGroup];
  // The tensor that element i falls into; i becomes its place there.
  SC_HD int find(int64_t* i) const {
    int low = 0, high = count - 1;
    while (low < high) {
      const int mid = (low + high) / 2;
      if (*i < end[mid])
        high = mid;
      else
        low = mid + 1;
    }
    if (low > 0) *i -= end[low - 1];
    return low;
  }
};

template <class C>
struct Slot {
  const Group* g;
  int k;
  int64_t i;
  SC_HD bool has(int list) const { return g->data[list][k] != nullptr; }
  SC_HD C load(int list) const { return Elements<C>(g->data[list][k], g->dtype).load(i); }
  SC_HD void store(int list, C v) const { Elements<C>(g->data[list][k], g->dtype).store(i, v); }
};
enum { kParam = 0, kGrad = 1, kState = 2 };

template <class C>
SC_HD C effective_grad(const Slot<C>& s, C param, bool maximize, C weight_decay) {
  const C grad = maximize ? -s.load(kGrad) : s.load(kGrad);
  return weight_decay == C(0) ? grad : grad + weight_decay * param;
}
// a + w (b - a), from whichever end is nearer.
template <class C>
SC_HD C mix(C a, C b, C w) {
  return w < C(0.5) ? a + w * (b - a) : b - (C(1) - w) * (b - a);
}

template <class C>
struct Sgd {
  Group group;
  C lr, momentum, keep, weight_decay;
  bool nesterov, maximize, first_step;
  Sgd(const Group& g, const ScSgd& s, int64_t)
      : group(g),
        lr(static_cast<C>(s.lr)),
        momentum(static_cast<C>(s.momentum)),
        keep(static_cast<C>(1 - s.dampening)),
        weight_decay(static_cast<C>(s.weight_decay)),
        nesterov(s.nesterov != 0),
        maximize(s.maximize != 0),
        first_step(s.first_step != 0) {}
  SC_HD void operator()(int64_t i) const {
    const int k = group.find(&i);
    const Slot<C> s{&group, k, i};
    const C param = s.load(kParam);
    C grad = effective_grad(s, param, maximize, weight_decay);
    if (s.has(kState)) {
      const C buffer = first_step ? grad : s.load(kState) * momentum + grad * keep;
      s.store(kState, buffer);
      grad = nesterov ? grad + buffer * momentum : buffer;
    }
    s.store(kParam, param - lr * grad);
  }
};

template <class C>
struct Adam {
  Group group;
  double step_size[kGroup], denominator[kGroup];
  C w1, beta2, w2, eps, weight_decay, shrink;
  bool maximize, decoupled;
  Adam(const Group& g, const ScAdam& s, int64_t first)
      : group(g),
        w1(static_cast<C>(1 - s.beta1)),
        beta2(static_cast<C>(s.beta2)),
        w2(static_cast<C>(1 - s.beta2)),
        eps(static_cast<C>(s.eps)),
        weight_decay(static_cast<C>(s.decoupled_weight_decay ? 0 : s.weight_decay)),
        shrink(static_cast<C>(1 - s.lr * s.weight_decay)),
        maximize(s.maximize != 0),
        decoupled(s.decoupled_weight_decay != 0 && s.weight_decay != 0) {
    for (int k = 0; k < g.count; ++k) {
      step_size[k] = s.step_sizes[first + k];
      denominator[k] = s.denominators[first + k];
    }
  }
  SC_HD void operator()(int64_t i) const {
    const int k = group.find(&i);
    const Slot<C> s{&group, k, i};
    C param = s.load(kParam);
    const C grad = effective_grad(s, param, maximize, weight_decay);
    if (decoupled) param *= shrink;
    const C mean = mix(s.load(kState), grad, w1);
    s.store(kState, mean);
    C square = s.load(kState + 1) * beta2 + w2 * grad * grad;
    s.store(kState + 1, square);
    if (s.has(kState + 2)) {
      const C most = s.load(kState + 2);
      square = most > square ? most : square;
      s.store(kState + 2, square);
    }
    const C step = static_cast<C>(step_size[k]), scale = static_cast<C>(denominator[k]);
    s.store(kParam, param - step * mean / (std::sqrt(square) / scale + eps));
  }
};

template <class C>
struct Rmsprop {
  Group group;
  C lr, alpha, w, eps, momentum, weight_decay;
  bool maximize;
  Rmsprop(const Group& g, const ScRmsprop& s, int64_t)
      : group(g),
        lr(static_cast<C>(s.lr)),
        alpha(static_cast<C>(s.alpha)),
        w(static_cast<C>(1 - s.alpha)),
        eps(static_cast<C>(s.eps)),
        momentum(static_cast<C>(s.momentum)),
        weight_decay(static_cast<C>(s.weight_decay)),
        maximize(s.maximize != 0) {}
  SC_HD void operator()(int64_t i) const {
    const int k = group.find(&i);
    const Slot<C> s{&group, k, i};
    const C param = s.load(kParam);
    const C grad = effective_grad(s, param, maximize, weight_decay);
    const C square = s.load(kState) * alpha + w * grad * grad;
    s.store(kState, square);
    C variance = square;
    if (s.has(kState + 1)) {
      const C mean = mix(s.load(kState + 1), grad, w);
      s.store(kState + 1, mean);
      variance = square - mean * mean;
    }
    C step = grad / (std::sqrt(variance) + eps);
    if (s.has(kState + 2)) {
      step += s.load(kState + 2) * momentum;
      s.store(kState + 2, step);
    }
    s.store(kParam, param - lr * step);
  }
};

template <template <class> class Kernel, class Args>
int32_t step(const Args& args, void* const* state0, void* const* state1, void* const* state2) {
  const ScParamLists& l = args.lists;
  return for_wide_floats(l.dtype, [&](auto tag) -> int32_t {
    for (int64_t first = 0; first < l.count; first += kGroup) {
      Group g;
      g.dtype = l.dtype;
      g.count = static_cast<int32_t>(l.count - first < kGroup ? l.count - first : kGroup);
      int64_t total = 0;
      for (int k = 0; k < g.count; ++k) {
        const int64_t at = first + k;
        g.end[k] = total += l.numel[at];
        g.data[kParam][k] = l.params[at];
        g.data[kGrad][k] = const_cast<void*>(l.grads[at]);
        g.data[kState][k] = state0 ? state0[at] : nullptr;
        g.data[kState + 1][k] = state1 ? state1[at] : nullptr;
        g.data[kState + 2][k] = state2 ? state2[at] : nullptr;
      }
      SC_CUDA_TRY(launch(total, Kernel<typename decltype(tag)::type>(g, args, first)));
    }
    return SC_OK;
  });
}

int32_t sgd(const ScSgd* s) { return step<Sgd>(*s, s->momentum_buffers, nullptr, nullptr); }
int32_t adam(const ScAdam* s) { return step<Adam>(*s, s->exp_avgs, s->exp_avg_sqs, s->max_exp_avg_sqs); }
int32_t rmsprop(const ScRmsprop* s) {
  return step<Rmsprop>(*s, s->square_avgs, s->grad_avgs, s->momentum_buffers);
}

}  // namespace

ScOptimKernels optim_kernels() {
  ScOptimKernels k{};
  k.sgd = sgd;
  k.adam = adam;
  k.rmsprop = rmsprop;
  return k;
}

}  // namespace cuda
}  // namespace sconce
