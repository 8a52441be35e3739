"""Names and ties: what an entry takes, and parameters that are another one."""

from __future__ import annotations

import json
import weakref
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar

import pytest

from tasks import codec, spec
from tasks.spec import SGD, Input, Layer, ModelSpec, SpecError


@dataclass(frozen=True, kw_only=True)
class Pair(Layer):
    """The first of two values or more."""

    takes: ClassVar[tuple[int, float]] = (2, inf)

    def output_shape(self, *shapes):
        return shapes[0]

    def flops(self, *shapes):
        return len(shapes)


RATE = SGD(learning_rate=0.1)


def linear(given, made, bias=True):
    return spec.Linear(in_features=given, out_features=made, bias=bias)


def model(*layers, ties=()):
    return ModelSpec(name="m", input=Input(shape=(4,)), layers=layers, ties=ties)


def sources(given: ModelSpec) -> dict[str, tuple[str, ...]]:
    return {place.path: place.sources for place in given.places()}


def test_an_entry_takes_the_value_before_it_or_those_that_it_names():
    found = model(
        ("wide", linear(4, 6)),
        ("narrow", linear(4, 3), ("",)),
        ("relu", spec.ReLU()),
        ("pair", Pair(), ("wide", "relu", "wide")),
        ("last", linear(6, 2)),
    )
    assert sources(found) == {
        "wide": ("",),
        "narrow": ("",),
        "relu": ("narrow",),
        "pair": ("wide", "relu", "wide"),
        "last": ("pair",),
    }
    pair = found.places()[3]
    assert pair.input_shapes == ((6,), (3,), (6,))
    assert pair.input_shape == pair.output_shape == (6,)
    assert found.flops() == 2 * 4 * 6 + 2 * 4 * 3 + 3 + 2 * 6 * 2


def test_a_name_is_looked_up_in_the_own_body_and_then_around_it():
    inner = (
        ("fc", linear(6, 6)),
        ("own", Pair(), ("fc", "")),
        ("outer", Pair(), ("own", "before")),
    )
    sum_ = spec.Residual(layers=(("both", Pair(), ("", "before")),))
    found = model(
        ("before", linear(4, 6)),
        ("fc", linear(6, 6)),
        ("block", spec.Sequential(layers=inner)),
        ("sum", sum_),
        ("again", spec.Sequential(layers=inner), ("fc",)),
        ("pair", Pair(), ("again", "sum")),
    )
    assert sources(found) == {
        "before": ("",),
        "fc": ("before",),
        "block.fc": ("fc",),
        "block.own": ("block.fc", "fc"),
        "block.outer": ("block.own", "before"),
        "both": ("block.outer", "before"),
        "sum": ("block.outer", "both"),
        "again.fc": ("fc",),
        "again.own": ("again.fc", "fc"),
        "again.outer": ("again.own", "before"),
        "pair": ("again.outer", "sum"),
    }


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((("a", Pair(), ("", "b")), ("b", spec.ReLU())), "m: a takes 'b', which is none of the "),
        ((("a", spec.ReLU()), ("b", spec.ReLU(), ("c",))), "m: b takes 'c', which is none of the "),
        (
            (("block", spec.Sequential(layers=(("in", spec.ReLU()),))), ("b", Pair(), ("", "in"))),
            "m: b takes 'in', which is none of the values before it: '', 'block'",
        ),
        ((("a", linear(4, 4), ("", "")),), "m: a: Linear takes 1 value, not 2 of shape (4,), (4,)"),
        ((("a", spec.ReLU(), ()),), "m: a: ReLU takes 1 value, not none"),
        ((("a", Pair()),), "m: a: Pair takes 2 values or more, not 1 of shape (4,)"),
        (
            (("a", spec.Sequential(layers=(("b", spec.ReLU()),)), ("", "")),),
            "m: a: Sequential takes 1 value, not 2 of shape (4,), (4,)",
        ),
        (
            (("a", linear(4, 6)), ("b", linear(4, 2))),
            "m: b: Linear takes an input of shape (..., 4), ",
        ),
        ((("a", spec.ReLU()), ("a", spec.GELU(), ("",))), "m: two layers have the path a"),
        (
            (("a", spec.Sequential(layers=(("b", spec.ReLU()),))), ("a", spec.ReLU())),
            "m: two layers have the path a",
        ),
        (
            (("a", linear(4, 6)), ("b", linear(4, 2), ("",))),
            "m: no entry takes the value of a, of shape (6,)",
        ),
        (
            (("a", spec.Sequential(layers=(("b", linear(4, 6)),))), ("c", linear(4, 2), ("",))),
            "m: no entry takes the value of a.b, of shape (6,)",
        ),
    ],
)
def test_a_wrong_graph_is_refused_in_one_sentence(layers, words):
    with pytest.raises(SpecError) as caught:
        model(*layers)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_input_that_nothing_takes_is_refused():
    inner = (("only", spec.ReLU(), ("a",)),)
    with pytest.raises(SpecError, match=r"m: no entry takes the value of b, of shape \(6,\)"):
        model(("a", linear(4, 4)), ("b", linear(4, 6)), ("c", spec.Sequential(layers=inner)))


def test_walk_computes_what_places_lists():
    found = model(
        ("double", spec.ReLU()),
        ("block", spec.Sequential(layers=(("pair", Pair(), ("", "double")),)), ("",)),
        ("sum", spec.Residual(layers=(("other", Pair(), ("", "double", "block")),))),
    )
    seen, taken = {}, {}

    def apply(path, layer, x):
        taken[path] = x
        return 2 * x if layer == spec.ReLU() else sum(x)

    assert spec.walk(found.layers, 1, apply, seen.__setitem__) == 11
    assert taken == {"double": 1, "block.pair": (1, 2), "other": (3, 2, 3)}
    assert seen == {"double": 2, "block.pair": 3, "other": 8, "sum": 11}


def test_walk_lets_go_of_what_nobody_names():
    class Value:
        pass

    names = ("a", "b", "c", "d")
    layers = (*((name, spec.ReLU()) for name in names), ("e", Pair(), ("", "b", "d")))
    alive, made = [], []

    def apply(path, layer, x):
        alive.append([number for number, value in enumerate(made) if value() is not None])
        value = Value()
        made.append(weakref.ref(value))
        return value

    spec.walk(layers, Value(), apply)
    assert alive == [[], [0], [1], [1, 2], [1, 3]]


def test_with_layer_keeps_the_names():
    found = model(("a", spec.ReLU()), ("b", Pair(), ("a", "")))
    changed = found.with_layer("a", spec.GELU())
    assert changed.layers == (("a", spec.GELU()), ("b", Pair(), ("a", "")))


TIED = model(
    ("in", linear(4, 6, bias=False)),
    ("out", linear(6, 4)),
    ("again", linear(4, 6)),
    ("last", linear(6, 4)),
    ties=(("again.weight", "in.weight"), ("last.bias", "out.bias")),
)


def test_a_tied_parameter_is_its_owners():
    assert list(TIED.parameters()) == [
        *("in.weight", "out.weight", "out.bias", "again.bias", "last.weight")
    ]
    arrays = {path: object() for path in TIED.parameters()}
    every = TIED.with_ties(arrays)
    assert every == arrays | {
        "again.weight": arrays["in.weight"],
        "last.bias": arrays["out.bias"],
    }
    assert spec.local(every, "last") == {
        "weight": arrays["last.weight"],
        "bias": arrays["out.bias"],
    }
    assert TIED.parameters_of(TIED.places()[2]) == {"in.weight", "again.bias"}
    assert model(("in", linear(4, 6))).with_ties(arrays) is arrays


@pytest.mark.parametrize(
    ("ties", "words"),
    [
        (
            (("in.bias", "out.bias"),),
            "the tie of in.bias to out.bias: there is no parameter in.bias",
        ),
        (
            (("last.bias", "nowhere"),),
            "the tie of last.bias to nowhere: there is no parameter nowhere",
        ),
        (
            (("out.weight", "in.weight"),),
            "the tie of out.weight to in.weight: shape (4, 6) is not (6, 4)",
        ),
        (
            (("last.weight", "out.weight"), ("out.weight", "out.weight")),
            "the tie of last.weight to out.weight: out.weight is tied itself",
        ),
        (
            (("in.weight", "in.weight"),),
            "the tie of in.weight to in.weight: in.weight is tied itself",
        ),
    ],
)
def test_a_wrong_tie_is_refused_in_one_sentence(ties, words):
    with pytest.raises(SpecError) as caught:
        replace(TIED, ties=ties)
    assert str(caught.value) == f"m: {words}"


def test_a_path_is_tied_once():
    layers = tuple((name, linear(4, 4)) for name in "abc")
    with pytest.raises(
        SpecError, match=r"m: the tie of c.bias to a.bias: c.bias is tied to b.bias"
    ):
        model(*layers, ties=(("c.bias", "a.bias"), ("c.bias", "b.bias")))


def test_names_and_ties_survive_the_journey_to_a_worker():
    task = codec.bare(replace(TIED, layers=(*TIED.layers, ("b", spec.ReLU(), ("last",)))), RATE, 4)
    assert codec.decode(json.loads(json.dumps(codec.encode(task)))) == task
    assert codec.spec_hash(task) != codec.spec_hash(
        replace(task, model=replace(task.model, ties=()))
    )
