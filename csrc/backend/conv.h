#pragma once
#include "common.h"

typedef struct ScConvKernels {
  void* reserved;
} ScConvKernels;
