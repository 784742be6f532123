/** Hooks on what operators and custom functions save for backward. */
import { setTimeout as sleep } from 'node:timers/promises';
import torch, { autograd, type Tensor } from '../../lib';
import { matches_recorded } from './recorded';

const { disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks } = autograd.graph;
const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const same = (t: Tensor): Tensor => t;
const gradients = (...tensors: Tensor[]): unknown[] => tensors.map((t) => t.grad?.tolist());

matches_recorded('saved_tensors_hooks', {
  calls() {
    const seen: [string, number][] = [];
    const [x, w] = [leaf(2, 3), leaf(4, 5)];
    const note = (what: string) => (t: Tensor) => {
      seen.push([what, t.sum().item()]);
      return t;
    };
    const y = saved_tensors_hooks(note('pack'), note('unpack'), () => x.mul(w).sqrt());
    y.sum().backward();
    seen.sort((a, b) => a[0].localeCompare(b[0]) || a[1] - b[1]);
    return [seen, ...gradients(x, w)];
  },
  only_what_is_kept() {
    const seen: number[] = [];
    const [x, c] = [leaf(2), torch.tensor([4])];
    const pack = (t: Tensor): Tensor => {
      seen.push(t.item());
      return t;
    };
    saved_tensors_hooks(pack, same, () => {
      x.mul(c);
      x.div(c);
      x.pow(2);
      x.add(c);
      c.mul(c);
      torch.no_grad(() => x.mul(x));
    });
    return seen;
  },
  replaced_values() {
    const x = leaf(2, 3);
    const y = saved_tensors_hooks(
      (t) => t.detach().mul(10),
      (t) => t.add(1),
      () => x.mul(x),
    );
    y.sum().backward();
    return x.grad?.tolist();
  },
  double_backward() {
    const x = leaf(2, 3);
    const [y, z] = saved_tensors_hooks(
      (t) => t.detach().to_typed_array(),
      (a) => torch.from_typed_array(a, [2]),
      () => [x.mul(x).mul(x), x.exp()],
    );
    const [g] = autograd.grad(y.add(z).sum(), x, { create_graph: true });
    const [gg] = autograd.grad(g.sum(), x);
    return [g.tolist(), gg.tolist()];
  },
  custom_function() {
    const x = leaf(2);
    const seen: unknown[] = [];
    const packed: number[] = [];
    class Double extends autograd.Function {
      static override forward(ctx: autograd.FunctionCtx, t: Tensor): Tensor {
        const y = t.mul(2);
        ctx.save_for_backward(t, y);
        return y;
      }
      static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        const [a, b] = ctx.saved_tensors;
        seen.push([a.requires_grad, a.is_leaf, b.requires_grad, b.grad_fn?.name(), a.item(), b.item()]);
        return g.mul(2);
      }
    }
    const pack = (t: Tensor): Tensor => {
      packed.push(t.item());
      return t;
    };
    const y = saved_tensors_hooks(
      pack,
      (t) => t.detach(),
      () => Double.apply(x) as Tensor,
    );
    y.backward();
    return [seen, packed, x.grad?.tolist()];
  },
  innermost_alone() {
    const seen: string[] = [];
    const x = leaf(2);
    const hooked = (name: string, f: () => void): void => {
      const pack = (t: Tensor): Tensor => {
        seen.push(name);
        return t;
      };
      saved_tensors_hooks(pack, same, f);
    };
    hooked('outer', () => {
      hooked('inner', () => void x.exp());
      x.exp();
    });
    x.exp();
    return seen;
  },
  versions_are_not_checked() {
    const x = leaf(2);
    const [y, z] = saved_tensors_hooks(
      (t) => t.clone(),
      same,
      () => {
        const inner = x.mul(2);
        return [inner, inner.mul(inner)];
      },
    );
    y.add_(1);
    z.backward();
    return x.grad?.tolist();
  },
  in_place_operator() {
    const [x, w] = [leaf(1, 2), leaf(3, 4)];
    const y = x.mul(1);
    saved_tensors_hooks(
      (t) => t.detach(),
      same,
      () => {
        y.mul_(w);
        y.sigmoid_();
      },
    );
    y.sum().backward();
    return gradients(x, w);
  },
  unpacked_for_each_pass() {
    let times = 0;
    const x = leaf(2);
    const unpack = (t: Tensor): Tensor => {
      ++times;
      return t;
    };
    const y = saved_tensors_hooks(same, unpack, () => x.sqrt());
    y.backward({ retain_graph: true });
    y.backward();
    return [times, x.grad?.tolist()];
  },
  grad_mode() {
    const modes: boolean[] = [];
    const x = leaf(2);
    const note = (t: Tensor): Tensor => {
      modes.push(torch.is_grad_enabled());
      return t;
    };
    const y = saved_tensors_hooks(note, note, () => x.sqrt());
    autograd.grad(y, x, { create_graph: true });
    return modes;
  },
  on_cpu() {
    const x = leaf(2, 3);
    const y = save_on_cpu(() => x.mul(x));
    const z = save_on_cpu({ pin_memory: true }, () => x.mul(x));
    y.add(z).sum().backward();
    return x.grad?.tolist();
  },
  pack_throws() {
    const pack = (): never => {
      throw new Error('no room');
    };
    saved_tensors_hooks(pack, same, () => leaf(1).exp());
  },
  unpack_throws() {
    const unpack = (): never => {
      throw new Error('lost it');
    };
    saved_tensors_hooks(same, unpack, () => leaf(1).exp()).backward();
  },
  unpack_gives_none: () =>
    saved_tensors_hooks(
      same,
      () => null as unknown as Tensor,
      () => leaf(1).exp(),
    ).backward(),
  unpack_gives_str: () =>
    saved_tensors_hooks(
      same,
      () => 't' as unknown as Tensor,
      () => leaf(1).exp(),
    ).backward(),
  pack_in_place() {
    const x = leaf(2);
    saved_tensors_hooks(
      (t) => t.mul_(2),
      same,
      () => x.mul(1).mul(x),
    );
  },
  backward_twice() {
    const y = saved_tensors_hooks(same, same, () => leaf(1).exp());
    y.backward();
    y.backward();
  },
  hooks_while_disabled: () =>
    disable_saved_tensors_hooks('not in here', () => saved_tensors_hooks(same, same, () => null)),
  disabled_while_hooked: () =>
    saved_tensors_hooks(same, same, () => disable_saved_tensors_hooks('not in here', () => null)),
});

describe('scopes', () => {
  test('using, and the way back after an error', () => {
    let packs = 0;
    const pack = (t: Tensor): Tensor => {
      ++packs;
      return t;
    };
    const x = leaf(2);
    {
      using _ = saved_tensors_hooks(pack, same);
      x.exp();
    }
    expect(() =>
      saved_tensors_hooks(pack, same, () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    x.exp();
    expect(packs).toBe(1);
  });

  test('an async function keeps its hooks to itself', async () => {
    const seen: string[] = [];
    const x = leaf(2);
    const work = (name: string): Promise<void> =>
      saved_tensors_hooks(
        (t) => {
          seen.push(name);
          return t;
        },
        same,
        async () => {
          await sleep(1);
          x.exp();
          await sleep(1);
          x.exp();
        },
      );
    const both = Promise.all([work('a'), work('b')]);
    x.exp(); // outside
    await both;
    x.exp();
    expect(seen.sort()).toEqual(['a', 'a', 'b', 'b']);
  });

  test('what is no function is refused', () => {
    expect(() => saved_tensors_hooks(5 as unknown as typeof same, same)).toThrow(
      new TypeError("saved_tensors_hooks(): argument 'pack_hook' must be a function, not int"),
    );
  });
});

test('a pack hook that throws leaves the operator undone and everything usable', () => {
  const x = leaf(2);
  const y = x.mul(1);
  const pack = (): never => {
    throw new RangeError('full');
  };
  expect(() => saved_tensors_hooks(pack, same, () => y.mul_(leaf(3)))).toThrow(new RangeError('full'));
  expect([y.item(), y._version, torch.is_grad_enabled()]).toEqual([2, 0, true]);
  y.mul_(x).backward();
  expect(x.grad?.tolist()).toEqual([4]);
});
