// Recurrent layers. One layer and direction of an LSTM is one operator: its input product is done for all
// steps at once, each step is one recurrent product and one element-wise kernel, and the backward pass
// mirrors that. Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; equations as in
// https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
#include "ops.h"

namespace sconce::ops {
namespace {

// C[m, n] = A[m, k] B[k, n] + beta C on raw tensors; `b_transposed` reads B from a [n, k] tensor,
// `a_transposed` A from [k, m].
struct Product {
  Tensor b;
  ScMatmul q{};
  Tensor packed;

  Product(const Tensor& b_in, bool b_transposed, bool a_transposed, int64_t m, int64_t n, int64_t k,
          double beta)
      : b(b_in) {
    q.dtype = static_cast<int32_t>(b.dtype());
    q.batch = 1;
    q.m = m;
    q.n = n;
    q.k = k;
    q.b = b.data();
    q.a_row = a_transposed ? 1 : k;
    q.a_col = a_transposed ? m : 1;
    q.b_row = b_transposed ? 1 : n;
    q.b_col = b_transposed ? k : 1;
    q.c_row = n;
    q.c_col = 1;
    q.alpha = 1;
    q.beta = beta;
  }
  // Many products with this B follow.
  Product& pack() {
    const ScMatmulKernels& kernels = backend_of(b.device()).matmul;
    const int64_t bytes = kernels.packed_bytes && q.m && q.n ? kernels.packed_bytes(&q) : 0;
    if (bytes == 0) return *this;
    packed = empty({bytes}, DType::kUInt8, b.device());
    check_kernel(kernels.pack(&q, packed.data()), b.device(), "lstm");
    q.packed = packed.data();
    return *this;
  }
  void run(const Tensor& c, int64_t c_at, const Tensor& a, int64_t a_at) {
    q.a = static_cast<char*>(a.data()) + a_at * c.itemsize();
    q.c = static_cast<char*>(c.data()) + c_at * c.itemsize();
    if (q.m && q.n) check_kernel(backend_of(c.device()).matmul.matmul(&q), c.device(), "lstm");
  }
};

// What the backward pass needs of the forward pass of one layer and direction. Step t of the state lies in
// slot t + 1 of `h` and `c` (forward direction; slot 0 is the initial state) or in slot t (reverse; the
// initial state is slot T).
struct LayerState {
  Tensor gates;  // [T, B, 4H], activated
  Tensor h, c;   // [T + 1, B, H]
};

struct LayerShape {
  int64_t steps, batch, input, hidden;
  bool reverse;
  int64_t slot(int64_t t) const { return reverse ? t : t + 1; }
  int64_t previous(int64_t t) const { return reverse ? t + 1 : t; }
  int64_t initial() const { return reverse ? steps : 0; }
  int64_t last() const { return reverse ? 0 : steps; }
  int64_t step(int64_t i) const { return reverse ? steps - 1 - i : i; }
};

void* at(const Tensor& t, int64_t offset) { return static_cast<char*>(t.data()) + offset * t.itemsize(); }
Tensor part(const Tensor& t, const Dims& sizes, int64_t offset) {
  return alias_of(t, sizes, contiguous_strides(sizes), t.storage_offset() + offset);
}

LayerState run_layer(const LayerShape& s, const Tensor& x, const Tensor& h0, const Tensor& c0,
                     const Tensor& w_ih, const Tensor& w_hh, const Tensor& bias) {
  const int64_t bh = s.batch * s.hidden;
  LayerState st;
  st.gates = empty({s.steps, s.batch, 4 * s.hidden}, x.dtype(), x.device());
  st.h = empty({s.steps + 1, s.batch, s.hidden}, x.dtype(), x.device());
  st.c = empty({s.steps + 1, s.batch, s.hidden}, x.dtype(), x.device());
  copy_into(part(st.h, {s.batch, s.hidden}, s.initial() * bh), h0);
  copy_into(part(st.c, {s.batch, s.hidden}, s.initial() * bh), c0);
  Product(w_ih, true, false, s.steps * s.batch, 4 * s.hidden, s.input, 0).run(st.gates, 0, x, 0);
  Product recurrent = Product(w_hh, true, false, s.batch, 4 * s.hidden, s.hidden, 1).pack();
  const ScBackend& backend = backend_of(x.device());
  SC_CHECK(backend.rnn.lstm_forward, "\"lstm\" not implemented for ", device_name(x.device()));
  for (int64_t i = 0; i < s.steps; ++i) {
    const int64_t t = s.step(i), now = s.slot(t) * bh, before = s.previous(t) * bh;
    recurrent.run(st.gates, t * 4 * bh, st.h, before);
    ScLstmStep k{};
    k.dtype = static_cast<int32_t>(x.dtype());
    k.batch = s.batch;
    k.hidden = s.hidden;
    k.gates = at(st.gates, t * 4 * bh);
    k.bias = bias ? bias.data() : nullptr;
    k.c_prev = at(st.c, before);
    k.c = at(st.c, now);
    k.h = at(st.h, now);
    check_kernel(backend.rnn.lstm_forward(&k), x.device(), "lstm");
  }
  return st;
}

// The same layer in differentiable operators: the reference in tests, and what second derivatives are taken
// of.
TensorList composed_layer(const LayerShape& s, const Tensor& x, const Tensor& h0, const Tensor& c0,
                          const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  Tensor h = h0, c = c0;
  TensorList steps(static_cast<size_t>(s.steps));
  for (int64_t i = 0; i < s.steps; ++i) {
    const int64_t t = s.step(i);
    Tensor sums = matmul(select(x, 0, t), ops::t(w_ih)) + matmul(h, ops::t(w_hh));
    if (b_ih) sums = sums + b_ih + b_hh;
    const TensorList g = chunk(sums, 4, 1);
    c = sigmoid(g[1]) * c + sigmoid(g[0]) * tanh(g[2]);
    h = sigmoid(g[3]) * tanh(c);
    steps[static_cast<size_t>(t)] = h;
  }
  return {stack(steps, 0), h, c};
}

// -> gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh
TensorList layer_backward(const LayerShape& s, const LayerState& st, const Tensor& x, const Tensor& w_ih,
                          const Tensor& w_hh, bool has_bias, const TensorList& grads,
                          const std::vector<bool>& needed) {
  const int64_t bh = s.batch * s.hidden;
  const Tensor d_out = grads[0] ? contiguous_raw(grads[0]) : Tensor();
  Tensor d_gates = empty_like(st.gates);
  Tensor dh = empty({s.batch, s.hidden}, x.dtype(), x.device()),
         dc = empty(dh.sizes(), x.dtype(), x.device());
  fill_into(dh, 0);
  fill_into(dc, 0);
  if (grads[1]) copy_into(dh, grads[1]);
  if (grads[2]) copy_into(dc, grads[2]);
  const ScBackend& backend = backend_of(x.device());
  Product recurrent = Product(w_hh, false, false, s.batch, s.hidden, 4 * s.hidden, 0).pack();
  for (int64_t i = s.steps - 1; i >= 0; --i) {
    const int64_t t = s.step(i);
    ScLstmStep k{};
    k.dtype = static_cast<int32_t>(x.dtype());
    k.batch = s.batch;
    k.hidden = s.hidden;
    k.gates = at(st.gates, t * 4 * bh);
    k.d_gates = at(d_gates, t * 4 * bh);
    k.c_prev = at(st.c, s.previous(t) * bh);
    k.c = at(st.c, s.slot(t) * bh);
    k.dh = d_out ? at(d_out, t * bh) : nullptr;
    k.dh_next = dh.data();
    k.dc = dc.data();
    check_kernel(backend.rnn.lstm_backward(&k), x.device(), "lstm");
    recurrent.run(dh, 0, d_gates, t * 4 * bh);
  }
  TensorList out(has_bias ? 7 : 5);
  const int64_t rows = s.steps * s.batch;
  if (needed[0]) {
    out[0] = empty({s.steps, s.batch, s.input}, x.dtype(), x.device());
    Product(w_ih, false, false, rows, s.input, 4 * s.hidden, 0).run(out[0], 0, d_gates, 0);
  }
  out[1] = dh;
  out[2] = dc;
  if (needed[3]) {
    out[3] = empty(w_ih.sizes(), x.dtype(), x.device());
    Product(x, false, true, 4 * s.hidden, s.input, rows, 0).run(out[3], 0, d_gates, 0);
  }
  if (needed[4]) {
    out[4] = empty(w_hh.sizes(), x.dtype(), x.device());
    const Tensor before =
        part(st.h, {s.steps, s.batch, s.hidden}, s.reverse ? bh : 0);  // h of the step before, for every step
    Product(before, false, true, 4 * s.hidden, s.hidden, rows, 0).run(out[4], 0, d_gates, 0);
  }
  if (has_bias && (needed[5] || needed[6])) {
    out[5] = sum_dim(view(d_gates, {rows, 4 * s.hidden}), IntList{0}, false);
    out[6] = out[5];
  }
  return out;
}

// x [T, B, I], h0 and c0 [B, H] -> output [T, B, H], h_n, c_n [B, H]
TensorList lstm_layer(const Tensor& x0, const Tensor& h0, const Tensor& c0, const Tensor& w_ih0,
                      const Tensor& w_hh0, const Tensor& b_ih, const Tensor& b_hh, bool reverse) {
  const LayerShape s{x0.size(0), x0.size(1), x0.size(2), w_hh0.size(1), reverse};
  const Tensor x = contiguous_raw(x0), w_ih = contiguous_raw(w_ih0), w_hh = contiguous_raw(w_hh0);
  Tensor bias;
  if (b_ih) {
    bias = empty(b_ih.sizes(), b_ih.dtype(), b_ih.device());
    copy_into(bias, b_ih);
    add_raw_(bias, b_hh);
  }
  LayerState st = run_layer(s, x, h0, c0, w_ih, w_hh, bias);
  const int64_t bh = s.batch * s.hidden;
  TensorList ys{part(st.h, {s.steps, s.batch, s.hidden}, s.reverse ? 0 : bh),
                empty({s.batch, s.hidden}, x.dtype(), x.device()),
                empty({s.batch, s.hidden}, x.dtype(), x.device())};
  copy_into(ys[1], part(st.h, {s.batch, s.hidden}, s.last() * bh));
  copy_into(ys[2], part(st.c, {s.batch, s.hidden}, s.last() * bh));
  TensorList inputs{x0, h0, c0, w_ih0, w_hh0};
  if (b_ih) inputs.insert(inputs.end(), {b_ih, b_hh});
  const Tensor output = ys[0];
  differentiable("LstmLayerBackward0", ys)
      .wrt_all(inputs,
               [s, gates = saved(st.gates), h = saved(st.h), c = saved(st.c), inputs = saved(inputs)](
                   const TensorList& grads, const std::vector<bool>& needed) -> TensorList {
                 TensorList in;
                 for (const SavedTensor& t : inputs) in.push_back(t());
                 const bool has_bias = in.size() == 7;
                 if (!recording())
                   return layer_backward(s, {gates(), h(), c()}, contiguous_raw(in[0]), contiguous_raw(in[3]),
                                         contiguous_raw(in[4]), has_bias, grads, needed);
                 // A graph of the gradient is wanted, or its tangents: differentiate the composition.
                 const bool create_graph = grad_enabled();
                 const GradModeGuard record(true);
                 for (size_t i = 0; i < in.size(); ++i)
                   if (needed[i]) in[i] = differentiation_variable(in[i]);
                 TensorList outs = composed_layer(s, in[0], in[1], in[2], in[3], in[4],
                                                  has_bias ? in[5] : Tensor(), has_bias ? in[6] : Tensor());
                 TensorList roots, weights, wanted;
                 for (size_t i = 0; i < outs.size(); ++i)
                   if (grads[i]) {
                     roots.push_back(outs[i]);
                     weights.push_back(grads[i]);
                   }
                 for (size_t i = 0; i < in.size(); ++i)
                   if (needed[i]) wanted.push_back(in[i]);
                 BackwardOptions o;
                 o.retain_graph = true;
                 o.create_graph = create_graph;
                 o.accumulate = false;
                 o.allow_unused = true;
                 const TensorList found = run_backward(roots, weights, wanted, o);
                 TensorList out(in.size());
                 for (size_t i = 0, k = 0; i < in.size(); ++i)
                   if (needed[i]) out[i] = found[k++];
                 return out;
               })
      .finish();
  return ys;
}

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, const TensorList& hx, const TensorList& params,
                                        bool has_biases, int64_t num_layers, double dropout_p, bool train,
                                        bool bidirectional, bool batch_first) {
  SC_CHECK(hx.size() == 2, "lstm expects two hidden states");
  SC_CHECK(input.dim() == 3, "lstm: input must be [steps, batch, features], but got ", input.sizes());
  const int64_t directions = bidirectional ? 2 : 1;
  const size_t per_layer = has_biases ? 4 : 2;
  SC_CHECK(params.size() == static_cast<size_t>(num_layers * directions) * per_layer, "lstm: expected ",
           num_layers * directions * static_cast<int64_t>(per_layer), " weights, but got ", params.size());
  Tensor x = batch_first ? transpose(input, 0, 1) : input;
  const Tensor &h0 = hx[0], &c0 = hx[1];
  for (const Tensor* h : {&h0, &c0})
    SC_CHECK(h->dim() == 3 && h->size(0) == num_layers * directions && h->size(1) == x.size(1),
             "Expected hidden size (", num_layers * directions, ", ", x.size(1), ", ", params[1].size(1),
             "), got ", h->sizes());
  for (const Tensor& w : params) {
    SC_CHECK(w.dtype() == input.dtype(), "lstm: input has dtype ", scalar_type_name(input.dtype()),
             ", but a weight has ", scalar_type_name(w.dtype()));
    SC_CHECK(w.device() == input.device(),
             "Input and parameter tensors are not at the same device, found input tensor at ",
             device_name(input.device()), " and parameter tensor at ", device_name(w.device()));
  }
  if (input.dtype() == DType::kFloat16 ||
      input.dtype() == DType::kBFloat16) {  // the recurrence runs in float
    const auto widened = [](const TensorList& ts) {
      TensorList out;
      for (const Tensor& t : ts) out.push_back(to_dtype(t, DType::kFloat32));
      return out;
    };
    const auto [y, h, c] = lstm(to_dtype(input, DType::kFloat32), widened(hx), widened(params), has_biases,
                                num_layers, dropout_p, train, bidirectional, batch_first);
    return {to_dtype(y, input.dtype()), to_dtype(h, input.dtype()), to_dtype(c, input.dtype())};
  }
  TensorList hs, cs;
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    TensorList outputs;
    for (int64_t d = 0; d < directions; ++d) {
      const int64_t k = layer * directions + d;
      const Tensor* p = &params[static_cast<size_t>(k) * per_layer];
      SC_CHECK(p[0].size(1) == x.size(2), "input.size(-1) must be equal to input_size. Expected ",
               p[0].size(1), ", got ", x.size(2));
      const TensorList r = lstm_layer(x, select(h0, 0, k), select(c0, 0, k), p[0], p[1],
                                      has_biases ? p[2] : Tensor(), has_biases ? p[3] : Tensor(), d == 1);
      outputs.push_back(r[0]);
      hs.push_back(r[1]);
      cs.push_back(r[2]);
    }
    x = directions == 1 ? outputs[0] : cat(outputs, 2);
    if (train && dropout_p > 0 && layer + 1 < num_layers) x = dropout(x, dropout_p, true);
  }
  return {batch_first ? transpose(x, 0, 1) : x, stack(hs, 0), stack(cs, 0)};
}
}  // namespace

OP("lstm(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool "
   "train, bool bidirectional, bool "
   "batch_first) -> (Tensor, Tensor, Tensor)",
   lstm, kFunction,
   R"(A multi-layer LSTM over a sequence: `[output, h_n, c_n]`. `nn.LSTM` is its module.

`input` is [steps, batch, features] ([batch, steps, features] with `batch_first`), `hx` the initial `[h_0, c_0]`, each
[layers * directions, batch, hidden]; `params` lists `weight_ih [4 hidden, in]`, `weight_hh [4 hidden, hidden]` and, with `has_biases`,
`bias_ih`, `bias_hh` per layer and direction, gates in the order input, forget, cell, output. float32 and float64.
Throws when a shape, dtype or device does not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html

@example
torch.lstm(torch.zeros(2, 1, 3), [torch.zeros(1, 1, 4), torch.zeros(1, 1, 4)], [torch.zeros(16, 3), torch.zeros(16, 4)], false, 1, 0, false, false, false)[0].shape // [2, 1, 4]
)");

}  // namespace sconce::ops
