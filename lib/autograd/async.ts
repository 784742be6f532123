// torch.autograd.backward and grad off the event loop.
import { is_plain_object } from '../args';
import { in_turn, one_in_turn, without_signal, type AsyncOptions } from '../async';
import { zeros_like } from '../ops';
import type { Tensor } from '../tensor';
import { backward, grad, type BackwardAllOptions, type GradOptions } from './gradient';

type Many = Tensor | readonly Tensor[];

/**
 * `torch.autograd.backward` off the event loop, with `signal` among the keywords: see `Tensor.backward_async`.
 *
 * @example
 * ```ts
 * const w = torch.ones(2, { requires_grad: true });
 * await torch.autograd.backward_async([w.mul(2).sum(), w.sum()]);
 * w.grad // tensor([3., 3.])
 * ```
 */
export function backward_async(
  tensors: Many,
  grad_tensors?: BackwardAllOptions['grad_tensors'] | (BackwardAllOptions & AsyncOptions),
  options?: BackwardAllOptions & AsyncOptions,
): Promise<void> {
  return one_in_turn(
    backward,
    [tensors, grad_tensors, options].filter((a) => a !== undefined),
  );
}

/**
 * `torch.autograd.grad` off the event loop, with `signal` among the keywords: see `Tensor.backward_async`.
 *
 * @example
 * ```ts
 * const x = torch.ones(2, { requires_grad: true });
 * const [g] = await torch.autograd.grad_async(x.pow(3).sum(), x);
 * g // tensor([3., 3.])
 * ```
 */
export async function grad_async(
  outputs: Many,
  inputs: Many,
  grad_outputs?: GradOptions['grad_outputs'] | (GradOptions & AsyncOptions),
  options?: GradOptions & AsyncOptions,
): Promise<Tensor[]> {
  const given = [outputs, inputs, grad_outputs, options].filter((a) => a !== undefined);
  const { args, signal } = without_signal<Parameters<typeof grad>>(given);
  const keywords = args[args.length - 1];
  const materialize = is_plain_object(keywords) && keywords.materialize_grads === true;
  return in_turn(async (turn) => {
    const grads = await turn.one(() => grad(...args), args);
    if (!materialize) return grads;
    const list: readonly Tensor[] = Array.isArray(inputs) ? inputs : [inputs as Tensor];
    return turn.run(() => grads.map((g: Tensor | null, i) => g ?? zeros_like(list[i])));
  }, signal);
}
