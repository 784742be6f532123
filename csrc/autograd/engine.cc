// The backward pass: dependency counts, then nodes in order of readiness, latest made first.
#include <algorithm>
#include <atomic>

#include "../core/background.h"
#include "../core/graph_task.h"
#include "../ops/ops.h"
#include "accumulate.h"
#include "graph.h"
#include "profiled_node.h"

namespace sconce {

// ---- nodes ----
static std::atomic<int64_t> g_live_nodes{0};

Node::Node(const char* name) : sequence_nr(thread_state().next_sequence_nr++), name_(name) {
  g_live_nodes.fetch_add(1, std::memory_order_relaxed);
}
int64_t Node::live_count() { return g_live_nodes.load(std::memory_order_relaxed); }

void Node::destroy(Node* n) {
  // Deleting a node lets go of the next ones: queue them instead of recursing.
  static thread_local std::vector<Node*> queue;
  static thread_local bool draining = false;
  queue.push_back(n);
  if (draining) return;
  draining = true;
  while (!queue.empty()) {
    Node* next = queue.back();
    queue.pop_back();
    g_live_nodes.fetch_sub(1, std::memory_order_relaxed);
    delete next;
  }
  draining = false;
}

uint32_t Node::add_output(const Tensor& t) {
  outputs.push_back({t.sizes(), t.dtype(), t.device()});
  return static_cast<uint32_t>(outputs.size() - 1);
}

// ---- AccumulateGrad ----
AccumulateGrad::AccumulateGrad(const Tensor& v) : Node("torch::autograd::AccumulateGrad"), variable_(v) {
  sequence_nr = UINT64_MAX;  // runs as soon as it is ready, which frees the gradient
  add_output(v);
}
AccumulateGrad::~AccumulateGrad() {
  AutogradMeta& m = variable_.autograd_meta();
  if (m.accumulator == this) m.accumulator = nullptr;
}

void accumulate_grad(const Tensor& variable, Tensor&& g) {
  AutogradMeta& m = variable.autograd_meta();
  if (!m.grad) {
    const bool same_layout =
        g.strides() == variable.strides() || (g.is_contiguous() && variable.is_contiguous());
    if (!grad_enabled() && same_layout && g.impl()->refcount() == 1 && g.storage()->refcount() == 1 &&
        !g.is_view()) {
      m.grad = std::move(g);
    } else if (recording()) {
      m.grad = ops::clone(g);
    } else {
      Tensor copy = variable.is_non_overlapping_and_dense()
                        ? empty_strided(variable.sizes(), variable.strides(), g.dtype(), g.device())
                        : empty(variable.sizes(), g.dtype(), g.device());
      copy_into(copy, g);
      m.grad = std::move(copy);
    }
  } else if (!grad_enabled() && !carries_tangent(g) && !carries_tangent(m.grad)) {
    ops::add_raw_(m.grad, g);
    m.grad.bump_version();
  } else {
    m.grad = ops::add(m.grad, g);
  }
}

TensorList AccumulateGrad::apply(TensorList&& grads, const std::vector<bool>&) {
  Tensor g = std::move(grads[0]);
  if (!g) return {};
  AutogradMeta& m = variable_.autograd_meta();
  const auto hooks = m.leaf_hooks.items;  // a hook may remove itself
  for (const auto& h : hooks)
    if (Tensor r = h.second(g)) g = std::move(r);
  accumulate_grad(variable_, std::move(g));
  const auto post = m.post_accumulate_hooks.items;
  for (const auto& h : post) h.second(variable_);
  return {};
}

// ---- the pass ----
namespace {

struct Task {
  Ref<Node> node;
  int dependencies = 0;
  bool needed = true;
  std::vector<std::pair<uint32_t, size_t>> captures;  // (input number, index into `inputs`)
  TensorList buffer;
};

// Node pointer -> task index: open addressing, grown at half load.
class TaskMap {
 public:
  explicit TaskMap(std::vector<Task>& tasks) : tasks_(tasks), slots_(64, -1) {}
  int find_or_add(Node* n, bool* added) {
    size_t i = hash(n);
    while (slots_[i] >= 0) {
      if (tasks_[static_cast<size_t>(slots_[i])].node.get() == n) {
        *added = false;
        return slots_[i];
      }
      i = (i + 1) & (slots_.size() - 1);
    }
    *added = true;
    slots_[i] = static_cast<int>(tasks_.size());
    tasks_.emplace_back();
    tasks_.back().node = Ref<Node>(n);
    if (tasks_.size() * 2 > slots_.size()) grow();
    return static_cast<int>(tasks_.size() - 1);
  }

 private:
  size_t hash(Node* n) const {
    return ((reinterpret_cast<uintptr_t>(n) >> 4) * 0x9E3779B97F4A7C15ull >> 20) & (slots_.size() - 1);
  }
  void grow() {
    slots_.assign(slots_.size() * 2, -1);
    for (size_t t = 0; t < tasks_.size(); ++t) {
      size_t i = hash(tasks_[t].node.get());
      while (slots_[i] >= 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = static_cast<int>(t);
    }
  }
  std::vector<Task>& tasks_;
  std::vector<int> slots_;
};

// Brings a gradient to the shape, dtype and device that the forward value had. Note [Engine rules]: formulas
// may return a gradient of the broadcast shape, of a wider dtype, or none; this is the one place that settles
// it.
void conform(Tensor& g, const OutputMeta& want, const Node& from, size_t index) {
  if (g.sizes() != want.sizes) {
    SC_CHECK(is_expandable_to(want.sizes, g.sizes()), "Function ", from.name(),
             " returned an invalid gradient at index ", index, " - got ", g.sizes(),
             " but expected shape compatible with ", want.sizes);
    g = ops::sum_to_size(g, want.sizes);
  }
  if (g.dtype() != want.dtype) g = ops::to_dtype(g, want.dtype);
  if (g.device() != want.device) {
    SC_CHECK(g.dim() == 0, "Function ", from.name(), " returned an invalid gradient at index ", index,
             " - expected device ", device_name(want.device), " but got ", device_name(g.device()));
    g = ops::to_device(g, want.device);
  }
}

void add_to(Tensor& slot, Tensor&& g) {
  if (!slot) {
    slot = std::move(g);
  } else if (!recording() && slot.impl()->refcount() == 1 && slot.storage()->refcount() == 1 &&
             slot.dtype() == g.dtype() && slot.is_non_overlapping_and_dense()) {
    ops::add_raw_(slot, g);
  } else {
    slot = ops::add(slot, g);
  }
}

void run_output_hooks(Node& node, TensorList& grads) {
  const Node::Hooks* h = node.hooks_if_any();
  if (!h) return;
  for (size_t i = 0; i < h->on_output.size() && i < grads.size(); ++i) {
    if (!grads[i]) continue;
    const auto items = h->on_output[i].items;
    for (const auto& hook : items) {
      if (Tensor r = hook.second(grads[i])) {
        SC_CHECK(r.sizes() == grads[i].sizes(), "hook '<hook>' has changed the size of value");
        grads[i] = std::move(r);
      }
    }
  }
  const auto pre = h->pre.items;
  for (const auto& hook : pre) hook.second(grads);
  for (size_t i = 0; i < h->retain.size() && i < grads.size(); ++i)
    if (h->retain[i] && grads[i]) h->retain[i](grads[i]);
}

}  // namespace

TensorList run_backward(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                        const BackwardOptions& o) {
  std::vector<Task> tasks;
  TaskMap map(tasks);
  struct Root {
    int task;
    uint32_t nr;
    Tensor grad;
  };
  std::vector<Root> starts;
  for (size_t i = 0; i < roots.size(); ++i) {
    const Tensor& r = roots[i];
    Edge e = gradient_edge(r);
    SC_CHECK(e, "element ", i, " of tensors does not require grad and does not have a grad_fn");
    Tensor g = i < grads.size() ? grads[i] : Tensor();
    if (!g) {
      SC_CHECK(r.numel() == 1, "grad can be implicitly created only for scalar outputs");
      g = ops::ones_like_raw(r);
    } else {
      SC_CHECK(g.sizes() == r.sizes(), "Mismatch in shape: grad_output[", i, "] has a shape of torch.Size(",
               g.sizes(), ") and output[", i, "] has a shape of torch.Size(", r.sizes(), ").");
      SC_CHECK(g.device() == r.device(), "Expected grad_output on device ", device_name(r.device()),
               " but got ", device_name(g.device()));
      if (g.dtype() != r.dtype()) g = ops::to_dtype(g, r.dtype());
    }
    bool added;
    const int t = map.find_or_add(e.node.get(), &added);
    starts.push_back({t, e.input_nr, std::move(g)});
  }
  // Discover the graph and count how many gradients each node waits for.
  for (size_t i = 0; i < tasks.size(); ++i) {
    Node* n = tasks[i].node.get();
    for (const Edge& e : n->edges) {
      if (!e.node) continue;
      bool added;
      const int t = map.find_or_add(e.node.get(), &added);
      ++tasks[static_cast<size_t>(t)].dependencies;
    }
  }
  // Where gradients of `inputs` are to be caught, and which nodes lead there.
  TensorList captured(inputs.size());
  std::vector<bool> reached(inputs.size(), false);
  if (!inputs.empty()) {
    for (Task& t : tasks) t.needed = false;
    const size_t in_graph = tasks.size();  // inputs that are not part of it are added behind
    for (size_t i = 0; i < inputs.size(); ++i) {
      SC_CHECK(inputs[i].requires_grad(), "One of the differentiated Tensors does not require grad");
      const Edge e = gradient_edge(inputs[i]);
      bool added;
      const int t = map.find_or_add(e.node.get(), &added);
      if (added) {  // not part of this graph
        tasks[static_cast<size_t>(t)].needed = false;

        continue;
      }
      tasks[static_cast<size_t>(t)].captures.emplace_back(e.input_nr, i);
    }
    // A node must run when one of its successors runs or catches something: iterate in reverse topological
    // order.
    std::vector<int> order, pending;
    std::vector<int> deps(in_graph);
    for (size_t i = 0; i < in_graph; ++i) {
      deps[i] = tasks[i].dependencies;
      if (deps[i] == 0) pending.push_back(static_cast<int>(i));
    }
    while (!pending.empty()) {
      const int t = pending.back();
      pending.pop_back();
      order.push_back(t);
      for (const Edge& e : tasks[static_cast<size_t>(t)].node->edges) {
        if (!e.node) continue;
        bool added;
        const int s = map.find_or_add(e.node.get(), &added);
        if (--deps[static_cast<size_t>(s)] == 0) pending.push_back(s);
      }
    }
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      Task& t = tasks[static_cast<size_t>(*it)];
      for (const Edge& e : t.node->edges) {
        if (!e.node) continue;
        bool added;
        const Task& s = tasks[static_cast<size_t>(map.find_or_add(e.node.get(), &added))];
        if (s.needed || !s.captures.empty()) t.needed = true;
      }
    }
  }

  const auto later = [&](int a, int b) {
    return tasks[static_cast<size_t>(a)].node->sequence_nr < tasks[static_cast<size_t>(b)].node->sequence_nr;
  };
  std::vector<int> ready;
  const GraphTaskGuard task(inputs.empty());
  GradModeGuard mode(o.create_graph);
  for (Root& r : starts) {
    Task& t = tasks[static_cast<size_t>(r.task)];
    if (t.buffer.empty()) t.buffer.resize(t.node->outputs.size());
    add_to(t.buffer[r.nr], std::move(r.grad));
  }
  for (const Root& r : starts)
    if (tasks[static_cast<size_t>(r.task)].dependencies == 0 &&
        std::find(ready.begin(), ready.end(), r.task) == ready.end())
      ready.push_back(r.task);
  std::make_heap(ready.begin(), ready.end(), later);

  std::vector<bool> wanted;
  while (!ready.empty()) {
    between_nodes();
    std::pop_heap(ready.begin(), ready.end(), later);
    const auto index = static_cast<size_t>(ready.back());
    ready.pop_back();
    Ref<Node> node = tasks[index].node;
    const ProfileScope evaluating(profiled_node(*node, ProfileKind::kEvaluate));
    TensorList in = std::move(tasks[index].buffer);
    if (in.empty()) in.resize(node->outputs.size());
    run_output_hooks(*node, in);
    for (const auto& [nr, input] : tasks[index].captures) {
      reached[input] = true;
      Tensor g = in[nr];
      if (g && inputs[input].is_leaf() && inputs[input].impl()->autograd) {
        const auto hooks = inputs[input].autograd_meta().leaf_hooks.items;
        for (const auto& h : hooks)
          if (Tensor r = h.second(g)) g = std::move(r);
      }
      captured[input] = std::move(g);
    }
    TensorList out;
    if (tasks[index].needed) {
      wanted.assign(node->edges.size(), false);
      for (size_t i = 0; i < node->edges.size(); ++i) {
        if (!node->edges[i].node) continue;
        bool added;
        const Task& s = tasks[static_cast<size_t>(map.find_or_add(node->edges[i].node.get(), &added))];
        wanted[i] = s.needed || !s.captures.empty();
      }
      bool any = node->runs_without_grads();
      for (const Tensor& g : in) any = any || g.defined();
      if (any) {
        const Node::Hooks* h = node->hooks_if_any();
        TensorList grads_for_hooks;
        if (h && !h->post.items.empty()) grads_for_hooks = in;
        {
          const ProfileScope running(profiled_node(*node, ProfileKind::kNode, &in));
          out = node->apply(std::move(in), wanted);
        }
        if (!grads_for_hooks.empty()) {
          const auto post = h->post.items;
          for (const auto& hook : post) hook.second(out, grads_for_hooks);
        }
      }
      if (!o.retain_graph) node->release_saved();
    }
    in.clear();
    // Pass on; a successor counts down even when no gradient came, or it would wait for ever.
    for (size_t i = 0; i < node->edges.size(); ++i) {
      const Edge& e = node->edges[i];
      if (!e.node) continue;
      bool added;
      const int s = map.find_or_add(e.node.get(), &added);
      Task& next = tasks[static_cast<size_t>(s)];
      if (i < out.size() && out[i] && (next.needed || !next.captures.empty())) {
        conform(out[i], e.node->outputs[e.input_nr], *node, i);
        if (next.buffer.empty()) next.buffer.resize(e.node->outputs.size());
        add_to(next.buffer[e.input_nr], std::move(out[i]));
      }
      if (--next.dependencies == 0) {
        ready.push_back(s);
        std::push_heap(ready.begin(), ready.end(), later);
      }
    }
    tasks[index].buffer.clear();
  }
  if (inputs.empty()) return {};
  if (o.accumulate) {
    for (size_t i = 0; i < inputs.size(); ++i)
      if (captured[i]) accumulate_grad(inputs[i], std::move(captured[i]));
    return {};
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    SC_CHECK(captured[i] || o.allow_unused, "The differentiated Tensor at index ", i,
             " appears to not have been used in the graph. Set allow_unused=True if this is the desired "
             "behavior.");
  return captured;
}

}  // namespace sconce
