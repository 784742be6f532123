// Gradients against central differences: torch.autograd.gradcheck and gradgradcheck.
// See https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
import { dtypeCode } from '../dtype';
import { native } from '../native';
import { Tensor } from '../tensor';
import { grad } from './gradient';
import { no_grad } from './modes';

/** What `gradcheck` throws when gradients differ. */
export class GradcheckError extends Error {
  override name = 'GradcheckError';
}

export interface GradcheckOptions {
  /** Step of the central differences. */
  eps?: number;
  /** Absolute tolerance. */
  atol?: number;
  /** Relative tolerance. */
  rtol?: number;
  /** Throw (the default) or return false. */
  raise_exception?: boolean;
  /** Tolerance between two runs of the same backward. */
  nondet_tol?: number;
  /** Also check that absent output gradients are taken as zero. */
  check_undefined_grad?: boolean;
}

type Inputs = Tensor | readonly unknown[];
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any differentiable function
type Fn = (...args: any[]) => Tensor | readonly Tensor[];

const outputsOf = (r: Tensor | readonly Tensor[]): Tensor[] =>
  (r instanceof Tensor ? [r] : [...r]).filter((t) => t instanceof Tensor && t.is_floating_point());

/** A matrix of inputs by outputs, row-major. */
interface Jacobian {
  rows: number;
  cols: number;
  data: Float64Array;
}

const values = (t: Tensor): Float64Array => Float64Array.from(t.detach()._array() as Float64Array);

function numerical(fn: Fn, args: unknown[], at: number, output: number, eps: number): Jacobian {
  const x = args[at] as Tensor;
  const base = values(x);
  const shape = x.shape;
  const evaluate = (i: number, v: number): Float64Array => {
    const moved = base.slice();
    moved[i] = v;
    const array = x.dtype === 'float64' ? moved : Float32Array.from(moved);
    const replaced = [...args];
    replaced[at] = new Tensor(
      native.from_bytes(array, dtypeCode(x.dtype === 'float64' ? 'float64' : 'float32'), shape),
    );
    return values(outputsOf(no_grad(() => fn(...replaced)))[output]);
  };
  const cols = evaluate(0, base[0] ?? 0).length;
  const data = new Float64Array(base.length * cols);
  for (let i = 0; i < base.length; ++i) {
    const up = evaluate(i, base[i] + eps);
    const down = evaluate(i, base[i] - eps);
    for (let j = 0; j < cols; ++j) data[i * cols + j] = (up[j] - down[j]) / (2 * eps);
  }
  return { rows: base.length, cols, data };
}

function analytical(out: Tensor, x: Tensor): Jacobian {
  const rows = x.numel();
  const cols = out.numel();
  const data = new Float64Array(rows * cols);
  for (let j = 0; j < cols; ++j) {
    const seed = out.dtype === 'float64' ? new Float64Array(cols) : new Float32Array(cols);
    seed[j] = 1;
    const g = grad(out, x, {
      grad_outputs: new Tensor(native.from_bytes(seed, dtypeCode(out.dtype), out.shape)),
      retain_graph: true,
      allow_unused: true,
    })[0] as Tensor | null;
    if (g === null) continue;
    const v = values(g);
    for (let i = 0; i < rows; ++i) data[i * cols + j] = v[i];
  }
  return { rows, cols, data };
}

const show = (m: Jacobian): string => {
  const t = new Tensor(native.from_bytes(m.data, dtypeCode('float64'), [m.rows, m.cols]));
  return t.toString();
};

const close = (a: number, b: number, atol: number, rtol: number): boolean =>
  a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= atol + rtol * Math.abs(b);

/**
 * Compares the gradients of `fn(...inputs)` with central differences, for every input that requires a gradient.
 *
 * Inputs should be float64. Returns true, or throws a GradcheckError that shows both Jacobians (returns false with `raise_exception: false`).
 */
export function gradcheck(fn: Fn, inputs: Inputs, options: GradcheckOptions = {}): boolean {
  const {
    eps = 1e-6,
    atol = 1e-5,
    rtol = 1e-3,
    raise_exception = true,
    nondet_tol = 0,
    check_undefined_grad = true,
  } = options;
  const args = inputs instanceof Tensor ? [inputs] : [...inputs];
  const fail = (text: string): false => {
    if (raise_exception) throw new GradcheckError(text);
    return false;
  };
  const checked = args.flatMap((t, i) => (t instanceof Tensor && t.requires_grad ? [i] : []));
  if (checked.length === 0) {
    throw new Error(
      'gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.',
    );
  }
  for (const i of checked) {
    const x = args[i] as Tensor;
    if (x.numel() > 1 && x.stride().some((s, d) => s === 0 && x.shape[d] > 1)) {
      throw new Error(
        `The ${i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to be able to compute the ` +
          'numerical gradients correctly. You should call .contiguous on the input before passing it to gradcheck.',
      );
    }
    x.retain_grad();
  }
  const outs = outputsOf(fn(...args));
  if (outs.length === 0 || !outs.some((o) => o.requires_grad)) {
    for (let o = 0; o < outs.length; ++o) {
      for (const i of checked) {
        if (numerical(fn, args, i, o, eps).data.some((v) => v !== 0)) {
          return fail('Numerical gradient for function expected to be zero');
        }
      }
    }
    return true;
  }
  for (let o = 0; o < outs.length; ++o) {
    if (!outs[o].requires_grad) continue;
    for (const [k, i] of checked.entries()) {
      const n = numerical(fn, args, i, o, eps);
      const a = analytical(outs[o], args[i] as Tensor);
      for (let j = 0; j < n.data.length; ++j) {
        if (close(a.data[j], n.data[j], atol, rtol)) continue;
        return fail(
          `Jacobian mismatch for output ${o} with respect to input ${k},\nnumerical:${show(n)}\nanalytical:${show(a)}\n`,
        );
      }
      const again = analytical(outs[o], args[i] as Tensor);
      if (again.data.some((v, j) => Math.abs(v - a.data[j]) > nondet_tol)) {
        return fail(
          'Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, ' +
            `although analytical gradient matches numerical gradient.The tolerance for nondeterminism was ${nondet_tol}.`,
        );
      }
    }
  }
  if (check_undefined_grad && outs.length > 1) {
    // An output that sends no gradient must count as one that sends zeros.
    for (let o = 0; o < outs.length; ++o) {
      if (!outs[o].requires_grad) continue;
      const g = grad(
        outs[o],
        checked.map((i) => args[i] as Tensor),
        {
          grad_outputs: outs[o].detach().mul(0),
          retain_graph: true,
          allow_unused: true,
        },
      ) as (Tensor | null)[];
      if (g.some((t) => t !== null && values(t).some((v) => v !== 0))) {
        return fail('Expected backward function to handle undefined output grads.');
      }
    }
  }
  return true;
}

let mixing = 0x2545f491;
/** A fixed sequence in (-1, 1): gradgradcheck's random output gradients, without touching the generator. */
function nextMixed(): number {
  mixing ^= mixing << 13;
  mixing ^= mixing >>> 17;
  mixing ^= mixing << 5;
  return (mixing >>> 0) / 2 ** 31 - 1;
}

/** `gradcheck` of the gradients themselves: second derivatives against central differences. */
export function gradgradcheck(
  fn: Fn,
  inputs: Inputs,
  grad_outputs?: Tensor | readonly Tensor[] | null,
  options: GradcheckOptions & { gen_non_contig_grad_outputs?: boolean } = {},
): boolean {
  const args = inputs instanceof Tensor ? [inputs] : [...inputs];
  const outs = outputsOf(fn(...args)).filter((o) => o.requires_grad);
  if (outs.length === 0) return true;
  const seeds = grad_outputs
    ? grad_outputs instanceof Tensor
      ? [grad_outputs]
      : [...grad_outputs]
    : outs.map((o) => {
        const array = Float64Array.from({ length: o.numel() }, nextMixed);
        const t = new Tensor(native.from_bytes(array, dtypeCode('float64'), o.shape));
        return (o.dtype === 'float64' ? t : t.to(o.dtype)).requires_grad_();
      });
  const checked = args.flatMap((t, i) => (t instanceof Tensor && t.requires_grad ? [i] : []));
  const { gen_non_contig_grad_outputs: _, ...rest } = options;
  const gradients = (...all: unknown[]): Tensor[] => {
    const inner = all.slice(0, args.length).map((t, i) => {
      // Central differences run without recording: the function's own graph still has to be there.
      return checked.includes(i) && !(t as Tensor).requires_grad
        ? (t as Tensor).detach().requires_grad_()
        : t;
    });
    const weights = all.slice(args.length) as Tensor[];
    const was = native.set_grad_enabled(true);
    try {
      const y = outputsOf(fn(...inner)).filter((o) => o.requires_grad);
      const g = grad(
        y,
        checked.map((i) => inner[i] as Tensor),
        { grad_outputs: weights, create_graph: true, allow_unused: true },
      );
      return (g as (Tensor | null)[]).filter((t): t is Tensor => t !== null);
    } finally {
      native.set_grad_enabled(was);
    }
  };
  return gradcheck(gradients, [...args, ...seeds], rest);
}
