import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { load_file } from '../../lib/safetensors';
import { output, root, run } from './process';

const quickstart = path.join(root, 'examples', 'quickstart.mjs');
const out = mkdtempSync(path.join(tmpdir(), 'sconce-quickstart-'));
afterAll(() => rmSync(out, { recursive: true }));

test('one epoch reaches 98 % on the test images, and everything it promises is written', () => {
  const text = output(process.execPath, [quickstart, '--out', out]);
  expect(text).toContain('60000 images to train on, 10000 to test with');
  expect(text).toContain('step 938/938');
  expect(Number(/test accuracy of the loaded checkpoint: ([\d.]+) %/.exec(text)?.[1])).toBeGreaterThanOrEqual(
    98,
  );
  expect(text.match(/predicted \d, label \d/g)).toHaveLength(4);
  expect(readFileSync(path.join(out, 'loss.svg'), 'utf8')).toMatch(/^<svg[\s\S]*<\/svg>/);
  expect(readFileSync(path.join(out, 'loss.png')).subarray(1, 4).toString()).toBe('PNG');
  expect(load_file(path.join(out, 'lenet5.safetensors'))['conv1.weight'].shape).toEqual([6, 1, 5, 5]);
});

test('Ctrl-C stops it after the running step, with the checkpoint saved', async () => {
  const folder = path.join(out, 'interrupted');
  const child = spawn(process.execPath, [quickstart, '--out', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (!text.includes('step 100/') && (text + chunk).includes('step 100/')) child.kill('SIGINT');
    text += chunk;
  });
  expect(await once(child, 'close')).toEqual([130, null]);
  expect(text).toMatch(/stopped after \d+ steps/);
  expect(text).not.toContain('step 938/938');
  expect(statSync(path.join(folder, 'lenet5.safetensors')).size).toBeGreaterThan(4 * 61_706);
});

test('--device cuda without a GPU says why it cannot be used', () => {
  const { default: torch } = jest.requireActual<typeof import('../../lib')>('../../lib');
  const { status, stderr } = run(process.execPath, [
    quickstart,
    '--out',
    out,
    '--device',
    'cuda',
    '--epochs',
    '0',
  ]);
  if (torch.cuda.is_available()) expect(status).toBe(0);
  else {
    expect(status).toBe(1);
    expect(stderr).toContain(torch.cuda.unavailable_reason());
  }
});

test('an option that is not a number is refused', () => {
  expect(run(process.execPath, [quickstart, '--epochs', 'many'])).toMatchObject({
    status: 1,
    stderr: 'quickstart: --epochs many: not a number\n',
  });
});
