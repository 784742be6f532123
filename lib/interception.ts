// What lib/func puts between the operators and the native layer while a function transform runs.
//
// A module of its own, below everything else, so that the paths of every operator can look at one flag without knowing of transforms.
import type { PassOptions } from './autograd/gradient';
import type { Op, Overload } from './dispatch';
import type { Tensor } from './tensor';

/** How `vmap` takes part in calls; set once, by lib/func. */
export interface VmapHooks {
  /** An operator with its arguments in the order of the overload's parameters, tensors as tensors. */
  call(op: Op, overload: Overload, args: unknown[]): unknown;
  /** The same for what lib/ calls by registry key. */
  call_key(key: string, in_place: boolean, args: unknown[]): unknown;
  /** A backward pass, some of whose tensors may be batched. */
  gradients(
    outputs: readonly Tensor[],
    inputs: readonly Tensor[],
    weights: readonly (Tensor | null)[],
    options: PassOptions,
  ): (Tensor | null)[];
}

export const interception = {
  /** How many `vmap`s run right now: while it is 0, no batched tensor is in use. */
  vmaps: 0,
  /** How many transforms of any kind run right now. */
  transforms: 0,
  hooks: {} as VmapHooks,
};
