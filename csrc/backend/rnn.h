#pragma once
#include "common.h"

typedef struct ScRnnKernels {
  void* reserved;
} ScRnnKernels;
