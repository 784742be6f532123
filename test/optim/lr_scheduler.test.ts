import torch, { nn, optim } from '../../lib';
import { expect_close, expect_torch_error, fixture } from '../nn/fixture';

const { lr_scheduler } = optim;

const schedulers: Record<string, (o: optim.Optimizer) => optim.lr_scheduler.LRScheduler> = {
  StepLR: (o) => new lr_scheduler.StepLR(o, 3, { gamma: 0.5 }),
  MultiStepLR: (o) => new lr_scheduler.MultiStepLR(o, [2, 5, 5], { gamma: 0.1 }),
  ExponentialLR: (o) => new lr_scheduler.ExponentialLR(o, 0.9),
  CosineAnnealingLR: (o) => new lr_scheduler.CosineAnnealingLR(o, 4, { eta_min: 0.01 }),
  LambdaLR: (o) => new lr_scheduler.LambdaLR(o, (epoch) => 1 / (1 + epoch)),
  OneCycleLR: (o) => new lr_scheduler.OneCycleLR(o, 0.3, { total_steps: 12 }),
  'OneCycleLR three': (o) =>
    new lr_scheduler.OneCycleLR(o, 0.3, {
      epochs: 3,
      steps_per_epoch: 4,
      three_phase: true,
      anneal_strategy: 'linear',
    }),
};
const kinds = Object.keys(schedulers);

function optimizer(): optim.SGD {
  const [a, b] = [new nn.Linear(1, 1), new nn.Linear(1, 1)];
  return new optim.SGD([{ params: a.parameters() }, { params: b.parameters(), lr: 0.5 }], {
    lr: 0.1,
    momentum: 0.9,
  });
}

test('the same cases as recorded', () => {
  expect(kinds).toEqual(Object.keys(fixture.schedulers));
});

/** Numbers to the last few bits, everything else exactly. */
function expect_state(actual: unknown, expected: unknown): void {
  if (typeof expected === 'number') return expect_close([actual as number], [expected], 1e-12);
  if (typeof expected !== 'object' || expected === null) return void expect(actual).toBe(expected);
  expect(Object.keys(actual as object)).toEqual(Object.keys(expected));
  for (const [key, value] of Object.entries(expected))
    expect_state((actual as Record<string, unknown>)[key], value);
}

test.each(kinds)("%s gives PyTorch's learning rates, momenta and state", (name) => {
  const expected = fixture.schedulers[name];
  const o = optimizer();
  const scheduler = schedulers[name](o);
  const rates = [scheduler.get_last_lr()];
  const momenta = [o.param_groups[0].momentum as number];
  for (let i = 0; i < 11; i++) {
    o.step();
    scheduler.step();
    rates.push(scheduler.get_last_lr());
    momenta.push(o.param_groups[0].momentum as number);
  }
  rates.forEach((lrs, i) => expect_close(lrs, expected.rates[i], 1e-12));
  expect_close(momenta, expected.momenta, 1e-12);
  expect_state(scheduler.state_dict(), expected.state_dict);
  expect(Object.keys(o.param_groups[0])).toEqual(expected.group_keys);
});

test.each(kinds)('%s goes on from a saved state', (name) => {
  const o = optimizer();
  const scheduler = schedulers[name](o);
  const other = optimizer();
  const resumed = schedulers[name](other);
  for (let i = 0; i < 5; i++) {
    o.step();
    scheduler.step();
  }
  resumed.load_state_dict(scheduler.state_dict());
  other.load_state_dict(o.state_dict());
  other.step();
  o.step();
  resumed.step();
  scheduler.step();
  expect(resumed.get_last_lr()).toEqual(scheduler.get_last_lr());
});

test('an epoch can be given where there is a closed form', () => {
  const scheduler = schedulers.StepLR(optimizer());
  scheduler.optimizer.step();
  scheduler.step(7);
  expect_close(scheduler.get_last_lr(), [0.025, 0.125], 1e-12);
});

test('warns when the optimizer has not stepped', () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const scheduler = schedulers.StepLR(optimizer());
  expect(warn).not.toHaveBeenCalled();
  scheduler.step();
  expect(warn.mock.calls.map(([text]) => text)).toEqual([
    expect.stringContaining('Detected call of `lr_scheduler.step()` before `optimizer.step()`'),
  ]);
  warn.mockRestore();
});

test('errors', () => {
  expect_torch_error('scheduler', () => new lr_scheduler.StepLR(3 as never, 1));
  expect_torch_error('one cycle', () => new lr_scheduler.OneCycleLR(optimizer(), 0.1));
  expect(() => new lr_scheduler.StepLR(optimizer(), { stepsize: 1 } as never)).toThrow(
    "got an unexpected keyword argument 'stepsize'. Did you mean 'step_size'?",
  );
  expect(() => new lr_scheduler.StepLR(optimizer(), 1, { last_epoch: 3 })).toThrow(
    "param 'initial_lr' is not specified in param_groups[0] when resuming scheduler with last_epoch >= 0.",
  );
  expect(torch.optim.lr_scheduler).toBe(lr_scheduler);
});
