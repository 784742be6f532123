// The comparison itself: every element of the Jacobians, or one random projection of them; by backward, or by forward mode.
import { Generator } from '../../random';
import type { Tensor } from '../../tensor';
import { forward_jacobian, forward_jvp } from './forward';
import {
  analytical_jacobian,
  analytical_vjp,
  direction,
  numerical_jacobian,
  numerical_jvp,
  type Func,
} from './jacobian';
import { GradcheckError, mismatch, slow_report, worst_element, type Place } from './report';

/** One run of the check: the function with its inputs, its outputs and how to compare. */
export interface Run {
  func: Func;
  inputs: readonly unknown[];
  /** The inputs that are checked. */
  wanted: Tensor[];
  /** Every floating result of the function. */
  floating: Tensor[];
  /** Those of them that require a gradient. */
  outputs: Tensor[];
  settings: { eps: number; atol: number; rtol: number; nondet_tol: number; check_grad_dtypes: boolean };
}

const place_of = (run: Run, output_index: number, input_index: number, forward: boolean): Place => ({
  output: run.outputs[output_index],
  output_index,
  input: run.wanted[input_index],
  input_index,
  argument: run.inputs.indexOf(run.wanted[input_index]),
  forward,
});

/** Of what was computed for every floating output: that of the ones that are compared. */
const of_outputs = ({ floating, outputs }: Run, each: Tensor[]): Tensor[] =>
  outputs.map((o) => each[floating.indexOf(o)]);

const numerical = ({ func, inputs, floating, settings }: Run, input: Tensor): Tensor[] =>
  numerical_jacobian(func, inputs, input, floating, settings.eps);

/** Results without a gradient have to be constant. */
const NOT_ZERO = 'Numerical gradient for function expected to be zero';

/** Compares the Jacobians element by element. */
export function compare_slow(run: Run, forward: boolean): void {
  const { func, inputs, wanted, floating, outputs, settings } = run;
  const { rtol, atol } = settings;
  const columns = wanted.map((x) => numerical(run, x));
  if (outputs.length === 0) {
    if (columns.flat().some((n) => n.ne(0).any().item())) throw new GradcheckError(NOT_ZERO);
    return;
  }
  const expected = columns.map((each) => of_outputs(run, each));
  const tangents = forward
    ? forward_jacobian(func, inputs, floating).map((each) => of_outputs(run, each))
    : [];
  outputs.forEach((output, o) => {
    const analytical = forward
      ? tangents.map((each) => each[o])
      : analytical_jacobian(output, wanted, settings);
    analytical.forEach((a, i) => {
      const n = expected[i][o].to(a.dtype);
      if (a.allclose(n, rtol, atol)) return;
      const place = place_of(run, o, i, forward);
      throw new GradcheckError(mismatch(a, n, place) + worst_element(a, n, place, settings));
    });
  });
}

/** Compares one projection: by backward `v^T J u`, two numbers; by forward mode `J u`, two vectors. */
export function compare_fast(run: Run, forward: boolean): void {
  const { func, inputs, wanted, floating, outputs, settings } = run;
  const generator = new Generator();
  const u = wanted.map((x) => direction(x, generator));
  const jvps = wanted.map((x, i) => numerical_jvp(func, inputs, x, u[i], settings.eps));
  if (outputs.length === 0) {
    if (jvps.flat().some((jvp) => jvp.numel() > 0 && jvp.abs().max().item() > settings.nondet_tol)) {
      throw new GradcheckError(NOT_ZERO);
    }
    return;
  }
  const expected = jvps.map((each) => of_outputs(run, each));
  const close = (a: Tensor, n: Tensor, o: number, i: number, atol: number): void => {
    if (a.allclose(n.to(a.dtype), settings.rtol, atol)) return;
    throw new GradcheckError(fast_report(run, a, n, o, i, forward));
  };
  // Every element may be off by atol: projected, that is atol * sum(u) * sum(v).
  const allowed = u.map((v) => settings.atol * v.sum().item());
  if (forward) {
    const tangents = forward_jvp(func, inputs, floating, u).map((each) => of_outputs(run, each));
    wanted.forEach((_, i) =>
      outputs.forEach((__, o) => close(tangents[i][o], expected[i][o], o, i, allowed[i])),
    );
    return;
  }
  const v = outputs.map((o) => direction(o, generator));
  const vjps = outputs.map((o, k) => analytical_vjp(o, wanted, v[k], settings));
  wanted.forEach((_, i) =>
    outputs.forEach((__, o) => {
      const n = v[o].mul(expected[i][o]).sum();
      close(vjps[o][i].dot(u[i]), n, o, i, allowed[i] * v[o].sum().item());
    }),
  );
}

/** What was projected differs: the report shows that, and the whole Jacobians behind it. */
function fast_report(run: Run, a: Tensor, n: Tensor, o: number, i: number, forward: boolean): string {
  const { func, inputs, wanted, floating, outputs, settings } = run;
  const place = place_of(run, o, i, forward);
  const expected = of_outputs(run, numerical(run, wanted[i]))[o];
  const analytical = forward
    ? of_outputs(run, forward_jacobian(func, inputs, floating)[i])[o]
    : analytical_jacobian(outputs[o], wanted, { nondet_tol: Infinity, check_grad_dtypes: false })[i];
  const whole = slow_report(analytical, expected, settings);
  return mismatch(a, n, place) + whole + worst_element(analytical, expected, place, settings);
}
