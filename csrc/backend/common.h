// Types shared by all kernel families.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SC_MAX_DIMS 16
#define SC_MAX_OPERANDS 5

enum { SC_OK = 0, SC_UNSUPPORTED = 1, SC_ERROR = 2 };

// Order is part of the ABI.
typedef enum ScDType {
  SC_FLOAT32 = 0,
  SC_FLOAT64 = 1,
  SC_FLOAT16 = 2,
  SC_BFLOAT16 = 3,
  SC_INT64 = 4,
  SC_INT32 = 5,
  SC_INT16 = 6,
  SC_INT8 = 7,
  SC_UINT8 = 8,
  SC_BOOL = 9
} ScDType;

// A number in the widest type of its category.
typedef struct ScScalar {
  int32_t is_float;  // else integer (bool: 0 or 1)
  union {
    double f;
    int64_t i;
  } v;
} ScScalar;

// A strided tensor argument; strides count elements, as everywhere in sconce. Pointers are borrowed for the
// call.
typedef struct ScTensor {
  void* data;
  int32_t dtype;
  int32_t ndim;
  const int64_t* sizes;
  const int64_t* strides;
} ScTensor;
