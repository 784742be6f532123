#include "workspace.h"

#include <new>

#include "core/device.h"

namespace sconce {

void* Workspace::get(size_t bytes) {
  release();
  if (bytes == 0) return nullptr;
  p_ = g_cpu_backend->memory.allocate(0, bytes);
  if (!p_) throw std::bad_alloc();
  bytes_ = bytes;
  return p_;
}
void Workspace::release() {
  if (p_) g_cpu_backend->memory.deallocate(0, p_, bytes_);
  p_ = nullptr;
}

}  // namespace sconce
