#include "env.h"

#include <cmath>

namespace sconce::binding {

__thread EnvData* t_env_data = nullptr;
EnvData& make_env_data() {
  t_env_data =
      new EnvData;  // lives as long as finalizers may run, which is past the thread's own destructors
  current_account() = t_env_data->account;
  return *t_env_data;
}

void drop_dead_refs(napi_env env) {
  auto& dead = env_data().dead_refs;
  while (!dead.empty()) {
    napi_ref r = dead.back();
    dead.pop_back();
    napi_delete_reference(env, r);
  }
}

static void finalize_tensor(napi_env, void* data, void*) {
  env_data().collector.finalized();
  drop_in_turn([](void* p) { Ref<TensorImpl>::adopt(static_cast<TensorImpl*>(p)); }, data);
}
static void finalize_node(napi_env, void* data, void*) {
  drop_in_turn([](void* p) { Ref<Node>::adopt(static_cast<Node*>(p)); }, data);
}

napi_value wrap(napi_env env, Tensor t) {
  napi_value v;
  if (!t) {
    check(env, napi_get_null(env, &v));
    return v;
  }
  EnvData& d = env_data();
  if (!d.dead_refs.empty()) drop_dead_refs(env);
  d.collector.before_wrap(env, d.account->bytes.load(std::memory_order_relaxed));
  check(env, napi_create_external(env, t.impl(), finalize_tensor, nullptr, &v));
  t.release();
  return v;
}

Tensor unwrap(napi_env env, napi_value v) {
  void* p = nullptr;
  if (napi_get_value_external(env, v, &p) != napi_ok || !p ||
      static_cast<TensorImpl*>(p)->magic != TensorImpl::kMagic)
    throw Error(ErrorKind::kType, "expected a Tensor (has it been disposed?)");
  return Tensor(Ref<TensorImpl>(static_cast<TensorImpl*>(p)));
}

bool is_nullish(napi_env env, napi_value v) {
  napi_valuetype t;
  check(env, napi_typeof(env, v, &t));
  return t == napi_null || t == napi_undefined;
}

Tensor unwrap_optional(napi_env env, napi_value v) { return is_nullish(env, v) ? Tensor() : unwrap(env, v); }

TensorList unwrap_list(napi_env env, napi_value v) {
  uint32_t n;
  check(env, napi_get_array_length(env, v, &n));
  TensorList out(n);
  for (uint32_t i = 0; i < n; ++i) {
    napi_value e;
    check(env, napi_get_element(env, v, i, &e));
    out[i] = unwrap_optional(env, e);
  }
  return out;
}

napi_value wrap_list(napi_env env, TensorList&& ts) {
  napi_value a;
  check(env, napi_create_array_with_length(env, ts.size(), &a));
  for (size_t i = 0; i < ts.size(); ++i)
    check(env, napi_set_element(env, a, static_cast<uint32_t>(i), wrap(env, std::move(ts[i]))));
  return a;
}

napi_value wrap_node(napi_env env, const Ref<Node>& n) {
  napi_value v;
  if (!n) {
    check(env, napi_get_null(env, &v));
    return v;
  }
  Ref<Node> own = n;
  check(env, napi_create_external(env, own.get(), finalize_node, nullptr, &v));
  own.release();
  return v;
}

Ref<Node> unwrap_node(napi_env env, napi_value v) {
  void* p = nullptr;
  check(env, napi_get_value_external(env, v, &p));
  return Ref<Node>(static_cast<Node*>(p));
}

std::string get_string(napi_env env, napi_value v) {
  size_t n;
  check(env, napi_get_value_string_utf8(env, v, nullptr, 0, &n));
  std::string s(n, '\0');
  check(env, napi_get_value_string_utf8(env, v, s.data(), n + 1, &n));
  return s;
}

double get_double(napi_env env, napi_value v) {
  double d;
  if (napi_get_value_double(env, v, &d) == napi_ok) return d;
  return get_scalar(env, v).to_double();
}

int64_t get_int(napi_env env, napi_value v) {
  double d;
  if (napi_get_value_double(env, v, &d) == napi_ok) {
    SC_CHECK_TYPE(std::floor(d) == d && std::fabs(d) <= 9007199254740992.0, "expected an integer, but got ",
                  d);
    return static_cast<int64_t>(d);
  }
  return get_scalar(env, v).to_int();
}

bool get_bool(napi_env env, napi_value v) {
  bool b;
  check(env, napi_get_value_bool(env, v, &b));
  return b;
}

Scalar get_scalar(napi_env env, napi_value v) {
  double d;
  if (napi_get_value_double(env, v, &d) == napi_ok) {
    const bool integer =
        std::floor(d) == d && std::fabs(d) <= 9007199254740991.0 && !(d == 0 && std::signbit(d));
    return integer ? Scalar(static_cast<int64_t>(d)) : Scalar(d);
  }
  bool b;
  if (napi_get_value_bool(env, v, &b) == napi_ok) return Scalar(b);
  int64_t i;
  bool lossless;
  if (napi_get_value_bigint_int64(env, v, &i, &lossless) == napi_ok) {
    SC_CHECK(lossless, "Overflow when unpacking long long");
    return Scalar(i);
  }
  throw Error(ErrorKind::kType, "expected a number");
}

std::vector<int64_t> get_ints(napi_env env, napi_value v) {
  uint32_t n;
  check(env, napi_get_array_length(env, v, &n));
  std::vector<int64_t> out(n);
  for (uint32_t i = 0; i < n; ++i) {
    napi_value e;
    check(env, napi_get_element(env, v, i, &e));
    out[i] = get_int(env, e);
  }
  return out;
}

napi_value from_int(napi_env env, int64_t i) {
  napi_value v;
  if (i >= -9007199254740991 && i <= 9007199254740991)
    check(env, napi_create_double(env, static_cast<double>(i), &v));
  else
    check(env, napi_create_bigint_int64(env, i, &v));
  return v;
}

napi_value from_scalar(napi_env env, const Scalar& s) {
  if (s.is_bool()) return from_bool(env, s.to_bool());
  if (!s.is_floating()) return from_int(env, s.to_int());
  napi_value v;
  check(env, napi_create_double(env, s.to_double(), &v));
  return v;
}

napi_value from_string(napi_env env, const std::string& s) {
  napi_value v;
  check(env, napi_create_string_utf8(env, s.data(), s.size(), &v));
  return v;
}

napi_value from_bool(napi_env env, bool b) {
  napi_value v;
  check(env, napi_get_boolean(env, b, &v));
  return v;
}

napi_value from_dims(napi_env env, const Dims& d) {
  napi_value a;
  check(env, napi_create_array_with_length(env, static_cast<size_t>(d.size()), &a));
  for (int i = 0; i < d.size(); ++i)
    check(env, napi_set_element(env, a, static_cast<uint32_t>(i), from_int(env, d[i])));
  return a;
}

napi_value undefined(napi_env env) {
  napi_value v;
  check(env, napi_get_undefined(env, &v));
  return v;
}

napi_value call_js(const JsRef& fn, const std::vector<napi_value>& args) {
  napi_env env = fn.env();
  napi_value result;
  int& calls = env_data().calls_into_js;
  ++calls;
  const napi_status status =
      napi_call_function(env, undefined(env), fn.value(), args.size(), args.data(), &result);
  --calls;
  check(env, status);
  return result;
}

void define(napi_env env, napi_value exports, const char* name, napi_callback cb, void* data) {
  napi_value f;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, cb, data, &f));
  check(env, napi_set_named_property(env, exports, name, f));
}

}  // namespace sconce::binding
