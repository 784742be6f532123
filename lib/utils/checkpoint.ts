// torch.utils.checkpoint: activations are computed again in backward instead of being kept.
//
// Note [Checkpoints]
// While a checkpointed function runs, a hook on saved tensors keeps, for each tensor that would be saved, an empty holder with its place in
// the order of saving. The first holder that backward unpacks has the function run again, under a hook that fills the holders in that order
// and, when the last one that is needed is full, ends the run with an exception. A tensor is handed out once per backward pass and
// let go at once; another pass (retain_graph) runs the function another time.
// The inputs are saved like any tensor that is saved for backward, hence by the hook of an enclosing checkpoint: nesting needs nothing more.
// Recomputed tensors are disposed of explicitly, for they have lived too long for young collections.
import { Function, type FunctionCtx } from '../autograd/function';
import { backward } from '../autograd/gradient';
import { enable_grad, use, type ModeScope } from '../autograd/modes';
import { hooked, saved_tensors_hooks } from '../autograd/saved_tensors';
import { change } from '../autograd/scopes';
import { guard } from '../errors';
import { native, type SavedHandle } from '../native';
import { Sequential } from '../nn';
import { get_rng_state, set_rng_state } from '../random';
import { Tensor } from '../tensor';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any function of tensors
type Fn = (...args: any[]) => any;
/** Runs a function in a context: `torch.no_grad`, `(fn) => torch.autograd.detect_anomaly(fn)`, ... */
type Context = <T>(fn: () => T) => T;

/** What backward could not recompute. */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}
class StopRecomputation extends Error {}

let early_stop_everywhere: boolean | null = null;
const early_stop_switch = (v: boolean | null): boolean | null => {
  const before = early_stop_everywhere;
  early_stop_everywhere = v;
  return before;
};

/**
 * Whether checkpoints made while `fn` runs, or in the scope of `using _ = ...`, stop recomputing as soon as they have what backward needs.
 *
 * See https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.set_checkpoint_early_stop
 *
 * @example
 * ```ts
 * torch.utils.checkpoint.set_checkpoint_early_stop(false, () => model(x));
 * ```
 */
export function set_checkpoint_early_stop(enable: boolean): ModeScope;
export function set_checkpoint_early_stop<T>(enable: boolean, fn: () => T): T;
export function set_checkpoint_early_stop(enable: boolean, ...rest: unknown[]): unknown {
  return use([change(early_stop_switch, enable)], 'set_checkpoint_early_stop', rest);
}

const CHECKS: Record<string, (t: Tensor) => string> = {
  default: (t) =>
    `{'shape': torch.Size([${t.shape.join(', ')}]), 'dtype': torch.${t.dtype}, 'device': ${inspect_device(t)}}`,
  none: () => '',
};
const inspect_device = (t: Tensor): string =>
  t.device.index === null
    ? `device(type='${t.device.type}')`
    : `device(type='${t.device.type}', index=${t.device.index})`;

/** One tensor that would have been saved: per backward pass its recomputed value, null once that was handed out. */
class Holder {
  readonly values = new Map<number, Tensor | null>();
}

/** One call of a checkpointed function. */
class Frame {
  /** Weak: once the graph has let go of a holder, nobody wants its value. */
  readonly holders: WeakRef<Holder>[] = [];
  readonly metadata: string[] = [];
  readonly counts = new Map<number, number>();
  readonly done = new Set<number>();
  completed = false;
  ignore_mismatch = false;
  readonly inputs: SavedHandle;
  readonly args: readonly unknown[];

  constructor(
    readonly recompute: Fn,
    args: readonly unknown[],
    readonly early_stop: boolean,
    readonly check: (t: Tensor) => string,
  ) {
    this.args = args.map((a) => (a instanceof Tensor ? null : a));
    const handles = args.map((a) => (a instanceof Tensor ? a._h : null));
    this.inputs = guard(() =>
      native.save_tensors(
        null,
        handles,
        handles.map(() => -1),
      ),
    );
  }

  run<T>(fn: () => T): T {
    const result = hooked(
      (t) => this.pack(t),
      (holder) => this.unpack(holder),
      this.inputs,
      fn,
    );
    native.let_go_saved(this.inputs);
    this.completed = true;
    native.checkpoint_ended(); // nothing holds the values in between any more
    return result;
  }

  private pack(t: Tensor): Holder {
    const holder = new Holder();
    this.holders.push(new WeakRef(holder));
    this.metadata.push(this.check(t));
    return holder;
  }

  private unpack(holder: Holder): Tensor {
    const pass = native.graph_task() || --outside;
    if (!this.done.has(pass)) this.fill(pass);
    const value = holder.values.get(pass);
    if (!value) {
      throw new CheckpointError(
        'torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. If you are calling ' +
          'ctx.saved_tensors in backward, make sure to do so only once. Otherwise please open an issue with details on your use case.',
      );
    }
    holder.values.set(pass, null);
    const result = value.detach();
    value.dispose();
    return result;
  }

  private fill(pass: number): void {
    native.checkpoint_ended();
    const tensors = guard(() => native.unpack_saved(this.inputs));
    const args = this.args.map((a, i) => {
      const h = tensors[i];
      return h === null ? a : new Tensor(h);
    });
    try {
      saved_tensors_hooks(
        (t) => this.keep(t, pass),
        (t) => t,
        () => enable_grad(() => void this.recompute(...args)),
      );
    } catch (e) {
      if (!(e instanceof StopRecomputation)) throw e;
    }
    native.checkpoint_ended();
    this.done.add(pass);
    this.compare(pass);
  }

  /** Takes what the recomputation saves; the graph of the recomputation itself, which may be differentiated within it, gets another alias. */
  private keep(t: Tensor, pass: number): Tensor {
    const index = this.counts.get(pass) ?? 0;
    this.counts.set(pass, index + 1);
    if (index >= this.holders.length) {
      if (this.completed) {
        throw new CheckpointError(
          'torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward pass.\n',
        );
      }
      // A backward within the function itself, which runs again as a whole: there will be more than there are yet.
      this.ignore_mismatch = true;
      return t.detach();
    }
    this.holders[index].deref()?.values.set(pass, t.detach());
    if (this.early_stop && index + 1 === this.holders.length) throw new StopRecomputation();
    return t.detach();
  }

  private compare(pass: number): void {
    if (this.ignore_mismatch) return;
    const saved = this.holders.length;
    const recomputed = this.counts.get(pass) ?? 0;
    if (saved !== recomputed) {
      throw new CheckpointError(
        'torch.utils.checkpoint: A different number of tensors was saved during the original forward and recomputation.\n' +
          `Number of tensors saved during forward: ${saved}\nNumber of tensors saved during recomputation: ${recomputed}.\n`,
      );
    }
    const different = this.holders.flatMap((weak, i) => {
      const value = weak.deref()?.values.get(pass);
      if (!value) return [];
      const now = this.check(value);
      if (now === this.metadata[i]) return [];
      return [`tensor at position ${i}:\nsaved metadata: ${this.metadata[i]}\nrecomputed metadata: ${now}\n`];
    });
    if (different.length === 0) return;
    throw new CheckpointError(
      'torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the forward pass.\n' +
        `${different.join('')}.\n`,
    );
  }
}
/** Numbers for what is unpacked outside of any backward pass: each time anew. */
let outside = 0;

/** Runs `fn` with the random stream where it was, and puts it back where it is now. */
function with_rng_state<T>(state: Tensor | null, fn: () => T): T {
  if (state === null) return fn();
  const now = get_rng_state();
  set_rng_state(state);
  try {
    return fn();
  } finally {
    set_rng_state(now);
  }
}

/** The older way: forward without recording, and in backward a forward and a backward of their own. */
class CheckpointFunction extends Function {
  static override forward(ctx: FunctionCtx, fn: Fn, preserve: boolean, ...args: unknown[]): unknown {
    if (!args.some((a) => a instanceof Tensor && a.requires_grad)) {
      process.emitWarning(
        'None of the inputs have requires_grad=True. Gradients will be None',
        'UserWarning',
      );
    }
    ctx.fn = fn;
    ctx.rng_state = preserve ? get_rng_state() : null;
    ctx.args = args.map((a) => (a instanceof Tensor ? null : a));
    ctx.save_for_backward(...args.map((a) => (a instanceof Tensor ? a : null)));
    return fn(...args);
  }
  static override backward(ctx: FunctionCtx, ...grads: Tensor[]): (Tensor | null)[] {
    if (!native.whole_graph()) {
      throw new Error(
        'When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter to .backward(). ' +
          'To resolve this error, you can either set use_reentrant=False, or call .backward() without passing the `inputs` argument.',
      );
    }
    const saved = ctx.saved_tensors as (Tensor | null)[];
    const inputs = (ctx.args as unknown[]).map((a, i) => {
      const t = saved[i];
      return t ? t.detach().requires_grad_(t.requires_grad) : a;
    });
    const result: unknown = with_rng_state(ctx.rng_state as Tensor | null, () =>
      enable_grad(() => (ctx.fn as Fn)(...inputs) as unknown),
    );
    const outputs: unknown[] = Array.isArray(result) ? result : [result];
    const used = outputs.flatMap((t, i) =>
      t instanceof Tensor && t.requires_grad ? [[t, grads[i]] as const] : [],
    );
    if (used.length === 0) {
      throw new Error('none of output has requires_grad=True, this checkpoint() is not necessary');
    }
    backward(
      used.map(([t]) => t),
      used.map(([, g]) => g),
    );
    return [null, null, ...inputs.map((t) => (t instanceof Tensor ? t.grad : null))];
  }
}

export interface CheckpointOptions {
  /** false: by recomputing what is unpacked (recommended); true: by a backward within the backward. */
  use_reentrant?: boolean | null;
  /** Draw the same random numbers again (dropout). */
  preserve_rng_state?: boolean;
  /** Gives two functions that run the function and its recomputation: `() => [torch.enable_grad, torch.enable_grad]`. */
  context_fn?: () => [Context, Context];
  /** `'default'` compares shape, dtype and device of what is recomputed with what was; `'none'` does not. */
  determinism_check?: string;
  /** Stop recomputing when backward has what it needs. */
  early_stop?: boolean;
}

const DEFAULTS = {
  use_reentrant: null as boolean | null,
  preserve_rng_state: true,
  context_fn: null as (() => [Context, Context]) | null,
  determinism_check: 'default',
  early_stop: true,
};

/** The options in a trailing plain object; its other entries remain for the function. */
function split(args: unknown[]): { options: typeof DEFAULTS; rest: unknown[] } {
  const last = args.at(-1);
  const proto: unknown = typeof last === 'object' && last !== null ? Object.getPrototypeOf(last) : undefined;
  if (proto !== null && (proto === undefined || Object.getPrototypeOf(proto) !== null)) {
    return { options: DEFAULTS, rest: args };
  }
  const entries = Object.entries(last as object);
  const own = entries.filter(([k]) => k in DEFAULTS);
  if (own.length === 0) return { options: DEFAULTS, rest: args };
  const others = entries.filter(([k]) => !(k in DEFAULTS));
  const rest = args.slice(0, -1);
  if (others.length > 0) rest.push(Object.fromEntries(others));
  return { options: { ...DEFAULTS, ...(Object.fromEntries(own) as Partial<typeof DEFAULTS>) }, rest };
}

const warn_default = (name: string, announced: string): void =>
  process.emitWarning(
    `${name}: the use_reentrant parameter should be passed explicitly. ${announced} use_reentrant=False is recommended, but if you need to ` +
      'preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences ' +
      'between the two variants.',
    'UserWarning',
  );

/**
 * Runs `function(...args)` without keeping what backward will need of it: backward runs it again. Trades time for memory; gradients are
 * the same, random numbers (dropout) included. The last argument may be an object of {@link CheckpointOptions}; what else it holds is
 * handed to the function.
 *
 * The function must compute the same again, and synchronously. Without `use_reentrant` a warning says that `true`, PyTorch's default, is taken;
 * `false` is recommended: it records the graph, nests, and works with `autograd.grad`.
 * Throws a CheckpointError from backward when the function saved other tensors the second time.
 *
 * See https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.checkpoint
 *
 * @example
 * ```ts
 * const { checkpoint } = torch.utils.checkpoint;
 * const y = checkpoint((t: torch.Tensor) => t.sin().exp(), torch.ones(2, { requires_grad: true }), { use_reentrant: false });
 * y.sum().backward();
 * ```
 */
export function checkpoint<A extends unknown[], R>(
  fn: (...args: A) => R,
  ...args: [...A] | [...A, CheckpointOptions]
): R;
/** Entries of the last argument that are no options are handed to the function, in an object. */
export function checkpoint<R>(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
  fn: (...args: any[]) => R,
  ...args: unknown[]
): R;
export function checkpoint<R>(fn: Fn, ...args: unknown[]): R {
  const { options, rest } = split(args);
  let reentrant = options.use_reentrant;
  if (reentrant === null) {
    warn_default(
      'torch.utils.checkpoint',
      'Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an exception.',
    );
    reentrant = true;
  }
  if (reentrant) {
    if (options.context_fn) {
      throw new Error('Passing `context_fn` or `debug` is only supported when use_reentrant=False.');
    }
    return CheckpointFunction.apply(fn, options.preserve_rng_state, ...rest) as R;
  }
  if (!Object.hasOwn(CHECKS, options.determinism_check)) {
    throw new Error(
      `determinism_check should be one of ['default', 'none'], but got ${options.determinism_check}`,
    );
  }
  if (!native.is_grad_enabled()) return fn(...rest) as R;
  const plain: Context = (f) => f();
  const [forward, again] = options.context_fn?.() ?? [plain, plain];
  const state = options.preserve_rng_state ? get_rng_state() : null;
  const frame = new Frame(
    (...inputs: unknown[]) => with_rng_state(state, () => again(() => fn(...inputs) as unknown)),
    rest,
    early_stop_everywhere ?? options.early_stop,
    CHECKS[options.determinism_check],
  );
  const result = frame.run(() => forward(() => fn(...rest) as R));
  if (typeof (result as { then?: unknown } | null)?.then === 'function') {
    throw new TypeError(
      'checkpoint(fn): fn returned a promise; backward runs it again, which only synchronous functions allow',
    );
  }
  return result;
}

/**
 * Runs a Sequential, or an array of functions, in `segments` pieces, of which all but the last are checkpointed.
 *
 * See https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.checkpoint_sequential
 *
 * @example
 * ```ts
 * const net = new torch.nn.Sequential(new torch.nn.Linear(2, 2), new torch.nn.ReLU(), new torch.nn.Linear(2, 2));
 * torch.utils.checkpoint.checkpoint_sequential(net, 2, torch.ones(1, 2), { use_reentrant: false });
 * ```
 */
export function checkpoint_sequential(
  functions: Sequential | readonly ((input: Tensor) => Tensor)[],
  segments: number,
  input: Tensor,
  options: { use_reentrant?: boolean | null; preserve_rng_state?: boolean } = {},
): Tensor {
  const unexpected = Object.keys(options).filter((k) => k !== 'use_reentrant' && k !== 'preserve_rng_state');
  if (unexpected.length > 0) throw new TypeError(`Unexpected keyword arguments: ${unexpected.join(',')}`);
  let { use_reentrant } = options;
  if (use_reentrant === null || use_reentrant === undefined) {
    warn_default(
      'torch.utils.checkpoint.checkpoint_sequential',
      'In version 2.9 we will raise an exception if use_reentrant is not passed.',
    );
    use_reentrant = true;
  }
  const { preserve_rng_state = true } = options;
  const list = (functions instanceof Sequential ? [...functions.children()] : functions) as ((
    t: Tensor,
  ) => Tensor)[];
  const piece = (part: ((t: Tensor) => Tensor)[]) => (t: Tensor) => part.reduce((x, f) => f(x), t);
  const size = Math.floor(list.length / segments);
  let x = input;
  let at = 0;
  for (let i = 0; size > 0 && i < segments - 1; ++i, at += size) {
    x = checkpoint(piece(list.slice(at, at + size)), x, { use_reentrant, preserve_rng_state });
  }
  return piece(list.slice(at))(x);
}
