// What the binding keeps per JavaScript environment, and the conversions every file here uses.
//
// Note [Tensors and the garbage collector]
// A tensor reaches JavaScript as an External that owns one reference. The module reports the experimental
// Node-API version, so that its finalizers run inside the collection and a synchronous loop frees what it
// drops. In a finalizer nothing of Node-API may be called but napi_adjust_external_memory; references to
// JavaScript values that die there are put on a list and deleted by the next ordinary call. Bytes are
// accounted per environment by the storages themselves; wrap() has the collector run in time, see
// Note [Young collections]. That call may itself run finalizers: nothing here is half updated then.
#pragma once
#include <node_api.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "../csrc/autograd/saved_tensor.h"
#include "../csrc/core/background.h"
#include "../csrc/core/tensor.h"
#include "../csrc/ops/registry.h"
#include "collector.h"

namespace sconce::binding {

class Async;

struct EnvData {
  std::shared_ptr<MemoryAccount> account = std::make_shared<MemoryAccount>();
  Collector collector;
  std::vector<napi_ref> dead_refs;
  std::shared_ptr<PackHook> pack_hook;  // what thread_state() points to
  Async* async = nullptr;               // made when first used: binding/async.h
  int calls_into_js = 0;                // that native calls are making
};
extern __thread EnvData* t_env_data __attribute__((tls_model("initial-exec")));
EnvData& make_env_data();
// Of this thread; an environment never changes its thread.
inline EnvData& env_data() {
  return __builtin_expect(t_env_data != nullptr, 1) ? *t_env_data : make_env_data();
}

// Not null while a job of this thread is in flight, or a call is captured: binding/async.h.
extern __thread Async* t_async __attribute__((tls_model("initial-exec")));

// A native call's turn, where there are turns: Note [The turn] in csrc/core/background.h.
class OwnerTurn {
 public:
  OwnerTurn() {
    if (__builtin_expect(t_async != nullptr, 0)) take();
  }
  ~OwnerTurn() {
    if (__builtin_expect(taken_ != nullptr, 0)) taken_->give();
  }
  OwnerTurn(const OwnerTurn&) = delete;

 private:
  void take();
  Background* taken_ = nullptr;
};
void drop_or_defer(void (*drop)(void*), void* p);
// Drops what a finalizer was given: drop(p), now or when this thread next has the turn.
template <class Drop>
void drop_in_turn(const Drop& drop, void* p) {
  if (__builtin_expect(t_async != nullptr, 0))
    drop_or_defer(drop, p);
  else
    drop(p);
}

// Thrown when a JavaScript exception is pending already.
struct PendingException {};

inline void check(napi_env env, napi_status s) {
  if (s != napi_ok) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending || s == napi_cannot_run_js || s == napi_pending_exception || s == napi_closing)
      throw PendingException{};
    throw Error(ErrorKind::kType, "sconce: wrong kind of value passed to the native layer");
  }
}

// Runs `body`, which touches no tensor, and turns C++ exceptions into JavaScript ones.
template <class F>
napi_value guarded_aside(napi_env env, const F& body) {
  try {
    return body();
  } catch (const PendingException&) {
  } catch (const Error& e) {
    if (e.kind == ErrorKind::kType)
      napi_throw_type_error(env, nullptr, e.what());
    else if (e.kind == ErrorKind::kIndex)
      napi_throw_range_error(env, nullptr, e.what());
    else
      napi_throw_error(env, nullptr, e.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, nullptr, "DefaultCPUAllocator: can't allocate memory");
  } catch (const std::exception& e) {
    napi_throw_error(env, nullptr, e.what());
  }
  return nullptr;
}

// The same for all other native calls.
template <class F>
napi_value guarded(napi_env env, const F& body) {
  return guarded_aside(env, [&] {
    const OwnerTurn turn;
    return body();
  });
}

struct Args {
  napi_value v[24];
  size_t n = 24;
  void* data = nullptr;
  Args(napi_env env, napi_callback_info info) {
    check(env, napi_get_cb_info(env, info, &n, v, nullptr, &data));
  }
};

napi_value wrap(napi_env env, Tensor t);             // null for an undefined tensor
Tensor unwrap(napi_env env, napi_value v);           // throws TypeError
Tensor unwrap_optional(napi_env env, napi_value v);  // undefined for null and undefined
TensorList unwrap_list(napi_env env, napi_value v);
napi_value wrap_list(napi_env env, TensorList&& ts);
napi_value wrap_node(napi_env env, const Ref<Node>& n);
Ref<Node> unwrap_node(napi_env env, napi_value v);

bool is_nullish(napi_env env, napi_value v);
std::string get_string(napi_env env, napi_value v);
double get_double(napi_env env, napi_value v);
int64_t get_int(napi_env env, napi_value v);  // number or bigint
bool get_bool(napi_env env, napi_value v);
std::vector<int64_t> get_ints(napi_env env, napi_value v);
Scalar get_scalar(napi_env env, napi_value v);  // number, bigint or boolean
napi_value from_int(napi_env env, int64_t v);   // bigint when it is not a safe integer
napi_value from_scalar(napi_env env, const Scalar& s);
napi_value from_string(napi_env env, const std::string& s);
napi_value from_bool(napi_env env, bool b);
napi_value from_dims(napi_env env, const Dims& d);
napi_value undefined(napi_env env);

// A strong reference to a JavaScript value that may be dropped anywhere, also inside a collection.
class JsRef {
 public:
  JsRef(napi_env env, napi_value v) : env_(env) { check(env, napi_create_reference(env, v, 1, &ref_)); }
  JsRef(const JsRef&) = delete;
  ~JsRef() { env_data().dead_refs.push_back(ref_); }
  napi_value value() const {
    napi_value v = nullptr;
    napi_get_reference_value(env_, ref_, &v);
    return v;
  }
  napi_env env() const { return env_; }

 private:
  napi_env env_;
  napi_ref ref_ = nullptr;
};
// Handles made while calling back are dropped again, however long a backward pass is.
struct Scope {
  napi_env env;
  napi_handle_scope scope = nullptr;
  explicit Scope(napi_env e) : env(e) { check(env, napi_open_handle_scope(env, &scope)); }
  ~Scope() { napi_close_handle_scope(env, scope); }
  Scope(const Scope&) = delete;
};
// Runs `body`, which uses Node-API, in a scope of its own on the environment's thread: the way for hooks and
// other callbacks of the graph, which may be called inside a job.
void run_on_owner(napi_env env, const std::function<void()>& body);
template <class F>
auto in_js(napi_env env, const F& body) -> decltype(body()) {
  if (__builtin_expect(Background::of_job() == nullptr, 1)) {
    const Scope scope(env);
    return body();
  }
  if constexpr (std::is_void_v<decltype(body())>) {
    run_on_owner(env, [&] { body(); });
  } else {
    decltype(body()) result{};
    run_on_owner(env, [&] { result = body(); });
    return result;
  }
}

// Calls back into JavaScript; a thrown exception stays pending and unwinds as PendingException.
napi_value call_js(const JsRef& fn, const std::vector<napi_value>& args);
void drop_dead_refs(napi_env env);

void define(napi_env env, napi_value exports, const char* name, napi_callback cb, void* data = nullptr);
#define SC_DEFINE(name) define(env, exports, #name, name)

void init_ops(napi_env env, napi_value exports);
void init_tensor(napi_env env, napi_value exports);
void init_data(napi_env env, napi_value exports);
void init_autograd(napi_env env, napi_value exports);
void init_function(napi_env env, napi_value exports);
void init_forward(napi_env env, napi_value exports);
void init_profiler(napi_env env, napi_value exports);
void init_graph(napi_env env, napi_value exports);
void init_random(napi_env env, napi_value exports);
void init_system(napi_env env, napi_value exports);
void init_async(napi_env env, napi_value exports);

}  // namespace sconce::binding
