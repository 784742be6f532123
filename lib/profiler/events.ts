// What a profile recorded, event by event, and what it adds up to.
import { write_atomically } from '../files';
import type { Frame } from './stacks';
import { build_table, type TableOptions } from './table';
import { format_time } from './format';

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** From `start` to `end`, in microseconds after the profile's start. */
export class Interval {
  constructor(
    readonly start: number,
    readonly end: number,
  ) {}
  /** The length in microseconds. */
  elapsed_us(): number {
    return this.end - this.start;
  }
}

/** The shape of a tensor argument, or one shape for each tensor of a list. */
export type Shape = number[] | number[][];

/** What {@link FunctionEvent} and {@link FunctionEventAvg} have in common: the columns of a table. */
export abstract class EventFigures {
  abstract readonly key: string;
  abstract readonly count: number;
  /** Microseconds between start and end, all calls together. */
  abstract readonly cpu_time_total: number;
  /** The same without what ran inside as an event of its own. */
  abstract readonly self_cpu_time_total: number;
  /** Bytes allocated less bytes freed, between start and end. */
  abstract readonly cpu_memory_usage: number;
  abstract readonly self_cpu_memory_usage: number;
  abstract readonly device_memory_usage: number;
  abstract readonly self_device_memory_usage: number;
  abstract readonly flops: number;
  abstract readonly is_async: boolean;
  abstract readonly is_user_annotation: boolean;
  abstract readonly cpu_parent: FunctionEvent | null;
  abstract readonly stack: readonly Frame[];
  /** 0: an operator; 1: a node of the backward pass; 7: a range of the user. */
  abstract readonly scope: number;

  /** Always 0, like the other times of a device: they are not measured. */
  get device_time_total(): number {
    return 0;
  }
  get self_device_time_total(): number {
    return 0;
  }
  get device_time(): number {
    return 0;
  }

  /** Microseconds per call. */
  get cpu_time(): number {
    return this.count === 0 ? 0 : this.cpu_time_total / this.count;
  }
  get cpu_time_str(): string {
    return format_time(this.cpu_time);
  }
  get cpu_time_total_str(): string {
    return format_time(this.cpu_time_total);
  }
  get self_cpu_time_total_str(): string {
    return format_time(this.self_cpu_time_total);
  }
  abstract toString(): string;
  [INSPECT](): string {
    return this.toString();
  }
}

/** The facts of one event, as the recorder gives them. */
export interface EventFacts {
  id: number;
  name: string;
  trace_name: string;
  time_range: Interval;
  thread: number;
  fwd_thread: number;
  input_shapes: number[][];
  structured_input_shapes: Shape[];
  input_dtypes: string[];
  stack: readonly Frame[];
  scope: number;
  is_async: boolean;
  is_user_annotation: boolean;
  sequence_nr: number;
  cpu_memory_usage: number;
  device_memory_usage: number;
  flops: number;
}

/**
 * One call of an operator, one node of the backward pass, or one range of the user.
 *
 * See https://docs.pytorch.org/docs/stable/profiler.html
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the facts are its fields
export interface FunctionEvent extends Readonly<EventFacts> {}
export class FunctionEvent extends EventFigures {
  declare readonly flops: number;
  declare readonly is_async: boolean;
  declare readonly is_user_annotation: boolean;
  declare readonly stack: readonly Frame[];
  declare readonly scope: number;
  declare readonly cpu_memory_usage: number;
  declare readonly device_memory_usage: number;
  readonly count = 1;
  /** The events that ran inside, not counting those inside of these. */
  cpu_children: FunctionEvent[] = [];
  /** The event in which this one ran. */
  cpu_parent: FunctionEvent | null = null;

  /** @internal */
  constructor(facts: EventFacts) {
    super();
    Object.assign(this, facts);
  }

  get key(): string {
    return this.name;
  }
  get cpu_time_total(): number {
    return this.time_range.elapsed_us();
  }
  get self_cpu_time_total(): number {
    return this.#self((e) => e.cpu_time_total);
  }
  get self_cpu_memory_usage(): number {
    return this.#self((e) => e.cpu_memory_usage);
  }
  get self_device_memory_usage(): number {
    return this.#self((e) => e.device_memory_usage);
  }

  /** Asynchronous events have no children, and no self: what ran meanwhile may have been anybody's. */
  #self(of: (e: FunctionEvent) => number): number {
    return this.is_async ? 0 : this.cpu_children.reduce((sum, child) => sum - of(child), of(this));
  }

  toString(): string {
    return (
      `<FunctionEvent id=${this.id} name=${this.name} cpu_time=${this.cpu_time_str} ` +
      `start_us=${this.time_range.start} end_us=${this.time_range.end} ` +
      `cpu_children=[${this.cpu_children.map((child) => child.id).join(', ')}] thread=${this.thread} ` +
      `input_shapes=${shapes_text(this.input_shapes)} cpu_memory_usage=${this.cpu_memory_usage} ` +
      `is_async=${this.is_async ? 'True' : 'False'} seq_nr=${this.sequence_nr}>`
    );
  }
}

/** Events of one name (and of one shape or stack, if asked for) added up. */
export class FunctionEventAvg extends EventFigures {
  key = '';
  count = 0;
  cpu_time_total = 0;
  self_cpu_time_total = 0;
  cpu_memory_usage = 0;
  self_cpu_memory_usage = 0;
  device_memory_usage = 0;
  self_device_memory_usage = 0;
  flops = 0;
  is_async = false;
  is_user_annotation = false;
  cpu_parent: FunctionEvent | null = null;
  cpu_children: FunctionEvent[] = [];
  /** Empty unless the events were grouped by it. */
  input_shapes: number[][] = [];
  stack: readonly Frame[] = [];
  scope = 0;

  /** Adds an event; the first one says what this is. */
  add(other: FunctionEvent | FunctionEventAvg): this {
    if (this.count === 0) {
      const { key, is_async, is_user_annotation, cpu_parent, cpu_children, input_shapes, stack, scope } =
        other;
      Object.assign(this, {
        key,
        is_async,
        is_user_annotation,
        cpu_parent,
        cpu_children,
        input_shapes,
        stack,
        scope,
      });
    }
    this.count += other.count;
    this.cpu_time_total += other.cpu_time_total;
    this.self_cpu_time_total += other.self_cpu_time_total;
    this.cpu_memory_usage += other.cpu_memory_usage;
    this.self_cpu_memory_usage += other.self_cpu_memory_usage;
    this.device_memory_usage += other.device_memory_usage;
    this.self_device_memory_usage += other.self_device_memory_usage;
    this.flops += other.flops;
    return this;
  }

  toString(): string {
    return (
      `<FunctionEventAvg key=${this.key} self_cpu_time=${this.self_cpu_time_total_str} cpu_time=${this.cpu_time_str} ` +
      `input_shapes=${this.input_shapes.length > 0 ? shapes_text(this.input_shapes) : ''} ` +
      `cpu_memory_usage=${this.cpu_memory_usage}>`
    );
  }
}

/** `[[4, 8], [], [16]]`. */
export const shapes_text = (shapes: readonly (readonly number[])[]): string =>
  `[${shapes.map((s) => `[${s.join(', ')}]`).join(', ')}]`;

export interface KeyAveragesOptions {
  /** Calls with inputs of different shapes get rows of their own; needs `record_shapes`. */
  group_by_input_shape?: boolean;
  /** So do calls from stacks that differ in their innermost n frames; needs `with_stack`. */
  group_by_stack_n?: number;
}

/**
 * A list of events: `prof.events()` or `prof.key_averages()`.
 *
 * See https://docs.pytorch.org/docs/stable/profiler.html
 */
export class EventList<E extends FunctionEvent | FunctionEventAvg> extends Array<E> {
  // What map() and filter() give is a plain array.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
  /** @internal */
  _profile_memory = false;
  /** @internal */
  _with_flops = false;
  /** @internal */
  _use_device: string | null = null;
  /** @internal Writes the trace that these events belong to. */
  _export: ((path: string) => void) | null = null;

  /** @internal */
  static of_events<E extends FunctionEvent | FunctionEventAvg>(
    events: Iterable<E>,
    like: Partial<EventList<FunctionEvent>>,
  ): EventList<E> {
    const list = new EventList<E>();
    for (const e of events) list.push(e);
    for (const field of ['_profile_memory', '_with_flops', '_use_device', '_export'] as const) {
      // Not listed among the events when the list is printed.
      Object.defineProperty(list, field, { value: like[field] ?? list[field], enumerable: false });
    }
    return list;
  }

  /** Microseconds, all events together. */
  get self_cpu_time_total(): number {
    return this.reduce((sum, e) => sum + e.self_cpu_time_total, 0);
  }

  /**
   * PyTorch's table of these events, as text.
   *
   * Throws when there is no figure of the name `sort_by`.
   *
   * @example
   * const prof = torch.profiler.profile({}, () => torch.ones(2).add(1));
   * console.log(prof.key_averages().table({ sort_by: 'self_cpu_time_total', row_limit: 10 }));
   */
  table(options: TableOptions = {}): string {
    return build_table(this, options, {
      profile_memory: this._profile_memory,
      with_flops: this._with_flops,
      use_device: this._use_device,
    });
  }

  /** Events of the same name added up, in the order in which the names came first. */
  key_averages(options: KeyAveragesOptions = {}): EventList<FunctionEventAvg> {
    const { group_by_input_shape = false, group_by_stack_n = 0 } = options;
    const groups = new Map<string, FunctionEventAvg>();
    for (const e of this) {
      const parts: string[] = [e.key, String(e.is_user_annotation)];
      if (group_by_input_shape) parts.push(shapes_text(e.input_shapes));
      if (group_by_stack_n > 0) parts.push(...e.stack.slice(0, group_by_stack_n));
      const key = parts.join('\0');
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = new FunctionEventAvg()));
      group.add(e);
    }
    const list = EventList.of_events(groups.values(), this as Partial<EventList<FunctionEvent>>);
    for (const e of list) {
      e.stack = e.stack.slice(0, group_by_stack_n);
      if (!group_by_input_shape) e.input_shapes = [];
    }
    return list;
  }

  /** All events added up, whatever their names. */
  total_average(): FunctionEventAvg {
    const total = new FunctionEventAvg();
    for (const e of this) total.add(e);
    total.key = 'Total';
    return total;
  }

  /** Writes the trace of these events, see {@link profile.export_chrome_trace}. */
  export_chrome_trace(path: string): void {
    if (this._export === null) throw new Error('export_chrome_trace() is for the events of a profile');
    this._export(path);
  }

  /**
   * Writes the stacks of the events, with their time in microseconds, in the format that flame graphs are drawn from:
   * `outermost;...;innermost 123`.
   */
  export_stacks(path: string, metric: string): void {
    const metrics = [
      'self_cpu_time_total',
      'self_cuda_time_total',
      'self_xpu_time_total',
      'self_privateuse1_time_total',
    ];
    if (!metrics.includes(metric)) {
      throw new Error(`metric should be one of: [${metrics.map((m) => `'${m}'`).join(', ')}]`);
    }
    const lines: string[] = [];
    for (const e of this) {
      const time = metric === 'self_cpu_time_total' ? Math.trunc(e.self_cpu_time_total) : 0;
      if (e.stack.length === 0 || time <= 0) continue;
      const frames = [...e.stack].reverse().map((frame) => frame.replace(/[ ;\t\n]/g, '_'));
      lines.push(`${frames.join(';')} ${time}\n`);
    }
    write_atomically(path, [Buffer.from(lines.join(''))]);
  }

  override toString(): string {
    return this.table();
  }
}
