// Tensors on another device, shown on the fake one (csrc/core/fake_device.h), whose memory the host cannot read.
import torch, { nn, optim, type Tensor } from '../../lib';

const MIXED = 'Expected all tensors to be on the same device, but found at least two devices';

describe('transfers', () => {
  test('there and back, in every dtype', () => {
    const dtypes = [
      'float32',
      'float64',
      'float16',
      'bfloat16',
      'int64',
      'int32',
      'int16',
      'int8',
      'uint8',
      'bool',
    ] as const;
    for (const dtype of dtypes) {
      const x = torch.tensor([0, 1, 2, 100], { dtype });
      const y = x.to('fake');
      expect(y.device.toString()).toBe('fake:0');
      expect(y.dtype).toBe(x.dtype);
      expect(y.tolist()).toEqual(x.tolist());
      expect(y.cpu().equal(x)).toBe(true);
    }
  });

  test('a tensor that is already there is itself', () => {
    const x = torch.tensor([1, 2]).to('fake:1');
    expect(x.to('fake:1').data_ptr()).toBe(x.data_ptr());
    expect(x.to('fake:0').device.toString()).toBe('fake:0');
  });

  test('strided tensors keep their values', () => {
    const x = torch.arange(6).reshape(2, 3).t();
    expect(x.to('fake').tolist()).toEqual(x.tolist());
    const y = torch.arange(6).reshape(2, 3).to('fake').t();
    expect(y.cpu().tolist()).toEqual(x.tolist());
  });

  test('empty and 0-d tensors', () => {
    expect(torch.zeros(0, 3).to('fake').cpu().shape).toEqual([0, 3]);
    expect(torch.tensor(2.5).to('fake').item()).toBe(2.5);
  });

  test('factories make tensors there', () => {
    expect(torch.ones(2, 2, { device: 'fake:1' }).device.toString()).toBe('fake:1');
    expect(torch.zeros_like(torch.ones(2, { device: 'fake' })).device.toString()).toBe('fake:0');
    expect(torch.full([2], 7, { device: 'fake' }).tolist()).toEqual([7, 7]);
    expect(torch.arange(4, { device: 'fake' }).tolist()).toEqual([0, 1, 2, 3]);
  });

  test('printing names the device', () => {
    expect(torch.tensor([1.5, 2]).to('fake:1').toString()).toBe("tensor([1.5000, 2.0000], device='fake:1')");
  });

  test('copy_ crosses devices, casts and broadcasts', () => {
    const to = torch.zeros(2, 3, { device: 'fake' });
    to.copy_(torch.tensor([1, 2, 3], { dtype: 'int64' }));
    expect(to.tolist()).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    const host = torch.zeros(3);
    host.copy_(to.select(0, 1));
    expect(host.tolist()).toEqual([1, 2, 3]);
  });
});

describe('device checks', () => {
  const cpu = torch.tensor([1, 2]);
  const fake = cpu.to('fake');
  const other = cpu.to('fake:1');

  test('operands must share a device', () => {
    expect(() => fake.add(cpu)).toThrow(`${MIXED}, fake:0 and cpu!`);
    expect(() => fake.mul(other)).toThrow(`${MIXED}, fake:0 and fake:1!`);
    expect(() => torch.where(fake.gt(1), fake, cpu)).toThrow(MIXED);
    expect(() => torch.cat([fake, cpu])).toThrow(MIXED);
    expect(() => torch.mm(fake.reshape(1, 2), cpu.reshape(2, 1))).toThrow(MIXED);
  });

  test('a 0-d tensor of the CPU may join', () => {
    expect(fake.add(torch.tensor(1)).tolist()).toEqual([2, 3]);
    expect(fake.mul(2).tolist()).toEqual([2, 4]);
  });

  test('after a refusal the device goes on working', () => {
    expect(() => fake.add(cpu)).toThrow(MIXED);
    expect(fake.add(fake).tolist()).toEqual([2, 4]);
  });

  test('an index that is not there', () => {
    expect(() => torch.zeros(1, { device: 'fake:2' })).toThrow('CUDA error: invalid device ordinal');
  });

  test('an unknown device type', () => {
    expect(() => torch.zeros(1, { device: 'gpu' })).toThrow(
      'Expected one of cpu, cuda device type at start of device string: gpu',
    );
  });
});

describe('autograd across devices', () => {
  test('gradients return to the device of their leaf', () => {
    const w = torch.tensor([1, 2, 3], { requires_grad: true });
    const x = torch.tensor([4, 5, 6]).to('fake');
    const y = w.to('fake').mul(x).to('fake:1').pow(2).sum().cpu();
    y.backward();
    expect(w.grad?.device.toString()).toBe('cpu');
    expect(w.grad?.tolist()).toEqual([32, 100, 216]);
  });

  test('a leaf on the device has its gradient there', () => {
    const w = torch.tensor([1, 2], { device: 'fake', requires_grad: true });
    w.mul(w).sum().backward();
    expect(w.grad?.device.toString()).toBe('fake:0');
    expect(w.grad?.tolist()).toEqual([2, 4]);
  });

  test('twice', () => {
    const w = torch.tensor([2, 3], { requires_grad: true });
    const y = w.to('fake').pow(3).sum();
    const [g] = torch.autograd.grad(y, w, { create_graph: true });
    g.sum().backward();
    expect(w.grad?.tolist()).toEqual([12, 18]);
  });
});

describe('training', () => {
  const run = (
    device: string,
    make: (p: Tensor[]) => optim.Optimizer,
  ): { losses: number[]; weights: unknown } => {
    torch.manual_seed(0);
    const net = new nn.Sequential(new nn.Linear(8, 16), new nn.ReLU(), new nn.Linear(16, 3));
    const x = torch.randn(32, 8);
    const t = torch.randn(32, 3);
    net.to(device);
    const opt = make([...net.parameters()]);
    const losses: number[] = [];
    for (let step = 0; step < 10; ++step) {
      opt.zero_grad();
      const loss = net(x.to(device)).sub(t.to(device)).pow(2).sum().div(96);
      loss.backward();
      opt.step();
      losses.push(loss.item());
    }
    return { losses, weights: [...net.parameters()].map((p) => p.detach().cpu().tolist()) };
  };

  test.each([
    ['SGD with momentum', (p: Tensor[]) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 })],
    ['Adam', (p: Tensor[]) => new optim.Adam(p, { lr: 0.01 })],
    ['RMSprop', (p: Tensor[]) => new optim.RMSprop(p, { lr: 0.01, centered: true })],
  ])('%s on the fake device is what it is on the CPU', (_, make) => {
    const cpu = run('cpu', make);
    const fake = run('fake', make);
    expect(cpu.losses[9]).toBeLessThan(cpu.losses[0]);
    if (process.env['SCONCE_FAKE_KERNELS'] === undefined) {
      expect(fake).toEqual(cpu);
    } else {
      // Other kernels, other rounding.
      fake.losses.forEach((loss, i) => expect(loss).toBeCloseTo(cpu.losses[i], 4));
    }
  });
});
