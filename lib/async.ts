// Native work off the event loop: torch.run_async and what the *_async methods are made of.
//
// There is one queue. What is put into it is called on the JavaScript thread when its turn comes and leaves native jobs behind (Note
// [Captured calls] in binding/async.h), which run one after another on a thread of their own.
/* eslint-disable @typescript-eslint/prefer-promise-reject-errors -- a signal's reason, and what a hook throws, may be anything */
import { AsyncLocalStorage } from 'node:async_hooks';
import { is_plain_object } from './args';
import { current, in_mode, type Mode } from './autograd/modes';
import { lift } from './dispatch';
import { rethrow } from './errors';
import { native, type Handle, type JobHandle } from './native';
import { returnNames } from './signature';
import { Tensor } from './tensor';

/** What everything that runs off the event loop takes. */
export interface AsyncOptions {
  /** Ends the work, or keeps it from beginning; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal | null;
}

let last: Promise<unknown> = Promise.resolve();

/** Runs `item` when all that was put into the queue before has ended; `signal` may take it out until then. */
export function in_turn<T>(item: (turn: Turn) => Promise<T>, signal: AbortSignal | null): Promise<T> {
  const turn = new Turn(signal);
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const leave = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    last = last.then(async () => {
      signal?.removeEventListener('abort', leave);
      if (signal?.aborted) return;
      try {
        resolve(await item(turn));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** What a captured call gives in place of the tensors that it does not have yet. */
const PLACEHOLDER = {} as Handle;

/** What an item of the queue may do. */
class Turn {
  readonly #mode: Mode = current();
  readonly #asked = new Error(); // what fails names the line that asked for it

  constructor(readonly signal: AbortSignal | null) {}

  /** Calls `fn` in the grad mode in which the work was asked for. */
  run<T>(fn: () => T): T {
    let result: T;
    in_mode(
      () => this.#mode,
      'run_async',
      () => {
        result = fn();
      },
    );
    return result!;
  }

  /** Calls `fn` and runs the one native operation in it off the thread. `keep` is what must live until then. */
  async one<T>(fn: () => T, keep: unknown): Promise<T> {
    let made: unknown;
    const job = this.#capture(() => (made = fn()), keep, false);
    if (made instanceof Promise) made.catch(() => undefined); // NOT_ONE explains it better
    if (job === null) throw new TypeError(native.not_one);
    const complete = completion(made, native.job_returns(job));
    return complete(await this.#finish(job)) as T;
  }

  /** Calls `fn` and runs all in it that returns nothing, such as the steps of optimizers, off the thread. */
  async writes(fn: () => void): Promise<void> {
    const job = this.#capture(fn, undefined, true);
    if (job !== null) await this.#finish(job);
  }

  #capture(fn: () => unknown, keep: unknown, many: boolean): JobHandle | null {
    let job: JobHandle | null = null;
    this.run(() => {
      native.capture_begin(PLACEHOLDER, many, keep);
      try {
        fn();
      } catch (error) {
        throw this.#located(error);
      } finally {
        job = native.capture_end();
      }
    });
    return job;
  }

  #finish(job: JobHandle): Promise<unknown> {
    const { signal } = this;
    const restore = AsyncLocalStorage.snapshot();
    return new Promise((resolve, reject) => {
      const stop = (): void => native.job_cancel(job);
      native.job_start(
        job,
        (answer) => restore(() => this.run(answer)),
        (status, value) => {
          signal?.removeEventListener('abort', stop);
          if (status === DONE) resolve(value);
          else if (status === FAILED) reject(this.#located(value));
          else if (status === THROWN) reject(value);
          else reject(signal?.reason);
        },
      );
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** The error, of the caller's own kind, with the lines that asked for the work. */
  #located(error: unknown): unknown {
    let own = error;
    try {
      rethrow(error);
    } catch (e) {
      own = e;
    }
    if (own instanceof Error) own.stack += (this.#asked.stack ?? '').replace(/^.*$/m, '');
    return own;
  }
}

const DONE = 0;
const FAILED = 1;
const THROWN = 2;

/** What puts the operation's result in the place of what the call returned before there was one. */
function completion(made: unknown, returns: string): (result: unknown) => unknown {
  if (made === PLACEHOLDER) return (result) => lift(result, returns, returnNames(returns));
  if (is_pending(made)) return (result) => complete_one(made, result);
  if (Array.isArray(made) && made.length > 0 && made.every(is_pending)) {
    return (result) => made.map((t: Tensor, i) => complete_one(t, (result as unknown[])[i]));
  }
  // Operations without result, and those that wrote into what the call returned.
  if (returns === '' || returns === '()') return () => made;
  throw new TypeError(native.not_one);
}
const is_pending = (v: unknown): v is Tensor => v instanceof Tensor && v._h === PLACEHOLDER;
function complete_one(t: Tensor, handle: unknown): Tensor | null {
  if (handle === null) return null;
  t._h = handle as Handle;
  return t;
}

/** Takes the signal out of the keywords. */
export function without_signal<A extends unknown[]>(
  given: readonly unknown[],
): { args: A; signal: AbortSignal | null } {
  const keywords = given[given.length - 1];
  if (!is_plain_object(keywords) || !('signal' in keywords)) return { args: given as A, signal: null };
  const { signal, ...rest } = keywords;
  if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) {
    throw new TypeError('signal must be an AbortSignal');
  }
  const args = given.slice(0, -1);
  if (Object.keys(rest).length > 0) args.push(rest);
  return { args: args as A, signal: signal ?? null };
}

/** `fn(...args)` in its turn, of which the one native operation runs off the thread; a signal among the keywords stops it. */
export async function one_in_turn<T>(fn: (...args: never[]) => T, given: readonly unknown[]): Promise<T> {
  const { args, signal } = without_signal<never[]>(given);
  return in_turn((turn) => turn.one(() => fn(...args), [fn, args]), signal);
}

/**
 * Runs one operator off the event loop: `await torch.run_async(torch.matmul, a, b)` is `torch.matmul(a, b)`, while timers, sockets and
 * promises go on.
 *
 * `fn` is a function that is one native operation, such as most of `torch` and `nn.functional`, or that makes one such call and
 * returns its result as it is: `() => a.matmul(b)`. Arguments are parsed as ever, and what the operator would throw, the promise
 * rejects with. Work runs in the order in which it was asked for, that of `backward_async` and `step_async` included: each when all
 * before it has ended, and in the grad mode in which it was asked for. The keywords may hold an AbortSignal, `{ signal }`; an operator
 * that has begun is completed.
 *
 * Tensors may be used meanwhile, also those that take part; such a call waits for the operator that is running.
 *
 * Rejects with a TypeError when `fn` is not one native operation; nothing was computed then.
 *
 * @example
 * ```ts
 * const [a, b] = [torch.randn(64, 64), torch.randn(64, 64)];
 * const c = await torch.run_async(torch.matmul, a, b);
 * c.equal(a.matmul(b)) // true
 * ```
 */
export function run_async<A extends unknown[], R>(
  fn: (...args: A) => R,
  ...args: [...A] | [...A, AsyncOptions]
): Promise<R>;
// Of a function with several signatures, TypeScript sees one alone above.
export function run_async<T = Tensor>(fn: (...args: never[]) => unknown, ...args: unknown[]): Promise<T>;
export async function run_async(fn: (...args: never[]) => unknown, ...args: unknown[]): Promise<unknown> {
  if (typeof fn !== 'function') throw new TypeError(native.not_one);
  return one_in_turn(fn, args);
}
