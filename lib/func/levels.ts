// The function transforms that run right now.
import { interception } from '../interception';

export type Randomness = 'error' | 'different' | 'same';

/** One running `vmap`. Its batched tensors refer to it, so that what escapes from it is never taken for another's. */
export interface VmapLevel {
  /** Its place among all running transforms, from 1: what `BatchedTensor(lvl=...)` prints. */
  readonly number: number;
  readonly size: number;
  readonly randomness: Randomness;
}

const running: VmapLevel[] = [];
// While a batching rule runs for one level, that level and those within it are out of sight: the rule's own calls belong to the outer ones.
let visible = 0;

/** The innermost `vmap` in sight, or null. */
export const innermost = (): VmapLevel | null => (visible === 0 ? null : running[visible - 1]);

/** All `vmap`s in sight, outermost first. */
export const visible_levels = (): readonly VmapLevel[] => running.slice(0, visible);

/** Runs a batching rule of `level`. */
export function below<T>(level: VmapLevel, fn: () => T): T {
  const at = running.indexOf(level);
  if (at < 0) throw new Error('a batched tensor was used after the vmap that made it had ended');
  const before = visible;
  visible = Math.min(visible, at);
  try {
    return fn();
  } finally {
    visible = before;
  }
}

/** Runs `fn` as the body of a `vmap`. */
export function enter_vmap<T>(size: number, randomness: Randomness, fn: (level: VmapLevel) => T): T {
  return enter_transform((number) => {
    const level = { number, size, randomness };
    // What lies out of sight stays so: it is put back when this one ends.
    const hidden = running.splice(visible);
    running.push(level);
    visible = running.length;
    ++interception.vmaps;
    try {
      return fn(level);
    } finally {
      --interception.vmaps;
      running.pop();
      visible = running.length;
      running.push(...hidden);
    }
  });
}

/** Runs `fn` with a running level again in force, as for the backward of a function that ran within it. */
export function within<T>(level: VmapLevel, fn: () => T): T {
  const known = running.indexOf(level);
  const before = visible;
  if (known >= 0) visible = known + 1;
  else {
    running.splice(visible, 0, level);
    visible += 1;
  }
  ++interception.vmaps;
  try {
    return fn();
  } finally {
    --interception.vmaps;
    if (known < 0) running.splice(running.indexOf(level), 1);
    visible = before;
  }
}

/** Counts a transform while `fn` runs; `fn` receives its number. */
export function enter_transform<T>(fn: (number: number) => T): T {
  ++interception.transforms;
  try {
    return fn(interception.transforms);
  } finally {
    --interception.transforms;
  }
}
