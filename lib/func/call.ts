// One call of an operator with batched tensors: what the batching rules work with.
import { bindOp, run, type Op, type Overload } from '../dispatch';
import { interception } from '../interception';
import { native, type RegistryRow } from '../native';
import * as ops from '../ops';
import { parseSignature } from '../signature';
import { Tensor } from '../tensor';
import { at_level, BatchedTensor } from './batched';
import { below, innermost, type VmapLevel } from './levels';

/** Carries a call out for all samples at once. */
export type Rule = (c: Call) => unknown;

const by_key = new Map<string, { row: RegistryRow; op?: Op; in_place?: Op }>();

function registered(key: string): { row: RegistryRow; op?: Op; in_place?: Op } {
  if (by_key.size === 0) {
    for (const row of native.registry()) by_key.set(parseSignature(row.signature).key, { row });
  }
  const known = by_key.get(key);
  if (!known) throw new Error(`the native library has no operator ${key}`);
  return known;
}

/** The operator of a registry key, with that one overload. */
export function op_of(key: string, in_place = false): Op {
  const known = registered(key);
  const name = key.split('.')[0];
  if (in_place) return (known.in_place ??= bindOp(`${name}_`, [known.row.signature], true));
  return (known.op ??= bindOp(name, [known.row.signature]));
}

const RANDOM = 256;
const RESHAPES = 512;
/** Whether the operator draws random numbers (`empty` has no defined values either, but draws none). */
const is_random = (o: Overload): boolean =>
  (registered(o.key).row.flags & RANDOM) !== 0 && !/^(new_)?empty/.test(o.name);

const defaults = new Map<string, unknown>();
function default_value(text: string): unknown {
  if (!defaults.has(text)) {
    const json = text
      .replace(/^'(.*)'$/, '"$1"')
      .replace('True', 'true')
      .replace('False', 'false');
    defaults.set(
      text,
      text === 'None'
        ? null
        : /^[\w]+$/.test(json) && !/^(true|false|\d+)$/.test(json)
          ? json
          : JSON.parse(json),
    );
  }
  return defaults.get(text);
}

export class Call {
  constructor(
    readonly op: Op,
    readonly overload: Overload,
    readonly args: readonly unknown[],
    readonly level: VmapLevel,
  ) {}

  get name(): string {
    return this.overload.name;
  }
  /** Whether the call writes into its first argument. */
  get in_place(): boolean {
    return this.op.name.endsWith('_');
  }
  get size(): number {
    return this.level.size;
  }

  has(param: string): boolean {
    return this.overload.params.some((p) => p.name === param);
  }
  /** An argument by its parameter's name, or the parameter's default. */
  get<T>(param: string): T {
    const at = this.overload.params.findIndex((p) => p.name === param);
    const given = this.args[at];
    if (given !== undefined) return given as T;
    const text = this.overload.params[at]?.default;
    return (text === undefined ? null : default_value(text)) as T;
  }

  // ---- tensors ----
  batched(t: unknown): BatchedTensor | null {
    return at_level(t, this.level);
  }
  /** All samples, along dimension 0; the tensor itself when it is the same for all. */
  front(t: Tensor): Tensor {
    const b = this.batched(t);
    if (b === null) return t;
    return b.bdim === 0 ? b.value : b.value.movedim(b.bdim, 0);
  }
  /** All samples, along dimension 0, also of a tensor that is the same for all. */
  full(t: Tensor): Tensor {
    return this.batched(t) === null ? t.unsqueeze(0).expand([this.size, ...t.shape]) : this.front(t);
  }
  wrap(value: Tensor, bdim = 0): BatchedTensor {
    return new BatchedTensor(value, bdim, this.level);
  }
  /** A result as the operator gives it: every tensor in it batched along `bdim`, a list with its names. */
  wrap_all(result: unknown, bdim = 0): unknown {
    if (result instanceof Tensor) return this.wrap(result, bdim);
    return this.named((result as Tensor[]).map((t) => this.wrap(t, bdim)));
  }
  named(list: Tensor[]): Tensor[] {
    this.overload.returnNames?.forEach((name, i) =>
      Object.defineProperty(list, name, { value: list[i], enumerable: false }),
    );
    return list;
  }
  /** The tensor arguments in order, also those in lists. */
  tensors(): Tensor[] {
    return this.args.flat().filter((a): a is Tensor => a instanceof Tensor);
  }

  // ---- the same operator on other arguments ----
  /** Runs the operator with some arguments replaced, out of this level's sight. */
  redo(changes: Record<string, unknown>): unknown {
    return dispatch(
      this.op,
      this.overload,
      this.overload.params.map((p, i) => (Object.hasOwn(changes, p.name) ? changes[p.name] : this.args[i])),
    );
  }
  redo_args(args: unknown[]): unknown {
    return dispatch(this.op, this.overload, args);
  }
  /** The same call as one that gives a new tensor instead of writing into `self`. */
  out_of_place(): Call {
    const op = op_of(this.overload.key);
    return new Call(op, op.overloads[0], this.args, this.level);
  }

  /** A dimension of one sample, counted from 0; throws PyTorch's text when there is none. */
  dim(dim: number, rank: number): number {
    const n = Math.max(rank, 1);
    if (dim < -n || dim >= n) {
      throw new RangeError(
        `Dimension out of range (expected to be in range of [${-n}, ${n - 1}], but got ${dim})`,
      );
    }
    return dim < 0 ? dim + n : dim;
  }
}

const rules = new Map<string, Rule>();
/** Declares the rule of some operators: by name, or by key for one overload alone. */
export function rule(names: readonly string[], fn: Rule): void {
  for (const name of names) rules.set(name, fn);
}

/** The innermost level that any of these is batched at. */
export function level_of(args: readonly unknown[]): VmapLevel | null {
  let level: VmapLevel | null = null;
  const visit = (a: unknown): void => {
    if (a instanceof BatchedTensor) {
      if (level === null || a.level.number > level.number) level = a.level;
    } else if (Array.isArray(a)) a.forEach(visit);
  };
  args.forEach(visit);
  return level;
}

/** A call whose arguments are in the order of the overload's parameters. */
export function dispatch(op: Op, overload: Overload, args: unknown[]): unknown {
  const draws = is_random(overload) ? innermost() : null;
  const level = draws ?? level_of(args);
  if (level === null) return run(overload, args);
  const c = new Call(op, overload, args, level);
  return below(level, () => apply(c));
}

function apply(c: Call): unknown {
  const fn = rules.get(c.overload.key) ?? rules.get(c.name);
  if (!c.in_place || c.overload.name.endsWith('_')) return (fn ?? loop)(c);
  const in_place = rules.get(`${c.name}_`);
  if (in_place) return in_place(c);
  const self = c.batched(c.args[0]);
  if (self === null) throw incompatible(c, `aten::${c.name}_`, ` at level ${c.level.number}`);
  const result = (fn ?? loop)(c.out_of_place()) as BatchedTensor;
  if (registered(c.overload.key).row.flags & RESHAPES) self._become(result);
  else self.value.movedim(self.bdim, 0).copy_(c.front(result));
  return self;
}

/** PyTorch's refusal to write samples into a tensor that all samples share. */
export function incompatible(c: Call, what: string, where = ' in a vmap'): Error {
  return new Error(
    `vmap: ${what}(self, *extra_args) is not possible because there exists a Tensor \`other\` in extra_args that has more ` +
      'elements than `self`. This happened due to `other` being vmapped over but `self` not being vmapped over' +
      `${where}. Please try to use out-of-place operators instead of ${what}. ` +
      'If said operator is being called inside the PyTorch framework, please file a bug report instead.',
  );
}

/** The rule of all operators without one of their own: sample by sample. */
export function loop(c: Call): unknown {
  if (c.size === 0) {
    throw new Error(
      `vmap: ${c.name} has no batching rule, and going through the samples is not possible for a vmapped dimension of size 0`,
    );
  }
  const sample = (a: unknown, i: number): unknown => {
    if (Array.isArray(a)) return a.map((item) => sample(item, i));
    const b = c.batched(a);
    return b === null ? a : b.value.select(b.bdim, i);
  };
  const results = Array.from({ length: c.size }, (_, i) => c.redo_args(c.args.map((a) => sample(a, i))));
  const [first] = results;
  if (c.name.endsWith('_') || c.in_place) return c.args[0];
  if (first instanceof Tensor) return c.wrap(ops.stack(results as Tensor[]));
  if (Array.isArray(first) && first.every((t) => t instanceof Tensor)) {
    const lists = results as Tensor[][];
    return c.named(first.map((_, k) => c.wrap(ops.stack(lists.map((list) => list[k])))));
  }
  throw new Error(`Batching rule not implemented for aten::${c.name}. We could not generate a fallback.`);
}

Object.assign(interception.hooks, {
  call: dispatch,
  call_key(key: string, in_place: boolean, args: unknown[]) {
    const op = op_of(key, in_place);
    return dispatch(op, op.overloads[0], args);
  },
});
