/** sconce/testing in projects of other people: under jest, vitest and node:test, in JavaScript and in TypeScript. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, run } from './process';

const work = mkdtempSync(path.join(tmpdir(), 'sconce-runners-'));
const modules = path.join(root, 'node_modules');
const tool = (...parts: string[]) => path.join(modules, ...parts);

/** The environment of a runner that nobody else runs. */
function alone(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, JEST_WORKER_ID: __, NODE_TEST_CONTEXT: ___, VITEST: ____, ...env } = process.env;
  return { ...env, CI: '1', NO_COLOR: '1', FORCE_COLOR: '0' };
}

function project(name: string, files: Record<string, string>): string {
  const dir = path.join(work, name);
  mkdirSync(path.join(dir, 'node_modules'), { recursive: true });
  symlinkSync(root, path.join(dir, 'node_modules', 'sconce'));
  for (const used of ['vitest', 'jest', '@types']) {
    symlinkSync(path.join(modules, used), path.join(dir, 'node_modules', used));
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(dir, file), text);
  return dir;
}

afterAll(() => rmSync(work, { recursive: true }));

/** The JavaScript of docs/testing.md: its blocks that hold `mark`. */
function documented(mark: string): string {
  const guide = readFileSync(path.join(root, 'docs', 'testing.md'), 'utf8');
  const blocks = [...guide.matchAll(/^```js\n([^]*?)^```/gm)].map(([, code]) => code);
  const found = blocks.filter((code) => code.includes(mark));
  if (found.length !== 1) throw new Error(`docs/testing.md has ${found.length} blocks with ${mark}`);
  return found[0];
}

/** Two tests that pass, and one that fails with gradcheck's report. */
const cases = `
  class WrongExp extends torch.autograd.Function {
    static forward(ctx, x) { ctx.save_for_backward(x); return x.exp(); }
    static backward(ctx, g) { return g.mul(ctx.saved_tensors[0].exp()).mul(1.5); }
  }
  const x = torch.tensor([1, 2], { dtype: torch.float64, requires_grad: true });
  test('gradients', () => {
    expect((x) => x.exp()).toPassGradcheck([x]);
    expect((x) => x.exp()).toPassGradgradcheck([x]);
    expect((x) => WrongExp.apply(x)).not.toPassGradcheck([x]);
  });
  test('values', () => {
    expect(torch.ones(2)).toBeCloseToTensor([1, 1.000001]);
    expect(torch.ones(2, 3)).toHaveShape([2, 3]);
    expect(torch.ones(2)).toHaveDtype('float32');
    expect(torch.ones(2)).toEqual(torch.ones(2));
    expect(torch.ones(2)).not.toEqual(torch.zeros(2));
  });
  test('wrong', () => {
    expect((x) => WrongExp.apply(x)).toPassGradcheck([x]);
  });
`;

function expect_one_failure({ status, stdout, stderr }: ReturnType<typeof run>, summary: RegExp): void {
  const text = stdout + stderr;
  expect(text).toMatch(summary);
  expect(text).toContain('Jacobian mismatch for output 0 with respect to input 0,');
  expect(text).toContain('operator: WrongExpBackward');
  expect(status).not.toBe(0);
}

test('jest', () => {
  const cwd = project('jest', {
    'package.json': '{}',
    'jest.config.js': "module.exports = { setupFilesAfterEnv: ['sconce/testing/jest'] };",
    'gradients.test.js': `const torch = require('sconce');${cases}`,
  });
  const result = run(process.execPath, [tool('jest', 'bin', 'jest.js')], { cwd, env: alone() });
  expect_one_failure(result, /Tests:\s+1 failed, 2 passed, 3 total/);
});

test('the guide’s set-ups and tests', () => {
  const jest_cwd = project('guide-jest', {
    'package.json': '{}',
    'jest.config.js': documented('// jest.config.js'),
    'guide.test.js': documented("test('attention is differentiable'"),
  });
  const under_jest = run(process.execPath, [tool('jest', 'bin', 'jest.js')], { cwd: jest_cwd, env: alone() });
  expect(under_jest).toMatchObject({ status: 0, stderr: expect.stringContaining('1 passed') as string });

  const vitest_cwd = project('guide-vitest', {
    'package.json': '{ "type": "module" }',
    'vitest.config.js': documented('// vitest.config.js'),
    'guide.test.js': documented("test('attention is differentiable'").replace(
      "const torch = require('sconce');",
      "import torch from 'sconce'; import { expect, test } from 'vitest';",
    ),
  });
  const under_vitest = run(process.execPath, [tool('vitest', 'vitest.mjs'), 'run'], {
    cwd: vitest_cwd,
    env: alone(),
  });
  expect(under_vitest).toMatchObject({ status: 0, stdout: expect.stringContaining('1 passed') as string });

  const node_cwd = project('guide-node', { 'guide.test.mjs': documented("import test from 'node:test'") });
  const under_node = run(process.execPath, ['--test'], { cwd: node_cwd, env: alone() });
  expect(under_node).toMatchObject({ status: 0, stdout: expect.stringContaining('# pass 1') as string });
});

test('jest without globals says how to do without', () => {
  const cwd = project('jest-globals', {
    'package.json': '{}',
    'jest.config.js': 'module.exports = { injectGlobals: false };',
    'setup.test.js': `
      const { expect, test } = require('@jest/globals');
      const torch = require('sconce');
      test('setup', () => expect(() => require('sconce/testing/jest')).toThrow('there is no global expect'));
      ${documented("require('@jest/globals')").split('\n')[1]}
      test('matchers', () => expect(torch.ones(2)).toHaveShape([2]));`,
  });
  const { status, stderr } = run(process.execPath, [tool('jest', 'bin', 'jest.js')], { cwd, env: alone() });
  expect({ status, stderr }).toMatchObject({ status: 0 });
});

test('vitest', () => {
  const cwd = project('vitest', {
    'package.json': '{ "type": "module" }',
    'vitest.config.js': "export default { test: { setupFiles: ['sconce/testing/vitest'] } };",
    'gradients.test.js': `import { expect, test } from 'vitest'; import torch from 'sconce';${cases}`,
  });
  const result = run(process.execPath, [tool('vitest', 'vitest.mjs'), 'run'], { cwd, env: alone() });
  expect_one_failure(result, /Tests\s+1 failed \| 2 passed \(3\)/);
});

test('node:test', () => {
  const cwd = project('node', {
    'gradients.test.mjs': `
      import test from 'node:test';
      import torch from 'sconce';
      import { assert_close, assert_gradcheck, assert_shape } from 'sconce/testing';
      class WrongExp extends torch.autograd.Function {
        static forward(ctx, x) { ctx.save_for_backward(x); return x.exp(); }
        static backward(ctx, g) { return g.mul(ctx.saved_tensors[0].exp()).mul(1.5); }
      }
      const x = torch.tensor([1, 2], { dtype: torch.float64, requires_grad: true });
      test('gradients', () => assert_gradcheck((x) => x.exp(), [x]));
      test('values', () => {
        assert_close(torch.ones(2), torch.ones(2));
        assert_shape(torch.ones(2, 3), [2, 3]);
      });
      test('wrong', () => assert_gradcheck((x) => WrongExp.apply(x), [x]));`,
  });
  const result = run(process.execPath, ['--test', '--test-reporter=spec'], { cwd, env: alone() });
  expect_one_failure(result, /pass 2\n[^]*fail 1\n/);
});

test.each([
  ['jest', "import 'sconce/testing/jest';", 'jest,node'],
  ['vitest', "import 'sconce/testing/vitest';\nimport { expect, test } from 'vitest';", 'node'],
])('TypeScript knows the matchers of %s', (name, imports, types) => {
  const cwd = project(`types-${name}`, {
    'package.json': '{ "type": "module" }',
    'gradients.test.ts': `${imports}
      import torch, { type Tensor } from 'sconce';
      const x = torch.randn(2, { dtype: 'float64', requires_grad: true });
      test('matchers', () => {
        expect((x: Tensor) => x.exp()).toPassGradcheck([x], { fast_mode: true });
        expect((x: Tensor) => x.exp()).not.toPassGradgradcheck(x);
        expect(x).toBeCloseToTensor([1, 2], { rtol: 0, atol: 1 });
        expect(x).toHaveShape([2]);
        expect(x).toHaveDtype('float64');
        // @ts-expect-error no such option
        expect(x).toBeCloseToTensor([1, 2], { tolerance: 1 });
        // @ts-expect-error a shape is an array
        expect(x).toHaveShape(2);
      });`,
  });
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'node20', '--target', 'es2022'];
  const { stdout } = run(
    process.execPath,
    [
      tool('typescript', 'bin', 'tsc'),
      ...options,
      '--types',
      types,
      '--lib',
      'es2023,esnext.disposable,dom',
      'gradients.test.ts',
    ],
    { cwd },
  );
  expect(stdout).toBe('');
});
