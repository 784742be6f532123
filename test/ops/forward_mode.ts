/**
 * Forward mode against reverse mode: <w, J t> and <J' w, t> are the same number, and so are the second derivatives of
 * w . f along t by all four nestings of the two modes.
 */
import torch from '../../lib';
import { native } from '../../lib/native';
import { Tensor } from '../../lib/tensor';

const { enter_dual_level, exit_dual_level } = native;
type Fn = (...x: Tensor[]) => Tensor[];

/** Runs `body` in a dual level of its own, within those that are open. */
function in_level<T>(body: (level: number) => T): T {
  const level = enter_dual_level();
  try {
    return body(level);
  } finally {
    exit_dual_level(level);
  }
}

const dual = (x: Tensor, t: Tensor, level: number): Tensor => new Tensor(native.make_dual(x._h, t._h, level));

/** The tangent; zeros where there is none. */
function tangent(y: Tensor, level: number): Tensor {
  const h = native.tangent_of(y._h, level);
  return h === null ? torch.zeros(y.shape, { dtype: y.dtype }) : new Tensor(h);
}

let state = 7;
/** Numbers in (-1, 1) from a fixed sequence: the generator belongs to the operators. */
function noise(like: Tensor): Tensor {
  const values = Float64Array.from({ length: like.numel() }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
  return torch.tensor(values).reshape(like.shape).to(like.dtype);
}

const inner = (a: Tensor[], b: Tensor[]): Tensor =>
  a.map((x, i) => x.mul(b[i]).sum()).reduce((sum, x) => sum.add(x));
const number = (x: Tensor): number => x.detach().item();
const grads = (y: Tensor, inputs: Tensor[], create_graph = false): Tensor[] => {
  if (!y.requires_grad) return inputs.map((x) => torch.zeros_like(x.detach()));
  return torch.autograd.grad(y, inputs, { create_graph, allow_unused: true, materialize_grads: true });
};

const far = (a: number, b: number): boolean =>
  Number.isFinite(a) !== Number.isFinite(b) ||
  (Number.isFinite(a) && Math.abs(a - b) > 1e-8 * (1 + Math.abs(a) + Math.abs(b)));

/** What is wrong with the forward mode of `f` at `inputs` (leaves in float64); null when nothing is. */
export function forward_mode_problem(f: Fn, inputs: Tensor[], second: boolean): string | null {
  const y = f(...inputs);
  const w = y.map(noise);
  const t = inputs.map(noise);
  const reverse = number(inner(grads(inner(w, y), inputs), t));
  const values = inputs.map((x) => x.detach());

  const once = torch.no_grad(() =>
    in_level((level) => {
      const z = f(...values.map((x, i) => dual(x, t[i], level)));
      const shapes = z.find((v, i) => {
        const g = tangent(v, level);
        return g.shape.join() !== y[i].shape.join() || g.dtype !== y[i].dtype;
      });
      return shapes
        ? null
        : number(
            inner(
              w,
              z.map((v) => tangent(v, level)),
            ),
          );
    }),
  );
  if (once === null) return 'a tangent has another shape or dtype than its result';
  if (inputs.every((x) => x.numel() === 0)) return null; // the mean of nothing is not a number
  if (far(once, reverse)) return `forward mode says ${once}, reverse mode ${reverse}`;
  if (!second) return null;

  // t' H t, H the Hessian of w . f
  const g = grads(inner(w, f(...inputs)), inputs, true);
  const expected = number(inner(grads(inner(g, t), inputs), t));
  const found = {
    'reverse over forward': in_level((level) => {
      const z = f(...inputs.map((x, i) => dual(x, t[i], level)));
      return number(
        inner(
          grads(
            inner(
              w,
              z.map((v) => tangent(v, level)),
            ),
            inputs,
          ),
          t,
        ),
      );
    }),
    'forward over reverse': in_level((level) => {
      const x = inputs.map((v, i) => dual(v, t[i], level));
      const h = grads(inner(w, f(...x)), x);
      return number(
        inner(
          h.map((v) => tangent(v, level)),
          t,
        ),
      );
    }),
    'forward over forward': torch.no_grad(() =>
      in_level((outer) =>
        in_level((level) => {
          const z = f(...values.map((x, i) => dual(dual(x, t[i], outer), t[i], level)));
          return number(
            inner(
              w,
              z.map((v) => tangent(tangent(v, level), outer)),
            ),
          );
        }),
      ),
    ),
  };
  for (const [name, ours] of Object.entries(found)) {
    if (far(ours, expected)) return `${name} says ${ours}, reverse over reverse ${expected}`;
  }
  return null;
}
