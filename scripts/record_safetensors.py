"""Records what Python's safetensors writes, and which files it refuses, into test/fixtures/safetensors.json."""

import base64
import json
import os
import struct
import tempfile

import torch
from safetensors.torch import load_file, save_file

FIXTURE = os.path.join(os.path.dirname(__file__), "..", "test", "fixtures", "safetensors.json")
DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def written(tensors, metadata=None):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        save_file(tensors, path, metadata)
        with open(path, "rb") as file:
            return base64.b64encode(file.read()).decode()


def refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        with open(path, "wb") as file:
            file.write(content)
        try:
            load_file(path)
        except Exception as error:
            return {"file": base64.b64encode(content).decode(), "message": str(error)}
    raise AssertionError(f"loaded {content!r}")


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


values = [[0, 1, 2], [3, -4, 100.5]]
mixed = {f"t_{name}": torch.tensor(values).abs().to(getattr(torch, name)) for name in DTYPES}
mixed |= {"scalar": torch.tensor(1.5), "empty": torch.zeros(0, 3), "10": torch.ones(1), "2": torch.ones(2)}
good = file_of(entry(), b"12345678")
fixture = {
    "mixed": written(mixed, {"format": "pt"}),
    "none": written({}),
    "refused": {
        "empty file": refused(b""),
        "three bytes": refused(b"abc"),
        "header larger than allowed": refused(struct.pack("<Q", 1 << 40) + b"x" * 10),
        "header cut short": refused(good[:20]),
        "data cut short": refused(good[:-1]),
        "data too long": refused(good + b"1"),
        "size and shape disagree": refused(file_of(entry(shape=(3,)), b"12345678")),
        "a gap before the data": refused(file_of(entry(offsets=(4, 12)), b"123456789012")),
        "offsets the wrong way round": refused(file_of(entry(offsets=(8, 0)), b"12345678")),
        "a size beyond all bounds": refused(file_of(entry(shape=(1 << 40, 1 << 40)), b"12345678")),
        "not JSON": refused(file_of(b"not JSON")),
        "not UTF-8": refused(file_of(b"\xff\xfe")),
        "unknown dtype": refused(file_of(entry(dtype="Q32"), b"12345678")),
        "no offsets": refused(file_of({"a": {"dtype": "F32", "shape": [2]}})),
    },
}
with open(FIXTURE, "w") as file:
    json.dump(fixture, file, indent=1)
    file.write("\n")
