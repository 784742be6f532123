// `npm run bench`: prints a table of times. Where SCONCE_BENCH_PYTHON names a Python that has PyTorch, its times for
// the same rows are taken in the same run, in turns, and the table shows the ratio.
//
//   npm run bench -- [--rows NAME,...] [--rounds 7] [--seconds 0.3] [--no-memory]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, measurements } from './memory.mjs';
import { rows } from './rows.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** A process that measures one row at a time; while it waits for a request it uses no processor. */
class Worker {
  #child;
  #lines;

  constructor(command, args) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      process.exit(1);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async seconds(row, seconds) {
    this.#child.stdin.write(`${JSON.stringify({ row, seconds })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the worker ended while it measured ${row}`);
    return JSON.parse(value).seconds;
  }

  async end() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function showTime(seconds) {
  if (seconds < 1e-5) return `${(seconds * 1e6).toFixed(2)} us`;
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(1)} us`;
  return `${(seconds * 1e3).toFixed(2)} ms`;
}

function printRow(...cells) {
  const widths = [61, 10, 10, 6, 6];
  console.log(
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`,
  );
}

async function times(names, rounds, seconds) {
  const python = process.env.SCONCE_BENCH_PYTHON;
  printRow('', 'sconce', 'PyTorch', 'ratio', 'target');
  printRow('---', '---:', '---:', '---:', '---:');
  for (const name of names) {
    // New processes for each row: what an earlier one left in the allocators decides nothing.
    const ours = new Worker(process.execPath, [here('worker.mjs')]);
    const theirs = python ? new Worker(python, [here('torch_bench.py')]) : undefined;
    const samples = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round++) {
      samples.ours.push(await ours.seconds(name, seconds));
      if (theirs) samples.theirs.push(await theirs.seconds(name, seconds));
    }
    await Promise.all([ours.end(), theirs?.end()]);
    const our = median(samples.ours);
    const { about, target } = rows[name];
    if (!theirs) printRow(about, showTime(our), '', '', String(target));
    else {
      const their = median(samples.theirs);
      printRow(about, showTime(our), showTime(their), (their / our).toFixed(2), String(target));
    }
  }
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '0.3' },
    'no-memory': { type: 'boolean' },
  },
});
const names = values.rows?.split(',') ?? Object.keys(rows);
const unknown = names.filter((name) => !(name in rows));
if (unknown.length > 0) {
  console.error(`unknown row ${unknown.join(', ')}; there are: ${Object.keys(rows).join(', ')}`);
  process.exit(2);
}
console.log(
  `Medians of ${values.rounds} rounds on ${availableParallelism()} cores; ratio = PyTorch's time / sconce's\n`,
);
await times(names, Number(values.rounds), Number(values.seconds));
if (!values['no-memory']) {
  console.log('\n| memory and start | measured | limit |\n| --- | ---: | ---: |');
  for (const [name, { about, unit, limit }] of Object.entries(measurements)) {
    console.log(`| ${about} | ${(await measure(name)).toFixed(1)} ${unit} | ${limit} ${unit} |`);
  }
}
