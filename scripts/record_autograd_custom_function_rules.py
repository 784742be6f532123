#!/usr/bin/env python3
"""Records test/fixtures/autograd/custom_function_rules.json for test/autograd/custom_function_rules.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_custom_function_rules.py
"""
import json
import pathlib
import warnings

import torch
from torch.autograd import Function
from torch.autograd import forward_ad as fwAD
from torch.autograd.function import once_differentiable

NAME = "custom_function_rules"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def function(forward, backward=lambda ctx, g: g, name="F", **more):
    body = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    body.update({k: staticmethod(v) for k, v in more.items()})
    return type(name, (Function,), body)


def run(forward, backward=lambda ctx, g: g, *inputs, **more):
    y = function(forward, backward, **more).apply(*(inputs or (leaf(1.0, 2.0),)))
    y = y[0] if isinstance(y, tuple) else y
    y.sum().backward()


def twice(ctx, x):
    return x * 2


def no_forward():
    class F(Function):
        pass

    F.apply(leaf(1.0))


def no_backward():
    class F(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    F.apply(leaf(1.0)).sum().backward()


def backward_and_vjp():
    run(twice, vjp=lambda ctx, g: g)


def too_few_gradients():
    run(lambda ctx, x, y: x * y, lambda ctx, g: g, leaf(1.0), leaf(2.0))


def too_many_gradients():
    run(twice, lambda ctx, g: (g, g))


def gradient_for_a_constant():
    run(lambda ctx, x, k: x * k, lambda ctx, g: (g, g), leaf(1.0), 3)


def gradient_of_wrong_type():
    run(twice, lambda ctx, g: "gradient")


def gradient_of_wrong_shape():
    run(twice, lambda ctx, g: torch.ones(3))


def gradient_of_wrong_shape_for_second_tensor():
    run(lambda ctx, x, k, y: x * y, lambda ctx, g: (g, None, torch.ones(5)), leaf(1.0, 2.0), 3, leaf(1.0, 2.0))


def save_a_number():
    def forward(ctx, x):
        ctx.save_for_backward(x, "number")
        return x * 2

    run(forward)


def save_for_forward_a_number():
    def forward(ctx, x):
        ctx.save_for_forward("number")
        return x * 2

    run(forward)


def saved_freed():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    def backward(ctx, g):
        return g * ctx.saved_tensors[0]

    y = function(forward, backward).apply(leaf(1.0)).sum()
    y.backward()
    y.backward()


def freed_but_nothing_saved():
    x = leaf(1.0)
    y = function(twice).apply(x)
    y.backward()
    y.backward()
    return x.grad.tolist()


def saved_written():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    x = leaf(1.0, 2.0) * 1
    y = function(forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x)
    x.add_(1)
    y.sum().backward()


def saved_output_written():
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    y = function(forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(leaf(1.0, 2.0))
    y.add_(1)
    y.sum().backward()


def dirty_leaf():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.add_(1)

    run(forward)


def dirty_not_returned():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.add_(1)
        return x * 2

    run(forward, lambda ctx, g: g, leaf(1.0) * 1)


def dirty_no_input():
    def forward(ctx, x):
        y = x * 2
        ctx.mark_dirty(y)
        return y

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        x = leaf(1.0, 2.0)
        y = function(forward, lambda ctx, g: g * 2).apply(x)
        y.sum().backward()
    return [str(w.message).split(" (Triggered")[0] for w in seen], x.grad.tolist(), y._version


def dirty_view_of_several():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.add_(1), x * 2

    run(forward, lambda ctx, g, h: g, (leaf(1.0, 2.0) * 1)[0])


def dirty_view_of_leaf():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.add_(1)

    run(forward, lambda ctx, g: g, leaf(1.0, 2.0)[0:1])


def dirty_view():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(3)

    x = leaf(1.0, 2.0)
    base = x * 1
    y = function(forward, lambda ctx, g: g * 3).apply(base[0:1])
    base.sum().backward()
    return x.grad.tolist(), y.grad_fn.name(), base.grad_fn.name()


def backward_of_non_differentiable():
    def forward(ctx, x):
        y = x * 2
        ctx.mark_non_differentiable(y)
        return y

    function(forward).apply(leaf(1.0)).backward()


def input_as_is_written():
    y = function(lambda ctx, x: x).apply(leaf(1.0, 2.0) * 1)
    y.add_(1)


def view_of_input_written():
    y = function(lambda ctx, x: x[0:1], lambda ctx, g: torch.cat([g, g])).apply(leaf(1.0, 2.0) * 1)
    y.add_(1)


def views_of_input_written():
    y, z = function(lambda ctx, x: (x[0:1], x[1:2]), lambda ctx, g, h: torch.cat([g, h])).apply(leaf(1.0, 2.0) * 1)
    y.add_(1)


def twice_through_once_differentiable():
    x = leaf(2.0)
    y = function(lambda ctx, x: x * x, once_differentiable(lambda ctx, g: g * 2)).apply(x) ** 2
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    g.backward()


def input_as_is_saved_with_setup_context():
    class F(Function):
        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return g

    F.apply(leaf(1.0) * 1)


def no_jvp():
    with fwAD.dual_level():
        function(twice).apply(fwAD.make_dual(torch.ones(2), torch.ones(2)))


def dual(jvp, forward=twice):
    with fwAD.dual_level():
        x = fwAD.make_dual(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 10.0]))
        y = function(forward, jvp=jvp).apply(x)
        return fwAD.unpack_dual(y).tangent.tolist()


def jvp_of_wrong_shape():
    dual(lambda ctx, t: torch.ones(3))


def jvp_of_wrong_number():
    dual(lambda ctx, t: (t, t))


def jvp_of_wrong_type():
    dual(lambda ctx, t: "tangent")


CASES = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"]
SKIP = {"leaf", "function", "run", "twice", "dual"}

if __name__ == "__main__":
    result = {}
    for case in CASES:
        if case.__name__ in SKIP:
            continue
        try:
            value = case()
            result[case.__name__] = {"value": value}
        except Exception as error:  # noqa: BLE001
            result[case.__name__] = {"type": type(error).__name__, "message": str(error)}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
