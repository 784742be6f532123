// Grad modes and the default dtype as scopes: no_grad, enable_grad, set_grad_enabled, inference_mode, set_default_dtype.
// How scopes follow async code: Note [Modes and async functions] in scopes.ts.
import { dtypeCode, type DType } from '../dtype';
import { guard } from '../errors';
import { native, type Handle, type SavedHandle } from '../native';
import {
  change,
  decorate,
  enter,
  isDecoration,
  set,
  within,
  type AnyFunction,
  type Change,
  type ModeScope,
  type Switch,
} from './scopes';

export type { ModeScope } from './scopes';

/** The modes, each with its value. */
export interface Mode {
  grad: boolean;
  inference: boolean;
  default_dtype: number;
  saving: Saving;
  anomaly: Anomaly;
  dual: Dual;
}
/** What becomes of tensors that are saved for backward; see saved_tensors_hooks. */
export interface Saving {
  /** Takes a tensor and returns what gives it back. */
  readonly pack: ((t: Handle) => () => Handle) | null;
  /** What unpacking needs, kept as long as anything that was packed. */
  readonly needs?: SavedHandle;
  /** Set while hooks are disabled: what whoever tries to use them is told. */
  readonly disabled: string | null;
  /** Of allow_mutation_on_saved_tensors. */
  readonly keeper?: Keeper;
}
/** Learns that a tensor is about to be written in place. */
export interface Keeper {
  readonly before_write: (t: Handle) => void;
}
/** See detect_anomaly. */
export interface Anomaly {
  readonly enabled: boolean;
  readonly check_nan: boolean;
}

/** Forward mode: see forward_ad. */
export interface Dual {
  /** The levels whose tangents are seen, a bit each. */
  readonly visible: bigint;
  /** What make_dual and unpack_dual mean; below 0: none is open. */
  readonly level: number;
}

let saving: Saving = { pack: null, disabled: null };
let anomaly: Anomaly = { enabled: false, check_nan: true };
let dual_level_number = -1;

/** How each mode is switched: a new one is a line here and a field of {@link Mode}. */
const switches: { [K in keyof Mode]: Switch<Mode[K]> } = {
  grad: (v) => native.set_grad_enabled(v),
  inference: (v) => native.set_inference_mode(v),
  default_dtype(code) {
    const before = native.get_default_dtype();
    native.set_default_dtype(code);
    return before;
  },
  saving(v) {
    const before = saving;
    saving = v;
    native.set_pack_hook(v.pack, v.needs ?? null, v.keeper?.before_write ?? null);
    return before;
  },
  anomaly(v) {
    const before = anomaly;
    anomaly = v;
    native.set_anomaly_mode(v.enabled, v.check_nan);
    return before;
  },
  dual(v) {
    const before = { visible: native.set_visible_dual_levels(v.visible), level: dual_level_number };
    dual_level_number = v.level;
    return before;
  },
};

/** The modes that hold now. */
export const current = (): Mode => ({
  grad: native.is_grad_enabled(),
  inference: native.is_inference_mode_enabled(),
  default_dtype: native.get_default_dtype(),
  saving,
  anomaly,
  dual: { visible: native.visible_dual_levels(), level: dual_level_number },
});

/** The three ways to use a mode: for a function, as a scope, as a decorator. `name` is what errors call it. */
export function use<T>(
  changes: readonly Change[],
  name: string,
  args: readonly unknown[],
  open: (changes: readonly Change[]) => ModeScope = enter,
): T {
  if (isDecoration(args)) return decorate(changes, args) as T;
  const [fn] = args;
  if (fn === undefined) return open(changes) as T;
  if (typeof fn !== 'function') throw new TypeError(`${name}(fn): fn must be a function, not ${typeof fn}`);
  return within(changes, fn as () => T);
}

/** Runs `fn` in changed modes, or opens a scope of them. `name` is what errors call it. */
export function in_mode<T>(to: (m: Mode) => Mode, name: string, fn?: () => T): T | ModeScope {
  const before = current();
  const after = to(before);
  const changed = (Object.keys(switches) as (keyof Mode)[]).filter((k) => after[k] !== before[k]);
  const changes = changed.map((k) => change(switches[k] as Switch<unknown>, after[k]));
  return use(changes, name, [fn]);
}

/** A mode without an argument: scope, function wrapper and decorator in one. */
export interface ModeFunction {
  /** Opens the mode until the scope is disposed of: `using _ = torch.no_grad()`. Called with a function, the scope decorates it. */
  (): ModeScope;
  /** Decorates a method: `@torch.no_grad`. */
  <F extends AnyFunction>(fn: F, context: DecoratorContext): F;
  /** The same for TypeScript's experimental decorators. */
  <F>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ): TypedPropertyDescriptor<F>;
  /**
   * Runs `fn` in the mode and returns what it returns. A promise keeps the mode until it settles, in the calls that it awaits and nowhere
   * else; a generator function's body runs in the mode, and its consumer does not.
   */
  <T>(fn: () => T): T;
}

function modeFunction(name: string, changes: readonly Change[]): ModeFunction {
  const mode = (...args: unknown[]): unknown => use(changes, name, args);
  return Object.defineProperty(mode, 'name', { value: name }) as ModeFunction;
}

/**
 * Without recording a graph: results need no gradient, whatever the inputs do. (Factories' own `requires_grad` still counts.)
 *
 * The mode holds for the code that runs in it, across `await`, and for no other work on the event loop; once the function has returned, or
 * its promise has settled, or the scope was left, it is over, also for what was started in it and is still running.
 * In a generator, `using` would hold for the consumer as well, as `with` does in Python: decorate the generator instead.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
 *
 * @example
 * ```ts
 * const x = torch.ones(2, { requires_grad: true });
 * torch.no_grad(() => x.mul(2)).requires_grad // false
 * await torch.no_grad(async () => x.mul(2)) // without a graph, across await
 * const double = torch.no_grad()((t: torch.Tensor) => t.mul(2)) // decorated: every call
 * {
 *   using _ = torch.no_grad(); // to the end of the block
 *   x.mul(2);
 * }
 * ```
 */
export const no_grad = modeFunction('no_grad', [change(switches.grad, false)]);

/**
 * With recording on, also inside `no_grad`; otherwise as {@link no_grad}.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.enable_grad.html
 *
 * @example
 * ```ts
 * const x = torch.ones(2, { requires_grad: true });
 * torch.no_grad(() => torch.enable_grad(() => x.mul(2))).requires_grad // true
 * ```
 */
export const enable_grad = modeFunction('enable_grad', [change(switches.grad, true)]);

const inferring = (on: boolean): Change[] => [change(switches.grad, !on), change(switches.inference, on)];

/**
 * In inference mode: no graph and no version counting, and the results can take no part in a graph later. `inference_mode(false)` is
 * normal mode again, with recording on. Otherwise as {@link no_grad}.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
 *
 * @example
 * ```ts
 * torch.inference_mode(() => torch.ones(2)).is_inference() // true
 * ```
 */
export function inference_mode(mode?: boolean): ModeScope;
export function inference_mode<T>(fn: () => T): T;
export function inference_mode<T>(mode: boolean, fn: () => T): T;
export function inference_mode<F extends AnyFunction>(fn: F, context: DecoratorContext): F;
export function inference_mode(...args: unknown[]): unknown {
  const given = typeof args[0] === 'boolean';
  return use(inferring(given ? (args[0] as boolean) : true), 'inference_mode', given ? args.slice(1) : args);
}

/**
 * Switches recording on or off: for `fn` when given, until the result is disposed of with `using`, or else for good: for what follows in
 * this async function, or everywhere when called outside of any.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
 *
 * @example
 * ```ts
 * torch.set_grad_enabled(false, () => torch.is_grad_enabled()) // false
 * ```
 */
export function set_grad_enabled(mode: boolean): ModeScope;
export function set_grad_enabled<T>(mode: boolean, fn: () => T): T;
export function set_grad_enabled(mode: boolean, ...rest: unknown[]): unknown {
  if (typeof mode !== 'boolean') {
    throw new TypeError(
      `set_grad_enabled(): argument 'enabled' (position 1) must be bool, not ${typeof mode}`,
    );
  }
  return use([change(switches.grad, mode)], 'set_grad_enabled', rest, set);
}

/**
 * The dtype of `torch.tensor` on numbers, of `zeros`, `randn`, ...: for `fn` when given, until the result is disposed of with `using`, or
 * else for good. Throws a TypeError unless it is a floating one.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.set_default_dtype.html
 *
 * @example
 * ```ts
 * torch.set_default_dtype(torch.float64, () => torch.zeros(2).dtype) // 'float64'
 * ```
 */
export function set_default_dtype(dtype: DType): ModeScope;
export function set_default_dtype<T>(dtype: DType, fn: () => T): T;
export function set_default_dtype(dtype: DType, ...rest: unknown[]): unknown {
  const code = dtypeCode(dtype);
  const before = native.get_default_dtype();
  guard(() => native.set_default_dtype(code)); // refused before a scope is opened
  native.set_default_dtype(before);
  return use([change(switches.default_dtype, code)], 'set_default_dtype', rest, set);
}

export const is_grad_enabled = (): boolean => native.is_grad_enabled();
export const is_inference_mode_enabled = (): boolean => native.is_inference_mode_enabled();
