// Measures on request: reads `{"row": NAME, "seconds": S}` per line, answers with the seconds per call of that row.
import { createInterface } from 'node:readline';
import torch from 'sconce';
import { rows } from './rows.mjs';

const prepared = new Map();

// The median over blocks of calls: a block is long enough to hold its share of garbage collections, and short enough that
// one which another process interrupted can be told from the rest.
const BLOCK = 0.06;

/** Calls f for `seconds`, within a block in batches, so that reading the clock costs nothing. */
function time(f, seconds) {
  const means = [];
  let batch = 1;
  const begin = performance.now();
  for (;;) {
    let calls = 0;
    let elapsed;
    const start = performance.now();
    for (;;) {
      for (let i = 0; i < batch; i++) f();
      calls += batch;
      elapsed = (performance.now() - start) / 1000;
      if (elapsed >= BLOCK) break;
      if (elapsed < BLOCK / 10) batch *= 2;
    }
    means.push(elapsed / calls);
    if ((performance.now() - begin) / 1000 >= seconds) break;
  }
  means.sort((x, y) => x - y);
  const middle = means.length >> 1;
  return means.length % 2 === 1 ? means[middle] : (means[middle - 1] + means[middle]) / 2;
}

torch.manual_seed(0);
for await (const line of createInterface({ input: process.stdin })) {
  const { row, seconds } = JSON.parse(line);
  if (!prepared.has(row)) {
    prepared.clear(); // one row's tensors at a time
    const f = rows[row].make();
    time(f, seconds); // warm-up
    prepared.set(row, f);
  }
  console.log(JSON.stringify({ seconds: time(prepared.get(row), seconds) }));
}
