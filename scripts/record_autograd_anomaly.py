#!/usr/bin/env python3
"""Records test/fixtures/autograd/anomaly.json for test/autograd/anomaly.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_anomaly.py
"""
import json
import pathlib
import re
import warnings

import torch
from torch.autograd import detect_anomaly, set_detect_anomaly

NAME = "anomaly"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def told(warned):
    """The warnings without the lines of Python's stack."""
    texts = [str(w.message) for w in warned if "Anomaly Detection has been" not in str(w.message)]
    texts = [re.sub(r" \(Triggered internally at .*\)", "", t) for t in texts]
    return [re.sub(r'(  File "[^\n]*\n|    [^\n]*\n?)+', "<stack>", t) for t in texts]


def failing(f):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            f()
            error = None
        except Exception as e:
            error = str(e)
    return error, told(warned)


def nan():
    def f():
        with detect_anomaly():
            x = leaf(0.0)
            (x.sqrt() * 0).sum().backward()

    return failing(f)


def nan_not_checked():
    def f():
        with detect_anomaly(check_nan=False):
            x = leaf(0.0)
            (x.sqrt() * 0).sum().backward()

    return failing(f)


def forward_outside():
    def f():
        x = leaf(0.0)
        y = (x.sqrt() * 0).sum()
        with detect_anomaly():
            y.backward()

    return failing(f)


def backward_outside():
    def f():
        x = leaf(0.0)
        with detect_anomaly():
            y = (x.sqrt() * 0).sum()
        y.backward()

    return failing(f)


def induced():
    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0].sqrt()

    def f():
        with detect_anomaly():
            x = leaf(0.0)
            (g,) = torch.autograd.grad(Steep.apply(x).sum(), x, create_graph=True)
            torch.autograd.grad((g * 0).sum(), x)

    return failing(f)


def custom():
    class MyFunc(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("from mine")

    def f():
        with detect_anomaly():
            MyFunc.apply(leaf(1.0)).sum().backward()

    return failing(f)


def modified_in_place():
    def f():
        with detect_anomaly():
            x = leaf(1.0, 2.0)
            y = x.exp()
            y.add_(1)
            y.sum().backward()

    error, warned = failing(f)
    return error.split(" Hint: ")[0], warned


def switches():
    seen = []

    def note():
        seen.append([torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()])

    note()
    with detect_anomaly():
        note()
        with detect_anomaly(check_nan=False):
            note()
        note()
        with set_detect_anomaly(False):
            note()
    set_detect_anomaly(True, False)
    note()
    set_detect_anomaly(False)
    note()
    return seen


CASES = [
    nan, nan_not_checked, forward_outside, backward_outside, induced, custom, modified_in_place,
    switches,
]  # fmt: skip

warnings.simplefilter("ignore")
recorded = {}
for case in CASES:
    try:
        recorded[case.__name__] = {"value": case()}
    except Exception as error:  # what PyTorch raises is what is recorded
        recorded[case.__name__] = {"type": type(error).__name__, "message": str(error)}
OUT.write_text(json.dumps(recorded, indent=2) + "\n")
