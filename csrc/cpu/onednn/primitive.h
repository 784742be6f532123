// What the files that run oneDNN's primitives share.
#pragma once
#include <dnnl.hpp>

#include "core/device.h"

namespace sconce::onednn {

inline const dnnl::engine& engine() {
  static const dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}
inline dnnl::stream& stream() {
  static thread_local dnnl::stream s(engine());
  return s;
}

// Memory for one call, from the caching allocator.
class Workspace {
 public:
  void* get(size_t bytes) {
    release();
    bytes_ = bytes;
    p_ = cpu_backend_mutable().memory.allocate(0, bytes);
    return p_;
  }
  Workspace() = default;
  ~Workspace() { release(); }
  Workspace(const Workspace&) = delete;

 private:
  void release() {
    if (p_) cpu_backend_mutable().memory.deallocate(0, p_, bytes_);
    p_ = nullptr;
  }
  void* p_ = nullptr;
  size_t bytes_ = 0;
};

// Sizes of the scratchpad are oneDNN's, its memory is ours.
inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return a;
}

}  // namespace sconce::onednn
