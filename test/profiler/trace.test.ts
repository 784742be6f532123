/** The files that a profile writes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';

import torch, { type Tensor } from '../../lib';

const { profile, record_function, schedule, tensorboard_trace_handler } = torch.profiler;

interface TraceEvent {
  ph: string;
  name: string;
  cat?: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  id?: number;
  s?: string;
  bp?: string;
  args?: Record<string, unknown>;
}
interface TraceFile {
  schemaVersion: number;
  displayTimeUnit: string;
  traceName: string;
  traceEvents: TraceEvent[];
  [key: string]: unknown;
}

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), 'sconce-trace-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (file: string): TraceFile => {
  const bytes = readFileSync(file);
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as TraceFile;
};

function trace_of(prof: torch.profiler.Profile, name = 'trace.json'): TraceFile {
  const file = path.join(folder, name);
  prof.export_chrome_trace(file);
  return read(file);
}

/** What a viewer needs: known phases with their fields, and durations that nest in each thread. */
function validate({ traceEvents }: TraceFile): void {
  const fields: Record<string, (keyof TraceEvent)[]> = {
    X: ['ts', 'dur', 'cat', 'args'],
    M: ['args'],
    b: ['ts', 'id', 'cat'],
    e: ['ts', 'id', 'cat'],
    s: ['ts', 'id', 'cat'],
    f: ['ts', 'id', 'cat', 'bp'],
    i: ['ts', 's', 'args'],
  };
  for (const event of traceEvents) {
    expect(Object.keys(fields)).toContain(event.ph);
    for (const field of ['name', 'pid', 'tid', ...fields[event.ph]]) expect(event).toHaveProperty(field);
    if (event.ts !== undefined) expect(event.ts).toBeGreaterThan(0);
  }
  const open: number[] = [];
  let last = 0;
  const durations = traceEvents.filter(({ ph }) => ph === 'X');
  for (const { ts, dur = NaN } of durations) {
    expect(dur).toBeGreaterThanOrEqual(0);
    expect(ts).toBeGreaterThanOrEqual(last);
    last = ts;
    while (open.length > 0 && ts >= (open.at(-1) as number)) open.pop();
    if (open.length > 0) expect(ts + dur).toBeLessThanOrEqual((open.at(-1) as number) + 0.002);
    open.push(ts + dur);
  }
  const ends = (ph: string): (number | undefined)[] =>
    traceEvents
      .filter((event) => event.ph === ph)
      .map(({ id }) => id)
      .sort();
  expect(ends('b')).toEqual(ends('e'));
  expect(ends('s')).toEqual(ends('f'));
}

const step = (x: Tensor): void => record_function('forward "quoted"\n', () => x.mul(2).sum()).backward();

test('a training step, with everything', () => {
  const x = torch.ones(3, 4, { requires_grad: true });
  const prof = profile(
    { record_shapes: true, profile_memory: true, with_stack: true, with_modules: true },
    () => step(x),
  );
  prof.add_metadata('note', 'a "b"');
  prof.add_metadata_json('numbers', '[1, 2]');
  const trace = trace_of(prof);
  validate(trace);
  expect(trace).toMatchObject({
    schemaVersion: 1,
    displayTimeUnit: 'ms',
    record_shapes: 1,
    profile_memory: 1,
    with_stack: 1,
    with_modules: 1,
    note: 'a "b"',
    numbers: [1, 2],
    traceName: path.join(folder, 'trace.json'),
  });
  const find = (name: string, ph = 'X'): TraceEvent =>
    trace.traceEvents.find((e) => e.name === name && e.ph === ph) as TraceEvent;
  expect(find('process_name', 'M').args).toEqual({ name: 'node' });
  const mul = find('aten::mul');
  expect(mul).toMatchObject({ cat: 'cpu_op', pid: process.pid });
  expect(mul.args).toMatchObject({ 'Input Dims': [[3, 4], []], 'Input type': ['float', 'Scalar'] });
  expect(mul.args?.['Call stack']).toMatch(/test\/profiler\/trace\.test\.ts\(\d+\): step/);
  expect(find('forward "quoted"\n')).toMatchObject({ cat: 'user_annotation' });
  expect(find('[memory]', 'i').args).toMatchObject({ Bytes: 48, 'Total Allocated': 48, 'Device Type': 0 });

  // An arrow leads from the operator to its node.
  const node = find('MulBackward0');
  const number = node.args?.['Sequence number'] as number;
  expect(mul.args?.['Sequence number']).toBe(number);
  const [from, to] = ['s', 'f'].map((ph) =>
    trace.traceEvents.find((e) => e.ph === ph && e.id === number),
  ) as TraceEvent[];
  expect(from.ts).toBeCloseTo(mul.ts, 2);
  expect(to).toMatchObject({ bp: 'e', cat: 'fwdbwd' });
  expect(to.ts).toBeCloseTo(node.ts, 2);

  const event = prof.events().find((e) => e.name === 'aten::mul') as torch.profiler.FunctionEvent;
  expect(mul.dur).toBeCloseTo(event.cpu_time_total, 3);
});

test('ranges that overlap have tracks of their own', async () => {
  const prof = await profile({}, async () => {
    const wait = (): Promise<Tensor> => sleep(1).then(() => torch.ones(2));
    await Promise.all([record_function('a', wait), record_function('b', wait)]);
  });
  const trace = trace_of(prof);
  validate(trace);
  const tracks = trace.traceEvents.filter((e) => e.ph === 'b' || e.ph === 'e');
  expect(tracks.map(({ name, ph }) => name + ph).sort()).toEqual(['ab', 'ae', 'bb', 'be']);
  expect(tracks.every(({ cat }) => cat === 'user_annotation')).toBe(true);
});

test('compressed, again and again, and never half', () => {
  const prof = profile(() => torch.ones(2).add(1));
  const [plain, packed] = [trace_of(prof), trace_of(prof, 'trace.json.gz')];
  validate(packed);
  expect(packed.traceEvents).toEqual(plain.traceEvents);
  expect(() => prof.export_chrome_trace(path.join(folder, 'missing', 'x.json'))).toThrow(/ENOENT/);
  expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  prof.events().export_chrome_trace(path.join(folder, 'of_events.json'));
  expect(read(path.join(folder, 'of_events.json')).traceEvents).toEqual(plain.traceEvents);
});

test('a long trace is written piece by piece', () => {
  const x = torch.ones(1);
  const prof = profile(() => {
    for (let i = 0; i < 20_000; ++i) x.add(1);
  });
  const trace = trace_of(prof, 'long.json');
  expect(trace.traceEvents.filter(({ name }) => name === 'aten::add')).toHaveLength(20_000);
});

test('the numbers of steps are kept apart', () => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const dir = path.join(folder, 'steps');
  profile(
    {
      schedule: schedule({ wait: 1, warmup: 1, active: 2, repeat: 2 }),
      on_trace_ready: tensorboard_trace_handler(dir, 'me', true),
    },
    (prof) => {
      for (let i = 0; i < 10; ++i) {
        torch.ones(2);
        prof.step();
      }
    },
  );
  jest.restoreAllMocks();
  const files = readdirSync(dir).sort();
  expect(files).toHaveLength(2);
  for (const file of files) expect(file).toMatch(/^me\.\d{19}\.pt\.trace\.json\.gz$/);
  const steps = files.map((file) =>
    read(path.join(dir, file))
      .traceEvents.filter((e) => e.ph === 'X' && e.name.startsWith('ProfilerStep'))
      .map((e) => e.name),
  );
  expect(steps).toEqual([
    ['ProfilerStep#2', 'ProfilerStep#3'],
    ['ProfilerStep#6', 'ProfilerStep#7'],
  ]);
});

test('stacks for flame graphs', () => {
  const x = torch.ones(1000);
  const prof = profile({ with_stack: true }, function program() {
    for (let i = 0; i < 20; ++i) x.exp();
  });
  const file = path.join(folder, 'stacks.txt');
  prof.export_stacks(file);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    expect(line).toMatch(/^\S+;test\/profiler\/trace\.test\.ts\(\d+\):_program \d+$|^\S*_program \d+$/);
  }
});

describe('processes and threads', () => {
  const source = (body: string): string =>
    `require('tsx/cjs');
     const torch = require(${JSON.stringify(path.join(__dirname, '..', '..', 'lib', 'index.ts'))});
     const { profile, record_function } = torch.profiler;
     ${body}`;

  test('a profile left open does not disturb the end of the process', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '-e',
        source(`globalThis.prof = profile({ profile_memory: true, with_stack: true });
          record_function('open');
          globalThis.kept = torch.ones(1000).add(1);`),
      ],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('each thread has its own profile; one that is left open ends with its worker', async () => {
    const body = source(`
      const { parentPort } = require('node:worker_threads');
      const prof = profile(() => record_function('in the worker', () => torch.zeros(2).sin()));
      globalThis.open = profile({ profile_memory: true });
      globalThis.kept = torch.ones(1000);
      parentPort.postMessage([prof.events()[0].thread, prof.events().map((e) => e.name)]);`);
    let told: [number, string[]] | undefined;
    const prof = await profile({}, async () => {
      torch.ones(2);
      const worker = new Worker(body, { eval: true });
      worker.once('message', (message) => (told = message as typeof told));
      const code = await new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('exit', resolve);
      });
      expect(code).toBe(0);
      torch.ones(2).cos();
    });
    expect(told?.[1]).toEqual(['in the worker', 'aten::zeros', 'aten::sin']);
    expect(prof.events().map((e) => e.name)).toEqual(['aten::ones', 'aten::ones', 'aten::cos']);
    expect(told?.[0]).not.toBe(prof.events()[0].thread);
  });
});
