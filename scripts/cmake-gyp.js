#!/usr/bin/env node
'use strict';
// What prebuildify runs in place of node-gyp, in the folder whose build/Release it packs afterwards: compiles the addon
// there, and lays beside it the shared libraries that a user's system need not have.
// node-gyp's arguments (`rebuild --target=...`) say nothing that matters to a Node-API addon.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const install = path.join(__dirname, 'install.js');
const buildDir = path.resolve('build');
const release = path.join(buildDir, 'Release');

/** Libraries that the addon needs and that are not part of a base system. */
const BUNDLED = /^(libdnnl|libgomp|libOpenCL|libhwy)\.so\.\d+$/;

/** soname -> file of every bundled library that `binary` loads, directly or not. */
function bundledLibraries(binary) {
  const found = new Map();
  for (const line of execFileSync('ldd', [binary], { encoding: 'utf8' }).split('\n')) {
    const match = /^\s*(\S+) => (\S+)/.exec(line);
    if (match === null) continue;
    const [, soname, file] = match;
    if (!BUNDLED.test(soname)) continue;
    if (!path.isAbsolute(file)) throw new Error(`${binary} needs ${soname}, which is not installed`);
    found.set(soname, fs.realpathSync(file));
  }
  return found;
}

// What an earlier run left here, a plug-in for instance, must not be packed.
fs.rmSync(release, { recursive: true, force: true });
const options = (process.env.SCONCE_CMAKE_OPTIONS ?? '').split(' ').filter((option) => option !== '');
const { status } = spawnSync(
  process.execPath,
  [install, '--from-source', `--build-dir=${buildDir}`, ...options],
  { stdio: 'inherit' },
);
if (status !== 0) process.exit(status ?? 1);
for (const [soname, file] of bundledLibraries(path.join(release, 'sconce.node'))) {
  fs.copyFileSync(file, path.join(release, soname));
  fs.chmodSync(path.join(release, soname), 0o755);
}
