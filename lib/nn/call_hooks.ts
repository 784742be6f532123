import { BackwardHooks } from './backward_hooks';
import { HookList } from './hooks';
import type { Module } from './module';

export type ForwardPreHook = (module: Module, args: unknown[]) => unknown;
export type ForwardHook = (module: Module, args: unknown[], output: unknown) => unknown;

/** The hooks around the calls of one module. */
export class CallHooks {
  readonly forward_pre = new HookList<ForwardPreHook>();
  readonly forward = new HookList<{ call: ForwardHook; always_call: boolean }>();
  readonly backward = new BackwardHooks();
}

export interface HookOptions {
  prepend?: boolean;
}

/** Runs `module.forward` between its hooks. */
export function call_with_hooks(module: Module, hooks: CallHooks, args: unknown[]): unknown {
  const ran = new Set<ForwardHook>();
  let result: unknown;
  try {
    for (const hook of hooks.forward_pre) {
      const replaced = hook(module, args);
      if (replaced !== undefined && replaced !== null) args = Array.isArray(replaced) ? replaced : [replaced];
    }
    const backward = hooks.backward.begin(module);
    if (backward !== null) args = backward.watch_inputs(args);
    result = module.forward(...args);
    for (const { call } of hooks.forward) {
      ran.add(call);
      result = call(module, args, result) ?? result;
    }
    return backward === null ? result : backward.watch_outputs(result);
  } catch (error) {
    for (const { call, always_call } of hooks.forward) {
      if (!always_call || ran.has(call)) continue;
      try {
        call(module, args, result ?? null);
      } catch (other) {
        process.emitWarning(
          'module forward hook with ``always_call=True`` raised an exception that was silenced as another error was ' +
            `raised in forward: ${other instanceof Error ? other.message : String(other)}`,
        );
      }
    }
    throw error;
  }
}
