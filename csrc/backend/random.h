// Random fills of contiguous buffers.
#pragma once
#include "common.h"

// Parameters p[0], p[1] are noted.
typedef enum ScRandomOp {
  SC_RAND_UNIFORM /* from, to */,
  SC_RAND_NORMAL /* mean, std */,
  SC_RAND_LOG_NORMAL /* mean, std */,
  SC_RAND_EXPONENTIAL /* lambda */,
  SC_RAND_CAUCHY /* median, sigma */,
  SC_RAND_GEOMETRIC /* p */,
  SC_RAND_BERNOULLI /* p */,
  SC_RAND_BERNOULLI_EACH /* prob[i] */,
  SC_RAND_FROM_TO /* integers of [base, base + range); range 0 stands for 2^64 */,
  SC_RAND_DEFAULT /* random_(): [0, max], of floats [0, 2^mantissa digits] */,
  SC_RAND_PERMUTATION /* of 0 .. numel - 1 */,
  SC_RAND_COUNT
} ScRandomOp;

typedef struct ScRandom {
  void* out;
  int32_t dtype;
  int32_t serial;  // the buffer stands for a tensor that is not contiguous: normal numbers come in pairs, not
                   // blocks
  int64_t numel;
  double p[2];
  int64_t base;
  uint64_t range;
  const void* prob;  // floating, same length as out
  int32_t prob_dtype;
  void* generator;  // on the CPU: the sconce::Generator, which the caller has locked
  uint64_t seed,
      offset;  // elsewhere: key and first counter of a counter-based generator (one counter per number)
} ScRandom;

typedef struct ScRandomKernels {
  int32_t (*fill)(int32_t op, const ScRandom* args);
} ScRandomKernels;
