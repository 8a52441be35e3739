"""Each layer alone: what it makes of the same inputs and upstream gradient as the reference's, so
that the layer at fault shows itself and not the ones behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.inputs import TaskInputs
from suite.engine.remote import Arrays, RemoteBackend, RemoteProgram
from suite.parity.cases import ORDINARY, Case, cases, distinct
from suite.parity.compare import relative
from suite.parity.thresholds import ALONE
from suite.records.schema import Location
from tasks.spec import ModelSpec, Place

FAR = 1e3  # times the error: a mask of -20 is 1e-8 off where scores are alike, 0.1 where not
LEAST_NORM = 1e-3  # below it errors are absolute: what should be 0 has no relative error


Answers = dict[tuple[str, str], Arrays]  # by path and case


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A layer that does not do alone what the reference does. ``key`` is the first array that is
    off, by ``error``, in samples (of a batch norm: channels) of these ``kinds``; ``ordinary`` is
    the worst error in those that amplify nothing, over all cases.
    """

    place: Place
    case: Case
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


def asked(model: ModelSpec) -> Iterator[tuple[Place, Case]]:
    """Every distinct layer in every case."""
    first = model.places()[0].path
    for place in distinct(model):
        vocabulary = model.input.vocabulary if place.path == first else None
        for case in cases(place, vocabulary):
            yield place, case


def answers(backend: RemoteBackend, task_inputs: TaskInputs) -> Answers:
    """What one backend makes of them, at the probe's parameters; what it does not support is left
    out. Raises what else Worker.call raises.
    """
    backend.start(task_inputs, task_inputs.probe)
    found = Answers()
    for place, case in asked(task_inputs.task.model):
        with suppress(NotSupported):
            found[place.path, case.name] = answer(backend, task_inputs, place, case)
    return found


def answer(backend: RemoteBackend, task_inputs: TaskInputs, place: Place, case: Case) -> Arrays:
    """One of them, of the task as it is built. Raises what Worker.call raises."""
    program = RemoteProgram(backend, backend.started(task_inputs))
    return program.layer_of(place.path, case.arrays())


def faults(model: ModelSpec, found: Answers, wanted: Answers) -> list[Fault]:
    """The layers whose answers are off by more than ALONE, in the order of computing: each in its
    first case, or in a later one where it shows by far more.
    """
    seen: dict[str, Fault] = {}
    ordinary: dict[str, float] = {}  # the worst of a layer's outputs, over all its cases
    for place, case in asked(model):
        if (place.path, case.name) not in found:
            continue
        mine, theirs = (of[place.path, case.name] for of in (found, wanted))
        parameters = list(place.layer.parameters())
        for key in sorted(theirs, key=partial(_order, parameters)):
            calm = _ordinary(case, key, mine.get(key), theirs[key])
            ordinary[place.path] = max(calm, ordinary.get(place.path, 0.0))
            fault = _fault(place, case, key, mine.get(key), theirs[key])
            if fault is not None:
                before = seen.setdefault(place.path, fault)
                if fault.case is not before.case and fault.error > FAR * before.error:
                    seen[place.path] = fault
    return [replace(fault, ordinary=ordinary[path]) for path, fault in seen.items()]


def worst(model: ModelSpec, found: Answers, wanted: Answers) -> float:
    """The worst error of all."""
    return max(
        (
            max(_each(case, key, found[at].get(key), wanted[at][key]))
            for place, case in asked(model)
            if (at := (place.path, case.name)) in found
            for key in wanted[at]
        ),
        default=0.0,
    )


def _each(case: Case, key: str, found: NDArray[Any] | None, wanted: NDArray[Any]) -> list[float]:
    """The errors of an array; a parameter's gradient is a sum over all samples."""
    if case.finite and found is not None and np.isfinite(found).all():
        return [0.0] * (1 if "/" in key else wanted.shape[case.axis])
    return errors(found, wanted, None if "/" in key else case.axis)


def _order(parameters: Sequence[str], key: str) -> int:
    """Parameters' gradients last: they are wrong behind a wrong output too."""
    if "/" not in key:
        return ("output", "input_gradients").index(key)
    return 2 + parameters.index(key.removeprefix("gradients/"))


def _fault(
    place: Place,
    case: Case,
    key: str,
    found: NDArray[Any] | None,
    wanted: NDArray[Any],
) -> Fault | None:
    each = _each(case, key, found, wanted)
    kinds = ORDINARY[:1] if "/" in key else case.kinds
    if max(each) <= ALONE:
        return None
    by_kind = list(zip(kinds, each, strict=False))
    off = dict.fromkeys(kind for kind, error in by_kind if error > ALONE)
    return Fault(
        place=place,
        case=case,
        key=key,
        error=max(each),
        kinds=() if set(off) == set(kinds) else tuple(off),
    )


def _ordinary(case: Case, key: str, found: NDArray[Any] | None, wanted: NDArray[Any]) -> float:
    kinds = ORDINARY[:1] if "/" in key else case.kinds
    each = zip(kinds, _each(case, key, found, wanted), strict=False)
    return max((error for kind, error in each if kind in ORDINARY), default=0.0)


def errors(found: NDArray[Any] | None, wanted: NDArray[Any], axis: int | None) -> list[float]:
    """‖found - wanted‖ / ‖wanted‖ for each index along the axis, or of the whole."""
    if axis is None or found is None or found.shape != wanted.shape:
        return [relative(found, wanted, least=LEAST_NORM)]
    pairs = zip(np.moveaxis(found, axis, 0), np.moveaxis(wanted, axis, 0), strict=True)
    return [relative(mine, right, least=LEAST_NORM) for mine, right in pairs]
