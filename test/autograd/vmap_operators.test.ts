/**
 * `vmap` over every operator of the table equals the loop over its samples: each tensor argument mapped in turn and all of them together, values,
 * shapes, dtypes and gradients, out of place and in place.
 */
import torch, { type Tensor } from '../../lib';
import {
  apply,
  describe_call,
  each,
  forms_of,
  make_arguments,
  message_of,
  tensors_in,
  type Form,
} from '../ops/driver';
import { families } from '../ops/table/all';
import { concrete_row, type Case } from '../ops/table/cases';
import { number_of, tensors_of, type ConcreteTensor } from '../ops/table/concrete';
import type { Row } from '../ops/table/spec';

const SIZE = 3;
const DTYPES = new Set(['float64', 'int64', 'bool']);

/** The elements in another order: valid wherever the given ones are. */
function variant(spec: ConcreteTensor, k: number): Tensor {
  const n = spec.data.length;
  const elements = spec.data.map((_, i) => number_of(spec.data[(i + k) % n]));
  const values = spec.dtype === 'bool' ? elements.map(Boolean) : elements;
  return torch.tensor(values, { dtype: spec.dtype }).reshape([...spec.shape]);
}

/** What PyTorch refuses, and we with its words. */
const REFUSED =
  /^(vmap: We do not support batching operators that can|vmap: Attempted to vmap over `mask`|vmap over torch.allclose|Batching rule not implemented for aten::equal|vmap: It looks like you're calling .item|Batch norm got a batched tensor)/;
/** Samples written into a tensor that all of them share. */
const SHARED = /self, \*extra_args\) is not possible because/;
/** Values leave the tensors here, or memory beyond the sample is read or taken. */
const LEFT_OUT = new Set(['tolist', 'as_strided', 'resize_', 'resize_as_', 'set_']);
const DRAWS = new Set(['random', 'sampling', 'dropout']);

/** Some samples are for float32 alone. */
const only_float32 = (row: Row, sample: number): boolean =>
  (row.samples[sample].dtypes ?? row.dtypes)?.join() === 'float32';

interface Plan {
  item: Case;
  mapped: number[];
  dims: 'first' | 'last';
  form: Form;
}

function plans(row: Row): Plan[] {
  const { cases } = concrete_row(row);
  return cases
    .filter(({ dtype, sample }) => DTYPES.has(dtype) || only_float32(row, sample))
    .flatMap((item) => {
      const count = tensors_of(item.call).length;
      const given = make_arguments(
        item.call,
        tensors_of(item.call).map((s) => variant(s, 0)),
      );
      const form = forms_of(row.name, given)[0];
      if (count === 0 || form === undefined) return [];
      const sets = [...Array.from({ length: count }, (_, i) => [i])];
      if (count > 1) sets.push(Array.from({ length: count }, (_, i) => i));
      const out: Plan[] = sets.map((mapped, i) => ({
        item,
        mapped,
        dims: i % 2 === 0 ? 'last' : 'first',
        form,
      }));
      if (sets.length % 2 === 1) out.push({ ...out[out.length - 1], dims: 'first' });
      const self = given.args[0];
      if (self instanceof torch.Tensor && `${row.name}_` in self && row.in_place !== false)
        out.push(
          ...sets
            .filter((m) => m.includes(0))
            .map((mapped): Plan => ({ item, mapped, dims: 'last', form: 'in_place' })),
        );
      return out;
    });
}

const differentiable = (x: Tensor): boolean => x.is_floating_point();
const weights_for = (x: Tensor): Tensor =>
  torch
    .arange(1, x.numel() + 1, { dtype: 'float64' })
    .remainder(7)
    .reshape(x.shape)
    .to(x.dtype);

function gradients(outs: Tensor[], ins: Tensor[]): (Tensor | null)[] {
  const used = outs.filter((x) => x.requires_grad);
  if (used.length === 0) return ins.map(() => null);
  return torch.autograd.grad(used, ins, { grad_outputs: used.map(weights_for), allow_unused: true });
}

const TOLERANCE = { float64: 1e-9, float32: 1e-4, float16: 2e-3, bfloat16: 2e-2 };
function differs(a: Tensor, b: Tensor, dtypes: readonly string[]): string | null {
  if (a.shape.join() !== b.shape.join()) return `shape [${a.shape.join()}], the loop's [${b.shape.join()}]`;
  if (a.dtype !== b.dtype) return `dtype ${a.dtype}, the loop's ${b.dtype}`;
  const [x, y] = [a.detach().to('float64'), b.detach().to('float64')];
  const coarse = (['bfloat16', 'float16', 'float32', 'float64'] as const).find((d) => dtypes.includes(d));
  const loose = a.is_floating_point() ? TOLERANCE[coarse ?? 'float64'] : 0;
  // Terms that cancel leave roundings of the size of the largest.
  const largest = y.numel() === 0 ? 0 : y.nan_to_num({ nan: 0, posinf: 0, neginf: 0 }).abs().max().item();
  return torch.allclose(x, y, loose, loose * Math.max(largest, 0.1), true)
    ? null
    : `\n${a.toString()}\nthe loop's\n${b.toString()}`;
}

function problem(row: Row, { item, mapped, dims, form }: Plan): string | null {
  const specs = tensors_of(item.call);
  const samples = specs.map((s, i) =>
    Array.from({ length: SIZE }, (_, k) => variant(s, mapped.includes(i) ? k : 0)),
  );
  const leaves = samples.map((list, i) => {
    const t = mapped.includes(i) ? torch.stack(list, dims === 'last' ? list[0].dim() : 0) : list[0];
    return differentiable(t) && form !== 'in_place' ? t.requires_grad_() : t;
  });
  const in_dims = specs.map((s, i) => (mapped.includes(i) ? (dims === 'last' ? s.shape.length : 0) : null));
  let expected: Tensor[][];
  try {
    expected = Array.from({ length: SIZE }, (_, k) => {
      const one = leaves.map((t, i) => (in_dims[i] === null ? t : t.select(in_dims[i], k)));
      return tensors_in(apply(row.name, form, make_arguments(item.call, one)));
    });
    if (expected.some((list) => list.length !== expected[0].length)) return null;
    if (expected.some((list) => list.some((x, i) => x.shape.join() !== expected[0][i].shape.join())))
      return null;
  } catch {
    return null;
  }
  const f = (...tensors: Tensor[]): Tensor[] =>
    tensors_in(apply(row.name, form, make_arguments(item.call, tensors)));
  let ours: Tensor[];
  try {
    ours = torch.vmap(f, { in_dims })(...leaves);
  } catch (error) {
    const message = message_of(error);
    if (!mapped.includes(0) && SHARED.test(message)) return null;
    return REFUSED.test(message) ? null : `threw ${message}`;
  }
  if (ours.length !== expected[0].length) return `${ours.length} results, the loop's ${expected[0].length}`;
  const looped = expected[0].map((_, i) => torch.stack(expected.map((list) => list[i])));
  for (const [i, x] of ours.entries()) {
    const wrong = differs(x, looped[i], [x.dtype, ...leaves.map((t) => t.dtype as string)]);
    if (wrong !== null) return wrong;
  }
  const ins = leaves.filter((x) => x.requires_grad);
  if (ins.length === 0) return null;
  let b: (Tensor | null)[];
  try {
    b = gradients(looped, ins);
  } catch {
    return null; // without a derivative
  }
  const a = gradients(ours, ins);
  for (const [i, g] of a.entries()) {
    const h = b[i];
    if (g === null && h === null) continue;
    const wrong = differs(
      g ?? torch.zeros_like(ins[i]),
      h ?? torch.zeros_like(ins[i]),
      leaves.map((t) => t.dtype),
    );
    if (wrong !== null) return `gradient ${i}: ${wrong}`;
  }
  return null;
}

type Tensors = Tensor[];
const stacked = (lists: Tensors[]): Tensors =>
  lists[0].map((_, i) => torch.stack(lists.map((list) => list[i])));

/** Two `vmap`s around each other, and tangents pushed through `vmap` and within it. */
function composition_problem(row: Row, item: Case): string | null {
  const specs = tensors_of(item.call);
  const inputs = specs.map((s) => torch.stack(Array.from({ length: SIZE }, (_, k) => variant(s, k))));
  const [form] = forms_of(
    row.name,
    make_arguments(
      item.call,
      specs.map((s) => variant(s, 0)),
    ),
  );
  const f = (...x: Tensors): Tensors => tensors_in(apply(row.name, form, make_arguments(item.call, x)));
  const loop = (...x: Tensors): Tensors =>
    stacked(Array.from({ length: SIZE }, (_, k) => f(...x.map((t) => t.select(0, k)))));
  const flipped = inputs.map((t) => t.flip(0));
  const floats = inputs.filter(differentiable);
  const ones = (list: Tensors): Tensors => list.map((t) => torch.ones_like(t));
  const float_outputs = (list: Tensors): Tensors => list.filter(differentiable);
  /** `g` as a function of its floating-point inputs alone, the others being those of `all`. */
  const of_floats =
    (g: (...x: Tensors) => Tensors, all: Tensors) =>
    (...x: Tensors): Tensors => {
      let next = 0;
      return float_outputs(g(...all.map((t) => (differentiable(t) ? x[next++] : t))));
    };
  const expected: Record<string, Tensors> = {};
  try {
    expected['vmap of vmap'] = stacked([loop(...inputs), loop(...flipped)]);
    const [, pushed] = torch.func.jvp(of_floats(loop, inputs), floats, ones(floats));
    expected['jvp of vmap'] = expected['vmap of jvp'] = pushed;
  } catch {
    // Of samples that differ in shape, or without a derivative.
  }
  const push = (...x: Tensors): Tensors =>
    torch.func.jvp(of_floats(f, x), x.filter(differentiable), ones(x.filter(differentiable)))[1];
  const ours: Record<string, () => Tensors> = {
    'vmap of vmap': () =>
      torch.vmap(torch.vmap(f), { in_dims: -1 })(
        ...inputs.map((t, i) => torch.stack([t, flipped[i]], t.dim())),
      ),
    'jvp of vmap': () => torch.func.jvp(of_floats(torch.vmap(f), inputs), floats, ones(floats))[1],
    'vmap of jvp': () => torch.vmap(push)(...inputs),
  };
  for (const [name, theirs] of Object.entries(expected)) {
    let list: Tensors;
    try {
      list = ours[name]();
    } catch (error) {
      if (REFUSED.test(message_of(error))) continue;
      return `${name} threw ${message_of(error)}`;
    }
    const wrong = list.map((x, i) => differs(x, theirs[i], ['float64'])).find((p) => p !== null);
    if (wrong !== undefined) return `${name}: ${wrong}`;
  }
  return null;
}

for (const [family, rows] of Object.entries(families)) {
  if (DRAWS.has(family)) continue;
  describe(family, () => {
    for (const row of rows.filter((r) => !r.undefined_values && !LEFT_OUT.has(r.name))) {
      const all = plans(row);
      if (all.length === 0) continue;
      test(`${row.name} under vmap is the loop over the samples`, () => {
        each(
          all,
          ({ item, mapped, dims, form }) =>
            `${describe_call(row.name, item.call)} mapped=[${mapped.join()}] ${dims} ${form}`,
          (plan) => problem(row, plan),
        );
      });
      const composed = concrete_row(row).cases.filter(
        ({ dtype, call }) =>
          dtype === 'float64' &&
          tensors_of(call).some((t) => t.grad) &&
          tensors_of(call).every((t) => t.data.length > 0),
      );
      if (composed.length === 0) continue;
      test(`${row.name} under vmap composes`, () => {
        each(
          composed,
          ({ call }) => describe_call(row.name, call),
          (item) => composition_problem(row, item),
        );
      });
    }
  });
}
