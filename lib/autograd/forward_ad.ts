// torch.autograd.forward_ad: dual tensors. The arithmetic is native, see Note [Tangents] in csrc/autograd/forward.h.
import { guard } from '../errors';
import { native } from '../native';
import { Tensor } from '../tensor';
import { current, in_mode, type ModeScope } from './modes';

/** What a dual tensor is made of: `[primal, tangent]`, also by name. `tangent` is null where the tensor carries none. */
export type UnpackedDualTensor = [primal: Tensor, tangent: Tensor | null] & {
  readonly primal: Tensor;
  readonly tangent: Tensor | null;
};

/** What opened the levels that `enter_dual_level` opened. */
const entered = new Map<number, ModeScope>();

/** A level of its own, which nobody sees yet: its number, and the levels seen in it. */
function new_level(): { level: number; visible: bigint } {
  if (current().dual.level >= 0) throw new Error('Nested forward mode AD is not supported at the moment');
  const outside = native.visible_dual_levels();
  const level = guard(() => native.enter_dual_level());
  return { level, visible: native.set_visible_dual_levels(outside) };
}

/**
 * Opens a dual level: until it is left, `make_dual` gives tensors that carry a tangent, and operators push tangents on. Returns its number.
 * `dual_level` does both ends. Throws when a level is open already.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#forward-mode-automatic-differentiation
 */
export function enter_dual_level(): number {
  const dual = new_level();
  const scope = in_mode<never>((m) => ({ ...m, dual }), 'enter_dual_level');
  entered.set(dual.level, scope);
  return dual.level;
}

/** Leaves the dual level; its tangents are gone. Throws unless it is the one opened last. */
export function exit_dual_level(options: { level?: number | null } = {}): void {
  const level = options.level ?? current().dual.level;
  if (level < 0) throw new Error('Dual level must be a positive number.');
  if (level !== current().dual.level) {
    throw new Error(
      'Trying to exit a forward AD level that was not the last one that was created. This is not supported.',
    );
  }
  native.exit_dual_level(level);
  entered.get(level)?.exit();
  entered.delete(level);
}

const floating = (t: Tensor, what: string): void => {
  if (!(t instanceof Tensor))
    throw new TypeError(`make_dual(): argument '${what}' must be Tensor, not ${typeof t}`);
  if (!t.is_floating_point())
    throw new Error(`Expected ${what} to be floating point or complex, but got: torch.${t.dtype}`);
};

/**
 * A view of `tensor` that carries `tangent`, of the same shape, for forward-mode differentiation in the open dual level.
 *
 * Throws outside of a dual level, for another shape, a dtype that is not floating, or a tensor that carries a tangent already.
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.make_dual.html
 *
 * @example
 * ```ts
 * torch.autograd.forward_ad.dual_level(() => {
 *   const x = torch.autograd.forward_ad.make_dual(torch.tensor([3]), torch.tensor([1]));
 *   return torch.autograd.forward_ad.unpack_dual(x.square()).tangent; // tensor([6.])
 * });
 * ```
 */
export function make_dual(tensor: Tensor, tangent: Tensor, options: { level?: number | null } = {}): Tensor {
  const level = options.level ?? current().dual.level;
  if (level < 0) {
    throw new Error(
      'Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.',
    );
  }
  floating(tensor, 'primal');
  floating(tangent, 'tangent');
  return guard(() => new Tensor(native.make_dual(tensor._h, tangent._h, level)));
}

/**
 * The primal and the tangent of a dual tensor; outside of a dual level, or of a tensor without one, the tangent is null.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.unpack_dual.html
 */
export function unpack_dual(tensor: Tensor, options: { level?: number | null } = {}): UnpackedDualTensor {
  const level = options.level ?? current().dual.level;
  if (level < 0) return named(tensor, null);
  const [primal, tangent] = guard(() => native.unpack_dual(tensor._h, level));
  return named(new Tensor(primal), tangent === null ? null : new Tensor(tangent));
}

function named(primal: Tensor, tangent: Tensor | null): UnpackedDualTensor {
  const pair = [primal, tangent] as unknown as UnpackedDualTensor;
  Object.defineProperty(pair, 'primal', { value: primal });
  Object.defineProperty(pair, 'tangent', { value: tangent });
  return pair;
}

/** An open dual level, left by `using` or `exit()`. */
export interface DualLevel extends Disposable {
  readonly level: number;
  exit(): void;
}

/**
 * Opens a dual level for `fn` and returns what `fn` returns; without an argument, a scope for `using _ = dual_level()`. Given an async
 * function it holds for that function's calls alone, across `await`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.dual_level.html
 *
 * @example
 * ```ts
 * const { make_dual, unpack_dual, dual_level } = torch.autograd.forward_ad;
 * dual_level(() => unpack_dual(make_dual(torch.tensor([0]), torch.tensor([2])).sin()).tangent); // tensor([2.])
 * ```
 */
export function dual_level(): DualLevel;
export function dual_level<T>(fn: (level: number) => T): T;
export function dual_level<T>(fn?: (level: number) => T): T | DualLevel {
  if (!fn) {
    const level = enter_dual_level();
    let open = true;
    const exit = (): void => {
      if (open) exit_dual_level({ level });
      open = false;
    };
    return { level, exit, [Symbol.dispose]: exit };
  }
  const dual = new_level();
  const exit = (): void => native.exit_dual_level(dual.level);
  let result: T;
  try {
    result = in_mode(
      (m) => ({ ...m, dual }),
      'dual_level',
      () => fn(dual.level),
    ) as T;
  } catch (e) {
    exit();
    throw e;
  }
  if (result instanceof Promise) return result.finally(exit) as T;
  exit();
  return result;
}
