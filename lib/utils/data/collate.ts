import { is_plain_object } from '../../args';
import { tensor } from '../../creation';
import * as ops from '../../ops';
import { Tensor } from '../../tensor';

/**
 * Makes one batch of a list of items: tensors are stacked, numbers, bigints and booleans become tensors, strings stay a
 * list, and arrays, plain objects and `Map`s are collated member by member.
 *
 * A number stands for Python's int where it is an integer and for a float elsewhere, so a list of numbers becomes an
 * int64 tensor if all are integers, else a float64 one, which are PyTorch's dtypes for the two.
 */
export function default_collate(batch: readonly unknown[]): unknown {
  const first = batch[0];
  if (first instanceof Tensor) return ops.stack(batch as Tensor[], 0);
  if (typeof first === 'number') {
    const dtype = (batch as number[]).every(Number.isSafeInteger) ? 'int64' : 'float64';
    return tensor(batch as number[], { dtype });
  }
  if (typeof first === 'bigint') return tensor(batch as bigint[], { dtype: 'int64' });
  if (typeof first === 'boolean') return tensor(batch as boolean[], { dtype: 'bool' });
  if (typeof first === 'string') return [...batch];
  if (ArrayBuffer.isView(first) && !(first instanceof DataView)) {
    return ops.stack(
      (batch as ArrayBufferView[]).map((item) => tensor(item)),
      0,
    );
  }
  if (Array.isArray(first)) {
    const rows = batch as unknown[][];
    if (rows.some((row) => row.length !== first.length)) {
      throw new Error('each element in list of batch should be of equal size');
    }
    return first.map((_, i) => default_collate(rows.map((row) => row[i])));
  }
  if (first instanceof Map) {
    const maps = batch as Map<unknown, unknown>[];
    return new Map(
      [...(first as Map<unknown, unknown>).keys()].map((key) => [
        key,
        default_collate(maps.map((map) => map.get(key))),
      ]),
    );
  }
  if (is_plain_object(first)) {
    const objects = batch as Record<string, unknown>[];
    return Object.fromEntries(
      Object.keys(first).map((key) => [key, default_collate(objects.map((object) => object[key]))]),
    );
  }
  throw new TypeError(
    'default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found ' +
      (first === null || first === undefined ? "<class 'NoneType'>" : first.constructor.name),
  );
}

/** What a `DataLoader` without batches does to an item: typed arrays become tensors, inside arrays and objects too. */
export function default_convert(item: unknown): unknown {
  if (item instanceof Tensor || typeof item === 'string') return item;
  if (ArrayBuffer.isView(item) && !(item instanceof DataView)) return tensor(item);
  if (Array.isArray(item)) return item.map(default_convert);
  if (is_plain_object(item)) {
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, default_convert(value)]));
  }
  return item;
}
