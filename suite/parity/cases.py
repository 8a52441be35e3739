"""What a layer is given when it is looked at alone: samples that make silent faults visible.

Random values hide much: an epsilon that is ten times too great changes a variance of 1/3 in the
fourth digit, ties never happen, and without padding a mask is never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import spec
from tasks.parameters import uniform
from tasks.spec import Layer, ModelSpec, Place, Shape

ORDINARY: tuple[str, ...] = ("ordinary", "no padding")  # no error grows there
STEEP = "met by a large gradient"
KINDS = ("ordinary", "large", "nearly constant", "zero", "tied", STEEP)
LARGE = 10.0  # saturates gates and heats logits; masks of -1e4 stay far below them
HUGE = 1000.0  # for layers without parameters, which people cap at 6 and at 20
STEEPNESS = 30.0  # of an upstream gradient; recurrent layers' are clipped from 1 on
OFFSET, SPREAD = 10.0, 1e-2  # a variance of 3e-5, near the epsilons that people use
STEADY = "large and the same at every step"
CELLS = 128  # that are given such values, at least; one of many adds up
STEPS = 12  # of a recurrent layer, at least: more than what adapters unroll
HOT, EMPTY = "padding and large values", "no valid step"
PADDINGS = ("full", "right", "left", "holes", "single", "none")
NAMES = {
    "full": "no padding",
    "right": "padding on the right",
    "left": "padding on the left",
    "holes": "holes",
    "single": "a single valid step",
    "none": "no valid step",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Inputs (samples, ...), the upstream gradient of the output, and which steps are valid.
    ``kinds`` says what each index along ``axis`` is like; errors are taken for each by itself, so
    that large values do not hide small ones. Where ``finite`` is set, no more is asked for.
    """

    name: str
    inputs: NDArray[Any]
    upstream: NDArray[np.float64]
    kinds: tuple[str, ...]
    valid: NDArray[np.bool_] | None = None
    axis: int = 0
    finite: bool = False

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a worker's ``layer`` reads it."""
        given = {"inputs": self.inputs, "upstream": self.upstream}
        return given if self.valid is None else given | {"valid": self.valid}


def distinct(model: ModelSpec) -> list[Place]:
    """The first place of every plain layer that differs from those before it in its type, fields or
    rank.
    """
    found: dict[tuple[Layer, int], Place] = {}
    for place in model.places():
        if not isinstance(place.layer, spec.Residual):
            found.setdefault((place.layer, len(place.input_shape)), place)
    return list(found.values())


def cases(place: Place, vocabulary: int | None) -> Iterator[Case]:
    """What the layer at this place is given: token ids below ``vocabulary``, or reals."""
    shape = _lengthened(place.layer, place.input_shape)
    inputs, axis = _ids(shape, vocabulary) if vocabulary else _inputs(place.layer, shape)
    upstream = _random(f"{place.path} upstream", place.layer.output_shape(shape))
    kinds = tuple(KINDS[n % len(KINDS)] for n in range(inputs.shape[axis]))
    steep = upstream.copy()
    np.moveaxis(steep, axis, 0)[[kind == STEEP for kind in kinds]] *= STEEPNESS
    yield Case(name="values", inputs=inputs, upstream=steep, kinds=kinds, axis=axis)
    if isinstance(place.layer, spec.LSTM):
        yield from _steady(place, shape, upstream)
    if isinstance(place.layer, MASKED):
        yield _padded("padding", place, shape, upstream, 1.0, _paddings(place.layer))
    if isinstance(place.layer, spec.Attention):
        # Scores far apart show a mask that only lowers them; -1e4 still stays below them.
        yield _padded(HOT, place, shape, upstream, LARGE, _paddings(place.layer))
        yield _padded(EMPTY, place, shape, upstream, 1.0, ("none",) * len(PADDINGS))


def _steady(place: Place, shape: Shape, upstream: NDArray[np.float64]) -> Iterator[Case]:
    """The same large values at every step, so that cells add up. With 15 seeds of rnn-tiny the
    greatest cell reached 10.0 at least; with the other cases 1.6, so that a cell that is
    clipped at 3 was the same.
    """
    assert isinstance(place.layer, spec.LSTM)
    cells = len(KINDS) * place.layer.hidden_size
    for number in range(1, 1 + ceil(CELLS / cells)):
        once = _random(f"{place.path} steady {number}", shape)[:, :1]
        yield Case(
            name=f"{STEADY} {number}",
            inputs=LARGE * np.broadcast_to(once, (len(KINDS), *shape)).copy(),
            upstream=upstream,
            kinds=(STEADY,) * len(KINDS),
        )


def _padded(
    name: str,
    place: Place,
    shape: Shape,
    upstream: NDArray[np.float64],
    size: float,
    paddings: tuple[str, ...],
) -> Case:
    return Case(
        name=name,
        inputs=size * _random(f"{place.path} padded", shape),
        upstream=upstream,
        kinds=tuple(NAMES[kind] + " and large values" * (name == HOT) for kind in paddings),
        valid=np.stack([_valid(kind, n, shape[0]) for n, kind in enumerate(paddings)]),
        finite=name == EMPTY,
    )


MASKED = (spec.Attention, spec.LSTM, spec.GRU, spec.LastStep, spec.MeanSteps)


def _paddings(layer: Layer) -> tuple[str, ...]:
    """Attention has something to attend to: where it has not, a mask of -1e4 gives the mean of the
    values and one of -inf nothing. Both are in use, so that only its being finite is asked for.
    """
    if not isinstance(layer, spec.Attention):
        return PADDINGS
    if layer.causal:
        return tuple("right" if kind != "full" else kind for kind in PADDINGS)
    return tuple("full" if kind == "none" else kind for kind in PADDINGS)


def _lengthened(layer: Layer, shape: Shape) -> Shape:
    if isinstance(layer, (spec.LSTM, spec.GRU)):
        return (max(STEPS, shape[0]), *shape[1:])
    return shape


@singledispatch
def _inputs(layer: Layer, shape: Shape) -> tuple[NDArray[Any], int]:
    """A sample of every kind; and the axis along which the kinds lie."""
    values = _random(type(layer).__name__, shape)
    large = LARGE if layer.parameters() else HUGE
    for number, kind in enumerate(KINDS):
        values[number] = _like(kind, values[number], large)
    return values, 0


@_inputs.register
def _of_batch_norm(layer: spec.BatchNorm, shape: Shape) -> tuple[NDArray[Any], int]:
    values = _random("BatchNorm", shape)
    for channel in range(layer.channels):  # each has statistics of its own
        values[:, channel] = _like(KINDS[channel % len(KINDS)], values[:, channel], LARGE)
    return values, 1


def _ids(shape: Shape, vocabulary: int) -> tuple[NDArray[Any], int]:
    ids = np.arange(len(KINDS) * shape[0]) % vocabulary  # first, last and repeated ones
    return ids.reshape(len(KINDS), *shape).astype(np.int32), 0


def _like(kind: str, values: NDArray[np.float64], large: float) -> NDArray[np.float64]:
    match kind:
        case "large":
            return large * values
        case "nearly constant":
            return OFFSET + SPREAD * values
        case "zero":
            return np.zeros_like(values)
        case "tied":
            return np.round(values)
        case _:
            return values


def _valid(kind: str, number: int, steps: int) -> NDArray[np.bool_]:
    """One sample's valid steps; at least one of them, but for "none"."""
    at = np.arange(steps)
    valid: NDArray[np.bool_] = np.ones(steps, bool)
    match kind:
        case "right":
            valid = at < max(1, steps - 1 - number % 2)
        case "left":
            valid = at >= min(steps - 1, 1 + number % 2)
        case "holes":
            valid = (at % 2 == 0) | (at == steps - 1)
        case "single":
            valid = at == steps // 2
        case "none":
            valid[:] = False
    return valid


def _random(name: str, shape: Shape) -> NDArray[np.float64]:
    """To float32's values, which every precision can hold."""
    values = uniform(0, f"situation {name}", (len(KINDS), *shape))
    return values.astype(np.float32).astype(np.float64)
