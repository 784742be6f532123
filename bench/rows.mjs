// What is measured. Every row has its counterpart of the same name in torch_bench.py: the same sizes, the same work.
// A row's `make` prepares and returns the function that is timed; what it returns at the end is awaited by nobody.
import torch, { nn, optim } from 'sconce';
import { models } from 'sconce/vision';

const F = nn.functional;

class LeNet5 extends nn.Module {
  constructor() {
    super();
    this.conv1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
    this.conv2 = new nn.Conv2d(6, 16, 5);
    this.fc1 = new nn.Linear(400, 120);
    this.fc2 = new nn.Linear(120, 84);
    this.fc3 = new nn.Linear(84, 10);
  }

  forward(x) {
    x = F.max_pool2d(F.relu(this.conv1(x)), 2);
    x = F.max_pool2d(F.relu(this.conv2(x)), 2);
    x = F.relu(this.fc1(x.flatten(1)));
    return this.fc3(F.relu(this.fc2(x)));
  }
}

class Block extends nn.Module {
  constructor(width, heads) {
    super();
    this.heads = heads;
    this.norm1 = new nn.LayerNorm(width);
    this.qkv = new nn.Linear(width, 3 * width);
    this.proj = new nn.Linear(width, width);
    this.norm2 = new nn.LayerNorm(width);
    this.up = new nn.Linear(width, 4 * width);
    this.down = new nn.Linear(4 * width, width);
  }

  forward(x) {
    const [n, t, c] = x.shape;
    const [q, k, v] = this.qkv(this.norm1(x))
      .split(c, 2)
      .map((part) => part.view(n, t, this.heads, c / this.heads).transpose(1, 2));
    const attended = F.scaled_dot_product_attention(q, k, v, { is_causal: true });
    x = x.add(this.proj(attended.transpose(1, 2).reshape(n, t, c)));
    return x.add(this.down(F.gelu(this.up(this.norm2(x)))));
  }
}

class GPT extends nn.Module {
  constructor({ vocabulary, context, layers, width, heads }) {
    super();
    this.tokens = new nn.Embedding(vocabulary, width);
    this.positions = new nn.Embedding(context, width);
    this.blocks = new nn.Sequential(...Array.from({ length: layers }, () => new Block(width, heads)));
    this.norm = new nn.LayerNorm(width);
    this.head = new nn.Linear(width, vocabulary);
  }

  forward(ids) {
    const x = this.tokens(ids).add(this.positions(torch.arange(ids.shape[1])));
    return this.head(this.norm(this.blocks(x)));
  }
}

function trainingStep(net, optimizer, lossOf) {
  return () => {
    const loss = lossOf(net);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  };
}

function operands(...shape) {
  return [torch.randn(shape), torch.randn(shape)];
}

/** Times `op` where no graph is recorded. */
function plain(op) {
  return () => torch.no_grad(op);
}

const LARGE = 10_000_000;

/** `target`: the least ratio (PyTorch's time divided by ours) that the project promises. */
export const rows = {
  two_layer: {
    about: 'two-layer net 64x1000x100x10, training step',
    target: 1.5,
    make() {
      const net = new nn.Sequential(new nn.Linear(1000, 100), new nn.ReLU(), new nn.Linear(100, 10));
      const [x, y] = [torch.randn(64, 1000), torch.randn(64, 10)];
      return trainingStep(net, new optim.SGD(net.parameters(), { lr: 1e-4 }), () => F.mse_loss(net(x), y));
    },
  },
  lenet: {
    about: 'LeNet-5, batch 64, training step',
    target: 2,
    make() {
      const net = new LeNet5();
      const [x, y] = [torch.randn(64, 1, 28, 28), torch.randint(0, 10, [64])];
      return trainingStep(net, new optim.Adam(net.parameters()), () => F.cross_entropy(net(x), y));
    },
  },
  resnet18: {
    about: 'ResNet-18, batch 8, 3x64x64, training step',
    target: 1.2,
    make() {
      const net = models.resnet18({ num_classes: 10 });
      const [x, y] = [torch.randn(8, 3, 64, 64), torch.randint(0, 10, [8])];
      const optimizer = new optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });
      return trainingStep(net, optimizer, () => F.cross_entropy(net(x), y));
    },
  },
  gpt: {
    about: 'GPT, 4 layers, 128 wide, batch 16, 128 tokens, training step',
    target: 1,
    make() {
      const net = new GPT({ vocabulary: 65, context: 128, layers: 4, width: 128, heads: 4 });
      const [x, y] = [torch.randint(0, 65, [16, 128]), torch.randint(0, 65, [16 * 128])];
      const optimizer = new optim.AdamW(net.parameters(), { lr: 1e-3 });
      return trainingStep(net, optimizer, () => F.cross_entropy(net(x).view(-1, 65), y));
    },
  },
  lstm: {
    about: 'LSTM(64 -> 256), batch 32, 64 steps, forward and backward',
    target: 1,
    make() {
      const net = new nn.LSTM(64, 256);
      const x = torch.randn(64, 32, 64);
      return () => {
        net.zero_grad();
        net(x)[0].sum().backward();
      };
    },
  },
  add_small: {
    about: 'add, 4 elements',
    target: 1.8,
    make() {
      const [a, b] = operands(4);
      return () => a.add(b);
    },
  },
  add_small_grad: {
    about: 'add, 4 elements, with grad',
    target: 2,
    make() {
      const [a, b] = operands(4);
      a.requires_grad_();
      return () => a.add(b);
    },
  },
  backward_small: {
    about: '(a*b).sum().backward(), 4 elements',
    target: 4,
    make() {
      const [a, b] = operands(4);
      a.requires_grad_();
      b.requires_grad_();
      return () => a.mul(b).sum().backward();
    },
  },
  backward_chain: {
    about: 'backward of 1,000 additions, 4 elements',
    target: 10,
    make() {
      const [a, b] = operands(4);
      let y = a.requires_grad_();
      for (let i = 0; i < 1000; ++i) y = y.add(b);
      return () => y.backward(b, { retain_graph: true });
    },
  },
  gradcheck: {
    about: 'gradcheck of a product of two matrices of 20x20',
    target: 1,
    make() {
      const [a, b] = [0, 1].map(() => torch.randn(20, 20, { dtype: torch.float64, requires_grad: true }));
      return () => torch.autograd.gradcheck((x, y) => x.matmul(y), [a, b]);
    },
  },
  add_large: {
    about: 'add, 10M elements',
    target: 2.5,
    make() {
      const [a, b] = operands(LARGE);
      return plain(() => a.add(b));
    },
  },
  ...Object.fromEntries(
    [
      ['exp', 2.5],
      ['tanh', 2],
      ['gelu', 2],
    ].map(([op, target]) => [
      `${op}_large`,
      {
        about: `${op}, 10M elements`,
        target,
        make() {
          const a = torch.randn(LARGE);
          const f = op === 'gelu' ? F.gelu : torch[op];
          return plain(() => f(a));
        },
      },
    ]),
  ),
  softmax: {
    about: 'softmax, 4096x1024',
    target: 1,
    make() {
      const a = torch.randn(4096, 1024);
      return plain(() => a.softmax(1));
    },
  },
  layer_norm: {
    about: 'layer_norm, 4096x1024',
    target: 1,
    make() {
      const a = torch.randn(4096, 1024);
      const norm = new nn.LayerNorm(1024);
      return plain(() => norm(a));
    },
  },
  matmul: {
    about: 'matmul, 1024x1024',
    target: 1,
    make() {
      const [a, b] = operands(1024, 1024);
      return plain(() => a.matmul(b));
    },
  },
};
