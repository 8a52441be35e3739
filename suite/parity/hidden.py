"""Known mistakes tried everywhere in a model of which a port shows too little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suite.engine.inputs import TaskInputs
from suite.engine.remote import read
from suite.parity.cases import MASKED
from suite.parity.compare import relative
from suite.parity.ensemble import is_large
from suite.parity.known_mistakes import layers
from suite.parity.known_mistakes.layers import Given, Mistake
from suite.parity.reference import Reference, ReferenceFailed
from suite.parity.whole import Sight
from tasks.spec import Place, Residual, local
from tasks.spec.layer import SpecError


@dataclass(frozen=True, kw_only=True)
class Found:
    """A mistake that makes what was made, and where."""

    paths: list[str]
    word: str
    words: str
    field: str | None


def mistake(
    task_inputs: TaskInputs, reference: Reference, sight: Sight, among: Sequence[str], close: float
) -> Found | None:
    """The first that gives the array where the whole differs, in layers ``among`` these paths: in
    one of them, or in all that are alike. Large models are not tried, nor other samples than the
    probe's.
    """
    if is_large(task_inputs.task) or sight.start != task_inputs.probe or sight.words:
        return None
    made = sight.found.capture.get(sight.key)
    unmasked = reference.unmasked(task_inputs)
    if unmasked is not None and relative(made, unmasked.capture[sight.key]) <= close:
        reading = [place.path for place in task_inputs.task.model.places() if masked(place, among)]
        return Found(paths=reading, word="mask", words="padding taken for steps", field=None)
    for paths, mistake, changes in _tries(task_inputs, among):
        try:
            found = reference.mistaken(task_inputs, changes)
        except (ReferenceFailed, SpecError):  # it cannot be computed, so that nobody did
            continue
        if relative(made, found.capture[sight.key]) <= close:
            return Found(paths=paths, word=mistake.word, words=mistake.words, field=mistake.field)
    return None


def masked(place: Place, among: Sequence[str]) -> bool:
    """Does it ask which steps are valid?"""
    return place.path in among and isinstance(place.layer, MASKED)


def _tries(
    task_inputs: TaskInputs, among: Sequence[str]
) -> Iterator[tuple[list[str], Mistake, Mapping[str, Given]]]:
    """Every mistake that another layer or other parameters make, in all alike and in each."""
    parameters = read(task_inputs.probe)
    alike: dict[object, list[Place]] = {}
    for place in task_inputs.task.model.places():
        if place.path in among and not isinstance(place.layer, Residual):
            alike.setdefault(place.layer, []).append(place)
    for places in alike.values():
        givens = {place.path: _given(place, local(parameters, place.path)) for place in places}
        known = {path: list(layers.mistakes(given)) for path, given in givens.items()}
        paths = [*known]
        for each in [paths, *([one] for one in paths)] if len(paths) > 1 else [paths]:
            for same in zip(*(known[path] for path in each), strict=True):
                changes = {path: own.given for path, own in zip(each, same, strict=True)}
                if any(
                    not np.array_equal(change.inputs, givens[path].inputs)
                    for path, change in changes.items()
                ):
                    continue  # it is about what the layer is given
                yield each, same[0], changes


def _given(place: Place, parameters: layers.Arrays) -> Given:
    shape = (1, *place.input_shape)
    return Given(layer=place.layer, parameters=parameters, inputs=np.ones(shape))
