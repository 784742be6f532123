// Modes as scopes: values that hold for as long as a function runs, across `await` too, and for nobody else meanwhile.
//
// Note [Modes and async functions]
// A mode lives where it is read (grad mode: a flag of the thread), so that operators pay nothing for scopes. A scope switches
// its modes when it opens and takes them back when it closes. Asynchronous code needs three things more; an async hook, there
// only while a scope is open, does them:
// 1. What starts inside a scope inherits it. Every asynchronous resource remembers the innermost scope at its start; before a
//    continuation runs, the scopes it remembers are applied, and after it they are taken back. A scope that has ended by then
//    counts no more: a scope is the time in which its function runs, not a property of what it once started.
// 2. The scope of a function that returned a promise lasts until the promise settles; the caller, though, goes on at once,
//    and gets its own modes back at once.
// 3. `using _ = torch.no_grad()` in an async function holds for that function. At its first `await` the function is left and
//    its caller goes on in the middle of the scope. The hook sees the promise that `await` makes, tells from the stack
//    which function is being left, and takes back the scopes that were opened in it or above it.
// (AsyncLocalStorage does the first; its `enterWith` has no answer to the third.)
import { createHook, executionAsyncId, executionAsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';
import { types } from 'node:util';

/** Sets what a scope switches, and returns what it was. Must not throw. */
export type Switch<T> = (value: T) => T;
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- modes of any type side by side
export type Change = readonly [swap: Switch<any>, value: unknown];
/** A mode and the value that it takes in a scope. */
export const change = <T>(swap: Switch<T>, value: T): Change => [swap, value];

export type AnyFunction = (...args: never[]) => unknown;

/** Switches a mode until it is left: by `using`, `exit()`, or the end of the async function that opened it. */
export interface ModeScope extends Disposable {
  /** Leaves the scope. */
  exit(): void;
  /**
   * Leaves the scope and returns `fn` in a shape that opens it anew for every call, for every step of a generator,
   * and across every `await`: `const evaluate = torch.no_grad()(fn)`, or `@torch.no_grad()` before a method.
   */
  <F extends AnyFunction>(fn: F, context?: DecoratorContext): F;
  /** The same for TypeScript's experimental decorators. */
  <F>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ): TypedPropertyDescriptor<F>;
}

/** The stack where a scope was opened; the scope of a function is `BOUNDED` by that instead. */
type Site = { stack?: CallSites } | null;
type CallSites = NodeJS.CallSite[];
const BOUNDED = null;

class Scope {
  ended = false;
  /** Opened by a setter (`set_grad_enabled(false)`), and nobody has asked for its end: it may be for good. */
  set_only = false;
  /** What was innermost when it opened, until the function that opened it is left. */
  under: Scope | null = null;
  /** The setter's scope that this one took the place of, as long as this one may yet end. */
  replaced: Scope | null = null;
  constructor(
    readonly changes: readonly Change[],
    public outer: Scope | null,
    public site: Site,
  ) {}
}

interface Applied {
  scope: Scope;
  swap: Switch<unknown>;
  before: unknown;
}

/** What is switched at present, outermost first. */
const applied: Applied[] = [];
/** @internal For tests. */
export const scopes_applied = (): number => applied.length;
/** The continuations that are running, each within the one before. */
const frames: { base: number; outer: Scope | null; inherits: boolean }[] = [];
/** The innermost scope: what starts now inherits it. */
let head: Scope | null = null;
/** The last promise made by an `await` that left scopes behind. (What is no promise is wrapped in one first; the next one follows on it.) */
let left: { id: number; scope: Scope | null } = { id: -1, scope: null };
const inherited = new WeakMap<object, Scope>();

/** Scopes that have not ended. */
let open = 0;
let watching = false;
let armed = false;

function start(scope: Scope): Scope {
  ++open;
  if (!watching) {
    watching = true;
    hook.enable();
    arm();
  }
  return scope;
}

function end(scope: Scope): void {
  if (scope.ended) return;
  scope.ended = true;
  scope.site = BOUNDED;
  dropped.unregister(scope);
  released();
}

function released(): void {
  if (--open === 0) arm();
}

/** A suspended function may be dropped without ever going on; its scopes end then. */
const dropped = new FinalizationRegistry<null>(released);

/** Looks, when the event loop has come round, whether the hook is still needed. */
function arm(): void {
  if (armed) return;
  armed = true;
  const here = head;
  head = null; // the look itself inherits nothing
  setImmediate(settle).unref();
  head = here;
}

function settle(): void {
  armed = false;
  // No other code is running. What is still switched was left so for good, by code that has returned.
  commit(0);
  frames.length = 0;
  head = null;
  if (open > 0) return;
  hook.disable();
  watching = false;
}

function commit(from: number): void {
  for (const a of applied.splice(from)) end(a.scope);
}

function alive(scope: Scope | null | undefined): Scope | null {
  let s = scope ?? null;
  while (s?.ended) s = s.outer;
  return s;
}

function apply(scope: Scope): void {
  for (const [swap, value] of scope.changes) applied.push({ scope, swap, before: swap(value) as unknown });
}

function applyAll(scope: Scope | null): void {
  if (scope === null) return;
  applyAll(scope.outer);
  if (!scope.ended) apply(scope);
}

/** Takes back the last `applied.length - to` switches. */
function undo(to: number): void {
  while (applied.length > to) {
    const a = applied.pop()!;
    a.swap(a.before);
  }
}

/** Takes a scope's switches back; where another was opened inside it and is still there, that one will take back to what was outside. */
function withdraw(scope: Scope): void {
  for (let i = applied.length - 1; i >= 0; --i) {
    const a = applied[i];
    if (a.scope !== scope) continue;
    const inner = applied.find((b, j) => j > i && b.swap === a.swap);
    if (inner) inner.before = a.before;
    else a.swap(a.before);
    applied.splice(i, 1);
  }
}

/** Runs `fn` with the scope's switches, and takes back afterwards what `fn` left of the same modes. */
function inside<T>(scope: Scope, fn: () => T): T {
  const outer = head;
  head = scope;
  apply(scope);
  try {
    return fn();
  } finally {
    head = outer;
    let left = scope.changes.length;
    for (let i = applied.length - 1; left > 0 && i >= 0; --i) {
      const a = applied[i];
      const own = a.scope === scope;
      if (!own && !scope.changes.some(([swap]) => swap === a.swap)) continue;
      a.swap(a.before);
      applied.splice(i, 1);
      if (own) --left;
    }
  }
}

const hook = createHook({
  init(id, type, trigger, resource) {
    const scope = trigger === left.id ? left.scope : head;
    if (scope === null) return;
    inherited.set(resource, scope);
    // A promise with another parent than the running code: of `await`, `then` or the like.
    if (type === 'PROMISE' && applied.length > 0 && applied[applied.length - 1].scope.site !== BOUNDED) {
      if (trigger !== executionAsyncId()) suspend(id);
    }
  },
  before() {
    const scope = alive(inherited.get(executionAsyncResource()));
    left = { id: -1, scope: null };
    frames.push({ base: applied.length, outer: head, inherits: scope !== null });
    head = scope;
    applyAll(scope);
  },
  after() {
    // (There is none when the hook came up within this continuation.)
    const frame = frames.pop();
    if (frame?.inherits) undo(frame.base);
    else commit(frame?.base ?? 0); // left open in code without scopes: switched for good
    head = frame?.outer ?? null;
  },
});

// ---- which function is being left ----

function capture(): { stack?: CallSites } {
  const limit = Error.stackTraceLimit;
  const site: { stack?: CallSites } = {};
  Error.stackTraceLimit = Infinity;
  Error.captureStackTrace(site, capture);
  Error.stackTraceLimit = limit;
  return site;
}

/** The calls on the stack, innermost first; without the async functions that wait for them. */
function calls(site: { stack?: CallSites }): CallSites {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- put back as it was
  const prepare = Error.prepareStackTrace;
  Error.prepareStackTrace = (_, sites) => sites;
  try {
    // (Formatted on the first reading.)
    return site.stack!.filter((s) => !s.isAsync());
  } finally {
    Error.prepareStackTrace = prepare;
  }
}

const isHook = (s: NodeJS.CallSite): boolean =>
  s.getFileName()?.startsWith('node:internal/async_hooks') ?? false;
const isBuiltin = (s: NodeJS.CallSite): boolean => !s.getFileName() && s.getLineNumber() === null;

/** The calls up to the function that an `await` is leaving; null when a promise was made in another way. */
function callsLeft(): CallSites | null {
  const stack = calls(capture());
  let top = 3; // above are this function, suspend() and the hook
  while (top < stack.length && isHook(stack[top])) ++top;
  return top < stack.length && !isBuiltin(stack[top]) ? stack.slice(top) : null;
}

const sameFunction = (a: NodeJS.CallSite, b: NodeJS.CallSite): boolean =>
  a.getFileName() === b.getFileName() &&
  a.getFunctionName() === b.getFunctionName() &&
  a.getEnclosingLineNumber() === b.getEnclosingLineNumber() &&
  a.getEnclosingColumnNumber() === b.getEnclosingColumnNumber();

/** Whether the scope was opened in the innermost of these calls, or in one that it made and that has returned since. */
function openedIn(scope: Scope, stack: CallSites): boolean {
  const at = calls(scope.site!);
  const above = at.length - stack.length;
  return above >= 0 && stack.every((call, i) => sameFunction(call, at[above + i]));
}

/** An async function is being left by `await`: takes back the scopes that are its own. */
function suspend(id: number): void {
  const stack = callsLeft();
  if (stack === null) return;
  left = { id, scope: head };
  const base = frames.at(-1)?.base ?? 0;
  for (;;) {
    const last = applied.at(-1);
    if (!last || applied.length <= base || last.scope.site === BOUNDED || !openedIn(last.scope, stack))
      return;
    const { scope } = last;
    withdraw(scope);
    scope.site = BOUNDED; // by the function that goes on later
    dropped.register(scope, null, scope);
    head = scope.under;
    scope.under = null;
  }
}

// ---- what modes are made of ----

/** Opens a scope in which `changes` hold: until it is left, in the async function that called, or in whatever runs now. */
export function enter(changes: readonly Change[]): ModeScope {
  const scope = opened(changes, head);
  const exit = (): void => leave(scope);
  return Object.assign(decorator(changes, exit), { exit, [Symbol.dispose]: exit }) as ModeScope;
}

/**
 * The same for a setter, whose scope is mostly never left. Calls that follow one another in a loop shall not pile up, so a
 * setter's scope takes the place of the one before it, unless somebody asks for its end: `using` does at once.
 */
export function set(changes: readonly Change[]): ModeScope {
  let before = head?.set_only && same_switches(head.changes, changes) ? head : null;
  // Many in one go, from one function: the one before is left, and not only passed over.
  if (before?.site && applied.length > MANY && openedIn(before, calls(capture()).slice(OWN_CALLS))) {
    leave(before);
    before = null;
  }
  const scope = opened(changes, before ? before.outer : head);
  scope.set_only = true;
  scope.replaced = before;
  if (before) before.replaced = null;
  const exit = (): (() => void) => {
    if (scope.replaced) scope.outer = scope.replaced;
    scope.replaced = null;
    scope.set_only = false;
    return () => leave(scope);
  };
  return Object.defineProperties(
    decorator(changes, () => leave(scope)),
    { exit: { get: exit }, [Symbol.dispose]: { get: exit } },
  ) as ModeScope;
}

const MANY = 16;
/** The calls between a setter's caller and the capture: set(), use() and the setter. */
const OWN_CALLS = 3;

const same_switches = (a: readonly Change[], b: readonly Change[]): boolean =>
  a.length === b.length && a.every(([swap], i) => swap === b[i][0]);

function opened(changes: readonly Change[], outer: Scope | null): Scope {
  const scope = start(new Scope(changes, outer, capture()));
  scope.under = head;
  head = scope;
  apply(scope);
  return scope;
}

function leave(scope: Scope): void {
  if (scope.ended) return;
  end(scope);
  withdraw(scope);
  head = alive(head === scope ? (scope.under ?? scope.outer) : head);
}

const decorator =
  (changes: readonly Change[], exit: () => void) =>
  (...args: unknown[]): unknown => {
    exit();
    return decorate(changes, args);
  };

const isThenable = (v: object): v is PromiseLike<unknown> =>
  typeof (v as { then?: unknown }).then === 'function';

/**
 * Calls `fn` in a scope in which `changes` hold, and returns what it returns. When that is a promise, the scope lasts until it has
 * settled; a generator is resumed in the scope every time.
 */
export function within<T>(changes: readonly Change[], fn: () => T): T {
  const scope = start(new Scope(changes, head, BOUNDED));
  let result: T;
  try {
    result = inside(scope, fn);
  } catch (error) {
    end(scope);
    throw error;
  }
  if (typeof result !== 'object' || result === null) {
    end(scope);
    return result;
  }
  if (isThenable(result)) {
    const thenable = result;
    dropped.register(scope, null, scope);
    return inside(scope, () => Promise.resolve(thenable)).finally(() => end(scope)) as T;
  }
  end(scope);
  return types.isGeneratorObject(result) && types.isGeneratorFunction(fn)
    ? (resuming(changes, result as Stepper) as T)
    : result;
}

type Step = IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
type Stepper = Record<'next' | 'return' | 'throw', (v: unknown) => Step>;

/** The generator, with the changes in force whenever its body runs. */
function resuming(changes: readonly Change[], generator: Stepper): Stepper {
  let step = (f: () => Step): Step => within(changes, f);
  if (Symbol.asyncIterator in generator) {
    // A step that was asked for early begins in the continuation of the step before: all share one scope, until the last one.
    const scope = start(new Scope(changes, head, BOUNDED));
    dropped.register(scope, null, scope);
    step = (f) =>
      (inside(scope, f) as Promise<IteratorResult<unknown>>).then(
        (r) => {
          if (r.done) end(scope);
          return r;
        },
        (error: unknown) => {
          end(scope);
          throw error;
        },
      );
  }
  const via = (name: keyof Stepper) => (v: unknown) => step(() => generator[name](v));
  return Object.assign(Object.create(Object.getPrototypeOf(generator) as object) as Stepper, {
    next: via('next'),
    return: via('return'),
    throw: via('throw'),
  });
}

function wrapped<F extends AnyFunction>(changes: readonly Change[], fn: F): F {
  const generates = types.isGeneratorFunction(fn);
  const call = function (this: unknown, ...args: never[]): unknown {
    const result = within(changes, () => fn.apply(this, args));
    return generates ? resuming(changes, result as Stepper) : result;
  };
  return Object.defineProperties(call, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
  }) as unknown as F;
}

const isDescriptor = (v: unknown): v is PropertyDescriptor =>
  typeof v === 'object' && v !== null && ('value' in v || 'get' in v);
const isContext = (v: unknown): v is DecoratorContext => typeof v === 'object' && v !== null && 'kind' in v;

/** Whether a call with these arguments is one of a decorator. */
export const isDecoration = (args: readonly unknown[]): boolean =>
  isContext(args[1]) || isDescriptor(args[2]);

const isClass = (fn: AnyFunction): boolean => /^class\b/.test(String(fn));

/** What a decorator gives: for `(fn)`, `(fn, context)`, or `(target, key, descriptor)` of TypeScript's experimental decorators. */
export function decorate(changes: readonly Change[], args: readonly unknown[]): unknown {
  const [target, , descriptor] = args;
  if (isDescriptor(descriptor)) {
    const { value, get } = descriptor as { value?: AnyFunction; get?: AnyFunction };
    if (value) return { ...descriptor, value: wrapped(changes, value) };
    return { ...descriptor, get: get && wrapped(changes, get) };
  }
  if (typeof target !== 'function')
    throw new TypeError(`expected a function to decorate, but got ${typeof target}`);
  if (isClass(target as AnyFunction)) {
    throw new Error(
      'Cannot decorate classes; it is ambiguous whether or not only the constructor or all methods should have the context manager ' +
        'applied; additionally, decorating a class at definition-site will prevent use of the identifier as a conventional type.  ' +
        'To specify which methods to decorate, decorate each of them individually.',
    );
  }
  return wrapped(changes, target as AnyFunction);
}
