// What the files that run oneDNN's primitives share.
#pragma once
#include <dnnl.hpp>

#include "cpu/workspace.h"

namespace sconce::onednn {

inline const dnnl::engine& engine() {
  static const dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}
inline dnnl::stream& stream() {
  static thread_local dnnl::stream s(engine());
  return s;
}

// Sizes of the scratchpad are oneDNN's, its memory is ours.
inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return a;
}

}  // namespace sconce::onednn
