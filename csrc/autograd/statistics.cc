#include "statistics.h"

#include <unordered_map>

namespace sconce {

namespace {
// Disjoint sets of nodes.
class Groups {
 public:
  void join(const Node* a, const Node* b) {
    const Node *x = root(a), *y = root(b);
    if (x != y) parent_[x] = y;
  }
  const Node* root(const Node* n) {
    const Node* top = n;
    for (auto it = parent_.find(top); it != parent_.end(); it = parent_.find(top)) top = it->second;
    while (n != top) {  // so that the next search is short
      const Node*& up = parent_[n];
      n = std::exchange(up, top);
    }
    return top;
  }

 private:
  std::unordered_map<const Node*, const Node*> parent_;
};

bool is_leaf_node(const Node& n) { return n.sequence_nr == UINT64_MAX; }
}  // namespace

GraphStatistics count_nodes() {
  GraphStatistics s;
  Groups groups;
  Node::for_each_live([&](Node& n) {
    s.all.add(n);
    s.by_name[n.name()].add(n);
    if (is_leaf_node(n)) return;
    for (const Edge& e : n.edges)
      if (e.node && !is_leaf_node(*e.node)) groups.join(&n, e.node.get());
  });
  struct Graph {
    NodeCount count;
    Node* last = nullptr;
  };
  std::unordered_map<const Node*, Graph> graphs;
  Node::for_each_live([&](Node& n) {
    if (is_leaf_node(n)) return;
    Graph& g = graphs[groups.root(&n)];
    g.count.add(n);
    if (!g.last || g.last->sequence_nr < n.sequence_nr) g.last = &n;
  });
  s.graphs = static_cast<int64_t>(graphs.size());
  for (const auto& [root, g] : graphs)
    if (!s.last || g.count.nodes > s.largest.nodes) {
      s.largest = g.count;
      s.last = Ref<Node>(g.last);
    }
  return s;
}

}  // namespace sconce
