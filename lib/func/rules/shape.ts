// Batching rules of views and of what rearranges elements.
import * as ops from '../../ops';
import type { Tensor } from '../../tensor';
import { Call, loop, rule, type Rule } from '../call';

const self_of = (c: Call): Tensor => c.args[0] as Tensor;

/** Of one tensor: what a sample's dimension is called among all samples' dimensions, with the batch in front. */
const up = (c: Call, param: string): unknown => {
  const rank = self_of(c).dim();
  const given = c.get<number | number[] | null>(param);
  if (given === null) return null;
  return Array.isArray(given) ? given.map((d) => c.dim(d, rank) + 1) : c.dim(given, rank) + 1;
};

/**
 * Of one tensor: the parameters in `dims` name dimensions of it. A sample without dimensions is taken as one with a single element, and the
 * result is made one again with `restore`.
 */
export const shifted =
  (dims: readonly string[], restore: boolean): Rule =>
  (c) => {
    const self = self_of(c);
    const bare = self.dim() === 0;
    const value = bare ? c.front(self).unsqueeze(1) : c.front(self);
    const changes = Object.fromEntries(dims.map((p) => [p, up(c, p)]));
    const result = c.redo({ [c.overload.params[0].name]: value, ...changes });
    if (!bare || !restore) return c.wrap_all(result);
    return c.wrap_all(
      Array.isArray(result) ? (result as Tensor[]).map((t) => t.squeeze(1)) : (result as Tensor).squeeze(1),
    );
  };

/** The same, but that samples without dimensions go one by one: PyTorch's errors come from there. */
const shifted_or_loop = (...dims: string[]): Rule => {
  const all = shifted(dims, false);
  return (c) => (self_of(c).dim() === 0 ? loop(c) : all(c));
};

rule(
  ['select', '_slice', 'narrow', 'unbind', 'split', 'split_with_sizes', 'chunk', 'tensor_split'],
  shifted_or_loop('dim'),
);
rule(['transpose', 'swapdims'], (c) => transposed(c, 'dim0', 'dim1'));
rule(['swapaxes'], (c) => transposed(c, 'axis0', 'axis1'));
const transposed = (c: Call, a: string, b: string): unknown =>
  self_of(c).dim() === 0
    ? c.wrap(ops._alias(c.front(self_of(c))))
    : c.wrap(c.front(self_of(c)).transpose(up(c, a) as number, up(c, b) as number));
/** `hsplit` and its kin: along a dimension that the name says, in equal parts or before given positions. */
const split_by_name =
  (dim_of: (rank: number) => number, least: number): Rule =>
  (c) => {
    const self = self_of(c);
    const dim = dim_of(self.dim());
    const sections = c.has('sections') ? c.get<number>('sections') : null;
    if (self.dim() < least || (sections !== null && !(sections > 0 && self.shape[dim] % sections === 0))) {
      return loop(c);
    }
    const value = c.front(self);
    return c.wrap_all(
      sections === null
        ? ops.tensor_split(value, c.get<number[]>('indices'), dim + 1)
        : ops.tensor_split(value, sections, dim + 1),
    );
  };
rule(
  ['hsplit'],
  split_by_name((rank) => (rank === 1 ? 0 : 1), 1),
);
rule(
  ['vsplit'],
  split_by_name(() => 0, 2),
);
rule(
  ['dsplit'],
  split_by_name(() => 2, 3),
);

/** A copy with `src` in the place of a view. */
const scattered =
  (...dims: string[]): Rule =>
  (c) => {
    const [self, src] = c.args as [Tensor, Tensor];
    if (self.dim() === 0) return loop(c);
    const changes = Object.fromEntries(dims.map((p) => [p, up(c, p)]));
    return c.wrap(c.redo({ self: c.full(self), src: c.full(src), ...changes }) as Tensor);
  };
rule(['select_scatter', 'slice_scatter'], scattered('dim'));
rule(['diagonal_scatter'], scattered('dim1', 'dim2'));

rule(['movedim', 'moveaxis'], shifted_or_loop('source', 'destination'));
rule(['diagonal'], shifted_or_loop('dim1', 'dim2'));
rule(['unfold'], shifted_or_loop('dimension'));
rule(['flip'], shifted(['dims'], true));
rule(['fliplr'], (c) => (self_of(c).dim() < 2 ? loop(c) : c.wrap(c.front(self_of(c)).flip([2]))));
rule(['flipud'], (c) => (self_of(c).dim() < 1 ? loop(c) : c.wrap(c.front(self_of(c)).flip([1]))));
rule(['rot90'], shifted_or_loop('dims'));
rule(['tril', 'triu'], (c) =>
  self_of(c).dim() < 2 ? loop(c) : c.wrap(c.redo({ self: c.front(self_of(c)) }) as Tensor),
);

rule(['unsqueeze'], (c) => {
  const self = self_of(c);
  return c.wrap(c.front(self).unsqueeze(c.dim(c.get('dim'), self.dim() + 1) + 1));
});
rule(['squeeze'], (c) => {
  const self = self_of(c);
  const value = c.front(self);
  if (self.dim() === 0) return c.has('dim') ? loop(c) : c.wrap(value.view(value.shape));
  if (c.has('dim')) return c.wrap(c.redo({ self: value, dim: up(c, 'dim') }) as Tensor);
  return c.wrap(value.squeeze(self.shape.flatMap((size, i) => (size === 1 ? [i + 1] : []))));
});
rule(['permute'], (c) => {
  const self = self_of(c);
  const dims = c.get<number[]>('dims');
  return dims.length === self.dim()
    ? c.wrap(c.front(self).permute([0, ...(up(c, 'dims') as number[])]))
    : loop(c);
});
rule(['t'], (c) => {
  const self = self_of(c);
  if (self.dim() > 2) return loop(c);
  const value = c.front(self);
  return c.wrap(self.dim() === 2 ? value.transpose(1, 2) : value.view(value.shape));
});
rule(['adjoint'], (c) => (self_of(c).dim() < 2 ? loop(c) : c.wrap(c.front(self_of(c)).transpose(-2, -1))));

// Sizes: the batch stays in front of them.
const sized =
  (param: string): Rule =>
  (c) => {
    const size = c.get<number | number[]>(param);
    return c.wrap(
      c.redo({
        self: c.front(self_of(c)),
        [param]: [c.size, ...(Array.isArray(size) ? size : [size])],
      }) as Tensor,
    );
  };
/** A size of -1 is computed from one sample's elements: with none it says nothing. */
const view_sizes = (c: Call, given: readonly number[]): number[] => {
  const at = given.indexOf(-1);
  if (at < 0 || c.size > 0) return [c.size, ...given];
  const known = given.reduce((n, s, i) => (i === at ? n : n * s), 1);
  return [c.size, ...given.map((s, i) => (i === at ? self_of(c).numel() / known : s))];
};
rule(['view', 'reshape'], (c) => {
  const param = c.name === 'view' ? 'size' : 'shape';
  return c.wrap(
    c.redo({ self: c.front(self_of(c)), [param]: view_sizes(c, c.get<number[]>(param)) }) as Tensor,
  );
});
rule(['view_as', 'reshape_as'], (c) => {
  const [self, other] = c.args as Tensor[];
  if (c.batched(self) === null) return self.view(other.shape);
  const value = c.front(self);
  return c.wrap(
    c.name === 'view_as' ? value.view([c.size, ...other.shape]) : value.reshape([c.size, ...other.shape]),
  );
});
const expanded = (c: Call, sizes: readonly number[]): unknown => {
  const self = self_of(c);
  const missing = sizes.length - self.dim();
  if (missing < 0) return loop(c);
  let value = c.front(self);
  for (let i = 0; i < missing; ++i) value = value.unsqueeze(1);
  return c.wrap(value.expand([c.size, ...sizes]));
};
rule(['expand', 'broadcast_to'], (c) => expanded(c, c.get('size')));
rule(['expand_as'], (c) => {
  const [self, other] = c.args as Tensor[];
  return c.batched(self) === null ? self.expand(other.shape) : expanded(c, other.shape);
});
rule(['flatten'], (c) => {
  const self = self_of(c);
  const value = c.front(self);
  if (self.dim() === 0) return c.wrap(value.unsqueeze(1));
  return c.wrap(c.redo({ self: value, start_dim: up(c, 'start_dim'), end_dim: up(c, 'end_dim') }) as Tensor);
});
rule(['ravel'], (c) => c.wrap(c.front(self_of(c)).reshape(view_sizes(c, [-1]))));
rule(['unflatten'], shifted_or_loop('dim'));
rule(['atleast_1d', 'atleast_2d', 'atleast_3d'], (c) => {
  const self = self_of(c);
  const n = Number(c.name[8]);
  let value = c.front(self);
  if (self.dim() >= n) return c.wrap(value.view(value.shape));
  if (self.dim() === 0) value = value.unsqueeze(1);
  if (n >= 2 && value.dim() === 2) value = value.unsqueeze(1);
  if (n === 3 && value.dim() === 3) value = value.unsqueeze(3);
  return c.wrap(value);
});

/** `repeat` and `tile`: with as many sizes as dimensions, the batch in front. */
const repeated = (c: Call, given: readonly number[]): Tensor => {
  const self = self_of(c);
  let value = c.front(self);
  for (let i = self.dim(); i < given.length; ++i) value = value.unsqueeze(1);
  const times = [...new Array<number>(Math.max(0, self.dim() - given.length)).fill(1), ...given];
  return value.repeat([1, ...times]);
};
rule(['repeat'], (c) => {
  const times = c.get<number[]>('repeats');
  return times.length < self_of(c).dim() ? loop(c) : c.wrap(repeated(c, times));
});
rule(['tile'], (c) => c.wrap(repeated(c, c.get<number[]>('dims'))));
rule(['roll'], (c) => {
  const self = self_of(c);
  const dims = [c.get<number | number[]>('dims')].flat();
  if (self.dim() === 0) return loop(c);
  if (dims.length > 0)
    return c.wrap(c.redo({ self: c.front(self), dims: dims.map((d) => c.dim(d, self.dim()) + 1) }) as Tensor);
  const value = c.front(self);
  return c.wrap((c.redo({ self: value.flatten(1), dims: 1 }) as Tensor).view(value.shape));
});
rule(['diag_embed'], (c) => {
  const rank = self_of(c).dim() + 1;
  const at = (p: string): number => c.dim(c.get(p), rank) + 1;
  return c.wrap(c.redo({ self: c.front(self_of(c)), dim1: at('dim1'), dim2: at('dim2') }) as Tensor);
});
rule(['diag'], (c) => {
  const self = self_of(c);
  const diagonal = c.get<number>('diagonal');
  if (self.dim() === 1) return c.wrap(ops.diag_embed(c.front(self), diagonal));
  return self.dim() === 2 ? c.wrap(c.front(self).diagonal(diagonal, 1, 2).clone()) : loop(c);
});
rule(['diagflat'], (c) =>
  c.wrap(ops.diag_embed(c.front(self_of(c)).reshape(view_sizes(c, [-1])), c.get('offset'))),
);

// New tensors of a sample's dtype and device: one per sample, so that samples can be written into them.
rule(['new_empty', 'new_zeros', 'new_ones', 'new_full'], sized('size'));
rule(['as_strided'], (c) => {
  const self = c.batched(self_of(c));
  if (self === null) return loop(c);
  const offset = c.get<number | null>('storage_offset');
  // Steps and offset count in one sample's memory; the samples lie `step` apart.
  const step = self.value.stride(self.bdim);
  return c.wrap(
    self.value.as_strided(
      [c.size, ...c.get<number[]>('size')],
      [step, ...c.get<number[]>('stride')],
      offset ?? self.value.storage_offset(),
    ),
  );
});
