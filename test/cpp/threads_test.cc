// What threads share. ThreadSanitizer runs this too: it sees pieces of one kernel that write to the same
// place, and state that JavaScript's workers share without a lock.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "core/parallel.h"
#include "core/random_fill.h"
#include "ops/ops.h"

using namespace sconce;

namespace {
Tensor random(const Dims& size, bool grad = true) {
  Tensor t = empty(size, DType::kFloat32);
  ops::normal_raw(t, 0, 1);
  if (grad) t.set_requires_grad(true);
  return t;
}

Tensor positions(int64_t n, int64_t below) {
  const Tensor t = empty({n}, DType::kInt64);
  for (int64_t i = 0; i < n; ++i) t.data_as<int64_t>()[i] = i * 7919 % below;
  return t;
}

Value value(const Tensor& t) {
  Value v;
  if (t.defined()) {
    v.tag = Value::kTensor;
    v.tensor = t;
  }
  return v;
}
Value value(const IntList& ints) {
  Value v;
  v.tag = Value::kIntList;
  v.ints = ints;
  return v;
}

// Runs an operator of the registry; parameters without an argument take their defaults.
Tensor call(const char* signature_start, std::vector<Value> args) {
  for (OpEntry* op : registry()) {
    if (std::string(op->signature).rfind(signature_start, 0) != 0) continue;
    if (op->params.empty()) op->parse();
    for (size_t i = args.size(); i < op->params.size(); ++i) args.push_back(op->params[i].default_value);
    Result out;
    invoke(*op, args.data(), out, false);
    return out.tag == Result::kTensors ? out.tensors[0] : out.tensor;
  }
  throw std::logic_error(std::string("no operator ") + signature_start);
}

struct Case {
  const char* name;
  std::vector<Tensor> inputs;
  std::function<Tensor(const std::vector<Tensor>&)> run;
};

std::vector<Case> cases() {
  using In = const std::vector<Tensor>&;
  const Tensor index = positions(3000, 500), rows = positions(500, 40), mask = random({300, 500}, false);
  std::vector<Case> all = {
      {"element by element", {random({300, 500}), random({500})}, [](In x) { return ops::exp(x[0]) * x[1]; }},
      {"transposed", {random({300, 500})}, [](In x) { return ops::contiguous(ops::t(x[0])); }},
      {"sum", {random({300, 500})}, [](In x) { return ops::sum(x[0]); }},
      {"sum of rows", {random({300, 500})}, [](In x) { return ops::sum_dim(x[0], IntList{1}, false); }},
      {"sum of columns", {random({300, 500})}, [](In x) { return ops::sum_dim(x[0], IntList{0}, false); }},
      {"amax", {random({300, 500})}, [](In x) { return ops::amax(x[0], {0}); }},
      {"cumsum", {random({300, 500})}, [](In x) { return ops::cumsum(x[0], 0); }},
      {"softmax", {random({300, 500})}, [](In x) { return ops::softmax(x[0], 1); }},
      {"log_softmax", {random({300, 500})}, [](In x) { return ops::log_softmax(x[0], 0); }},
      {"sort", {random({100, 500})}, [](In x) { return std::get<0>(ops::sort(x[0])); }},
      {"index_select", {random({500, 30})}, [=](In x) { return ops::index_select(x[0], 0, index); }},
      {"index_add",
       {random({500, 30}), random({3000, 30})},
       [=](In x) { return ops::index_add(x[0], 0, index, x[1]); }},
      {"index_put",
       {random({40, 300}), random({500, 300})},
       [=](In x) { return ops::index_put(x[0], {rows}, x[1], true); }},
      {"masked_fill",
       {random({300, 500})},
       [=](In x) { return ops::masked_fill(x[0], ops::isnan(mask), 0); }},
      {"mm", {random({150, 120}), random({120, 130})}, [](In x) { return ops::mm(x[0], x[1]); }},
      {"bmm", {random({8, 40, 50}), random({8, 50, 30})}, [](In x) { return ops::bmm(x[0], x[1]); }},
      {"linear",
       {random({64, 200}), random({100, 200}), random({100})},
       [](In x) { return ops::linear(x[0], x[1], x[2]); }},
      {"conv2d",
       {random({4, 8, 20, 20}), random({16, 8, 3, 3})},
       [](In x) { return call("conv2d(", {value(x[0]), value(x[1])}); }},
      {"conv2d of integers",
       {},
       [](In) {
         const Tensor x = ops::to_dtype(ops::range_raw(4 * 8 * 400, 0, 1, DType::kInt64), DType::kInt32);
         const Tensor w = ops::to_dtype(ops::range_raw(16 * 72, 0, 1, DType::kInt64), DType::kInt32);
         return call("conv2d(",
                     {value(ops::reshape(x, {4, 8, 20, 20})), value(ops::reshape(w, {16, 8, 3, 3}))});
       }},
      {"max_pool2d",
       {random({8, 8, 40, 40})},
       [](In x) { return call("max_pool2d(", {value(x[0]), value(IntList{2, 2})}); }},
      {"avg_pool2d",
       {random({8, 8, 40, 40})},
       [](In x) { return call("avg_pool2d(", {value(x[0]), value(IntList{3, 3})}); }},
      {"batch_norm",
       {random({8, 16, 30, 30}), random({16}), random({16})},
       [](In x) { return ops::batch_norm(x[0], {}, {}, x[1], x[2], true, 0.1, 1e-5); }},
      {"layer_norm",
       {random({300, 500}), random({500}), random({500})},
       [](In x) {
         return call("layer_norm(", {value(x[0]), value(IntList{500}), value(x[1]), value(x[2])});
       }},
      {"attention",
       {random({2, 4, 64, 32}), random({2, 4, 64, 32}), random({2, 4, 64, 32})},
       [](In x) { return call("scaled_dot_product_attention(", {value(x[0]), value(x[1]), value(x[2])}); }},
  };
  return all;
}

// The result and the gradients of the inputs.
TensorList results(const Case& c) {
  const Tensor y = c.run(c.inputs);
  TensorList all{y};
  if (!c.inputs.empty()) {
    BackwardOptions options;
    options.accumulate = false;
    const TensorList grads = run_backward({ops::sum(y * y)}, {}, c.inputs, options);
    all.insert(all.end(), grads.begin(), grads.end());
  }
  return all;
}

double distance(const Tensor& a, const Tensor& b) {
  const Tensor x = contiguous_raw(ops::to_dtype(a.detach(), DType::kFloat64));
  const Tensor y = contiguous_raw(ops::to_dtype(b.detach(), DType::kFloat64));
  double most = 0, scale = 1;
  for (int64_t i = 0; i < x.numel(); ++i) {
    most = std::max(most, std::abs(x.data_as<double>()[i] - y.data_as<double>()[i]));
    scale = std::max(scale, std::abs(y.data_as<double>()[i]));
  }
  return most / scale;
}
}  // namespace

TEST(Threads, KernelsComputeTheSameWithAnyNumberOfThem) {
  for (const Case& c : cases()) {
    set_num_threads(1);
    const TensorList one = results(c);
    set_num_threads(3);
    const TensorList three = results(c);
    ASSERT_EQ(one.size(), three.size());
    for (size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i].sizes(), three[i].sizes()) << c.name;
      EXPECT_LT(distance(one[i], three[i]), 1e-4) << c.name << ", result " << i;
    }
  }
  set_num_threads(available_cpus());
}

#ifdef __SANITIZE_THREAD__
TEST(ThreadsDeathTest, TheSanitizerSeesPiecesThatWriteToTheSamePlace) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        set_num_threads(2);
        int64_t last = 0;
        parallel_for(0, 2, 1, [&](int64_t from, int64_t) { last = from; });
      },
      "data race");
}
#endif

// As JavaScript's workers do: each has its own tensors, and ends while the others go on.
TEST(Threads, TrainSideBySide) {
  const ScMemoryStats before = [] {
    ScMemoryStats s;
    cpu_memory_stats(0, &s);
    return s;
  }();
  std::vector<double> losses(4);
  std::vector<std::thread> workers;
  for (size_t w = 0; w < losses.size(); ++w) {
    workers.emplace_back([&losses, w] {
      const Tensor x =
          ops::to_dtype(ops::reshape(ops::range_raw(320, 0, 1, DType::kInt64), {32, 10}), DType::kFloat32) *
          (1.0 / 320);
      const Tensor target = ops::sum_dim(x, IntList{1}, true);
      Tensor weight = ops::zeros_raw({1, 10}, DType::kFloat32);
      for (size_t step = 0; step < 20 + 5 * w; ++step) {
        weight.set_requires_grad(true);
        const Tensor error = ops::linear(x, weight, {}) - target;
        const Tensor loss = ops::mean(error * error);
        losses[w] = contiguous_raw(loss.detach()).data_as<float>()[0];
        BackwardOptions options;
        options.accumulate = false;
        const Tensor grad = run_backward({loss}, {}, {weight}, options)[0];
        weight = (weight - grad * 0.1).detach();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (size_t w = 1; w < losses.size(); ++w) EXPECT_LT(losses[w], losses[w - 1]);
  ScMemoryStats after;
  cpu_memory_stats(0, &after);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
}
