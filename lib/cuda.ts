// torch.cuda.
import { rethrow } from './errors';
import { native } from './native';
import type { DeviceLike } from './types';

const name = (device?: DeviceLike | number | null): string =>
  device === undefined || device === null
    ? 'cuda:0'
    : typeof device === 'number'
      ? `cuda:${device}`
      : String(device);

function guarded<T>(f: () => T): T {
  try {
    return f();
  } catch (e) {
    return rethrow(e);
  }
}

/** Whether a CUDA device can be used. Opens the plug-in on the first call. */
export const is_available = (): boolean => native.cuda_unavailable_reason() === null;
/** Why no CUDA device can be used, as a sentence; null when one can. */
export const unavailable_reason = (): string | null => native.cuda_unavailable_reason();
/** How many CUDA devices there are; 0 without one. */
export const device_count = (): number => native.cuda_device_count();
/** Waits until all work queued on the device is done. Throws the reason when there is none. */
export const synchronize = (device?: DeviceLike | number | null): void =>
  guarded(() => native.synchronize(name(device)));
export const get_device_name = (device?: DeviceLike | number | null): string =>
  guarded(() => native.device_label(name(device)));
export const memory_stats = (device?: DeviceLike | number | null): Record<string, number> =>
  guarded(() => native.memory_stats(name(device)));
export const memory_allocated = (device?: DeviceLike | number | null): number =>
  memory_stats(device).allocated_bytes;
export const max_memory_allocated = (device?: DeviceLike | number | null): number =>
  memory_stats(device).allocated_bytes_peak;
export const memory_reserved = (device?: DeviceLike | number | null): number =>
  memory_stats(device).reserved_bytes;
export const reset_peak_memory_stats = (device?: DeviceLike | number | null): void =>
  guarded(() => native.reset_peak_memory_stats(name(device)));
/** Gives cached memory back to the device. */
export const empty_cache = (device?: DeviceLike | number | null): void =>
  guarded(() => native.empty_cache(name(device)));
