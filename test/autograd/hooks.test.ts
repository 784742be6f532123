/** Hooks on tensors and on nodes: order, what they may give back, in-place writes, passes that catch gradients. */
import torch, { autograd, type Tensor } from '../../lib';
import { collect } from './collect';
import { matches_recorded } from './recorded';

const { register_multi_grad_hook } = autograd.graph;
type Hook = Parameters<Tensor['register_hook']>[0];
type NodeHook = autograd.graph.NodeHook;

const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const node = (t: Tensor): autograd.GradFn => t.grad_fn as autograd.GradFn;
const value = (t: Tensor | null): unknown => t?.tolist() ?? null;
const values = (ts: (Tensor | null)[]): unknown[] => ts.map(value);

class Stop extends autograd.Function {
  static override forward(_ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    return x.mul(1);
  }
  static override backward(): null {
    return null;
  }
}
const stop = (t: Tensor): Tensor => Stop.apply(t) as Tensor;

function hook_result(result: unknown, on_leaf = false): () => void {
  return () => {
    const my_hook = (): unknown => result;
    const x = leaf(2, 3);
    const y = x.mul(2);
    (on_leaf ? x : y).register_hook(my_hook as Hook);
    y.sum().backward();
  };
}
function node_result(result: unknown, pre = false): () => void {
  return () => {
    const my_hook = (): unknown => result;
    const y = leaf(2, 3).mul(leaf(1, 2));
    if (pre) node(y).register_prehook(my_hook as autograd.graph.NodePreHook);
    else node(y).register_hook(my_hook as NodeHook);
    y.sum().backward();
  };
}

matches_recorded('hooks', {
  order() {
    const x = leaf(2);
    const n: unknown[] = [];
    const note = (what: unknown) => () => void n.push(what);
    const y = x.mul(2);
    node(y).register_hook(note('post1'));
    node(y).register_prehook(note('pre1'));
    y.register_hook(note('tensor1'));
    y.retain_grad();
    y.register_hook(note('tensor2'));
    node(y).register_prehook(note('pre2'));
    node(y).register_hook(note('post2'));
    x.register_hook(note('leaf1'));
    x.register_post_accumulate_grad_hook(note('accumulated1'));
    x.register_hook(note('leaf2'));
    x.register_post_accumulate_grad_hook(note('accumulated2'));
    const sink = node(y).next_functions[0][0];
    sink?.register_hook((a, b) => void n.push(['sink post', values(a), values(b)]));
    sink?.register_prehook(note('sink pre'));
    y.backward();
    return n;
  },
  retained_is_what_hooks_made() {
    const x = leaf(2);
    const y = x.mul(2);
    y.retain_grad();
    y.register_hook((g) => g.mul(10));
    y.mul(3).sum().backward();
    return [value(y.grad), value(x.grad)];
  },
  retained_accumulates() {
    const y = leaf(2).mul(2);
    y.retain_grad();
    const z = y.mul(3).sum();
    z.backward({ retain_graph: true });
    const first = y.grad;
    z.backward();
    return [value(first), value(y.grad), y.grad === first];
  },
  in_place_after_hooks() {
    const x = leaf(2);
    const n: unknown[] = [];
    const y = x.mul(2);
    y.retain_grad();
    const handle = y.register_hook((g) => void n.push(g.item()));
    y.mul_(5);
    y.register_hook((g) => void n.push(['new', g.item()]));
    const z = y.mul(3).sum();
    z.backward({ retain_graph: true });
    handle.remove();
    z.backward();
    return [n, value(y.grad), value(x.grad)];
  },
  replaced_by_each() {
    const x = leaf(1, 2);
    const n: unknown[] = [];
    x.register_hook((g) => g.mul(2));
    x.register_hook((g) => void n.push(g.tolist()));
    x.register_hook((g) => g.add(1));
    x.register_hook((g) => void n.push(g.tolist()));
    x.mul(3).sum().backward();
    return [n, value(x.grad)];
  },
  nothing_arrives() {
    const x = leaf(2);
    const n: unknown[] = [];
    class Pass extends autograd.Function {
      static override forward(_ctx: autograd.FunctionCtx, t: Tensor): Tensor {
        return t.mul(1);
      }
      static override backward(_ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        n.push(['backward', g.tolist()]);
        return g;
      }
    }
    const y = x.mul(2);
    y.register_hook((g) => void n.push(['tensor', value(g)]));
    node(y).register_hook((a, b) => void n.push(['post', values(a), values(b)]));
    node(y).register_prehook((b) => void n.push(['pre', values(b)]));
    x.register_hook((g) => void n.push(['leaf', value(g)]));
    x.register_post_accumulate_grad_hook(() => void n.push('accumulated'));
    stop(y).backward();
    const first = value(x.grad);
    stop(Pass.apply(x) as Tensor).backward();
    return [n, first, value(x.grad)];
  },
  with_captures() {
    const grads = (also_x: boolean, node_hook: boolean): unknown[] => {
      const x = leaf(2);
      const y = x.mul(2);
      if (node_hook) node(y).register_prehook(([g]) => [g?.mul(10) ?? null]);
      else y.register_hook((g) => g.mul(10));
      return values(autograd.grad(y.mul(3).sum(), also_x ? [y, x] : [y]));
    };
    return [grads(false, false), grads(false, true), grads(true, false), grads(true, true)];
  },
  leaf_hooks_and_grad() {
    const x = leaf(2);
    const n: string[] = [];
    x.register_hook((g) => {
      n.push('hook');
      return g.mul(2);
    });
    x.register_post_accumulate_grad_hook(() => void n.push('accumulated'));
    const [g] = autograd.grad(x.mul(3).sum(), [x]);
    x.mul(3)
      .sum()
      .backward({ inputs: [x] });
    return [value(g), value(x.grad), n];
  },
  node_hooks_replace() {
    const [x, w] = [leaf(2, 3), leaf(1, 2)];
    const y = x.mul(w);
    node(y).register_prehook(([g]) => [g!.mul(7)]);
    node(y).register_hook(([g]) => [g!.mul(2), null]);
    node(y).register_hook(([g, h]) => [g!.add(1), h]);
    y.sum().backward();
    return [value(x.grad), value(w.grad)];
  },
  remove_while_running() {
    const x = leaf(2);
    const n: string[] = [];
    const first = x.register_hook(() => {
      n.push('first');
      first.remove();
    });
    const second = x.register_hook(() => void n.push('second'));
    x.mul(1).backward();
    x.mul(1).backward();
    second.remove();
    second.remove();
    x.mul(1).backward();
    return n;
  },
  several_outputs() {
    const x = leaf(3, 1, 2);
    const n: unknown[] = [];
    const [v] = x.sort();
    const [a, b] = x.mul(2).split([1, 2]);
    b.register_hook((g) => void n.push(['b', value(g)]));
    a.register_hook((g) => g.mul(5));
    v.register_hook((g) => g.mul(torch.tensor([1, 10, 100])));
    v.sum().add(a.sum()).backward();
    return [n, value(x.grad)];
  },
  multi_grad_all() {
    const [x, w] = [leaf(2), leaf(3)];
    const n: boolean[][] = [];
    const [a, b] = [x.mul(w), x.mul(2)];
    const unused = leaf(1).mul(1);
    const handle = register_multi_grad_hook([x, w, a, unused, b], (gs) => {
      n.push(gs.map((g) => g !== null));
    });
    a.sum().backward({ retain_graph: true });
    a.sum().backward({ inputs: [x], retain_graph: true });
    autograd.grad(a.add(b).sum(), [a, b], { retain_graph: true });
    handle.remove();
    a.sum().backward();
    return n;
  },
  multi_grad_any() {
    const [x, w] = [leaf(2), leaf(3)];
    const n: unknown[] = [];
    const a = x.mul(w);
    const b = a.mul(2);
    const handle = register_multi_grad_hook([x, a, b], (g: Tensor) => void n.push(g.item()), { mode: 'any' });
    b.backward({ retain_graph: true });
    a.backward({ retain_graph: true });
    handle.remove();
    b.backward();
    return n;
  },
  multi_grad_mode: () => register_multi_grad_hook([leaf(1)], () => undefined, { mode: 'some' as 'all' }),
  grad_mode_in_hooks() {
    const x = leaf(2);
    const n: boolean[] = [];
    const note = (): void => void n.push(torch.is_grad_enabled());
    const y = x.mul(x);
    y.register_hook(note);
    node(y).register_hook(note);
    y.backward({ create_graph: true });
    const z = x.mul(x);
    z.register_hook(note);
    z.backward();
    return n;
  },
  result_for_nothing() {
    const y = leaf(2).mul(2);
    y.register_hook(() => torch.ones(1));
    stop(y).backward();
  },
  accumulated_hook_returns() {
    const x = leaf(2);
    x.register_post_accumulate_grad_hook(() => 5);
    x.mul(2).backward();
  },
  wrong_size: hook_result(torch.ones(3)),
  wrong_size_broadcastable: hook_result(torch.ones(1)),
  wrong_dtype: hook_result(torch.ones(2, { dtype: 'float64' })),
  wrong_kind_of_dtype: hook_result(torch.ones(2, { dtype: 'int64' })),
  no_tensor: hook_result(5),
  no_tensor_but_list: hook_result([torch.ones(2)]),
  wrong_size_on_leaf: hook_result(torch.ones(3), true),
  node_single: node_result(torch.ones(2)),
  node_int: node_result(5),
  node_too_few: node_result([torch.ones(2)]),
  node_too_many: node_result([torch.ones(2), torch.ones(2), torch.ones(2)]),
  node_wrong_size: node_result([torch.ones(3), torch.ones(2)]),
  node_wrong_dtype: node_result([torch.ones(2).double(), torch.ones(2)]),
  node_no_tensor: node_result([5, torch.ones(2)]),
  node_pre_single: node_result(torch.ones(2), true),
  node_pre_too_many: node_result([torch.ones(2), torch.ones(2)], true),
  node_pre_wrong_size: node_result([torch.ones(3)], true),
  on_constant: () => torch.ones(1).register_hook(() => undefined),
  accumulated_on_constant: () => torch.ones(1).register_post_accumulate_grad_hook(() => undefined),
  accumulated_on_non_leaf: () =>
    leaf(2)
      .mul(2)
      .register_post_accumulate_grad_hook(() => undefined),
});

describe('after an error', () => {
  const failing: [string, (y: Tensor, fail: () => never) => void][] = [
    ['a tensor hook', (y, fail) => void y.register_hook(fail)],
    ['a node prehook', (y, fail) => void node(y).register_prehook(fail)],
    ['a node hook', (y, fail) => void node(y).register_hook(fail)],
  ];
  test.each(failing)('in %s everything is usable', (_, install) => {
    const x = leaf(3);
    const y = x.mul(x);
    const error = new RangeError('mine');
    let fail = true;
    install(y, (() => {
      if (fail) throw error;
    }) as () => never);
    const z = y.mul(2);
    let thrown: unknown;
    try {
      z.backward({ create_graph: true });
    } catch (e) {
      thrown = e;
    }
    expect(thrown).toBe(error);
    expect(torch.is_grad_enabled()).toBe(true);
    torch.no_grad(() => expect(() => z.backward({ retain_graph: true })).toThrow(error));
    fail = false;
    z.backward();
    expect(value(x.grad)).toEqual([12]);
  });

  test('in a custom backward the graph can run again', () => {
    let fail = true;
    class Fails extends autograd.Function {
      static override forward(ctx: autograd.FunctionCtx, t: Tensor): Tensor {
        const y = t.mul(t);
        ctx.save_for_backward(t, y);
        return y;
      }
      static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        if (fail) throw new TypeError('backward fails');
        return g.mul(ctx.saved_tensors[0]).mul(2);
      }
    }
    const x = leaf(3);
    const z = (Fails.apply(x.mul(1)) as Tensor).exp().log();
    expect(() => z.backward({ retain_graph: true })).toThrow(new TypeError('backward fails'));
    fail = false;
    z.backward();
    expect(x.grad?.item()).toBeCloseTo(6);
  });
});

describe('lifetime', () => {
  test('a handle keeps no graph alive', async () => {
    const handles: unknown[] = [];
    const make = (): WeakRef<object> => {
      const y = leaf(2).mul(2).exp();
      handles.push(y.register_hook(() => undefined));
      return new WeakRef(node(y));
    };
    const seen = make();
    await collect();
    expect(seen.deref()).toBeUndefined();
    expect(handles).toHaveLength(1);
  });

  test('a hook after accumulation gets the very tensor, and does not keep it', async () => {
    const make = (): WeakRef<object> => {
      const x = leaf(2);
      let same = false;
      x.register_post_accumulate_grad_hook((t) => {
        same = t.grad !== null;
      });
      x.mul(2).backward();
      expect(same).toBe(true);
      return new WeakRef(x);
    };
    const seen = make();
    await collect();
    expect(seen.deref()).toBeUndefined();
  });
});
