'use strict';
// Brings a fresh Debian-like machine to the point where `npm run quickstart` and `npm test` can run: system
// packages, node_modules, the native addon, dist. Needs nothing but Node's own modules, because it runs before
// node_modules exists, and does nothing but check where everything is in place.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { isDistFresh } = require('./build-ts.js');

const root = path.join(__dirname, '..');

/** Debian package -> the command or header file that shows it is there, on any distribution. */
const BUILD_PACKAGES = {
  'g++': { command: 'c++' },
  cmake: { command: 'cmake' },
  'ninja-build': { command: 'ninja' },
  ccache: { command: 'ccache' },
  'libdnnl-dev': { header: 'dnnl.hpp' },
  'libhwy-dev': { header: 'hwy/highway.h' },
};
const TEST_PACKAGES = {
  'libgtest-dev': { header: 'gtest/gtest.h' },
  'clang-format-19': { command: 'clang-format-19' },
  'clang-tidy-19': { command: 'clang-tidy-19' },
};

function hasCommand(name) {
  return (process.env.PATH ?? '').split(path.delimiter).some((dir) => {
    try {
      fs.accessSync(path.join(dir, name), fs.constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasHeader(name) {
  return ['/usr/include', '/usr/local/include'].some((dir) => fs.existsSync(path.join(dir, name)));
}

function isPresent({ command, header }) {
  return command !== undefined ? hasCommand(command) : hasHeader(header);
}

function fail(message) {
  console.error(`\nsetup: ${message}`);
  process.exit(1);
}

function run(command, args, env = process.env) {
  console.log(`$ ${command} ${args.join(' ')}`);
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (error) fail(`${command} could not be started: ${error.message}`);
  if (status !== 0) fail(`\`${command} ${args.join(' ')}\` ended with ${signal ?? `status ${status}`}`);
}

function installSystemPackages(packages) {
  const missing = Object.keys(packages).filter((name) => !isPresent(packages[name]));
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (!hasCommand('apt-get')) {
    fail(
      `these are missing (Debian's names): ${list}.\nThis system has no apt-get: install them by its own means, then run the command again.`,
    );
  }
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && !hasCommand('sudo')) {
    fail(
      `these packages are missing: ${list}.\nInstalling them needs root: run \`apt-get install ${list}\` as root, then run the command again.`,
    );
  }
  // Where nobody can type a password, sudo must fail instead of waiting for one.
  const sudo = isRoot ? [] : process.stdin.isTTY ? ['sudo'] : ['sudo', '-n'];
  const [apt, ...aptArgs] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  console.log(`setup: installing ${list}`);
  run(apt, [...aptArgs, 'update', '-q']);
  run(apt, [...aptArgs, 'install', '-y', '-q', '--no-install-recommends', ...missing]);
  const still = missing.filter((name) => !isPresent(packages[name]));
  if (still.length > 0)
    fail(`apt-get installed ${still.join(', ')}, yet its files are not where they should be`);
}

/** npm writes what it installed into node_modules/.package-lock.json: compare it with the wanted versions. */
function areNodeModulesFresh() {
  const installedFile = path.join(root, 'node_modules', '.package-lock.json');
  if (!fs.existsSync(installedFile)) return false;
  const wanted = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(fs.readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true;
    if (!(name in installed)) return entry.optional === true;
    return installed[name].version === entry.version;
  });
}

/** Whether lib/generated is newer than the addon, whose operators it lists, and the script that writes it. */
function isGeneratedFresh() {
  const mtime = (file) => {
    const full = path.join(root, file);
    return fs.existsSync(full) ? fs.statSync(full).mtimeMs : 0;
  };
  return (
    mtime('lib/generated/ops.ts') > Math.max(mtime('build/Release/sconce.node'), mtime('scripts/generate.ts'))
  );
}

/** `forTests` adds the C++ tests; without `cuda` the plug-in is left out, which takes as long as all the rest. */
function setup({ forTests = false, cuda = true } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 17))
    fail(`Node 20.17 or later is needed, this is ${process.version}`);
  installSystemPackages(forTests ? { ...BUILD_PACKAGES, ...TEST_PACKAGES } : BUILD_PACKAGES);
  // The addon is built in a step of its own, whose failure then says what failed.
  if (!areNodeModulesFresh()) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  const options = [...(forTests ? ['-DSCONCE_TESTS=ON'] : []), `-DSCONCE_CUDA=${cuda ? 'AUTO' : 'OFF'}`];
  run(process.execPath, ['scripts/install.js', '--from-source', ...options]);
  if (!isGeneratedFresh()) run('npm', ['run', '--silent', 'generate']);
  if (!isDistFresh()) run(process.execPath, ['scripts/build-ts.js']);
}

module.exports = { setup };
if (require.main === module) setup({ forTests: process.argv.includes('--tests') });
