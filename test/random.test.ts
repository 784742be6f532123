/** The random stream against what PyTorch 2.13 drew, call by call (scripts/record_random.py). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import torch, { type Tensor } from '../lib';
import type { DType } from '../lib/dtype';

type Value = number | boolean | string; // integers beyond 2^53 are strings
interface Step {
  fill?: string;
  call?: string;
  dtype?: DType;
  shape?: number[];
  args: (number | number[])[];
  kwargs?: { dtype?: DType };
  numel: number;
  values?: Value[];
  head?: Value[];
  tail?: Value[];
}
interface Case {
  seed: number;
  steps: Step[];
  state: string;
}

const cases = JSON.parse(readFileSync(join(__dirname, 'fixtures', 'random.json'), 'utf8')) as Case[];
type Callable = (...args: unknown[]) => Tensor;

const describe_step = (s: Step): string =>
  s.fill !== undefined
    ? `${s.dtype}[${s.shape!.join()}].${s.fill}(${s.args.join(', ')})`
    : `torch.${s.call}(${JSON.stringify(s.args).slice(1, -1)}${s.kwargs?.dtype ? `, ${s.kwargs.dtype}` : ''})`;

function run(s: Step): Tensor {
  if (s.fill !== undefined) {
    const x = torch.empty(s.shape!, { dtype: s.dtype! });
    return (x as unknown as Record<string, Callable>)[s.fill](...s.args);
  }
  return (torch as unknown as Record<string, Callable>)[s.call!](...s.args, s.kwargs ?? {});
}

/** Units in the last place that sine, cosine and logarithm of one C library may differ from another's. */
const ulps: Record<string, number> = { float64: 4, float32: 4, float16: 1, bfloat16: 1 };
const mantissa: Record<string, number> = { float64: 52, float32: 23, float16: 10, bfloat16: 7 };
const exact = new Set(['uniform_', 'rand', 'random_', 'bernoulli_', 'geometric_', 'randint', 'randperm']);

function same(ours: unknown, theirs: Value, dtype: string, name: string): boolean {
  if (typeof theirs === 'string') return String(ours) === theirs;
  if (ours === theirs) return true;
  if (exact.has(name) || !(dtype in ulps)) return false;
  const scale = 2 ** (Math.floor(Math.log2(Math.abs(theirs as number))) - mantissa[dtype]);
  return Math.abs((ours as number) - (theirs as number)) <= ulps[dtype] * scale;
}

function check(s: Step): void {
  const out = run(s);
  expect(out.numel()).toBe(s.numel);
  const ours = (out.dim() === 0 ? [out.item()] : out.flatten().tolist()) as unknown[];
  const theirs = s.values ?? [...s.head!, ...s.tail!];
  const compared = s.values ? ours : [...ours.slice(0, s.head!.length), ...ours.slice(-s.tail!.length)];
  const name = (s.fill ?? s.call)!;
  const wrong = theirs.findIndex((v, i) => !same(compared[i], v, out.dtype, name));
  if (wrong >= 0) {
    throw new Error(
      `${describe_step(s)}: number ${wrong} is ${String(compared[wrong])}, not ${theirs[wrong]}`,
    );
  }
}

test.each(cases.map((c) => [describe_step(c.steps[c.steps.length - 1]), c] as const))('%s', (_, c) => {
  torch.manual_seed(c.seed);
  for (const step of c.steps) check(step);
  // As many numbers were drawn as PyTorch draws, and the same one is held back.
  const state = torch.get_rng_state().to_typed_array() as Uint8Array;
  expect(createHash('sha256').update(state).digest('hex')).toBe(c.state);
});

describe('the state', () => {
  test('resumes the stream', () => {
    torch.manual_seed(3);
    torch.randn(3);
    const state = torch.get_rng_state();
    const first = torch.randn(20).tolist();
    torch.set_rng_state(state);
    expect(torch.randn(20).tolist()).toEqual(first);
  });
  test('is refused when it is none', () => {
    const state = torch.get_rng_state();
    expect(() => torch.set_rng_state(torch.zeros(10, { dtype: 'uint8' }))).toThrow(
      'Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 10',
    );
    expect(() => torch.set_rng_state(torch.zeros(5056, { dtype: 'uint8' }))).toThrow('Invalid mt19937 state');
    expect(() => torch.set_rng_state(torch.zeros(5056))).toThrow('RNG state must be a torch.ByteTensor');
    expect(torch.get_rng_state().tolist()).toEqual(state.tolist());
  });
});

describe('a generator of its own', () => {
  test('draws the same numbers and leaves the default stream alone', () => {
    torch.manual_seed(11);
    const expected = torch.rand(4).tolist();
    const before = torch.get_rng_state().tolist();
    const generator = new torch.Generator().manual_seed(11);
    expect(torch.rand([4], { generator }).tolist()).toEqual(expected);
    expect(torch.get_rng_state().tolist()).toEqual(before);
    expect(generator.initial_seed()).toBe(11);
  });
  test('takes seeds beyond the safe integers and below zero', () => {
    expect(torch.manual_seed(-1)).toBeUndefined();
    expect(torch.initial_seed()).toBe(2n ** 64n - 1n);
    torch.manual_seed(2n ** 63n + 5n);
    expect(torch.initial_seed()).toBe(2n ** 63n + 5n);
    expect(() => torch.manual_seed(0.5)).toThrow(TypeError);
  });
});

describe('tensors that are not contiguous are filled in the order of their memory', () => {
  const seeded = (draw: () => Tensor): unknown => {
    torch.manual_seed(0);
    return draw().tolist();
  };
  const every_other = [torch.Slice(), torch.Slice(null, null, 2)];
  test.each<[string, () => Tensor, () => Tensor]>([
    ['transposed', () => torch.empty(5, 6).t().uniform_(), () => torch.rand(5, 6).t()],
    [
      'permuted',
      () => torch.empty(3, 4, 5).permute(2, 0, 1).uniform_(),
      () => torch.rand(3, 4, 5).permute(2, 0, 1),
    ],
    ['with gaps', () => torch.empty(4, 6).index(every_other).uniform_(), () => torch.rand(4, 3)],
    // Thirty normal numbers, but in pairs: only contiguous tensors take the blocks of 16.
    [
      'normal',
      () => torch.empty(5, 6).t().normal_(),
      () =>
        torch
          .cat([torch.randn(15), torch.randn(15)])
          .view(5, 6)
          .t(),
    ],
  ])('%s', (_, draw, expected) => {
    expect(seeded(draw)).toEqual(seeded(expected));
  });
});
