#include "profiler.h"

#include "../csrc/core/profiler.h"

namespace sconce::binding {
namespace {

// A profile of this environment, which outlives no call of profiler_stop() and not its environment.
struct Session {
  ProfileRecorder recorder;
  std::unique_ptr<JsRef> stack;  // () -> a number for the caller's stack
  Session(bool record_shapes, bool memory) : recorder(record_shapes, memory) {}
};

std::unique_ptr<Session>& session() {
  static thread_local std::unique_ptr<Session> s;
  return s;
}

void forget(void*) {
  t_profiler = nullptr;
  session().reset();
}

const char* public_name(const std::string& name) {
  // Operators that lib/ calls on behalf of a public one.
  static const std::unordered_map<std::string, const char*> names = {
      {"_alias", "alias"}, {"_index", "index"}, {"_slice", "slice"}};
  const auto it = names.find(name);
  return it == names.end() ? name.c_str() : it->second;
}

int32_t note_arguments(ProfileRecorder& r, const OpEntry& op, const Value* args) {
  const int32_t at = r.begin_arguments(op.params.size());
  for (size_t i = 0; i < op.params.size(); ++i) {
    switch (args[i].tag) {
      case Value::kTensor:
        r.argument(args[i].tensor);
        break;
      case Value::kTensorList:
        r.argument(args[i].tensors);
        break;
      case Value::kScalar:
      case Value::kInt:
      case Value::kFloat:
      case Value::kBool:
        r.argument(ProfileRecorder::kScalar);
        break;
      case Value::kIntList:
      case Value::kFloatList:
        r.argument(ProfileRecorder::kScalarList);
        break;
      default:
        r.argument(ProfileRecorder::kOther);
    }
  }
  return at;
}

int32_t stack_of_caller(napi_env env) {
  napi_handle_scope scope = nullptr;
  check(env, napi_open_handle_scope(env, &scope));
  double id = -1;
  napi_get_value_double(env, call_js(*session()->stack, {}), &id);
  napi_close_handle_scope(env, scope);
  return static_cast<int32_t>(id);
}

// profiler_start(record_shapes, memory, stack function or null)
napi_value profiler_start(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    SC_CHECK(!session(), "Profiler is already enabled on this thread");
    auto s = std::make_unique<Session>(get_bool(env, a.v[0]), get_bool(env, a.v[1]));
    if (!is_nullish(env, a.v[2])) s->stack = std::make_unique<JsRef>(env, a.v[2]);
    check(env, napi_add_env_cleanup_hook(env, forget, nullptr));
    session() = std::move(s);
    t_profiler = &session()->recorder;
    return undefined(env);
  });
}

napi_value doubles(napi_env env, size_t n, double** data) {
  napi_value buffer, array;
  void* p = nullptr;
  check(env, napi_create_arraybuffer(env, n * sizeof(double), &p, &buffer));
  check(env, napi_create_typedarray(env, napi_float64_array, n, buffer, 0, &array));
  *data = static_cast<double*>(p);
  return array;
}

// profiler_stop() -> what was recorded; the layout is known to lib/profiler/events.ts
napi_value profiler_stop(napi_env env, napi_callback_info) {
  return guarded(env, [&] {  // what the session refers to is dropped in turn
    SC_CHECK(session(), "Can't disable Kineto profiler when it's not running");
    const std::unique_ptr<Session> s = std::move(session());
    t_profiler = nullptr;
    check(env, napi_remove_env_cleanup_hook(env, forget, nullptr));
    ProfileRecorder& r = s->recorder;
    r.close();

    napi_value out, names;
    check(env, napi_create_object(env, &out));
    check(env, napi_create_array_with_length(env, r.names().size(), &names));
    for (size_t i = 0; i < r.names().size(); ++i)
      check(env, napi_set_element(env, names, static_cast<uint32_t>(i), from_string(env, r.names()[i])));
    double* d;
    constexpr size_t kFields = 10;
    const napi_value events = doubles(env, r.events().size() * kFields, &d);
    for (const ProfileEvent& e : r.events()) {
      *d++ = static_cast<double>(e.kind);
      *d++ = e.name;
      *d++ = static_cast<double>(e.start);
      *d++ = static_cast<double>(e.end);
      *d++ = static_cast<double>(e.sequence);
      *d++ = static_cast<double>(e.extent);
      *d++ = e.shapes;
      *d++ = e.stack;
      *d++ = (e.on_cpu ? 1 : 0) + (e.is_async ? 2 : 0);
      *d++ = e.thread;
    }
    const napi_value shapes = doubles(env, r.shapes().size(), &d);
    for (const int64_t v : r.shapes()) *d++ = static_cast<double>(v);
    check(env, napi_set_named_property(env, out, "names", names));
    check(env, napi_set_named_property(env, out, "events", events));
    check(env, napi_set_named_property(env, out, "shapes", shapes));
    check(env, napi_set_named_property(env, out, "start_ns", from_int(env, r.start())));
    check(env, napi_set_named_property(env, out, "dropped", from_int(env, r.dropped())));
    return out;
  });
}

napi_value from_token(napi_env env, ProfileRecorder::Token t) {
  return from_int(env, (static_cast<int64_t>(t.session) << 20) | t.index);
}

// profiler_begin(name) -> token; null when there is nothing to end
napi_value profiler_begin(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    ProfileRecorder* r = profiler();
    const auto token =
        r ? r->begin(ProfileKind::kRange, r->name(get_string(env, a.v[0]))) : ProfileRecorder::Token{};
    if (token.session != 0) return from_token(env, token);
    napi_value null;
    check(env, napi_get_null(env, &null));
    return null;
  });
}

// profiler_end(token, is_async)
napi_value profiler_end(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    Args a(env, info);
    const int64_t packed = get_int(env, a.v[0]);
    const ProfileRecorder::Token token{static_cast<uint32_t>(packed >> 20), packed & ((1 << 20) - 1)};
    if (ProfileRecorder* r = profiler())
      if (ProfileEvent* e = r->find(token)) e->is_async = get_bool(env, a.v[1]);
    ProfileRecorder::end(token);
    return undefined(env);
  });
}

}  // namespace

void profiled_invoke(napi_env env, const OpEntry& op, const Value* args, Result& out, bool in_place_form) {
  static_assert(ProfileRecorder::kMaxEvents <= 1 << 20, "an event's number is a token's lower 20 bits");
  ProfileRecorder& r = *profiler();
  ProfileRecorder::Token token;
  uint64_t first_node = 0;
  if (r.full()) {
    token = r.begin(ProfileKind::kOperator, 0);  // counts it as dropped
  } else {
    const int32_t stack = session()->stack ? stack_of_caller(env) : -1;
    const int32_t shapes = r.records_shapes() ? note_arguments(r, op, args) : -1;
    const uint32_t name = r.name_of(reinterpret_cast<const char*>(&op) + (in_place_form ? 1 : 0), [&] {
      return str("aten::", public_name(op.name), in_place_form ? "_" : "");
    });
    token = r.begin(ProfileKind::kOperator, name);
    ProfileEvent* e = r.find(token);
    e->stack = stack;
    e->shapes = shapes;
    first_node = thread_state().next_sequence_nr;
  }
  const ProfileScope scope(token);
  invoke(op, args, out, in_place_form);
  if (ProfileRecorder* now = profiler())
    if (ProfileEvent* e = now->find(token)) {
      const uint64_t made = thread_state().next_sequence_nr - first_node;
      if (made > 0) e->sequence = static_cast<int64_t>(first_node);
      e->extent = static_cast<int64_t>(made);
      if (out.tag == Result::kTensor && out.tensor) now->set_result(token, out.tensor.numel());
    }
}

void init_profiler(napi_env env, napi_value exports) {
  SC_DEFINE(profiler_start);
  SC_DEFINE(profiler_stop);
  SC_DEFINE(profiler_begin);
  SC_DEFINE(profiler_end);
}

}  // namespace sconce::binding
