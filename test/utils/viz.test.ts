/** torch.utils.viz.make_dot draws what torchviz draws. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import torch, { type Tensor } from '../../lib';

const { nn } = torch;
const { make_dot } = torch.utils.viz;

interface Box {
  label: string;
  color: string;
}

/** The statements of a source: boxes by their id, and edges between labels. */
function parse(source: string): { boxes: Map<string, Box>; edges: string[] } {
  const boxes = new Map<string, Box>();
  const edges: [string, string, string][] = [];
  const [head, graph, node, ...rest] = source.trimEnd().split('\n');
  expect(head).toBe('digraph {');
  expect(graph).toMatch(/^\tgraph \[size="[\d.]+,[\d.]+"\]$/);
  expect(node).toBe(
    '\tnode [align=left fontname=monospace fontsize=10 height=0.2 ranksep=0.1 shape=box style=filled]',
  );
  expect(rest.pop()).toBe('}');
  for (const line of rest) {
    const box = /^\t(n\d+) \[label=("(?:[^"\\]|\\.)*")(?: fillcolor=(\w+))?\]$/.exec(line);
    const edge = /^\t(n\d+) -> (n\d+)(?: \[(.+)\])?$/.exec(line);
    if (box) boxes.set(box[1], { label: JSON.parse(box[2]) as string, color: box[3] ?? 'grey' });
    else if (edge) edges.push([edge[1], edge[2], edge[3] ?? '']);
    else throw new Error(`what is this? ${line}`);
  }
  const label = (id: string): string => boxes.get(id)?.label.replace('\n', '') as string;
  return {
    boxes,
    edges: edges.map(([a, b, how]) => `${label(a)} -> ${label(b)}${how === '' ? '' : ` [${how}]`}`),
  };
}

const labels = (source: string, color: string): string[] =>
  [...parse(source).boxes.values()].filter((box) => box.color === color).map(({ label }) => label);

test('a linear layer and its loss', () => {
  const net = new nn.Linear(3, 1);
  const loss = net(torch.ones(2, 3)).pow(2).mean();
  const dot = make_dot(loss, { params: net.named_parameters() });
  expect(String(dot)).toBe(dot.source);
  expect(labels(dot.source, 'darkolivegreen1')).toEqual(['\n ()']);
  expect(labels(dot.source, 'lightblue').sort()).toEqual(['bias\n (1)', 'weight\n (1, 3)']);
  expect(parse(dot.source).edges.sort()).toEqual(
    [
      'MeanBackward0 ->  ()',
      'PowBackward0 -> MeanBackward0',
      'AddmmBackward0 -> PowBackward0',
      'AccumulateGrad -> AddmmBackward0',
      'bias (1) -> AccumulateGrad',
      'TBackward0 -> AddmmBackward0',
      'AccumulateGrad -> TBackward0',
      'weight (1, 3) -> AccumulateGrad',
    ].sort(),
  );
  expect(labels(dot.source, 'grey').sort()).toEqual(
    [
      'AccumulateGrad',
      'AccumulateGrad',
      'AddmmBackward0',
      'MeanBackward0',
      'PowBackward0',
      'TBackward0',
    ].sort(),
  );
});

test('the source is the same for the same graph', () => {
  const x = torch.ones(2, { requires_grad: true });
  expect(make_dot(x.mul(x).sum()).source).toBe(
    [
      'digraph {',
      '\tgraph [size="12,12"]',
      '\tnode [align=left fontname=monospace fontsize=10 height=0.2 ranksep=0.1 shape=box style=filled]',
      '\tn0 [label="\\n ()" fillcolor=darkolivegreen1]',
      '\tn1 [label="SumBackward0"]',
      '\tn2 -> n1',
      '\tn2 [label="MulBackward0"]',
      '\tn3 -> n2',
      '\tn4 [label="\\n (2)" fillcolor=lightblue]',
      '\tn4 -> n3',
      '\tn3 [label="AccumulateGrad"]',
      '\tn3 -> n2',
      '\tn1 -> n0',
      '}',
      '',
    ].join('\n'),
  );
});

test('names come as an object, a map or pairs', () => {
  const w = torch.ones(2, { requires_grad: true });
  const y = w.mul(2);
  for (const params of [{ 'a "w"': w }, new Map([['a "w"', w]]), [['a "w"', w]] as const]) {
    expect(labels(make_dot(y, { params }).source, 'lightblue')).toEqual(['a "w"\n (2)']);
  }
  expect(labels(make_dot(y, { w }).source, 'lightblue')).toEqual(['w\n (2)']);
  expect(labels(make_dot(y, { y }).source, 'darkolivegreen1')).toEqual(['y\n (2)']);
});

test('several results share what they have in common', () => {
  const x = torch.ones(2, { requires_grad: true });
  const h = x.exp();
  const { source } = make_dot([h.sum(), h.mean()]);
  expect(labels(source, 'darkolivegreen1')).toHaveLength(2);
  expect(labels(source, 'grey').filter((name) => name === 'ExpBackward0')).toHaveLength(1);
});

test('a view is tied to its base', () => {
  const base = torch.ones(2, 3, { requires_grad: true }).mul(1);
  const view = base.select(0, 0);
  const { source } = make_dot(view, { params: { view, base } });
  expect(labels(source, 'darkolivegreen3')).toEqual(['base\n (2, 3)']);
  expect(parse(source).edges).toContain('base (2, 3) -> view (3) [style=dotted]');
});

test('a tensor without history is drawn alone', () => {
  expect(parse(make_dot(torch.ones(2)).source)).toEqual({
    boxes: new Map([['n0', { label: '\n (2)', color: 'darkolivegreen1' }]]),
    edges: [],
  });
});

test('what is kept for the backward pass', () => {
  const x = torch.ones(2, { requires_grad: true });
  const c = torch.ones(3, 1);
  const y = x.mul(c).exp();
  const { source } = make_dot(y, { params: { x }, show_saved: true, show_attrs: true });
  const { edges } = parse(source);
  expect(labels(source, 'orange').sort()).toEqual(['saved\n (3, 1)', 'saved\n (3, 2)']);
  expect(edges.filter((e) => e.includes('dir=none'))).toHaveLength(2);
  const table = labels(source, 'grey')
    .find((label) => label.startsWith('Mul'))
    ?.split('\n');
  expect(table).toEqual(['MulBackward0', '-'.repeat(24), 'saved[0]: float32 (3, 1)']);
  expect(make_dot(y, { show_attrs: true, max_attr_chars: 8 }).source).toContain('saved[0]: float...');
  expect(labels(make_dot(y, { params: { x } }).source, 'orange')).toEqual([]);

  // Looking leaves everything as it was.
  y.sum().backward();
  expect(x.grad?.tolist()).toEqual([3 * Math.E, 3 * Math.E].map(Math.fround));
  expect(() => make_dot(y, { show_saved: true })).toThrow(/second time/);
});

test('what a custom function keeps', () => {
  class Square extends torch.autograd.Function {
    static override forward(ctx: torch.autograd.FunctionCtx, x: Tensor): Tensor {
      ctx.save_for_backward(x, x.mul(2));
      return x.mul(x);
    }
    static override backward(ctx: torch.autograd.FunctionCtx, g: Tensor): Tensor {
      return g.mul(ctx.saved_tensors[1]);
    }
  }
  const h = torch.ones(3, { requires_grad: true }).mul(2);
  const y = Square.apply(h) as Tensor;
  const { source } = make_dot(y, { params: { h }, show_saved: true });
  expect(labels(source, 'orange').sort()).toEqual(['h\n (3)', 'saved\n (3)']);
  expect(make_dot(y.sum(), { show_attrs: true }).source).toContain('saved[1]: float32 (3)');
});

test('a leaf that is kept appears once', () => {
  const x = torch.ones(2, { requires_grad: true });
  const { source } = make_dot(x.mul(x), { params: { x }, show_saved: true });
  expect(labels(source, 'lightblue')).toEqual(['x\n (2)']);
  expect(labels(source, 'orange')).toEqual([]);
});

test('deep and wide graphs', () => {
  let deep: Tensor = torch.ones(1, { requires_grad: true });
  for (let i = 0; i < 20_000; ++i) deep = deep.add(1);
  const { source } = make_dot(deep);
  expect(source.match(/AddBackward0/g)).toHaveLength(20_000);
  expect(source).toMatch(/graph \[size="6000\.\d+,6000\.\d+"\]/);
  const x = torch.ones(1, { requires_grad: true });
  const wide = torch.cat(Array.from({ length: 10_000 }, () => x.mul(2)));
  expect(make_dot(wide).source.match(/MulBackward0/g)).toHaveLength(10_000);
});

test('misuse', () => {
  expect(() => make_dot(3 as never)).toThrow(TypeError);
  expect(() => make_dot([torch.ones(1), null] as never)).toThrow(TypeError);
  expect(() => make_dot(torch.ones(1), { params: { w: 3 } as never })).toThrow(/no tensor by 'w'/);
  expect(() => make_dot(torch.ones(1), { show_save: true } as never)).toThrow(/'show_save'.*show_saved/);
});

describe('pictures', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), 'sconce-viz-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  const font_files = [require.resolve('dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf')];
  const net = new nn.Linear(3, 1);
  const dot = make_dot(net(torch.ones(2, 3)), { params: net.named_parameters() });

  test('SVG', async () => {
    const svg = await dot.svg();
    expect(svg).toContain('<svg ');
    for (const text of ['>weight<', '>bias<', '>AddmmBackward0<', 'lightblue', '#caff70']) {
      expect(svg).toContain(text);
    }
    expect(svg.match(/class="edge"/g)).toHaveLength(parse(dot.source).edges.length);
  });

  test('PNG', async () => {
    const png = await dot.png({ font_files, font_family: 'DejaVu Sans Mono' });
    expect(png.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
    const [small, large] = await Promise.all([1, 3].map(async (scale) => dot.png({ scale })));
    const width = (picture: Buffer): number => picture.readUInt32BE(16);
    expect(Math.abs(width(large) - 3 * width(small))).toBeLessThan(4);
  });

  test('files', async () => {
    const file = (name: string): string => path.join(folder, name);
    expect(await dot.render(file('a.svg'))).toBe(file('a.svg'));
    expect(readFileSync(file('a.svg'), 'utf8')).toBe(await dot.svg());
    await dot.render(file('a.png'), { scale: 1 });
    expect(readFileSync(file('a.png'))).toEqual(await dot.png({ scale: 1 }));
    await dot.render(file('b.dot'));
    await dot.render(file('c'), { format: 'dot' });
    for (const name of ['b.dot', 'c']) expect(readFileSync(file(name), 'utf8')).toBe(dot.source);
    await expect(dot.render(file('d.bmp'))).rejects.toThrow("format must be svg, png or dot, but got 'bmp'");
    await expect(dot.png({ size: 3 } as never)).rejects.toThrow(TypeError);
  });

  test('a package that is missing is named, with the command that installs it', async () => {
    await jest.isolateModulesAsync(async () => {
      const missing = (name: string): void => {
        jest.doMock(name, () => {
          throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
        });
      };
      missing('@viz-js/viz');
      missing('@resvg/resvg-js');
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { Dot } = require('../../lib/utils/viz') as typeof torch.utils.viz;
      const drawing = new Dot(dot.source);
      await expect(drawing.svg()).rejects.toThrow(
        'Drawing a graph needs the package @viz-js/viz, which is not installed. Run: npm install @viz-js/viz',
      );
      await expect(drawing.png()).rejects.toThrow('npm install @resvg/resvg-js');
      await drawing.render(path.join(folder, 'still.dot'));
    });
    jest.dontMock('@viz-js/viz').dontMock('@resvg/resvg-js');
  });
});
