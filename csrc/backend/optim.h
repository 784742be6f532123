// Fused optimizer steps: one call updates all parameters of one dtype on one device.
#pragma once
#include "common.h"

// Lists of `count` tensors; the k-th tensors of all lists have numel[k] elements of `dtype` in one common
// dense layout.
typedef struct ScParamLists {
  int32_t dtype;  // floating
  int64_t count;
  const int64_t* numel;
  void* const* params;
  const void* const* grads;
} ScParamLists;

typedef struct ScSgd {
  ScParamLists lists;
  void* const* momentum_buffers;  // null without momentum
  double lr, momentum, dampening, weight_decay;
  int32_t nesterov, maximize;
  int32_t first_step;  // the buffers hold nothing yet: they become the gradients
} ScSgd;

typedef struct ScAdam {
  ScParamLists lists;
  void* const* exp_avgs;
  void* const* exp_avg_sqs;
  void* const* max_exp_avg_sqs;  // null without amsgrad
  const double* step_sizes;      // per tensor: lr / (1 - beta1^step)
  const double* denominators;    // per tensor: sqrt(1 - beta2^step)
  double lr, beta1, beta2, eps, weight_decay;
  int32_t maximize, decoupled_weight_decay;
} ScAdam;

typedef struct ScRmsprop {
  ScParamLists lists;
  void* const* square_avgs;
  void* const* grad_avgs;         // null unless centered
  void* const* momentum_buffers;  // null without momentum
  double lr, alpha, eps, weight_decay, momentum;
  int32_t maximize;
} ScRmsprop;

typedef struct ScOptimKernels {
  int32_t (*sgd)(const ScSgd* args);
  int32_t (*adam)(const ScAdam* args);
  int32_t (*rmsprop)(const ScRmsprop* args);
} ScOptimKernels;
