"""Names and ties: what an entry takes, and parameters that are another one."""

from __future__ import annotations

import json
import weakref
from dataclasses import dataclass, replace
from math import inf, prod
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


TWO = ModelSpec(
    name="m",
    inputs={"words": Input(shape=(5,), vocabulary=7), "reals": Input(shape=(3, 4))},
    layers=(
        ("table", spec.Embedding(vocabulary=7, width=4)),
        ("first", spec.MeanSteps()),
        ("block", spec.Sequential(layers=(("second", spec.MeanSteps(), ("reals",)),))),
        ("add", spec.Add(), ("first", "block")),
    ),
)


def test_the_body_is_given_the_first_input_and_any_body_may_take_the_others():
    assert sources(TWO) == {
        "table": ("words",),
        "first": ("table",),
        "block.second": ("reals",),
        "add": ("first", "block.second"),
    }
    taken = {}

    def apply(path, layer, x):
        taken[path] = x
        return path

    assert spec.walk(TWO.layers, {"words": "w", "reals": "r"}, apply) == "add"
    assert (taken["table"], taken["block.second"]) == ("w", "r")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": Input(shape=(4,))}, "m takes one input, or inputs that have names"),
        ({"inputs": {}}, "m takes one input, or inputs that have names"),
        ({"inputs": {"": Input(shape=(4,))}}, "m takes one input, or inputs that have names"),
        (
            {"inputs": TWO.inputs | {"more": Input(shape=(2,))}},
            "m: no entry takes the input more, of shape (2,)",
        ),
        (
            {"layers": (*TWO.layers, ("reals", spec.ReLU()))},
            "m: a layer has the name of the input reals",
        ),
        (
            {"layers": (*TWO.layers, ("late", spec.ReLU(), ("letters",)))},
            "m: late takes 'letters', which is none of the values before it: 'words', 'reals', '', "
            "'table', 'first', 'block', 'add'",
        ),
    ],
)
def test_wrong_inputs_are_refused_in_one_sentence(changes, words):
    with pytest.raises(SpecError) as caught:
        replace(TWO, **changes)
    assert str(caught.value) == words


def test_inputs_and_their_order_survive_the_journey_to_a_worker():
    layers = (
        ("first", spec.MeanSteps(), ("left",)),
        ("second", spec.MeanSteps(), ("right",)),
        ("add", spec.Add(), ("first", "second", "first")),
    )
    inputs = {"left": Input(shape=(3, 4)), "right": Input(shape=(3, 4))}
    tasks = [
        codec.bare(ModelSpec(name="m", inputs=dict(each), layers=layers), RATE, 4)
        for each in (inputs.items(), reversed(inputs.items()))
    ]
    for task in tasks:
        made = codec.decode(json.loads(json.dumps(codec.encode(task))))
        assert made == task
        assert [*made.model.inputs] == [*task.model.inputs]
    assert codec.spec_hash(tasks[0]) != codec.spec_hash(tasks[1])
    assert tasks[0] != tasks[1]
    assert hash(tasks[0].model) == hash(replace(tasks[0].model))


def norm(channels):
    return spec.BatchNorm(channels=channels, epsilon=1e-5, momentum=0.1)


def conv(given, made, kernel, stride=1):
    sizes = {"kernel_size": kernel, "stride": stride, "padding": kernel // 2}
    return spec.Conv2d(in_channels=given, out_channels=made, **sizes, bias=False)


def bottleneck(given, width, stride, changes):
    """A block of a ResNet (arXiv 1512.03385, figure 5) in names, where it has no Residual."""
    project = (("project", conv(given, 4 * width, 1, stride), ("",)), ("norm0", norm(4 * width)))
    return spec.Sequential(
        layers=(
            ("conv1", conv(given, width, 1)),
            ("norm1", norm(width)),
            ("relu1", spec.ReLU()),
            ("conv2", conv(width, width, 3, stride)),
            ("norm2", norm(width)),
            ("relu2", spec.ReLU()),
            ("conv3", conv(width, 4 * width, 1)),
            ("norm3", norm(4 * width)),
            *(project if changes else ()),
            ("add", spec.Add(), ("norm3", "norm0" if changes else "")),
            ("relu3", spec.ReLU()),
        )
    )


def resnet(blocks, width, size, classes):
    layers, given = [("stem", conv(3, width, 7, 2)), ("norm", norm(width))], width
    for stage, count in enumerate(blocks):
        for number in range(count):
            stride = 2 if stage and not number else 1
            block = bottleneck(given, width << stage, stride, not number)
            layers.append((f"{stage}.{number}", block))
            given = 4 * width << stage
    last = size >> len(blocks)
    layers += [("pool", spec.AvgPool(size=last, stride=last)), ("flatten", spec.Flatten())]
    layers.append(("fc", linear(given, classes)))
    return ModelSpec(name="r", input=Input(shape=(3, size, size)), layers=tuple(layers))


def count(given: ModelSpec) -> int:
    return sum(prod(parameter.shape) for parameter in given.parameters().values())


def test_a_resnet_in_names_has_the_parameters_that_it_must_have():
    w = 4  # two stages of two and one blocks
    first = (w * w + 9 * w * w + 4 * w * w + 12 * w) + (4 * w * w + 8 * w)
    second = 4 * w * w + 9 * w * w + 4 * w * w + 12 * w
    third = (8 * w * w + 36 * w * w + 16 * w * w + 24 * w) + (32 * w * w + 16 * w)
    around = 3 * 49 * w + 2 * w + 8 * w * 5 + 5
    assert count(resnet((2, 1), w, 16, 5)) == first + second + third + around
    assert count(resnet((3, 4, 6, 3), 64, 224, 1000)) == 25_557_032  # torchvision's ResNet-50


def gpt(layers, width, steps, vocabulary, tied=True):
    """GPT-2 (Radford et al. 2019) up to the logits of every step, in names alone."""
    block = (
        ("norm1", spec.LayerNorm(width=width, epsilon=1e-5)),
        ("attention", spec.Attention(width=width, heads=width // 4, causal=True)),
        ("sum1", spec.Add(), ("", "attention")),
        ("norm2", spec.LayerNorm(width=width, epsilon=1e-5)),
        ("linear1", linear(width, 4 * width)),
        ("gelu", spec.GELU(approximate=True)),
        ("linear2", linear(4 * width, width)),
        ("sum2", spec.Add(), ("sum1", "linear2")),
    )
    return ModelSpec(
        name="g",
        input=Input(shape=(steps,), vocabulary=vocabulary),
        layers=(
            ("word", spec.Embedding(vocabulary=vocabulary, width=width)),
            ("position", spec.PositionalEmbedding(steps=steps, width=width)),
            *((f"{number}", spec.Sequential(layers=block)) for number in range(layers)),
            ("norm", spec.LayerNorm(width=width, epsilon=1e-5)),
            ("head", linear(width, vocabulary, bias=False)),
        ),
        ties=(("head.weight", "word.weight"),) if tied else (),
    )


def test_a_gpt_in_names_has_the_parameters_that_it_must_have():
    v, t, w = 11, 6, 8
    block = (4 * w * w + 3 * w) + 4 * w + (8 * w * w + 5 * w)
    wanted = v * w + t * w + 3 * block + 2 * w
    assert count(gpt(3, w, t, v)) == wanted
    assert count(gpt(3, w, t, v, tied=False)) == wanted + v * w
    assert gpt(3, w, t, v).output_shape() == (t, v)
    keys = 12 * 768  # biases, which softmax cancels, and which no key has here
    assert count(gpt(12, 768, 1024, 50_257)) == 124_439_808 - keys
