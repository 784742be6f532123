// Grad modes as scopes: no_grad, enable_grad, set_grad_enabled, inference_mode.
//
// A mode is a flag of the native layer, switched for as long as a synchronous function runs: that costs two native calls.
// An async function's mode belongs to its own call tree. AsyncLocalStorage carries it across `await`, and an async hook, alive
// only while such a scope is pending, sets the flag before each continuation runs and takes it back after.
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { types } from 'node:util';
import { native, type Handle } from '../native';

/** What a scope may change. Every field but the first two is compared before it is handed to the native layer. */
export interface Mode {
  grad: boolean;
  inference: boolean;
  saving: Saving;
  anomaly: Anomaly;
}
/** What becomes of tensors that are saved for backward; see saved_tensors_hooks. */
export interface Saving {
  /** Takes a tensor and returns what gives it back. */
  readonly pack: ((t: Handle) => () => Handle) | null;
  /** Set while hooks are disabled: what whoever tries to use them is told. */
  readonly disabled: string | null;
}
/** See detect_anomaly. */
export interface Anomaly {
  readonly enabled: boolean;
  readonly check_nan: boolean;
}
let saving: Saving = { pack: null, disabled: null };
let anomaly: Anomaly = { enabled: false, check_nan: true };
const storage = new AsyncLocalStorage<Mode>();
let pending = 0;

const apply = (m: Mode): void => {
  native.set_grad_enabled(m.grad);
  native.set_inference_mode(m.inference);
  if (m.saving !== saving) {
    saving = m.saving;
    native.set_pack_hook(saving.pack);
  }
  if (m.anomaly !== anomaly) {
    anomaly = m.anomaly;
    native.set_anomaly_mode(anomaly.enabled, anomaly.check_nan);
  }
};
/** The mode that holds now. */
export const current = (): Mode => ({
  grad: native.is_grad_enabled(),
  inference: native.is_inference_mode_enabled(),
  saving,
  anomaly,
});

// Continuations may nest (a hook within a hook), hence a stack.
const outer: Mode[] = [];
const hook = createHook({
  before() {
    outer.push(current());
    const m = storage.getStore();
    if (m) apply(m);
  },
  after() {
    const m = outer.pop();
    if (m) apply(m);
  },
});

const isThenable = (v: unknown): v is PromiseLike<unknown> =>
  typeof v === 'object' && v !== null && typeof (v as { then?: unknown }).then === 'function';

function run<T>(change: (m: Mode) => Mode, fn: () => T, name: string): T {
  const before = current();
  const inside = change(before);
  if (!types.isAsyncFunction(fn)) {
    apply(inside);
    let r: T;
    try {
      r = fn();
    } finally {
      apply(before);
    }
    if (isThenable(r)) {
      // What runs after the first await of a promise that was made elsewhere cannot be told apart any more.
      r.then(undefined, () => undefined);
      throw new TypeError(
        `${name}(fn): fn returned a promise but is no async function; pass an async function, so that the mode holds across await`,
      );
    }
    return r;
  }
  if (pending++ === 0) hook.enable();
  apply(inside);
  let promise: Promise<unknown>;
  try {
    promise = storage.run(inside, fn) as Promise<unknown>;
  } finally {
    apply(before);
  }
  return promise.finally(() => {
    if (--pending === 0) hook.disable();
  }) as T;
}

/** A scope that can be left: by `using`, or by calling `[Symbol.dispose]()`. */
export interface ModeScope extends Disposable {
  /** Leaves the scope. */
  exit(): void;
}

function scope(change: (m: Mode) => Mode): ModeScope {
  const before = current();
  apply(change(before));
  let open = true;
  const exit = (): void => {
    if (open) apply(before);
    open = false;
  };
  return { exit, [Symbol.dispose]: exit };
}

/** Runs `fn` in a changed mode, or opens a scope of it. `name` is what errors call it. */
export function in_mode<T>(change: (m: Mode) => Mode, name: string, fn?: () => T): T | ModeScope {
  return fn ? run(change, fn, name) : scope(change);
}

function mode(change: (m: Mode) => Mode, name: string): { (): ModeScope; <T>(fn: () => T): T } {
  return <T>(fn?: () => T) => in_mode(change, name, fn) as T & ModeScope;
}

/**
 * Runs `fn` without recording a graph and returns what it returns; an async `fn` keeps the mode across `await`, for its own call tree alone.
 * Without an argument: a scope for `using _ = torch.no_grad()` in synchronous code.
 */
export const no_grad = mode((m) => ({ ...m, grad: false }), 'no_grad');
/** Runs `fn` with recording on, also inside `no_grad`. */
export const enable_grad = mode((m) => ({ ...m, grad: true }), 'enable_grad');

/** Runs `fn` in inference mode: no graph, no version counting, and its results can take no part in a graph later. */
export function inference_mode(): ModeScope;
export function inference_mode<T>(fn: () => T): T;
export function inference_mode<T>(mode: boolean, fn: () => T): T;
export function inference_mode<T>(a?: boolean | (() => T), b?: () => T): T | ModeScope {
  const on = typeof a === 'boolean' ? a : true;
  const change = (m: Mode): Mode => ({ ...m, grad: on ? false : m.grad, inference: on });
  const fn = typeof a === 'function' ? a : b;
  return fn ? run(change, fn, 'inference_mode') : scope(change);
}

/** Switches recording on or off: for good, or for `fn` when given. The result can be disposed to switch back. */
export function set_grad_enabled(enabled: boolean): ModeScope;
export function set_grad_enabled<T>(enabled: boolean, fn: () => T): T;
export function set_grad_enabled<T>(enabled: boolean, fn?: () => T): T | ModeScope {
  const change = (m: Mode): Mode => ({ ...m, grad: enabled });
  return fn ? run(change, fn, 'set_grad_enabled') : scope(change);
}

export const is_grad_enabled = (): boolean => native.is_grad_enabled();
export const is_inference_mode_enabled = (): boolean => native.is_inference_mode_enabled();
