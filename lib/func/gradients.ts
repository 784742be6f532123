// Backward passes through what was computed under `vmap`.
import { gradients, native_gradients, type PassOptions } from '../autograd/gradient';
import { interception } from '../interception';
import * as ops from '../ops';
import type { Tensor } from '../tensor';
import { at_level, BatchedTensor } from './batched';
import { level_of } from './call';
import { below, type VmapLevel } from './levels';

type Grads = (Tensor | null)[];

/** All samples of `t`, laid out as `like` is. */
function laid_out(t: Tensor, like: BatchedTensor, level: VmapLevel): Tensor {
  const b = at_level(t, level);
  if (b === null) return t.unsqueeze(like.bdim).expand(like.value.shape);
  return b.bdim === like.bdim ? b.value : b.value.movedim(b.bdim, like.bdim);
}

/** One sample of `t`. */
const sample = (t: Tensor, level: VmapLevel, i: number): Tensor => {
  const b = at_level(t, level);
  return b === null ? t : b.value.select(b.bdim, i);
};

/**
 * Where outputs and inputs are batched, all samples have one graph, and since no sample depends on another one pass through it gives the
 * gradients of all. An input that all samples share has a gradient per sample, which takes a pass per sample.
 */
function pass(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  weights: readonly (Tensor | null)[],
  options: PassOptions,
  level: VmapLevel,
): Grads {
  const batched = inputs.map((t) => at_level(t, level));
  if (batched.every((b) => b !== null)) {
    const used = outputs.flatMap((t, i) => {
      const out = at_level(t, level);
      return out === null ? [] : [{ out, weight: weights[i] ?? null }];
    });
    if (used.length === 0) return inputs.map(() => null);
    const found = gradients(
      used.map(({ out }) => out.value),
      batched.map((b) => b.value),
      used.map(({ out, weight }) =>
        weight !== null ? laid_out(weight, out, level) : out.dim() === 0 ? ops.ones_like(out.value) : null,
      ),
      options,
    );
    return found.map((g, i) => (g === null ? null : new BatchedTensor(g, batched[i].bdim, level)));
  }
  const rows = Array.from({ length: level.size }, (_, i) => {
    const found = gradients(
      outputs.map((t) => sample(t, level, i)),
      inputs.map((t) => at_level(t, level)?.value ?? t),
      outputs.map((_, k) => {
        const w = weights[k] ?? null;
        return w === null ? null : sample(w, level, i);
      }),
      { ...options, retain_graph: options.retain_graph || i < level.size - 1 },
    );
    return found.map((g, k) => {
      const b = batched[k];
      return g === null || b === null ? g : g.select(b.bdim, i);
    });
  });
  return inputs.map((_, k) =>
    rows[0][k] === null ? null : new BatchedTensor(ops.stack(rows.map((row) => row[k] as Tensor)), 0, level),
  );
}

interception.hooks.gradients = (outputs, inputs, weights, options) => {
  const level = level_of([...outputs, ...inputs, ...weights]);
  if (level === null) return native_gradients(outputs, inputs, weights, options);
  return below(level, () => pass(outputs, inputs, weights, options, level));
};
