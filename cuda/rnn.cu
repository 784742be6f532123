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
    const C in = fn::sigmoid(gates[0]), forget = fn::sigmoid(gates[a.hidden]);
    const C cell = std::tanh(gates[2 * a.hidden]), out = fn::sigmoid(gates[3 * a.hidden]);
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
    C* gates = static_cast<C*>(a.gates) + row * 4 * a.hidden + j;
    const C in = gates[0], forget = gates[a.hidden], cell = gates[2 * a.hidden], out = gates[3 * a.hidden];
    const C t = std::tanh(static_cast<const C*>(a.c)[i]);
    const C dh = (a.dh ? static_cast<const C*>(a.dh)[i] : C(0)) +
                 (a.dh_next ? static_cast<const C*>(a.dh_next)[i] : C(0));
    C* dc_at = static_cast<C*>(a.dc) + i;
    const C dc = *dc_at + dh * out * (C(1) - t * t);
    gates[0] = dc * cell * in * (C(1) - in);
    gates[a.hidden] = dc * static_cast<const C*>(a.c_prev)[i] * forget * (C(1) - forget);
    gates[2 * a.hidden] = dc * in * (C(1) - cell * cell);
    gates[3 * a.hidden] = dh * t * out * (C(1) - out);
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
