/**
 * Runs one family of the operator table against what PyTorch answered (test/fixtures/ops, by scripts/record_ops.py).
 *
 * Per row: values, shapes and dtypes of every form of the operator, gradients against PyTorch's and against central
 * differences (first and second), strided inputs, the in-place form, and the text of errors. A test gathers all that is
 * wrong with its row before it fails, so that one run shows the whole picture.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { type Tensor } from '../../lib';
import { forward_mode_problem } from './forward_mode';
import { families } from './table/all';
import { concrete_row, type Case, type ConcreteRow } from './table/cases';
import {
  number_of,
  tensors_of,
  type Concrete,
  type ConcreteCall,
  type ConcreteTensor,
} from './table/concrete';
import type { Row } from './table/spec';

interface TensorRecord {
  d: string;
  s: number[];
  v?: (number | string)[];
}
type Output = TensorRecord | TensorRecord[] | { x: unknown };
interface Answer {
  out?: Output;
  unsupported?: string;
  nodes?: (string | null)[];
  /** Of the in-place form: the shape it leaves and whether it counts as a write, or why it refuses. */
  in_place?: { s: number[]; writes: boolean } | { message: string };
  grads?: null | 'not implemented' | (null | (number | string)[])[];
}
interface Fixture {
  hash: string;
  forms: { function: boolean; method: boolean; in_place: boolean };
  answers: Answer[];
  errors: { type: string; message: string }[];
}

/** How far a result may be from PyTorch's, relative and absolute: a few roundings of its dtype. */
const tolerances: Record<string, [number, number]> = {
  float64: [1e-11, 1e-12],
  float32: [4e-6, 1e-6],
  float16: [4e-3, 1e-3],
  bfloat16: [1.6e-2, 1e-2],
};

type Callable = (...args: unknown[]) => unknown;
const lookup = (holder: object, name: string): unknown => (holder as Record<string, unknown>)[name];
const functional = new Set(
  Object.values(families).flatMap((rows) =>
    rows.filter((row) => row.python?.startsWith('F.')).map((row) => row.name),
  ),
);
const free_function = (name: string): unknown =>
  lookup(functional.has(name) ? torch.nn.functional : torch, name);
const is_tensor = (value: unknown): value is Tensor => value instanceof torch.Tensor;

// ---- making arguments ----

/** How a tensor argument is laid out in memory: the values are the same. */
type Layout = 'contiguous' | 'strided' | 'transposed' | 'on another device';

export function make_tensor(spec: ConcreteTensor, layout: Layout): Tensor {
  const elements = spec.data.map((x) => (spec.dtype === 'bool' ? Boolean(number_of(x)) : number_of(x)));
  const x = torch.tensor(elements, { dtype: spec.dtype }).reshape([...spec.shape]);
  // Made of the CPU's kernels, but its memory is not the host's to touch.
  if (layout === 'on another device') return x.to(process.env['SCONCE_TEST_DEVICE'] ?? 'fake');
  if (layout === 'strided') return torch.stack([x, x], x.dim()).select(x.dim(), 0);
  if (layout === 'transposed' && x.dim() >= 2) return x.transpose(0, -1).contiguous().transpose(0, -1);
  return x;
}

export interface Arguments {
  args: unknown[];
  kwargs: Record<string, unknown>;
  tensors: Tensor[];
}

export function make_arguments(call: ConcreteCall, tensors: Tensor[]): Arguments {
  let next = 0;
  const decode = (value: Concrete): unknown => {
    if (Array.isArray(value)) return value.map(decode);
    if (typeof value !== 'object' || value === null) return value;
    if (value.$ === 'tensor') return tensors[next++];
    if (value.$ === 'dtype') return value.name;
    if (value.$ === 'number') return number_of(value.text);
    return torch.Slice(...value.parts);
  };
  const args = call.args.map(decode);
  const kwargs = Object.fromEntries(Object.entries(call.kwargs).map(([key, value]) => [key, decode(value)]));
  return { args, kwargs, tensors };
}

const fresh = (call: ConcreteCall, layout: Layout = 'contiguous', grad = false): Arguments =>
  make_arguments(
    call,
    tensors_of(call).map((spec) => {
      const x = make_tensor(spec, layout);
      return grad && spec.grad ? x.detach().requires_grad_() : x;
    }),
  );

// ---- calling ----

export type Form = 'function' | 'method' | 'in_place';

export function apply(name: string, form: Form, { args, kwargs }: Arguments): unknown {
  const all = Object.keys(kwargs).length === 0 ? args : [...args, kwargs];
  torch.manual_seed(0);
  if (form === 'function') {
    return (free_function(name) as Callable)(...all);
  }
  // `x.where(condition, other)` starts with the second argument of `torch.where(condition, x, other)`.
  if (name === 'where' && form === 'method')
    return (args[1] as Tensor).where(args[0] as Tensor, args[2] as Tensor);
  // In place works on a copy, so that a leaf can be asked for its gradient.
  const self = form === 'in_place' || name.endsWith('_') ? (args[0] as Tensor).clone() : (args[0] as object);
  const member = lookup(self, form === 'in_place' ? `${name}_` : name);
  return typeof member === 'function' ? (member as Callable).apply(self, all.slice(1)) : member;
}

/** What `torch` holds for `x.index(...)` is the native operator behind it, not a function of PyTorch's. */
const methods_only = new Set(['index']);

/** The forms in which this call can be written: a method needs a tensor in front. */
export function forms_of(name: string, { args }: Arguments): Form[] {
  const forms: Form[] = [];
  if (typeof free_function(name) === 'function' && !methods_only.has(name) && !name.endsWith('_'))
    forms.push('function');
  const self = name === 'where' ? args[1] : args[0];
  if (is_tensor(self) && name in self) forms.push('method');
  return forms;
}

// ---- comparing ----

const host = (x: Tensor): Tensor => (x.is_cpu ? x : x.cpu());

function elements_of(x: Tensor): number[] {
  return Array.from(host(x.detach()).to_typed_array() as ArrayLike<number | bigint>, Number);
}

function differs(ours: number, theirs: number, [rtol, atol]: [number, number]): boolean {
  if (Number.isNaN(theirs)) return !Number.isNaN(ours);
  if (!Number.isFinite(theirs)) return ours !== theirs;
  return !(Math.abs(ours - theirs) <= atol + rtol * Math.abs(theirs));
}

function compare_elements(
  ours: number[],
  theirs: readonly (number | string)[],
  dtype: string,
  loosen: number,
): string | null {
  const [rtol, atol] = tolerances[dtype] ?? [0, 0];
  const at = ours.findIndex((x, i) => differs(x, number_of(theirs[i]), [rtol * loosen, atol * loosen]));
  return at < 0 ? null : `element ${at} is ${ours[at]}, PyTorch's ${theirs[at]}`;
}

function compare_tensor(ours: unknown, theirs: TensorRecord, loosen: number): string | null {
  if (!is_tensor(ours)) return `not a tensor: ${String(ours)}`;
  if (ours.dtype !== theirs.d) return `dtype ${ours.dtype}, PyTorch's ${theirs.d}`;
  if (ours.shape.join() !== theirs.s.join())
    return `shape [${ours.shape.join()}], PyTorch's [${theirs.s.join()}]`;
  return theirs.v === undefined ? null : compare_elements(elements_of(ours), theirs.v, theirs.d, loosen);
}

function compare_plain(ours: unknown, theirs: unknown): boolean {
  if (Array.isArray(theirs)) {
    return (
      Array.isArray(ours) &&
      ours.length === theirs.length &&
      theirs.every((x, i) => compare_plain(ours[i], x))
    );
  }
  if (typeof theirs === 'number' && typeof ours === 'number')
    return !differs(ours, theirs, tolerances['float32']);
  return ours === (theirs === 'nan' || theirs === 'inf' || theirs === '-inf' ? number_of(theirs) : theirs);
}

function compare(ours: unknown, theirs: Output, loosen: number): string | null {
  if (Array.isArray(theirs)) {
    if (!Array.isArray(ours)) return `not a list: ${String(ours)}`;
    if (ours.length !== theirs.length) return `${ours.length} results, PyTorch's ${theirs.length}`;
    return (
      theirs
        .map((record, i) => compare_tensor(ours[i], record, loosen))
        .find((problem) => problem !== null) ?? null
    );
  }
  if ('x' in theirs) {
    return compare_plain(ours, theirs.x)
      ? null
      : `${JSON.stringify(ours)}, PyTorch's ${JSON.stringify(theirs.x)}`;
  }
  return compare_tensor(ours, theirs, loosen);
}

// ---- describing what went wrong ----

function describe_value(value: Concrete): string {
  if (Array.isArray(value)) return `[${value.map(describe_value).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (value.$ === 'tensor') return `${value.dtype}[${value.shape.join()}]`;
  if (value.$ === 'dtype') return value.name;
  return value.$ === 'number' ? value.text : `Slice(${value.parts.join()})`;
}

export function describe_call(name: string, call: ConcreteCall): string {
  const kwargs = Object.entries(call.kwargs).map(([key, value]) => `${key}=${describe_value(value)}`);
  return `${name}(${[...call.args.map(describe_value), ...kwargs].join(', ')})`;
}

export const message_of = (error: unknown): string => (error as Error).message ?? String(error);

/** Runs `check` for each of `items` and fails with everything it found, the same finding once. */
export function each<T>(
  items: readonly T[],
  name: (item: T) => string,
  check: (item: T, i: number) => string | null,
): void {
  const found = new Map<string, string[]>();
  let count = 0;
  items.forEach((item, i) => {
    let problem: string | null;
    try {
      problem = check(item, i);
    } catch (error) {
      problem = `threw ${message_of(error)}`;
    }
    if (problem === null) return;
    ++count;
    found.set(problem, [...(found.get(problem) ?? []), name(item)]);
  });
  if (count === 0) return;
  const shown = [...found].slice(0, 12).map(([problem, where]) => {
    const others = where.length > 1 ? ` and ${where.length - 1} more` : '';
    return `\n  ${where[0]}${others}: ${problem}`;
  });
  throw new Error(`${count} of ${items.length} cases differ${shown.join('')}`);
}

// ---- the checks of one row ----

interface Entry {
  row: Row;
  concrete: ConcreteRow;
  fixture: Fixture;
  /** The cases that PyTorch answers, with its answers. */
  cases: { item: Case; answer: Answer }[];
}

function check_forms({ row, fixture, cases }: Entry): void {
  const { args } = fresh((cases[0] as { item: Case }).item.call);
  const self = is_tensor(args[0]) ? args[0] : torch.zeros([1]);
  const missing: string[] = [];
  if (fixture.forms.function && typeof free_function(row.name) !== 'function')
    missing.push(`torch.${row.name}`);
  if (fixture.forms.method && !(row.name in self)) missing.push(`Tensor.${row.name}`);
  if (fixture.forms.in_place && lookup(self, `${row.name}_`) === undefined)
    missing.push(`Tensor.${row.name}_`);
  expect(missing).toEqual([]);
}

/** Enough to show that an operator runs elsewhere: its kernels are the same. */
const device_dtypes = new Set(['float32', 'int64', 'bool']);

function check_values({ row, cases }: Entry, layouts: Layout[]): void {
  each(
    cases.filter(({ item }) => layouts[0] !== 'on another device' || device_dtypes.has(item.dtype)),
    ({ item }) => describe_call(row.name, item.call),
    ({ item, answer }) => {
      for (const layout of layouts) {
        const forms = forms_of(row.name, fresh(item.call));
        if (forms.length === 0) return 'there is no such operator';
        for (const form of forms) {
          const ours = apply(row.name, form, fresh(item.call, layout));
          const problem = compare(ours, answer.out as Output, row.loosen ?? 1);
          if (problem !== null) return `as a ${form}, ${layout}: ${problem}`;
        }
      }
      return null;
    },
  );
}

export const tensors_in = (result: unknown): Tensor[] =>
  (Array.isArray(result) ? result : [result]).filter(is_tensor);

function check_gradients({ row, cases }: Entry): void {
  each(
    cases.filter(({ answer }) => answer.grads !== undefined),
    ({ item }) => describe_call(row.name, item.call),
    ({ item, answer }) => {
      const forms = forms_of(row.name, fresh(item.call)).slice(0, 1);
      // Written over by a copy, an input has no gradient of its own: nothing to compare.
      // A result without a gradient (a comparison's) says nothing of one written into a float.
      const written = answer.in_place && 'writes' in answer.in_place && answer.in_place.writes;
      if (written && answer.grads !== null) forms.push('in_place');
      for (const form of forms) {
        const problem = gradient_problem(row, form, item, answer);
        if (problem !== null) return `as a ${form}: ${problem}`;
      }
      return null;
    },
  );
}

/** The float dtype of fewest digits: what a formula over all of them can promise. */
function coarsest(tensors: Tensor[]): string {
  const order = ['bfloat16', 'float16', 'float32'];
  return order.find((dtype) => tensors.some((x) => x.dtype === dtype)) ?? 'float64';
}

function check_device(entry: Entry): void {
  check_values(entry, ['on another device']);
  const { row, cases } = entry;
  each(
    cases.filter(({ answer }) => Array.isArray(answer.grads)),
    ({ item }) => describe_call(row.name, item.call),
    ({ item, answer }) => {
      const form = forms_of(row.name, fresh(item.call))[0];
      return gradient_problem(row, form, item, answer, 'on another device');
    },
  );
}

function gradient_problem(
  row: Row,
  form: Form,
  item: Case,
  answer: Answer,
  layout: Layout = 'contiguous',
): string | null {
  const given = fresh(item.call, layout, true);
  const outs = tensors_in(apply(row.name, form, given)).filter((x) => x.requires_grad);
  if (answer.grads === null) return outs.length === 0 ? null : 'requires a gradient, PyTorch’s does not';
  if (outs.length === 0) return 'requires no gradient, PyTorch’s does';
  if (answer.grads === 'not implemented') return null;
  const total = outs
    .map((x) => {
      const weights = Array.from({ length: x.numel() }, (_, i) => ((i % 7) + 1) / 8);
      return x.mul(torch.tensor(weights, { dtype: x.dtype, device: x.device }).reshape(x.shape)).sum();
    })
    .reduce((sum, x) => sum.add(x));
  const wanted = given.tensors.filter((x) => x.requires_grad);
  const grads = torch.autograd.grad(total, wanted, { allow_unused: true }) as (Tensor | null)[];
  let next = 0;
  for (const [i, x] of given.tensors.entries()) {
    if (!x.requires_grad) continue;
    const ours = grads[next++] ?? null;
    const theirs = answer.grads?.[i] ?? null;
    if ((ours === null) !== (theirs === null))
      return `gradient ${i} is ${String(ours)}, PyTorch's ${String(theirs)}`;
    if (ours === null || theirs === null) continue;
    if (ours.shape.join() !== x.shape.join()) return `gradient ${i} has shape [${ours.shape.join()}]`;
    const problem = compare_elements(elements_of(ours), theirs, coarsest(given.tensors), row.loosen ?? 1);
    if (problem !== null) return `gradient ${i}: ${problem}`;
  }
  return null;
}

function check_nodes({ row, cases }: Entry): void {
  each(
    cases.filter(({ answer }) => answer.nodes !== undefined && answer.nodes.length > 0),
    ({ item }) => describe_call(row.name, item.call),
    ({ item, answer }) => {
      const given = fresh(item.call, 'contiguous', true);
      const form = forms_of(row.name, given)[0];
      const outs = tensors_in(apply(row.name, form, given)).filter((x) => x.requires_grad);
      const ours = outs.map((x) => x.grad_fn?.name() ?? null);
      return ours.join() === answer.nodes?.join()
        ? null
        : `${ours.join()}, PyTorch's ${answer.nodes?.join()}`;
    },
  );
}

/** The call as a function of its differentiable inputs alone, giving its differentiable results. */
function as_function(
  name: string,
  form: Form,
  call: ConcreteCall,
  given: Arguments,
): (...x: Tensor[]) => Tensor[] {
  const matters = tensors_in(apply(name, form, given)).map((x) => x.requires_grad);
  return (...inputs) => {
    let next = 0;
    const tensors = given.tensors.map((x) => (x.requires_grad ? inputs[next++] : x));
    return tensors_in(apply(name, form, make_arguments(call, tensors))).filter((_, i) => matters[i]);
  };
}

function check_differences({ row, cases }: Entry): void {
  const smooth = cases.filter(
    ({ item, answer }) => item.gradcheck && item.dtype === 'float64' && Array.isArray(answer.grads),
  );
  each(
    smooth,
    ({ item }) => describe_call(row.name, item.call),
    ({ item }) => {
      const given = fresh(item.call, 'contiguous', true);
      const inputs = given.tensors.filter((x) => x.requires_grad);
      // A step of float32 is too coarse for differences.
      if (inputs.some((x) => x.dtype !== 'float64')) return null;
      const form = forms_of(row.name, given)[0];
      // Rounding to a narrower dtype hides small differences.
      const outs = tensors_in(apply(row.name, form, given));
      if ([...inputs, ...outs].some((x) => x.is_floating_point() && x.dtype !== 'float64')) return null;
      // Nothing can be told from the differences of NaN.
      if (outs.some((x) => x.isnan().any().item())) return null;
      const f = as_function(row.name, form, item.call, given);
      expect(f).toPassGradcheck(inputs, { check_forward_ad: true });
      expect(f).toPassGradgradcheck(inputs, { check_fwd_over_rev: true });
      return null;
    },
  );
}

function check_forward_mode({ row, cases }: Entry): void {
  each(
    cases.filter(({ item, answer }) => item.dtype === 'float64' && Array.isArray(answer.grads)),
    ({ item }) => describe_call(row.name, item.call),
    ({ item, answer }) => {
      const forms = forms_of(row.name, fresh(item.call)).slice(0, 1);
      if (answer.in_place && 'writes' in answer.in_place && answer.in_place.writes) forms.push('in_place');
      for (const form of forms) {
        const given = fresh(item.call, 'contiguous', true);
        const inputs = given.tensors.filter((x) => x.requires_grad);
        const outs = tensors_in(apply(row.name, form, given));
        if ([...inputs, ...outs].some((x) => x.is_floating_point() && x.dtype !== 'float64')) return null;
        const f = as_function(row.name, form, item.call, given);
        const problem = forward_mode_problem(f, inputs, item.gradcheck);
        if (problem !== null) return `as a ${form}: ${problem}`;
      }
      return null;
    },
  );
}

function check_in_place({ row, cases }: Entry): void {
  const name = `${row.name}_`;
  each(
    cases.filter(({ answer }) => answer.in_place !== undefined),
    ({ item }) => describe_call(name, item.call),
    ({ item, answer }) => {
      const given = fresh(item.call);
      const self = given.args[0] as Tensor;
      const version = self._version;
      const all = Object.keys(given.kwargs).length === 0 ? given.args : [...given.args, given.kwargs];
      const theirs = answer.in_place as { s: number[]; writes: boolean } | { message: string };
      let result: unknown;
      torch.manual_seed(0);
      try {
        result = (lookup(self, name) as Callable).apply(self, all.slice(1));
      } catch (error) {
        if (!('message' in theirs)) throw error;
        // Some of PyTorch's refusals speak of C++ types or of its own machinery; there it is enough to refuse.
        if (
          !/^(result type [A-Z]\w+ can't be cast to the desired output type [A-Z]|output with shape)/.test(
            theirs.message,
          )
        )
          return null;
        return theirs.message === message_of(error)
          ? null
          : `threw "${message_of(error)}", not "${theirs.message}"`;
      }
      if ('message' in theirs) return `did not throw "${theirs.message}"`;
      if (result !== self) return 'does not return its own tensor';
      if (self._version > version !== theirs.writes)
        return `version went from ${version} to ${self._version}`;
      const before = (item.call.args[0] as ConcreteTensor).dtype;
      if (self.dtype !== before) return `dtype became ${self.dtype}`;
      const out = answer.out as TensorRecord;
      if (out.d !== before || theirs.s.join() !== out.s.join()) return null;
      return compare(self, out, row.loosen ?? 1);
    },
  );
}

const error_names: Record<string, string> = { IndexError: 'RangeError', TypeError: 'TypeError' };

function check_errors({ row, concrete, fixture }: Entry): void {
  each(
    concrete.errors,
    (call) => describe_call(row.name, call),
    (call, i) => {
      const theirs = fixture.errors[i];
      const expected = row.errors?.[i]?.message ?? theirs.message;
      const given = fresh(call);
      const before = given.tensors.map((x) => x.toString());
      for (const form of forms_of(row.name, given)) {
        let thrown: unknown = null;
        try {
          apply(row.name, form, given);
        } catch (error) {
          thrown = error;
        }
        if (thrown === null) return `as a ${form}: did not throw "${expected}"`;
        if (message_of(thrown) !== expected)
          return `as a ${form}:\n    ours:   ${message_of(thrown)}\n    theirs: ${expected}`;
        const name = error_names[theirs.type] ?? 'Error';
        if ((thrown as Error).name !== name)
          return `as a ${form}: threw a ${(thrown as Error).name}, not a ${name}`;
      }
      return given.tensors.every((x, k) => x.toString() === before[k]) ? null : 'changed an argument';
    },
  );
}

/** Defines the tests of one family. */
export function test_family(family: string): void {
  const path = join(__dirname, '..', 'fixtures', 'ops', `${family}.json`);
  const fixtures = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Fixture>;
  for (const row of families[family]) {
    const concrete = concrete_row(row);
    const fixture = fixtures[row.name];
    describe(row.name, () => {
      if (fixture?.hash !== concrete.hash) {
        test('is recorded', () => {
          throw new Error(`the row has changed since PyTorch was asked: run scripts/record_ops.py ${family}`);
        });
        return;
      }
      const first = fresh(concrete.cases[0].call);
      if (forms_of(row.name, first).length === 0) {
        test('exists', () => {
          throw new Error(`there is no ${row.name}`);
        });
        return;
      }
      const cases = concrete.cases
        .map((item, i) => ({ item, answer: fixture.answers[i] }))
        .filter(({ answer }) => answer.out !== undefined);
      const entry: Entry = { row, concrete, fixture, cases };
      const differentiable = fixture.answers.some((answer) => Array.isArray(answer.grads));
      test('has PyTorch’s forms', () => check_forms(entry));
      test('gives PyTorch’s values, shapes and dtypes', () => check_values(entry, ['contiguous']));
      if (row.strided !== false) {
        test('takes strided tensors', () => check_values(entry, ['strided', 'transposed']));
      }
      const has_tensors = cases.some(({ item }) => tensors_of(item.call).length > 0);
      if (has_tensors && row.strided !== false) test('runs on another device', () => check_device(entry));
      test('has PyTorch’s gradients', () => check_gradients(entry));
      if (differentiable && !row.composed) test('names its nodes as PyTorch does', () => check_nodes(entry));
      if (differentiable) test('agrees with central differences, twice', () => check_differences(entry));
      if (differentiable) test('agrees with itself in forward mode', () => check_forward_mode(entry));
      if (fixture.forms.in_place && row.in_place !== false)
        test('works in place', () => check_in_place(entry));
      if (concrete.errors.length > 0) test('refuses bad input in PyTorch’s words', () => check_errors(entry));
    });
  }
}
