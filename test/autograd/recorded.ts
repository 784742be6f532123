/** Compares what happens here with what PyTorch did, as scripts/record_autograd_<topic>.py wrote it down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Recorded = { value: unknown } | { type: string; message: string };
const KINDS: Record<string, string> = {
  TypeError: 'TypeError',
  IndexError: 'RangeError',
  CheckpointError: 'CheckpointError',
};

/** The same value with every fractional number in it replaced by a matcher: PyTorch's, to the last few units of float32. */
function close_to(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isInteger(value)) {
    const digits = 5 - Math.max(0, Math.ceil(Math.log10(Math.abs(value))));
    return expect.closeTo(value, digits);
  }
  if (Array.isArray(value)) return value.map(close_to);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, close_to(inner)]));
  }
  return value;
}

/** One test per case: its result, or the kind and text of its error, is the recorded one; and no recorded case is left out. */
export function matches_recorded(topic: string, cases: Record<string, () => unknown>): void {
  const path = join(__dirname, '..', 'fixtures', 'autograd', `${topic}.json`);
  const recorded = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Recorded>;
  test.each(Object.keys(recorded))('%s', async (name) => {
    const expected = recorded[name];
    expect(Object.keys(cases)).toContain(name);
    if ('value' in expected) {
      expect(await cases[name]()).toEqual(close_to(expected.value));
      return;
    }
    let thrown: unknown;
    try {
      await cases[name]();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Error);
    const { constructor, message } = thrown as Error;
    expect([constructor.name, message]).toEqual([KINDS[expected.type] ?? 'Error', expected.message]);
  });
}
