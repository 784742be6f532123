// What a tensor knows of the graph: leaf or not, its grad, its grad_fn.
#include "accumulate.h"
#include "graph.h"
#include "view.h"

namespace sconce {

AutogradMeta& Tensor::autograd_meta() const {
  if (!p_->autograd) p_->autograd = std::make_unique<AutogradMeta>();
  return *p_->autograd;
}

bool Tensor::is_leaf() const { return !grad_fn(); }

Ref<Node> Tensor::grad_fn() const {
  if (p_->base) refresh_view_history(*this);
  return p_->autograd ? p_->autograd->grad_fn : Ref<Node>();
}

uint32_t Tensor::output_nr() const { return p_->autograd ? p_->autograd->output_nr : 0; }

Tensor& Tensor::set_requires_grad(bool v) {
  if (v == requires_grad() && (v || is_leaf())) return *this;
  SC_CHECK(!v || is_floating_point(), "only Tensors of floating point dtype can require gradients");
  SC_CHECK(!v || !p_->is_inference || thread_state().inference_mode,
           "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
  SC_CHECK(is_leaf(), "you can only change requires_grad flags of leaf variables.",
           v ? ""
             : " If you want to use a computed variable in a subgraph that doesn't require differentiation "
               "use var_no_grad = "
               "var.detach().");
  autograd_meta().requires_grad = v;
  p_->requires_grad_flag = v;
  return *this;
}

Tensor Tensor::grad() const {
  if (!p_->autograd) return {};
  AutogradMeta& m = *p_->autograd;
  if (m.retained && *m.retained) {
    m.grad = *m.retained;
    m.retained->reset();
  }
  return m.grad;
}

static const char* python_type(DType t) {  // how the assignment error of `.grad` names a dtype
  static const char* const names[] = {"float", "double", "c10::Half",   "c10::BFloat16", "long",
                                      "int",   "short",  "signed char", "unsigned char", "bool"};
  return names[static_cast<int>(t)];
}

void Tensor::set_grad(const Tensor& g) {
  if (!g) {
    if (p_->autograd) {
      p_->autograd->grad.reset();
      if (p_->autograd->retained) p_->autograd->retained->reset();
    }
    return;
  }
  SC_CHECK(!g.is_same(*this), "can't assign Variable as its own grad");
  SC_CHECK(g.dtype() == dtype(), "attempting to assign a gradient with dtype '", python_type(g.dtype()),
           "' to a tensor with grad_dtype '", scalar_type_name(dtype()),
           "'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). You can set "
           "the tensor's grad_dtype "
           "attribute with a specific dtype, or None to allow any dtype. Set grad_dtype with caution. "
           "Diverging the dtypes of a tensor "
           "and its gradient may break downstream systems that assume they match.");
  SC_CHECK(g.device() == device(), "attempting to assign a gradient located on device '",
           device_name(g.device()), "' to a tensor located on device '", device_name(device()),
           "'. Please ensure that the gradient and the tensor are on the same device");
  SC_CHECK(g.sizes() == sizes(), "attempting to assign a gradient of size '", g.sizes(),
           "' to a tensor of size '", sizes(),
           "'. Please ensure that the gradient and the tensor are the same size");
  autograd_meta().grad = g;
  if (p_->autograd->retained) p_->autograd->retained->reset();
}

uint32_t Tensor::version() const { return p_->version ? p_->version->value : 0; }
void Tensor::bump_version() const { ++p_->version_counter().value; }

Tensor Tensor::detach() const {
  Tensor t = alias_of(*this, sizes(), strides(), storage_offset());
  return t;
}

Tensor Tensor::data_alias() const {
  return Tensor(Ref<TensorImpl>(new TensorImpl(p_->storage, dtype(), sizes(), strides(), storage_offset())));
}

void Tensor::set_data(const Tensor& other) const {
  SC_CHECK(!requires_grad() || other.is_floating_point(),
           "data set to a tensor that requires gradients must be floating point or complex dtype");
  p_->storage = other.storage();
  p_->dtype = other.dtype();
  p_->set_geometry(other.sizes(), other.strides(), other.storage_offset());
  if (p_->autograd) p_->autograd->accumulator = nullptr;
}

bool Tensor::is_view() const { return static_cast<bool>(p_->base); }
Tensor Tensor::base() const { return Tensor(p_->base); }

Edge gradient_edge(const Tensor& t) {
  if (!t.requires_grad()) return {};
  if (Ref<Node> fn = t.grad_fn()) return {std::move(fn), t.output_nr()};
  AutogradMeta& m = t.autograd_meta();
  if (m.accumulator) return {Ref<Node>(m.accumulator), 0};
  Ref<Node> acc(new AccumulateGrad(t));
  m.accumulator = acc.get();
  return {std::move(acc), 0};
}

void set_history(const Tensor& t, const Ref<Node>& node, uint32_t output_nr) {
  AutogradMeta& m = t.autograd_meta();
  m.grad_fn = node;
  m.output_nr = output_nr;
  t.impl()->requires_grad_flag = true;
}

void become_leaf_of(const Tensor& t, const Ref<Node>& accumulator) {
  AutogradMeta& m = t.autograd_meta();
  m.requires_grad = true;
  m.accumulator = accumulator.get();
  m.borrowed_accumulator = accumulator;
  t.impl()->requires_grad_flag = true;
}

// ---- hooks ----
template <class F>
uint64_t HookList<F>::add(F f) {
  static thread_local uint64_t next = 0;
  items.emplace_back(++next, std::move(f));
  return next;
}
template <class F>
bool HookList<F>::remove(uint64_t id) {
  for (size_t i = 0; i < items.size(); ++i)
    if (items[i].first == id) {
      items.erase(items.begin() + static_cast<ptrdiff_t>(i));
      return true;
    }
  return false;
}
template struct HookList<GradHook>;
template struct HookList<NodePreHook>;
template struct HookList<NodePostHook>;
template struct HookList<std::function<void(const Tensor&)>>;

static HookList<GradHook>& output_hooks(const Ref<Node>& fn, uint32_t nr) {
  auto& lists = fn->hooks().on_output;
  if (lists.size() <= nr) lists.resize(nr + 1);
  return lists[nr];
}

uint64_t register_hook(const Tensor& t, GradHook hook) {
  SC_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  if (Ref<Node> fn = t.grad_fn()) return output_hooks(fn, t.output_nr()).add(std::move(hook));
  return t.autograd_meta().leaf_hooks.add(std::move(hook));
}

void remove_hook(const Tensor& t, uint64_t id) {
  if (Ref<Node> fn = t.grad_fn()) output_hooks(fn, t.output_nr()).remove(id);
  if (t.impl()->autograd) t.impl()->autograd->leaf_hooks.remove(id);
}

void retain_grad(const Tensor& t) {
  SC_CHECK(t.requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
  Ref<Node> fn = t.grad_fn();
  AutogradMeta& m = t.autograd_meta();
  if (!fn || m.retains_grad) return;  // a leaf keeps its gradient anyway
  m.retains_grad = true;
  auto& retain = fn->hooks().retain;
  const uint32_t nr = t.output_nr();
  if (retain.size() <= nr) retain.resize(nr + 1);
  // The node must not own its output (a cycle): it holds what the gradient is put into, which the tensor
  // shares.
  if (!m.retained) m.retained = std::make_shared<Tensor>();
  retain[nr] = [slot = std::weak_ptr<Tensor>(m.retained)](const Tensor& g) {
    if (auto s = slot.lock()) *s = g;
  };
}

}  // namespace sconce
