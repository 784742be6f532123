import { RemovableHandle } from '../removable';

export { RemovableHandle };

/** Hooks of one kind, in the order in which they run. A run works on a snapshot, so a hook may remove itself. */
export class HookList<Hook> {
  #hooks: readonly { readonly hook: Hook }[] = [];

  get size(): number {
    return this.#hooks.length;
  }

  register(hook: Hook, prepend = false): RemovableHandle {
    const entry = { hook };
    this.#hooks = prepend ? [entry, ...this.#hooks] : [...this.#hooks, entry];
    return new RemovableHandle(() => {
      this.#hooks = this.#hooks.filter((other) => other !== entry);
    });
  }

  *[Symbol.iterator](): Generator<Hook> {
    for (const { hook } of this.#hooks) yield hook;
  }
}
