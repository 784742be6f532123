/**
 * Python's calling convention: arguments by position, or by name in one trailing plain object.
 *
 * `bind('Linear.__init__', { in_features: required<number>(), bias: true }, args)` gives an object with every name of
 * the specification, in the specification's order.
 */

const REQUIRED: unique symbol = Symbol('required');

/** Marks a parameter without a default. */
export function required<T>(): T {
  return REQUIRED as unknown as T;
}

/** The optional parameters `P` by position, up to any of them, then perhaps the rest by name. */
type Tail<P extends unknown[], Named> = P extends [infer Head, ...infer Rest]
  ? [options?: Named] | [value: Head | undefined, ...rest: Tail<Rest, Named>]
  : [options?: Named];

/** Some of the required parameters `P` by position, the others by name. */
type Head<P extends unknown[], Named> = P extends [infer First, ...infer Rest]
  ? [options: Named] | [value: First, ...rest: Head<Rest, Named>]
  : never;

/** What a function with these parameters accepts; `Named` holds the names that may stand in the trailing object. */
export type Args<Required extends unknown[], Optional extends unknown[], Named> =
  [...Required, ...Tail<Optional, Named>] | Head<Required, Named>;

export function is_plain_object(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function bind<S extends object>(callee: string, spec: S, args: readonly unknown[]): S {
  const names = Object.keys(spec);
  const last = args[args.length - 1];
  const named = is_plain_object(last) ? last : null;
  const positional = named === null ? args : args.slice(0, -1);
  if (positional.length > names.length) {
    throw new TypeError(
      `${callee}() takes ${names.length} positional argument${names.length === 1 ? '' : 's'} but ${positional.length} ` +
        `${positional.length === 1 ? 'was' : 'were'} given`,
    );
  }
  const bound = { ...spec } as Record<string, unknown>;
  positional.forEach((value, i) => {
    if (value !== undefined) bound[names[i]] = value;
  });
  if (named !== null) {
    for (const [name, value] of Object.entries(named)) {
      const at = names.indexOf(name);
      if (at < 0) {
        throw new TypeError(
          `${callee}() got an unexpected keyword argument '${name}'${suggestion(name, names)}`,
        );
      }
      if (at < positional.length && positional[at] !== undefined) {
        throw new TypeError(`${callee}() got multiple values for argument '${name}'`);
      }
      if (value !== undefined) bound[name] = value;
    }
  }
  const missing = names.filter((name) => bound[name] === REQUIRED).map((name) => `'${name}'`);
  if (missing.length > 0) {
    const listed =
      missing.length < 3
        ? missing.join(' and ')
        : `${missing.slice(0, -1).join(', ')}, and ${missing.at(-1)}`;
    throw new TypeError(
      `${callee}() missing ${missing.length} required positional argument${missing.length === 1 ? '' : 's'}: ${listed}`,
    );
  }
  return bound as S;
}

/** `. Did you mean 'kernel_size'?`: the valid name nearest to what was written. */
function suggestion(name: string, names: readonly string[]): string {
  let nearest = '';
  let least = Infinity;
  for (const candidate of names) {
    const distance = edit_distance(name, candidate);
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest === '' ? '' : `. Did you mean '${nearest}'?`;
}

function edit_distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(substitution, row[j] + 1, next[j - 1] + 1);
    }
    row = next;
  }
  return row[b.length];
}
