// torch.autograd.graph: the graph itself, and how it keeps what it saves.
export {
  disable_saved_tensors_hooks,
  save_on_cpu,
  saved_tensors_hooks,
  type SaveOnCpuOptions,
} from './saved_tensors';
export { GradFn as Node, type InputMetadata, type NodeHook, type NodePreHook } from './node';
export { get_gradient_edge, GradientEdge } from './edge';
export { register_multi_grad_hook } from './multi_grad_hook';
export { statistics, type GraphStatistics, type NodeStatistics } from './statistics';
export { allow_mutation_on_saved_tensors } from './mutation';
export { increment_version } from './edge';
