import { Function, type FunctionCtx } from '../autograd';
import { Tensor } from '../tensor';
import { HookList } from './hooks';
import type { Module } from './module';

export type Grads = (Tensor | null)[];
/** Gradients with respect to the positional tensor arguments and to the results; what it returns replaces the former. */
export type FullBackwardHook = (module: Module, grad_input: Grads, grad_output: Grads) => unknown;
/** What it returns replaces the gradients with respect to the results. */
export type FullBackwardPreHook = (module: Module, grad_output: Grads) => unknown;

/** The full backward hooks of one module, or of all. */
export class BackwardHooks {
  readonly hooks = new HookList<FullBackwardHook>();
  readonly pre_hooks = new HookList<FullBackwardPreHook>();

  get size(): number {
    return this.hooks.size + this.pre_hooks.size;
  }
}

/**
 * One call of a module between two identities, of its arguments and of its results: the backward of the latter knows
 * `grad_output`, the backward of the former, which runs later, `grad_input`.
 */
export class BackwardWatch {
  readonly #module: Module;
  readonly #hooks: readonly FullBackwardHook[];
  readonly #pre_hooks: readonly FullBackwardPreHook[];
  #inputs = 0;
  #input_needs_grad = false;
  #grad_output: Grads = [];

  /** Watches one call of the module with the hooks that there are now, if there is any. */
  static begin(module: Module, global: BackwardHooks, own: BackwardHooks | null): BackwardWatch | null {
    return global.size + (own?.size ?? 0) === 0 ? null : new BackwardWatch(module, global, own);
  }

  private constructor(module: Module, global: BackwardHooks, own: BackwardHooks | null) {
    this.#module = module;
    this.#hooks = [...global.hooks, ...(own?.hooks ?? [])];
    this.#pre_hooks = [...global.pre_hooks, ...(own?.pre_hooks ?? [])];
  }

  watch_inputs(args: unknown[]): unknown[] {
    const tensors = args.filter((arg) => arg instanceof Tensor);
    this.#inputs = tensors.length;
    this.#input_needs_grad = tensors.some((tensor) => tensor.requires_grad);
    if (!this.#input_needs_grad) return args;
    const watched = identity(tensors, (grads) => this.#run_hooks(grads));
    let next = 0;
    return args.map((arg) => (arg instanceof Tensor ? watched[next++] : arg));
  }

  watch_outputs(result: unknown): unknown {
    const single = result instanceof Tensor;
    if (!single && !Array.isArray(result)) {
      process.emitWarning(
        'For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received ' +
          typeof result,
      );
      return result;
    }
    const results: unknown[] = single ? [result] : result;
    const tensors = results.filter((value) => value instanceof Tensor);
    if (!tensors.some((tensor) => tensor.requires_grad)) return result;
    const watched = identity(tensors, (grads) => this.#receive(grads));
    if (single) return watched[0];
    let next = 0;
    return results.map((value) => (value instanceof Tensor ? watched[next++] : value));
  }

  #receive(grads: Grads): Grads {
    this.#grad_output = grads;
    for (const hook of this.#pre_hooks) {
      this.#grad_output = replaced(hook(this.#module, this.#grad_output), this.#grad_output, 'grad_output');
    }
    if (!this.#input_needs_grad) {
      const none = Array<null>(this.#inputs).fill(null);
      for (const hook of this.#hooks) {
        const result = hook(this.#module, none, this.#grad_output) ?? null;
        if (result !== null && !(Array.isArray(result) && result.every((grad) => grad === null))) {
          throw new Error(
            'Backward hook for Modules where no input requires gradient should always return None or None for all gradients.',
          );
        }
      }
    }
    return this.#grad_output;
  }

  #run_hooks(grads: Grads): Grads {
    let grad_input = grads;
    for (const hook of this.#hooks) {
      grad_input = replaced(hook(this.#module, grad_input, this.#grad_output), grad_input, 'grad_input');
    }
    return grad_input;
  }
}

function replaced(result: unknown, grads: Grads, what: string): Grads {
  if (result === undefined || result === null) return grads;
  const list = (Array.isArray(result) ? result : [result]) as Grads;
  if (list.length !== grads.length) {
    throw new Error(
      `Backward hook returned an invalid number of ${what}, got ${list.length}, but expected ${grads.length}`,
    );
  }
  list.forEach((grad, i) => check_same(grads[i], grad));
  return list;
}

/** A hook may change a gradient's values alone. */
function check_same(grad: Tensor | null, given: Tensor | null): void {
  if (grad === null || !(given instanceof Tensor)) return;
  if (grad.type() !== given.type()) {
    throw new Error(`hook 'hook' has changed the type of value (was ${grad.type()} got ${given.type()})`);
  }
  if (grad.shape.join() !== given.shape.join()) throw new Error("hook 'hook' has changed the size of value");
}

/** The same tensors, with `on_backward` on their gradients' way. */
function identity(tensors: Tensor[], on_backward: (grads: Grads) => Grads): Tensor[] {
  class BackwardHookFunction extends Function {
    static override forward(ctx: FunctionCtx, ...inputs: Tensor[]): Tensor[] {
      ctx.set_materialize_grads(false);
      ctx.mark_non_differentiable(...inputs.filter((input) => !input.requires_grad));
      return inputs;
    }

    static override backward(_ctx: FunctionCtx, ...grads: Grads): Grads {
      return on_backward(grads);
    }
  }
  return BackwardHookFunction.apply(...tensors) as Tensor[];
}
