// Custom differentiable functions: torch.autograd.Function.
import { type_name } from '../func/tree';
import { guard } from '../errors';
import { native, type Handle, type NodeHandle, type SavedHandle } from '../native';
import { zeros } from '../ops';
import { Tensor } from '../tensor';
import type { DType } from '../dtype';
import type { Device } from '../device';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a user's function takes and returns what it likes
type Any = any;
type Maybe = Tensor | null | undefined;

/** `str` for `"<class 'str'>"`. */
const python_type = (value: unknown): string => type_name(value).slice("<class '".length, -"'>".length);

/**
 * What a custom function's `forward`, `setup_context`, `backward` and `jvp` share. Any other property may be set by one and read by another,
 * but tensors that are inputs or outputs belong into `save_for_backward`: kept as properties they keep the graph alive with them.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#context-method-mixins
 */
export class FunctionCtx {
  [key: string]: unknown;
  /** One flag per argument of `apply`: whether it needs a gradient. */
  needs_input_grad: boolean[] = [];
  /** @internal */ to_save: readonly Maybe[] = [];
  /** @internal */ saved_for_forward: readonly Maybe[] | null = null;
  /** @internal */ dirty_tensors: readonly Tensor[] = [];
  /** @internal */ non_differentiable: readonly Tensor[] = [];
  /** @internal */ materialize_grads = true;
  /** @internal */ _saved: SavedHandle | null = null;
  /** @internal */ _in_jvp = false;

  /**
   * Keeps tensors (or null) for backward. Call it once, with inputs, outputs or intermediate values; it goes through the hooks of
   * `saved_tensors_hooks`, and a tensor written in place since is refused when it is read. Throws a TypeError for anything else.
   */
  save_for_backward(...tensors: Maybe[]): void {
    this.to_save = tensors;
  }
  /** Keeps tensors (or null) for `jvp`. */
  save_for_forward(...tensors: Maybe[]): void {
    if (!tensors.every((t) => t instanceof Tensor || t === null || t === undefined)) {
      throw new Error(
        'save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes on ctx.',
      );
    }
    this.saved_for_forward = tensors;
  }
  /**
   * What `save_for_backward` kept; in `jvp`, what `save_for_forward` kept. Throws when one was written in place since, or when the graph was
   * freed by an earlier backward.
   */
  get saved_tensors(): Tensor[] {
    if (this._in_jvp) return [...(this.saved_for_forward ?? this.to_save)] as Tensor[];
    const saved = this._saved;
    if (saved === null) return [];
    return guard(() => native.unpack_saved(saved)).map((h) =>
      h === null ? null : new Tensor(h),
    ) as Tensor[];
  }
  /** Says that forward wrote these inputs in place. They must be among its outputs. */
  mark_dirty(...tensors: Tensor[]): void {
    this.dirty_tensors = tensors;
  }
  /** Says that these outputs take no part in differentiation; `backward` gets zeros for them. */
  mark_non_differentiable(...tensors: Tensor[]): void {
    this.non_differentiable = tensors;
  }
  /** Whether missing gradients of outputs reach `backward`, and missing tangents `jvp`, as zeros (the default) or as null. */
  set_materialize_grads(value: boolean): void {
    this.materialize_grads = value;
  }
}

/** How `vmap` runs custom functions; set by lib/func. Returns null when none of the arguments is batched. */
export const vmapped = {
  apply: null as ((fn: typeof Function, args: unknown[]) => { result: unknown } | null) | null,
};

interface Meta {
  shape: number[];
  dtype: DType;
  device: Device;
}

/**
 * Base of custom functions. A subclass defines static `forward(ctx, ...args)`, or `forward(...args)` and `setup_context(ctx, inputs, output)`;
 * `backward(ctx, ...grad_outputs)`, which returns one gradient, or null, per argument of forward; and, for forward-mode differentiation,
 * `jvp(ctx, ...tangents)`. `apply(...args)` runs it.
 *
 * `forward` runs without recording. Tensors among its arguments are differentiated, those within arrays and objects are not; it returns
 * a tensor or an array of them, and what is no tensor passes through. Its outputs are connected to its inputs through `backward` alone.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
 *
 * @example
 * ```ts
 * class Exp extends torch.autograd.Function {
 *   static forward(ctx: torch.autograd.FunctionCtx, x: torch.Tensor) {
 *     const y = x.exp();
 *     ctx.save_for_backward(y);
 *     return y;
 *   }
 *   static backward(ctx: torch.autograd.FunctionCtx, grad: torch.Tensor) {
 *     const [y] = ctx.saved_tensors;
 *     return grad.mul(y);
 *   }
 * }
 * Exp.apply(torch.zeros(2, { requires_grad: true }));
 * ```
 */
export class Function {
  /** For `vmap`: forward, backward and jvp consist of operators, and may be run on batched tensors. */
  static generate_vmap_rule = false;

  constructor() {
    process.emitWarning(
      `${new.target.name} should not be instantiated. Methods on autograd functions are all static, so you should invoke them on the ` +
        'class itself. Instantiating an autograd function will raise an error in a future version of PyTorch.',
      'DeprecationWarning',
    );
  }

  static forward(..._args: Any[]): Any {
    throw new Error('You must implement the forward function for custom autograd.Function.');
  }
  static setup_context(_ctx: FunctionCtx, _inputs: Any[], _output: Any): void {
    throw new Error('setup_context is not implemented.');
  }
  static backward(_ctx: FunctionCtx, ..._grads: Any[]): Maybe | Maybe[] {
    throw new Error(
      'You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD.',
    );
  }
  /** Another name of {@link Function.backward}. */
  static vjp(ctx: FunctionCtx, ...grads: Any[]): Maybe | Maybe[] {
    return this.backward(ctx, ...(grads as unknown[]));
  }
  static jvp(_ctx: FunctionCtx, ..._tangents: Any[]): Maybe | Maybe[] {
    throw new Error(
      'You must implement the jvp function for custom autograd.Function to use it with forward mode AD.',
    );
  }
  /** `info` has `batch_size` and `randomness`; `in_dims` an entry per argument. Returns `[output, out_dims]`. */
  static vmap(
    _info: { batch_size: number; randomness: string },
    _in_dims: (number | null)[],
    ..._args: Any[]
  ): [Any, Any] {
    throw new Error(
      'To use autograd.Function with vmap, you must either override the vmap staticmethod or set generate_vmap_rule=True.',
    );
  }

  /** Runs the function. Throws what `forward` throws, and PyTorch's errors for what it may not do. */
  static apply(...args: Any[]): Any {
    if (this.forward === Function.forward && 'forward' in this.prototype) {
      throw new Error(
        'Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function with static ' +
          'forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)',
      );
    }
    const batched = vmapped.apply?.(this, args);
    return batched ? batched.result : new Application(this, args).run();
  }
}

const enum Kind {
  Constant,
  Result,
  OneOfSeveralViews,
  WrittenInput,
}

/** One call of a custom function. */
class Application {
  readonly ctx = new FunctionCtx();
  readonly inputs: Tensor[];
  /** Of the function's outputs, null for what is no tensor. */
  readonly metas: (Meta | null)[] = [];
  readonly separate: boolean;
  constructor(
    readonly fn: typeof Function,
    readonly args: unknown[],
  ) {
    this.inputs = args.filter((a) => a instanceof Tensor);
    this.ctx.needs_input_grad = args.map((a) => a instanceof Tensor && a.requires_grad);
    this.separate = fn.setup_context !== Function.setup_context;
  }

  run(): unknown {
    const { ctx, fn, args } = this;
    const recording = native.is_grad_enabled() && ctx.needs_input_grad.some(Boolean);
    // (The node holds the context and no tensor of the graph; the outputs hold the node.)
    const node = recording ? this.node() : null;
    const raw: unknown = quietly(() => {
      if (!this.separate) return fn.forward(ctx, ...args) as unknown;
      const output: unknown = fn.forward(...args);
      fn.setup_context(ctx, args, output);
      return output;
    });
    const list: unknown[] = Array.isArray(raw) ? raw : [raw];
    const outputs = this.wrap(list, node);
    if (node) this.save(list, node);
    this.push_tangents(outputs);
    ctx.to_save = [];
    ctx.saved_for_forward = null;
    ctx.dirty_tensors = [];
    ctx.non_differentiable = [];
    return Array.isArray(raw) ? outputs : outputs[0];
  }

  node(): NodeHandle {
    const { fn, ctx, args, metas } = this;
    const is_tensor = args.map((a) => a instanceof Tensor);
    return native.custom_node(
      `${fn.name}Backward`,
      this.inputs.map((t) => t._h),
      (grads) => call_backward(fn, ctx, is_tensor, materialized(ctx, grads, metas)),
    );
  }

  /** The outputs with their place in the graph; an input that is returned as it is becomes a view of itself. */
  wrap(list: unknown[], node: NodeHandle | null): unknown[] {
    const { ctx, inputs } = this;
    const dirty = tensors_only(
      ctx.dirty_tensors,
      (i, type) => `mark_dirty can only accept variables, but argument ${i} is of type ${type}`,
    );
    const constant = tensors_only(
      ctx.non_differentiable,
      (_, type) => `mark_non_differentiable only accepts variable arguments, but got ${type}`,
    );
    for (const t of dirty) {
      native.mark_in_place(t._h);
      if (!inputs.includes(t)) {
        process.emitWarning(
          'ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be passed to ' +
            'ctx.mark_dirty().',
          'UserWarning',
        );
      } else if (!list.includes(t)) {
        throw new Error(
          'Some elements marked as dirty during the forward method were not returned as output. The inputs that are modified inplace ' +
            'must all be outputs of the Function.',
        );
      }
    }
    const differentiable = (t: unknown): boolean =>
      node !== null && t instanceof Tensor && t.is_floating_point() && !constant.includes(t);
    const several = list.filter(differentiable).length > 1;
    return list.map((t) => {
      if (!(t instanceof Tensor)) {
        this.metas.push(null);
        if (node) native.custom_output(node, null, Kind.Constant);
        return t;
      }
      this.metas.push({ shape: t.shape, dtype: t.dtype, device: t.device });
      const is_input = inputs.includes(t);
      const written = dirty.includes(t);
      if (!differentiable(t)) {
        const plain = written ? t : without_history(t, is_input);
        if (node) native.custom_output(node, plain._h, Kind.Constant);
        return plain;
      }
      if (written && is_input) {
        this.check_written(t, list.length);
        guard(() => native.custom_output(node!, t._h, Kind.WrittenInput));
        return t;
      }
      if (is_input && this.separate && ctx.to_save.includes(t)) {
        throw new Error(
          'An input that has been returned as-is as output is being saved for backward. This is not supported if you override ' +
            'setup_context. You should return and save a view of the input instead, e.g. with x.view_as(x) or setup ctx inside the ' +
            'forward function itself.',
        );
      }
      const result = is_input ? quietly(() => t.view_as(t)) : t;
      native.custom_output(node!, result._h, several ? Kind.OneOfSeveralViews : Kind.Result);
      return result;
    });
  }

  check_written(t: Tensor, outputs: number): void {
    if (t.requires_grad && t.is_leaf) {
      throw new Error('a leaf Variable that requires grad has been used in an in-place operation.');
    }
    if (t._is_view() && outputs > 1) {
      throw new Error(
        'If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more than one ' +
          'Tensor. This is not supported by the current autograd engine. You should either make sure the input is not a view (using ' +
          '.clone() for example) or make your Function only return one Tensor (potentially splitting it into two Functions: one doing ' +
          'the inplace that returns a single Tensor and a second one that does the other operations). You can ask on the forum ' +
          'https://discuss.pytorch.org/ if you need help to do this change.',
      );
    }
  }

  save(list: unknown[], node: NodeHandle): void {
    const { ctx, inputs } = this;
    const dirty = ctx.dirty_tensors;
    const own = (t: Tensor): number =>
      inputs.includes(t) && !dirty.includes(t)
        ? -1
        : list.findIndex((o) => o === t && !ctx.non_differentiable.includes(t));
    const numbers = ctx.to_save.map((t, i) => {
      if (t === null || t === undefined) return -1;
      if (t instanceof Tensor) return t.is_floating_point() ? own(t) : -1;
      throw new TypeError(
        `save_for_backward can only save variables, but argument ${i} is of type ${python_type(t)}`,
      );
    });
    const handles = ctx.to_save.map((t) => t?._h ?? null);
    ctx._saved = guard(() => native.save_tensors(node, handles, numbers));
  }

  /** Forward mode: `jvp` gives the outputs their tangents, level by level; each level's may carry those of the levels below it. */
  push_tangents(outputs: unknown[]): void {
    const levels = native.visible_dual_levels();
    if (levels === 0n) return;
    const { args, ctx, fn } = this;
    for (let level = 0; levels >> BigInt(level) > 0n; ++level) {
      if (((levels >> BigInt(level)) & 1n) === 0n) continue;
      const tangents = args.map((a) => (a instanceof Tensor ? native.tangent_of(a._h, level) : null));
      if (tangents.every((t) => t === null)) continue;
      const given = args.map((a, i) => {
        const h = tangents[i];
        if (h !== null) return new Tensor(h);
        return a instanceof Tensor && ctx.materialize_grads && a.is_floating_point() ? zeros_of(a) : null;
      });
      ctx._in_jvp = true;
      try {
        with_levels(levels & ((1n << BigInt(level)) - 1n), () => {
          set_tangents(outputs, fn.jvp(ctx, ...given), level);
        });
      } finally {
        ctx._in_jvp = false;
      }
    }
  }
}

/** Runs `fn` without recording a graph and without tangents. */
function quietly<T>(fn: () => T): T {
  const grad = native.set_grad_enabled(false);
  try {
    return with_levels(0n, fn);
  } finally {
    native.set_grad_enabled(grad);
  }
}

function with_levels<T>(levels: bigint, fn: () => T): T {
  const before = native.visible_dual_levels();
  if (before === levels) return fn();
  native.set_visible_dual_levels(levels);
  try {
    return fn();
  } finally {
    native.set_visible_dual_levels(before);
  }
}

function tensors_only(list: readonly unknown[], text: (i: number, type: string) => string): Tensor[] {
  return list.map((t, i) => {
    if (!(t instanceof Tensor)) throw new Error(text(i, python_type(t)));
    return t;
  });
}

/** An output that takes no part in the graph. */
function without_history(t: Tensor, is_input: boolean): Tensor {
  if (!t.requires_grad) return is_input ? quietly(() => t.view_as(t)) : t;
  if (is_input) return t.detach();
  return t._is_view() ? t : t.detach_();
}

const zeros_of = ({ shape, dtype, device }: Meta): Tensor => zeros(shape, { dtype, device });

function materialized(ctx: FunctionCtx, grads: (Handle | null)[], metas: (Meta | null)[]): (Tensor | null)[] {
  return metas.map((meta, i) => {
    const h = grads[i] ?? null;
    if (h !== null) return new Tensor(h);
    return ctx.materialize_grads && meta !== null ? zeros_of(meta) : null;
  });
}

function backward_of(fn: typeof Function): 'backward' | 'vjp' {
  if (fn.vjp === Function.vjp) return 'backward';
  if (fn.backward !== Function.backward) {
    throw new Error(
      "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of them.",
    );
  }
  return 'vjp';
}

/** Runs the user's backward and checks what it returns: one gradient per argument, for tensors only. */
function call_backward(
  fn: typeof Function,
  ctx: FunctionCtx,
  is_tensor: boolean[],
  grads: (Tensor | null)[],
): (Handle | null)[] {
  const result = fn[backward_of(fn)](ctx, ...grads);
  let list: unknown[] = Array.isArray(result) ? result : [result];
  const name = `${fn.name}Backward`;
  const is_none = (g: unknown): boolean => g === null || g === undefined;
  const expected = is_tensor.length;
  if (list.length > expected && list.slice(expected).every(is_none)) list = list.slice(0, expected);
  if (list.length !== expected) {
    throw new Error(
      `function ${name} returned an incorrect number of gradients (expected ${expected}, got ${list.length})`,
    );
  }
  return list.flatMap((g, i) => {
    if (!is_tensor[i]) {
      if (is_none(g)) return [];
      throw new Error(
        `function ${name} returned a gradient different than None at position ${i + 1}, but the corresponding forward input was not a Variable`,
      );
    }
    if (is_none(g)) return [null];
    if (!(g instanceof Tensor)) throw new Error(`expected Variable or None (got ${python_type(g)})`);
    return [g._h];
  });
}

function set_tangents(outputs: unknown[], result: unknown, level: number): void {
  const list: unknown[] = Array.isArray(result) ? result : [result];
  if (list.length !== outputs.length) {
    throw new Error(
      `Function's jvp returned an invalid number of forward gradients (expected ${outputs.length} but got ${list.length})`,
    );
  }
  list.forEach((tangent, i) => {
    const output = outputs[i];
    if (!(output instanceof Tensor) || !output.is_floating_point()) return;
    if (tangent === null || tangent === undefined) {
      native.set_tangent(output._h, level, null);
      return;
    }
    if (!(tangent instanceof Tensor)) {
      throw new Error(`expected Variable or None (got ${python_type(tangent)}) for grad output ${i}.`);
    }
    if (tangent.shape.join() !== output.shape.join()) {
      throw new Error(
        'Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. Tensor is ' +
          `of size [${output.shape.join(', ')}] while the given forward gradient is of size [${tangent.shape.join(', ')}].`,
      );
    }
    native.set_tangent(output._h, level, tangent._h);
  });
}

/**
 * Makes of `backward` one that is not recorded, for formulas that are not written in differentiable operators. To differentiate through it
 * a second time throws. As a function around it, or as a decorator: `@once_differentiable static backward(...)`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.autograd.function.once_differentiable.html
 *
 * @example
 * ```ts
 * class Twice extends torch.autograd.Function {
 *   static forward(ctx: torch.autograd.FunctionCtx, x: torch.Tensor) {
 *     return x.mul(2);
 *   }
 *   static backward = torch.autograd.once_differentiable((ctx, g: torch.Tensor) => g.mul(2));
 * }
 * ```
 */
export function once_differentiable<A extends Any[], R>(
  fn: (ctx: FunctionCtx, ...grads: A) => R,
  _context?: object,
): (ctx: FunctionCtx, ...grads: A) => R {
  return function (this: unknown, ctx, ...grads) {
    const mode = native.set_grad_enabled(false);
    let result: R;
    try {
      result = fn.call(this, ctx, ...grads);
    } finally {
      native.set_grad_enabled(mode);
    }
    if (!mode || !grads.some((g: unknown) => g instanceof Tensor && g.requires_grad)) return result;
    // The results look as if they had a history; whoever follows it is told.
    const list: unknown[] = Array.isArray(result) ? result : [result];
    const tracked = list.map((g) => (g instanceof Tensor ? g.detach().requires_grad_() : g));
    const node = native.custom_node(
      'torch::autograd::Error',
      tracked.filter((t) => t instanceof Tensor).map((t) => t._h),
      () => {
        throw new Error('trying to differentiate twice a function that was marked with @once_differentiable');
      },
    );
    const outputs = tracked.map((t) => {
      if (!(t instanceof Tensor)) return t;
      const output = t.detach();
      native.custom_output(node, output._h, Kind.Result);
      return output;
    });
    return (Array.isArray(result) ? outputs : outputs[0]) as R;
  };
}
