/**
 * A tensor's text, PyTorch's character for character.
 *
 * Knows nothing of the addon: what is printed comes through `PrintSource`, which hands out the shown elements only, so
 * that a tensor of any size prints without being copied.
 */
import { format_exponent, format_fixed, repr_tuple } from './pyformat';

export interface PrintOptions {
  /** Digits after the decimal point. */
  precision: number;
  /** A tensor of more elements than this is summarised. */
  threshold: number;
  /** How many items a summary shows at either end of each dimension. */
  edgeitems: number;
  /** Characters per line. */
  linewidth: number;
  /** Scientific notation always (true), never (false), or where the values ask for it (null). */
  sci_mode: boolean | null;
}

export interface PrintSource {
  shape: readonly number[];
  /** Without the prefix: `float32`. */
  dtype: string;
  /** With the index where the device has one: `cpu`, `cuda:0`. */
  device: string;
  requires_grad: boolean;
  grad_fn_name: string | null;
  is_parameter?: boolean;
  /** The text of the tangent, of a dual tensor. */
  tangent?: string | null;
  default_dtype: string;
  /**
   * The elements in row-major order. A number for `edge` reduces each dimension longer than `2 * edge` to its first
   * and last `edge` items first; null asks for everything.
   */
  values(edge: number | null): ArrayLike<number | bigint | boolean>;
}

const profiles = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Infinity, edgeitems: 3, linewidth: 80 },
};

const current: PrintOptions = { ...profiles.default, sci_mode: null };

export type PrintSettings = Partial<PrintOptions> & { profile?: keyof typeof profiles | null };

/**
 * Sets how tensors print: PyTorch's `torch.set_printoptions`. What is left out stays as it is, except `sci_mode`, which
 * goes back to automatic, as in PyTorch.
 */
export function set_printoptions(settings: PrintSettings = {}): void {
  if (settings.profile) Object.assign(current, profiles[settings.profile]);
  for (const key of ['precision', 'threshold', 'edgeitems', 'linewidth'] as const) {
    current[key] = settings[key] ?? current[key];
  }
  current.sci_mode = settings.sci_mode ?? null;
}

/** The options in force, as an object that `set_printoptions` takes back. */
export function get_printoptions(): PrintOptions {
  return { ...current };
}

const floating_dtypes = new Set(['float16', 'bfloat16', 'float32', 'float64']);

/** The text of `tensor.toString()`. */
export function format_tensor(source: PrintSource, options: Partial<PrintOptions> = {}): string {
  const opts: PrintOptions = { ...current, ...options };
  const prefix = 'tensor(';
  const numel = source.shape.reduce((count, size) => count * size, 1);
  const body = numel === 0 ? '[]' : format_elements(source, numel > opts.threshold, prefix.length, opts);
  const text = join_suffixes(prefix + body, suffixes_of(source, numel, opts), prefix.length, opts);
  return source.is_parameter ? `Parameter containing:\n${text}` : text;
}

function suffixes_of(source: PrintSource, numel: number, opts: PrintOptions): string[] {
  const { shape, dtype, device, default_dtype } = source;
  const suffixes: string[] = [];
  if (device !== 'cpu') suffixes.push(`device='${device}'`);
  // A shape that the brackets do not show is named, and so is a dtype that the digits do not show.
  const shape_shows = numel === 0 ? shape.length === 1 : opts.edgeitems !== 0;
  if (!shape_shows) suffixes.push(`size=${repr_tuple(shape)}`);
  const dtype_shows = dtype === default_dtype || (numel !== 0 && (dtype === 'int64' || dtype === 'bool'));
  if (!dtype_shows) suffixes.push(`dtype=torch.${dtype}`);
  if (source.grad_fn_name !== null) suffixes.push(`grad_fn=<${source.grad_fn_name}>`);
  else if (source.requires_grad) suffixes.push('requires_grad=True');
  if (source.tangent) suffixes.push(`tangent=${source.tangent}`);
  return suffixes;
}

function join_suffixes(body: string, suffixes: string[], indent: number, opts: PrintOptions): string {
  let text = body;
  // One more than the line's length (two more for text of one line): PyTorch's own count, which decides the breaks.
  let line = body.length - body.lastIndexOf('\n') + 1;
  for (const suffix of suffixes) {
    if (line + suffix.length + 2 > opts.linewidth) {
      text += `,\n${' '.repeat(indent)}${suffix}`;
      line = indent + suffix.length;
    } else {
      text += `, ${suffix}`;
      line += suffix.length + 2;
    }
  }
  return `${text})`;
}

function format_elements(
  source: PrintSource,
  summarize: boolean,
  indent: number,
  opts: PrintOptions,
): string {
  const edge = opts.edgeitems;
  if (summarize && edge === 0 && source.shape.length > 0) return '[...]';
  const elided = source.shape.map((size) => summarize && size > 2 * edge);
  const shown = source.shape.map((size, dim) => (elided[dim] ? 2 * edge : size));
  const { texts, width } = element_texts(source.values(summarize ? edge : null), source.dtype, opts);
  if (shown.length === 0) return texts[0];

  const last = shown.length - 1;
  let next = 0;
  const vector = (margin: number): string => {
    const items = texts.slice(next, (next += shown[last]));
    if (elided[last]) items.splice(edge, 0, ' ...');
    const per_line = Math.max(1, Math.floor((opts.linewidth - margin) / (width + 2)));
    const lines: string[] = [];
    for (let i = 0; i < items.length; i += per_line) lines.push(items.slice(i, i + per_line).join(', '));
    return `[${lines.join(`,\n${' '.repeat(margin + 1)}`)}]`;
  };
  const nested = (dim: number, margin: number): string => {
    if (dim === last) return vector(margin);
    const items = Array.from({ length: shown[dim] }, () => nested(dim + 1, margin + 1));
    if (elided[dim]) items.splice(edge, 0, '...');
    return `[${items.join(`,${'\n'.repeat(last - dim)}${' '.repeat(margin + 1)}`)}]`;
  };
  return nested(0, indent);
}

/** Every element's text, padded to the common width. */
function element_texts(
  values: ArrayLike<number | bigint | boolean>,
  dtype: string,
  opts: PrintOptions,
): { texts: string[]; width: number } {
  const { format, counts } = floating_dtypes.has(dtype)
    ? float_format(values as ArrayLike<number>, opts)
    : { format: dtype === 'bool' ? bool_text : String, counts: () => true };
  const texts = Array.from(values as ArrayLike<number>, format);
  let width = 1;
  texts.forEach((text, i) => {
    if (counts(values[i] as number)) width = Math.max(width, text.length);
  });
  return { texts: texts.map((text) => text.padStart(width)), width };
}

const bool_text = (value: unknown): string => (value ? 'True' : 'False');

/** How one float tensor's elements print, and which of them decide the column width. */
function float_format(
  values: ArrayLike<number>,
  opts: PrintOptions,
): { format: (x: number) => string; counts: (x: number) => boolean } {
  const counts = (x: number): boolean => Number.isFinite(x) && x !== 0;
  let smallest = Infinity;
  let largest = 0;
  let integral = true;
  for (let i = 0; i < values.length; ++i) {
    const x = values[i];
    if (!counts(x)) continue;
    smallest = Math.min(smallest, Math.abs(x));
    largest = Math.max(largest, Math.abs(x));
    integral &&= Number.isInteger(x);
  }
  const wide = largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4;
  // Where every element is zero or not finite, PyTorch does not even look at a forced `sci_mode`.
  const scientific = largest !== 0 && (opts.sci_mode ?? wide);
  let format = (x: number): string => format_fixed(x, opts.precision);
  if (scientific) format = (x) => format_exponent(x, opts.precision);
  else if (integral) format = (x) => format_fixed(x, 0) + (Number.isFinite(x) ? '.' : '');
  return { format, counts };
}
