import torch, { utils, type Tensor } from '../../lib';
import { expect_torch_error, fixture, values } from '../nn/fixture';

const { data } = utils;
const { DataLoader } = data;
const TEN = Array.from({ length: 10 }, (_, i) => i);

function generator(seed: number): torch.Generator {
  return new torch.Generator().manual_seed(seed);
}

const loaders: Record<string, () => utils.data.DataLoader<number, Tensor>> = {
  plain: () => new DataLoader<number, Tensor>(TEN, { batch_size: 4 }),
  drop_last: () => new DataLoader<number, Tensor>(TEN, { batch_size: 4, drop_last: true }),
  shuffle: () => new DataLoader<number, Tensor>(TEN, 4, true),
  'shuffle generator': () =>
    new DataLoader<number, Tensor>(TEN, { batch_size: 3, shuffle: true, generator: generator(7) }),
  replacement: () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_size: 16,
      sampler: new data.RandomSampler(TEN, { replacement: true, num_samples: 40 }),
    }),
  rounds: () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_size: 16,
      sampler: new data.RandomSampler(TEN, { num_samples: 25 }),
    }),
  subset: () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_size: 2,
      sampler: new data.SubsetRandomSampler([1, 3, 5, 7, 9]),
    }),
  'subset generator': () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_size: 2,
      sampler: new data.SubsetRandomSampler([1, 3, 5], { generator: generator(3) }),
    }),
  weighted: () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_size: 4,
      sampler: new data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3, 0.6], 8),
    }),
  'weighted once': () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_size: 4,
      sampler: new data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3, 0.6], 4, { replacement: false }),
    }),
  batch_sampler: () =>
    new DataLoader<number, Tensor>(TEN, {
      batch_sampler: new data.BatchSampler(new data.SequentialSampler(TEN), 3, true),
    }),
};
const kinds = Object.keys(loaders);

test('the same cases as recorded', () => {
  expect(kinds).toEqual(Object.keys(fixture.loaders));
});

test.each(kinds)("%s: PyTorch's batches in PyTorch's order", (name) => {
  const expected = fixture.loaders[name];
  torch.manual_seed(11);
  const loader = loaders[name]();
  const epochs = [0, 1].map(() => Array.from(loader, values));
  expect(epochs).toEqual(expected.batches);
  expect(loader.length).toBe(expected.length);
  expect(torch.rand(1).item()).toBeCloseTo(expected.next, 7);
});

test.each(kinds)('%s: the same batches asynchronously', async (name) => {
  const expected = fixture.loaders[name];
  torch.manual_seed(11);
  const loader = loaders[name]();
  const epochs: number[][][] = [];
  for (let epoch = 0; epoch < 2; epoch++) {
    const batches: number[][] = [];
    for await (const batch of loader) batches.push(values(batch));
    epochs.push(batches);
  }
  expect(epochs).toEqual(expected.batches);
});

describe('asynchronous datasets', () => {
  class Slow extends data.Dataset<Promise<number>> {
    loading = 0;
    most = 0;
    override async get(index: number): Promise<number> {
      this.most = Math.max(this.most, ++this.loading);
      await new Promise((resolve) => setTimeout(resolve, 5 - (index % 5)));
      this.loading--;
      return index;
    }
    override get length(): number {
      return 10;
    }
  }

  test('items are awaited, in order', async () => {
    const seen: number[][] = [];
    for await (const batch of new DataLoader<Promise<number>, Tensor>(new Slow(), { batch_size: 4 })) {
      seen.push(values(batch));
    }
    expect(seen).toEqual(fixture.loaders.plain.batches[0]);
  });

  test('num_workers loads ahead without changing the order', async () => {
    const dataset = new Slow();
    const seen: number[][] = [];
    for await (const batch of new DataLoader<Promise<number>, Tensor>(dataset, {
      batch_size: 2,
      num_workers: 2,
    })) {
      seen.push(values(batch));
    }
    expect(seen).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    expect(dataset.most).toBeGreaterThan(2);
  });

  test('an error comes where its batch would', async () => {
    class Broken extends data.Dataset<Promise<number>> {
      override get(index: number): Promise<number> {
        return index === 3 ? Promise.reject(new Error('item 3 is damaged')) : Promise.resolve(index);
      }
      override get length(): number {
        return 6;
      }
    }
    const seen: number[][] = [];
    const loader = new DataLoader<Promise<number>, Tensor>(new Broken(), { batch_size: 2, num_workers: 1 });
    await expect(
      (async () => {
        for await (const batch of loader) seen.push(values(batch));
      })(),
    ).rejects.toThrow('item 3 is damaged');
    expect(seen).toEqual([[0, 1]]);
  });

  test('a synchronous loop says what to do', () => {
    expect(() => [...new DataLoader(new Slow())]).toThrow('iterate with `for await (const batch of loader)`');
  });

  test('the event loop runs between batches', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    for await (const _ of new DataLoader(TEN)) await new Promise((resolve) => setTimeout(resolve, 1));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });
});

describe('iterable datasets', () => {
  class Count extends data.IterableDataset<number> {
    override *[Symbol.iterator](): Iterator<number> {
      yield* TEN;
    }
  }

  test('are batched as they come', async () => {
    const loader = new DataLoader<number, Tensor>(new Count(), { batch_size: 4 });
    expect(Array.from(loader, values)).toEqual(fixture.loaders.plain.batches[0]);
    const seen: number[][] = [];
    for await (const batch of loader) seen.push(values(batch));
    expect(seen).toEqual(fixture.loaders.plain.batches[0]);
    expect(() => loader.length).toThrow("object of type 'Count' has no len()");
  });

  test('asynchronous ones too', async () => {
    class Stream extends data.IterableDataset<number> {
      override async *[Symbol.asyncIterator](): AsyncIterator<number> {
        for (const i of TEN) yield await Promise.resolve(i);
      }
    }
    const seen: number[][] = [];
    for await (const batch of new DataLoader<number, Tensor>(new Stream(), {
      batch_size: 4,
      drop_last: true,
    })) {
      seen.push(values(batch));
    }
    expect(seen).toEqual(fixture.loaders.drop_last.batches[0]);
  });

  test('take no sampler', () => {
    expect(() => new DataLoader(new Count(), { shuffle: true })).toThrow(
      'DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle=True',
    );
  });
});

test('without batches, items come as they are', () => {
  const items = [...new DataLoader(TEN, { batch_size: null })];
  expect(items).toEqual(TEN);
});

test('a collate function of its own', () => {
  const loader = new DataLoader<number, number>(TEN, {
    batch_size: 5,
    collate_fn: (items) => Math.max(...items),
  });
  expect([...loader]).toEqual([4, 9]);
});

test('default_collate', () => {
  const batch = data.default_collate([
    { image: torch.zeros(2), label: 1, name: 'a', score: 0.5, flag: true, pair: [1n, 2] },
    { image: torch.ones(2), label: 2, name: 'b', score: 1, flag: false, pair: [3n, 4.5] },
  ]) as Record<string, Tensor>;
  expect(values(batch.image)).toEqual([0, 0, 1, 1]);
  expect([batch.label.dtype, batch.score.dtype, batch.flag.dtype]).toEqual(['int64', 'float64', 'bool']);
  expect(values(batch.score)).toEqual([0.5, 1]);
  expect(batch.name).toEqual(['a', 'b']);
  const [big, mixed] = batch.pair as unknown as [Tensor, Tensor];
  expect([big.dtype, big.tolist(), mixed.tolist()]).toEqual(['int64', [1, 3], [2, 4.5]]);
  expect_torch_error('collate sizes', () => data.default_collate([[1, 2], [1]]));
  expect(() => data.default_collate([null])).toThrow(TypeError);
});

describe('datasets', () => {
  test('TensorDataset', () => {
    const dataset = new data.TensorDataset(torch.arange(6).view(3, 2), torch.arange(3));
    expect(dataset.length).toBe(3);
    expect(dataset.get(1).map((t) => t.tolist())).toEqual([[2, 3], 1]);
    expect([...dataset]).toHaveLength(3);
    expect(() => dataset.get(3)).toThrow(RangeError);
    const [[x, y]] = [...new DataLoader<Tensor[], [Tensor, Tensor]>(dataset, { batch_size: 3 })] as [
      [Tensor, Tensor],
    ];
    expect([x.shape, y.shape]).toEqual([[3, 2], [3]]);
    expect_torch_error('tensor dataset', () => new data.TensorDataset(torch.zeros(3), torch.zeros(4)));
  });

  test('ConcatDataset and Subset', () => {
    const all = new data.ConcatDataset<number>([TEN, [10, 11], new data.Subset(TEN, [7, 3])]);
    expect(all.length).toBe(14);
    expect([all.get(9), all.get(10), all.get(12), all.get(-1)]).toEqual([9, 10, 7, 3]);
    expect(() => all.get(14)).toThrow(RangeError);
    expect(() => all.get(-15)).toThrow('absolute value of index should not exceed dataset length');
    expect(() => new data.Subset(TEN, [1]).get(1)).toThrow(RangeError);
    expect(() => new data.ConcatDataset([])).toThrow('datasets should not be an empty iterable');
  });

  test("random_split draws PyTorch's split", () => {
    torch.manual_seed(2);
    const parts = data.random_split(TEN, [0.5, 0.3, 0.2]);
    expect(parts.map((part) => part.indices)).toEqual(fixture.split.fractions);
    const other = data.random_split(TEN, [7, 3], { generator: generator(42) });
    expect(other.map((part) => [...part.indices])).toEqual(fixture.split.lengths);
    expect_torch_error('split', () => data.random_split(TEN, [3, 3]));
  });
});

test('errors', () => {
  expect_torch_error('batch size', () => new DataLoader(TEN, { batch_size: 0 }));
  expect_torch_error('sampler and shuffle', () => new DataLoader(TEN, { shuffle: true, sampler: [0] }));
  expect(() => new DataLoader(TEN, { batchsize: 3 } as object)).toThrow(
    "DataLoader.__init__() got an unexpected keyword argument 'batchsize'. Did you mean 'batch_size'?",
  );
  expect(() => new DataLoader(TEN, { num_workers: -1 })).toThrow('num_workers option should be non-negative');
  expect(() => new data.RandomSampler([])).toThrow(
    'num_samples should be a positive integer value, but got num_samples=0',
  );
});
