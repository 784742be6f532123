#pragma once
#include "common.h"

typedef struct ScOptimKernels {
  void* reserved;
} ScOptimKernels;
