// Threads, memory, devices, defaults.
#include "../csrc/core/parallel.h"
#include "env.h"

namespace sconce::binding {
namespace {

napi_value get_num_threads(napi_env env, napi_callback_info) {
  return guarded_aside(env, [&] { return from_int(env, num_threads()); });
}
napi_value set_num_threads(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    const int64_t n = get_int(env, a.v[0]);
    SC_CHECK(n > 0 && n < 4096, "set_num_threads expects a positive integer");
    sconce::set_num_threads(static_cast<int>(n));
    return undefined(env);
  });
}
napi_value get_default_dtype(napi_env env, napi_callback_info) {
  return guarded_aside(env, [&] { return from_int(env, static_cast<int64_t>(default_dtype())); });
}
napi_value set_default_dtype(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    sconce::set_default_dtype(static_cast<DType>(get_int(env, a.v[0])));
    return undefined(env);
  });
}

// memory_stats(device) -> { allocated_bytes, ... }
napi_value memory_stats(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Device d = parse_device(get_string(env, a.v[0]));
    ScMemoryStats s{};
    backend_of(d).memory.stats(d.index, &s);
    napi_value o;
    check(env, napi_create_object(env, &o));
    const std::pair<const char*, int64_t> rows[] = {{"allocated_bytes", s.allocated_bytes},
                                                    {"allocated_bytes_peak", s.allocated_bytes_peak},
                                                    {"reserved_bytes", s.reserved_bytes},
                                                    {"reserved_bytes_peak", s.reserved_bytes_peak},
                                                    {"allocations", s.allocations},
                                                    {"frees", s.frees},
                                                    {"cache_hits", s.cache_hits}};
    for (const auto& [name, v] : rows) check(env, napi_set_named_property(env, o, name, from_int(env, v)));
    return o;
  });
}
napi_value reset_peak_memory_stats(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Device d = parse_device(get_string(env, a.v[0]));
    backend_of(d).memory.reset_peak(d.index);
    return undefined(env);
  });
}
napi_value empty_cache(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Device d = parse_device(get_string(env, a.v[0]));
    backend_of(d).memory.empty_cache(d.index);
    return undefined(env);
  });
}
// set_young_collection(f): f collects the young generation
napi_value set_young_collection(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    env_data().collector.set_young_collection(env, a.v[0]);
    return undefined(env);
  });
}
napi_value has_young_collection(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_bool(env, env_data().collector.has_young_collection()); });
}
// step_ended(): an optimizer has just made its step
napi_value step_ended(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    EnvData& d = env_data();
    d.collector.after_step(env, d.account->bytes.load(std::memory_order_relaxed));
    return undefined(env);
  });
}
// checkpoint_ended(): a function whose values in between nobody keeps has just run
napi_value checkpoint_ended(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    EnvData& d = env_data();
    d.collector.after_checkpoint(env, d.account->bytes.load(std::memory_order_relaxed));
    return undefined(env);
  });
}
napi_value synchronize(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Device d = parse_device(get_string(env, a.v[0]));
    check_kernel(backend_of(d).memory.synchronize(d.index), d, "synchronize");
    return undefined(env);
  });
}
// cuda_unavailable_reason() -> null when CUDA can be used
napi_value cuda_unavailable_reason(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    const char* why = sconce::cuda_unavailable_reason();
    if (why) return from_string(env, why);
    napi_value v;
    check(env, napi_get_null(env, &v));
    return v;
  });
}
napi_value cuda_device_count(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return from_int(env, sconce::cuda_device_count()); });
}
napi_value device_label(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Device d = parse_device(get_string(env, a.v[0]));
    return from_string(env, backend_of(d).memory.device_name(d.index));
  });
}
// normal_device("cuda") -> "cuda:0"; throws PyTorch's text for nonsense
napi_value normal_device(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_string(env, device_name(parse_device(get_string(env, a.v[0]))));
  });
}
napi_value promote_types(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    return from_int(env,
                    static_cast<int64_t>(sconce::promote_types(static_cast<DType>(get_int(env, a.v[0])),
                                                               static_cast<DType>(get_int(env, a.v[1])))));
  });
}
// result_type(a, b): tensors or numbers
napi_value result_type(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    PromotionState s;
    for (size_t i = 0; i < 2; ++i) {
      napi_valuetype t;
      check(env, napi_typeof(env, a.v[i], &t));
      if (t == napi_external)
        s.add(unwrap(env, a.v[i]));
      else
        s.add(get_scalar(env, a.v[i]));
    }
    return from_int(env, static_cast<int64_t>(s.result()));
  });
}

}  // namespace

void init_system(napi_env env, napi_value exports) {
  SC_DEFINE(get_num_threads);
  SC_DEFINE(set_num_threads);
  SC_DEFINE(get_default_dtype);
  SC_DEFINE(set_default_dtype);
  SC_DEFINE(memory_stats);
  SC_DEFINE(reset_peak_memory_stats);
  SC_DEFINE(empty_cache);
  SC_DEFINE(synchronize);
  SC_DEFINE(set_young_collection);
  SC_DEFINE(has_young_collection);
  SC_DEFINE(step_ended);
  SC_DEFINE(checkpoint_ended);
  SC_DEFINE(cuda_unavailable_reason);
  SC_DEFINE(cuda_device_count);
  SC_DEFINE(device_label);
  SC_DEFINE(normal_device);
  SC_DEFINE(promote_types);
  SC_DEFINE(result_type);
}

}  // namespace sconce::binding
