#pragma once
#include "common.h"

typedef struct ScNormKernels {
  void* reserved;
} ScNormKernels;
