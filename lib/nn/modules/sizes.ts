/** Sizes that PyTorch takes as one number for all dimensions or as one number each. */

import type { DeviceLike } from '../../types';
import type { DType } from '../../dtype';
export type Size1 = number | number[];
export type Size2 = number | number[];

export function single(size: Size1): number[] {
  return typeof size === 'number' ? [size] : [...size];
}

export function pair(size: Size2): number[] {
  return typeof size === 'number' ? [size, size] : [...size];
}

/** Where a module's parameters are created, and as what. */
export interface FactoryOptions {
  device?: DeviceLike | null;
  dtype?: DType | null;
}

export const factory = { device: null as DeviceLike | null, dtype: null as DType | null };
