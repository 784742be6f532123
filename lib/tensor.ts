// The Tensor class: a handle on a native tensor with PyTorch's properties. Operators are put on its prototype by
// lib/generated/ops.ts; what needs JavaScript's own kinds of values is written out here.
import { inspect } from 'node:util';
import { arrayFor, dtypeName, dtypeOfType, TENSOR_TYPES, type DType, type TypedArray } from './dtype';
import { one_in_turn, type AsyncOptions } from './async';
import { guard, rethrow } from './errors';
import type { TensorMethods } from './generated/methods';
import { index, index_put, index_put_, type Index } from './indexing';
import { interception } from './interception';
import { native, type Handle } from './native';
import { end_handle, type TensorOrEdge } from './autograd/edge';
import { lower_grad, wrapNode, type GradFn } from './autograd/node';
import { format_tensor } from './printing';
import { hook_name, removable, type RemovableHandle } from './removable';
import { Device } from './device';

export type { RemovableHandle };

// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the generated operators are on the prototype
export interface Tensor extends TensorMethods {}

/**
 * A multi-dimensional array of one data type, with PyTorch's names and behaviour.
 *
 * Create one with `torch.tensor`, `torch.zeros`, `torch.randn`, ...; the constructor wraps a native handle and is not
 * for users (`torch.Tensor(...)` and `new torch.Tensor(...)` are PyTorch's legacy constructor).
 */

export class Tensor {
  /** @internal */
  declare _h: Handle;

  constructor(handle: Handle) {
    this._h = handle;
  }

  // ---- geometry ----
  /** The sizes, outermost first. */
  get shape(): number[] {
    return native.shape(this._h);
  }
  /** The sizes, or the size of one dimension. Throws a RangeError when `dim` is out of range. */
  size(): number[];
  size(dim: number): number;
  size(dim?: number): number | number[] {
    const shape = native.shape(this._h);
    return dim === undefined ? shape : at(shape, dim);
  }
  /** Steps between neighbours along each dimension, in elements; or along one dimension. */
  stride(): number[];
  stride(dim: number): number;
  stride(dim?: number): number | number[] {
    const strides = native.stride(this._h);
    return dim === undefined ? strides : at(strides, dim);
  }
  /** The number of dimensions. */
  dim(): number {
    return native.dim(this._h);
  }
  get ndim(): number {
    return native.dim(this._h);
  }
  ndimension(): number {
    return native.dim(this._h);
  }
  /** The number of elements. */
  numel(): number {
    return native.numel(this._h);
  }
  nelement(): number {
    return native.numel(this._h);
  }
  storage_offset(): number {
    return native.storage_offset(this._h);
  }
  element_size(): number {
    return ITEM_SIZE[native.dtype(this._h)];
  }
  get itemsize(): number {
    return this.element_size();
  }
  get nbytes(): number {
    return this.numel() * this.element_size();
  }
  /** The address of the first element; equal for tensors that start at the same place. */
  data_ptr(): number {
    return native.data_ptr(this._h);
  }
  is_contiguous(options: { memory_format?: 'contiguous_format' | 'channels_last' } = {}): boolean {
    return native.is_contiguous(this._h, options.memory_format === 'channels_last' ? 2 : 0);
  }

  // ---- type and place ----
  get dtype(): DType {
    return dtypeName(native.dtype(this._h));
  }
  get device(): Device {
    return Device.of(native.device(this._h));
  }
  get is_cuda(): boolean {
    return native.device(this._h).startsWith('cuda');
  }
  get is_cpu(): boolean {
    return native.device(this._h) === 'cpu';
  }
  get layout(): string {
    return 'torch.strided';
  }
  is_floating_point(): boolean {
    return native.dtype(this._h) <= 3;
  }
  is_complex(): boolean {
    return false;
  }
  is_signed(): boolean {
    return native.dtype(this._h) < 8;
  }

  // ---- autograd ----
  get requires_grad(): boolean {
    return native.requires_grad(this._h);
  }
  set requires_grad(v: boolean) {
    guard(() => native.set_requires_grad(this._h, Boolean(v), true));
  }
  requires_grad_(v = true): this {
    if (interception.transforms > 0) {
      throw new Error(
        'You are attempting to call Tensor.requires_grad_() (or perhaps using torch.autograd.functional.* APIs) inside of a function being ' +
          'transformed by a functorch transform. This is unsupported, please attempt to use the functorch transforms (e.g. grad, vjp, ' +
          'jacrev, jacfwd, hessian) or call requires_grad_() outside of a function being transformed instead.',
      );
    }
    guard(() => native.set_requires_grad(this._h, v));
    return this;
  }
  /** Whether this is a leaf: made by the user, or needing no gradient. */
  get is_leaf(): boolean {
    return guard(() => native.is_leaf(this._h));
  }
  /** The accumulated gradient, or null. */
  get grad(): Tensor | null {
    const g = native.grad(this._h);
    if (g === null) {
      if (this.requires_grad && !native.retains_grad(this._h) && !isLeaf(this)) warnNonLeafGrad();
      return null;
    }
    // The same object as long as it is the same tensor, so that `x.grad === x.grad`.
    const known = grads.get(this);
    const id = native.impl_id(g);
    if (known && native.impl_id(known._h) === id) return known;
    const t = new Tensor(g);
    grads.set(this, t);
    return t;
  }
  set grad(g: Tensor | null | undefined) {
    if (g !== null && g !== undefined && !(g instanceof Tensor)) {
      throw new TypeError(`assigned grad expected to be a Tensor or None but got grad of type ${typeof g}`);
    }
    guard(() => native.set_grad(this._h, g?._h ?? null));
    if (g) grads.set(this, g);
    else grads.delete(this);
  }
  /** The node of the graph that made this tensor, or null for a leaf. */
  get grad_fn(): GradFn | null {
    return guard(() => wrapNode(native.grad_fn(this._h)));
  }
  get output_nr(): number {
    return native.output_nr(this._h);
  }
  /** How often this tensor's memory was written in place. */
  get _version(): number {
    return guard(() => native.version(this._h));
  }
  /** The tensor that this one is a view of, or null. */
  get _base(): Tensor | null {
    const b = native.base(this._h);
    return b === null ? null : new Tensor(b);
  }
  _is_view(): boolean {
    return native.base(this._h) !== null;
  }
  is_inference(): boolean {
    return native.is_inference(this._h);
  }
  get retains_grad(): boolean {
    return native.retains_grad(this._h);
  }
  /** Keeps the gradient of a non-leaf in `.grad` too. Throws when the tensor needs no gradient. */
  retain_grad(): void {
    guard(() => native.retain_grad(this._h));
  }
  /** The same memory without history: writes to either show in both, and count for both. */
  detach(): Tensor {
    return new Tensor(native.detach(this._h));
  }
  detach_(): this {
    guard(() => native.detach_(this._h));
    return this;
  }
  /** The same memory without history and with a version counter of its own: writes through it escape autograd's checks. */
  get data(): Tensor {
    return new Tensor(native.data(this._h));
  }
  set data(v: Tensor) {
    guard(() => native.set_data(this._h, v._h));
  }
  /**
   * Computes gradients of this tensor with respect to the leaves of its graph, adding them to their `.grad`.
   *
   * `gradient` has this tensor's shape and may be left out for a single element. `retain_graph` keeps what the graph saved, for another
   * pass; `create_graph` records the pass itself, for higher derivatives; `inputs` limits which tensors receive.
   * Throws PyTorch's errors: no graph, a missing or misshapen gradient, a second pass through a freed graph, values written in place.
   */
  backward(
    gradient?: Tensor | null | BackwardOptions,
    retain_graph?: boolean | null,
    create_graph = false,
    inputs?: BackwardOptions['inputs'],
  ): void {
    if (interception.transforms > 0) {
      throw new Error(
        'backward() called inside a functorch transform. This is not supported, please use functorch.grad or functorch.vjp instead or ' +
          'call backward() outside of functorch transforms.',
      );
    }
    let g = gradient;
    let retain = retain_graph;
    let create = create_graph;
    let into = inputs;
    if (g !== null && g !== undefined && !(g instanceof Tensor)) {
      if (typeof g !== 'object')
        throw new TypeError(`gradients can be either Tensors or None, but got ${typeof g}`);
      const known = ['gradient', 'retain_graph', 'create_graph', 'inputs'];
      for (const k of Object.keys(g)) {
        if (!known.includes(k))
          throw new TypeError(`Tensor.backward() got an unexpected keyword argument '${k}'`);
      }
      ({ gradient: g, retain_graph: retain, create_graph: create = false, inputs: into } = g);
    } else if (typeof retain === 'object' && retain !== null) {
      ({ retain_graph: retain, create_graph: create = false, inputs: into } = retain);
    }
    const list = into === null || into === undefined ? [] : Array.isArray(into) ? into : [into];
    if (into && list.length === 0) throw new Error('`inputs` argument to `backward()` cannot be empty.');
    try {
      native.backward([this._h], [g?._h ?? null], list.map(end_handle), retain ?? create, create);
    } catch (e) {
      rethrow(e);
    }
  }
  /**
   * {@link backward} off the event loop: timers, sockets and promises go on meanwhile, hooks and custom functions run on the event
   * loop as ever. Takes the same arguments, and `signal` among the keywords: an aborted pass stops at the next node and rejects
   * with `signal.reason`. Gradients that were complete by then stay in their leaves' `.grad`, and what the graph had freed is gone.
   *
   * Work off the event loop runs in the order in which it was asked for; see `torch.run_async`.
   *
   * @example
   * ```ts
   * const w = torch.ones(3, { requires_grad: true });
   * await w.mul(2).sum().backward_async();
   * w.grad // tensor([2., 2., 2.])
   * ```
   */
  backward_async(gradient?: Tensor | null | (BackwardOptions & AsyncOptions)): Promise<void>;
  backward_async(gradient: Tensor | null | undefined, options: BackwardOptions & AsyncOptions): Promise<void>;
  backward_async(
    gradient?: Tensor | null,
    retain_graph?: boolean | null,
    create_graph?: boolean,
    inputs?: BackwardOptions['inputs'],
    options?: AsyncOptions,
  ): Promise<void>;
  backward_async(...args: unknown[]): Promise<void> {
    return one_in_turn(this.backward.bind(this), args);
  }
  /**
   * Calls `hook(grad)` whenever a gradient of this tensor is computed (null when none reached it); what it returns, if anything, replaces
   * the gradient, and must be of the same shape, dtype and device. Hooks run in the order of registration, before `retain_grad()` and
   * before node hooks. A tensor that is written in place afterwards leaves its hooks with the value that it had.
   *
   * Throws when this tensor needs no gradient. See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
   *
   * @example
   * const v = torch.tensor([0, 0, 0], { requires_grad: true });
   * const handle = v.register_hook((grad) => grad.mul(2));
   * v.backward(torch.tensor([1, 2, 3]));
   * v.grad.tolist(); // [2, 4, 6]
   * handle.remove();
   */
  register_hook(hook: (grad: Tensor) => Tensor | null | undefined | void): RemovableHandle {
    return removable(guard(() => native.register_hook(this._h, on_gradient(hook), hook_name(hook))));
  }
  /**
   * Calls `hook(tensor)` after a gradient was added to this leaf's `.grad`, after all other hooks. It returns nothing.
   *
   * Throws when this is no leaf, or needs no gradient. See
   * https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_post_accumulate_grad_hook.html
   *
   * @example
   * const v = torch.tensor([0, 0, 0], { requires_grad: true });
   * const handle = v.register_post_accumulate_grad_hook((p) => torch.no_grad(() => p.sub_(p.grad)));
   * v.backward(torch.tensor([1, 2, 3]));
   * v.tolist(); // [-1, -2, -3]
   * handle.remove();
   */
  register_post_accumulate_grad_hook(hook: (tensor: Tensor) => void): RemovableHandle {
    const run = on_accumulated(hook, new WeakRef(this));
    return removable(guard(() => native.register_post_accumulate_grad_hook(this._h, run)));
  }

  // ---- values ----
  /**
   * Without arguments the name of PyTorch's legacy type, `'torch.FloatTensor'`; otherwise the tensor with another dtype, itself
   * when it has that already. `dtype` is a dtype, a legacy type's name or its constructor, `torch.LongTensor`.
   *
   * See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type.html
   */
  type(): string;
  type(dtype: DType | (string & {}) | ((...args: never[]) => unknown), non_blocking?: boolean): Tensor;
  type(dtype?: unknown): string | Tensor {
    if (dtype === undefined || dtype === null) {
      return `torch.${this.is_cuda ? 'cuda.' : ''}${TENSOR_TYPES[this.dtype]}`;
    }
    return this.to(dtypeOfType(dtype));
  }
  /** The single element as a number; a boolean for bool, a bigint for an int64 that is no safe integer. */
  item(): number {
    try {
      return native.item(this._h) as number;
    } catch (e) {
      return rethrow(e);
    }
  }
  /** The elements as nested arrays; a plain value for a 0-d tensor. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- nesting depends on the shape
  tolist(): any {
    const flat = this._values(null);
    const build = (dim: number, at: number, step: number): unknown => {
      if (dim === shape.length) return flat[at];
      const inner = shape[dim] === 0 ? 0 : step / shape[dim];
      return Array.from({ length: shape[dim] }, (_, i) => build(dim + 1, at + i * inner, inner));
    };
    const shape = this.shape;
    return build(0, 0, flat.length);
  }
  /**
   * A copy of the elements in row-major order: Float32Array for float32, float16 and bfloat16, Float64Array, BigInt64Array for int64,
   * Int32Array, Int16Array, Int8Array, Uint8Array for uint8 and bool. Throws when the tensor requires a gradient.
   */
  to_typed_array(): TypedArray {
    if (this.requires_grad) {
      throw new Error(
        "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
      );
    }
    return this._array();
  }
  /** @internal */
  _array(): TypedArray {
    const a = arrayFor(this.dtype, this.numel());
    guard(() => native.read_into(this._h, a));
    return a;
  }
  /** @internal The elements as `item()` gives them; with `edge`, long dimensions reduced to that many items at either end. */
  _values(edge: number | null): (number | bigint | boolean)[] {
    const h = edge === null ? this._h : native.edges(this._h, edge);
    const dtype = this.dtype;
    const a = arrayFor(dtype, native.numel(h));
    native.read_into(h, a);
    if (dtype === 'bool') return Array.from(a as Uint8Array, Boolean);
    if (dtype === 'int64') {
      return Array.from(a as BigInt64Array, (v) => {
        const n = Number(v);
        return Number.isSafeInteger(n) ? n : v;
      });
    }
    return Array.from(a as Float32Array);
  }
  /** Whether any element equals `x` (Python's `x in tensor`). */
  contains(x: number | bigint | boolean | Tensor): boolean {
    return this.eq(x as number)
      .any()
      .item() as unknown as boolean;
  }
  /** The rows: `for (const row of x)`. Throws for a 0-d tensor. */
  *[Symbol.iterator](): Generator<Tensor, void> {
    if (this.dim() === 0) throw new TypeError('iteration over a 0-d tensor');
    yield* this.unbind(0);
  }

  // ---- indexing ----
  /**
   * Python's `x[...]`: numbers, `torch.Slice(start, stop, step)`, `'...'`, `null` (a new dimension), booleans, integer tensors and
   * bool masks, in an array; a lone one needs no array. Numbers, slices and the like give a view, tensors and masks a copy.
   *
   * Throws a RangeError when an index is out of range or there are too many.
   *
   * @example
   * ```ts
   * torch.tensor([[1, 2], [3, 4]]).index([0, torch.Slice(1)])
   * torch.arange(4).index([torch.tensor([0, 3]).long()])
   * ```
   */
  index(indices: Index | readonly Index[]): Tensor {
    return index(this, indices);
  }
  /**
   * Python's `x[...] = values`, with the indices of `index`; `values` is a tensor that broadcasts, or a number. Differentiable, also
   * through views. With `accumulate`, values are added, also where positions repeat.
   */
  index_put_(
    indices: Index | readonly Index[],
    values: Tensor | number | bigint | boolean,
    accumulate = false,
  ): this {
    index_put_(this, indices, values, accumulate);
    return this;
  }
  /** A copy with `values` written as by {@link index_put_}. */
  index_put(
    indices: Index | readonly Index[],
    values: Tensor | number | bigint | boolean,
    accumulate = false,
  ): Tensor {
    return index_put(this, indices, values, accumulate);
  }

  // ---- transposes as properties ----
  get T(): Tensor {
    const n = this.dim();
    return this.permute(Array.from({ length: n }, (_, i) => n - 1 - i));
  }
  get mT(): Tensor {
    if (this.dim() < 2)
      throw new Error(
        `tensor.mT is only supported on matrices or batches of matrices. Got ${this.dim()}-D tensor.`,
      );
    return this.transpose(-2, -1);
  }
  get H(): Tensor {
    if (this.dim() !== 2 && this.dim() !== 0) {
      throw new Error(
        `tensor.H is only supported on matrices (2-D tensors). Got ${this.dim()}-D tensor. For batches of matrices, consider using tensor.mH`,
      );
    }
    return this.dim() === 0 ? this : this.transpose(0, 1);
  }
  get mH(): Tensor {
    return this.mT;
  }

  // ---- devices ----
  cuda(device: string | number = 'cuda'): Tensor {
    return this.to(typeof device === 'number' ? `cuda:${device}` : device);
  }
  cpu(): Tensor {
    return this.to('cpu');
  }

  // ---- lifetime ----
  /** Gives the memory back at once, where nothing else uses it. Optional: dropped tensors are freed by the collector. */
  dispose(): void {
    native.dispose(this._h);
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  // ---- text ----
  toString(): string {
    return format_tensor({
      shape: this.shape,
      dtype: this.dtype,
      device: native.device(this._h),
      requires_grad: this.requires_grad,
      grad_fn_name: gradFnName(this),
      is_parameter: this._is_parameter,
      tangent: tangent_text(this._h),
      default_dtype: dtypeName(native.get_default_dtype()),
      values: (edge) => this._values(edge),
    });
  }
  /** @internal overridden by Parameter */
  get _is_parameter(): boolean {
    return false;
  }
  [inspect.custom](): string {
    return this.toString();
  }
  toJSON(): unknown {
    return this.tolist();
  }
  get [Symbol.toStringTag](): string {
    return 'Tensor';
  }
}

/** The text of the tangent at the innermost dual level that the tensor carries one of. */
function tangent_text(h: Handle): string | null {
  for (let level = native.visible_dual_levels().toString(2).length - 1; level >= 0; --level) {
    const tangent = native.tangent_of(h, level);
    if (tangent !== null) return new Tensor(tangent).toString();
  }
  return null;
}

/** Arguments of `backward` by name. */
export interface BackwardOptions {
  gradient?: Tensor | null;
  retain_graph?: boolean | null;
  create_graph?: boolean;
  inputs?: TensorOrEdge | TensorOrEdge[] | null;
}

const ITEM_SIZE = [4, 8, 2, 2, 8, 4, 2, 1, 1, 1];
const grads = new WeakMap<Tensor, Tensor>();

// What the graph calls. Made outside of the methods, whose `this` it would hold for good: the graph would keep its own tensor alive.
const on_gradient =
  (hook: (grad: Tensor) => unknown) =>
  (g: Handle | null): Handle | null =>
    lower_grad(hook((g === null ? null : new Tensor(g)) as Tensor));
const on_accumulated =
  (hook: (tensor: Tensor) => unknown, leaf: WeakRef<Tensor>) =>
  (h: Handle): void =>
    void lower_grad(hook(leaf.deref() ?? new Tensor(h)));

/** @internal An entry of a list that counts as Python's do. */
export function at(list: number[], dim: number): number {
  const n = Math.max(list.length, 1);
  if (!Number.isInteger(dim)) throw new TypeError(`dim must be an integer, but got ${dim}`);
  if (list.length === 0) throw new RangeError(`Dimension specified as ${dim} but tensor has no dimensions`);
  if (dim < -n || dim >= n) {
    throw new RangeError(
      `Dimension out of range (expected to be in range of [${-n}, ${n - 1}], but got ${dim})`,
    );
  }
  return list[dim < 0 ? dim + n : dim];
}

/** As `is_leaf`, but never throws: the history of a view that must not be used counts as one. */
function isLeaf(t: Tensor): boolean {
  try {
    return t.is_leaf;
  } catch {
    return false;
  }
}
/** What printing shows: also a tensor whose history must not be used can be looked at. */
function gradFnName(t: Tensor): string | null {
  try {
    return t.grad_fn?._class ?? null;
  } catch {
    return 'Invalid';
  }
}

let warned = false;
function warnNonLeafGrad(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated during " +
      'autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf ' +
      'Tensor. If you access the non-leaf Tensor by mistake, make sure you access the leaf Tensor instead.',
    'UserWarning',
  );
}
