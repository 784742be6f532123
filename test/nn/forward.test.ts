import torch, { nn, type Tensor } from '../../lib';
import { expect_close, fixture, from_shaped, type Shaped, values } from './fixture';

const t = (data: number[]): Tensor => torch.tensor(data);

const cases: Record<string, () => nn.Module> = {
  Linear: () => new nn.Linear(4, 3),
  'Linear 1d': () => new nn.Linear(4, 3),
  Conv1d: () => new nn.Conv1d(3, 4, 3, { padding: 1 }),
  Conv2d: () => new nn.Conv2d(3, 4, 3, { stride: 2, padding: 1 }),
  'Conv2d same': () => new nn.Conv2d(3, 4, 4, { padding: 'same' }),
  'Conv2d groups': () => new nn.Conv2d(4, 4, 3, { groups: 2, bias: false }),
  ConvTranspose2d: () => new nn.ConvTranspose2d(3, 4, 3, { stride: 2, output_padding: 1 }),
  'ConvTranspose2d size': () => new nn.ConvTranspose2d(3, 4, 3, { stride: 2 }),
  MaxPool2d: () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  AvgPool2d: () => new nn.AvgPool2d(2),
  AdaptiveAvgPool2d: () => new nn.AdaptiveAvgPool2d([2, null]),
  BatchNorm1d: () => new nn.BatchNorm1d(4),
  BatchNorm2d: () => new nn.BatchNorm2d(3),
  'BatchNorm2d average': () => new nn.BatchNorm2d(3, { momentum: null }),
  'BatchNorm2d eval': () => new nn.BatchNorm2d(3).eval(),
  LayerNorm: () => new nn.LayerNorm([3, 4]),
  Dropout: () => new nn.Dropout(0.4),
  'Dropout eval': () => new nn.Dropout(0.4).eval(),
  Embedding: () => new nn.Embedding(6, 3, { padding_idx: 1 }),
  LSTM: () => new nn.LSTM(3, 4),
  'LSTM state': () => new nn.LSTM(3, 4),
  'LSTM layers': () => new nn.LSTM(3, 4, { num_layers: 2, batch_first: true, bidirectional: true }),
  'LSTM nobias': () => new nn.LSTM(3, 4, { bias: false }),
  'LSTM unbatched': () => new nn.LSTM(3, 4),
  'LSTM dropout': () => new nn.LSTM(3, 4, { num_layers: 2, dropout: 0.5 }),
  LSTMCell: () => new nn.LSTMCell(3, 4),
  'LSTMCell state': () => new nn.LSTMCell(3, 4),
  ReLU: () => new nn.ReLU(),
  ReLU6: () => new nn.ReLU6(),
  LeakyReLU: () => new nn.LeakyReLU(),
  ELU: () => new nn.ELU(1.5),
  GELU: () => new nn.GELU(),
  'GELU tanh': () => new nn.GELU('tanh'),
  SiLU: () => new nn.SiLU(),
  Softplus: () => new nn.Softplus(2, 3),
  Sigmoid: () => new nn.Sigmoid(),
  LogSigmoid: () => new nn.LogSigmoid(),
  Tanh: () => new nn.Tanh(),
  Tanhshrink: () => new nn.Tanhshrink(),
  Softsign: () => new nn.Softsign(),
  Hardtanh: () => new nn.Hardtanh(),
  Softmax: () => new nn.Softmax(1),
  Softmin: () => new nn.Softmin(0),
  LogSoftmax: () => new nn.LogSoftmax(1),
  Flatten: () => new nn.Flatten(),
  Unflatten: () => new nn.Unflatten(1, [2, 3]),
  MSELoss: () => new nn.MSELoss(),
  'MSELoss sum': () => new nn.MSELoss({ reduction: 'sum' }),
  'L1Loss none': () => new nn.L1Loss({ reduction: 'none' }),
  SmoothL1Loss: () => new nn.SmoothL1Loss({ beta: 0.5 }),
  HuberLoss: () => new nn.HuberLoss({ delta: 0.5 }),
  CrossEntropyLoss: () => new nn.CrossEntropyLoss(),
  'CrossEntropyLoss all': () =>
    new nn.CrossEntropyLoss({ weight: t([1, 2, 3, 4, 5]), ignore_index: 0, label_smoothing: 0.1 }),
  NLLLoss: () => new nn.NLLLoss(),
  BCELoss: () => new nn.BCELoss(),
  BCEWithLogitsLoss: () => new nn.BCEWithLogitsLoss({ pos_weight: t([1, 2, 3, 4]) }),
  KLDivLoss: () => new nn.KLDivLoss({ reduction: 'batchmean' }),
  'KLDivLoss log': () => new nn.KLDivLoss({ log_target: true, reduction: 'sum' }),
};

/** Where an argument is a tensor of class or row numbers. */
const integer_argument: Record<string, number> = {
  Embedding: 0,
  CrossEntropyLoss: 1,
  'CrossEntropyLoss all': 1,
  NLLLoss: 1,
};

test('the same cases as recorded', () => {
  expect(Object.keys(cases)).toEqual(Object.keys(fixture.forward));
});

function is_shaped(recorded: unknown): recorded is Shaped {
  return (
    Array.isArray(recorded) &&
    recorded.length === 2 &&
    Array.isArray(recorded[1]) &&
    typeof recorded[1][0] === 'number'
  );
}

function argument(recorded: Shaped | Shaped[] | number[], integer: boolean): unknown {
  if (is_shaped(recorded)) return integer ? from_shaped(recorded).to('int64') : from_shaped(recorded);
  return typeof recorded[0] === 'number' ? recorded : (recorded as Shaped[]).map(from_shaped);
}

function flat_tensors(value: unknown): Tensor[] {
  if (value instanceof torch.Tensor) return [value];
  return Array.isArray(value) ? value.flatMap(flat_tensors) : [];
}

/** How many draws the recorder made between the module and its call, which dropout follows on. */
function skip_input_draws(inputs: readonly unknown[]): void {
  for (const input of flat_tensors(inputs)) if (input.is_floating_point()) torch.randn(input.shape);
}

test.each(Object.keys(cases))('%s gives PyTorch’s output and gradients', (name) => {
  const expected = fixture.forward[name];
  torch.manual_seed(5);
  const module = cases[name]();
  const args = expected.inputs.map((recorded, i) => argument(recorded, integer_argument[name] === i));
  skip_input_draws(args);
  const input = args[0] as Tensor;
  if (input.is_floating_point()) input.requires_grad_(true);

  const outputs = flat_tensors((module as (...args: unknown[]) => unknown)(...args));
  expect(outputs.map((o) => o.shape)).toEqual(expected.outputs.map(([shape]) => shape));
  outputs.forEach((o, i) => expect_close(values(o), expected.outputs[i][1], 1e-5));

  if (expected.grads !== undefined) {
    const weighted = outputs.map((o) => o.mul(torch.arange(1, o.numel() + 1).view(o.shape)).sum());
    weighted.reduce((a, b) => a.add(b)).backward();
    if (expected.input_grad) expect_close(values(input.grad!), expected.input_grad, 2e-5);
    const grads = [...module.named_parameters()].map(([key, p]): [string, number[]] => [
      key,
      values(p.grad!),
    ]);
    expect(grads.map(([key]) => key)).toEqual(expected.grads.map(([key]) => key));
    grads.forEach(([, grad], i) => expect_close(grad, expected.grads![i][1], 2e-5));
  }
  const buffers = [...module.named_buffers()];
  expect(buffers.map(([key]) => key)).toEqual(expected.buffers.map(([key]) => key));
  buffers.forEach(([, b], i) => expect_close(values(b), expected.buffers[i][1], 1e-5));
});
