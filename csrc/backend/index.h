#pragma once
#include "common.h"

typedef struct ScIndexKernels {
  void* reserved;
} ScIndexKernels;
