// Jacobians, Hessians and their products with vectors: torch.autograd.functional.
import { bind } from '../args';
import * as ops from '../ops';
import { repr_size } from '../pyformat';
import { Tensor } from '../tensor';
import { jacobian_columns } from '../func/columns';
import { type_name } from '../func/tree';
import { Variables } from '../func/variables';
import { batched_gradients, gradients } from './gradient';
import { enable_grad, is_grad_enabled, set_grad_enabled } from './modes';

type Many = Tensor | readonly Tensor[];
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any differentiable function
type Fn = (...args: any[]) => Many;
type Maybe = Tensor | null;

export interface FunctionalOptions {
  /** Record the computation, so that the result can itself be differentiated. */
  create_graph?: boolean;
  /** Throw when an output does not depend on an input, instead of giving zeros. */
  strict?: boolean;
}
export interface JacobianOptions extends FunctionalOptions {
  /** Compute all rows (or, forwards, all columns) as one batch. */
  vectorize?: boolean;
  /** Backwards, a row per element of the outputs, or forwards, a column per element of the inputs; the latter needs `vectorize`. */
  strategy?: 'reverse-mode' | 'forward-mode';
}
export interface HessianOptions extends FunctionalOptions {
  vectorize?: boolean;
  /** How the outer of the two Jacobians is computed; see {@link JacobianOptions}. */
  outer_jacobian_strategy?: 'reverse-mode' | 'forward-mode';
}

// ---- one tensor or several ----

interface Listed {
  several: boolean;
  tensors: Tensor[];
}

function listed(value: unknown, what: string, callee: string): Listed {
  const several = Array.isArray(value);
  const tensors: unknown[] = several ? value : [value];
  tensors.forEach((t, i) => {
    if (t instanceof Tensor) return;
    const where = several ? `the value at index ${i} has type` : `the given ${what} has type`;
    throw new TypeError(
      `The ${what} given to ${callee} must be either a Tensor or a tuple of Tensors but ${where} ${type_name(t)}.`,
    );
  });
  return { several, tensors: tensors as Tensor[] };
}

const outputs_of = (value: unknown, callee: string): Listed =>
  listed(value, 'outputs of the user-provided function', callee);
const unlisted = (tensors: Tensor[], several: boolean): Many => (several ? tensors : tensors[0]);

/** Inputs with histories of their own: seen through an identity where the result must stay connected, fresh leaves otherwise. */
function prepared(tensors: readonly Tensor[], create_graph: boolean, need_graph: boolean): Tensor[] {
  return tensors.map((t) => {
    if (create_graph && t.requires_grad) return t.view_as(t);
    const fresh = t.detach();
    return need_graph ? fresh.requires_grad_() : fresh;
  });
}
const finished = (tensors: Tensor[], create_graph: boolean): Tensor[] =>
  create_graph ? tensors : tensors.map((t) => t.detach());

// ---- checks ----

function check_vector(v: readonly Tensor[], other: readonly Tensor[], several: boolean): void {
  if (other.length !== v.length) {
    throw new Error(
      several
        ? `v is a tuple of invalid length: should be ${other.length} but got ${v.length}.`
        : 'The given v should contain a single Tensor.',
    );
  }
  v.forEach((t, i) => {
    if (t.shape.join() === other[i].shape.join()) return;
    throw new Error(
      `${several ? `Entry ${i} in ` : ''}v has invalid size: should be ${repr_size(other[i].shape)} but got ${repr_size(t.shape)}.`,
    );
  });
}

const vector_of = (v: unknown, like: Listed, callee: string, create_graph: boolean): Tensor[] => {
  const tensors = prepared(listed(v, 'v', callee).tensors, create_graph, false);
  check_vector(tensors, like.tensors, like.several);
  return tensors;
};
const needs_vector = (input: string): Error =>
  new Error(`The vector v can only be None if the ${input} a single Tensor with a single element.`);

type Stage = 'outputs' | 'grad_inputs' | 'jacobian' | 'hessian';
function check_requires_grad(tensors: readonly Maybe[], stage: Stage, strict: boolean): void {
  if (!strict) return;
  tensors.forEach((t, i) => {
    if (t === null) {
      throw new Error(
        `The output of the user-provided function is independent of input ${i}. This is not allowed in strict mode.`,
      );
    }
    if (t.requires_grad) return;
    const texts: Record<Stage, string> = {
      hessian:
        `The hessian of the user-provided function with respect to input ${i} is independent of the input. This is not allowed in ` +
        'strict mode. You should ensure that your function is thrice differentiable and that the hessian depends on the inputs.',
      jacobian:
        'While computing the hessian, found that the jacobian of the user-provided function with respect to input ' +
        `${i} is independent of the input. This is not allowed in strict mode. You should ensure that your function is twice ` +
        'differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for example).',
      grad_inputs: `The gradient with respect to input ${i} is independent of the inputs of the user-provided function. This is not allowed in strict mode.`,
      outputs:
        `Output ${i} of the user-provided function does not require gradients. The outputs must be computed in a differentiable manner ` +
        'from the input when running in strict mode.',
    };
    throw new Error(texts[stage]);
  });
}

type Pass = 'back' | 'back_trick' | 'double_back' | 'double_back_trick';
/** Zeros for what is independent, refused when `strict`. */
function filled(
  found: readonly Maybe[],
  like: readonly Tensor[],
  strict: boolean,
  create_graph: boolean,
  pass: Pass,
): Tensor[] {
  return found.map((t, i) => {
    if (t === null) {
      if (!strict) return ops.zeros_like(like[i]);
      const texts: Record<Pass, string> = {
        back: `The output of the user-provided function is independent of input ${i}. This is not allowed in strict mode.`,
        back_trick:
          `The gradient with respect to the input is independent of entry ${i} in the grad_outputs when using the double backward trick ` +
          'to compute forward mode gradients. This is not allowed in strict mode.',
        double_back: `The jacobian of the user-provided function is independent of input ${i}. This is not allowed in strict mode.`,
        double_back_trick:
          `The hessian of the user-provided function is independent of entry ${i} in the grad_jacobian. This is not allowed in strict ` +
          'mode as it prevents from using the double backward trick to replace forward mode AD.',
      };
      throw new Error(texts[pass]);
    }
    if (strict && create_graph && !t.requires_grad) {
      const what = pass.startsWith('double') ? 'hessian' : 'jacobian';
      throw new Error(
        `The ${what} of the user-provided function is independent of input ${i}. This is not allowed in strict mode when create_graph=True.`,
      );
    }
    return t;
  });
}

/** Gradients of those outputs that have any; null for the rest. */
function partial(
  outputs: readonly Maybe[],
  inputs: readonly Tensor[],
  weights: readonly Maybe[] | null,
  create_graph: boolean,
  retain_graph = create_graph,
): Maybe[] {
  const used = outputs.flatMap((t, i) => (t?.requires_grad ? [i] : []));
  if (used.length === 0) return inputs.map(() => null);
  return gradients(
    used.map((i) => outputs[i] as Tensor),
    inputs,
    used.map((i) => weights?.[i] ?? null),
    { create_graph, retain_graph, allow_unused: true },
  );
}

/** A function's single output with a single element. */
function scalar_output(value: unknown, callee: string, strict: boolean): Tensor {
  const { several, tensors } = outputs_of(value, callee);
  check_requires_grad(tensors, 'outputs', strict);
  if (several) throw new Error(`The function given to ${callee} should return a single Tensor`);
  if (tensors[0].numel() !== 1) {
    throw new Error(`The Tensor returned by the function given to ${callee} should contain a single element`);
  }
  return tensors[0];
}

const plain = <T extends object>(callee: string, defaults: T, rest: readonly unknown[]): T =>
  bind<T>(callee, defaults, rest);

// ---- products ----

/**
 * `[func(inputs), vᵀJ]`: the product of the vector `v`, of the outputs' shapes, and the Jacobian. `v` may be left out for an output with a
 * single element.
 *
 * Throws for a `v` of other shapes, results that are no tensors, and with `strict` where an output is independent of an input.
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.vjp.html
 *
 * @example
 * ```ts
 * const [y, g] = torch.autograd.functional.vjp((x) => x.exp(), torch.zeros(3), torch.ones(3));
 * ```
 */
export function vjp(func: Fn, inputs: Many, v?: Many | null, options?: FunctionalOptions): [Many, Many];
export function vjp(
  func: Fn,
  inputs: Many,
  v: Many | null | undefined,
  create_graph?: boolean,
  strict?: boolean,
): [Many, Many];
export function vjp(func: Fn, inputs: Many, ...rest: unknown[]): [Many, Many] {
  const { v, create_graph, strict } = plain('vjp', { v: null, create_graph: false, strict: false }, rest);
  const { given, ins, outs, weights } = enable_grad(() => {
    const given = listed(inputs, 'inputs', 'vjp');
    const ins = prepared(given.tensors, create_graph, true);
    const outs = outputs_of(func(...ins), 'vjp');
    check_requires_grad(outs.tensors, 'outputs', strict);
    if (v === null && (outs.tensors.length !== 1 || outs.tensors[0].numel() !== 1)) {
      throw needs_vector('user-provided function returns');
    }
    return { given, ins, outs, weights: v === null ? null : vector_of(v, outs, 'vjp', create_graph) };
  });
  const g = set_grad_enabled(create_graph || is_grad_enabled(), () =>
    filled(partial(outs.tensors, ins, weights, create_graph), ins, strict, create_graph, 'back'),
  );
  return [
    unlisted(finished(outs.tensors, create_graph), outs.several),
    unlisted(finished(g, create_graph), given.several),
  ];
}

/**
 * `[func(inputs), Jv]`: the product of the Jacobian and the vector `v`, of the inputs' shapes, computed by differentiating the product
 * from the other side. `v` may be left out for a single input with a single element. `torch.func.jvp` does it forwards, in one pass.
 *
 * Throws as {@link vjp}. See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jvp.html
 *
 * @example
 * ```ts
 * const [y, dy] = torch.autograd.functional.jvp((x) => x.exp(), torch.zeros(3), torch.ones(3));
 * ```
 */
export function jvp(func: Fn, inputs: Many, v?: Many | null, options?: FunctionalOptions): [Many, Many];
export function jvp(
  func: Fn,
  inputs: Many,
  v: Many | null | undefined,
  create_graph?: boolean,
  strict?: boolean,
): [Many, Many];
export function jvp(func: Fn, inputs: Many, ...rest: unknown[]): [Many, Many] {
  const { v, create_graph, strict } = plain('jvp', { v: null, create_graph: false, strict: false }, rest);
  const { outs, weights, linear, dual } = enable_grad(() => {
    const given = listed(inputs, 'inputs', 'jvp');
    const ins = prepared(given.tensors, create_graph, true);
    const weights = v === null ? null : vector_of(v, { ...given, tensors: ins }, 'jvp', create_graph);
    if (weights === null && (ins.length !== 1 || ins[0].numel() !== 1)) {
      throw needs_vector('input to the user-provided function is');
    }
    const outs = outputs_of(func(...ins), 'jvp');
    check_requires_grad(outs.tensors, 'outputs', strict);
    const dual = outs.tensors.map((t) => ops.zeros_like(t).requires_grad_());
    const linear = partial(outs.tensors, ins, dual, true);
    check_requires_grad(linear, 'grad_inputs', strict);
    return { outs, weights, linear, dual };
  });
  const product = (): Tensor[] =>
    filled(partial(linear, dual, weights, create_graph), outs.tensors, strict, create_graph, 'back_trick');
  const r = create_graph ? enable_grad(product) : product();
  return [
    unlisted(finished(outs.tensors, create_graph), outs.several),
    unlisted(finished(r, create_graph), outs.several),
  ];
}

/** What the products with a Hessian start from: the gradient, recorded. */
function recorded_gradient(
  callee: string,
  func: Fn,
  inputs: Many,
  v: unknown,
  create_graph: boolean,
  strict: boolean,
): { given: Listed; ins: Tensor[]; out: Tensor; weights: Tensor[] | null; gradient: Maybe[] } {
  const given = listed(inputs, 'inputs', callee);
  const ins = prepared(given.tensors, create_graph, true);
  const weights = v === null ? null : vector_of(v, { ...given, tensors: ins }, callee, create_graph);
  if (weights === null && (ins.length !== 1 || ins[0].numel() !== 1)) {
    throw needs_vector('input to the user-provided function is');
  }
  const out = scalar_output(func(...ins), callee, strict);
  const gradient = partial([out], ins, null, true);
  check_requires_grad(gradient, 'jacobian', strict);
  return { given, ins, out, weights, gradient };
}

/**
 * `[func(inputs), vᵀH]`: the product of the vector `v` and the Hessian of a function with a single-element output.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.vhp.html
 *
 * @example
 * ```ts
 * const [y, g] = torch.autograd.functional.vhp((x) => x.pow(3).sum(), torch.ones(2), torch.ones(2)); // g: [6, 6]
 * ```
 */
export function vhp(func: Fn, inputs: Many, v?: Many | null, options?: FunctionalOptions): [Many, Many];
export function vhp(
  func: Fn,
  inputs: Many,
  v: Many | null | undefined,
  create_graph?: boolean,
  strict?: boolean,
): [Many, Many];
export function vhp(func: Fn, inputs: Many, ...rest: unknown[]): [Many, Many] {
  const { v, create_graph, strict } = plain('vhp', { v: null, create_graph: false, strict: false }, rest);
  const { given, ins, out, weights, gradient } = enable_grad(() =>
    recorded_gradient('vhp', func, inputs, v, create_graph, strict),
  );
  const g = set_grad_enabled(create_graph || is_grad_enabled(), () =>
    filled(partial(gradient, ins, weights, create_graph), ins, strict, create_graph, 'double_back'),
  );
  const [value] = finished([out], create_graph);
  return [value, unlisted(finished(g, create_graph), given.several)];
}

/**
 * `[func(inputs), Hv]`: the product of the Hessian of a function with a single-element output and the vector `v`. The Hessian is symmetric where
 * it is continuous, and {@link vhp} is the quicker of the two.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.hvp.html
 *
 * @example
 * ```ts
 * const [y, g] = torch.autograd.functional.hvp((x) => x.pow(3).sum(), torch.ones(2), torch.ones(2)); // g: [6, 6]
 * ```
 */
export function hvp(func: Fn, inputs: Many, v?: Many | null, options?: FunctionalOptions): [Many, Many];
export function hvp(
  func: Fn,
  inputs: Many,
  v: Many | null | undefined,
  create_graph?: boolean,
  strict?: boolean,
): [Many, Many];
export function hvp(func: Fn, inputs: Many, ...rest: unknown[]): [Many, Many] {
  const { v, create_graph, strict } = plain('hvp', { v: null, create_graph: false, strict: false }, rest);
  const { given, ins, out, weights, linear, dual } = enable_grad(() => {
    const recorded = recorded_gradient('hvp', func, inputs, v, create_graph, strict);
    const dual = recorded.ins.map((t) => ops.zeros_like(t).requires_grad_());
    const linear = partial(recorded.gradient, recorded.ins, dual, true);
    check_requires_grad(recorded.gradient, 'hessian', strict);
    return { ...recorded, linear, dual };
  });
  const g = set_grad_enabled(create_graph || is_grad_enabled(), () =>
    filled(partial(linear, dual, weights, create_graph), ins, strict, create_graph, 'double_back_trick'),
  );
  const [value] = finished([out], create_graph);
  return [value, unlisted(finished(g, create_graph), given.several)];
}

// ---- matrices ----

type Nested = Tensor | Tensor[] | Tensor[][];
const nested = (rows: Tensor[][], outputs: boolean, inputs: boolean): Nested => {
  const unpacked = inputs ? rows : rows.map((row) => row[0]);
  return outputs ? unpacked : unpacked[0];
};

const STRATEGIES = ['forward-mode', 'reverse-mode'];

/**
 * The Jacobian of `func` at `inputs`: shape `output.shape + input.shape`; arrays of such, by outputs and in these by inputs, where there are
 * several.
 *
 * Throws for results that are no tensors, for combinations that PyTorch does not have either (`strict` with `vectorize`, forwards with
 * `create_graph`, `strict` or without `vectorize`), and with `strict` where an output is independent of an input.
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html
 *
 * @example
 * ```ts
 * torch.autograd.functional.jacobian((x) => x.exp(), torch.zeros(2)); // [[1, 0], [0, 1]]
 * ```
 */
export function jacobian(func: Fn, inputs: Many, options?: JacobianOptions): Nested;
export function jacobian(
  func: Fn,
  inputs: Many,
  create_graph: boolean,
  strict?: boolean,
  vectorize?: boolean,
  strategy?: 'reverse-mode' | 'forward-mode',
): Nested;
export function jacobian(func: Fn, inputs: Many, ...rest: unknown[]): Nested {
  const { create_graph, strict, vectorize, strategy } = plain(
    'jacobian',
    { create_graph: false, strict: false, vectorize: false, strategy: 'reverse-mode' },
    rest,
  );
  if (!STRATEGIES.includes(strategy)) {
    throw new Error(
      'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than inputs, ' +
        '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".',
    );
  }
  if (strategy === 'forward-mode') {
    if (create_graph) {
      throw new Error(
        'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). ' +
          'Please either set `create_graph=False` or `strategy="reverse-mode"`.',
      );
    }
    return forwards(func, inputs, strict, vectorize);
  }
  return enable_grad(() => backwards(func, inputs, create_graph, strict, vectorize));
}

function forwards(func: Fn, inputs: Many, strict: boolean, vectorize: boolean): Nested {
  if (strict) {
    throw new Error(
      'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together (yet). ' +
        'Please either set `strict=False` or `strategy="reverse-mode"`.',
    );
  }
  const given = listed(inputs, 'inputs', 'jacobian');
  if (!vectorize) {
    throw new Error(
      'Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`.',
    );
  }
  let several = false;
  const rows = jacobian_columns((...args) => {
    const outs = listed(func(...args), 'outputs', 'jacobian');
    several = outs.several;
    return outs.tensors;
  }, given.tensors);
  return nested(rows, several, given.several);
}

function backwards(
  func: Fn,
  inputs: Many,
  create_graph: boolean,
  strict: boolean,
  vectorize: boolean,
): Nested {
  const given = listed(inputs, 'inputs', 'jacobian');
  const ins = prepared(given.tensors, create_graph, true);
  const outs = outputs_of(func(...ins), 'jacobian');
  check_requires_grad(outs.tensors, 'outputs', strict);
  if (vectorize && strict) {
    throw new Error(
      'torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. ' +
        'Please either set `strict=False` or `vectorize=False`.',
    );
  }
  const rows = outs.tensors.map((out, o) => {
    const shapes = ins.map((t) => [...out.shape, ...t.shape]);
    const n = out.numel();
    if (n === 0 || !out.requires_grad) {
      if (strict) throw independent(o, 0);
      return ins.map((t, i) => t.new_zeros(shapes[i]));
    }
    const units = ops.eye(n, { dtype: out.dtype, device: out.device }).reshape([n, ...out.shape]);
    const found = batched_gradients([out], ins, [units], {
      create_graph,
      retain_graph: true,
      allow_unused: true,
    });
    return found.map((t, i) => {
      if (t === null && strict) throw independent(o, i);
      if (strict && create_graph && !t!.requires_grad) {
        throw new Error(
          `The jacobian of the user-provided function is independent of input ${o}. This is not allowed in strict mode when create_graph=True.`,
        );
      }
      return t === null ? ins[i].new_zeros(shapes[i]) : t.reshape(shapes[i]);
    });
  });
  return nested(
    rows.map((row) => finished(row, create_graph)),
    outs.several,
    given.several,
  );
}
const independent = (output: number, input: number): Error =>
  new Error(
    `Output ${output} of the user-provided function is independent of input ${input}. This is not allowed in strict mode.`,
  );

/**
 * The Hessian of a function with a single-element output: shape `input.shape + input.shape`; arrays of arrays of such for several inputs.
 *
 * Throws for other outputs, and as {@link jacobian}.
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.hessian.html
 *
 * @example
 * ```ts
 * torch.autograd.functional.hessian((x) => x.pow(3).sum(), torch.ones(2)); // [[6, 0], [0, 6]]
 * ```
 */
export function hessian(func: Fn, inputs: Many, options?: HessianOptions): Nested;
export function hessian(
  func: Fn,
  inputs: Many,
  create_graph: boolean,
  strict?: boolean,
  vectorize?: boolean,
  outer_jacobian_strategy?: 'reverse-mode' | 'forward-mode',
): Nested;
export function hessian(func: Fn, inputs: Many, ...rest: unknown[]): Nested {
  const { create_graph, strict, vectorize, outer_jacobian_strategy } = plain(
    'hessian',
    { create_graph: false, strict: false, vectorize: false, outer_jacobian_strategy: 'reverse-mode' },
    rest,
  );
  const given = listed(inputs, 'inputs', 'hessian');
  if (!STRATEGIES.includes(outer_jacobian_strategy)) {
    throw new Error('Expected strategy to be either "forward-mode" or "reverse-mode".');
  }
  const forward = outer_jacobian_strategy === 'forward-mode';
  const gradient = (...args: Tensor[]): Many => {
    const scalar = (...x: Tensor[]): Tensor => scalar_output(func(...x), 'hessian', strict).squeeze();
    const made = forward ? args.map((t) => new Variables().make(t)) : args;
    const rows = enable_grad(() => backwards(scalar, made, true, false, false)) as Tensor[];
    check_requires_grad(rows, 'jacobian', strict);
    return rows;
  };
  const outer = jacobian(gradient, given.tensors, {
    create_graph,
    strict,
    vectorize,
    strategy: outer_jacobian_strategy as JacobianOptions['strategy'],
  }) as Tensor[][];
  return given.several ? outer : outer[0][0];
}
