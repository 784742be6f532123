#pragma once
#include "common.h"

typedef struct ScScanKernels {
  void* reserved;
} ScScanKernels;
