// Operators of a thread that is being profiled, see Note [Profiler] in csrc/core/profiler.h.
#pragma once
#include "env.h"

namespace sconce::binding {

// invoke(), written down. Kept out of the way of calls that are not.
void profiled_invoke(napi_env env, const OpEntry& op, const Value* args, Result& out, bool in_place_form);

}  // namespace sconce::binding
