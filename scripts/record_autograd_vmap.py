#!/usr/bin/env python3
"""Records test/fixtures/autograd/vmap.json: PyTorch's answers for test/autograd/vmap.test.ts.

Run with a Python that has torch:  python scripts/record_autograd_vmap.py
"""
import json
import pathlib
import warnings

import torch
from torch.func import vmap

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "autograd" / "vmap.json"
warnings.simplefilter("ignore")
CASES = []


def case(fn):
    CASES.append(fn)
    return fn


def xs():
    return torch.arange(6.0).reshape(3, 2) / 4 - 0.5


def f(a):
    return a


# ---- inputs ----
@case
def in_dim_out_of_range():
    vmap(f, in_dims=2)(xs())


@case
def in_dim_of_a_scalar():
    vmap(f)(torch.tensor(1.0))


@case
def in_dims_none():
    vmap(f, in_dims=None)(xs())


@case
def in_dims_float():
    vmap(f, in_dims=1.5)(xs())


@case
def in_dims_structure():
    vmap(f, in_dims=(0, 0))(xs())


@case
def in_dims_nested_structure():
    vmap(f, in_dims=((0,),))({"a": xs()})


@case
def in_dims_not_an_int():
    vmap(f, in_dims=("a",))(xs())


@case
def in_dims_all_none():
    vmap(f, in_dims=(None,))(xs())


@case
def not_a_tensor():
    vmap(f)(1.5)


@case
def sizes_differ():
    def g(a, b):
        return a

    vmap(g)(xs(), torch.ones(4))


@case
def no_inputs():
    def g():
        return torch.ones(1)

    vmap(g)()


# ---- outputs ----
@case
def returns_a_number():
    def g(a):
        return 1

    vmap(g)(xs())


@case
def returns_none_inside():
    def g(a):
        return {"a": a, "b": None}

    vmap(g)(xs())


@case
def out_dim_none():
    vmap(f, out_dims=None)(xs())


@case
def out_dim_string():
    vmap(f, out_dims="a")(xs())


@case
def out_dim_out_of_range():
    vmap(f, out_dims=3)(xs())


@case
def out_dims_structure():
    def g(a):
        return (a, a)

    vmap(g, out_dims=(0,))(xs())


@case
def out_dims_too_many():
    vmap(f, out_dims=(0, 0))(xs())


@case
def unknown_randomness():
    vmap(f, randomness="foo")(xs())


@case
def chunk_size_zero():
    vmap(f, chunk_size=0)(xs())


# ---- what has no meaning for all samples at once ----
@case
def item():
    vmap(lambda a: a.sum().item())(xs())


@case
def tolist():
    vmap(lambda a: a.tolist())(xs())


@case
def contains():
    vmap(lambda a: 1.0 in a)(xs())


@case
def nonzero():
    vmap(lambda a: a.nonzero())(xs())


@case
def mask():
    vmap(lambda a: a[a > 0])(xs())


@case
def masked_select():
    vmap(lambda a: a.masked_select(a > 0))(xs())


@case
def equal():
    vmap(lambda a: torch.equal(a, a))(xs())


@case
def allclose():
    vmap(lambda a: torch.allclose(a, a))(xs())


@case
def where_condition():
    vmap(lambda a: torch.where(a > 0))(xs())


@case
def data():
    vmap(lambda a: a.data)(xs())


@case
def backward():
    x = xs().requires_grad_()
    vmap(lambda a: a.sum().backward())(x)


@case
def requires_grad():
    vmap(lambda a: a.requires_grad_())(xs())


# ---- in place ----
def in_place(fn):
    vmap(lambda a: fn(torch.zeros(2), a))(xs())


@case
def copy_into_shared():
    in_place(lambda z, a: z.copy_(a))


@case
def mul_into_shared():
    in_place(lambda z, a: z.mul_(a))


@case
def masked_fill_of_shared():
    in_place(lambda z, a: z.masked_fill_(a > 0, 1))


@case
def fill_of_shared():
    in_place(lambda z, a: z.fill_(a[0]))


@case
def scatter_into_shared():
    in_place(lambda z, a: z.scatter_(0, torch.tensor([0]), a[:1]))


@case
def index_put_into_shared():
    in_place(lambda z, a: z.index_put_((torch.tensor([0]),), a[0]))


# ---- random numbers ----
@case
def random_refused():
    vmap(lambda a: a + torch.randn(2))(xs())


@case
def dropout_refused():
    vmap(lambda a: torch.nn.functional.dropout(a))(xs())


@case
def random_into_shared():
    vmap(lambda a: torch.ones(4).normal_(), randomness="different")(xs())


@case
def bernoulli_same():
    vmap(lambda a: torch.bernoulli(a), randomness="same")(xs().sigmoid())


def draws():
    out = {}

    def draw(name, fn, x=None):
        for randomness in ("different", "same"):
            torch.manual_seed(3)
            try:
                out[f"{name} {randomness}"] = vmap(fn, randomness=randomness)(xs() if x is None else x).tolist()
            except RuntimeError as error:
                out[f"{name} {randomness}"] = str(error)

    draw("randn", lambda a: torch.randn(2))
    draw("rand", lambda a: torch.rand(2) + a)
    draw("randint", lambda a: torch.randint(0, 10, (2,)))
    draw("randn_like", lambda a: torch.randn_like(a))
    draw("rand_like of a shared tensor", lambda a: torch.rand_like(torch.ones(2)))
    draw("normal_", lambda a: a.clone().normal_())
    draw("uniform_", lambda a: a.clone().uniform_())
    draw("bernoulli", lambda a: torch.bernoulli(a), xs().sigmoid())
    draw("bernoulli_", lambda a: a.clone().bernoulli_(0.5))
    draw("multinomial", lambda a: torch.multinomial(a, 2), xs().sigmoid())
    draw("normal", lambda a: torch.normal(a, torch.ones(2)))
    return out


# ---- values ----
def printed():
    out = []

    def g(a):
        out.append(repr(a))
        out.append(repr(a.sum() * 2))
        return a

    vmap(g)(xs())
    vmap(vmap(g))(torch.ones(2, 2, 2))
    return out


def geometry():
    out = []

    def g(a):
        out.append([list(a.shape), a.dim(), a.numel(), list(a.stride()), a.is_contiguous(), str(a.dtype), a._version])
        return a.T

    result = vmap(g, in_dims=1, out_dims=2)(torch.arange(24.0).reshape(2, 4, 3))
    return [out, list(result.shape), result.tolist()]


def promotion():
    """dtypes of operators on a tensor that is a scalar in each sample."""
    dtypes = ["float32", "float64", "float16", "int64", "int32", "bool"]
    out = {}
    for a in dtypes:
        for b in dtypes:
            x = torch.ones(3, dtype=getattr(torch, a))
            for rank in (0, 1):
                y = torch.ones((3,) + (2,) * rank, dtype=getattr(torch, b))
                out[f"{a} {b} {rank}"] = [
                    str(vmap(torch.add)(x, y).dtype)[6:],
                    str(vmap(torch.mul, in_dims=(0, None))(x, y[0]).dtype)[6:],
                ]
    return out


def structures():
    x = xs()

    def g(p):
        return {"sum": p["a"] + p["b"][0], "pair": (p["a"].sum(), p["b"][1])}

    nested = vmap(g, in_dims=({"a": 0, "b": (1, None)},))({"a": x, "b": (x.T, torch.ones(2))})
    chunked = vmap(lambda a: (a, a.sum()), out_dims=(1, 0), chunk_size=2)(x)
    return {
        "nested": {"sum": nested["sum"].tolist(), "pair": [t.tolist() for t in nested["pair"]]},
        "chunked": [t.tolist() for t in chunked],
        "negative": vmap(lambda a: a * 2, in_dims=-1, out_dims=-1)(x).tolist(),
        "shared": vmap(lambda a: torch.ones(2), out_dims=None)(x).tolist(),
    }


def message(fn):
    try:
        fn()
    except Exception as error:  # whatever PyTorch throws is the answer
        return {"type": type(error).__name__, "message": str(error)}
    raise SystemExit(f"{fn.__name__}: PyTorch does not throw")


def main():
    OUT.parent.mkdir(exist_ok=True)
    fixture = {
        "messages": {fn.__name__: message(fn) for fn in CASES},
        "draws": draws(),
        "printed": printed(),
        "geometry": geometry(),
        "promotion": promotion(),
        "structures": structures(),
    }
    OUT.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
