/** Native work off the event loop, as a process sees it: timers, memory, threads that end in the middle of a job. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, run } from './process';

const folder = mkdtempSync(path.join(tmpdir(), 'sconce-async-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LIBRARY = `
  const torch = require(${JSON.stringify(root)});
  const { nn, optim } = torch;
  // A backward pass of some hundred nodes that takes about as long as is asked for.
  const long_pass = (milliseconds) => {
    const w = torch.randn(512, 512).mul(0.05).requires_grad_();
    let h = torch.randn(512, 512);
    for (let i = 0; i < 20; i++) h = h.matmul(w).tanh();
    const begin = performance.now();
    h.sum().backward({ retain_graph: true });
    const repeat = Math.ceil(milliseconds / ((performance.now() - begin) / 20));
    for (let i = 20; i < repeat; i++) h = h.matmul(w).tanh();
    w.grad = null;
    return { w, loss: h.sum() };
  };
`;

/** Runs a script that is the body of an async function; \`run_worker(source)\` starts such a one in a worker. */
function runMain(source: string, args: string[] = []) {
  const file = path.join(folder, 'main.cjs');
  writeFileSync(
    file,
    `${LIBRARY}
     const { once } = require('node:events');
     const { setTimeout: sleep } = require('node:timers/promises');
     const { Worker } = require('node:worker_threads');
     const run_worker = async (source) => {
       const worker = new Worker(${JSON.stringify(LIBRARY)} + \`
         const { parentPort } = require('node:worker_threads');
         (async () => { \${source} })();\`, { eval: true });
       await once(worker, 'message');
       return worker;
     };
     (async () => { ${source} })();`,
  );
  return run(process.execPath, [...args, file]);
}

test('timers are answered within 5 ms while a backward pass of half a second and more runs', () => {
  // The event loop's thread competes with the kernels' threads and with whatever else the machine does, which makes a few timers of
  // any process late. So nine in ten are held to the 5 ms, and on a busy machine to what they suffer without the pass as well;
  // none may have waited for the pass.
  const result = runMain(`
    const { loss } = long_pass(1600);
    const lateness = async (work) => {
      const late = [];
      let due = performance.now() + 1, running = true;
      const tick = () => {
        late.push(performance.now() - due);
        due = performance.now() + 1;
        if (running) setTimeout(tick, 1);
      };
      const began = performance.now();
      setTimeout(tick, 1);
      await work;
      running = false;
      late.sort((a, b) => a - b);
      return {
        took: performance.now() - began,
        count: late.length,
        p90: late[Math.floor(late.length * 0.9)],
        most: late.at(-1),
      };
    };
    const idle = await lateness(sleep(500));
    console.log(JSON.stringify({ idle, busy: await lateness(loss.backward_async()) }));`);
  expect(result).toMatchObject({ status: 0, stderr: '' });
  const { idle, busy } = JSON.parse(result.stdout) as Record<'idle' | 'busy', Record<string, number>>;
  expect(busy.took).toBeGreaterThan(500);
  expect(busy.count).toBeGreaterThan(busy.took / 10);
  expect(busy.p90).toBeLessThan(5 + 2 * idle.p90);
  expect(busy.most).toBeLessThan(busy.took / 4);
});

test('20,000 steps off the event loop grow by less than 50 MiB', () => {
  const result = runMain(
    `const net = new nn.Sequential(new nn.Linear(8, 16), new nn.Tanh(), new nn.Linear(16, 1));
     const adam = new optim.Adam(net.parameters());
     const x = torch.randn(32, 8);
     const step = async () => {
       adam.zero_grad();
       await net(x).pow(2).mean().backward_async();
       await adam.step_async();
     };
     const size = () => { gc(); return process.memoryUsage.rss() / 2 ** 20; };
     for (let i = 0; i < 2000; i++) await step();
     const before = size();
     for (let i = 0; i < 20000; i++) await step();
     console.log(Math.round(size() - before), torch.memory_stats().allocated_bytes < 5e6);`,
    ['--expose-gc'],
  );
  expect(result).toMatchObject({ status: 0, stderr: '' });
  const [grown, few] = result.stdout.trim().split(' ');
  expect(Number(grown)).toBeLessThan(50);
  expect(few).toBe('true');
});

test('a process waits for the work it asked for, and for nothing else', () => {
  const waits = runMain(`
    const { w, loss } = long_pass(100);
    loss.backward_async().then(() => console.log('done', w.grad !== null));`);
  expect(waits).toMatchObject({ status: 0, stderr: '', stdout: 'done true\n' });
  const began = performance.now();
  const idle = runMain(`await torch.run_async(torch.ones, 3); console.log('idle');`);
  expect(idle).toMatchObject({ status: 0, stderr: '', stdout: 'idle\n' });
  expect(performance.now() - began).toBeLessThan(20_000);
});

describe('a process may end in the middle of a job, with its own code', () => {
  test.each([
    ['by process.exit', 'await sleep(30); process.exit(7);', 7],
    ['by process.reallyExit', 'await sleep(30); process.reallyExit(9);', 9],
    [
      'by an error',
      'await sleep(30); process.on("uncaughtException", () => process.exit(8)); throw new Error("mine");',
      8,
    ],
    [
      'while it touches tensors',
      'await sleep(30); for (let i = 0; ; i++) { w.add(1); if (i === 20) process.exit(6); }',
      6,
    ],
  ])('%s', (_how, ending, status) => {
    expect(
      runMain(`const { w, loss } = long_pass(1500); void loss.backward_async(); ${ending}`),
    ).toMatchObject({ status });
  });

  test('inside a hook of the job', () => {
    const result = runMain(`
      const w = torch.ones(4).requires_grad_();
      const h = w.tanh();
      h.register_hook(() => process.exit(5));
      await h.sum().backward_async();`);
    expect(result).toMatchObject({ status: 5, stderr: '' });
  });
});

describe('workers', () => {
  const endings: [string, string][] = [
    [
      'computing',
      `const { loss } = long_pass(1500); void loss.backward_async(); parentPort.postMessage('on');`,
    ],
    [
      'computing while the worker uses the same tensors',
      `const { w, loss } = long_pass(1500); void loss.backward_async(); parentPort.postMessage('on'); for (;;) w.add(1);`,
    ],
    [
      'in a hook that does not return',
      `const h = torch.ones(4).requires_grad_().tanh();
       h.register_hook(() => { parentPort.postMessage('on'); for (;;); });
       void h.sum().backward_async();`,
    ],
    [
      'in hook after hook',
      `let h = torch.ones(4).requires_grad_();
       for (let i = 0; i < 100000; i++) { h = h.tanh(); if (i % 10 === 0) h.register_hook(() => undefined); }
       void h.sum().backward_async(); parentPort.postMessage('on');`,
    ],
  ];
  test.each(endings)('terminated in the middle of a job: %s', (_how, source) => {
    const result = runMain(`
      const allocated = () => torch.memory_stats().allocated_bytes;
      const before = allocated();
      for (let round = 0; round < 3; round++) {
        const workers = await Promise.all([run_worker(${JSON.stringify(source)}), run_worker(${JSON.stringify(source)})]);
        await sleep(20 * round);
        await Promise.all(workers.map((worker) => worker.terminate()));
      }
      console.log(torch.ones(3).sum().item(), allocated() - before);`);
    expect(result).toMatchObject({ status: 0, stderr: '', stdout: '3 0\n' });
  });

  test('hooks run on the thread that owns the graph', () => {
    const result = runMain(`
      const { threadId } = require('node:worker_threads');
      const worker = await run_worker(\`
        const { threadId } = require('node:worker_threads');
        const h = torch.ones(4).requires_grad_().tanh();
        let where;
        h.register_hook(() => { where = threadId; });
        await h.sum().backward_async();
        parentPort.postMessage('done');
        console.log(where === threadId, threadId);
      \`);
      await once(worker, 'exit');
      console.log(threadId);`);
    expect(result).toMatchObject({ status: 0, stderr: '', stdout: 'true 1\n0\n' });
  });
});
