"""Known mistakes about layers, each as a change to what the reference is given: other fields,
other parameters, another mask. A mistake is confirmed if the reference, so misled, gives the
backend's output.

Sources: the frameworks' defaults as ``docs/atlas.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import singledispatch
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import spec
from tasks.spec import Layer

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a layer alone computes with; ``parameters`` by local name."""

    layer: Layer
    parameters: Arrays
    inputs: NDArray[Any]
    valid: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Mistake:
    """One of GUESSES and a name for people, the layer's field that it is about if there is one, and
    what the reference is given in place of the right thing.
    """

    word: str
    words: str
    given: Given
    field: str | None = None


def mistakes(given: Given) -> Iterator[Mistake]:
    """Mistakes about this layer, the most likely first."""
    yield from _of(given.layer, given)
    for name, array in given.parameters.items():
        if name.rpartition(".")[2].startswith("bias"):
            yield _parameters(given, "bias", f"{name} left out", **{name: np.zeros_like(array)})
    if given.valid is not None:
        whole = np.ones_like(given.valid)
        yield Mistake("mask", "padding taken for steps", replace(given, valid=whole))
        yield Mistake("mask", "the mask's meaning inverted", replace(given, valid=~given.valid))


@singledispatch
def _of(layer: Layer, given: Given) -> Iterator[Mistake]:
    yield from ()


def _field(given: Given, **changes: Any) -> Mistake:
    """The layer with one other field."""
    ((field, value),) = changes.items()
    words = f"{field} {value} in place of {getattr(given.layer, field)}"
    return Mistake(field, words, replace(given, layer=replace(given.layer, **changes)), field)


def _parameters(given: Given, word: str, words: str, **changes: Any) -> Mistake:
    return Mistake(word, words, replace(given, parameters=given.parameters | changes))


def _epsilons(given: Given, own: float) -> Iterator[Mistake]:
    for epsilon in (1e-3, 1e-5, 1e-6, 1e-12, 1e-8, 1e-7, 1e-4, 1e-2, 1e-15, 1e-300):
        if epsilon != own:
            yield _field(given, epsilon=epsilon)


@_of.register
def _of_layer_norm(layer: spec.LayerNorm, given: Given) -> Iterator[Mistake]:
    yield from _epsilons(given, layer.epsilon)
    weight = given.parameters["weight"]
    shrink = (layer.width - 1) / layer.width
    unbiased = replace(
        given,
        layer=replace(layer, epsilon=layer.epsilon * shrink),
        parameters=given.parameters | {"weight": weight * sqrt(shrink)},
    )
    yield Mistake("variance", "the unbiased variance", unbiased)
    yield _parameters(given, "weight", "weight left out", weight=np.ones_like(weight))


@_of.register
def _of_batch_norm(layer: spec.BatchNorm, given: Given) -> Iterator[Mistake]:
    yield from _epsilons(given, layer.epsilon)
    weight = given.parameters["weight"]
    yield _parameters(given, "weight", "weight left out", weight=np.ones_like(weight))


@_of.register
def _of_gelu(layer: spec.GELU, given: Given) -> Iterator[Mistake]:
    yield _field(given, approximate=not layer.approximate)


@_of.register
def _of_convolution(layer: spec.Conv2d, given: Given) -> Iterator[Mistake]:
    weight = given.parameters["weight"]
    yield _parameters(
        given,
        "kernel",
        "the kernel flipped, as a mathematical convolution",
        weight=weight[..., ::-1, ::-1],
    )
    yield _parameters(
        given, "kernel", "height and width of the kernel swapped", weight=weight.swapaxes(2, 3)
    )
    if not layer.padding:
        return
    one, both = layer.padding, 2 * layer.padding
    same = "padding at the end first, as SAME with stride 2"
    for words, sides, mode in (
        (same if layer.stride > 1 else "padding at the end only", (0, both), "constant"),
        ("padding at the start only", (both, 0), "constant"),
        ("padding by reflection", (one, one), "reflect"),
        ("padding by repeating the edge", (one, one), "edge"),
    ):
        pad: Any = np.pad  # its overloads know no mode that is a variable
        padded = pad(given.inputs, ((0, 0), (0, 0), sides, sides), mode=mode)
        bare = replace(layer, padding=0)
        yield Mistake("padding", words, replace(given, layer=bare, inputs=padded), "padding")


@_of.register
def _of_embedding(layer: spec.Embedding, given: Given) -> Iterator[Mistake]:
    weight, width = given.parameters["weight"], layer.width
    yield _parameters(
        given, "scale", "rows multiplied by the root of the width", weight=weight * sqrt(width)
    )
    row = np.zeros_like(weight)
    row[1:] = weight[1:]
    yield _parameters(given, "padding", "row 0 taken for padding", weight=row)


@_of.register
def _of_position(layer: spec.PositionalEncoding, given: Given) -> Iterator[Mistake]:
    x, steps = given.inputs, given.inputs.shape[1]
    table = layer.table(steps)
    longer = layer.table(steps + 1)
    halves = np.concatenate((table[:, 0::2], table[:, 1::2]), axis=1)
    crossed = np.empty_like(table)
    crossed[:, 0::2], crossed[:, 1::2] = table[:, 1::2], table[:, 0::2]
    for words, other in (
        ("sines and cosines in two halves in place of alternating", halves),
        ("positions counted from 1", longer[1:]),
        ("cosines before sines", crossed),
        ("no position added", np.zeros_like(table)),
    ):
        yield Mistake("position", words, replace(given, inputs=x + (other - table)))
    root = sqrt(layer.width)
    yield Mistake(
        "scale", "the input multiplied by the root of the width", replace(given, inputs=x * root)
    )


@_of.register
def _of_attention(layer: spec.Attention, given: Given) -> Iterator[Mistake]:
    each, p = layer.width // layer.heads, given.parameters
    yield _field(given, causal=not layer.causal)
    for words, factor in (
        ("scores not divided by the root of a head's width", sqrt(each)),
        ("scores divided by the root of the whole width", sqrt(each / layer.width)),
        ("scores divided by a head's width", 1 / sqrt(each)),
    ):
        query = {name: p[f"query.{name}"] * factor for name in ("weight", "bias")}
        yield _parameters(given, "scale", words, **{f"query.{n}": a for n, a in query.items()})
    for heads in range(1, layer.width + 1):
        if layer.width % heads == 0 and heads != layer.heads:
            yield _field(given, heads=heads)
    swapped = {
        "query.weight": p["key.weight"],
        "key.weight": p["query.weight"],
        "query.bias": np.zeros_like(p["query.bias"]),
    }
    yield _parameters(given, "queries", "queries and keys swapped", **swapped)


@_of.register
def _of_mean(layer: spec.MeanSteps, given: Given) -> Iterator[Mistake]:
    steps = given.inputs.shape[1]
    valid = np.ones(given.inputs.shape[:2]) if given.valid is None else given.valid
    count = valid.sum(1)[:, None, None]
    divided = given.inputs * (count / steps)
    yield Mistake("mean", "the sum divided by the padded length", replace(given, inputs=divided))
    for epsilon in (1e-6, 1e-5, 1e-3, 1.0):
        slack = replace(given, inputs=given.inputs * (count / (count + epsilon)))
        yield Mistake("mean", f"{epsilon:g} added to the number of valid steps", slack)


GATES: dict[type[Layer], dict[str, tuple[int, ...]]] = {
    spec.LSTM: {
        "i, f, o, g": (0, 1, 3, 2),
        "f, i, g, o": (1, 0, 2, 3),
        "i, g, f, o": (0, 2, 1, 3),
        "f, i, o, g": (1, 0, 3, 2),
        "g, i, f, o": (2, 0, 1, 3),
        "o, f, g, i": (3, 1, 2, 0),
    },
    spec.GRU: {"z, r, n": (1, 0, 2), "r, n, z": (0, 2, 1), "n, z, r": (2, 1, 0)},
}


@_of.register
def _of_recurrent(layer: spec.Recurrent, given: Given) -> Iterator[Mistake]:
    p = given.parameters
    for order, blocks in GATES.get(type(layer), {}).items():

        def sorted_by(array: NDArray[Any], blocks: tuple[int, ...] = blocks) -> NDArray[Any]:
            # Whoever reads block k as another gate computes with that gate's rows in k's place.
            return np.concatenate([np.split(array, len(blocks))[k] for k in np.argsort(blocks)])

        yield Mistake(
            "gates",
            f"gates in the order {order}",
            replace(given, parameters={name: sorted_by(a) for name, a in p.items()}),
        )
    if isinstance(layer, spec.LSTM):
        forgetting = {}
        for level in range(layer.num_layers):
            bias = p[f"bias_ih_l{level}"].copy()
            bias[layer.hidden_size : 2 * layer.hidden_size] += 1
            forgetting[f"bias_ih_l{level}"] = bias
        yield _parameters(given, "bias", "1 added to the forget gate's bias", **forgetting)
    for which in ("bias_ih", "bias_hh"):
        without = {name: np.zeros_like(a) for name, a in p.items() if name.startswith(which)}
        yield _parameters(given, "bias", f"{which} left out", **without)
    for level in range(1, layer.num_layers):
        fewer = replace(layer, num_layers=level)
        kept = {name: p[name] for name in fewer.parameters()}
        words = f"num_layers {level} in place of {layer.num_layers}"
        yield Mistake(
            "num_layers", words, replace(given, layer=fewer, parameters=kept), "num_layers"
        )
