// From a JavaScript call to a native operator: keywords, overloads, argument kinds, results.
//
// The generated functions (lib/generated) take the short way for plain tensor arguments and come here for the rest.
import { dtypeCode, isDType } from './dtype';
import { guard, rethrow } from './errors';
import { interception } from './interception';
import { native, type GeneratorHandle, type Handle, type NativeFunction } from './native';
import { parseSignature, type Param, type Signature } from './signature';
import { Tensor } from './tensor';
import type { DeviceLike } from './types';

/** One signature of an operator, bound to its native function. */
export interface Overload extends Signature {
  fn: NativeFunction;
  positional: number; // how many parameters may be given by position
}
export interface Op {
  name: string;
  overloads: Overload[];
}

/** The operator of these registry signatures; `inPlace` binds the form that writes into its first argument. */
export function bindOp(name: string, signatures: string[], inPlace = false): Op {
  const overloads = signatures.map((text) => {
    const s = parseSignature(text);
    const fn = native.op(s.key, inPlace);
    if (!fn) throw new Error(`the native library has no operator ${s.key}`);
    const kw = s.params.findIndex((p) => p.keywordOnly);
    return { ...s, fn, positional: kw < 0 ? s.params.length : kw };
  });
  return { name, overloads };
}

const isPlainObject = (v: unknown): v is Record<string, unknown> => {
  if (typeof v !== 'object' || v === null || Array.isArray(v) || v instanceof Tensor || ArrayBuffer.isView(v))
    return false;
  const proto: unknown = Object.getPrototypeOf(v);
  return proto === null || Object.getPrototypeOf(proto) === null;
};

const MEMORY_FORMATS: Record<string, number> = { contiguous_format: 0, preserve_format: 1, channels_last: 2 };

const isInt = (v: unknown): boolean =>
  (typeof v === 'number' && Number.isInteger(v)) || typeof v === 'bigint';
const isNumeric = (v: unknown): boolean =>
  typeof v === 'number' || typeof v === 'boolean' || typeof v === 'bigint';

/** Whether `v` can be given for `p`. */
function fits(v: unknown, p: Param): boolean {
  if (v === null || v === undefined) return p.optional || (v === undefined && p.default !== undefined);
  switch (p.type) {
    case 'Tensor':
      return v instanceof Tensor;
    case 'Tensor[]':
      return Array.isArray(v) && v.every((t) => t instanceof Tensor);
    case 'Tensor?[]':
      return Array.isArray(v) && v.every((t) => t === null || t === undefined || t instanceof Tensor);
    case 'Scalar':
      // (A batched tensor has a number per sample, and no handle.)
      return isNumeric(v) || (v instanceof Tensor && v._h !== undefined && v.dim() === 0 && !v.requires_grad);
    case 'Scalar[]':
    case 'float[]':
      return Array.isArray(v) && v.every(isNumeric);
    case 'int':
      return isInt(v);
    case 'int[]':
      return (Array.isArray(v) && v.every(isInt)) || (p.listSize > 0 && isInt(v));
    case 'float':
      return isNumeric(v);
    case 'bool':
      return typeof v === 'boolean';
    case 'str':
      return typeof v === 'string';
    case 'ScalarType':
      return isDType(v);
    case 'Device':
      return (
        (typeof v === 'string' && !isDType(v)) ||
        (typeof v === 'object' && 'type' in v && !(v instanceof Tensor))
      );
    case 'MemoryFormat':
      return typeof v === 'string' && v.replace('torch.', '') in MEMORY_FORMATS;
    case 'Generator':
      return typeof v === 'object' && 'handle' in v;
    default:
      return false;
  }
}

/** The value as the native layer takes it. */
function lower(v: unknown, p: Param): unknown {
  if (v === null || v === undefined) return v;
  switch (p.type) {
    case 'Tensor':
      return (v as Tensor)._h;
    case 'Tensor[]':
    case 'Tensor?[]':
      return (v as (Tensor | null | undefined)[]).map((t) => t?._h ?? null);
    case 'Scalar':
      return v instanceof Tensor ? v.item() : v;
    case 'int[]':
      return Array.isArray(v) ? v : new Array(p.listSize).fill(v);
    case 'ScalarType':
      return dtypeCode(v);
    case 'Device':
      return (v as DeviceLike).toString();
    case 'MemoryFormat':
      return MEMORY_FORMATS[(v as string).replace('torch.', '')];
    case 'Generator':
      return (v as { handle: GeneratorHandle }).handle;
    default:
      return v;
  }
}

type Match = { args: unknown[]; requiresGrad: boolean } | { why: string };

function match(o: Overload, given: unknown[], kwargs: Record<string, unknown> | null): Match {
  let args = given;
  const first = o.params.findIndex((p) => p.type === 'int[]');
  // sizes may be separate numbers: x.view(2, 3), torch.zeros(2, 3)
  if (first >= 0 && first < o.positional && args.length > first && isInt(args[first])) {
    const rest = args.slice(first);
    if (rest.every(isInt) && (o.params[first].listSize === 0 || rest.length > o.positional - first)) {
      args = [...args.slice(0, first), rest];
    }
  }
  if (o.variadic && args[0] instanceof Tensor) args = [args];
  if (args.length > o.positional) {
    return { why: `${o.name}() takes ${o.positional} positional arguments but ${args.length} were given` };
  }
  const out: unknown[] = new Array(o.params.length);
  let used = 0;
  for (let i = 0; i < o.params.length; ++i) {
    const p = o.params[i];
    let v = args[i];
    if (kwargs && Object.hasOwn(kwargs, p.name)) {
      if (i < args.length) return { why: `${o.name}() got multiple values for argument '${p.name}'` };
      v = kwargs[p.name];
      ++used;
    } else if (
      kwargs &&
      i === 0 &&
      p.name === 'self' &&
      Object.hasOwn(kwargs, 'input') &&
      args.length === 0
    ) {
      v = kwargs.input;
      ++used;
    }
    if (v === undefined && p.default === undefined && !p.optional) {
      return { why: `${o.name}() missing required argument '${p.name}' (position ${i + 1})` };
    }
    if (v === undefined && p.default === undefined) v = null;
    if (!fits(v, p)) {
      return {
        why: `${o.name}(): argument '${p.name}' (position ${i + 1}) must be ${p.type}, not ${describe(v)}`,
      };
    }
    out[i] = v;
  }
  let requiresGrad = false;
  if (kwargs && o.factory && kwargs.requires_grad !== undefined) {
    if (typeof kwargs.requires_grad !== 'boolean') {
      return {
        why: `${o.name}(): argument 'requires_grad' must be bool, not ${describe(kwargs.requires_grad)}`,
      };
    }
    requiresGrad = kwargs.requires_grad;
    ++used;
  }
  if (kwargs) {
    const names = Object.keys(kwargs);
    if (used < names.length) {
      const unknown = names.find(
        (n) =>
          !o.params.some((p) => p.name === n) &&
          !(n === 'input' && o.params[0]?.name === 'self') &&
          !(n === 'requires_grad' && o.factory),
      );
      if (unknown !== undefined)
        return {
          why: unknownKey(o.name, unknown, [
            ...o.params.map((p) => p.name),
            ...(o.factory ? ['requires_grad'] : []),
          ]),
        };
    }
  }
  return { args: out, requiresGrad };
}

export function describe(v: unknown): string {
  if (v === null || v === undefined) return 'null';
  if (v instanceof Tensor) return 'Tensor';
  if (typeof v === 'number') return Number.isInteger(v) ? 'int' : 'float';
  if (typeof v === 'object')
    return Array.isArray(v) ? `array of (${v.map(describe).join(', ')})` : (v.constructor?.name ?? 'object');
  return typeof v;
}

function distance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; ++i) {
    let diagonal = row[0];
    row[0] = i;
    for (let j = 1; j <= b.length; ++j) {
      const above = row[j];
      row[j] = Math.min(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1));
      diagonal = above;
    }
  }
  return row[b.length];
}

/** The message for a keyword that a function does not have: names it and the nearest one that exists. */
export function unknownKey(where: string, key: string, valid: string[]): string {
  const nearest = [...valid].sort((a, b) => distance(key, a) - distance(key, b))[0];
  const hint = nearest === undefined ? '' : `. Did you mean '${nearest}'?`;
  return `${where}() got an unexpected keyword argument '${key}'${hint}`;
}

/** Calls an overload with its arguments in the order of its parameters. */
export function run(o: Overload, args: unknown[]): unknown {
  const lowered: unknown[] = new Array(args.length);
  for (let i = 0; i < args.length; ++i) lowered[i] = lower(args[i], o.params[i]);
  let r: unknown;
  try {
    r = o.fn(...lowered);
  } catch (e) {
    rethrow(e);
  }
  return lift(r, o.returns, o.returnNames);
}

/** A native result as the caller sees it: handles become tensors, named tuples carry their names. */
export function lift(r: unknown, returns: string, names: string[] | null): unknown {
  // (nonzero declares a tensor, and gives an array of them with as_tuple.)
  if (returns === 'Tensor' && !Array.isArray(r)) return new Tensor(r as Handle);
  if (Array.isArray(r) && (returns[0] === '(' || returns.startsWith('Tensor'))) {
    const list = (r as (Handle | null)[]).map((h) => (h === null ? null : new Tensor(h)));
    if (names) names.forEach((n, i) => Object.defineProperty(list, n, { value: list[i], enumerable: false }));
    return list;
  }
  return r;
}

/** Calls an operator with the arguments as the user wrote them (`self` first for a method). */
export function callOp(op: Op, given: unknown[]): unknown {
  let args = given;
  let kwargs: Record<string, unknown> | null = null;
  const last = args[args.length - 1];
  if (isPlainObject(last)) {
    kwargs = last;
    args = args.slice(0, -1);
  }
  while (args.length > 0 && args[args.length - 1] === undefined) args = args.slice(0, -1);
  let why = '';
  for (const o of op.overloads) {
    const m = match(o, args, kwargs);
    if ('args' in m) {
      const result = interception.vmaps === 0 ? run(o, m.args) : interception.hooks.call(op, o, m.args);
      return m.requiresGrad ? requireGrad(result as Tensor) : result;
    }
    // The overload that got furthest explains best; an unknown keyword explains it outright.
    if (why === '' || m.why.includes('unexpected keyword')) why = m.why;
  }
  if (interception.vmaps > 0) refuse_batched_numbers(op, args);
  throw new TypeError(op.overloads.length === 1 ? why : combined(op, args, kwargs, why));
}

/** Where a number is wanted, a batched tensor without dimensions is asked for its one, and says that it has many. */
function refuse_batched_numbers(op: Op, args: unknown[]): void {
  if (!op.overloads.some((o) => o.params.some((p) => p.type === 'Scalar'))) return;
  for (const a of args) if (a instanceof Tensor && a._h === undefined && a.dim() === 0) a.item();
}

function requireGrad(t: Tensor): Tensor {
  // Said in other words than by `requires_grad_()`, as in PyTorch.
  if (!t.is_floating_point()) {
    throw new Error('Only Tensors of floating point and complex dtype can require gradients');
  }
  guard(() => native.set_requires_grad(t._h, true));
  return t;
}

function combined(op: Op, args: unknown[], kwargs: Record<string, unknown> | null, why: string): string {
  if (why.includes('unexpected keyword')) return why;
  const got = [...args.map(describe), ...Object.entries(kwargs ?? {}).map(([k, v]) => `${k}=${describe(v)}`)];
  const options = op.overloads.map(
    (o) => ` * (${o.params.map((p) => `${p.type}${p.optional ? '?' : ''} ${p.name}`).join(', ')})`,
  );
  return (
    `${op.name}() received an invalid combination of arguments - got (${got.join(', ')}), but expected one of:\n` +
    options.join('\n')
  );
}

/** One native call with lowered arguments, for lib/ itself. */
export function callNative(fn: NativeFunction, ...args: unknown[]): unknown {
  try {
    return fn(...args);
  } catch (e) {
    rethrow(e);
  }
}
