// Batching rules of reductions, scans and sorts.
import * as ops from '../../ops';
import type { DType } from '../../dtype';
import type { Tensor } from '../../tensor';
import { Call, loop, rule, type Rule } from '../call';
import { shifted } from './shape';

const self_of = (c: Call): Tensor => c.args[0] as Tensor;
/** All samples, each as one row. */
const rows = (c: Call): Tensor => {
  const self = self_of(c);
  return c.front(self).reshape([c.size, self.numel()]);
};
const every = (self: Tensor): number[] => self.shape.map((_, i) => i + 1);

const along = (...dims: string[]): Rule => shifted(dims, true);
rule(
  ['softmax', 'log_softmax', 'softmin', 'cumsum', 'cumprod', 'cummax', 'cummin', 'sort', 'argsort', 'topk'],
  along('dim'),
);
rule(['msort'], (c) => (self_of(c).dim() === 0 ? loop(c) : c.wrap(ops.sort(c.front(self_of(c)), 1)[0])));

/** A reduction over some of a sample's dimensions; a sample without any is reduced over the one it is given. */
const partial: Rule = (c) => {
  const self = self_of(c);
  const dim = c.get<number | number[]>('dim');
  const keepdim = c.has('keepdim') && c.get<boolean>('keepdim');
  const bare = self.dim() === 0;
  const value = bare ? c.front(self).unsqueeze(1) : c.front(self);
  const at = Array.isArray(dim) ? dim.map((d) => c.dim(d, self.dim()) + 1) : c.dim(dim, self.dim()) + 1;
  const result = c.redo({ self: value, dim: at });
  if (!bare || !keepdim) return c.wrap_all(result);
  return c.wrap_all(
    Array.isArray(result) ? (result as Tensor[]).map((t) => t.squeeze(1)) : (result as Tensor).squeeze(1),
  );
};

/** The reduction of a whole sample by `fn`, which reduces rows; `keepdim` leaves dimensions of size 1. */
const whole =
  (fn: (x: Tensor, c: Call) => Tensor | Tensor[]): Rule =>
  (c) => {
    const reduced = fn(rows(c), c);
    if (!c.has('keepdim') || !c.get<boolean>('keepdim')) return c.wrap_all(reduced);
    const kept = (t: Tensor): Tensor => t.reshape([c.size, ...self_of(c).shape.map(() => 1)]);
    return c.wrap_all(Array.isArray(reduced) ? reduced.map(kept) : kept(reduced));
  };
/** Over dimensions where some are named, over the whole sample otherwise. */
const either =
  (fn: (x: Tensor, c: Call) => Tensor | Tensor[]): Rule =>
  (c) => {
    const dim = c.has('dim') ? c.get<number | number[] | null>('dim') : null;
    const named = dim !== null && !(Array.isArray(dim) && dim.length === 0);
    return named ? partial(c) : whole(fn)(c);
  };

const dtype_of = (c: Call): { dtype: DType | null } => ({ dtype: c.has('dtype') ? c.get('dtype') : null });
rule(
  ['sum'],
  either((x, c) => x.sum(1, false, dtype_of(c))),
);
rule(
  ['mean'],
  either((x, c) => x.mean(1, false, dtype_of(c))),
);
rule(
  ['nansum'],
  either((x, c) => ops.nansum(x, 1, false, dtype_of(c))),
);
rule(
  ['nanmean'],
  either((x, c) => ops.nanmean(x, 1, false, dtype_of(c))),
);
rule(
  ['prod'],
  either((x, c) => x.prod(1, false, dtype_of(c))),
);
rule(
  ['amax', 'max', 'max.dim'],
  either((x) => x.amax(1)),
);
rule(
  ['amin', 'min', 'min.dim'],
  either((x) => x.amin(1)),
);
rule(
  ['aminmax'],
  either((x) => [...ops.aminmax(x, { dim: 1 })]),
);
rule(
  ['argmax'],
  either((x) => x.argmax(1)),
);
rule(
  ['argmin'],
  either((x) => x.argmin(1)),
);
rule(
  ['all', 'all.dim', 'all.dims'],
  either((x) => x.all(1)),
);
rule(
  ['any', 'any.dim', 'any.dims'],
  either((x) => x.any(1)),
);
rule(
  ['count_nonzero'],
  either((x) => ops.count_nonzero(x, 1)),
);
rule(
  ['logsumexp'],
  either((x) => x.logsumexp(1)),
);
rule(
  ['median', 'median.dim'],
  either((x) => x.median(1)[0]),
);
rule(['kthvalue'], partial);
rule(
  ['norm'],
  either((x, c) => x.norm(c.get<number>('p'), 1, false, c.get<DType | null>('dtype'))),
);

/** Over rows: the spread with the call's own correction. */
const spread =
  (fn: (x: Tensor, dims: number[], o: { correction: number; keepdim: boolean }) => Tensor | Tensor[]): Rule =>
  (c) => {
    const self = self_of(c);
    const given = c.has('dim') ? c.get<number | number[] | null>('dim') : null;
    const dims = given === null ? [] : [given].flat();
    if (self.dim() === 0) return loop(c);
    const unbiased = c.has('unbiased') ? Number(c.get<boolean>('unbiased')) : null;
    const correction = unbiased ?? c.get<number | null>('correction') ?? 1;
    const at = dims.length === 0 ? every(self) : dims.map((d) => c.dim(d, self.dim()) + 1);
    const keepdim = c.has('keepdim') && c.get<boolean>('keepdim');
    return c.wrap_all(fn(c.front(self), at, { correction, keepdim }));
  };
rule(
  ['std'],
  spread((x, dims, o) => ops.std(x, dims, o)),
);
rule(
  ['var'],
  spread((x, dims, o) => ops.var(x, dims, o)),
);
rule(
  ['std_mean'],
  spread((x, dims, o) => [...ops.std_mean(x, dims, o)]),
);
rule(
  ['var_mean'],
  spread((x, dims, o) => [...ops.var_mean(x, dims, o)]),
);

const dynamic =
  (name: string): Rule =>
  () => {
    throw new Error(
      `vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over aten::${name}. ` +
        'Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature.',
    );
  };
for (const name of ['nonzero', 'argwhere']) rule([name], dynamic(name === 'argwhere' ? 'nonzero' : name));
rule(['where'], dynamic('where'));
rule(['allclose'], () => {
  throw new Error(
    "vmap over torch.allclose isn't supported yet. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature.",
  );
});
rule(['masked_select'], (c) => {
  if (c.batched(c.args[1]) === null) return loop(c);
  throw new Error(
    'vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this because for each batch this would ' +
      'return a differently shaped Tensor. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature.',
  );
});
