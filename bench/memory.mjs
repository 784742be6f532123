// Memory and start-up, each measured in a fresh process: `node bench/memory.mjs NAME` prints the number. The system
// tests hold these to their limits.
import { execFile } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const MiB = 2 ** 20;

async function twoLayerGrowth() {
  const { default: torch, nn, optim } = await import('sconce');
  const net = new nn.Sequential(new nn.Linear(1000, 100), new nn.ReLU(), new nn.Linear(100, 10));
  const optimizer = new optim.SGD(net.parameters(), { lr: 1e-4 });
  const [x, y] = [torch.randn(64, 1000), torch.randn(64, 10)];
  const steps = (count) => {
    for (let i = 0; i < count; i++) {
      const loss = nn.functional.mse_loss(net(x), y);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
    }
  };
  steps(1000); // caches and compiled code reach their size
  const before = process.memoryUsage.rss();
  steps(20_000);
  return (process.memoryUsage.rss() - before) / MiB;
}

async function resultsPeak() {
  const { default: torch } = await import('sconce');
  const a = torch.ones(MiB); // 4 MB of float32
  for (let i = 0; i < 1500; i++) a.add(a);
  return process.resourceUsage().maxRSS / 1024;
}

async function importTime() {
  const begin = performance.now();
  await import('sconce');
  return performance.now() - begin;
}

export const measurements = {
  two_layer: {
    about: '20,000 two-layer training steps: growth',
    unit: 'MiB',
    limit: 50,
    run: twoLayerGrowth,
  },
  results: { about: '1,500 results of 4 MB each: peak', unit: 'MiB', limit: 300, run: resultsPeak },
  import: { about: 'import', unit: 'ms', limit: 100, run: importTime },
};

/** Measures in a process of its own. */
export async function measure(name) {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), name]);
  return Number(stdout);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(await measurements[process.argv[2]].run());
}
