"""Programs of views and in-place writes: steps on numbered tensors, with what PyTorch makes of each. See record_autograd_views.py."""
import math

import torch

KINDS = {TypeError: "TypeError", IndexError: "RangeError"}
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
