'use strict';
// `npm test`: everything that a change must pass, in order. `npm run test:quick` leaves out what takes long.
//
//   node scripts/test.js [--quick] [--only NAME[,NAME...]] [--list]
//
// Counts are taken from the runners' own reports; a step without such a report counts as one check.
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { setup } = require('./setup.js');
const steps = require('./test-steps.js');

const root = path.join(__dirname, '..');
const reportDir = path.join(root, 'out', 'ci');

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    only: { type: 'string' },
    list: { type: 'boolean' },
  },
});
const only = values.only?.split(',');
const unknown = only?.filter((name) => !steps.some((step) => step.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(
    `unknown step ${unknown.join(', ')}; there are: ${steps.map((step) => step.name).join(', ')}`,
  );
  process.exit(2);
}
const chosen = steps.filter((step) => (only ? only.includes(step.name) : step.quick || !values.quick));
if (values.list) {
  for (const step of chosen) console.log(`${step.name.padEnd(12)} ${step.about}`);
  process.exit(0);
}

async function main() {
  const begin = Date.now();
  setup({ forTests: true });
  fs.rmSync(reportDir, { recursive: true, force: true });
  fs.mkdirSync(reportDir, { recursive: true });
  let passed = 0;
  let failed = 0;
  for (const step of chosen) {
    const stepBegin = Date.now();
    console.log(`\n=== ${step.name}: ${step.about}`);
    let counts;
    try {
      counts = await step.run({ root, reportDir });
    } catch (error) {
      console.error(error.message);
      counts = { passed: 0, failed: 1 };
    }
    passed += counts.passed;
    failed += counts.failed;
    const seconds = ((Date.now() - stepBegin) / 1000).toFixed(1);
    console.log(`=== ${step.name}: ${counts.passed} passed, ${counts.failed} failed (${seconds} s)`);
  }
  console.log(`\n${((Date.now() - begin) / 60_000).toFixed(1)} minutes`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

void main();
