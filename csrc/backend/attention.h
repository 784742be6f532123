#pragma once
#include "common.h"

typedef struct ScAttentionKernels {
  void* reserved;
} ScAttentionKernels;
