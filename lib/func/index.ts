// torch.func.
export { vmap, type Dims, type VmapOptions } from './vmap';
export type { Randomness } from './levels';
