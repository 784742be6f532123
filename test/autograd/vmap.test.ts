/** torch.vmap against what PyTorch answers (recorded by scripts/record_autograd_vmap.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { nn, type Tensor } from '../../lib';

interface Fixture {
  messages: Record<string, { type: string; message: string }>;
  draws: Record<string, unknown>;
  printed: string[];
  geometry: [unknown[], number[], unknown];
  promotion: Record<string, [string, string]>;
  structures: Record<string, unknown>;
}
const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd', 'vmap.json'), 'utf8'),
) as Fixture;

const { vmap } = torch;
const xs = (): Tensor => torch.arange(6).float().reshape(3, 2).div(4).sub(0.5);
const long = (...values: number[]): Tensor => torch.tensor(values).long();
const f = (a: Tensor): Tensor => a;
const in_place = (fn: (z: Tensor, a: Tensor) => unknown): unknown =>
  vmap((a: Tensor) => fn(torch.zeros(2), a))(xs());

const any = (v: unknown): any => v;

const messages: Record<string, () => unknown> = {
  in_dim_out_of_range: () => vmap(f, { in_dims: 2 })(xs()),
  in_dim_of_a_scalar: () => vmap(f)(torch.tensor(1)),
  in_dims_none: () => vmap(f, { in_dims: null })(xs()),
  in_dims_float: () => vmap(f, 1.5)(xs()),
  in_dims_structure: () => vmap(f, [0, 0])(xs()),
  in_dims_nested_structure: () => vmap(f, [[0]])(any({ a: xs() })),
  in_dims_not_an_int: () => vmap(f, any(['a']))(xs()),
  in_dims_all_none: () => vmap(f, [null])(xs()),
  not_a_tensor: () => vmap(f)(any(1.5)),
  sizes_differ() {
    const g = (a: Tensor, _b: Tensor): Tensor => a;
    return vmap(g)(xs(), torch.ones(4));
  },
  no_inputs() {
    const g = (): Tensor => torch.ones(1);
    return vmap(g)();
  },
  returns_a_number() {
    const g = (_a: Tensor): number => 1;
    return vmap(g)(xs());
  },
  returns_none_inside() {
    const g = (a: Tensor): unknown => ({ a, b: null });
    return vmap(g)(xs());
  },
  out_dim_none: () => vmap(f, { out_dims: null })(xs()),
  out_dim_string: () => vmap(f, 0, any('a'))(xs()),
  out_dim_out_of_range: () => vmap(f, 0, 3)(xs()),
  out_dims_structure() {
    const g = (a: Tensor): Tensor[] => [a, a];
    return vmap(g, { out_dims: [0] })(xs());
  },
  out_dims_too_many: () => vmap(f, { out_dims: [0, 0] })(xs()),
  unknown_randomness: () => vmap(f, { randomness: any('foo') })(xs()),
  chunk_size_zero: () => vmap(f, { chunk_size: 0 })(xs()),
  item: () => vmap((a: Tensor) => a.sum().item())(xs()),
  tolist: () => vmap((a: Tensor) => a.tolist() as unknown)(xs()),
  contains: () => vmap((a: Tensor) => a.contains(1))(xs()),
  nonzero: () => vmap((a: Tensor) => a.nonzero())(xs()),
  mask: () => vmap((a: Tensor) => a.index([a.gt(0)]))(xs()),
  masked_select: () => vmap((a: Tensor) => a.masked_select(a.gt(0)))(xs()),
  equal: () => vmap((a: Tensor) => torch.equal(a, a))(xs()),
  allclose: () => vmap((a: Tensor) => torch.allclose(a, a))(xs()),
  where_condition: () => vmap((a: Tensor) => torch.where(a.gt(0)))(xs()),
  data: () => vmap((a: Tensor) => a.data)(xs()),
  backward: () => vmap((a: Tensor) => a.sum().backward())(xs().requires_grad_()),
  requires_grad: () => vmap((a: Tensor) => a.requires_grad_())(xs()),
  copy_into_shared: () => in_place((z, a) => z.copy_(a)),
  mul_into_shared: () => in_place((z, a) => z.mul_(a)),
  masked_fill_of_shared: () => in_place((z, a) => z.masked_fill_(a.gt(0), 1)),
  fill_of_shared: () => in_place((z, a) => z.fill_(a.index(0))),
  scatter_into_shared: () => in_place((z, a) => z.scatter_(0, long(0), a.narrow(0, 0, 1))),
  index_put_into_shared: () => in_place((z, a) => z.index_put_([long(0)], a.index(0))),
  random_refused: () => vmap((a: Tensor) => a.add(torch.randn(2)))(xs()),
  dropout_refused: () => vmap((a: Tensor) => nn.functional.dropout(a))(xs()),
  random_into_shared: () => vmap((_a: Tensor) => torch.ones(4).normal_(), { randomness: 'different' })(xs()),
  bernoulli_same: () => vmap((a: Tensor) => torch.bernoulli(a), { randomness: 'same' })(xs().sigmoid()),
};

const error_names: Record<string, string> = { IndexError: 'RangeError', TypeError: 'TypeError' };
/** An anonymous function is `<lambda>` in Python; ours takes the name of what it is assigned to. */
describe('refusals', () => {
  test('are all tried', () => {
    expect(Object.keys(messages).sort()).toEqual(Object.keys(recorded.messages).sort());
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

describe('random numbers', () => {
  const functions: Record<string, [fn: (a: Tensor) => Tensor, x?: Tensor]> = {
    randn: [() => torch.randn(2)],
    rand: [(a) => torch.rand(2).add(a)],
    randint: [() => torch.randint(0, 10, [2])],
    randn_like: [(a) => torch.randn_like(a)],
    'rand_like of a shared tensor': [() => torch.rand_like(torch.ones(2))],
    normal_: [(a) => a.clone().normal_()],
    uniform_: [(a) => a.clone().uniform_()],
    bernoulli: [(a) => torch.bernoulli(a), xs().sigmoid()],
    bernoulli_: [(a) => a.clone().bernoulli_(0.5)],
    multinomial: [(a) => torch.multinomial(a, 2), xs().sigmoid()],
    normal: [(a) => torch.normal(a, torch.ones(2))],
  };
  test.each(Object.entries(recorded.draws))('%s', (name, theirs) => {
    const at = name.lastIndexOf(' ');
    const [fn, x] = functions[name.slice(0, at)];
    const mapped = vmap(fn, { randomness: name.slice(at + 1) as 'same' | 'different' });
    torch.manual_seed(3);
    if (typeof theirs === 'string') {
      expect(() => mapped(x ?? xs())).toThrow(theirs);
      return;
    }
    const ours = mapped(x ?? xs());
    expect(torch.allclose(ours.float(), torch.tensor(theirs as number[][]), 1e-5, 1e-6)).toBe(true);
  });

  test('dropout draws a mask per sample, or one for all', () => {
    const ones = torch.ones(4, 64);
    const different = vmap((a: Tensor) => nn.functional.dropout(a), { randomness: 'different' })(ones);
    expect(torch.equal(different.index(0), different.index(1))).toBe(false);
    const same = vmap((a: Tensor) => nn.functional.dropout(a), { randomness: 'same' })(ones);
    for (const row of same) expect(torch.equal(row, same.index(0))).toBe(true);
    expect(new Set(same.index(0).tolist() as number[])).toEqual(new Set([0, 2]));
  });
});

describe('what a function sees', () => {
  test('prints', () => {
    const out: string[] = [];
    const g = (a: Tensor): Tensor => {
      out.push(a.toString(), a.sum().mul(2).toString());
      return a;
    };
    vmap(g)(xs());
    vmap(vmap(g))(torch.ones(2, 2, 2));
    expect(out).toEqual(recorded.printed);
  });

  test('has one sample’s geometry', () => {
    const out: unknown[] = [];
    const g = (a: Tensor): Tensor => {
      out.push([a.shape, a.dim(), a.numel(), a.stride(), a.is_contiguous(), `torch.${a.dtype}`, a._version]);
      return a.T;
    };
    const result = vmap(g, 1, 2)(torch.arange(24).float().reshape(2, 4, 3));
    expect([out, result.shape, result.tolist()]).toEqual(recorded.geometry);
  });

  test.each(Object.entries(recorded.promotion))('promotes %s', (name, [sum, product]) => {
    const [a, b, rank] = name.split(' ') as ['float32', 'int64', string];
    const x = torch.ones(3, { dtype: a });
    const y = torch.ones(rank === '1' ? [3, 2] : [3], { dtype: b });
    expect(vmap(torch.add as (a: Tensor, b: Tensor) => Tensor)(x, y).dtype).toBe(sum);
    const mul = torch.mul as (a: Tensor, b: Tensor) => Tensor;
    expect(vmap(mul, { in_dims: [0, null] })(x, y.select(0, 0)).dtype).toBe(product);
  });
});

test('nested inputs and outputs, chunks, negative and absent dimensions', () => {
  const x = xs();
  const g = (p: { a: Tensor; b: Tensor[] }): { sum: Tensor; pair: Tensor[] } => ({
    sum: p.a.add(p.b[0]),
    pair: [p.a.sum(), p.b[1]],
  });
  const nested = vmap(g, { in_dims: [{ a: 0, b: [1, null] }] })({ a: x, b: [x.T, torch.ones(2)] });
  const chunked = vmap((a: Tensor) => [a, a.sum()], { out_dims: [1, 0], chunk_size: 2 })(x);
  expect({
    nested: { sum: nested.sum.tolist() as unknown, pair: nested.pair.map((t) => t.tolist() as unknown) },
    chunked: chunked.map((t) => t.tolist() as unknown),
    negative: vmap((a: Tensor) => a.mul(2), -1, -1)(x).tolist() as unknown,
    shared: vmap((_a: Tensor) => torch.ones(2), { out_dims: null })(x).tolist() as unknown,
  }).toEqual(recorded.structures);
});

test('Maps are containers too', () => {
  const out = vmap((m: Map<string, Tensor>) => new Map([['y', (m.get('x') as Tensor).mul(2)]]))(
    new Map([['x', xs()]]),
  );
  expect((out.get('y') as Tensor).tolist()).toEqual(xs().mul(2).tolist());
});

describe('indexing', () => {
  const x = torch.arange(24).float().reshape(2, 3, 4);
  const i = long(2, 0);
  const looped = (fn: (a: Tensor, i: Tensor) => Tensor): unknown =>
    torch.stack([fn(x.select(0, 0), i.select(0, 0)), fn(x.select(0, 1), i.select(0, 1))]).tolist();
  const cases: Record<string, (a: Tensor, i: Tensor) => Tensor> = {
    'a row per sample': (a, k) => a.index([k]),
    'a column per sample': (a, k) => a.index([torch.Slice(), k]),
    'rows and a column': (a, k) => a.index([long(0, 2), k]),
    'beside slices and new dimensions': (a, k) => a.index(['...', null, k]),
    'tensors apart': (a, k) =>
      a
        .unsqueeze(1)
        .expand(3, 2, 4)
        .index([k.unsqueeze(0), torch.Slice(), long(1, 3)]),
    'a number and a slice': (a, k) => a.index([-1, torch.Slice(1, null, 2)]).add(k),
    'a shared tensor': (a, k) => torch.arange(5).float().index([k]).add(a),
    'a shared mask': (a, k) => a.index([torch.tensor([true, false, true])]).add(k),
  };
  test.each(Object.entries(cases))('reads %s', (_name, fn) => {
    expect(vmap(fn)(x, i).tolist()).toEqual(looped(fn));
  });
  const writes: Record<string, (a: Tensor, i: Tensor) => Tensor> = {
    'a row per sample': (a, k) => a.clone().index_put_([k], 9),
    'other values per sample': (a, k) => a.clone().index_put_([torch.Slice(), k], a.sum(1)),
    'a shared row': (a, k) => a.clone().index_put_([1], k.float()),
    'repeated positions': (a, k) => a.clone().index_put_([long(1, 1)], k.float(), true),
    'a copy': (a, k) => a.index_put([k], a.sum()),
    'where a mask says': (a, k) => a.clone().index_put_([a.gt(5)], k.float()),
  };
  test.each(Object.entries(writes))('writes %s', (_name, fn) => {
    expect(vmap(fn)(x, i).tolist()).toEqual(looped(fn));
  });
});

describe('in place', () => {
  test('writes reach the tensor that was mapped over', () => {
    const x = xs();
    vmap((a: Tensor) => a.add_(1))(x);
    expect(x.tolist()).toEqual(xs().add(1).tolist());
    vmap((a: Tensor) => a.T.index_put_([0], 7), 1)(x);
    expect(x.tolist()).toEqual([[7, 7], [1.0, 1.25], [1.5, 1.75]]); // prettier-ignore
  });
  test('views of a sample share its memory', () => {
    const x = torch.zeros(2, 3);
    vmap((a: Tensor) => {
      a.narrow(0, 1, 2).fill_(1);
      return a.view(3, 1).select(0, 0).add_(2);
    })(x);
    expect(x.tolist()).toEqual([[2, 1, 1], [2, 1, 1]]); // prettier-ignore
  });
  test('shapes change for the function alone', () => {
    const x = torch.zeros(2, 1, 3);
    const shapes = vmap((a: Tensor) => {
      a.squeeze_(0).unsqueeze_(1);
      expect(a.shape).toEqual([3, 1]);
      return a.t_();
    })(x).shape;
    expect(shapes).toEqual([2, 1, 3]);
    expect(x.shape).toEqual([2, 1, 3]);
  });
});

test('numbers that differ by sample are tensors, and no numbers', () => {
  const low = torch.tensor([0, -0.25, 0.5]);
  const clamped = vmap((a: Tensor, l: Tensor) => a.clamp(l, l.add(0.5)))(xs(), low);
  const column = low.unsqueeze(1);
  expect(clamped.tolist()).toEqual(torch.minimum(torch.maximum(xs(), column), column.add(0.5)).tolist());
  expect(() => vmap((l: Tensor) => torch.full([2], l as unknown as number))(low)).toThrow('calling .item()');
});

test('a batched tensor that outlived its vmap says so', () => {
  let kept: Tensor | null = null;
  vmap((a: Tensor) => (kept = a))(xs());
  expect(() => vmap((a: Tensor) => a.add(kept as unknown as Tensor))(xs())).toThrow('had ended');
});

test('an exception leaves no vmap behind', () => {
  const failing = vmap((_a: Tensor) => {
    throw new Error('mine');
  });
  expect(() => failing(xs())).toThrow('mine');
  expect(torch.randn(2).shape).toEqual([2]);
  expect(xs().requires_grad_().requires_grad).toBe(true);
});

describe('custom functions', () => {
  class Twice extends torch.autograd.Function {
    static override forward(x: Tensor): Tensor {
      return x.mul(2);
    }
    static override setup_context(): void {}
    static override backward(_ctx: unknown, g: Tensor): Tensor {
      return g.mul(2);
    }
  }
  class Old extends torch.autograd.Function {
    static override forward(_ctx: unknown, x: Tensor): Tensor {
      return x.mul(2);
    }
  }
  class Own extends Twice {
    static override vmap(
      info: { batch_size: number },
      in_dims: (number | null)[],
      x: Tensor,
    ): [Tensor, number] {
      expect([info, in_dims]).toEqual([{ batch_size: 3, randomness: 'error' }, [1]]);
      return [Own.apply(x.mul(5)) as Tensor, 1];
    }
  }
  class Wrong extends Twice {
    static override vmap(): [Tensor, number] {
      return torch.ones(3) as unknown as [Tensor, number];
    }
  }
  class Both extends Own {
    static override generate_vmap_rule = true;
  }
  /** `x³y`, whose derivatives leave no doubt about what was saved. */
  class Product extends torch.autograd.Function {
    static override generate_vmap_rule = true;
    static override forward(x: Tensor, y: Tensor): Tensor[] {
      expect(x.dim()).toBe(1);
      return [x.pow(3).mul(y), x.sum()];
    }
    static override setup_context(ctx: torch.autograd.FunctionCtx, inputs: Tensor[]): void {
      ctx.save_for_backward(...inputs);
      ctx.save_for_forward(...inputs);
    }
    static override backward(ctx: torch.autograd.FunctionCtx, g: Tensor, h: Tensor): Tensor[] {
      const [x, y] = ctx.saved_tensors;
      return [g.mul(x.square().mul(y).mul(3)).add(h), g.mul(x.pow(3))];
    }
    static override jvp(ctx: torch.autograd.FunctionCtx, a: Tensor, b: Tensor): Tensor[] {
      const [x, y] = ctx.saved_tensors;
      return [x.square().mul(y).mul(3).mul(a).add(x.pow(3).mul(b)), a.sum()];
    }
  }
  const product = (x: Tensor, y: Tensor): Tensor => {
    const [p, s] = Product.apply(x, y) as Tensor[];
    return p.sum().mul(s);
  };
  const plain = (x: Tensor, y: Tensor): Tensor => x.pow(3).mul(y).sum().mul(x.sum());
  const [many, one] = [torch.tensor([[1, -2], [0.5, 3], [2, 0.25]]), torch.tensor([0.75, -1.5])]; // prettier-ignore

  test('run by a rule made of their parts', () => {
    const in_dims = [0, null];
    const close = (a: Tensor, b: Tensor): void => expect(torch.allclose(a, b, 1e-4, 1e-5)).toBe(true);
    close(vmap(product, { in_dims })(many, one), vmap(plain, { in_dims })(many, one));
    const { grad, hessian, jvp } = torch.func;
    for (const argnums of [0, 1]) {
      const ours = vmap(grad(product, { argnums }), { in_dims })(many, one);
      close(ours, vmap(grad(plain, { argnums }), { in_dims })(many, one));
    }
    const push = (f: typeof plain) => (x: Tensor, y: Tensor) => jvp(f, [x, y], [y, x])[1];
    close(vmap(push(product), { in_dims })(many, one), vmap(push(plain), { in_dims })(many, one));
    const both = torch.stack([many, many.add(1)]);
    const twice = (f: typeof plain) => vmap(vmap(grad(f), { in_dims }), { in_dims });
    close(twice(product)(both, one), twice(plain)(both, one));
    const curve = (f: typeof plain) => vmap((x: Tensor) => hessian((z: Tensor) => f(z, one))(x));
    close(curve(product)(many), curve(plain)(many));
    const shared = one.clone().requires_grad_();
    vmap(product, { in_dims })(many, shared).sum().backward();
    const reference = one.clone().requires_grad_();
    vmap(plain, { in_dims })(many, reference).sum().backward();
    close(shared.grad!, reference.grad!);
  });
  test('run by a rule of their own', () => {
    expect(vmap(Own.apply.bind(Own), { in_dims: 1 })(torch.ones(2, 3)).shape).toEqual([3, 2]);
  });
  test('say what they lack', () => {
    const call = (fn: typeof torch.autograd.Function) => () =>
      vmap((x: Tensor) => fn.apply(x) as Tensor)(torch.ones(3));
    expect(call(Twice)).toThrow(
      'You tried to vmap over Twice, but it does not have vmap support. Please override and implement the vmap staticmethod or set generate_vmap_rule=True. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html',
    );
    expect(call(Old)).toThrow(
      'In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the setup_context staticmethod. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html',
    );
    expect(call(Wrong)).toThrow(
      "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible with the output. Got a <class 'Tensor'> instead",
    );
    expect(call(Both)).toThrow(
      'You tried to vmap over Both, but it has both generate_vmap_rule=True and an overridden vmap staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid ambiguity. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html',
    );
  });
});
