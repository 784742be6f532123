#pragma once
#include "common.h"

typedef struct ScPoolKernels {
  void* reserved;
} ScPoolKernels;
