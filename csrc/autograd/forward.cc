#include "forward.h"

#include "../ops/ops.h"
#include "differentiable.h"

namespace sconce {

// ---- levels ----
static ForwardLevels& levels() {
  ThreadState& s = thread_state();
  if (!s.dual_registry) s.dual_registry = new ForwardLevels;  // as long-lived as tensors may be
  return *s.dual_registry;
}

int enter_dual_level() {
  ForwardLevels& all = levels();
  const uint64_t visible = thread_state().dual_levels;
  // Above the visible ones, so that the order of levels is the order of their numbers.
  int level = visible ? 64 - __builtin_clzll(visible) : 0;
  while (level < kMaxDualLevels && (all.open >> level & 1)) ++level;
  SC_CHECK(level < kMaxDualLevels, "too many dual levels are open: at most ", kMaxDualLevels);
  all.open |= uint64_t{1} << level;
  thread_state().dual_levels = visible | uint64_t{1} << level;
  return level;
}

static Tangents* tangents_if_any(const TensorImpl* t) {
  return t && t->tangent_flag && t->autograd ? t->autograd->tangents.get() : nullptr;
}

static Tangents& tangents(const Tensor& t) {
  AutogradMeta& m = t.autograd_meta();
  if (!m.tangents) m.tangents = std::make_unique<Tangents>();
  t.impl()->tangent_flag = true;
  return *m.tangents;
}

void exit_dual_level(int level) {
  ForwardLevels& all = levels();
  const uint64_t bit = uint64_t{1} << level;
  thread_state().dual_levels &= ~bit;
  std::vector<Tensor> dropped;  // freed only when no slot is half changed any more
  for (TensorImpl* t : all.carriers[level]) {
    auto& slots = t->autograd->tangents->slots;
    for (size_t i = 0; i < slots.size(); ++i)
      if (slots[i].level == level) {
        dropped.push_back(std::move(slots[i].tangent));
        slots.erase(slots.begin() + static_cast<ptrdiff_t>(i));
        break;
      }
    t->tangent_flag = !slots.empty() || t->autograd->tangents->base;
  }
  all.carriers[level].clear();
  all.open &= ~bit;
}

void forget_tangents(TensorImpl* dead) {
  const Tangents* own = dead->autograd ? dead->autograd->tangents.get() : nullptr;
  if (!own) return;
  for (const Tangents::Slot& s : own->slots) own->registry->carriers[s.level].erase(dead);
}

// ---- tangents of a tensor ----
static const Tangents::Slot* slot_of(const Tangents* own, int level) {
  if (own)
    for (const Tangents::Slot& s : own->slots)
      if (s.level == level) return &s;
  return nullptr;
}

static Tensor tangent_base(const Tensor& t) {
  const Tangents* own = tangents_if_any(t.impl());
  return own && (own->base || own->is_base) ? Tensor(own->base) : t.base();
}

Tensor tangent_of(const Tensor& t, int level) {
  if (!t) return {};
  if (const Tangents::Slot* s = slot_of(tangents_if_any(t.impl()), level)) return s->tangent;
  const Tensor base = tangent_base(t);
  const Tangents::Slot* s = base ? slot_of(tangents_if_any(base.impl()), level) : nullptr;
  if (!s || !s->tangent) return {};
  return ops::as_strided(s->tangent, t.sizes(), t.strides(),
                         t.storage_offset() - base.storage_offset() + s->tangent.storage_offset());
}

bool carries_tangent(const Tensor& t) {
  if (!t || !t.tracked()) return false;
  const uint64_t visible = thread_state().dual_levels;
  const auto any = [visible](const Tangents* own, uint64_t* hidden) {
    if (own)
      for (const Tangents::Slot& s : own->slots) {
        if (!(visible >> s.level & 1) || (*hidden >> s.level & 1)) continue;
        if (s.tangent) return true;
        *hidden |= uint64_t{1} << s.level;
      }
    return false;
  };
  uint64_t hidden = 0;
  if (any(tangents_if_any(t.impl()), &hidden)) return true;
  const Tensor base = tangent_base(t);
  return base && any(tangents_if_any(base.impl()), &hidden);
}

static void put(const Tensor& t, int level, Tensor tangent) {
  Tangents& own = tangents(t);
  own.registry = &levels();
  own.registry->carriers[level].insert(t.impl());
  for (Tangents::Slot& s : own.slots)
    if (s.level == level) {
      s.tangent = std::move(tangent);
      return;
    }
  own.slots.push_back({level, std::move(tangent)});
}

// Zeros in the very layout of `t`, so that the windows of its views fit them.
static Tensor zeros_laid_out_as(const Tensor& t) {
  Tensor z = empty_strided(t.sizes(), t.strides(), t.dtype(), t.device());
  fill_into(z, 0);
  return z;
}

// A tangent in the layout of its primal, copied where it has another one.
static Tensor laid_out_as(const Tensor& tangent, const Tensor& primal) {
  if (tangent.sizes() == primal.sizes() && tangent.strides() == primal.strides()) return tangent;
  Tensor z = zeros_laid_out_as(primal);
  ops::copy_(z, tangent);
  return z;
}

void set_tangent(const Tensor& t, int level, const Tensor& tangent) {
  Tensor g = tangent;
  if (g && g.sizes() != t.sizes()) g = ops::expand(g, t.sizes());
  put(t, level, g ? laid_out_as(g, t) : g);
}

void share_tangents(const Tensor& to, const Tensor& from) {
  for (uint64_t rest = thread_state().dual_levels; rest; rest &= rest - 1) {
    const int level = __builtin_ctzll(rest);
    if (Tensor g = tangent_of(from, level)) put(to, level, std::move(g));
  }
  if (Tangents* own = tangents_if_any(to.impl())) own->is_base = true;
}

void link_tangents(const Tensor& view, const Tensor& of) {
  const Tangents* above = tangents_if_any(of.impl());
  if (!above) return;
  if (above->is_base)
    tangents(view).base = of.ref();
  else if (above->base)
    tangents(view).base = above->base;
}

Tensor without_tangents_from(int level, const Tensor& t) {
  if (!carries_tangent(t)) return t;
  const VisibleLevels below(thread_state().dual_levels & ((uint64_t{1} << level) - 1));
  Tensor alias = t.detach();
  if (t.requires_grad()) {
    const Edge e = gradient_edge(t);
    set_history(alias, e.node, e.input_nr);
  }
  share_tangents(alias, t);
  return alias;
}

Tensor differentiation_variable(const Tensor& t) {
  if (t.requires_grad()) return t;
  Tensor v = t.detach();
  share_tangents(v, t);
  return v.set_requires_grad(true);
}

// ---- dual tensors ----
// A view of `t` that starts a family of tangents of its own.
static Tensor dual_base(const char* node, const Tensor& t) {
  Tensor y = make_view(t, t.sizes(), t.strides(), t.storage_offset());
  Tangents& own = tangents(y);
  own.is_base = true;
  own.base.reset();
  return differentiable(node, y).wrt(t, [](const Tensor& g) { return g; });
}

Tensor make_dual(const Tensor& primal, const Tensor& tangent, int level) {
  SC_CHECK(!tangent_of(primal, level),
           "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level ",
           level, " is not supported.");
  SC_CHECK(
      primal.sizes() == tangent.sizes(),
      "Trying to set a forward gradient that has a different size than that of the original Tensor, this "
      "is not supported. Tensor is of size ",
      primal.sizes(), " while the given forward gradient is of size ", tangent.sizes(), ".");
  const uint64_t visible = thread_state().dual_levels;
  Tensor dual;
  {
    const VisibleLevels none(0);
    // A tangent has its primal's layout; of an expanded tensor the elements share memory, which tangents
    // cannot.
    dual = dual_base("ViewBackward0", overlaps_itself(primal) ? ops::clone(primal) : primal);
  }
  {
    const VisibleLevels others(visible & ~(uint64_t{1} << level));
    share_tangents(dual, primal);
  }
  const VisibleLevels below(visible & ((uint64_t{1} << level) - 1));
  set_tangent(dual, level, tangent);
  return dual;
}

std::pair<Tensor, Tensor> unpack_dual(const Tensor& dual, int level) {
  const uint64_t visible = thread_state().dual_levels;
  Tensor primal;
  {
    const VisibleLevels none(0);
    primal = dual_base("Identity", dual);
  }
  const VisibleLevels others(visible & ~(uint64_t{1} << level));
  share_tangents(primal, dual);
  return {primal, tangent_of(dual, level)};
}

Tensor sum_of_defined(const TensorList& terms) {
  Tensor sum;
  for (const Tensor& t : terms)
    if (t) sum = sum ? ops::add(sum, t) : t;
  return sum;
}

// ---- pushing tangents through an operator ----
namespace {

// Brings a formula's result to the geometry and dtype of its input, as the engine does.
Tensor conform(const Tensor& g, const Tensor& input) {
  Tensor r = g.sizes() == input.sizes() ? g : ops::sum_to_size(g, input.sizes());
  if (r.dtype() != input.dtype()) r = ops::to_dtype(r, input.dtype());
  return r.device() == input.device() ? r : ops::to_device(r, input.device());
}

// The operator's own rule, with the tangents by the number of their input.
Tensor push_by_rule(const PushForward::Rule& rule, size_t n, const std::vector<DualInput>& inputs,
                    const TensorList& tangents) {
  TensorList by_slot(n);
  for (size_t i = 0; i < inputs.size(); ++i) by_slot[inputs[i].slot] = tangents[i];
  return rule.call(rule.closure, by_slot);
}

// J t for a diagonal J: the formula itself, on the tangent in the output's shape.
Tensor push_elementwise(FormulaNode& node, const Tensor& y, const std::vector<DualInput>& inputs,
                        const TensorList& tangents) {
  TensorList terms;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!tangents[i]) continue;
    Tensor t = tangents[i];
    if (t.device() != y.device()) t = ops::to_device(t, y.device());
    if (t.dtype() != y.dtype()) t = ops::to_dtype(t, y.dtype());
    if (t.sizes() != y.sizes()) t = ops::expand(t, y.sizes());
    std::vector<bool> needed(node.edges.size(), false);
    needed[inputs[i].slot] = true;
    terms.push_back(node.apply({t}, needed)[inputs[i].slot]);
  }
  return sum_of_defined(terms);
}

// J t for any J: the derivative of u -> (J^T u) . t
TensorList push_through(FormulaNode& node, const Tensor* outputs, int n, const std::vector<DualInput>& inputs,
                        const TensorList& tangents) {
  const bool grad_before = grad_enabled();
  TensorList u(static_cast<size_t>(n)), seeds, pulled, weights;
  {
    const GradModeGuard record(true);
    for (int k = 0; k < n; ++k)
      if (outputs[k].is_floating_point()) {
        u[static_cast<size_t>(k)] = ops::zeros_like_raw(outputs[k]).set_requires_grad(true);
        seeds.push_back(u[static_cast<size_t>(k)]);
      }
    std::vector<bool> needed(node.edges.size(), false);
    for (size_t i = 0; i < inputs.size(); ++i) needed[inputs[i].slot] = static_cast<bool>(tangents[i]);
    const TensorList all = node.apply(TensorList(u), needed);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!tangents[i] || !all[inputs[i].slot] || !all[inputs[i].slot].requires_grad()) continue;
      Tensor g = conform(all[inputs[i].slot], inputs[i].tensor);
      weights.push_back(g.dtype() == tangents[i].dtype() ? tangents[i]
                                                         : ops::to_dtype(tangents[i], g.dtype()));
      pulled.push_back(std::move(g));
    }
  }
  TensorList out(static_cast<size_t>(n));
  if (pulled.empty()) return out;
  BackwardOptions o;
  o.accumulate = false;
  o.allow_unused = true;
  o.create_graph = grad_before;
  o.retain_graph = true;
  TensorList found = run_backward(pulled, weights, seeds, o);
  size_t next = 0;
  for (Tensor& y : out) {
    if (u[static_cast<size_t>(&y - out.data())]) y = std::move(found[next++]);
  }
  return out;
}

}  // namespace

void PushForward::run(FormulaNode& node, const Tensor* outputs, int n) const {
  const OperatorSuspended suspended;
  const uint64_t visible = thread_state().dual_levels;
  for (uint64_t rest = visible; rest; rest &= rest - 1) {
    const int level = __builtin_ctzll(rest);
    const VisibleLevels below(visible & ((uint64_t{1} << level) - 1));
    TensorList tangents(inputs.size());
    bool any = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      tangents[i] = tangent_of(inputs[i].tensor, level);
      any = any || tangents[i];
    }
    if (!any) continue;
    TensorList out;
    if (own_rule.call)
      out.push_back(push_by_rule(own_rule, node.edges.size(), inputs, tangents));
    else if (elementwise)
      out.push_back(push_elementwise(node, outputs[0], inputs, tangents));
    else
      out = push_through(node, outputs, n, inputs, tangents);
    for (int k = 0; k < n; ++k) {
      if (!outputs[k].is_floating_point()) continue;
      // Independent of the input: a tangent of zero, not none.
      Tensor g = out[static_cast<size_t>(k)];
      if (!g) g = ops::zeros_like_raw(outputs[k]);
      if (g.dtype() != outputs[k].dtype()) g = ops::to_dtype(g, outputs[k].dtype());
      set_tangent(outputs[k], level, g);
    }
    for (const auto& [number, alias] : saved_outputs) {
      put(alias, level, tangent_of(outputs[number], level));
      tangents_if_any(alias.impl())->is_base = true;
    }
  }
}

// ---- in place ----
// Tangents are replaced rather than written: a formula may have saved the old one.
void write_tangents(const Tensor& self, const Tensor& y) {
  const OperatorSuspended suspended;
  const uint64_t visible = thread_state().dual_levels;
  for (uint64_t rest = visible; rest; rest &= rest - 1) {
    const int level = __builtin_ctzll(rest);
    Tensor next = tangent_of(y, level);
    if (!next && !tangent_of(self, level)) continue;
    const VisibleLevels below(visible & ((uint64_t{1} << level) - 1));
    if (!next) next = zeros_laid_out_as(self);
    const Tensor base = tangent_base(self);
    if (!base) {
      put(self, level, laid_out_as(next, self));
      continue;
    }
    Tensor all = zeros_laid_out_as(base);
    if (const Tensor before = tangent_of(base, level)) ops::copy_(all, before);
    const Tensor window =
        ops::as_strided(all, self.sizes(), self.strides(), self.storage_offset() - base.storage_offset());
    ops::copy_(window, next);
    put(base, level, all);
  }
}

}  // namespace sconce
