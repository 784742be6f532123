#!/usr/bin/env python3
"""Records test/fixtures/autograd/forward_ad.json: what PyTorch prints and says in forward mode.

Run with a Python that has torch:  python scripts/record_autograd_forward_ad.py
"""
import json
import pathlib

import torch
import torch.autograd.forward_ad as fwAD

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "forward_ad.json"


def x():
    return torch.tensor([1.0, 2.0], requires_grad=True)


def dual(*tangent):
    return fwAD.make_dual(x(), torch.tensor(tangent or (1.0, 3.0)))


def tangent_of(f):
    def run():
        with fwAD.dual_level():
            tangent = fwAD.unpack_dual(f()).tangent
            return str(tangent if tangent is None else tangent.detach())

    return run


def in_level(f):
    def run():
        with fwAD.dual_level():
            return str(f())

    return run


def rectangle():
    return fwAD.make_dual(torch.arange(6.0).reshape(2, 3), torch.ones(2, 3))


def written_through_a_view():
    q = torch.zeros(3)
    q[1:].copy_(dual())
    q[1:].mul_(2)
    return q


def base_written_under_a_view():
    q = torch.zeros(2)
    first = q[0]
    q.copy_(dual())
    return first


def overwritten():
    d = dual() * 1
    d.zero_()
    return d


def transposed_in_place():
    d = rectangle() * 1
    d.t_()
    return d


def left():
    with fwAD.dual_level():
        d = dual()
        y = d.exp()
    return f"{fwAD.unpack_dual(d).tangent} {fwAD.unpack_dual(y).tangent} {y}"


def of_a_gradient():
    with fwAD.dual_level():
        a = x()
        d = fwAD.make_dual(a, torch.tensor([1.0, 3.0]))
        (g,) = torch.autograd.grad((d**3).sum(), d)
        return str(fwAD.unpack_dual(g).tangent)


def gradient_of_a_tangent():
    with fwAD.dual_level():
        a = x()
        d = fwAD.make_dual(a, torch.tensor([1.0, 3.0]))
        t = fwAD.unpack_dual((d**3).sum()).tangent
        return str(torch.autograd.grad(t, a)[0])


def tangent_requires_grad():
    t = torch.tensor([1.0, 3.0], requires_grad=True)
    with fwAD.dual_level():
        y = fwAD.unpack_dual(fwAD.make_dual(x().detach(), t).square().sum()).tangent
    return str(torch.autograd.grad(y, t)[0])


def under_no_grad():
    with torch.no_grad(), fwAD.dual_level():
        return str(fwAD.unpack_dual(dual().exp()).tangent)


def nested_levels():
    with fwAD.dual_level():
        fwAD.enter_dual_level()


def exit_another_level():
    with fwAD.dual_level():
        fwAD.exit_dual_level(level=3)


def twice_dual():
    with fwAD.dual_level():
        fwAD.make_dual(dual(), torch.ones(2))


VALUES = {
    "prints a leaf": in_level(lambda: fwAD.make_dual(torch.ones(2), torch.zeros(2))),
    "prints a result": in_level(lambda: dual().exp()),
    "tangent of a product": tangent_of(lambda: (dual() * dual()).sum()),
    "tangent of a constant result": tangent_of(lambda: dual().floor()),
    "no tangent": tangent_of(lambda: torch.ones(2) * 2),
    "detached": tangent_of(lambda: dual().detach()),
    "a view": tangent_of(lambda: dual()[1]),
    "a view of a view": tangent_of(lambda: rectangle().t()[1:].reshape(-1)),
    "sorted": tangent_of(lambda: dual().sort(descending=True)[0]),
    "indexed": tangent_of(lambda: dual()[torch.tensor([1, 1, 0])]),
    "concatenated": tangent_of(lambda: torch.cat([dual(), torch.zeros(1), dual()])),
    "a matrix product": tangent_of(lambda: rectangle() @ rectangle().t()),
    "softmax": tangent_of(lambda: torch.softmax(dual(), 0)),
    "written through a view": tangent_of(written_through_a_view),
    "a view of what is written": tangent_of(base_written_under_a_view),
    "overwritten": tangent_of(overwritten),
    "transposed in place": tangent_of(transposed_in_place),
    "after the level": left,
    "of a gradient": of_a_gradient,
    "gradient of a tangent": gradient_of_a_tangent,
    "gradient with respect to a tangent": tangent_requires_grad,
    "under no_grad": under_no_grad,
}
ERRORS = {
    "no level": lambda: fwAD.make_dual(x(), torch.ones(2)),
    "nested levels": nested_levels,
    "exit another level": exit_another_level,
    "exit without a level": lambda: fwAD.exit_dual_level(),
    "twice dual": twice_dual,
    "another size": in_level(lambda: fwAD.make_dual(x(), torch.ones(3))),
    "integer primal": in_level(lambda: fwAD.make_dual(torch.tensor([1]), torch.ones(1))),
    "integer tangent": in_level(lambda: fwAD.make_dual(torch.ones(1), torch.tensor([1]))),
}


def message(f):
    try:
        f()
    except Exception as e:  # noqa: BLE001
        return {"type": type(e).__name__, "message": str(e)}
    raise AssertionError("did not fail")


OUT.write_text(
    json.dumps(
        {
            "values": {k: f() for k, f in VALUES.items()},
            "errors": {k: message(f) for k, f in ERRORS.items()},
        },
        indent=1,
        ensure_ascii=False,
    )
    + "\n"
)
