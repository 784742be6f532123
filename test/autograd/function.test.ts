import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import torch, { autograd, nn, type Tensor } from '../../lib';
import { native } from '../../lib/native';
import { matches_recorded } from './recorded';

type Ctx = autograd.FunctionCtx;
const f64 = (v: number[]): Tensor => torch.tensor(v, { dtype: 'float64', requires_grad: true });

class Exp extends autograd.Function {
  static override forward(ctx: Ctx, x: Tensor): Tensor {
    const y = x.exp();
    ctx.save_for_backward(y);
    return y;
  }
  static override backward(ctx: Ctx, g: Tensor): Tensor {
    const [y] = ctx.saved_tensors;
    return g.mul(y);
  }
}

// Legendre polynomial of degree 3, as the PyTorch tutorial has it.
class LegendrePolynomial3 extends autograd.Function {
  static override forward(ctx: Ctx, input: Tensor): Tensor {
    ctx.save_for_backward(input);
    return input.pow(3).mul(5).sub(input.mul(3)).mul(0.5);
  }
  static override backward(ctx: Ctx, g: Tensor): Tensor {
    const [input] = ctx.saved_tensors;
    return g.mul(input.pow(2).mul(5).sub(1).mul(1.5));
  }
}

describe('custom functions', () => {
  test('forward, backward, node name', () => {
    const x = f64([0, 1]);
    const y = Exp.apply(x) as Tensor;
    expect(y.grad_fn?.name()).toBe('ExpBackward');
    expect(y.toString()).toBe('tensor([1.0000, 2.7183], dtype=torch.float64, grad_fn=<ExpBackward>)');
    y.sum().backward();
    expect(x.grad?.tolist()).toEqual([1, Math.E]);
  });

  test('first and second derivatives check, saved outputs included', () => {
    const x = f64([0.3, -0.7]);
    expect(autograd.gradcheck((t: Tensor) => Exp.apply(t) as Tensor, [x])).toBe(true);
    expect(autograd.gradgradcheck((t: Tensor) => Exp.apply(t) as Tensor, [x])).toBe(true);
    expect(autograd.gradcheck((t: Tensor) => LegendrePolynomial3.apply(t) as Tensor, [x])).toBe(true);
    expect(autograd.gradgradcheck((t: Tensor) => LegendrePolynomial3.apply(t) as Tensor, [x])).toBe(true);
  });

  test('a wrong backward is caught by gradcheck', () => {
    class Wrong extends autograd.Function {
      static override forward(ctx: Ctx, x: Tensor): Tensor {
        ctx.save_for_backward(x);
        return x.mul(x);
      }
      static override backward(ctx: Ctx, g: Tensor): Tensor {
        return g.mul(ctx.saved_tensors[0]); // lacks the factor 2
      }
    }
    expect(() => autograd.gradcheck((t: Tensor) => Wrong.apply(t) as Tensor, [f64([1, 2])])).toThrow(
      'Jacobian mismatch for output 0 with respect to input 0',
    );
    expect(
      autograd.gradcheck((t: Tensor) => Wrong.apply(t) as Tensor, [f64([1, 2])], { raise_exception: false }),
    ).toBe(false);
  });

  test('several inputs and outputs, constants, needs_input_grad, materialised gradients', () => {
    const flags: boolean[][] = [];
    class Scale extends autograd.Function {
      static override forward(ctx: Ctx, x: Tensor, k: number, y: Tensor): Tensor[] {
        ctx.k = k;
        flags.push(ctx.needs_input_grad);
        return [x.mul(k), y.mul(k)];
      }
      static override backward(ctx: Ctx, gx: Tensor, gy: Tensor): (Tensor | null)[] {
        expect(gy.tolist()).toEqual([0, 0]);
        return [gx.mul(ctx.k as number), null, gy.mul(ctx.k as number)];
      }
    }
    const x = f64([1, 2]);
    const y = torch.ones(2, { dtype: 'float64' });
    const [a] = Scale.apply(x, 3, y) as Tensor[];
    a.sum().backward();
    expect(x.grad?.tolist()).toEqual([3, 3]);
    expect(flags).toEqual([[true, false, false]]);
  });

  test('the number of gradients is checked', () => {
    class Short extends autograd.Function {
      static override forward(_ctx: Ctx, a: Tensor, b: Tensor): Tensor {
        return a.mul(b);
      }
      static override backward(_ctx: Ctx, g: Tensor): Tensor {
        return g;
      }
    }
    const y = Short.apply(f64([1]), f64([2])) as Tensor;
    expect(() => y.backward()).toThrow(
      'function ShortBackward returned an incorrect number of gradients (expected 2, got 1)',
    );
  });

  test('a second backward needs the graph', () => {
    const y = (Exp.apply(f64([1])) as Tensor).sum();
    y.backward();
    expect(() => y.backward()).toThrow('Trying to backward through the graph a second time');
  });

  test('a saved tensor that was written in place is refused', () => {
    const x = f64([1, 2]).mul(1);
    const y = LegendrePolynomial3.apply(x) as Tensor;
    x.add_(1);
    expect(() => y.sum().backward()).toThrow('modified by an inplace operation');
  });

  test('an error in backward reaches the caller', () => {
    class Bad extends autograd.Function {
      static override forward(_ctx: Ctx, x: Tensor): Tensor {
        return x.mul(1);
      }
      static override backward(): Tensor {
        throw new RangeError('my own');
      }
    }
    const y = (Bad.apply(f64([1])) as Tensor).sum();
    expect(() => y.backward()).toThrow(RangeError);
    expect(() => y.backward({ retain_graph: true })).toThrow('my own');
  });

  test('without gradients forward runs plainly', () => {
    const y = torch.no_grad(() => Exp.apply(f64([0])) as Tensor);
    expect(y.requires_grad).toBe(false);
    expect((Exp.apply(torch.zeros(1)) as Tensor).grad_fn).toBeNull();
  });
});

type Fn = (...args: any[]) => unknown;
const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const pass = (_: Ctx, g: Tensor): Tensor => g;
function make(forward: Fn, backward: Fn = pass, more: Record<string, Fn> = {}): { apply: Fn } {
  class F extends autograd.Function {}
  return Object.assign(F, { forward, backward, ...more });
}
const list = (t: Tensor | null | undefined): unknown => t?.tolist() as unknown;

function dual(f: { apply: Fn }, ...inputs: [number[], number[] | null][]): unknown {
  const { dual_level, make_dual, unpack_dual } = autograd.forward_ad;
  return dual_level(() => {
    const y = f.apply(
      ...inputs.map(([a, t]) => (t ? make_dual(torch.tensor(a), torch.tensor(t)) : torch.tensor(a))),
    ) as Tensor;
    return [y].map((v) => unpack_dual(v).tangent).map((t) => t && list(t));
  });
}

describe('as in PyTorch (scripts/record_autograd_custom_function.py)', () => {
  matches_recorded('custom_function', {
    setup_context() {
      const setup_context = (ctx: Ctx, [x, k, y]: [Tensor, number, Tensor], output: Tensor): void => {
        ctx.save_for_backward(x, y, output);
        ctx.k = k;
      };
      const backward = (ctx: Ctx, g: Tensor): unknown => {
        const [x, y, out] = ctx.saved_tensors as [Tensor, Tensor, Tensor];
        expect(list(x.mul(y).mul(ctx.k as number))).toEqual(list(out));
        return [g.mul(y).mul(ctx.k as number), null, g.mul(out).div(y)];
      };
      const forward = (x: Tensor, k: number, y: Tensor): Tensor => x.mul(y).mul(k);
      const [x, y] = [leaf(1, 2), leaf(3, 4)];
      const z = make(forward, backward, { setup_context }).apply(x, 3, y) as Tensor;
      z.sum().backward();
      return [list(z), list(x.grad), list(y.grad), z.grad_fn?.name(), z.grad_fn?.next_functions.length];
    },
    several_outputs() {
      const seen: unknown[] = [];
      const forward = (ctx: Ctx, x: Tensor): unknown[] => {
        const index = x.argmax();
        ctx.mark_non_differentiable(index);
        return [x.mul(2), 'text', index, x.mul(3), null];
      };
      const backward = (_: Ctx, ...grads: (Tensor | null)[]): Tensor => {
        seen.push(grads.map((g) => g && [list(g), `torch.${g.dtype}`]));
        return grads[0]!.mul(2).add(grads[3]!.mul(3));
      };
      const x = leaf(1, 2);
      const [a, text, index, b, none] = make(forward, backward).apply(x) as [
        Tensor,
        string,
        Tensor,
        Tensor,
        null,
      ];
      b.sum().backward();
      return [list(x.grad), text, none, seen, [a, index, b].map((t) => t.requires_grad), b.output_nr];
    },
    without_materialised() {
      const seen: boolean[][] = [];
      const forward = (ctx: Ctx, x: Tensor): Tensor[] => {
        ctx.set_materialize_grads(false);
        return [x.mul(2), x.mul(3)];
      };
      const backward = (_: Ctx, g: Tensor | null, h: Tensor | null): Tensor => {
        seen.push([g === null, h === null]);
        return h!.mul(3);
      };
      const x = leaf(1);
      (make(forward, backward).apply(x) as Tensor[])[1].backward();
      return [seen, list(x.grad)];
    },
    needs_input_grad() {
      const seen: boolean[][] = [];
      const forward = (ctx: Ctx, x: Tensor, _: number, y: Tensor): Tensor => {
        seen.push(ctx.needs_input_grad);
        return x.mul(y);
      };
      const f = make(forward, (ctx: Ctx, g: Tensor) => {
        seen.push(ctx.needs_input_grad);
        return [g.mul(2), null, null, null];
      });
      const [x, y] = [leaf(1), torch.tensor([2])];
      (f.apply(x, 5, y, [x, y]) as Tensor).backward();
      torch.no_grad(() => f.apply(x, 5, y, [x]));
      return seen;
    },
    modes_inside() {
      const seen: boolean[] = [];
      const note = <T>(value: T): T => {
        seen.push(torch.is_grad_enabled());
        return value;
      };
      const x = leaf(3);
      const y = make(
        (_: Ctx, t: Tensor) => note(t.mul(t)),
        (_: Ctx, g: Tensor) => note(g.mul(2)),
      ).apply(x) as Tensor;
      autograd.grad(y, x, { retain_graph: true });
      autograd.grad(y, x, { create_graph: true });
      return seen;
    },
    input_as_is() {
      const x = leaf(1, 2).mul(1);
      const y = make(
        (_: Ctx, t: Tensor) => t,
        (_: Ctx, g: Tensor) => g.mul(5),
      ).apply(x) as Tensor;
      const z = make((_: Ctx, t: Tensor) => t).apply(x.detach()) as Tensor;
      const [gx] = autograd.grad(y.sum(), x);
      const same = y.data_ptr() === x.data_ptr();
      return [y === x, y._is_view(), y.grad_fn?.name(), same, list(gx), z.requires_grad, z._is_view()];
    },
    view_of_input() {
      const x = leaf(1, 2, 3);
      const y = make(
        (_: Ctx, t: Tensor) => t.narrow(0, 1, 2),
        (_: Ctx, g: Tensor) => torch.cat([g.narrow(0, 0, 1).mul(0), g.mul(7)]),
      ).apply(x) as Tensor;
      y.sum().backward();
      return [y._is_view(), y.grad_fn?.name(), list(x.grad)];
    },
    written_input() {
      const forward = (ctx: Ctx, t: Tensor): Tensor => {
        ctx.mark_dirty(t);
        t.mul_(3);
        return t;
      };
      const x = leaf(1, 2);
      const t = x.mul(1);
      const y = make(forward, (_: Ctx, g: Tensor) => g.mul(3)).apply(t) as Tensor;
      y.sum().backward();
      return [y === t, list(t), t.grad_fn?.name(), t._version, list(x.grad)];
    },
    written_input_saved() {
      const forward = (ctx: Ctx, t: Tensor): Tensor => {
        ctx.mark_dirty(t);
        t.exp_();
        ctx.save_for_backward(t);
        return t;
      };
      const x = leaf(0, 1);
      const f = make(forward, (ctx: Ctx, g: Tensor) => g.mul(ctx.saved_tensors[0]));
      const y = f.apply(x.mul(1)) as Tensor;
      const [g] = autograd.grad(y.sum(), x, { create_graph: true });
      const [h] = autograd.grad(g.sum(), x);
      return [list(y), list(g), list(h)];
    },
    double_backward() {
      const forward = (ctx: Ctx, t: Tensor): Tensor => {
        ctx.save_for_backward(t);
        return t.pow(3);
      };
      const x = leaf(2);
      const f = make(forward, (ctx: Ctx, g: Tensor) => g.mul(3).mul(ctx.saved_tensors[0].pow(2)));
      const y = f.apply(x) as Tensor;
      const [g] = autograd.grad(y, x, { create_graph: true });
      const [h] = autograd.grad(g, x, { create_graph: true });
      const [k] = autograd.grad(h, x);
      return [list(g), list(h), list(k)];
    },
    vjp() {
      class F extends autograd.Function {
        static override forward(_: Ctx, x: Tensor): Tensor {
          return x.mul(2);
        }
        static override vjp(_: Ctx, g: Tensor): Tensor {
          return g.mul(2);
        }
      }
      const x = leaf(1);
      (F.apply(x) as Tensor).backward();
      return list(x.grad);
    },
    extra_none_gradients() {
      const x = leaf(1);
      const backward = (_: Ctx, g: Tensor): unknown => [g.mul(2), null, undefined];
      (make((_: Ctx, t: Tensor) => t.mul(2), backward).apply(x) as Tensor).backward();
      return list(x.grad);
    },
    no_gradient() {
      const x = leaf(1);
      const y = make(
        (_: Ctx, t: Tensor) => t.mul(2),
        () => null,
      ).apply(x.mul(1)) as Tensor;
      return autograd.grad(y, x, { allow_unused: true });
    },
    constant_output_of_differentiable() {
      const forward = (ctx: Ctx, t: Tensor): Tensor[] => {
        const [a, b] = [t.mul(2), t.mul(3)];
        ctx.mark_non_differentiable(a);
        return [a, b];
      };
      const [a, b] = make(forward, (_: Ctx, _g: Tensor, h: Tensor) => h.mul(3)).apply(leaf(1)) as [
        Tensor,
        Tensor,
      ];
      return [a.requires_grad, b.requires_grad, a.is_leaf, b.is_leaf];
    },
    broadcast_gradient() {
      const x = leaf(1);
      (make((_: Ctx, t: Tensor) => t.expand(3).mul(1)).apply(x) as Tensor).sum().backward();
      return list(x.grad);
    },
    jvp() {
      const forward = (ctx: Ctx, x: Tensor, y: Tensor): Tensor => {
        ctx.save_for_forward(x, y);
        return x.mul(y);
      };
      const jvp = (ctx: Ctx, tx: Tensor, ty: Tensor): Tensor => {
        const [x, y] = ctx.saved_tensors as [Tensor, Tensor];
        return tx.mul(y).add(ty.mul(x));
      };
      const f = make(forward, pass, { jvp });
      return [
        dual(f, [[2], [1]], [[3], [10]]),
        dual(f, [[2], [1]], [[3], null]),
        dual(f, [[2], null], [[3], null]),
      ];
    },
    jvp_without_materialised() {
      const seen: boolean[][] = [];
      const forward = (ctx: Ctx, x: Tensor): Tensor => {
        ctx.set_materialize_grads(false);
        return x.mul(2);
      };
      const jvp = (_: Ctx, tx: Tensor | null, ty: Tensor | null): Tensor => {
        seen.push([tx === null, ty === null]);
        return tx!.mul(2);
      };
      return [dual(make(forward, pass, { jvp }), [[2], [1]], [[3], null]), seen];
    },
    jvp_of_input_as_is: () =>
      dual(
        make((_: Ctx, x: Tensor) => x, pass, { jvp: (_: Ctx, t: Tensor) => t.view_as(t) }),
        [[2], [1]],
      ),
  });
});

describe('exceptions', () => {
  const error = new RangeError('my own');
  const raise = (): never => {
    throw error;
  };
  const thrown = (f: () => unknown): unknown => {
    try {
      f();
    } catch (e) {
      return e;
    }
    return undefined;
  };

  test('surface as themselves, with their own stack', () => {
    expect(thrown(() => make(raise).apply(leaf(1)))).toBe(error);
    const y = make((_: Ctx, x: Tensor) => x.mul(2), raise).apply(leaf(1)) as Tensor;
    for (const backward of [
      () => y.backward(),
      () => autograd.backward(y),
      () => y.mul(3).sum().backward(),
    ]) {
      expect(thrown(backward)).toBe(error);
    }
    expect(error.stack).toContain('function.test.ts');
    expect(torch.is_grad_enabled()).toBe(true);
  });

  test('what is no Error, too', () => {
    const strange = { message: 'no Error at all', code: 7 };
    const y = make(
      (_: Ctx, x: Tensor) => x.mul(2),
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a user may do
        throw strange;
      },
    ).apply(leaf(1)) as Tensor;
    expect(thrown(() => y.backward())).toBe(strange);
  });

  test('in jvp and setup_context', () => {
    expect(
      thrown(() =>
        dual(
          make((_: Ctx, x: Tensor) => x.mul(2), pass, { jvp: raise }),
          [[1], [1]],
        ),
      ),
    ).toBe(error);
    expect(thrown(() => make((x: Tensor) => x, pass, { setup_context: raise }).apply(leaf(1)))).toBe(error);
    expect(torch.is_grad_enabled()).toBe(true);
  });
});

test('saved tensors can be read outside of backward', () => {
  let ctx: Ctx | undefined;
  const f = make(
    (c: Ctx, x: Tensor) => {
      ctx = c;
      const y = x.exp();
      c.save_for_backward(x, y);
      return y;
    },
    (c: Ctx, g: Tensor) => g.mul(c.saved_tensors[1]),
  );
  const x = leaf(0);
  const y = f.apply(x) as Tensor;
  const [sx, sy] = ctx!.saved_tensors;
  expect([sx.is_leaf, sx.requires_grad, sy.grad_fn === y.grad_fn, list(sy)]).toEqual([true, true, true, [1]]);
  sy.mul(3).backward();
  expect(list(x.grad)).toEqual([3]);
  expect(() => ctx!.saved_tensors).toThrow('Trying to backward through the graph a second time');
});

test('torch.autograd.function has them too', () => {
  expect(autograd.function.once_differentiable).toBe(autograd.once_differentiable);
  expect(autograd.function.Function).toBe(autograd.Function);
});

test('once_differentiable as a decorator keeps the class', () => {
  class Cube extends autograd.Function {
    static readonly factor = 3;
    static override forward(ctx: Ctx, x: Tensor): Tensor {
      ctx.save_for_backward(x);
      return x.pow(3);
    }
    @autograd.once_differentiable
    static override backward(this: typeof Cube, ctx: Ctx, g: Tensor): Tensor {
      expect(torch.is_grad_enabled()).toBe(false);
      return g.mul(this.factor).mul(ctx.saved_tensors[0].pow(2));
    }
  }
  const x = leaf(2);
  (Cube.apply(x) as Tensor).backward();
  expect(list(x.grad)).toEqual([12]);
  const [g] = autograd.grad((Cube.apply(x) as Tensor).pow(2), x, { create_graph: true });
  expect([g.requires_grad, g.item()]).toEqual([true, 192]);
});

test('saved tensors go through hooks', () => {
  const seen: string[] = [];
  const forward = (ctx: Ctx, x: Tensor): Tensor => {
    const y = x.exp();
    ctx.save_for_backward(x, null, y);
    return y;
  };
  const x = leaf(0, 1);
  const y = autograd.graph.saved_tensors_hooks(
    (t) => {
      seen.push('pack');
      return t.mul(2);
    },
    (t) => {
      seen.push('unpack');
      return t;
    },
    () => make(forward, (ctx: Ctx, g: Tensor) => g.mul(ctx.saved_tensors[2])).apply(x) as Tensor,
  );
  y.sum().backward();
  expect(seen).toEqual(['pack', 'pack', 'unpack', 'unpack']);
  expect((x.grad!.tolist() as number[])[0]).toBe(2);
});

test('within a module, in both modes', () => {
  class Softsign extends autograd.Function {
    static override forward(ctx: Ctx, x: Tensor): Tensor {
      const d = x.abs().add(1);
      ctx.save_for_backward(d);
      ctx.save_for_forward(d);
      return x.div(d);
    }
    static override backward(ctx: Ctx, g: Tensor): Tensor {
      return g.div(ctx.saved_tensors[0].square());
    }
    static override jvp(ctx: Ctx, t: Tensor): Tensor {
      return t.div(ctx.saved_tensors[0].square());
    }
  }
  const net = new nn.Linear(3, 2).double();
  const x = torch.randn(4, 3, { dtype: 'float64', requires_grad: true });
  const f = (t: Tensor): Tensor => Softsign.apply(net(t)) as Tensor;
  expect(autograd.gradcheck(f, [x])).toBe(true);
  const { dual_level, make_dual, unpack_dual } = autograd.forward_ad;
  const v = torch.randn(4, 3, { dtype: 'float64' });
  const tangent = dual_level(() => unpack_dual(f(make_dual(x, v))).tangent!);
  const [, expected] = autograd.functional.jvp(f, x, v);
  expect(torch.allclose(tangent, expected as Tensor)).toBe(true);
});

describe('memory', () => {
  const collected = async (): Promise<number> => {
    for (let i = 0; i < 2; ++i) {
      globalThis.gc?.();
      torch.ones(1); // the native layer drops what died at its next call
      await new Promise((done) => setImmediate(done));
    }
    return native.live_nodes();
  };

  test.each(['input', 'output', 'both, dropped without backward'])(
    'saving its %s makes no cycle',
    async (what) => {
      setFlagsFromString('--expose-gc');
      globalThis.gc = runInNewContext('gc') as typeof globalThis.gc;
      const f = make(
        (ctx: Ctx, x: Tensor) => {
          const y = x.exp();
          ctx.save_for_backward(...(what === 'input' ? [x] : what === 'output' ? [y] : [x, y]));
          return y;
        },
        (ctx: Ctx, g: Tensor) => g.mul(ctx.saved_tensors[0]),
      );
      const x = leaf(1, 2);
      const before = await collected();
      const bytes = torch.memory_stats().allocated_bytes;
      for (let i = 0; i < 500; ++i) {
        const y = f.apply(f.apply(x)) as Tensor;
        if (what !== 'both, dropped without backward') y.sum().backward();
      }
      expect((await collected()) - before).toBeLessThan(20);
      expect(torch.memory_stats().allocated_bytes - bytes).toBeLessThan(20_000);
    },
  );
});
