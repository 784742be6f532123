// Hooks on what is saved for backward: the part of torch.autograd.graph that decides how tensors are kept.
import { bind } from '../args';
import type { Handle, SavedHandle } from '../native';
import { Tensor } from '../tensor';
import { type_name } from '../type_name';
import { in_mode, type Mode, type ModeScope } from './modes';

/** The mode with these hooks; throws where hooks are disabled. */
function with_hooks<P>(
  pack_hook: (tensor: Tensor) => P,
  unpack_hook: (packed: P) => Tensor,
  needs?: SavedHandle,
): (m: Mode) => Mode {
  const pack = (h: Handle): (() => Handle) => {
    const packed = pack_hook(new Tensor(h));
    return () => {
      const tensor: unknown = unpack_hook(packed);
      if (!(tensor instanceof Tensor)) {
        throw new TypeError(
          `Output of saved tensor unpack_hook expected to be a Tensor but got result of type ${type_name(tensor)}`,
        );
      }
      return tensor._h;
    };
  };
  return (mode) => {
    if (mode.saving.disabled !== null) throw new Error(mode.saving.disabled);
    return { ...mode, saving: { ...mode.saving, pack, needs } };
  };
}

/** Runs `fn` under hooks of lib/ itself; what `needs` holds lives as long as anything that they packed. */
export const hooked = <P, T>(
  pack_hook: (tensor: Tensor) => P,
  unpack_hook: (packed: P) => Tensor,
  needs: SavedHandle,
  fn: () => T,
): T => in_mode(with_hooks(pack_hook, unpack_hook, needs), 'saved_tensors_hooks', fn) as T;

/**
 * Decides how tensors are kept for backward. While `fn` runs, every tensor that an operator or a custom function saves is
 * handed to `pack_hook`; the graph keeps what that returns, and `unpack_hook` makes a tensor of it again, of the same
 * shape, dtype and device, whenever backward needs it. An exception in either comes out of the operator, or of `backward`.
 *
 * Returns what `fn` returns; an async `fn` keeps the hooks across `await`, for its own call tree alone. Without `fn`: a
 * scope for `using _ = saved_tensors_hooks(pack, unpack)`. Of nested hooks only the innermost are called.
 *
 * Throws when `pack_hook` writes its argument in place, when `unpack_hook` returns no tensor (a TypeError), and inside
 * `disable_saved_tensors_hooks`. The versions of packed tensors are not checked.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.saved_tensors_hooks
 *
 * @example
 * const x = torch.tensor([1, 2], { requires_grad: true });
 * const y = torch.autograd.graph.saved_tensors_hooks(
 *   (t) => t.to(torch.float16),
 *   (t) => t.to(torch.float32),
 *   () => x.mul(x),
 * );
 */
export function saved_tensors_hooks<P>(
  pack_hook: (tensor: Tensor) => P,
  unpack_hook: (packed: P) => Tensor,
): ModeScope;
export function saved_tensors_hooks<P, T>(
  pack_hook: (tensor: Tensor) => P,
  unpack_hook: (packed: P) => Tensor,
  fn: () => T,
): T;
export function saved_tensors_hooks<P, T>(
  pack_hook: (tensor: Tensor) => P,
  unpack_hook: (packed: P) => Tensor,
  fn?: () => T,
): T | ModeScope {
  for (const [name, hook] of Object.entries({ pack_hook, unpack_hook })) {
    if (typeof hook !== 'function') {
      throw new TypeError(
        `saved_tensors_hooks(): argument '${name}' must be a function, not ${type_name(hook)}`,
      );
    }
  }
  return in_mode(with_hooks(pack_hook, unpack_hook), 'saved_tensors_hooks', fn);
}

export interface SaveOnCpuOptions {
  /** Keep the copies in page-locked memory, so that transfers need not be waited for. */
  pin_memory?: boolean;
}

/**
 * Keeps what `fn` saves for backward in the memory of the CPU, and brings it back to its device when backward needs it.
 * Tensors that are there already are not copied.
 *
 * `pin_memory` is taken for compatibility: the CPU's memory is pageable here, transfers are waited for, and the values are
 * the same.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.save_on_cpu
 *
 * @example
 * const x = torch.randn(3, { requires_grad: true });
 * const y = torch.autograd.graph.save_on_cpu(() => x.exp());
 */
export function save_on_cpu(options?: SaveOnCpuOptions): ModeScope;
export function save_on_cpu<T>(fn: () => T): T;
export function save_on_cpu<T>(options: SaveOnCpuOptions, fn: () => T): T;
export function save_on_cpu<T>(a?: SaveOnCpuOptions | (() => T), b?: () => T): T | ModeScope {
  const fn = typeof a === 'function' ? a : b;
  bind('save_on_cpu', { pin_memory: false }, typeof a === 'object' ? [a] : []);
  const hooks = with_hooks(
    (tensor) => ({ device: tensor.device, kept: tensor.cpu() }),
    ({ device, kept }) => kept.to(device),
  );
  return in_mode(hooks, 'save_on_cpu', fn);
}

/**
 * Forbids hooks on saved tensors: whoever installs them while `fn` runs, or had installed them before, gets an Error with
 * this message.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.disable_saved_tensors_hooks
 *
 * @example
 * torch.autograd.graph.disable_saved_tensors_hooks('no hooks in here', () => torch.ones(2));
 */
export function disable_saved_tensors_hooks(error_message: string): ModeScope;
export function disable_saved_tensors_hooks<T>(error_message: string, fn: () => T): T;
export function disable_saved_tensors_hooks<T>(error_message: string, fn?: () => T): T | ModeScope {
  return in_mode(
    (mode) => {
      if (mode.saving.pack !== null) throw new Error(error_message);
      return { ...mode, saving: { ...mode.saving, pack: null, disabled: error_message } };
    },
    'disable_saved_tensors_hooks',
    fn,
  );
}
