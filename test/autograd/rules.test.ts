/** What autograd refuses, in PyTorch's words (recorded by scripts/record_autograd.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { type Tensor } from '../../lib';

const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd.json'), 'utf8'),
) as Record<string, { type: string; message: string }>;

const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });

const cases: Record<string, () => unknown> = {
  backward_twice() {
    const y = leaf(1, 2).exp().sum();
    y.backward();
    y.backward();
  },
  grad_twice() {
    const x = leaf(1, 2);
    const y = x.exp().sum();
    torch.autograd.grad(y, [x]);
    torch.autograd.grad(y, [x]);
  },
  not_a_scalar: () => leaf(1, 2).mul(2).backward(),
  no_graph: () => torch.ones(1).backward(),
  gradient_shape: () => leaf(1, 2).mul(2).backward(torch.ones(3)),
  leaf_in_place: () => leaf(1, 2).add_(1),
  leaf_view_in_place: () => leaf(1, 2).select(0, 0).add_(1),
  saved_then_modified() {
    const y = leaf(1, 2).exp();
    y.add_(1);
    y.sum().backward();
  },
  saved_input_modified() {
    const x = leaf(1, 2).mul(1);
    const y = x.mul(x);
    x.add_(1);
    y.sum().backward();
  },
  integer_requires_grad: () => torch.tensor([1, 2], { dtype: 'int64' }).requires_grad_(),
  integer_requires_grad_at_creation: () => torch.ones(2, { dtype: 'int64', requires_grad: true }),
  integer_requires_grad_of_data: () => torch.tensor([1, 2], { dtype: 'int64', requires_grad: true }),
  requires_grad_off_non_leaf: () => leaf(1).mul(2).requires_grad_(false),
  retain_grad_without_grad: () => torch.ones(2).retain_grad(),
  unused_input() {
    const [x, y] = [leaf(1), leaf(2)];
    torch.autograd.grad(x.mul(2).sum(), [x, y]);
  },
  inference_tensor_saved() {
    const x = torch.inference_mode(() => torch.ones(2));
    x.mul(leaf(1, 2)).sum().backward();
  },
  inference_in_place() {
    torch.inference_mode(() => torch.ones(2)).add_(1);
  },
  hook_on_constant: () => torch.ones(2).register_hook((g: Tensor) => g),
  grad_shape_assigned() {
    leaf(1, 2).grad = torch.ones(3);
  },
  grad_dtype_assigned() {
    leaf(1, 2).grad = torch.ones(2, { dtype: 'float64' });
  },
  unbind_view_in_place() {
    const [a] = torch.ones(2, 2, { requires_grad: true }).mul(1).unbind(0);
    a?.add_(1);
  },
  no_grad_view_in_place() {
    const x = torch.ones(2, { requires_grad: true }).mul(1);
    torch.no_grad(() => x.select(0, 0)).add_(1);
  },
};

describe('autograd refuses, in PyTorch’s words', () => {
  test.each(Object.keys(cases))('%s', (name) => {
    let thrown: Error | null = null;
    try {
      cases[name]?.();
    } catch (error) {
      thrown = error as Error;
    }
    expect(thrown?.message).toBe(recorded[name]?.message);
  });

  test('every recorded message is asked for', () => {
    // numpy() has no counterpart: to_typed_array() is tested with the conversions.
    expect(Object.keys(recorded).filter((name) => !(name in cases))).toEqual(['numpy_of_differentiable']);
  });
});
