// torch.profiler.profile.
import { bind, is_plain_object } from '../args';
import { guard } from '../errors';
import { native } from '../native';
import { StackTable } from './stacks';
import { write_chrome_trace } from './chrome_trace';
import { EventList, type FunctionEvent, type FunctionEventAvg, type KeyAveragesOptions } from './events';
import { is_thenable, profiling, RangeScope, reset_module_labels } from './ranges';
import { ProfilerAction } from './schedule';
import { FIELDS, Trace, type RawTrace } from './trace';

/** What is observed. Work on a CUDA device is seen from the CPU: its memory, and the time that it takes to start it. */
export const ProfilerActivity = {
  CPU: 'ProfilerActivity.CPU',
  CUDA: 'ProfilerActivity.CUDA',
} as const;
export type ProfilerActivity = (typeof ProfilerActivity)[keyof typeof ProfilerActivity];

/** The activities that this machine has. */
export function supported_activities(): Set<ProfilerActivity> {
  return new Set(
    native.cuda_unavailable_reason() === null
      ? [ProfilerActivity.CPU, ProfilerActivity.CUDA]
      : [ProfilerActivity.CPU],
  );
}

export interface ProfileOptions {
  /** By default all that this machine has. */
  activities?: Iterable<ProfilerActivity> | null;
  /** Which steps are recorded, see {@link schedule}; by default everything from start to stop. */
  schedule?: ((step: number) => ProfilerAction) | null;
  /** Called with the profile whenever a recording is complete. */
  on_trace_ready?: ((prof: Profile) => unknown) | null;
  /** Notes the shapes and dtypes of the operators' inputs. */
  record_shapes?: boolean;
  /** Notes what is allocated and freed. */
  profile_memory?: boolean;
  /** Notes from which lines of the program operators are called; takes microseconds for each. */
  with_stack?: boolean;
  /** Estimates the floating-point operations of products and convolutions. */
  with_flops?: boolean;
  /** Records the calls of modules as ranges, `nn.Module: Linear_0`. */
  with_modules?: boolean;
  /** Keeps the events of earlier cycles of the schedule. */
  acc_events?: boolean;
}

function parse_activities(given: Iterable<ProfilerActivity> | null): Set<ProfilerActivity> {
  if (given === null) return supported_activities();
  const known: unknown[] = Object.values(ProfilerActivity);
  const activities = new Set<ProfilerActivity>();
  const items = [...given];
  if (!items.some((item) => known.includes(item))) throw new Error('No valid profiler activities found');
  for (const item of items) {
    if (!known.includes(item)) throw new TypeError(`Expected ProfilerActivity or dict, got ${typeof item}`);
    if (activities.has(item)) throw new Error(`Activity ${item} specified more than once`);
    activities.add(item);
  }
  if (!activities.has(ProfilerActivity.CPU)) {
    throw new Error('activities without ProfilerActivity.CPU are not supported');
  }
  return activities;
}

let warned_of_clearing = false;
function warn_of_clearing(): void {
  if (warned_of_clearing) return;
  warned_of_clearing = true;
  process.emitWarning(
    'Profiler clears events at the end of each cycle. Only events from the current cycle will be reported. To keep ' +
      'events across cycles, set acc_events=True.',
  );
}

type Act = 'prepare' | 'start' | 'stop' | 'ready';
const { NONE, WARMUP, RECORD, RECORD_AND_SAVE } = ProfilerAction;
/** What to do between two steps, by what was done in the one and is to be done in the other; null: the end. */
const TRANSITIONS = new Map<ProfilerAction, Map<ProfilerAction | null, Act[]>>([
  [
    NONE,
    new Map<ProfilerAction | null, Act[]>([
      [WARMUP, ['prepare']],
      [RECORD, ['prepare', 'start']],
      [RECORD_AND_SAVE, ['prepare', 'start']],
    ]),
  ],
  [
    WARMUP,
    new Map<ProfilerAction | null, Act[]>([
      [NONE, ['start', 'stop']],
      [RECORD, ['start']],
      [RECORD_AND_SAVE, ['start']],
      [null, ['start', 'stop']],
    ]),
  ],
  [
    RECORD,
    new Map<ProfilerAction | null, Act[]>([
      [NONE, ['stop']],
      [WARMUP, ['stop']],
      [null, ['stop', 'ready']],
    ]),
  ],
  [
    RECORD_AND_SAVE,
    new Map<ProfilerAction | null, Act[]>([
      [NONE, ['stop', 'ready']],
      [WARMUP, ['stop', 'ready', 'prepare']],
      [RECORD, ['stop', 'ready', 'prepare', 'start']],
      [RECORD_AND_SAVE, ['stop', 'ready', 'prepare', 'start']],
      [null, ['stop', 'ready']],
    ]),
  ],
]);
const INCORRECT: readonly (readonly [ProfilerAction, ProfilerAction])[] = [
  [WARMUP, NONE],
  [RECORD, NONE],
  [RECORD, WARMUP],
];

const bare = (a: ProfilerAction): string => a.replace('ProfilerAction.', '');

/** See {@link profile}. */
export class Profile implements Disposable {
  readonly activities: ReadonlySet<ProfilerActivity>;
  readonly record_shapes: boolean;
  readonly profile_memory: boolean;
  readonly with_stack: boolean;
  readonly with_flops: boolean;
  readonly with_modules: boolean;
  readonly acc_events: boolean;
  /** `'cuda'` when the device's memory is observed too. */
  readonly use_device: string | null;
  on_trace_ready: ((prof: Profile) => unknown) | null;
  /** The number of the step that is running: how often {@link step} was called. */
  step_num = 0;
  current_action: ProfilerAction;

  readonly #schedule: ((step: number) => ProfilerAction) | null;
  readonly #metadata = new Map<string, string>();
  #started = false;
  #running = false;
  #stacks: StackTable | null = null; // while recording
  #step: RangeScope | null = null;
  #trace: Trace | null = null;
  #earlier: FunctionEvent[] = []; // with acc_events

  constructor(options: ProfileOptions = {}) {
    const o = bind(
      'profile.__init__',
      {
        activities: null as Iterable<ProfilerActivity> | null,
        schedule: null as ((step: number) => ProfilerAction) | null,
        on_trace_ready: null as ((prof: Profile) => unknown) | null,
        record_shapes: false,
        profile_memory: false,
        with_stack: false,
        with_flops: false,
        with_modules: false,
        acc_events: false,
      },
      [options],
    );
    this.activities = parse_activities(o.activities);
    this.use_device = this.#device();
    this.record_shapes = o.record_shapes;
    this.profile_memory = o.profile_memory;
    this.with_stack = o.with_stack;
    this.with_flops = o.with_flops;
    this.with_modules = o.with_modules;
    this.acc_events = o.acc_events;
    this.on_trace_ready = o.on_trace_ready;
    this.#schedule = o.schedule;
    this.current_action = this.#action_of(0);
  }

  #device(): string | null {
    if (!this.activities.has(ProfilerActivity.CUDA)) return null;
    if (native.cuda_unavailable_reason() === null) return 'cuda';
    process.emitWarning('CUDA is not available, disabling CUDA profiling');
    return null;
  }

  #action_of(step: number): ProfilerAction {
    if (this.#schedule === null) return RECORD;
    const action = this.#schedule(step);
    if (!TRANSITIONS.has(action)) {
      throw new TypeError(`schedule must return a ProfilerAction, but got ${String(action)}`);
    }
    return action;
  }

  // ---- recording ----

  /** Starts; a profile that is running already goes on. Throws when another one is recording on this thread. */
  start(): this {
    if (this.#running) return this;
    this.#transit(NONE, this.current_action);
    this.#started = this.#running = true;
    this.#begin_step();
    return this;
  }

  /** Stops, and hands the trace to `on_trace_ready`. A second time does nothing. */
  stop(): void {
    if (!this.#running) {
      if (!this.#started) throw new Error('Profiler must be initialized before stopping trace');
      return;
    }
    this.#end_step();
    this.#running = false;
    this.#transit(this.current_action, null);
  }

  /** Says that the next step begins: the schedule decides what happens to it. */
  step(): void {
    this.#end_step();
    const next = this.#action_of(this.step_num + 1);
    const before = this.current_action;
    this.step_num += 1;
    this.current_action = next;
    if (!this.#running) return;
    this.#transit(before, next);
    this.#begin_step();
  }

  [Symbol.dispose](): void {
    if (this.#running) this.stop();
  }

  #begin_step(): void {
    if (this.#schedule !== null) this.#step = new RangeScope(`ProfilerStep#${this.step_num}`, true);
  }
  #end_step(): void {
    this.#step?.exit();
    this.#step = null;
  }

  #transit(before: ProfilerAction, next: ProfilerAction | null): void {
    if (INCORRECT.some(([a, b]) => a === before && b === next)) {
      process.emitWarning(`Incorrect schedule: ${bare(before)} followed by ${bare(next as ProfilerAction)}`);
    }
    for (const act of TRANSITIONS.get(before)?.get(next) ?? []) {
      if (act === 'prepare') this.#prepare_trace();
      else if (act === 'start') this.#start_trace();
      else if (act === 'stop') this.#stop_trace();
      else this.on_trace_ready?.(this);
    }
  }

  #prepare_trace(): void {
    if (this.#trace === null) return;
    if (this.acc_events) this.#earlier = [...this.#trace.events, ...this.#earlier];
    else warn_of_clearing();
    this.#trace = null;
  }

  #start_trace(): void {
    const stacks = new StackTable();
    guard(() =>
      native.profiler_start(
        this.record_shapes || this.with_flops,
        this.profile_memory,
        this.with_stack ? stacks.capture : null,
      ),
    );
    this.#stacks = stacks;
    profiling.ranges = true;
    profiling.modules = this.with_modules;
    if (this.with_modules) reset_module_labels();
  }

  #stop_trace(): void {
    profiling.ranges = profiling.modules = false;
    const raw = guard(() => native.profiler_stop()) as RawTrace;
    if (raw.dropped > 0) {
      process.emitWarning(
        `profile: the first ${raw.events.length / FIELDS} events are kept, ${raw.dropped} more were ` +
          'dropped. Record fewer steps, with a schedule.',
      );
    }
    const trace: Trace = new Trace(raw, this.#stacks?.stacks ?? [], {
      profile_memory: this.profile_memory,
      with_flops: this.with_flops,
      use_device: this.use_device,
      export: (path) => this.#write(trace, path),
    });
    this.#stacks = null;
    this.#trace = trace;
  }

  // ---- results ----

  /** Whether there is a recording to ask for. */
  get is_finished(): boolean {
    return this.#trace !== null;
  }

  /** The events of the recording, in the order of their starts. */
  events(): EventList<FunctionEvent> {
    if (this.#trace === null && !this.#running) {
      throw new Error('Profiler must be initialized before accessing events');
    }
    const events = this.#trace?.events ?? EventList.of_events<FunctionEvent>([], {});
    return this.#earlier.length > 0 ? EventList.of_events([...events, ...this.#earlier], events) : events;
  }

  /**
   * The events added up by name, and by input shapes or innermost frames if asked for.
   *
   * See https://docs.pytorch.org/docs/stable/profiler.html
   *
   * @example
   * const prof = torch.profiler.profile({ record_shapes: true }, () => torch.ones(2).add(1));
   * console.log(prof.key_averages({ group_by_input_shape: true }).table());
   */
  key_averages(
    group_by_input_shape: boolean | KeyAveragesOptions = {},
    group_by_stack_n?: number,
  ): EventList<FunctionEventAvg> {
    if (this.#trace === null && !this.#running) {
      throw new Error('Profiler must be initialized before getting key averages');
    }
    const o = bind('key_averages', { group_by_input_shape: false, group_by_stack_n: 0 }, [
      group_by_input_shape,
      ...(group_by_stack_n === undefined ? [] : [group_by_stack_n]),
    ]);
    return this.events().key_averages(o);
  }

  /**
   * Writes the last recording as a trace that chrome://tracing and https://ui.perfetto.dev open: `.json`, or compressed
   * when the name ends in `.gz`. The write is atomic.
   */
  export_chrome_trace(path: string): void {
    if (this.#trace === null) throw new Error('Profiler must be initialized before exporting chrome trace');
    this.#write(this.#trace, path);
  }

  #write(trace: Trace, path: string): void {
    const flags = ['profile_memory', 'with_stack', 'record_shapes', 'with_modules', 'with_flops'] as const;
    const metadata = new Map(flags.filter((flag) => this[flag]).map((flag) => [flag as string, '1']));
    for (const [key, json] of this.#metadata) metadata.set(key, json);
    write_chrome_trace(trace, path, metadata);
  }

  /** Writes the stacks of the events for flame graphs, see {@link EventList.export_stacks}. */
  export_stacks(path: string, metric = 'self_cpu_time_total'): void {
    if (this.#trace === null) throw new Error('Profiler must be initialized before exporting stacks');
    if (!this.with_stack) throw new Error('export_stacks() requires with_stack=True');
    this.#trace.events.export_stacks(path, metric);
  }

  /** Puts a text of your own into the trace file. */
  add_metadata(key: string, value: string): void {
    this.#metadata.set(key, JSON.stringify(value));
  }

  /** Puts a value of your own, given as JSON text, into the trace file. Throws when it is no JSON. */
  add_metadata_json(key: string, value: string): void {
    JSON.parse(value);
    this.#metadata.set(key, value);
  }
}

/** Runs `fn` while `prof` records; an async `fn` until its promise settles. */
export function run_profiled<P extends Profile>(prof: P, fn: (prof: P) => unknown): P | Promise<P> {
  prof.start();
  let result: unknown;
  try {
    result = fn(prof);
  } catch (error) {
    prof[Symbol.dispose]();
    throw error;
  }
  if (is_thenable(result)) {
    const stop = (): void => prof[Symbol.dispose]();
    return Promise.resolve(result)
      .finally(stop)
      .then(() => prof);
  }
  prof[Symbol.dispose]();
  return prof;
}

/** {@link profile} as it is called: with `new` for a profile to start later, without for one that runs. */
export interface ProfileConstructor {
  new (options?: ProfileOptions): Profile;
  (options?: ProfileOptions): Profile;
  (options: ProfileOptions, fn: (prof: Profile) => Promise<unknown>): Promise<Profile>;
  (fn: (prof: Profile) => Promise<unknown>): Promise<Profile>;
  (options: ProfileOptions, fn: (prof: Profile) => unknown): Profile;
  (fn: (prof: Profile) => unknown): Profile;
  readonly prototype: Profile;
}

/**
 * Records which operators run, how long they take and what memory they use: PyTorch's profiler.
 *
 * `profile(options, fn)` records while `fn` runs and returns the profile; for an async `fn`, a promise of it.
 * `using prof = profile(options)` records until the end of the scope, and `new profile(options)` between `start()` and
 * `stop()`. With a schedule, call `step()` after each step of the program.
 *
 * Recorded is what runs on the calling thread, one profile at a time; it stops at a million events. While nothing is
 * profiled, an operator pays for none of this.
 *
 * Throws when another profile is recording on this thread, or when `activities` holds none that is known.
 *
 * See https://docs.pytorch.org/docs/stable/profiler.html#torch.profiler.profile
 *
 * @example
 * const x = torch.ones(2, { requires_grad: true });
 * const prof = torch.profiler.profile({ record_shapes: true }, () => {
 *   x.mul(x).sum().backward();
 * });
 * console.log(prof.key_averages().table({ sort_by: 'self_cpu_time_total', row_limit: 10 }));
 * prof.key_averages()[0].key // 'aten::mul'
 *
 * @example
 * const prof = new torch.profiler.profile({
 *   schedule: torch.profiler.schedule({ wait: 1, warmup: 1, active: 2, repeat: 1 }),
 *   on_trace_ready: (p) => console.log(p.key_averages().table()),
 * });
 * prof.start();
 * for (let i = 0; i < 6; ++i) {
 *   torch.ones(2).add(1);
 *   prof.step();
 * }
 * prof.stop();
 */
export const profile: ProfileConstructor = new Proxy(Profile, {
  apply(_target, _self, args: unknown[]): Profile | Promise<Profile> {
    const [options, fn] = typeof args[0] === 'function' ? [{}, args[0]] : args;
    if (options !== undefined && !is_plain_object(options)) {
      throw new TypeError('profile(): options must be an object');
    }
    const prof = new Profile(options);
    return fn === undefined ? prof.start() : run_profiled(prof, fn as (prof: Profile) => unknown);
  },
}) as unknown as ProfileConstructor;
export type profile = Profile;
