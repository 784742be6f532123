// x[...] and x[...] = v: Python's indexing, spelled as in PyTorch's C++ frontend.
//
// Numbers, slices, '...' and null make views, one after the other; index tensors and masks are left for one native call.
import { dtypeCode } from './dtype';
import { guard, rethrow } from './errors';
import { interception } from './interception';
import { native, type Handle, type NativeFunction } from './native';
import { isSlice, type Slice } from './slice';
import { Tensor } from './tensor';

type Nested = readonly (number | bigint | boolean | Nested)[];
/** One entry of an index. Arrays of integers or booleans stand for index tensors and masks. */
export type Index = number | bigint | boolean | null | '...' | Slice | Tensor | Nested;

const bound = new Map<string, NativeFunction>();
function op(key: string, inPlace = false): NativeFunction {
  const name = inPlace ? `${key}!` : key;
  let fn = bound.get(name);
  if (!fn) {
    fn = native.op(key, inPlace);
    if (!fn) throw new Error(`the native library has no operator ${key}`);
    bound.set(name, fn);
  }
  return fn;
}
/** An operator on `self`; `rest` as lib/ has it under `vmap`, as the native layer takes it otherwise. */
const call = (key: string, self: Tensor, ...rest: unknown[]): Tensor => {
  if (interception.vmaps > 0) return interception.hooks.call_key(key, false, [self, ...rest]) as Tensor;
  try {
    return new Tensor(op(key)(self._h, ...rest) as Handle);
  } catch (e) {
    return rethrow(e);
  }
};

const isMask = (t: Tensor): boolean => t.dtype === 'bool' || t.dtype === 'uint8';

/** How many dimensions of the indexed tensor an entry uses up. */
function consumed(i: Index): number {
  if (i === null || i === '...' || typeof i === 'boolean') return 0;
  if (i instanceof Tensor) return isMask(i) ? i.dim() : 1;
  return 1;
}

function fromArray(data: Nested): Tensor {
  const shape: number[] = [];
  for (let d: unknown = data; Array.isArray(d); d = d[0]) shape.push(d.length);
  const flat = (data as unknown[]).flat(Infinity) as (number | bigint | boolean)[];
  if (flat.length !== shape.reduce((a, b) => a * b, 1)) {
    throw new TypeError('an index array must have rows of equal length');
  }
  const mask = flat.length > 0 && flat.every((v) => typeof v === 'boolean');
  if (!mask && !flat.every((v) => typeof v === 'bigint' || (typeof v === 'number' && Number.isInteger(v)))) {
    throw new RangeError('tensors used as indices must be long, int, byte or bool tensors');
  }
  const bytes = mask ? Uint8Array.from(flat, Number) : BigInt64Array.from(flat as number[], BigInt);
  return new Tensor(native.from_bytes(bytes, dtypeCode(mask ? 'bool' : 'int64'), shape));
}

interface Resolved {
  view: Tensor; // what numbers, slices and the like leave
  tensors: (Tensor | null)[]; // by dimension of `view`; empty without index tensors
}

/** Applies everything that makes a view and collects the rest. A slice of everything makes none, unless it is all there is to read. */
function resolve(self: Tensor, given: Index | readonly Index[], reading: boolean): Resolved {
  const alone = reading && !Array.isArray(given);
  const entries = (Array.isArray(given) ? given : [given]) as readonly Index[];
  const rank = self.dim();
  let explicit = 0;
  let ellipses = 0;
  for (const i of entries) {
    explicit += consumed(i);
    if (i === '...') ++ellipses;
  }
  if (ellipses > 1) throw new RangeError("an index can only have a single ellipsis ('...')");
  if (
    rank === 0 &&
    entries.length === 1 &&
    (typeof entries[0] === 'number' || typeof entries[0] === 'bigint')
  ) {
    throw new RangeError(
      'invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to a number',
    );
  }
  if (explicit > rank) throw new RangeError(`too many indices for tensor of dimension ${rank}`);
  let view = self;
  let dim = 0; // of view
  let from = 0; // of self, for error texts
  const tensors: (Tensor | null)[] = [];
  const keep = (t: Tensor): void => {
    while (tensors.length < dim) tensors.push(null);
    tensors.push(t);
    dim += Math.max(consumed(t), 1);
  };
  const added = (mask: boolean): void => {
    view = view.unsqueeze(dim);
    const t = new Tensor(native.from_bytes(Uint8Array.of(mask ? 1 : 0), dtypeCode('bool'), [1]));
    while (tensors.length < dim) tensors.push(null);
    tensors.push(t);
    ++dim;
  };
  const at = (i: number): void => {
    const size = view.size(dim);
    if (i < -size || i >= size) {
      throw new RangeError(`index ${i} is out of bounds for dimension ${from} with size ${size}`);
    }
    view = call('select.int', view, dim, i);
    ++from;
  };
  for (const i of entries) {
    if (i === '...') {
      dim += rank - explicit;
      from += rank - explicit;
    } else if (i === null) {
      view = view.unsqueeze(dim++);
    } else if (typeof i === 'boolean') {
      added(i);
    } else if (typeof i === 'number' || typeof i === 'bigint') {
      if (typeof i === 'number' && !Number.isInteger(i)) {
        throw new RangeError(
          `only integers, slices, ellipsis ('...'), null and tensors are valid indices (got ${i})`,
        );
      }
      at(Number(i));
    } else if (isSlice(i)) {
      const step = i.step ?? 1;
      if (step === 0) throw new Error('slice step cannot be zero');
      if (step < 0) throw new Error('step must be greater than zero');
      if (alone || step !== 1 || (i.start ?? 0) !== 0 || (i.stop ?? Infinity) < view.size(dim)) {
        view = call('_slice', view, dim, i.start, i.stop, step);
      }
      ++dim;
      ++from;
    } else if (i instanceof Tensor) {
      // Samples may index differently: there it stays an index tensor.
      if (i._h === undefined) {
        from += consumed(i);
        keep(i);
      } else if (i.dim() === 0 && isMask(i)) added(Boolean(i.item()));
      else if (i.dim() === 0 && !i.is_floating_point()) at(Number(i.item()));
      else {
        from += consumed(i);
        keep(i);
      }
    } else if (Array.isArray(i)) {
      const t = fromArray(i as Nested);
      from += consumed(t);
      keep(t);
    } else {
      throw new TypeError("only integers, slices, ellipsis ('...'), null and tensors are valid indices");
    }
  }
  return { view, tensors };
}

/** Index tensors as `call` takes them. */
const listed = (tensors: (Tensor | null)[]): unknown[] =>
  interception.vmaps > 0 ? tensors : tensors.map((t) => t?._h ?? null);

/** `self[indices]`. */
export function index(self: Tensor, indices: Index | readonly Index[]): Tensor {
  const { view, tensors } = resolve(self, indices, true);
  if (tensors.length > 0) return call('_index', view, listed(tensors));
  return view === self ? call('_alias', self) : view;
}

type Values = Tensor | number | bigint | boolean;

function source(view: Tensor, values: Values): Tensor {
  if (values instanceof Tensor) return values;
  const scalar = guard(() => op('full')([], values, dtypeCode(view.dtype), view.device.toString()));
  return new Tensor(scalar as Handle);
}

/** Leading dimensions of size 1 do not count in an assignment. */
function trimmedShape(values: Tensor): number[] {
  const shape = values.shape;
  const lead = shape.findIndex((n) => n !== 1);
  return lead < 0 ? [] : shape.slice(lead);
}
function trimmed(values: Tensor): Tensor {
  const shape = trimmedShape(values);
  return shape.length === values.dim() ? values : values.view(shape);
}

const sameShape = (a: Tensor, b: Tensor): boolean => {
  const [s, t] = [a.shape, b.shape];
  return s.length === t.length && s.every((n, i) => n === t[i]);
};

/** Writes `values`, of any dtype, to a place that is a mere view. */
function assign(view: Tensor, values: Tensor): void {
  if (sameShape(view, values)) {
    op('copy_')(view._h, values._h);
  } else if (values.dim() === 0 && values.is_cpu) {
    op('fill_.Tensor')(view._h, values._h);
  } else {
    const v = values.view(trimmedShape(values));
    op('copy_')(view._h, sameShape(view, v) ? v._h : v.expand(view.shape)._h);
  }
}

/** `self[indices] = values`, recorded through the view. */
export function index_put_(
  self: Tensor,
  indices: Index | readonly Index[],
  values: Values,
  accumulate = false,
): void {
  if (indices === false) return; // nothing is chosen
  const { view, tensors } = indices === true ? everything(self) : resolve(self, indices, false);
  const v = source(view, values);
  if (interception.vmaps > 0) {
    const fit = trimmed(tensors.length > 0 ? v : v.to(view.dtype));
    interception.hooks.call_key('index_put', true, [view, tensors, fit, accumulate]);
    return;
  }
  try {
    if (tensors.length === 0 && !accumulate) assign(view, v);
    else op('index_put', true)(view._h, listed(tensors), trimmed(v)._h, accumulate);
  } catch (e) {
    rethrow(e);
  }
}
/** What the index `true` stands for. */
const everything = (self: Tensor): Resolved => ({ view: self.unsqueeze(0), tensors: [] });

/** A copy of `self` with `self[indices] = values`. */
export function index_put(
  self: Tensor,
  indices: Index | readonly Index[],
  values: Values,
  accumulate = false,
): Tensor {
  const entries = (Array.isArray(indices) ? indices : [indices]) as readonly Index[];
  if (entries.every((i) => i instanceof Tensor)) {
    const tensors = entries as Tensor[];
    const v = source(self, values);
    return call('index_put', self, listed(tensors), interception.vmaps > 0 ? v : v._h, accumulate);
  }
  const copy = self.clone();
  index_put_(copy, indices, values, accumulate);
  return copy;
}

/** The index of the element at a position in row-major order. */
export function unravel(position: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (let d = shape.length - 1; d >= 0; --d) {
    index.unshift(position % shape[d]);
    position = Math.floor(position / shape[d]);
  }
  return index;
}
