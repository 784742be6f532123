import { is_plain_object } from '../args';
import { Tensor } from '../tensor';
import { BackwardHooks, BackwardWatch } from './backward_hooks';
import { HookList } from './hooks';
import type { Module } from './module';

/** `args` are the positional arguments alone. What it returns replaces them; an array as several, any other value as one. */
export type ForwardPreHook = (module: Module, args: unknown[]) => unknown;
/** With `with_kwargs`: returns `[args, kwargs]` to replace both. */
export type ForwardPreHookWithKwargs = (module: Module, args: unknown[], kwargs: Kwargs) => unknown;
/** What it returns replaces the output. */
export type ForwardHook = (module: Module, args: unknown[], output: unknown) => unknown;
/** With `with_kwargs`. */
export type ForwardHookWithKwargs = (
  module: Module,
  args: unknown[],
  kwargs: Kwargs,
  output: unknown,
) => unknown;

/** The trailing object of a call, which holds what Python passes by keyword. */
export type Kwargs = Record<string, unknown>;

interface PreEntry {
  with_kwargs: boolean;
  call: ForwardPreHook | ForwardPreHookWithKwargs;
}
interface Entry {
  with_kwargs: boolean;
  always_call: boolean;
  call: ForwardHook | ForwardHookWithKwargs;
}

/** The hooks around the calls of one module, or of all. */
export class CallHooks {
  readonly forward_pre = new HookList<PreEntry>();
  readonly forward = new HookList<Entry>();
  readonly backward = new BackwardHooks();

  get size(): number {
    return this.forward_pre.size + this.forward.size + this.backward.size;
  }
}

/** The hooks around the calls of all modules: register_module_forward_hook and its like. They run before a module's own. */
export const global_hooks = new CallHooks();

export interface HookOptions {
  /** Run before the hooks that are registered already. */
  prepend?: boolean;
}
export interface ForwardPreHookOptions extends HookOptions {
  /** Also hand the hook what was passed by name, and let it replace that. */
  with_kwargs?: boolean;
}
export interface ForwardHookOptions extends ForwardPreHookOptions {
  /** Run it also when `forward` throws. */
  always_call?: boolean;
}

const call_pre = (e: PreEntry, module: Module, args: unknown[], kwargs: Kwargs): unknown =>
  e.with_kwargs
    ? (e.call as ForwardPreHookWithKwargs)(module, args, kwargs)
    : (e.call as ForwardPreHook)(module, args);
const call_forward = (e: Entry, module: Module, args: unknown[], kwargs: Kwargs, output: unknown): unknown =>
  e.with_kwargs
    ? (e.call as ForwardHookWithKwargs)(module, args, kwargs, output)
    : (e.call as ForwardHook)(module, args, output);

/** Runs `module.forward` between its hooks. */
export function call_with_hooks(module: Module, own: CallHooks | null, all_args: unknown[]): unknown {
  const last = all_args.at(-1);
  let kwargs = is_plain_object(last) ? last : {};
  let args = is_plain_object(last) ? all_args.slice(0, -1) : all_args;
  const ran = new Set<Entry>();
  let result: unknown;
  try {
    for (const entry of [...global_hooks.forward_pre, ...(own?.forward_pre ?? [])]) {
      const replaced = call_pre(entry, module, args, kwargs);
      if (replaced === undefined || replaced === null) continue;
      if (!entry.with_kwargs) args = Array.isArray(replaced) ? replaced : [replaced];
      else [args, kwargs] = both(replaced);
    }
    const backward = BackwardWatch.begin(module, global_hooks.backward, own?.backward ?? null);
    if (backward !== null) args = backward.watch_inputs(args);
    const named = is_plain_object(last) || Object.keys(kwargs).length > 0;
    result = module.forward(...args, ...(named ? [kwargs] : []));
    for (const entry of [...global_hooks.forward, ...(own?.forward ?? [])]) {
      ran.add(entry);
      result = call_forward(entry, module, args, kwargs, result) ?? result;
    }
    return backward === null ? result : backward.watch_outputs(result);
  } catch (error) {
    for (const [entries, kind] of [
      [global_hooks.forward, 'global module'],
      [own?.forward ?? [], 'module'],
    ] as const) {
      for (const entry of entries) {
        if (!entry.always_call || ran.has(entry)) continue;
        try {
          result = call_forward(entry, module, args, kwargs, result ?? null) ?? result;
        } catch (other) {
          process.emitWarning(
            `${kind} forward hook with \`\`always_call=True\`\` raised an exception that was silenced as another error was ` +
              `raised in forward: ${other instanceof Error ? other.message : String(other)}`,
          );
        }
      }
    }
    throw error;
  }
}

function both(replaced: unknown): [unknown[], Kwargs] {
  if (Array.isArray(replaced) && replaced.length === 2 && Array.isArray(replaced[0])) {
    const [args, kwargs] = replaced as [unknown[], unknown];
    if (is_plain_object(kwargs)) return [args, kwargs];
  }
  const got = replaced instanceof Tensor ? replaced.toString() : JSON.stringify(replaced);
  throw new Error(`forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got ${got}.`);
}
