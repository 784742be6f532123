// Registered operators as JavaScript functions. Arguments come flat, in the signature's order;
// lib/dispatch.ts has resolved keywords and overloads. Absent trailing arguments take the signature's
// defaults.
#include <map>

#include "../csrc/core/profiler.h"
#include "async.h"
#include "env.h"
#include "profiler.h"

namespace sconce::binding {

namespace {
struct Bound {
  OpEntry* op;
  bool in_place;
};

std::vector<double> get_doubles(napi_env env, napi_value v) {
  uint32_t n;
  check(env, napi_get_array_length(env, v, &n));
  std::vector<double> out(n);
  for (uint32_t i = 0; i < n; ++i) {
    napi_value e;
    check(env, napi_get_element(env, v, i, &e));
    out[i] = get_double(env, e);
  }
  return out;
}

void convert(napi_env env, napi_value v, const Param& p, Value& out) {
  if (p.type == ParamType::kTensor && !p.optional) {
    out.tag = Value::kTensor;
    out.tensor = unwrap(env, v);
    return;
  }
  napi_valuetype t;
  check(env, napi_typeof(env, v, &t));
  if (t == napi_undefined && p.has_default) {
    out = p.default_value;
    return;
  }
  if (t == napi_null || t == napi_undefined) {
    SC_CHECK_TYPE(p.optional || (p.has_default && p.default_value.tag == Value::kNone), "argument '", p.name,
                  "' must not be null");
    return;  // None
  }
  switch (p.type) {
    case ParamType::kTensor:
      out.tag = Value::kTensor;
      out.tensor = unwrap(env, v);
      break;
    case ParamType::kTensorList:
    case ParamType::kOptTensorList:
      out.tag = Value::kTensorList;
      out.tensors = unwrap_list(env, v);
      break;
    case ParamType::kScalar:
      out.tag = Value::kScalar;
      out.scalar = get_scalar(env, v);
      break;
    case ParamType::kInt:
      out.tag = Value::kInt;
      out.i = get_int(env, v);
      break;
    case ParamType::kFloat:
      out.tag = Value::kFloat;
      out.f = get_double(env, v);
      break;
    case ParamType::kBool:
      out.tag = Value::kBool;
      out.i = get_bool(env, v);
      break;
    case ParamType::kString:
      out.tag = Value::kString;
      out.text = get_string(env, v);
      break;
    case ParamType::kIntList:
      out.tag = Value::kIntList;
      out.ints = get_ints(env, v);
      break;
    case ParamType::kFloatList:
    case ParamType::kScalarList:
      out.tag = Value::kFloatList;
      out.floats = get_doubles(env, v);
      break;
    case ParamType::kDType:
      out.tag = Value::kDType;
      out.i = get_int(env, v);
      SC_CHECK_TYPE(out.i >= 0 && out.i < kNumDTypes, "bad dtype code ", out.i);
      break;
    case ParamType::kDevice:
      out.tag = Value::kDevice;
      out.device = parse_device(get_string(env, v));
      break;
    case ParamType::kMemoryFormat:
      out.tag = Value::kMemoryFormat;
      out.i = get_int(env, v);
      break;
    case ParamType::kGenerator: {
      void* g = nullptr;
      check(env, napi_get_value_external(env, v, &g));
      out.tag = Value::kGenerator;
      out.generator = static_cast<Generator*>(g);
      break;
    }
  }
}

napi_value give(napi_env env, Result& r) {
  switch (r.tag) {
    case Result::kTensor:
      return wrap(env, std::move(r.tensor));
    case Result::kTensors:
      return wrap_list(env, std::move(r.tensors));
    case Result::kScalar:
    case Result::kBool:
      return from_scalar(env, r.scalar);
    case Result::kInts: {
      napi_value a;
      check(env, napi_create_array_with_length(env, r.ints.size(), &a));
      for (size_t i = 0; i < r.ints.size(); ++i)
        check(env, napi_set_element(env, a, static_cast<uint32_t>(i), from_int(env, r.ints[i])));
      return a;
    }
    default:
      return undefined(env);
  }
}

// Leaves the call in a job instead: Note [Captured calls].
napi_value capture_op(napi_env, const Bound* bound, Value* values, size_t n) {
  auto kept = std::make_shared<std::vector<Value>>(std::make_move_iterator(values),
                                                   std::make_move_iterator(values + n));
  auto result = std::make_shared<Result>();
  const auto work = [bound, kept, result] { invoke(*bound->op, kept->data(), *result, bound->in_place); };
  const bool writes = bound->in_place || (bound->op->flags & kWritesSelf) != 0;
  return t_async->capture(
      work, [result](napi_env e) { return give(e, *result); }, writes ? "" : bound->op->returns);
}

napi_value call_op(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const auto* bound = static_cast<const Bound*>(a.data);
    const OpEntry& op = *bound->op;
    EnvData& d = env_data();
    d.collector.before_op(env, d.account->bytes.load(std::memory_order_relaxed));
    constexpr size_t kMaxArgs = 24;
    // Values are built in place, only as many as there are parameters.
    alignas(Value) unsigned char raw[kMaxArgs * sizeof(Value)];
    auto* values = reinterpret_cast<Value*>(raw);
    struct Cleanup {
      Value* v;
      size_t n = 0;
      ~Cleanup() {
        while (n > 0) v[--n].~Value();
      }
    } made{values};
    for (size_t i = 0; i < op.params.size(); ++i) {
      new (&values[i]) Value;
      ++made.n;
      if (i < a.n) {
        convert(env, a.v[i], op.params[i], values[i]);
      } else {
        SC_CHECK_TYPE(op.params[i].has_default || op.params[i].optional, op.name,
                      "() missing required argument '", op.params[i].name, "'");
        values[i] = op.params[i].default_value;
      }
    }
    if (__builtin_expect(t_async != nullptr, 0) && t_async->captures(op.returns))
      return capture_op(env, bound, values, made.n);
    Result r;
    if (profiling())
      profiled_invoke(env, op, values, r, bound->in_place);
    else
      invoke(op, values, r, bound->in_place);
    return give(env, r);
  });
}

std::map<std::string, OpEntry*>& by_key() {
  static auto* m = [] {
    auto* map = new std::map<std::string, OpEntry*>;
    // Parsed here, once and by one thread: workers may start at the same moment.
    for (OpEntry* e : registry()) {
      e->parse();
      const std::string s = e->signature;
      (*map)[s.substr(0, s.find('('))] = e;
    }
    return map;
  }();
  return *m;
}

// op(key, in_place): the function of "add.Tensor"; undefined when there is none.
napi_value op(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    auto it = by_key().find(get_string(env, a.v[0]));
    if (it == by_key().end()) return undefined(env);
    const bool in_place_form = a.n > 1 && get_bool(env, a.v[1]);
    auto* bound = new Bound{it->second, in_place_form};  // as long-lived as the module
    napi_value f;
    check(env, napi_create_function(env, it->second->name.c_str(), NAPI_AUTO_LENGTH, call_op, bound, &f));
    return f;
  });
}

// registry(): every row as { key, signature, flags, doc }, for the generator and the guard tests.
napi_value registry_rows(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    napi_value rows;
    check(env, napi_create_array(env, &rows));
    uint32_t i = 0;
    for (auto& [key, e] : by_key()) {
      napi_value row, flags;
      check(env, napi_create_object(env, &row));
      check(env, napi_set_named_property(env, row, "key", from_string(env, key)));
      check(env, napi_set_named_property(env, row, "signature", from_string(env, e->signature)));
      check(env, napi_create_uint32(env, e->flags, &flags));
      check(env, napi_set_named_property(env, row, "flags", flags));
      check(env, napi_set_named_property(env, row, "doc", from_string(env, e->doc)));
      check(env, napi_set_element(env, rows, i++, row));
    }
    return rows;
  });
}
}  // namespace

void init_ops(napi_env env, napi_value exports) {
  SC_DEFINE(op);
  define(env, exports, "registry", registry_rows);
}

}  // namespace sconce::binding
