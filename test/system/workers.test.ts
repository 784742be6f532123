/** Worker threads that load the library, train, and end in every way, in a process that must end well itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, run } from './process';

const folder = mkdtempSync(path.join(tmpdir(), 'sconce-workers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TRAIN = `
  const torch = require(${JSON.stringify(root)});
  const { nn, optim } = torch;
  const { parentPort, workerData } = require('node:worker_threads');
  const net = new nn.Sequential(new nn.Linear(64, 128), new nn.ReLU(), new nn.Linear(128, 10));
  const optimizer = new optim.Adam(net.parameters());
  const [x, y] = [torch.randn(256, 64), torch.randint(0, 10, [256])];
  const step = () => {
    const loss = nn.functional.cross_entropy(net(x), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss.item();
  };
  step();
  parentPort.postMessage('training');
`;

/**
 * Runs a main script that has the functions `launch(ending)`, a worker that trains and then runs \`ending\`, and `start(ending)`,
 * which also waits until it trains. (Messages and errors come by different ports: whoever wants an error must not wait first.)
 */
function runMain(source: string) {
  const file = path.join(folder, 'main.cjs');
  writeFileSync(
    file,
    `const { once } = require('node:events');
     const { setTimeout } = require('node:timers/promises');
     const { Worker } = require('node:worker_threads');
     const torch = require(${JSON.stringify(root)});
     const launch = (ending) => new Worker(${JSON.stringify(TRAIN)} + ending, { eval: true });
     const start = async (ending) => {
       const worker = launch(ending);
       await once(worker, 'message');
       return worker;
     };
     (async () => { ${source} })();`,
  );
  return run(process.execPath, [file]);
}

const FOREVER = 'for (;;) step();';

test('a worker trains and ends by itself', () => {
  const result = runMain(`
    const worker = await start('for (let i = 0; i < 50; i++) step(); process.exit(3);');
    const [code] = await once(worker, 'exit');
    console.log(code, torch.ones(3).sum().item());`);
  expect(result).toMatchObject({ status: 0, stdout: '3 3\n' });
});

test('workers terminated in the middle of a step harm neither each other nor the process', () => {
  const result = runMain(`
    for (let round = 0; round < 5; round++) {
      const workers = await Promise.all([start(${JSON.stringify(FOREVER)}), start(${JSON.stringify(FOREVER)})]);
      await setTimeout(20 * round);
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    console.log(torch.ones(3).sum().item());`);
  expect(result).toMatchObject({ status: 0, stderr: '', stdout: '3\n' });
});

test('an error in a worker reaches the main thread as an error event', () => {
  const result = runMain(`
    const [error] = await once(launch('torch.ones(2).add(torch.ones(3));'), 'error');
    console.log(error.message);`);
  expect(result.status).toBe(0);
  expect(result.stdout).toContain('The size of tensor a (2) must match the size of tensor b (3)');
});

test('the process may exit, with its own code, while workers are training', () => {
  expect(runMain(`await start(${JSON.stringify(FOREVER)}); process.exit(7);`)).toMatchObject({ status: 7 });
});

test('the memory of terminated workers is given back', () => {
  const result = runMain(`
    const allocated = () => torch.memory_stats().allocated_bytes;
    const before = allocated();
    for (let i = 0; i < 4; i++) await (await start(${JSON.stringify(FOREVER)})).terminate();
    console.log(allocated() - before);`);
  expect(result).toMatchObject({ status: 0, stdout: '0\n' });
});

test('each has its own modes, across await too', () => {
  const report = `
    const seen = [torch.is_grad_enabled(), torch.zeros(1).dtype];
    torch.no_grad(async () => {
      await new Promise((done) => setTimeout(done, 5));
      seen.push(torch.is_grad_enabled());
    }).then(() => parentPort.postMessage([...seen, torch.is_grad_enabled()]));`;
  const result = runMain(`
    const scope = torch.no_grad();
    torch.set_default_dtype('float64');
    const worker = await start(${JSON.stringify(report)});
    const [seen] = await once(worker, 'message');
    console.log(...seen, torch.is_grad_enabled(), torch.zeros(1).dtype);
    scope.exit();
    console.log(torch.is_grad_enabled());`);
  expect(result).toMatchObject({
    status: 0,
    stderr: '',
    stdout: 'true float32 false true false float64\ntrue\n',
  });
});
