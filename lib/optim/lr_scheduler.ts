/** `torch.optim.lr_scheduler`: learning rates that change from epoch to epoch (or step to step). */

import { type Args, bind, required } from '../args';
import { type_name } from '../nn/module';
import { repr } from '../pyformat';
import { Optimizer, type ParamGroup } from './optimizer';

type LR = ParamGroup & { lr: number; initial_lr: number };

/**
 * Base class of all schedulers. A subclass hands its own settings to the constructor, which stores them before it sets the
 * first learning rates, and defines `get_lr`, and `closed_form_lr` where the rate of any epoch can be told directly.
 */
export abstract class LRScheduler {
  // Declared only: a subclass's settings come first in the state, and what is set below follows.
  declare readonly optimizer: Optimizer;
  declare base_lrs: number[];
  declare last_epoch: number;
  declare _step_count: number;
  declare _is_initial: boolean;
  declare _get_lr_called_within_step: boolean;
  declare _last_lr: number[];

  constructor(optimizer: Optimizer, last_epoch: number, settings: object) {
    if (!(optimizer instanceof Optimizer)) {
      throw new TypeError(`${type_name(optimizer)} is not an Optimizer`);
    }
    // Not enumerable: the state dict is everything else.
    Object.defineProperty(this, 'optimizer', { value: optimizer });
    Object.assign(this, settings);
    optimizer.param_groups.forEach((group, i) => {
      if (last_epoch === -1) group.initial_lr ??= group.lr;
      else if (!('initial_lr' in group)) {
        throw new Error(
          `param 'initial_lr' is not specified in param_groups[${i}] when resuming scheduler with last_epoch >= 0.\n` +
            'This typically happens when:\n' +
            "1. You're trying to resume training from a checkpoint but haven't properly loaded the optimizer state\n" +
            "2. You're using last_epoch >= 0 for a fresh training run (not recommended)",
        );
      }
    });
    this.base_lrs = this.groups.map((group) => group.initial_lr);
    this.last_epoch = last_epoch;
    this._step_count = 0;
    this._is_initial = true;
    this._get_lr_called_within_step = false;
    this._last_lr = [];
    this.step();
    this._is_initial = false;
  }

  protected get groups(): LR[] {
    return this.optimizer.param_groups as LR[];
  }

  /** The learning rates of the epoch `last_epoch`, from those of the one before. */
  abstract get_lr(): number[];

  protected closed_form_lr?(): number[];

  protected check_called_within_step(): void {
    if (!this._get_lr_called_within_step) {
      process.emitWarning(
        'To get the last learning rate computed by the scheduler, please use `get_last_lr()`.',
      );
    }
  }

  get_last_lr(): number[] {
    return this._last_lr;
  }

  step(epoch: number | null = null): void {
    if (this._step_count === 1 && !this.optimizer._opt_called) {
      process.emitWarning(
        'Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call ' +
          'them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result in ' +
          'PyTorch skipping the first value of the learning rate schedule. See more details at ' +
          'https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate',
      );
    }
    this._step_count += 1;
    this.last_epoch = epoch ?? this.last_epoch + 1;
    this._get_lr_called_within_step = true;
    try {
      const rates =
        epoch !== null && this.closed_form_lr !== undefined ? this.closed_form_lr() : this.get_lr();
      this.groups.forEach((group, i) => {
        group.lr = rates[i];
      });
    } finally {
      this._get_lr_called_within_step = false;
    }
    this._last_lr = this.groups.map((group) => group.lr);
  }

  state_dict(): Record<string, unknown> {
    return Object.fromEntries(Object.entries(this));
  }

  load_state_dict(state_dict: Record<string, unknown>): void {
    Object.assign(this, state_dict);
  }
}

/** Multiplies the learning rates by `gamma` every `step_size` epochs. */
export class StepLR extends LRScheduler {
  declare step_size: number;
  declare gamma: number;

  constructor(
    ...args: Args<
      [optimizer: Optimizer, step_size: number],
      [gamma: number, last_epoch: number],
      { optimizer?: Optimizer; step_size?: number; gamma?: number; last_epoch?: number }
    >
  ) {
    const { optimizer, last_epoch, ...settings } = bind(
      'StepLR.__init__',
      { optimizer: required<Optimizer>(), step_size: required<number>(), gamma: 0.1, last_epoch: -1 },
      args,
    );
    super(optimizer, last_epoch, settings);
  }

  override get_lr(): number[] {
    this.check_called_within_step();
    const changes = this.last_epoch !== 0 && this.last_epoch % this.step_size === 0;
    return this.groups.map((group) => (changes ? group.lr * this.gamma : group.lr));
  }

  protected override closed_form_lr(): number[] {
    return this.base_lrs.map((lr) => lr * this.gamma ** Math.floor(this.last_epoch / this.step_size));
  }
}

/** Multiplies the learning rates by `gamma` at each of the epochs `milestones`. */
export class MultiStepLR extends LRScheduler {
  /** How often each epoch stands in the list. */
  declare milestones: Record<number, number>;
  declare gamma: number;

  constructor(
    ...args: Args<
      [optimizer: Optimizer, milestones: Iterable<number>],
      [gamma: number, last_epoch: number],
      { optimizer?: Optimizer; milestones?: Iterable<number>; gamma?: number; last_epoch?: number }
    >
  ) {
    const p = bind(
      'MultiStepLR.__init__',
      {
        optimizer: required<Optimizer>(),
        milestones: required<Iterable<number>>(),
        gamma: 0.1,
        last_epoch: -1,
      },
      args,
    );
    const milestones: Record<number, number> = {};
    for (const epoch of p.milestones) milestones[epoch] = (milestones[epoch] ?? 0) + 1;
    super(p.optimizer, p.last_epoch, { milestones, gamma: p.gamma });
  }

  override get_lr(): number[] {
    this.check_called_within_step();
    const times = this.milestones[this.last_epoch] ?? 0;
    return this.groups.map((group) => (times === 0 ? group.lr : group.lr * this.gamma ** times));
  }

  protected override closed_form_lr(): number[] {
    let passed = 0;
    for (const [epoch, times] of Object.entries(this.milestones))
      if (Number(epoch) <= this.last_epoch) passed += times;
    return this.base_lrs.map((lr) => lr * this.gamma ** passed);
  }
}

/** Multiplies the learning rates by `gamma` every epoch. */
export class ExponentialLR extends LRScheduler {
  declare gamma: number;

  constructor(
    ...args: Args<
      [optimizer: Optimizer, gamma: number],
      [last_epoch: number],
      { optimizer?: Optimizer; gamma?: number; last_epoch?: number }
    >
  ) {
    const { optimizer, last_epoch, ...settings } = bind(
      'ExponentialLR.__init__',
      { optimizer: required<Optimizer>(), gamma: required<number>(), last_epoch: -1 },
      args,
    );
    super(optimizer, last_epoch, settings);
  }

  override get_lr(): number[] {
    this.check_called_within_step();
    return this.groups.map((group) => (this._is_initial ? group.lr : group.lr * this.gamma));
  }

  protected override closed_form_lr(): number[] {
    return this.base_lrs.map((lr) => lr * this.gamma ** this.last_epoch);
  }
}

/** Half a cosine from the first learning rates down to `eta_min` in `T_max` epochs, and back up, and so on. */
export class CosineAnnealingLR extends LRScheduler {
  declare T_max: number;
  declare eta_min: number;

  constructor(
    ...args: Args<
      [optimizer: Optimizer, T_max: number],
      [eta_min: number, last_epoch: number],
      { optimizer?: Optimizer; T_max?: number; eta_min?: number; last_epoch?: number }
    >
  ) {
    const { optimizer, last_epoch, ...settings } = bind(
      'CosineAnnealingLR.__init__',
      { optimizer: required<Optimizer>(), T_max: required<number>(), eta_min: 0, last_epoch: -1 },
      args,
    );
    super(optimizer, last_epoch, settings);
  }

  override get_lr(): number[] {
    this.check_called_within_step();
    const { T_max, eta_min, last_epoch } = this;
    if (this._is_initial) return this.groups.map((group) => group.lr);
    if (this._step_count === 1 && last_epoch > 0) return this.closed_form_lr();
    // The recursive rule divides by 0 at the turning points from the bottom upwards.
    if (modulo(last_epoch - 1 - T_max, 2 * T_max) === 0) {
      return this.groups.map(
        (group, i) => group.lr + ((this.base_lrs[i] - eta_min) * (1 - Math.cos(Math.PI / T_max))) / 2,
      );
    }
    return this.groups.map(
      (group) =>
        ((1 + Math.cos((Math.PI * last_epoch) / T_max)) /
          (1 + Math.cos((Math.PI * (last_epoch - 1)) / T_max))) *
          (group.lr - eta_min) +
        eta_min,
    );
  }

  protected override closed_form_lr(): number[] {
    const { T_max, eta_min, last_epoch } = this;
    return this.base_lrs.map(
      (lr) => eta_min + ((lr - eta_min) * (1 + Math.cos((Math.PI * last_epoch) / T_max))) / 2,
    );
  }
}

/** Python's `%`: never negative for a positive divisor. */
function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

type Lambda = (epoch: number) => number;

/** Multiplies the first learning rates by a function of the epoch. */
export class LambdaLR extends LRScheduler {
  declare lr_lambdas: Lambda[];

  constructor(
    ...args: Args<
      [optimizer: Optimizer, lr_lambda: Lambda | readonly Lambda[]],
      [last_epoch: number],
      { optimizer?: Optimizer; lr_lambda?: Lambda | readonly Lambda[]; last_epoch?: number }
    >
  ) {
    const { optimizer, last_epoch, lr_lambda } = bind(
      'LambdaLR.__init__',
      { optimizer: required<Optimizer>(), lr_lambda: required<Lambda | readonly Lambda[]>(), last_epoch: -1 },
      args,
    );
    const groups = optimizer.param_groups.length;
    const lr_lambdas =
      typeof lr_lambda === 'function' ? Array<Lambda>(groups).fill(lr_lambda) : [...lr_lambda];
    if (lr_lambdas.length !== groups)
      throw new Error(`Expected ${groups} lr_lambdas, but got ${lr_lambdas.length}`);
    super(optimizer, last_epoch, { lr_lambdas });
  }

  override get_lr(): number[] {
    this.check_called_within_step();
    return this.base_lrs.map((lr, i) => lr * this.lr_lambdas[i](this.last_epoch));
  }

  /** Functions are not kept in the state. */
  override state_dict(): Record<string, unknown> {
    const { lr_lambdas, ...state } = super.state_dict();
    return { ...state, lr_lambdas: (lr_lambdas as Lambda[]).map(() => null) };
  }

  override load_state_dict(state_dict: Record<string, unknown>): void {
    const { lr_lambdas: _, ...state } = state_dict;
    super.load_state_dict(state);
  }
}

interface OneCycleOptions {
  optimizer?: Optimizer;
  max_lr?: number | readonly number[];
  total_steps?: number | null;
  epochs?: number | null;
  steps_per_epoch?: number | null;
  pct_start?: number;
  anneal_strategy?: 'cos' | 'linear';
  cycle_momentum?: boolean;
  base_momentum?: number | readonly number[];
  max_momentum?: number | readonly number[];
  div_factor?: number;
  final_div_factor?: number;
  three_phase?: boolean;
  last_epoch?: number;
}

interface Phase {
  end_step: number;
  start_lr: string;
  end_lr: string;
  start_momentum: string;
  end_momentum: string;
}

function one_cycle_phases(total_steps: number, pct_start: number, three_phase: boolean): Phase[] {
  const phase = (
    end_step: number,
    [start_lr, end_lr]: [string, string],
    [start_momentum, end_momentum]: [string, string],
  ): Phase => ({ end_step, start_lr, end_lr, start_momentum, end_momentum });
  const up = phase(pct_start * total_steps - 1, ['initial_lr', 'max_lr'], ['max_momentum', 'base_momentum']);
  const last = total_steps - 1;
  if (!three_phase) return [up, phase(last, ['max_lr', 'min_lr'], ['base_momentum', 'max_momentum'])];
  return [
    up,
    phase(2 * pct_start * total_steps - 2, ['max_lr', 'initial_lr'], ['base_momentum', 'max_momentum']),
    phase(last, ['initial_lr', 'min_lr'], ['max_momentum', 'max_momentum']),
  ];
}

function total_steps_of(p: {
  total_steps: number | null;
  epochs: number | null;
  steps_per_epoch: number | null;
}): number {
  const check = (name: string, value: number): number => {
    if (!Number.isInteger(value) || value <= 0) {
      throw new Error(`Expected positive integer ${name}, but got ${repr(value)}`);
    }
    return value;
  };
  if (p.total_steps !== null) return check('total_steps', p.total_steps);
  if (p.epochs === null || p.steps_per_epoch === null) {
    throw new Error('You must define either total_steps OR (epochs AND steps_per_epoch)');
  }
  return check('epochs', p.epochs) * check('steps_per_epoch', p.steps_per_epoch);
}

/** Up from a small learning rate to `max_lr` and down to an even smaller one, in one cycle of all steps. */
export class OneCycleLR extends LRScheduler {
  declare total_steps: number;
  declare _schedule_phases: Phase[];
  declare _anneal_func_type: 'cos' | 'linear';
  declare cycle_momentum: boolean;
  declare use_beta1: boolean;

  constructor(
    ...args: Args<
      [optimizer: Optimizer, max_lr: number | readonly number[]],
      [total_steps: number | null],
      OneCycleOptions
    >
  ) {
    const p = bind(
      'OneCycleLR.__init__',
      {
        optimizer: required<Optimizer>(),
        max_lr: required<number | readonly number[]>(),
        total_steps: null as number | null,
        epochs: null as number | null,
        steps_per_epoch: null as number | null,
        pct_start: 0.3,
        anneal_strategy: 'cos',
        cycle_momentum: true,
        base_momentum: 0.85,
        max_momentum: 0.95,
        div_factor: 25,
        final_div_factor: 1e4,
        three_phase: false,
        last_epoch: -1,
      },
      args,
    );
    const { optimizer, pct_start, cycle_momentum, last_epoch } = p;
    const total_steps = total_steps_of(p);
    if (!(pct_start >= 0 && pct_start <= 1)) {
      throw new Error(`Expected float between 0 and 1 pct_start, but got ${repr(pct_start)}`);
    }
    if (p.anneal_strategy !== 'cos' && p.anneal_strategy !== 'linear') {
      throw new Error(
        `anneal_strategy must be one of 'cos' or 'linear', instead got ${String(p.anneal_strategy)}`,
      );
    }
    const use_beta1 = 'betas' in optimizer.defaults;
    if (cycle_momentum && !use_beta1 && !('momentum' in optimizer.defaults)) {
      throw new Error('optimizer must support momentum or beta1 with `cycle_momentum` option enabled');
    }
    if (last_epoch === -1) {
      const per_group = (name: string, value: number | readonly number[]): readonly number[] => {
        const groups = optimizer.param_groups.length;
        if (typeof value === 'number') return Array<number>(groups).fill(value);
        if (value.length !== groups)
          throw new Error(
            `${name} must have the same length as optimizer.param_groups. ${name} has ${value.length} values, param_groups has ${groups}.`,
          );
        return value;
      };
      const max_lrs = per_group('max_lr', p.max_lr);
      const max_momentums = per_group('max_momentum', p.max_momentum);
      const base_momentums = per_group('base_momentum', p.base_momentum);
      optimizer.param_groups.forEach((group, i) => {
        const initial_lr = max_lrs[i] / p.div_factor;
        Object.assign(group, { initial_lr, max_lr: max_lrs[i], min_lr: initial_lr / p.final_div_factor });
        if (!cycle_momentum) return;
        set_momentum(group, use_beta1, max_momentums[i]);
        Object.assign(group, { max_momentum: max_momentums[i], base_momentum: base_momentums[i] });
      });
    }
    super(optimizer, last_epoch, {
      total_steps,
      _schedule_phases: one_cycle_phases(total_steps, pct_start, p.three_phase),
      _anneal_func_type: p.anneal_strategy,
      cycle_momentum,
      ...(cycle_momentum ? { use_beta1 } : {}),
    });
  }

  override get_lr(): number[] {
    this.check_called_within_step();
    const step = this.last_epoch;
    if (step > this.total_steps) {
      throw new Error(
        `Tried to step ${step} times. The specified number of total steps is ${this.total_steps}`,
      );
    }
    const phases = this._schedule_phases;
    const found = phases.findIndex(({ end_step }) => step <= end_step);
    const at = found < 0 ? phases.length - 1 : found;
    const phase = phases[at];
    const start_step = at === 0 ? 0 : phases[at - 1].end_step;
    const pct = (step - start_step) / (phase.end_step - start_step);
    return this.groups.map((group) => {
      const value = (name: string): number => group[name] as number;
      if (this.cycle_momentum) {
        set_momentum(
          group,
          this.use_beta1,
          anneal(this._anneal_func_type, value(phase.start_momentum), value(phase.end_momentum), pct),
        );
      }
      return anneal(this._anneal_func_type, value(phase.start_lr), value(phase.end_lr), pct);
    });
  }
}

function anneal(strategy: 'cos' | 'linear', start: number, end: number, pct: number): number {
  if (strategy === 'linear') return (end - start) * pct + start;
  return end + ((start - end) / 2) * (Math.cos(Math.PI * pct) + 1);
}

function set_momentum(group: ParamGroup, use_beta1: boolean, momentum: number): void {
  if (use_beta1) group.betas = [momentum, ...(group.betas as number[]).slice(1)];
  else group.momentum = momentum;
}
