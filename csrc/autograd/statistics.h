// What of graphs is alive.
#pragma once
#include <map>
#include <string>

#include "graph.h"

namespace sconce {

struct NodeCount {
  int64_t nodes = 0;
  uint64_t saved_bytes = 0;  // of the tensors that they keep for backward; one kept by two nodes counts twice
  void add(const Node& n) {
    ++nodes;
    saved_bytes += n.saved_bytes();
  }
};

struct GraphStatistics {
  NodeCount all;
  std::map<std::string, NodeCount> by_name;
  // Nodes that hang together are one graph. Leaves do not connect: the steps of a training loop are graphs of
  // their own, unless something joins them.
  int64_t graphs = 0;
  NodeCount largest;
  Ref<Node> last;  // of the largest: the node made last
};

// Walks all nodes of this thread.
GraphStatistics count_nodes();

}  // namespace sconce
