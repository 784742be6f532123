'use strict';
// Makes prebuilds/<platform>-<arch>/: the stripped addon, the CUDA plug-in, and beside them the shared libraries that
// a user's system need not have.
//
//   node scripts/prebuild.js [--no-cuda]
//
// --no-cuda packs what `npm run build:native` made, without the plug-in: quick, and what CI measures.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const noCuda = process.argv.includes('--no-cuda');
const buildDir = path.join(root, noCuda ? 'build' : 'build-prebuild');
const outDir = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);

/** Libraries that the addon needs and that are not part of a base system. */
const BUNDLED = /^(libdnnl|libgomp|libOpenCL|libhwy)\.so\.\d+$/;
const CUDA_ARCHITECTURES = '75-real;80-real;86-real;89-real;90-real;100-real;120';

function build() {
  const args = noCuda
    ? []
    : ['--build-dir=build-prebuild', `-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES}`];
  const { status } = spawnSync(process.execPath, ['scripts/install.js', '--from-source', ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

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

function copyStripped(from, name) {
  const to = path.join(outDir, name);
  fs.copyFileSync(from, to);
  fs.chmodSync(to, 0o755);
  execFileSync('strip', ['--strip-unneeded', to]);
  console.log(`${(fs.statSync(to).size / 1e6).toFixed(2).padStart(8)} MB  ${path.relative(root, to)}`);
}

build();
fs.rmSync(outDir, { recursive: true, force: true });
fs.mkdirSync(outDir, { recursive: true });
const release = path.join(buildDir, 'Release');
const addon = path.join(release, 'sconce.node');
// The C library is part of the name: node-gyp-build then leaves the file alone on a musl system.
copyStripped(addon, process.platform === 'linux' ? 'sconce.glibc.node' : 'sconce.node');
for (const [soname, file] of bundledLibraries(addon)) copyStripped(file, soname);
const plugin = path.join(release, 'libsconce_cuda.so');
if (!noCuda && fs.existsSync(plugin)) copyStripped(plugin, 'libsconce_cuda.so');
