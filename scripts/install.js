#!/usr/bin/env node
'use strict';
// Provides the native addon: uses the prebuilt binary if it loads here, otherwise compiles with CMake.
// Runs as npm's install script and as the command `sconce-build`, so it needs nothing but Node itself and the
// package's own run-time dependencies.
//
//   sconce-build [--from-source] [--build-dir=DIR] [-DCMAKE_OPTION=VALUE ...]
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const root = path.join(__dirname, '..');
const platform = `${process.platform}-${process.arch}`;

/** Tried in a child process: a binary that crashes while loading must not take the installation with it. */
function loads() {
  const script = `require('node-gyp-build')(${JSON.stringify(root)})`;
  return spawnSync(process.execPath, ['-e', script], { cwd: root }).status === 0;
}

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0)
    fail(`${command} ${args[0]} ended with ${result.signal ?? `status ${result.status}`}`);
}

function fail(reason) {
  console.error(
    `\nsconce: compiling the native addon for ${platform} did not work: ${reason}.\n` +
      'It needs CMake 3.20 or later and a C++17 compiler; run `npx sconce-build` to try again.',
  );
  process.exit(1);
}

/** One GPU architecture is quick to compile: the one at hand, or one that later GPUs can translate from. */
function cudaArchitecture() {
  return has('nvidia-smi') ? 'native' : '80';
}

function build(dir, options) {
  if (!has('cmake')) fail('cmake was not found');
  const cache = path.join(dir, 'CMakeCache.txt');
  // CMake refuses a build folder that was made under another path.
  if (
    fs.existsSync(cache) &&
    !fs.readFileSync(cache, 'utf8').includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`)
  ) {
    fs.rmSync(dir, { recursive: true });
  }
  const configure = ['-S', root, '-B', dir];
  if (!fs.existsSync(cache)) {
    configure.push(
      '-DCMAKE_BUILD_TYPE=Release',
      `-DCMAKE_CUDA_ARCHITECTURES=${cudaArchitecture()}`,
      '-DSCONCE_TESTS=OFF',
    );
    if (has('ninja')) configure.push('-G', 'Ninja');
    if (has('ccache')) {
      configure.push('-DCMAKE_CXX_COMPILER_LAUNCHER=ccache', '-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache');
    }
  }
  run('cmake', [...configure, ...options]);
  run('cmake', ['--build', dir, '--parallel', String(os.availableParallelism())]);
}

const { values, tokens } = parseArgs({
  options: {
    'from-source': { type: 'boolean' },
    'build-dir': { type: 'string' },
    define: { type: 'string', short: 'D', multiple: true },
  },
  tokens: true,
});
const options = (values.define ?? []).map((define) => `-D${define}`);
const fromSource = tokens.length > 0 || process.env.npm_config_build_from_source === 'true';
if (!fromSource) {
  if (loads()) process.exit(0);
  console.log(`sconce: no prebuilt binary for ${platform} loads here: compiling one`);
}
build(path.resolve(root, values['build-dir'] ?? 'build'), options);
