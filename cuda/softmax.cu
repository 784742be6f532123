// Softmax and its logarithm: a thread per line where lines lie side by side or are short, otherwise a block
// per line.
#include "block.cuh"
#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

template <class C>
struct Line {
  Elements<C> in, grad, out;
  int64_t n, inner;
  bool log;
  explicit Line(int32_t op, const ScSoftmax* a)
      : in(const_cast<void*>(a->in), a->dtype),
        grad(const_cast<void*>(a->grad), a->dtype),
        out(a->out, a->dtype),
        n(a->n),
        inner(a->inner),
        log(op == SC_LOG_SOFTMAX) {}
  SC_HD int64_t at(int64_t line, int64_t k) const { return (line / inner * n + k) * inner + line % inner; }

  SC_HD C max_of(int64_t line, int64_t from, int64_t step) const {
    C most = static_cast<C>(-INFINITY);
    for (int64_t k = from; k < n; k += step) {
      const C x = in.load(at(line, k));
      if (x > most) most = x;
    }
    return most;
  }
  SC_HD C sum_of(int64_t line, int64_t from, int64_t step, C most) const {
    C sum = C(0);
    for (int64_t k = from; k < n; k += step) sum += std::exp(in.load(at(line, k)) - most);
    return sum;
  }
  SC_HD void write(int64_t line, int64_t from, int64_t step, C most, C sum) const {
    const C shift = std::log(sum);
    for (int64_t k = from; k < n; k += step) {
      const int64_t i = at(line, k);
      const C x = in.load(i) - most;
      out.store(i, log ? x - shift : std::exp(x) / sum);
    }
  }
  // The sum that the backward pass takes off.
  SC_HD C dot_of(int64_t line, int64_t from, int64_t step) const {
    C sum = C(0);
    for (int64_t k = from; k < n; k += step) {
      const int64_t i = at(line, k);
      sum += log ? grad.load(i) : grad.load(i) * in.load(i);
    }
    return sum;
  }
  SC_HD void write_backward(int64_t line, int64_t from, int64_t step, C sum) const {
    for (int64_t k = from; k < n; k += step) {
      const int64_t i = at(line, k);
      const C y = in.load(i), g = grad.load(i);
      out.store(i, log ? g - std::exp(y) * sum : y * (g - sum));
    }
  }
};

template <class C>
struct ForwardThread {
  Line<C> line;
  SC_HD void operator()(int64_t i) const {
    const C most = line.max_of(i, 0, 1);
    line.write(i, 0, 1, most, line.sum_of(i, 0, 1, most));
  }
};
template <class C>
struct BackwardThread {
  Line<C> line;
  SC_HD void operator()(int64_t i) const { line.write_backward(i, 0, 1, line.dot_of(i, 0, 1)); }
};

template <class C>
struct ForwardBlock {
  static constexpr int kThreads = kBlockThreads, kSum = kBlockHalvings + 1, kWrite = 2 * kBlockHalvings + 2;
  struct Shared {
    C most[kThreads], sum[kThreads];
  };
  using Thread = NoLocals;
  Line<C> line;
  SC_HD int phases() const { return kWrite + 1; }
  SC_HD void run(int phase, int64_t i, int thread, Thread&, Shared& s) const {
    if (phase == 0)
      s.most[thread] = line.max_of(i, thread, kThreads);
    else if (phase < kSum)
      halve_max(phase - 1, thread, s.most);
    else if (phase == kSum)
      s.sum[thread] = line.sum_of(i, thread, kThreads, s.most[0]);
    else if (phase < kWrite)
      halve_sum(phase - kSum - 1, thread, s.sum);
    else
      line.write(i, thread, kThreads, s.most[0], s.sum[0]);
  }
};
template <class C>
struct BackwardBlock {
  static constexpr int kThreads = kBlockThreads;
  struct Shared {
    C sum[kThreads];
  };
  using Thread = NoLocals;
  Line<C> line;
  SC_HD int phases() const { return kBlockHalvings + 2; }
  SC_HD void run(int phase, int64_t i, int thread, Thread&, Shared& s) const {
    if (phase == 0)
      s.sum[thread] = line.dot_of(i, thread, kThreads);
    else if (phase <= kBlockHalvings)
      halve_sum(phase - 1, thread, s.sum);
    else
      line.write_backward(i, thread, kThreads, s.sum[0]);
  }
};

template <template <class> class PerThread, template <class> class PerBlock>
int32_t run(int32_t op, const ScSoftmax* a) {
  return for_wide_floats(a->dtype, [&](auto tag) {
    using C = typename decltype(tag)::type;
    const Line<C> line(op, a);
    const int64_t lines = a->outer * a->inner;
    if (a->n <= 32 || (a->inner > 1 && lines >= 1024)) return launch(lines, PerThread<C>{line});
    return launch_blocks(lines, PerBlock<C>{line});
  });
}
int32_t forward(int32_t op, const ScSoftmax* a) { return run<ForwardThread, ForwardBlock>(op, a); }
int32_t backward(int32_t op, const ScSoftmax* a) { return run<BackwardThread, BackwardBlock>(op, a); }

}  // namespace

ScSoftmaxKernels softmax_kernels() {
  ScSoftmaxKernels k{};
  k.forward = forward;
  k.backward = backward;
  return k;
}

}  // namespace cuda
}  // namespace sconce
