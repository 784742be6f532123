// Which steps of a long run are recorded.
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';

import { bind, required } from '../args';
import type { profile } from './profile';

/** What a profile does during a step. */
export const ProfilerAction = {
  /** Nothing. */
  NONE: 'ProfilerAction.NONE',
  /** Gets ready, and throws away what it sees. */
  WARMUP: 'ProfilerAction.WARMUP',
  /** Records. */
  RECORD: 'ProfilerAction.RECORD',
  /** Records, and hands the trace over at the end of the step. */
  RECORD_AND_SAVE: 'ProfilerAction.RECORD_AND_SAVE',
} as const;
export type ProfilerAction = (typeof ProfilerAction)[keyof typeof ProfilerAction];

export interface ScheduleOptions {
  /** Steps of each cycle that are not profiled. */
  wait: number;
  /** Steps after these whose events are thrown away: the first steps of a profile are slower than the others. */
  warmup: number;
  /** Steps after these that are recorded. */
  active: number;
  /** How many such cycles there are; 0: as many as the run has room for. */
  repeat?: number;
  /** Steps before the first cycle. */
  skip_first?: number;
  /** Not 0: the first cycle does not wait. */
  skip_first_wait?: number;
}

/**
 * A schedule for {@link profile}: after `skip_first` steps come cycles of `wait`, `warmup` and `active` steps.
 *
 * Throws when a number is negative or `active` is not positive; warns when there is no warm-up.
 *
 * See https://docs.pytorch.org/docs/stable/profiler.html#torch.profiler.schedule
 *
 * @example
 * torch.profiler.schedule({ wait: 1, warmup: 1, active: 2, repeat: 1 })(2) // 'ProfilerAction.RECORD'
 */
export function schedule(options: ScheduleOptions): (step: number) => ProfilerAction {
  const { wait, warmup, active, repeat, skip_first, skip_first_wait } = bind(
    'schedule',
    {
      wait: required<number>(),
      warmup: required<number>(),
      active: required<number>(),
      repeat: 0,
      skip_first: 0,
      skip_first_wait: 0,
    },
    [options],
  );
  if (wait < 0 || warmup < 0 || active <= 0 || repeat < 0 || skip_first < 0) {
    throw new Error(
      `Invalid profiler schedule arguments. Got wait=${wait} (need >= 0), warmup=${warmup} (need >= 0), ` +
        `active=${active} (need > 0), repeat=${repeat} (need >= 0), skip_first=${skip_first} (need >= 0).`,
    );
  }
  if (warmup === 0) process.emitWarning("Profiler won't be using warmup, this can skew profiler results");
  const cycle = wait + warmup + active;
  return (step) => {
    if (step < 0) throw new Error(`Step must be non-negative. Got ${step}.`);
    if (step < skip_first) return ProfilerAction.NONE;
    const at = step - skip_first + (skip_first_wait === 0 ? 0 : wait);
    if (repeat > 0 && at / cycle >= repeat) return ProfilerAction.NONE;
    const in_cycle = at % cycle;
    if (in_cycle < wait) return ProfilerAction.NONE;
    if (in_cycle < wait + warmup) return ProfilerAction.WARMUP;
    return in_cycle < cycle - 1 ? ProfilerAction.RECORD : ProfilerAction.RECORD_AND_SAVE;
  };
}

/**
 * An `on_trace_ready` that writes each trace into `dir_name`, under a name of its own:
 * `WORKER.TIME.pt.trace.json`, or `.json.gz` with `use_gzip`. The files open in the browser's trace viewers.
 *
 * See https://docs.pytorch.org/docs/stable/profiler.html#torch.profiler.tensorboard_trace_handler
 *
 * @param worker_name by default the host's name and the number of the process.
 */
export function tensorboard_trace_handler(
  dir_name: string,
  worker_name?: string | null | { worker_name?: string | null; use_gzip?: boolean },
  use_gzip?: boolean,
): (prof: profile) => void {
  const o = bind(
    'tensorboard_trace_handler',
    { dir_name: required<string>(), worker_name: null as string | null, use_gzip: false },
    [dir_name, worker_name, use_gzip].filter((v) => v !== undefined),
  );
  return (prof) => {
    mkdirSync(o.dir_name, { recursive: true });
    const worker = o.worker_name ?? `${hostname()}_${process.pid}`;
    const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
    prof.export_chrome_trace(
      path.join(o.dir_name, `${worker}.${now}.pt.trace.json${o.use_gzip ? '.gz' : ''}`),
    );
  };
}
