// Batching rules of indexing, gathering and scattering.
import * as ops from '../../ops';
import { Tensor } from '../../tensor';
import { Call, incompatible, loop, rule, type Rule } from '../call';

// ---- x[...] ----

interface Place {
  /** `self` with the batch in front, then what the index tensors stand for, then the rest. */
  arranged: Tensor;
  /** Index tensors of all samples, the samples' own numbers first. */
  tensors: Tensor[];
  /** The dimensions that the index tensors give, of one sample. */
  shape: number[];
  /** Where in one sample's result these stand. */
  at: number;
  rest: number[];
}

const is_mask = (t: Tensor): boolean => t.dtype === 'bool' || t.dtype === 'uint8';

/** Index tensors by dimension, masks turned into positions. */
function positions(c: Call, indices: readonly (Tensor | null)[]): (Tensor | null)[] {
  return indices.flatMap((t) => {
    if (t === null || !is_mask(t)) return [t];
    if (c.batched(t) === null) return ops.nonzero(t, { as_tuple: true });
    throw new Error(
      'vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over indexing with a boolean mask.',
    );
  });
}

function place(c: Call, all: Tensor, given: readonly (Tensor | null)[]): Place {
  const indices = positions(c, given);
  const rank = all.dim() - 1;
  const used = indices.flatMap((t, i) => (t === null ? [] : [i]));
  const adjacent = used.every((d, i) => i === 0 || d === used[i - 1] + 1);
  const others = Array.from({ length: rank }, (_, i) => i).filter((d) => !used.includes(d));
  const tensors = used.map((i) => indices[i] as Tensor);
  const spread = Math.max(...tensors.map((t) => t.dim()));
  const leading = tensors.map((t) => {
    let x = c.batched(t) === null ? t.unsqueeze(0) : c.front(t);
    while (x.dim() < spread + 1) x = x.unsqueeze(1);
    return x;
  });
  const shape = ops.broadcast_tensors(leading)[0].shape.slice(1);
  const samples = ops.arange(c.size, { device: all.device }).reshape([c.size, ...shape.map(() => 1)]);
  return {
    arranged: all.permute([0, ...used.map((d) => d + 1), ...others.map((d) => d + 1)]),
    tensors: [samples, ...leading],
    shape,
    at: adjacent ? used[0] : 0,
    rest: others.map((d) => all.shape[d + 1]),
  };
}

rule(['_index'], (c) => {
  const { arranged, tensors, shape, at } = place(
    c,
    c.full(c.args[0] as Tensor),
    c.args[1] as (Tensor | null)[],
  );
  const found = ops._index(arranged, tensors);
  return c.wrap(
    at === 0 || shape.length === 0
      ? found
      : found.movedim(range(1, shape.length), range(1 + at, shape.length)),
  );
});
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** Writes `values` where the indices say. */
function put(
  c: Call,
  all: Tensor,
  indices: readonly (Tensor | null)[],
  values: Tensor,
  accumulate: boolean,
): void {
  if (indices.every((t) => t === null)) {
    const shaped = lifted(c, values, all.dim() - 1);
    if (accumulate) all.add_(shaped);
    else all.copy_(shaped);
    return;
  }
  // A mask over the leading dimensions with one value per sample writes no more than that value.
  const [mask] = indices;
  if (
    indices.length === 1 &&
    mask !== null &&
    is_mask(mask) &&
    c.batched(mask) !== null &&
    values.numel() === 1 &&
    !accumulate
  ) {
    let where = c.front(mask);
    while (where.dim() < all.dim()) where = where.unsqueeze(-1);
    const value = lifted(c, values.reshape([]), all.dim() - 1).to(all.dtype);
    all.copy_(ops.where(where, value, all));
    return;
  }
  const { arranged, tensors, shape, at, rest } = place(c, all, indices);
  const result = [...rest.slice(0, at), ...shape, ...rest.slice(at)];
  let source = lifted(c, values, result.length).expand([c.size, ...result]);
  if (at > 0 && shape.length > 0)
    source = source.movedim(range(1 + at, shape.length), range(1, shape.length));
  arranged.index_put_(tensors, source, accumulate);
}

/** All samples of `t`, or itself, of one sample's rank `rank`. */
function lifted(c: Call, t: Tensor, rank: number): Tensor {
  if (c.batched(t) === null) return t.unsqueeze(0);
  let all = c.front(t);
  while (all.dim() < rank + 1) all = all.unsqueeze(1);
  return all;
}

rule(['index_put'], (c) => {
  const [self, indices, values] = c.args as [Tensor, (Tensor | null)[], Tensor];
  const copy = c.full(self).clone();
  put(c, copy, indices, values, c.get('accumulate'));
  return c.wrap(copy);
});
rule(['index_put_'], (c) => {
  const [self, indices, values] = c.args as [Tensor, (Tensor | null)[], Tensor];
  if (c.batched(self) === null) {
    throw incompatible(c, indices.length === 0 ? 'inplace arithmetic' : 'index_put_');
  }
  put(c, c.front(self), indices, values, c.get('accumulate'));
  return self;
});

// ---- along a dimension ----

/** All samples, with at least one dimension each. */
const lined = (c: Call, t: Tensor): Tensor => (t.dim() === 0 ? c.full(t).unsqueeze(1) : c.full(t));

rule(['gather'], (c) => {
  const [self, , index] = c.args as [Tensor, number, Tensor];
  if (Math.max(self.dim(), 1) !== Math.max(index.dim(), 1)) return loop(c);
  const found = c.redo({
    self: lined(c, self),
    dim: c.dim(c.get('dim'), self.dim()) + 1,
    index: lined(c, index),
  }) as Tensor;
  return c.wrap(index.dim() === 0 ? found.squeeze(1) : found);
});

/** `self` with values written where `index` says. */
const scattered = (c: Call, all: Tensor): Tensor => {
  const self = c.args[0] as Tensor;
  const src = c.has('src') ? { src: lined(c, c.get('src')) } : {};
  return c.redo({
    self: all,
    dim: c.dim(c.get('dim'), self.dim()) + 1,
    index: lined(c, c.get('index')),
    ...src,
  }) as Tensor;
};
const fits = (c: Call): boolean => {
  const rank = Math.max((c.args[0] as Tensor).dim(), 1);
  const like = [c.get<Tensor>('index'), ...(c.has('src') ? [c.get<Tensor>('src')] : [])];
  return like.every((t) => Math.max(t.dim(), 1) === rank);
};
const SCATTERS = ['scatter', 'scatter_add', 'scatter_reduce'];
rule(SCATTERS, (c) => {
  if (!fits(c)) return loop(c);
  const self = c.args[0] as Tensor;
  const result = scattered(c, lined(c, self));
  return c.wrap(self.dim() === 0 ? result.squeeze(1) : result);
});
rule(
  SCATTERS.map((name) => `${name}_`),
  (c) => {
    const self = c.args[0] as Tensor;
    if (c.batched(self) === null) throw incompatible(c, `aten::${c.name}_`, ` at level ${c.level.number}`);
    if (!fits(c)) return loop(c);
    scattered(c, lined(c, self));
    return self;
  },
);

/** With one index for all samples, the dimension is only another one. */
const along =
  (source: string | null): Rule =>
  (c) => {
    const self = c.args[0] as Tensor;
    if (self.dim() === 0 || c.batched(c.get('index')) !== null) return loop(c);
    const dim = c.dim(c.get('dim'), self.dim()) + 1;
    const from = source === null ? null : c.get<Tensor>(source);
    if (from !== null && from.dim() !== self.dim()) return loop(c);
    return c.wrap(
      c.redo({
        self: c.full(self),
        dim,
        ...(from === null ? {} : { [source as string]: c.full(from) }),
      }) as Tensor,
    );
  };
rule(['index_fill.int_Scalar'], along(null));
rule(['index_add', 'index_copy', 'index_reduce'], along('source'));
rule(['index_select'], (c) => {
  const [self, , index] = c.args as [Tensor, number, Tensor];
  if (self.dim() === 0 || index.dim() > 1) return loop(c);
  const dim = c.dim(c.get('dim'), self.dim());
  if (c.batched(index) === null) return c.wrap(c.redo({ self: c.front(self), dim: dim + 1 }) as Tensor);
  const indices = new Array<Tensor | null>(dim).fill(null);
  const found = c.batched(self) === null && dim === 0 ? null : c.full(self);
  if (found === null) {
    const all = self.index_select(0, c.front(index).reshape([-1]));
    return c.wrap(all.reshape([c.size, index.numel(), ...self.shape.slice(1)]));
  }
  const line = index.dim() === 0 ? c.front(index).unsqueeze(1) : c.front(index);
  const { arranged, tensors } = place(c, found, [...indices, c.wrap(line)]);
  const picked = ops._index(arranged, tensors);
  return c.wrap(dim === 0 ? picked : picked.movedim(1, 1 + dim));
});
rule(['embedding'], (c) => {
  const [input, weight] = c.args as [Tensor, Tensor];
  if (c.batched(weight) === null) {
    const b = c.batched(input);
    return b === null ? c.redo({}) : c.wrap(c.redo({ input: b.value }) as Tensor, b.bdim);
  }
  if (c.get('max_norm') !== null || c.get('padding_idx') !== null || c.get('scale_grad_by_freq'))
    return loop(c);
  const [rows] = weight.shape;
  const first = ops.arange(c.size, { device: weight.device }).mul(rows);
  const at = lifted(c, input, input.dim()).add(first.reshape([c.size, ...input.shape.map(() => 1)]));
  return c.wrap(c.redo({ input: at, weight: c.front(weight).flatten(0, 1) }) as Tensor);
});
rule(['one_hot'], (c) => {
  const b = c.batched(c.args[0]);
  if (b === null || c.get<number>('num_classes') < 0) return (c.args[0] as Tensor).item();
  const b0 = c.front(c.args[0] as Tensor);
  return c.wrap(c.redo({ self: b0 }) as Tensor);
});
