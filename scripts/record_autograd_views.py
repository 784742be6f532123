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

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "views.json"
KINDS = {TypeError: "TypeError", IndexError: "RangeError"}
RANDOM_PROGRAMS = 150
# What is not worth a word; test/autograd/replay.ts has the same.
USUAL = {
    "requires_grad": False, "is_leaf": True, "version": 0, "grad_fn": "-", "output_nr": 0, "offset": 0,
    "dtype": "float64", "inference": False, "base": None,
}


def failure(error):
    return f"{KINDS.get(type(error), 'Error')}: {error}"


def number(v):
    if isinstance(v, float):
        if math.isnan(v):
            return "nan"
        if math.isinf(v):
            return "inf" if v > 0 else "-inf"
        return float(f"{v:.7g}")
    return v


def flat(t):
    return [number(v) for v in t.detach().reshape(-1).tolist()]


def weighted(t):
    """A scalar in which every element counts differently."""
    weights = torch.arange(1, t.numel() + 1, dtype=t.dtype).reshape(t.shape)
    return (t * weights).sum()


def graph(fn, depth):
    """The names of a node and those behind it."""
    if fn is None:
        return "-"
    name = fn.name().replace("torch::autograd::", "")
    if depth == 0:
        return name
    behind = ",".join(graph(f, depth - 1) + (f":{nr}" if nr else "") for f, nr in fn.next_functions)
    return f"{name}({behind})"


class Program:
    def __init__(self):
        self.tensors, self.steps, self.hooks = [], [], []

    def decode(self, a):
        if isinstance(a, dict):
            if "t" in a:
                return self.tensors[a["t"]]
            if "slice" in a:
                return slice(*a["slice"])
            if "const" in a:
                return torch.tensor(a["const"], dtype=getattr(torch, a.get("dtype", "float64")))
            return Ellipsis if "ellipsis" in a else None
        return [self.decode(x) for x in a] if isinstance(a, list) else a

    def run(self, step):
        op, args = step["op"], [self.decode(x) for x in step.get("a", [])]
        if op == "new":
            dtype, values, shape, requires_grad = args
            return torch.tensor(values, dtype=getattr(torch, dtype)).reshape(shape).clone().requires_grad_(requires_grad)
        t = self.tensors[step["i"]]
        if op == "index":
            return t[tuple(args[0])]
        if op == "index_put_":
            t[tuple(args[0])] = args[1]
        elif op in ("data", "T", "mT", "H", "mH"):
            return getattr(t, op)
        elif op == "hook":
            at, factor = len(self.steps), args[0]

            def hook(g):
                self.hooks.append([at, flat(g)])
                return g * factor

            t.register_hook(hook)
        elif op == "assign_requires_grad":
            t.requires_grad = args[0]
        elif op == "backward":
            weighted(t).backward()
        else:
            return getattr(t, op)(*args)
        return None

    def do(self, op, i=None, *args, mode=None):
        step = {"op": op}
        if i is not None:
            step["i"] = i
        if args:
            step["a"] = list(args)
        if mode:
            step["mode"] = mode
        for t in self.tensors:  # PyTorch's checks look at what was known when somebody last asked
            try:
                t.grad_fn  # noqa: B018
            except RuntimeError:
                pass
        scope = {"no_grad": torch.no_grad, "inference": torch.inference_mode, None: torch.enable_grad}[mode]
        result = None
        try:
            with scope():
                result = self.run(step)
        except Exception as error:  # whatever PyTorch throws is the answer
            step["throws"] = failure(error)
        made = list(result) if isinstance(result, (tuple, list)) else [] if result is None else [result]
        made = [m for m in made if not any(m is t for t in self.tensors)]
        if made:
            step["makes"] = len(made)
        self.tensors += made
        self.steps.append(step)
        return len(self.tensors) - 1

    def leaf(self, shape, requires_grad=True, dtype="float64"):
        n = math.prod(shape)
        return self.do("new", None, dtype, [(k * 7 % 11 + 1) / 4 for k in range(n)], list(shape), requires_grad)

    def look(self, t):
        seen = {}

        def see(name, what):
            try:
                seen[name] = what()
            except Exception as error:
                seen[name] = failure(error)

        see("requires_grad", lambda: t.requires_grad)
        see("is_leaf", lambda: t.is_leaf)
        see("version", lambda: t._version)
        see("grad_fn", lambda: graph(t.grad_fn, 5))
        see("output_nr", lambda: t.output_nr)
        see("shape", lambda: list(t.shape))
        # The layout of fresh results is not what this is about.
        if t._is_view():
            see("stride", lambda: [0 if n == 1 or t.numel() == 0 else s for n, s in zip(t.shape, t.stride())])
        see("offset", lambda: t.storage_offset())
        see("dtype", lambda: str(t.dtype)[6:])
        see("inference", lambda: t.is_inference())
        see("values", lambda: flat(t))
        see("base", lambda: next((i for i, u in enumerate(self.tensors) if u is t._base), -1) if t._is_view() else None)
        return {k: v for k, v in seen.items() if k not in USUAL or v != USUAL[k]}

    def recorded(self, roots=None):
        """The program with everything that can be seen after it, and after the backward pass from `roots`."""
        out = {"steps": self.steps, "seen": [self.look(t) for t in self.tensors]}
        if roots is None:
            roots = [i for i, t in enumerate(self.tensors) if t.is_floating_point() and t.requires_grad]
        if roots:
            back = {"roots": roots}
            try:
                loss = sum(weighted(self.tensors[i]).to(torch.float64) for i in roots)
                loss.backward()
                back["grads"] = [None if t.grad is None else flat(t.grad) for t in self.tensors]
            except Exception as error:
                back["throws"] = failure(error)
            back["hooks"] = self.hooks
            out["backward"] = back
        return out


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


# ---- by rule ----
def rules():
    def rule(f):
        p = Program()
        f(p)
        found.append((f.__name__, p.recorded()))

    found = []

    @rule
    def requires_grad_of_views(p):
        x = p.leaf([3], False)
        v = p.do("index", x, [{"slice": [0, 2]}])
        p.do("requires_grad_", v, True)
        p.do("add_", v, 1)
        p.do("add_", x, 1)
        p.do("requires_grad_", x, True)

    @rule
    def a_base_that_asks_late(p):
        x = p.leaf([3], False)
        v = p.do("index", x, [{"slice": [0, 2]}])
        p.do("requires_grad_", x, True)
        p.do("add_", v, 1)
        p.do("mul", v, 2)

    @rule
    def requires_grad_refused(p):
        x = p.leaf([3])
        y = p.do("mul", x, 2)
        for value in (True, False):
            p.do("requires_grad_", y, value)
            p.do("assign_requires_grad", y, value)
        i = p.leaf([2], False, "int64")
        p.do("requires_grad_", i, True)
        p.do("requires_grad_", i, False)
        p.do("assign_requires_grad", i, True)

    @rule
    def requires_grad_withdrawn_before_backward(p):
        x = p.leaf([3])
        p.do("mul", x, 2)
        p.do("requires_grad_", x, False)

    @rule
    def detach_in_place(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        v = p.do("select", y, 0, 0)
        p.do("detach_", v)
        p.do("detach_", y)
        c = p.leaf([2], False)
        p.do("view", c, -1)
        p.do("detach_", len(p.tensors) - 1)

    @rule
    def detach_shares_memory_and_version(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        d = p.do("detach", y)
        p.do("add_", d, 1)
        e = p.do("data", y)
        p.do("add_", e, 1)
        p.do("select", d, 0, 0)
        p.do("mul_", len(p.tensors) - 1, {"t": x})

    @rule
    def writing_through_detach_is_noticed(p):
        x = p.leaf([3])
        y = p.do("exp", x)
        p.do("mul", y, {"t": y})
        d = p.do("detach", y)
        p.do("zero_", d)

    @rule
    def writing_through_data_is_not(p):
        x = p.leaf([3])
        y = p.do("exp", x)
        p.do("mul", y, {"t": y})
        d = p.do("data", y)
        p.do("zero_", d)

    @rule
    def leaves_without_gradients(p):
        x = p.leaf([3])
        p.do("add_", x, 1)
        p.do("add_", x, 1, mode="no_grad")
        p.do("zero_", x, mode="no_grad")
        p.do("fill_", x, 2, mode="inference")

    @rule
    def fill_and_copy(p):
        x = p.leaf([])
        y = p.leaf([2, 2], False)
        v = p.do("select", y, 0, 0)
        p.do("fill_", v, {"t": x})
        w = p.do("select", y, 0, 1)
        p.do("copy_", w, {"t": x})
        p.do("masked_fill_", y, {"const": [[True, False], [False, True]], "dtype": "bool"}, {"t": x})
        p.do("masked_fill_", w, {"const": [True, False], "dtype": "bool"}, 5.0)

    @rule
    def the_overwritten_part_gets_zero(p):
        x = p.leaf([4])
        y = p.do("mul", x, 2)
        p.do("index_put_", y, [{"slice": [1, 3]}], 0)

    @rule
    def saved_output_written_again(p):
        x = p.leaf([3])
        y = p.do("mul", x, 2)
        p.do("sigmoid_", y)
        p.do("add_", y, 1)

    @rule
    def saved_input_written(p):
        x = p.leaf([3])
        y = p.do("mul", x, 2)
        p.do("mul", y, {"t": y})
        p.do("add_", y, 1)

    @rule
    def saved_view_written_through_its_base(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        v = p.do("select", y, 0, 0)
        p.do("mul", v, {"t": v})
        w = p.do("select", y, 0, 1)
        p.do("add_", w, 1)

    @rule
    def hooks_stay_and_retained_gradients_move(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        p.do("hook", y, 2.0)
        p.do("retain_grad", y)
        v = p.do("select", y, 0, 0)
        p.do("retain_grad", v)
        p.do("hook", v, 3.0)
        p.do("mul_", v, 3)
        p.do("hook", y, 1.0)

    @rule
    def retained_gradient_of_a_view_whose_base_is_written(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        v = p.do("select", y, 0, 0)
        p.do("retain_grad", v)
        p.do("mul_", y, 3)

    @rule
    def a_constant_that_becomes_part_of_the_graph(p):
        x = p.leaf([2])
        y = p.leaf([2, 2], False)
        p.do("retain_grad", y)
        p.do("index_put_", y, [0], {"t": x})
        p.do("retain_grad", y)

    @rule
    def steps_of_a_recurrence(p):
        w = p.leaf([2])
        out = p.leaf([4, 2], False)
        h = w
        for t in range(4):
            h = p.do("tanh", h)
            h = p.do("mul", h, {"t": w})
            p.do("index_put_", out, [t], {"t": h})

    @rule
    def reading_back_what_was_written(p):
        w = p.leaf([2])
        out = p.leaf([3, 2], False)
        for t in range(2):
            before = p.do("index", out, [t])
            after = p.do("add", before, {"t": w})
            p.do("index_put_", out, [t + 1], {"t": after})

    @rule
    def reading_a_saved_slice_of_what_is_written(p):
        w = p.leaf([2])
        out = p.leaf([3, 2], False)
        for t in range(2):
            before = p.do("index", out, [t])
            after = p.do("mul", before, {"t": w})
            p.do("index_put_", out, [t + 1], {"t": after})

    @rule
    def inference_tensors(p):
        x = p.leaf([2, 2])
        i = p.do("new", None, "float64", [1, 2, 3, 4], [2, 2], False, mode="inference")
        v = p.do("select", i, 0, 0)
        for t in (i, v):
            p.do("mul_", t, 1)  # PyTorch may have written before it refuses
            p.do("add_", t, 1, mode="inference")
        p.do("requires_grad_", i)
        p.do("mul", i, {"t": x})
        p.do("add", i, {"t": x})
        p.do("mul", i, 2)

    @rule
    def normal_tensors_in_inference_mode(p):
        x = p.leaf([2, 2], False)
        v = p.do("select", x, 0, 0, mode="inference")
        p.do("add_", v, 1, mode="inference")
        p.do("add_", x, 1, mode="inference")
        p.do("add_", v, 1)
        w = p.leaf([2])
        p.do("mul_", v, {"t": w})
        p.do("select", v, 0, 0)

    @rule
    def overlapping_operands(p):
        x = p.leaf([6], False)
        head = p.do("index", x, [{"slice": [None, -1]}])
        tail = p.do("index", x, [{"slice": [1, None]}])
        one = p.do("index", x, [0])
        index = {"const": [0], "dtype": "int64"}
        for op in ("add_", "sub_", "mul_", "div_", "pow_", "copy_", "fmod_", "maximum"):
            p.do(op, tail, {"t": head})
        for op in ("add_", "fill_", "div_"):
            p.do(op, x, {"t": one})
        p.do("lerp_", tail, {"t": head}, 0.5)
        p.do("addcmul_", tail, {"t": head}, {"t": head})
        p.do("clamp_", tail, {"t": head})
        first = p.do("index", x, [{"slice": [0, 1]}])
        p.do("index_add_", x, 0, index, {"t": first})
        p.do("index_copy_", x, 0, index, {"t": first})
        p.do("scatter_", x, 0, index, {"t": tail})
        p.do("index_put_", x, [index], {"t": one})
        p.do("copy_", x, {"t": x})
        evens = p.do("index", x, [{"slice": [None, None, 2]}])
        odds = p.do("index", x, [{"slice": [1, None, 2]}])
        p.do("add_", evens, {"t": odds})
        square = p.leaf([2, 2], False)
        turned = p.do("t", square)
        p.do("add_", square, {"t": turned})
        p.do("copy_", square, {"t": turned})
        p.do("addmm_", square, {"t": square}, {"t": turned})

    @rule
    def expanded_tensors(p):
        x = p.leaf([2, 1], False)
        e = p.do("expand", x, 2, 2)
        for op, *args in (["add_", 1], ["mul_", 2], ["relu_"], ["clamp_", 0], ["cumsum_", 0], ["normal_"], ["uniform_"],
                          ["copy_", {"const": 1.0}], ["lerp_", {"const": 1.0}, 0.5]):
            p.do(op, e, *args)
        p.do("zero_", e)
        p.do("fill_", e, 2)
        p.do("index_put_", e, [0, 0], 3)

    @rule
    def dtypes_and_shapes(p):
        x = p.leaf([2], False)
        i = p.leaf([2], False, "int64")
        three = {"const": [[1.0, 1.0]] * 3}
        for op in ("add_", "copy_", "mul_", "clamp_", "pow_"):
            p.do(op, x, three)
        p.do("add_", x, {"const": [1.0] * 3})
        p.do("copy_", x, {"const": [1.0] * 3})
        p.do("masked_fill_", x, {"const": [[True, True]] * 3, "dtype": "bool"}, 1)
        p.do("masked_fill_", x, {"const": [1.0, 1.0]}, 1)
        p.do("fill_", x, {"const": [1.0, 1.0]})
        for op, arg in (("add_", 1.5), ("div_", 2), ("mul_", {"const": [0.5, 0.5]}), ("pow_", -1)):
            p.do(op, i, arg)
        p.do("sqrt_", i)
        p.do("copy_", i, {"const": [1.7, 2.2]})
        b = p.leaf([2], False, "bool")
        p.do("add_", b, 1)

    @rule
    def assignments(p):
        x = p.leaf([3])
        for index in ([0], [{"slice": [None, None]}], [{"slice": [0, 1]}], [{"ellipsis": 1}], [{"none": 1}], [True],
                      [False], [0, 0], [{"const": [0], "dtype": "int64"}]):
            y = p.leaf([2, 3], False)
            p.do("index_put_", y, index, {"t": x})
            p.do("index_put_", y, index, {"const": [[[1.0, 2.0, 3.0]]]})
            p.do("index_put_", y, index, 4.0)
            p.do("index_put_", y, index, {"const": [1.0, 2.0]})
            p.do("index_put_", y, index, {"const": [[1.0, 2.0, 3.0]] * 2})

    @rule
    def shapes_changed_in_place(p):
        x = p.leaf([1, 2])
        for op, *args in (["unsqueeze_", 0], ["squeeze_"], ["squeeze_", 0], ["t_"], ["transpose_", 0, 1],
                          ["swapaxes_", 0, 1], ["as_strided_", [2], [1]]):
            y = p.do("mul", x, 2)
            p.do(op, y, *args)
            p.do("mul_", y, 2)
        p.do("t_", x)

    @rule
    def resizing(p):
        x = p.leaf([2, 3], False)
        v = p.do("view", x, -1)
        for size in ([2, 2], [2, 2], [4, 3]):
            p.do("resize_", x, size)
            p.do("narrow", x, 0, 0, 1)
        p.do("index_put_", x, [{"slice": [2, None]}], 0)  # what was there is anybody's guess
        p.do("resize_", v, [2])
        p.do("resize_as_", v, {"t": v})
        p.do("resize_as_", v, {"const": [[1.0], [2.0]]})
        turned = p.do("t", x)
        p.do("resize_", turned, list(p.tensors[turned].shape))
        w = p.leaf([3])
        p.do("resize_", w, [2])
        p.do("resize_", w, [2], mode="no_grad")
        y = p.do("mul", w, 2)
        p.do("resize_", y, [2])
        p.do("resize_as_", y, {"t": x})

    @rule
    def other_memory(p):
        x = p.leaf([2])
        y = p.leaf([2, 2], False)
        z = p.leaf([3], False)
        p.do("set_", z, {"t": y})
        p.do("add_", z, 1)
        p.do("set_", z, {"t": y}, 1, [2], [2])
        p.do("set_", z, {"t": y}, -1, [2], [2])
        p.do("set_", z, {"const": [1, 2], "dtype": "int64"})
        p.do("set_", x, {"t": y})
        p.do("set_", x, {"t": y}, mode="no_grad")
        p.do("set_", z)

    @rule
    def other_memory_has_no_derivative(p):
        x = p.leaf([2])
        y = p.do("mul", x, 2)
        p.do("set_", y, {"const": [1.0, 2.0, 3.0]})

    return found


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
