'use strict';
// Everything that needs a GPU, in one go: builds the plug-in for the GPU at hand, runs the operator table and the
// device tests on it, measures a few kernels, trains the quickstart there, and prints a short table.
//
//   node scripts/gpu_check.js [--no-build] [--no-quickstart]
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const out = path.join(root, 'out', 'gpu');
fs.mkdirSync(out, { recursive: true });
const rows = [];

function run(command, args, env = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status;
}

/** A step that passes when its command succeeds. */
function step(name, command, args, env) {
  const begin = Date.now();
  const status = run(command, args, env);
  rows.push([
    name,
    status === 0 ? 'ok' : `failed (${status})`,
    `${((Date.now() - begin) / 1000).toFixed(0)} s`,
  ]);
  return status === 0;
}

/** A jest run, counted from its own report. */
function jest(name, args) {
  const begin = Date.now();
  const report = path.join(out, `${name.replaceAll(' ', '-')}.json`);
  fs.rmSync(report, { force: true });
  const bin = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  run(process.execPath, [bin, '--json', `--outputFile=${report}`, ...args], { SCONCE_TEST_DEVICE: 'cuda' });
  const seconds = `${((Date.now() - begin) / 1000).toFixed(0)} s`;
  if (!fs.existsSync(report)) {
    rows.push([name, 'no report', seconds]);
    return;
  }
  const r = JSON.parse(fs.readFileSync(report, 'utf8'));
  const failed = r.numFailedTests + r.numRuntimeErrorTestSuites;
  rows.push([
    name,
    failed || !r.numPassedTests ? `failed: ${failed} of ${r.numTotalTests}` : `ok: ${r.numPassedTests}`,
    seconds,
  ]);
}

/** Seconds per call on the GPU, the fastest of several batches. */
function measure(torch, name, f, amount, unit) {
  const calls = 20;
  let best = Infinity;
  for (let batch = 0; batch < 5; ++batch) {
    torch.cuda.synchronize();
    const begin = process.hrtime.bigint();
    for (let i = 0; i < calls; ++i) f();
    torch.cuda.synchronize();
    best = Math.min(best, Number(process.hrtime.bigint() - begin) / 1e9 / calls);
  }
  const rate = unit ? `${(amount / best / 1e9).toFixed(0)} ${unit}` : '';
  rows.push([name, `${(best * 1e6).toFixed(1)} us`, rate]);
}

function measurements() {
  const torch = require('..');
  const options = { device: 'cuda' };
  const n = 10_000_000;
  const a = torch.rand(n, options);
  const b = torch.rand(n, options);
  measure(torch, 'add, 10M float32', () => a.add(b), n * 12, 'GB/s');
  measure(torch, 'exp, 10M float32', () => a.exp(), n * 8, 'GB/s');
  measure(torch, 'sum, 10M float32', () => a.sum(), n * 4, 'GB/s');
  const m = torch.rand(4096, 4096, options);
  measure(torch, 'matmul, 4096^2 float32', () => m.mm(m), 2 * 4096 ** 3, 'GFLOP/s');
  const small = torch.rand(4, options);
  measure(torch, 'add, 4 elements', () => small.add(small), 0, '');
}

function main() {
  const flags = new Set(process.argv.slice(2));
  if (run('nvidia-smi', ['-L']) !== 0) {
    console.error('gpu_check: nvidia-smi finds no GPU; there is nothing to check here');
    process.exit(1);
  }
  if (!flags.has('--no-build') && !step('build', 'npm', ['run', 'build'])) {
    console.table(rows);
    process.exit(1);
  }
  const torch = require('..');
  const reason = torch.cuda.unavailable_reason();
  if (reason !== null) {
    console.error(`gpu_check: ${reason}`);
    process.exit(1);
  }
  jest('device tests', ['test/device/cuda.test.ts']);
  // The samples of dropout2d hold the CPU's random numbers; CUDA's stream is its own.
  jest('operator table', ['test/ops', '-t', '^(?!.*dropout2d).*on another device']);
  try {
    measurements();
  } catch (error) {
    rows.push(['measurements', `failed: ${error.message}`, '']);
  }
  if (!flags.has('--no-quickstart'))
    step('quickstart', 'npm', ['run', 'quickstart', '--', '--device', 'cuda']);
  console.log(`\n${torch.cuda.get_device_name()}`);
  for (const [name, result, extra] of rows)
    console.log(`${name.padEnd(28)} ${result.padEnd(24)} ${extra.padStart(16)}`);
  process.exitCode = rows.some(([, result]) => /^(failed|no report)/.test(result)) ? 1 : 0;
}

main();
