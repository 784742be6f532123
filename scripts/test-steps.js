'use strict';
// The steps of `npm test`. Each returns { passed, failed } or throws; each is one of the runners below.
const { spawn, execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const jobs = String(os.availableParallelism());
const bin = (name) => path.join(root, 'node_modules', '.bin', name);

function exec(command, args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ?? code));
  });
}

/** A check without a report of its own: it passes when the command succeeds. */
async function check(command, args, options) {
  const status = await exec(command, args, options);
  if (status !== 0) console.error(`${path.basename(command)} ended with ${status}`);
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function mustRun(command, args, options) {
  const status = await exec(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
}

/** Runs jest and counts from its JSON report. A file that did not even load counts as one failure. */
async function jest({ reportDir }, name, args, options) {
  const report = path.join(reportDir, `${name}.json`);
  await exec(process.execPath, [bin('jest'), '--json', `--outputFile=${report}`, ...args], options);
  if (!fs.existsSync(report)) throw new Error('jest ended without writing its report');
  const result = JSON.parse(fs.readFileSync(report, 'utf8'));
  if (result.numTotalTests + result.numRuntimeErrorTestSuites === 0) throw new Error('jest found no tests');
  return { passed: result.numPassedTests, failed: result.numFailedTests + result.numRuntimeErrorTestSuites };
}

/** Runs ctest in a build folder and counts from its JUnit report. */
async function ctest({ reportDir }, name, buildDir, options) {
  const report = path.join(reportDir, `${name}.xml`);
  await exec(
    'ctest',
    [
      '--test-dir',
      buildDir,
      '--output-on-failure',
      '--no-tests=error',
      '-Q',
      '-j',
      jobs,
      '--output-junit',
      report,
    ],
    options,
  );
  if (!fs.existsSync(report)) throw new Error('ctest ended without writing its report');
  const suite = /<testsuite\b[^>]*>/.exec(fs.readFileSync(report, 'utf8'))?.[0] ?? '';
  const count = (key) => Number(new RegExp(`\\b${key}="(\\d+)"`).exec(suite)?.[1]);
  const [tests, failures, disabled, skipped] = ['tests', 'failures', 'disabled', 'skipped'].map(count);
  if (!(tests > 0)) throw new Error('ctest found no tests');
  if (failures > 0) console.error(fs.readFileSync(report, 'utf8'));
  return { passed: tests - failures - disabled - skipped, failed: failures };
}

/** Runs a GoogleTest program by itself and counts from its report. */
async function gtest({ reportDir }, name, program, options) {
  const report = path.join(reportDir, `${name}.xml`);
  const status = await exec(
    path.join(root, program),
    ['--gtest_brief=1', `--gtest_output=xml:${report}`],
    options,
  );
  if (!fs.existsSync(report)) throw new Error(`${program} ended with ${status} before it wrote its report`);
  const xml = fs.readFileSync(report, 'utf8');
  const [all] = /<testsuites\b[^>]*>/.exec(xml) ?? [''];
  const count = (key) => Number(new RegExp(`\\b${key}="(\\d+)"`).exec(all)?.[1]);
  const [tests, failures, errors, disabled] = ['tests', 'failures', 'errors', 'disabled'].map(count);
  if (!(tests > 0)) throw new Error(`${program} has no tests`);
  const skipped = xml.match(/result="skipped"/g)?.length ?? 0;
  // A sanitizer may find something after the last test, when the process ends.
  const atExit = status !== 0 && failures + errors === 0 ? 1 : 0;
  if (atExit > 0) console.error(`${program} ended with ${status}`);
  return { passed: tests - failures - errors - disabled - skipped, failed: failures + errors + atExit };
}

function sum(...counts) {
  return {
    passed: counts.reduce((total, c) => total + c.passed, 0),
    failed: counts.reduce((total, c) => total + c.failed, 0),
  };
}

/** Further targets of the main build. */
const buildTargets = (...targets) =>
  mustRun('cmake', ['--build', 'build', '--parallel', jobs, '--target', ...targets]);

/** Configures a second build, laid out so that SCONCE_PREBUILD can point the loader at it. */
function configure(dir, options) {
  const library = path.join(root, dir, 'build', 'Release');
  return mustRun('cmake', [
    ...['-S', root, '-B', path.join(root, dir), '-G', 'Ninja', '-DSCONCE_CUDA=OFF', '-DSCONCE_TESTS=ON'],
    ...[`-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${library}`, '-DCMAKE_CXX_COMPILER_LAUNCHER=ccache', ...options],
  ]);
}

/** Builds with a sanitizer, for one vector target: that halves the time, and what it checks is the same. */
async function sanitizedBuild(dir, sanitizer, ...targets) {
  await configure(dir, ['-DCMAKE_BUILD_TYPE=None', '-DSCONCE_DEV=ON', `-DSCONCE_SANITIZE=${sanitizer}`]);
  await mustRun('cmake', ['--build', dir, '--parallel', jobs, '--target', ...targets]);
}

function sourceFiles(...patterns) {
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...patterns], { cwd: root });
  return list
    .toString()
    .split('\n')
    .filter((file) => file !== '' && fs.existsSync(path.join(root, file)));
}

/** Set-up has just written lib/generated anew: it must be what is staged or committed. */
async function generatedIsCurrent() {
  if (sourceFiles('lib/generated/*').length === 0) throw new Error('lib/generated is not checked in');
  return check('git', ['diff', '--exit-code', '--stat', '--', 'lib/generated']);
}

/** clang-tidy on each C++ file of a build for one vector target, as many at a time as there are cores. */
async function clangTidy() {
  const dir = 'build-tidy';
  await configure(dir, ['-DSCONCE_DEV=ON']);
  const compiled = new Set(
    JSON.parse(fs.readFileSync(path.join(root, dir, 'compile_commands.json'), 'utf8')).map((entry) =>
      path.relative(root, path.resolve(entry.directory, entry.file)),
    ),
  );
  // The largest first, so that none is left to run alone at the end.
  const size = (file) => fs.statSync(path.join(root, file)).size;
  const files = sourceFiles('csrc/*.cc', 'binding/*.cc')
    .filter((file) => compiled.has(file))
    .sort((a, b) => size(b) - size(a));
  if (files.length === 0) throw new Error('compile_commands.json names none of the C++ files');
  // clang takes OpenMP's header from g++, after its own headers, and without an attribute it does not know.
  const openmp = execFileSync('g++', ['-print-file-name=include'], { encoding: 'utf8' }).trim();
  // The analyzer's default budget per function is eleven times this: in kernels made of templates it takes a minute a file.
  const analyzer = ['-Xclang', '-analyzer-config', '-Xclang', 'max-nodes=20000'];
  const args = [`-idirafter${openmp}`, '-D__malloc__(f)=__malloc__', ...analyzer].map(
    (arg) => `--extra-arg=${arg}`,
  );
  let failures = 0;
  const worker = async () => {
    for (let file = files.shift(); file !== undefined; file = files.shift()) {
      if ((await exec('clang-tidy-19', ['-p', dir, '--quiet', ...args, file])) !== 0) failures++;
    }
  };
  const total = files.length;
  await Promise.all(Array.from({ length: Number(jobs) }, worker));
  return { passed: total - failures, failed: failures };
}

const resolveSanitizer = (name) =>
  fs.realpathSync(execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim());

module.exports = [
  {
    name: 'format',
    about: 'prettier and clang-format',
    quick: true,
    run: () => check(process.execPath, ['scripts/format.js']),
  },
  { name: 'lint', about: 'eslint', quick: true, run: () => check(bin('eslint'), ['.']) },
  {
    name: 'typecheck',
    about: 'tsc',
    quick: true,
    run: () => check(bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']),
  },
  {
    name: 'generated',
    about: 'lib/generated is what the registry says',
    quick: true,
    run: generatedIsCurrent,
  },
  { name: 'core', about: 'C++ tests', quick: true, run: (ci) => ctest(ci, 'core', 'build') },
  { name: 'jest', about: 'TypeScript tests', quick: true, run: (ci) => jest(ci, 'jest', []) },
  { name: 'tidy', about: 'clang-tidy', run: clangTidy },
  {
    name: 'system',
    about: 'memory loops, the packed tarball, the quickstart',
    run: (ci) => jest(ci, 'system', ['--config', 'jest.system.config.js', '--runInBand']),
  },
  {
    name: 'portable',
    about: 'without oneDNN: C++ tests, and the TypeScript tests of what oneDNN would serve',
    run: async (ci) => {
      await buildTargets('sconce_portable', 'sconce_portable_tests');
      const addon = path.join(root, 'build/portable/build/Release/sconce.node');
      if (execFileSync('ldd', [addon]).includes('libdnnl')) throw new Error(`${addon} needs oneDNN`);
      const files = ['matmul', 'conv', 'kernels', 'attention'].map((family) => `test/ops/${family}.test`);
      return sum(
        await gtest(ci, 'portable-core', 'build/sconce_portable_tests'),
        await jest(ci, 'portable-jest', [...files, 'test/nn'], {
          env: { SCONCE_PREBUILD: path.join(root, 'build/portable') },
        }),
      );
    },
  },
  {
    name: 'cuda-host',
    about: 'the bodies of the CUDA kernels, compiled for the host: operator tests on the fake device',
    run: async (ci) => {
      await buildTargets('sconce_cuda_host', 'sconce_test_cublas');
      const library = (name) => path.join(root, 'build/host_run', `lib${name}.so`);
      const kernels = { SCONCE_FAKE_KERNELS: library('sconce_cuda_host') };
      // The samples of dropout2d hold the CPU's random numbers; CUDA's stream is its own.
      const onDevice = ['-t', '^(?!.*dropout2d).*on another device'];
      return sum(
        await jest(ci, 'cuda-host', ['test/ops', ...onDevice], { env: { ...kernels, SCONCE_CUBLAS: 'off' } }),
        await jest(ci, 'cuda-host-device', ['test/device'], { env: kernels }),
        await jest(ci, 'cuda-host-cublas', ['test/ops/matmul', 'test/ops/conv', ...onDevice], {
          env: { ...kernels, SCONCE_CUBLAS: library('sconce_test_cublas') },
        }),
      );
    },
  },
  {
    name: 'asan',
    about: 'AddressSanitizer and UndefinedBehaviorSanitizer: C++ tests and operator tests',
    run: async (ci) => {
      await sanitizedBuild('build-asan', 'address', 'sconce_tests', 'sconce');
      const UBSAN_OPTIONS = 'print_stacktrace=1:halt_on_error=1';
      // Differences repeat, thousands of times, calls that other tests make once.
      const once = ['-t', '^(?!.*agrees with central differences)'];
      return sum(
        await gtest(ci, 'asan-core', 'build-asan/sconce_tests', {
          env: { ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS },
        }),
        await jest(ci, 'asan-jest', ['--maxWorkers', jobs, 'test/ops', 'test/autograd', ...once], {
          env: {
            SCONCE_PREBUILD: path.join(root, 'build-asan'),
            LD_PRELOAD: resolveSanitizer('libasan.so'),
            // Node itself does not free everything when it ends.
            ASAN_OPTIONS: 'detect_leaks=0',
            UBSAN_OPTIONS,
          },
        }),
      );
    },
  },
  {
    name: 'tsan',
    about: 'ThreadSanitizer: C++ tests',
    run: async (ci) => {
      await sanitizedBuild('build-tsan', 'thread', 'sconce_tests');
      return gtest(ci, 'tsan-core', 'build-tsan/sconce_tests', { env: { TSAN_OPTIONS: 'halt_on_error=1' } });
    },
  },
];
