"""The cases that parity chooses of a model's layers: samples that make silent faults visible. And
the layers that are wrong in them, so that the one at fault shows itself and not those behind it.

Random values hide much: an epsilon that is ten times too great changes a variance of 1/3 in the
fourth digit, ties never happen, and without padding a mask is never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.arrays import Arrays
from suite.engine.inputs import TaskInputs
from suite.engine.remote import RemoteBackend, RemoteProgram
from suite.parity import thresholds
from suite.parity.layer_checks import ORDINARY, Case, errors, greatest, run
from suite.records.schema import Location
from tasks import spec
from tasks.parameters import rounded, uniform
from tasks.spec import Layer, ModelSpec, Place, Shape

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
NAMES = {
    "full": "no padding",
    "right": "padding on the right",
    "left": "padding on the left",
    "holes": "holes",
    "single": "a single valid step",
    "none": "no valid step",
}
MASKED = (spec.Attention, spec.Conv1d, spec.Recurrent, spec.LastStep, spec.MeanSteps)
PLAIN = 1e-4  # an output's error that is no rounding
FAR = 1e3  # times the error: a mask of -20 is 1e-8 off where scores are alike, 0.1 where not

Answers = dict[tuple[str, str], Arrays]  # by path and case


def reads_mask(layer: Layer) -> bool:
    """Whether padding changes what the layer makes of valid steps."""
    if isinstance(layer, spec.PositionalEmbedding):
        return layer.count == "valid"
    if isinstance(layer, spec.BatchNorm):
        return layer.over == "valid"
    return isinstance(layer, MASKED)


def distinct(model: ModelSpec) -> list[Place]:
    """The first place of every plain layer that differs from those before it in its type, fields or
    the ranks of what it takes.
    """
    found: dict[tuple[Layer, tuple[int, ...]], Place] = {}
    for place in model.places():
        if not isinstance(place.layer, spec.Residual):
            found.setdefault((place.layer, tuple(map(len, place.input_shapes))), place)
    return list(found.values())


def chosen(model: ModelSpec) -> Iterator[Case]:
    """Every distinct layer in every case."""
    for place in distinct(model):
        given = model.every_input.get(place.sources[0])
        yield from cases(place, None if given is None else given.vocabulary)


def cases(place: Place, vocabulary: int | None) -> Iterator[Case]:
    """What the layer at this place is given: token ids below ``vocabulary``, or reals."""
    layer, shapes = place.layer, place.input_shapes
    if isinstance(layer, spec.Recurrent):
        shapes = ((max(STEPS, shapes[0][0]), *shapes[0][1:]),)
    axis = 0
    if isinstance(layer, spec.BatchNorm):  # a channel has statistics of its own
        axis = 1 if layer.over == "batch" else 2
    first, *others = (
        _ids(shape, vocabulary) if vocabulary else _inputs(layer, shape, axis, number)
        for number, shape in enumerate(shapes)
    )
    kinds = tuple(KINDS[n % len(KINDS)] for n in range(first.shape[axis]))
    if vocabulary:
        kinds = tuple(KINDS[0] if kind != STEEP else STEEP for kind in kinds)  # no id is large
    upstream = _random(f"{place.path} upstream", layer.output_shape(*shapes))
    steep = upstream.copy()
    np.moveaxis(steep, axis, 0)[[kind == STEEP for kind in kinds]] *= STEEPNESS
    case = Case(
        name="values",
        layer=layer,
        path=place.path,
        inputs=(first, *others) if others else first,
        upstream=steep,
        kinds=kinds,
        axis=axis,
    )
    yield case
    case = replace(case, upstream=upstream)
    if isinstance(layer, spec.LSTM):
        yield from _steady(case, layer, shapes[0])
    if reads_mask(layer):
        yield _padded(case, shapes, "padding", 1.0, _paddings(layer))
    if isinstance(layer, spec.Attention):
        # Scores far apart show a mask that only lowers them; -1e4 still stays below them.
        yield _padded(case, shapes, HOT, LARGE, _paddings(layer))
        yield _padded(case, shapes, EMPTY, 1.0, ["none"] * len(NAMES))


def _steady(case: Case, layer: spec.LSTM, shape: Shape) -> Iterator[Case]:
    """The same large values at every step, so that cells add up. With 15 seeds of rnn-tiny the
    greatest cell reached 10.0 at least; with the other cases 1.6, so that a cell that is
    clipped at 3 was the same.
    """
    for number in range(1, 1 + ceil(CELLS / (len(KINDS) * layer.hidden_size))):
        once = _random(f"{case.path} steady {number}", shape)[:, :1]
        yield replace(
            case,
            name=f"{STEADY} {number}",
            inputs=LARGE * np.broadcast_to(once, (len(once), *shape)).copy(),
            kinds=(STEADY,) * len(KINDS),
        )


def _padded(
    case: Case, shapes: tuple[Shape, ...], name: str, size: float, paddings: list[str]
) -> Case:
    """Of a layer with a memory the paddings are the memory's; its other value has them in the
    opposite order, which it is not to look at.
    """
    inputs = [
        size * _random(f"{case.path} padded{number or ''}", shape)
        for number, shape in enumerate(shapes)
    ]
    masks = [
        np.stack([_valid(kind, n, shape[0]) for n, kind in enumerate(kinds)])
        for kinds, shape in zip((paddings[::-1], paddings)[-len(shapes) :], shapes, strict=True)
    ]
    return replace(
        case,
        name=name,
        inputs=tuple(inputs) if len(inputs) > 1 else inputs[0],
        kinds=tuple(NAMES[kind] + " and large values" * (name == HOT) for kind in paddings),
        axis=0,
        valid=tuple(masks) if len(masks) > 1 else masks[0],
        finite=name == EMPTY,
    )


def _paddings(layer: Layer) -> list[str]:
    """Attention has something to attend to: where it has not, a mask of -1e4 gives the mean of the
    values and one of -inf nothing. Both are in use, so that only its being finite is asked for.
    """
    if not isinstance(layer, spec.Attention):
        return [*NAMES]
    if layer.causal:
        return ["full" if kind == "full" else "right" for kind in NAMES]
    return ["full" if kind == "none" else kind for kind in NAMES]


def _inputs(layer: Layer, shape: Shape, axis: int, number: int) -> NDArray[Any]:
    """A sample, or a channel, of every kind; the layer's first input or a later one."""
    values = _random(f"{type(layer).__name__}{number or ''}", shape)
    large = LARGE if layer.parameters() else HUGE
    for number, each in enumerate(np.moveaxis(values, axis, 0)):
        match KINDS[number % len(KINDS)]:
            case "large":
                each *= large
            case "nearly constant":
                each[...] = OFFSET + SPREAD * each
            case "zero":
                each[...] = 0
            case "tied":
                np.round(each, out=each)
    return values


def _ids(shape: Shape, vocabulary: int) -> NDArray[Any]:
    ids = np.arange(len(KINDS) * shape[0]) % vocabulary  # first, last and repeated ones
    return ids.reshape(len(KINDS), *shape).astype(np.int32)


def _valid(kind: str, number: int, steps: int) -> NDArray[np.bool_]:
    """One sample's valid steps; at least one of them, but for "none"."""
    at = np.arange(steps)
    valid: dict[str, NDArray[np.bool_]] = {
        "full": at >= 0,
        "right": at < max(1, steps - 1 - number % 2),
        "left": at >= min(steps - 1, 1 + number % 2),
        "holes": (at % 2 == 0) | (at == steps - 1),
        "single": at == steps // 2,
        "none": at < 0,
    }
    return valid[kind]


def _random(name: str, shape: Shape) -> NDArray[np.float64]:
    return rounded(uniform(0, f"situation {name}", (len(KINDS), *shape)))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A layer that does not do alone what the reference does. ``key`` is the first array that is
    off, by ``error``, in samples (of a batch norm: channels) of these ``kinds``; ``ordinary`` is
    the worst error in those that amplify nothing, over all cases.
    """

    case: Case
    key: str
    error: float
    kinds: tuple[str, ...]
    ordinary: float = 0.0

    @property
    def location(self) -> Location:
        """The layer; or its parameter, if only that one's gradient is wrong."""
        part, _, name = self.key.partition("/")
        if part == "gradients":
            return Location(kind="parameter", path=f"{self.case.path}.{name}")
        return Location(kind="layer", path=self.case.path)


def answers(backend: RemoteBackend, task_inputs: TaskInputs) -> Answers:
    """What one backend makes of every case, of the task as it is built, at the probe's parameters;
    what it does not support is left out. Raises what else Worker.call raises.
    """
    program = RemoteProgram(backend, backend.start(task_inputs, task_inputs.probe))
    found = Answers()
    for case in chosen(task_inputs.task.model):
        with suppress(NotSupported):
            found[case.at] = run(program, case)
    return found


def faults(model: ModelSpec, found: Answers, wanted: Answers) -> list[Fault]:
    """The layers whose answers are off by more than ALONE, in the order of computing: each in its
    first case, or in a later one where it shows by far more. Gradients do not stand before an
    output that is wrong, which they follow from: where the right ones are near 0 they are off by
    more (a memory's mask that was dropped made 0.9 of an output, and 2.5e3 of a gradient).
    """
    seen: dict[str, Fault] = {}
    every = list(_errors(model, found, wanted))
    ordinary = greatest(
        (case.path, kinds.get(kind, 0.0)) for case, _, kinds in every for kind in ORDINARY
    )
    for case, key, kinds in every:
        off = tuple(kind for kind, error in kinds.items() if error > thresholds.ALONE)
        if off:
            some = () if len(off) == len(kinds) else off
            fault = Fault(case=case, key=key, error=max(kinds.values()), kinds=some)
            before = seen.setdefault(case.path, fault)
            follows = before.key == "output" != key and before.error > PLAIN
            if case is not before.case and fault.error > FAR * before.error and not follows:
                seen[case.path] = fault
    return [replace(fault, ordinary=ordinary[path]) for path, fault in seen.items()]


def worst(model: ModelSpec, found: Answers, wanted: Answers) -> float:
    """The worst error of all."""
    every = (max(kinds.values()) for *_, kinds in _errors(model, found, wanted))
    return max(every, default=0.0)


def _errors(
    model: ModelSpec, found: Answers, wanted: Answers
) -> Iterator[tuple[Case, str, dict[str, float]]]:
    for case in chosen(model):
        if case.at in found:
            every = errors(case, found[case.at], wanted[case.at])
            yield from ((case, key, kinds) for key, kinds in every.items())
