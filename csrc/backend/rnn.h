// The element-wise part of an LSTM step. The products around it are the matmul kernel's, see csrc/ops/rnn.cc.
// Gates lie side by side in the order input, forget, cell, output: one row is [4 * hidden].
#pragma once
#include "common.h"

typedef struct ScLstmStep {
  int32_t dtype;  // float32 or float64
  int64_t batch, hidden;
  void* gates;  // [batch, 4 * hidden]: sums in, activated gates out (forward); activated gates in (backward)
  const void* bias;     // [4 * hidden], forward: added to the sums, may be null
  void* d_gates;        // [batch, 4 * hidden], backward: gradients of the sums out
  const void* c_prev;   // [batch, hidden]
  void* c;              // [batch, hidden]: out (forward), in (backward)
  void* h;              // [batch, hidden]: out (forward)
  const void* dh;       // [batch, hidden], backward: gradient of h from above, may be null
  const void* dh_next;  // [batch, hidden], backward: gradient of h from the step after, may be null
  void* dc;             // [batch, hidden], backward: gradient of c in, of c_prev out
} ScLstmStep;

typedef struct ScRnnKernels {
  // i, f, o = sigmoid, g = tanh; c = f c_prev + i g; h = o tanh(c)
  int32_t (*lstm_forward)(const ScLstmStep* args);
  int32_t (*lstm_backward)(const ScLstmStep* args);
} ScRnnKernels;
