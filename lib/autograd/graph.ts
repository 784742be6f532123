// torch.autograd.graph: the graph itself, and how it keeps what it saves.
export {
  disable_saved_tensors_hooks,
  save_on_cpu,
  saved_tensors_hooks,
  type SaveOnCpuOptions,
} from './saved_tensors';
