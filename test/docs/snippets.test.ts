/** Every snippet of the guides does what it says. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import torch, * as sconce from '../../lib';
import * as testing from '../../lib/testing';
import { run_section, sections_of } from './snippets';

const docs = path.join(__dirname, '..', '..', 'docs');
const modules = { sconce: { __esModule: true, ...sconce, default: torch }, 'sconce/testing': testing };
const { nn, optim, autograd } = torch;

/** Guides whose snippets are whole programs. */
const guides = ['autograd.md', 'testing.md'].map((name) => ({
  name,
  sections: sections_of(readFileSync(path.join(docs, name), 'utf8')),
}));

describe.each(guides)('docs/$name', ({ sections }) => {
  test.each(sections)('$title', async (section) => {
    torch.manual_seed(0);
    // What a snippet warns of is for its reader.
    const warnings = [jest.spyOn(console, 'warn'), jest.spyOn(process, 'emitWarning')];
    for (const spy of warnings) spy.mockImplementation(() => undefined);
    const claims = await run_section(section, { torch, nn, optim, autograd }, modules);
    for (const spy of warnings) spy.mockRestore();
    expect(claims.map(({ source, actual }) => ({ source, text: actual }))).toEqual(
      claims.map(({ source, expected }) => ({ source, text: expected })),
    );
  });
});

describe('a snippet fails', () => {
  const run = (code: string) => run_section({ title: '', code }, { torch }, modules);
  const differs = async (code: string): Promise<boolean> =>
    (await run(code)).some(({ expected, actual }) => expected !== actual);

  test('when a value, a printed line or a message is another', async () => {
    expect(await differs('torch.ones(2); // => tensor([1., 1.])')).toBe(false);
    expect(await differs('torch.ones(2); // => tensor([1., 2.])')).toBe(true);
    expect(await differs('const x = 3; // => 4')).toBe(true);
    expect(await differs("console.log('a'); // prints: a\n// b")).toBe(true);
    expect(await differs("console.log('a');")).toBe(true);
    expect(await differs("throw new Error('a'); // throws: b")).toBe(true);
    expect(await differs("throw new Error('abc'); // throws: ab...")).toBe(false);
    expect(await differs('torch.ones(2); // throws: something')).toBe(true);
  });

  test('when it throws, or imports what there is not', async () => {
    await expect(run("throw new Error('a')")).rejects.toThrow('a');
    await expect(run("import x from 'elsewhere'; x();")).rejects.toThrow('a snippet imports elsewhere');
  });
});
