// torch.utils.viz: pictures of the graph, as torchviz draws them.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { bind, is_plain_object, required } from '../args';
import type { GradFn } from '../autograd/node';
import { native } from '../native';
import { repr_float } from '../pyformat';
import { Tensor } from '../tensor';

/** How {@link Dot.png} draws. */
export interface PngOptions {
  /** Pixels per point of the drawing; 2 by default. */
  scale?: number;
  /** Fonts beside those of the system. */
  font_files?: string[];
  /** The family to write in, if the system has no monospaced one that is found by itself. */
  font_family?: string;
}

export interface RenderOptions extends PngOptions {
  /** By default what the name of the file ends in. */
  format?: 'svg' | 'png' | 'dot';
}

interface Graphviz {
  renderString(source: string, options: { format: string }): string;
}
interface Resvg {
  render(): { asPng(): Buffer };
}

/** A package that is installed beside this one by those who want pictures. */
function optional_package<T>(name: string, purpose: string): T {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only when it is needed, and may be missing
    return require(name) as T;
  } catch (error) {
    if ((error as { code?: string }).code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error(
      `${purpose} needs the package ${name}, which is not installed. Run: npm install ${name}`,
      {
        cause: error,
      },
    );
  }
}

let graphviz: Promise<Graphviz> | null = null;
function load_graphviz(): Promise<Graphviz> {
  graphviz ??= optional_package<{ instance(): Promise<Graphviz> }>(
    '@viz-js/viz',
    'Drawing a graph',
  ).instance();
  return graphviz;
}

/** A drawing in Graphviz's language. `console.log(dot)` shows its source. */
export class Dot {
  /** @internal */
  constructor(
    /** The drawing's text, for any Graphviz. */
    readonly source: string,
  ) {}

  /**
   * The drawing as SVG text. Throws when the package `@viz-js/viz` is not installed.
   *
   * @example
   * const y = torch.ones(2, { requires_grad: true }).sum();
   * const svg = await torch.utils.viz.make_dot(y).svg();
   */
  async svg(): Promise<string> {
    return (await load_graphviz()).renderString(this.source, { format: 'svg' });
  }

  /** The drawing as a PNG picture. Throws when `@viz-js/viz` or `@resvg/resvg-js` is not installed. */
  async png(options: PngOptions = {}): Promise<Buffer> {
    const { scale, font_files, font_family } = bind(
      'png',
      { scale: 2, font_files: [] as string[], font_family: null as string | null },
      [options],
    );
    const { Resvg } = optional_package<{ Resvg: new (svg: string, options: object) => Resvg }>(
      '@resvg/resvg-js',
      'Drawing a PNG',
    );
    const family =
      font_family === null ? {} : { defaultFontFamily: font_family, monospaceFamily: font_family };
    return new Resvg(await this.svg(), {
      background: 'white',
      fitTo: { mode: 'zoom', value: scale },
      font: { fontFiles: font_files, ...family },
    })
      .render()
      .asPng();
  }

  /**
   * Writes the drawing to a file, in the format that its name ends in, and returns the name.
   *
   * @example
   * const y = torch.ones(2, { requires_grad: true }).sum();
   * await torch.utils.viz.make_dot(y).render('graph.svg');
   */
  async render(filename: string, options: RenderOptions = {}): Promise<string> {
    const { format, ...png } = options;
    const kind = format ?? path.extname(filename).slice(1);
    if (kind === 'svg') await writeFile(filename, await this.svg());
    else if (kind === 'png') await writeFile(filename, await this.png(png));
    else if (kind === 'dot' || kind === 'gv') await writeFile(filename, this.source);
    else throw new Error(`render(): format must be svg, png or dot, but got '${kind}'`);
    return filename;
  }

  toString(): string {
    return this.source;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.source;
  }
}

/** Tensors by name: an object, a map, or pairs such as `net.named_parameters()` gives. */
export type NamedTensors = Record<string, Tensor> | Iterable<readonly [string, Tensor]>;

export interface MakeDotOptions {
  /** The names to show; usually `net.named_parameters()`. */
  params?: NamedTensors | null;
  /** Shows in each node what is known of it. */
  show_attrs?: boolean;
  /** Shows the tensors that nodes keep for the backward pass, in orange. */
  show_saved?: boolean;
  /** Characters of an attribute at most. */
  max_attr_chars?: number;
}

/** Names by the identity of the tensor. */
function names_of(params: NamedTensors | null): Map<number, string> {
  const names = new Map<number, string>();
  if (params === null) return names;
  const pairs = Symbol.iterator in params ? params : Object.entries(params);
  for (const [name, tensor] of pairs as Iterable<readonly [string, unknown]>) {
    if (!(tensor instanceof Tensor)) throw new TypeError(`make_dot(): params names no tensor by '${name}'`);
    names.set(native.impl_id(tensor._h), name);
  }
  return names;
}

const shape_text = (shape: readonly number[]): string => `(${shape.join(', ')})`;
const quoted = (text: string): string =>
  `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;

/** The statements of a drawing, with a name of its own for each tensor and node. */
class Drawing {
  readonly #statements: string[] = [];
  readonly #ids = new Map<string, string>();

  #id(key: string): string {
    let id = this.#ids.get(key);
    if (id === undefined) this.#ids.set(key, (id = `n${this.#ids.size}`));
    return id;
  }
  node(key: string, label: string, fillcolor?: string): void {
    const color = fillcolor === undefined ? '' : ` fillcolor=${fillcolor}`;
    this.#statements.push(`${this.#id(key)} [label=${quoted(label)}${color}]`);
  }
  edge(from: string, to: string, attributes = ''): void {
    this.#statements.push(`${this.#id(from)} -> ${this.#id(to)}${attributes && ` [${attributes}]`}`);
  }
  get source(): string {
    // A large graph gets the room that it needs.
    const needed = this.#statements.length * 0.15;
    const size = needed > 12 ? repr_float(needed) : '12';
    return [
      'digraph {',
      `\tgraph [size="${size},${size}"]`,
      '\tnode [align=left fontname=monospace fontsize=10 height=0.2 ranksep=0.1 shape=box style=filled]',
      ...this.#statements.map((s) => `\t${s}`),
      '}',
      '',
    ].join('\n');
  }
}

/** A node's name, and below a line what is known of it. */
function table_of(name: string, rows: readonly (readonly [string, string])[], max_chars: number): string {
  if (rows.length === 0) return name;
  const left = Math.max(...rows.map(([key]) => key.length));
  const right = Math.min(Math.max(...rows.map(([, value]) => value.length)), Math.max(max_chars, 3));
  const cut = (text: string): string => (text.length > right ? `${text.slice(0, right - 3)}...` : text);
  const line = '-'.repeat(Math.max(left + right + 2, name.length));
  return [
    name,
    line,
    ...rows.map(([key, value]) => `${key.padEnd(left)}: ${cut(value).padStart(right)}`),
  ].join('\n');
}

class Painter {
  readonly drawing = new Drawing();
  readonly #seen = new Set<string>();

  constructor(
    private readonly names: ReadonlyMap<number, string>,
    private readonly options: { show_attrs: boolean; show_saved: boolean; max_attr_chars: number },
  ) {}

  #key(of: Tensor | GradFn): string {
    return of instanceof Tensor ? `tensor ${native.impl_id(of._h)}` : `node ${native.node_id(of._n)}`;
  }

  #label(t: Tensor, name = this.names.get(native.impl_id(t._h)) ?? ''): string {
    return `${name}\n ${shape_text(t.shape)}`;
  }

  /** Whether this is the first time; remembers it. */
  #is_new(key: string): boolean {
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  /** A result, what it was made from, and, if it is a view, the tensor that it is part of. */
  add_output(t: Tensor, color = 'darkolivegreen1'): void {
    const key = this.#key(t);
    if (!this.#is_new(key)) return;
    this.drawing.node(key, this.#label(t), color);
    const fn = t.grad_fn;
    if (fn) {
      this.#add_nodes(fn);
      this.drawing.edge(this.#key(fn), key);
    }
    const base = native.base(t._h);
    if (base === null) return;
    const whole = new Tensor(base);
    this.add_output(whole, 'darkolivegreen3');
    this.drawing.edge(this.#key(whole), key, 'style=dotted');
  }

  /** A graph may be deeper than a stack. */
  #add_nodes(first: GradFn): void {
    const open: { key: string; rest: GradFn[]; at: number }[] = [];
    const enter = (fn: GradFn): void => {
      const key = this.#key(fn);
      if (!this.#is_new(key)) return;
      this.#add_node(fn, key);
      open.push({ key, rest: fn.next_functions.flatMap(([next]) => next ?? []), at: 0 });
    };
    enter(first);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.rest.at(top.at++);
      if (next === undefined) {
        open.pop();
        continue;
      }
      this.drawing.edge(this.#key(next), top.key);
      enter(next);
    }
  }

  #add_node(fn: GradFn, key: string): void {
    const { show_attrs, show_saved, max_attr_chars } = this.options;
    const saved = show_attrs || show_saved ? native.node_saved(fn._n).map((h) => new Tensor(h)) : [];
    if (show_saved) {
      for (const t of saved) {
        this.drawing.edge(this.#key(t), key, 'dir=none');
        this.drawing.node(
          this.#key(t),
          this.#label(t, this.names.get(native.impl_id(t._h)) ?? 'saved'),
          'orange',
        );
      }
    }
    const leaf = fn.variable;
    if (leaf) {
      this.#seen.add(this.#key(leaf));
      this.drawing.node(this.#key(leaf), this.#label(leaf), 'lightblue');
      this.drawing.edge(this.#key(leaf), key);
    }
    const rows = saved.map((t, i) => [`saved[${i}]`, `${t.dtype} ${shape_text(t.shape)}`] as const);
    this.drawing.node(key, table_of(fn._class, show_attrs ? rows : [], max_attr_chars));
  }
}

/**
 * Draws the graph that made a tensor, or several, as torchviz's `make_dot` does: results in green (the base of a view
 * in a darker one), leaves in light blue with their names and shapes, nodes in grey, and with `show_saved` what is kept
 * for the backward pass in orange.
 *
 * The source is there at once; `svg()`, `png()` and `render()` need packages that are not installed by themselves and
 * say so: `npm install @viz-js/viz`, for PNG also `npm install @resvg/resvg-js`.
 *
 * Throws a TypeError for what is no tensor.
 *
 * See https://github.com/szagoruyko/pytorchviz
 *
 * @param params the names to show; usually `net.named_parameters()`.
 *
 * @example
 * const net = new nn.Linear(8, 1);
 * const loss = net(torch.randn(4, 8)).pow(2).mean();
 * const dot = torch.utils.viz.make_dot(loss, { params: net.named_parameters() });
 * await dot.render('loss.svg');
 */
export function make_dot(
  variable: Tensor | readonly Tensor[],
  params?: NamedTensors | MakeDotOptions | null,
  options?: Omit<MakeDotOptions, 'params'>,
): Dot {
  const given: unknown = params;
  // An object of tensors names them; another one holds options.
  const is_names =
    is_plain_object(given) &&
    Object.keys(given).length > 0 &&
    Object.values(given).every((v) => v instanceof Tensor);
  const o = bind(
    'make_dot',
    {
      var: required<Tensor | readonly Tensor[]>(),
      params: null as NamedTensors | null,
      show_attrs: false,
      show_saved: false,
      max_attr_chars: 50,
    },
    is_names
      ? [variable, { ...options, params: given }]
      : [variable, params, options].filter((v) => v !== undefined),
  );
  const outputs: readonly unknown[] = Array.isArray(o.var) ? o.var : [o.var];
  const painter = new Painter(names_of(o.params), o);
  for (const t of outputs) {
    if (!(t instanceof Tensor)) throw new TypeError('make_dot(): expected a tensor or an array of tensors');
    painter.add_output(t);
  }
  return new Dot(painter.drawing.source);
}
