#pragma once
#include "common.h"

typedef struct ScRandomKernels {
  void* reserved;
} ScRandomKernels;
