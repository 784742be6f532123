'use strict';
// Makes prebuilds/<platform>-<arch>/ with prebuildify: the stripped addon, the CUDA plug-in where nvcc is found, and
// beside them the shared libraries that a user's system need not have. It has a build folder of its own, because
// prebuildify moves the addon out of it.
//
//   node scripts/prebuild.js [--no-cuda]
const fs = require('node:fs');
const path = require('node:path');
const prebuildify = require('prebuildify');

const root = path.join(__dirname, '..');
const cwd = path.join(root, 'build-prebuild');
const outDir = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const CUDA_ARCHITECTURES = '75-real;80-real;86-real;89-real;90-real;100-real;120';

const options = process.argv.includes('--no-cuda')
  ? ['-DSCONCE_CUDA=OFF']
  : ['-DSCONCE_CUDA=AUTO', `-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES}`];
process.env.SCONCE_CMAKE_OPTIONS = options.join(' ');

fs.rmSync(outDir, { recursive: true, force: true });
fs.mkdirSync(cwd, { recursive: true });
prebuildify(
  {
    cwd,
    out: root,
    name: 'sconce',
    napi: true,
    strip: true,
    tagLibc: true, // node-gyp-build then leaves the file alone on a system with another C library
    nodeGyp: path.join(__dirname, 'cmake-gyp.js'),
  },
  (error) => {
    if (error) throw error;
    for (const name of fs.readdirSync(outDir)) {
      const file = path.join(outDir, name);
      console.log(
        `${(fs.statSync(file).size / 1e6).toFixed(2).padStart(8)} MB  ${path.relative(root, file)}`,
      );
    }
  },
);
