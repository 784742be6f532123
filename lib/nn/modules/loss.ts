import { type Args, bind } from '../../args';
import * as ops from '../../ops';
import type { Tensor } from '../../tensor';
import { Module } from '../module';

type Reduction = 'mean' | 'sum' | 'none';

interface LossOptions {
  size_average?: boolean | null;
  reduce?: boolean | null;
  reduction?: Reduction;
}

type SimpleLossArgs = Args<
  [],
  [size_average: boolean | null, reduce: boolean | null, reduction: Reduction],
  LossOptions
>;

interface Averaging {
  size_average: boolean | null;
  reduce: boolean | null;
  reduction: Reduction;
}
const averaging: Averaging = { size_average: null, reduce: null, reduction: 'mean' };

/** The reduction that PyTorch's old arguments `size_average` and `reduce` ask for, where they are given. */
function reduction_of(p: Averaging): Reduction {
  if (p.size_average === null && p.reduce === null) return p.reduction;
  const reduction = p.reduce === false ? 'none' : p.size_average === false ? 'sum' : 'mean';
  process.emitWarning(
    `size_average and reduce args will be deprecated, please use reduction='${reduction}' instead.`,
  );
  return reduction;
}

class Loss extends Module {
  reduction: Reduction;

  constructor(p: Averaging) {
    super();
    this.reduction = reduction_of(p);
  }
}

class WeightedLoss extends Loss {
  declare weight: Tensor | null;

  constructor(p: Averaging & { weight: Tensor | null }) {
    super(p);
    this.register_buffer('weight', p.weight);
  }
}

/** `(input - target)^2` */
export class MSELoss extends Loss {
  constructor(...args: SimpleLossArgs) {
    super(bind('MSELoss.__init__', { ...averaging }, args));
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return ops.mse_loss(input, target, { reduction: this.reduction });
  }
}

/** `|input - target|` */
export class L1Loss extends Loss {
  constructor(...args: SimpleLossArgs) {
    super(bind('L1Loss.__init__', { ...averaging }, args));
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return ops.l1_loss(input, target, { reduction: this.reduction });
  }
}

/** Squared, divided by `2 * beta`, where `|input - target| < beta`, else absolute less `beta / 2`. */
export class SmoothL1Loss extends Loss {
  beta: number;

  constructor(
    ...args: Args<
      [],
      [size_average: boolean | null, reduce: boolean | null, reduction: Reduction, beta: number],
      LossOptions & { beta?: number }
    >
  ) {
    const p = bind('SmoothL1Loss.__init__', { ...averaging, beta: 1 }, args);
    super(p);
    this.beta = p.beta;
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return ops.smooth_l1_loss(input, target, { reduction: this.reduction, beta: this.beta });
  }
}

/** `SmoothL1Loss` times `delta`: half the square near 0, `delta * (|d| - delta / 2)` beyond `delta`. */
export class HuberLoss extends Loss {
  delta: number;

  constructor(
    ...args: Args<[], [reduction: Reduction, delta: number], { reduction?: Reduction; delta?: number }>
  ) {
    const p = bind('HuberLoss.__init__', { reduction: averaging.reduction, delta: 1 }, args);
    super({ ...averaging, reduction: p.reduction });
    this.delta = p.delta;
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return ops.huber_loss(input, target, { reduction: this.reduction, delta: this.delta });
  }
}

interface ClassLossOptions extends LossOptions {
  weight?: Tensor | null;
  ignore_index?: number;
}

/** Log softmax and negative log likelihood in one: logits `[N, C, ...]`, class indices `[N, ...]` or probabilities. */
export class CrossEntropyLoss extends WeightedLoss {
  ignore_index: number;
  label_smoothing: number;

  constructor(
    ...args: Args<
      [],
      [
        weight: Tensor | null,
        size_average: boolean | null,
        ignore_index: number,
        reduce: boolean | null,
        reduction: Reduction,
        label_smoothing: number,
      ],
      ClassLossOptions & { label_smoothing?: number }
    >
  ) {
    const p = bind(
      'CrossEntropyLoss.__init__',
      {
        weight: null as Tensor | null,
        size_average: averaging.size_average,
        ignore_index: -100,
        reduce: averaging.reduce,
        reduction: averaging.reduction,
        label_smoothing: 0,
      },
      args,
    );
    super(p);
    this.ignore_index = p.ignore_index;
    this.label_smoothing = p.label_smoothing;
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignore_index, reduction, label_smoothing } = this;
    return ops.cross_entropy(input, target, { weight, reduction, ignore_index, label_smoothing });
  }
}

/** Negative log likelihood of class indices `[N, ...]` under log probabilities `[N, C, ...]`. */
export class NLLLoss extends WeightedLoss {
  ignore_index: number;

  constructor(
    ...args: Args<
      [],
      [
        weight: Tensor | null,
        size_average: boolean | null,
        ignore_index: number,
        reduce: boolean | null,
        reduction: Reduction,
      ],
      ClassLossOptions
    >
  ) {
    const p = bind(
      'NLLLoss.__init__',
      {
        weight: null as Tensor | null,
        size_average: averaging.size_average,
        ignore_index: -100,
        reduce: averaging.reduce,
        reduction: averaging.reduction,
      },
      args,
    );
    super(p);
    this.ignore_index = p.ignore_index;
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignore_index, reduction } = this;
    return ops.nll_loss(input, target, { weight, reduction, ignore_index });
  }
}

type WeightedArgs = Args<
  [],
  [weight: Tensor | null, size_average: boolean | null, reduce: boolean | null, reduction: Reduction],
  LossOptions & { weight?: Tensor | null }
>;

/** Binary cross entropy of probabilities. */
export class BCELoss extends WeightedLoss {
  constructor(...args: WeightedArgs) {
    super(bind('BCELoss.__init__', { weight: null as Tensor | null, ...averaging }, args));
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return ops.binary_cross_entropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** Binary cross entropy of logits, in a form that does not overflow. */
export class BCEWithLogitsLoss extends WeightedLoss {
  declare pos_weight: Tensor | null;

  constructor(
    ...args: Args<
      [],
      [
        weight: Tensor | null,
        size_average: boolean | null,
        reduce: boolean | null,
        reduction: Reduction,
        pos_weight: Tensor | null,
      ],
      LossOptions & { weight?: Tensor | null; pos_weight?: Tensor | null }
    >
  ) {
    const p = bind(
      'BCEWithLogitsLoss.__init__',
      { weight: null as Tensor | null, ...averaging, pos_weight: null as Tensor | null },
      args,
    );
    super(p);
    this.register_buffer('pos_weight', p.pos_weight);
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, pos_weight, reduction } = this;
    return ops.binary_cross_entropy_with_logits(input, target, { weight, pos_weight, reduction });
  }
}

/** `target * (log(target) - input)`, for log probabilities `input`. */
export class KLDivLoss extends Loss {
  log_target: boolean;

  constructor(
    ...args: Args<
      [],
      [
        size_average: boolean | null,
        reduce: boolean | null,
        reduction: Reduction | 'batchmean',
        log_target: boolean,
      ],
      Omit<LossOptions, 'reduction'> & { reduction?: Reduction | 'batchmean'; log_target?: boolean }
    >
  ) {
    const p = bind('KLDivLoss.__init__', { ...averaging, log_target: false }, args as unknown[]);
    super(p);
    this.log_target = p.log_target;
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const log_target = this.log_target;
    const reduction = this.reduction as Reduction | 'batchmean';
    if (reduction !== 'batchmean') return ops.kl_div(input, target, { reduction, log_target });
    const sum = ops.kl_div(input, target, { reduction: 'sum', log_target });
    return input.dim() === 0 ? sum : sum.div(input.shape[0]);
  }
}
