// Results larger than the caches, written past them.
//
// Note [Streamed results]
// An ordinary store first reads the line it writes to, and pushes out of the caches what an operator could
// still use. A result of many megabytes is gone from them anyway before anybody reads it. So the kernels that
// memory bounds compute such a result block by block in the first cache, and copy each block out with stores
// that bypass the caches: a third less traffic. The blocks begin where a line begins, except for the first.
#pragma once
#include <cstdint>

namespace sconce::cpu {

constexpr int64_t kStreamBytes = int64_t{8} << 20;
constexpr int64_t kStreamBlock = 8192;  // bytes, of any element size

inline bool is_streamed(int64_t bytes) { return bytes >= kStreamBytes; }
void stream_copy(void* to, const void* from, int64_t bytes);
void stream_fence();  // after a thread's last copy, before others may read

}  // namespace sconce::cpu
