// What gradcheck checks besides the numbers: gradients of nothing, and of zero.
import { Tensor } from '../../tensor';
import { Function, type FunctionCtx } from '../function';
import { grad } from '../gradient';
import { checked_inputs, differentiable_outputs, type Func } from './jacobian';
import { GradcheckError } from './report';

const is_zero = (t: Tensor): boolean => Boolean(t.eq(0).all().item());

/** A backward whose incoming gradient is zero has to give zeros: it is a linear function of it. */
export function check_multiplied(
  outputs: Tensor[],
  inputs: readonly unknown[],
  masked: boolean | null,
): void {
  const wanted = checked_inputs(inputs);
  const grads = grad(outputs, wanted, {
    grad_outputs: outputs.map((o) => o.new_zeros(o.shape)),
    allow_unused: true,
  }) as (Tensor | null)[];
  grads.forEach((g, i) => {
    if (g === null) return;
    const x = wanted[i];
    const zero = masked ? g.allclose(g.mul(0)) : is_zero(g);
    if (!zero) throw new GradcheckError('backward not multiplied by grad_output');
    if (g.dtype !== x.dtype) throw new GradcheckError('grad is incorrect type');
    if (String(g.device) !== String(x.device)) throw new GradcheckError('grad is incorrect device');
    if (g.shape.join() !== x.shape.join()) throw new GradcheckError('grad is incorrect size');
  });
}

/** The identity, whose backward passes nothing on. */
class UndefinedGrad extends Function {
  static override forward(_ctx: FunctionCtx, x: Tensor): Tensor {
    return x.view_as(x);
  }
  static override backward(): null {
    return null;
  }
}

const NOTES = 'Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"';

/** A backward to which some or all of its outputs send no gradient has to take that as zero. */
export function check_undefined_backward(func: Func, inputs: readonly unknown[]): void {
  const wanted = checked_inputs(inputs);
  const undefine = (o: Tensor): Tensor => UndefinedGrad.apply(o) as Tensor;
  const check = (outputs: Tensor[]): void => {
    let grads: (Tensor | null)[];
    try {
      grads = grad(outputs, wanted, {
        grad_outputs: outputs.map((o) => o.new_zeros(o.shape)),
        allow_unused: true,
      });
    } catch (error) {
      warn_of_check();
      throw new GradcheckError(
        `Expected backward function to handle undefined output grads. ${NOTES}\n${(error as Error).name}: ${(error as Error).message}`,
        { cause: error },
      );
    }
    if (grads.some((g) => g !== null && !is_zero(g))) {
      warn_of_check();
      throw new GradcheckError(
        `Expected all input grads to be undefined or zero when all output grads are undefined or zero. ${NOTES}`,
      );
    }
  };
  const count = (() => {
    const outputs = differentiable_outputs(func(...inputs));
    check(outputs.map(undefine));
    return outputs.length;
  })();
  if (count < 2) return;
  for (let absent = 0; absent < count; ++absent) {
    const outputs = differentiable_outputs(func(...inputs));
    check(outputs.map((o, i) => (i === absent ? undefine(o) : o)));
  }
}

function warn_of_check(): void {
  process.emitWarning(
    'Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it may break existing callers ' +
      'of this function. If this is true for you, you can call this function with "check_undefined_grad=False" to disable the feature',
  );
}
