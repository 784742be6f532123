import { type Args, bind, required } from '../args';
import * as ops from '../ops';
import type { Tensor } from '../tensor';
import { Optimizer, type ParamGroup, type Params, type ParamState, require_nonnegative } from './optimizer';

export interface RMSpropOptions {
  lr?: number;
  alpha?: number;
  eps?: number;
  weight_decay?: number;
  momentum?: number;
  centered?: boolean;
  capturable?: boolean;
  foreach?: boolean | null;
  maximize?: boolean;
  differentiable?: boolean;
}

interface RMSpropGroup extends ParamGroup, Required<RMSpropOptions> {}

interface RMSpropState extends ParamState {
  step: Tensor; // [], float32
  square_avg: Tensor;
  momentum_buffer?: Tensor;
  grad_avg?: Tensor;
}

/** Steps scaled by a running root mean square of the gradient. */
export class RMSprop extends Optimizer {
  constructor(
    ...args: Args<
      [params: Params],
      [lr: number, alpha: number, eps: number, weight_decay: number, momentum: number, centered: boolean],
      RMSpropOptions & { params?: Params }
    >
  ) {
    const p = bind(
      'RMSprop.__init__',
      {
        params: required<Params>(),
        lr: 0.01,
        alpha: 0.99,
        eps: 1e-8,
        weight_decay: 0,
        momentum: 0,
        centered: false,
        capturable: false,
        foreach: null as boolean | null,
        maximize: false,
        differentiable: false,
      },
      args,
    );
    require_nonnegative('learning rate', p.lr);
    require_nonnegative('epsilon value', p.eps);
    require_nonnegative('momentum value', p.momentum);
    require_nonnegative('weight_decay value', p.weight_decay);
    require_nonnegative('alpha value', p.alpha);
    const { params, lr, momentum, alpha, eps, centered, weight_decay, ...flags } = p;
    super(params, { lr, momentum, alpha, eps, centered, weight_decay, ...flags });
  }

  protected step_group(group: RMSpropGroup, params: Tensor[], grads: Tensor[]): void {
    const { lr, alpha, eps, weight_decay, momentum, centered, maximize } = group;
    const states = params.map((param) => this.#state(param, group));
    ops._fused_rmsprop_(
      params,
      grads,
      states.map((state) => state.square_avg),
      centered ? states.map((state) => state.grad_avg as Tensor) : [],
      momentum > 0 ? states.map((state) => state.momentum_buffer as Tensor) : [],
      states.map((state) => state.step),
      { lr, alpha, eps, weight_decay, momentum, centered, maximize },
    );
  }

  #state(param: Tensor, group: RMSpropGroup): RMSpropState {
    const state = this.state_of(param) as RMSpropState;
    if (state.step === undefined) {
      state.step = ops.zeros([], { dtype: 'float32' });
      state.square_avg = ops.zeros_like(param);
      if (group.momentum > 0) state.momentum_buffer = ops.zeros_like(param);
      if (group.centered) state.grad_avg = ops.zeros_like(param);
    }
    return state;
  }
}
