// torch.autograd.graph.register_multi_grad_hook.
import { bind } from '../args';
import { native } from '../native';
import { RemovableHandle } from '../removable';
import type { Tensor } from '../tensor';
import { node_of } from './edge';

type AllHook = (grads: (Tensor | null)[]) => void;
type AnyHook = (grad: Tensor) => void;

/** The pass that is running, which a hook always runs in. */
function current_pass(): number {
  const id = native.current_pass();
  if (id < 0) throw new Error('expected this hook to be called inside a backward call');
  return id;
}

/** One function per tensor, which together call `fn` once for each pass. */
function when_all(tensors: readonly Tensor[], fn: AllHook): AnyHook[] {
  const nodes = tensors.map(node_of);
  const passes = new Map<number, { wanted: number; seen: number; grads: (Tensor | null)[] }>();
  return tensors.map((_, i) => (grad) => {
    const id = current_pass();
    let pass = passes.get(id);
    if (pass === undefined) {
      const wanted = nodes.filter((n) => native.pass_reaches(n._n)).length;
      // What is left of a pass that failed is of no use any more.
      for (const other of passes.keys()) if (!native.pass_runs(other)) passes.delete(other);
      passes.set(id, (pass = { wanted, seen: 0, grads: tensors.map(() => null) }));
    }
    pass.grads[i] = grad;
    if (++pass.seen < pass.wanted) return;
    passes.delete(id);
    fn(pass.grads);
  });
}

function when_any(tensors: readonly Tensor[], fn: AnyHook): AnyHook[] {
  const done = new Set<number>();
  return tensors.map(() => (grad) => {
    const id = current_pass();
    if (done.has(id)) return;
    for (const other of done) if (!native.pass_runs(other)) done.delete(other);
    done.add(id);
    fn(grad);
  });
}

/**
 * Calls a hook for the gradients of several tensors together. In mode `'all'`, `fn(grads)` runs once in each backward pass, when the
 * gradients of all tensors that take part in it are there; null stands for the others. In mode `'any'`, `fn(grad)` runs once in each
 * pass, for the first gradient. The handle's `remove()` takes the hook off.
 *
 * Throws when a tensor requires no gradient (mode `'all'`), and for another mode. See
 * https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.register_multi_grad_hook
 *
 * @example
 * const a = torch.rand(2, 3, { requires_grad: true });
 * const b = torch.rand(2, 3, { requires_grad: true });
 * const [c, d] = [a.mul(b), a.mul(b)];
 * torch.autograd.graph.register_multi_grad_hook([a, b, c, d], (grads) => console.log(grads.map((g) => g !== null)));
 * c.sum().backward({ retain_graph: true }); // [ true, true, true, false ]
 * c.sum().backward({ inputs: [a], retain_graph: true }); // [ true, false, true, false ]
 */
export function register_multi_grad_hook(
  tensors: readonly Tensor[],
  fn: AllHook,
  options?: { mode?: 'all' },
): RemovableHandle;
export function register_multi_grad_hook(
  tensors: readonly Tensor[],
  fn: AnyHook,
  options: { mode: 'any' },
): RemovableHandle;
export function register_multi_grad_hook(
  tensors: readonly Tensor[],
  fn: AllHook | AnyHook,
  options: { mode?: string } = {},
): RemovableHandle {
  const { mode } = bind('register_multi_grad_hook', { mode: 'all' }, [options]);
  if (mode !== 'all' && mode !== 'any') {
    throw new Error(`Expects mode to be one of ('all', 'any') but got ${mode}`);
  }
  const watched = mode === 'all' ? tensors : tensors.filter((t) => t.requires_grad);
  const hooks = mode === 'all' ? when_all(watched, fn as AllHook) : when_any(watched, fn as AnyHook);
  const handles = watched.map((t, i) => t.register_hook(hooks[i]));
  return new RemovableHandle(() => {
    for (const handle of handles) handle.remove();
  });
}
