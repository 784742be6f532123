// Figures as PyTorch writes them.
import { format_fixed } from '../pyformat';

/** Microseconds, in the unit that suits them: `12.345ms`. */
export function format_time(us: number, unit: 's' | 'ms' | 'us' | null = null): string {
  const suits = unit ?? (us >= 1e6 ? 's' : us >= 1e3 ? 'ms' : 'us');
  return format_fixed(suits === 's' ? us / 1e6 : suits === 'ms' ? us / 1e3 : us, 3) + suits;
}

/** `12.34%` of a total. */
export const format_share = (us: number, total: number): string =>
  total === 0 ? 'NaN' : `${format_fixed((us * 100) / total, 2)}%`;

/** Bytes, in the unit that suits them: `1.50 KB`. */
export function format_memory(bytes: number): string {
  const size = Math.abs(bytes);
  for (const [unit, of] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
    ['KB', 2 ** 10],
  ] as const) {
    if (size >= of) return `${format_fixed(bytes / of, 2)} ${unit}`;
  }
  return `${bytes} B`;
}
