'use strict';
// Compiles lib/ to dist/cjs (CommonJS and declarations) and writes the ES module entries in dist/esm: thin
// wrappers around the CommonJS files, so that one process holds one copy of every class whichever way it is loaded.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const esmDir = path.join(root, 'dist', 'esm');
/** dist/esm name -> dist/cjs module */
const ENTRIES = {
  index: 'index',
  vision: 'vision/index',
  safetensors: 'safetensors',
  testing: 'testing/index',
};

/** Modules that export nothing and run only under a test runner. */
const SIDE_EFFECTS = ['testing/jest'];

/** A listed name that JavaScript reserves (`torch.var`) can be exported, but not declared. */
function isDeclarable(name) {
  try {
    new Function(`'use strict'; const ${name} = 0;`);
    return true;
  } catch {
    return false;
  }
}

function writeEsmEntry(entry, cjsModule) {
  const cjs = `../cjs/${cjsModule}.js`;
  const exported = Object.keys(require(path.join(esmDir, cjs)));
  const hasDefault = exported.includes('default');
  const names = exported.filter((n) => n !== 'default' && n !== '__esModule');
  const plain = names.filter(isDeclarable);
  const reserved = names.filter((n) => !isDeclarable(n));
  fs.writeFileSync(
    path.join(esmDir, `${entry}.mjs`),
    [
      // By require: an import would first have every file searched for the names it exports, a third of the loading time.
      `import { createRequire } from 'node:module';`,
      `const cjs = createRequire(import.meta.url)('${cjs}');`,
      ...(hasDefault ? ['export default cjs;'] : []),
      `export const { ${plain.join(', ')} } = cjs;`,
      ...reserved.map((n) => `const ${n}_ = cjs['${n}'];\nexport { ${n}_ as ${n} };`),
      '',
    ].join('\n'),
  );
  fs.writeFileSync(
    path.join(esmDir, `${entry}.d.mts`),
    `export * from '${cjs}';\n${hasDefault ? `export { default } from '${cjs}';\n` : ''}`,
  );
}

function writeEsmSideEffect(entry) {
  const cjs = `${'../'.repeat(entry.split('/').length)}cjs/${entry}.js`;
  const file = path.join(esmDir, entry);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(
    `${file}.mjs`,
    `import { createRequire } from 'node:module';\ncreateRequire(import.meta.url)('${cjs}');\n`,
  );
  fs.writeFileSync(`${file}.d.mts`, `import '${cjs}';\n`);
}

function newestMtime(dir) {
  let newest = 0;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true, recursive: true })) {
    if (entry.isFile())
      newest = Math.max(newest, fs.statSync(path.join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  }
  return newest;
}

/** Whether dist is newer than everything it is made from. */
function isDistFresh() {
  const last = path.join(esmDir, `${Object.keys(ENTRIES).at(-1)}.d.mts`);
  if (!fs.existsSync(last)) return false;
  const made = fs.statSync(last).mtimeMs;
  const configs = ['tsconfig.json', 'tsconfig.build.json', 'scripts/build-ts.js'];
  return (
    newestMtime(path.join(root, 'lib')) < made &&
    configs.every((file) => fs.statSync(path.join(root, file)).mtimeMs < made)
  );
}

function buildTs() {
  fs.rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  const tsc = require.resolve('typescript/bin/tsc', { paths: [root] });
  // Comments belong into the declarations; in the JavaScript they would be a third of what is installed.
  for (const options of [
    ['--removeComments', '--declaration', 'false'],
    ['--emitDeclarationOnly', '--noCheck'],
  ]) {
    const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...options], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) process.exit(status ?? 1);
  }
  fs.mkdirSync(esmDir, { recursive: true });
  for (const [entry, cjsModule] of Object.entries(ENTRIES)) writeEsmEntry(entry, cjsModule);
  for (const entry of SIDE_EFFECTS) writeEsmSideEffect(entry);
}

module.exports = { isDistFresh };
if (require.main === module) buildTs();
