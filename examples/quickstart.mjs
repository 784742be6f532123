// Trains LeNet-5 on MNIST for one epoch, draws the loss curve, saves the weights, loads them into a new network and
// lets it read a few digits.
//
//   npm run quickstart -- [--device cuda] [--epochs 1] [--batch-size 64] [--lr 0.004] [--seed 0] [--out out]
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import torch, { nn, optim } from 'sconce';
import { load_file, save_file } from 'sconce/safetensors';
import { datasets, transforms } from 'sconce/vision';
import { drawLoss } from './chart.mjs';
import { Progress } from './progress.mjs';

const F = nn.functional;

class LeNet5 extends nn.Module {
  constructor() {
    super();
    this.conv1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
    this.conv2 = new nn.Conv2d(6, 16, 5);
    this.fc1 = new nn.Linear(16 * 5 * 5, 120);
    this.fc2 = new nn.Linear(120, 84);
    this.fc3 = new nn.Linear(84, 10);
  }

  forward(x) {
    // x: [N, 1, 28, 28]
    x = F.max_pool2d(F.relu(this.conv1(x)), 2); // [N, 6, 14, 14]
    x = F.max_pool2d(F.relu(this.conv2(x)), 2); // [N, 16, 5, 5]
    x = F.relu(this.fc1(x.flatten(1)));
    x = F.relu(this.fc2(x));
    return this.fc3(x); // [N, 10]
  }
}

/** Ctrl-C asks the training to stop after the step it is in; a second one ends the process at once. */
const interruption = new AbortController();
process.once('SIGINT', () => interruption.abort());

async function train(net, loader, { device, epochs, lr }) {
  const steps = epochs * loader.length;
  const optimizer = new optim.Adam(net.parameters(), { lr });
  const scheduler = new optim.lr_scheduler.CosineAnnealingLR(optimizer, { T_max: steps });
  const losses = [];
  const progress = new Progress(steps);
  net.train();
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [images, labels] of loader) {
      const loss = F.cross_entropy(net(images.to(device)), labels.to(device));
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      scheduler.step();
      losses.push(loss.item());
      progress.update(losses.length, losses.at(-1));
      await setImmediate(); // lets the event loop see Ctrl-C
      if (interruption.signal.aborted) break;
    }
    if (interruption.signal.aborted) break;
  }
  progress.stop();
  return losses;
}

function accuracy(net, loader, device) {
  net.eval();
  return torch.no_grad(() => {
    let correct = 0;
    for (const [images, labels] of loader) {
      correct += net(images.to(device)).argmax(1).eq(labels.to(device)).sum().item();
    }
    return correct / loader.dataset.length;
  });
}

/** A line of text for every two rows of pixels, so that a digit comes out about square. */
function asciiArt(pixels) {
  const shades = ' .:+*#@';
  const rows = F.avg_pool2d(pixels.to('float32').unsqueeze(0), [2, 1]) // [1, 14, 28]
    .mul((shades.length - 1) / 255)
    .round()
    .index(0)
    .tolist();
  return rows.map((row) => row.map((level) => shades[level]).join(''));
}

function showDigits(net, dataset, count, device) {
  const samples = Array.from({ length: count }, (_, i) => dataset.get(i));
  const images = torch.stack(samples.map(([image]) => image)).to(device);
  const predicted = torch.no_grad(() => net(images).argmax(1)).tolist();
  const pictures = samples.map((_, i) => asciiArt(dataset.data.index(i)));
  pictures[0].forEach((_, line) => console.log(pictures.map((picture) => picture[line]).join(' ')));
  const captions = samples.map(([, label], i) => `predicted ${predicted[i]}, label ${label}`.padEnd(28));
  console.log(captions.join(' ').trimEnd());
}

async function main() {
  const { values } = parseArgs({
    options: {
      device: { type: 'string', default: 'cpu' },
      epochs: { type: 'string', default: '1' },
      'batch-size': { type: 'string', default: '64' },
      lr: { type: 'string', default: '0.004' },
      seed: { type: 'string', default: '0' },
      out: { type: 'string', default: fileURLToPath(new URL('../out', import.meta.url)) },
    },
  });
  const [epochs, batch_size, lr, seed] = ['epochs', 'batch-size', 'lr', 'seed'].map((name) => {
    const value = Number(values[name]);
    if (values[name].trim() === '' || !(value >= 0))
      throw new Error(`--${name} ${values[name]}: not a number`);
    return value;
  });
  const { device } = values;
  if (device.startsWith('cuda') && !torch.cuda.is_available()) {
    throw new Error(`--device ${device}: ${torch.cuda.unavailable_reason()}`);
  }

  mkdirSync(values.out, { recursive: true });
  const shown = (file) => (relative('', file).startsWith('..') ? file : relative('', file));
  const checkpoint = join(values.out, 'lenet5.safetensors');

  torch.manual_seed(seed);
  const transform = new transforms.Compose([
    new transforms.ToTensor(),
    new transforms.Normalize([0.1307], [0.3081]), // the mean and deviation of MNIST's pixels
  ]);
  const root = datasets.MNIST.package_root();
  const training = new datasets.MNIST(root, { train: true, transform });
  const test = new datasets.MNIST(root, { train: false, transform });
  const { DataLoader } = torch.utils.data;

  const net = new LeNet5().to(device);
  console.log(`${net}`);
  console.log(`${training.length} images to train on, ${test.length} to test with, on ${device}`);

  const begin = performance.now();
  const losses = await train(net, new DataLoader(training, { batch_size, shuffle: true }), {
    device,
    epochs,
    lr,
  });
  const seconds = (performance.now() - begin) / 1000;

  save_file(net.state_dict(), checkpoint);
  console.log(`checkpoint: ${shown(checkpoint)}`);
  if (interruption.signal.aborted) {
    console.log(`stopped after ${losses.length} steps`);
    process.exitCode = 130;
    return;
  }

  const restored = new LeNet5().to(device);
  restored.load_state_dict(load_file(checkpoint, device));
  const lastLosses = losses.slice(-100);
  const meanLoss = lastLosses.reduce((sum, loss) => sum + loss, 0) / lastLosses.length;
  const correct = accuracy(restored, new DataLoader(test, { batch_size: 1000 }), device);
  console.log(
    `trained for ${seconds.toFixed(1)} s, loss ${meanLoss.toFixed(4)} (mean of the last 100 steps)`,
  );
  console.log(`test accuracy of the loaded checkpoint: ${(100 * correct).toFixed(2)} %`);

  const files = await drawLoss(losses, 'LeNet-5 on MNIST: training loss', join(values.out, 'loss'));
  console.log(`loss curve: ${files.map(shown).join(', ')}\n`);
  showDigits(restored, test, 4, device);
}

main().catch((error) => {
  console.error(`quickstart: ${error.message}`);
  process.exitCode = 1;
});
