// Custom differentiable functions: torch.autograd.Function.
import { guard, rethrow } from '../errors';
import { native, type Handle, type PackedHandle } from '../native';
import { Tensor } from '../tensor';
import { no_grad, set_grad_enabled } from './modes';

const FREED =
  'Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). Saved ' +
  'intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to ' +
  'backward through the graph a second time or if you need to access saved tensors after calling backward.';

interface Saved {
  tensor: Tensor | null;
  version: number;
  packed: PackedHandle | null; // what a hook on saved tensors keeps instead
  output: number | null; // which output of the function it is; kept as an alias then, or it would keep its own graph alive
}

/** What a custom function's `forward` and `backward` share. */
export class FunctionCtx {
  // Any other property may be set by forward and read by backward.
  [key: string]: unknown;
  /** One flag per argument of `apply`: whether it needs a gradient. */
  needs_input_grad: boolean[] = [];
  /** @internal */ _to_save: (Tensor | null)[] = [];
  /** @internal */ _saved: Saved[] | null = [];
  /** @internal */ _dirty = new Set<Tensor>();
  /** @internal */ _non_differentiable = new Set<Tensor>();
  /** @internal */ _materialize = true;

  /** Keeps tensors for backward; their versions are checked when they are read. */
  save_for_backward(...tensors: (Tensor | null)[]): void {
    this._to_save = tensors;
  }
  /** The tensors that `save_for_backward` kept. Throws when one was written in place since, or the graph was freed. */
  get saved_tensors(): Tensor[] {
    if (this._saved === null) throw new Error(FREED);
    return this._saved.map((s) => {
      if (s.packed !== null) return new Tensor(native.unpack_tensor(s.packed));
      if (s.tensor === null) return null as unknown as Tensor;
      const now = s.tensor._version;
      if (now !== s.version) {
        throw new Error(
          'one of the variables needed for gradient computation has been modified by an inplace operation: ' +
            `[${typeName(s.tensor)} [${s.tensor.shape.join(', ')}]] is at version ${now}; expected version ${s.version} instead. ` +
            'Hint: enable anomaly detection to find the operation that failed to compute its gradient, with ' +
            'torch.autograd.set_detect_anomaly(True, check_nan=False).',
        );
      }
      return s.output === null
        ? s.tensor
        : new Tensor(native.with_history_of_running_node(s.tensor._h, s.output));
    });
  }
  /** Says that these inputs were written in place. */
  mark_dirty(...tensors: Tensor[]): void {
    for (const t of tensors) this._dirty.add(t);
  }
  /** Says that these outputs take no part in differentiation. */
  mark_non_differentiable(...tensors: Tensor[]): void {
    for (const t of tensors) this._non_differentiable.add(t);
  }
  /** Whether missing gradients of outputs reach `backward` as zeros (the default) or as null. */
  set_materialize_grads(value: boolean): void {
    this._materialize = value;
  }
}

const TYPE_NAMES: Record<string, string> = {
  float32: 'Float',
  float64: 'Double',
  float16: 'Half',
  bfloat16: 'BFloat16',
  int64: 'Long',
  int32: 'Int',
  int16: 'Short',
  int8: 'Char',
  uint8: 'Byte',
  bool: 'Bool',
};
const typeName = (t: Tensor): string => `torch.${t.is_cuda ? 'cuda.' : ''}${TYPE_NAMES[t.dtype]}Tensor`;

type Result = Tensor | Tensor[];
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a user's function takes what it likes
type Args = any[];

/**
 * Base of custom functions: a subclass defines static `forward(ctx, ...args)` and `backward(ctx, ...grad_outputs)` (one gradient, or null,
 * per argument of forward); `apply(...args)` runs it.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
 */
export class Function {
  static forward(_ctx: FunctionCtx, ..._args: Args): Result {
    throw new Error('You must implement the forward function for custom autograd.Function.');
  }
  static backward(
    _ctx: FunctionCtx,
    ..._grads: Args
  ): Tensor | null | undefined | (Tensor | null | undefined)[] {
    throw new Error(
      'You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD.',
    );
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a function with several outputs returns them as an array
  static apply(...args: Args): any {
    const ctx = new FunctionCtx();
    const inputs = args.map((a) => (a instanceof Tensor ? a : null));
    ctx.needs_input_grad = inputs.map((t) => t !== null && t.requires_grad);
    const recording = native.is_grad_enabled() && ctx.needs_input_grad.some(Boolean);
    const raw = no_grad(() => this.forward(ctx, ...(args as unknown[])));
    const single = !Array.isArray(raw);
    const list = single ? [raw] : raw;
    for (const t of list) {
      if (!(t instanceof Tensor) && t !== null) {
        throw new TypeError(`${this.name}.forward: expected to return Tensors, but got ${typeof t}`);
      }
    }
    for (const t of ctx._dirty) native.mark_in_place(t._h);
    if (!recording) return raw;
    // An input that is returned as it is becomes another tensor on the same memory, so that it can have a history of its own.
    const outputs = list.map((t) =>
      inputs.includes(t) && !ctx._dirty.has(t) ? new Tensor(native.alias(t._h)) : t,
    );
    const differentiable = outputs.filter(
      (t, i) => !ctx._non_differentiable.has(list[i]) && t.is_floating_point(),
    );
    if (differentiable.length === 0) return single ? outputs[0] : outputs;
    const shapes = differentiable.map((t) => ({ shape: t.shape, dtype: t.dtype, device: t.device }));
    const isolate = (t: Tensor | null): Saved => {
      if (t === null) return { tensor: null, version: 0, packed: null, output: null };
      const i = list.indexOf(t);
      const out = i >= 0 && !inputs.includes(t) ? differentiable.indexOf(outputs[i]) : -1;
      const packed = guard(() => native.pack_tensor(t._h, out < 0 ? null : out));
      const kept = packed !== null ? null : out < 0 ? t : new Tensor(native.alias(t._h));
      return { tensor: kept, version: t._version, packed, output: out < 0 ? null : out };
    };
    ctx._saved = ctx._to_save.map(isolate);
    ctx._to_save = [];
    const dirty = list.filter((t) => ctx._dirty.has(t));
    for (const t of dirty) {
      if (t.is_leaf && t.requires_grad)
        throw new Error('a leaf Variable that requires grad is being used in an in-place operation.');
    }
    const name = `${this.name}Backward`;
    native.attach_custom(
      name,
      inputs.map((t) => t?._h ?? null),
      differentiable.map((t) => t._h),
      (grads, needed) => {
        if (grads === null) {
          ctx._saved = null;
          return undefined;
        }
        return callBackward(this, ctx, grads, needed, shapes);
      },
    );
    ctx._dirty.clear();
    return single ? outputs[0] : outputs;
  }
}

function callBackward(
  fn: typeof Function,
  ctx: FunctionCtx,
  grads: (Handle | null)[],
  needed: boolean[],
  shapes: { shape: number[]; dtype: string; device: { toString(): string } }[],
): (Handle | null)[] {
  const out = grads.map((g, i) => {
    if (g !== null) return new Tensor(g);
    return ctx._materialize ? zeros(shapes[i]) : null;
  });
  const r = fn.backward(ctx, ...out);
  const list = Array.isArray(r) ? r : [r];
  const name = `${fn.name}Backward`;
  if (list.length > needed.length && list.slice(needed.length).some((t) => t !== null && t !== undefined)) {
    throw new Error(
      `function ${name} returned an incorrect number of gradients (expected ${needed.length}, got ${list.length})`,
    );
  }
  if (list.length < needed.length) {
    throw new Error(
      `function ${name} returned an incorrect number of gradients (expected ${needed.length}, got ${list.length})`,
    );
  }
  return needed.map((_, i) => {
    const g = list[i];
    if (g !== null && g !== undefined && !(g instanceof Tensor)) {
      throw new TypeError(`expected Variable or None (got ${typeof g})`);
    }
    return g?._h ?? null;
  });
}

function zeros(s: { shape: number[]; dtype: string; device: { toString(): string } }): Tensor {
  const h = native.op('zeros')!(
    s.shape,
    ['float32', 'float64', 'float16', 'bfloat16'].indexOf(s.dtype),
    String(s.device),
  );
  return new Tensor(h as Handle);
}

/** Decorates a backward that is not itself differentiable: a second derivative through it throws. */
export function once_differentiable<A extends unknown[], R>(
  fn: (ctx: FunctionCtx, ...grads: A) => R,
): (ctx: FunctionCtx, ...grads: A) => R {
  return (ctx, ...grads) => {
    try {
      return set_grad_enabled(false, () => fn(ctx, ...grads));
    } catch (e) {
      return rethrow(e);
    }
  };
}
