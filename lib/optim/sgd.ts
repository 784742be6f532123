import { type Args, bind, required } from '../args';
import * as ops from '../ops';
import type { Tensor } from '../tensor';
import { Optimizer, type ParamGroup, type Params, require_nonnegative } from './optimizer';

export interface SGDOptions {
  lr?: number;
  momentum?: number;
  dampening?: number;
  weight_decay?: number;
  nesterov?: boolean;
  maximize?: boolean;
  foreach?: boolean | null;
  differentiable?: boolean;
  fused?: boolean | null;
}

interface SGDGroup extends ParamGroup, Required<SGDOptions> {}

/** Stochastic gradient descent, with momentum if wanted. */
export class SGD extends Optimizer {
  constructor(
    ...args: Args<
      [params: Params],
      [lr: number, momentum: number, dampening: number, weight_decay: number, nesterov: boolean],
      SGDOptions & { params?: Params }
    >
  ) {
    const { params, ...defaults } = bind(
      'SGD.__init__',
      {
        params: required<Params>(),
        lr: 0.001,
        momentum: 0,
        dampening: 0,
        weight_decay: 0,
        nesterov: false,
        maximize: false,
        foreach: null as boolean | null,
        differentiable: false,
        fused: null as boolean | null,
      },
      args,
    );
    require_nonnegative('learning rate', defaults.lr);
    require_nonnegative('momentum value', defaults.momentum);
    require_nonnegative('weight_decay value', defaults.weight_decay);
    if (defaults.nesterov && (defaults.momentum <= 0 || defaults.dampening !== 0)) {
      throw new Error('Nesterov momentum requires a momentum and zero dampening');
    }
    super(params, defaults);
  }

  protected step_group(group: SGDGroup, params: Tensor[], grads: Tensor[]): void {
    const { lr, momentum, dampening, weight_decay, nesterov, maximize } = group;
    // A parameter's first step takes the gradient itself for its momentum, so first and later steps are separate calls.
    const later = { params: [] as Tensor[], grads: [] as Tensor[], buffers: [] as Tensor[] };
    const first = { params: [] as Tensor[], grads: [] as Tensor[], buffers: [] as Tensor[] };
    params.forEach((param, i) => {
      const into = momentum === 0 ? later : this.#has_buffer(param) ? later : first;
      into.params.push(param);
      into.grads.push(grads[i]);
      if (momentum !== 0) into.buffers.push(this.#buffer(param));
    });
    for (const part of [first, later]) {
      if (part.params.length === 0) continue;
      ops._fused_sgd_(part.params, part.grads, part.buffers, {
        weight_decay,
        momentum,
        lr,
        dampening,
        nesterov,
        maximize,
        is_first_step: part === first,
      });
    }
  }

  #has_buffer(param: Tensor): boolean {
    return (this.state.get(param)?.momentum_buffer ?? null) !== null;
  }

  #buffer(param: Tensor): Tensor {
    const state = this.state_of(param);
    return (state.momentum_buffer ??= ops.empty_like(param)) as Tensor;
  }
}
