"""PyTorch's side of the benchmark: the rows of rows.mjs under the same names, on the protocol of worker.mjs."""

import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn, optim


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + identity, inplace=True)


class ResNet18(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        layers = []
        inputs = 64
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1)]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = F.adaptive_avg_pool2d(self.layers(x), 1)
        return self.fc(x.flatten(1))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (p.view(n, t, self.heads, c // self.heads).transpose(1, 2)
                   for p in self.qkv(self.norm1(x)).split(c, 2))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(attended.transpose(1, 2).reshape(n, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary, context, layers, width, heads):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def training_step(optimizer, loss_of):
    def step():
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def plain(op):
    def call():
        with torch.no_grad():
            op()

    return call


LARGE = 10_000_000


def two_layer():
    net = nn.Sequential(nn.Linear(1000, 100), nn.ReLU(), nn.Linear(100, 10))
    x, y = torch.randn(64, 1000), torch.randn(64, 10)
    return training_step(optim.SGD(net.parameters(), lr=1e-4), lambda: F.mse_loss(net(x), y))


def lenet():
    net = LeNet5()
    x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    return training_step(optim.Adam(net.parameters()), lambda: F.cross_entropy(net(x), y))


def resnet18():
    net = ResNet18(10)
    x, y = torch.randn(8, 3, 64, 64), torch.randint(0, 10, (8,))
    optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    return training_step(optimizer, lambda: F.cross_entropy(net(x), y))


def gpt():
    net = GPT(65, 128, 4, 128, 4)
    x, y = torch.randint(0, 65, (16, 128)), torch.randint(0, 65, (16 * 128,))
    optimizer = optim.AdamW(net.parameters(), lr=1e-3)
    return training_step(optimizer, lambda: F.cross_entropy(net(x).view(-1, 65), y))


def lstm():
    net = nn.LSTM(64, 256)
    x = torch.randn(64, 32, 64)

    def step():
        net.zero_grad()
        net(x)[0].sum().backward()

    return step


def add_small():
    a, b = torch.randn(4), torch.randn(4)
    return lambda: a.add(b)


def add_small_grad():
    a, b = torch.randn(4, requires_grad=True), torch.randn(4)
    return lambda: a.add(b)


def backward_small():
    a, b = torch.randn(4, requires_grad=True), torch.randn(4, requires_grad=True)
    return lambda: (a * b).sum().backward()


def backward_chain():
    a, b = torch.randn(4, requires_grad=True), torch.randn(4)
    y = a
    for _ in range(1000):
        y = y + b
    return lambda: y.backward(b, retain_graph=True)


def gradcheck():
    a, b = (torch.randn(20, 20, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return lambda: torch.autograd.gradcheck(torch.matmul, (a, b))


def add_large():
    a, b = torch.randn(LARGE), torch.randn(LARGE)
    return plain(lambda: a.add(b))


def unary_large(f):
    a = torch.randn(LARGE)
    return plain(lambda: f(a))


def softmax():
    a = torch.randn(4096, 1024)
    return plain(lambda: a.softmax(1))


def layer_norm():
    a, norm = torch.randn(4096, 1024), nn.LayerNorm(1024)
    return plain(lambda: norm(a))


def matmul():
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return plain(lambda: a.matmul(b))


ROWS = {
    "two_layer": two_layer, "lenet": lenet, "resnet18": resnet18, "gpt": gpt, "lstm": lstm,
    "add_small": add_small, "add_small_grad": add_small_grad, "backward_small": backward_small,
    "backward_chain": backward_chain,
    "gradcheck": gradcheck,
    "add_large": add_large, "exp_large": lambda: unary_large(torch.exp),
    "tanh_large": lambda: unary_large(torch.tanh), "gelu_large": lambda: unary_large(F.gelu),
    "softmax": softmax, "layer_norm": layer_norm, "matmul": matmul,
}  # fmt: skip


def time_calls(f, seconds, block=0.06):
    """The median over blocks of calls of at least 60 ms, as worker.mjs takes it."""
    means = []
    batch = 1
    begin = time.perf_counter()
    while True:
        calls, start = 0, time.perf_counter()
        while True:
            for _ in range(batch):
                f()
            calls += batch
            elapsed = time.perf_counter() - start
            if elapsed >= block:
                break
            if elapsed < block / 10:
                batch *= 2
        means.append(elapsed / calls)
        if time.perf_counter() - begin >= seconds:
            return statistics.median(means)


def main():
    torch.manual_seed(0)
    prepared = {}
    for line in sys.stdin:
        request = json.loads(line)
        row, seconds = request["row"], request["seconds"]
        if row not in prepared:
            prepared.clear()
            f = ROWS[row]()
            time_calls(f, seconds)
            prepared[row] = f
        print(json.dumps({"seconds": time_calls(prepared[row], seconds)}), flush=True)


if __name__ == "__main__":
    main()
