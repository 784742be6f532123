#!/usr/bin/env python3
"""Records test/fixtures/autograd/module_hooks.json for test/nn/hooks.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_module_hooks.py
"""
import json
import pathlib
import warnings

import torch
from torch import nn
from torch.nn.modules import module as common

NAME = "module_hooks"
OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / f"{NAME}.json"


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0]))

    def forward(self, x, factor=1.0, fail=False):
        if fail:
            raise RuntimeError("forward failed")
        return x * self.weight * factor


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def values(tensors):
    return [None if t is None else t.tolist() for t in tensors]


def order():
    n, net = [], Scale()
    note = lambda what: lambda *a: n.append(what)
    handles = [
        common.register_module_forward_pre_hook(note("global pre")),
        common.register_module_forward_hook(note("global forward")),
        common.register_module_full_backward_pre_hook(note("global backward pre")),
        common.register_module_full_backward_hook(note("global backward")),
    ]
    net.register_forward_pre_hook(note("pre 1"))
    net.register_forward_pre_hook(note("pre 2"))
    net.register_forward_pre_hook(note("pre 0"), prepend=True)
    net.register_forward_hook(note("forward 1"))
    net.register_forward_hook(note("forward 0"), prepend=True)
    net.register_full_backward_pre_hook(note("backward pre 1"))
    net.register_full_backward_pre_hook(note("backward pre 0"), prepend=True)
    net.register_full_backward_hook(note("backward 1"))
    net.register_full_backward_hook(note("backward 0"), prepend=True)
    net(leaf(2.0)).sum().backward()
    for h in handles:
        h.remove()
    n.append("without global hooks")
    net(leaf(2.0)).sum().backward()
    return n


def global_hooks_see_every_module():
    n = []
    with common.register_module_forward_hook(lambda m, a, o: n.append(type(m).__name__)):
        nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))(torch.ones(1, 2))
    nn.ReLU()(torch.ones(1))
    return n


def global_hooks_replace():
    x, net = leaf(2.0), Scale()
    handles = [
        common.register_module_forward_pre_hook(lambda m, a: (a[0] * 2,)),
        common.register_module_forward_hook(lambda m, a, o: o + 1),
        common.register_module_full_backward_pre_hook(lambda m, go: (go[0] * 5,)),
        common.register_module_full_backward_hook(lambda m, gi, go: (gi[0] * 7,)),
    ]
    y = net(x)
    y.sum().backward()
    for h in handles:
        h.remove()
    return y.tolist(), x.grad.tolist(), net.weight.grad.tolist()


def keywords():
    n, net = [], Scale()
    net.register_forward_pre_hook(lambda m, a: n.append(["pre", values(a)]))
    net.register_forward_pre_hook(
        lambda m, a, k: n.append(["pre kw", values(a), dict(k)]) or ((a[0] + 1,), {"factor": k["factor"] * 10}),
        with_kwargs=True,
    )
    net.register_forward_hook(lambda m, a, o: n.append(["post", values(a), o.tolist()]))
    net.register_forward_hook(
        lambda m, a, k, o: n.append(["post kw", values(a), dict(k), o.tolist()]) or o * 2, with_kwargs=True
    )
    return net(torch.tensor([1.0]), factor=2.0).tolist(), n


def keywords_none_given():
    n, net = [], Scale()
    net.register_forward_pre_hook(lambda m, a, k: n.append(k), with_kwargs=True)
    net(torch.tensor([1.0]))
    return n


def keywords_wrong_result():
    net = Scale()
    net.register_forward_pre_hook(lambda m, a, k: 5, with_kwargs=True)
    net(torch.tensor([1.0]))


def single_value_becomes_arguments():
    net = Scale()
    net.register_forward_pre_hook(lambda m, a: torch.tensor([10.0]))
    return net(torch.tensor([1.0])).tolist()


def always_called():
    n, net = [], Scale()
    net.register_forward_hook(lambda m, a, o: n.append(["plain", o]))
    net.register_forward_hook(lambda m, a, o: n.append(["always", o]), always_call=True)
    net.register_forward_hook(
        lambda m, a, k, o: n.append(["always kw", dict(k), o]), always_call=True, with_kwargs=True
    )
    handle = common.register_module_forward_hook(lambda m, a, o: n.append(["global", o]), always_call=True)
    try:
        net(torch.tensor([1.0]), fail=True)
    except RuntimeError as e:
        n.append(str(e))
    handle.remove()
    return n


def always_called_once():
    n, net = [], Scale()
    net.register_forward_hook(lambda m, a, o: n.append("always"), always_call=True)

    def fails(m, a, o):
        raise RuntimeError("hook failed")

    net.register_forward_hook(fails)
    net.register_forward_hook(lambda m, a, o: n.append("after"), always_call=True)
    try:
        net(torch.tensor([1.0]))
    except RuntimeError as e:
        n.append(str(e))
    return n


def removed_after_forward():
    n, net = [], Scale()
    handle = net.register_full_backward_hook(lambda m, gi, go: n.append("ran"))
    y = net(leaf(2.0))
    handle.remove()
    y.sum().backward()
    net(leaf(2.0)).sum().backward()
    return n


def backward_hook_wrong_number():
    net = Scale()
    net.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    net(leaf(2.0)).sum().backward()


def backward_hook_wrong_size():
    def my_hook(m, gi, go):
        return (torch.ones(3),)

    net = Scale()
    net.register_full_backward_hook(my_hook)
    net(leaf(2.0)).sum().backward()


def backward_hook_without_inputs_that_need_it():
    net = Scale()
    net.register_full_backward_hook(lambda m, gi, go: (torch.ones(1),))
    net(torch.tensor([2.0])).sum().backward()


def state_dicts():
    n, net = [], nn.Sequential(Scale())
    net.register_state_dict_pre_hook(lambda m, prefix, keep: n.append(["save pre", prefix, keep]))
    net[0].register_state_dict_pre_hook(lambda m, prefix, keep: n.append(["save pre", prefix, keep]))
    net.register_state_dict_post_hook(lambda m, d, prefix, meta: n.append(["save post", list(d), prefix, meta]))
    net[0].register_state_dict_post_hook(lambda m, d, prefix, meta: d.update({prefix + "more": torch.ones(1)}))
    d = net.state_dict()
    net[0].register_load_state_dict_pre_hook(
        lambda m, d, prefix, meta, strict, missing, unexpected, errors: n.append(
            ["load pre", prefix, dict(meta), strict, d.pop(prefix + "more", None) is not None, missing, unexpected, errors]
        )
    )
    net[0].register_load_state_dict_post_hook(lambda m, keys: n.append(["load post", list(keys.missing_keys)]))
    n.append(str(net.load_state_dict(d)))
    return n


def state_dict_post_hook_returns():
    net = Scale()
    net.register_state_dict_post_hook(lambda *a: {})
    try:
        net.state_dict()
    except Exception as e:
        raise RuntimeError(e) from e


CASES = [
    order, global_hooks_see_every_module, global_hooks_replace, keywords, keywords_none_given, keywords_wrong_result,
    single_value_becomes_arguments, always_called, always_called_once, removed_after_forward,
    backward_hook_wrong_number, backward_hook_wrong_size, backward_hook_without_inputs_that_need_it, state_dicts,
    state_dict_post_hook_returns,
]  # fmt: skip

warnings.simplefilter("ignore")
recorded = {}
for case in CASES:
    try:
        recorded[case.__name__] = {"value": case()}
    except Exception as error:  # what PyTorch raises is what is recorded
        recorded[case.__name__] = {"type": type(error).__name__, "message": str(error)}
OUT.write_text(json.dumps(recorded, indent=1) + "\n")
