/** Runs a program that scripts/record_autograd_views.py recorded, and says where PyTorch saw something else. */
import torch, { type Tensor } from '../../lib';
import { native } from '../../lib/native';

interface Step {
  op: string;
  i?: number;
  a?: unknown[];
  mode?: 'no_grad' | 'inference';
  throws?: string;
  makes?: number;
}
type Seen = Record<string, unknown>;
export interface Recorded {
  steps: Step[];
  seen: Seen[];
  backward?: { roots: number[]; grads?: (unknown[] | null)[]; throws?: string; hooks: unknown[] };
}

// What the recording leaves out.
const usual: Seen = {
  requires_grad: false,
  is_leaf: true,
  version: 0,
  grad_fn: '-',
  output_nr: 0,
  offset: 0,
  dtype: 'float64',
  inference: false,
  base: null,
};

const failure = (e: unknown): string => {
  const kind = e instanceof RangeError ? 'RangeError' : e instanceof TypeError ? 'TypeError' : 'Error';
  return `${kind}: ${(e as Error).message}`;
};
const number = (v: unknown): unknown => {
  const x = typeof v === 'bigint' ? Number(v) : v;
  if (typeof x !== 'number' || Number.isFinite(x)) return x;
  return Number.isNaN(x) ? 'nan' : x > 0 ? 'inf' : '-inf';
};
const flat = (t: Tensor): unknown[] => (t.detach().reshape(-1).tolist() as unknown[]).map(number);

/** A scalar in which every element counts differently. */
const weighted = (t: Tensor): Tensor =>
  t.mul(torch.arange(1, t.numel() + 1, { dtype: t.dtype }).reshape(t.shape)).sum();

const id = (t: Tensor): number => native.impl_id(t._h);

function graph(fn: Tensor['grad_fn'], depth: number): string {
  if (!fn) return '-';
  const name = fn.name().replace('torch::autograd::', '');
  if (depth === 0) return name;
  const behind = fn.next_functions.map(([f, nr]) => graph(f, depth - 1) + (nr ? `:${nr}` : ''));
  return `${name}(${behind.join(',')})`;
}

/** Equal, numbers up to rounding (float32 values go through several operators). */
function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    return a === b || Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(a), Math.abs(b));
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => same(x, b[i]));
  return a === b;
}

class Replay {
  readonly tensors: Tensor[] = [];
  readonly differences: string[] = [];
  readonly hooks: unknown[] = [];

  expect(where: string, pytorch: unknown, here: unknown): void {
    if (same(pytorch, here)) return;
    this.differences.push(`${where}: PyTorch ${JSON.stringify(pytorch)}, here ${JSON.stringify(here)}`);
  }

  decode(a: unknown): unknown {
    if (Array.isArray(a)) return a.map((x) => this.decode(x));
    if (typeof a !== 'object' || a === null) return a;
    const of = a as { t?: number; slice?: (number | null)[]; const?: number; dtype?: 'int64' };
    if (of.t !== undefined) return this.tensors[of.t];
    if (of.slice) return torch.Slice(...of.slice);
    if (of.const !== undefined) return torch.tensor(of.const, { dtype: of.dtype ?? 'float64' });
    return 'ellipsis' in a ? '...' : null;
  }

  run(step: Step, at: number): unknown {
    const args = (step.a ?? []).map((a) => this.decode(a));
    if (step.op === 'new') {
      const [dtype, values, shape, requires_grad] = args as ['float64', number[], number[], boolean];
      return torch.tensor(values, { dtype }).reshape(shape).clone().requires_grad_(requires_grad);
    }
    const t = this.tensors[step.i as number];
    switch (step.op) {
      case 'data':
      case 'T':
      case 'mT':
      case 'H':
      case 'mH':
        return t[step.op];
      case 'index_put_':
        t.index_put_(args[0] as number, args[1] as number);
        return null;
      case 'hook':
        t.register_hook((g: Tensor) => {
          this.hooks.push([at, flat(g)]);
          return g.mul(args[0] as number);
        });
        return null;
      case 'assign_requires_grad':
        t.requires_grad = args[0] as boolean;
        return null;
      default:
        return (t as unknown as Record<string, (...a: unknown[]) => unknown>)[step.op](...args);
    }
  }

  step(step: Step, at: number): void {
    const where = `step ${at}, ${step.op}`;
    let result: unknown = null;
    let threw: string | undefined;
    const run = (): unknown => this.run(step, at);
    try {
      if (step.mode === 'no_grad') result = torch.no_grad(run);
      else if (step.mode === 'inference') result = torch.inference_mode(run);
      else result = run();
    } catch (e) {
      threw = failure(e);
    }
    this.expect(where, step.throws, threw);
    const all = (Array.isArray(result) ? result : (result ?? null) === null ? [] : [result]) as Tensor[];
    const made = all.filter((m) => !this.tensors.some((t) => id(t) === id(m)));
    this.expect(`${where} makes`, step.makes ?? 0, made.length);
    this.tensors.push(...made);
  }

  look(t: Tensor): Seen {
    const seen: Seen = {};
    const see = (name: string, what: () => unknown): void => {
      try {
        seen[name] = what();
      } catch (e) {
        seen[name] = failure(e);
      }
    };
    see('requires_grad', () => t.requires_grad);
    see('is_leaf', () => t.is_leaf);
    see('version', () => t._version);
    see('grad_fn', () => graph(t.grad_fn, 5));
    see('output_nr', () => t.output_nr);
    see('shape', () => t.shape);
    see('stride', () => t.stride().map((s, d) => (t.shape[d] === 1 || t.numel() === 0 ? 0 : s)));
    see('offset', () => t.storage_offset());
    see('dtype', () => t.dtype);
    see('inference', () => t.is_inference());
    see('values', () => flat(t));
    see('base', () => {
      const base = t._base;
      return base === null ? null : this.tensors.findIndex((u) => id(u) === id(base));
    });
    return seen;
  }

  backward(recorded: NonNullable<Recorded['backward']>): void {
    let threw: string | undefined;
    try {
      const losses = recorded.roots.map((i) => weighted(this.tensors[i]).to('float64'));
      losses.reduce((a, b) => a.add(b)).backward();
    } catch (e) {
      threw = failure(e);
    }
    this.expect('backward', recorded.throws, threw);
    recorded.grads?.forEach((g, i) => {
      const grad = this.tensors[i].grad;
      this.expect(`grad of ${i}`, g, grad && flat(grad));
    });
    this.expect('hooks', recorded.hooks, this.hooks);
  }
}

/** Everything in which a recorded program runs differently here. */
export function differences(recorded: Recorded): string[] {
  const r = new Replay();
  for (const [at, step] of recorded.steps.entries()) {
    r.step(step, at);
    if (r.differences.length > 0) return r.differences;
  }
  recorded.seen.forEach((seen, i) => {
    const here = r.look(r.tensors[i]);
    for (const [name, value] of Object.entries({ ...usual, ...seen }))
      r.expect(`tensor ${i}.${name}`, value, here[name]);
  });
  if (recorded.backward) r.backward(recorded.backward);
  return r.differences;
}
