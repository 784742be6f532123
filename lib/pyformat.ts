/**
 * Python's text for plain values: `repr`, `'%.4f'` and `'%.4e'`.
 *
 * JavaScript's own number formatting differs in two ways that show in a tensor's or a module's text: `toFixed` and
 * `toExponential` round exact ties away from zero where Python rounds them to even, and exponents have no padding.
 * So the two rounding functions here work on the exact binary value.
 */

/** A number that Python would hold as a float: `repr(float(1))` is `1.0`, where `repr(1)` is `1`. */
export class PyFloat {
  constructor(readonly value: number) {}
}

/** A sequence that Python would hold as a list: plain arrays count as tuples, as most of PyTorch's settings are. */
export class PyList {
  constructor(readonly items: readonly unknown[]) {}
}

export const float = (value: number): PyFloat => new PyFloat(value);
export const list = (items: readonly unknown[]): PyList => new PyList(items);

const scratch = new DataView(new ArrayBuffer(8));

/** The finite `x >= 0` as `mantissa * 2**exponent`, exactly. */
function decompose(x: number): { mantissa: bigint; exponent: number } {
  scratch.setFloat64(0, x);
  const bits = scratch.getBigUint64(0);
  const biased = Number(bits >> 52n) & 0x7ff;
  const fraction = bits & 0xfffffffffffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: biased - 1075 };
}

/** `x * 10**power` rounded to an integer, exact ties to even. */
function scaled_integer(x: number, power: number): bigint {
  const { mantissa, exponent } = decompose(x);
  let numerator = mantissa;
  let denominator = 1n;
  if (power >= 0) numerator *= 10n ** BigInt(power);
  else denominator *= 10n ** BigInt(-power);
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  const quotient = numerator / denominator;
  const twice_rest = (numerator % denominator) * 2n;
  const up = twice_rest > denominator || (twice_rest === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

const sign_of = (x: number): string => (x < 0 || Object.is(x, -0) ? '-' : '');

function nonfinite(x: number): string | null {
  if (Number.isNaN(x)) return 'nan';
  if (x === Infinity) return 'inf';
  return x === -Infinity ? '-inf' : null;
}

/** Python's `'{:.{precision}f}'.format(x)`. */
export function format_fixed(x: number, precision: number): string {
  const special = nonfinite(x);
  if (special !== null) return special;
  const digits = scaled_integer(Math.abs(x), precision)
    .toString()
    .padStart(precision + 1, '0');
  const point = digits.length - precision;
  const whole = sign_of(x) + digits.slice(0, point);
  return precision === 0 ? whole : `${whole}.${digits.slice(point)}`;
}

/** Python's `'{:.{precision}e}'.format(x)`: an exponent of at least two digits. */
export function format_exponent(x: number, precision: number): string {
  const special = nonfinite(x);
  if (special !== null) return special;
  const magnitude = Math.abs(x);
  let exponent = 0;
  let digits = '0'.repeat(precision + 1);
  if (magnitude !== 0) {
    // 17 digits identify a double, so this exponent is right, or one too high where they round up to a power of ten.
    exponent = Number(magnitude.toExponential(16).split('e')[1]);
    digits = scaled_integer(magnitude, precision - exponent).toString();
    if (digits.length <= precision) {
      exponent -= 1;
      digits = scaled_integer(magnitude, precision - exponent).toString();
    }
    if (digits.length > precision + 1) {
      exponent += 1;
      digits = digits.slice(0, precision + 1);
    }
  }
  const fraction = precision === 0 ? '' : `.${digits.slice(1)}`;
  return `${sign_of(x)}${digits[0]}${fraction}e${exponent_text(exponent)}`;
}

function exponent_text(exponent: number): string {
  return (exponent < 0 ? '-' : '+') + String(Math.abs(exponent)).padStart(2, '0');
}

/** Python's `repr` of a float: the shortest digits that read back as `x`. */
export function repr_float(x: number): string {
  const special = nonfinite(x);
  if (special !== null) return special;
  if (x === 0) return `${sign_of(x)}0.0`;
  const [mantissa, exponent_digits] = Math.abs(x).toExponential().split('e') as [string, string];
  const exponent = Number(exponent_digits);
  const digits = mantissa.replace('.', '');
  if (exponent < -4 || exponent >= 16) return `${sign_of(x)}${mantissa}e${exponent_text(exponent)}`;
  if (exponent < 0) return `${sign_of(x)}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign_of(x)}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** Python's `repr` of a string. */
export function repr_string(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  let body = '';
  for (const c of text) {
    const code = c.codePointAt(0) as number;
    if (c === quote) body += `\\${c}`;
    else if (named[c] !== undefined) body += named[c];
    else if (code < 0x20 || (code >= 0x7f && code < 0xa1) || code === 0xad)
      body += `\\x${code.toString(16).padStart(2, '0')}`;
    else body += c;
  }
  return quote + body + quote;
}

/**
 * Python's `repr` of a plain value. A number that is a safe integer counts as an int (mark it with `float` where Python
 * holds a float), an array as a tuple (mark it with `list` where Python holds a list), a plain object or `Map` as a dict.
 * Anything else prints as its own `toString` says.
 */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : repr_float(value);
  }
  if (typeof value === 'string') return repr_string(value);
  if (value instanceof PyFloat) return repr_float(value.value);
  if (value instanceof PyList) return `[${value.items.map(repr).join(', ')}]`;
  if (Array.isArray(value)) return repr_tuple(value);
  if (value instanceof Map) return repr_entries([...(value as Map<unknown, unknown>)]);
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return repr_entries(Object.entries(value));
  }
  return (value as { toString(): string }).toString();
}

/** `(3, 3)`, `(3,)`, `()`. */
export function repr_tuple(items: readonly unknown[]): string {
  return items.length === 1 ? `(${repr(items[0])},)` : `(${items.map(repr).join(', ')})`;
}

/** `torch.Size([2, 3])`, as error messages write shapes. */
export function repr_size(shape: readonly number[]): string {
  return `torch.Size([${shape.join(', ')}])`;
}

function repr_entries(entries: readonly (readonly [unknown, unknown])[]): string {
  return `{${entries.map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
}
