// Writes lib/generated/ops.ts from the native registry: one documented, typed function per operator form. Run by `npm run generate`;
// CI checks that the result is what is committed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import load from 'node-gyp-build';
import { parseSignature, type Param, type Signature } from '../lib/signature';

const FUNCTION = 1;
const METHOD = 2;
const IN_PLACE = 4;
const NN = 16;
const WRITES_SELF = 64;
const INTERNAL = 128;
const RANDOM = 256;

interface Row {
  key: string;
  signature: string;
  flags: number;
  doc: string;
}
const root = join(__dirname, '..');
const native = load(root) as { registry(): Row[] };

const TYPES: Record<string, string> = {
  Tensor: 'Tensor',
  'Tensor[]': 'Tensor[]',
  'Tensor?[]': '(Tensor | null)[]',
  Scalar: 'Scalar',
  'Scalar[]': 'Scalar[]',
  int: 'number',
  'int[]': 'number[]',
  float: 'number',
  'float[]': 'number[]',
  bool: 'boolean',
  str: 'string',
  ScalarType: 'DType',
  Device: 'DeviceLike',
  MemoryFormat: 'MemoryFormat',
  Generator: 'GeneratorLike',
};
const RESERVED = new Set([
  'this',
  'function',
  'in',
  'var',
  'new',
  'default',
  'from',
  'delete',
  'with',
  'null',
  'true',
  'false',
]);
const safe = (n: string): string => (RESERVED.has(n) ? `${n}_` : n);

const tsType = (p: Param): string => {
  let t = TYPES[p.type];
  if (!t) throw new Error(`no TypeScript type for ${p.type}`);
  if (p.listSize > 0) t += ' | number';
  if (p.optional) t += ' | null';
  return t;
};

function returnType(s: Signature): string {
  const r = s.returns;
  if (r === 'Tensor' || r === 'Tensor[]') return r;
  if (r === 'bool') return 'boolean';
  if (r === 'int' || r === 'float') return 'number';
  if (r === 'int[]') return 'number[]';
  if (r === 'Scalar') return 'number | bigint | boolean';
  if (r === '()' || r === 'None') return 'void';
  const parts = r.slice(1, -1).split(/,\s*/);
  const tuple = `[${parts.map((p) => TYPES[p.split(' ')[0]]).join(', ')}]`;
  if (!s.returnNames) return tuple;
  return `${tuple} & { ${s.returnNames.map((n) => `readonly ${n}: Tensor`).join('; ')} }`;
}

/** The TypeScript declarations of one overload: by position with the rest as keywords. */
function declarations(s: Signature, self: boolean): string[] {
  const params = self ? s.params.slice(1) : s.params;
  const positional = params.filter((p) => !p.keywordOnly);
  const optional = (p: Param): boolean => p.default !== undefined || p.optional;
  const required = positional.filter((p) => !optional(p));
  const requires_grad = {
    name: 'requires_grad',
    type: 'bool',
    optional: false,
    keywordOnly: true,
    listSize: 0,
  };
  const keyed = params.filter((p) => p.keywordOnly || optional(p));
  if (s.factory) keyed.push({ ...requires_grad, default: 'False' });
  const one = (p: Param, q = optional(p)): string => `${safe(p.name)}${q ? '?' : ''}: ${tsType(p)}`;
  const options = keyed.length
    ? `options?: { ${keyed.map((p) => `${p.name}?: ${tsType(p)}`).join('; ')} }`
    : '';
  const out: string[] = [];
  // All by position; keyword-only ones in the trailing object.
  const kw = keyed.filter((p) => p.keywordOnly);
  const tail = kw.length ? [`options?: { ${kw.map((p) => `${p.name}?: ${tsType(p)}`).join('; ')} }`] : [];
  out.push([...positional.map((p) => one(p)), ...tail].join(', '));
  if (s.variadic) out.push(`...${params[0].name}: Tensor[]`);
  // Required ones by position, the rest by name.
  if (keyed.length > kw.length) out.push([...required.map((p) => one(p, false)), options].join(', '));
  // Some of the optional ones by position, the others by name.
  for (let n = 1; n < positional.length - required.length; ++n) {
    const [given, named] = [positional.slice(0, required.length + n), positional.slice(required.length + n)];
    if (given.slice(0, required.length).some((p) => optional(p))) break;
    const rest = [...named, ...kw].map((p) => `${p.name}?: ${tsType(p)}`).join('; ');
    out.push([...given.map((p) => one(p, false)), `options: { ${rest} }`].join(', '));
  }
  // Everything by name.
  if (required.length > 0 && self)
    out.push(
      `options: { ${params.map((p) => `${p.name}${optional(p) ? '?' : ''}: ${tsType(p)}`).join('; ')} }`,
    );
  // Sizes as separate numbers.
  const list = positional.findIndex((p) => p.type === 'int[]');
  if (list >= 0 && list === positional.length - 1 && positional[list].listSize === 0) {
    const before = positional.slice(0, list).map((p) => one(p, false));
    out.push([...before, `...${safe(positional[list].name)}: number[]`].join(', '));
    if (kw.length) {
      for (let n = 1; n <= 5; ++n) {
        const sizes = Array.from({ length: n }, (_, i) => `${safe(positional[list].name)}${i}: number`);
        out.push([...before, ...sizes, ...tail.map((t) => t.replace('options?', 'options'))].join(', '));
      }
    }
  }
  return out;
}

const comment = (doc: string, indent: string): string =>
  doc.trim() === ''
    ? ''
    : `${indent}/**\n${doc
        .trim()
        .split('\n')
        .map((l) => `${indent} * ${l}`.trimEnd())
        .join('\n')
        .replace(/\*\//g, '*\\/')
        .replace(
          /@example\n((?: *\* .*\n?)*)/g,
          (_m, code: string) => `@example\n${indent} * \`\`\`ts\n${code.trimEnd()}\n${indent} * \`\`\``,
        )}\n${indent} */\n`;

interface Group {
  name: string;
  rows: (Row & { sig: Signature })[];
}
const groups = new Map<string, Group>();
for (const row of native.registry()) {
  const sig = parseSignature(row.signature);
  const g = groups.get(sig.name) ?? { name: sig.name, rows: [] };
  g.rows.push({ ...row, sig });
  groups.set(sig.name, g);
}
// Overloads on tensors before those on numbers; otherwise as the registry has them.
for (const g of groups.values()) {
  const rank = (s: Signature): number =>
    s.params.filter((p) => p.type === 'Scalar' && p.default === undefined).length;
  // A single number is an int before it is a list of sizes with one entry.
  const lists = (s: Signature): number => s.params.filter((p) => p.type === 'int[]').length;
  g.rows.sort((a, b) => rank(a.sig) - rank(b.sig) || lists(a.sig) - lists(b.sig));
}

/** The quick way: every argument is a tensor given by position, and the rest of the parameters have defaults. */
function quick(
  rows: Group['rows'],
  inPlace: boolean,
): { fn: string; tensors: number; scalarFn: string | null } | null {
  const first = rows[0].sig;
  let n = 0;
  while (
    n < first.params.length &&
    first.params[n].type === 'Tensor' &&
    !first.params[n].optional &&
    first.params[n].default === undefined
  )
    ++n;
  const rest = first.params.slice(n);
  if (
    n === 0 ||
    n > 3 ||
    rest.some((p) => p.default === undefined && !p.optional) ||
    first.returns !== 'Tensor'
  )
    return null;
  const number = rows.find(
    ({ sig }) =>
      n === 2 &&
      sig.returns === 'Tensor' &&
      sig.params.length >= 2 &&
      sig.params[0].type === 'Tensor' &&
      sig.params[1].type === 'Scalar' &&
      sig.params.slice(2).every((p) => p.default !== undefined),
  );
  const bind = (key: string): string => `native.op('${key}'${inPlace ? ', true' : ''})!`;
  return { fn: bind(first.key), tensors: n, scalarFn: number ? bind(number.sig.key) : null };
}

const consts: string[] = [];
const functions: string[] = [];
const methodTypes: string[] = [];
const methodImpl: string[] = [];
const nnNames: string[] = [];
const torchNames: string[] = [];

function emit(g: Group, rows: Group['rows'], form: 'function' | 'method' | 'in-place'): void {
  const inPlace = form === 'in-place';
  const mutates = inPlace || (form === 'method' && rows.some((r) => r.flags & WRITES_SELF));
  const name = inPlace ? `${g.name}_` : g.name;
  const id = `${form === 'function' ? 'f' : form === 'method' ? 'm' : 'i'}_${g.name}`;
  const doc = rows.map((r) => r.doc).find((d) => d.trim() !== '') ?? '';
  const text = comment(
    inPlace ? `In-place version of {@link ${g.name}}: writes the result into this tensor.` : doc,
    form === 'function' ? '' : '  ',
  );
  const signatures = `[${rows.map((r) => `\n  ${JSON.stringify(r.signature)},`).join('')}\n]`;
  // A method that has fewer overloads than the function gets a binding of its own.
  const shared = `op_${g.name}${inPlace ? '_' : ''}`;
  const bindingOf = (opName: string): string =>
    `let ${opName}: Op | undefined;\nconst get_${opName} = (): Op =>\n  (${opName} ??= bindOp('${name}', ${signatures}${inPlace ? ', true' : ''}));`;
  const taken = consts.some((c) => c.startsWith(`let ${shared}:`) && c !== bindingOf(shared));
  const opName = taken ? `${shared}_as_${form}` : shared;
  const line = bindingOf(opName);
  if (!consts.includes(line)) consts.push(line);
  const q = quick(rows, inPlace);
  const self = form === 'function' ? '' : 'this';
  let body = '';
  if (q) {
    const names = ['a', 'b', 'c'].slice(0, q.tensors);
    const args = form === 'function' ? names : [self, ...names.slice(0, -1)];
    const checked = form === 'function' ? names : names.slice(0, -1);
    const count = checked.length;
    // A batched tensor (lib/func) has no handle, and what draws random numbers asks the running `vmap` how.
    const native_args = args.map((a) => `${a}._h !== undefined`);
    const guard = rows.some((r) => r.flags & RANDOM) ? ['interception.vmaps === 0'] : [];
    const condition = [
      `arguments.length === ${count}`,
      ...checked.map((a) => `${a} instanceof Tensor`),
      ...native_args,
      ...guard,
    ].join(' && ');
    const finish = (call: string): string =>
      mutates ? `${call};\n    return this;` : `return new Tensor(${call} as Handle);`;
    consts.push(`let n_${id}: NativeFunction | undefined;`);
    body += `  if (${condition}) {\n    try {\n      ${finish(`(n_${id} ??= ${q.fn})(${args.map((a) => `${a}._h`).join(', ')})`)}\n    } catch (e) {\n      rethrow(e);\n    }\n  }\n`;
    if (q.scalarFn) {
      const last = checked[count - 1];
      consts.push(`let s_${id}: NativeFunction | undefined;`);
      const selfCheck = form === 'function' ? ` && ${args[0]} instanceof Tensor` : '';
      body += `  if (arguments.length === ${count} && typeof ${last} === 'number'${selfCheck} && ${args[0]}._h !== undefined) {\n    try {\n      ${finish(`(s_${id} ??= ${q.scalarFn})(${args[0]}._h, ${last})`)}\n    } catch (e) {\n      rethrow(e);\n    }\n  }\n`;
    }
    const params = checked.map((c) => `${c}?: any`).join(', ');
    if (form === 'function') {
      writeFunction(params, `${body}  return callOp(get_${opName}(), Array.from(arguments));\n`);
    } else {
      writeMethod(params, body, mutates);
    }
  } else if (form === 'function') {
    writeFunction('...args: any[]', `  return callOp(get_${opName}(), args);\n`);
  } else {
    writeMethod('...args: any[]', '', mutates);
  }

  function writeFunction(params: string, code: string): void {
    // JavaScript cannot declare `var`, but it can export it.
    const exported = RESERVED.has(name) ? '' : 'export ';
    const decls = rows.flatMap((r) =>
      declarations(r.sig, false).map((d) => `${exported}function ${safe(name)}(${d}): ${returnType(r.sig)};`),
    );
    functions.push(
      `${text}${[...new Set(decls)].join('\n')}\n${exported}function ${safe(name)}(${params}): any {\n${code}}\n` +
        (exported ? '' : `export { ${safe(name)} as ${name} };\n`),
    );
  }
  function writeMethod(params: string, code: string, mutates: boolean): void {
    const ret = (s: Signature): string => (mutates ? 'this' : returnType(s));
    const decls = rows.flatMap((r) =>
      declarations(r.sig, true).map((d) => `  ${name}(${d}): ${ret(r.sig)};`),
    );
    methodTypes.push(`${text}${[...new Set(decls)].join('\n')}`);
    const all = params.startsWith('...') ? '...args' : '...Array.from(arguments)';
    const call = mutates
      ? `callOp(get_${opName}(), [this, ${all}]);\n  return this;`
      : `return callOp(get_${opName}(), [this, ${all}]);`;
    methodImpl.push(
      `P.${name} = function (this: Tensor${params ? `, ${params}` : ''}): any {\n${code}  ${call}\n};`,
    );
  }
}

for (const g of [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
  const withFlag = (f: number): Group['rows'] => g.rows.filter((r) => r.flags & f);
  const fn = g.rows.filter((r) => r.flags & (FUNCTION | NN | INTERNAL));
  // The binding of a method covers the rows that are methods; most groups are both.
  if (fn.length) {
    emit(g, fn, 'function');
    if (fn.some((r) => r.flags & FUNCTION)) torchNames.push(g.name);
    if (fn.some((r) => r.flags & NN)) nnNames.push(g.name);
  }
  if (withFlag(METHOD).length) emit({ ...g, rows: withFlag(METHOD) }, withFlag(METHOD), 'method');
  if (withFlag(IN_PLACE).length) emit({ ...g, rows: withFlag(IN_PLACE) }, withFlag(IN_PLACE), 'in-place');
}

const header = '// Generated by scripts/generate.ts from the operator registry. Do not edit.\n';
const types = `import type { DeviceLike, GeneratorLike, MemoryFormat, Scalar } from '../types';\nimport type { DType } from '../dtype';\n`;
const out = join(root, 'lib', 'generated');
mkdirSync(out, { recursive: true });
writeFileSync(
  join(out, 'ops.ts'),
  `${header}/* eslint-disable */
// prettier-ignore
import { bindOp, callOp, type Op } from '../dispatch';
import { rethrow } from '../errors';
import { interception } from '../interception';
import { native, type Handle, type NativeFunction } from '../native';
import { Tensor } from '../tensor';
${types}
${[...new Set(consts)].join('\n')}

${functions.join('\n')}
// ---- methods ----
const P = Tensor.prototype as any;
${methodImpl.join('\n')}
`,
);
writeFileSync(
  join(out, 'methods.ts'),
  `${header}/* eslint-disable */\nimport type { Tensor } from '../tensor';\n${types}
/** The operators that are methods of Tensor. */
export interface TensorMethods {
${methodTypes.join('\n')}
}
`,
);
writeFileSync(
  join(out, 'names.ts'),
  `${header}/** Operators under \`torch\`. */
export const TORCH_NAMES = ${JSON.stringify(torchNames, null, 2)} as const;
/** Operators under \`torch.nn.functional\`. */
export const FUNCTIONAL_NAMES = ${JSON.stringify(nnNames, null, 2)} as const;
`,
);
writeFileSync(
  join(out, 'functional.ts'),
  `${header}/** The registered operators of \`torch.nn.functional\`. */\nexport {\n${nnNames.map((n) => `  ${n},\n`).join('')}} from './ops';\n`,
);
console.log(`${groups.size} operators: ${functions.length} functions, ${methodImpl.length} methods`);
