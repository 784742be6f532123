#!/usr/bin/env python3
"""Records test/fixtures/autograd/hooks.json for test/autograd/hooks.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_hooks.py
"""
import json
import pathlib

import torch
from torch.autograd.graph import register_multi_grad_hook

NAME = "hooks"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def values(tensors):
    return [None if t is None else t.tolist() for t in tensors]


def order():
    x, n = leaf(2.0), []
    y = x * 2
    node = y.grad_fn
    node.register_hook(lambda a, b: n.append("post1"))
    node.register_prehook(lambda b: n.append("pre1"))
    y.register_hook(lambda g: n.append("tensor1"))
    y.retain_grad()
    y.register_hook(lambda g: n.append("tensor2"))
    node.register_prehook(lambda b: n.append("pre2"))
    node.register_hook(lambda a, b: n.append("post2"))
    x.register_hook(lambda g: n.append("leaf1"))
    x.register_post_accumulate_grad_hook(lambda t: n.append("accumulated1"))
    x.register_hook(lambda g: n.append("leaf2"))
    x.register_post_accumulate_grad_hook(lambda t: n.append("accumulated2"))
    sink = node.next_functions[0][0]
    sink.register_hook(lambda a, b: n.append(["sink post", values(a), values(b)]))
    sink.register_prehook(lambda b: n.append("sink pre"))
    y.backward()
    return n


def retained_is_what_hooks_made():
    x = leaf(2.0)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 10)
    (y * 3).sum().backward()
    return y.grad.tolist(), x.grad.tolist()


def retained_accumulates():
    x = leaf(2.0)
    y = x * 2
    y.retain_grad()
    z = (y * 3).sum()
    z.backward(retain_graph=True)
    first = y.grad
    z.backward()
    return first.tolist(), y.grad.tolist(), y.grad is first


def in_place_after_hooks():
    x, n = leaf(2.0), []
    y = x * 2
    y.retain_grad()
    handle = y.register_hook(lambda g: n.append(g.item()))
    y.mul_(5)
    y.register_hook(lambda g: n.append(["new", g.item()]))
    z = (y * 3).sum()
    z.backward(retain_graph=True)
    handle.remove()
    z.backward()
    return n, y.grad.tolist(), x.grad.tolist()


def replaced_by_each():
    x, n = leaf(1.0, 2.0), []
    x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: n.append(g.tolist()))
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: n.append(g.tolist()))
    (x * 3).sum().backward()
    return n, x.grad.tolist()


def nothing_arrives():
    x, n = leaf(2.0), []

    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return None

    class Pass(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            n.append(["backward", g.tolist()])
            return g

    y = x * 2
    y.register_hook(lambda g: n.append(["tensor", g]))
    y.grad_fn.register_hook(lambda a, b: n.append(["post", values(a), values(b)]))
    y.grad_fn.register_prehook(lambda b: n.append(["pre", values(b)]))
    x.register_hook(lambda g: n.append(["leaf", None if g is None else g.tolist()]))
    x.register_post_accumulate_grad_hook(lambda t: n.append("accumulated"))
    Stop.apply(y).backward()
    first = x.grad
    Stop.apply(Pass.apply(x)).backward()
    return n, first, x.grad.tolist()


def with_captures():
    def grads(also_x, node_hook):
        x = leaf(2.0)
        y = x * 2
        if node_hook:
            y.grad_fn.register_prehook(lambda gs: (gs[0] * 10,))
        else:
            y.register_hook(lambda g: g * 10)
        return values(torch.autograd.grad((y * 3).sum(), [y, x] if also_x else [y]))

    return [grads(also_x, node_hook) for also_x in (False, True) for node_hook in (False, True)]


def leaf_hooks_and_grad():
    x, n = leaf(2.0), []
    x.register_hook(lambda g: n.append("hook") or g * 2)
    x.register_post_accumulate_grad_hook(lambda t: n.append("accumulated"))
    (g,) = torch.autograd.grad((x * 3).sum(), [x])
    (x * 3).sum().backward(inputs=[x])
    return g.tolist(), x.grad.tolist(), n


def node_hooks_replace():
    x, w = leaf(2.0, 3.0), leaf(1.0, 2.0)
    y = x * w
    y.grad_fn.register_prehook(lambda g: (g[0] * 7,))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 2, None))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] + 1, gi[1]))
    y.sum().backward()
    return x.grad.tolist(), w.grad


def remove_while_running():
    x, n = leaf(2.0), []
    handles = []
    handles.append(x.register_hook(lambda g: (n.append("first"), handles[0].remove()) and None))
    handles.append(x.register_hook(lambda g: n.append("second")))
    (x * 1).backward()
    (x * 1).backward()
    handles[1].remove()
    handles[1].remove()
    (x * 1).backward()
    return n


def several_outputs():
    x, n = leaf(3.0, 1.0, 2.0), []
    v, i = x.sort()
    a, b = (x * 2).split([1, 2])
    b.register_hook(lambda g: n.append(["b", None if g is None else g.tolist()]))
    a.register_hook(lambda g: g * 5)
    v.register_hook(lambda g: g * torch.tensor([1.0, 10.0, 100.0]))
    (v.sum() + a.sum()).backward()
    return n, x.grad.tolist()


def multi_grad_all():
    x, w, n = leaf(2.0), leaf(3.0), []
    a, b = x * w, x * 2
    unused = leaf(1.0) * 1
    handle = register_multi_grad_hook((x, w, a, unused, b), lambda gs: n.append([g is not None for g in gs]))
    a.sum().backward(retain_graph=True)
    a.sum().backward(inputs=(x,), retain_graph=True)
    torch.autograd.grad((a + b).sum(), [a, b], retain_graph=True)
    handle.remove()
    a.sum().backward()
    return n


def multi_grad_any():
    x, w, n = leaf(2.0), leaf(3.0), []
    a = x * w
    b = a * 2
    handle = register_multi_grad_hook((x, a, b), lambda g: n.append(g.item()), mode="any")
    b.backward(retain_graph=True)
    a.backward(retain_graph=True)
    handle.remove()
    b.backward()
    return n


def multi_grad_mode():
    register_multi_grad_hook((leaf(1.0),), print, mode="some")


def grad_mode_in_hooks():
    x, n = leaf(2.0), []
    y = x * x
    y.register_hook(lambda g: n.append(torch.is_grad_enabled()))
    y.grad_fn.register_hook(lambda a, b: n.append(torch.is_grad_enabled()))
    y.backward(create_graph=True)
    z = x * x
    z.register_hook(lambda g: n.append(torch.is_grad_enabled()))
    z.backward()
    return n


def hook_result(result, on_leaf=False):
    def my_hook(g):
        return result

    x = leaf(2.0, 3.0)
    y = x * 2
    (x if on_leaf else y).register_hook(my_hook)
    y.sum().backward()


def node_result(result, pre=False):
    def my_hook(*a):
        return result

    y = leaf(2.0, 3.0) * leaf(1.0, 2.0)
    (y.grad_fn.register_prehook if pre else y.grad_fn.register_hook)(my_hook)
    y.sum().backward()


def result_for_nothing():
    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return None

    y = leaf(2.0) * 2
    y.register_hook(lambda g: torch.ones(1))
    Stop.apply(y).backward()


def accumulated_hook_returns():
    x = leaf(2.0)
    x.register_post_accumulate_grad_hook(lambda t: 5)
    (x * 2).backward()


CASES = {f.__name__: f for f in [
    order, retained_is_what_hooks_made, retained_accumulates, in_place_after_hooks, replaced_by_each, nothing_arrives,
    with_captures, leaf_hooks_and_grad, node_hooks_replace, remove_while_running, several_outputs, multi_grad_all,
    multi_grad_any, multi_grad_mode, grad_mode_in_hooks, result_for_nothing, accumulated_hook_returns,
]}  # fmt: skip
CASES |= {
    "wrong_size": lambda: hook_result(torch.ones(3)),
    "wrong_size_broadcastable": lambda: hook_result(torch.ones(1)),
    "wrong_dtype": lambda: hook_result(torch.ones(2, dtype=torch.float64)),
    "wrong_kind_of_dtype": lambda: hook_result(torch.ones(2, dtype=torch.int64)),
    "no_tensor": lambda: hook_result(5),
    "no_tensor_but_list": lambda: hook_result([torch.ones(2)]),
    "wrong_size_on_leaf": lambda: hook_result(torch.ones(3), on_leaf=True),
    "node_single": lambda: node_result(torch.ones(2)),
    "node_int": lambda: node_result(5),
    "node_too_few": lambda: node_result((torch.ones(2),)),
    "node_too_many": lambda: node_result((torch.ones(2),) * 3),
    "node_wrong_size": lambda: node_result((torch.ones(3), torch.ones(2))),
    "node_wrong_dtype": lambda: node_result((torch.ones(2).double(), torch.ones(2))),
    "node_no_tensor": lambda: node_result((5, torch.ones(2))),
    "node_pre_single": lambda: node_result(torch.ones(2), pre=True),
    "node_pre_too_many": lambda: node_result((torch.ones(2),) * 2, pre=True),
    "node_pre_wrong_size": lambda: node_result((torch.ones(3),), pre=True),
    "on_constant": lambda: torch.ones(1).register_hook(lambda g: None),
    "accumulated_on_constant": lambda: torch.ones(1).register_post_accumulate_grad_hook(lambda t: None),
    "accumulated_on_non_leaf": lambda: (leaf(2.0) * 2).register_post_accumulate_grad_hook(lambda t: None),
}

recorded = {}
for name, case in CASES.items():
    try:
        recorded[name] = {"value": case()}
    except Exception as error:  # what PyTorch raises is what is recorded
        recorded[name] = {"type": type(error).__name__, "message": str(error)}
OUT.write_text(json.dumps(recorded, indent=1) + "\n")
