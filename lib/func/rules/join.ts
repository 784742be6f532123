// Batching rules of what joins tensors.
import * as ops from '../../ops';
import type { Tensor } from '../../tensor';
import { Call, loop, rule } from '../call';

const given = (c: Call): Tensor[] => c.args[0] as Tensor[];

rule(['cat', 'concat', 'concatenate'], (c) => {
  const tensors = given(c);
  const rank = tensors[0].dim();
  // Empty tensors of one dimension join everything, in PyTorch's tradition.
  if (rank === 0 || tensors.some((t) => t.dim() !== rank)) return loop(c);
  return c.wrap(
    ops.cat(
      tensors.map((t) => c.full(t)),
      c.dim(c.get('dim'), rank) + 1,
    ),
  );
});
rule(['stack'], (c) => {
  const tensors = given(c);
  return c.wrap(
    ops.stack(
      tensors.map((t) => c.full(t)),
      c.dim(c.get('dim'), tensors[0].dim() + 1) + 1,
    ),
  );
});

/** With at least so many dimensions in a sample. */
function at_least(c: Call, t: Tensor, rank: 1 | 2 | 3): Tensor {
  let all = c.full(t);
  if (t.dim() === 0) all = all.unsqueeze(1);
  if (rank >= 2 && all.dim() === 2) all = all.unsqueeze(1);
  if (rank === 3 && all.dim() === 3) all = all.unsqueeze(3);
  return all;
}
rule(['hstack'], (c) => {
  const all = given(c).map((t) => at_least(c, t, 1));
  return c.wrap(ops.cat(all, all[0].dim() === 2 ? 1 : 2));
});
rule(['vstack', 'row_stack'], (c) =>
  c.wrap(
    ops.cat(
      given(c).map((t) => at_least(c, t, 2)),
      1,
    ),
  ),
);
rule(['dstack'], (c) =>
  c.wrap(
    ops.cat(
      given(c).map((t) => at_least(c, t, 3)),
      3,
    ),
  ),
);
rule(['column_stack'], (c) => {
  const columns = given(c).map((t) => (t.dim() <= 1 ? c.full(t).reshape([c.size, t.numel(), 1]) : c.full(t)));
  return c.wrap(ops.cat(columns, 2));
});
rule(['broadcast_tensors'], (c) => {
  const tensors = given(c);
  const shape = ops.broadcast_tensors(
    tensors.map((t) => (c.batched(t) === null ? t : c.front(t).select(0, 0))),
  )[0].shape;
  return tensors.map((t) => {
    if (c.batched(t) === null) return t.expand(shape);
    let all = c.front(t);
    while (all.dim() < shape.length + 1) all = all.unsqueeze(1);
    return c.wrap(all.expand([c.size, ...shape]));
  });
});
