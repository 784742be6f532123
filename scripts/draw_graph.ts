// Draws docs/images/graph.svg, the example of docs/visualization.md:  npx tsx scripts/draw_graph.ts
import path from 'node:path';

import torch, { nn } from '../lib';

async function main(): Promise<void> {
  const net = new nn.Sequential(new nn.Linear(8, 16), new nn.Tanh(), new nn.Linear(16, 1));
  const loss = nn.functional.mse_loss(net(torch.randn(4, 8)), torch.randn(4, 1));
  const dot = torch.utils.viz.make_dot(loss, { params: net.named_parameters() });
  await dot.render(path.join(__dirname, '..', 'docs', 'images', 'graph.svg'));
}

void main();
