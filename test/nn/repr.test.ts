import { inspect } from 'node:util';

import torch, { nn, optim } from '../../lib';
import { fixture } from './fixture';

class Net extends nn.Module {
  conv1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
  body = new nn.Sequential(
    new Map<string, nn.Module>([
      ['pool', new nn.MaxPool2d(2)],
      ['act', new nn.ReLU({ inplace: true })],
    ]),
  );
  heads = new nn.ModuleList([new nn.Linear(4, 2), new nn.Linear(4, 2), new nn.Linear(4, 3, { bias: false })]);
  named = new nn.ModuleDict({ a: new nn.Identity(), b: new nn.Sequential() });
  free = new nn.ParameterList([torch.zeros(2, 3), torch.zeros(4)]);
  loss = new nn.CrossEntropyLoss();
}

const modules: Record<string, () => { toString(): string }> = {
  Net: () => new Net(),
  Linear: () => new nn.Linear(3, 2),
  'Linear nobias': () => new nn.Linear(3, 2, false),
  Identity: () => new nn.Identity(),
  Conv1d: () => new nn.Conv1d(4, 6, 3, 2),
  Conv2d: () => new nn.Conv2d(4, 6, 3),
  'Conv2d all': () =>
    new nn.Conv2d(4, 6, [3, 5], {
      stride: [1, 2],
      padding: 1,
      dilation: 2,
      groups: 2,
      bias: false,
      padding_mode: 'reflect',
    }),
  'Conv2d same': () => new nn.Conv2d(4, 6, 3, { padding: 'same' }),
  'Conv2d zero padding': () => new nn.Conv2d(4, 6, 3, { padding: [0, 1] }),
  ConvTranspose2d: () => new nn.ConvTranspose2d(4, 6, 3, { stride: 2, output_padding: 1 }),
  MaxPool1d: () => new nn.MaxPool1d(2),
  MaxPool2d: () => new nn.MaxPool2d(2),
  'MaxPool2d all': () =>
    new nn.MaxPool2d([3, 2], { stride: [2, 1], padding: 1, dilation: 2, ceil_mode: true }),
  AvgPool2d: () => new nn.AvgPool2d(3, { stride: 2, padding: 1 }),
  AdaptiveAvgPool2d: () => new nn.AdaptiveAvgPool2d([1, null]),
  'AdaptiveAvgPool2d one': () => new nn.AdaptiveAvgPool2d(1),
  BatchNorm1d: () => new nn.BatchNorm1d(4),
  BatchNorm2d: () =>
    new nn.BatchNorm2d(4, { eps: 0.001, momentum: null, affine: false, track_running_stats: false }),
  LayerNorm: () => new nn.LayerNorm(4),
  'LayerNorm 2': () => new nn.LayerNorm([4, 3], { eps: 1e-6, elementwise_affine: false }),
  Dropout: () => new nn.Dropout(),
  'Dropout in place': () => new nn.Dropout(0.25, true),
  Embedding: () => new nn.Embedding(10, 3),
  'Embedding padding': () => new nn.Embedding(10, 3, { padding_idx: -1 }),
  LSTM: () => new nn.LSTM(3, 4),
  'LSTM all': () =>
    new nn.LSTM(3, 4, { num_layers: 2, bias: false, batch_first: true, dropout: 0.5, bidirectional: true }),
  LSTMCell: () => new nn.LSTMCell(3, 4, { bias: false }),
  ReLU: () => new nn.ReLU(),
  ReLU6: () => new nn.ReLU6(),
  LeakyReLU: () => new nn.LeakyReLU(),
  'LeakyReLU 0.2': () => new nn.LeakyReLU(0.2, { inplace: true }),
  ELU: () => new nn.ELU(),
  GELU: () => new nn.GELU(),
  'GELU tanh': () => new nn.GELU({ approximate: 'tanh' }),
  SiLU: () => new nn.SiLU(),
  Softplus: () => new nn.Softplus(),
  Sigmoid: () => new nn.Sigmoid(),
  LogSigmoid: () => new nn.LogSigmoid(),
  Tanh: () => new nn.Tanh(),
  Tanhshrink: () => new nn.Tanhshrink(),
  Softsign: () => new nn.Softsign(),
  Hardtanh: () => new nn.Hardtanh(-2, 2),
  Softmax: () => new nn.Softmax({ dim: 1 }),
  Softmin: () => new nn.Softmin(1),
  LogSoftmax: () => new nn.LogSoftmax(-1),
  Flatten: () => new nn.Flatten(),
  Unflatten: () => new nn.Unflatten(1, [2, 3]),
  MSELoss: () => new nn.MSELoss(),
  KLDivLoss: () => new nn.KLDivLoss({ reduction: 'batchmean' }),
  'ModuleList runs': () =>
    new nn.ModuleList([new nn.ReLU(), new nn.ReLU(), new nn.Linear(2, 2), new nn.ReLU(), new nn.ReLU()]),
  'ModuleList empty': () => new nn.ModuleList(),
  Parameter: () => new nn.Parameter(torch.tensor([1.5, 2])),
  'Parameter no grad': () => new nn.Parameter(torch.tensor([1.5, 2]), { requires_grad: false }),
};

const two_groups = (): optim.Optimizer =>
  new optim.SGD(
    [{ params: new nn.Linear(2, 2).parameters() }, { params: new nn.Linear(2, 2).parameters(), lr: 0.5 }],
    { lr: 0.1 },
  );

const optimizers: Record<string, () => optim.Optimizer> = {
  SGD: () => new optim.SGD(new nn.Linear(2, 2).parameters(), { lr: 0.01, momentum: 0.9 }),
  'SGD groups': two_groups,
  Adam: () => new optim.Adam(new nn.Linear(2, 2).parameters()),
  AdamW: () => new optim.AdamW(new nn.Linear(2, 2).parameters(), { lr: 3e-4 }),
  RMSprop: () => new optim.RMSprop(new nn.Linear(2, 2).parameters()),
};

test('the same cases as recorded', () => {
  expect(Object.keys(modules)).toEqual(Object.keys(fixture.repr));
  expect(Object.keys(optimizers)).toEqual(Object.keys(fixture.optim_repr));
});

test.each(Object.keys(modules))('text of %s', (name) => {
  expect(modules[name]().toString()).toBe(fixture.repr[name]);
});

test.each(Object.keys(optimizers))('text of the optimizer %s', (name) => {
  expect(String((optimizers[name] as () => unknown)())).toBe(fixture.optim_repr[name]);
});

test('console.log prints the same text', () => {
  expect(inspect(new nn.Linear(3, 2))).toBe(fixture.repr.Linear);
  expect(inspect({ net: new nn.Linear(3, 2) })).toBe(`{ net: ${fixture.repr.Linear} }`);
  expect(inspect(two_groups())).toBe(fixture.optim_repr['SGD groups']);
});
