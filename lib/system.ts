// Threads, memory, defaults.
import { dtypeCode, dtypeName, type DType } from './dtype';
import { rethrow } from './errors';
import { native } from './native';
import { Tensor } from './tensor';
import type { Scalar } from './types';

function guarded<T>(f: () => T): T {
  try {
    return f();
  } catch (e) {
    return rethrow(e);
  }
}

/** Threads that kernels use at most: by default what the affinity mask and the cgroup's quota allow. */
export const get_num_threads = (): number => native.get_num_threads();
export const set_num_threads = (n: number): void => guarded(() => native.set_num_threads(n));

export const get_default_dtype = (): DType => dtypeName(native.get_default_dtype());
export interface MemoryStats {
  /** Bytes in use by tensors. */
  allocated_bytes: number;
  allocated_bytes_peak: number;
  /** Bytes taken from the system: in use or kept for reuse. */
  reserved_bytes: number;
  reserved_bytes_peak: number;
  allocations: number;
  frees: number;
  cache_hits: number;
}
/** Figures of the CPU's caching allocator, for the whole process. */
export const memory_stats = (): MemoryStats => native.memory_stats('cpu') as unknown as MemoryStats;
export const reset_peak_memory_stats = (): void => native.reset_peak_memory_stats('cpu');
/** Gives cached memory back to the system. */
export const empty_cache = (): void => native.empty_cache('cpu');

export const promote_types = (a: DType, b: DType): DType =>
  dtypeName(native.promote_types(dtypeCode(a), dtypeCode(b)));
/** The dtype that an operation on these two gives. */
export const result_type = (a: Tensor | Scalar, b: Tensor | Scalar): DType =>
  dtypeName(native.result_type(a instanceof Tensor ? a._h : a, b instanceof Tensor ? b._h : b));
export const is_floating_point = (t: Tensor): boolean => t.is_floating_point();
export const is_grad_enabled = (): boolean => native.is_grad_enabled();
/** {@link Tensor.detach} as a function. */
export const detach = (t: Tensor): Tensor => t.detach();
export const numel = (t: Tensor): number => t.numel();
/** Always true: every build computes with oneDNN's or the portable kernels on CPU. */
export const __version__ = '0.1.0';
