// What a tensor knows of the graph: leaf or not, its grad, its grad_fn.
#include "accumulate.h"
#include "graph.h"
#include "view.h"

namespace sconce {

AutogradMeta& Tensor::autograd_meta() const {
  if (!p_->autograd) p_->autograd = std::make_unique<AutogradMeta>();
  return *p_->autograd;
}

std::string Node::operator_name() const {
  const std::string text = name();
  const size_t at = text.rfind("Backward");
  if (at == std::string::npos) return text;
  const std::string number = text.substr(at + 8);
  if (number.find_first_not_of("0123456789") != std::string::npos) return text;
  return text.substr(0, at) + (number == "0" ? "" : number);
}

bool Tensor::is_leaf() const { return !grad_fn(); }

Ref<Node> Tensor::grad_fn() const {
  if (p_->base) refresh_view_history(*this);
  return p_->autograd ? p_->autograd->grad_fn : Ref<Node>();
}

uint32_t Tensor::output_nr() const { return p_->autograd ? p_->autograd->output_nr : 0; }

Tensor& Tensor::set_requires_grad(bool v) {
  if (v && p_->requires_grad_flag) return *this;
  const bool leaf = !p_->autograd || !p_->autograd->grad_fn;  // a view's history may be one not to be used
  if (v && !leaf) return *this;
  SC_CHECK(!v || is_floating_point(), "only Tensors of floating point dtype can require gradients");
  SC_CHECK(!v || !p_->is_inference || thread_state().inference_mode,
           "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
  SC_CHECK(leaf, "you can only change requires_grad flags of leaf variables.",
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
  return p_->autograd->current_grad();
}

static const char* python_type(DType t) {  // how the assignment error of `.grad` names a dtype
  static const char* const names[] = {"float", "double", "c10::Half",   "c10::BFloat16", "long",
                                      "int",   "short",  "signed char", "unsigned char", "bool"};
  return names[static_cast<int>(t)];
}

void Tensor::set_grad(const Tensor& g) {
  if (!g) {
    if (p_->autograd) p_->autograd->current_grad().reset();
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
  autograd_meta().current_grad() = g;
}

uint32_t Tensor::version() const { return p_->version ? p_->version->value : 0; }
void Tensor::bump_version() const {
  VersionCounter& counter = p_->version_counter();
  ++counter.value;
  if (Tracer* tracer = thread_state().tracer; __builtin_expect(tracer != nullptr, 0))
    counter.written_at = tracer->record();
}

Tensor Tensor::detach() const {
  Tensor t = alias_of(*this, sizes(), strides(), storage_offset());
  return t;
}

Tensor Tensor::data_alias() const {
  Ref<TensorImpl> p(new TensorImpl(p_->storage, dtype(), sizes(), strides(), storage_offset()));
  p->is_inference = p_->is_inference;
  return Tensor(std::move(p));
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
  // A view made without gradients, or before its base came to require them, asks for one but leads nowhere.
  if (!t.impl()->requires_grad_flag) return {};
  AutogradMeta& m = t.autograd_meta();
  if (m.accumulator) return {Ref<Node>(m.accumulator), 0};
  Ref<Node> acc(new AccumulateGrad(t));
  m.accumulator = acc.get();
  return {std::move(acc), 0};
}

void set_history(const Tensor& t, const Ref<Node>& node, uint32_t output_nr) {
  AutogradMeta& m = t.autograd_meta();
  if (m.retained && m.grad_fn != node) move_retained_grad(m, node, output_nr);
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

}  // namespace sconce
