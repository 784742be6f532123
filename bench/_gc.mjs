import torch from 'sconce';
import { PerformanceObserver } from 'node:perf_hooks';
import { rows } from './rows.mjs';
const f = rows[process.argv[2]].make();
for (let i = 0; i < 50; i++) f();
let kinds = {},
  dur = {};
const obs = new PerformanceObserver((l) => {
  for (const e of l.getEntries()) {
    kinds[e.detail.kind] = (kinds[e.detail.kind] || 0) + 1;
    dur[e.detail.kind] = (dur[e.detail.kind] || 0) + e.duration;
  }
});
obs.observe({ entryTypes: ['gc'] });
const b = performance.now();
let n = 0;
while (performance.now() - b < 2000) {
  f();
  n++;
}
const t = performance.now() - b;
await new Promise((r) => setTimeout(r, 50));
console.log(
  process.argv[2],
  'step us',
  ((t / n) * 1000).toFixed(1),
  'gc per step',
  JSON.stringify(
    Object.fromEntries(
      Object.entries(kinds).map(([k, v]) => [
        k,
        (v / n).toFixed(3) + ' x ' + ((dur[k] / v) * 1000).toFixed(0) + 'us',
      ]),
    ),
  ),
);
