// The trace event format that chrome://tracing and Perfetto open.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { gzipSync } from 'node:zlib';

import { write_atomically } from '../files';
import type { FunctionEvent } from './events';
import type { Trace } from './trace';

/** Nanoseconds as microseconds with three digits, without a detour through fractions that a double cannot hold. */
function us(ns: number): string {
  const whole = Math.floor(ns / 1000);
  return `${whole}.${String(ns - whole * 1000).padStart(3, '0')}`;
}

const ns_of = (us_after_start: number): number => Math.round(us_after_start * 1000);

function entry(e: FunctionEvent, start_ns: number, index: number): string[] {
  const start = ns_of(e.time_range.start);
  const category = e.is_user_annotation ? 'user_annotation' : 'cpu_op';
  const common = `"cat": "${category}", "name": ${JSON.stringify(e.trace_name)}, "pid": ${process.pid}, "tid": ${e.thread}`;
  const args: Record<string, unknown> = { 'External id': e.id, 'Ev Idx': index };
  if (e.sequence_nr >= 0) {
    args['Sequence number'] = e.sequence_nr;
    args['Fwd thread id'] = e.fwd_thread;
  }
  if (e.input_dtypes.length > 0) {
    args['Input Dims'] = e.structured_input_shapes;
    args['Input type'] = e.input_dtypes;
  }
  if (e.stack.length > 0) args['Call stack'] = [...e.stack].reverse().join(';');
  const end = ns_of(e.time_range.end);
  if (!e.is_async) {
    const times = `"ts": ${us(start_ns + start)}, "dur": ${us(end - start)}`;
    return [`{"ph": "X", ${common}, ${times}, "args": ${JSON.stringify(args)}}`];
  }
  // Ranges that overlap others without lying in them have a track of their own.
  return [
    `{"ph": "b", "id": ${e.id}, ${common}, "ts": ${us(start_ns + start)}, "args": ${JSON.stringify(args)}}`,
    `{"ph": "e", "id": ${e.id}, ${common}, "ts": ${us(start_ns + end)}}`,
  ];
}

/** Arrows from the operator that made a node to the node's run in the backward pass. */
function* arrows(events: readonly FunctionEvent[], trace: Trace): Generator<string> {
  const makers = trace.operators_by_node;
  const { start_ns } = trace.raw;
  for (const e of events) {
    const maker = e.scope === 1 ? makers.get(e.sequence_nr) : undefined;
    if (maker === undefined) continue;
    const common = `"id": ${e.sequence_nr}, "pid": ${process.pid}, "cat": "fwdbwd", "name": "fwdbwd"`;
    yield `{"ph": "s", ${common}, "tid": ${maker.thread}, "ts": ${us(start_ns + maker.start)}}`;
    yield `{"ph": "f", "bp": "e", ${common}, "tid": ${e.thread}, "ts": ${us(start_ns + ns_of(e.time_range.start))}}`;
  }
}

function* entries(trace: Trace): Generator<string> {
  const { start_ns } = trace.raw;
  const { pid } = process;
  const about = (what: string, tid: number, args: object): string =>
    `{"ph": "M", "name": "${what}", "pid": ${pid}, "tid": ${tid}, "ts": ${us(start_ns)}, "args": ${JSON.stringify(args)}}`;
  yield about('process_name', 0, { name: 'node' });
  yield about('process_labels', 0, { labels: 'CPU' });
  for (const thread of new Set(trace.events.map((e) => e.thread))) {
    yield about('thread_name', thread, { name: `thread ${thread} (node)` });
  }
  let index = 0;
  for (const e of trace.events) {
    if (e.name !== '[memory]') yield* entry(e, start_ns, index++);
  }
  yield* arrows(trace.events, trace);
  for (const { time, bytes, in_use, on_cpu, thread } of trace.memory) {
    const args = {
      'Total Reserved': 0,
      'Total Allocated': in_use,
      Bytes: bytes,
      'Device Id': on_cpu ? -1 : 0,
      'Device Type': on_cpu ? 0 : 1,
    };
    yield (
      `{"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": ${pid}, "tid": ${thread}, ` +
      `"ts": ${us(start_ns + time)}, "args": ${JSON.stringify(args)}}`
    );
  }
}

const CHUNK = 1 << 20;

/** The file's bytes, piece by piece: the text of a long trace may be longer than a string can be. */
function* pieces(trace: Trace, path: string, metadata: ReadonlyMap<string, string>): Generator<Buffer> {
  const head = [
    '"schemaVersion": 1',
    '"deviceProperties": []',
    `"trace_id": "${randomUUID().replaceAll('-', '').toUpperCase()}"`,
    ...[...metadata].map(([key, json]) => `${JSON.stringify(key)}: ${json}`),
    `"host_name": ${JSON.stringify(hostname())}`,
    '"displayTimeUnit": "ms"',
  ];
  let text = `{\n${head.map((line) => `  ${line},\n`).join('')}  "traceEvents": [`;
  let separator = '\n';
  for (const line of entries(trace)) {
    text += separator + line;
    separator = ',\n';
    if (text.length < CHUNK) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(`${text}\n  ],\n  "traceName": ${JSON.stringify(path)}\n}\n`);
}

/** @param metadata JSON texts by name, put beside the events. */
export function write_chrome_trace(trace: Trace, path: string, metadata: ReadonlyMap<string, string>): void {
  const text = pieces(trace, path, metadata);
  write_atomically(path, path.endsWith('.gz') ? [gzipSync(Buffer.concat([...text]))] : text);
}
