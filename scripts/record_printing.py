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


def main():
    fixture = {"floats": pyformat_rows(), "strings": string_rows()}
    OUT.write_text(json.dumps(fixture, indent=None, separators=(",", ":"), ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
