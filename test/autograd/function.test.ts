import torch, { autograd, type Tensor } from '../../lib';

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
