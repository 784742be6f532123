// Jacobians, Hessians and their products with vectors: torch.autograd.functional.
import { Tensor } from '../tensor';
import { cat } from '../ops';
import { grad } from './gradient';
import { enable_grad } from './modes';

type Many = Tensor | readonly Tensor[];
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any differentiable function
type Fn = (...args: any[]) => Many;
const listOf = (t: Many): Tensor[] => (t instanceof Tensor ? [t] : [...t]);

export interface FunctionalOptions {
  /** Record the computation, so that the result can itself be differentiated. */
  create_graph?: boolean;
  /** Throw when an output does not depend on an input, instead of giving zeros. */
  strict?: boolean;
}

/** Fresh leaves on the inputs' values (or the inputs seen through an identity, when the result must stay connected). */
function prepare(inputs: Many, create: boolean): Tensor[] {
  return listOf(inputs).map((t) =>
    create && t.requires_grad ? t.view(t.shape) : t.detach().clone().requires_grad_(),
  );
}

const finish = (t: Tensor, create: boolean): Tensor => (create ? t : t.detach());

/**
 * The Jacobian of `func` at `inputs`: shape `output.shape + input.shape`; nested arrays for several outputs or inputs.
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html
 */
export function jacobian(
  func: Fn,
  inputs: Many,
  options: FunctionalOptions = {},
): Tensor | Tensor[] | Tensor[][] {
  const { create_graph = false, strict = false } = options;
  return enable_grad(() => {
    const ins = prepare(inputs, create_graph);
    const result = func(...ins);
    const rows = listOf(result).map((out, o) => {
      const flat = out.reshape(-1);
      const columns: Tensor[][] = ins.map(() => []);
      for (let j = 0; j < flat.numel(); ++j) {
        const g = flat.requires_grad
          ? (grad(flat.select(0, j), ins, {
              retain_graph: true,
              create_graph,
              allow_unused: true,
            }) as (Tensor | null)[])
          : ins.map(() => null);
        g.forEach((t, i) => {
          if (t === null && strict) {
            throw new Error(
              `Output ${o} of the user-provided function is independent of input ${i}. This is not allowed in strict mode.`,
            );
          }
          columns[i].push(t ?? ins[i].detach().mul(0));
        });
      }
      return columns.map((c, i) => {
        const shape = [...out.shape, ...ins[i].shape];
        const cat = c.map((t) => t.reshape([1, -1]));
        return finish(concat(cat, ins[i], shape), create_graph);
      });
    });
    const single = inputs instanceof Tensor;
    const perOutput = rows.map((r) => (single ? r[0] : r));
    return result instanceof Tensor ? perOutput[0] : (perOutput as Tensor[] | Tensor[][]);
  });
}

function concat(rows: Tensor[], like: Tensor, shape: number[]): Tensor {
  if (rows.length === 0) return like.new_zeros(shape);
  return cat(rows, 0).reshape(shape);
}

/** The Hessian of a function with a single-element output. See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.hessian.html */
export function hessian(
  func: Fn,
  inputs: Many,
  options: FunctionalOptions = {},
): Tensor | Tensor[] | Tensor[][] {
  const single = inputs instanceof Tensor;
  const gradient = (...args: Tensor[]): Many => {
    const out = func(...args);
    if (!(out instanceof Tensor))
      throw new Error('The function given to hessian should return a single Tensor');
    if (out.numel() !== 1)
      throw new Error('The Tensor returned by the function given to hessian should contain a single element');
    const g = grad(out.reshape([]), args, { create_graph: true, allow_unused: true }) as (Tensor | null)[];
    const full = g.map((t, i) => t ?? args[i].mul(0));
    return single ? full[0] : full;
  };
  return jacobian(gradient, inputs, options);
}

/** `[func(inputs), v^T J]`: the vector-Jacobian product. `v` may be left out for a single-element output. */
export function vjp(func: Fn, inputs: Many, v?: Many | null, options: FunctionalOptions = {}): [Many, Many] {
  const { create_graph = false, strict = false } = options;
  return enable_grad(() => {
    const ins = prepare(inputs, create_graph);
    const out = func(...ins);
    const outs = listOf(out);
    if (!v && (outs.length !== 1 || outs[0].numel() !== 1)) {
      throw new Error(
        'The vector v can only be None if the user-provided function returns a single Tensor with a single element.',
      );
    }
    const g = grad(outs, ins, {
      grad_outputs: v ? listOf(v) : null,
      create_graph,
      allow_unused: true,
    }) as (Tensor | null)[];
    const full = g.map((t, i) => {
      if (t === null && strict)
        throw new Error(
          `The output of the user-provided function is independent of input ${i}. This is not allowed in strict mode.`,
        );
      return finish(t ?? ins[i].detach().mul(0), create_graph);
    });
    const plain = outs.map((t) => finish(t, create_graph));
    return [out instanceof Tensor ? plain[0] : plain, inputs instanceof Tensor ? full[0] : full];
  });
}

/** `[func(inputs), J v]`: the Jacobian-vector product, by differentiating the vector-Jacobian product. */
export function jvp(func: Fn, inputs: Many, v?: Many | null, options: FunctionalOptions = {}): [Many, Many] {
  const { create_graph = false } = options;
  return enable_grad(() => {
    const ins = prepare(inputs, create_graph);
    if (!v && (ins.length !== 1 || ins[0].numel() !== 1)) {
      throw new Error(
        'The vector v can only be None if the input to the user-provided function is a single Tensor with a single element.',
      );
    }
    const out = func(...ins);
    const outs = listOf(out);
    const dual = outs.map((t) => t.detach().mul(0).requires_grad_());
    const g = grad(outs, ins, {
      grad_outputs: dual,
      create_graph: true,
      allow_unused: true,
    }) as (Tensor | null)[];
    const linear = g.map((t, i) => t ?? ins[i].mul(0));
    const weights = v ? listOf(v) : ins.map((t) => t.detach().mul(0).add(1));
    const used = linear.flatMap((t, i) => (t.requires_grad ? [i] : []));
    const r =
      used.length === 0
        ? outs.map(() => null)
        : (grad(
            used.map((i) => linear[i]),
            dual,
            { grad_outputs: used.map((i) => weights[i]), create_graph, allow_unused: true },
          ) as (Tensor | null)[]);
    const full = r.map((t, i) => finish(t ?? outs[i].detach().mul(0), create_graph));
    const plain = outs.map((t) => finish(t, create_graph));
    return [out instanceof Tensor ? plain[0] : plain, out instanceof Tensor ? full[0] : full];
  });
}

/** `[func(inputs), v^T H]` for a single-element output. */
export function vhp(func: Fn, inputs: Many, v?: Many | null, options: FunctionalOptions = {}): [Many, Many] {
  const { create_graph = false } = options;
  const single = inputs instanceof Tensor;
  let value: Tensor | undefined;
  const gradient = (...args: Tensor[]): Many => {
    value = func(...args) as Tensor;
    const g = grad(value.reshape([]), args, { create_graph: true, allow_unused: true }) as (Tensor | null)[];
    const full = g.map((t, i) => t ?? args[i].mul(0));
    return single ? full[0] : full;
  };
  const [, h] = vjp(gradient, inputs, v, options);
  return [finish(value!, create_graph), h];
}
