// torch.autograd.graph.statistics: what of graphs is alive.
import { native, type NodeCount } from '../native';
import { wrapNode, type GradFn } from './node';

/** A number of nodes, and the bytes of the tensors that they keep for backward (one kept by two nodes counts twice). */
export type NodeStatistics = Readonly<NodeCount>;

export interface GraphStatistics extends NodeStatistics {
  /** The same by the nodes' names. */
  readonly by_name: Readonly<Record<string, NodeStatistics>>;
  /** How many separate graphs there are. Sharing a leaf does not make two graphs one. */
  readonly graphs: number;
  /** The graph with the most nodes, and the node of it that was made last; null when there is none. */
  readonly largest: (NodeStatistics & { readonly last: GradFn }) | null;
}

/**
 * Counts the nodes of this thread's graphs that are alive: those of tensors in use, and those whose tensors the collector has not freed yet.
 * Nothing is counted along the way, so it costs nothing until it is called; then it walks all nodes.
 *
 * A graph that grows with every step, as `total = total.add(loss)` makes it (`total += loss.item()` is meant), shows as one `largest` graph whose
 * nodes increase from call to call; `largest.last` is where it ends, and in anomaly mode `largest.last.metadata.traceback_` says which line made it.
 * Custom functions' nodes are counted, but not what they saved. There is no counterpart in PyTorch.
 *
 * @example
 * const w = torch.ones(3, { requires_grad: true });
 * let total = torch.zeros([]);
 * for (let step = 0; step < 100; ++step) total = total.add(w.mul(w).sum());
 * const { largest } = torch.autograd.graph.statistics();
 * largest.nodes; // at least 300
 * largest.last.name(); // 'AddBackward0'
 */
export function statistics(): GraphStatistics {
  const { largest, ...rest } = native.graph_statistics();
  if (largest === null) return { ...rest, largest };
  return { ...rest, largest: { ...largest, last: wrapNode(largest.last) as GradFn } };
}
