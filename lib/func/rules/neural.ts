// Batching rules of losses, norms, convolutions and pooling.
import * as ops from '../../ops';
import { Tensor } from '../../tensor';
import { Call, loop, rule, type Rule } from '../call';
import { align } from './pointwise';

/** All samples as one batch: `[samples, n, ...]` becomes `[samples * n, ...]`. */
const folded = (all: Tensor): Tensor => all.flatten(0, 1);
const unfolded = (c: Call, t: Tensor): Tensor => t.unflatten(0, [c.size, t.shape[0] / c.size]);

// ---- losses ----

/** The old names of `reduction`. */
const legacy = (c: Call): boolean => c.get('size_average') !== null || c.get('reduce') !== null;

/** Element by element; each sample then reduces its own. */
const elementwise_loss: Rule = (c) => {
  const input = c.args[0] as Tensor;
  const reduction = c.get<string>('reduction');
  const weighted = c.has('weight') && c.get('weight') !== null && !c.name.startsWith('binary');
  if ((c.has('reduce') && legacy(c)) || weighted || !['none', 'mean', 'sum', 'batchmean'].includes(reduction))
    return loop(c);
  const tensors = c.tensors();
  const [, target] = tensors;
  if (input.shape.join() !== target.shape.join()) return loop(c);
  const aligned = align(c, tensors);
  const changes: Record<string, unknown> = { reduction: 'none' };
  tensors.forEach((t, i) => {
    const name = c.overload.params[c.args.indexOf(t)].name;
    changes[name] = i < 2 ? c.full(t).to(aligned[i].dtype) : aligned[i];
  });
  const all = c.redo(changes) as Tensor;
  if (reduction === 'none') return c.wrap(all);
  const rows = all.reshape([c.size, all.numel() / Math.max(c.size, 1)]);
  if (reduction === 'mean') return c.wrap(rows.mean(1));
  return c.wrap(reduction === 'sum' ? rows.sum(1) : rows.sum(1).div(all.shape[1] ?? 1));
};
rule(
  [
    'mse_loss',
    'l1_loss',
    'smooth_l1_loss',
    'huber_loss',
    'binary_cross_entropy',
    'binary_cross_entropy_with_logits',
    'kl_div',
  ],
  elementwise_loss,
);

/** Of class indices: all samples as one batch. What counts towards a mean, each sample counts by itself. */
rule(['cross_entropy', 'nll_loss'], (c) => {
  const [input, target] = c.args as [Tensor, Tensor];
  const reduction = c.get<string>('reduction');
  const plain = !legacy(c) && c.get('weight') === null && !target.is_floating_point();
  const rank = input.dim();
  if (!plain || rank === 0 || target.dim() !== rank - 1 || !['none', 'mean', 'sum'].includes(reduction))
    return loop(c);
  const [x, at] = [c.full(input), c.full(target)];
  const alone = rank === 1;
  const losses = c.redo({
    input: alone ? x : folded(x),
    target: alone ? at : folded(at),
    reduction: 'none',
  }) as Tensor;
  if (reduction === 'none') return c.wrap(alone ? losses : unfolded(c, losses));
  const rows = losses.reshape([c.size, target.numel()]);
  if (reduction === 'sum') return c.wrap(rows.sum(1));
  const counted = at.reshape([c.size, target.numel()]).ne(c.get<number>('ignore_index')).sum(1);
  return c.wrap(rows.sum(1).div(counted));
});

// ---- norms ----

/** `y * weight + bias`, these of the trailing dimensions, or of the channels. */
function affine(c: Call, y: Tensor, at: 'last' | 'channel'): Tensor {
  const shaped = (name: string): Tensor | null => {
    const t = c.get<Tensor | null>(name);
    if (t === null) return null;
    const all = c.full(t);
    const ones = (n: number): number[] => new Array<number>(n).fill(1);
    const missing = y.dim() - 1 - t.dim();
    return at === 'last'
      ? all.reshape([c.size, ...ones(missing), ...t.shape])
      : all.reshape([c.size, 1, t.shape[0], ...ones(missing - 1)]);
  };
  const [weight, bias] = [shaped('weight'), shaped('bias')];
  const scaled = weight === null ? y : y.mul(weight);
  return bias === null ? scaled : scaled.add(bias);
}
const shared_affine = (c: Call): boolean =>
  ['weight', 'bias'].every((name) => c.batched(c.get(name)) === null);

rule(['layer_norm'], (c) => {
  const input = c.front(c.args[0] as Tensor);
  if (shared_affine(c)) return c.wrap(c.redo({ input }) as Tensor);
  const all = c.full(c.args[0] as Tensor);
  return c.wrap(affine(c, c.redo({ input: all, weight: null, bias: null }) as Tensor, 'last'));
});
rule(['group_norm'], (c) => {
  const input = c.args[0] as Tensor;
  if (input.dim() < 2) return loop(c);
  const all = c.full(input);
  if (shared_affine(c)) return c.wrap(unfolded(c, c.redo({ input: folded(all) }) as Tensor));
  return c.wrap(
    affine(c, unfolded(c, c.redo({ input: folded(all), weight: null, bias: null }) as Tensor), 'channel'),
  );
});
rule(['instance_norm'], (c) => {
  const input = c.args[0] as Tensor;
  const tracked = c.get('running_mean') !== null || c.get('running_var') !== null;
  if (input.dim() < 3 || tracked || !shared_affine(c)) return loop(c);
  return c.wrap(unfolded(c, c.redo({ input: folded(c.full(input)) }) as Tensor));
});
rule(['batch_norm'], (c) => {
  const input = c.args[0] as Tensor;
  const stats = ['running_mean', 'running_var'].map((name) => c.get<Tensor | null>(name));
  const training = c.get<boolean>('training');
  if (training && c.batched(input) !== null && stats.some((t) => t !== null && c.batched(t) === null)) {
    throw new Error(
      'Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, were not batched.\n' +
        'If you are using a module and do not need eval mode, please set `track_running_stats` to be False. ' +
        'If you are using a prebuilt module and do not need eval mode, please see the functorch website for resources on how to patch your module to work with vmap',
    );
  }
  // A sample's channels are channels of its own; running statistics are written through a view.
  const viewable = stats.every((t) => t === null || c.batched(t) === null || c.front(t).is_contiguous());
  if (input.dim() < 2 || (training && !viewable)) return loop(c);
  const all = c.full(input);
  const [, n, channels, ...rest] = all.shape;
  const flat = (t: Tensor | null): Tensor | null =>
    t === null ? null : c.full(t).reshape([c.size * channels]);
  const y = c.redo({
    input: all.movedim(0, 1).reshape([n, c.size * channels, ...rest]),
    running_mean: flat(stats[0]),
    running_var: flat(stats[1]),
    weight: flat(c.get('weight')),
    bias: flat(c.get('bias')),
  }) as Tensor;
  return c.wrap(y.unflatten(1, [c.size, channels]), 1);
});

// ---- windows ----

/** Without weights: samples are as good as more of the batch. */
const windows =
  (spatial: number, plain: number): Rule =>
  (c) => {
    const input = c.args[0] as Tensor;
    const name = c.overload.params[0].name;
    const all = c.front(input);
    if (input.dim() === plain) return c.wrap_all(c.redo({ [name]: all }));
    if (input.dim() !== spatial + 2) return loop(c);
    const result = c.redo({ [name]: folded(all) });
    return c.wrap_all(
      Array.isArray(result) ? (result as Tensor[]).map((t) => unfolded(c, t)) : unfolded(c, result as Tensor),
    );
  };
rule(['max_pool1d', 'max_pool1d_with_indices', 'avg_pool1d', 'adaptive_avg_pool1d'], windows(1, 2));
rule(['max_pool2d', 'max_pool2d_with_indices', 'avg_pool2d', 'adaptive_avg_pool2d'], windows(2, 3));

/** A sample's weights are a group of their own: samples lie side by side among the channels. */
const convolution =
  (spatial: number, transposed: boolean): Rule =>
  (c) => {
    const [input, weight] = c.args as [Tensor, Tensor];
    const bias = c.get<Tensor | null>('bias');
    const alone = input.dim() === spatial + 1;
    if ((!alone && input.dim() !== spatial + 2) || weight.dim() !== spatial + 2) return loop(c);
    if (c.batched(weight) === null && c.batched(bias) === null) {
      const all = c.front(input);
      return c.wrap(
        alone ? (c.redo({ input: all }) as Tensor) : unfolded(c, c.redo({ input: folded(all) }) as Tensor),
      );
    }
    if (bias !== null && bias.dim() !== 1) return loop(c);
    const groups = c.get<number>('groups');
    const all = alone ? c.full(input).unsqueeze(1) : c.full(input);
    const beside = all.movedim(0, 1).flatten(1, 2);
    const channels = transposed ? weight.shape[1] * groups : weight.shape[0];
    const y = c.redo({
      input: beside,
      weight: folded(c.full(weight)),
      bias: bias === null ? null : c.full(bias).reshape([c.size * channels]),
      groups: groups * c.size,
    }) as Tensor;
    const apart = y.unflatten(1, [c.size, channels]);
    return alone ? c.wrap(apart.squeeze(0)) : c.wrap(apart, 1);
  };
rule(['conv1d'], convolution(1, false));
rule(['conv2d'], convolution(2, false));
rule(['conv_transpose1d'], convolution(1, true));
rule(['conv_transpose2d'], convolution(2, true));

rule(['pad'], (c) => {
  const self = c.args[0] as Tensor;
  const widths = c.get<number[]>('pad');
  const mode = c.get<string>('mode');
  const value = c.get<number | null>('value');
  if (widths.length > 2 * self.dim() || self.dim() === 0) return loop(c);
  const all = c.front(self);
  if (mode === 'constant') return c.wrap(ops.pad(all, widths, mode, value));
  // The other modes look at the rank to tell batch and channels from the rest.
  const alone = self.dim() === widths.length / 2 + 1;
  if (!alone && self.dim() !== widths.length / 2 + 2) return loop(c);
  return c.wrap(alone ? ops.pad(all, widths, mode) : unfolded(c, ops.pad(folded(all), widths, mode)));
});
