// What gradcheck says when two Jacobians differ: PyTorch's sentence and matrices, then the worst element and where it comes from.
import { unravel } from '../../indexing';
import { format_fixed, repr, repr_float } from '../../pyformat';
import type { Tensor } from '../../tensor';

/** What `gradcheck` and `gradgradcheck` throw when gradients are wrong. */
export class GradcheckError extends Error {
  override name = 'GradcheckError';
}

/** The output and the input whose Jacobians differ. */
export interface Place {
  output: Tensor;
  /** Its number among the differentiable outputs, as PyTorch counts. */
  output_index: number;
  input: Tensor;
  /** Its number among the inputs that require a gradient, as PyTorch counts. */
  input_index: number;
  /** The number of the argument that it is. */
  argument: number;
  forward: boolean;
}

export interface Tolerances {
  rtol: number;
  atol: number;
}

/** A tensor as Python's format strings have it: of a 0-d one the number alone. */
const show = (t: Tensor): string => (t.dim() === 0 ? repr_float(t.item()) : t.toString());

/** PyTorch's sentence and the two matrices (or, in fast mode, the two numbers). */
export function mismatch(analytical: Tensor, numerical: Tensor, place: Place): string {
  const mode = place.forward ? 'computed with forward mode ' : '';
  return (
    `Jacobian ${mode}mismatch for output ${place.output_index} with respect to input ${place.input_index},\n` +
    `numerical:${show(numerical)}\nanalytical:${show(analytical)}\n`
  );
}

/** How far two numbers are apart, as a multiple of what is allowed; NaN is further than anything. */
function excess(a: number, n: number, { rtol, atol }: Tolerances): number {
  if (a === n) return 0;
  const ratio = Math.abs(a - n) / (atol + rtol * Math.abs(n));
  return Number.isNaN(ratio) ? Infinity : ratio;
}

/** Names the element where the Jacobians `[input.numel(), output.numel()]` differ most, both values, and the operator. */
export function worst_element(
  analytical: Tensor,
  numerical: Tensor,
  place: Place,
  tolerances: Tolerances,
): string {
  const values = (t: Tensor): number[] => t.detach().double().reshape(-1).tolist() as number[];
  const [a, n] = [values(analytical), values(numerical)];
  const columns = place.output.numel();
  let worst = 0;
  let wrong = 0;
  let greatest = -1;
  for (let i = 0; i < a.length; ++i) {
    const distance = excess(a[i], n[i], tolerances);
    if (distance > 1) ++wrong;
    if (distance > greatest) [worst, greatest] = [i, distance];
  }
  const difference = Math.abs(a[worst] - n[worst]);
  const { output, input, output_index, input_index, argument } = place;
  const row = repr(unravel(Math.floor(worst / columns), input.shape));
  const column = repr(unravel(worst % columns, output.shape));
  return [
    `${wrong} of ${a.length} elements differ (${format_fixed((wrong / a.length) * 100, 1)}%). The worst is element ${column} of output ` +
      `${output_index} with respect to element ${row} of input ${input_index} (argument ${argument} of the function):`,
    `  analytic value: ${repr_float(a[worst])}`,
    `  numeric value: ${repr_float(n[worst])}`,
    `  relative error: ${repr_float(n[worst] === 0 ? Infinity : difference / Math.abs(n[worst]))} (up to ${repr_float(tolerances.rtol)} allowed)`,
    `  absolute error: ${repr_float(difference)} (up to ${repr_float(tolerances.atol)} allowed)`,
    `  operator: ${output.grad_fn?.name() ?? 'none, the output is a leaf'}`,
    '',
  ].join('\n');
}

const FAST_ONLY = `Fast gradcheck failed but element-wise differences are small. This means that the
test might've passed in slow_mode!

If you are adding a new operator, please file an issue and then use one of the
workarounds. The workaround depends on how your test invokes gradcheck/gradgradcheck:

If the test
- manually invokes gradcheck/gradgradcheck, then call gradcheck/gradgradcheck
  with \`fast_mode=False\` as a keyword argument.
- is OpInfo-based (e.g., in test_ops_gradients.py), then modify the OpInfo for the test
  to have \`gradcheck_fast_mode=False\`
- is a Module test (e.g., in common_nn.py), then modify the corresponding
  module_test entry to have \`gradcheck_fast_mode=False\``;

/** What fast mode adds: the whole Jacobians, for the two numbers that it compared say little. */
export function slow_report(analytical: Tensor, numerical: Tensor, tolerances: Tolerances): string {
  const greatest = numerical.sub(analytical).abs().max().item();
  const passes = analytical.allclose(numerical, tolerances.rtol, tolerances.atol);
  return (
    '\nThe above quantities relating the numerical and analytical jacobians are computed \n' +
    'in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n' +
    'about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n' +
    `Numerical:\n ${show(numerical)}\nAnalytical:\n${show(analytical)}\n\n` +
    `The max per-element difference (slow mode) is: ${repr_float(greatest)}.\n` +
    (passes ? FAST_ONLY : '')
  );
}
