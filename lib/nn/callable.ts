// Calling a module, and the hooks around it.
import { bind } from '../args';
import type { FullBackwardHook, FullBackwardPreHook } from './backward_hooks';
import {
  call_with_hooks,
  CallHooks,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardHookWithKwargs,
  type ForwardPreHook,
  type ForwardPreHookOptions,
  type ForwardPreHookWithKwargs,
  global_hooks,
  type HookOptions,
} from './call_hooks';
import type { RemovableHandle } from './hooks';
import type { Module } from './module';

/**
 * Note [Callable modules]: `new Net()` returns a function, so that `net(x)` runs, whose prototype is the class's, so that
 * everything else is an ordinary class: `instanceof`, methods, fields. It is a base class of its own because fields of a
 * class are set on what the *parent's* constructor returned: here `Module`'s own fields land on the function too.
 * A function's own `name` and `length` would hide fields and methods of these names, hence the deletion.
 */
class Callable {
  constructor() {
    const self = (...args: unknown[]): unknown => (self as unknown as HookedCallable)._call_impl(args);
    Reflect.deleteProperty(self, 'name');
    Reflect.deleteProperty(self, 'length');
    Object.setPrototypeOf(self, new.target.prototype);
    return self;
  }
}

/** What can be called, between its hooks. */
export abstract class HookedCallable extends Callable {
  #hooks: CallHooks | null = null;

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a subclass's own signature takes its place
  abstract forward(...args: any[]): any;

  /** @internal */
  _call_impl(args: unknown[]): unknown {
    return this.#hooks === null && global_hooks.size === 0
      ? (this.forward(...args) as unknown)
      : call_with_hooks(this as unknown as Module, this.#hooks, args);
  }

  #hook_lists(): CallHooks {
    return (this.#hooks ??= new CallHooks());
  }

  /**
   * `hook(module, args)` before `forward`; what it returns replaces the positional arguments. With `with_kwargs`,
   * `hook(module, args, kwargs)` also gets those passed by name, in the trailing object, and returns `[args, kwargs]`.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_forward_pre_hook
   */
  register_forward_pre_hook(
    hook: ForwardPreHook,
    options?: ForwardPreHookOptions & { with_kwargs?: false },
  ): RemovableHandle;
  register_forward_pre_hook(
    hook: ForwardPreHookWithKwargs,
    options: ForwardPreHookOptions & { with_kwargs: true },
  ): RemovableHandle;
  register_forward_pre_hook(
    hook: ForwardPreHook | ForwardPreHookWithKwargs,
    options: ForwardPreHookOptions = {},
  ): RemovableHandle {
    const spec = { prepend: false, with_kwargs: false };
    const { prepend, ...how } = bind('register_forward_pre_hook', spec, [options]);
    return this.#hook_lists().forward_pre.register({ call: hook, ...how }, prepend);
  }

  /**
   * `hook(module, args, output)` after `forward`; what it returns replaces the output. With `with_kwargs` it is
   * `hook(module, args, kwargs, output)`; with `always_call` it runs even when `forward` throws.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_forward_hook
   */
  register_forward_hook(
    hook: ForwardHook,
    options?: ForwardHookOptions & { with_kwargs?: false },
  ): RemovableHandle;
  register_forward_hook(
    hook: ForwardHookWithKwargs,
    options: ForwardHookOptions & { with_kwargs: true },
  ): RemovableHandle;
  register_forward_hook(
    hook: ForwardHook | ForwardHookWithKwargs,
    options: ForwardHookOptions = {},
  ): RemovableHandle {
    const spec = { prepend: false, with_kwargs: false, always_call: false };
    const { prepend, ...how } = bind('register_forward_hook', spec, [options]);
    return this.#hook_lists().forward.register({ call: hook, ...how }, prepend);
  }

  /** `hook(module, grad_input, grad_output)` when the gradients of the inputs are there; may return new ones. */
  register_full_backward_hook(hook: FullBackwardHook, options: HookOptions = {}): RemovableHandle {
    const { prepend } = bind('register_full_backward_hook', { prepend: false }, [options]);
    return this.#hook_lists().backward.hooks.register(hook, prepend);
  }

  /** `hook(module, grad_output)` before the module's backward; may return a new `grad_output`. */
  register_full_backward_pre_hook(hook: FullBackwardPreHook, options: HookOptions = {}): RemovableHandle {
    const { prepend } = bind('register_full_backward_pre_hook', { prepend: false }, [options]);
    return this.#hook_lists().backward.pre_hooks.register(hook, prepend);
  }
}
