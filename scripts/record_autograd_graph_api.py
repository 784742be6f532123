#!/usr/bin/env python3
"""Records test/fixtures/autograd/graph_api.json for test/autograd/graph_api.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_graph_api.py
"""
import json
import pathlib
import warnings

import torch
from torch.autograd import backward, grad
from torch.autograd.graph import allow_mutation_on_saved_tensors, get_gradient_edge, increment_version

NAME = "graph_api"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def values(tensors):
    return [None if t is None else t.tolist() for t in tensors]


def edges_as_ends():
    x = leaf(2.0)
    y = x * 2
    to_x, from_y = get_gradient_edge(x), get_gradient_edge(y)
    seen = [
        values(grad(y, to_x, retain_graph=True)),
        values(grad(from_y, to_x, retain_graph=True)),
        values(grad([from_y, y], [to_x, x], retain_graph=True)),
    ]
    backward(from_y, inputs=[x], retain_graph=True)
    seen.append(x.grad.tolist())
    y.backward(inputs=[to_x])
    return seen + [x.grad.tolist()]


def edge_of_non_leaf_receives_nothing():
    x = leaf(2.0)
    y = x * 2
    backward(y * 3, inputs=[get_gradient_edge(y)])
    return x.grad, y.grad


def edge_names_output():
    x = leaf(3.0, 1.0, 2.0)
    a, b = x.split([1, 2])
    e = get_gradient_edge(b)
    return e.node.name(), e.output_nr, e.ownership_token, e.node is b.grad_fn


def edge_outlives_its_tensor():
    x = leaf(2.0)
    e = get_gradient_edge(x.exp())
    return values(grad(e, x))


def edge_not_single():
    x = leaf(2.0, 3.0)
    grad(get_gradient_edge(x * 2), x)


def edge_gradient_shape():
    x = leaf(2.0, 3.0)
    grad(get_gradient_edge(x * 2), x, torch.ones(3))


def edge_of_constant():
    get_gradient_edge(torch.ones(1))


def edge_materialized():
    x, y = leaf(2.0), leaf(3.0)
    grad(x * 2, get_gradient_edge(y), materialize_grads=True)


def backward_into_non_leaves():
    x, w = leaf(2.0), leaf(4.0)
    y = x * 2
    z = y * 3 * w
    z.backward(inputs=[y, w], retain_graph=True)
    first = values([y.grad, w.grad, x.grad])
    z.backward(inputs=[y])
    return first, values([y.grad, w.grad, x.grad])


def roots():
    x = leaf(2.0)
    y = x * 2
    return [
        values(grad(y, y, retain_graph=True)),
        values(grad(y, [y, x], retain_graph=True)),
        values(grad([y, y], x, retain_graph=True)),
        values(grad([y, y * 3], x, [torch.tensor([1.0]), torch.tensor([10.0])], retain_graph=True)),
        values(grad(x, x)),
        values(grad(y, [x, x])),
    ]


def create_graph_accumulates():
    x = leaf(2.0)
    (x * x * x).backward(create_graph=True)
    (x * x).backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.backward()
    return g.tolist(), g.requires_grad, x.grad.tolist()


def gradient_layout():
    x = torch.zeros(2, 3).t().requires_grad_()
    (x * torch.ones(3, 2)).sum().backward()
    y = torch.zeros(2, 3, requires_grad=True)
    y.t().mul(torch.ones(3, 2)).sum().backward()
    z = torch.zeros(1, 3).expand(2, 3).detach().requires_grad_()
    (z * 2).sum().backward()
    return x.grad.stride(), y.grad.stride(), z.grad.stride()


def gradient_is_no_alias():
    x, g = leaf(1.0, 2.0), torch.ones(2)
    y = x * 1
    (y + 0).backward(g)
    x.grad.add_(1)
    return g.tolist(), x.grad.tolist()


def passes_within_passes():
    x, w = leaf(2.0), leaf(3.0)

    class Inner(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                again = x.detach().requires_grad_()
                y = again * again * w
            y.backward()
            return g * again.grad

    Inner.apply(x * 1).backward()
    return x.grad.tolist(), w.grad.tolist()


def mixed_dtypes():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    h = torch.tensor([3.0, 4.0], dtype=torch.float16, requires_grad=True)
    (x.float() * h + x).sum().backward()
    return str(x.grad.dtype), x.grad.tolist(), str(h.grad.dtype), h.grad.tolist()


def versions():
    x, y = torch.zeros(2), torch.zeros(2)
    increment_version(x)
    increment_version([x, y])
    with torch.inference_mode():
        z = torch.zeros(2)
    increment_version(z)
    return x._version, y._version


def metadata():
    x = leaf(2.0, 3.0)
    node = (x * 2).grad_fn
    node.metadata["mine"] = 5
    m = node._input_metadata[0]
    later = x.exp().grad_fn
    return node.metadata, list(m.shape), str(m.dtype), str(m.device), later._sequence_nr() > node._sequence_nr()


def mutation():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with allow_mutation_on_saved_tensors():
        a = x.clone()
        out = (a**2).sum()
        a.sin_()
        b = x * 1
        b.mul_(w)
        b.mul_(w)
        c = (x * 1).exp()
        d = c.sum()
        c.mul_(10)
        with torch.no_grad():
            w.zero_()
        (out + b.sum() + d).backward()
    return x.grad.tolist(), w.grad.tolist()


def mutation_outside():
    with allow_mutation_on_saved_tensors():
        x = leaf(1.0, 2.0)
        out = (x**2).sum()
    try:
        out.backward()
    except AssertionError as e:
        raise RuntimeError(e) from e


def mutation_nested():
    with allow_mutation_on_saved_tensors():
        with allow_mutation_on_saved_tensors():
            pass


def no_inputs_to_grad():
    grad(leaf(1.0), [])


def no_inputs_to_backward():
    (leaf(1.0) * 2).backward(inputs=[])


def input_without_gradient():
    grad(leaf(1.0) * 2, [torch.ones(1)])


def nothing_to_do():
    return backward([])


def graph_of_nothing():
    grad([], [leaf(1.0)])


CASES = [
    edges_as_ends, edge_of_non_leaf_receives_nothing, edge_names_output, edge_outlives_its_tensor, edge_not_single,
    edge_gradient_shape, edge_of_constant, edge_materialized, backward_into_non_leaves, roots,
    create_graph_accumulates, gradient_layout, gradient_is_no_alias, passes_within_passes, mixed_dtypes, versions,
    metadata, mutation, mutation_outside, mutation_nested, no_inputs_to_grad, no_inputs_to_backward,
    input_without_gradient, nothing_to_do, graph_of_nothing,
]  # fmt: skip

warnings.simplefilter("ignore")
recorded = {}
for case in CASES:
    try:
        recorded[case.__name__] = {"value": case()}
    except Exception as error:  # what PyTorch raises is what is recorded
        recorded[case.__name__] = {"type": type(error).__name__, "message": str(error)}
OUT.write_text(json.dumps(recorded, indent=1) + "\n")
