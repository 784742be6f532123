/** torch.autograd.functional against what PyTorch answers (recorded by scripts/record_autograd_functional.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { type Tensor } from '../../lib';

interface Fixture {
  values: Record<string, unknown>;
  gradients: Record<string, unknown>;
  batched: unknown;
  messages: Record<string, { type: string; message: string }>;
}
const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd', 'functional.json'), 'utf8'),
) as Fixture;
const { hessian, hvp, jacobian, jvp, vhp, vjp } = torch.autograd.functional;

const x = (): Tensor => torch.tensor([1.5, -0.25, 2]);
const y = (): Tensor => torch.tensor([[0.5, 1], [-1, 0.25], [2, -0.75]]); // prettier-ignore
const one = (a: Tensor): Tensor => a.pow(3).mul(a.sum());
const scalar = (a: Tensor): Tensor => a.pow(3).mul(a.sum()).sum();
const two = (a: Tensor, b: Tensor): Tensor[] => [a.matmul(b), a.unsqueeze(1).mul(b).exp()];
const of_two = (a: Tensor, b: Tensor): Tensor => a.unsqueeze(1).mul(b).sum(0).square().mul(a.sum()).sum();
const constant = (_a: Tensor): Tensor => torch.ones(2);
const linear = (a: Tensor): Tensor => a.sum();
const partly = (a: Tensor, _b: Tensor): Tensor => a.exp().sum();
const separate = (a: Tensor, b: Tensor): Tensor[] => [a.exp(), b.exp()];
const detached = (a: Tensor): Tensor => a.detach().exp().sum();
const v1 = torch.tensor([1, -2, 0.5]);
const v2 = torch.tensor([[1, 2], [0.5, -1], [3, 0.25]]); // prettier-ignore
const both = (): Tensor[] => [x(), y()];

const any = (v: unknown): any => v;
const forwards = { vectorize: true, strategy: 'forward-mode' } as const;

const values: Record<string, () => unknown> = {
  jacobian: () => jacobian(one, x()),
  'jacobian of two by two': () => jacobian(two, both()),
  'jacobian of two by two, vectorized': () => jacobian(two, both(), { vectorize: true }),
  'jacobian of two by two, forwards': () => jacobian(two, both(), forwards),
  'jacobian of a scalar': () => jacobian(scalar, x()),
  'jacobian of a list of one': () => jacobian(one, [x()]),
  'jacobian of a constant': () => jacobian(constant, x()),
  'jacobian of a constant, vectorized': () => jacobian(constant, x(), { vectorize: true }),
  'jacobian of a constant, forwards': () => jacobian(constant, x(), forwards),
  'jacobian of what does not meet': () => jacobian(separate, both()),
  hessian: () => hessian(scalar, x()),
  'hessian by two': () => hessian(of_two, both()),
  'hessian by two, vectorized': () => hessian(of_two, both(), { vectorize: true }),
  'hessian by two, forwards': () =>
    hessian(of_two, both(), { vectorize: true, outer_jacobian_strategy: 'forward-mode' }),
  'hessian of a linear function': () => hessian(linear, x()),
  'hessian of a partial function': () => hessian(partly, both()),
  vjp: () => vjp(one, x(), v1),
  'vjp without v': () => vjp(scalar, x()),
  'vjp of two': () => vjp(two, both(), [torch.tensor([1, 2]), v2]),
  'vjp of a partial function': () => vjp(partly, both()),
  jvp: () => jvp(one, x(), v1),
  'jvp without v': () => jvp(one, torch.tensor([2])),
  'jvp of two': () => jvp(two, both(), [v1, v2]),
  'jvp of a linear function': () => jvp(linear, x(), v1),
  'jvp of a constant': () => jvp(constant, x(), v1),
  vhp: () => vhp(scalar, x(), v1),
  'vhp by two': () => vhp(of_two, both(), [v1, v2]),
  'vhp of a linear function': () => vhp(linear, x(), v1),
  hvp: () => hvp(scalar, x(), v1),
  'hvp by two': () => hvp(of_two, both(), [v1, v2]),
  'hvp of a linear function': () => hvp(linear, x(), v1),
  'vhp without v': () => vhp(scalar, torch.tensor([2])),
};

function gradient_of(fn: (a: Tensor) => unknown): Tensor {
  const a = x().requires_grad_();
  let out = fn(a);
  while (Array.isArray(out)) out = out[out.length - 1];
  return torch.autograd.grad((out as Tensor).square().sum(), a)[0];
}
const create_graph = true;
const gradients: Record<string, () => Tensor> = {
  jacobian: () => gradient_of((a) => jacobian(one, a, { create_graph })),
  'jacobian, vectorized': () => gradient_of((a) => jacobian(one, a, { create_graph, vectorize: true })),
  hessian: () => gradient_of((a) => hessian(scalar, a, { create_graph })),
  vjp: () => gradient_of((a) => vjp(one, a, v1, { create_graph })),
  jvp: () => gradient_of((a) => jvp(one, a, v1, { create_graph })),
  vhp: () => gradient_of((a) => vhp(scalar, a, v1, { create_graph })),
  hvp: () => gradient_of((a) => hvp(scalar, a, v1, { create_graph })),
};

function batched(weights: Tensor | Tensor[]): Tensor[] {
  const a = x().requires_grad_();
  const outputs = (Array.isArray(weights) ? weights : [weights]).map(() => a.mul(2));
  return torch.autograd.grad(outputs, a, weights, { is_grads_batched: true });
}

const strict = true;
const messages: Record<string, () => unknown> = {
  inputs: () => jacobian(one, any(1.5)),
  'inputs in a list': () => vjp(one, any([x(), 1.5])),
  outputs: () => jacobian(() => any(1.5) as Tensor, x()),
  'outputs in a list': () => vjp((a: Tensor) => any([a, 'b']) as Tensor[], x()),
  v: () => vjp(one, x(), any(1.5)),
  'v too long': () => vjp(one, x(), [x(), x()]),
  'v of two too long': () => vjp(two, both(), [x(), x(), x()]),
  'v of another shape': () => vjp(one, x(), torch.ones(2)),
  'v of two of another shape': () => jvp(two, both(), [v1, v1]),
  'vjp needs v': () => vjp(one, x()),
  'jvp needs v': () => jvp(one, x()),
  'vhp needs v': () => vhp(scalar, x()),
  'hvp needs v': () => hvp(scalar, x()),
  'hessian of a vector': () => hessian(one, x()),
  'hessian of a list': () => hessian((a: Tensor) => [a.sum(), a.sum()], x()),
  'vhp of a vector': () => vhp(one, x(), v1),
  'hvp of a list': () => hvp((a: Tensor) => [a.sum()], x(), v1),
  strategy: () => jacobian(one, x(), { strategy: any('sideways') }),
  'outer strategy': () => hessian(scalar, x(), { outer_jacobian_strategy: any('sideways') }),
  'forwards and recorded': () => jacobian(one, x(), { create_graph, strategy: 'forward-mode' }),
  'forwards and strict': () => jacobian(one, x(), { strict, strategy: 'forward-mode' }),
  'forwards by columns': () => jacobian(one, x(), { strategy: 'forward-mode' }),
  'vectorized and strict': () => jacobian(one, x(), { strict, vectorize: true }),
  'strict jacobian of a constant': () => jacobian(constant, x(), { strict }),
  'strict jacobian of a partial function': () => jacobian(separate, both(), { strict }),
  'strict recorded jacobian of a linear function': () => jacobian(linear, x(), { strict, create_graph }),
  'strict hessian of a constant': () => hessian(() => torch.ones(1), x(), { strict }),
  'strict hessian of a linear function': () => hessian(linear, x(), { strict }),
  'strict hessian of a partial function': () => hessian(partly, both(), { strict }),
  'strict vjp of a constant': () => vjp(detached, x(), null, { strict }),
  'strict vjp of a partial function': () => vjp(partly, both(), null, { strict }),
  'strict recorded vjp of a linear function': () => vjp(linear, x(), null, { strict, create_graph }),
  'strict jvp of a constant': () => jvp(detached, x(), v1, { strict }),
  'strict jvp of a partial function': () => jvp(partly, both(), [v1, v2], { strict }),
  'strict recorded jvp of a linear function': () => jvp(linear, x(), v1, { strict, create_graph }),
  'strict vhp of a constant': () => vhp(detached, x(), v1, { strict }),
  'strict vhp of a linear function': () => vhp(linear, x(), v1, { strict }),
  'strict vhp of a partial function': () => vhp(partly, both(), [v1, v2], { strict }),
  'strict hvp of a linear function': () => hvp(linear, x(), v1, { strict }),
  'strict hvp of a partial function': () => hvp(partly, both(), [v1, v2], { strict }),
  'batched grads of another shape': () => batched(torch.ones(5, 2)),
  'batched grads without dimensions': () => batched(torch.tensor(1)),
  'batched grads of different sizes': () => batched([torch.ones(4, 3), torch.ones(2, 3)]),
  'no batched grads': () => batched([torch.ones(0, 3)]),
};

function differs(ours: unknown, theirs: unknown, at = ''): string | null {
  if (ours instanceof torch.Tensor) return differs(ours.detach().tolist(), theirs, at);
  if (Array.isArray(theirs)) {
    if (!Array.isArray(ours) || ours.length !== theirs.length) return `${at}: ${String(ours)}`;
    return theirs.map((t, i) => differs(ours[i], t, `${at}.${i}`)).find((d) => d !== null) ?? null;
  }
  const [a, b] = [ours as number, theirs as number];
  return Math.abs(a - b) <= 1e-5 + 1e-4 * Math.abs(b) ? null : `${at}: ${a}, PyTorch's ${b}`;
}

test('everything recorded is tried', () => {
  for (const [ours, theirs] of [
    [values, recorded.values],
    [gradients, recorded.gradients],
    [messages, recorded.messages],
  ]) {
    expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
  }
});
test.each(Object.entries(recorded.values))('%s', (name, theirs) => {
  const ours = values[name]();
  expect(differs(ours, theirs)).toBeNull();
  // Forward over reverse leaves its own variables in the result, in PyTorch too.
  if (!name.endsWith('hessian by two, forwards'))
    for (const t of [ours].flat(3)) expect((t as Tensor).requires_grad).toBe(false);
});
test.each(Object.entries(recorded.gradients))('the gradient through %s', (name, theirs) => {
  expect(differs(gradients[name](), theirs)).toBeNull();
});

const error_names: Record<string, string> = { IndexError: 'RangeError', TypeError: 'TypeError' };
test.each(Object.entries(recorded.messages))('refuses %s', (name, { type, message }) => {
  let thrown: Error | null = null;
  try {
    messages[name]();
  } catch (error) {
    thrown = error as Error;
  }
  expect(thrown?.message).toBe(message);
  expect(thrown?.name).toBe(error_names[type] ?? 'Error');
});

test('several vectors at once: is_grads_batched', () => {
  const [a, b] = [x().requires_grad_(), y().requires_grad_()];
  const { grad } = torch.autograd;
  const is_grads_batched = true;
  const first = grad(one(a), a, torch.eye(3), { is_grads_batched });
  const out = a.unsqueeze(1).mul(b).exp();
  const second = grad(out, [a, b], torch.stack([v2, v2.mul(2)]), { is_grads_batched });
  const unused = grad(one(a), [a, b], torch.eye(3), { is_grads_batched, materialize_grads: true });
  // PyTorch does not repeat the zeros; here they have the shape of the other gradients' rows too.
  expect(differs([...first, ...second, ...unused], recorded.batched)).toBeNull();
});
