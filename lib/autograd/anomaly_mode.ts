// Anomaly mode: where in the user's program was the forward call made whose backward fails?
//
// While the mode is on, the native layer asks for the JavaScript stack whenever it makes a node, or a tensor is written in place. An
// Error object holds the stack; its text is made when it is needed.
import { bind } from '../args';
import { native } from '../native';
import { type_name } from '../type_name';
import { in_mode, current, type ModeScope } from './modes';
import { user_frames } from './stack';

const FRAMES = 64;

function record(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const here = new Error();
  Error.stackTraceLimit = limit;
  return here;
}

const text = (trace: Error): string => user_frames(trace).join('\n');

const UNKNOWN =
  'No forward pass information available. Enable detect anomaly during forward pass for more information.';

/** Prints PyTorch's warnings: of the node that failed, then of those in whose backward it, and so on, was made. */
function report([failed, ...parents]: [name: string, trace: Error | null][]): void {
  // At once: process.emitWarning() waits for the next turn of the event loop, which an uncaught error never sees.
  const warn = (what: string, led_to: string, trace: Error | null): void =>
    console.warn(
      `UserWarning: ${what} ${trace === null ? UNKNOWN : `Traceback of forward call that ${led_to}:\n${text(trace)}`}`,
    );
  warn(`Error detected in ${failed[0]}.`, 'caused the error', failed[1]);
  for (const [name, trace] of parents)
    warn(`\n\nPrevious calculation was induced by ${name}.`, 'induced the previous calculation', trace);
}

native.set_tracer(record, text, report);

export interface DetectAnomalyOptions {
  /** Throw when a backward produces a NaN (the default). */
  check_nan?: boolean;
}

function flag(callee: string, name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') {
    throw new TypeError(`${callee}(): argument '${name}' must be bool, not ${type_name(value)}`);
  }
  return value;
}

/**
 * Finds the forward call whose backward fails or makes a NaN. While it is on, every node of the graph remembers the JavaScript stack of
 * the call that made it; when its backward throws, or, unless `check_nan` is false, gives a NaN, that stack is printed with
 * `console.warn` (the user's own frames alone), and the Error thrown says `Function 'SqrtBackward0' returned nan values in its 0th
 * output.` A node made in another's backward is reported with that other's stack, too. Tensors written in place remember where, and
 * the error about a modified variable gives the line.
 *
 * Forward and backward must both run in the mode. Runs `fn` and returns what it returns; an async `fn` keeps the mode across `await`, for
 * its own call tree alone. Without `fn`: a scope for `using _ = torch.autograd.detect_anomaly()`. It makes everything slower: for debugging
 * alone.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.detect_anomaly
 *
 * @example
 * const x = torch.tensor([-1], { requires_grad: true });
 * torch.autograd.detect_anomaly(() => {
 *   const y = x.sqrt(); // the line that is named
 *   y.sum().backward(); // Function 'SqrtBackward0' returned nan values in its 0th output.
 * });
 */
export function detect_anomaly(options?: DetectAnomalyOptions | boolean): ModeScope;
export function detect_anomaly<T>(fn: () => T): T;
export function detect_anomaly<T>(options: DetectAnomalyOptions | boolean, fn: () => T): T;
export function detect_anomaly<T>(
  a?: DetectAnomalyOptions | boolean | (() => T),
  b?: () => T,
): T | ModeScope {
  const fn = typeof a === 'function' ? a : b;
  const given =
    typeof a === 'function' || a === undefined ? {} : typeof a === 'object' ? a : { check_nan: a };
  const { check_nan } = bind('detect_anomaly', { check_nan: true }, [given]);
  warn_once();
  return set_detect_anomaly(true, check_nan, fn as () => T);
}

let warned = false;
function warn_once(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    'Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.',
  );
}

/**
 * Switches anomaly mode ({@link detect_anomaly}) on or off: for good, or for `fn` when given. The result can be disposed to switch back.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.set_detect_anomaly
 *
 * @example
 * torch.autograd.set_detect_anomaly(true);
 * torch.autograd.set_detect_anomaly(false);
 */
export function set_detect_anomaly(mode: boolean, check_nan?: boolean | DetectAnomalyOptions): ModeScope;
export function set_detect_anomaly<T>(
  mode: boolean,
  check_nan: boolean | DetectAnomalyOptions | undefined,
  fn: () => T,
): T;
export function set_detect_anomaly<T>(
  mode: boolean,
  check_nan: boolean | DetectAnomalyOptions = true,
  fn?: () => T,
): T | ModeScope {
  const given = typeof check_nan === 'object' ? check_nan : { check_nan };
  const anomaly = {
    enabled: flag('set_detect_anomaly', 'mode', mode),
    check_nan: flag(
      'set_detect_anomaly',
      'check_nan',
      bind('set_detect_anomaly', { check_nan: true }, [given]).check_nan,
    ),
  };
  return in_mode((m) => ({ ...m, anomaly }), 'set_detect_anomaly', fn);
}

/** `set_detect_anomaly` under the name that it has in `torch` itself. Without a scope: it returns nothing. */
export function set_anomaly_enabled(mode: boolean, check_nan = true): void {
  set_detect_anomaly(mode, check_nan);
}
/** Whether anomaly mode is on. */
export const is_anomaly_enabled = (): boolean => current().anomaly.enabled;
/** Whether anomaly mode, when it is on, throws for a NaN. */
export const is_anomaly_check_nan_enabled = (): boolean => current().anomaly.check_nan;
