#!/usr/bin/env python3
"""Records test/fixtures/autograd/functional.json: PyTorch's answers for test/autograd/functional.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_functional.py
"""
import json
import pathlib
import warnings

import torch
from torch.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "functional.json"
warnings.simplefilter("ignore")


def x():
    return torch.tensor([1.5, -0.25, 2.0])


def y():
    return torch.tensor([[0.5, 1.0], [-1.0, 0.25], [2.0, -0.75]])


def one(a):
    return a.pow(3) * a.sum()


def scalar(a):
    return (a.pow(3) * a.sum()).sum()


def two(a, b):
    return a @ b, (a.unsqueeze(1) * b).exp()


def of_two(a, b):
    return ((a.unsqueeze(1) * b).sum(0).square() * a.sum()).sum()


def constant(a):
    return torch.ones(2)


def linear(a):
    return a.sum()


def partly(a, b):
    return a.exp().sum()


def separate(a, b):
    return a.exp(), b.exp()


def detached(a):
    return a.detach().exp().sum()


v1 = torch.tensor([1.0, -2.0, 0.5])
v2 = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]])

VALUES = {
    "jacobian": lambda: jacobian(one, x()),
    "jacobian of two by two": lambda: jacobian(two, (x(), y())),
    "jacobian of two by two, vectorized": lambda: jacobian(two, (x(), y()), vectorize=True),
    "jacobian of two by two, forwards": lambda: jacobian(two, (x(), y()), vectorize=True, strategy="forward-mode"),
    "jacobian of a scalar": lambda: jacobian(scalar, x()),
    "jacobian of a list of one": lambda: jacobian(one, (x(),)),
    "jacobian of a constant": lambda: jacobian(constant, x()),
    "jacobian of a constant, vectorized": lambda: jacobian(constant, x(), vectorize=True),
    "jacobian of a constant, forwards": lambda: jacobian(constant, x(), vectorize=True, strategy="forward-mode"),
    "jacobian of what does not meet": lambda: jacobian(separate, (x(), y())),
    "hessian": lambda: hessian(scalar, x()),
    "hessian by two": lambda: hessian(of_two, (x(), y())),
    "hessian by two, vectorized": lambda: hessian(of_two, (x(), y()), vectorize=True),
    "hessian by two, forwards": lambda: hessian(of_two, (x(), y()), vectorize=True, outer_jacobian_strategy="forward-mode"),
    "hessian of a linear function": lambda: hessian(linear, x()),
    "hessian of a partial function": lambda: hessian(partly, (x(), y())),
    "vjp": lambda: vjp(one, x(), v1),
    "vjp without v": lambda: vjp(scalar, x()),
    "vjp of two": lambda: vjp(two, (x(), y()), (torch.tensor([1.0, 2.0]), v2)),
    "vjp of a partial function": lambda: vjp(partly, (x(), y())),
    "jvp": lambda: jvp(one, x(), v1),
    "jvp without v": lambda: jvp(one, torch.tensor([2.0])),
    "jvp of two": lambda: jvp(two, (x(), y()), (v1, v2)),
    "jvp of a linear function": lambda: jvp(linear, x(), v1),
    "jvp of a constant": lambda: jvp(constant, x(), v1),
    "vhp": lambda: vhp(scalar, x(), v1),
    "vhp by two": lambda: vhp(of_two, (x(), y()), (v1, v2)),
    "vhp of a linear function": lambda: vhp(linear, x(), v1),
    "hvp": lambda: hvp(scalar, x(), v1),
    "hvp by two": lambda: hvp(of_two, (x(), y()), (v1, v2)),
    "hvp of a linear function": lambda: hvp(linear, x(), v1),
    "vhp without v": lambda: vhp(scalar, torch.tensor([2.0])),
}


def gradient_of(fn):
    """The gradient through a result made with create_graph."""
    a = x().requires_grad_()
    out = fn(a)
    while not isinstance(out, torch.Tensor):
        out = out[-1]
    return torch.autograd.grad(out.square().sum(), a)[0]


GRADIENTS = {
    "jacobian": lambda: gradient_of(lambda a: jacobian(one, a, create_graph=True)),
    "jacobian, vectorized": lambda: gradient_of(lambda a: jacobian(one, a, create_graph=True, vectorize=True)),
    "hessian": lambda: gradient_of(lambda a: hessian(scalar, a, create_graph=True)),
    "vjp": lambda: gradient_of(lambda a: vjp(one, a, v1, create_graph=True)),
    "jvp": lambda: gradient_of(lambda a: jvp(one, a, v1, create_graph=True)),
    "vhp": lambda: gradient_of(lambda a: vhp(scalar, a, v1, create_graph=True)),
    "hvp": lambda: gradient_of(lambda a: hvp(scalar, a, v1, create_graph=True)),
}

MESSAGES = {
    "inputs": lambda: jacobian(one, 1.5),
    "inputs in a list": lambda: vjp(one, (x(), 1.5)),
    "outputs": lambda: jacobian(lambda a: 1.5, x()),
    "outputs in a list": lambda: vjp(lambda a: (a, "b"), x()),
    "v": lambda: vjp(one, x(), 1.5),
    "v too long": lambda: vjp(one, x(), (x(), x())),
    "v of two too long": lambda: vjp(two, (x(), y()), (x(), x(), x())),
    "v of another shape": lambda: vjp(one, x(), torch.ones(2)),
    "v of two of another shape": lambda: jvp(two, (x(), y()), (v1, v1)),
    "vjp needs v": lambda: vjp(one, x()),
    "jvp needs v": lambda: jvp(one, x()),
    "vhp needs v": lambda: vhp(scalar, x()),
    "hvp needs v": lambda: hvp(scalar, x()),
    "hessian of a vector": lambda: hessian(one, x()),
    "hessian of a list": lambda: hessian(lambda a: (a.sum(), a.sum()), x()),
    "vhp of a vector": lambda: vhp(one, x(), v1),
    "hvp of a list": lambda: hvp(lambda a: (a.sum(),), x(), v1),
    "strategy": lambda: jacobian(one, x(), strategy="sideways"),
    "outer strategy": lambda: hessian(scalar, x(), outer_jacobian_strategy="sideways"),
    "forwards and recorded": lambda: jacobian(one, x(), create_graph=True, strategy="forward-mode"),
    "forwards and strict": lambda: jacobian(one, x(), strict=True, strategy="forward-mode"),
    "forwards by columns": lambda: jacobian(one, x(), strategy="forward-mode"),
    "vectorized and strict": lambda: jacobian(one, x(), strict=True, vectorize=True),
    "strict jacobian of a constant": lambda: jacobian(constant, x(), strict=True),
    "strict jacobian of a partial function": lambda: jacobian(separate, (x(), y()), strict=True),
    "strict recorded jacobian of a linear function": lambda: jacobian(linear, x(), strict=True, create_graph=True),
    "strict hessian of a constant": lambda: hessian(lambda a: torch.ones(1), x(), strict=True),
    "strict hessian of a linear function": lambda: hessian(linear, x(), strict=True),
    "strict hessian of a partial function": lambda: hessian(partly, (x(), y()), strict=True),
    "strict vjp of a constant": lambda: vjp(detached, x(), strict=True),
    "strict vjp of a partial function": lambda: vjp(partly, (x(), y()), strict=True),
    "strict recorded vjp of a linear function": lambda: vjp(linear, x(), strict=True, create_graph=True),
    "strict jvp of a constant": lambda: jvp(detached, x(), v1, strict=True),
    "strict jvp of a partial function": lambda: jvp(partly, (x(), y()), (v1, v2), strict=True),
    "strict recorded jvp of a linear function": lambda: jvp(linear, x(), v1, strict=True, create_graph=True),
    "strict vhp of a constant": lambda: vhp(detached, x(), v1, strict=True),
    "strict vhp of a linear function": lambda: vhp(linear, x(), v1, strict=True),
    "strict vhp of a partial function": lambda: vhp(partly, (x(), y()), (v1, v2), strict=True),
    "strict hvp of a linear function": lambda: hvp(linear, x(), v1, strict=True),
    "strict hvp of a partial function": lambda: hvp(partly, (x(), y()), (v1, v2), strict=True),
    "batched grads of another shape": lambda: batched(torch.ones(5, 2)),
    "batched grads without dimensions": lambda: batched(torch.tensor(1.0)),
    "batched grads of different sizes": lambda: batched((torch.ones(4, 3), torch.ones(2, 3))),
    "no batched grads": lambda: batched((torch.ones(0, 3),)),
}


def batched(weights):
    a = x().requires_grad_()
    outputs = [a * 2] * (len(weights) if isinstance(weights, tuple) else 1)
    return torch.autograd.grad(outputs, a, weights, is_grads_batched=True)


def batched_values():
    a, b = x().requires_grad_(), y().requires_grad_()
    first = torch.autograd.grad(one(a), a, torch.eye(3), is_grads_batched=True)
    out = (a.unsqueeze(1) * b).exp()
    both = torch.autograd.grad(out, (a, b), torch.stack([v2, v2 * 2]), is_grads_batched=True)
    unused = torch.autograd.grad(one(a), (a, b), torch.eye(3), is_grads_batched=True, materialize_grads=True)
    return plain([*first, *both, *unused])


def plain(v):
    return v.detach().tolist() if isinstance(v, torch.Tensor) else [plain(u) for u in v]


def message(fn):
    try:
        fn()
    except Exception as error:  # whatever PyTorch throws is the answer
        return {"type": type(error).__name__, "message": str(error)}
    raise SystemExit("PyTorch does not throw")


def main():
    fixture = {
        "values": {name: plain(fn()) for name, fn in VALUES.items()},
        "gradients": {name: plain(fn()) for name, fn in GRADIENTS.items()},
        "batched": batched_values(),
        "messages": {name: message(fn) for name, fn in MESSAGES.items()},
    }
    OUT.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
