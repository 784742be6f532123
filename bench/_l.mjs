import torch, { nn } from 'sconce';
const F = nn.functional;
const t = (name, f, s = 0.4) => {
  for (let i = 0; i < 20; i++) f();
  let n = 0;
  const b = performance.now();
  while (performance.now() - b < s * 1000) {
    f();
    n++;
  }
  console.log(name.padEnd(28), (((performance.now() - b) / n) * 1000).toFixed(1), 'us');
};
const x1 = torch.randn(64, 1, 28, 28),
  w1 = torch.randn(6, 1, 5, 5),
  b1 = torch.randn(6);
const y1 = F.conv2d(x1, w1, b1, { padding: 2 });
const p1 = F.max_pool2d(F.relu(y1), 2);
const w2 = torch.randn(16, 6, 5, 5),
  b2 = torch.randn(16);
const y2 = F.conv2d(p1, w2, b2);
console.log(y1.stride(), p1.stride(), y2.stride());
const both = (name, leafs, f) => {
  torch.no_grad(() => t(name + ' fwd', f));
  leafs.forEach((l) => l.requires_grad_(true));
  const y = f();
  const g = torch.randn_like(y);
  t(name + ' fwd+graph', f);
  t(name + ' bwd', () => torch.autograd.grad(y, leafs, { grad_outputs: g, retain_graph: true }));
  leafs.forEach((l) => l.requires_grad_(false));
};
both('conv1', [w1, b1], () => F.conv2d(x1, w1, b1, { padding: 2 }));
both('relu1', [y1], () => F.relu(y1));
both('pool1', [y1], () => F.max_pool2d(y1, 2));
both('conv2', [p1, w2, b2], () => F.conv2d(p1, w2, b2));
both('relu2', [y2], () => F.relu(y2));
both('pool2', [y2], () => F.max_pool2d(y2, 2));
const l = (a, b) => [torch.randn(64, a), torch.randn(b, a), torch.randn(b)];
for (const [a, b] of [
  [400, 120],
  [120, 84],
  [84, 10],
]) {
  const [x, w, bb] = l(a, b);
  both(`linear${a}`, [x, w, bb], () => F.linear(x, w, bb));
}
const lg = torch.randn(64, 10),
  tg = torch.randint(0, 10, [64]);
both('ce', [lg], () => F.cross_entropy(lg, tg));
const net = new nn.Sequential(
  new nn.Conv2d(1, 6, 5),
  new nn.Conv2d(6, 16, 5),
  new nn.Linear(400, 120),
  new nn.Linear(120, 84),
  new nn.Linear(84, 10),
);
for (const p of net.parameters()) p.grad = torch.randn_like(p);
const o = new torch.optim.Adam(net.parameters());
t('adam', () => o.step());
t('zero_grad', () => o.zero_grad());
