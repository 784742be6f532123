// Device memory, transfers and streams.
#pragma once
#include "common.h"

typedef struct ScMemoryStats {
  int64_t allocated_bytes, allocated_bytes_peak;  // handed out
  int64_t reserved_bytes, reserved_bytes_peak;    // handed out or cached
  int64_t allocations, frees, cache_hits;
} ScMemoryStats;

enum { SC_HOST_TO_DEVICE = 0, SC_DEVICE_TO_HOST = 1, SC_DEVICE_TO_DEVICE = 2 };

typedef struct ScMemoryKernels {
  int32_t (*device_count)(void);
  const char* (*device_name)(int32_t device);
  void* (*allocate)(int32_t device, size_t bytes);  // null when out of memory; 64-byte aligned
  void (*deallocate)(int32_t device, void* p, size_t bytes);
  // Copies bytes; host memory may be pageable. Returns when the host side may be reused (or, for device to
  // host, read).
  int32_t (*transfer)(int32_t direction, int32_t dst_device, void* dst, int32_t src_device, const void* src,
                      size_t bytes);
  int32_t (*synchronize)(int32_t device);
  void (*stats)(int32_t device, ScMemoryStats* out);
  void (*reset_peak)(int32_t device);
  void (*empty_cache)(int32_t device);
  int32_t (*set_device)(int32_t device);
} ScMemoryKernels;
