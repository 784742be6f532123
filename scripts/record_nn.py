"""Records what PyTorch 2.13 does in torch.nn, torch.optim and torch.utils.data: test/fixtures/nn.json.

    python scripts/record_nn.py > test/fixtures/nn.json

The tests hold the matching JavaScript under the same names.
"""

import json
import sys
import warnings
from collections import OrderedDict

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils import data

warnings.simplefilter("ignore")


def values(t):
    return t.detach().flatten().tolist()


def digest(t):
    """Enough of a large tensor to tell it from any other."""
    flat = t.detach().double().flatten()
    return {"shape": list(t.shape), "head": flat[:4].tolist(), "sum": flat.sum().item(), "abs": flat.abs().sum().item()}


def error_of(fn):
    try:
        fn()
    except Exception as e:  # noqa: BLE001
        return f"{type(e).__name__}: {e}" if isinstance(e, KeyError) is False else f"KeyError: {e.args[0]}"
    raise AssertionError("no error")


# ---- texts ----
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.body = nn.Sequential(OrderedDict(pool=nn.MaxPool2d(2), act=nn.ReLU(inplace=True)))
        self.heads = nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2), nn.Linear(4, 3, bias=False)])
        self.named = nn.ModuleDict({"a": nn.Identity(), "b": nn.Sequential()})
        self.free = nn.ParameterList([torch.zeros(2, 3), torch.zeros(4)])
        self.loss = nn.CrossEntropyLoss()


REPR = {
    "Net": Net,
    "Linear": lambda: nn.Linear(3, 2),
    "Linear nobias": lambda: nn.Linear(3, 2, bias=False),
    "Identity": lambda: nn.Identity(),
    "Conv1d": lambda: nn.Conv1d(4, 6, 3, stride=2),
    "Conv2d": lambda: nn.Conv2d(4, 6, 3),
    "Conv2d all": lambda: nn.Conv2d(4, 6, (3, 5), stride=(1, 2), padding=1, dilation=2, groups=2, bias=False,
                                    padding_mode="reflect"),
    "Conv2d same": lambda: nn.Conv2d(4, 6, 3, padding="same"),
    "Conv2d zero padding": lambda: nn.Conv2d(4, 6, 3, padding=(0, 1)),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    "MaxPool1d": lambda: nn.MaxPool1d(2),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "MaxPool2d all": lambda: nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=2, ceil_mode=True),
    "AvgPool2d": lambda: nn.AvgPool2d(3, stride=2, padding=1),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d((1, None)),
    "AdaptiveAvgPool2d one": lambda: nn.AdaptiveAvgPool2d(1),
    "BatchNorm1d": lambda: nn.BatchNorm1d(4),
    "BatchNorm2d": lambda: nn.BatchNorm2d(4, eps=0.001, momentum=None, affine=False, track_running_stats=False),
    "LayerNorm": lambda: nn.LayerNorm(4),
    "LayerNorm 2": lambda: nn.LayerNorm((4, 3), eps=1e-6, elementwise_affine=False),
    "Dropout": lambda: nn.Dropout(),
    "Dropout in place": lambda: nn.Dropout(0.25, inplace=True),
    "Embedding": lambda: nn.Embedding(10, 3),
    "Embedding padding": lambda: nn.Embedding(10, 3, padding_idx=-1),
    "LSTM": lambda: nn.LSTM(3, 4),
    "LSTM all": lambda: nn.LSTM(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True),
    "LSTMCell": lambda: nn.LSTMCell(3, 4, bias=False),
    "ReLU": lambda: nn.ReLU(),
    "ReLU6": lambda: nn.ReLU6(),
    "LeakyReLU": lambda: nn.LeakyReLU(),
    "LeakyReLU 0.2": lambda: nn.LeakyReLU(0.2, inplace=True),
    "ELU": lambda: nn.ELU(),
    "GELU": lambda: nn.GELU(),
    "GELU tanh": lambda: nn.GELU(approximate="tanh"),
    "SiLU": lambda: nn.SiLU(),
    "Softplus": lambda: nn.Softplus(),
    "Sigmoid": lambda: nn.Sigmoid(),
    "LogSigmoid": lambda: nn.LogSigmoid(),
    "Tanh": lambda: nn.Tanh(),
    "Tanhshrink": lambda: nn.Tanhshrink(),
    "Softsign": lambda: nn.Softsign(),
    "Hardtanh": lambda: nn.Hardtanh(-2.0, 2.0),
    "Softmax": lambda: nn.Softmax(dim=1),
    "Softmin": lambda: nn.Softmin(dim=1),
    "LogSoftmax": lambda: nn.LogSoftmax(dim=-1),
    "Flatten": lambda: nn.Flatten(),
    "Unflatten": lambda: nn.Unflatten(1, (2, 3)),
    "MSELoss": lambda: nn.MSELoss(),
    "KLDivLoss": lambda: nn.KLDivLoss(reduction="batchmean"),
    "ModuleList runs": lambda: nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.ReLU()]),
    "ModuleList empty": lambda: nn.ModuleList(),
    "Parameter": lambda: nn.Parameter(torch.tensor([1.5, 2.0])),
    "Parameter no grad": lambda: nn.Parameter(torch.tensor([1.5, 2.0]), requires_grad=False),
}


def two_groups(make):
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    return make([{"params": a.parameters()}, {"params": b.parameters(), "lr": 0.5}])


OPTIM_REPR = {
    "SGD": lambda: optim.SGD(nn.Linear(2, 2).parameters(), lr=0.01, momentum=0.9),
    "SGD groups": lambda: two_groups(lambda groups: optim.SGD(groups, lr=0.1)),
    "Adam": lambda: optim.Adam(nn.Linear(2, 2).parameters()),
    "AdamW": lambda: optim.AdamW(nn.Linear(2, 2).parameters(), lr=3e-4),
    "RMSprop": lambda: optim.RMSprop(nn.Linear(2, 2).parameters()),
}

# ---- initialisation ----
INIT = {
    "Linear": lambda: nn.Linear(5, 3),
    "Conv1d": lambda: nn.Conv1d(2, 4, 3),
    "Conv2d": lambda: nn.Conv2d(2, 4, 3, groups=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(2, 4, 3),
    "BatchNorm2d": lambda: nn.BatchNorm2d(3),
    "LayerNorm": lambda: nn.LayerNorm(3),
    "Embedding": lambda: nn.Embedding(7, 3, padding_idx=2),
    "LSTM": lambda: nn.LSTM(3, 2, num_layers=2, bidirectional=True),
    "LSTMCell": lambda: nn.LSTMCell(3, 2),
    "Sequential": lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)),
}
INIT_FUNCTIONS = {
    "uniform_": lambda t: nn.init.uniform_(t, -2, 3),
    "normal_": lambda t: nn.init.normal_(t, 1, 0.5),
    "constant_": lambda t: nn.init.constant_(t, 0.25),
    "ones_": nn.init.ones_,
    "zeros_": nn.init.zeros_,
    "eye_": nn.init.eye_,
    "xavier_uniform_": lambda t: nn.init.xavier_uniform_(t, gain=nn.init.calculate_gain("relu")),
    "xavier_normal_": nn.init.xavier_normal_,
    "kaiming_uniform_": lambda t: nn.init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"),
    "kaiming_normal_": lambda t: nn.init.kaiming_normal_(t, a=0.1),
    "sparse_": lambda t: nn.init.sparse_(t, 0.4),
    "trunc_normal_": lambda t: nn.init.trunc_normal_(t, std=0.8),
}
GAINS = {
    "linear": nn.init.calculate_gain("linear"),
    "tanh": nn.init.calculate_gain("tanh"),
    "relu": nn.init.calculate_gain("relu"),
    "leaky_relu": nn.init.calculate_gain("leaky_relu", 0.2),
    "selu": nn.init.calculate_gain("selu"),
}


def record_init(make):
    torch.manual_seed(17)
    m = make()
    return {"state": [[k, list(v.shape), values(v)] for k, v in m.state_dict().items()], "next": torch.rand(1).item()}


def record_init_function(fn):
    torch.manual_seed(23)
    t = torch.empty(5, 4)
    fn(t)
    return values(t)


# ---- modules at work: output and gradients ----
FORWARD = {
    "Linear": (lambda: nn.Linear(4, 3), lambda: [torch.randn(2, 4)]),
    "Linear 1d": (lambda: nn.Linear(4, 3), lambda: [torch.randn(4)]),
    "Conv1d": (lambda: nn.Conv1d(3, 4, 3, padding=1), lambda: [torch.randn(2, 3, 7)]),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), lambda: [torch.randn(2, 3, 6, 5)]),
    "Conv2d same": (lambda: nn.Conv2d(3, 4, 4, padding="same"), lambda: [torch.randn(2, 3, 6, 5)]),
    "Conv2d groups": (lambda: nn.Conv2d(4, 4, 3, groups=2, bias=False), lambda: [torch.randn(2, 4, 6, 5)]),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, output_padding=1), lambda: [torch.randn(2, 3, 4, 4)]),
    "ConvTranspose2d size": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2), lambda: [torch.randn(2, 3, 4, 4), [10, 9]]),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, stride=2, padding=1), lambda: [torch.randn(2, 3, 7, 7)]),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), lambda: [torch.randn(2, 3, 6, 6)]),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((2, None)), lambda: [torch.randn(2, 3, 6, 5)]),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), lambda: [torch.randn(5, 4)]),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), lambda: [torch.randn(4, 3, 2, 2)]),
    "BatchNorm2d average": (lambda: nn.BatchNorm2d(3, momentum=None), lambda: [torch.randn(4, 3, 2, 2)]),
    "BatchNorm2d eval": (lambda: nn.BatchNorm2d(3).eval(), lambda: [torch.randn(4, 3, 2, 2)]),
    "LayerNorm": (lambda: nn.LayerNorm((3, 4)), lambda: [torch.randn(2, 3, 4)]),
    "Dropout": (lambda: nn.Dropout(0.4), lambda: [torch.randn(4, 6)]),
    "Dropout eval": (lambda: nn.Dropout(0.4).eval(), lambda: [torch.randn(4, 6)]),
    "Embedding": (lambda: nn.Embedding(6, 3, padding_idx=1), lambda: [torch.tensor([[1, 5], [0, 5]])]),
    "LSTM": (lambda: nn.LSTM(3, 4), lambda: [torch.randn(5, 2, 3)]),
    "LSTM state": (lambda: nn.LSTM(3, 4), lambda: [torch.randn(5, 2, 3), [torch.randn(1, 2, 4), torch.randn(1, 2, 4)]]),
    "LSTM layers": (lambda: nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True), lambda: [torch.randn(2, 5, 3)]),
    "LSTM nobias": (lambda: nn.LSTM(3, 4, bias=False), lambda: [torch.randn(5, 2, 3)]),
    "LSTM unbatched": (lambda: nn.LSTM(3, 4), lambda: [torch.randn(5, 3)]),
    "LSTM dropout": (lambda: nn.LSTM(3, 4, num_layers=2, dropout=0.5), lambda: [torch.randn(5, 2, 3)]),
    "LSTMCell": (lambda: nn.LSTMCell(3, 4), lambda: [torch.randn(2, 3)]),
    "LSTMCell state": (lambda: nn.LSTMCell(3, 4), lambda: [torch.randn(3), [torch.randn(4), torch.randn(4)]]),
    "ReLU": (lambda: nn.ReLU(), lambda: [torch.randn(3, 4)]),
    "ReLU6": (lambda: nn.ReLU6(), lambda: [torch.randn(3, 4) * 5]),
    "LeakyReLU": (lambda: nn.LeakyReLU(), lambda: [torch.randn(3, 4)]),
    "ELU": (lambda: nn.ELU(1.5), lambda: [torch.randn(3, 4)]),
    "GELU": (lambda: nn.GELU(), lambda: [torch.randn(3, 4)]),
    "GELU tanh": (lambda: nn.GELU("tanh"), lambda: [torch.randn(3, 4)]),
    "SiLU": (lambda: nn.SiLU(), lambda: [torch.randn(3, 4)]),
    "Softplus": (lambda: nn.Softplus(2, 3), lambda: [torch.randn(3, 4)]),
    "Sigmoid": (lambda: nn.Sigmoid(), lambda: [torch.randn(3, 4)]),
    "LogSigmoid": (lambda: nn.LogSigmoid(), lambda: [torch.randn(3, 4)]),
    "Tanh": (lambda: nn.Tanh(), lambda: [torch.randn(3, 4)]),
    "Tanhshrink": (lambda: nn.Tanhshrink(), lambda: [torch.randn(3, 4)]),
    "Softsign": (lambda: nn.Softsign(), lambda: [torch.randn(3, 4)]),
    "Hardtanh": (lambda: nn.Hardtanh(), lambda: [torch.randn(3, 4)]),
    "Softmax": (lambda: nn.Softmax(dim=1), lambda: [torch.randn(3, 4)]),
    "Softmin": (lambda: nn.Softmin(dim=0), lambda: [torch.randn(3, 4)]),
    "LogSoftmax": (lambda: nn.LogSoftmax(dim=1), lambda: [torch.randn(3, 4)]),
    "Flatten": (lambda: nn.Flatten(), lambda: [torch.randn(2, 3, 4)]),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), lambda: [torch.randn(2, 6)]),
    "MSELoss": (lambda: nn.MSELoss(), lambda: [torch.randn(3, 4), torch.randn(3, 4)]),
    "MSELoss sum": (lambda: nn.MSELoss(reduction="sum"), lambda: [torch.randn(3, 4), torch.randn(3, 4)]),
    "L1Loss none": (lambda: nn.L1Loss(reduction="none"), lambda: [torch.randn(3, 4), torch.randn(3, 4)]),
    "SmoothL1Loss": (lambda: nn.SmoothL1Loss(beta=0.5), lambda: [torch.randn(3, 4), torch.randn(3, 4)]),
    "HuberLoss": (lambda: nn.HuberLoss(delta=0.5), lambda: [torch.randn(3, 4), torch.randn(3, 4)]),
    "CrossEntropyLoss": (lambda: nn.CrossEntropyLoss(), lambda: [torch.randn(3, 5), torch.tensor([1, 0, 4])]),
    "CrossEntropyLoss all": (lambda: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 3, 4, 5]), ignore_index=0, label_smoothing=0.1),
                             lambda: [torch.randn(3, 5), torch.tensor([1, 0, 4])]),
    "NLLLoss": (lambda: nn.NLLLoss(), lambda: [torch.randn(3, 5).log_softmax(1), torch.tensor([1, 0, 4])]),
    "BCELoss": (lambda: nn.BCELoss(), lambda: [torch.rand(3, 4), torch.rand(3, 4)]),
    "BCEWithLogitsLoss": (lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2, 3, 4])), lambda: [torch.randn(3, 4), torch.rand(3, 4)]),
    "KLDivLoss": (lambda: nn.KLDivLoss(reduction="batchmean"),
                  lambda: [torch.randn(3, 5).log_softmax(1), torch.rand(3, 5).softmax(1)]),
    "KLDivLoss log": (lambda: nn.KLDivLoss(log_target=True, reduction="sum"),
                      lambda: [torch.randn(3, 5).log_softmax(1), torch.rand(3, 5).log_softmax(1)]),
}


def flat_tensors(v):
    if isinstance(v, torch.Tensor):
        return [v]
    return [t for item in v for t in flat_tensors(item)] if isinstance(v, (tuple, list)) else []


def record_forward(make, inputs):
    torch.manual_seed(5)
    m = make()
    args = [a.detach() if isinstance(a, torch.Tensor) else a for a in inputs()]
    args = [tuple(a) if isinstance(a, list) and isinstance(a[0], torch.Tensor) else a for a in args]
    first = args[0]
    if first.is_floating_point():
        first.requires_grad_(True)
    out = flat_tensors(m(*args))
    loss = sum((o * torch.arange(1, o.numel() + 1).view(o.shape)).sum() for o in out)
    record = {"inputs": [[list(a.shape), values(a)] if isinstance(a, torch.Tensor)
                         else [[list(t.shape), values(t)] for t in a] if isinstance(a, tuple) else a for a in args],
              "outputs": [[list(o.shape), values(o)] for o in out]}
    if loss.requires_grad:
        loss.backward()
        record["input_grad"] = values(first.grad) if first.grad is not None else None
        record["grads"] = [[k, values(p.grad)] for k, p in m.named_parameters()]
    record["buffers"] = [[k, values(b)] for k, b in m.named_buffers()]
    return record


# ---- optimizers ----
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "SGD nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "SGD maximize": lambda p: optim.SGD(p, lr=0.01, maximize=True, weight_decay=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.05),
    "Adam amsgrad": lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, amsgrad=True),
    "Adam maximize": lambda p: optim.Adam(p, lr=0.01, maximize=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "RMSprop all": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-6, weight_decay=0.01, momentum=0.9, centered=True),
}


def training_setup(seed=3):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    x, y = torch.randn(20, 4), torch.randint(0, 3, (20,))
    return net, x, y


def state_layout(state_dict):
    def plain(v):
        return {"dtype": str(v.dtype), "shape": list(v.shape), "values": values(v)} if isinstance(v, torch.Tensor) else v
    return {"state": [[k, [[n, plain(v)] for n, v in s.items()]] for k, s in state_dict["state"].items()],
            "param_groups": [[[k, v] for k, v in g.items()] for g in state_dict["param_groups"]]}


def record_optimizer(make):
    net, x, y = training_setup()
    optimizer = make(net.parameters())
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "params": [values(p) for p in net.parameters()], "state_dict": state_layout(optimizer.state_dict())}


SCHEDULERS = {
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 3, gamma=0.5),
    "MultiStepLR": lambda o: optim.lr_scheduler.MultiStepLR(o, [2, 5, 5], gamma=0.1),
    "ExponentialLR": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 4, eta_min=0.01),
    "LambdaLR": lambda o: optim.lr_scheduler.LambdaLR(o, lambda e: 1 / (1 + e)),
    "OneCycleLR": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=12),
    "OneCycleLR three": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.3, epochs=3, steps_per_epoch=4, three_phase=True, anneal_strategy="linear"),
}


def record_scheduler(make):
    a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    optimizer = optim.SGD([{"params": a.parameters()}, {"params": b.parameters(), "lr": 0.5}], lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    rates = [scheduler.get_last_lr()]
    momenta = [optimizer.param_groups[0]["momentum"]]
    for _ in range(11):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr())
        momenta.append(optimizer.param_groups[0]["momentum"])
    state = {k: v for k, v in scheduler.state_dict().items()}
    if "milestones" in state:
        state["milestones"] = {str(k): v for k, v in state["milestones"].items()}
    return {"rates": rates, "momenta": momenta, "state_dict": state, "group_keys": list(optimizer.param_groups[0].keys())}


# ---- errors ----
def load_into(make, change):
    m = make()
    state = m.state_dict()
    change(state)
    return m.load_state_dict(state)


def small():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def missing(state):
    del state["0.bias"]
    del state["1.running_mean"]


def unexpected(state):
    state["0.extra"] = torch.zeros(1)
    state["7.weight"] = torch.zeros(1)


def mismatch(state):
    state["0.weight"] = torch.zeros(5, 3)
    state["0.bias"] = torch.zeros(5)
    state["other"] = torch.zeros(1)


def linear_params():
    return nn.Linear(2, 2).parameters()


ERRORS = {
    "missing": lambda: load_into(small, missing),
    "unexpected": lambda: load_into(small, unexpected),
    "mismatch": lambda: load_into(small, mismatch),
    "not a dict": lambda: nn.Linear(1, 1).load_state_dict(3),
    "forward": lambda: type("Empty", (nn.Module,), {})()(1),
    "get_submodule": lambda: small().get_submodule("0.nothing.deeper"),
    "get_parameter": lambda: small().get_parameter("1.nothing"),
    "not a parameter": lambda: small().get_parameter("1.running_mean"),
    "not a module": lambda: small().get_submodule("0.weight"),
    "module name": lambda: small().add_module("a.b", nn.Identity()),
    "buffer taken": lambda: nn.Linear(1, 1).register_buffer("weight", torch.zeros(1)),
    "to dtype": lambda: nn.Linear(1, 1).to(torch.int64),
    "train": lambda: nn.Linear(1, 1).train("yes"),
    "conv groups": lambda: nn.Conv2d(3, 4, 1, groups=2),
    "conv padding": lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"),
    "conv transpose size": lambda: nn.ConvTranspose2d(1, 1, 3, stride=2)(torch.zeros(1, 1, 4, 4), [20, 20]),
    "dropout": lambda: nn.Dropout(1.5),
    "batchnorm1d": lambda: nn.BatchNorm1d(2)(torch.zeros(1)),
    "batchnorm2d": lambda: nn.BatchNorm2d(2)(torch.zeros(1)),
    "lstm dims": lambda: nn.LSTM(2, 3)(torch.zeros(1)),
    "lstm hidden": lambda: nn.LSTM(2, 3)(torch.zeros(4, 5, 2), (torch.zeros(1, 5, 2), torch.zeros(1, 5, 3))),
    "lstm hidden dims": lambda: nn.LSTM(2, 3)(torch.zeros(4, 5, 2), (torch.zeros(5, 3), torch.zeros(5, 3))),
    "lstm input": lambda: nn.LSTM(2, 3)(torch.zeros(4, 5, 7)),
    "embedding padding": lambda: nn.Embedding(3, 2, padding_idx=5),
    "sequential index": lambda: nn.Sequential(nn.Identity())[4],
    "fan": lambda: nn.init.xavier_uniform_(torch.zeros(3)),
    "fan mode": lambda: nn.init.kaiming_normal_(torch.zeros(3, 3), mode="fan"),
    "gain": lambda: nn.init.calculate_gain("swish"),
    "optimizer empty": lambda: optim.SGD([], lr=0.1),
    "optimizer tensor": lambda: optim.SGD(torch.zeros(2), lr=0.1),
    "optimizer non-leaf": lambda: optim.SGD([torch.zeros(2, requires_grad=True) * 2], lr=0.1),
    "optimizer lr": lambda: optim.SGD(linear_params(), lr=-1.0),
    "optimizer momentum": lambda: optim.SGD(linear_params(), lr=0.1, momentum=-0.5),
    "optimizer nesterov": lambda: optim.SGD(linear_params(), lr=0.1, nesterov=True),
    "optimizer beta": lambda: optim.Adam(linear_params(), betas=(1.5, 0.9)),
    "optimizer eps": lambda: optim.Adam(linear_params(), eps=-1.0),
    "optimizer decay": lambda: optim.RMSprop(linear_params(), weight_decay=-0.5),
    "optimizer twice": lambda: (lambda p: optim.SGD([{"params": p}, {"params": p}], lr=0.1))(list(linear_params())),
    "optimizer groups": lambda: optim.SGD(linear_params(), lr=0.1).load_state_dict({"state": {}, "param_groups": []}),
    "optimizer sizes": lambda: optim.SGD(linear_params(), lr=0.1).load_state_dict({"state": {}, "param_groups": [{"params": [0]}]}),
    "scheduler": lambda: optim.lr_scheduler.StepLR(3, 1),
    "one cycle": lambda: optim.lr_scheduler.OneCycleLR(optim.SGD(linear_params(), lr=0.1), 0.1),
    "split": lambda: data.random_split(range(10), [3, 3]),
    "tensor dataset": lambda: data.TensorDataset(torch.zeros(3), torch.zeros(4)),
    "batch size": lambda: data.DataLoader(range(3), batch_size=0),
    "sampler and shuffle": lambda: data.DataLoader(range(3), shuffle=True, sampler=[0]),
    "collate sizes": lambda: data.default_collate([[1, 2], [1]]),
    "clip": lambda: clip_nonfinite(),
}


def clip_nonfinite():
    p = nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([1.0, float("inf")])
    nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)


# ---- data ----
def record_loader(make, epochs=2):
    torch.manual_seed(11)
    loader = make()
    batches = [[values(b) for b in loader] for _ in range(epochs)]
    return {"batches": batches, "length": len(loader), "next": torch.rand(1).item()}


def own_generator(seed):
    g = torch.Generator()
    g.manual_seed(seed)
    return g


TEN = list(range(10))
LOADERS = {
    "plain": lambda: data.DataLoader(TEN, batch_size=4),
    "drop_last": lambda: data.DataLoader(TEN, batch_size=4, drop_last=True),
    "shuffle": lambda: data.DataLoader(TEN, batch_size=4, shuffle=True),
    "shuffle generator": lambda: data.DataLoader(TEN, batch_size=3, shuffle=True, generator=own_generator(7)),
    "replacement": lambda: data.DataLoader(TEN, batch_size=16, sampler=data.RandomSampler(TEN, replacement=True, num_samples=40)),
    "rounds": lambda: data.DataLoader(TEN, batch_size=16, sampler=data.RandomSampler(TEN, num_samples=25)),
    "subset": lambda: data.DataLoader(TEN, batch_size=2, sampler=data.SubsetRandomSampler([1, 3, 5, 7, 9])),
    "subset generator": lambda: data.DataLoader(TEN, batch_size=2, sampler=data.SubsetRandomSampler([1, 3, 5], generator=own_generator(3))),
    "weighted": lambda: data.DataLoader(TEN, batch_size=4, sampler=data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 8)),
    "weighted once": lambda: data.DataLoader(TEN, batch_size=4, sampler=data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 4, replacement=False)),
    "batch_sampler": lambda: data.DataLoader(TEN, batch_sampler=data.BatchSampler(data.SequentialSampler(TEN), 3, True)),
}


def record_split():
    torch.manual_seed(2)
    parts = data.random_split(TEN, [0.5, 0.3, 0.2])
    other = data.random_split(TEN, [7, 3], generator=own_generator(42))
    return {"fractions": [list(p.indices) for p in parts], "lengths": [list(p.indices) for p in other]}


def record_clip():
    result = {}
    for norm_type in (2.0, 1.0, float("inf")):
        net, x, y = training_setup()
        F.cross_entropy(net(x), y).backward()
        total = nn.utils.clip_grad_norm_(net.parameters(), 0.05, norm_type)
        result[str(norm_type)] = {"total": total.item(), "grads": [values(p.grad) for p in net.parameters()]}
    return result


# ---- ResNet-18, with torchvision's names ----
class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self.layer(64, 64, 1)
        self.layer2 = self.layer(64, 128, 2)
        self.layer3 = self.layer(128, 256, 2)
        self.layer4 = self.layer(256, 512, 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512, 1000)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def layer(inplanes, planes, stride):
        downsample = None
        if stride != 1 or inplanes != planes:
            downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride=stride, bias=False), nn.BatchNorm2d(planes))
        return nn.Sequential(BasicBlock(inplanes, planes, stride, downsample), BasicBlock(planes, planes))

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def record_resnet():
    torch.manual_seed(1)
    net = ResNet()
    x = torch.randn(2, 3, 32, 32)
    state = [[k, digest(v)] for k, v in net.state_dict().items()]
    # In float64: through eighteen normalised layers rounding errors grow too large to compare.
    net.double()
    out = net(x.double())
    F.cross_entropy(out, torch.tensor([3, 900])).backward()
    return {"repr": repr(net), "state": state, "output": digest(out), "grads": [[k, digest(p.grad)] for k, p in net.named_parameters()]}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    record = {
        "repr": {k: repr(make()) for k, make in REPR.items()},
        "optim_repr": {k: repr(make()) for k, make in OPTIM_REPR.items()},
        "init": {k: record_init(make) for k, make in INIT.items()},
        "init_functions": {k: record_init_function(fn) for k, fn in INIT_FUNCTIONS.items()},
        "gains": GAINS,
        "forward": {k: record_forward(*row) for k, row in FORWARD.items()},
        "optimizers": {k: record_optimizer(make) for k, make in OPTIMIZERS.items()},
        "schedulers": {k: record_scheduler(make) for k, make in SCHEDULERS.items()},
        "errors": {k: error_of(fn) for k, fn in ERRORS.items()},
        "matched": repr(nn.Linear(1, 1).load_state_dict(nn.Linear(1, 1).state_dict())),
        "not matched": repr(nn.Linear(1, 1).load_state_dict({"extra": torch.zeros(1)}, strict=False)),
        "loaders": {k: record_loader(make) for k, make in LOADERS.items()},
        "split": record_split(),
        "clip": record_clip(),
        "resnet18": record_resnet(),
    }
    json.dump(record, sys.stdout, indent=None, separators=(",", ":"))
    sys.stdout.write("\n")


main()
