#!/usr/bin/env python3
"""Records test/fixtures/autograd/views.json: programs of views and in-place writes, and what PyTorch makes of them.

A program is a list of steps on numbered tensors; test/autograd/replay.ts runs it again and compares everything that
can be seen. Some programs are written here, by view operator; the others are drawn at random.

Run with a Python that has torch:  python scripts/record_autograd_views.py
"""
import json
import math
import os
import pathlib
import random
import warnings

import torch

from view_program import Program
from view_rules import rules

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "views.json"
RANDOM_PROGRAMS = 150


# ---- by operator: (name, shape of the input, arguments) ----
VIEWS = [
    ("view", [2, 3], [3, 2]), ("view", [6], [-1]), ("view_as", [6], [{"const": [[0, 0, 0], [0, 0, 0]]}]),
    ("reshape", [2, 3], [[3, 2]]), ("reshape_as", [6], [{"const": [[0, 0, 0], [0, 0, 0]]}]),
    ("flatten", [2, 3], []), ("ravel", [2, 3], []), ("unflatten", [6], [0, [2, 3]]), ("contiguous", [2, 2], []),
    ("squeeze", [1, 3], []), ("squeeze", [1, 3], [0]), ("squeeze", [1, 3, 1], [[0, 2]]), ("unsqueeze", [3], [0]),
    ("transpose", [2, 3], [0, 1]), ("swapaxes", [2, 3], [0, 1]), ("swapdims", [2, 3], [0, 1]),
    ("permute", [1, 2, 3], [[2, 0, 1]]), ("movedim", [1, 2, 3], [0, 2]), ("moveaxis", [1, 2, 3], [0, 2]),
    ("movedim", [1, 2, 3], [[0, 1], [1, 2]]), ("t", [2, 3], []), ("adjoint", [2, 3], []),
    ("T", [2, 3], []), ("mT", [2, 3], []), ("H", [2, 3], []), ("mH", [2, 3], []),
    ("expand", [1, 2], [2, 2]), ("expand_as", [2], [{"const": [[0, 0], [0, 0]]}]), ("broadcast_to", [2], [[2, 2]]),
    ("select", [2, 3], [1, 2]), ("narrow", [4], [0, 1, 2]), ("diagonal", [3, 3], [1]), ("unfold", [4], [0, 2, 2]),
    ("index", [2, 3], [[1]]), ("index", [4], [[{"slice": [1, None, 2]}]]), ("index", [2, 3], [[{"ellipsis": 1}, 0]]),
    ("index", [3], [[{"none": 1}]]), ("index", [2, 3], [[{"slice": [None, None]}]]), ("index", [2, 3], [[0, 1]]),
    ("as_strided", [2, 3], [[2, 2], [3, 1], 1]), ("split", [3], [2]), ("split", [3], [[1, 2]]),
    ("split_with_sizes", [3], [[1, 2]]), ("chunk", [3], [2]), ("unbind", [2, 2], []), ("tensor_split", [3], [2]),
    ("tensor_split", [3], [[1]]), ("hsplit", [2, 2], [2]), ("vsplit", [2, 2], [2]), ("dsplit", [1, 1, 2], [2]),
    ("detach", [3], []), ("data", [3], []),
]


def write_view(p, v, x):
    p.do("mul_", v, 3)


def write_base(p, v, x):
    p.do("mul_", x, 3)


def write_both(p, v, x):
    p.do("mul_", v, 2)
    p.do("mul_", x, 3)
    p.do("add_", v, 1)


def write_through_a_view_of_the_view(p, v, x):
    p.do("unsqueeze", v, 0)
    w = p.do("index", len(p.tensors) - 1, [0])
    p.do("sin_", w)
    p.do("mul", v, 2)


def write_without_gradients(p, v, x):
    p.do("mul_", v, 3, mode="no_grad")


def overwrite(p, v, x):
    p.do("zero_", v)


WRITES = [write_view, write_base, write_both, write_through_a_view_of_the_view, write_without_gradients, overwrite]


def view_programs():
    for op, shape, args in VIEWS:
        name = f"{op}({json.dumps(args)[1:-1]})"
        for write in WRITES:
            if write is overwrite and op in ("expand", "expand_as", "broadcast_to"):
                continue  # PyTorch's backward pass refuses what its forward pass allowed
            p = Program()
            p.leaf(shape)
            x = p.do("mul", 0, 2)
            p.do(op, x, *args)
            write(p, 2 if len(p.tensors) > 2 else x, x)
            yield f"{name}: {write.__name__}", p.recorded()
        # A base that needs no gradient, until one comes in through the view.
        p = Program()
        p.leaf([])
        x = p.leaf(shape, False)
        p.do(op, x, *args)
        p.do("mul_", min(2, len(p.tensors) - 1), {"t": 0})
        yield f"{name}: a gradient comes in through the view", p.recorded()
        # A leaf's views, and views made without gradients.
        for mode in (None, "no_grad", "inference"):
            p = Program()
            p.leaf(shape)
            p.do(op, 0, *args, mode=mode)
            v = min(1, len(p.tensors) - 1)
            p.do("mul_", v, 2)
            p.do("mul_", v, 2, mode="no_grad")
            yield f"{name}: of a leaf, {mode or 'recorded'}", p.recorded()


# ---- at random ----
class RandomProgram(Program):
    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)

    def any(self):
        return self.random.randrange(len(self.tensors))

    def draw_leaf(self):
        r = self.random
        shape = r.choice([[2, 3], [3, 2], [2, 2], [4], [3], [2, 3, 2], [1, 3], [2, 1], [], [6], [3, 3], [4, 4]])
        dtype = r.choice(["float64"] * 8 + ["float32", "int64"])
        low = 4 if dtype == "int64" else 1
        values = [r.randrange(low, 13, low) / 4 for _ in range(math.prod(shape))]
        self.do("new", None, dtype, values, shape, dtype != "int64" and r.random() < 0.5)

    def draw_view(self):
        r, i = self.random, self.any()
        t = self.tensors[i]
        n, m, size = t.dim(), t.numel(), list(t.shape)
        d = r.randrange(-n, n) if n else 0
        c = [("unsqueeze", r.randrange(-n - 1, n + 1)), ("squeeze",), ("flatten",), ("reshape_as", {"t": i}),
             ("expand_as", {"t": i}), ("detach",), ("data",), ("expand", [2] + size), ("expand", [-1] * n),
             ("contiguous",), ("ravel",), ("broadcast_to", [2] + size),
             ("view_as", {"t": r.choice([j for j, u in enumerate(self.tensors) if u.numel() == m])})]
        if n:
            k = size[d]
            c += [("narrow", d, 0, max(k - 1, 0)), ("narrow", d, k // 2, k - k // 2), ("unbind", d), ("chunk", 2, d),
                  ("split", max(1, k // 2), d), ("tensor_split", 2, d), ("movedim", r.randrange(n), r.randrange(n)),
                  ("transpose", r.randrange(-n, n), r.randrange(-n, n)), ("squeeze", d), ("swapaxes", 0, -1),
                  ("permute", r.sample(range(n), n)), ("index", [{"none": 1}])]
            c += [("index", [{"slice": [r.choice([None, 0, 1]), r.choice([None, 1, 2]), r.choice([None, 1, 2])]}])] * 2
            if k:
                c += [("select", d, r.randrange(k))] * 3
            if k > 1:
                c += [("unfold", d, 2, 2), ("split", [1, k - 1], d)]
            if size[0]:
                c += [("index", [r.randrange(size[0])])]
            if size[-1]:
                c += [("index", [{"ellipsis": 1}, 0])]
            if size[0] and size[0] % 2 == 0:
                c += [("unflatten", 0, [2, -1])]
        if n >= 2:
            c += [("diagonal", r.choice([0, 0, 1, -1]))] * 2 + [("mT",), ("flatten", 0, 1), ("adjoint",)]
        if n == 2:
            c += [("t",), ("T",)]
        if m:
            c += [("view", -1), ("reshape", [-1])]
        if m and m % 2 == 0:
            c += [("view", 2, m // 2), ("reshape", [2, -1])]
        if m >= 2:
            c += [("as_strided", [2], [1]), ("as_strided", [m // 2], [2])]
        if m == 4:
            c += [("as_strided", [2, 2], [1, 2])]
        op, *args = r.choice(c)
        self.do(op, i, *args, mode=self.mode())

    def operand(self, t):
        r = self.random
        if r.random() < 0.35:
            return r.choice([2, 3, 0.5, -1, 1.5])
        fitting = [j for j, u in enumerate(self.tensors) if u is not t and self.fits(u, t)]
        if fitting and r.random() < 0.9:
            return {"t": r.choice(fitting)}
        return {"t": self.any()} if r.random() < 0.3 else 2.5

    @staticmethod
    def fits(u, t):
        try:
            return torch.broadcast_shapes(u.shape, t.shape) == t.shape
        except RuntimeError:
            return False

    def draw_write(self):
        r, i = self.random, self.any()
        t = self.tensors[i]
        n, m, o = t.dim(), t.numel(), self.operand(t)
        first = {"const": [0], "dtype": "int64"}
        c = [("add_", o), ("mul_", o), ("sub_", o), ("div_", o), ("add_", o), ("mul_", o), ("zero_",), ("exp_",),
             ("sin_",), ("neg_",), ("tanh_",), ("sigmoid_",), ("relu_",), ("clamp_", 1, 2), ("sqrt_",), ("abs_",),
             ("square_",), ("pow_", 2), ("cos_",), ("reciprocal_",), ("floor_",), ("sign_",),
             ("fill_", r.choice([1, 2.5]))]
        if isinstance(o, dict):
            c += [("lerp_", o, 0.25), ("addcmul_", o, {"const": 2.0})] + [("copy_", o)] * 4
        if n and t.shape[0]:
            c += [("index_put_", [r.randrange(t.shape[0])], o)] * 4 + [("index_put_", [first], o)] * 2
            c += [("index_put_", [{"slice": [r.choice([0, 1]), None]}], o)] * 4
            c += [("cumsum_", 0), ("index_fill_", 0, first, 2.0)]
        if n >= 2:
            c += [("index_put_", [{"ellipsis": 1}, 0], o)]
        numbers = [j for j, u in enumerate(self.tensors) if u.dim() == 0]
        if numbers:
            c += [("fill_", {"t": r.choice(numbers)})] * 3
        mask = [bool(r.randrange(2)) for _ in range(m)] if n == 1 else True
        c += [("masked_fill_", {"const": mask, "dtype": "bool"}, 3.0)] * 2
        op, *args = r.choice(c)
        self.do(op, i, *args, mode=self.mode())

    def draw_operator(self):
        r, i = self.random, self.any()
        t = self.tensors[i]
        o = self.operand(t)
        c = [("mul", o)] * 4 + [("add", o)] * 3 + [("sub", o), ("pow", 2)]
        c += [(op,) for op in ("exp", "sin", "sum", "clone", "tanh", "sigmoid", "relu", "mean", "square", "neg", "abs")]
        if t.dim():
            c += [("cumsum", 0), ("sum", 0), ("softmax", 0), ("flip", [0]), ("logsumexp", 0)]
        op, *args = r.choice(c)
        self.do(op, i, *args, mode=r.choice([None] * 8 + ["no_grad"]))

    def draw_property(self):
        r, i = self.random, self.any()
        t = self.tensors[i]
        c = [("requires_grad_", True), ("requires_grad_", False), ("assign_requires_grad", r.random() < 0.7),
             ("retain_grad",), ("retain_grad",), ("detach_",)]
        if not t._is_view():
            c += [("unsqueeze_", 0), ("squeeze_",), ("hook", r.choice([1.0, 2.0]))]
        if r.random() < 0.2:
            # To no more elements than there are: others would be whatever the memory holds.
            c = [("resize_", [r.randrange(1, t.numel() + 1) if t.numel() else 0])]
            c += [("resize_as_", {"t": j}) for j, u in enumerate(self.tensors) if u.numel() <= t.numel()]
        op, *args = r.choice(c)
        self.do(op, i, *args)

    def mode(self):
        return self.random.choice(["no_grad", "no_grad", "inference"]) if self.random.random() < 0.12 else None

    def draw(self):
        r = self.random
        for _ in range(r.randint(1, 3)):
            self.draw_leaf()
        for _ in range(r.randint(4, 14)):
            u = r.random()
            if len(self.tensors) > 24:
                break
            if u < 0.05:
                self.draw_leaf()
            elif u < 0.38:
                self.draw_view()
            elif u < 0.72:
                self.draw_write()
            elif u < 0.9:
                self.draw_operator()
            else:
                self.draw_property()
        roots = [i for i, t in enumerate(self.tensors) if t.is_floating_point() and t.requires_grad]
        return self.recorded(r.sample(roots, min(len(roots), r.randint(1, 4))))


def random_program(seed):
    """In a process of its own: PyTorch crashes on some."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as out:
            out.write(json.dumps(RandomProgram(seed).draw()))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if status == 0 and text else None


def record(seeds):
    return {f"random {seed}": p for seed in seeds if (p := random_program(seed))}


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    programs = dict(view_programs()) | dict(rules()) | record(range(RANDOM_PROGRAMS))
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(p, separators=(',', ':'))}" for name, p in programs.items())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
