// Normalisation over channels and over rows.
#include "block.cuh"
#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

// ---- channels ----

SC_HD int64_t per_channel(const ScChannels& s) { return s.outer * s.inner; }
// Where the j-th element of channel c is.
SC_HD int64_t at_channel(const ScChannels& s, int64_t c, int64_t j) {
  return s.channels_last ? j * s.channels + c : (j / s.inner * s.channels + c) * s.inner + j % s.inner;
}
SC_HD int64_t channel_of(const ScChannels& s, int64_t i) {
  return s.channels_last ? i % s.channels : i / s.inner % s.channels;
}

// A block per channel: the mean first, then the squares of what differs from it.
template <class C>
struct ChannelStats {
  static constexpr int kThreads = kBlockThreads, kSecond = kBlockHalvings + 1,
                       kWrite = 2 * kBlockHalvings + 2;
  struct Shared {
    C sum[kThreads], squares[kThreads];
  };
  using Thread = NoLocals;
  ScChannels s;
  const C* x;
  C *mean, *var;
  SC_HD int phases() const { return kWrite + 1; }
  SC_HD void run(int phase, int64_t c, int thread, Thread&, Shared& m) const {
    const int64_t n = per_channel(s);
    if (phase == 0) {
      C sum = C(0);
      for (int64_t j = thread; j < n; j += kThreads) sum += x[at_channel(s, c, j)];
      m.sum[thread] = sum;
    } else if (phase < kSecond) {
      halve_sum(phase - 1, thread, m.sum);
    } else if (phase == kSecond) {
      const C middle = m.sum[0] / static_cast<C>(n);
      C sum = C(0);
      for (int64_t j = thread; j < n; j += kThreads) {
        const C d = x[at_channel(s, c, j)] - middle;
        sum += d * d;
      }
      m.squares[thread] = sum;
    } else if (phase < kWrite) {
      halve_sum(phase - kSecond - 1, thread, m.squares);
    } else if (thread == 0) {
      mean[c] = m.sum[0] / static_cast<C>(n);
      var[c] = m.squares[0] / static_cast<C>(n);
    }
  }
};

template <class C>
struct ChannelGradSums {
  static constexpr int kThreads = kBlockThreads;
  struct Shared {
    C sum[kThreads], dot[kThreads];
  };
  using Thread = NoLocals;
  ScChannels s;
  const C *dy, *x, *mean;
  C *sums, *dots;
  SC_HD int phases() const { return kBlockHalvings + 2; }
  SC_HD void run(int phase, int64_t c, int thread, Thread&, Shared& m) const {
    if (phase == 0) {
      C sum = C(0), dot = C(0);
      for (int64_t j = thread; j < per_channel(s); j += kThreads) {
        const int64_t at = at_channel(s, c, j);
        sum += dy[at];
        dot += dy[at] * (x[at] - mean[c]);
      }
      m.sum[thread] = sum;
      m.dot[thread] = dot;
    } else if (phase <= kBlockHalvings) {
      halve_sum(phase - 1, thread, m.sum);
      halve_sum(phase - 1, thread, m.dot);
    } else if (thread == 0) {
      sums[c] = m.sum[0];
      dots[c] = m.dot[0];
    }
  }
};

template <class C>
struct ChannelAffine {
  ScChannels s;
  const C *x, *a, *b;
  C* y;
  SC_HD void operator()(int64_t i) const {
    const int64_t c = channel_of(s, i);
    y[i] = x[i] * a[c] + b[c];
  }
};
template <class C>
struct ChannelAffine2 {
  ScChannels s;
  const C *dy, *x, *a, *b, *d;
  C* dx;
  SC_HD void operator()(int64_t i) const {
    const int64_t c = channel_of(s, i);
    dx[i] = dy[i] * a[c] + x[i] * b[c] + d[c];
  }
};

template <class C>
const C* in(const void* p) {
  return static_cast<const C*>(p);
}
template <class C>
C* out(void* p) {
  return static_cast<C*>(p);
}
// f(float or double), the dtypes of this family.
template <class F>
int32_t by_dtype(int32_t dtype, const F& f) {
  if (dtype == SC_FLOAT32) return f(TypeTag<float>());
  return dtype == SC_FLOAT64 ? f(TypeTag<double>()) : static_cast<int32_t>(SC_UNSUPPORTED);
}

int32_t channel_stats(const ScChannels* s, const void* x, void* mean, void* var) {
  return by_dtype(s->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    return launch_blocks(s->channels, ChannelStats<C>{*s, in<C>(x), out<C>(mean), out<C>(var)});
  });
}
int32_t channel_affine(const ScChannels* s, const void* x, const void* a, const void* b, void* y) {
  return by_dtype(s->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    return launch(s->channels * per_channel(*s),
                  ChannelAffine<C>{*s, in<C>(x), in<C>(a), in<C>(b), out<C>(y)});
  });
}
int32_t channel_grad_sums(const ScChannels* s, const void* dy, const void* x, const void* mean, void* sums,
                          void* dots) {
  return by_dtype(s->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    return launch_blocks(
        s->channels, ChannelGradSums<C>{*s, in<C>(dy), in<C>(x), in<C>(mean), out<C>(sums), out<C>(dots)});
  });
}
int32_t channel_affine2(const ScChannels* s, const void* dy, const void* x, const void* a, const void* b,
                        const void* d, void* dx) {
  return by_dtype(s->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    return launch(s->channels * per_channel(*s),
                  ChannelAffine2<C>{*s, in<C>(dy), in<C>(x), in<C>(a), in<C>(b), in<C>(d), out<C>(dx)});
  });
}

// ---- rows ----

template <class C>
struct LayerNorm {
  static constexpr int kThreads = kBlockThreads, kSecond = kBlockHalvings + 1,
                       kWrite = 2 * kBlockHalvings + 2;
  struct Shared {
    C sum[kThreads], squares[kThreads];
  };
  using Thread = NoLocals;
  int64_t n;
  C eps;
  const C *x, *weight, *bias;
  C *y, *mean, *rstd;
  SC_HD int phases() const { return kWrite + 1; }
  SC_HD void run(int phase, int64_t row, int thread, Thread&, Shared& m) const {
    const C* from = x + row * n;
    if (phase == 0) {
      C sum = C(0);
      for (int64_t j = thread; j < n; j += kThreads) sum += from[j];
      m.sum[thread] = sum;
    } else if (phase < kSecond) {
      halve_sum(phase - 1, thread, m.sum);
    } else if (phase == kSecond) {
      const C middle = m.sum[0] / static_cast<C>(n);
      C sum = C(0);
      for (int64_t j = thread; j < n; j += kThreads) sum += (from[j] - middle) * (from[j] - middle);
      m.squares[thread] = sum;
    } else if (phase < kWrite) {
      halve_sum(phase - kSecond - 1, thread, m.squares);
    } else {
      const C middle = m.sum[0] / static_cast<C>(n),
              scale = C(1) / std::sqrt(m.squares[0] / static_cast<C>(n) + eps);
      for (int64_t j = thread; j < n; j += kThreads)
        y[row * n + j] = (from[j] - middle) * scale * (weight ? weight[j] : C(1)) + (bias ? bias[j] : C(0));
      if (thread == 0) {
        mean[row] = middle;
        rstd[row] = scale;
      }
    }
  }
};

// With g = dy * weight and h the normalised row: dx = rstd * (g - mean(g) - h * mean(g * h)).
template <class C>
struct LayerNormDx {
  static constexpr int kThreads = kBlockThreads;
  struct Shared {
    C sum[kThreads], dot[kThreads];
  };
  using Thread = NoLocals;
  int64_t n;
  const C *dy, *x, *mean, *rstd, *weight;
  C* dx;
  SC_HD int phases() const { return kBlockHalvings + 2; }
  SC_HD C grad(int64_t row, int64_t j) const { return dy[row * n + j] * (weight ? weight[j] : C(1)); }
  SC_HD C normal(int64_t row, int64_t j) const { return (x[row * n + j] - mean[row]) * rstd[row]; }
  SC_HD void run(int phase, int64_t row, int thread, Thread&, Shared& m) const {
    if (phase == 0) {
      C sum = C(0), dot = C(0);
      for (int64_t j = thread; j < n; j += kThreads) {
        sum += grad(row, j);
        dot += grad(row, j) * normal(row, j);
      }
      m.sum[thread] = sum;
      m.dot[thread] = dot;
    } else if (phase <= kBlockHalvings) {
      halve_sum(phase - 1, thread, m.sum);
      halve_sum(phase - 1, thread, m.dot);
    } else {
      const C a = m.sum[0] / static_cast<C>(n), b = m.dot[0] / static_cast<C>(n);
      for (int64_t j = thread; j < n; j += kThreads)
        dx[row * n + j] = rstd[row] * (grad(row, j) - a - normal(row, j) * b);
    }
  }
};

// A thread per column: neighbours read neighbouring elements of each row.
template <class C>
struct LayerNormParameters {
  int64_t rows, n;
  const C *dy, *x, *mean, *rstd;
  C *dweight, *dbias;
  SC_HD void operator()(int64_t j) const {
    C scale = C(0), shift = C(0);
    for (int64_t row = 0; row < rows; ++row) {
      const C g = dy[row * n + j];
      scale += g * (x[row * n + j] - mean[row]) * rstd[row];
      shift += g;
    }
    if (dweight) dweight[j] = scale;
    if (dbias) dbias[j] = shift;
  }
};

int32_t layer_norm(const ScRows* s, const void* x, const void* weight, const void* bias, double eps, void* y,
                   void* mean, void* rstd) {
  return by_dtype(s->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    return launch_blocks(s->rows, LayerNorm<C>{s->n, static_cast<C>(eps), in<C>(x), in<C>(weight),
                                               in<C>(bias), out<C>(y), out<C>(mean), out<C>(rstd)});
  });
}
int32_t layer_norm_backward(const ScRows* s, const void* dy, const void* x, const void* mean,
                            const void* rstd, const void* weight, void* dx, void* dweight, void* dbias) {
  return by_dtype(s->dtype, [&](auto tag) -> int32_t {
    using C = typename decltype(tag)::type;
    if (dx)
      SC_CUDA_TRY(launch_blocks(s->rows, LayerNormDx<C>{s->n, in<C>(dy), in<C>(x), in<C>(mean), in<C>(rstd),
                                                        in<C>(weight), out<C>(dx)}));
    if (!dweight && !dbias) return SC_OK;
    return launch(s->n, LayerNormParameters<C>{s->rows, s->n, in<C>(dy), in<C>(x), in<C>(mean), in<C>(rstd),
                                               out<C>(dweight), out<C>(dbias)});
  });
}

}  // namespace

ScNormKernels norm_kernels() {
  ScNormKernels k{};
  k.channel_stats = channel_stats;
  k.channel_affine = channel_affine;
  k.channel_grad_sums = channel_grad_sums;
  k.channel_affine2 = channel_affine2;
  k.layer_norm = layer_norm;
  k.layer_norm_backward = layer_norm_backward;
  return k;
}

}  // namespace cuda
}  // namespace sconce
