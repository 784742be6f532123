import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  format_tensor,
  get_printoptions,
  set_printoptions,
  type PrintSettings,
  type PrintSource,
} from '../lib/printing';

interface TensorRow {
  shape: number[];
  dtype: string;
  options: PrintSettings;
  text: string;
  default_dtype?: string;
  requires_grad?: boolean;
  grad_fn_name?: string;
  is_parameter?: boolean;
  bits?: string;
  integers?: string[];
  rule?: { scale: number; offset: number };
}

const fixture = JSON.parse(readFileSync(join(__dirname, 'fixtures', 'printing.json'), 'utf8')) as {
  tensors: TensorRow[];
};

/** Flat row-major positions that a summary with `edge` items at either end of each dimension keeps. */
function shown_positions(shape: readonly number[], edge: number | null): number[] {
  return shape.reduce<number[]>(
    (outer, size) => {
      const kept: number[] = [];
      for (let i = 0; i < size; ++i) if (edge === null || i < edge || i >= size - edge) kept.push(i);
      return outer.flatMap((position) => kept.map((i) => position * size + i));
    },
    [0],
  );
}

function element(row: TensorRow, i: number): number | bigint | boolean {
  if (row.rule) {
    const x = i * row.rule.scale + row.rule.offset;
    return row.dtype === 'bool' ? x !== 0 : x;
  }
  if (row.bits !== undefined) return Buffer.from(row.bits.slice(16 * i, 16 * i + 16), 'hex').readDoubleBE(0);
  const digits = (row.integers as string[])[i];
  if (row.dtype === 'bool') return digits === '1';
  const x = Number(digits);
  return Number.isSafeInteger(x) ? x : BigInt(digits);
}

function source_of(row: TensorRow): PrintSource {
  return {
    shape: row.shape,
    dtype: row.dtype,
    device: 'cpu',
    requires_grad: row.requires_grad ?? false,
    grad_fn_name: row.grad_fn_name ?? null,
    is_parameter: row.is_parameter ?? false,
    default_dtype: row.default_dtype ?? 'float32',
    values: (edge) => shown_positions(row.shape, edge).map((i) => element(row, i)),
  };
}

const plain = (values: number[], extra: Partial<PrintSource> = {}): PrintSource => ({
  shape: [values.length],
  dtype: 'float32',
  device: 'cpu',
  requires_grad: false,
  grad_fn_name: null,
  default_dtype: 'float32',
  values: () => values,
  ...extra,
});

afterEach(() => set_printoptions({ profile: 'default' }));

test('the text is PyTorch’s for every recorded tensor', () => {
  expect(fixture.tensors.length).toBeGreaterThan(400);
  for (const row of fixture.tensors) {
    set_printoptions({ profile: 'default' });
    set_printoptions(row.options);
    const { text, ...rest } = row;
    expect({ ...rest, text: format_tensor(source_of(row)) }).toEqual({ ...rest, text });
  }
});

test('a summary asks for the edge items only', () => {
  const asked: (number | null)[] = [];
  const values = (edge: number | null): number[] => {
    asked.push(edge);
    return shown_positions([5000, 5000], edge).map(() => 1);
  };
  format_tensor({ ...plain([]), shape: [5000, 5000], values });
  expect(asked).toEqual([3]);
});

test('another device than the CPU is named first', () => {
  const text = format_tensor(
    plain([1, 2], { device: 'cuda:0', dtype: 'float64', grad_fn_name: 'AddBackward0' }),
  );
  expect(text).toBe("tensor([1., 2.], device='cuda:0', dtype=torch.float64, grad_fn=<AddBackward0>)");
});

test('options are kept, profiles set several, sci_mode goes back to automatic', () => {
  set_printoptions({ precision: 2, sci_mode: true });
  expect(get_printoptions()).toEqual({
    precision: 2,
    threshold: 1000,
    edgeitems: 3,
    linewidth: 80,
    sci_mode: true,
  });
  expect(format_tensor(plain([1.125]))).toBe('tensor([1.12e+00])');
  set_printoptions({ edgeitems: 5 });
  expect(get_printoptions()).toEqual({
    precision: 2,
    threshold: 1000,
    edgeitems: 5,
    linewidth: 80,
    sci_mode: null,
  });
  expect(format_tensor(plain([1.125]))).toBe('tensor([1.12])');
  set_printoptions({ profile: 'full', linewidth: 100 });
  expect(get_printoptions()).toMatchObject({ precision: 4, threshold: Infinity, linewidth: 100 });
});
