// Batching rules of what draws random numbers: refused, a draw per sample, or one draw for all, as the `vmap` says.
import * as ops from '../../ops';
import type { Tensor } from '../../tensor';
import { Call, rule, type Rule } from '../call';
import { align } from './pointwise';

function check(c: Call): void {
  if (c.level.randomness !== 'error') return;
  throw new Error(
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness flags on vmap " +
      'or perform the randomness operation out of vmap',
  );
}
const refuse_same = (): never => {
  throw new Error(
    'Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch',
  );
};
const different = (c: Call): boolean => {
  check(c);
  return c.level.randomness === 'different';
};

/** New tensors of given sizes. */
const sized: Rule = (c) => {
  if (!different(c)) return c.redo({});
  return c.wrap(c.redo({ size: [c.size, ...c.get<number[]>('size')] }) as Tensor);
};
rule(['rand', 'randn', 'randint', 'normal.float_float'], sized);
rule(['randperm'], (c) =>
  different(c) ? c.wrap(ops.stack(Array.from({ length: c.size }, () => c.redo({}) as Tensor))) : c.redo({}),
);

/** New tensors like a given one: the values of it do not matter, so that one sample stands for all. */
rule(['rand_like', 'randn_like', 'randint_like'], (c) => {
  const self = c.args[0] as Tensor;
  if (different(c)) return c.wrap(c.redo({ self: c.full(self) }) as Tensor);
  return c.redo({ self: c.batched(self) === null ? self : c.front(self).select(0, 0) });
});

/** Draws whose distribution depends on values. */
const drawn: Rule = (c) => {
  if (different(c)) {
    const tensors = c.tensors();
    const aligned = align(c, tensors, []);
    const fresh = tensors.some((t) => c.batched(t) !== null)
      ? aligned
      : [c.full(tensors[0]), ...aligned.slice(1)];
    return c.wrap(
      c.redo(
        Object.fromEntries(tensors.map((t, i) => [c.overload.params[c.args.indexOf(t)].name, fresh[i]])),
      ) as Tensor,
    );
  }
  return c.tensors().some((t) => c.batched(t) !== null) ? refuse_same() : c.redo({});
};
rule(['bernoulli', 'normal.Tensor_Tensor', 'normal.Tensor_float', 'normal.float_Tensor'], drawn);
rule(['multinomial'], (c) => {
  const self = c.args[0] as Tensor;
  if (!different(c)) return c.batched(self) === null ? c.redo({}) : refuse_same();
  const all = c.full(self);
  if (self.dim() < 2) return c.wrap(c.redo({ self: all }) as Tensor);
  return c.wrap((c.redo({ self: all.flatten(0, 1) }) as Tensor).unflatten(0, [c.size, self.shape[0]]));
});

/** Draws into a tensor. */
const into: Rule = (c) => {
  const self = c.args[0] as Tensor;
  const batched = c.batched(self);
  if (batched === null) {
    if (different(c)) {
      throw new Error(
        'vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. If this is ' +
          'necessary for your usage, please file an issue with functorch.',
      );
    }
    if (c.tensors().some((t) => c.batched(t) !== null)) refuse_same();
    return c.redo({});
  }
  const all = c.front(self);
  if (different(c)) {
    if (!c.has('p') || c.overload.key !== 'bernoulli_.Tensor') c.redo({ self: all });
    else {
      const p = c.args[1] as Tensor;
      c.redo({ self: all, p: align(c, [self, p], [])[1] });
    }
  } else {
    if (
      c
        .tensors()
        .slice(1)
        .some((t) => c.batched(t) !== null)
    )
      refuse_same();
    all.copy_(c.redo({ self: ops.empty_like(all.select(0, 0)) }) as Tensor);
  }
  return self;
};
rule(
  ['bernoulli_', 'cauchy_', 'exponential_', 'geometric_', 'log_normal_', 'normal_', 'random_', 'uniform_'],
  into,
);

/** Without `training` there is nothing to draw. */
const dropped: Rule = (c) => {
  const input = c.args[0] as Tensor;
  const batched = c.batched(input);
  if (!c.get<boolean>('training') || c.get<number>('p') === 0) {
    return batched === null ? c.redo({}) : c.wrap(c.redo({ input: batched.value }) as Tensor, batched.bdim);
  }
  if (different(c)) {
    // dropout2d drops whole channels: there the samples are as good as more of its batch.
    const all = c.full(input);
    if (c.name === 'dropout' || input.dim() !== 4) return c.wrap(c.redo({ input: all }) as Tensor);
    return c.wrap((c.redo({ input: all.flatten(0, 1) }) as Tensor).unflatten(0, [c.size, input.shape[0]]));
  }
  if (batched === null) return c.redo({});
  const all = c.front(input);
  const mask = c.redo({ input: ops.ones_like(all.select(0, 0)), inplace: false }) as Tensor;
  return c.wrap(c.get<boolean>('inplace') ? all.mul_(mask) : all.mul(mask));
};
rule(['dropout', 'dropout2d'], dropped);
