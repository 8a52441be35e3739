"""Each layer alone: what it makes of the same inputs and upstream gradient as the reference's, so
that the layer at fault shows itself and not the ones behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.crew import Crew
from suite.material import Material
from suite.parity.compare import relative
from suite.parity.findings import Arrays, read
from suite.parity.situations import ORDINARY, Situation, distinct, situations
from suite.parity.thresholds import ALONE
from suite.plan import Lane
from suite.store.schema import Location
from tasks.spec import ModelSpec, Place

FAR = 1e3  # times the error: a mask of -20 is 1e-8 off where scores are alike, 0.1 where not
LEAST_NORM = 1e-3  # below it errors are absolute: what should be 0 has no relative error


Answers = dict[tuple[str, str], Arrays]  # by path and situation


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A layer that does not do alone what the reference does. ``key`` is the first array that is
    off, by ``error``, in samples (of a batch norm: channels) of these ``kinds``; ``ordinary`` is
    the worst error in those that amplify nothing, over all situations.
    """

    place: Place
    situation: Situation
    key: str
    error: float
    kinds: tuple[str, ...]
    ordinary: float = 0.0

    @property
    def location(self) -> Location:
        """The layer; or its parameter, if only that one's gradient is wrong."""
        if self.key.startswith("gradients/"):
            path = f"{self.place.path}.{self.key.removeprefix('gradients/')}"
            return Location(kind="parameter", path=path)
        return Location(kind="layer", path=self.place.path)


def asked(model: ModelSpec) -> Iterator[tuple[Place, Situation]]:
    """Every distinct layer in every situation."""
    first = model.places()[0].path
    for place in distinct(model):
        vocabulary = model.input.vocabulary if place.path == first else None
        for situation in situations(place, vocabulary):
            yield place, situation


def answers(crew: Crew, lane: Lane, material: Material, files: Path) -> Answers:
    """What one backend makes of them, at the probe's parameters; what it does not support is left
    out. Raises what else Worker.call raises.
    """
    crew.build(lane, material, material.probe)
    found = Answers()
    for place, situation in asked(material.task.model):
        with suppress(NotSupported):
            one = answer(crew, lane, material, files, place, situation)
            found[place.path, situation.name] = one
    return found


def answer(
    crew: Crew, lane: Lane, material: Material, files: Path, place: Place, situation: Situation
) -> Arrays:
    """One of them, of the task as it is built. Raises what Worker.call raises."""
    name = material.task.name
    start = f"{files}/{name}-{lane.arm.name}-{lane.execution}-{lane.precision}"
    given, made = f"{start}-given.npz", f"{start}-layer.npz"
    np.savez(given, **situation.arrays())  # type: ignore[arg-type]
    worker = crew.member(lane).worker
    worker.call("layer", task=name, place=place.path, given=given, path=made)
    return read(made)


def faults(model: ModelSpec, found: Answers, wanted: Answers) -> list[Fault]:
    """The layers whose answers are off by more than ALONE, in the order of computing: each in its
    first situation, or in a later one where it shows by far more.
    """
    seen: dict[str, Fault] = {}
    ordinary: dict[str, float] = {}  # the worst of a layer's outputs, over all its situations
    for place, situation in asked(model):
        if (place.path, situation.name) not in found:
            continue
        mine, theirs = (of[place.path, situation.name] for of in (found, wanted))
        parameters = list(place.layer.parameters())
        for key in sorted(theirs, key=partial(_order, parameters)):
            calm = _ordinary(situation, key, mine.get(key), theirs[key])
            ordinary[place.path] = max(calm, ordinary.get(place.path, 0.0))
            fault = _fault(place, situation, key, mine.get(key), theirs[key])
            if fault is not None:
                before = seen.setdefault(place.path, fault)
                if fault.situation is not before.situation and fault.error > FAR * before.error:
                    seen[place.path] = fault
    return [replace(fault, ordinary=ordinary[path]) for path, fault in seen.items()]


def worst(model: ModelSpec, found: Answers, wanted: Answers) -> float:
    """The worst error of all."""
    return max(
        (
            max(_each(situation, key, found[at].get(key), wanted[at][key]))
            for place, situation in asked(model)
            if (at := (place.path, situation.name)) in found
            for key in wanted[at]
        ),
        default=0.0,
    )


def _each(
    situation: Situation, key: str, found: NDArray[Any] | None, wanted: NDArray[Any]
) -> list[float]:
    """The errors of an array; a parameter's gradient is a sum over all samples."""
    if situation.finite and found is not None and np.isfinite(found).all():
        return [0.0] * (1 if "/" in key else wanted.shape[situation.axis])
    return errors(found, wanted, None if "/" in key else situation.axis)


def _order(parameters: Sequence[str], key: str) -> int:
    """Parameters' gradients last: they are wrong behind a wrong output too."""
    if "/" not in key:
        return ("output", "input_gradients").index(key)
    return 2 + parameters.index(key.removeprefix("gradients/"))


def _fault(
    place: Place,
    situation: Situation,
    key: str,
    found: NDArray[Any] | None,
    wanted: NDArray[Any],
) -> Fault | None:
    each = _each(situation, key, found, wanted)
    kinds = ORDINARY[:1] if "/" in key else situation.kinds
    if max(each) <= ALONE:
        return None
    by_kind = list(zip(kinds, each, strict=False))
    off = dict.fromkeys(kind for kind, error in by_kind if error > ALONE)
    return Fault(
        place=place,
        situation=situation,
        key=key,
        error=max(each),
        kinds=() if set(off) == set(kinds) else tuple(off),
    )


def _ordinary(
    situation: Situation, key: str, found: NDArray[Any] | None, wanted: NDArray[Any]
) -> float:
    kinds = ORDINARY[:1] if "/" in key else situation.kinds
    each = zip(kinds, _each(situation, key, found, wanted), strict=False)
    return max((error for kind, error in each if kind in ORDINARY), default=0.0)


def errors(found: NDArray[Any] | None, wanted: NDArray[Any], axis: int | None) -> list[float]:
    """‖found - wanted‖ / ‖wanted‖ for each index along the axis, or of the whole."""
    if axis is None or found is None or found.shape != wanted.shape:
        return [relative(found, wanted, least=LEAST_NORM)]
    pairs = zip(np.moveaxis(found, axis, 0), np.moveaxis(wanted, axis, 0), strict=True)
    return [relative(mine, right, least=LEAST_NORM) for mine, right in pairs]
