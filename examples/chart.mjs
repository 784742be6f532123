// Draws a training curve as SVG and PNG, without a browser.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import * as vega from 'vega';

const FONT = 'DejaVu Sans';
// The PNG takes its letters from this file, so that it looks the same on a system without any font.
const FONT_FILE = join(
  dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')),
  'ttf',
  'DejaVuSans.ttf',
);

/** The mean of each value and the ones around it, `radius` to either side. */
function smooth(values, radius) {
  return values.map((_, i) => {
    const window = values.slice(Math.max(0, i - radius), i + radius + 1);
    return window.reduce((sum, v) => sum + v, 0) / window.length;
  });
}

function lineMark(field, { color, width, opacity }) {
  return {
    type: 'line',
    from: { data: 'points' },
    encode: {
      enter: {
        x: { scale: 'x', field: 'step' },
        y: { scale: 'y', field },
        stroke: { value: color },
        strokeWidth: { value: width },
        strokeOpacity: { value: opacity },
      },
    },
  };
}

function lossSpec(losses, title) {
  const smoothed = smooth(losses, 15);
  return {
    width: 640,
    height: 360,
    padding: 16,
    background: 'white',
    title: { text: title, anchor: 'start', fontSize: 16 },
    config: { font: FONT },
    data: [
      {
        name: 'points',
        values: losses.map((loss, i) => ({ step: i + 1, loss, smoothed: smoothed[i] })),
      },
    ],
    scales: [
      { name: 'x', type: 'linear', range: 'width', nice: true, domain: { data: 'points', field: 'step' } },
      {
        name: 'y',
        type: 'linear',
        range: 'height',
        nice: true,
        zero: true,
        domain: { data: 'points', field: 'loss' },
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'step', grid: true },
      { orient: 'left', scale: 'y', title: 'loss', grid: true },
    ],
    marks: [
      lineMark('loss', { color: '#4c78a8', width: 1, opacity: 0.35 }),
      lineMark('smoothed', { color: '#4c78a8', width: 2.5, opacity: 1 }),
    ],
  };
}

/** Writes `${basename}.svg` and `${basename}.png`; returns both paths. */
export async function drawLoss(losses, title, basename) {
  const view = new vega.View(vega.parse(lossSpec(losses, title)), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  const png = new Resvg(svg, {
    font: { fontFiles: [FONT_FILE], loadSystemFonts: false, defaultFontFamily: FONT },
    fitTo: { mode: 'zoom', value: 2 },
  })
    .render()
    .asPng();
  const files = [`${basename}.svg`, `${basename}.png`];
  writeFileSync(files[0], svg);
  writeFileSync(files[1], png);
  return files;
}
