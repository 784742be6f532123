// Batching rules of matrix products.
import * as ops from '../../ops';
import type { Scalar } from '../../types';
import type { Tensor } from '../../tensor';
import { Call, loop, rule, type Rule } from '../call';

/** The matrix product of two tensors, some of them batched. */
function product(c: Call, a: Tensor, b: Tensor): Tensor {
  const [x, y] = [c.front(a), c.front(b)];
  // The samples are rows more for a matrix that all of them share.
  if (c.batched(b) === null && (b.dim() === 2 || (b.dim() === 1 && a.dim() > 1))) return x.matmul(y);
  if (c.batched(a) === null && a.dim() === 2 && b.dim() === 1) return y.matmul(x.transpose(0, 1));
  const left = a.dim() === 1 ? x.unsqueeze(-2) : x;
  const right = b.dim() === 1 ? y.unsqueeze(-1) : y;
  const rank = Math.max(a.dim(), b.dim(), 2) + 1;
  const padded = (t: Tensor, batched: boolean): Tensor => {
    let all = t;
    while (batched && all.dim() < rank) all = all.unsqueeze(1);
    return all;
  };
  let result = padded(left, c.batched(a) !== null).matmul(padded(right, c.batched(b) !== null));
  if (a.dim() === 1) result = result.squeeze(b.dim() === 1 ? -1 : -2);
  if (b.dim() === 1) result = result.squeeze(-1);
  return result;
}

/** Whether PyTorch multiplies these; where not, a sample's own call says why. */
const multiplies = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype &&
  a.dim() > 0 &&
  b.dim() > 0 &&
  a.shape[a.dim() - 1] === b.shape[Math.max(b.dim() - 2, 0)];

const of_ranks =
  (left: number | null, right: number | null): Rule =>
  (c) => {
    const [a, b] = c.args as [Tensor, Tensor];
    if ((left !== null && a.dim() !== left) || (right !== null && b.dim() !== right) || !multiplies(a, b))
      return loop(c);
    if (left === 3 && a.shape[0] !== b.shape[0]) return loop(c);
    return c.wrap(product(c, a, b));
  };
rule(['matmul'], of_ranks(null, null));
rule(['mm'], of_ranks(2, 2));
rule(['mv'], of_ranks(2, 1));
rule(['bmm'], of_ranks(3, 3));
rule(['dot', 'vdot'], of_ranks(1, 1));

rule(['outer', 'ger'], (c) => {
  const [a, b] = c.args as [Tensor, Tensor];
  if (a.dim() !== 1 || b.dim() !== 1) return loop(c);
  return c.wrap(c.front(a).unsqueeze(-1).mul(c.front(b).unsqueeze(-2)));
});
rule(['inner'], (c) => {
  const [a, b] = c.args as [Tensor, Tensor];
  if (a.dim() === 1 && b.dim() === 1 && multiplies(a, b)) return c.wrap(product(c, a, b));
  if (a.dim() !== 2 || b.dim() !== 2 || a.shape[1] !== b.shape[1] || a.dtype !== b.dtype) return loop(c);
  const turned = c.batched(b) === null ? b.transpose(0, 1) : c.wrap(c.front(b).transpose(-2, -1));
  return c.wrap(product(c, a, turned));
});

rule(['linear'], (c) => {
  const [input, weight, bias] = c.args as [Tensor, Tensor, Tensor | null | undefined];
  const plain = c.batched(weight) === null && (!bias || c.batched(bias) === null);
  if (plain) return c.wrap(c.redo({ input: c.front(input) }) as Tensor);
  if (weight.dim() !== 2 || input.dim() === 0 || input.shape[input.dim() - 1] !== weight.shape[1])
    return loop(c);
  if (input.dtype !== weight.dtype || (bias && bias.dim() !== 1)) return loop(c);
  const turned =
    c.batched(weight) === null ? weight.transpose(0, 1) : c.wrap(c.front(weight).transpose(1, 2));
  const shared = c.batched(input) === null && c.batched(weight) === null;
  const y = shared ? product(c, input, turned).unsqueeze(0) : product(c, input, turned);
  if (!bias) return c.wrap(y);
  const b = c.front(bias);
  if (c.batched(bias) === null) return c.wrap(y.add(b));
  return c.wrap(y.add(b.reshape([c.size, ...new Array<number>(input.dim() - 1).fill(1), bias.shape[0]])));
});

/** `beta * self + alpha * product`. */
const added =
  (multiply: (c: Call, a: Tensor, b: Tensor) => Tensor | null): Rule =>
  (c) => {
    const [self, a, b] = c.args as [Tensor, Tensor, Tensor];
    const y = multiply(c, a, b);
    const rank = (y?.dim() ?? 0) - 1;
    if (y === null || self.dtype !== a.dtype || self.dim() > rank) return loop(c);
    const [beta, alpha] = [c.get<Scalar>('beta'), c.get<Scalar>('alpha')];
    const scaled = alpha === 1 ? y : y.mul(alpha);
    if (beta === 0) return c.wrap(scaled);
    let all = c.front(self);
    while (c.batched(self) !== null && all.dim() < rank + 1) all = all.unsqueeze(1);
    return c.wrap(ops.add(beta === 1 ? all : all.mul(beta), scaled));
  };
const checked =
  (left: number, right: number): ((c: Call, a: Tensor, b: Tensor) => Tensor | null) =>
  (c, a, b) => {
    if (a.dim() !== left || b.dim() !== right || !multiplies(a, b)) return null;
    if (left === 3 && a.shape[0] !== b.shape[0]) return null;
    const y = product(c, a, b);
    return c.batched(a) === null && c.batched(b) === null ? y.unsqueeze(0).expand([c.size, ...y.shape]) : y;
  };
rule(['addmm'], added(checked(2, 2)));
rule(['addmv'], added(checked(2, 1)));
rule(['baddbmm'], added(checked(3, 3)));
rule(
  ['addbmm'],
  added((c, a, b) => checked(3, 3)(c, a, b)?.sum(1) ?? null),
);
rule(
  ['addr'],
  added((c, a, b) =>
    a.dim() === 1 && b.dim() === 1 && a.dtype === b.dtype
      ? c.full(a).unsqueeze(-1).mul(c.front(b).unsqueeze(-2))
      : null,
  ),
);

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
rule(['einsum'], (c) => {
  const [equation, operands] = c.args as [string, Tensor[]];
  const text = equation.replace(/\s/g, '');
  const [inputs, output] = text.split('->');
  const terms = inputs.split(',');
  const letter = [...LETTERS].find((l) => !text.includes(l));
  if (letter === undefined || terms.length !== operands.length) return loop(c);
  // Without an output: the letters that occur once, in order, behind what '...' stands for.
  const letters = [...inputs.replace(/[,.]/g, '')];
  const implied =
    (inputs.includes('...') ? '...' : '') +
    letters
      .filter((l) => letters.indexOf(l) === letters.lastIndexOf(l))
      .sort()
      .join('');
  const named = terms.map((term, i) => (c.batched(operands[i]) === null ? term : `${letter}${term}`));
  return c.wrap(
    ops.einsum(
      `${named.join(',')}->${letter}${output ?? implied}`,
      operands.map((t) => c.front(t)),
    ),
  );
});

rule(['tensordot.lists'], (c) => {
  const [a, b, from_a, from_b] = c.args as [Tensor, Tensor, number[], number[]];
  if (from_a.length !== from_b.length || a.dim() + b.dim() > 50 || a.dtype !== b.dtype) return loop(c);
  const letters = [...LETTERS];
  const of_a = a.shape.map(() => letters.shift() as string);
  const of_b = b.shape.map(() => letters.shift() as string);
  from_a.forEach((d, i) => (of_b[c.dim(from_b[i], b.dim())] = of_a[c.dim(d, a.dim())]));
  if (from_a.some((d, i) => a.size(d) !== b.size(from_b[i]))) return loop(c);
  const rest = [...of_a.filter((l) => !of_b.includes(l)), ...of_b.filter((l) => !of_a.includes(l))].join('');
  const [batch] = letters;
  const named = (t: Tensor, of: string[]): string => (c.batched(t) === null ? '' : batch) + of.join('');
  return c.wrap(ops.einsum(`${named(a, of_a)},${named(b, of_b)}->${batch}${rest}`, [c.front(a), c.front(b)]));
});

rule(['scaled_dot_product_attention'], (c) => {
  const [query, key, value] = c.args as [Tensor, Tensor, Tensor];
  const mask = c.get<Tensor | null>('attn_mask');
  const ranks = [query, key, value].map((t) => t.dim());
  // Randomly dropped weights have no rule for one draw for all samples.
  if (c.get<number>('dropout_p') > 0 && c.level.randomness === 'error') {
    throw new Error(
      "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness flags on vmap " +
        'or perform the randomness operation out of vmap',
    );
  }
  if (
    new Set(ranks).size > 1 ||
    ranks[0] < 2 ||
    c.get<boolean>('enable_gqa') ||
    c.get<number>('dropout_p') > 0
  )
    return loop(c);
  const changes: Record<string, unknown> = { query: c.full(query), key: c.full(key), value: c.full(value) };
  if (mask !== null && c.batched(mask) !== null) {
    let all = c.front(mask);
    while (all.dim() < ranks[0] + 1) all = all.unsqueeze(1);
    changes.attn_mask = all;
  }
  return c.wrap(c.redo(changes) as Tensor);
});
