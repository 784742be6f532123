#!/usr/bin/env python3
"""Records test/fixtures/autograd/custom_function.json for test/autograd/function.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_custom_function.py
"""
import json
import pathlib

import torch
from torch.autograd import Function
from torch.autograd import forward_ad as fwAD

NAME = "custom_function"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def function(forward, backward=lambda ctx, g: g, **more):
    body = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    body.update({k: staticmethod(v) for k, v in more.items()})
    return type("F", (Function,), body)


def setup_context():
    def setup(ctx, inputs, output):
        x, k, y = inputs
        ctx.save_for_backward(x, y, output)
        ctx.k = k

    def backward(ctx, g):
        x, y, out = ctx.saved_tensors
        return g * y * ctx.k, None, g * out / y

    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    z = function(lambda x, k, y: x * y * k, backward, setup_context=setup).apply(x, 3, y)
    z.sum().backward()
    return z.tolist(), x.grad.tolist(), y.grad.tolist(), z.grad_fn.name(), len(z.grad_fn.next_functions)


def several_outputs():
    seen = []

    def forward(ctx, x):
        index = x.argmax()
        ctx.mark_non_differentiable(index)
        return x * 2, "text", index, x * 3, None

    def backward(ctx, *grads):
        seen.append([None if g is None else [g.tolist(), str(g.dtype)] for g in grads])
        return grads[0] * 2 + grads[3] * 3

    x = leaf(1.0, 2.0)
    a, text, index, b, none = function(forward, backward).apply(x)
    b.sum().backward()
    return x.grad.tolist(), text, none, seen, [a.requires_grad, index.requires_grad, b.requires_grad], b.output_nr


def without_materialised():
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def backward(ctx, g, h):
        seen.append([g is None, h is None])
        return h * 3

    x = leaf(1.0)
    _, b = function(forward, backward).apply(x)
    b.backward()
    return seen, x.grad.tolist()


def needs_input_grad():
    seen = []

    def forward(ctx, x, k, y, lists):
        seen.append(ctx.needs_input_grad)
        return x * y

    x, y = leaf(1.0), torch.tensor([2.0])
    f = function(forward, lambda ctx, g: (seen.append(ctx.needs_input_grad), (g * 2, None, None, None))[1])
    f.apply(x, 5, y, [x, y]).backward()
    with torch.no_grad():
        f.apply(x, 5, y, [x])
    return seen


def modes_inside():
    seen = []

    def forward(ctx, x):
        seen.append(torch.is_grad_enabled())
        return x * x

    def backward(ctx, g):
        seen.append(torch.is_grad_enabled())
        return g * 2

    x = leaf(3.0)
    y = function(forward, backward).apply(x)
    torch.autograd.grad(y, x, retain_graph=True)
    torch.autograd.grad(y, x, create_graph=True)
    return seen


def input_as_is():
    x = leaf(1.0, 2.0) * 1
    y = function(lambda ctx, t: t, lambda ctx, g: g * 5).apply(x)
    z = function(lambda ctx, t: t).apply(x.detach())
    (gx,) = torch.autograd.grad(y.sum(), x)
    return [y is x, y._is_view(), y.grad_fn.name(), y.data_ptr() == x.data_ptr(), gx.tolist(), z.requires_grad, z._is_view()]


def view_of_input():
    x = leaf(1.0, 2.0, 3.0)
    y = function(lambda ctx, t: t[1:], lambda ctx, g: torch.cat([g[:1] * 0, g * 7])).apply(x)
    y.sum().backward()
    return y._is_view(), y.grad_fn.name(), x.grad.tolist()


def written_input():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(3)
        return x

    x = leaf(1.0, 2.0)
    t = x * 1
    y = function(forward, lambda ctx, g: g * 3).apply(t)
    y.sum().backward()
    return y is t, t.tolist(), t.grad_fn.name(), t._version, x.grad.tolist()


def written_input_saved():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.exp_()
        ctx.save_for_backward(x)
        return x

    x = leaf(0.0, 1.0)
    y = function(forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x * 1)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    return y.tolist(), g.tolist(), h.tolist()


def double_backward():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    x = leaf(2.0)
    y = function(forward, lambda ctx, g: g * 3 * ctx.saved_tensors[0] ** 2).apply(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x, create_graph=True)
    (k,) = torch.autograd.grad(h, x)
    return g.tolist(), h.tolist(), k.tolist()


def vjp():
    def forward(ctx, x):
        return x * 2

    class F(Function):
        forward_ = None

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    x = leaf(1.0)
    F.apply(x).backward()
    return x.grad.tolist()


def extra_none_gradients():
    x = leaf(1.0)
    function(lambda ctx, t: t * 2, lambda ctx, g: (g * 2, None, None)).apply(x).backward()
    return x.grad.tolist()


def no_gradient():
    x = leaf(1.0)
    y = function(lambda ctx, t: t * 2, lambda ctx, g: None).apply(x * 1)
    return [torch.autograd.grad(y, x, allow_unused=True)[0]]


def constant_output_of_differentiable():
    def forward(ctx, x):
        a, b = x * 2, x * 3
        ctx.mark_non_differentiable(a)
        return a, b

    a, b = function(forward, lambda ctx, g, h: h * 3).apply(leaf(1.0))
    return a.requires_grad, b.requires_grad, a.is_leaf, b.is_leaf


def broadcast_gradient():
    x = leaf(1.0)
    function(lambda ctx, t: t.expand(3) * 1).apply(x).sum().backward()
    return x.grad.tolist()


def dual(f, *tensors):
    with fwAD.dual_level():
        y = f.apply(*[fwAD.make_dual(torch.tensor(a), torch.tensor(t)) if t else torch.tensor(a) for a, t in tensors])
        return [None if t is None else t.tolist() for t in (fwAD.unpack_dual(v).tangent for v in (y if isinstance(y, tuple) else (y,)))]


def jvp():
    def forward(ctx, x, y):
        ctx.save_for_forward(x, y)
        return x * y

    def tangent(ctx, tx, ty):
        x, y = ctx.saved_tensors
        return tx * y + ty * x

    f = function(forward, jvp=tangent)
    return dual(f, ([2.0], [1.0]), ([3.0], [10.0])), dual(f, ([2.0], [1.0]), ([3.0], None)), dual(f, ([2.0], None), ([3.0], None))


def jvp_without_materialised():
    seen = []

    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        return x * 2

    def tangent(ctx, tx, ty):
        seen.append([tx is None, ty is None])
        return tx * 2

    return dual(function(forward, jvp=tangent), ([2.0], [1.0]), ([3.0], None)), seen


def jvp_of_input_as_is():
    return dual(function(lambda ctx, x: x, jvp=lambda ctx, t: t.view_as(t)), ([2.0], [1.0]))


CASES = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"]
SKIP = {"leaf", "function", "dual"}

if __name__ == "__main__":
    result = {}
    for case in CASES:
        if case.__name__ in SKIP:
            continue
        result[case.__name__] = {"value": case()}
    OUT.write_text(json.dumps(result, indent=1) + "\n")
