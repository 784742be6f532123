// Named ranges of a profile. This file is what the rest of the library imports: while nothing is profiled, a range costs
// the test of one flag.
import { native } from '../native';

/** What the profile of this thread, if there is one, wants to know. */
export const profiling = { ranges: false, modules: false };

export const is_thenable = (v: unknown): v is PromiseLike<unknown> =>
  typeof v === 'object' && v !== null && typeof (v as { then?: unknown }).then === 'function';

/** Runs `fn` as a range; a promise that it returns extends the range until it settles. */
export function in_range<T>(name: string, fn: () => T): T {
  const token = native.profiler_begin(name);
  if (token === null) return fn();
  let result: T;
  try {
    result = fn();
  } catch (error) {
    native.profiler_end(token, false);
    throw error;
  }
  if (!is_thenable(result)) {
    native.profiler_end(token, false);
    return result;
  }
  const end = (): void => native.profiler_end(token, true);
  return Promise.resolve(result).finally(end) as T;
}

/**
 * A range that is open, to be left by `using` or by `exit()`.
 *
 * Other code of the event loop may run between its ends, if there is an `await` between them; it then counts as
 * asynchronous. A microtask tells: it runs as soon as the code that opened the range yields.
 */
export class RangeScope implements Disposable {
  #token: number | null;
  #yielded = false;

  /** @internal `sequential`: there is one such range at a time, so that what lies between its ends is its own. */
  constructor(name: string, sequential = false) {
    this.#token = native.profiler_begin(name);
    if (this.#token !== null && !sequential) queueMicrotask(() => (this.#yielded = true));
  }

  /** Ends the range; a second time does nothing. */
  exit(): void {
    if (this.#token === null) return;
    native.profiler_end(this.#token, this.#yielded);
    this.#token = null;
  }

  [Symbol.dispose](): void {
    this.exit();
  }
}

/**
 * Gives a piece of code a name in the profile that is being recorded, if there is one: PyTorch's
 * `torch.profiler.record_function`.
 *
 * With a function it runs that and returns its result; the range of an async function lasts until its promise settles and
 * counts as asynchronous, for the event loop runs other code meanwhile. Without one it is a scope.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.profiler.record_function.html
 *
 * @example
 * const loss = torch.profiler.record_function('forward', () => torch.ones(2).sum());
 *
 * @example
 * {
 *   using _ = torch.profiler.record_function('forward');
 *   torch.ones(2).sum();
 * }
 */
export function record_function(name: string, args?: string | null): RangeScope;
export function record_function<T>(name: string, fn: () => T): T;
export function record_function<T>(name: string, args: string | null, fn: () => T): T;
export function record_function<T>(name: string, a?: string | null | (() => T), b?: () => T): T | RangeScope {
  if (typeof name !== 'string') throw new TypeError('record_function(): name must be a string');
  const fn = typeof a === 'function' ? a : b;
  return fn === undefined ? new RangeScope(name) : in_range(name, fn);
}

// ---- modules ----

let labels = new WeakMap<object, string>();
let instances = new Map<string, number>();

/** Modules are numbered anew in each recording. */
export function reset_module_labels(): void {
  labels = new WeakMap();
  instances = new Map();
}

/** `nn.Module: Linear_0`: the modules of each class are numbered in the order of their first calls. */
export function module_label(module: object, class_name: string): string {
  let label = labels.get(module);
  if (label === undefined) {
    const number = instances.get(class_name) ?? 0;
    instances.set(class_name, number + 1);
    labels.set(module, (label = `nn.Module: ${class_name}_${number}`));
  }
  return label;
}
