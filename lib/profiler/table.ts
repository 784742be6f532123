// PyTorch's table of a profile.
import { bind } from '../args';
import type { FunctionEvent, FunctionEventAvg } from './events';
import { format_memory, format_share, format_time } from './format';

export interface TableOptions {
  /** The figure by which to sort, largest first, such as `cpu_time_total`, `self_cpu_memory_usage` or `count`; by default
   * the rows come in the order of the events. */
  sort_by?: string | null;
  /** Rows at most; -1: all. */
  row_limit?: number;
  max_src_column_width?: number | null;
  max_name_column_width?: number | null;
  max_shapes_column_width?: number | null;
  /** A line above the table. */
  header?: string | null;
  /** Only events that ran in no other. */
  top_level_events_only?: boolean;
  /** One unit for all times; by default each has what suits it. */
  time_unit?: 's' | 'ms' | 'us' | null;
}

type Row = FunctionEvent | FunctionEventAvg;

interface Column {
  head: string;
  width: number;
  left?: boolean;
  cell: (e: Row) => string;
}

const WIDTH = 12;
const SPACING = '  ';
const FLOPS_UNITS = ['FLOPs', 'KFLOPs', 'MFLOPs', 'GFLOPs', 'TFLOPs', 'PFLOPs'];

const capped = (width: number, limit: number | null): number =>
  limit === null ? width : Math.min(width, limit);

/** A path that is too long loses its beginning. */
function trim_path(path: string, width: number): string {
  if (path.length <= width) return path;
  const end = path.slice(path.length - width);
  return end.length > 3 ? `...${end.slice(3)}` : end;
}

function sorted_by(rows: readonly Row[], sort_by: string): Row[] {
  const name = sort_by.replace(/cuda|xpu|privateuse1/, 'device');
  const figure = (row: Row): number => {
    const value = (row as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') return value;
    throw new Error(`'${row.constructor.name}' object has no attribute '${name}'`);
  };
  return [...rows].sort((a, b) => figure(b) - figure(a));
}

const shapes_cell = (e: Row): string => `[${e.input_shapes.map((s) => `[${s.join(', ')}]`).join(', ')}]`;

export function build_table(
  events: readonly Row[],
  options: TableOptions,
  profile: { profile_memory: boolean; with_flops: boolean; use_device: string | null },
): string {
  const o = bind(
    'table',
    {
      sort_by: null as string | null,
      row_limit: 100,
      max_src_column_width: 75,
      max_name_column_width: 55,
      max_shapes_column_width: 80,
      header: null as string | null,
      top_level_events_only: false,
      time_unit: null as 's' | 'ms' | 'us' | null,
    },
    [options],
  );
  if (events.length === 0) return '';
  const rows = o.sort_by === null ? events : sorted_by(events, o.sort_by);
  const total = events.reduce((sum, e) => sum + e.self_cpu_time_total, 0);
  const time = (us: number): string => format_time(us, o.time_unit);
  const longest = (of: (e: Row) => number): number => events.reduce((n, e) => Math.max(n, of(e)), 0);

  const limit = o.max_name_column_width;
  const columns: Column[] = [
    {
      head: 'Name',
      width: capped(longest((e) => e.key.length) + 4, limit),
      cell: ({ key }) => (limit !== null && key.length >= limit - 3 ? `${key.slice(0, limit - 3)}...` : key),
    },
    { head: 'Self CPU %', width: WIDTH, cell: (e) => format_share(e.self_cpu_time_total, total) },
    { head: 'Self CPU', width: WIDTH, cell: (e) => time(e.self_cpu_time_total) },
    {
      head: 'CPU total %',
      width: WIDTH,
      cell: (e) => (e.is_async ? '0' : format_share(e.cpu_time_total, total)),
    },
    { head: 'CPU total', width: WIDTH, cell: (e) => time(e.cpu_time_total) },
    { head: 'CPU time avg', width: WIDTH, cell: (e) => time(e.cpu_time) },
  ];
  if (profile.profile_memory) {
    columns.push(
      { head: 'CPU Mem', width: WIDTH, cell: (e) => format_memory(e.cpu_memory_usage) },
      { head: 'Self CPU Mem', width: WIDTH, cell: (e) => format_memory(e.self_cpu_memory_usage) },
    );
    if (profile.use_device !== null && events.some((e) => e.self_device_memory_usage > 0)) {
      const device = profile.use_device.toUpperCase();
      columns.push(
        { head: `${device} Mem`, width: WIDTH, cell: (e) => format_memory(e.device_memory_usage) },
        { head: `Self ${device} Mem`, width: WIDTH, cell: (e) => format_memory(e.self_device_memory_usage) },
      );
    }
  }
  columns.push({ head: '# of Calls', width: WIDTH, cell: (e) => String(e.count) });
  if (events.some((e) => e.input_shapes.length > 0)) {
    const width = capped(longest((e) => shapes_cell(e).length) + 4, o.max_shapes_column_width);
    columns.push({ head: 'Input Shapes', width, cell: (e) => shapes_cell(e).slice(0, width) });
  }
  const with_stack = events.some((e) => e.stack.length > 0);
  if (with_stack) {
    const width = capped(
      longest((e) => e.stack.reduce((n, frame) => Math.max(n, frame.length), 0)) + 4,
      o.max_src_column_width,
    );
    columns.push({
      head: 'Source Location',
      width,
      left: true,
      cell: (e) => (e.stack.length > 0 ? trim_path(e.stack[0], width) : ''),
    });
  }
  const counted = profile.with_flops ? events.map((e) => e.flops).filter((n) => n > 0) : [];
  if (counted.length > 0) {
    const unit = Math.min(Math.floor(Math.log10(Math.min(...counted)) / 3), FLOPS_UNITS.length - 1);
    columns.push({
      head: `Total ${FLOPS_UNITS[unit]}`,
      width: WIDTH,
      cell: (e) => (e.flops > 0 ? (e.flops / 1000 ** unit).toFixed(3) : '--'),
    });
  }

  const line = (cells: string[]): string =>
    cells
      .map((text, i) => {
        const { width, left } = columns[i];
        return (left === true ? text.padEnd(width) : text.padStart(width)) + SPACING;
      })
      .join('');
  const separator = columns.map(({ width }) => '-'.repeat(width) + SPACING).join('');
  const double_line = '='.repeat(separator.length - SPACING.length);
  const out: string[] = [];
  if (o.header !== null) out.push(double_line, o.header);
  if (o.top_level_events_only) out.push(double_line, 'This report only display top-level ops statistics');
  out.push(separator, line(columns.map(({ head }) => head)), separator);

  const shown = o.top_level_events_only ? rows.filter((e) => e.cpu_parent === null) : rows;
  const source = columns.findIndex(({ head }) => head === 'Source Location');
  const blank = columns.map(() => '');
  for (const e of o.row_limit < 0 ? shown : shown.slice(0, o.row_limit)) {
    out.push(line(columns.map(({ cell }) => cell(e))));
    if (!with_stack) continue;
    for (const frame of e.stack.slice(1)) {
      out.push(line(blank.with(source, trim_path(frame, columns[source].width))));
    }
    out.push(line(blank));
  }
  out.push(separator, `Self CPU time total: ${time(total)}`, '');
  return out.join('\n');
}
