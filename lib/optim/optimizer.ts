import { inspect } from 'node:util';

import { is_plain_object } from '../args';
import { in_turn, without_signal, type AsyncOptions } from '../async';
import { enable_grad, no_grad } from '../autograd';
import { native } from '../native';
import { HookList, type RemovableHandle } from '../nn/hooks';
import { type_name } from '../nn/module';
import { reset_grad } from '../nn/parameter';
import { in_range, profiling } from '../profiler/ranges';
import { float, repr } from '../pyformat';
import { Tensor } from '../tensor';

/** The settings of one group and its parameters. */
export interface ParamGroup {
  params: Tensor[];
  param_names?: string[];
  [option: string]: unknown;
}

export type ParamState = Record<string, unknown>;

type ParamsOf = Tensor | Iterable<Tensor> | Iterable<[string, Tensor]>;

/** Parameters, `[name, parameter]` pairs, or groups of them, each with settings of its own. */
export type Params =
  Iterable<Tensor> | Iterable<[string, Tensor]> | Iterable<{ params: ParamsOf; [option: string]: unknown }>;

export interface OptimizerStateDict {
  state: Record<number, ParamState>;
  param_groups: (Omit<ParamGroup, 'params'> & { params: number[] })[];
}

export type Closure = () => Tensor | number;
type AsyncClosure = () => Tensor | number | Promise<Tensor | number>;

/**
 * Base class of all optimizers. A subclass defines `step_group`, which updates one group's parameters by one native call,
 * and what its settings must satisfy.
 */
export abstract class Optimizer {
  readonly defaults: Record<string, unknown>;
  param_groups: ParamGroup[] = [];
  state = new Map<Tensor, ParamState>();
  /** @internal Whether `step` ran: schedulers warn when they come first. */
  _opt_called = false;

  readonly #step_pre_hooks = new HookList<(optimizer: Optimizer) => void>();
  readonly #step_post_hooks = new HookList<(optimizer: Optimizer) => void>();

  constructor(params: Params, defaults: Record<string, unknown>) {
    this.defaults = defaults;
    if (defaults.differentiable === true) throw new Error('differentiable=True is not supported');
    if (params instanceof Tensor) {
      throw new TypeError(
        'params argument given to the optimizer should be an iterable of Tensors or dicts, but got torch.FloatTensor',
      );
    }
    const groups: unknown[] = [...params];
    if (groups.length === 0) throw new Error('optimizer got an empty parameter list');
    if (is_plain_object(groups[0])) for (const group of groups) this.add_param_group(group as never);
    else this.add_param_group({ params: groups as Tensor[] });
  }

  /** Adds parameters with settings of their own; settings not given are the optimizer's defaults. */
  add_param_group(param_group: { params: ParamsOf; [option: string]: unknown }): void {
    if (!is_plain_object(param_group)) {
      throw new TypeError(`param_group must be a dict, but got ${type_name(param_group)}`);
    }
    if (param_group.params instanceof Set) {
      throw new TypeError(
        'optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will ' +
          'change between runs. Please use a list instead.',
      );
    }
    const given: unknown[] =
      param_group.params instanceof Tensor ? [param_group.params] : [...param_group.params];
    const names = given.filter(Array.isArray).map((pair) => pair[0] as string);
    if (names.length > 0 && names.length !== given.length) {
      throw new Error('all optimizer params should be with/without names. Some param names are missing');
    }
    const params = given
      .map((entry) => (Array.isArray(entry) ? (entry[1] as unknown) : entry))
      .map(checked_param);
    if (new Set(params).size !== params.length) {
      process.emitWarning(
        'optimizer contains a parameter group with duplicate parameters; in future, this will cause an error',
      );
    }
    const known = new Set(this.param_groups.flatMap((group) => group.params));
    const named = names.length > 0;
    if (this.param_groups.some((group) => (group.param_names !== undefined) !== named)) {
      throw new Error(
        'all optimizer param groups should be with/without names. cannot add param group ' +
          `${named ? 'with' : 'without'} names to the optimizer`,
      );
    }
    if (params.some((param) => known.has(param))) {
      throw new Error('some parameters appear in more than one parameter group');
    }
    const group: ParamGroup = { ...param_group, params };
    if (named) group.param_names = names;
    for (const [name, value] of Object.entries(this.defaults)) if (!(name in group)) group[name] = value;
    this.param_groups.push(group);
  }

  /** The state of `param`, made on first use. */
  protected state_of(param: Tensor): ParamState {
    let state = this.state.get(param);
    if (state === undefined) this.state.set(param, (state = {}));
    return state;
  }

  /** Under a profile, the range `Optimizer.step#SGD.step` around what it is. */
  #in_range<T>(method: string, fn: () => T): T {
    return profiling.ranges ? in_range(`Optimizer.${method}#${this.constructor.name}.${method}`, fn) : fn();
  }

  zero_grad(options: boolean | { set_to_none?: boolean } = {}): void {
    this.#in_range('zero_grad', () => this.#zero_grad(options));
  }

  #zero_grad(options: boolean | { set_to_none?: boolean }): void {
    const set_to_none = typeof options === 'boolean' ? options : (options.set_to_none ?? true);
    for (const group of this.param_groups) for (const param of group.params) reset_grad(param, set_to_none);
  }

  /** Updates all parameters that have a gradient. A closure reevaluates the model and returns the loss. */
  step(): null;
  step<T extends Tensor | number>(closure: () => T): T;
  step(closure: Closure | null = null): Tensor | number | null {
    return this.#in_range('step', () => {
      this.#begin_step();
      const loss = closure === null ? null : enable_grad(closure);
      this.#update();
      this.#end_step();
      return loss;
    });
  }

  /**
   * {@link step} off the event loop, when all work that was asked for before, such as `backward_async`, has ended. The closure may
   * be async. An aborted `signal` keeps the step from beginning; once begun, it is completed. Step hooks run on the event loop, and
   * so does what a first step makes: the state of each parameter.
   *
   * @example
   * ```ts
   * const w = torch.ones(2, { requires_grad: true });
   * const optimizer = new torch.optim.SGD([w], { lr: 0.5 });
   * await w.sum().backward_async();
   * await optimizer.step_async();
   * w.tolist() // [0.5, 0.5]
   * ```
   */
  step_async(options?: AsyncOptions): Promise<null>;
  step_async<T extends Tensor | number>(closure: () => T | Promise<T>, options?: AsyncOptions): Promise<T>;
  async step_async(...given: unknown[]): Promise<Tensor | number | null> {
    const { args, signal } = without_signal<[closure?: AsyncClosure | null]>(given);
    const closure = args[0] ?? null;
    let loss: Tensor | number | null = null;
    if (closure !== null) {
      await in_turn((turn) => Promise.resolve(turn.run(() => this.#begin_step())), signal);
      loss = await enable_grad(async () => await closure());
    }
    await in_turn(async (turn) => {
      if (closure === null) turn.run(() => this.#begin_step());
      await turn.writes(() => this.#update());
      turn.run(() => this.#end_step());
    }, signal);
    return loss;
  }

  #begin_step(): void {
    this._opt_called = true;
    for (const hook of this.#step_pre_hooks) hook(this);
  }

  #update(): void {
    no_grad(() => {
      for (const group of this.param_groups) {
        const params: Tensor[] = [];
        const grads: Tensor[] = [];
        for (const param of group.params) {
          const grad = param.grad;
          if (grad === null) continue;
          params.push(param);
          grads.push(grad);
        }
        if (params.length > 0) this.step_group(group, params, grads);
      }
    });
  }

  #end_step(): void {
    for (const hook of this.#step_post_hooks) hook(this);
    native.step_ended();
  }

  /** Updates those parameters of the group that have a gradient. */
  protected abstract step_group(group: ParamGroup, params: Tensor[], grads: Tensor[]): void;

  register_step_pre_hook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return this.#step_pre_hooks.register(hook);
  }

  register_step_post_hook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return this.#step_post_hooks.register(hook);
  }

  /** The state and settings in PyTorch's layout: parameters are numbered in the order of the groups. */
  state_dict(): OptimizerStateDict {
    const numbers = new Map<Tensor, number>();
    for (const group of this.param_groups) {
      for (const param of group.params) if (!numbers.has(param)) numbers.set(param, numbers.size);
    }
    const param_groups = this.param_groups.map(({ params, ...options }) => ({
      ...options,
      params: params.map((param) => numbers.get(param) as number),
    }));
    const state: Record<number, ParamState> = {};
    for (const [param, entries] of this.state) state[numbers.get(param) as number] = { ...entries };
    return { state, param_groups };
  }

  /** Takes over state and settings from `state_dict`; tensors are cast to their parameters' dtype and device. */
  load_state_dict(state_dict: OptimizerStateDict): void {
    const saved = state_dict.param_groups;
    const groups = this.param_groups;
    if (groups.length !== saved.length)
      throw new Error('loaded state dict has a different number of parameter groups');
    if (groups.some((group, i) => group.params.length !== saved[i]?.params.length)) {
      throw new Error(
        "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
      );
    }
    const by_number = new Map<number, Tensor>();
    saved.forEach((group, g) => group.params.forEach((n, i) => by_number.set(n, groups[g]?.params[i])));
    const state = new Map<Tensor, ParamState>();
    for (const [n, entries] of entries_of(state_dict.state)) {
      const param = by_number.get(n);
      if (param === undefined)
        throw new Error(`loaded state dict holds state for parameter ${n}, which is in no group`);
      state.set(param, cast_state(param, entries));
    }
    this.state = state;
    this.param_groups = saved.map(({ params: _, ...options }, i) => {
      const group = groups[i];
      const names = group.param_names === undefined ? {} : { param_names: group.param_names };
      return { ...names, ...structuredClone(options), params: group.params };
    });
  }

  toString(): string {
    const groups = this.param_groups.map((group, i) => {
      const lines = Object.keys(group)
        .filter((key) => key !== 'params')
        .sort()
        .map((key) => `    ${key}: ${typeof group[key] === 'string' ? group[key] : repr(group[key])}\n`);
      return `\nParameter Group ${i}\n${lines.join('')}`;
    });
    return `${this.constructor.name} (${groups.join('')})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function checked_param(param: unknown): Tensor {
  if (!(param instanceof Tensor)) {
    throw new TypeError(`optimizer can only optimize Tensors, but one of the params is ${type_name(param)}`);
  }
  if (!param.is_leaf) throw new Error("can't optimize a non-leaf Tensor");
  return param;
}

function entries_of(state: OptimizerStateDict['state'] | Map<number, ParamState>): [number, ParamState][] {
  if (state instanceof Map) return [...state];
  return Object.entries(state).map(([n, entries]): [number, ParamState] => [Number(n), entries]);
}

/** A copy of loaded state on the parameter's device and, but for the step count, in its dtype. */
function cast_state(param: Tensor, entries: ParamState): ParamState {
  const cast = (key: string, value: unknown): unknown => {
    if (!(value instanceof Tensor)) return structuredClone(value);
    if (key === 'step') return value.clone();
    const options = param.is_floating_point()
      ? { device: param.device, dtype: param.dtype }
      : { device: param.device };
    return no_grad(() => value.to({ ...options, copy: true }));
  };
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, cast(key, value)]));
}

/** Throws unless `value` is at least 0 (a NaN is not). */
export function require_nonnegative(what: string, value: number): void {
  if (!(value >= 0)) throw new Error(`Invalid ${what}: ${repr(float(value))}`);
}
