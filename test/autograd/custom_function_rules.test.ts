/** What custom functions may not do, in PyTorch's words (scripts/record_autograd_custom_function_rules.py). */
import torch, { autograd, type Tensor } from '../../lib';
import { matches_recorded } from './recorded';

type Ctx = autograd.FunctionCtx;

type Fn = (...args: any[]) => unknown;

const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const pass = (_: Ctx, g: Tensor): Tensor => g;
const twice = (_: Ctx, x: Tensor): Tensor => x.mul(2);

function make(forward: Fn, backward: Fn = pass, more: Record<string, Fn> = {}): typeof autograd.Function {
  class F extends autograd.Function {}
  return Object.assign<typeof autograd.Function, object>(F, { forward, backward, ...more });
}
function run(
  forward: Fn,
  backward: Fn = pass,
  inputs: unknown[] = [leaf(1, 2)],
  more: Record<string, Fn> = {},
): void {
  const y = make(forward, backward, more).apply(...inputs) as Tensor | Tensor[];
  (Array.isArray(y) ? y[0] : y).sum().backward();
}
function dual(jvp: Fn): unknown {
  const { dual_level, make_dual, unpack_dual } = autograd.forward_ad;
  return dual_level(() => {
    const x = make_dual(torch.tensor([2, 3]), torch.tensor([1, 10]));
    return unpack_dual(make(twice, pass, { jvp }).apply(x) as Tensor).tangent?.tolist() as unknown;
  });
}
const warnings = async (): Promise<string[]> => {
  await new Promise((done) => setImmediate(done));
  return emitted.mock.calls.map(([text]) => String(text));
};
const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
beforeEach(() => emitted.mockClear());

const written = (ctx: Ctx, x: Tensor): Tensor => {
  ctx.mark_dirty(x);
  return x.add_(1);
};

matches_recorded('custom_function_rules', {
  no_forward() {
    class F extends autograd.Function {}
    F.apply(leaf(1));
  },
  no_backward() {
    class F extends autograd.Function {
      static override forward(_: Ctx, x: Tensor): Tensor {
        return x.mul(2);
      }
    }
    (F.apply(leaf(1)) as Tensor).sum().backward();
  },
  backward_and_vjp: () => run(twice, pass, undefined, { vjp: pass }),
  too_few_gradients: () => run((_: Ctx, x: Tensor, y: Tensor) => x.mul(y), pass, [leaf(1), leaf(2)]),
  too_many_gradients: () => run(twice, (_: Ctx, g: Tensor) => [g, g]),
  gradient_for_a_constant: () =>
    run(
      (_: Ctx, x: Tensor, k: number) => x.mul(k),
      (_: Ctx, g: Tensor) => [g, g],
      [leaf(1), 3],
    ),
  gradient_of_wrong_type: () => run(twice, () => 'gradient'),
  gradient_of_wrong_shape: () => run(twice, () => torch.ones(3)),
  gradient_of_wrong_shape_for_second_tensor: () =>
    run(
      (_: Ctx, x: Tensor, _k: number, y: Tensor) => x.mul(y),
      (_: Ctx, g: Tensor) => [g, null, torch.ones(5)],
      [leaf(1, 2), 3, leaf(1, 2)],
    ),
  save_a_number: () =>
    run((ctx: Ctx, x: Tensor) => {
      ctx.save_for_backward(x, 'number' as never);
      return x.mul(2);
    }),
  save_for_forward_a_number: () =>
    run((ctx: Ctx, x: Tensor) => {
      ctx.save_for_forward('number' as never);
      return x.mul(2);
    }),
  saved_freed() {
    const forward = (ctx: Ctx, x: Tensor): Tensor => {
      ctx.save_for_backward(x);
      return x.mul(2);
    };
    const y = (
      make(forward, (ctx: Ctx, g: Tensor) => g.mul(ctx.saved_tensors[0])).apply(leaf(1)) as Tensor
    ).sum();
    y.backward();
    y.backward();
  },
  freed_but_nothing_saved() {
    const x = leaf(1);
    const y = make(twice).apply(x) as Tensor;
    y.backward();
    y.backward();
    return x.grad?.tolist() as unknown;
  },
  saved_written() {
    const x = leaf(1, 2).mul(1).add(0);
    const forward = (ctx: Ctx, t: Tensor): Tensor => {
      ctx.save_for_backward(t);
      return t.mul(2);
    };
    const y = make(forward, (ctx: Ctx, g: Tensor) => g.mul(ctx.saved_tensors[0])).apply(x) as Tensor;
    x.add_(1);
    y.sum().backward();
  },
  saved_output_written() {
    const forward = (ctx: Ctx, x: Tensor): Tensor => {
      const y = x.exp();
      ctx.save_for_backward(y);
      return y;
    };
    const y = make(forward, (ctx: Ctx, g: Tensor) => g.mul(ctx.saved_tensors[0])).apply(leaf(1, 2)) as Tensor;
    y.add_(1);
    y.sum().backward();
  },
  dirty_leaf: () => run(written),
  dirty_not_returned: () =>
    run(
      (ctx: Ctx, x: Tensor) => {
        ctx.mark_dirty(x);
        x.add_(1);
        return x.mul(2);
      },
      pass,
      [leaf(1).mul(1)],
    ),
  async dirty_no_input() {
    const x = leaf(1, 2);
    const forward = (ctx: Ctx, t: Tensor): Tensor => {
      const y = t.mul(2);
      ctx.mark_dirty(y);
      return y;
    };
    const y = make(forward, (_: Ctx, g: Tensor) => g.mul(2)).apply(x) as Tensor;
    y.sum().backward();
    return [await warnings(), x.grad?.tolist(), y._version];
  },
  dirty_view_of_several: () =>
    run(
      (ctx: Ctx, x: Tensor) => {
        ctx.mark_dirty(x);
        return [x.add_(1), x.mul(2)];
      },
      pass,
      [leaf(1, 2).mul(1).select(0, 0)],
    ),
  dirty_view_of_leaf: () => run(written, pass, [leaf(1, 2).narrow(0, 0, 1)]),
  dirty_view() {
    const x = leaf(1, 2);
    const base = x.mul(1);
    const forward = (ctx: Ctx, t: Tensor): Tensor => {
      ctx.mark_dirty(t);
      return t.mul_(3);
    };
    const y = make(forward, (_: Ctx, g: Tensor) => g.mul(3)).apply(base.narrow(0, 0, 1)) as Tensor;
    base.sum().backward();
    return [x.grad?.tolist(), y.grad_fn?.name(), base.grad_fn?.name()];
  },
  backward_of_non_differentiable() {
    const forward = (ctx: Ctx, x: Tensor): Tensor => {
      const y = x.mul(2);
      ctx.mark_non_differentiable(y);
      return y;
    };
    (make(forward).apply(leaf(1)) as Tensor).backward();
  },
  input_as_is_written: () => (make((_: Ctx, x: Tensor) => x).apply(leaf(1, 2).mul(1)) as Tensor).add_(1),
  view_of_input_written: () =>
    (
      make(
        (_: Ctx, x: Tensor) => x.narrow(0, 0, 1),
        (_: Ctx, g: Tensor) => torch.cat([g, g]),
      ).apply(leaf(1, 2).mul(1)) as Tensor
    ).add_(1),
  views_of_input_written() {
    const [y] = make(
      (_: Ctx, x: Tensor) => [x.narrow(0, 0, 1), x.narrow(0, 1, 1)],
      (_: Ctx, g: Tensor, h: Tensor) => torch.cat([g, h]),
    ).apply(leaf(1, 2).mul(1)) as Tensor[];
    y.add_(1);
  },
  twice_through_once_differentiable() {
    const x = leaf(2);
    const backward = autograd.once_differentiable((_: Ctx, g: Tensor) => g.mul(2));
    const y = make((_: Ctx, t: Tensor) => t.mul(t), backward).apply(x) as Tensor;
    const [g] = autograd.grad(y.pow(2), x, { create_graph: true });
    g.backward();
  },
  input_as_is_saved_with_setup_context() {
    class F extends autograd.Function {
      static override forward(x: Tensor): Tensor {
        return x;
      }
      static override setup_context(ctx: Ctx, inputs: Tensor[]): void {
        ctx.save_for_backward(...inputs);
      }
      static override backward(_: Ctx, g: Tensor): Tensor {
        return g;
      }
    }
    F.apply(leaf(1).mul(1));
  },
  no_jvp() {
    const { dual_level, make_dual } = autograd.forward_ad;
    dual_level(() => make(twice).apply(make_dual(torch.ones(2), torch.ones(2))));
  },
  jvp_of_wrong_shape: () => dual(() => torch.ones(3)),
  jvp_of_wrong_number: () => dual((_: Ctx, t: Tensor) => [t, t]),
  jvp_of_wrong_type: () => dual(() => 'tangent'),
});

test('only tensors can be marked', () => {
  // (PyTorch's own texts break off before the type.)
  const mark = (how: 'mark_dirty' | 'mark_non_differentiable') => () =>
    run((ctx: Ctx, x: Tensor) => {
      ctx[how]('x' as never);
      return x.mul(2);
    });
  expect(mark('mark_dirty')).toThrow('mark_dirty can only accept variables, but argument 0 is of type str');
  expect(mark('mark_non_differentiable')).toThrow(
    'mark_non_differentiable only accepts variable arguments, but got str',
  );
});

test('legacy functions', () => {
  class Legacy extends autograd.Function {
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  expect(() => Legacy.apply(leaf(1)) as unknown).toThrow(
    'Legacy autograd function with non-static forward method is deprecated.',
  );
  new Legacy();
  expect(emitted.mock.calls[0]).toEqual([
    expect.stringMatching(
      /^Legacy should not be instantiated\. Methods on autograd functions are all static/,
    ),
    'DeprecationWarning',
  ]);
});
