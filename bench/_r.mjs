import torch, { nn } from 'sconce';
const t = (name, f, s = 0.5) => {
  for (let i = 0; i < 200; i++) f();
  let n = 0;
  const b = performance.now();
  while (performance.now() - b < s * 1000) {
    for (let k = 0; k < 20; k++) f();
    n += 20;
  }
  console.log(name.padEnd(28), (((performance.now() - b) / n) * 1000).toFixed(2), 'us');
};
const x = torch.randn(301056);
const y = torch.empty(301056),
  small = torch.randn(16384),
  mid = torch.randn(65536);
torch.no_grad(() => {
  t('relu 301k', () => torch.relu(x));
  t('relu_ 301k', () => x.relu_());
  t('add_ 301k', () => y.add_(x));
  t('relu 16k', () => torch.relu(small));
  t('relu 64k', () => torch.relu(mid));
  t('relu_ 64k', () => mid.relu_());
});
