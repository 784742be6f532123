// torch.func.
import './custom';
import './gradients';

export { hessian, jacfwd, jvp, linearize, type JacfwdOptions } from './forward';
export { functional_call, replace_all_batch_norm_modules_, stack_module_state } from './modules';
export { grad, grad_and_value, jacrev, vjp, type JacrevOptions } from './reverse';
export { vmap, type Dims, type VmapOptions } from './vmap';
export type { Randomness } from './levels';
export type { Argnums, Jacobian } from './types';
