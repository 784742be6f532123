#!/usr/bin/env python3
"""Records test/fixtures/autograd/saved_tensors_hooks.json for test/autograd/saved_tensors_hooks.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_saved_tensors_hooks.py
"""
import json
import pathlib

import torch
from torch.autograd.graph import disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks

NAME = "saved_tensors_hooks"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def same(t):
    return t


def calls():
    seen = []
    x, w = leaf(2.0, 3.0), leaf(4.0, 5.0)

    def pack(t):
        seen.append(["pack", t.sum().item()])
        return t

    def unpack(t):
        seen.append(["unpack", t.sum().item()])
        return t

    with saved_tensors_hooks(pack, unpack):
        y = (x * w).sqrt()
    y.sum().backward()
    return sorted(seen), x.grad.tolist(), w.grad.tolist()


def only_what_is_kept():
    seen = []
    x, c = leaf(2.0), torch.tensor([4.0])
    with saved_tensors_hooks(lambda t: seen.append(t.item()) or t, same):
        x * c
        x / c
        x**2
        x + c
        c * c
        with torch.no_grad():
            x * x
    return seen


def replaced_values():
    x = leaf(2.0, 3.0)
    with saved_tensors_hooks(lambda t: t.detach() * 10, lambda t: t + 1):
        y = x * x
    y.sum().backward()
    return x.grad.tolist()


def double_backward():
    x = leaf(2.0, 3.0)
    with saved_tensors_hooks(lambda t: t.detach().numpy().copy(), torch.from_numpy):
        y = x * x * x
        z = x.exp()
    (g,) = torch.autograd.grad((y + z).sum(), x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x)
    return g.tolist(), gg.tolist()


def custom_function():
    x, seen, packed = leaf(2.0), [], []

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append([a.requires_grad, a.is_leaf, b.requires_grad, type(b.grad_fn).__name__, a.item(), b.item()])
            return g * 2

    with saved_tensors_hooks(lambda t: packed.append(t.item()) or t, lambda t: t.detach()):
        y = Double.apply(x)
    y.backward()
    return seen, packed, x.grad.tolist()


def innermost_alone():
    seen, x = [], leaf(2.0)
    with saved_tensors_hooks(lambda t: seen.append("outer") or t, same):
        with saved_tensors_hooks(lambda t: seen.append("inner") or t, same):
            x.exp()
        x.exp()
    x.exp()
    return seen


def versions_are_not_checked():
    x = leaf(2.0)
    with saved_tensors_hooks(lambda t: t.clone(), same):
        y = x * 2
        z = y * y
    y.add_(1)
    z.backward()
    return x.grad.tolist()


def in_place_operator():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 1
    with saved_tensors_hooks(lambda t: t.detach(), same):
        y.mul_(w)
        y.sigmoid_()
    y.sum().backward()
    return x.grad.tolist(), w.grad.tolist()


def unpacked_for_each_pass():
    seen, x = [], leaf(2.0)
    with saved_tensors_hooks(same, lambda t: seen.append(1) or t):
        y = x.sqrt()
    y.backward(retain_graph=True)
    y.backward()
    return len(seen), x.grad.tolist()


def grad_mode():
    modes, x = [], leaf(2.0)
    note = lambda t: modes.append(torch.is_grad_enabled()) or t
    with saved_tensors_hooks(note, note):
        y = x.sqrt()
    torch.autograd.grad(y, x, create_graph=True)
    return modes


def on_cpu():
    x = leaf(2.0, 3.0)
    with save_on_cpu():
        y = x * x
    with save_on_cpu(pin_memory=True):
        z = x * x
    (y + z).sum().backward()
    return x.grad.tolist()


def pack_throws():
    def pack(t):
        raise RuntimeError("no room")

    with saved_tensors_hooks(pack, same):
        leaf(1.0).exp()


def unpack_throws():
    def unpack(t):
        raise RuntimeError("lost it")

    with saved_tensors_hooks(same, unpack):
        y = leaf(1.0).exp()
    y.backward()


def unpack_gives_none():
    with saved_tensors_hooks(same, lambda t: None):
        y = leaf(1.0).exp()
    y.backward()


def unpack_gives_str():
    with saved_tensors_hooks(same, lambda t: "t"):
        y = leaf(1.0).exp()
    y.backward()


def pack_in_place():
    x = leaf(2.0)
    with saved_tensors_hooks(lambda t: t.mul_(2), same):
        (x * 1) * x


def backward_twice():
    with saved_tensors_hooks(same, same):
        y = leaf(1.0).exp()
    y.backward()
    y.backward()


def hooks_while_disabled():
    with disable_saved_tensors_hooks("not in here"):
        with saved_tensors_hooks(same, same):
            pass


def disabled_while_hooked():
    with saved_tensors_hooks(same, same):
        with disable_saved_tensors_hooks("not in here"):
            pass


CASES = [
    calls, only_what_is_kept, replaced_values, double_backward, custom_function, innermost_alone,
    versions_are_not_checked, in_place_operator, unpacked_for_each_pass, grad_mode, on_cpu, pack_throws, unpack_throws,
    unpack_gives_none, unpack_gives_str, pack_in_place, backward_twice, hooks_while_disabled, disabled_while_hooked,
]  # fmt: skip

recorded = {}
for case in CASES:
    try:
        recorded[case.__name__] = {"value": case()}
    except Exception as error:  # what PyTorch raises is what is recorded
        recorded[case.__name__] = {"type": type(error).__name__, "message": str(error)}
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(recorded, indent=2) + "\n")
