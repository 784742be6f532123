#pragma once
#include "common.h"

typedef struct ScSortKernels {
  void* reserved;
} ScSortKernels;
