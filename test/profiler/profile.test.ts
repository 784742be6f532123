/** What torch.profiler.profile records. */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import torch, { type Tensor } from '../../lib';

const { nn, optim, profiler } = torch;
const { profile, record_function } = profiler;

const names = (prof: torch.profiler.Profile): string[] => prof.events().map((e) => e.name);
const find = (prof: torch.profiler.Profile, name: string): torch.profiler.FunctionEvent => {
  const e = prof.events().find((event) => event.name === name);
  if (e === undefined) throw new Error(`no ${name} among ${names(prof).join()}`);
  return e;
};
const path_of = (e: torch.profiler.FunctionEvent): string[] =>
  e.cpu_parent === null ? [e.name] : [...path_of(e.cpu_parent), e.name];

const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });

describe('ways to record', () => {
  test('a function', () => {
    let given: unknown;
    const prof = profile({}, (p) => {
      given = p;
      torch.ones(2).add(1);
    });
    expect(given).toBe(prof);
    expect(names(prof)).toEqual(['aten::ones', 'aten::add']);
  });

  test('an async function, to its end', async () => {
    const prof = await profile({}, async () => {
      torch.ones(2);
      await sleep(1);
      torch.zeros(2);
    });
    torch.ones(3);
    expect(names(prof)).toEqual(['aten::ones', 'aten::zeros']);
  });

  test('a scope', () => {
    let prof: torch.profiler.Profile;
    {
      using p = profile();
      torch.ones(2);
      prof = p;
    }
    torch.zeros(2);
    expect(names(prof)).toEqual(['aten::ones']);
  });

  test('start and stop, which do nothing a second time', () => {
    const prof = new profile();
    torch.zeros(2);
    prof.start();
    prof.start();
    torch.ones(2);
    prof.stop();
    prof.stop();
    prof[Symbol.dispose]();
    torch.zeros(2);
    expect(names(prof)).toEqual(['aten::ones']);
  });

  test('a profile may record again; its events are those of the last time', () => {
    jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const [last, all] = [new profile(), new profile({ acc_events: true })].map((prof) => {
      for (const make of [torch.ones, torch.zeros]) {
        prof.start();
        make(2);
        prof.stop();
      }
      return names(prof);
    });
    jest.restoreAllMocks();
    expect(last).toEqual(['aten::zeros']);
    expect(all).toEqual(['aten::zeros', 'aten::ones']);
  });

  test('what the function throws comes out, and the recording ends', async () => {
    const boom = (): never => {
      torch.ones(2);
      throw new RangeError('boom');
    };
    expect(() => profile({}, boom)).toThrow(new RangeError('boom'));
    await expect(profile({}, async () => Promise.reject(new Error('late')))).rejects.toThrow('late');
    expect(names(profile(() => torch.ones(2)))).toEqual(['aten::ones']);
  });

  test('one profile at a time', () => {
    const outer = profile(() => {
      torch.ones(2);
      expect(() => profile()).toThrow('Profiler is already enabled on this thread');
      torch.zeros(2);
    });
    expect(names(outer)).toEqual(['aten::ones', 'aten::zeros']);
  });

  test('while it records there is nothing to see yet', () => {
    profile((prof) => {
      torch.ones(2);
      expect(prof.events()).toHaveLength(0);
      expect(prof.key_averages().table()).toBe('');
    });
  });

  test('torch.autograd.profiler', () => {
    const make = (): Tensor => torch.ones(2).add(1);
    const prof = torch.autograd.profiler.profile({ record_shapes: true }, make);
    expect(String(prof)).toContain('aten::add');
    expect(prof.function_events).toHaveLength(2);
    expect(prof.self_cpu_time_total).toBe(prof.total_average().self_cpu_time_total);
    expect(prof.total_average()).toMatchObject({ key: 'Total', count: 2 });
    const off = torch.autograd.profiler.profile({ enabled: false }, make);
    expect(String(off)).toBe('<unfinished torch.autograd.profile>');
    expect(torch.autograd.profiler.record_function).toBe(record_function);
  });
});

describe('operators', () => {
  test('times and counts', () => {
    const prof = profile(() => {
      const x = torch.ones(2);
      for (let i = 0; i < 5; ++i) x.add(1);
      x.add_(1);
    });
    const rows = new Map(prof.key_averages().map((row) => [row.key, row]));
    expect(rows.get('aten::add')?.count).toBe(5);
    expect(rows.get('aten::add_')?.count).toBe(1);
    const add = rows.get('aten::add') as torch.profiler.FunctionEventAvg;
    expect(add.cpu_time_total).toBeGreaterThan(0);
    expect(add.cpu_time).toBeCloseTo(add.cpu_time_total / 5);
    expect(add.self_cpu_time_total).toBeCloseTo(add.cpu_time_total);
    let before = 0;
    for (const { time_range } of prof.events()) {
      expect(time_range.start).toBeGreaterThanOrEqual(before);
      expect(time_range.end).toBeGreaterThan(time_range.start);
      before = time_range.end;
    }
  });

  test('an operator that throws has an end', () => {
    const prof = profile(() => {
      expect(() => torch.ones(2).matmul(torch.ones(3))).toThrow();
      torch.zeros(2);
    });
    expect(names(prof)).toEqual(['aten::ones', 'aten::ones', 'aten::matmul', 'aten::zeros']);
    expect(find(prof, 'aten::zeros').cpu_parent).toBeNull();
  });

  test('shapes and dtypes of the inputs', () => {
    const a = torch.ones(2, 3);
    const work = (): void => {
      a.add(a);
      torch.cat([a, torch.ones(1, 3)]);
      nn.functional.linear(a, torch.ones(4, 3));
      a.index([torch.tensor([0], { dtype: 'int64' })]);
      a.index(0);
      a.index([torch.Slice(0, 1)]);
    };
    const prof = profile({ record_shapes: true }, work);
    expect(find(prof, 'aten::add').input_shapes).toEqual([[2, 3], [2, 3], []]);
    expect(find(prof, 'aten::add').input_dtypes).toEqual(['float', 'float', 'Scalar']);
    const cat = find(prof, 'aten::cat');
    expect(cat.input_shapes).toEqual([[], []]);
    expect(cat.structured_input_shapes).toEqual([
      [
        [2, 3],
        [1, 3],
      ],
      [],
    ]);
    expect(cat.input_dtypes).toEqual(['TensorList', 'Scalar']);
    expect(find(prof, 'aten::linear').input_shapes).toEqual([[2, 3], [4, 3], []]);
    expect(find(prof, 'aten::linear').input_dtypes).toEqual(['float', 'float', '']);
    expect(names(prof)).toEqual(expect.arrayContaining(['aten::index', 'aten::select', 'aten::slice']));
    expect(profile(work).events()[0].input_shapes).toEqual([]);

    const grouped = profile({ record_shapes: true }, () => {
      for (const n of [2, 3, 3]) torch.ones(n).add(1);
    }).key_averages({ group_by_input_shape: true });
    expect(grouped.filter((e) => e.key === 'aten::add').map((e) => [e.input_shapes, e.count])).toEqual([
      [[[2], [], []], 1],
      [[[3], [], []], 2],
    ]);
  });

  test('operations are counted by PyTorch’s formulas', () => {
    const prof = profile({ with_flops: true }, () => {
      torch.ones(3, 4).mm(torch.ones(4, 5));
      torch.ones(3, 4).matmul(torch.ones(4, 5));
      nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3));
      torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 4, 5));
      torch.addmm(torch.ones(3, 5), torch.ones(3, 4), torch.ones(4, 5));
      torch.baddbmm(torch.ones(2, 3, 5), torch.ones(2, 3, 4), torch.ones(2, 4, 5));
      nn.functional.conv2d(torch.ones(2, 3, 8, 8), torch.ones(4, 3, 3, 3), { stride: 2, padding: 1 });
      torch.ones(3, 5).add(torch.ones(3, 5));
      torch.ones(3, 5).mul(2);
      torch.ones(3, 5).exp();
    });
    const flops = prof
      .events()
      .filter((e) => e.name !== 'aten::ones')
      .map((e) => [e.name, e.flops]);
    expect(flops).toEqual([
      ['aten::mm', 120],
      ['aten::matmul', 120],
      ['aten::linear', 48],
      ['aten::bmm', 240],
      ['aten::addmm', 120],
      ['aten::baddbmm', 240],
      ['aten::conv2d', 6912],
      ['aten::add', 15],
      ['aten::mul', 15],
      ['aten::exp', 0],
    ]);
    expect(prof.key_averages().table()).toContain('Total FLOPs');
  });
});

describe('the backward pass', () => {
  test('nodes, in the engine’s work for them', () => {
    const [a, b] = [leaf(1, 2), leaf(3, 4)];
    const prof = profile({ record_shapes: true }, () => a.mul(b).sum().backward());
    const node = find(prof, 'MulBackward0');
    expect(path_of(node)).toEqual(['autograd::engine::evaluate_function: MulBackward0', 'MulBackward0']);
    expect(node.scope).toBe(1);
    expect(node.input_shapes).toEqual([[2]]);
    const counts = Object.fromEntries(prof.key_averages().map((e) => [e.key, e.count]));
    expect(counts).toMatchObject({
      'aten::mul': 1,
      'aten::sum': 1,
      SumBackward0: 1,
      'torch::autograd::AccumulateGrad': 2,
      'autograd::engine::evaluate_function: torch::autograd::AccumulateGrad': 2,
    });
  });

  test('a node has the number that its operator gives', () => {
    const prof = profile(() => leaf(1, 2).mul(2).exp().sum().backward());
    for (const op of ['mul', 'exp', 'sum']) {
      const made = find(prof, `aten::${op}`).sequence_nr;
      expect(made).toBeGreaterThanOrEqual(0);
      expect(find(prof, `${op[0].toUpperCase()}${op.slice(1)}Backward0`).sequence_nr).toBe(made);
    }
    expect(
      find(
        profile(() => torch.ones(2).mul(2)),
        'aten::mul',
      ).sequence_nr,
    ).toBe(-1);
  });

  test('operators of custom functions and hooks lie in their nodes', () => {
    class Double extends torch.autograd.Function {
      static override forward(_ctx: unknown, x: Tensor): Tensor {
        return x.mul(2);
      }
      static override backward(_ctx: unknown, g: Tensor): Tensor {
        return g.div(0.5);
      }
    }
    const x = leaf(1, 2);
    x.register_hook((g) => g.neg());
    const prof = profile(() => (Double.apply(x) as Tensor).sum().backward());
    expect(path_of(find(prof, 'aten::div')).slice(-2)).toEqual(['DoubleBackward', 'aten::div']);
    expect(path_of(find(prof, 'aten::neg'))).toContain(
      'autograd::engine::evaluate_function: torch::autograd::AccumulateGrad',
    );
  });

  test('a pass that throws leaves no event open', () => {
    const x = leaf(1, 2);
    const y = x.mul(1);
    y.register_hook(() => {
      throw new Error('from the hook');
    });
    const prof = profile(() => {
      expect(() => y.exp().sum().backward()).toThrow('from the hook');
      torch.ones(2);
    });
    expect(find(prof, 'aten::ones').cpu_parent).toBeNull();
  });

  test('a hook may stop the profile', () => {
    const prof = new profile();
    const x = leaf(1, 2);
    x.register_hook(() => prof.stop());
    prof.start();
    x.mul(3).sum().backward();
    torch.ones(2);
    expect(names(prof)).toContain('MulBackward0');
    expect(names(prof)).not.toContain('aten::ones');
    expect(x.grad?.tolist()).toEqual([3, 3]);
  });
});

describe('ranges', () => {
  test('of the user, nested, with their results', () => {
    const prof = profile(() => {
      const sum = record_function('outer', () =>
        record_function('inner', 'with an argument', () => torch.ones(2).sum().item()),
      );
      expect(sum).toBe(2);
    });
    expect(path_of(find(prof, 'aten::sum'))).toEqual(['outer', 'inner', 'aten::sum']);
    const [outer, inner] = [find(prof, 'outer'), find(prof, 'inner')];
    expect(outer.is_user_annotation).toBe(true);
    expect(outer.self_cpu_time_total).toBeCloseTo(outer.cpu_time_total - inner.cpu_time_total, 3);
  });

  test('as scopes, left in any order', () => {
    const prof = profile(() => {
      const [a, b] = [record_function('a'), record_function('b')];
      a.exit();
      torch.ones(2);
      b.exit();
      b.exit();
    });
    expect(path_of(find(prof, 'aten::ones'))).toEqual(['b', 'aten::ones']);
    expect(find(prof, 'b').cpu_parent).toBeNull();
  });

  test('that an exception leaves', () => {
    const prof = profile(() => {
      expect(() =>
        record_function('outer', () => {
          using _ = record_function('scope');
          throw new Error('out');
        }),
      ).toThrow('out');
      torch.ones(2);
    });
    expect(path_of(find(prof, 'scope'))).toEqual(['outer', 'scope']);
    expect(find(prof, 'aten::ones').cpu_parent).toBeNull();
  });

  test('of interleaved async functions claim nothing of each other', async () => {
    const task = async (name: string): Promise<void> => {
      for (let i = 0; i < 3; ++i) {
        record_function(`${name} ${i}`, () => torch.ones(2).add(1));
        await sleep(1);
      }
    };
    const prof = await profile({}, async () => {
      const with_scope = async (): Promise<void> => {
        using _ = record_function('scope');
        await task('c');
      };
      await Promise.all([
        record_function('a', () => task('a')),
        record_function('b', () => task('b')),
        with_scope(),
      ]);
    });
    for (const name of ['a', 'b', 'scope']) {
      const range = find(prof, name);
      expect(range).toMatchObject({ is_async: true, self_cpu_time_total: 0, cpu_children: [] });
      expect(range.cpu_time_total).toBeGreaterThan(2000);
    }
    const adds = prof.events().filter((e) => e.name === 'aten::add');
    expect(adds.map((e) => path_of(e)[0]).sort()).toEqual(
      ['a', 'b', 'c'].flatMap((name) => [0, 1, 2].map((i) => `${name} ${i}`)),
    );
    expect(adds.every((e) => path_of(e).length === 2)).toBe(true);
  });

  test('a rejected promise ends its range', async () => {
    const prof = await profile({}, async () => {
      await expect(record_function('bad', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
      await sleep(5);
    });
    expect(find(prof, 'bad').cpu_time_total).toBeLessThan(5000);
  });

  test('without a profile they only run', async () => {
    expect(record_function('x', () => 3)).toBe(3);
    expect(await record_function('x', async () => Promise.resolve(4))).toBe(4);
    record_function('x')[Symbol.dispose]();
  });

  test('a range from before the profile, or from another, is no event', () => {
    const early = record_function('early');
    let left: torch.profiler.RangeScope | undefined;
    const first = profile(() => {
      torch.ones(2);
      left = record_function('left open');
    });
    const second = profile(() => {
      const mine = [torch.ones(2), torch.ones(2)];
      early.exit();
      left?.exit();
      return mine;
    });
    expect(names(first)).toEqual(['aten::ones', 'left open']);
    expect(names(second)).toEqual(['aten::ones', 'aten::ones']);
  });

  test('of optimizers', () => {
    const w = leaf(1, 2);
    const [sgd, adam] = [new optim.SGD([w], { lr: 0.1 }), new optim.Adam([w])];
    const prof = profile(() => {
      for (const optimizer of [sgd, adam]) {
        optimizer.zero_grad();
        w.mul(2).sum().backward();
        optimizer.step();
      }
    });
    expect(path_of(find(prof, 'aten::_fused_sgd_'))).toEqual([
      'Optimizer.step#SGD.step',
      'aten::_fused_sgd_',
    ]);
    expect(names(prof)).toEqual(
      expect.arrayContaining(['Optimizer.zero_grad#SGD.zero_grad', 'Optimizer.step#Adam.step']),
    );
  });

  test('of modules, if asked for', () => {
    const net = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1));
    const run = (): Tensor => net(torch.ones(1, 2));
    const prof = profile({ with_modules: true }, run);
    expect(names(prof).filter((n) => n.startsWith('nn.Module'))).toEqual([
      'nn.Module: Sequential_0',
      'nn.Module: Linear_0',
      'nn.Module: ReLU_0',
      'nn.Module: Linear_1',
    ]);
    expect(path_of(find(prof, 'aten::relu'))).toEqual([
      'nn.Module: Sequential_0',
      'nn.Module: ReLU_0',
      'aten::relu',
    ]);
    expect(names(profile(run)).some((n) => n.startsWith('nn.Module'))).toBe(false);
  });
});

describe('memory', () => {
  test('what each operator allocates, small or large', () => {
    const prof = profile({ profile_memory: true }, () => {
      const x = torch.ones(1000);
      record_function('both', () => [x.add(1), torch.zeros(2)]);
      x.add_(1);
    });
    expect(find(prof, 'aten::ones')).toMatchObject({ cpu_memory_usage: 4000, self_cpu_memory_usage: 4000 });
    expect(find(prof, 'aten::zeros').cpu_memory_usage).toBe(8);
    expect(find(prof, 'aten::add_').cpu_memory_usage).toBe(0);
    expect(find(prof, 'both')).toMatchObject({ cpu_memory_usage: 4008, self_cpu_memory_usage: 0 });
    expect(prof.key_averages().table()).toContain('Self CPU Mem');
    expect(
      profile(() => torch.ones(2))
        .key_averages()
        .table(),
    ).not.toContain('Mem');
  });

  test('what is freed counts where it is freed, but only if it was allocated meanwhile', () => {
    const old = torch.ones(1000);
    const prof = profile({ profile_memory: true }, () => {
      const x = torch.ones(500);
      record_function('free', () => {
        x.dispose();
        old.dispose();
      });
      torch.zeros(10).dispose();
    });
    expect(find(prof, 'free').cpu_memory_usage).toBe(-2000);
    const beside = prof.key_averages().find((e) => e.key === '[memory]');
    expect(beside).toMatchObject({ count: 1, cpu_memory_usage: -40, cpu_time_total: 0 });
  });

  test('of a device, apart from the CPU’s', () => {
    const prof = profile({ profile_memory: true }, () => {
      const x = torch.ones(100, { device: 'fake' });
      record_function('device', () => x.add(1));
    });
    expect(find(prof, 'device')).toMatchObject({ cpu_memory_usage: 0, device_memory_usage: 400 });
  });
});

describe('stacks', () => {
  const line_number = (here: Error): number => Number(/:(\d+):\d+\)?$/m.exec(here.stack ?? '')?.[1]);
  const lines_of = (frames: readonly string[]): string[] =>
    frames.map((frame) => frame.replace(/\(\d+\)/, ''));

  test('of the user’s code, innermost first; a node has that of its operator', () => {
    const x = leaf(1, 2);
    const above = line_number(new Error());
    function model(): Tensor {
      return x.mul(2);
    }
    const prof = profile({ with_stack: true }, function program() {
      model().sum().backward();
    });
    const mul = find(prof, 'aten::mul');
    expect(lines_of(mul.stack).slice(0, 2)).toEqual([
      'test/profiler/profile.test.ts: model',
      'test/profiler/profile.test.ts: program',
    ]);
    expect(mul.stack.every((frame) => !frame.includes('node_modules') && !frame.startsWith('lib'))).toBe(
      true,
    );
    // The line of the source, not that of the code that it was compiled to.
    expect(mul.stack[0]).toContain(`(${above + 2})`);
    expect(find(prof, 'MulBackward0').stack).toEqual(mul.stack);
    expect(find(prof, 'SumBackward0').stack).toEqual(find(prof, 'aten::sum').stack);
  });

  test('group the rows', () => {
    const x = torch.ones(2);
    const [one, other] = [(): Tensor => x.add(1), (): Tensor => x.add(1)];
    const prof = profile({ with_stack: true }, () => {
      one();
      other();
      one();
    });
    expect(prof.key_averages()).toHaveLength(1);
    const grouped = prof.key_averages({ group_by_stack_n: 1 });
    expect(grouped.map((e) => [e.count, e.stack.length])).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect(prof.key_averages(false, 1)).toHaveLength(2);
    expect(grouped.table()).toContain('Source Location');
  });
});

describe('lifetime', () => {
  test('events are bounded in number', () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const x = torch.ones(1);
    const prof = profile(() => {
      const range = record_function('long');
      for (let i = 0; i < 1_000_010; ++i) record_function('x', () => i);
      x.add(1);
      range.exit();
    });
    expect(String(warn.mock.calls[0][0])).toMatch(/12 more were dropped/);
    warn.mockRestore();
    expect(prof.events()).toHaveLength(1_000_000);
  }, 60_000);

  test('many profiles leave nothing behind', () => {
    const once = (): void => {
      profile({ record_shapes: true, profile_memory: true, with_stack: true }, () => {
        const x = leaf(1, 2);
        for (let i = 0; i < 100; ++i) x.mul(2).sum().backward();
      });
    };
    for (let i = 0; i < 5; ++i) once();
    global.gc?.();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; ++i) once();
    expect(process.memoryUsage().rss - before).toBeLessThan(60e6);
  });

  test('an emitter’s listeners are seen where they run', () => {
    const emitter = new EventEmitter();
    emitter.on('x', () => torch.ones(2));
    const prof = profile(() => record_function('emit', () => emitter.emit('x')));
    expect(path_of(find(prof, 'aten::ones'))).toEqual(['emit', 'aten::ones']);
  });
});
