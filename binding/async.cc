#include "async.h"

namespace sconce::binding {

__thread Async* t_async = nullptr;

static const char* const kNotOne =
    "run_async(fn, ...args): fn must be one native operation whose result it returns as it is, such as "
    "torch.matmul; run several one after another, or code of your own in a worker thread";

void OwnerTurn::take() {
  SC_CHECK_TYPE(!t_async->sealed(), kNotOne);
  if (!t_async->background.running()) return;
  t_async->background.take();
  taken_ = &t_async->background;
}

void drop_or_defer(void (*drop)(void*), void* p) {
  Background& b = t_async->background;
  if (b.running() && !b.held())
    b.drop_later(drop, p);
  else
    drop(p);
}

void run_on_owner(napi_env env, const std::function<void()>& body) {
  Background::of_job()->call_owner([&] {
    try {
      const Scope scope(env);
      body();
      t_async->keep_pack_hook();
    } catch (const PendingException&) {
      t_async->keep_pack_hook();
      t_async->keep_exception();
      throw;
    }
  });
}

// ---- capturing ----
void Async::begin(napi_value placeholder, bool many, napi_value keep) {
  SC_CHECK(!capture_, "calls cannot be captured within each other");
  capture_.reset(new Capture{std::make_shared<Job>(env_, keep), {env_, placeholder}, many});
  t_async = this;
}

std::shared_ptr<Job> Async::end() {
  SC_CHECK(capture_, "no call is being captured");
  const std::unique_ptr<Capture> done = std::move(capture_);
  if (!background.running()) t_async = nullptr;
  return done->job;
}

napi_value Async::capture(std::function<void()> work, std::function<napi_value(napi_env)> result,
                          const std::string& returns, int64_t count) {
  Job& job = *capture_->job;
  job.work.push_back(std::move(work));
  job.result = std::move(result);
  job.returns = returns;
  if (capture_->many) return undefined(env_);
  napi_value placeholder = capture_->placeholder.value();
  if (count < 0) return placeholder;
  napi_value list;
  check(env_, napi_create_array_with_length(env_, static_cast<size_t>(count), &list));
  for (int64_t i = 0; i < count; ++i)
    check(env_, napi_set_element(env_, list, static_cast<uint32_t>(i), placeholder));
  return list;
}

// ---- running ----
Async::Async(napi_env env)
    : background([d = &env_data()] { t_env_data = d; },
                 [this] { napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking); }),
      env_(env) {
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, from_string(env, "sconce"), 0, 1, nullptr,
                                             nullptr, this, serve, &wake_));
  check(env, napi_unref_threadsafe_function(env, wake_));
  napi_value f;
  check(env, napi_create_function(env, "answer", NAPI_AUTO_LENGTH, answer, this, &f));
  check(env, napi_create_reference(env, f, 1, &answer_));
  // Hooks run last in, first out: this one before the environment closes the function above.
  check(env, napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Async*>(self)->close(); }, this));
  // A process that exits by itself runs no such hooks, but destroys what is local to its main thread, the
  // lists of small blocks too, which are older than this.
  pool_lists();
  static thread_local struct AtExit {
    Async* self = nullptr;
    ~AtExit() {
      if (self) self->close();
    }
  } at_exit;
  at_exit.self = this;
}

void Async::close() {
  background.close();
  running_.reset();
  t_async = nullptr;
}

void Async::start(std::shared_ptr<Job> job) {
  SC_CHECK(!background.running(), "a job is running already");
  SC_CHECK(env_data().calls_into_js == 0, "a job cannot be started inside a hook");
  running_ = std::move(job);
  t_async = this;
  check(env_, napi_ref_threadsafe_function(env_, wake_));
  background.start(running_->state, [job = running_.get()] {
    const auto work = std::move(job->work);  // dropped in the job's turn, with the tensors in it
    for (const auto& piece : work) piece();
  });
}

void Async::keep_pack_hook() {
  const auto& now = env_data().pack_hook;
  if (thread_state().pack_hook == now.get()) running_->pack_hook = now;
}
void Async::keep_exception() {
  napi_value e;
  if (napi_get_and_clear_last_exception(env_, &e) != napi_ok) return;  // the environment ends
  if (!thrown_) napi_create_reference(env_, e, 1, &thrown_);
}

void Async::serve(napi_env env, napi_value, void* data, void*) {
  if (!env) return;
  auto* self = static_cast<Async*>(data);
  const Background::Event event = self->background.poll();
  if (event == Background::Event::kCall)
    self->ask_owner();
  else if (event == Background::Event::kEnd)
    self->finish();
}

// What the job asks for runs in the asynchronous context of the call that made the job.
void Async::ask_owner() {
  napi_value enter, f, ignored;
  enter = running_->enter->value();
  if (napi_get_reference_value(env_, answer_, &f) == napi_ok)
    napi_call_function(env_, f, enter, 1, &f, &ignored);
  // Its next wish may be there already: poll() does not tell whether this one was answered.
  if (!std::exchange(answered_, false)) background.refuse();
}
napi_value Async::answer(napi_env env, napi_callback_info info) {
  void* data;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) != napi_ok) return nullptr;
  auto* self = static_cast<Async*>(data);
  self->answered_ = true;
  self->background.answer();
  return nullptr;
}

void Async::finish() {
  const std::exception_ptr thrown = background.finish();
  const std::shared_ptr<Job> job = std::move(running_);
  t_async = nullptr;
  napi_unref_threadsafe_function(env_, wake_);
  guarded_aside(env_, [&]() -> napi_value {
    enum Status { kDone, kFailed, kThrown, kStopped } status = kDone;
    napi_value value = nullptr;
    try {
      value = guarded_aside(env_, [&] {
        if (thrown) std::rethrow_exception(thrown);
        return job->result(env_);
      });
      if (!value) status = kFailed;
    } catch (const Cancelled&) {
      status = kStopped;
      value = undefined(env_);
    }
    // `settle` knows the job's handle: what the job refers to must not keep it alive.
    const std::unique_ptr<JsRef> settle = std::move(job->settle);
    job->enter.reset();
    job->keep.reset();
    job->result = nullptr;
    if (thrown_) {
      status = kThrown;
      napi_get_reference_value(env_, thrown_, &value);
      napi_delete_reference(env_, std::exchange(thrown_, nullptr));
    } else if (!value) {
      check(env_, napi_get_and_clear_last_exception(env_, &value));
    }
    call_js(*settle, {from_int(env_, status), value});
    return nullptr;
  });
}

// ---- what lib/async.ts calls; none of these touches a tensor ----
namespace {

Async& async_of(napi_env env) {
  EnvData& d = env_data();
  if (!d.async) d.async = new Async(env);
  return *d.async;
}
std::shared_ptr<Job>& job_of(napi_env env, napi_value v) {
  void* p = nullptr;
  check(env, napi_get_value_external(env, v, &p));
  return *static_cast<std::shared_ptr<Job>*>(p);
}

// capture_begin(placeholder, many, keep): with `many`, what returns nothing is captured, any number of
// times, and everything else runs; otherwise one call is, and no other let through after it.
napi_value capture_begin(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    const Args a(env, info);
    async_of(env).begin(a.v[0], get_bool(env, a.v[1]), a.v[2]);
    return undefined(env);
  });
}
// capture_end() -> the job; null when no call was captured
napi_value capture_end(napi_env env, napi_callback_info) {
  return guarded_aside(env, [&] {
    auto job = std::make_unique<std::shared_ptr<Job>>(async_of(env).end());
    napi_value v;
    if ((*job)->work.empty()) {
      check(env, napi_get_null(env, &v));
      return v;
    }
    check(env, napi_create_external(
                   env, job.get(),
                   [](napi_env, void* data, void*) {
                     drop_in_turn([](void* p) { delete static_cast<std::shared_ptr<Job>*>(p); }, data);
                   },
                   nullptr, &v));
    job.release();  // NOLINT(bugprone-unused-return-value): the external's now
    return v;
  });
}
// job_returns(job): what the captured operator's signature says it returns.
napi_value job_returns(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    const Args a(env, info);
    return from_string(env, job_of(env, a.v[0])->returns);
  });
}
// job_start(job, enter, settle): calls settle with 0 and the result, 1 and an error of the native layer, 2
// and what a hook threw, or 3 when it was cancelled. What the job calls meanwhile is called by enter(f).
napi_value job_start(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    const Args a(env, info);
    const std::shared_ptr<Job>& job = job_of(env, a.v[0]);
    job->enter = std::make_unique<JsRef>(env, a.v[1]);
    job->settle = std::make_unique<JsRef>(env, a.v[2]);
    async_of(env).start(job);
    return undefined(env);
  });
}
napi_value job_cancel(napi_env env, napi_callback_info info) {
  return guarded_aside(env, [&] {
    const Args a(env, info);
    async_of(env).cancel(job_of(env, a.v[0]).get());
    return undefined(env);
  });
}

}  // namespace

void init_async(napi_env env, napi_value exports) {
  SC_DEFINE(capture_begin);
  SC_DEFINE(capture_end);
  SC_DEFINE(job_returns);
  SC_DEFINE(job_start);
  SC_DEFINE(job_cancel);
  check(env, napi_set_named_property(env, exports, "not_one", from_string(env, kNotOne)));
}

}  // namespace sconce::binding
