// From what the native recorder wrote down to events with parents, children and figures.
import type { Frame } from './stacks';
import { EventList, FunctionEvent, Interval, type Shape } from './events';
import { flops_of } from './flops';

/** What `native.profiler_stop()` returns; `csrc/core/profiler.h` says what the numbers mean. */
export interface RawTrace {
  names: string[];
  events: Float64Array;
  shapes: Float64Array;
  start_ns: number;
  dropped: number;
}

export const FIELDS = 10;
const enum Kind {
  Operator = 0,
  Evaluate = 1,
  Node = 2,
  Range = 3,
  Memory = 4,
}
const OTHER = -1;
const SCALAR = -2;
const SCALAR_LIST = -3;
const TENSOR_LIST = -4;
/** PyTorch's names of the element types, by dtype code. */
const TYPES = [
  'float',
  'double',
  'c10::Half',
  'c10::BFloat16',
  'long int',
  'int',
  'short int',
  'signed char',
  'unsigned char',
  'bool',
];

/** One allocation (or, with negative bytes, one release). */
export interface MemoryRecord {
  /** Nanoseconds after the start. */
  time: number;
  bytes: number;
  /** Bytes in use then, of those allocated since the start. */
  in_use: number;
  on_cpu: boolean;
  thread: number;
}

interface Arguments {
  shapes: Shape[];
  types: string[];
  result_numel: number;
}
const NO_ARGUMENTS: Arguments = { shapes: [], types: [], result_numel: 0 };

function read_arguments(pool: Float64Array, at: number): Arguments {
  if (at < 0) return NO_ARGUMENTS;
  const count = pool[at];
  const result_numel = pool[at + 1];
  let i = at + 2;
  const shapes: Shape[] = [];
  const types: string[] = [];
  const dims = (): number[] => {
    const n = pool[i++];
    i += n;
    return Array.from(pool.subarray(i - n, i));
  };
  for (let k = 0; k < count; ++k) {
    const tag = pool[i++];
    if (tag >= 0) {
      shapes.push(dims());
      types.push(TYPES[tag]);
    } else if (tag === TENSOR_LIST) {
      const list: number[][] = [];
      for (let n = pool[i++]; n > 0; --n) list.push(pool[i++] === OTHER ? [] : dims());
      shapes.push(list);
      types.push('TensorList');
    } else {
      shapes.push([]);
      types.push(tag === SCALAR ? 'Scalar' : tag === SCALAR_LIST ? 'ScalarList' : '');
    }
  }
  return { shapes, types, result_numel };
}

/** Sums over the records of a time: those before a record added up. */
class MemorySums {
  readonly #times: number[] = [];
  readonly #cpu = [0];
  readonly #device = [0];
  constructor(readonly records: readonly MemoryRecord[]) {
    for (const { time, bytes, on_cpu } of records) {
      this.#times.push(time);
      this.#cpu.push((this.#cpu.at(-1) as number) + (on_cpu ? bytes : 0));
      this.#device.push((this.#device.at(-1) as number) + (on_cpu ? 0 : bytes));
    }
  }
  /** How many records are earlier than `time`. */
  #before(time: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  within(start: number, end: number): { cpu: number; device: number } {
    const [from, to] = [this.#before(start), this.#before(end + 1)];
    return { cpu: this.#cpu[to] - this.#cpu[from], device: this.#device[to] - this.#device[from] };
  }
}

/** An event lies in another of its thread when its time lies in the other's; one that only overlaps is beside it. */
function find_parents(events: readonly FunctionEvent[]): void {
  const of_threads = new Map<number, FunctionEvent[]>();
  for (const e of events) {
    if (e.is_async) continue;
    let open = of_threads.get(e.thread);
    if (open === undefined) of_threads.set(e.thread, (open = []));
    const { start, end } = e.time_range;
    for (let parent = open.at(-1); parent !== undefined; parent = open.at(-1)) {
      if (start >= parent.time_range.end || end > parent.time_range.end) {
        open.pop();
        continue;
      }
      parent.cpu_children.push(e);
      e.cpu_parent = parent;
      break;
    }
    open.push(e);
  }
}

/** An event whose only child has its own name is shown once. */
function without_doubles(events: FunctionEvent[]): FunctionEvent[] {
  for (;;) {
    const doubles = new Set<FunctionEvent>();
    for (const e of events) {
      const parent = e.cpu_parent;
      if (parent === null || parent.name !== e.name || parent.cpu_children.length !== 1) continue;
      parent.cpu_children = e.cpu_children;
      for (const child of e.cpu_children) child.cpu_parent = parent;
      doubles.add(e);
    }
    if (doubles.size === 0) return events;
    events = events.filter((e) => !doubles.has(e));
  }
}

/** Gives events, sorted by their starts, their parents and children. */
export function build_tree(events: FunctionEvent[]): FunctionEvent[] {
  find_parents(events);
  return without_doubles(events);
}

const rewritten = (name: string): string => (name.startsWith('ProfilerStep#') ? 'ProfilerStep*' : name);

/** Where the operator that made a node has its stack, when it began (ns), and on which thread. */
interface Maker {
  stack: number;
  start: number;
  thread: number;
}

/** One recording, from `start()` to `stop()`. */
export class Trace {
  readonly memory: MemoryRecord[] = [];
  #events: EventList<FunctionEvent> | null = null;
  #makers: Map<number, Maker> | null = null;

  constructor(
    readonly raw: RawTrace,
    private readonly stacks: readonly Frame[][],
    private readonly options: {
      profile_memory: boolean;
      with_flops: boolean;
      use_device: string | null;
      export: (path: string) => void;
    },
  ) {
    const { events } = raw;
    for (let at = 0; at < events.length; at += FIELDS) {
      if ((events[at] as Kind) !== Kind.Memory) continue;
      this.memory.push({
        time: events[at + 2],
        in_use: events[at + 3],
        bytes: events[at + 5],
        on_cpu: events[at + 8] % 2 === 1,
        thread: events[at + 9],
      });
    }
  }

  /** In the order of their starts. Made when first asked for. */
  get events(): EventList<FunctionEvent> {
    return (this.#events ??= this.#build());
  }

  #build(): EventList<FunctionEvent> {
    const { raw, options } = this;
    const sums = new MemorySums(this.memory);
    const list: FunctionEvent[] = [];
    for (let at = 0; at < raw.events.length; at += FIELDS) {
      const kind = raw.events[at] as Kind;
      if (kind === Kind.Memory) continue;
      const thread = raw.events[at + 9];
      const [name_at, start, end, sequence, , shapes_at, stack] = raw.events.subarray(at + 1, at + 8);
      const backward = kind === Kind.Node || kind === Kind.Evaluate;
      const name = raw.names[name_at];
      const args = read_arguments(raw.shapes, shapes_at);
      const memory = sums.within(start, end);
      const maker = backward ? this.operators_by_node.get(sequence) : undefined;
      list.push(
        new FunctionEvent({
          id: list.length + 1,
          name: rewritten(name),
          trace_name: name,
          time_range: new Interval(start / 1000, end / 1000),
          thread,
          fwd_thread: maker?.thread ?? 0,
          input_shapes: args.shapes.map((s) => (s.length > 0 && Array.isArray(s[0]) ? [] : (s as number[]))),
          structured_input_shapes: args.shapes,
          input_dtypes: args.types,
          stack: this.stacks[maker?.stack ?? stack] ?? [],
          scope: kind === Kind.Node ? 1 : kind === Kind.Range ? 7 : 0,
          is_async: raw.events[at + 8] >= 2,
          is_user_annotation: kind === Kind.Range,
          sequence_nr: sequence,
          cpu_memory_usage: memory.cpu,
          device_memory_usage: memory.device,
          flops: options.with_flops ? flops_of(name, args.shapes, args.result_numel) : 0,
        }),
      );
    }
    const all = [...list, ...this.#memory_beside(list)];
    all.sort(
      (a, b) => a.time_range.start - b.time_range.start || b.time_range.end - a.time_range.end || a.id - b.id,
    );
    const { profile_memory, with_flops, use_device } = options;
    return EventList.of_events(build_tree(all), {
      _profile_memory: profile_memory,
      _with_flops: with_flops,
      _use_device: use_device,
      _export: options.export,
    });
  }

  /** The operator that made a node, by the node's number. */
  get operators_by_node(): ReadonlyMap<number, Maker> {
    if (this.#makers !== null) return this.#makers;
    const { events } = this.raw;
    this.#makers = new Map();
    for (let at = 0; at < events.length; at += FIELDS) {
      if ((events[at] as Kind) !== Kind.Operator) continue;
      const [start, , first, nodes, , stack] = events.subarray(at + 2, at + 8);
      for (let n = 0; n < nodes; ++n) this.#makers.set(first + n, { stack, start, thread: events[at + 9] });
    }
    return this.#makers;
  }

  /** What was allocated or freed while nothing was running: collected garbage, above all. */
  *#memory_beside(events: readonly FunctionEvent[]): Generator<FunctionEvent> {
    let id = events.length;
    let next = 0;
    let busy_until = -1;
    for (const { time, bytes, on_cpu, thread } of this.memory) {
      const us = time / 1000;
      for (; next < events.length && events[next].time_range.start <= us; ++next) {
        busy_until = Math.max(busy_until, events[next].time_range.end);
      }
      if (us <= busy_until) continue;
      yield new FunctionEvent({
        id: ++id,
        name: '[memory]',
        trace_name: '[memory]',
        time_range: new Interval(us, us),
        thread,
        fwd_thread: 0,
        input_shapes: [],
        structured_input_shapes: [],
        input_dtypes: [],
        stack: [],
        scope: 0,
        is_async: false,
        is_user_annotation: false,
        sequence_nr: -1,
        cpu_memory_usage: on_cpu ? bytes : 0,
        device_memory_usage: on_cpu ? 0 : bytes,
        flops: 0,
      });
    }
  }
}
