// Reductions. Three shapes of work: a thread per result, where there are many results or little to reduce; a
// block per result; and, for few results of much, several blocks per result whose shares a last pass joins.
#include "reduce.cuh"

namespace sconce {
namespace cuda {
namespace {

constexpr int kThreads = 256;

// Elements of any dtype, read as C.
template <class C>
struct Reader {
  const void* data;
  int32_t dtype;
  SC_HD C load(int64_t i) const {
    switch (dtype) {
      case SC_FLOAT64:
        return static_cast<C>(static_cast<const double*>(data)[i]);
      case SC_FLOAT32:
      case SC_FLOAT16:
      case SC_BFLOAT16:
        return static_cast<C>(Elements<float>(const_cast<void*>(data), dtype).load(i));
      default:
        return static_cast<C>(WideIntegers(const_cast<void*>(data), dtype).load(i));
    }
  }
};

// Where the elements and results of a reduction are.
template <class C>
struct Layout {
  Reader<C> in;
  Strided<2> kept;  // offsets into the input and the output
  Strided<1> reduced;
  bool reduced_flat;
  int64_t n;  // elements per result
  double p;
  explicit Layout(const ScReduce* r)
      : in{r->in, r->in_dtype}, reduced_flat(r->nreduced <= 1), n(r->reduced_numel), p(r->p[0]) {
    const int64_t* kept_rows[] = {r->kept_in_strides, r->kept_out_strides};
    kept = strided<2>(r->nkept, r->kept_shape, kept_rows);
    const int64_t* reduced_rows[] = {r->reduced_in_strides};
    reduced = strided<1>(r->nreduced, r->reduced_shape, reduced_rows);
  }
  SC_HD C load(int64_t base, int64_t j) const {
    int64_t at;
    if (reduced_flat)
      at = j * reduced.strides[0][0];
    else
      reduced.at(j, &at);
    return in.load(base + at);
  }
};

template <class R, class = void>
struct HasSecond : std::false_type {};
template <class R>
struct HasSecond<R, std::void_t<decltype(&R::second)>> : std::true_type {};

template <class R>
struct Writer {
  using First = decltype(R::finish(R::start(), 0, 0.0));
  Wide<First> out;
  void* out2;
  int32_t out_dtype;
  SC_HD void operator()(const typename R::State& s, int64_t at, int64_t n, double p) const {
    out.store(at, R::finish(s, n, p));
    if constexpr (HasSecond<R>::value) {
      // An index, or a number beside the first.
      using Second = decltype(R::second(s, n));
      if (out2)
        Wide<Second>(out2, std::is_same_v<Second, int64_t> ? SC_INT64 : out_dtype).store(at, R::second(s, n));
    }
  }
};

template <class R, class C>
struct PerThread {
  Layout<C> layout;
  Writer<R> write;
  SC_HD void operator()(int64_t i) const {
    int64_t at[2];
    layout.kept.at(i, at);
    typename R::State s = R::start();
    for (int64_t j = 0; j < layout.n; ++j) R::take(s, layout.load(at[0], j), j, layout.p);
    write(s, at[1], layout.n, layout.p);
  }
};

// Joins the threads' states into that of thread 0, one halving per phase.
template <class R>
struct Tree {
  static constexpr int kPhases = 8;  // 256 threads
  template <class States>
  SC_HD static void run(int phase, int thread, States& states) {
    const int half = kThreads >> (phase + 1);
    if (thread < half) R::join(states[thread], states[thread + half]);
  }
};

struct Nothing {};

// A block for one of `parts` shares of one result.
template <class R, class C>
struct PerBlock {
  static constexpr int kThreads = cuda::kThreads;
  struct Shared {
    typename R::State states[kThreads];
  };
  using Thread = Nothing;
  Layout<C> layout;
  Writer<R> write;
  int64_t parts, length;       // length: elements of a share
  typename R::State* partial;  // [results, parts], null when there is one part
  SC_HD int phases() const { return Tree<R>::kPhases + 2; }
  SC_HD void run(int phase, int64_t block, int thread, Thread&, Shared& s) const {
    const int64_t result = block / parts, part = block % parts;
    if (phase == 0) {
      int64_t at[2];
      layout.kept.at(result, at);
      const int64_t end = (part + 1) * length < layout.n ? (part + 1) * length : layout.n;
      typename R::State mine = R::start();
      for (int64_t j = part * length + thread; j < end; j += kThreads)
        R::take(mine, layout.load(at[0], j), j, layout.p);
      s.states[thread] = mine;
    } else if (phase <= Tree<R>::kPhases) {
      Tree<R>::run(phase - 1, thread, s.states);
    } else if (thread == 0) {
      if (partial) {
        partial[block] = s.states[0];
      } else {
        int64_t at[2];
        layout.kept.at(result, at);
        write(s.states[0], at[1], layout.n, layout.p);
      }
    }
  }
};

template <class R, class C>
struct JoinParts {
  Layout<C> layout;
  Writer<R> write;
  int64_t parts;
  const typename R::State* partial;
  SC_HD void operator()(int64_t i) const {
    int64_t at[2];
    layout.kept.at(i, at);
    typename R::State s = partial[i * parts];
    for (int64_t k = 1; k < parts; ++k) R::join(s, partial[i * parts + k]);
    write(s, at[1], layout.n, layout.p);
  }
};

template <class R, class C>
int32_t run(const ScReduce* r) {
  const Layout<C> layout(r);
  const Writer<R> write{Wide<typename Writer<R>::First>(r->out, r->out_dtype), r->out2, r->out_dtype};
  const int64_t results = r->kept_numel, n = r->reduced_numel;
  // Neighbouring threads should read neighbouring elements: a thread per result when the results are what
  // lies side by side.
  const bool results_adjacent = r->nkept > 0 && r->kept_in_strides[r->nkept - 1] == 1;
  if (n <= 32 || (results_adjacent && results >= 4096) || results >= (1 << 20))
    return launch(results, PerThread<R, C>{layout, write});
  constexpr int64_t kShare = 16384;
  int64_t parts = results >= 512 ? 1 : (n + kShare - 1) / kShare;
  if (parts > 1024) parts = 1024;
  const int64_t length = (n + parts - 1) / parts;
  if (parts == 1) return launch_blocks(results, PerBlock<R, C>{layout, write, 1, length, nullptr});
  Scratch<typename R::State> partial(results * parts);
  if (!partial) return fail("CUDA out of memory");
  SC_CUDA_TRY(launch_blocks(results * parts, PerBlock<R, C>{layout, write, parts, length, partial.get()}));
  return launch(results, JoinParts<R, C>{layout, write, parts, partial.get()});
}

template <int op, class C>
int32_t reduce_in(const ScReduce* r) {
  using R = Reducer<op, C>;
  using First = typename Writer<R>::First;
  const bool same_kind = std::is_same_v<First, double> ? r->out_dtype == SC_FLOAT64
                         : std::is_same_v<First, float>
                             ? r->out_dtype <= SC_BFLOAT16 && r->out_dtype != SC_FLOAT64
                             : r->out_dtype > SC_BFLOAT16;
  return same_kind ? run<R, C>(r) : static_cast<int32_t>(SC_UNSUPPORTED);
}
// Operations whose arithmetic is done in the result's type,
template <int op>
int32_t reduce_to(const ScReduce* r) {
  return for_wide(r->out_dtype, [&](auto tag) { return reduce_in<op, typename decltype(tag)::type>(r); });
}
template <int op>
int32_t reduce_to_floats(const ScReduce* r) {
  return for_wide_floats(r->out_dtype,
                         [&](auto tag) { return reduce_in<op, typename decltype(tag)::type>(r); });
}
// and those that compare or count elements.
template <int op>
int32_t reduce_of(const ScReduce* r) {
  return for_wide(r->in_dtype, [&](auto tag) { return reduce_in<op, typename decltype(tag)::type>(r); });
}

int32_t reduce(int32_t op, const ScReduce* r) {
  switch (op) {
    case SC_RED_SUM:
      return reduce_to<SC_RED_SUM>(r);
    case SC_RED_MEAN:
      return reduce_to_floats<SC_RED_MEAN>(r);
    case SC_RED_PROD:
      return reduce_to<SC_RED_PROD>(r);
    case SC_RED_MAX:
      return reduce_of<SC_RED_MAX>(r);
    case SC_RED_MIN:
      return reduce_of<SC_RED_MIN>(r);
    case SC_RED_ALL:
      return reduce_of<SC_RED_ALL>(r);
    case SC_RED_ANY:
      return reduce_of<SC_RED_ANY>(r);
    case SC_RED_ARGMAX:
      return reduce_of<SC_RED_ARGMAX>(r);
    case SC_RED_ARGMIN:
      return reduce_of<SC_RED_ARGMIN>(r);
    case SC_RED_MAX_INDEX:
      return reduce_of<SC_RED_MAX_INDEX>(r);
    case SC_RED_MIN_INDEX:
      return reduce_of<SC_RED_MIN_INDEX>(r);
    case SC_RED_VAR:
      return reduce_to_floats<SC_RED_VAR>(r);
    case SC_RED_STD:
      return reduce_to_floats<SC_RED_STD>(r);
    case SC_RED_NORM:
      return reduce_to_floats<SC_RED_NORM>(r);
    case SC_RED_COUNT_NONZERO:
      return reduce_of<SC_RED_COUNT_NONZERO>(r);
    case SC_RED_NANSUM:
      return reduce_to<SC_RED_NANSUM>(r);
    case SC_RED_SUM_SQUARES:
      return reduce_to<SC_RED_SUM_SQUARES>(r);
    default:
      return SC_UNSUPPORTED;
  }
}

}  // namespace

ScReduceKernels reduce_kernels() {
  ScReduceKernels k{};
  k.reduce = reduce;
  return k;
}

}  // namespace cuda
}  // namespace sconce
