/** The packed tarball, installed into an empty folder with no compiler, no network and no install script. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { output, root, run } from './process';

const work = mkdtempSync(path.join(tmpdir(), 'sconce-package-'));
const consumer = path.join(work, 'consumer');
const installed = path.join(consumer, 'node_modules', 'sconce');
const prebuilt = path.join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
const addon = path.join(prebuilt, 'sconce.glibc.node');
const tool = (name: string) => path.join(root, 'node_modules', '.bin', name);

/** Nothing but Node, npm and a shell: no compiler, no CMake. */
const bare: NodeJS.ProcessEnv = { PATH: path.join(work, 'bin'), HOME: path.join(work, 'home') };
let tarball: string;

beforeAll(() => {
  output(process.execPath, ['scripts/prebuild.js', '--no-cuda']);
  const [packed] = JSON.parse(
    output('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work]),
  ) as [{ filename: string }];
  tarball = path.join(work, packed.filename);

  mkdirSync(bare.PATH!);
  const npm = realpathSync(output('sh', ['-c', 'command -v npm']).trim());
  for (const [name, file] of Object.entries({ node: process.execPath, npm, sh: '/bin/sh' })) {
    symlinkSync(file, path.join(bare.PATH!, name));
  }
  mkdirSync(consumer);
  writeFileSync(path.join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  // An empty HOME has an empty cache, and the registry is an address where nobody answers.
  const unreachable = ['--registry=http://127.0.0.1:9', '--fetch-retries=0', '--no-audit', '--no-fund'];
  output('npm', ['install', '--ignore-scripts', ...unreachable, tarball], { cwd: consumer, env: bare });
});

afterAll(() => rmSync(work, { recursive: true }));

function node(file: string, source: string, env = bare) {
  writeFileSync(path.join(consumer, file), source);
  return run(process.execPath, [file], { cwd: consumer, env });
}

test('the tarball is smaller than 15 MB', () => {
  expect(statSync(tarball).size).toBeLessThan(15e6);
});

test('CommonJS and ES modules give one and the same library', () => {
  const result = node(
    'both.mjs',
    `import torch, { nn, tensor } from 'sconce';
     import { datasets } from 'sconce/vision';
     import { load_file, save_file } from 'sconce/safetensors';
     import { assert_close } from 'sconce/testing';
     import { createRequire } from 'node:module';
     const cjs = createRequire(import.meta.url)('sconce');
     if (cjs.Tensor !== torch.Tensor || cjs.nn !== nn || typeof datasets.MNIST !== 'function') throw new Error('two copies');
     if (assert_close !== torch.testing.assert_close) throw new Error('two copies of testing');
     save_file({ x: tensor([1, 2]) }, 'x.safetensors');
     console.log(load_file('x.safetensors').x.add(cjs.tensor([10, 20])).tolist().join());`,
  );
  expect(result).toMatchObject({ status: 0, stderr: '', stdout: '11,22\n' });
});

test('a network trains from CommonJS', () => {
  const result = node(
    'train.cjs',
    `const torch = require('sconce');
     const { nn, optim } = torch;
     torch.manual_seed(0);
     const net = new nn.Linear(4, 1);
     const x = torch.randn(32, 4);
     const y = x.sum(1, { keepdim: true });
     const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
     let loss;
     for (let i = 0; i < 200; i++) {
       loss = nn.functional.mse_loss(net(x), y);
       optimizer.zero_grad();
       loss.backward();
       optimizer.step();
     }
     console.log(loss.item() < 1e-4);`,
  );
  expect(result).toMatchObject({ status: 0, stderr: '', stdout: 'true\n' });
});

test.each(['esm.mts', 'commonjs.cts'])('TypeScript sees the types from %s', (file) => {
  const source = `import torch, { nn, type Tensor } from 'sconce';
    import { datasets } from 'sconce/vision';
    import { load_file } from 'sconce/safetensors';
    import { assert_close, type AssertCloseOptions } from 'sconce/testing';
    class Net extends nn.Module {
      fc = new nn.Linear(2, 3);
      override forward(x: Tensor): Tensor { return this.fc(x).relu(); }
    }
    const y: Tensor = new Net()(torch.zeros(1, 2));
    export const sum: number = y.sum({ dim: 1, keepdim: true }).shape[0];
    export const weights: Record<string, Tensor> = load_file('x.safetensors');
    export const close = (options: AssertCloseOptions): void => assert_close(y, y, options);
    export type Digits = InstanceType<typeof datasets.MNIST>;
    // @ts-expect-error a module's call takes what its forward takes
    new Net()('text');
    // @ts-expect-error there is no such option
    y.sum({ axes: 1 });
  `;
  writeFileSync(path.join(consumer, file), source);
  const options = ['--noEmit', '--strict', '--module', 'node20', '--target', 'es2022', '--types', 'node'];
  const types = [
    '--typeRoots',
    path.join(root, 'node_modules', '@types'),
    '--lib',
    'es2023,esnext.disposable',
  ];
  const { stdout } = run(process.execPath, [tool('tsc'), ...options, ...types, file], { cwd: consumer });
  expect(stdout).toBe('');
});

test('are the types wrong? They are not', () => {
  // Node 10's resolution, which knows no "exports", is left out: the package needs Node 20. And vitest has no CommonJS.
  const options = ['--profile', 'node16', '--exclude-entrypoints', './testing/vitest'];
  const { status, stdout } = run(process.execPath, [tool('attw'), tarball, ...options]);
  expect({ status, stdout }).toMatchObject({ status: 0 });
});

test('publint has nothing to say', () => {
  const { status, stdout } = run(process.execPath, [tool('publint'), tarball, '--strict']);
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('All good!') as string,
  });
});

test('where no binary fits, the message names the platform and the command that builds', () => {
  const { status, stderr } = node('load.cjs', `require('sconce');`, { ...bare, npm_config_arch: 'riscv64' });
  expect(status).not.toBe(0);
  expect(stderr).toContain(`${process.platform}-riscv64`);
  expect(stderr).toContain('npx sconce-build');
});

test('without CMake, sconce-build says what is missing', () => {
  const script = path.join(installed, 'scripts', 'install.js');
  const { status, stderr } = run(process.execPath, [script, '--from-source'], { cwd: consumer, env: bare });
  expect(status).toBe(1);
  expect(stderr).toContain('cmake was not found');
  expect(stderr).toContain('npx sconce-build');
});

test('the sources in the tarball are complete enough to configure a build', () => {
  const build = path.join(work, 'build');
  output('cmake', ['-S', installed, '-B', build, '-G', 'Ninja', '-DSCONCE_CUDA=OFF', '-DSCONCE_TESTS=OFF']);
  expect(output('ninja', ['-C', build, '-t', 'targets', 'all'])).toContain('sconce.node');
});

test('licences of the bundled libraries are shipped beside them', () => {
  const libraries = readdirSync(prebuilt).filter((name) => name.includes('.so'));
  const text = output('cat', [path.join(installed, 'licenses', 'README.md')]);
  for (const library of libraries) expect(text).toContain(`\`${library}\``);
});

describe('the prebuilt addon', () => {
  test('takes every library that is not part of a base system from its own folder', () => {
    const base = /^(linux-vdso|ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s)\.so/;
    const lines = output('ldd', [addon]).trim().split('\n');
    const others = lines
      .map((line) => line.trim())
      .filter((line) => !base.test(line) && !line.startsWith('/lib64/ld-'));
    expect(others.length).toBeGreaterThan(0);
    for (const line of others) expect(line).toContain(`=> ${realpathSync(prebuilt)}/`);
  });

  test('asks Node for no function that the oldest supported Node lacks', () => {
    // Node 20.17 has Node-API 9, whatever the Node that runs this has.
    const { symbols } = jest.requireActual<{ symbols: Record<string, Record<string, string[]>> }>(
      'node-api-headers',
    );
    const offered = new Set(Object.values(symbols['v9']).flat());
    const wanted = new Set(output('nm', ['-D', '-u', addon]).match(/\b(napi|node_api)_\w+/g));
    expect(wanted.size).toBeGreaterThan(0);
    expect([...wanted].filter((name) => !offered.has(name))).toEqual([]);
  });

  test('needs no C library newer than the readme says', () => {
    const files = readdirSync(prebuilt).map((name) => path.join(prebuilt, name));
    const versions = output('objdump', ['-T', ...files]).matchAll(/GLIBC_2\.(\d+)/g);
    expect(Math.max(...[...versions].map(([, minor]) => Number(minor)))).toBeLessThanOrEqual(34);
  });
});
