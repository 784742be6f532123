// Generators.
#include "../csrc/core/generator.h"

#include "env.h"

namespace sconce::binding {
namespace {

Generator& generator_or_default(napi_env env, Args& a, size_t i) {
  if (i >= a.n || is_nullish(env, a.v[i])) return default_cpu_generator();
  void* p = nullptr;
  check(env, napi_get_value_external(env, a.v[i], &p));
  return *static_cast<Generator*>(p);
}

napi_value new_generator(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    napi_value v;
    auto* g = new Generator;
    const napi_status s = napi_create_external(
        env, g, [](napi_env, void* p, void*) { delete static_cast<Generator*>(p); }, nullptr, &v);
    if (s != napi_ok) delete g;
    check(env, s);
    return v;
  });
}
// manual_seed(seed, generator?)
napi_value manual_seed(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const auto seed = static_cast<uint64_t>(get_int(env, a.v[0]));
    if (a.n > 1 && !is_nullish(env, a.v[1]))
      generator_or_default(env, a, 1).manual_seed(seed);
    else
      manual_seed_all(seed);
    return undefined(env);
  });
}
napi_value initial_seed(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    napi_value v;
    check(env, napi_create_bigint_uint64(env, generator_or_default(env, a, 0).initial_seed(), &v));
    return v;
  });
}
napi_value seed(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    napi_value v;
    check(env, napi_create_bigint_uint64(env, generator_or_default(env, a, 0).seed(), &v));
    return v;
  });
}
// get_rng_state(generator?) -> uint8 tensor
napi_value get_rng_state(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Generator::State s = generator_or_default(env, a, 0).get_state();
    Tensor t = empty({static_cast<int64_t>(s.size())}, DType::kUInt8);
    __builtin_memcpy(t.data(), s.data(), s.size());
    return wrap(env, std::move(t));
  });
}
napi_value set_rng_state(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    SC_CHECK_TYPE(t.dtype() == DType::kUInt8 && t.device().is_cpu(), "RNG state must be a torch.ByteTensor");
    const Tensor c = contiguous_raw(t);
    generator_or_default(env, a, 1).set_state(c.data_as<uint8_t>(), static_cast<size_t>(c.numel()));
    return undefined(env);
  });
}

}  // namespace

void init_random(napi_env env, napi_value exports) {
  SC_DEFINE(new_generator);
  SC_DEFINE(manual_seed);
  SC_DEFINE(initial_seed);
  SC_DEFINE(seed);
  SC_DEFINE(get_rng_state);
  SC_DEFINE(set_rng_state);
}

}  // namespace sconce::binding
