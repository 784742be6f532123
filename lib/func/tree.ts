// Nested arrays, plain objects and Maps of values, as the function transforms take and return them.
import { is_plain_object } from '../args';
import { repr_string } from '../pyformat';
import { Tensor } from '../tensor';

/** How a nested value is built: a leaf, or a container with its keys and the shapes of what it holds. */
export type Spec =
  null | { kind: 'tuple'; children: Spec[] } | { kind: 'dict' | 'map'; keys: unknown[]; children: Spec[] };

/** The children of a container, or null for a leaf. */
function open(value: unknown): { spec: Exclude<Spec, null>; items: unknown[] } | null {
  if (Array.isArray(value)) return { spec: { kind: 'tuple', children: [] }, items: value };
  if (value instanceof Map) {
    return { spec: { kind: 'map', keys: [...value.keys()], children: [] }, items: [...value.values()] };
  }
  if (value instanceof Tensor || !is_plain_object(value)) return null;
  return {
    spec: { kind: 'dict', keys: Object.keys(value), children: [] },
    items: Object.values(value),
  };
}

/** The leaves in order, and how to put them together again. */
export function flatten(value: unknown): { leaves: unknown[]; spec: Spec } {
  const leaves: unknown[] = [];
  const visit = (v: unknown): Spec => {
    const container = open(v);
    if (container === null) {
      leaves.push(v);
      return null;
    }
    container.spec.children = container.items.map(visit);
    return container.spec;
  };
  const spec = visit(value);
  return { leaves, spec };
}

/** The value of this structure with these leaves. */
export function unflatten(leaves: readonly unknown[], spec: Spec): unknown {
  let next = 0;
  const build = (s: Spec): unknown => {
    if (s === null) return leaves[next++];
    const items = s.children.map(build);
    if (s.kind === 'tuple') return items;
    if (s.kind === 'map') return new Map(s.keys.map((key, i) => [key, items[i]]));
    return Object.fromEntries(s.keys.map((key, i) => [key as string, items[i]]));
  };
  return build(spec);
}

export function tree_map(fn: (leaf: unknown) => unknown, value: unknown): unknown {
  const { leaves, spec } = flatten(value);
  return unflatten(leaves.map(fn), spec);
}

/** Whether two values are nested alike. */
export function same_structure(a: Spec, b: Spec): boolean {
  if (a === null || b === null) return a === b;
  if (a.kind !== b.kind || a.children.length !== b.children.length) return false;
  if (a.kind !== 'tuple' && b.kind !== 'tuple' && a.keys.some((key, i) => key !== b.keys[i])) return false;
  return a.children.every((child, i) => same_structure(child, b.children[i]));
}

/**
 * One value of `tree` per leaf of `spec`: where `tree` has a leaf, it holds for everything below. Null when the structures do not match.
 */
export function broadcast(tree: unknown, spec: Spec): unknown[] | null {
  const out: unknown[] = [];
  const visit = (t: unknown, s: Spec): boolean => {
    const container = open(t);
    if (container === null) {
      const fill = (at: Spec): void => (at === null ? void out.push(t) : at.children.forEach(fill));
      fill(s);
      return true;
    }
    if (s === null || s.kind !== container.spec.kind || s.children.length !== container.items.length)
      return false;
    if (s.kind !== 'tuple' && container.spec.kind !== 'tuple') {
      // Objects match by key, whatever the order.
      const keys = container.spec.keys;
      const order = s.keys.map((key) => keys.indexOf(key));
      return order.every((at, i) => at >= 0 && visit(container.items[at], s.children[i]));
    }
    return container.items.every((item, i) => visit(item, s.children[i]));
  };
  return visit(tree, spec) ? out : null;
}

const key_text = (key: unknown): string => (typeof key === 'string' ? repr_string(key) : String(key));

/** PyTorch's text of a structure: `TreeSpec(tuple, None, [*])`. */
export function describe_spec(spec: Spec, indent = 0): string {
  if (spec === null) return '*';
  const inner = indent + 2;
  const context = spec.kind === 'tuple' ? 'None' : `[${spec.keys.map(key_text).join(', ')}]`;
  const children = spec.children
    .map((child, i) => (i === 0 ? '' : `\n${' '.repeat(inner)}`) + describe_spec(child, inner))
    .join(',');
  return `TreeSpec(${spec.kind === 'tuple' ? 'tuple' : 'dict'}, ${context}, [${children}])`;
}

/** PyTorch's short text of a structure: `(*, *)`. */
export function pprint_spec(spec: Spec): string {
  if (spec === null) return '*';
  const items = spec.children.map(pprint_spec);
  if (spec.kind === 'tuple') return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
  return `{${items.map((item, i) => `${key_text(spec.keys[i])}: ${item}`).join(', ')}}`;
}

/** Python's name of a value's type, for PyTorch's texts. */
export function type_name(value: unknown): string {
  if (value === null || value === undefined) return "<class 'NoneType'>";
  if (typeof value === 'number') return Number.isInteger(value) ? "<class 'int'>" : "<class 'float'>";
  if (typeof value === 'bigint') return "<class 'int'>";
  if (typeof value === 'boolean') return "<class 'bool'>";
  if (typeof value === 'string') return "<class 'str'>";
  if (typeof value === 'function') return "<class 'function'>";
  if (Array.isArray(value)) return "<class 'tuple'>";
  if (is_plain_object(value)) return "<class 'dict'>";
  return `<class '${value.constructor.name}'>`;
}
