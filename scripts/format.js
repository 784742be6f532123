'use strict';
// Formats (--write) or checks every file: prettier for TypeScript, JavaScript and JSON, clang-format for C++ and CUDA.
const { execFileSync, spawnSync } = require('node:child_process');
const path = require('node:path');

const root = path.join(__dirname, '..');
const write = process.argv.includes('--write');

// The version is part of the name: clang-format's output differs between major versions.
const CLANG_FORMAT = 'clang-format-19';

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

const prettier = path.join(path.dirname(require.resolve('prettier/package.json')), 'bin', 'prettier.cjs');
const scriptsOk = run(process.execPath, [prettier, write ? '--write' : '--check', '--log-level=warn', '.']);

const sources = execFileSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', '*.cc', '*.h', '*.cu', '*.cuh'],
  {
    cwd: root,
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter(Boolean);
const nativeOk =
  sources.length === 0 || run(CLANG_FORMAT, [...(write ? ['-i'] : ['--dry-run', '-Werror']), ...sources]);

process.exit(scriptsOk && nativeOk ? 0 : 1);
