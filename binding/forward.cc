// Forward-mode differentiation: dual levels and dual tensors.
#include "../csrc/autograd/forward.h"

#include "env.h"

namespace sconce::binding {
namespace {

napi_value enter_dual_level(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_int(env, sconce::enter_dual_level()); });
}
napi_value exit_dual_level(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    sconce::exit_dual_level(static_cast<int>(get_int(env, a.v[0])));
    return undefined(env);
  });
}

// The visible levels, as a bigint with a bit each. The setter returns those before.
napi_value from_levels(napi_env env, uint64_t levels) {
  napi_value v;
  check(env, napi_create_bigint_uint64(env, levels, &v));
  return v;
}
napi_value visible_dual_levels(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_levels(env, thread_state().dual_levels); });
}
napi_value set_visible_dual_levels(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const uint64_t before = thread_state().dual_levels;
    bool lossless;
    check(env, napi_get_value_bigint_uint64(env, a.v[0], &thread_state().dual_levels, &lossless));
    return from_levels(env, before);
  });
}

// make_dual(primal, tangent, level) -> dual
napi_value make_dual(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return wrap(env, sconce::make_dual(unwrap(env, a.v[0]), unwrap(env, a.v[1]),
                                       static_cast<int>(get_int(env, a.v[2]))));
  });
}
// unpack_dual(dual, level) -> [primal, tangent or null]
napi_value unpack_dual(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    auto [primal, tangent] = sconce::unpack_dual(unwrap(env, a.v[0]), static_cast<int>(get_int(env, a.v[1])));
    return wrap_list(env, {std::move(primal), std::move(tangent)});
  });
}
// tangent_of(tensor, level) -> tangent or null; set_tangent(tensor, level, tangent)
napi_value tangent_of(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return wrap(env, sconce::tangent_of(unwrap(env, a.v[0]), static_cast<int>(get_int(env, a.v[1]))));
  });
}
napi_value set_tangent(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    sconce::set_tangent(unwrap(env, a.v[0]), static_cast<int>(get_int(env, a.v[1])),
                        unwrap_optional(env, a.v[2]));
    return undefined(env);
  });
}
napi_value carries_tangent(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_bool(env, sconce::carries_tangent(unwrap(env, a.v[0])));
  });
}

}  // namespace

void init_forward(napi_env env, napi_value exports) {
  SC_DEFINE(enter_dual_level);
  SC_DEFINE(exit_dual_level);
  SC_DEFINE(visible_dual_levels);
  SC_DEFINE(set_visible_dual_levels);
  SC_DEFINE(make_dual);
  SC_DEFINE(unpack_dual);
  SC_DEFINE(tangent_of);
  SC_DEFINE(set_tangent);
  SC_DEFINE(carries_tangent);
}

}  // namespace sconce::binding
