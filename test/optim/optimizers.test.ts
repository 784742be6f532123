import torch, { nn, optim, type Tensor } from '../../lib';
import { expect_close, expect_torch_error, fixture, values } from '../nn/fixture';

type Params = Iterable<Tensor>;

const optimizers: Record<string, (params: Params) => optim.Optimizer> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.1 }),
  'SGD momentum': (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.1, weight_decay: 0.01 }),
  'SGD nesterov': (p) => new optim.SGD(p, 0.1, 0.9, { nesterov: true }),
  'SGD maximize': (p) => new optim.SGD(p, { lr: 0.01, maximize: true, weight_decay: 0.1 }),
  Adam: (p) => new optim.Adam(p, 0.05),
  'Adam amsgrad': (p) =>
    new optim.Adam(p, { lr: 0.05, betas: [0.8, 0.9], eps: 1e-6, weight_decay: 0.1, amsgrad: true }),
  'Adam maximize': (p) => new optim.Adam(p, { lr: 0.01, maximize: true }),
  AdamW: (p) => new optim.AdamW(p, { lr: 0.05, weight_decay: 0.1 }),
  RMSprop: (p) => new optim.RMSprop(p, { lr: 0.01 }),
  'RMSprop all': (p) =>
    new optim.RMSprop(p, {
      lr: 0.01,
      alpha: 0.9,
      eps: 1e-6,
      weight_decay: 0.01,
      momentum: 0.9,
      centered: true,
    }),
};
const kinds = Object.keys(optimizers);

function setup(): { net: nn.Sequential; x: Tensor; y: Tensor } {
  torch.manual_seed(3);
  const net = new nn.Sequential(new nn.Linear(4, 16), new nn.Tanh(), new nn.Linear(16, 3));
  return { net, x: torch.randn(20, 4), y: torch.randint(0, 3, [20]) };
}

function train(net: nn.Module, x: Tensor, y: Tensor, optimizer: optim.Optimizer, steps: number): number[] {
  return Array.from({ length: steps }, () => {
    optimizer.zero_grad();
    const loss = nn.functional.cross_entropy(net(x) as Tensor, y);
    loss.backward();
    optimizer.step();
    return loss.item();
  });
}

interface Recorded {
  dtype: string;
  shape: number[];
  values: number[];
}

test('the same cases as recorded', () => {
  expect(kinds).toEqual(Object.keys(fixture.optimizers));
});

test.each(kinds)("five steps of %s are PyTorch's, and so is the state dict", (name) => {
  const expected = fixture.optimizers[name];
  const { net, x, y } = setup();
  const optimizer = optimizers[name](net.parameters());
  expect_close(train(net, x, y, optimizer, 5), expected.losses, 1e-5);
  [...net.parameters()].forEach((p, i) => expect_close(values(p), expected.params[i], 1e-5));

  const { state, param_groups } = optimizer.state_dict();
  expect(Object.keys(state).map(Number)).toEqual(expected.state_dict.state.map(([n]) => n));
  for (const [n, entries] of expected.state_dict.state) {
    expect(Object.keys(state[n])).toEqual(entries.map(([key]) => key));
    for (const [key, value] of entries) {
      const actual = state[n][key] as Tensor;
      const { dtype, shape, values: numbers } = value as Recorded;
      expect([`torch.${actual.dtype}`, actual.shape]).toEqual([dtype, shape]);
      expect_close(values(actual), numbers, 1e-5);
    }
  }
  expect(param_groups.map((group) => Object.entries(group))).toEqual(expected.state_dict.param_groups);
});

test.each(kinds)('%s goes on from a saved state as if it had not stopped', (name) => {
  const { net, x, y } = setup();
  const optimizer = optimizers[name](net.parameters());
  train(net, x, y, optimizer, 3);
  const twin = setup().net;
  twin.load_state_dict(net.state_dict());
  const resumed = optimizers[name](twin.parameters());
  resumed.load_state_dict(structuredCopy(optimizer.state_dict()));
  expect(train(twin, x, y, resumed, 3)).toEqual(train(net, x, y, optimizer, 3));
});

/** A state dict as it comes back from a file: the same numbers in other tensors. */
function structuredCopy(state: optim.OptimizerStateDict): optim.OptimizerStateDict {
  const copy = (value: unknown): unknown => (value instanceof torch.Tensor ? value.clone() : value);
  return {
    state: Object.fromEntries(
      Object.entries(state.state).map(([n, entries]) => [
        n,
        Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, copy(value)])),
      ]),
    ),
    param_groups: state.param_groups.map((group) => ({ ...group })),
  };
}

describe.each(kinds)('%s', (name) => {
  /** The same problem in float64, for comparison with other dtypes and layouts. */
  const problem = (prepare: (p: Tensor) => Tensor): number[] => {
    torch.manual_seed(1);
    const target = torch.randn(37, 41, { dtype: 'float64' });
    const p = new nn.Parameter(prepare(torch.randn(37, 41, { dtype: 'float64' })));
    const optimizer = optimizers[name]([p]);
    for (let i = 0; i < 4; i++) {
      optimizer.zero_grad();
      p.sub(target.to(p.dtype)).pow(2).sum().div(100).backward();
      optimizer.step();
    }
    return values(p.to('float64'));
  };
  const reference = (): number[] => problem((p) => p);

  test('float32 and the halves follow float64', () => {
    expect_close(
      problem((p) => p.to('float32')),
      reference(),
      2e-4,
    );
    expect_close(
      problem((p) => p.to('bfloat16')),
      reference(),
      0.2,
    );
  });

  test('the layout makes no difference', () => {
    const strided = (p: Tensor): Tensor =>
      torch.zeros(37, 82, { dtype: 'float64' }).narrow(1, 0, 41).copy_(p);
    expect(problem((p) => p.t().contiguous().t())).toEqual(reference());
    expect(problem(strided)).toEqual(reference());
  });

  test('parameters without a gradient stay as they are', () => {
    const [a, b] = [new nn.Parameter(torch.ones(3)), new nn.Parameter(torch.ones(3))];
    const optimizer = optimizers[name]([a, b]);
    a.sum().backward();
    optimizer.step();
    expect(values(b)).toEqual([1, 1, 1]);
    expect(values(a)).not.toEqual([1, 1, 1]);
    expect(optimizer.state.has(b)).toBe(false);
  });

  test('a step counts as a write in place', () => {
    const p = new nn.Parameter(torch.ones(3));
    const y = p.mul(p).sum();
    p.grad = torch.ones(3);
    optimizers[name]([p]).step();
    expect(() => y.backward()).toThrow('modified by an inplace operation');
  });
});

describe('groups', () => {
  test('have settings of their own, and defaults', () => {
    const [a, b] = [new nn.Linear(1, 1), new nn.Linear(1, 1)];
    const optimizer = new optim.SGD([{ params: a.parameters(), lr: 0.5 }, { params: b.weight }], { lr: 0.1 });
    expect(optimizer.param_groups.map((g) => [g.params.length, g.lr])).toEqual([
      [2, 0.5],
      [1, 0.1],
    ]);
    optimizer.add_param_group({ params: [b.bias!], momentum: 0.9 });
    for (const p of [...a.parameters(), ...b.parameters()]) p.grad = torch.ones(p.shape);
    const before = a.weight.item();
    optimizer.step();
    expect(a.weight.item()).toBeCloseTo(before - 0.5, 6);
    expect(Object.keys(optimizer.state_dict().state)).toEqual(['3']);
  });

  test('names come along', () => {
    const net = new nn.Linear(1, 1);
    const optimizer = new optim.SGD(net.named_parameters(), { lr: 0.1 });
    expect(optimizer.param_groups[0].param_names).toEqual(['weight', 'bias']);
    expect(() => optimizer.add_param_group({ params: [new nn.Parameter(torch.ones(1))] })).toThrow(
      'all optimizer param groups should be with/without names. cannot add param group without names to the optimizer',
    );
  });
});

test('a closure is evaluated with gradients and its loss returned', () => {
  const p = new nn.Parameter(torch.ones(1));
  const optimizer = new optim.SGD([p], { lr: 0.25 });
  const loss = torch.no_grad(() =>
    optimizer.step(() => {
      optimizer.zero_grad();
      const value = p.mul(2).sum();
      value.backward();
      return value;
    }),
  );
  expect(loss.item()).toBe(2);
  expect(p.item()).toBe(0.5);
  expect(optimizer.step()).toBeNull();
});

test('hooks run around a step', () => {
  const p = new nn.Parameter(torch.ones(1));
  const optimizer = new optim.SGD([p], { lr: 1 });
  const seen: string[] = [];
  optimizer.register_step_pre_hook(() => void seen.push('before'));
  optimizer.register_step_post_hook(() => void seen.push('after')).remove();
  optimizer.step();
  expect(seen).toEqual(['before']);
});

test('zero_grad', () => {
  const p = new nn.Parameter(torch.ones(1));
  const optimizer = new optim.SGD([p], { lr: 1 });
  p.grad = torch.ones(1);
  optimizer.zero_grad({ set_to_none: false });
  expect(p.grad.item()).toBe(0);
  optimizer.zero_grad();
  expect(p.grad).toBeNull();
});

test('errors', () => {
  const params = (): Params => new nn.Linear(2, 2).parameters();
  expect_torch_error('optimizer empty', () => new optim.SGD([], { lr: 0.1 }));
  expect_torch_error('optimizer tensor', () => new optim.SGD(torch.zeros(2) as never, { lr: 0.1 }));
  expect_torch_error(
    'optimizer non-leaf',
    () => new optim.SGD([torch.zeros(2, { requires_grad: true }).mul(2)]),
  );
  expect_torch_error('optimizer lr', () => new optim.SGD(params(), { lr: -1 }));
  expect_torch_error('optimizer momentum', () => new optim.SGD(params(), { lr: 0.1, momentum: -0.5 }));
  expect_torch_error('optimizer nesterov', () => new optim.SGD(params(), { lr: 0.1, nesterov: true }));
  expect_torch_error('optimizer beta', () => new optim.Adam(params(), { betas: [1.5, 0.9] }));
  expect_torch_error('optimizer eps', () => new optim.Adam(params(), { eps: -1 }));
  expect_torch_error('optimizer decay', () => new optim.RMSprop(params(), { weight_decay: -0.5 }));
  expect_torch_error('optimizer twice', () => {
    const shared = [...params()];
    return new optim.SGD([{ params: shared }, { params: shared }]);
  });
  expect_torch_error('optimizer groups', () =>
    new optim.SGD(params()).load_state_dict({ state: {}, param_groups: [] }),
  );
  expect_torch_error('optimizer sizes', () =>
    new optim.SGD(params()).load_state_dict({ state: {}, param_groups: [{ params: [0] }] }),
  );
  expect(() => new optim.Adam(params(), { learning_rate: 0.1 } as object)).toThrow(
    "Adam.__init__() got an unexpected keyword argument 'learning_rate'",
  );
  expect(() => new optim.SGD(params(), { lr: NaN })).toThrow('Invalid learning rate: nan');
});

describe('clipping', () => {
  test.each([
    ['2.0', 2],
    ['1.0', 1],
    ['inf', Infinity],
  ])('norm of order %s', (name, norm_type) => {
    const { net, x, y } = setup();
    nn.functional.cross_entropy(net(x), y).backward();
    const total = nn.utils.clip_grad_norm_(net.parameters(), 0.05, { norm_type });
    const expected = fixture.clip[name];
    expect(total.item()).toBeCloseTo(expected.total, 5);
    [...net.parameters()].forEach((p, i) => expect_close(values(p.grad!), expected.grads[i], 1e-6));
  });

  test('small gradients stay, none gives 0', () => {
    const p = new nn.Parameter(torch.zeros(2));
    expect(nn.utils.clip_grad_norm_([p], 1).item()).toBe(0);
    p.grad = torch.tensor([0.3, 0.4]);
    expect(nn.utils.clip_grad_norm_(p, 1).item()).toBeCloseTo(0.5, 6);
    expect_close(values(p.grad), [0.3, 0.4], 1e-7);
  });

  test('a norm that is not finite', () => {
    const p = new nn.Parameter(torch.zeros(2));
    p.grad = torch.tensor([1, Infinity]);
    expect_torch_error('clip', () => nn.utils.clip_grad_norm_([p], 1, { error_if_nonfinite: true }));
    expect(values(p.grad)).toEqual([1, Infinity]);
  });

  test('values', () => {
    const p = new nn.Parameter(torch.zeros(3));
    p.grad = torch.tensor([-3, 0.5, 2]);
    nn.utils.clip_grad_value_(p, 1);
    expect(values(p.grad)).toEqual([-1, 0.5, 1]);
  });
});
