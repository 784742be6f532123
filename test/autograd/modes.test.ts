/** Grad modes: per call, nested, across await, and never leaking into other work on the event loop. */
import { setTimeout as sleep } from 'node:timers/promises';
import torch from '../../lib';

const x = torch.ones(2, { requires_grad: true });
const tracks = (): boolean => x.mul(2).requires_grad;

test('no_grad and enable_grad nest and give back what they wrap', () => {
  expect(tracks()).toBe(true);
  const seen = torch.no_grad(() => [tracks(), torch.enable_grad(tracks), tracks()]);
  expect(seen).toEqual([false, true, false]);
  expect(tracks()).toBe(true);
});

test('set_grad_enabled and is_grad_enabled', () => {
  expect(torch.set_grad_enabled(false, () => [torch.is_grad_enabled(), tracks()])).toEqual([false, false]);
  expect(torch.is_grad_enabled()).toBe(true);
});

test('an error restores the mode', () => {
  expect(() =>
    torch.no_grad(() => {
      throw new Error('inside');
    }),
  ).toThrow('inside');
  expect(tracks()).toBe(true);
});

test('using restores at the end of the block', () => {
  {
    using _ = torch.no_grad();
    expect(tracks()).toBe(false);
  }
  expect(tracks()).toBe(true);
});

test('inference_mode makes inference tensors', () => {
  const y = torch.inference_mode(() => x.mul(2));
  expect([y.is_inference(), y.requires_grad]).toEqual([true, false]);
  expect(torch.ones(1).is_inference()).toBe(false);
});

test('holds across await, for its own async call alone', async () => {
  const seen: [string, boolean][] = [];
  const quiet = torch.no_grad(async () => {
    seen.push(['quiet start', tracks()]);
    await sleep(5);
    seen.push(['quiet end', tracks()]);
    return 'done';
  });
  seen.push(['outside', tracks()]);
  const other = (async () => {
    await sleep(2);
    seen.push(['other', tracks()]);
  })();
  expect(await quiet).toBe('done');
  await other;
  expect(Object.fromEntries(seen)).toEqual({
    'quiet start': false,
    outside: true,
    other: true,
    'quiet end': false,
  });
  expect(tracks()).toBe(true);
});

test('two async calls with different modes interleave', async () => {
  const turns = async (): Promise<boolean[]> => {
    const seen: boolean[] = [];
    for (let i = 0; i < 5; ++i) {
      seen.push(tracks());
      await sleep(1);
    }
    return seen;
  };
  const [off, on] = await Promise.all([torch.no_grad(turns), torch.enable_grad(turns)]);
  expect([off, on]).toEqual([Array(5).fill(false), Array(5).fill(true)]);
});
