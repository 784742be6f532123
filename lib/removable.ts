import { native, type HookHandle } from './native';

/** What every `register_*_hook` returns: `remove()` takes the hook off again. */
export class RemovableHandle {
  #remove: (() => void) | null;

  constructor(remove: () => void) {
    this.#remove = remove;
  }

  remove(): void {
    this.#remove?.();
    this.#remove = null;
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** The handle of a hook in the graph. It keeps neither the graph nor the hook alive. */
export const removable = (hook: HookHandle): RemovableHandle =>
  new RemovableHandle(() => native.remove_hook(hook));

/** What error messages call a hook. */
export const hook_name = (hook: { name: string }): string => hook.name || '<lambda>';
