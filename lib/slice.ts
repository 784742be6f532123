/** A Python slice, for `x.index([torch.Slice(1, 3)])`. `null` (or nothing) stands for an end left open. */
export interface Slice {
  readonly start: number | null;
  readonly stop: number | null;
  readonly step: number | null;
}
class SliceValue implements Slice {
  constructor(
    readonly start: number | null,
    readonly stop: number | null,
    readonly step: number | null,
  ) {}
  toString(): string {
    return `slice(${this.start ?? 'None'}, ${this.stop ?? 'None'}, ${this.step ?? 'None'})`;
  }
}
/** `torch.Slice()` is `:`, `torch.Slice(1, 3)` is `1:3`, `torch.Slice(null, null, 2)` is `::2`. With or without `new`. */
export const Slice = function (
  start: number | null = null,
  stop: number | null = null,
  step: number | null = null,
): Slice {
  return new SliceValue(start, stop, step);
} as unknown as {
  (start?: number | null, stop?: number | null, step?: number | null): Slice;
  new (start?: number | null, stop?: number | null, step?: number | null): Slice;
};
export const isSlice = (v: unknown): v is Slice => v instanceof SliceValue;
