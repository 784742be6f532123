import { inspect } from 'node:util';

import { type Args, bind } from '../args';
import { no_grad } from '../autograd';
import type { DType } from '../dtype';
import { in_range, module_label, profiling } from '../profiler/ranges';
import { Tensor } from '../tensor';
import { HookedCallable } from './callable';
import { type_name } from '../type_name';
import { HookList, type RemovableHandle } from './hooks';
import { Buffer, Parameter, reset_grad } from './parameter';
import { indent, wrap_lines } from './repr';
import {
  IncompatibleKeys,
  load_member,
  type LoadContext,
  type LoadStateDictPreHook,
  type Metadata,
  type StateDict,
  type StateDictHook,
  type StateDictPreHook,
  throw_load_errors,
} from './state_dict';
import { parse_to, type ToArguments } from './to';

export interface Module {
  (...args: Parameters<this['forward']>): ReturnType<this['forward']>;
}

/**
 * Base class of all neural network modules: PyTorch's `nn.Module`. Subclasses set parameters, buffers and submodules as
 * plain fields and define `forward`; calling the module runs its hooks and `forward`.
 */
export class Module extends HookedCallable {
  /** The version of the class's state dict layout, stored with every state dict. */
  static readonly _version: number = 1;

  training = true;

  readonly #buffers = new Map<string, { persistent: boolean }>();
  #state_dict_hooks: HookList<StateDictHook> | null = null;
  #state_dict_pre_hooks: HookList<StateDictPreHook> | null = null;
  #load_pre_hooks: HookList<LoadStateDictPreHook> | null = null;
  #load_hooks: HookList<(module: Module, keys: IncompatibleKeys) => void> | null = null;

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a subclass's own signature takes its place
  forward(..._args: any[]): any {
    throw new Error(`Module [${this._get_name()}] is missing the required "forward" function`);
  }

  _get_name(): string {
    return this.constructor.name;
  }

  /** @internal */
  override _call_impl(args: unknown[]): unknown {
    if (!profiling.modules) return super._call_impl(args);
    return in_range(module_label(this, this._get_name()), () => super._call_impl(args));
  }

  // ---- registration ----

  #check_new_name(kind: string, name: unknown): asserts name is string {
    if (typeof name !== 'string') throw new TypeError(`${kind} name should be a string. Got ${typeof name}`);
    if (name.includes('.')) {
      throw new Error(`${kind} name can't contain "."${kind === 'module' ? `, got: ${name}` : ''}`);
    }
    if (name === '') throw new Error(`${kind} name can't be empty string ""`);
  }

  #check_free(name: string, registered: boolean): void {
    if (name in this && !registered && this.#get(name) !== undefined) {
      throw new Error(`attribute '${name}' already exists`);
    }
  }

  #get(name: string): unknown {
    return (this as unknown as Record<string, unknown>)[name];
  }

  #set(name: string, value: unknown): void {
    (this as unknown as Record<string, unknown>)[name] = value;
  }

  register_buffer(
    name: string,
    tensor: Tensor | null,
    ...rest: Args<[], [persistent: boolean], { persistent?: boolean }>
  ): void {
    const { persistent } = bind('register_buffer', { persistent: true }, rest);
    this.#check_new_name('buffer', name);
    this.#check_free(name, this.#buffers.has(name));
    if (tensor !== null && !(tensor instanceof Tensor)) {
      throw new TypeError(
        `cannot assign '${type_name(tensor)}' object to buffer '${name}' (torch Tensor or None required)`,
      );
    }
    this.#buffers.set(name, { persistent });
    this.#set(name, tensor);
  }

  register_parameter(name: string, param: Parameter | null): void {
    this.#check_new_name('parameter', name);
    const old = this.#get(name);
    this.#check_free(name, old === null || old instanceof Parameter);
    if (param !== null && !(param instanceof Parameter)) {
      throw new TypeError(
        `cannot assign '${type_name(param)}' object to parameter '${name}' (torch.nn.Parameter or None required)`,
      );
    }
    if (param !== null && param.grad_fn !== null) {
      throw new Error(
        `Cannot assign non-leaf Tensor to parameter '${name}'. Model parameters must be created explicitly. To express ` +
          `'${name}' as a function of another Tensor, compute the value in the forward() method.`,
      );
    }
    this.#set(name, param);
  }

  add_module(name: string, module: Module | null): void {
    if (module !== null && !(module instanceof Module)) {
      throw new TypeError(`${type_name(module)} is not a Module subclass`);
    }
    if (typeof name !== 'string') throw new TypeError(`module name should be a string. Got ${typeof name}`);
    const old = this.#get(name);
    this.#check_free(name, old === null || old instanceof Module);
    this.#check_new_name('module', name);
    this.#set(name, module);
  }

  register_module(name: string, module: Module | null): void {
    this.add_module(name, module);
  }

  // ---- what the module holds ----

  /** @internal The module's own parameters, in the order of assignment. */
  _own_parameters(): [string, Parameter][] {
    const found: [string, Parameter][] = [];
    for (const name of Object.keys(this)) {
      const value = this.#get(name);
      if (value instanceof Parameter) found.push([name, value]);
    }
    return found;
  }

  /** @internal The module's own buffers, in the order of assignment. */
  _own_buffers(): [name: string, buffer: Tensor, persistent: boolean][] {
    const found: [string, Tensor, boolean][] = [];
    for (const name of Object.keys(this)) {
      const value = this.#get(name);
      if (!(value instanceof Tensor)) continue;
      if (value instanceof Buffer && !this.#buffers.has(name)) {
        this.#buffers.set(name, { persistent: value.persistent });
      }
      const entry = this.#buffers.get(name);
      if (entry !== undefined) found.push([name, value, entry.persistent]);
    }
    return found;
  }

  /** @internal The module's own children, repeated ones included. */
  _own_modules(): [string, Module][] {
    const found: [string, Module][] = [];
    for (const name of Object.keys(this)) {
      const value = this.#get(name);
      if (typeof value === 'function' && value instanceof Module) found.push([name, value]);
    }
    return found;
  }

  *#named_members<T>(
    callee: string,
    own: (module: Module) => [string, T, ...unknown[]][],
    args: readonly unknown[],
  ): Generator<[string, T]> {
    const { prefix, recurse, remove_duplicate } = bind(
      callee,
      { prefix: '', recurse: true, remove_duplicate: true },
      args,
    );
    const seen = new Set<T>();
    const modules: Iterable<[string, Module]> = recurse
      ? this.named_modules({ prefix, remove_duplicate })
      : [[prefix, this]];
    for (const [module_prefix, module] of modules) {
      for (const [name, member] of own(module)) {
        if (seen.has(member)) continue;
        if (remove_duplicate) seen.add(member);
        yield [module_prefix === '' ? name : `${module_prefix}.${name}`, member];
      }
    }
  }

  /** `[name, parameter]` of this module and all below it. */
  named_parameters(...args: NamedMembersArgs): Generator<[string, Parameter]> {
    return this.#named_members('named_parameters', (module) => module._own_parameters(), args);
  }

  *parameters(...args: Args<[], [recurse: boolean], { recurse?: boolean }>): Generator<Parameter> {
    const { recurse } = bind('parameters', { recurse: true }, args);
    for (const [, param] of this.named_parameters({ recurse })) yield param;
  }

  /** `[name, buffer]` of this module and all below it. */
  named_buffers(...args: NamedMembersArgs): Generator<[string, Tensor]> {
    return this.#named_members('named_buffers', (module) => module._own_buffers(), args);
  }

  *buffers(...args: Args<[], [recurse: boolean], { recurse?: boolean }>): Generator<Tensor> {
    const { recurse } = bind('buffers', { recurse: true }, args);
    for (const [, buffer] of this.named_buffers({ recurse })) yield buffer;
  }

  *named_children(): Generator<[string, Module]> {
    const seen = new Set<Module>();
    for (const [name, module] of this._own_modules()) {
      if (seen.has(module)) continue;
      seen.add(module);
      yield [name, module];
    }
  }

  *children(): Generator<Module> {
    for (const [, module] of this.named_children()) yield module;
  }

  /** `[name, module]` of this module (under the name `prefix`, '' by default) and all below it. */
  named_modules(
    ...args: Args<
      [],
      [memo: Set<Module> | null, prefix: string, remove_duplicate: boolean],
      { memo?: Set<Module> | null; prefix?: string; remove_duplicate?: boolean }
    >
  ): Generator<[string, Module]> {
    const { memo, prefix, remove_duplicate } = bind(
      'named_modules',
      { memo: null as Set<Module> | null, prefix: '', remove_duplicate: true },
      args,
    );
    return this.#walk(memo ?? new Set(), prefix, remove_duplicate);
  }

  *#walk(memo: Set<Module>, prefix: string, remove_duplicate: boolean): Generator<[string, Module]> {
    if (memo.has(this)) return;
    if (remove_duplicate) memo.add(this);
    yield [prefix, this];
    for (const [name, module] of this._own_modules()) {
      yield* module.#walk(memo, prefix === '' ? name : `${prefix}.${name}`, remove_duplicate);
    }
  }

  *modules(): Generator<Module> {
    for (const [, module] of this.named_modules()) yield module;
  }

  get_submodule(target: string): Module {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the walk starts here
    let module: Module = this;
    if (target === '') return module;
    for (const item of target.split('.')) {
      const next = module.#get(item);
      if (next === undefined) throw new Error(`${module._get_name()} has no attribute \`${item}\``);
      if (!(next instanceof Module)) throw new Error(`\`${item}\` is not an nn.Module`);
      module = next;
    }
    return module;
  }

  #get_member(target: string): { owner: Module; name: string; member: unknown } {
    const dot = target.lastIndexOf('.');
    const owner = this.get_submodule(dot < 0 ? '' : target.slice(0, dot));
    const name = target.slice(dot + 1);
    const member = owner.#get(name);
    if (member === undefined) throw new Error(`${owner._get_name()} has no attribute \`${name}\``);
    return { owner, name, member };
  }

  get_parameter(target: string): Parameter {
    const { name, member } = this.#get_member(target);
    if (!(member instanceof Parameter)) throw new Error(`\`${name}\` is not an nn.Parameter`);
    return member;
  }

  get_buffer(target: string): Tensor {
    const { owner, name, member } = this.#get_member(target);
    if (!(member instanceof Tensor) || !owner._own_buffers().some(([other]) => other === name)) {
      throw new Error(`\`${name}\` is not a buffer`);
    }
    return member;
  }

  // ---- whole-tree changes ----

  /** Calls `fn` on every module below this one and then on this one. */
  apply(fn: (module: Module) => void): this {
    for (const module of this.children()) module.apply(fn);
    fn(this);
    return this;
  }

  /** @internal Replaces the data of every parameter, gradient and buffer by `fn` of it. */
  _apply(fn: (tensor: Tensor) => Tensor): this {
    for (const [, module] of this._own_modules()) module._apply(fn);
    no_grad(() => {
      for (const [, param] of this._own_parameters()) {
        param.data = fn(param.data);
        if (param.grad !== null) param.grad.data = fn(param.grad.data);
      }
      for (const [name, buffer] of this._own_buffers()) this.#set(name, fn(buffer));
    });
    return this;
  }

  /** `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`; only floating-point members change their dtype. */
  to(...args: ToArguments): this {
    const { device, dtype, non_blocking, memory_format } = parse_to(args);
    return this._apply((tensor) =>
      tensor.to({
        device,
        dtype: tensor.is_floating_point() ? dtype : null,
        non_blocking,
        memory_format: tensor.dim() === 4 || tensor.dim() === 5 ? memory_format : null,
      }),
    );
  }

  type(dtype: DType): this {
    return this._apply((tensor) => tensor.to({ dtype }));
  }

  float(): this {
    return this.#floating('float32');
  }

  double(): this {
    return this.#floating('float64');
  }

  half(): this {
    return this.#floating('float16');
  }

  bfloat16(): this {
    return this.#floating('bfloat16');
  }

  #floating(dtype: DType): this {
    return this._apply((tensor) => (tensor.is_floating_point() ? tensor.to({ dtype }) : tensor));
  }

  cpu(): this {
    return this._apply((tensor) => tensor.to({ device: 'cpu' }));
  }

  cuda(device: number | string | null = null): this {
    const target = device === null ? 'cuda' : typeof device === 'number' ? `cuda:${device}` : device;
    return this._apply((tensor) => tensor.to({ device: target }));
  }

  train(mode = true): this {
    if (typeof mode !== 'boolean') throw new TypeError('training mode is expected to be boolean');
    this.training = mode;
    for (const module of this.children()) module.train(mode);
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  requires_grad_(requires_grad = true): this {
    for (const param of this.parameters()) param.requires_grad_(requires_grad);
    return this;
  }

  zero_grad(...args: Args<[], [set_to_none: boolean], { set_to_none?: boolean }>): void {
    const { set_to_none } = bind('zero_grad', { set_to_none: true }, args);
    for (const param of this.parameters()) reset_grad(param, set_to_none);
  }

  // ---- state dict ----

  /** The parameters and persistent buffers by name: a plain object in registration order. */
  state_dict(
    ...args: Args<[], [], { destination?: StateDict; prefix?: string; keep_vars?: boolean }>
  ): Record<string, Tensor> {
    const { destination, prefix, keep_vars } = bind(
      'state_dict',
      { destination: null as StateDict | null, prefix: '', keep_vars: false },
      args,
    );
    const target = destination ?? {};
    if (!Object.hasOwn(target, '_metadata')) {
      // Not enumerable: it goes along with the state dict without being one of its entries.
      Object.defineProperty(target, '_metadata', { value: {}, writable: true, configurable: true });
    }
    const local_metadata = { version: (this.constructor as typeof Module)._version };
    (target as { _metadata: Metadata })._metadata[prefix.slice(0, -1)] = local_metadata;
    for (const hook of this.#state_dict_pre_hooks ?? []) hook(this, prefix, keep_vars);
    this._save_to_state_dict(target, prefix, keep_vars);
    for (const [name, module] of this._own_modules()) {
      module.state_dict({ destination: target, prefix: `${prefix}${name}.`, keep_vars });
    }
    for (const hook of this.#state_dict_hooks ?? []) {
      const result = hook(this, target, prefix, local_metadata) as unknown;
      if (result !== undefined && result !== null) throw new Error('state_dict post-hook must return None');
    }
    return target as Record<string, Tensor>;
  }

  /** @internal */
  _save_to_state_dict(destination: StateDict, prefix: string, keep_vars: boolean): void {
    for (const [name, param] of this._own_parameters())
      destination[prefix + name] = keep_vars ? param : param.detach();
    for (const [name, buffer, persistent] of this._own_buffers()) {
      if (persistent) destination[prefix + name] = keep_vars ? buffer : buffer.detach();
    }
    const extra = this.get_extra_state();
    if (extra !== undefined) destination[`${prefix}_extra_state`] = extra;
  }

  /** Overridden by modules that keep more than tensors in their state dict. */
  get_extra_state(): unknown {
    return undefined;
  }

  set_extra_state(_state: unknown): void {
    throw new Error(`${this._get_name()} has get_extra_state but no set_extra_state`);
  }

  /**
   * `hook(module, prefix, keep_vars)` before this module's part of a state dict is written.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_state_dict_pre_hook
   */
  register_state_dict_pre_hook(hook: StateDictPreHook): RemovableHandle {
    return (this.#state_dict_pre_hooks ??= new HookList()).register(hook);
  }

  /**
   * `hook(module, state_dict, prefix, local_metadata)` after this module's part of a state dict was written; may change it in place.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_state_dict_post_hook
   */
  register_state_dict_post_hook(hook: StateDictHook): RemovableHandle {
    return (this.#state_dict_hooks ??= new HookList()).register(hook);
  }

  /**
   * `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before this module is loaded;
   * may change the state dict and the lists in place.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_load_state_dict_pre_hook
   */
  register_load_state_dict_pre_hook(hook: LoadStateDictPreHook): RemovableHandle {
    return (this.#load_pre_hooks ??= new HookList()).register(hook);
  }

  /** `hook(module, incompatible_keys)` after this module was loaded; may change the lists in place. */
  register_load_state_dict_post_hook(
    hook: (module: Module, keys: IncompatibleKeys) => void,
  ): RemovableHandle {
    return (this.#load_hooks ??= new HookList()).register(hook);
  }

  /** Copies parameters and buffers from `state_dict`; with `assign` its tensors take their places instead. */
  load_state_dict(
    state_dict: StateDict,
    ...rest: Args<[], [strict: boolean, assign: boolean], { strict?: boolean; assign?: boolean }>
  ): IncompatibleKeys {
    const { strict, assign } = bind('load_state_dict', { strict: true, assign: false }, rest);
    if (typeof state_dict !== 'object' || state_dict === null || state_dict instanceof Tensor) {
      throw new TypeError(`Expected state_dict to be dict-like, got <class '${type_name(state_dict)}'>.`);
    }
    const entries: [string, unknown][] =
      state_dict instanceof Map ? [...(state_dict as Map<string, unknown>)] : Object.entries(state_dict);
    const context: LoadContext = {
      state_dict: Object.fromEntries(entries),
      metadata: (state_dict as { _metadata?: Metadata })._metadata ?? null,
      assign,
      strict,
      missing_keys: [],
      unexpected_keys: [],
      error_msgs: [],
    };
    this.#load(context, '');
    throw_load_errors(context, strict, this._get_name());
    return new IncompatibleKeys(context.missing_keys, context.unexpected_keys);
  }

  #load(context: LoadContext, prefix: string): void {
    for (const hook of this.#load_pre_hooks ?? []) {
      const { state_dict, metadata, strict, missing_keys, unexpected_keys, error_msgs } = context;
      const local_metadata = metadata?.[prefix.slice(0, -1)] ?? {};
      hook(this, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs);
    }
    this._load_from_state_dict(context, prefix);
    for (const [name, module] of this._own_modules()) module.#load(context, `${prefix}${name}.`);
    if (this.#load_hooks !== null) {
      const keys = new IncompatibleKeys(context.missing_keys, context.unexpected_keys);
      for (const hook of this.#load_hooks) {
        const result = hook(this, keys) as unknown;
        if (result !== undefined && result !== null) {
          throw new Error(
            'Hooks registered with ``register_load_state_dict_post_hook`` are notexpected to return new values, if incompatible_keys need to be modified,it should be done inplace.',
          );
        }
      }
    }
  }

  /** @internal Loads this module's own members, whose names in the state dict begin with `prefix`. */
  _load_from_state_dict(context: LoadContext, prefix: string): void {
    const { state_dict, missing_keys, unexpected_keys } = context;
    const persistent = this._own_buffers().filter(([, , kept]) => kept);
    const local = new Map<string, Tensor>(this._own_parameters());
    for (const [name, buffer] of persistent) local.set(name, buffer);
    for (const [name, member] of local) {
      const key = prefix + name;
      if (Object.hasOwn(state_dict, key)) load_member(context, this, name, member, key);
      else missing_keys.push(key);
    }
    const extra_key = `${prefix}_extra_state`;
    const has_extra = this.get_extra_state !== Module.prototype.get_extra_state;
    if (has_extra && Object.hasOwn(state_dict, extra_key)) this.set_extra_state(state_dict[extra_key]);
    else if (has_extra) missing_keys.push(extra_key);
    else if (Object.hasOwn(state_dict, extra_key)) unexpected_keys.push(extra_key);

    const children = new Set(this._own_modules().map(([name]) => name));
    for (const key of Object.keys(state_dict)) {
      if (!key.startsWith(prefix) || key === extra_key) continue;
      const [first, ...deeper] = key.slice(prefix.length).split('.') as [string, ...string[]];
      if (deeper.length > 0 ? !children.has(first) : !local.has(first)) unexpected_keys.push(key);
    }
  }

  // ---- printing ----

  /** What stands between the parentheses of the module's text; overridden by subclasses. */
  extra_repr(): string {
    return '';
  }

  override toString(): string {
    const extra = this.extra_repr();
    const extra_lines = extra === '' ? [] : extra.split('\n');
    const child_lines = this._own_modules().map(
      ([name, module]) => `(${name}): ${indent(module.toString(), 2)}`,
    );
    return wrap_lines(this._get_name(), extra_lines, child_lines);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

type NamedMembersArgs = Args<
  [],
  [prefix: string, recurse: boolean, remove_duplicate: boolean],
  { prefix?: string; recurse?: boolean; remove_duplicate?: boolean }
>;

export { type_name };
