// A job and its owner take turns on the same tensors. ThreadSanitizer runs this too: what the turn fails to
// order is a data race.
#include "core/background.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "core/pool.h"
#include "ops/ops.h"

using namespace sconce;

namespace {
// The owner's event loop: waits for the job's wishes, serves them, and in between lives its own life.
struct Owner {
  std::mutex mutex;
  std::condition_variable woken;
  int wakes = 0;
  Background background{[] {},
                        [this] {
                          const std::lock_guard<std::mutex> lock(mutex);
                          ++wakes;
                          woken.notify_one();
                        }};

  // A native call of the owner.
  template <class F>
  void call(const F& f) {
    background.take();
    f();
    background.give();
  }
  // Serves until the job has ended; `meanwhile` runs again and again.
  template <class F>
  std::exception_ptr serve(const F& meanwhile) {
    for (;;) {
      switch (background.poll()) {
        case Background::Event::kCall:
          background.answer();
          break;
        case Background::Event::kEnd:
          return background.finish();
        case Background::Event::kNone:
          meanwhile();
      }
    }
  }
  std::exception_ptr run(std::function<void()> job) {
    background.start(thread_state(), std::move(job));
    return serve([this] {
      std::unique_lock<std::mutex> lock(mutex);
      woken.wait(lock, [this] { return wakes > 0; });
      wakes = 0;
    });
  }
};

Tensor ones(const Dims& size) {
  Tensor t = empty(size, DType::kFloat32);
  fill_into(t, 1);
  return t;
}
Tensor chain(Tensor x, int length) {
  for (int i = 0; i < length; ++i) x = x * 1.0001;
  return ops::sum(x);
}
float first(const Tensor& t) { return contiguous_raw(t.detach()).data_as<float>()[0]; }

template <class E>
bool is(const std::exception_ptr& e) {
  try {
    if (e) std::rethrow_exception(e);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
  return false;
}
}  // namespace

TEST(Background, AJobComputesWhatTheOwnerWould) {
  const Tensor x = ones({100}).set_requires_grad(true), y = ones({100}).set_requires_grad(true);
  run_backward({chain(x, 300)}, {}, {}, {});
  Owner owner;
  EXPECT_FALSE(owner.run([loss = chain(y, 300)] { run_backward({loss}, {}, {}, {}); }));
  EXPECT_EQ(first(x.grad()), first(y.grad()));
}

TEST(Background, TheOwnerMayUseTheSameTensorsMeanwhile) {
  Owner owner;
  const Tensor x = ones({20}).set_requires_grad(true);
  int64_t calls = 0;
  for (int round = 0; round < 20; ++round) {
    Tensor made =
        chain(x, 200);  // in a statement of its own: what that leaves behind is dropped before the start
    owner.background.start(thread_state(), [loss = std::move(made)] {
      BackwardOptions o;
      o.create_graph = true;
      run_backward({loss}, {}, {}, o);
    });
    Tensor kept;
    EXPECT_FALSE(owner.serve([&] {
      owner.call([&] {
        kept = ops::add(x, x).detach();
        if (Tensor g = x.grad()) kept = ops::add(kept, g);
        ++calls;
      });
    }));
    Tensor(x).set_grad({});
  }
  EXPECT_GT(calls, 20);
}

TEST(Background, WhatTheJobAsksForRunsOnTheOwnersThreadWithTheJobsModes) {
  Owner owner;
  const auto home = std::this_thread::get_id();
  ThreadState state = thread_state();
  state.grad_enabled = false;
  std::thread::id there, where;
  bool grad_there = true, of_job = true;
  owner.background.start(state, [&] {
    there = std::this_thread::get_id();
    Background::of_job()->call_owner([&] {
      where = std::this_thread::get_id();
      grad_there = grad_enabled();
      of_job = Background::of_job() != nullptr;
    });
  });
  EXPECT_FALSE(owner.serve([] {}));
  EXPECT_NE(there, home);
  EXPECT_EQ(where, home);
  EXPECT_FALSE(grad_there);
  EXPECT_FALSE(of_job);
  EXPECT_TRUE(grad_enabled());
}

TEST(Background, AnErrorComesBack) {
  Owner owner;
  EXPECT_TRUE(is<Error>(owner.run([] { throw_error(ErrorKind::kRuntime, "no"); })));
  EXPECT_TRUE(is<int>(owner.run([] { Background::of_job()->call_owner([] { throw 7; }); })));
  EXPECT_FALSE(owner.run([] {}));
}

TEST(Background, ACancelledJobStopsBetweenNodes) {
  Owner owner;
  const Tensor x = ones({4}).set_requires_grad(true);
  int seen = 0;
  Tensor y = x;
  for (int i = 0; i < 100; ++i) {
    y = y * 2.0;
    register_hook(y, [&](const Tensor&) -> Tensor {
      if (++seen == 10) owner.background.cancel();
      return {};
    });
  }
  EXPECT_TRUE(is<Cancelled>(owner.run([loss = ops::sum(y)] { run_backward({loss}, {}, {}, {}); })));
  EXPECT_EQ(seen, 10);
  EXPECT_FALSE(x.grad());
  EXPECT_FALSE(owner.run([] { between_nodes(); }));  // the next one is not
}

TEST(Background, TheJobMovesOnThoughTheOwnerNeverRests) {
  Owner owner;
  std::atomic<int> steps{0};
  owner.background.start(thread_state(), [&] {
    for (; steps < 50; ++steps) Background::of_job()->pause();
  });
  int64_t calls = 0;
  while (steps < 50) {
    owner.call([] {});
    ++calls;
  }
  // Once per step, and a few times more where the two threads meet.
  EXPECT_LE(calls, 60 * (Background::kPatience + 1));
  EXPECT_FALSE(owner.serve([] {}));
}

TEST(Background, ClosingStopsAJobWhereverItIs) {
  const Tensor x = ones({4}).set_requires_grad(true);
  {
    Owner owner;  // computing
    owner.background.start(thread_state(), [] {
      for (;;) between_nodes();
    });
  }
  {
    Owner owner;  // waiting for its turn
    std::atomic<bool> began{false};
    owner.background.start(thread_state(), [&] {
      began = true;
      for (;;) between_nodes();
    });
    while (!began) std::this_thread::yield();
    Tensor(x).set_grad({});
  }
  {
    Owner owner;  // waiting for the owner
    owner.background.start(thread_state(), [kept = x * 2.0] {
      Background::of_job()->call_owner([] {});
      FAIL();
    });
    while (owner.background.poll() != Background::Event::kCall) std::this_thread::yield();
  }
  EXPECT_EQ(x.impl()->refcount(), 1u);
}

TEST(Background, WhatFinalizersLeaveIsDroppedByTheNextCall) {
  Owner owner;
  static int dropped;
  dropped = 0;
  owner.background.start(thread_state(), [] { Background::of_job()->call_owner([] {}); });
  owner.background.drop_later([](void*) { ++dropped; }, nullptr);
  EXPECT_EQ(dropped, 0);
  owner.call([] { EXPECT_EQ(dropped, 1); });
  owner.background.drop_later([](void*) { ++dropped; }, nullptr);
  EXPECT_FALSE(owner.serve([] {}));
  EXPECT_EQ(dropped, 2);
}

#ifndef __SANITIZE_ADDRESS__
TEST(Background, SmallBlocksThatTheJobFreesAreTheOwnersAgain) {
  Owner owner;
  void* p = pool_allocate(1024);
  EXPECT_FALSE(owner.run([p] { pool_free(p, 1024); }));
  void* again = pool_allocate(1024);
  EXPECT_EQ(again, p);
  pool_free(again, 1024);
}
#endif

#ifdef __SANITIZE_THREAD__
TEST(BackgroundDeathTest, TheSanitizerSeesATouchOutOfTurn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Owner owner;
        const Tensor x = ones({4});
        std::atomic<bool> began{false};
        owner.background.start(thread_state(), [x, &began] {
          began = true;
          for (int i = 0; i < 100000; ++i) Tensor copy = x;
        });
        while (!began) std::this_thread::yield();
        for (int i = 0; i < 100000; ++i) Tensor copy = x;
      },
      "data race");
}
#endif
