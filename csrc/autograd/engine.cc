// The backward pass: dependency counts, then nodes in order of readiness, latest made first.
#include <algorithm>

#include "../core/background.h"
#include "../core/graph_task.h"
#include "../ops/ops.h"
#include "graph.h"
#include "profiled_node.h"

namespace sconce {
namespace {

constexpr int kNone = -1;

struct Task {
  Ref<Node> node;
  int dependencies = 0;
  uint32_t first_edge = 0;  // into the pass's edge_tasks
  bool needed = true;       // it is to run
  bool captured = false;    // a gradient is to be caught in front of it
  bool runs() const { return needed || captured; }
  TensorList buffer;
};

// Node pointer -> task index: open addressing, grown at half load.
class TaskMap {
 public:
  explicit TaskMap(std::vector<Task>& tasks) : tasks_(tasks), slots_(64, kNone) {}
  int find(const Node* n) const { return slots_[slot_of(n)]; }
  int find_or_add(Node* n) {
    const size_t i = slot_of(n);
    if (slots_[i] != kNone) return slots_[i];
    const int task = static_cast<int>(tasks_.size());
    slots_[i] = task;
    tasks_.emplace_back();
    tasks_.back().node = Ref<Node>(n);
    if (tasks_.size() * 2 > slots_.size()) grow();
    return task;
  }

 private:
  size_t slot_of(const Node* n) const {
    size_t i = ((reinterpret_cast<uintptr_t>(n) >> 4) * 0x9E3779B97F4A7C15ull >> 20) & (slots_.size() - 1);
    while (slots_[i] != kNone && tasks_[static_cast<size_t>(slots_[i])].node.get() != n)
      i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  void grow() {
    slots_.assign(slots_.size() * 2, kNone);
    for (size_t t = 0; t < tasks_.size(); ++t) slots_[slot_of(tasks_[t].node.get())] = static_cast<int>(t);
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

bool is_any_nan(const Tensor& t) {
  NoGradGuard no_grad;
  const Tensor found = ops::to_device(ops::sum(ops::isnan(t)), {});
  return *found.data_as<int64_t>() != 0;
}

// Hooks on the node's outputs, then retain_grad(), which sees what they made of the gradient.
void run_output_hooks(const Node& node, TensorList& grads) {
  const auto apply = [&](const HookList<GradHook>& hooks, Tensor& g) {
    hooks.each([&](const GradHook& hook) {
      if (Tensor r = hook(g)) g = std::move(r);
    });
  };
  if (const auto* hooks = node.leaf_hooks()) apply(*hooks, grads[0]);
  const Node::Extra* extra = node.extra_if_any();
  if (!extra) return;
  for (size_t i = 0; i < extra->on_output.size() && i < grads.size(); ++i)
    apply(extra->on_output[i], grads[i]);
  for (size_t i = 0; i < extra->retain.size() && i < grads.size(); ++i)
    if (const auto slot = extra->retain[i].lock(); slot && grads[i])
      *slot = *slot ? ops::add(*slot, grads[i]) : ops::clone(grads[i]);
}

}  // namespace

class BackwardPass {
 public:
  explicit BackwardPass(const BackwardOptions& options)
      : options_(options),
        map_(tasks_),
        id_(static_cast<int64_t>(thread_state().next_sequence_nr++)),
        outer_(thread_state().pass) {
    thread_state().pass = this;
  }
  ~BackwardPass() { thread_state().pass = outer_; }
  BackwardPass(const BackwardPass&) = delete;

  TensorList run(const GradientEnds& roots, const TensorList& grads, const GradientEnds& inputs) {
    for (size_t i = 0; i < roots.size(); ++i) add_root(roots[i], i < grads.size() ? grads[i] : Tensor(), i);
    discover();
    captured_.resize(inputs.size());
    if (!inputs.empty()) aim_at(inputs);
    const GraphTaskGuard running(inputs.empty());
    GradModeGuard mode(options_.create_graph);
    start();
    while (!ready_.empty()) {
      between_nodes();
      std::pop_heap(ready_.begin(), ready_.end(), Later{tasks_});
      const auto index = static_cast<size_t>(ready_.back());
      ready_.pop_back();
      try {
        run_task(index);
      } catch (...) {
        if (Tracer* tracer = thread_state().tracer) tracer->report(*tasks_[index].node);
        throw;
      }
    }
    if (options_.accumulate) return {};
    for (size_t i = 0; i < inputs.size(); ++i)
      SC_CHECK(captured_[i] || options_.allow_unused, "The differentiated Tensor at index ", i,
               " appears to not have been used in the graph. Set allow_unused=True if this is the desired "
               "behavior.");
    return std::move(captured_);
  }

  int64_t id() const { return id_; }
  const BackwardPass* outer() const { return outer_; }
  bool reaches(const Node& node) const {
    const int t = map_.find(&node);
    return t != kNone && task(t).runs();
  }

 private:
  struct Root {
    int task;
    uint32_t nr;
    Tensor grad;
  };
  struct Capture {
    int task;
    uint32_t nr;
    size_t input;
  };
  struct Later {
    const std::vector<Task>& tasks;
    bool operator()(int a, int b) const {
      return tasks[static_cast<size_t>(a)].node->sequence_nr <
             tasks[static_cast<size_t>(b)].node->sequence_nr;
    }
  };
  Task& task(int t) { return tasks_[static_cast<size_t>(t)]; }
  const Task& task(int t) const { return tasks_[static_cast<size_t>(t)]; }
  // The task at the other end of an edge; kNone where no gradient is wanted there.
  int next_of(size_t index, size_t edge) const {
    const int t = edge_tasks_[tasks_[index].first_edge + edge];
    return t != kNone && task(t).runs() ? t : kNone;
  }

  void add_root(const GradientEnd& root, Tensor g, size_t i) {
    SC_CHECK(root.edge, "element ", i, " of tensors does not require grad and does not have a grad_fn");
    const OutputMeta& want = root.edge.node->outputs[root.edge.input_nr];
    if (!g) {
      SC_CHECK(numel_of(want.sizes) == 1, "grad can be implicitly created only for scalar outputs");
      NoGradGuard no_grad;
      g = ops::ones_like_raw(root.tensor ? root.tensor : empty(want.sizes, want.dtype, want.device));
    } else {
      SC_CHECK(g.sizes() == want.sizes, "Mismatch in shape: grad_output[", i, "] has a shape of torch.Size(",
               g.sizes(), ") and output[", i, "] has a shape of torch.Size(", want.sizes, ").");
      SC_CHECK(g.device() == want.device, "Expected grad_output on device ", device_name(want.device),
               " but got ", device_name(g.device()));
      if (g.dtype() != want.dtype) g = ops::to_dtype(g, want.dtype);
    }
    roots_.push_back({map_.find_or_add(root.edge.node.get()), root.edge.input_nr, std::move(g)});
  }

  // Walks the graph and counts how many gradients each node waits for.
  void discover() {
    for (size_t i = 0; i < tasks_.size(); ++i) {
      const Node* n = tasks_[i].node.get();
      tasks_[i].first_edge = static_cast<uint32_t>(edge_tasks_.size());
      for (const Edge& e : n->edges) {
        const int t = e.node ? map_.find_or_add(e.node.get()) : kNone;
        edge_tasks_.push_back(t);
        if (t != kNone) ++task(t).dependencies;
      }
    }
  }

  // Marks what leads to `inputs`: nothing else runs.
  void aim_at(const GradientEnds& inputs) {
    for (Task& t : tasks_) t.needed = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto& [tensor, edge] = inputs[i];
      SC_CHECK(edge || tensor.requires_grad(), "One of the differentiated Tensors does not require grad");
      const int t = edge ? map_.find(edge.node.get()) : kNone;
      if (options_.accumulate && tensor && edge) retain_grad(tensor);
      if (t == kNone) continue;  // not part of this graph
      if (options_.accumulate) {
        task(t).needed = true;
      } else {
        task(t).captured = true;
        captures_.push_back({t, edge.input_nr, i});
      }
    }
    std::sort(captures_.begin(), captures_.end(),
              [](const Capture& a, const Capture& b) { return a.task < b.task; });
    // A node runs when one of its successors does: look at those first.
    std::vector<int> order, pending, waits(tasks_.size());
    order.reserve(tasks_.size());
    for (size_t i = 0; i < tasks_.size(); ++i) {
      waits[i] = tasks_[i].dependencies;
      if (waits[i] == 0) pending.push_back(static_cast<int>(i));
    }
    while (!pending.empty()) {
      const int t = pending.back();
      pending.pop_back();
      order.push_back(t);
      each_next(t, [&](int next) {
        if (--waits[static_cast<size_t>(next)] == 0) pending.push_back(next);
      });
    }
    for (auto it = order.rbegin(); it != order.rend(); ++it)
      each_next(*it, [&](int next) { task(*it).needed |= task(next).runs(); });
  }
  template <class F>
  void each_next(int t, const F& f) const {
    const Task& from = task(t);
    for (size_t i = 0; i < from.node->edges.size(); ++i)
      if (const int next = edge_tasks_[from.first_edge + i]; next != kNone) f(next);
  }

  std::vector<Capture>::const_iterator first_capture(int t) const {
    return std::lower_bound(captures_.begin(), captures_.end(), t,
                            [](const Capture& c, int wanted) { return c.task < wanted; });
  }

  void start() {
    for (Root& r : roots_) {
      Task& t = task(r.task);
      if (!t.runs()) continue;
      if (t.buffer.empty()) {
        t.buffer = fresh_buffer(*t.node);
        if (t.dependencies == 0) ready_.push_back(r.task);
      }
      add_to(t.buffer[r.nr], std::move(r.grad));
    }
    std::make_heap(ready_.begin(), ready_.end(), Later{tasks_});
  }

  // Room for a gradient per output, where possible in the memory of a node that ran before.
  TensorList fresh_buffer(const Node& node) {
    TensorList buffer;
    if (!spare_.empty()) {
      buffer = std::move(spare_.back());
      spare_.pop_back();
    }
    buffer.resize(node.outputs.size());
    return buffer;
  }

  void run_task(size_t index) {
    const Ref<Node> node = tasks_[index].node;
    const ProfileScope evaluating(profiled_node(*node, ProfileKind::kEvaluate));
    TensorList in = std::move(tasks_[index].buffer);
    if (in.empty()) in = fresh_buffer(*node);
    if (!tasks_[index].needed) run_output_hooks(*node, in);
    if (tasks_[index].captured)
      for (auto c = first_capture(static_cast<int>(index));
           c != captures_.end() && c->task == static_cast<int>(index); ++c)
        captured_[c->input] = in[c->nr];
    if (!tasks_[index].needed) return;
    TensorList out = evaluate(index, *node, in);
    in.clear();
    spare_.push_back(std::move(in));
    // Pass on; a successor counts down even when no gradient came, or it would wait for ever.
    for (size_t i = 0; i < node->edges.size(); ++i) {
      const int next = next_of(index, i);
      if (next == kNone) continue;
      Task& to = task(next);
      if (i < out.size() && out[i]) {
        if (to.buffer.empty()) to.buffer = fresh_buffer(*to.node);
        add_to(to.buffer[node->edges[i].input_nr], std::move(out[i]));
      }
      if (--to.dependencies == 0) {
        ready_.push_back(next);
        std::push_heap(ready_.begin(), ready_.end(), Later{tasks_});
      }
    }
  }

  // The node between its hooks.
  TensorList evaluate(size_t index, Node& node, TensorList& in) {
    run_output_hooks(node, in);
    if (const auto* extra = node.extra_if_any()) extra->pre.each([&](const NodePreHook& hook) { hook(in); });
    const size_t n = node.edges.size();
    wanted_.assign(n, false);
    for (size_t i = 0; i < n; ++i) wanted_[i] = next_of(index, i) != kNone;
    const auto* extra = node.extra_if_any();  // the hooks may have added some
    const bool watched = extra && !extra->post.empty();
    const TensorList seen = watched ? in : TensorList();
    TensorList out;
    if (node.runs_without_grads() ||
        std::any_of(in.begin(), in.end(), [](const Tensor& g) { return g.defined(); })) {
      const ProfileScope running(profiled_node(node, ProfileKind::kNode, &in));
      out = node.apply(std::move(in), wanted_);
    }
    if (!options_.retain_graph) node.release_saved();
    out.resize(n);
    for (size_t i = 0; i < n; ++i) {
      if (!out[i]) continue;
      if (next_of(index, i) == kNone)
        out[i].reset();
      else
        conform(out[i], node.edges[i].node->outputs[node.edges[i].input_nr], node, i);
    }
    if (watched) extra->post.each([&](const NodePostHook& hook) { hook(out, seen); });
    if (__builtin_expect(thread_state().anomaly_mode && thread_state().anomaly_check_nan, 0))
      for (size_t i = 0; i < n; ++i)
        SC_CHECK(!out[i] || !is_any_nan(out[i]), "Function '", node.name(), "' returned nan values in its ",
                 i, "th output.");
    return out;
  }

  const BackwardOptions options_;
  std::vector<Task> tasks_;
  TaskMap map_;
  std::vector<int> edge_tasks_;  // of every task's edges in turn: the task at the other end
  std::vector<Root> roots_;
  std::vector<Capture> captures_;  // by task
  TensorList captured_;            // one per input
  std::vector<int> ready_;
  std::vector<bool> wanted_;
  std::vector<TensorList> spare_;
  const int64_t id_;
  BackwardPass* const outer_;
};

TensorList backward_pass(const GradientEnds& roots, const TensorList& grads, const GradientEnds& inputs,
                         const BackwardOptions& o) {
  return BackwardPass(o).run(roots, grads, inputs);
}

TensorList run_backward(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                        const BackwardOptions& o) {
  return backward_pass(GradientEnds(roots.begin(), roots.end()), grads,
                       GradientEnds(inputs.begin(), inputs.end()), o);
}

int64_t current_pass_id() { return thread_state().pass ? thread_state().pass->id() : -1; }
bool pass_is_running(int64_t id) {
  const BackwardPass* p = thread_state().pass;
  while (p && p->id() != id) p = p->outer();
  return p;
}
bool current_pass_reaches(const Node& node) {
  return thread_state().pass && thread_state().pass->reaches(node);
}

}  // namespace sconce
