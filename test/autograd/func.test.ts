/** The function transforms against what PyTorch answers (recorded by scripts/record_autograd_func.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { nn, type Tensor } from '../../lib';

interface Fixture {
  messages: Record<string, { type: string; message: string }>;
  values: Record<string, unknown>;
  connections: Record<string, boolean[]>;
}
const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd', 'func.json'), 'utf8'),
) as Fixture;
const {
  functional_call,
  grad,
  grad_and_value,
  hessian,
  jacfwd,
  jacrev,
  jvp,
  linearize,
  replace_all_batch_norm_modules_,
  stack_module_state,
  vjp,
  vmap,
} = torch.func;
const F = nn.functional;

type Named = Record<string, Tensor>;
const x = (): Tensor => torch.tensor([1.5, -0.25, 2]);
const w = (): Tensor => torch.tensor([1, 2, 3], { requires_grad: true });
const two = (): Tensor => x().narrow(0, 0, 2);
const last = (): Tensor => x().narrow(0, 1, 2);

const any = (v: unknown): any => v;

function linear(): nn.Linear {
  const m = new nn.Linear(2, 2);
  torch.no_grad(() => {
    m.weight.copy_(torch.tensor([[0.5, -1], [2, 0.25]])); // prettier-ignore
    m.bias!.copy_(torch.tensor([0.125, -0.5]));
  });
  return m;
}
function tied(): nn.Sequential {
  const [a, b] = [linear(), linear()];
  b.weight = a.weight;
  return new nn.Sequential(a, b);
}

const double = (a: Tensor): Tensor => a.mul(2);
const sum = (a: Tensor): Tensor => a.sum();
const cube = (a: Tensor): Tensor => a.pow(3);
const one = (_a: Tensor): Tensor => any(1) as Tensor;

const messages: Record<string, () => unknown> = {
  grad_of_a_vector: () => grad(double)(x()),
  grad_of_a_number: () => grad(one)(x()),
  grad_of_a_pair: () => grad((a: Tensor) => [a.sum(), a])(x()),
  grad_without_aux: () => grad(sum, { has_aux: true })(x()),
  grad_with_three: () => grad((a: Tensor) => [a.sum(), 1, 2], { has_aux: true })(x()),
  grad_aux_of_a_number: () => grad((a: Tensor) => [a.sum(), { p: a, q: 3 }], { has_aux: true })(x()),
  argnums_out_of_range: () => grad(sum, { argnums: 1 })(x()),
  argnums_repeated: () => grad((a: Tensor, _b: Tensor) => a.sum(), [0, 0])(x(), x()),
  argnums_empty: () => grad((a: Tensor, _b: Tensor) => a.sum(), [])(x(), x()),
  argnums_string: () => grad((a: Tensor, _b: Tensor) => a.sum(), any('a'))(x(), x()),
  argnums_of_a_string: () => grad((a: Tensor, _b: Tensor) => a.sum(), any([0, 'a']))(x(), x()),
  grad_by_a_number: () => grad((a: Tensor) => a)(any(1.5)),
  grad_by_integers: () => grad(sum)(torch.ones(2, { dtype: 'int64' })),
  grad_without_arguments: () => grad(() => torch.tensor(1))(),
  requires_grad_inside: () => grad((a: Tensor) => a.requires_grad_())(x().sum()),
  vjp_of_a_number: () => vjp(one, x()),
  vjp_structure: () => vjp((a: Tensor) => [a.mul(2), a], x())[1](any(x())),
  vjp_structure_of_one: () => vjp(double, x())[1](any([x(), x()])),
  vjp_shape: () => vjp(double, x())[1](torch.ones(2)),
  vjp_with_a_number: () => vjp(double, x())[1](any(1.5)),
  vjp_without_aux: () => vjp(double, x(), { has_aux: true }),
  vjp_by_a_number: () => vjp((a: Tensor) => a, any(1.5)),
  vjp_of_integers: () => vjp((a: Tensor) => a.mul(2).long(), x()),
  jvp_primals: () => jvp(double, any(x()), any(x())),
  jvp_structure: () => jvp(double, [x()], any([x(), x()])),
  jvp_shape: () => jvp(double, [x()], [torch.ones(2)]),
  jvp_of_a_number: () => jvp(one, [x()], [x()]),
  jvp_without_primals: () => jvp(() => x(), [], []),
  jvp_of_a_number_in: () => jvp((a: Tensor) => a, [any(1.5)], [x()]),
  jvp_with_a_number: () => jvp((a: Tensor) => a, [x()], [any(1.5)]),
  jvp_without_aux: () => jvp((a: Tensor) => a, [x()], [x()], { has_aux: true }),
  jvp_strict: () => jvp((_a: Tensor) => torch.ones(2), [x()], [x()], { strict: true }),
  jacrev_of_a_number: () => jacrev(one)(x()),
  jacrev_of_integers: () => jacrev((a: Tensor) => a.long())(x()),
  jacrev_by_integers: () => jacrev(double)(torch.ones(2, { dtype: 'int64' })),
  jacrev_chunk_size: () => jacrev((a: Tensor) => a, { chunk_size: 0 }),
  jacrev_without_aux: () => jacrev(double, { has_aux: true })(x()),
  jacfwd_of_a_number: () => jacfwd(one)(x()),
  jacfwd_without_aux: () => jacfwd(double, { has_aux: true })(x()),
  jacfwd_randomness: () => jacfwd((a: Tensor) => a, { randomness: any('foo') })(x()),
  linearize_arguments: () => linearize(cube, x())[1](...(any([x(), x()]) as [Tensor])),
  linearize_shape: () => linearize(cube, x())[1](torch.ones(2)),
  linearize_dtype: () => linearize(cube, x())[1](x().double()),
  call_repeated: () => functional_call(linear(), [{ weight: torch.eye(2) }, { weight: torch.eye(2) }], two()),
  call_unknown: () => functional_call(linear(), { foo: torch.eye(2) }, two(), null, { strict: true }),
  call_missing: () => functional_call(linear(), { weight: torch.eye(2) }, two(), null, { strict: true }),
  call_with_a_number: () => functional_call(linear(), any(1), two()),
  call_with_numbers: () => functional_call(linear(), any([1]), two()),
  call_tied: () => functional_call(tied(), { '0.weight': torch.eye(2), '1.weight': torch.ones(2, 2) }, two()),
  stack_none: () => stack_module_state([]),
  stack_classes: () => stack_module_state([linear(), new nn.ReLU()]),
  stack_modes: () => stack_module_state([linear(), linear().eval()]),
  stack_requires_grad: () => stack_module_state([linear(), linear().requires_grad_(false)]),
};

const f3 = (a: Tensor): Tensor =>
  a
    .pow(3)
    .sum()
    .add(a.index(0).mul(a.index(1)).sin());
const pair = (a: Tensor, b: Tensor): { p: Tensor; q: Tensor[] } => ({
  p: a.mul(b),
  q: [a.sum().mul(b).exp()],
});
const weighed = (a: Tensor, b: Tensor): Tensor => a.mul(b.pow(2)).sum();
const grown = (a: Tensor): Tensor => a.square().mul(a.sum());

const net = (p: Named, a: Tensor): Tensor => a.matmul(p.w1.T).add(p.b1).tanh().matmul(p.w2);
const net_params = (): Named => ({
  w1: torch.tensor([[0.5, -0.25], [1, 0.75], [-0.5, 0.125]]), // prettier-ignore
  b1: torch.tensor([0.1, -0.2, 0.3]),
  w2: torch.tensor([1, -2, 0.5]),
});
const data = (): [Tensor, Tensor] => [
  torch.tensor([[1, 2], [-0.5, 0.25], [0.75, -1], [0.1, 0.2]]), // prettier-ignore
  torch.tensor([1, 0, -1, 0.5]),
];
const net_loss = (p: Named, a: Tensor, t: Tensor): Tensor => net(p, a).sub(t).square();
const range = (n: number, ...shape: number[]): Tensor => torch.arange(n).float().reshape(shape);
const conv_loss = (weight: Tensor, image: Tensor): Tensor =>
  F.max_pool2d(F.conv2d(image.unsqueeze(0), weight, { padding: 1 }).relu(), 2)
    .square()
    .mean();
const attention = (q: Tensor, k: Tensor): Tensor => F.scaled_dot_product_attention(q, k, k).square().sum();
const samples = (): Tensor => torch.stack([x(), x().mul(2)]);
const updated = (p: Named): Tensor => {
  const [xs, ts] = data();
  const g = grad((q: Named) => net_loss(q, xs.index(0), ts.index(0)))(p);
  const next = Object.fromEntries(Object.entries(p).map(([k, v]) => [k, v.sub(g[k].mul(0.1))]));
  return net_loss(next, xs.index(1), ts.index(1));
};

const values: Record<string, () => unknown> = {
  grad: () => grad(f3)(x()),
  'grad twice': () => grad((a: Tensor) => grad(f3)(a).square().sum())(x()),
  'grad three times': () =>
    grad((a: Tensor) => grad((b: Tensor) => grad(f3)(b).square().sum())(a).sum())(x()),
  'grad by the second': () => grad(weighed, { argnums: 1 })(x(), x().add(1)),
  'grad by the last': () => grad(weighed, { argnums: -1 })(x(), x().add(1)),
  'grad by both': () => grad(weighed, { argnums: [1, 0] })(x(), x().add(1)),
  'grad of a dictionary': () =>
    grad((d: { a: Tensor; b: Tensor[] }) => d.a.mul(d.b[0]).sum())({ a: x(), b: [x().mul(2)] }),
  'grad and value': () => grad_and_value(f3)(x()),
  'grad and value and aux': () =>
    grad_and_value((a: Tensor) => [f3(a), { y: a.mul(2) }] as const, { has_aux: true })(x()),
  'grad and aux': () => grad((a: Tensor) => [f3(a), [a.mul(2), a]] as const, { has_aux: true })(x()),
  independent: () => grad((_a: Tensor) => torch.tensor(2))(x()),
  detached: () => grad((a: Tensor) => a.detach().mul(a).sum())(x()),
  item: () => grad((a: Tensor) => a.sum().mul(a.sum().item()))(x()),
  vjp: () => vjp((a: Tensor) => a.sin(), x())[1](x()),
  'vjp of a dictionary': () => vjp(pair, x(), x().add(1))[1]({ p: x(), q: [torch.ones(3)] }),
  'vjp twice': () =>
    grad((v: Tensor) =>
      vjp((a: Tensor) => a.sin(), x())[1](v)[0]
        .square()
        .sum(),
    )(x()),
  'vjp under vmap': () => vmap(vjp((a: Tensor) => a.sin(), x())[1])(torch.eye(3)),
  jvp: () => jvp((a: Tensor) => a.sin(), [x()], [x()]),
  'jvp of a dictionary': () => jvp(pair, [x(), x().add(1)], [x(), torch.ones(3)]),
  'jvp with aux': () => jvp((a: Tensor) => [a.sin(), a.mul(2)] as const, [x()], [x()], { has_aux: true }),
  'jvp independent': () => jvp((_a: Tensor) => torch.ones(2), [x()], [x()]),
  'jvp of jvp': () => jvp((b: Tensor) => jvp(f3, [b], [torch.ones(3)])[1], [x()], [x()]),
  'jvp of grad': () => jvp(grad(f3), [x()], [x()]),
  'grad of jvp': () => grad((b: Tensor) => jvp(f3, [b], [torch.ones(3)])[1])(x()),
  jacrev: () => jacrev(grown)(x()),
  'jacrev of a dictionary': () => jacrev(pair, { argnums: [0, 1] })(x(), x().add(1)),
  'jacrev by a dictionary': () =>
    jacrev((d: { a: Tensor; b: Tensor }) => d.a.mul(d.b))({ a: two(), b: last() }),
  'jacrev with aux': () => jacrev((a: Tensor) => [a.square(), a] as const, { has_aux: true })(x()),
  'jacrev in chunks': () => jacrev(grown, { chunk_size: 2 })(x()),
  jacfwd: () => jacfwd(grown)(x()),
  'jacfwd of a dictionary': () => jacfwd(pair, { argnums: [0, 1] })(x(), x().add(1)),
  'jacfwd by a dictionary': () =>
    jacfwd((d: { a: Tensor; b: Tensor }) => d.a.mul(d.b))({ a: two(), b: last() }),
  'jacfwd with aux': () => jacfwd((a: Tensor) => [a.square(), a] as const, { has_aux: true })(x()),
  hessian: () => hessian(f3)(x()),
  'hessian by both': () => hessian(weighed, [0, 1])(x(), x().add(1)),
  'hessian of a vector': () => hessian((a: Tensor) => a.pow(3).mul(a.sum()))(two()),
  'jacrev of jacrev': () => jacrev(jacrev(f3))(x()),
  'jacfwd of jacfwd': () => jacfwd(jacfwd(f3))(x()),
  'jacrev of jacfwd': () => jacrev(jacfwd(f3))(x()),
  linearize: () => linearize(f3, x())[1](x()),
  'linearize a dictionary': () => linearize(pair, x(), x().add(1))[1](x(), torch.ones(3)),
  'vmap of grad': () => vmap(grad(f3))(samples()),
  'vmap of hessian': () => vmap(hessian(f3))(samples()),
  'vmap of jacrev': () => vmap(jacrev(grown))(samples()),
  'vmap of jvp': () =>
    vmap((a: Tensor, t: Tensor) => jvp(f3, [a], [t]), { in_dims: [0, null] })(samples(), x()),
  'grad of vmap': () => grad((a: Tensor) => vmap((b: Tensor) => b.sin().mul(b))(a).sum())(x()),
  'jacrev of vmap': () => jacrev(vmap((b: Tensor) => b.sin().mul(b)))(x()),
  'jacfwd of vmap': () => jacfwd(vmap((b: Tensor) => b.sin().mul(b)))(x()),
  'grad by what samples share': () =>
    vmap((b: Tensor) => grad((a: Tensor) => a.mul(b).sum().square())(x()))(samples()),
  'two vmaps around grad': () =>
    vmap((a: Tensor) => vmap((b: Tensor) => grad((c: Tensor) => c.mul(a).mul(b).sin().sum())(a))(a))(
      samples(),
    ),
  'gradients per sample': () => vmap(grad(net_loss), { in_dims: [null, 0, 0] })(net_params(), ...data()),
  "a network's Hessian": () =>
    (
      hessian((p: Named) => vmap(net_loss, { in_dims: [null, 0, 0] })(p, ...data()).mean())(
        net_params(),
      ) as unknown as Record<string, Named>
    ).w1.b1,
  'gradients per sample through a convolution': () =>
    vmap(grad(conv_loss), { in_dims: [null, 0] })(range(18, 2, 1, 3, 3).sin(), range(48, 3, 1, 4, 4).cos()),
  "an attention's gradients per sample": () =>
    vmap(grad(attention, [0, 1]))(range(24, 2, 3, 4).sin(), range(24, 2, 3, 4).cos()),
  'an update of parameters': () => grad(updated)(net_params()),
  functional_call: () => functional_call(linear(), { weight: torch.eye(2) }, [two()]),
  'functional_call of one argument': () =>
    functional_call(linear(), [{ weight: torch.eye(2) }, { bias: torch.ones(2) }], two()),
  'functional_call of tied weights': () => functional_call(tied(), { '0.weight': torch.eye(2) }, two()),
  'an ensemble': () => {
    const models = [linear(), linear()];
    torch.no_grad(() => models[1].weight.mul_(-2));
    const [params, buffers] = stack_module_state(models);
    const call = (p: Named, b: Named, a: Tensor): Tensor => functional_call(models[0], [p, b], [a]);
    return [
      params.weight,
      vmap(call, { in_dims: [0, 0, null] })(params, buffers, torch.stack([two(), last()])),
    ];
  },
};

function differs(ours: unknown, theirs: unknown, at = ''): string | null {
  if (ours instanceof torch.Tensor) return differs(ours.detach().tolist(), theirs, at);
  if (typeof theirs === 'number') {
    const close = typeof ours === 'number' && Math.abs(ours - theirs) <= 1e-5 + 1e-4 * Math.abs(theirs);
    return close ? null : `${at}: ${String(ours)}, PyTorch's ${theirs}`;
  }
  if (typeof ours !== 'object' || ours === null) return `${at}: ${String(ours)}`;
  const [a, b] = [Object.entries(ours), Object.entries(theirs as object)];
  if (a.map(([k]) => k).join() !== b.map(([k]) => k).join()) return `${at}: keys ${a.map(([k]) => k).join()}`;
  return a.map(([k, v]) => differs(v, (theirs as Named)[k], `${at}.${k}`)).find((d) => d !== null) ?? null;
}

const error_names: Record<string, string> = { IndexError: 'RangeError', TypeError: 'TypeError' };
describe('refusals', () => {
  test('are all tried', () => {
    expect(Object.keys(messages).sort()).toEqual(Object.keys(recorded.messages).sort());
    expect(Object.keys(values).sort()).toEqual(Object.keys(recorded.values).sort());
  });
  test.each(Object.entries(recorded.messages))('%s', (name, { type, message }) => {
    let thrown: Error | null = null;
    try {
      messages[name]();
    } catch (error) {
      thrown = error as Error;
    }
    expect(thrown?.message).toBe(message);
    expect(thrown?.name).toBe(error_names[type] ?? 'Error');
  });
});

describe('values', () => {
  test.each(Object.entries(recorded.values))('%s', (name, theirs) => {
    expect(differs(values[name](), theirs)).toBeNull();
  });
});

describe('results', () => {
  const flags = (tensors: unknown): boolean[] =>
    (tensors as unknown[]).flat().map((t) => (t as Tensor).requires_grad);
  const sin = (a: Tensor): Tensor => a.sin();
  const leaf = w();
  const cases: Record<string, () => unknown> = {
    'of its own': () => grad_and_value(f3)(x()),
    'of a leaf': () => grad_and_value(f3)(w()),
    'of a captured leaf': () => grad_and_value((a: Tensor) => a.mul(leaf).sum())(x()),
    'linear in a captured leaf': () => grad_and_value((a: Tensor) => a.mul(a).sum().add(leaf.sum()))(x()),
    'without grad mode': () => torch.no_grad(() => grad_and_value(f3)(w())),
    'vjp of a leaf': () => [vjp(sin, w())[0], vjp(sin, w())[1](x())],
    'vjp of its own': () => [vjp(sin, x())[0], vjp(sin, x())[1](x())],
    'vjp with a leaf': () => vjp(sin, x())[1](w()),
  };
  test.each(Object.entries(recorded.connections))('%s', (name, theirs) => {
    expect(flags(cases[name]())).toEqual(theirs);
  });

  test('leave leaves outside without gradients of their own', () => {
    const loss = grad((a: Tensor) => a.mul(leaf).mul(leaf).sum())(x()).sum();
    expect(leaf.grad).toBeNull();
    loss.backward();
    expect(leaf.grad!.tolist()).toEqual([2, 4, 6]);
  });

  test('of a module’s parameters match its backward', () => {
    const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Tanh(), new nn.Linear(4, 1));
    const [xs, ts] = data();
    const params = Object.fromEntries<Tensor>(model.named_parameters());
    const loss = (p: Named): Tensor => F.mse_loss(functional_call(model, p, [xs]).squeeze(1), ts);
    const grads = grad(loss)(params);
    F.mse_loss(model(xs).squeeze(1), ts).backward();
    for (const [name, p] of model.named_parameters()) {
      expect(torch.allclose(grads[name], p.grad!, 1e-5, 1e-6)).toBe(true);
    }
  });
});

describe('functional_call', () => {
  test('has an older place', () => {
    expect(nn.utils.stateless.functional_call).toBe(functional_call);
  });
  test('puts everything back, after an exception too', () => {
    const m = linear();
    const { weight } = m;
    functional_call(m, { weight: torch.zeros(2, 2) }, [two()]);
    expect(m.weight).toBe(weight);
    expect(() => functional_call(m, { weight: torch.zeros(3, 3) }, [two()])).toThrow();
    expect(m.weight).toBe(weight);
    expect([...m.named_parameters()].map(([name]) => name)).toEqual(['weight', 'bias']);
  });
  test('gives buffers that the module writes to the caller', () => {
    const m = new nn.BatchNorm1d(2);
    const buffers = Object.fromEntries<Tensor>([...m.named_buffers()].map(([name, b]) => [name, b.clone()]));
    functional_call(m, buffers, [torch.ones(4, 2)]);
    expect(buffers.running_mean.tolist()).toEqual([expect.closeTo(0.1), expect.closeTo(0.1)]);
    expect((m.running_mean as Tensor).tolist()).toEqual([0, 0]);
  });
});

test('replace_all_batch_norm_modules_ leaves no running statistics', () => {
  const m = new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));
  const xs = torch.arange(24).float().reshape(3, 4, 2).sin();
  const mapped = vmap((a: Tensor) => m(a));
  expect(() => mapped(xs)).toThrow('Batch norm got a batched tensor as input');
  expect(replace_all_batch_norm_modules_(m)).toBe(m);
  expect([...m.named_buffers()]).toEqual([]);
  const looped = torch.stack([...xs].map((a) => m(a)));
  expect(torch.allclose(mapped(xs), looped, 1e-4, 1e-5)).toBe(true);
});

test('the types follow the function', () => {
  const one_of: Tensor = grad(f3)(x());
  const both: [Tensor, Tensor] = grad(weighed, [0, 1])(x(), x());
  const tree: { a: Tensor } = grad((d: { a: Tensor }) => d.a.sum())({ a: x() });
  const [g, aux]: [Tensor, string[]] = [grad(f3)(x()), ['aux']];
  const jac: { p: Tensor; q: Tensor[] } = jacrev(pair)(x(), x());
  expect([one_of, ...both, tree.a, g, jac.p].every((t) => t instanceof torch.Tensor)).toBe(true);
  expect(aux).toEqual(['aux']);
});
