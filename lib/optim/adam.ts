import { type Args, bind, required } from '../args';
import * as ops from '../ops';
import { float, repr } from '../pyformat';
import type { Tensor } from '../tensor';
import {
  Optimizer,
  type OptimizerStateDict,
  type ParamGroup,
  type Params,
  type ParamState,
  require_nonnegative,
} from './optimizer';

export interface AdamWOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weight_decay?: number;
  amsgrad?: boolean;
  maximize?: boolean;
  foreach?: boolean | null;
  capturable?: boolean;
  differentiable?: boolean;
  fused?: boolean | null;
}

export interface AdamOptions extends AdamWOptions {
  decoupled_weight_decay?: boolean;
}

interface AdamGroup extends ParamGroup, Required<AdamOptions> {}

interface AdamState extends ParamState {
  step: Tensor; // [], float32
  exp_avg: Tensor;
  exp_avg_sq: Tensor;
  max_exp_avg_sq?: Tensor;
}

type AdamArgs<Options> = Args<
  [params: Params],
  [lr: number, betas: readonly [number, number], eps: number, weight_decay: number, amsgrad: boolean],
  Options & { params?: Params }
>;

const defaults_of_both = {
  params: required<Params>(),
  lr: 0.001,
  betas: [0.9, 0.999] as readonly [number, number],
  eps: 1e-8,
  weight_decay: 0,
  amsgrad: false,
  maximize: false,
  foreach: null as boolean | null,
  capturable: false,
  differentiable: false,
  fused: null as boolean | null,
};

/** Adam: steps scaled by running means of the gradient and of its square. */
export class Adam extends Optimizer {
  constructor(...args: AdamArgs<AdamOptions>) {
    const { params, ...defaults } = bind(
      'Adam.__init__',
      { ...defaults_of_both, decoupled_weight_decay: false },
      args,
    );
    require_nonnegative('learning rate', defaults.lr);
    require_nonnegative('epsilon value', defaults.eps);
    defaults.betas.forEach((beta, i) => {
      if (!(beta >= 0 && beta < 1))
        throw new Error(`Invalid beta parameter at index ${i}: ${repr(float(beta))}`);
    });
    require_nonnegative('weight_decay value', defaults.weight_decay);
    super(params, { ...defaults, betas: [...defaults.betas] });
  }

  protected step_group(group: AdamGroup, params: Tensor[], grads: Tensor[]): void {
    const { lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay } = group;
    const states = params.map((param) => this.#state(param, amsgrad));
    ops._fused_adam_(
      params,
      grads,
      states.map((state) => state.exp_avg),
      states.map((state) => state.exp_avg_sq),
      amsgrad ? states.map((state) => state.max_exp_avg_sq as Tensor) : [],
      states.map((state) => state.step),
      { lr, beta1: betas[0], beta2: betas[1], weight_decay, eps, amsgrad, maximize, decoupled_weight_decay },
    );
  }

  #state(param: Tensor, amsgrad: boolean): AdamState {
    const state = this.state_of(param) as AdamState;
    if (state.step === undefined) {
      state.step = ops.zeros([], { dtype: 'float32' });
      state.exp_avg = ops.zeros_like(param);
      state.exp_avg_sq = ops.zeros_like(param);
      if (amsgrad) state.max_exp_avg_sq = ops.zeros_like(param);
    }
    return state;
  }
}

/** Adam with weight decay taken off the parameters themselves instead of added to the gradients. */
export class AdamW extends Adam {
  constructor(...args: AdamArgs<AdamWOptions>) {
    const { params, ...options } = bind('AdamW.__init__', { ...defaults_of_both, weight_decay: 0.01 }, args);
    super(params, { ...options, decoupled_weight_decay: true });
  }

  override load_state_dict(state_dict: OptimizerStateDict): void {
    super.load_state_dict(state_dict);
    for (const group of this.param_groups) group.decoupled_weight_decay = true;
  }
}
