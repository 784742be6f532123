// The element-wise part of an LSTM step.
#include "elementwise.cuh"
#include "kernels.cuh"

namespace sconce {
namespace cuda {
namespace {

template <class C>
struct LstmForward {
  ScLstmStep a;
  SC_HD void operator()(int64_t i) const {
    const int64_t row = i / a.hidden, j = i % a.hidden;
    C* gates = static_cast<C*>(a.gates) + row * 4 * a.hidden + j;
    const C* bias = static_cast<const C*>(a.bias);
    const auto sum = [&](int64_t gate) {
      return gates[gate * a.hidden] + (bias ? bias[gate * a.hidden + j] : C(0));
    };
    const C in = fn::sigmoid(sum(0)), forget = fn::sigmoid(sum(1));
    const C cell = std::tanh(sum(2)), out = fn::sigmoid(sum(3));
    const C c = forget * static_cast<const C*>(a.c_prev)[i] + in * cell;
    gates[0] = in;
    gates[a.hidden] = forget;
    gates[2 * a.hidden] = cell;
    gates[3 * a.hidden] = out;
    static_cast<C*>(a.c)[i] = c;
    static_cast<C*>(a.h)[i] = out * std::tanh(c);
  }
};

template <class C>
struct LstmBackward {
  ScLstmStep a;
  SC_HD void operator()(int64_t i) const {
    const int64_t row = i / a.hidden, j = i % a.hidden;
    const int64_t at = row * 4 * a.hidden + j;
    const C* gates = static_cast<const C*>(a.gates) + at;
    C* d = static_cast<C*>(a.d_gates) + at;
    const C in = gates[0], forget = gates[a.hidden], cell = gates[2 * a.hidden], out = gates[3 * a.hidden];
    const C t = std::tanh(static_cast<const C*>(a.c)[i]);
    const C dh = (a.dh ? static_cast<const C*>(a.dh)[i] : C(0)) +
                 (a.dh_next ? static_cast<const C*>(a.dh_next)[i] : C(0));
    C* dc_at = static_cast<C*>(a.dc) + i;
    const C dc = *dc_at + dh * out * (C(1) - t * t);
    d[0] = dc * cell * in * (C(1) - in);
    d[a.hidden] = dc * static_cast<const C*>(a.c_prev)[i] * forget * (C(1) - forget);
    d[2 * a.hidden] = dc * in * (C(1) - cell * cell);
    d[3 * a.hidden] = dh * t * out * (C(1) - out);
    *dc_at = dc * forget;
  }
};

template <template <class> class Kernel>
int32_t run(const ScLstmStep* a) {
  const int64_t n = a->batch * a->hidden;
  if (a->dtype == SC_FLOAT32) return launch(n, Kernel<float>{*a});
  if (a->dtype == SC_FLOAT64) return launch(n, Kernel<double>{*a});
  return SC_UNSUPPORTED;
}
int32_t lstm_forward(const ScLstmStep* a) { return run<LstmForward>(a); }
int32_t lstm_backward(const ScLstmStep* a) { return run<LstmBackward>(a); }

}  // namespace

ScRnnKernels rnn_kernels() {
  ScRnnKernels k{};
  k.lstm_forward = lstm_forward;
  k.lstm_backward = lstm_backward;
  return k;
}

}  // namespace cuda
}  // namespace sconce
