// Fused optimizer steps and gradient clipping: one native call for all tensors of a parameter group.
#include <cmath>
#include <map>

#include "../backend.h"
#include "../core/device.h"
#include "ops.h"

namespace sconce::ops {
namespace {

bool same_layout(const Tensor& a, const Tensor& b) {
  for (int d = 0; d < a.dim(); ++d) {
    if (a.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
  }
  return true;
}

// Parallel lists of tensors of one dtype and device, each row in one dense layout, as the kernels want them.
// A tensor that is laid out otherwise takes part as a copy and gets the result back.
class Rows {
 public:
  Rows(const char* op, size_t lists) : op_(op), lists_(lists), pointers_(lists) {}

  // The first list holds the parameters, the second the gradients, which are only read.
  void add(const std::vector<Tensor>& row) {
    const Tensor& param = row[0];
    SC_CHECK(param.is_floating_point(), op_, ": parameters must be floating point, but got ",
             dtype_name(param.dtype()));
    const Tensor like =
        param.is_non_overlapping_and_dense() ? param : empty(param.sizes(), param.dtype(), param.device());
    for (size_t i = 0; i < lists_; ++i) {
      const Tensor& t = row[i];
      SC_CHECK(t.sizes() == param.sizes(), op_, ": expected a tensor of size ", param.sizes(), ", but got ",
               t.sizes());
      SC_CHECK(t.dtype() == param.dtype() && t.device() == param.device(), op_,
               ": parameters, gradients and state must have one dtype and device, but got ",
               dtype_name(param.dtype()), " and ", dtype_name(t.dtype()));
      Tensor worked = t;
      if (!t.is_same(like) && !(same_layout(t, like) && t.is_non_overlapping_and_dense())) {
        worked = i == 0 ? like : empty_strided(like.sizes(), like.strides(), t.dtype(), t.device());
        copy_into(worked, t);
        if (i != 1) copied_.emplace_back(t, worked);
      }
      pointers_[i].push_back(worked.data());
      if (i != 1) t.bump_version();
      kept_.push_back(std::move(worked));
    }
    numel_.push_back(param.numel());
  }

  void* const* list(size_t i) const { return pointers_[i].data(); }
  ScParamLists lists(const Tensor& any) const {
    return {static_cast<int32_t>(any.dtype()), static_cast<int64_t>(numel_.size()), numel_.data(),
            pointers_[0].data(), const_cast<const void* const*>(pointers_[1].data())};
  }
  void write_back() const {
    for (const auto& [target, worked] : copied_) copy_into(target, worked);
  }

 private:
  const char* op_;
  size_t lists_;
  std::vector<std::vector<void*>> pointers_;
  std::vector<int64_t> numel_;
  std::vector<Tensor> kept_;
  std::vector<std::pair<Tensor, Tensor>> copied_;
};

// A backend without the kernel counts as one that does not support it.
template <class Args>
int32_t run(int32_t (*kernel)(const Args*), const Args& args) {
  return kernel == nullptr ? static_cast<int32_t>(SC_UNSUPPORTED) : kernel(&args);
}

void check_lengths(const char* op, const TensorList& params,
                   std::initializer_list<const TensorList*> others) {
  for (const TensorList* list : others) {
    SC_CHECK(list->size() == params.size(), op, ": expected lists of ", params.size(),
             " tensors, but got one of ", list->size());
  }
}

// Indices of the tensors by dtype and device: each combination is one kernel call.
std::map<std::pair<int, std::pair<int, int>>, std::vector<size_t>> groups_of(const TensorList& params) {
  std::map<std::pair<int, std::pair<int, int>>, std::vector<size_t>> groups;
  for (size_t k = 0; k < params.size(); ++k) {
    const Device device = params[k].device();
    groups[{static_cast<int>(params[k].dtype()), {static_cast<int>(device.type), device.index}}].push_back(k);
  }
  return groups;
}

void fused_sgd_(const TensorList& self, const TensorList& grads, const TensorList& momentum_buffer_list,
                double weight_decay, double momentum, double lr, double dampening, bool nesterov,
                bool maximize, bool is_first_step) {
  constexpr const char* kOp = "_fused_sgd_";
  const bool with_momentum = momentum != 0;
  check_lengths(kOp, self, {&grads});
  if (with_momentum) check_lengths(kOp, self, {&momentum_buffer_list});
  for (const auto& [key, members] : groups_of(self)) {
    Rows rows(kOp, with_momentum ? 3 : 2);
    for (const size_t k : members) {
      std::vector<Tensor> row{self[k], grads[k]};
      if (with_momentum) row.push_back(momentum_buffer_list[k]);
      rows.add(row);
    }
    const Tensor& any = self[members[0]];
    ScSgd args{};
    args.lists = rows.lists(any);
    args.momentum_buffers = with_momentum ? rows.list(2) : nullptr;
    args.lr = lr;
    args.momentum = momentum;
    args.dampening = dampening;
    args.weight_decay = weight_decay;
    args.nesterov = nesterov;
    args.maximize = maximize;
    args.first_step = is_first_step;
    check_kernel(run(backend_of(any.device()).optim.sgd, args), any.device(), kOp);
    rows.write_back();
  }
}

// The step count of a parameter, a 0-d float32 tensor on the CPU: one more.
double next_step(const char* op, const Tensor& step) {
  SC_CHECK(step.numel() == 1 && step.dtype() == DType::kFloat32 && step.device().is_cpu(), op,
           ": a step count must be a float32 tensor of one element on the CPU");
  step.bump_version();
  return static_cast<double>(*step.data_as<float>() += 1.0F);
}

void fused_adam_(const TensorList& self, const TensorList& grads, const TensorList& exp_avgs,
                 const TensorList& exp_avg_sqs, const TensorList& max_exp_avg_sqs,
                 const TensorList& state_steps, double lr, double beta1, double beta2, double weight_decay,
                 double eps, bool amsgrad, bool maximize, bool decoupled_weight_decay) {
  constexpr const char* kOp = "_fused_adam_";
  check_lengths(kOp, self, {&grads, &exp_avgs, &exp_avg_sqs, &state_steps});
  if (amsgrad) check_lengths(kOp, self, {&max_exp_avg_sqs});
  for (const auto& [key, members] : groups_of(self)) {
    Rows rows(kOp, amsgrad ? 5 : 4);
    std::vector<double> step_sizes, denominators;
    for (const size_t k : members) {
      std::vector<Tensor> row{self[k], grads[k], exp_avgs[k], exp_avg_sqs[k]};
      if (amsgrad) row.push_back(max_exp_avg_sqs[k]);
      rows.add(row);
      const double step = next_step(kOp, state_steps[k]);
      step_sizes.push_back(lr / (1 - std::pow(beta1, step)));
      denominators.push_back(std::sqrt(1 - std::pow(beta2, step)));
    }
    const Tensor& any = self[members[0]];
    ScAdam args{};
    args.lists = rows.lists(any);
    args.exp_avgs = rows.list(2);
    args.exp_avg_sqs = rows.list(3);
    args.max_exp_avg_sqs = amsgrad ? rows.list(4) : nullptr;
    args.step_sizes = step_sizes.data();
    args.denominators = denominators.data();
    args.lr = lr;
    args.beta1 = beta1;
    args.beta2 = beta2;
    args.eps = eps;
    args.weight_decay = weight_decay;
    args.maximize = maximize;
    args.decoupled_weight_decay = decoupled_weight_decay;
    check_kernel(run(backend_of(any.device()).optim.adam, args), any.device(), kOp);
    rows.write_back();
  }
}

void fused_rmsprop_(const TensorList& self, const TensorList& grads, const TensorList& square_avgs,
                    const TensorList& grad_avgs, const TensorList& momentum_buffer_list,
                    const TensorList& state_steps, double lr, double alpha, double eps, double weight_decay,
                    double momentum, bool centered, bool maximize) {
  constexpr const char* kOp = "_fused_rmsprop_";
  const bool with_momentum = momentum > 0;
  check_lengths(kOp, self, {&grads, &square_avgs, &state_steps});
  if (centered) check_lengths(kOp, self, {&grad_avgs});
  if (with_momentum) check_lengths(kOp, self, {&momentum_buffer_list});
  for (const auto& [key, members] : groups_of(self)) {
    const size_t at_buffer = centered ? 4 : 3;
    Rows rows(kOp, 3 + (centered ? 1 : 0) + (with_momentum ? 1 : 0));
    for (const size_t k : members) {
      std::vector<Tensor> row{self[k], grads[k], square_avgs[k]};
      if (centered) row.push_back(grad_avgs[k]);
      if (with_momentum) row.push_back(momentum_buffer_list[k]);
      rows.add(row);
      next_step(kOp, state_steps[k]);
    }
    const Tensor& any = self[members[0]];
    ScRmsprop args{};
    args.lists = rows.lists(any);
    args.square_avgs = rows.list(2);
    args.grad_avgs = centered ? rows.list(3) : nullptr;
    args.momentum_buffers = with_momentum ? rows.list(at_buffer) : nullptr;
    args.lr = lr;
    args.alpha = alpha;
    args.eps = eps;
    args.weight_decay = weight_decay;
    args.momentum = momentum;
    args.maximize = maximize;
    check_kernel(run(backend_of(any.device()).optim.rmsprop, args), any.device(), kOp);
    rows.write_back();
  }
}

OP("_fused_sgd_(Tensor[] self, Tensor[] grads, Tensor[] momentum_buffer_list, *, float weight_decay, float "
   "momentum, float lr, "
   "float dampening, bool nesterov, bool maximize, bool is_first_step) -> ()",
   fused_sgd_, kInternal | kNoGrad | kWritesSelf, "A step of stochastic gradient descent.");
OP("_fused_adam_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] "
   "max_exp_avg_sqs, "
   "Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool "
   "amsgrad, bool maximize, "
   "bool decoupled_weight_decay) -> ()",
   fused_adam_, kInternal | kNoGrad | kWritesSelf, "A step of Adam or AdamW.");
OP("_fused_rmsprop_(Tensor[] self, Tensor[] grads, Tensor[] square_avgs, Tensor[] grad_avgs, Tensor[] "
   "momentum_buffer_list, "
   "Tensor[] state_steps, *, float lr, float alpha, float eps, float weight_decay, float momentum, bool "
   "centered, "
   "bool maximize) -> ()",
   fused_rmsprop_, kInternal | kNoGrad | kWritesSelf, "A step of RMSprop.");

}  // namespace
}  // namespace sconce::ops
