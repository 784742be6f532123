/** Forward mode by hand: dual tensors, against what PyTorch prints and says (scripts/record_autograd_forward_ad.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { type Tensor } from '../../lib';
import { native } from '../../lib/native';

const { dual_level, enter_dual_level, exit_dual_level, make_dual, unpack_dual } = torch.autograd.forward_ad;
const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd', 'forward_ad.json'), 'utf8'),
) as { values: Record<string, string>; errors: Record<string, { type: string; message: string }> };

const x = (): Tensor => torch.tensor([1, 2], { requires_grad: true });
const dual = (): Tensor => make_dual(x(), torch.tensor([1, 3]));
const rectangle = (): Tensor =>
  make_dual(torch.arange(6, { dtype: torch.float32 }).reshape(2, 3), torch.ones(2, 3));
const text = (t: Tensor | null): string => (t === null ? 'None' : t.toString());
const tangent_of = (f: () => Tensor) => () =>
  dual_level(() => text(unpack_dual(f()).tangent?.detach() ?? null));
const in_level = (f: () => Tensor) => () => dual_level(() => f().toString());
const from_one = torch.Slice(1);

const values: Record<string, () => string> = {
  'prints a leaf': in_level(() => make_dual(torch.ones(2), torch.zeros(2))),
  'prints a result': in_level(() => dual().exp()),
  'tangent of a product': tangent_of(() => dual().mul(dual()).sum()),
  'tangent of a constant result': tangent_of(() => dual().floor()),
  'no tangent': tangent_of(() => torch.ones(2).mul(2)),
  detached: tangent_of(() => dual().detach()),
  'a view': tangent_of(() => dual().index(1)),
  'a view of a view': tangent_of(() => rectangle().t().index(from_one).reshape(-1)),
  sorted: tangent_of(() => dual().sort({ descending: true })[0]),
  indexed: tangent_of(() => dual().index(torch.tensor([1, 1, 0], { dtype: 'int64' }))),
  concatenated: tangent_of(() => torch.cat([dual(), torch.zeros(1), dual()])),
  'a matrix product': tangent_of(() => rectangle().matmul(rectangle().t())),
  softmax: tangent_of(() => torch.softmax(dual(), 0)),
  'written through a view': tangent_of(() => {
    const q = torch.zeros(3);
    q.index(from_one).copy_(dual());
    q.index(from_one).mul_(2);
    return q;
  }),
  'a view of what is written': tangent_of(() => {
    const q = torch.zeros(2);
    const first = q.index(0);
    q.copy_(dual());
    return first;
  }),
  overwritten: tangent_of(() => dual().mul(1).zero_()),
  'transposed in place': tangent_of(() => rectangle().mul(1).t_()),
  'after the level': () => {
    const [d, y] = dual_level(() => {
      const inner = dual();
      return [inner, inner.exp()];
    });
    return `${text(unpack_dual(d).tangent)} ${text(unpack_dual(y).tangent)} ${y.toString()}`;
  },
  'of a gradient': () =>
    dual_level(() => {
      const d = make_dual(x(), torch.tensor([1, 3]));
      return text(unpack_dual(torch.autograd.grad(d.pow(3).sum(), d)[0]).tangent);
    }),
  'gradient of a tangent': () =>
    dual_level(() => {
      const a = x();
      const t = unpack_dual(
        make_dual(a, torch.tensor([1, 3]))
          .pow(3)
          .sum(),
      ).tangent!;
      return text(torch.autograd.grad(t, a)[0]);
    }),
  'gradient with respect to a tangent': () => {
    const t = torch.tensor([1, 3], { requires_grad: true });
    const y = dual_level(() => unpack_dual(make_dual(x().detach(), t).square().sum()).tangent!);
    return text(torch.autograd.grad(y, t)[0]);
  },
  'under no_grad': () => torch.no_grad(() => dual_level(() => text(unpack_dual(dual().exp()).tangent))),
};

test('the same cases are recorded', () => {
  expect(Object.keys(values)).toEqual(Object.keys(recorded.values));
  expect(Object.keys(errors)).toEqual(Object.keys(recorded.errors));
});

test.each(Object.keys(values))('%s', (name) => {
  expect(values[name]()).toBe(recorded.values[name]);
});

const errors: Record<string, () => unknown> = {
  'no level': () => make_dual(x(), torch.ones(2)),
  'nested levels': () => dual_level(() => enter_dual_level()),
  'exit another level': () => dual_level(() => exit_dual_level({ level: 3 })),
  'exit without a level': () => exit_dual_level(),
  'twice dual': () => dual_level(() => make_dual(dual(), torch.ones(2))),
  'another size': () => dual_level(() => make_dual(x(), torch.ones(3))),
  'integer primal': () => dual_level(() => make_dual(torch.tensor([1], { dtype: 'int64' }), torch.ones(1))),
  'integer tangent': () => dual_level(() => make_dual(torch.ones(1), torch.tensor([1], { dtype: 'int64' }))),
};

test.each(Object.keys(errors))('refuses: %s', (name) => {
  expect(errors[name]).toThrow(expect.objectContaining({ message: recorded.errors[name].message }));
});

test('a level that an exception leaves is closed', () => {
  expect(() =>
    dual_level(() => {
      throw new RangeError('mine');
    }),
  ).toThrow(new RangeError('mine'));
  expect(dual_level(() => text(unpack_dual(torch.ones(1)).tangent))).toBe('None');
});

test('a scope left by using', () => {
  {
    using level = dual_level();
    expect(level.level).toBeGreaterThanOrEqual(0);
    expect(unpack_dual(dual()).tangent).not.toBeNull();
  }
  expect(() => dual()).toThrow('no level exists');
});

test('an in-place operator leaves the tangent that a formula saved', () => {
  dual_level(() => {
    const a = torch.tensor([2, 3], { requires_grad: true, dtype: 'float64' });
    const d = make_dual(a, torch.tensor([1, 1], { dtype: 'float64' })).mul(1);
    const product = d.mul(d);
    product.mul_(d); // a^3, its tangent 3 a^2
    const t = unpack_dual(product).tangent!;
    expect(t.detach().tolist()).toEqual([12, 27]);
    expect(torch.autograd.grad(t.sum(), a)[0].tolist()).toEqual([12, 18]);
  });
});

test('an expanded primal has a tangent of its own elements', () => {
  dual_level(() => {
    const d = make_dual(torch.ones(1).expand(3), torch.tensor([1, 2, 3]));
    expect(unpack_dual(d.mul(2)).tangent!.tolist()).toEqual([2, 4, 6]);
    expect(unpack_dual(d.index(1)).tangent!.item()).toBe(2);
  });
});

test('nothing is recorded for forward mode alone', () => {
  const before = native.live_nodes();
  dual_level(() => {
    let d = make_dual(torch.ones(2), torch.ones(2));
    for (let i = 0; i < 100; ++i) d = d.sin().mul(2);
    expect(d.requires_grad).toBe(false);
    expect(native.live_nodes()).toBeLessThanOrEqual(before); // (others may be collected meanwhile)
  });
});

test('tangents do not outlive their level', () => {
  const held = dual_level(() => {
    const d = make_dual(torch.ones(1024), torch.ones(1024));
    return [d, d.view([32, 32]), d.mul(2)];
  });
  for (const t of held) expect(native.carries_tangent(t._h)).toBe(false);
  expect(held[2].mul(2).sum().item()).toBe(4096);
});

test('levels of interleaved async functions are their own', async () => {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const task = (k: number): Promise<number> =>
    dual_level(async () => {
      let d = make_dual(torch.tensor([1]), torch.tensor([k]));
      for (let i = 0; i < 4; ++i) {
        await pause((k * 7 + i * 5) % 11);
        d = d.mul(2);
      }
      return unpack_dual(d).tangent!.item();
    });
  const tasks = Array.from({ length: 8 }, (_, k) => task(k + 1));
  expect(() => dual()).toThrow('no level exists');
  expect(await Promise.all(tasks)).toEqual(tasks.map((_, k) => 16 * (k + 1)));
  expect(native.visible_dual_levels()).toBe(0n);
});
