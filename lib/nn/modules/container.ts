import { is_plain_object } from '../../args';
import { Tensor } from '../../tensor';
import { Module, type_name } from '../module';
import { indent, wrap_lines } from '../repr';
import { Parameter } from '../parameter';

/** Where `index` stands in a list of `length`, counted from the end if negative. */
function position(index: number, length: number): number {
  if (!Number.isInteger(index) || index < -length || index >= length) {
    throw new RangeError(`index ${index} is out of range`);
  }
  return index < 0 ? index + length : index;
}

/** An ordered list of modules under the names '0', '1', ... */
class IndexedModules extends Module {
  override get length(): number {
    return this._own_modules().length;
  }

  *[Symbol.iterator](): Generator<Module> {
    for (const [, module] of this._own_modules()) yield module;
  }

  /** The module at `index`, counted from the end if negative. */
  get(index: number): Module {
    const entries = this._own_modules();
    return entries[position(index, entries.length)][1];
  }

  /** Puts another module at `index`. */
  set(index: number, module: Module): void {
    const entries = this._own_modules();
    this.add_module(entries[position(index, entries.length)][0], module);
  }

  append(module: Module): this {
    this.add_module(String(this.length), module);
    return this;
  }

  extend(modules: Iterable<Module>): this {
    for (const module of modules) this.append(module);
    return this;
  }

  /** Puts `module` before the one at `index`; the later ones get the next numbers. */
  insert(index: number, module: Module): this {
    const modules = [...this];
    if (index < -modules.length || index > modules.length)
      throw new RangeError(`Index out of range: ${index}`);
    modules.splice(index, 0, module);
    this.#renumber(modules);
    return this;
  }

  /** Takes the module at `index` out and returns it. */
  pop(index = -1): Module {
    const modules = [...this];
    const [taken] = modules.splice(position(index, modules.length), 1) as [Module];
    this.#renumber(modules);
    return taken;
  }

  #renumber(modules: Module[]): void {
    for (const [name] of this._own_modules()) Reflect.deleteProperty(this, name);
    modules.forEach((module, i) => this.add_module(String(i), module));
  }
}

/**
 * Modules run one after another: `new Sequential(a, b, c)`, or with names from a `Map` or a plain object. A plain object
 * keeps its order but for names that are integers, which JavaScript puts first.
 */
export class Sequential extends IndexedModules {
  constructor(...args: Module[] | [Map<string, Module> | Record<string, Module>]) {
    super();
    const [first] = args;
    if (args.length === 1 && first instanceof Map) {
      for (const [name, module] of first) this.add_module(name, module);
    } else if (args.length === 1 && is_plain_object(first)) {
      for (const [name, module] of Object.entries(first)) this.add_module(name, module);
    } else {
      args.forEach((module, i) => this.add_module(String(i), module as Module));
    }
  }

  override forward(input: Tensor): Tensor {
    let value: unknown = input;
    for (const [, module] of this._own_modules()) value = module(value);
    return value as Tensor;
  }
}

/** A list of modules that are registered, but that `forward` of the owner calls as it likes. */
export class ModuleList extends IndexedModules {
  constructor(modules: Iterable<Module> | null = null) {
    super();
    if (modules !== null) this.extend(modules);
  }

  override toString(): string {
    const runs: { first: number; last: number; text: string }[] = [];
    [...this].forEach((module, i) => {
      const text = module.toString();
      const run = runs.at(-1);
      if (run?.text === text) run.last = i;
      else runs.push({ first: i, last: i, text });
    });
    const lines = runs.map(({ first, last, text }) =>
      indent(first === last ? `(${first}): ${text}` : `(${first}-${last}): ${last - first + 1} x ${text}`, 2),
    );
    return wrap_lines(this._get_name(), [], lines);
  }
}

/** A dictionary of modules that are registered. */
export class ModuleDict extends Module {
  constructor(
    modules: Map<string, Module> | Record<string, Module> | Iterable<[string, Module]> | null = null,
  ) {
    super();
    if (modules !== null) this.update(modules);
  }

  override get length(): number {
    return this._own_modules().length;
  }

  *[Symbol.iterator](): Generator<string> {
    yield* this.keys();
  }

  get(key: string): Module {
    const found = this._own_modules().find(([name]) => name === key);
    if (found === undefined) throw new Error(`'${key}'`);
    return found[1];
  }

  set(key: string, module: Module): void {
    this.add_module(key, module);
  }

  has(key: string): boolean {
    return this._own_modules().some(([name]) => name === key);
  }

  /** Takes the module at `key` out and returns it. */
  pop(key: string): Module {
    const module = this.get(key);
    Reflect.deleteProperty(this, key);
    return module;
  }

  clear(): void {
    for (const [name] of this._own_modules()) Reflect.deleteProperty(this, name);
  }

  keys(): string[] {
    return this._own_modules().map(([name]) => name);
  }

  values(): Module[] {
    return this._own_modules().map(([, module]) => module);
  }

  items(): [string, Module][] {
    return this._own_modules();
  }

  update(
    modules: Map<string, Module> | Record<string, Module> | Iterable<[string, Module]> | ModuleDict,
  ): void {
    const entries =
      modules instanceof ModuleDict
        ? modules.items()
        : is_iterable(modules)
          ? modules
          : Object.entries(modules);
    for (const [key, module] of entries) this.set(key, module);
  }
}

function is_iterable<T>(value: Iterable<T> | object): value is Iterable<T> {
  return Symbol.iterator in value;
}

function parameter_text(value: unknown): string {
  if (!(value instanceof Tensor)) return `Object of type: ${type_name(value)}`;
  const kind = value instanceof Parameter ? 'Parameter' : 'Tensor';
  const device = String(value.device);
  const where = device.startsWith('cuda')
    ? ` (${device.replace('cuda:', 'GPU ').replace('cuda', 'GPU 0')})`
    : '';
  return `${kind} containing: [torch.${value.dtype} of size ${value.shape.join('x')}${where}]`;
}

function as_parameter(value: unknown): unknown {
  return value instanceof Tensor && !(value instanceof Parameter) ? new Parameter(value) : value;
}

/** A list of parameters that are registered. Plain tensors become parameters. */
export class ParameterList extends Module {
  #length = 0;

  constructor(values: Iterable<unknown> | null = null) {
    super();
    if (values !== null) this.extend(values);
  }

  override get length(): number {
    return this.#length;
  }

  get(index: number): Parameter {
    return (this as unknown as Record<string, Parameter>)[String(position(index, this.#length))];
  }

  set(index: number, value: unknown): void {
    (this as unknown as Record<string, unknown>)[String(position(index, this.#length))] = as_parameter(value);
  }

  append(value: unknown): this {
    this.#length += 1;
    this.set(-1, value);
    return this;
  }

  extend(values: Iterable<unknown>): this {
    for (const value of values) this.append(value);
    return this;
  }

  *[Symbol.iterator](): Generator<Parameter> {
    for (let i = 0; i < this.#length; i++) yield this.get(i);
  }

  override extra_repr(): string {
    return [...this].map((value, i) => `  (${i}): ${parameter_text(value)}`).join('\n');
  }
}
