// Measures on request: reads `{"row": NAME, "seconds": S}` per line, answers with the seconds per call of that row.
import { createInterface } from 'node:readline';
import torch from 'sconce';
import { rows } from './rows.mjs';

const prepared = new Map();

/** Calls f as often as fills `seconds`, in batches, so that reading the clock costs nothing. */
function time(f, seconds) {
  let calls = 0;
  let batch = 1;
  const begin = performance.now();
  for (;;) {
    for (let i = 0; i < batch; i++) f();
    calls += batch;
    const elapsed = (performance.now() - begin) / 1000;
    if (elapsed >= seconds) return elapsed / calls;
    if (elapsed < seconds / 10) batch *= 2;
  }
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
