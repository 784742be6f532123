#!/usr/bin/env python3
"""Records test/fixtures/printing.json: Python's and PyTorch's own text for values, for test/printing.test.ts and
test/pyformat.test.ts.

Run with a Python that has torch:  python scripts/record_printing.py
"""
import json
import math
import pathlib
import random
import struct

import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "printing.json"


def hex64(x):
    """A float as the hex digits of its bits: exact, and free of JSON's missing nan and inf."""
    return struct.pack(">d", x).hex()


def pyformat_rows():
    rng = random.Random(0)
    values = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 0.125, 0.375, 0.00005, 0.00015, 0.03125, 0.15625, 9.5, 99.5,
              9.9999, 9.99995, 99999.5, 1e-5, 1e-4, 0.001, 1e15, 1e16, 1e17, 1.5e16, 123456789.125, 1e22, 1e23, 1e100,
              5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, math.pi, 1 / 3, 100.0, 1e-8, 0.1, 0.9, 0.999,
              2.0**53, 2.0**60, 12345.5, 1234.5, 10.0**-7, 1.0000000000000002, 0.99999999999999989,
              math.inf, -math.inf, math.nan]
    for _ in range(80):
        values.append(struct.unpack(">d", rng.getrandbits(64).to_bytes(8, "big"))[0])
    for _ in range(80):  # exact ties at some precision: few binary digits after the point
        values.append(rng.choice([-1, 1]) * rng.randrange(1 << rng.randrange(1, 20)) / (1 << rng.randrange(8)))
    for _ in range(40):
        values.append(round(rng.uniform(-10, 10), rng.randrange(1, 7)))
    rows = []
    for x in values:
        rows.append({"bits": hex64(x), "repr": repr(x),
                     "fixed": [f"{x:.{p}f}" for p in (0, 1, 2, 4, 8)],
                     "exponent": [f"{x:.{p}e}" for p in (0, 1, 2, 4, 8)]})
    return rows


def string_rows():
    return [[s, repr(s)] for s in ["zeros", "", "it's", 'say "hi"', "it's \"both\"", "a\\b", "a\nb\tc\r", "\x00\x7f\xa0", "é√"]]


def tensor_row(x, options, rule=None):
    """One tensor with its text. The elements are stored exactly, or as the rule that makes them: a large tensor's
    element i is i * scale + offset."""
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**options)
    text = repr(x)
    torch.set_printoptions(profile="default")
    row = {"shape": list(x.shape), "dtype": str(x.dtype).removeprefix("torch."), "options": options, "text": text}
    if torch.get_default_dtype() != torch.float32:
        row["default_dtype"] = str(torch.get_default_dtype()).removeprefix("torch.")
    if x.requires_grad:
        row["requires_grad"] = True
    if x.grad_fn is not None:
        row["grad_fn_name"] = x.grad_fn.name()
    if isinstance(x, torch.nn.Parameter):
        row["is_parameter"] = True
    flat = x.detach().reshape(-1)
    if rule is not None:
        row["rule"] = rule
    elif x.dtype.is_floating_point:
        row["bits"] = "".join(hex64(v) for v in flat.double().tolist())
    else:
        row["integers"] = [str(int(v)) for v in flat.tolist()]
    return row


def ruled(shape, dtype, scale, offset=0.0):
    n = math.prod(shape)
    x = (torch.arange(n, dtype=torch.float64) * scale + offset).to(dtype).reshape(shape)
    return x, {"scale": scale, "offset": offset}


def tensor_rows():
    torch.manual_seed(0)
    t, inf, nan = torch.tensor, math.inf, math.nan
    rows = []

    def add(x, **options):
        rows.append(tensor_row(x, options))

    for values in ([0.0], [-0.0, 1.0], [1.0, 2.0, 3.0], [1.5, 2.25], [1e-5, 1.0], [1e-4, 0.05], [1e-3, 1.0], [1e-3, 1.1],
                   [1e8, 1.0], [1e8, 1.5e8], [1.1e8], [123456.0, 789.0], [inf], [-inf, 0.0], [nan], [nan, 1.0],
                   [inf, -inf, nan], [0.0, nan, -inf], [1.5, nan, inf], [1e10, inf, nan], [100.0, 1e6], [0.0, 0.0],
                   [1000.0, 1.0], [1001.0, 1.0], [0.125, 2.5], [0.5, 1.5, 2.5, 3.5], [-1.0, 10.0], [3e38, 1e-38],
                   [1e-45], [16777216.0], [0.1, 0.2, 0.3]):
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            add(t(values, dtype=dtype))
        add(t(values), precision=0)
        add(t(values), precision=2, sci_mode=True)
        add(t(values), precision=6, sci_mode=False)
        add(t(values[0]))
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        add(t([[1, 2, 3], [40, 5, 100]], dtype=dtype))
        add(t(7, dtype=dtype))
        add(torch.empty(0, dtype=dtype))
    add(t([2**53 + 1, -(2**63), 2**63 - 1, 0]))
    add(t(2**62 + 1))
    add(t([-1, 10, -100]))
    add(t(True))
    add(t([True, False]))
    add(t([[True], [True]]))
    for shape in ([0], [0, 3], [3, 0], [2, 0, 4], [0, 0]):
        for dtype in (torch.float32, torch.float64, torch.int64, torch.bool):
            add(torch.empty(shape, dtype=dtype))
        add(torch.empty(shape, requires_grad=True))
    for shape in ([], [1], [1, 1], [1, 1, 1], [2, 3], [2, 3, 4], [2, 1, 2, 2], [1, 2, 1, 2, 2], [3, 30], [30], [7, 13]):
        add(torch.randn(shape))
        add(torch.randn(shape) * 1e5)
        add(torch.randint(-50, 5000, shape))
        add(torch.rand(shape) > 0.5)
        add(torch.randn(shape), linewidth=40)
        add(torch.randn(shape, dtype=torch.float64), precision=10)
        add(torch.randn(shape), edgeitems=0)
        add(torch.randn(shape), threshold=5)
        add(torch.randn(shape), threshold=5, edgeitems=1)
        add(torch.randn(shape), threshold=0, edgeitems=0)
    add(torch.arange(100.0), profile="short")
    add(torch.randn(40, 5), profile="short", threshold=10)
    add(torch.arange(1001), profile="full")
    for n in range(1, 30):  # where suffixes break the line
        add(torch.ones(n, dtype=torch.float64, requires_grad=True))
        add(torch.ones(n, dtype=torch.float64, requires_grad=True) * 2)
    add(torch.ones(2, 3, requires_grad=True) + 1)
    add(t(1.0, requires_grad=True).exp())
    add(torch.ones(3, requires_grad=True).double())
    add(torch.nn.Parameter(torch.randn(2, 2)))
    add(torch.nn.Parameter(torch.randn(3), requires_grad=False))
    add(torch.nn.Parameter(torch.empty(0)))
    for shape, dtype, scale, offset in (
        ([1000], torch.float32, 1.0, 0.0), ([1001], torch.float32, 1.0, 0.0), ([10000000], torch.float32, 0.5, 0.0),
        ([100, 100], torch.float32, 0.25, -3.0), ([100, 100], torch.int64, 1, 0), ([10, 10, 11], torch.float32, 0.125, 0.0),
        ([2, 2, 2, 200], torch.int32, 1, 0), ([1, 1001], torch.float32, 1.0, 0.5), ([1001, 1], torch.float64, 1.0, 0.5),
        ([6, 300], torch.float32, 2.0, 0.0), ([7, 300], torch.float32, 2.0, 0.0), ([3, 7, 8, 9], torch.float32, 0.5, 0.0),
        ([2000], torch.bool, 1, 0), ([4, 1000000], torch.float64, 0.0078125, -1.0),
    ):
        for options in ({}, {"edgeitems": 1}, {"linewidth": 30}, {"edgeitems": 0}):
            x, rule = ruled(shape, dtype, scale, offset)
            rows.append(tensor_row(x, options, rule))
    torch.set_default_dtype(torch.float64)
    for dtype in (torch.float32, torch.float64, torch.int64):
        add(torch.ones(2, dtype=dtype))
        add(torch.empty(0, dtype=dtype))
    torch.set_default_dtype(torch.float32)
    return rows


def main():
    fixture = {"floats": pyformat_rows(), "strings": string_rows(), "tensors": tensor_rows()}
    OUT.write_text(json.dumps(fixture, indent=None, separators=(",", ":"), ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
