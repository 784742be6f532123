#!/usr/bin/env node
'use strict';
// Provides the native addon: uses the prebuilt binary if it loads here, otherwise compiles. In a clone cmake-js drives
// CMake; an installed package does without it, so that the command `sconce-build` needs nothing but Node itself and the
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

function run(command, args, name = command) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0) fail(`${name} ended with ${result.signal ?? `status ${result.status}`}`);
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

/** What a new build folder starts with; `-D` on the command line comes after it and wins. */
function firstOptions() {
  const launcher = has('ccache')
    ? ['CMAKE_CXX_COMPILER_LAUNCHER=ccache', 'CMAKE_CUDA_COMPILER_LAUNCHER=ccache']
    : [];
  return [`CMAKE_CUDA_ARCHITECTURES=${cudaArchitecture()}`, ...launcher];
}

function buildWithCMakeJs(cli, dir, definitions) {
  const cmakeJs = (command, ...args) =>
    run(process.execPath, [cli, command, '--config=Release', `--out=${dir}`, ...args], `cmake-js ${command}`);
  if (definitions.length > 0) cmakeJs('configure', ...definitions.map((option) => `--CD${option}`));
  cmakeJs('build', `--parallel=${os.availableParallelism()}`);
}

function buildWithCMake(dir, definitions) {
  const isNew = !fs.existsSync(path.join(dir, 'CMakeCache.txt'));
  const generator = isNew && has('ninja') ? ['-G', 'Ninja'] : [];
  const options = ['CMAKE_BUILD_TYPE=Release', ...definitions].map((option) => `-D${option}`);
  run('cmake', ['-S', root, '-B', dir, ...generator, ...options]);
  run('cmake', ['--build', dir, '--parallel', String(os.availableParallelism())]);
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
  const definitions = [...(fs.existsSync(cache) ? [] : firstOptions()), ...options];
  // Only the package's own: one that a user's project has may be of any version.
  const cli = path.join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js');
  if (fs.existsSync(cli)) buildWithCMakeJs(cli, dir, definitions);
  else buildWithCMake(dir, definitions);
}

const { values, tokens } = parseArgs({
  options: {
    'from-source': { type: 'boolean' },
    'build-dir': { type: 'string' },
    define: { type: 'string', short: 'D', multiple: true },
  },
  tokens: true,
});
const fromSource = tokens.length > 0 || process.env.npm_config_build_from_source === 'true';
if (!fromSource) {
  if (loads()) process.exit(0);
  console.log(`sconce: no prebuilt binary for ${platform} loads here: compiling one`);
}
build(path.resolve(root, values['build-dir'] ?? 'build'), values.define ?? []);
