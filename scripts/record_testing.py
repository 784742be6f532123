#!/usr/bin/env python3
"""Records test/fixtures/testing.json: PyTorch's reports and values for test/testing/*.test.ts.

Run with a Python that has torch:  python scripts/record_testing.py
"""
import json
import math
import pathlib

import torch
from torch.testing import assert_close, make_tensor

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "testing.json"

t = torch.tensor
f64 = torch.float64
i64 = torch.int64


def report(*args, **kwargs):
    try:
        assert_close(*args, **kwargs)
    except Exception as error:  # whatever PyTorch throws is the answer
        return {"type": type(error).__name__, "message": str(error)}
    return None


nan, inf = math.nan, math.inf
REPORTS = {
    "equal": report(t([1.0, 2.0]), t([1.0, 2.0])),
    "one_element": report(t([1.0, 2.0, 3.0, 4.0]), t([1.0, 2.5, 3.0, 4.0])),
    "two_dimensions": report(t([[1.0, 2.0], [3.0, 4.0]]), t([[1.0, 2.0], [3.5, 4.25]])),
    "three_dimensions": report(torch.zeros(2, 3, 4), torch.arange(24.0).reshape(2, 3, 4)),
    "small": report(t([1e-3, 1e-8]), t([1.1e-3, 2e-8])),
    "within": report(t([1.0, 2.0]), t([1.0, 2.000001])),
    "float64": report(t([1.0, 2.0], dtype=f64), t([1.0, 2.000001], dtype=f64)),
    "float16": report(t([1.0, 2.0], dtype=torch.float16), t([1.0, 2.01], dtype=torch.float16)),
    "bfloat16": report(t([1.0, 2.0], dtype=torch.bfloat16), t([1.0, 2.1], dtype=torch.bfloat16)),
    "integers": report(t([1, 2, 3]), t([1, 5, 3])),
    "integers_allowed": report(t([1, 2, 3]), t([1, 5, 3]), rtol=0, atol=3),
    "uint8": report(t([0, 255], dtype=torch.uint8), t([255, 255], dtype=torch.uint8)),
    "bool": report(t([True, False]), t([True, True])),
    "zero_expected": report(t([1.0, 0.0]), t([0.0, 0.0])),
    "nan": report(t([1.0, nan]), t([1.0, nan])),
    "equal_nan": report(t([1.0, nan]), t([1.0, nan]), equal_nan=True),
    "infinite": report(t([inf, -inf]), t([inf, inf])),
    "tolerances": report(t([1.0, 2.0]), t([1.0, 2.5]), rtol=0.1, atol=0.01),
    "exact": report(t([1.0, 2.0]), t([1.0, 2.0000002]), rtol=0, atol=0),
    "one_tolerance": report(t([1.0]), t([1.0]), rtol=0.1),
    "other_tolerance": report(t([1.0]), t([1.0]), atol=0.1),
    "shape": report(t([1.0, 2.0]), t([1.0])),
    "dtype": report(t([1.0]), t([1.0], dtype=f64)),
    "dtype_unchecked": report(t([1.0, 2.0]), t([1.0, 2.5], dtype=f64), check_dtype=False),
    "dtype_unchecked_integer": report(t([1, 2]), t([1.0, 2.5]), check_dtype=False),
    "stride": report(torch.ones(2, 3), torch.ones(3, 2).t(), check_stride=True),
    "stride_unchecked": report(torch.ones(2, 3), torch.ones(3, 2).t()),
    "empty": report(torch.ones(0), torch.ones(0)),
    "zero_dim": report(t(1.0), t(2.0)),
    "zero_dim_small": report(t(0.1), t(0.2)),
    "zero_dim_integer": report(t(1), t(3)),
    "zero_dim_bool": report(t(True), t(False)),
    "zero_dim_nan": report(t(nan), t(nan)),
    "zero_dim_zero": report(t(1.0), t(0.0)),
    "numbers": report(1.25, 1.5),
    "numbers_close": report(0.1 + 0.2, 0.3),
    "numbers_exact": report(1.25, 1.5, rtol=0, atol=0),
    "numbers_nan": report(nan, nan),
    "numbers_equal_nan": report(nan, nan, equal_nan=True),
    "numbers_infinite": report(inf, 1.5),
    "ints": report(3, 4),
    "ints_allowed": report(3, 4, rtol=0, atol=1),
    "ints_zero": report(3, 0),
    "big_ints": report(2**60, 2**60 + 1),
    "booleans": report(True, False),
    "booleans_equal": report(True, True),
    "none": report(None, None),
    "none_number": report(None, 1),
    "number_none": report(1.5, None),
    "message": report(t([1.0]), t([2.0]), msg="Argh, the tensors are not close!"),
    "message_function": report(t([1.0]), t([2.0]), msg=lambda msg: f"Header\n\n{msg}\n\nFooter"),
    "sequence": report([t([1.0]), t([2.0])], [t([1.0]), t([3.0])]),
    "sequence_length": report([1, 2], [1]),
    "nested_length": report({"a": [1, 2]}, {"a": [1]}, msg="not used"),
    "mapping": report({"b": 1.5, "a": t([1.0])}, {"a": t([1.0]), "b": 2.5}),
    "mapping_keys": report({"a": 1, "c": 2, "d": 3}, {"a": 1, "b": 2}),
    "nested": report({"w": [1, {"x": t([[1.0, 2.0]])}]}, {"w": [1, {"x": t([[1.0, 3.0]])}]}),
    "nested_message_function": report([1.5], [2.5], msg=lambda msg: f"<{msg}>"),
    "parameter": report(torch.nn.Parameter(t([1.0])), t([1.0])),
    "parameter_strict": report(torch.nn.Parameter(t([1.0])), t([1.0]), allow_subclasses=False),
    "unlike": report(t([1.0]), [1.0]),
    "strings": report("a", "b"),
    "string_tensor": report(t([1.0]), "a"),
    "requires_grad": report(t([1.0], requires_grad=True), t([2.0])),
}


def made(*shape, **kwargs):
    torch.manual_seed(1)
    try:
        x = make_tensor(*shape, device="cpu", **kwargs)
    except Exception as error:
        return {"type": type(error).__name__, "message": str(error)}
    values = x.detach().double().reshape(-1).tolist()
    return {"values": values, "shape": list(x.shape), "stride": list(x.stride()), "offset": x.storage_offset(),
            "requires_grad": x.requires_grad}


MADE = {
    "float32": made(2, 3, dtype=torch.float32),
    "float64": made((2, 3), dtype=f64),
    "float16": made(4, dtype=torch.float16),
    "bfloat16": made(4, dtype=torch.bfloat16),
    "int64": made(5, dtype=i64),
    "int8": made(5, dtype=torch.int8),
    "uint8": made(5, dtype=torch.uint8),
    "bool": made(5, dtype=torch.bool),
    "zero_dim": made((), dtype=f64),
    "range": made(5, dtype=f64, low=-1, high=1),
    "integer_range": made(5, dtype=i64, low=2.5, high=4.5),
    "wide": made(3, dtype=torch.float32, low=-3e38, high=3e38),
    "clamped": made(3, dtype=torch.uint8, low=-300, high=300),
    "requires_grad": made(2, dtype=f64, requires_grad=True),
    "noncontiguous": made(2, 3, dtype=f64, noncontiguous=True),
    "noncontiguous_single": made(1, dtype=f64, noncontiguous=True),
    "exclude_zero": made(20, dtype=i64, low=-1, high=2, exclude_zero=True),
    "exclude_zero_bool": made(5, dtype=torch.bool, exclude_zero=True),
    "channels_last": made(1, 2, 2, 2, dtype=f64, memory_format=torch.channels_last),
    "nan_low": made(2, dtype=f64, low=nan, high=1),
    "low_above_high": made(2, dtype=f64, low=2, high=1),
    "equal_integers": made(2, dtype=i64, low=2, high=2),
    "beyond_int8": made(2, dtype=torch.int8, low=200, high=300),
    "beyond_bool": made(2, dtype=torch.bool, low=2, high=3),
    "beyond_int64": made(2, dtype=i64, low=1e19, high=2e19),
    "beyond_float16": made(2, dtype=torch.float16, low=10**6, high=2 * 10**6),
    "beyond_float32": made(2, dtype=torch.float32, low=1e39, high=2e39),
    "integer_gradient": made(2, dtype=i64, requires_grad=True),
    "both_layouts": made(1, 1, 2, 2, dtype=f64, noncontiguous=True, memory_format=torch.channels_last),
}


def main():
    OUT.write_text(json.dumps({"reports": REPORTS, "made": MADE}, indent=1) + "\n")


if __name__ == "__main__":
    main()
