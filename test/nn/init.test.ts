import torch, { nn } from '../../lib';
import { expect_close, expect_torch_error, fixture, values } from './fixture';

const modules: Record<string, () => nn.Module> = {
  Linear: () => new nn.Linear(5, 3),
  Conv1d: () => new nn.Conv1d(2, 4, 3),
  Conv2d: () => new nn.Conv2d(2, 4, 3, { groups: 2 }),
  ConvTranspose2d: () => new nn.ConvTranspose2d(2, 4, 3),
  BatchNorm2d: () => new nn.BatchNorm2d(3),
  LayerNorm: () => new nn.LayerNorm(3),
  Embedding: () => new nn.Embedding(7, 3, 2),
  LSTM: () => new nn.LSTM(3, 2, { num_layers: 2, bidirectional: true }),
  LSTMCell: () => new nn.LSTMCell(3, 2),
  Sequential: () => new nn.Sequential(new nn.Linear(4, 4), new nn.Tanh(), new nn.Linear(4, 1)),
};

const functions: Record<string, (t: torch.Tensor) => unknown> = {
  uniform_: (t) => nn.init.uniform_(t, -2, 3),
  normal_: (t) => nn.init.normal_(t, { mean: 1, std: 0.5 }),
  constant_: (t) => nn.init.constant_(t, 0.25),
  ones_: (t) => nn.init.ones_(t),
  zeros_: (t) => nn.init.zeros_(t),
  eye_: (t) => nn.init.eye_(t),
  xavier_uniform_: (t) => nn.init.xavier_uniform_(t, { gain: nn.init.calculate_gain('relu') }),
  xavier_normal_: (t) => nn.init.xavier_normal_(t),
  kaiming_uniform_: (t) => nn.init.kaiming_uniform_(t, { mode: 'fan_out', nonlinearity: 'relu' }),
  kaiming_normal_: (t) => nn.init.kaiming_normal_(t, 0.1),
  sparse_: (t) => nn.init.sparse_(t, 0.4),
  trunc_normal_: (t) => nn.init.trunc_normal_(t, { std: 0.8 }),
};

test('the same cases as recorded', () => {
  expect(Object.keys(modules)).toEqual(Object.keys(fixture.init));
  expect(Object.keys(functions)).toEqual(Object.keys(fixture.init_functions));
});

test.each(Object.keys(modules))("%s starts with PyTorch's numbers", (name) => {
  const expected = fixture.init[name];
  torch.manual_seed(17);
  const state = Object.entries((modules[name] as () => nn.Module)().state_dict());
  expect(state.map(([key, tensor]) => [key, tensor.shape])).toEqual(
    expected.state.map(([key, shape]) => [key, shape]),
  );
  state.forEach(([, tensor], i) => expect_close(values(tensor), expected.state[i][2], 1e-6));
  expect(torch.rand(1).item()).toBeCloseTo(expected.next, 7);
});

test.each(Object.keys(functions))("nn.init.%s draws PyTorch's numbers", (name) => {
  torch.manual_seed(23);
  const t = torch.empty(5, 4);
  functions[name](t);
  expect_close(values(t), fixture.init_functions[name], 1e-6);
});

test('gains', () => {
  const { calculate_gain } = nn.init;
  expect({
    linear: calculate_gain('linear'),
    tanh: calculate_gain('tanh'),
    relu: calculate_gain('relu'),
    leaky_relu: calculate_gain('leaky_relu', 0.2),
    selu: calculate_gain('selu'),
  }).toEqual(fixture.gains);
});

test('dirac_ passes channels through a convolution', () => {
  const w = nn.init.dirac_(torch.empty(2, 2, 3, 3));
  const x = torch.rand(1, 2, 4, 4);
  const y = nn.functional.conv2d(x, w, null, { padding: 1 });
  expect(values(y)).toEqual(values(x));
});

test('a generator of its own leaves the default stream alone', () => {
  const generator = new torch.Generator();
  generator.manual_seed(5);
  torch.manual_seed(9);
  const before = torch.rand(1).item();
  torch.manual_seed(9);
  const a = nn.init.normal_(torch.empty(20), { generator });
  expect(torch.rand(1).item()).toBe(before);
  torch.manual_seed(5);
  expect(values(torch.randn(20))).toEqual(values(a));
});

test('initialisation is not recorded, and works on parameters that require gradients', () => {
  const p = new nn.Parameter(torch.empty(3, 3));
  expect(nn.init.xavier_normal_(p)).toBe(p);
  expect(p.grad_fn).toBeNull();
  expect(p.requires_grad).toBe(true);
});

test('errors', () => {
  expect_torch_error('fan', () => nn.init.xavier_uniform_(torch.zeros(3)));
  expect_torch_error('fan mode', () =>
    nn.init.kaiming_normal_(torch.zeros(3, 3), { mode: 'fan' as 'fan_in' }),
  );
  expect_torch_error('gain', () => nn.init.calculate_gain('swish' as 'relu'));
  expect(() => nn.init.kaiming_uniform_(torch.zeros(3, 3), { non_linearity: 'relu' } as object)).toThrow(
    "kaiming_uniform_() got an unexpected keyword argument 'non_linearity'. Did you mean 'nonlinearity'?",
  );
});
