"""Where a difference comes from, and what may have been done there in place of the right thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.material import Material
from suite.parity import alone, drills
from suite.parity.alone import Fault
from suite.parity.confusions import layers, losses, optimizers, statistics
from suite.parity.drills import Mistake
from suite.parity.findings import Findings, read
from suite.parity.reference import Reference, ReferenceFailed
from suite.parity.situations import ORDINARY
from suite.store.schema import Location
from tasks.spec import BatchNorm, Layer, local

CLOSE = 1e-7  # a confusion that makes what the backend made
FLOAT32 = 1e-6  # what float32 arithmetic inside a float64 program leaves in a layer
AMPLIFIED = 1e-4  # and where situations make errors grow


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one backend made of a task in float64: of the whole, of every layer alone, and of the
    drills. ``key`` is the part/path where the whole differs first, by ``error``, and ``location``
    its place. ``drill`` has the backend do other drills.
    """

    material: Material
    found: Findings
    wanted: Findings
    key: str | None
    location: Location | None
    error: float
    layers: alone.Answers
    drilled: drills.Answers
    drill: Callable[[dict[str, drills.Drill]], drills.Answers]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The place, by how much it is off, and more words if there are any. ``rounding``: it is the
    same function, of which less is kept than float64 keeps.
    """

    location: Location
    error: float
    words: str = ""
    rounding: bool = False


def diagnose(evidence: Evidence, reference: Reference) -> Diagnosis | None:
    """What is wrong; None if nothing is. Raises ReferenceFailed."""
    model = evidence.material.task.model
    faults = alone.faults(model, evidence.layers, reference.alone(evidence.material))
    asked = drills.of(evidence.material.task)
    mistakes = drills.wrong(evidence.drilled, reference.drilled(asked), asked)
    found = _diagnosis(evidence, faults, mistakes, reference)
    if found is None:
        return None
    mild = [evidence.error <= FLOAT32, *(m.error <= AMPLIFIED for m in mistakes)]
    mild += [f.ordinary <= FLOAT32 and f.error <= AMPLIFIED for f in faults]
    # What a known mistake makes is a mistake, however small: a biased variance was 4e-7 off.
    if all(mild) and found.location.guess is None:
        words = "float32 somewhere in a float64 program"
        return replace(found, words=words, rounding=True)
    return found


def _diagnosis(
    evidence: Evidence, faults: list[Fault], mistakes: list[Mistake], reference: Reference
) -> Diagnosis | None:
    """The first that tells where it is. The whole tells it for forward values. Where gradients are
    wrong it only shows how far behind the fault they are: there layers alone tell, and if all are
    right, it is the loss that gives them a wrong gradient.
    """
    location, part = evidence.location, (evidence.key or "").partition("/")[0]
    silent = location is None or part in ("gradients", "input_gradients")
    of_loss = [mistake for mistake in mistakes if mistake.drill.of_loss]
    of_update = [mistake for mistake in mistakes if not mistake.drill.of_loss]
    own = type(evidence.material.task.optimizer)
    of_update.sort(key=lambda mistake: not isinstance(mistake.drill.optimizer, own))
    if silent and faults:
        return _of_layer(evidence, faults[0].location, faults[0], reference)
    if silent and of_loss:
        return _of_loss(evidence, of_loss[0])
    if location is None:
        anywhere = Location(kind="optimizer", path="optimizer")
        return _of_update(evidence, anywhere, of_update[0], reference) if of_update else None
    if part == "loss":
        guess = _loss_like(evidence.found.loss, _logits(evidence), _targets(evidence))
        return Diagnosis(location=_with(location, None, guess), error=evidence.error)
    if part in ("update", "trained") and of_update and location.kind == "optimizer":
        return _of_update(evidence, location, of_update[0], reference)
    if part == "buffers":
        return Diagnosis(location=_of_statistics(evidence, location), error=evidence.error)
    for fault in faults:
        if fault.place.layer == _layer(evidence, location.path):
            return _of_layer(evidence, location, fault, reference)
    return Diagnosis(location=location, error=evidence.error)


def _close(error: float) -> float:
    """How close to what a confusion makes is what was made, if it is that confusion."""
    return min(CLOSE, error / 10)


def _with(location: Location, field: str | None, guess: str | None) -> Location:
    words = None if guess is None else f"consistent with {guess}"
    return location.model_copy(update={"field": field, "guess": words})


def _layer(evidence: Evidence, path: str) -> Layer | None:
    places = evidence.material.task.model.places()
    return next((place.layer for place in places if place.path == path), None)


def _of_layer(
    evidence: Evidence, location: Location, fault: Fault, reference: Reference
) -> Diagnosis:
    """A layer that is wrong alone: the confusion that makes its output, if there is one."""
    place, situation = fault.place, fault.situation
    made = evidence.layers[place.path, situation.name]
    only = ""
    if fault.kinds and not set(fault.kinds) & set(ORDINARY):
        where = "with" if situation.valid is not None else "where the input is"
        only = f"only {where} {' or '.join(fault.kinds)}"
    words = [only] if only else []
    if fault.key != "output":
        words = ["the output is right, its gradient is not", *words]
        return Diagnosis(location=location, error=fault.error, words=", ".join(words))
    given = layers.Given(
        layer=place.layer,
        parameters=local(read(evidence.material.probe), place.path),
        inputs=situation.inputs,
        valid=situation.valid,
    )
    for confusion in layers.confusions(given):
        try:
            misled = reference.supposing(confusion.given, situation.upstream)
        except ReferenceFailed:  # it cannot be computed, so that nobody did
            continue
        if max(alone.errors(made.get("output"), misled["output"], situation.axis)) <= _close(
            fault.error
        ):
            location = _with(location, confusion.field, confusion.words)
            break
    return Diagnosis(location=location, error=fault.error, words=", ".join(words))


def _of_loss(evidence: Evidence, mistake: Mistake) -> Diagnosis:
    """The loss of hot logits, or its gradient."""
    location = Location(kind="loss", path="loss")
    made, batch = evidence.drilled[mistake.name], drills.batch()
    if mistake.key != "loss":
        words = "its value is right, its gradient is not"
        return Diagnosis(location=location, error=mistake.error, words=words)
    logits = made["predictions/logits"]
    guess = _loss_like(float(made["loss"]), logits, np.asarray(batch.targets))
    words = "only where logits are large"
    return Diagnosis(location=_with(location, None, guess), error=mistake.error, words=words)


def _of_update(
    evidence: Evidence, location: Location, mistake: Mistake, reference: Reference
) -> Diagnosis:
    """The confusion that makes a drill's updates; else the first of the optimizer's fields that
    goes wrong when it alone is switched on.
    """
    made, words = evidence.drilled[mistake.name], f"in {mistake.name}, {mistake.key}"
    for confusion in optimizers.confusions(mistake.drill.optimizer):
        updates = drills.named(confusion.rule(drills.start(), drills.gradients()))
        errors = (drills.off(made.get(key), array) for key, array in updates.items())
        if max(errors) <= _close(mistake.error):
            location = _with(location, confusion.field, confusion.words)
            return Diagnosis(location=location, error=mistake.error, words=words)
    parts = drills.switched(mistake.drill.optimizer)
    failing = drills.wrong(evidence.drill(parts), reference.drilled(parts), parts)
    field = failing[0].name if failing else None
    return Diagnosis(location=_with(location, field, None), error=mistake.error, words=words)


def _of_statistics(evidence: Evidence, location: Location) -> Location:
    owner, _, name = location.path.rpartition(".")
    place = next(p for p in evidence.material.task.model.places() if p.path == owner)
    if not isinstance(place.layer, BatchNorm):
        return location
    old = read(evidence.material.probe)[location.path]
    key = f"buffers/{location.path}"
    made, right = evidence.found.capture.get(key), evidence.wanted.capture[key]
    count = evidence.material.task.batch_size * prod(place.input_shape[1:])
    for field, words, array in statistics.confusions(name, place.layer.momentum, old, right, count):
        if drills.off(made, array) <= _close(evidence.error):
            return _with(location, field, words)
    return location


def _loss_like(found: float, logits: NDArray[Any], targets: NDArray[Any]) -> str | None:
    for words, loss in losses.CONFUSIONS.items() if isfinite(found) else ():
        if abs(loss(logits, targets) - found) <= CLOSE * max(1.0, abs(found)):
            return words
    return None


def _logits(evidence: Evidence) -> NDArray[Any]:
    last = evidence.material.task.model.places()[-1].path
    return evidence.wanted.capture[f"activations/{last}"]


def _targets(evidence: Evidence) -> NDArray[Any]:
    targets: NDArray[Any] = read(evidence.material.data)["probe.targets"]
    return targets
