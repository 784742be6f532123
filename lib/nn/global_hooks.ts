// Hooks common to all modules: torch.nn.modules.module.
import { bind } from '../args';
import type { FullBackwardHook, FullBackwardPreHook } from './backward_hooks';
import {
  global_hooks,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardHookWithKwargs,
  type ForwardPreHook,
} from './call_hooks';
import type { RemovableHandle } from './hooks';

export { Module } from './module';

/**
 * Calls `hook(module, args)` before the `forward` of every module, and before the module's own hooks; what it returns replaces the positional
 * arguments. For debugging and profiling: it is global.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_forward_pre_hook.html
 *
 * @example
 * const handle = nn.modules.module.register_module_forward_pre_hook((module) => console.log(module._get_name()));
 * handle.remove();
 */
export function register_module_forward_pre_hook(hook: ForwardPreHook): RemovableHandle {
  return global_hooks.forward_pre.register({ call: hook, with_kwargs: false });
}

/**
 * Calls `hook(module, args, output)` after the `forward` of every module, and before the module's own hooks; what it returns replaces the
 * output. `with_kwargs` adds the arguments passed by name: `hook(module, args, kwargs, output)`; `always_call` runs it even when `forward` throws.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_forward_hook.html
 *
 * @example
 * const handle = nn.modules.module.register_module_forward_hook((module, _args, output) => console.log(module._get_name(), output.shape));
 * handle.remove();
 */
export function register_module_forward_hook(
  hook: ForwardHook,
  options?: Omit<ForwardHookOptions, 'prepend'> & { with_kwargs?: false },
): RemovableHandle;
export function register_module_forward_hook(
  hook: ForwardHookWithKwargs,
  options: Omit<ForwardHookOptions, 'prepend'> & { with_kwargs: true },
): RemovableHandle;
export function register_module_forward_hook(
  hook: ForwardHook | ForwardHookWithKwargs,
  options: Omit<ForwardHookOptions, 'prepend'> = {},
): RemovableHandle {
  const spec = { with_kwargs: false, always_call: false };
  return global_hooks.forward.register({
    call: hook,
    ...bind('register_module_forward_hook', spec, [options]),
  });
}

/**
 * Calls `hook(module, grad_output)` before the backward of every module, and before the module's own hooks; what it returns replaces `grad_output`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_full_backward_pre_hook.html
 *
 * @example
 * const handle = nn.modules.module.register_module_full_backward_pre_hook((module) => console.log(module._get_name()));
 * handle.remove();
 */
export function register_module_full_backward_pre_hook(hook: FullBackwardPreHook): RemovableHandle {
  return global_hooks.backward.pre_hooks.register(hook);
}

/**
 * Calls `hook(module, grad_input, grad_output)` when the gradients of a module's inputs are there, of every module and before the module's own
 * hooks; what it returns replaces `grad_input`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_full_backward_hook.html
 *
 * @example
 * const handle = nn.modules.module.register_module_full_backward_hook((module, grad_input) => console.log(grad_input.length));
 * handle.remove();
 */
export function register_module_full_backward_hook(hook: FullBackwardHook): RemovableHandle {
  return global_hooks.backward.hooks.register(hook);
}
