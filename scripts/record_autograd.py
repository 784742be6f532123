#!/usr/bin/env python3
"""Records test/fixtures/autograd.json: PyTorch's words for test/autograd/rules.test.ts.

Run with a Python that has torch:  python scripts/record_autograd.py
"""
import json
import pathlib

import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def backward_twice():
    y = leaf(1.0, 2.0).exp().sum()
    y.backward()
    y.backward()


def grad_twice():
    x = leaf(1.0, 2.0)
    y = x.exp().sum()
    torch.autograd.grad(y, [x])
    torch.autograd.grad(y, [x])


def not_a_scalar():
    (leaf(1.0, 2.0) * 2).backward()


def no_graph():
    torch.ones(1).backward()


def gradient_shape():
    (leaf(1.0, 2.0) * 2).backward(torch.ones(3))


def leaf_in_place():
    leaf(1.0, 2.0).add_(1)


def leaf_view_in_place():
    leaf(1.0, 2.0)[0].add_(1)


def saved_then_modified():
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


def saved_input_modified():
    x = leaf(1.0, 2.0) * 1
    y = x * x
    x.add_(1)
    y.sum().backward()


def integer_requires_grad():
    torch.tensor([1, 2]).requires_grad_()


def integer_requires_grad_at_creation():
    torch.ones(2, dtype=torch.int64, requires_grad=True)


def integer_requires_grad_of_data():
    torch.tensor([1, 2], requires_grad=True)


def requires_grad_off_non_leaf():
    (leaf(1.0) * 2).requires_grad_(False)


def retain_grad_without_grad():
    torch.ones(2).retain_grad()


def unused_input():
    x, y = leaf(1.0), leaf(2.0)
    torch.autograd.grad((x * 2).sum(), [x, y])


def numpy_of_differentiable():
    leaf(1.0).numpy()


def inference_tensor_saved():
    with torch.inference_mode():
        x = torch.ones(2)
    (x * leaf(1.0, 2.0)).sum().backward()


def inference_in_place():
    with torch.inference_mode():
        x = torch.ones(2)
    x.add_(1)


def hook_on_constant():
    torch.ones(2).register_hook(lambda g: g)


def grad_shape_assigned():
    x = leaf(1.0, 2.0)
    x.grad = torch.ones(3)


def grad_dtype_assigned():
    x = leaf(1.0, 2.0)
    x.grad = torch.ones(2, dtype=torch.float64)


def unbind_view_in_place():
    a, _ = (torch.ones(2, 2, requires_grad=True) * 1).unbind(0)
    a.add_(1)


def no_grad_view_in_place():
    x = torch.ones(2, requires_grad=True) * 1
    with torch.no_grad():
        v = x[0]
    v.add_(1)


MESSAGES = [
    backward_twice, grad_twice, not_a_scalar, no_graph, gradient_shape, leaf_in_place, leaf_view_in_place,
    saved_then_modified, saved_input_modified, integer_requires_grad, integer_requires_grad_at_creation, integer_requires_grad_of_data,
    requires_grad_off_non_leaf, retain_grad_without_grad, unused_input, numpy_of_differentiable,
    inference_tensor_saved, inference_in_place, hook_on_constant, grad_shape_assigned, grad_dtype_assigned,
    unbind_view_in_place, no_grad_view_in_place,
]

def message(case):
    try:
        case()
    except Exception as error:  # whatever PyTorch throws is the answer
        return {"type": type(error).__name__, "message": str(error)}
    raise SystemExit(f"{case.__name__}: PyTorch does not throw")


def main():
    fixture = {case.__name__: message(case) for case in MESSAGES}
    OUT.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
