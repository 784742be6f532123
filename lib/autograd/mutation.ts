// torch.autograd.graph.allow_mutation_on_saved_tensors.
import { native, type Handle } from '../native';
import { Tensor } from '../tensor';
import { current, in_mode, type Keeper, type ModeScope } from './modes';

/** A tensor that the graph keeps: the original, or a copy once that was written. */
interface Kept {
  tensor: Tensor;
  cloned: boolean;
}

/** Copies what the graph keeps before it is written. Tensors that share memory share a version counter, by which they are found. */
class CloningKeeper implements Keeper {
  #by_counter = new Map<number, WeakRef<Kept>[]>();
  #dropped = new FinalizationRegistry<number>((counter) => {
    const list = this.#by_counter.get(counter)?.filter((ref) => ref.deref() !== undefined) ?? [];
    if (list.length > 0) this.#by_counter.set(counter, list);
    else this.#by_counter.delete(counter);
  });

  readonly pack = (h: Handle): (() => Handle) => {
    const kept: Kept = { tensor: new Tensor(h), cloned: false };
    const counter = native.version_counter(h);
    const list = this.#by_counter.get(counter) ?? [];
    list.push(new WeakRef(kept));
    this.#by_counter.set(counter, list);
    this.#dropped.register(kept, counter);
    return () => {
      if (current().saving.keeper !== this) {
        throw new Error(
          "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was originally recorded.",
        );
      }
      return kept.tensor._h;
    };
  };

  readonly before_write = (h: Handle): void => {
    const counter = native.version_counter(h);
    for (const ref of this.#by_counter.get(counter) ?? []) {
      const kept = ref.deref();
      if (kept === undefined || kept.cloned) continue;
      kept.tensor = kept.tensor.detach().clone();
      kept.cloned = true;
    }
    this.#by_counter.delete(counter);
  };
}

/**
 * Lets `fn` write tensors in place although the graph needs their old values: those are copied before the write, where otherwise
 * backward would throw that a variable was modified. Forward and backward must run in the same scope.
 *
 * Runs `fn` and returns what it returns; without it: a scope for `using`. Throws when scopes are nested, and in backward outside of the
 * scope. Unlike PyTorch's it also sees writes through views that begin elsewhere in the tensor's memory.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.allow_mutation_on_saved_tensors
 *
 * @example
 * torch.autograd.graph.allow_mutation_on_saved_tensors(() => {
 *   const a = torch.ones(2, 3, { requires_grad: true });
 *   const b = a.clone();
 *   const out = b.pow(2).sum();
 *   b.sin_(); // its old value is needed below
 *   out.backward();
 * });
 */
export function allow_mutation_on_saved_tensors(): ModeScope;
export function allow_mutation_on_saved_tensors<T>(fn: () => T): T;
export function allow_mutation_on_saved_tensors<T>(fn?: () => T): T | ModeScope {
  return in_mode(
    (mode) => {
      if (mode.saving.disabled !== null) throw new Error(mode.saving.disabled);
      if (mode.saving.keeper) throw new Error('allow_mutation_on_saved_tensors contexts cannot be nested');
      const keeper = new CloningKeeper();
      return { ...mode, saving: { pack: keeper.pack, disabled: null, keeper } };
    },
    'allow_mutation_on_saved_tensors',
    fn,
  );
}
