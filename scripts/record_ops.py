#!/usr/bin/env python3
"""Records test/fixtures/ops/FAMILY.json: what PyTorch answers to the operator table's calls.

Run with a Python that has torch, from anywhere, after `npm ci`:  python scripts/record_ops.py [FAMILY ...]
"""
import json
import math
import pathlib
import subprocess
import sys
import warnings

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "test" / "fixtures" / "ops"
DIGITS = {torch.float64: 17, torch.float32: 9, torch.float16: 6, torch.bfloat16: 5}


def number(value, digits):
    """JSON has no nan and inf, and needs no more digits than the dtype holds."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
    return int(value)


def make_tensor(spec, grad):
    dtype = getattr(torch, spec["dtype"])
    values = [float(v) if isinstance(v, str) else v for v in spec["data"]]
    wide = torch.float64 if dtype.is_floating_point or dtype is torch.bool else torch.int64
    x = torch.tensor(values, dtype=wide).to(dtype).reshape(spec["shape"])
    return x.requires_grad_(grad and spec["grad"])


def decode(arg, grad, tensors):
    if isinstance(arg, list):
        return [decode(item, grad, tensors) for item in arg]
    if arg == "...":
        return Ellipsis
    if not isinstance(arg, dict):
        return arg
    if arg["$"] == "dtype":
        return getattr(torch, arg["name"])
    if arg["$"] == "number":
        return float(arg["text"])
    if arg["$"] == "slice":
        return slice(*arg["parts"])
    tensors.append(make_tensor(arg, grad))
    return tensors[-1]


def encode_tensor(x, with_values):
    record = {"d": str(x.dtype).removeprefix("torch."), "s": list(x.shape)}
    if with_values:
        digits = DIGITS.get(x.dtype, 17)
        record["v"] = [number(v, digits) for v in x.detach().reshape(-1).tolist()]
    return record


def encode(result, with_values):
    if isinstance(result, torch.Tensor):
        return encode_tensor(result, with_values)
    if isinstance(result, (list, tuple)) and result and isinstance(result[0], torch.Tensor):
        return [encode_tensor(x, with_values) for x in result]
    if isinstance(result, float):
        return {"x": number(result, 17)}
    return {"x": result}


def resolve(name, python):
    if python is not None:
        return eval(python, {"torch": torch, "F": F})
    if name.endswith("_"):
        return lambda x, *args, **kwargs: getattr(x.clone(), name)(*args, **kwargs)
    if hasattr(torch, name):
        return getattr(torch, name)
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


def run(function, call, grad=False):
    tensors = []
    args = [decode(arg, grad, tensors) for arg in call["args"]]
    kwargs = {key: decode(arg, grad, tensors) for key, arg in call["kwargs"].items()}
    torch.manual_seed(0)
    return function(*args, **kwargs), tensors


def gradients(function, call):
    """d sum(out * c) / d input for a fixed c per output, which test/ops/driver.ts repeats (None where there is none), and
    the names of the graph nodes behind the outputs."""
    out, tensors = run(function, call, grad=True)
    outs = [x for x in (out if isinstance(out, (list, tuple)) else [out]) if isinstance(x, torch.Tensor) and x.requires_grad]
    if not outs:
        return None, []
    nodes = [x.grad_fn and x.grad_fn.name() for x in outs]
    total = sum((x * ((torch.arange(x.numel()) % 7 + 1) / 8).reshape(x.shape).to(x.dtype)).sum() for x in outs)
    try:
        grads = torch.autograd.grad(total, [x for x in tensors if x.requires_grad], allow_unused=True)
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return "not implemented", nodes
    found = iter(grads)
    encoded = []
    for x in tensors:
        g = next(found) if x.requires_grad else None
        encoded.append(None if g is None else [number(v, 17) for v in g.reshape(-1).tolist()])
    return encoded, nodes


def in_place(name, call):
    """What `x.name_(...)` does: whether it counts as a write, or its refusal. None where `x` is not in front."""
    first = call["args"][0] if call["args"] else None
    if not (isinstance(first, dict) and first["$"] == "tensor" and hasattr(torch.Tensor, name + "_")):
        return None
    copies = []

    def function(x, *args, **kwargs):
        copies.append(x.clone())
        return getattr(copies[0], name + "_")(*args, **kwargs)

    try:
        result, _ = run(function, call)
    except (RuntimeError, IndexError, ValueError) as error:
        return {"message": str(error)}
    except TypeError:  # this overload has no in-place form
        return None
    return {"s": list(result.shape), "writes": result._version > 0}


def record_row(name, row):
    function = resolve(name, row["python"])
    answers = []
    for case in row["cases"]:
        try:
            result, _ = run(function, case["call"])
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            answers.append({"unsupported": str(error).split("\n")[0]})
            continue
        answer = {"out": encode(result, not row["undefined_values"])}
        written = in_place(name, case["call"])
        if written is not None:
            answer["in_place"] = written
        if case["dtype"] == "float64" or len({c["dtype"] for c in row["cases"] if c["sample"] == case["sample"]}) == 1:
            answer["grads"], answer["nodes"] = gradients(function, case["call"])
        answers.append(answer)
    if not any("out" in answer for answer in answers):
        raise SystemExit(f"{name}: PyTorch answers none of the calls: {answers[0]}")
    errors = []
    for call in row["errors"]:
        try:
            result, _ = run(function, call)
        except Exception as error:  # whatever PyTorch throws is the answer
            errors.append({"type": type(error).__name__, "message": str(error)})
        else:
            raise SystemExit(f"{name}: PyTorch accepts the bad call {call}: {result}")
    forms = {
        "function": (hasattr(torch, name) or hasattr(F, name)) and not name.endswith("_") and not (row["python"] or "").startswith("lambda x"),
        "method": callable(getattr(torch.Tensor, name, None)),
        "in_place": any("in_place" in answer for answer in answers),
    }
    return {"hash": row["hash"], "forms": forms, "answers": answers, "errors": errors}


def main():
    warnings.simplefilter("ignore")
    exported = subprocess.run(["npx", "tsx", "scripts/export_op_rows.ts"], cwd=ROOT, check=True, capture_output=True)
    table = json.loads(exported.stdout)
    OUT.mkdir(parents=True, exist_ok=True)
    for family in sys.argv[1:] or table:
        rows = {name: record_row(name, row) for name, row in table[family].items()}
        text = ",\n".join(f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}" for name, row in rows.items())
        (OUT / f"{family}.json").write_text("{\n" + text + "\n}\n")
        print(family, len(rows))


if __name__ == "__main__":
    main()
