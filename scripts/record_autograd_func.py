#!/usr/bin/env python3
"""Records test/fixtures/autograd/func.json: PyTorch's answers for test/autograd/func.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_func.py
"""
import json
import pathlib
import warnings

import torch
import torch.nn.functional as F
from torch.func import (functional_call, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize,
                        stack_module_state, vjp, vmap)

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "func.json"
warnings.simplefilter("ignore")


def x():
    return torch.tensor([1.5, -0.25, 2.0])


def w():
    return torch.tensor([1.0, 2.0, 3.0], requires_grad=True)


def linear():
    m = torch.nn.Linear(2, 2)
    with torch.no_grad():
        m.weight.copy_(torch.tensor([[0.5, -1.0], [2.0, 0.25]]))
        m.bias.copy_(torch.tensor([0.125, -0.5]))
    return m


# ---- refusals ----
refused_by = {
    "grad_of_a_vector": lambda: grad(lambda a: a * 2)(x()),
    "grad_of_a_number": lambda: grad(lambda a: 1)(x()),
    "grad_of_a_pair": lambda: grad(lambda a: (a.sum(), a))(x()),
    "grad_without_aux": lambda: grad(lambda a: a.sum(), has_aux=True)(x()),
    "grad_with_three": lambda: grad(lambda a: (a.sum(), 1, 2), has_aux=True)(x()),
    "grad_aux_of_a_number": lambda: grad(lambda a: (a.sum(), {"p": a, "q": 3}), has_aux=True)(x()),
    "argnums_out_of_range": lambda: grad(lambda a: a.sum(), argnums=1)(x()),
    "argnums_repeated": lambda: grad(lambda a, b: a.sum(), argnums=(0, 0))(x(), x()),
    "argnums_empty": lambda: grad(lambda a, b: a.sum(), argnums=())(x(), x()),
    "argnums_string": lambda: grad(lambda a, b: a.sum(), argnums="a")(x(), x()),
    "argnums_of_a_string": lambda: grad(lambda a, b: a.sum(), argnums=(0, "a"))(x(), x()),
    "grad_by_a_number": lambda: grad(lambda a: a)(1.5),
    "grad_by_integers": lambda: grad(lambda a: a.sum())(torch.ones(2, dtype=torch.long)),
    "grad_without_arguments": lambda: grad(lambda: torch.tensor(1.0))(),
    "requires_grad_inside": lambda: grad(lambda a: a.requires_grad_())(x().sum()),
    "vjp_of_a_number": lambda: vjp(lambda a: 1, x()),
    "vjp_structure": lambda: vjp(lambda a: (a * 2, a), x())[1](x()),
    "vjp_structure_of_one": lambda: vjp(lambda a: a * 2, x())[1]((x(), x())),
    "vjp_shape": lambda: vjp(lambda a: a * 2, x())[1](torch.ones(2)),
    "vjp_with_a_number": lambda: vjp(lambda a: a * 2, x())[1](1.5),
    "vjp_without_aux": lambda: vjp(lambda a: a * 2, x(), has_aux=True),
    "vjp_by_a_number": lambda: vjp(lambda a: a, 1.5),
    "vjp_of_integers": lambda: vjp(lambda a: (a * 2).long(), x()),
    "jvp_primals": lambda: jvp(lambda a: a * 2, x(), x()),
    "jvp_structure": lambda: jvp(lambda a: a * 2, (x(),), (x(), x())),
    "jvp_shape": lambda: jvp(lambda a: a * 2, (x(),), (torch.ones(2),)),
    "jvp_of_a_number": lambda: jvp(lambda a: 1, (x(),), (x(),)),
    "jvp_without_primals": lambda: jvp(lambda: x(), (), ()),
    "jvp_of_a_number_in": lambda: jvp(lambda a: a, (1.5,), (x(),)),
    "jvp_with_a_number": lambda: jvp(lambda a: a, (x(),), (1.5,)),
    "jvp_without_aux": lambda: jvp(lambda a: a, (x(),), (x(),), has_aux=True),
    "jvp_strict": lambda: jvp(lambda a: torch.ones(2), (x(),), (x(),), strict=True),
    "jacrev_of_a_number": lambda: jacrev(lambda a: 1)(x()),
    "jacrev_of_integers": lambda: jacrev(lambda a: a.long())(x()),
    "jacrev_by_integers": lambda: jacrev(lambda a: a * 2)(torch.ones(2, dtype=torch.long)),
    "jacrev_chunk_size": lambda: jacrev(lambda a: a, chunk_size=0),
    "jacrev_without_aux": lambda: jacrev(lambda a: a * 2, has_aux=True)(x()),
    "jacfwd_of_a_number": lambda: jacfwd(lambda a: 1)(x()),
    "jacfwd_without_aux": lambda: jacfwd(lambda a: a * 2, has_aux=True)(x()),
    "jacfwd_randomness": lambda: jacfwd(lambda a: a, randomness="foo")(x()),
    "linearize_arguments": lambda: linearize(lambda a: a**3, x())[1](x(), x()),
    "linearize_shape": lambda: linearize(lambda a: a**3, x())[1](torch.ones(2)),
    "linearize_dtype": lambda: linearize(lambda a: a**3, x())[1](x().double()),
    "call_repeated": lambda: functional_call(linear(), ({"weight": torch.eye(2)}, {"weight": torch.eye(2)}), x()[:2]),
    "call_unknown": lambda: functional_call(linear(), {"foo": torch.eye(2)}, x()[:2], strict=True),
    "call_missing": lambda: functional_call(linear(), {"weight": torch.eye(2)}, x()[:2], strict=True),
    "call_with_a_number": lambda: functional_call(linear(), 1, x()[:2]),
    "call_with_numbers": lambda: functional_call(linear(), (1,), x()[:2]),
    "call_tied": lambda: functional_call(tied(), {"0.weight": torch.eye(2), "1.weight": torch.ones(2, 2)}, x()[:2]),
    "stack_none": lambda: stack_module_state([]),
    "stack_classes": lambda: stack_module_state([linear(), torch.nn.ReLU()]),
    "stack_modes": lambda: stack_module_state([linear(), linear().eval()]),
    "stack_requires_grad": lambda: stack_module_state([linear(), linear().requires_grad_(False)]),
}


def tied():
    m = torch.nn.Sequential(linear(), linear())
    m[1].weight = m[0].weight
    return m


def f3(a):
    return (a**3).sum() + (a[0] * a[1]).sin()


def pair(a, b):
    return {"p": a * b, "q": [(a.sum() * b).exp()]}


def net(p, a):
    return torch.tanh(a @ p["w1"].T + p["b1"]) @ p["w2"]


def net_params():
    return {
        "w1": torch.tensor([[0.5, -0.25], [1.0, 0.75], [-0.5, 0.125]]),
        "b1": torch.tensor([0.1, -0.2, 0.3]),
        "w2": torch.tensor([1.0, -2.0, 0.5]),
    }


def data():
    return torch.tensor([[1.0, 2.0], [-0.5, 0.25], [0.75, -1.0], [0.1, 0.2]]), torch.tensor([1.0, 0.0, -1.0, 0.5])


def net_loss(p, a, t):
    return (net(p, a) - t) ** 2


def conv_loss(weight, image):
    return F.max_pool2d(torch.relu(F.conv2d(image[None], weight, padding=1)), 2).square().mean()


def conv_data():
    weight = torch.arange(18.0).reshape(2, 1, 3, 3).sin()
    images = torch.arange(48.0).reshape(3, 1, 4, 4).cos()
    return weight, images


def attention(q, k):
    return F.scaled_dot_product_attention(q, k, k).square().sum()


values_of = {
    "grad": lambda: grad(f3)(x()),
    "grad twice": lambda: grad(lambda a: grad(f3)(a).square().sum())(x()),
    "grad three times": lambda: grad(lambda a: grad(lambda b: grad(f3)(b).square().sum())(a).sum())(x()),
    "grad by the second": lambda: grad(lambda a, b: (a * b**2).sum(), argnums=1)(x(), x() + 1),
    "grad by the last": lambda: grad(lambda a, b: (a * b**2).sum(), argnums=-1)(x(), x() + 1),
    "grad by both": lambda: grad(lambda a, b: (a * b**2).sum(), argnums=(1, 0))(x(), x() + 1),
    "grad of a dictionary": lambda: grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": x(), "b": [x() * 2]}),
    "grad and value": lambda: grad_and_value(f3)(x()),
    "grad and value and aux": lambda: grad_and_value(lambda a: (f3(a), {"y": a * 2}), has_aux=True)(x()),
    "grad and aux": lambda: grad(lambda a: (f3(a), (a * 2, a)), has_aux=True)(x()),
    "independent": lambda: grad(lambda a: torch.tensor(2.0))(x()),
    "detached": lambda: grad(lambda a: (a.detach() * a).sum())(x()),
    "item": lambda: grad(lambda a: a.sum() * a.sum().item())(x()),
    "vjp": lambda: vjp(lambda a: a.sin(), x())[1](x()),
    "vjp of a dictionary": lambda: vjp(pair, x(), x() + 1)[1]({"p": x(), "q": [torch.ones(3)]}),
    "vjp twice": lambda: grad(lambda v: vjp(lambda a: a.sin(), x())[1](v)[0].square().sum())(x()),
    "vjp under vmap": lambda: vmap(vjp(lambda a: a.sin(), x())[1])(torch.eye(3)),
    "jvp": lambda: jvp(lambda a: a.sin(), (x(),), (x(),)),
    "jvp of a dictionary": lambda: jvp(pair, (x(), x() + 1), (x(), torch.ones(3))),
    "jvp with aux": lambda: jvp(lambda a: (a.sin(), a * 2), (x(),), (x(),), has_aux=True),
    "jvp independent": lambda: jvp(lambda a: torch.ones(2), (x(),), (x(),)),
    "jvp of jvp": lambda: jvp(lambda b: jvp(f3, (b,), (torch.ones(3),))[1], (x(),), (x(),)),
    "jvp of grad": lambda: jvp(grad(f3), (x(),), (x(),)),
    "grad of jvp": lambda: grad(lambda b: jvp(f3, (b,), (torch.ones(3),))[1])(x()),
    "jacrev": lambda: jacrev(lambda a: a.square() * a.sum())(x()),
    "jacrev of a dictionary": lambda: jacrev(pair, argnums=(0, 1))(x(), x() + 1),
    "jacrev by a dictionary": lambda: jacrev(lambda d: d["a"] * d["b"])({"a": x()[:2], "b": x()[1:]}),
    "jacrev with aux": lambda: jacrev(lambda a: (a.square(), a), has_aux=True)(x()),
    "jacrev in chunks": lambda: jacrev(lambda a: a.square() * a.sum(), chunk_size=2)(x()),
    "jacfwd": lambda: jacfwd(lambda a: a.square() * a.sum())(x()),
    "jacfwd of a dictionary": lambda: jacfwd(pair, argnums=(0, 1))(x(), x() + 1),
    "jacfwd by a dictionary": lambda: jacfwd(lambda d: d["a"] * d["b"])({"a": x()[:2], "b": x()[1:]}),
    "jacfwd with aux": lambda: jacfwd(lambda a: (a.square(), a), has_aux=True)(x()),
    "hessian": lambda: hessian(f3)(x()),
    "hessian by both": lambda: hessian(lambda a, b: (a * b**2).sum(), argnums=(0, 1))(x(), x() + 1),
    "hessian of a vector": lambda: hessian(lambda a: a**3 * a.sum())(x()[:2]),
    "jacrev of jacrev": lambda: jacrev(jacrev(f3))(x()),
    "jacfwd of jacfwd": lambda: jacfwd(jacfwd(f3))(x()),
    "jacrev of jacfwd": lambda: jacrev(jacfwd(f3))(x()),
    "linearize": lambda: linearize(f3, x())[1](x()),
    "linearize a dictionary": lambda: linearize(pair, x(), x() + 1)[1](x(), torch.ones(3)),
    "vmap of grad": lambda: vmap(grad(f3))(torch.stack([x(), x() * 2])),
    "vmap of hessian": lambda: vmap(hessian(f3))(torch.stack([x(), x() * 2])),
    "vmap of jacrev": lambda: vmap(jacrev(lambda a: a.square() * a.sum()))(torch.stack([x(), x() * 2])),
    "vmap of jvp": lambda: vmap(lambda a, t: jvp(f3, (a,), (t,)), in_dims=(0, None))(torch.stack([x(), x() * 2]), x()),
    "grad of vmap": lambda: grad(lambda a: vmap(lambda b: b.sin() * b)(a).sum())(x()),
    "jacrev of vmap": lambda: jacrev(vmap(lambda b: b.sin() * b))(x()),
    "jacfwd of vmap": lambda: jacfwd(vmap(lambda b: b.sin() * b))(x()),
    "grad by what samples share": lambda: vmap(lambda b: grad(lambda a: (a * b).sum().square())(x()))(torch.stack([x(), x() * 2])),
    "two vmaps around grad": lambda: vmap(lambda a: vmap(lambda b: grad(lambda c: (c * a * b).sin().sum())(a))(a))(torch.stack([x(), x() * 2])),
    "gradients per sample": lambda: vmap(grad(net_loss), in_dims=(None, 0, 0))(net_params(), *data()),
    "a network's Hessian": lambda: hessian(lambda p: vmap(net_loss, in_dims=(None, 0, 0))(p, *data()).mean())(net_params())["w1"]["b1"],
    "gradients per sample through a convolution": lambda: vmap(grad(conv_loss), in_dims=(None, 0))(*conv_data()),
    "an attention's gradients per sample": lambda: vmap(grad(attention, argnums=(0, 1)))(
        torch.arange(24.0).reshape(2, 3, 4).sin(), torch.arange(24.0).reshape(2, 3, 4).cos()),
    "an update of parameters": lambda: grad(lambda p: net_loss({k: v - 0.1 * g for (k, v), g in zip(
        p.items(), grad(lambda q: net_loss(q, data()[0][0], data()[1][0]))(p).values())}, data()[0][1], data()[1][1]))(net_params()),
    "functional_call": lambda: functional_call(linear(), {"weight": torch.eye(2)}, (x()[:2],)),
    "functional_call of one argument": lambda: functional_call(linear(), ({"weight": torch.eye(2)}, {"bias": torch.ones(2)}), x()[:2]),
    "functional_call of tied weights": lambda: functional_call(tied(), {"0.weight": torch.eye(2)}, x()[:2]),
    "an ensemble": lambda: ensemble(),
}


def ensemble():
    models = [linear(), linear()]
    with torch.no_grad():
        models[1].weight.mul_(-2)
    params, buffers = stack_module_state(models)
    out = vmap(lambda p, b, a: functional_call(models[0], (p, b), (a,)), in_dims=(0, 0, None))(params, buffers, torch.stack([x()[:2], x()[1:]]))
    return [params["weight"], out]


def connections():
    """Whether results stay part of a graph outside."""
    out = {}

    def note(name, fn):
        out[name] = [t.requires_grad for t in torch.utils._pytree.tree_leaves(fn()) if isinstance(t, torch.Tensor)]

    note("of its own", lambda: grad_and_value(f3)(x()))
    note("of a leaf", lambda: grad_and_value(f3)(w()))
    leaf = w()
    note("of a captured leaf", lambda: grad_and_value(lambda a: (a * leaf).sum())(x()))
    note("linear in a captured leaf", lambda: grad_and_value(lambda a: (a * a).sum() + leaf.sum())(x()))
    with torch.no_grad():
        note("without grad mode", lambda: grad_and_value(f3)(w()))
    note("vjp of a leaf", lambda: [vjp(torch.sin, w())[0], vjp(torch.sin, w())[1](x())])
    note("vjp of its own", lambda: [vjp(torch.sin, x())[0], vjp(torch.sin, x())[1](x())])
    note("vjp with a leaf", lambda: vjp(torch.sin, x())[1](w()))
    return out


def plain(v):
    if isinstance(v, torch.Tensor):
        return v.detach().tolist()
    if isinstance(v, dict):
        return {k: plain(u) for k, u in v.items()}
    return [plain(u) for u in v]


def message(fn):
    try:
        fn()
    except Exception as error:  # whatever PyTorch throws is the answer
        return {"type": type(error).__name__, "message": str(error)}
    raise SystemExit("PyTorch does not throw")


def main():
    fixture = {
        "messages": {name: message(fn) for name, fn in refused_by.items()},
        "values": {name: plain(fn()) for name, fn in values_of.items()},
        "connections": connections(),
    }
    OUT.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
