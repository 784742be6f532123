/** What PyTorch said, recorded by scripts/record_profiler.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { FunctionEvent, Interval } from '../../lib/profiler/events';
import { build_tree } from '../../lib/profiler/trace';
import type { KeyAveragesOptions } from '../../lib/profiler/events';
import type { ScheduleOptions } from '../../lib/profiler/schedule';
import type { TableOptions } from '../../lib/profiler/table';

type EventRow = [string, number, number, number[][], string[], number, boolean, boolean];

export const recorded = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'profiler.json'), 'utf8'),
) as {
  events: EventRow[];
  tables: Record<
    string,
    {
      list: { profile_memory?: boolean; with_flops?: boolean };
      groups: KeyAveragesOptions | null;
      options: TableOptions;
      text: string;
    }
  >;
  times: [number, string][];
  memory: [number, string][];
  schedules: { options: ScheduleOptions; actions: string[]; saves: [number, number][] }[];
  messages: Record<string, { type: string; message: string }>;
  actions: string[];
  activities: string[];
};

const FLOPS: Record<string, number> = { 'aten::mm': 1_234_567, 'aten::linear': 2_500 };

/** The events of which PyTorch's tables were recorded. */
export function recorded_events(): FunctionEvent[] {
  return build_tree(
    recorded.events.map(
      ([name, start, end, input_shapes, stack, cpu_memory_usage, is_user_annotation, is_async], id) =>
        new FunctionEvent({
          id,
          name,
          trace_name: name,
          time_range: new Interval(start, end),
          thread: 1,
          fwd_thread: 0,
          input_shapes,
          structured_input_shapes: input_shapes,
          input_dtypes: [],
          stack,
          scope: 0,
          is_async,
          is_user_annotation,
          sequence_nr: -1,
          cpu_memory_usage,
          device_memory_usage: 0,
          flops: FLOPS[name] ?? 0,
        }),
    ),
  );
}
