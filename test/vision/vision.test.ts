import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import torch, { nn, type Tensor } from '../../lib';
import { datasets, models, transforms } from '../../lib/vision';
import { expect_close, expect_digest, fixture, values } from '../nn/fixture';

/** An IDX file: two zero bytes, the element kind, the rank, the sizes, the elements. */
function idx(kind: number, shape: number[], elements: Buffer): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = kind;
  head[3] = shape.length;
  shape.forEach((size, i) => head.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([head, elements]);
}

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sconce-mnist-'));
  const pixels = Buffer.from(Array.from({ length: 3 * 2 * 2 }, (_, i) => i * 20));
  writeFileSync(join(root, 'train-images-idx3-ubyte'), idx(8, [3, 2, 2], pixels));
  writeFileSync(join(root, 'train-labels-idx1-ubyte'), idx(8, [3], Buffer.from([7, 0, 9])));
  mkdirSync(join(root, 'MNIST/raw'), { recursive: true });
  writeFileSync(
    join(root, 'MNIST/raw/t10k-images-idx3-ubyte.gz'),
    gzipSync(idx(8, [1, 2, 2], Buffer.alloc(4))),
  );
  writeFileSync(join(root, 'MNIST/raw/t10k-labels-idx1-ubyte.gz'), gzipSync(idx(8, [1], Buffer.from([3]))));
});
afterAll(() => rmSync(root, { recursive: true }));

describe('MNIST', () => {
  test('reads IDX files', () => {
    const dataset = new datasets.MNIST(root);
    expect(dataset.length).toBe(3);
    expect([dataset.data.shape, dataset.data.dtype, dataset.targets.dtype]).toEqual([
      [3, 2, 2],
      'uint8',
      'int64',
    ]);
    const [image, label] = dataset.get(1);
    expect([image.tolist(), label]).toEqual([
      [
        [80, 100],
        [120, 140],
      ],
      0,
    ]);
    expect(dataset.get(-1)[1]).toBe(9);
    expect(() => dataset.get(3)).toThrow(RangeError);
  });

  test('gzipped and where torchvision puts them, with transforms', () => {
    const dataset = new datasets.MNIST<Tensor, string>(root, {
      train: false,
      transform: new transforms.ToTensor(),
      target_transform: (label) => `digit ${label}`,
    });
    const [image, label] = dataset.get(0);
    expect([image.shape, image.dtype, label]).toEqual([[1, 2, 2], 'float32', 'digit 3']);
  });

  test('goes through a DataLoader', () => {
    const dataset = new datasets.MNIST(root, { transform: new transforms.ToTensor() });
    const [[images, labels]] = [...new torch.utils.data.DataLoader(dataset, { batch_size: 3 })] as [
      [Tensor, Tensor],
    ];
    expect([images.shape, images.dtype, labels.tolist(), labels.dtype]).toEqual([
      [3, 1, 2, 2],
      'float32',
      [7, 0, 9],
      'int64',
    ]);
  });

  test('the real files, where they are installed', () => {
    const dataset = new datasets.MNIST(datasets.MNIST.package_root(), { train: false });
    expect(dataset.data.shape).toEqual([10000, 28, 28]);
    expect(dataset.targets.narrow(0, 0, 5).tolist()).toEqual([7, 2, 1, 0, 4]);
  });

  test('damaged files are told from whole ones', () => {
    const path = join(root, 'bad');
    const written = (bytes: Buffer) => () => {
      writeFileSync(path, bytes);
      return datasets.read_idx(path);
    };
    const good = idx(8, [2, 2], Buffer.alloc(4));
    expect(written(good)().shape).toEqual([2, 2]);
    expect(written(good.subarray(0, 13))).toThrow('[2, 2] of uint8 takes 4 bytes, but 1 follow the head');
    expect(written(Buffer.concat([good, good]))).toThrow('not a whole IDX file');
    expect(written(good.subarray(0, 6))).toThrow('6 bytes are too few for 2 sizes');
    expect(written(Buffer.alloc(2))).toThrow('2 bytes are too few for its head');
    expect(written(Buffer.from('PNG image'))).toThrow('not an IDX file');
    expect(written(gzipSync(good).subarray(0, 12))).toThrow('damaged gzip file');
    expect(written(idx(8, [0xffffffff, 0xffffffff, 0xffffffff], Buffer.alloc(4)))).toThrow(
      'not a whole IDX file',
    );
    expect(() => new datasets.MNIST(join(root, 'nowhere'))).toThrow('Dataset not found');
  });

  test('every element kind', () => {
    const path = join(root, 'kind');
    const read = (kind: number, bytes: number[]): unknown => {
      writeFileSync(path, idx(kind, [1], Buffer.from(bytes)));
      const tensor = datasets.read_idx(path);
      return [tensor.dtype, tensor.item()];
    };
    expect(read(0x09, [0xff])).toEqual(['int8', -1]);
    expect(read(0x0b, [0xff, 0xfe])).toEqual(['int16', -2]);
    expect(read(0x0c, [0, 1, 0, 0])).toEqual(['int32', 65536]);
    expect(read(0x0d, [0x3f, 0xc0, 0, 0])).toEqual(['float32', 1.5]);
    expect(read(0x0e, [0xbf, 0xf8, 0, 0, 0, 0, 0, 0])).toEqual(['float64', -1.5]);
  });
});

describe('transforms', () => {
  const image = (): Tensor =>
    torch.tensor(
      [
        [0, 255],
        [51, 102],
      ],
      { dtype: 'uint8' },
    );

  test('compose', () => {
    const transform = new transforms.Compose([
      new transforms.ToTensor(),
      new transforms.Normalize([0.5], [0.5]),
      new transforms.Lambda((x: Tensor) => x.flatten()),
    ]);
    expect_close(values(transform(image()) as Tensor), [-1, 1, -0.6, -0.2], 1e-6);
    expect(
      String(new transforms.Compose([new transforms.ToTensor(), new transforms.Normalize([0.5], [0.25])])),
    ).toBe('Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.25,))\n)');
  });

  test('channels come first', () => {
    const colour = torch.arange(12).view(2, 2, 3).to('uint8');
    const result = new transforms.ToTensor()(colour);
    expect(result.shape).toEqual([3, 2, 2]);
    expect_close(values(result.mul(255)), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11], 1e-5);
  });

  test('Normalize leaves its input alone unless told', () => {
    const x = torch.ones(1, 2, 2);
    new transforms.Normalize([1], [2])(x);
    expect(values(x)).toEqual([1, 1, 1, 1]);
    new transforms.Normalize([1], [2], { inplace: true })(x);
    expect(values(x)).toEqual([0, 0, 0, 0]);
    expect(() => new transforms.Normalize([0], [0])).toThrow('std evaluated to zero');
    expect(() => new transforms.Normalize([0], [1])(image())).toThrow(
      'Input tensor should be a float tensor',
    );
  });
});

test("resnet18 has torchvision's names, text, numbers and gradients", () => {
  const expected = fixture.resnet18;
  torch.manual_seed(1);
  const net = models.resnet18();
  const x = torch.randn(2, 3, 32, 32);
  expect(String(net)).toBe(expected.repr);
  const state = Object.entries(net.state_dict());
  expect(state.map(([name]) => name)).toEqual(expected.state.map(([name]) => name));
  state.forEach(([, tensor], i) => expect_digest(tensor, expected.state[i][1], 1e-5));

  // In float64: through eighteen normalised layers rounding errors grow too large to compare.
  const output = net.double()(x.double());
  expect_digest(output, expected.output, 1e-6);
  nn.functional.cross_entropy(output, torch.tensor([3, 900], { dtype: 'int64' })).backward();
  const grads = [...net.named_parameters()];
  expect(grads.map(([name]) => name)).toEqual(expected.grads.map(([name]) => name));
  grads.forEach(([, param], i) => expect_digest(param.grad!, expected.grads[i][1], 1e-6));
});

test('resnet options', () => {
  const net = models.resnet18({ num_classes: 10, zero_init_residual: true });
  expect(net.fc.out_features).toBe(10);
  expect(values(net.get_parameter('layer1.0.bn2.weight')).every((v) => v === 0)).toBe(true);
  expect(models.resnet34({ num_classes: 2 }).layer3.length).toBe(6);
});
