#!/usr/bin/env python3
"""Records test/fixtures/autograd/gradcheck.json: PyTorch's answers for test/autograd/gradcheck.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_gradcheck.py
"""
import importlib
import json
import pathlib
import warnings

import torch
from torch.autograd import Function, gradcheck, gradgradcheck

checks = importlib.import_module("torch.autograd.gradcheck")
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "gradcheck.json"


def leaf(data, **kwargs):
    return torch.tensor(data, dtype=torch.float64, requires_grad=True, **kwargs)


class WrongExp(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].exp() * 1.5


class WrongProduct(Function):
    """Two results; the second's gradient with respect to the second input has the wrong sign."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x + y, x * y

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return g + h * y, g - h * x


class NoGradient(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return None


class Unsteady(Function):
    """A backward that gives other values every time."""

    calls = 0

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        Unsteady.calls += 1
        return g * 2 + 1e-9 * Unsteady.calls


class NotMultiplied(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2 + (0 if g.abs().sum() > 0 else 1)


class RefusesUndefined(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        if g is None:
            raise RuntimeError("no gradient")
        return g * 2


class InventsUndefined(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return torch.ones(2, dtype=torch.float64) if g is None else g * 2


class ConstantBackward(Function):
    """A right first derivative that itself has none."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        return g * 3 * ctx.saved_tensors[0].detach() ** 2


class WrongTangent(Function):
    """A right backward, and a tangent of half the size."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]

    @staticmethod
    def jvp(ctx, t):
        return t * ctx.saved_tensors[0] * 0.5


class NoTangent(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


def batched_wrong(**options):
    """What is said of a batch that differs from its samples; PyTorch's own vmap for this check ignores a Function's rule."""
    v = torch.stack([torch.randn(2, dtype=torch.float64) for _ in range(2)])
    message = checks._get_failed_batched_grad_test_msg
    raise checks.GradcheckError(message(0, 0, v * 4, v * 2, **options))


class SlightlyWrong(Function):
    """Off by less than a percent in every element, and by much more in a projection, where the elements cancel."""

    @staticmethod
    def forward(ctx, x):
        return (x * torch.tensor([100.0, -30.6], dtype=torch.float64)).sum()

    @staticmethod
    def backward(ctx, g):
        return g * torch.tensor([100.25, -30.35], dtype=torch.float64)


def growing():
    state = {"calls": 0}

    def f(x):
        state["calls"] += 1
        return x.repeat(1 + (state["calls"] > 2))

    return f


def changing_dtype():
    state = {"calls": 0}

    def f(x):
        state["calls"] += 1
        return x.float() if state["calls"] > 2 else x * 1

    return f


def leaking(x):
    """Half of it is hidden from forward mode alone."""
    return torch.autograd.forward_ad.unpack_dual(x).primal * 2 + x * 2


def pair():
    return leaf([1.0, 2.0]), leaf([0.5, 3.0])


def overlapping():
    return leaf([1.0]).expand(3)


CASES = {
    "passes": lambda: gradcheck(lambda x, y: x.sin() * y, (leaf([1.0, 2.0]), leaf([0.5, 3.0]))),
    "passes_fast": lambda: gradcheck(lambda x, y: x.sin() * y, (leaf([1.0, 2.0]), leaf([0.5, 3.0])), fast_mode=True),
    "passes_twice": lambda: gradgradcheck(lambda x, y: x.sin() * y, (leaf([1.0, 2.0]), leaf([0.5, 3.0]))),
    "single_input": lambda: gradcheck(torch.exp, leaf([1.0, 2.0])),
    "zero_dim": lambda: gradcheck(torch.exp, leaf(1.0)),
    "empty": lambda: gradcheck(torch.exp, leaf([])),
    "step_function": lambda: gradcheck(lambda x: (x > 0).double(), leaf([1.0, 2.0])),
    "wrong": lambda: gradcheck(WrongExp.apply, leaf([[1.0, 2.0], [0.1, 3.0]])),
    "wrong_after_others": lambda: gradcheck(lambda n, c, x: WrongExp.apply(x), (3, torch.ones(2), leaf([1.0, 2.0]))),
    "wrong_second": lambda: gradcheck(WrongProduct.apply, (leaf([1.0, 2.0]), leaf([3.0, 4.0]))),
    "wrong_product": lambda: gradcheck(lambda x, y: WrongProduct.apply(x, y)[1], (leaf([1.0, 2.0]), leaf([3.0, 4.0]))),
    "wrong_not_thrown": lambda: gradcheck(WrongExp.apply, leaf([1.0]), raise_exception=False),
    "wrong_within_tolerance": lambda: gradcheck(WrongExp.apply, leaf([1.0]), rtol=0.6),
    "no_gradient": lambda: gradcheck(NoGradient.apply, leaf([1.0, 2.0])),
    "detached": lambda: gradcheck(lambda x: x.detach() * 2, leaf([1.0, 2.0])),
    "detached_fast": lambda: gradcheck(lambda x: x.detach() * 2, leaf([1.0, 2.0]), fast_mode=True),
    "one_detached": lambda: gradcheck(lambda x: (x.detach() * 2, x * 3), leaf([1.0, 2.0])),
    "unsteady": lambda: gradcheck(Unsteady.apply, leaf([1.0, 2.0])),
    "unsteady_allowed": lambda: gradcheck(Unsteady.apply, leaf([1.0, 2.0]), nondet_tol=1e-3, check_undefined_grad=False),
    "unsteady_fast": lambda: gradcheck(Unsteady.apply, leaf([1.0, 2.0]), fast_mode=True),
    "not_multiplied": lambda: gradcheck(NotMultiplied.apply, leaf([1.0, 2.0])),
    "refuses_undefined": lambda: gradcheck(RefusesUndefined.apply, leaf([1.0, 2.0])),
    "refuses_undefined_unchecked": lambda: gradcheck(RefusesUndefined.apply, leaf([1.0, 2.0]), check_undefined_grad=False),
    "invents_undefined": lambda: gradcheck(InventsUndefined.apply, leaf([1.0, 2.0])),
    "no_input": lambda: gradcheck(torch.exp, torch.ones(2, dtype=torch.float64)),
    "overlapping": lambda: gradcheck(torch.exp, overlapping()),
    "overlapping_second": lambda: gradcheck(torch.mul, (leaf([1.0, 2.0, 3.0]), overlapping())),
    "shape_changes": lambda: gradcheck(growing(), leaf([1.0, 2.0])),
    "shape_changes_fast": lambda: gradcheck(growing(), leaf([1.0, 2.0]), fast_mode=True),
    "dtype_changes": lambda: gradcheck(changing_dtype(), leaf([[1.0, 2.0]])),
    "nothing_checked": lambda: gradcheck(torch.exp, leaf([1.0]), check_backward_ad=False),
    "second_nothing_checked": lambda: gradgradcheck(torch.exp, leaf([1.0]), check_rev_over_rev=False),
    "second_undefined_unchecked": lambda: gradgradcheck(
        torch.exp, leaf([1.0]), check_rev_over_rev=False, check_fwd_over_rev=True),
    "second_batched_unchecked": lambda: gradgradcheck(
        torch.exp, leaf([1.0]), check_rev_over_rev=False, check_fwd_over_rev=True, check_undefined_grad=False,
        check_batched_grad=True),
    "batched_unchecked": lambda: gradcheck(
        torch.exp, leaf([1.0]), check_backward_ad=False, check_forward_ad=True, check_batched_grad=True),
    "batched_forward_unchecked": lambda: gradcheck(torch.exp, leaf([1.0]), check_batched_forward_grad=True),
    "forward": lambda: gradcheck(lambda x, y: x.sin() * y, pair(), check_forward_ad=True),
    "forward_alone": lambda: gradcheck(
        lambda x, y: (x.sin() * y, x * 2), pair(), check_forward_ad=True, check_backward_ad=False),
    "forward_fast": lambda: gradcheck(lambda x, y: x.sin() * y, pair(), check_forward_ad=True, fast_mode=True),
    "forward_wrong": lambda: gradcheck(WrongTangent.apply, leaf([1.0, 2.0]), check_forward_ad=True),
    "forward_wrong_unchecked": lambda: gradcheck(WrongTangent.apply, leaf([1.0, 2.0])),
    "forward_missing": lambda: gradcheck(NoTangent.apply, leaf([1.0, 2.0]), check_forward_ad=True),
    "forward_through_leak": lambda: gradcheck(leaking, leaf([1.0, 2.0]), check_forward_ad=True),
    "forward_through_leak_fast": lambda: gradcheck(
        leaking, leaf([1.0, 2.0]), check_forward_ad=True, fast_mode=True),
    "batched": lambda: gradcheck(lambda x, y: (x.sin() * y, x * 2), pair(), check_batched_grad=True),
    "batched_forward": lambda: gradcheck(
        lambda x, y: (x.sin() * y, x * 2), pair(), check_forward_ad=True, check_batched_forward_grad=True),
    "batched_wrong": lambda: batched_wrong(),
    "batched_forward_wrong": lambda: batched_wrong(is_forward_ad=True),
    "second_batched": lambda: gradgradcheck(lambda x, y: x.sin() * y, pair(), check_batched_grad=True),
    "second_forward": lambda: gradgradcheck(lambda x, y: x.sin() * y, pair(), check_fwd_over_rev=True),
    "second_wrong": lambda: gradgradcheck(ConstantBackward.apply, leaf([1.0, 2.0]), leaf([1.0, 0.5])),
    "second_wrong_random": lambda: gradgradcheck(ConstantBackward.apply, leaf([1.0, 2.0])),
    "second_wrong_strided": lambda: gradgradcheck(
        ConstantBackward.apply, leaf([1.0, 2.0]), gen_non_contig_grad_outputs=True),
    "second_not_thrown": lambda: gradgradcheck(ConstantBackward.apply, leaf([1.0, 2.0]), raise_exception=False),
    "wrong_fast": lambda: gradcheck(WrongExp.apply, leaf([[1.0, 2.0], [0.1, 3.0]]), fast_mode=True),
    "slightly_wrong": lambda: gradcheck(SlightlyWrong.apply, leaf([1.0, 2.0]), rtol=0.01),
    "slightly_wrong_fast": lambda: gradcheck(SlightlyWrong.apply, leaf([1.0, 2.0]), fast_mode=True, rtol=0.01),
    "float32": lambda: gradcheck(torch.exp, torch.ones(2, requires_grad=True)),
}


def answer(case):
    torch.manual_seed(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = {"result": case()}
        except Exception as error:  # whatever PyTorch throws is the answer
            result = {"type": type(error).__name__, "message": str(error)}
    return {**result, "warnings": [str(w.message) for w in caught if "torch.jit" not in str(w.message)]}


def main():
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({name: answer(case) for name, case in CASES.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
