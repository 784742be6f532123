#pragma once
#include "common.h"

typedef struct ScSoftmaxKernels {
  void* reserved;
} ScSoftmaxKernels;
