// Module entry. Reports the experimental Node-API version, see Note [Tensors and the garbage collector] in
// env.h.
#include <napi.h>

#include "env.h"

namespace sconce::binding {
static Napi::Object init(Napi::Env env, Napi::Object exports) {
  env_data();
  napi_env e = env;
  guarded(e, [&]() -> napi_value {
    init_ops(e, exports);
    init_tensor(e, exports);
    init_data(e, exports);
    init_autograd(e, exports);
    init_forward(e, exports);
    init_function(e, exports);
    init_profiler(e, exports);
    init_graph(e, exports);
    init_random(e, exports);
    init_system(e, exports);
    init_async(e, exports);
    return nullptr;
  });
  return exports;
}
}  // namespace sconce::binding

extern "C" {
NAPI_MODULE_EXPORT int32_t NODE_API_MODULE_GET_API_VERSION(void) { return NAPI_VERSION_EXPERIMENTAL; }
NAPI_MODULE_EXPORT napi_value NAPI_MODULE_INITIALIZER(napi_env env, napi_value exports) {
  return Napi::RegisterModule(env, exports, sconce::binding::init);
}
}
