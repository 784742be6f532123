#!/usr/bin/env python3
"""Records test/fixtures/autograd/checkpoint.json for test/autograd/checkpoint.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_checkpoint.py
"""
import json
import pathlib
import warnings

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential, set_checkpoint_early_stop

NAME = "checkpoint"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


class Counted:
    def __init__(self, f):
        self.f, self.calls = f, 0

    def __call__(self, *args):
        self.calls += 1
        return self.f(*args)


def plain():
    f = Counted(lambda x, k: (x * k).sin().exp())
    x = leaf(0.5, 1.5)
    y = checkpoint(f, x, 3.0, use_reentrant=False)
    calls = [f.calls]
    y.sum().backward()
    return calls + [f.calls], x.grad.tolist(), y.grad_fn.name()


def early_stop():
    seen = []

    def f(x):
        y = x.exp()
        z = y.sin()
        seen.append("after sin")
        return z * 2

    result = []
    for stop in (True, False):
        with set_checkpoint_early_stop(stop):
            y = checkpoint(f, leaf(1.0), use_reentrant=False)
        y.backward()
        result.append(len(seen))
    y = checkpoint(f, leaf(1.0), use_reentrant=False, early_stop=False)
    y.backward()
    return result + [len(seen)]


def retained():
    f = Counted(lambda x: x.sin().exp())
    x = leaf(0.5)
    y = checkpoint(f, x, use_reentrant=False)
    y.backward(retain_graph=True)
    y.backward()
    return f.calls, x.grad.tolist()


def grad_and_create_graph():
    f = Counted(lambda x: x.sin() ** 3)
    x = leaf(0.5)
    y = checkpoint(f, x, use_reentrant=False)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x, create_graph=True)
    (k,) = torch.autograd.grad(h, x)
    return g.tolist(), h.tolist(), k.tolist(), f.calls


def nested():
    inner = Counted(lambda x: x.sin().exp())
    outer = Counted(lambda x: checkpoint(inner, x.cos(), use_reentrant=False).sin() * x)
    outermost = Counted(lambda x: checkpoint(outer, x * 2, use_reentrant=False).exp())
    x = leaf(0.3, 0.6)
    y = checkpoint(outermost, x, use_reentrant=False)
    y.sum().backward()
    return x.grad.tolist(), inner.calls, outer.calls, outermost.calls


def backward_inside():
    def f(x):
        y = x.sin()
        z = y.cos()
        (g,) = torch.autograd.grad(z, y, retain_graph=True)
        return x.cos() * g * z

    result = []
    for stop in (True, False):
        x = leaf(0.5)
        checkpoint(f, x, use_reentrant=False, early_stop=stop).backward()
        result.append(x.grad.tolist())
    return result


def random_state():
    torch.manual_seed(5)
    x = leaf(*([1.0] * 8))
    y = checkpoint(lambda t: torch.nn.functional.dropout(t * 2, 0.5) * t, x, use_reentrant=False)
    before = torch.get_rng_state()
    y.sum().backward()
    after = torch.get_rng_state()
    return y.tolist(), x.grad.tolist(), bool((before == after).all())


def keyword_arguments():
    def f(x, *, scale):
        return x.exp() * scale

    x = leaf(1.0)
    checkpoint(f, x, scale=3.0, use_reentrant=False).backward()
    return x.grad.tolist()


def several_outputs():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    a, b = checkpoint(lambda x, w: (x * w, (x + w).exp()), x, w, use_reentrant=False)
    (a.sum() + b.sum()).backward()
    return x.grad.tolist(), w.grad.tolist()


def without_grad():
    f = Counted(lambda x: x.sin())
    with torch.no_grad():
        y = checkpoint(f, leaf(1.0), use_reentrant=False)
    return y.requires_grad, f.calls


def fewer_the_second_time():
    calls = []

    def f(x):
        calls.append(1)
        return x.sin().cos() if len(calls) == 1 else x.sin()

    checkpoint(f, leaf(1.0), use_reentrant=False).backward()


def more_the_second_time():
    calls = []

    def f(x):
        calls.append(1)
        return x.sin() if len(calls) == 1 else x.sin().cos()

    checkpoint(f, leaf(1.0), use_reentrant=False, early_stop=False).backward()


def other_shapes_the_second_time():
    calls = []

    def f(x):
        calls.append(1)
        return x.sin().sum() if len(calls) == 1 else x.repeat(2).double().sin().sum()

    checkpoint(f, leaf(1.0, 2.0), use_reentrant=False).backward()


def other_shapes_unchecked():
    calls = []

    def f(x):
        calls.append(1)
        return x.exp().sum() if len(calls) == 1 else x[:1].exp().sum()

    x = leaf(0.0, 0.0)
    checkpoint(f, x, use_reentrant=False, determinism_check="none").backward()
    return x.grad.tolist()


def unknown_check():
    checkpoint(lambda x: x, leaf(1.0), use_reentrant=False, determinism_check="strict")


def saved_twice_unpacked():
    class F(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            ctx.saved_tensors
            return g * ctx.saved_tensors[0]

    checkpoint(lambda x: F.apply(x * 1), leaf(1.0), use_reentrant=False).backward()


def input_written():
    x = leaf(1.0) * 1
    y = checkpoint(lambda t: t.exp(), x, use_reentrant=False)
    x.add_(1)
    y.backward()


def sequential():
    torch.manual_seed(0)
    net = nn.Sequential(*[m for _ in range(5) for m in (nn.Linear(4, 4), nn.Tanh())])
    x = torch.ones(2, 4)
    result = []
    for segments in (1, 2, 3, 10):
        net.zero_grad()
        y = checkpoint_sequential(net, segments, x, use_reentrant=False)
        y.sum().backward()
        result.append([y.sum().item(), net[0].weight.grad.sum().item(), net[8].bias.grad.tolist()])
    return result


def reentrant():
    f = Counted(lambda x, k: (x * k).sin().exp())
    x = leaf(0.5, 1.5)
    y = checkpoint(f, x, 3.0, use_reentrant=True)
    y.sum().backward()
    return f.calls, x.grad.tolist(), y.grad_fn.name()


def reentrant_grad():
    x = leaf(0.5)
    torch.autograd.grad(checkpoint(lambda t: t.sin(), x, use_reentrant=True), x)


def reentrant_nothing_to_do():
    checkpoint(lambda x: (x * 2).detach(), leaf(0.5), use_reentrant=True).backward()


def reentrant_context():
    checkpoint(lambda x: x, leaf(0.5), use_reentrant=True, context_fn=lambda: (torch.no_grad(), torch.no_grad()))


def reentrant_without_gradient():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        y = checkpoint(lambda x: x * 2, torch.ones(1), use_reentrant=True)
    return y.requires_grad, [str(w.message) for w in seen]


def default_is_reentrant():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        y = checkpoint(lambda x: x * 2, leaf(1.0))
        checkpoint_sequential([lambda x: x * 2], 1, leaf(1.0))
    return y.grad_fn.name(), [str(w.message) for w in seen]


CASES = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"]
SKIP = {"leaf", "Counted"}

if __name__ == "__main__":
    result = {}
    for case in CASES:
        if case.__name__ in SKIP:
            continue
        try:
            result[case.__name__] = {"value": case()}
        except Exception as error:  # noqa: BLE001
            # (The tip that PyTorch appends is about an option for its own tracing.)
            result[case.__name__] = {"type": type(error).__name__, "message": str(error).split("\nTip: ")[0]}
    OUT.write_text(json.dumps(result, indent=1) + "\n")
